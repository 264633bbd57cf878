//! Asking a running server: Keywright's extension, by a client like any other.
//!
//! It protects one rule: there is no private door. A command signs with the user's own AWS
//! credentials and is authorized for what it asks.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use keywright_aws::{AccountClient, ClientSettings, QueryResponse, QueryService};
use keywright_server::SystemClock;

/// Whom to ask, as whom. Credentials, region and address come from where every AWS client looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArguments {
    /// Address of the server [default: AWS_ENDPOINT_URL, or the profile's endpoint_url]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Profile of the credentials file; goes before credentials in the environment
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// PEM file of the authorities to trust for https [default: the system's]
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

impl RemoteArguments {
    /// For an [`Access`].
    pub(crate) fn settings(&self) -> ClientSettings {
        ClientSettings {
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ca_bundle: self.ca_bundle.clone(),
            ..ClientSettings::default()
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When there is no endpoint or no credentials, the server is not reached, or it refuses.
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

/// Without control characters: what strangers wrote must not reach a terminal as it is.
pub(crate) fn printable(text: &str) -> String {
    let listed = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(listed).collect()
}
