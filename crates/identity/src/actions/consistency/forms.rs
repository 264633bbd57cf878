//! Forms with random names from small pools, made from samples.

use std::collections::BTreeMap;

use crate::testing::{ACCOUNT, TestAuthenticator, TestInstallation, TestResponse};

/// The IDs that earlier responses had, by the parameter that takes them.
#[derive(Default)]
pub(super) struct KnownIds {
    ids: BTreeMap<&'static str, Vec<String>>,
    devices: Vec<TestAuthenticator>,
}

/// Parameters that take IDs of earlier responses.
const IDS: [&str; 5] = [
    "AccessKeyId",
    "CertificateId",
    "SSHPublicKeyId",
    "SerialNumber",
    "ServiceSpecificCredentialId",
];

impl KnownIds {
    /// Remembers the IDs in a response.
    pub(super) fn learn(&mut self, operation: &str, response: &TestResponse) {
        if operation == "CreateVirtualMFADevice" {
            self.devices.push(TestAuthenticator::of(response));
        }
        for name in IDS {
            let ids = self.ids.entry(name).or_default();
            ids.extend(response.values(name));
        }
    }
}

/// Chooses the parameters of one form.
pub(super) struct FormMaker<'a> {
    choice: u64,
    known: &'a KnownIds,
}

impl<'a> FormMaker<'a> {
    pub(super) const fn new(choice: u64, known: &'a KnownIds) -> Self {
        Self { choice, known }
    }

    fn pick(&mut self, count: usize) -> usize {
        let count = count as u64;
        let picked = self.choice % count;
        // What is left chooses the next parameter.
        self.choice = (self.choice / count).rotate_left(7) ^ 0x9e37_79b9_7f4a_7c15;
        usize::try_from(picked).unwrap()
    }

    fn one<'s>(&mut self, pool: &[&'s str]) -> &'s str {
        pool[self.pick(pool.len())]
    }

    /// The form of an operation.
    pub(super) fn form(
        mut self,
        operation: &str,
        sample: &str,
        bench: &TestInstallation,
    ) -> String {
        let devices = &self.known.devices;
        if sample.contains("AuthenticationCode1") && !devices.is_empty() {
            let user = self.one(&["ann", "bob"]);
            let device = &devices[self.pick(devices.len())];
            return match operation {
                "EnableMFADevice" => device.enable(bench, user, [-1, 0]),
                _ => device.resync(bench, user, [-1, 0]),
            };
        }
        let mut form = format!("Action={operation}");
        for pair in sample.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            let value = self
                .value(operation, name)
                .unwrap_or_else(|| value.to_owned());
            form.push_str(&format!("&{name}={value}"));
        }
        for (name, pool) in optional(operation) {
            if self.pick(2) == 0 && !form.contains(&format!("&{name}=")) {
                let value = self.one(pool).to_owned();
                form.push_str(&format!("&{name}={value}"));
            }
        }
        form
    }

    /// A value for a parameter. `None` leaves the sample's.
    fn value(&mut self, operation: &str, name: &str) -> Option<String> {
        let pool: &[&str] = match name {
            "UserName" | "NewUserName" => &["ann", "bob", "Ann"],
            "GroupName" | "NewGroupName" => &["devs", "ops", "Devs"],
            "RoleName" if operation == "DeleteServiceLinkedRole" => {
                &["AWSServiceRoleForECS", "AWSServiceRoleForAutoScaling"]
            }
            "RoleName" | "InstanceProfileName" => &["deploy", "build"],
            "PolicyName" => &["reader", "writer", "Reader"],
            "PolicyArn" => return Some(self.policy_arn()),
            "PermissionsBoundary" => return Some(self.policy_arn()),
            "VersionId" => &["v1", "v2", "v3"],
            "Status" => &["Active", "Inactive"],
            "AssumeRolePolicyDocument" => return Some(self.trust()),
            "PolicyDocument" if operation == "UpdateAssumeRolePolicy" => return Some(self.trust()),
            "AWSServiceName" => &["ecs.amazonaws.com", "autoscaling.amazonaws.com"],
            name if IDS.contains(&name) => {
                let known = self.known.ids.get(name)?;
                let at = (!known.is_empty()).then(|| self.pick(known.len()))?;
                return Some(known[at].clone());
            }
            _ => return None,
        };
        Some(self.one(pool).to_owned())
    }

    fn policy_arn(&mut self) -> String {
        let own = ["reader", "writer", "a/reader"];
        let own = own.map(|name| format!("arn:aws:iam::{ACCOUNT}:policy/{name}"));
        let aws = ["ReadOnlyAccess"];
        let aws = aws.map(|name| format!("arn:aws:iam::aws:policy/{name}"));
        let all: Vec<_> = own.into_iter().chain(aws).collect();
        all[self.pick(all.len())].clone()
    }

    /// A trust policy that may name a user or a role of the account.
    fn trust(&mut self) -> String {
        let principal = match self.one(&["user/ann", "role/deploy", "", ""]) {
            "" => r#"{"Service":"ec2.amazonaws.com"}"#.to_owned(),
            name => format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:{name}"}}"#),
        };
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",
            "Principal":{principal},"Action":"sts:AssumeRole"}}}}"#
        )
    }
}

/// Parameters that the samples leave out.
fn optional(operation: &str) -> &'static [(&'static str, &'static [&'static str])] {
    match operation {
        "CreateUser" | "CreateGroup" | "CreatePolicy" | "CreateRole" | "CreateInstanceProfile" => {
            &[("Path", &["/a/"])]
        }
        "UpdateUser" | "UpdateGroup" => &[("NewPath", &["/", "/a/"])],
        "CreatePolicyVersion" => &[("SetAsDefault", &["true"])],
        _ => &[],
    }
}
