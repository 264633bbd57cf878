//! Credentials to sign with: from the chain that every AWS client uses, from a role, from a forward
//! access session of the server, or from the journal if a rotation has replaced those of the chain.

use std::time::UNIX_EPOCH;

use aws_config::{
    SdkConfig, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    sts::AssumeRoleProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use keywright_base::{Secret, Timestamp};
use keywright_rotation::model::{KeyId, KeyPair};

use super::{
    access::AccessError,
    endpoint::STS,
    settings::{ClientSettings, sdk},
    within::InProcessTransport,
};
use crate::http;

/// The pair that replaced the key of the chain. It signs once the service rejects that key, so that
/// a rotation of the caller's own key can finish wherever the key is stored.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// The replaced key.
    pub replaced: KeyId,
    /// Its replacement.
    pub pair: KeyPair,
}

/// An access key to sign with.
#[derive(Debug, Clone)]
pub(crate) struct SigningKeys {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) token: Option<Secret<String>>,
    pub(super) expires: Option<Timestamp>,
}

impl SigningKeys {
    pub(crate) fn of_pair(pair: &KeyPair) -> Self {
        Self {
            id: pair.id.0.clone(),
            secret: pair.secret.clone(),
            token: None,
            expires: None,
        }
    }
}

/// Forward access session credentials that the server issues to itself.
pub(super) fn borrow(
    settings: &ClientSettings,
    server: &dyn InProcessTransport,
) -> Result<SigningKeys, AccessError> {
    let principal = settings
        .on_behalf_of
        .as_ref()
        .ok_or(AccessError::NoServer)?;
    let session = server
        .issue_forward_access_session(principal)
        .ok_or(AccessError::Gone)?;
    Ok(SigningKeys {
        id: session.id,
        secret: session.secret,
        token: Some(session.token),
        expires: None,
    })
}

/// Credentials of the chain, or of the role that they assume.
///
/// # Errors
/// [`AccessError::Credentials`].
pub(super) async fn fetch(
    settings: &ClientSettings,
    sdk: &SdkConfig,
    stand_in: Option<&StandIn>,
) -> Result<SigningKeys, AccessError> {
    let provider = chain(settings, sdk)?;
    let Some(role) = &settings.assume_role else {
        return provided(&provider).await;
    };
    let assumed = assume(settings, sdk, role, provider.clone()).await;
    let Some(StandIn { replaced, pair }) = stand_in.filter(|_| assumed.is_err()) else {
        return assumed;
    };
    if provided(&provider).await?.id != replaced.0 {
        return assumed;
    }
    let (id, secret) = (pair.id.0.clone(), pair.secret.expose().clone());
    let pair = Credentials::new(id, secret, None, None, "keywright");
    assume(settings, sdk, role, SharedCredentialsProvider::new(pair)).await
}

/// The default credential chain.
fn chain(
    settings: &ClientSettings,
    sdk: &SdkConfig,
) -> Result<SharedCredentialsProvider, AccessError> {
    let Some(name) = &settings.profile else {
        let none = || AccessError::Credentials("the chain is empty".to_owned());
        return sdk.credentials_provider().ok_or_else(none);
    };
    // As with the AWS CLI, an explicit profile takes precedence over the environment.
    let mut config = ProviderConfig::default();
    if let Some(http) = sdk.http_client() {
        config = config.with_http_client(http);
    }
    config = config.with_region(sdk.region().cloned());
    let builder = ProfileFileCredentialsProvider::builder().configure(&config);
    let provider = builder.profile_name(name).build();
    Ok(SharedCredentialsProvider::new(provider))
}

/// Assumes a role at the STS endpoint from the settings.
async fn assume(
    settings: &ClientSettings,
    sdk: &SdkConfig,
    role: &str,
    provider: SharedCredentialsProvider,
) -> Result<SigningKeys, AccessError> {
    let there = match settings.configured(STS, sdk) {
        Some(url) => self::sdk(settings, Some(&url)).await,
        None => sdk.clone(),
    };
    let builder = AssumeRoleProvider::builder(role).session_name("keywright");
    let assumed = builder
        .configure(&there)
        .build_from_provider(provider)
        .await;
    provided(&SharedCredentialsProvider::new(assumed)).await
}

async fn provided(provider: &SharedCredentialsProvider) -> Result<SigningKeys, AccessError> {
    let found = provider.provide_credentials().await;
    let found = found.map_err(|error| AccessError::Credentials(http::root_of(&error)))?;
    let expires = found.expiry().map(|at| {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    });
    Ok(SigningKeys {
        id: found.access_key_id().to_owned(),
        secret: Secret::new(found.secret_access_key().to_owned()),
        token: found
            .session_token()
            .map(|token| Secret::new(token.to_owned())),
        expires,
    })
}
