//! Organizations speak AWS JSON: requests from a socket, their responses and their events.

use http::Method;
use keywright_identity::event::RequestOutcome;

use super::{
    arn,
    front::{Front, Signing},
    only_event,
};

const KIND: (&str, &str) = ("content-type", "application/x-amz-json-1.1");

fn target(operation: &str) -> String {
    format!("AWSOrganizationsV20161128.{operation}")
}

/// Rows: an operation, a body, the status, and the code.
#[tokio::test]
async fn requests_are_json_and_yield_one_event() {
    let front = Front::new().await;
    let nobody = front.user("nobody").await;
    let stranger = front.root.with_wrong_secret();
    let signing = Signing::of("organizations");
    for (keys, operation, body, status, code) in [
        (
            &front.root,
            "DescribeOrganization",
            "",
            400,
            "AWSOrganizationsNotInUseException",
        ),
        (&front.root, "CreateOrganization", "{}", 200, ""),
        (&front.root, "ListAccounts", r#"{"MaxResults": 5}"#, 200, ""),
        (
            &front.root,
            "ListAccounts",
            r#"{"MaxResults": "5"}"#,
            400,
            "SerializationException",
        ),
        (
            &front.root,
            "ListAccounts",
            r#"{"MaxResults": 50}"#,
            400,
            "InvalidInputException",
        ),
        (
            &front.root,
            "ListAccounts",
            "{",
            400,
            "SerializationException",
        ),
        (
            &front.root,
            "ListGnomes",
            "{}",
            400,
            "UnknownOperationException",
        ),
        (
            &front.root,
            "LeaveOrganization",
            "{}",
            501,
            "NotImplemented",
        ),
        (&nobody, "ListAccounts", "{}", 400, "AccessDeniedException"),
        (
            &stranger,
            "ListAccounts",
            "{}",
            400,
            "InvalidSignatureException",
        ),
    ] {
        let target = target(operation);
        let headers = [KIND, ("x-amz-target", &*target)];
        let line = (&Method::POST, "/");
        let reply = front.signed(keys, signing, line, &headers, body).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (status, code),
            "{operation} {body}"
        );
        assert!(
            reply.has_head("content-type: application/x-amz-json-1.1"),
            "{reply:?}"
        );
        let event = only_event(&front, operation, &reply);
        // What is not readable names no operation.
        if code != "SerializationException" && code != "UnknownOperationException" {
            assert_eq!(event.operation, format!("organizations:{operation}"));
        }
        let is_known = code != "InvalidSignatureException";
        assert_eq!(event.principal.is_some(), is_known, "{operation}");
        if status == 200 {
            assert_eq!(event.outcome, RequestOutcome::Succeeded);
            assert_eq!(event.principal, arn("root"));
        } else {
            assert!(
                reply.has_head(&format!("x-amzn-errortype: {code}")),
                "{reply:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused_in_json() {
    let front = Front::new().await;
    let target = target("ListAccounts");
    let headers = [KIND, ("x-amz-target", &*target)];
    let reply = front.plain("POST /", &headers, "{}").await;
    let code = "MissingAuthenticationTokenException";
    assert_eq!((reply.status, &*reply.code()), (400, code));
    let event = only_event(&front, "ListAccounts", &reply);
    assert_eq!(event.principal, None);
}
