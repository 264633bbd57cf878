//! Whose credentials sign, where the services are, and how they are asked.
//!
//! It protects two rules: credentials come from the chain that every AWS client uses, and are never
//! shown; a call that changes something is sent once. Calls that only read are repeated with a
//! pause. Which account answers, and whether it is Keywright, is asked once, when it is opened.

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, sts::AssumeRoleProvider,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use keywright_base::{Clock, Secret, Timestamp};
use keywright_rotation::{
    model::{KeyId, Pair},
    ports::Identity,
};

use serde::{Deserialize, Serialize};

use super::{
    answer::Answer,
    call::{Answered, CallError, Query, Service, Way, call},
    endpoint::{Endpoint, known, of_aws, second_sts},
    pace::Pace,
    within::{ActingFor, Within},
};
use crate::http::{self, HttpError};

/// Milliseconds between two calls to AWS's IAM when it does not complain: it allows about 20 a
/// second.
const AWS_GAP_MILLIS: u64 = 60;
/// How often a call that only reads is sent.
const TRIES: u32 = 6;
/// The first pause before a repetition, in milliseconds; it doubles.
const PAUSE_MILLIS: u64 = 200;
/// Credentials are fetched anew when they end sooner than this, in seconds.
const EXPIRES_SOON_SECS: i64 = 300;

/// What the user said about whom to ask, and as whom. Everything has AWS's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A profile; it goes before credentials in the environment.
    pub profile: Option<String>,
    /// The address of all services.
    pub endpoint_url: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// A PEM file of the authorities to trust.
    pub ca_bundle: Option<PathBuf>,
    /// The ARN of a role to assume with those credentials.
    pub assume_role: Option<String>,
    /// Whom the server that this process is acts for; nothing else is said then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<ActingFor>,
}

impl Settings {
    /// To reach the server that this process is, on behalf of someone.
    pub fn acting_for(whom: ActingFor) -> Self {
        Self {
            on_behalf_of: Some(whom),
            ..Self::default()
        }
    }

    /// As text, to be kept with a rotation. There is no secret in it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`Settings::to_text`].
    ///
    /// # Errors
    /// A sentence.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// Why there is no access.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The chain gave no credentials.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// A region nobody knows.
    #[error("{0} is not a region")]
    Region(String),
    /// An address that is none.
    #[error("{0} is not an address like http://127.0.0.1:8787")]
    Address(String),
    /// Somebody is to be acted for, and this process is no server.
    #[error("only a server acts on behalf of somebody")]
    NoServer,
    /// Whoever is acted for does not exist any more.
    #[error("the user on whose behalf this is done was deleted")]
    Gone,
    /// Only Keywright was wanted, and no address was given.
    #[error(
        "no server to ask\n\
         hint: give --endpoint-url or set AWS_ENDPOINT_URL, for example to http://127.0.0.1:8787"
    )]
    NoEndpoint,
    /// Only Keywright was wanted, and something else answered.
    #[error("{0} is not Keywright")]
    NotKeywright(String),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The service did not say who asks.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// An access key to sign with.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) token: Option<Secret<String>>,
    expires: Option<Timestamp>,
}

impl Keys {
    pub(crate) fn of_pair(pair: &Pair) -> Self {
        Self {
            id: pair.id.0.clone(),
            secret: pair.secret.clone(),
            token: None,
            expires: None,
        }
    }
}

/// Access to the IAM and STS of one account.
pub struct Access {
    settings: Settings,
    way: Way,
    clock: Arc<dyn Clock>,
    iam: Endpoint,
    sts: Vec<Endpoint>,
    keywright: bool,
    identity: Identity,
    pace: Arc<Pace>,
    calls: AtomicU64,
    /// Credentials of the chain, as long as they are good.
    own: RwLock<Option<Keys>>,
    /// Signs instead of them.
    adopted: RwLock<Option<Keys>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} at {})", self.identity.arn, self.iam.url)
    }
}

impl Access {
    /// Finds credentials and asks who they are.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, AccessError> {
        if settings.on_behalf_of.is_some() {
            return Err(AccessError::NoServer);
        }
        let sdk = sdk(&settings).await;
        let http = http::client(settings.ca_bundle.as_deref())?;
        let region = match sdk.region() {
            None => "us-east-1",
            Some(region) => known(region.as_ref())
                .ok_or_else(|| AccessError::Region(region.as_ref().to_owned()))?,
        };
        let custom = sdk.endpoint_url().map(address).transpose()?;
        let (iam, sts) = match custom {
            Some(url) => {
                let there = Endpoint {
                    url: url.to_owned(),
                    region: "us-east-1",
                };
                (there.clone(), vec![there])
            }
            None => (
                of_aws(Service::Iam, region),
                vec![of_aws(Service::Sts, region), second_sts(region)],
            ),
        };
        let own = fetch(&settings, &sdk).await?;
        let first = sts.first().unwrap_or(&iam);
        let way = Way::Network(http);
        let answered = call(&way, first, &own, &WHO, &*clock).await?;
        let gap = if custom.is_some() { 0 } else { AWS_GAP_MILLIS };
        Ok(Self {
            identity: identity(&answered.answer),
            keywright: answered.keywright,
            settings,
            way,
            clock,
            iam,
            sts,
            pace: Arc::new(Pace::new(Duration::from_millis(gap))),
            calls: AtomicU64::new(1),
            own: RwLock::new(Some(own)),
            adopted: RwLock::new(None),
        })
    }

    /// Access to the server that this process is, as whom the settings say to act for.
    ///
    /// # Errors
    /// [`AccessError`].
    pub(crate) async fn open_within(
        settings: Settings,
        server: Arc<dyn Within>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        let own = borrow(&settings, &*server)?;
        let way = Way::Within(server);
        let here = Endpoint {
            url: "http://127.0.0.1".to_owned(),
            region: "us-east-1",
        };
        let answered = call(&way, &here, &own, &WHO, &*clock).await?;
        Ok(Self {
            identity: identity(&answered.answer),
            keywright: answered.keywright,
            settings,
            way,
            clock,
            sts: vec![here.clone()],
            iam: here,
            pace: Arc::new(Pace::new(Duration::ZERO)),
            calls: AtomicU64::new(1),
            own: RwLock::new(None),
            adopted: RwLock::new(None),
        })
    }

    /// As [`Access::open`], for what only Keywright has.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open_keywright(
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        if sdk(&settings).await.endpoint_url().is_none() {
            return Err(AccessError::NoEndpoint);
        }
        let access = Self::open(settings, clock).await?;
        if access.keywright {
            Ok(access)
        } else {
            Err(AccessError::NotKeywright(access.iam.url))
        }
    }

    /// Shares the rate of another access, where both ask the same account at the same address.
    pub(crate) fn share_pace(&mut self, other: &Self) {
        let same = self.identity.account == other.identity.account;
        if same && self.iam.url == other.iam.url {
            self.pace = Arc::clone(&other.pace);
        }
    }

    /// Who asks.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether Keywright answers.
    pub const fn is_keywright(&self) -> bool {
        self.keywright
    }

    /// How often it was asked so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Asks for something that changes nothing.
    ///
    /// # Errors
    /// [`CallError`], after some tries where another may help.
    pub async fn read(
        &self,
        service: Service,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, CallError> {
        let query = Query {
            service,
            action,
            parameters,
            header: None,
        };
        Ok(self.read_at(&query).await?.answer)
    }

    /// As [`Access::read`], with what the head of the answer said.
    pub(crate) async fn read_at(&self, query: &Query<'_>) -> Result<Answered, CallError> {
        let mut pause = Duration::from_millis(PAUSE_MILLIS);
        let mut tries = 1;
        loop {
            match self.once(query).await {
                Err(error) if error.is_passing() && tries < TRIES => {
                    tries += 1;
                    #[expect(clippy::disallowed_methods, reason = "a pause before a repetition")]
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends a query, once.
    pub(crate) async fn once(&self, query: &Query<'_>) -> Result<Answered, CallError> {
        let keys = self.keys().await?;
        let endpoint = match query.service {
            Service::Sts => self.sts.first().unwrap_or(&self.iam),
            Service::Iam | Service::Keywright => &self.iam,
        };
        self.pace.turn().await;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let outcome = call(&self.way, endpoint, &keys, query, &*self.clock).await;
        match &outcome {
            Ok(_) => self.pace.well().await,
            Err(error) if error.is_throttling() => self.pace.slow().await,
            Err(_) => {}
        }
        outcome
    }

    /// Asks one of the STS endpoints who a pair is.
    pub(crate) async fn who_is(&self, pair: &Pair, endpoint: usize) -> Result<Identity, CallError> {
        let endpoint = self.sts.get(endpoint).unwrap_or(&self.iam);
        self.calls.fetch_add(1, Ordering::Relaxed);
        let keys = Keys::of_pair(pair);
        let answered = call(&self.way, endpoint, &keys, &WHO, &*self.clock).await?;
        Ok(identity(&answered.answer))
    }

    pub(crate) const fn sts_endpoints(&self) -> usize {
        self.sts.len()
    }

    /// The id of the key that signs, where it is a long-term one.
    pub(crate) fn signer(&self) -> Option<KeyId> {
        let adopted = held(&self.adopted);
        let keys = adopted.or_else(|| held(&self.own))?;
        keys.token.is_none().then_some(KeyId(keys.id))
    }

    pub(crate) fn has_adopted(&self) -> bool {
        held(&self.adopted).is_some()
    }

    pub(crate) fn adopt(&self, pair: Option<&Pair>) {
        put(&self.adopted, pair.map(Keys::of_pair));
        if pair.is_none() {
            // Read anew: what is kept there may have been put back.
            put(&self.own, None);
        }
    }

    async fn keys(&self) -> Result<Keys, CallError> {
        let impossible = |error: AccessError| CallError::Impossible(error.to_string());
        if let Way::Within(server) = &self.way {
            // Lent anew each time: who was deleted is acted for no more.
            return borrow(&self.settings, &**server).map_err(impossible);
        }
        if let Some(keys) = held(&self.adopted).or_else(|| held(&self.own)) {
            let soon = self.clock.now().plus_secs(EXPIRES_SOON_SECS);
            if keys.expires.is_none_or(|expires| soon < expires) {
                return Ok(keys);
            }
        }
        let fetched = fetch(&self.settings, &sdk(&self.settings).await).await;
        let keys = fetched.map_err(impossible)?;
        put(&self.own, Some(keys.clone()));
        Ok(keys)
    }
}

const WHO: Query<'_> = Query {
    service: Service::Sts,
    action: "GetCallerIdentity",
    parameters: &[],
    header: None,
};

fn identity(answer: &Answer) -> Identity {
    let field = |name: &str| answer.fields.get(name).cloned().unwrap_or_default();
    Identity {
        account: field("Account"),
        user_id: field("UserId"),
        arn: field("Arn"),
    }
}

fn held(place: &RwLock<Option<Keys>>) -> Option<Keys> {
    place.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn put(place: &RwLock<Option<Keys>>, keys: Option<Keys>) {
    *place.write().unwrap_or_else(PoisonError::into_inner) = keys;
}

pub(super) fn address(url: &str) -> Result<&str, AccessError> {
    let plain = url.trim_end_matches('/');
    let authority = plain.split_once("://").filter(|(scheme, authority)| {
        matches!(*scheme, "http" | "https")
            && !authority.is_empty()
            && !authority.contains(['/', '@'])
    });
    match authority {
        Some(_) => Ok(plain),
        None => Err(AccessError::Address(url.to_owned())),
    }
}

/// AWS's own settings: environment, `~/.aws/config`, profile.
pub(super) async fn sdk(settings: &Settings) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Ok(name) = AppName::new("keywright") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// Credentials that the server lends to act for somebody.
fn borrow(settings: &Settings, server: &dyn Within) -> Result<Keys, AccessError> {
    let whom = settings
        .on_behalf_of
        .as_ref()
        .ok_or(AccessError::NoServer)?;
    let lent = server.lend(whom).ok_or(AccessError::Gone)?;
    Ok(Keys {
        id: lent.id,
        secret: lent.secret,
        token: Some(lent.token),
        expires: None,
    })
}

/// Credentials of the chain, or of the role that they may assume.
pub(super) async fn fetch(settings: &Settings, sdk: &SdkConfig) -> Result<Keys, AccessError> {
    let none = || AccessError::Credentials("the chain is empty".to_owned());
    let mut provider = match &settings.profile {
        // A profile that was named goes before the environment, as with the AWS CLI.
        Some(name) => {
            let mut config = ProviderConfig::default();
            if let Some(http) = sdk.http_client() {
                config = config.with_http_client(http);
            }
            config = config.with_region(sdk.region().cloned());
            let builder = ProfileFileCredentialsProvider::builder().configure(&config);
            SharedCredentialsProvider::new(builder.profile_name(name).build())
        }
        None => sdk.credentials_provider().ok_or_else(none)?,
    };
    if let Some(role) = &settings.assume_role {
        let builder = AssumeRoleProvider::builder(role).session_name("keywright");
        let assumed = builder.configure(sdk).build_from_provider(provider).await;
        provider = SharedCredentialsProvider::new(assumed);
    }
    let found = provider.provide_credentials().await;
    let found = found.map_err(|error| AccessError::Credentials(http::root_of(&error)))?;
    let expires = found.expiry().map(|at| {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    });
    Ok(Keys {
        id: found.access_key_id().to_owned(),
        secret: Secret::new(found.secret_access_key().to_owned()),
        token: found
            .session_token()
            .map(|token| Secret::new(token.to_owned())),
        expires,
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses() {
        for (url, good) in [
            ("http://127.0.0.1:8787", true),
            ("http://127.0.0.1:8787/", true),
            ("https://iam.example.org", true),
            ("http://[::1]:8787", true),
            ("127.0.0.1:8787", false),
            ("ftp://127.0.0.1", false),
            ("http://127.0.0.1/path", false),
            ("http://user@127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(address(url).is_ok(), good, "{url}");
        }
    }
}
