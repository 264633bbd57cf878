//! A client for Keywright's extension on a running server.
//!
//! Invariant: there is no private API. A command signs with the user's own AWS credentials and is
//! authorized for what it requests.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
pub(crate) use keywright_aws::printable;
use keywright_aws::{AccountClient, ClientSettings, QueryResponse, QueryService};
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

    /// PEM file with the CA certificates to trust for HTTPS [default: the system's]
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

impl RemoteArguments {
    /// The settings for an [`AccountClient`].
    pub(crate) fn settings(&self) -> ClientSettings {
        ClientSettings {
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ca_bundle: self.ca_bundle.clone(),
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let parameters: Vec<_> = parameters.iter().map(|(n, v)| (&**n, &**v)).collect();
        runtime.block_on(async {
            let access =
                AccountClient::open_keywright(self.settings(), Arc::new(SystemClock)).await?;
            Ok(access
                .read(QueryService::Keywright, action, &parameters)
                .await?)
        })
    }
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
