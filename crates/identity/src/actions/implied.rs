//! The extension cannot be used to bypass IAM: tests every AWS managed policy against every
//! extension operation.
//!
//! The equivalents of each operation are written by hand, independently of the table in the policy
//! crate.

use std::collections::BTreeSet;

use keywright_base::AccountId;
use keywright_policy::{
    AccessRequest, ContextMap, Policy, PolicySet, PolicySource, PrincipalRef, evaluate,
};

use super::{actions, sweeps::samples};
use crate::{
    catalogue::PolicyCatalogue,
    testing::{ACCOUNT, TestInstallation},
};

const KEYS: [&str; 3] = [
    "iam:CreateAccessKey",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
];
const LOOKS: [&str; 2] = ["iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"];
const POLICIES: [&str; 4] = [
    "iam:SimulatePrincipalPolicy",
    "iam:GetUserPolicy",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
];

/// An operation, and the IAM actions with the same effect on a user.
fn equivalents() -> Vec<(&'static str, Vec<&'static str>)> {
    let both = |some: &[&'static str]| [&KEYS[..], some].concat();
    vec![
        ("AbandonRotation", KEYS[1..].to_vec()),
        ("ChangeRotation", KEYS[1..].to_vec()),
        ("ConfirmDelivery", KEYS[1..].to_vec()),
        ("DeleteRotationPolicy", both(&LOOKS)),
        ("EndAccessKeySessions", vec!["iam:UpdateAccessKey"]),
        ("ExplainAuthorization", POLICIES.to_vec()),
        ("ExplainDeniedRequest", POLICIES.to_vec()),
        ("GetAccessKeyUse", LOOKS.to_vec()),
        ("GetRotation", LOOKS.to_vec()),
        ("HoldRotation", vec!["iam:UpdateAccessKey"]),
        ("ImportAccount", vec!["iam:CreatePolicy", "iam:CreateUser"]),
        ("ListAccessKeyAttempts", LOOKS.to_vec()),
        ("ListAccessKeySessions", LOOKS.to_vec()),
        (
            "ListAuthorizedPrincipals",
            vec!["iam:GetAccountAuthorizationDetails"],
        ),
        ("ListDeniedRequests", vec!["iam:SimulatePrincipalPolicy"]),
        ("ListRotationHistory", LOOKS.to_vec()),
        ("ListRotationPlaces", vec![]),
        (
            "ListRotationPolicies",
            vec!["iam:ListUsers", "iam:ListAccessKeys"],
        ),
        ("ListRotations", LOOKS.to_vec()),
        (
            "PutRotationPolicy",
            both(&["iam:TagUser", "iam:GetCredentialReport"]),
        ),
        ("ReleaseRotation", KEYS.to_vec()),
        ("ResumeRotation", KEYS.to_vec()),
        ("RetrieveRotationKey", vec!["iam:CreateAccessKey"]),
        ("RollBackRotation", KEYS[1..].to_vec()),
        ("StartRotation", both(&["iam:TagUser", "iam:UntagUser"])),
        ("ValidatePolicy", vec![]),
    ]
}

/// Whether a policy by itself allows a user an action on another user.
fn allows(policy: &std::sync::Arc<Policy>, action: &str) -> bool {
    let set = PolicySet::new(vec![(PolicySource::Inline, std::sync::Arc::clone(policy))]);
    let user = |name: &str| format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    let (caller, someone) = (user("caller"), user("someone"));
    let context = ContextMap::default();
    let account: AccountId = ACCOUNT.parse().unwrap();
    let principal = PrincipalRef::User {
        account,
        arn: &caller,
        id: "AIDAEXAMPLEEXAMPLEEXA",
        name: "caller",
    };
    [&*someone, "*"].into_iter().any(|resource| {
        let request = AccessRequest::new(principal, action, resource, &context);
        evaluate(&set, None, &request).is_allowed()
    })
}

#[test]
fn no_managed_policy_gives_more_by_the_extension_than_by_iam() {
    let bench = TestInstallation::new();
    let equivalents = equivalents();
    let named: BTreeSet<_> = equivalents.iter().map(|(name, _)| *name).collect();
    let ours = actions().map(|row| row.operation);
    let ours = ours.filter(|row| row.policy_action.starts_with("keywright:"));
    assert_eq!(named, ours.map(|row| row.name).collect());
    let samples = samples();
    let (mut requested, mut allowed) = (BTreeSet::new(), BTreeSet::new());
    bench.user("someone", &[]);
    for (number, policy) in PolicyCatalogue::built_in().by_name().values().enumerate() {
        let Some(compiled) = policy.compiled() else {
            continue;
        };
        let own = |(name, _): &&(&str, _)| allows(compiled, &format!("keywright:{name}"));
        let own: Vec<_> = equivalents.iter().filter(own).collect();
        if own.is_empty() {
            continue;
        }
        requested.insert(&*policy.name);
        let user = format!("u{number}");
        let keys = bench.user(&user, &[]);
        let attach = format!(
            "Action=AttachUserPolicy&UserName={user}&PolicyArn={}",
            policy.arn
        );
        if !bench.root(&attach).is_success() {
            continue;
        }
        for (name, amounts_to) in own {
            let (_, more) = samples.iter().find(|(action, _)| action == name).unwrap();
            let answer = bench.call(&keys, &format!("Action={name}&{more}"));
            if answer.code() == Some("AccessDenied") {
                continue;
            }
            allowed.insert((&*policy.name, *name));
            for action in amounts_to {
                assert!(
                    allows(compiled, action),
                    "{}: {name} without {action}",
                    policy.name
                );
            }
        }
    }
    assert!(requested.contains("PowerUserAccess"), "{requested:?}");
    let power: Vec<_> = allowed
        .iter()
        .filter(|(name, _)| *name == "PowerUserAccess")
        .collect();
    let harmless = ["ListRotationPlaces", "ValidatePolicy"];
    assert_eq!(
        power,
        harmless
            .map(|name| ("PowerUserAccess", name))
            .iter()
            .collect::<Vec<_>>()
    );
    let admin = allowed
        .iter()
        .filter(|(name, _)| *name == "AdministratorAccess");
    assert_eq!(admin.count(), equivalents.len());
}

/// Every report of a missing permission names it.
#[test]
fn the_missing_permission_is_named_everywhere() {
    let bench = TestInstallation::new();
    bench.user("bob", &[]);
    let keys = bench.user("power", &["PowerUserAccess"]);
    let denied = bench.call(&keys, "Action=RetrieveRotationKey&UserName=bob");
    let expected = denied.error().message.clone().unwrap();
    assert!(
        expected.contains("perform: iam:CreateAccessKey on resource: user bob"),
        "{expected}"
    );
    let listed = bench.root("Action=ListDeniedRequests");
    assert_eq!(listed.values("ActionName"), ["iam:CreateAccessKey"]);

    let bob = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let power = format!("arn:aws:iam::{ACCOUNT}:user/power");
    let explain = |action: &str, resource: &str| {
        bench.root(&format!(
            "Action=ExplainAuthorization&PrincipalArn={power}&ActionName={action}\
             &ResourceArn={resource}"
        ))
    };
    let payload = explain("keywright:RetrieveRotationKey", &bob);
    assert_eq!(payload.value("Decision"), "implicitDeny");
    let text = payload.value("Explanation");
    let line = format!("keywright:RetrieveRotationKey also takes iam:CreateAccessKey on {bob}");
    assert!(text.contains(&line), "{text}");
    let payload = explain("keywright:PutRotationPolicy", "*");
    assert!(
        payload.value("Explanation").contains("also takes iam:"),
        "{payload:?}"
    );
    assert_eq!(
        explain("keywright:ListRotationPlaces", "*").value("Decision"),
        "allowed"
    );

    let simulated = bench.root(&format!(
        "Action=SimulatePrincipalPolicy&PolicySourceArn={power}&ResourceArns.member.1={bob}\
         &ActionNames.member.1=keywright:RetrieveRotationKey"
    ));
    assert_eq!(simulated.value("EvalDecision"), "implicitDeny");
    let missing = "<key>iam:CreateAccessKey</key><value>implicitDeny</value>";
    assert!(simulated.ok().contains(missing), "{simulated:?}");

    let who = bench.root(&format!(
        "Action=ListAuthorizedPrincipals&ActionName=keywright:RetrieveRotationKey\
         &ResourceArn={bob}"
    ));
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    assert_eq!(who.values("PrincipalArn"), [root]);
}
