//! `CloudTrail` events as `LookupEvents` returns them.

use serde_json::{Value, json};

use super::{CallOutcome, CollectedCalls, KeyActivity, event_of};

fn event(name: &str, reads: &str, at: f64, record: &Value) -> Value {
    json!({
        "EventName": name, "EventSource": "iam.amazonaws.com", "ReadOnly": reads,
        "EventTime": at, "CloudTrailEvent": record.to_string(),
    })
}

#[test]
fn the_same_call_is_one_line_with_its_first_and_last_time() {
    let from = |address: &str| json!({"sourceIPAddress": address, "userAgent": "aws-cli/2"});
    let denied = json!({"sourceIPAddress": "192.0.2.7", "errorCode": "AccessDenied"});
    let mut found = CollectedCalls::default();
    for event in [
        event("CreateUser", "false", 1_800_000_000.0, &from("192.0.2.7")),
        event("CreateUser", "false", 1_800_000_060.5, &from("192.0.2.7")),
        event("CreateUser", "false", 1_800_000_030.0, &from("192.0.2.8")),
        event("ListUsers", "true", 1_800_000_000.0, &from("192.0.2.7")),
        event("CreateUser", "false", 1_800_000_000.0, &denied),
    ] {
        found.add(event_of(&event, "us-east-1"));
    }
    let calls: Vec<_> = found.calls.values().collect();
    let listed: Vec<_> = calls
        .iter()
        .map(|call| (call.outcome, call.action.as_str(), call.count))
        .collect();
    assert_eq!(
        listed,
        [
            (CallOutcome::Changed, "iam:CreateUser", 2),
            (CallOutcome::Changed, "iam:CreateUser", 1),
            (CallOutcome::Read, "iam:ListUsers", 1),
            (CallOutcome::Refused, "iam:CreateUser", 1),
        ]
    );
    let first = calls[0];
    assert_eq!(first.source_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(first.region.as_deref(), Some("us-east-1"));
    assert!(first.first.ends_with("08:00:00Z") && first.last.ends_with("08:01:00Z"));
    assert_eq!(calls[3].error_code.as_deref(), Some("AccessDenied"));
}

#[test]
fn roles_that_were_assumed_are_named() {
    let assume = |role: &str| {
        let mut event = event(
            "AssumeRole",
            "true",
            1_800_000_000.0,
            &json!({"requestParameters": {"roleArn": role}}),
        );
        event["EventSource"] = json!("sts.amazonaws.com");
        event_of(&event, "eu-west-1")
    };
    let role = "arn:aws:iam::123456789012:role/deploy";
    let activity = KeyActivity {
        access_key_id: "AKIA".to_owned(),
        last_used: String::new(),
        calls: vec![assume(role), assume(role)],
        notes: Vec::new(),
    };
    assert_eq!(activity.assumed_roles(), [role]);
}

/// A malformed record never fails: each field is read as it is or left out.
#[test]
fn an_event_that_says_nothing_is_no_error() {
    for event in [json!({}), json!({"CloudTrailEvent": "{"}), json!(null)] {
        let call = event_of(&event, "eu-west-1");
        assert_eq!((call.action.as_str(), call.count), (":", 1));
    }
}
