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

#[derive(Clone, Copy)]
enum Signer {
    Root,
    /// A user without permissions.
    Nobody,
    /// Root's key with another secret.
    Stranger,
}

/// Rows: who signs, an operation, a body, the status, and the code.
const REQUESTS: [(Signer, &str, &str, u16, &str); 10] = [
    (
        Signer::Root,
        "DescribeOrganization",
        "",
        400,
        "AWSOrganizationsNotInUseException",
    ),
    (Signer::Root, "CreateOrganization", "{}", 200, ""),
    (
        Signer::Root,
        "ListAccounts",
        r#"{"MaxResults": 5}"#,
        200,
        "",
    ),
    (
        Signer::Root,
        "ListAccounts",
        r#"{"MaxResults": "5"}"#,
        400,
        "SerializationException",
    ),
    (
        Signer::Root,
        "ListAccounts",
        r#"{"MaxResults": 50}"#,
        400,
        "InvalidInputException",
    ),
    (
        Signer::Root,
        "ListAccounts",
        "{",
        400,
        "SerializationException",
    ),
    (
        Signer::Root,
        "ListGnomes",
        "{}",
        400,
        "UnknownOperationException",
    ),
    (
        Signer::Root,
        "LeaveOrganization",
        "{}",
        501,
        "NotImplemented",
    ),
    (
        Signer::Nobody,
        "ListAccounts",
        "{}",
        400,
        "AccessDeniedException",
    ),
    (
        Signer::Stranger,
        "ListAccounts",
        "{}",
        400,
        "InvalidSignatureException",
    ),
];

#[tokio::test]
async fn requests_are_json_and_yield_one_event() {
    let front = Front::new().await;
    let nobody = front.user("nobody").await;
    let stranger = front.root.with_wrong_secret();
    let signing = Signing::of("organizations");
    for (signer, operation, body, status, code) in REQUESTS {
        let keys = match signer {
            Signer::Root => &front.root,
            Signer::Nobody => &nobody,
            Signer::Stranger => &stranger,
        };
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
