//! Asking a running server: Keywright's extension, by a client like any other.
//!
//! It protects one rule: there is no private door. A command signs with the user's own AWS
//! credentials and is authorized for what it asks.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod credentials;

use std::path::PathBuf;

use clap::Args;
use keywright_server::SystemClock;

use self::{
    answer::Answer,
    client::{Endpoint, Query},
};

/// Whom to ask, as whom.
#[derive(Debug, Args)]
pub(crate) struct RemoteArguments {
    /// Address of the server
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    endpoint_url: Option<String>,

    /// Profile of the credentials file; goes before credentials in the environment
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// PEM file of the authorities to trust for https [default: the system's]
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

impl RemoteArguments {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When there is no endpoint or no credentials, the server is not reached, or it refuses.
    pub(crate) fn ask(
        &self,
        action: &'static str,
        parameters: &[(String, String)],
    ) -> anyhow::Result<Answer> {
        let endpoint = Endpoint::new(self.endpoint_url.as_deref(), &self.ca_bundle)?;
        let credentials = credentials::find(self.profile.as_deref(), &credentials::variable)?;
        let query = Query { action, parameters };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(client::call(&endpoint, &credentials, &query, &SystemClock))
    }
}

/// Without control characters: what strangers wrote must not reach a terminal as it is.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}
