//! The permissions that a rotation needs, as a policy to paste.
//!
//! Invariant: the policy covers exactly this user, by ARN with path and partition, and grants only
//! what this rotation calls.

use keywright_aws::{AccountClient, IamIssuer};
use keywright_rotation::{model::Rotation, ports::Issuer};
use serde_json::json;

/// The permissions that a rotation needs.
pub(super) struct NeededPolicy {
    users: Vec<String>,
    keywright: bool,
    /// Whether the key has leaked, so that its sessions are ended.
    pub(super) incident: bool,
}

impl NeededPolicy {
    /// For a user that may or may not be readable.
    pub(super) async fn of_user(access: &std::sync::Arc<AccountClient>, user: &str) -> Self {
        let identity = access.identity();
        let users = match IamIssuer(std::sync::Arc::clone(access)).user(user).await {
            Ok(user) => vec![user.arn],
            Err(_) => anywhere(partition(&identity.arn), &identity.account, user),
        };
        Self {
            users,
            keywright: access.is_keywright(),
            incident: false,
        }
    }

    /// For the user of a rotation.
    pub(super) fn of_rotation(rotation: &Rotation) -> Self {
        let users = if rotation.arn.is_empty() {
            let partition = partition(&rotation.origin.by);
            anywhere(partition, &rotation.account, &rotation.user)
        } else {
            vec![rotation.arn.clone()]
        };
        Self {
            users,
            // AWS reports uses hours late, Keywright immediately.
            keywright: rotation.blind_secs == 0,
            incident: rotation.incident.is_some(),
        }
    }

    /// The sentence that introduces the policy, and the policy.
    pub(super) fn hint(&self, user: &str) -> String {
        format!(
            "this policy grants what a rotation of {user} needs:\n{}",
            self.text()
        )
    }

    fn text(&self) -> String {
        let mut on_user = vec![
            "iam:GetUser",
            "iam:TagUser",
            "iam:UntagUser",
            "iam:ListAccessKeys",
            "iam:CreateAccessKey",
            "iam:UpdateAccessKey",
            "iam:DeleteAccessKey",
        ];
        let mut on_all = vec!["iam:GetAccessKeyLastUsed"];
        if self.keywright {
            on_all.extend([
                "keywright:GetAccessKeyUse",
                "keywright:ListAccessKeyAttempts",
            ]);
        }
        match (self.incident, self.keywright) {
            (true, true) => {
                on_user.push("keywright:EndAccessKeySessions");
                on_all.push("keywright:ListAccessKeySessions");
            }
            (true, false) => {
                on_user.push("iam:PutUserPolicy");
                on_all.push("cloudtrail:LookupEvents");
            }
            (false, _) => {}
        }
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "RotateKeys",
                    "Effect": "Allow",
                    "Action": on_user,
                    "Resource": self.users,
                },
                {
                    "Sid": "SeeTheirUse",
                    "Effect": "Allow",
                    "Action": on_all,
                    "Resource": "*",
                },
            ],
        });
        serde_json::to_string_pretty(&policy).unwrap_or_default()
    }
}

/// The partition of an ARN.
fn partition(arn: &str) -> &str {
    let mut words = arn.split(':').skip(1);
    words
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("aws")
}

/// Patterns for a user with any path: without permission to read the user, its path is unknown.
fn anywhere(partition: &str, account: &str, user: &str) -> Vec<String> {
    let arn = |path: &str| format!("arn:{partition}:iam::{account}:user/{path}{user}");
    vec![arn(""), arn("*/")]
}

#[cfg(test)]
mod tests {
    use super::{NeededPolicy, anywhere, partition};

    #[test]
    fn partitions_and_paths() {
        let arn = "arn:aws-us-gov:sts::123456789012:assumed-role/rotator/keywright";
        assert_eq!(partition(arn), "aws-us-gov");
        assert_eq!(partition(""), "aws");
        assert_eq!(
            anywhere("aws-cn", "123456789012", "bob"),
            [
                "arn:aws-cn:iam::123456789012:user/bob",
                "arn:aws-cn:iam::123456789012:user/*/bob"
            ]
        );
    }

    #[test]
    fn it_grants_what_is_called_there_and_nothing_else() {
        for (keywright, incident, has, lacks) in [
            (false, false, "iam:TagUser", ["keywright:", "PutUserPolicy"]),
            (
                false,
                true,
                "iam:PutUserPolicy",
                ["keywright:", "EndAccessKey"],
            ),
            (
                true,
                false,
                "keywright:GetAccessKeyUse",
                ["PutUserPolicy", "EndAccessKey"],
            ),
            (
                true,
                true,
                "keywright:EndAccessKeySessions",
                ["PutUserPolicy", "cloudtrail"],
            ),
        ] {
            let needed = NeededPolicy {
                users: vec!["arn:aws:iam::123456789012:user/jobs/bob".to_owned()],
                keywright,
                incident,
            };
            let text = needed.text();
            assert!(
                text.contains(has) && text.contains("user/jobs/bob"),
                "{text}"
            );
            assert!(!lacks.iter().any(|lack| text.contains(lack)), "{text}");
        }
    }
}
