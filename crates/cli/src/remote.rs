//! A client for Keywright's extension and for Organizations on a running server.
//!
//! Invariant: there is no private API. A command signs with the user's own AWS credentials and is
//! authorized for what it requests.

use std::{fmt::Display, path::PathBuf, sync::Arc};

use clap::Args;
pub(crate) use keywright_aws::printable;
use keywright_aws::{
    AccountClient, CallError, ClientSettings, IamIssuer, QueryResponse, QueryService,
};
use keywright_rotation::ports::{Issuer, IssuerError};
use keywright_server::SystemClock;

/// Whom to ask, as whom. Credentials, region and address come from where every AWS client looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArguments {
    /// Endpoint URL of the service [default: AWS_ENDPOINT_URL, or the profile's endpoint_url]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// AWS profile to use; overrides credentials in the environment
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// PEM file with the CA certificates to trust for HTTPS [default: AWS_CA_BUNDLE, or the
    /// system's]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

impl RemoteArguments {
    /// The settings for an [`AccountClient`].
    pub(crate) fn settings(&self) -> ClientSettings {
        ClientSettings {
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            // Not by clap: it would name the option in the usage line of every error.
            ca_bundle: self
                .ca_bundle
                .clone()
                .or_else(|| variable("AWS_CA_BUNDLE").map(PathBuf::from)),
            ..ClientSettings::default()
        }
    }

    /// Sends a request and waits for the response.
    ///
    /// # Errors
    /// If there is no endpoint, there are no credentials, the server is unreachable, or it denies
    /// the request.
    pub(crate) fn ask(
        &self,
        action: &'static str,
        parameters: &[(String, String)],
    ) -> anyhow::Result<QueryResponse> {
        let parameters: Vec<_> = parameters.iter().map(|(n, v)| (&**n, &**v)).collect();
        self.with_client(async |client| {
            let answer = client.read(QueryService::Keywright, action, &parameters);
            Ok(answer.await?)
        })
    }

    /// Sends a request to Organizations and waits for the response.
    ///
    /// # Errors
    /// As [`RemoteArguments::ask`].
    pub(crate) fn organizations(
        &self,
        operation: &'static str,
        input: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        self.with_client(async |client| Ok(client.organizations(operation, input).await?))
    }

    /// The ARN of a principal: as given, or of the user of this name, or of root.
    ///
    /// # Errors
    /// As [`RemoteArguments::ask`]; also if there is no such user.
    pub(crate) fn principal_arn(&self, principal: &str) -> anyhow::Result<String> {
        if principal.starts_with("arn:") {
            return Ok(principal.to_owned());
        }
        self.with_client(async |client| {
            let account = client.identity().account.clone();
            if principal == "root" {
                return Ok(format!("arn:aws:iam::{account}:root"));
            }
            let iam = IamIssuer(Arc::new(client));
            match iam.user(principal).await {
                Ok(user) => Ok(user.arn),
                // The caller may explain without being allowed to look users up.
                Err(IssuerError::Denied { .. }) => {
                    Ok(format!("arn:aws:iam::{account}:user/{principal}"))
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Whether the caller's account certainly has no such access key.
    ///
    /// # Errors
    /// As [`RemoteArguments::ask`].
    pub(crate) fn is_unknown_key(&self, key: &str) -> anyhow::Result<bool> {
        let parameters = [("AccessKeyId", key)];
        self.with_client(async |client| {
            let answer = client.read(QueryService::Iam, "GetAccessKeyLastUsed", &parameters);
            // A denial of another caller names the user whom the key belongs to.
            let theirs = format!(" on resource: access key {key}");
            Ok(matches!(
                answer.await,
                Err(CallError::Refused { code, message, .. })
                    if code == "AccessDenied" && message.ends_with(&theirs)
            ))
        })
    }

    /// Works with a client.
    ///
    /// # Errors
    /// As [`RemoteArguments::ask`].
    pub(crate) fn with_client<T>(
        &self,
        work: impl AsyncFnOnce(AccountClient) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let client = AccountClient::open_keywright(self.settings(), Arc::new(SystemClock));
            work(client.await?).await
        })
    }
}

/// An environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS's and the system's variables, read where every client reads them"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// A number with its noun.
pub(crate) fn counted(number: impl Display, noun: &str) -> String {
    match number.to_string().as_str() {
        "1" => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

#[test]
fn one_is_no_plural() {
    let texts = [0, 1, 2].map(|number| counted(number, "access key"));
    assert_eq!(texts, ["0 access keys", "1 access key", "2 access keys"]);
}

/// Every line without what must not reach a terminal as it is.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

#[test]
fn lines_stay_lines() {
    let text = "no \u{1b}]0;x\u{7}\nhint: a\u{202e}b\u{9b}c";
    assert_eq!(printable_lines(text), "no ?]0;x?\nhint: a?b?c");
}
