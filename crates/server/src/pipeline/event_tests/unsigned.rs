//! Operations that need no signature: one event each, which has no principal.

use std::sync::Arc;

use keywright_identity::web_identity::{DocumentFault, ProviderDocuments, ProviderRequest};
use keywright_wire::Service;
use serde_json::{Value, json};

use super::{arn, front::Front, only_event};

/// A key, and tokens of `https://idp.example.com/tenant` for `client` that are valid until 2040.
const RSA: &str = include_str!("../../../../identity/src/web_identity/tests/rsa.json");

struct FixedDocuments(Value);

#[async_trait::async_trait]
impl ProviderDocuments for FixedDocuments {
    async fn key_set(&self, _: &ProviderRequest) -> Result<Vec<u8>, DocumentFault> {
        Ok(json!({"keys": [self.0]}).to_string().into_bytes())
    }
}

#[tokio::test]
async fn what_needs_no_signature_yields_one_event() {
    let front = Front::new().await;
    let rsa: Value = serde_json::from_str(RSA).unwrap();
    let documents = FixedDocuments(rsa["key"].clone());
    front
        .identity()
        .know_provider_documents(Arc::new(documents));
    let provider = arn("oidc-provider/idp.example.com/tenant").unwrap();
    let trust = |action: &str| {
        let allow = format!(r#""Effect":"Allow","Principal":{{"Federated":"{provider}"}}"#);
        format!(r#"{{"Version":"2012-10-17","Statement":{{{allow},"Action":"{action}"}}}}"#)
    };
    let provider = "Action=CreateOpenIDConnectProvider&Url=https://idp.example.com/tenant\
                    &ClientIDList.member.1=client";
    front.form(&front.root, Service::Iam, provider).await;
    for (role, action) in [
        ("deploy", "sts:AssumeRoleWithWebIdentity"),
        ("other", "sts:TagSession"),
    ] {
        let trust = trust(action);
        let create = format!("Action=CreateRole&RoleName={role}&AssumeRolePolicyDocument={trust}");
        let reply = front.form(&front.root, Service::Iam, &create).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    front.take_events();
    let token = rsa["tokens"]["RS256"].as_str().unwrap();
    let assume = |role: &str, token: &str| {
        let role = arn(&format!("role/{role}")).unwrap();
        format!(
            "AssumeRoleWithWebIdentity&RoleArn={role}&RoleSessionName=s1&WebIdentityToken={token}"
        )
    };
    for (form, code, resource) in [
        (assume("deploy", token), "", arn("role/deploy")),
        (assume("other", token), "AccessDenied", arn("role/other")),
        (assume("none", token), "AccessDenied", arn("role/none")),
        (assume("deploy", "a.b.c"), "InvalidIdentityToken", None),
        (
            "AssumeRoleWithWebIdentity".to_owned(),
            "ValidationError",
            None,
        ),
        ("AssumeRoleWithSAML".to_owned(), "ValidationError", None),
    ] {
        let body = format!("Action={form}&Version={}", Service::Sts.version());
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let reply = front.plain("POST /", &kind, &body).await;
        let event = only_event(&front, &form, &reply);
        assert_eq!(reply.code(), code, "{form}");
        let name = form.split('&').next().unwrap();
        assert_eq!(event.operation, format!("sts:{name}"));
        assert_eq!((&event.principal, event.is_read_only), (&None, false));
        let resources: Vec<_> = event.resources.into_iter().map(|it| it.arn).collect();
        assert_eq!(resources, Vec::from_iter(resource), "{form}");
        assert!(!event.debug.contains(token), "{}", event.debug);
    }
}
