//! What must hold for every action, whoever adds one.

use std::collections::BTreeSet;

use keywright_policy::{AccessLevel, ResourceUse, SettledAnswer, settled};
use keywright_wire::{Service, operations};

use super::{POLICY, sample_name, sampled, samples};
use crate::{
    action::ActionLevel,
    actions::{actions, not_served},
    testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse},
    unserved::{unserved_operations, unserved_reason},
};

/// Codes that any operation may answer, beside those that the model declares for it.
const COMMON: [&str; 3] = ["AccessDenied", "ValidationError", "MalformedInput"];

/// Whether every verified caller may do an action, as explanations say too.
fn for_everyone(action: &str) -> bool {
    settled(&format!("sts:{action}"), "*") == Some(SettledAnswer::Allowed)
}

fn form(action: &str, more: &str) -> String {
    sampled(action, more)
}

/// Whether the caller lacks a permission.
fn is_denied(answer: &TestResponse) -> bool {
    matches!(
        answer.code(),
        Some("AccessDenied" | "AccessDeniedException")
    )
}

#[test]
fn every_served_action_has_a_sample() {
    let served: BTreeSet<_> = actions().map(|row| sample_name(row.operation)).collect();
    let sampled: BTreeSet<_> = samples().into_iter().map(|(action, _)| action).collect();
    assert_eq!(served, sampled);
    assert_eq!(served.len(), actions().count(), "an action is served twice");
}

#[test]
fn nobody_may_do_anything_without_a_grant() {
    let bench = TestInstallation::new();
    let keys = bench.user("nobody", &[]);
    for (action, more) in samples() {
        let denied = is_denied(&bench.call(&keys, &form(action, &more)));
        assert_eq!(denied, !for_everyone(action), "{action}");
    }
}

#[test]
fn an_explicit_deny_holds_for_everything_but_what_is_for_everyone() {
    let bench = TestInstallation::new();
    let keys = bench.user("admin", &["AdministratorAccess"]);
    let deny = POLICY.replace("Allow", "Deny").replace("s3:*", "*");
    let put = format!("Action=PutUserPolicy&UserName=admin&PolicyName=no&PolicyDocument={deny}");
    bench.root(&put).ok();
    for (action, more) in samples() {
        let denied = is_denied(&bench.call(&keys, &form(action, &more)));
        assert_eq!(denied, !for_everyone(action), "{action}");
    }
}

#[test]
fn nobody_may_do_anything_unproven() {
    let bench = TestInstallation::new();
    let stranger = TestKeys {
        secret: keywright_base::Secret::new("not the secret".to_owned()),
        ..bench.root.clone()
    };
    for (action, more) in samples() {
        let answer = bench.call(&stranger, &form(action, &more));
        let codes = ["SignatureDoesNotMatch", "InvalidSignatureException"];
        assert!(codes.contains(&&*answer.error().code), "{action}");
    }
}

/// A session that may not call IAM gets nothing of IAM through the extension, and root's neither.
#[test]
fn sessions_without_a_code_may_not_use_the_extension_in_place_of_iam() {
    let bench = TestInstallation::new();
    let admin = bench.user("admin", &["AdministratorAccess"]);
    let sessions = [
        TestKeys::of(&bench.call(&admin, "Action=GetSessionToken")),
        TestKeys::of(&bench.root("Action=GetSessionToken")),
    ];
    let catalogue = keywright_policy::ActionCatalogue::built_in();
    let extension = actions().filter(|row| row.operation.service == Service::Keywright);
    let extension: BTreeSet<_> = extension.map(|row| row.operation.name).collect();
    let mut closed = 0;
    for (action, more) in samples() {
        if !extension.contains(action) {
            continue;
        }
        let known = catalogue.action(&format!("keywright:{action}")).unwrap();
        let mut implied = known.does.iter().chain(&known.reveals);
        let of_iam = implied.any(|name| name.starts_with("iam:"));
        closed += usize::from(of_iam);
        for session in &sessions {
            let code = bench.call(session, &form(action, &more)).code();
            assert_eq!(
                code == Some("InvalidClientTokenId"),
                of_iam,
                "{action}: {code:?}"
            );
        }
    }
    assert!(closed > 15, "{closed}");
}

#[test]
fn refusals_are_declared() {
    let bench = TestInstallation::new();
    for (action, more) in samples() {
        let row = actions().find(|row| sample_name(row.operation) == action);
        let declared = row.unwrap().operation.errors;
        // Twice: what the first call made stands in the second one's way.
        for _ in 0..2 {
            let answer = bench.root(&form(action, &more));
            if let Some(code) = answer.code() {
                let known = declared.iter().any(|shape| shape.code == code);
                assert!(known || COMMON.contains(&code), "{action} answers {code}");
            }
        }
    }
}

/// The published table of actions says the same as ours.
#[test]
fn access_levels_are_as_published() {
    let published = keywright_policy::ActionCatalogue::built_in();
    let mut differing = Vec::new();
    for row in actions() {
        let action = row.operation.policy_action;
        let level = match row.access {
            ActionLevel::List => AccessLevel::List,
            ActionLevel::Read => AccessLevel::Read,
            ActionLevel::Write => AccessLevel::Write,
            ActionLevel::PermissionsManagement => AccessLevel::Permissions,
            ActionLevel::Tagging => AccessLevel::Tagging,
        };
        let known = published.action(action).map(|known| known.level);
        if known != Some(level) {
            differing.push((action, level, known));
        }
    }
    assert_eq!(differing, []);
}

/// What nobody may do was asked on a resource of a published type.
#[test]
fn resources_are_as_published() {
    let published = keywright_policy::ActionCatalogue::built_in();
    let bench = TestInstallation::new();
    let keys = bench.user("nobody", &[]);
    let account = ACCOUNT.parse().unwrap();
    let mut differing = Vec::new();
    for (action, more) in samples() {
        bench.call(&keys, &form(action, &more));
        let denials = bench.identity().denials().list(account, None, None, 1);
        let Some((_, denial)) = denials.first() else {
            continue;
        };
        let (requested, resource) = (&denial.evidence.action, &denial.evidence.resource);
        let Some(known) = published.action(requested) else {
            continue;
        };
        // Of ours some are about a user or about all of them.
        let must = |used: &ResourceUse| used.required || known.service != "keywright";
        let bare = resource == "*" && known.resources.iter().any(must);
        if bare || !published.fits(requested, resource) {
            differing.push(format!("{requested} on {resource}"));
        }
    }
    assert_eq!(differing, [""; 0]);
}

#[test]
fn what_is_not_served_says_so() {
    let bench = TestInstallation::new();
    let all = operations().count();
    // Those that need no signature are no actions: they have no caller to be authorized.
    let unsigned = operations().filter(|operation| operation.unsigned);
    let unsigned = unsigned.filter(|it| !not_served().any(|other| std::ptr::eq(other, *it)));
    let unsigned: Vec<_> = unsigned.map(|operation| operation.name).collect();
    assert_eq!(
        unsigned,
        ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"]
    );
    assert_eq!(
        not_served().count() + actions().count() + unsigned.len(),
        all
    );
    for operation in not_served() {
        let answer = bench.root(&form(sample_name(operation), ""));
        let error = answer.error();
        assert_eq!(
            (error.status, &*error.code),
            (501, "NotImplemented"),
            "{operation:?}"
        );
        let reason = unserved_reason(operation.name).unwrap();
        let text = error.text();
        assert!(text.ends_with(reason), "{text}");
    }
    let unserved: BTreeSet<_> = not_served().map(|it| it.name).collect();
    let explained: Vec<_> = unserved_operations().collect();
    let different: BTreeSet<_> = explained.iter().copied().collect();
    assert_eq!(different, unserved, "a reason for each, and for no other");
    assert_eq!(different.len(), explained.len(), "one reason for each");
    for operation in explained {
        let reason = unserved_reason(operation).unwrap();
        assert!(!reason.ends_with('.') && reason.len() > 20, "{reason}");
    }
}
