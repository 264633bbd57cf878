//! Every action yields exactly one event, however it ends; what an event says of it and what not.

use keywright_base::{Secret, limits};
use keywright_policy::{SettledAnswer, settled};
use keywright_wire::Service;

use super::{EventOperation, RequestOutcome, S3Operation};
use crate::{
    actions::{actions, sample_name, sampled, samples},
    testing::{ACCOUNT, TestEvent, TestInstallation, TestKeys},
};

fn form(action: &str, more: &str) -> String {
    sampled(action, more)
}

/// The only event of the request that was just sent.
#[track_caller]
fn only_event(bench: &TestInstallation, action: &str) -> TestEvent {
    let mut events = bench.take_events();
    assert_eq!(events.len(), 1, "{action}: {events:?}");
    let event = events.remove(0);
    let row = actions()
        .find(|row| sample_name(row.operation) == action)
        .unwrap();
    let (service, name) = (row.operation.service.scope_name(), row.operation.name);
    assert_eq!(event.operation, format!("{service}:{name}"));
    assert_eq!(event.is_read_only, !row.access.changes_state(), "{action}");
    event
}

/// Nothing of a secret, a token or a password of the samples.
#[track_caller]
fn assert_no_secret(event: &TestEvent, keys: &[&TestKeys]) {
    for text in keys.iter().map(|keys| keys.secret.expose().as_str()) {
        assert!(!event.debug.contains(text), "{}", event.debug);
    }
    assert!(!event.debug.contains("Abcdefg"), "{}", event.debug);
}

/// A failure that every operation has, as the service of the action calls it.
fn common(action: &str, [query, json]: [&'static str; 2]) -> RequestOutcome {
    if action.contains(':') {
        failed(400, json)
    } else {
        failed(403, query)
    }
}

const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];
const UNPROVEN: [&str; 2] = ["SignatureDoesNotMatch", "InvalidSignatureException"];

fn failed(status: u16, code: &'static str) -> RequestOutcome {
    RequestOutcome::Failed {
        status,
        code: code.into(),
    }
}

#[test]
fn every_action_yields_one_event_however_it_ends() {
    let bench = TestInstallation::new();
    let nobody = bench.user("nobody", &[]);
    let stranger = TestKeys {
        secret: Secret::new("not the secret".to_owned()),
        ..bench.root.clone()
    };
    bench.take_events();
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    for (action, more) in samples() {
        let form = form(action, &more);
        let answer = bench.root(&form);
        let event = only_event(&bench, action);
        assert_eq!(event.principal.as_deref(), Some(&*root), "{action}");
        let expected = answer
            .code()
            .map(|code| failed(answer.error().status, code));
        assert_eq!(event.outcome, expected.unwrap_or(RequestOutcome::Succeeded));
        assert_no_secret(&event, &[&bench.root]);

        bench.call(&nobody, &form);
        let event = only_event(&bench, action);
        assert_eq!(event.principal.as_deref(), Some(&*arn), "{action}");
        assert_no_secret(&event, &[&nobody]);
        if settled(&format!("sts:{action}"), "*") == Some(SettledAnswer::Allowed) {
            assert!(!event.is_denied, "{action}");
        } else {
            assert_eq!(event.outcome, common(action, DENIED), "{action}");
            // The key of this sample belongs to another account, so no policy was asked.
            let is_decided = action != "GetAccessKeyLastUsed";
            assert_eq!(event.is_denied, is_decided, "{action}");
            assert_eq!(!event.resources.is_empty(), is_decided, "{action}");
        }

        bench.call(&stranger, &form);
        let event = only_event(&bench, action);
        assert_eq!(event.principal, None, "{action}");
        assert_eq!(event.outcome, common(action, UNPROVEN));
        assert!(event.resources.is_empty() && !event.is_denied, "{action}");
    }
}

#[test]
fn resources_are_those_that_were_authorized() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    bench.take_events();
    bench.root("Action=GetUser&UserName=bob").ok();
    let event = only_event(&bench, "GetUser");
    let [resource] = &event.resources[..] else {
        panic!("{event:?}");
    };
    assert_eq!(resource.arn, format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    assert_eq!(resource.account.unwrap().to_string(), ACCOUNT);
    let event = bench
        .identity()
        .events()
        .begin("r".to_owned(), bench.facts());
    for number in 0..2 * limits::EVENT_RESOURCES {
        event.record().note_resource(&format!("arn:{number}"), None);
        event.record().note_resource("arn:0", None);
    }
    drop(event);
    let event = bench.take_events().remove(0);
    assert_eq!(event.resources.len(), limits::EVENT_RESOURCES);
}

#[test]
fn a_client_that_goes_away_leaves_an_event_too() {
    let bench = TestInstallation::new();
    let event = bench.admitted(&bench.root, Service::Iam, "");
    drop(event);
    let events = bench.take_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].outcome, RequestOutcome::Abandoned);
    assert!(events[0].principal.is_some());
}

#[test]
fn an_inactive_key_is_named_and_its_owner_is_not_the_principal() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &["AdministratorAccess"]);
    let id = &keys.id;
    bench
        .root(&format!(
            "Action=UpdateAccessKey&UserName=bob&AccessKeyId={id}&Status=Inactive"
        ))
        .ok();
    bench.take_events();
    bench.call(&keys, "Action=ListUsers");
    let event = only_event(&bench, "ListUsers");
    assert_eq!(event.inactive_key, Some(id.parse().unwrap()));
    assert_eq!(event.principal, None);
    assert_eq!(event.outcome, failed(403, "InvalidClientTokenId"));
    let wrong = TestKeys {
        secret: Secret::new("not the secret".to_owned()),
        ..keys.clone()
    };
    bench.call(&wrong, "Action=ListUsers");
    assert_eq!(only_event(&bench, "ListUsers").inactive_key, None);
    let form = format!("Action=ListAccessKeyAttempts&AccessKeyId={id}");
    let attempts = bench.root(&form);
    assert_eq!(attempts.values("Action"), ["iam:ListUsers"]);
}

/// A name that a client made up is shortened, and never one of ours.
#[test]
fn claimed_names_are_shortened() {
    let text = format!("Action={}&Version=2010-05-08", "x".repeat(1000));
    let form = keywright_wire::Form::parse(text.as_bytes()).unwrap();
    let claimed = EventOperation::claimed(Service::Iam, &form);
    assert_eq!(claimed.to_string(), format!("iam:{}", "x".repeat(64)));
    let form = keywright_wire::Form::parse(b"").unwrap();
    assert_eq!(
        EventOperation::claimed(Service::Sts, &form).to_string(),
        "sts:?"
    );
    assert_eq!(EventOperation::Unread.to_string(), "?");
}

/// Attempts are recorded by what the head shows; an event has the operation once it is known.
#[test]
fn operations_of_s3_have_two_names() {
    let operation = S3Operation::of(&http::Method::GET, "/bucket/key");
    operation.route("GetObjectTagging");
    let operation = EventOperation::S3(operation);
    assert_eq!(operation.to_string(), "s3:GetObjectTagging");
    assert_eq!(operation.attempt_name(), "s3:REST.GET.OBJECT");
}
