//! A client for one account's IAM and STS: credentials, endpoints, retries.
//!
//! Invariants:
//!
//! - Credentials come from the chain that every AWS client uses and are never displayed.
//! - A call that changes something is sent once. Only reads are retried, with backoff.
//!
//! The caller's identity, and whether the server is Keywright, are determined once, on opening.

use std::{
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keywright_base::Clock;
use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::KeyIdentity,
};

use super::{
    answer::QueryResponse,
    call::{
        CallError, CallResponse, QueryCall, QueryService, ResponseText, Transport, call,
        call_organizations, call_text,
    },
    credentials::{SigningKeys, StandIn, borrow, fetch},
    endpoint::{IAM, STS, ServiceEndpoint, second_sts},
    pace::RateLimiter,
    settings::{ClientSettings, region, sdk, variant},
    tree::ResponseTree,
    within::InProcessTransport,
};
use crate::http::{self, HttpError};

/// Milliseconds between two calls to AWS's IAM, which allows about 20 requests a second.
const AWS_GAP_MILLIS: u64 = 60;
/// Attempts for a call that only reads.
const TRIES: u32 = 6;
/// The first pause before a retry, in milliseconds. It doubles each time.
const PAUSE_MILLIS: u64 = 200;
/// Refresh credentials that expire within this many seconds.
const EXPIRES_SOON_SECS: i64 = 300;

/// Why a client cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The chain provided no credentials.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// The region is unknown.
    #[error("{0} is not a region")]
    Region(String),
    /// The endpoint is not a valid URL.
    #[error("{0} is not an address like http://127.0.0.1:8787")]
    Address(String),
    /// The settings act on behalf of a principal, but this process is not a server.
    #[error("only a server can act on behalf of a principal")]
    NoServer,
    /// The principal to act on behalf of was deleted.
    #[error("the user on whose behalf this is done was deleted")]
    Gone,
    /// Keywright is required, but no endpoint is configured.
    #[error(
        "no server to ask\n\
         hint: give --endpoint-url or set AWS_ENDPOINT_URL, for example to http://127.0.0.1:8787"
    )]
    NoEndpoint,
    /// Keywright is required, but the endpoint is another service.
    #[error("{0} is not Keywright")]
    NotKeywright(String),
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The service does not accept the key.
    #[error("{error} (signed with {key}{from})")]
    UnknownKey {
        /// The service's answer.
        error: CallError,
        /// The access key ID.
        key: String,
        /// Where the key is from, as a clause.
        from: String,
    },
    /// The service did not return the caller's identity.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AccessError {
    /// Whether other credentials might be accepted.
    pub fn is_about_credentials(&self) -> bool {
        match self {
            Self::Credentials(_) | Self::UnknownKey { .. } => true,
            Self::Call(error) => error.is_unknown_key(),
            _ => false,
        }
    }
}

/// A client for the IAM and STS of one account.
pub struct AccountClient {
    settings: ClientSettings,
    way: Transport,
    clock: Arc<dyn Clock>,
    iam: ServiceEndpoint,
    sts: Vec<ServiceEndpoint>,
    keywright: bool,
    identity: KeyIdentity,
    pace: Arc<RateLimiter>,
    calls: AtomicU64,
    /// The key pair to sign with if the service rejects the key of the chain.
    stand_in: Option<StandIn>,
    /// Cached credentials of the chain.
    own: RwLock<Option<SigningKeys>>,
    /// Credentials that sign instead of them.
    adopted: RwLock<Option<SigningKeys>>,
}

impl std::fmt::Debug for AccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} at {})", self.identity.arn, self.iam.url)
    }
}

/// A client that is being opened. Boxed, because every crate that awaits an async function compiles
/// it again, here with the SDK's whole credential chain.
pub type OpeningClient = Pin<Box<dyn Future<Output = Result<AccountClient, AccessError>> + Send>>;

impl AccountClient {
    /// Finds credentials and asks the service for their identity.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        Self::open_or(settings, clock, None).await
    }

    /// Like [`AccountClient::open`]. If the key of the chain is the replaced one and the service
    /// rejects it, the pair that replaced it signs.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn open_or(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
        stand_in: Option<StandIn>,
    ) -> OpeningClient {
        Box::pin(Self::connect(settings, clock, stand_in))
    }

    async fn connect(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
        stand_in: Option<StandIn>,
    ) -> Result<Self, AccessError> {
        if settings.on_behalf_of.is_some() {
            return Err(AccessError::NoServer);
        }
        let sdk = sdk(&settings, None).await;
        let way = Transport::Network(http::client(settings.ca_bundle.as_deref())?);
        let (iam, custom) = settings.endpoint(IAM, &sdk)?;
        let sts = match settings.endpoint(STS, &sdk)? {
            (there, true) => vec![there],
            (first, false) => vec![first, second_sts(region(&sdk)?, variant(&sdk))],
        };
        let own = fetch(&settings, &sdk, stand_in.as_ref()).await?;
        let first = sts.first().unwrap_or(&iam);
        let mut adopted = None;
        let mut response = call(&way, first, &own, &WHO, &*clock).await;
        if let (Err(error), Some(StandIn { replaced, pair })) = (&response, &stand_in)
            && error.is_unknown_key()
            && own.id == replaced.0
        {
            let keys = adopted.insert(SigningKeys::of_pair(pair));
            response = call(&way, first, keys, &WHO, &*clock).await;
        }
        let answered = response.map_err(|error| not_accepted(error, &own, &settings))?;
        let gap = if custom { 0 } else { AWS_GAP_MILLIS };
        Ok(Self {
            identity: identity(&answered.answer),
            keywright: answered.keywright,
            settings,
            way,
            clock,
            iam,
            sts,
            pace: Arc::new(RateLimiter::new(Duration::from_millis(gap))),
            calls: AtomicU64::new(1),
            stand_in,
            own: RwLock::new(Some(own)),
            adopted: RwLock::new(adopted),
        })
    }

    /// Connects to the server in this process, on behalf of the principal in the settings.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open_within(
        settings: ClientSettings,
        server: Arc<dyn InProcessTransport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        let own = borrow(&settings, &*server)?;
        let way = Transport::Within(server);
        let here = ServiceEndpoint {
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
            pace: Arc::new(RateLimiter::new(Duration::ZERO)),
            calls: AtomicU64::new(1),
            stand_in: None,
            own: RwLock::new(None),
            adopted: RwLock::new(None),
        })
    }

    /// Like [`AccountClient::open`], for operations that only Keywright has.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open_keywright(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        if settings
            .configured(IAM, &sdk(&settings, None).await)
            .is_none()
        {
            return Err(AccessError::NoEndpoint);
        }
        let access = Self::open(settings, clock).await?;
        if access.keywright {
            Ok(access)
        } else {
            Err(AccessError::NotKeywright(access.iam.url))
        }
    }

    /// Shares the pace limiter of another client if both call the same account at the same
    /// endpoint.
    pub fn share_pace(&mut self, other: &Self) {
        let same = self.identity.account == other.identity.account;
        if same && self.iam.url == other.iam.url {
            self.pace = Arc::clone(&other.pace);
        }
    }

    /// The caller's identity.
    pub const fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    /// Whether the service is Keywright.
    pub const fn is_keywright(&self) -> bool {
        self.keywright
    }

    /// The number of calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls an operation that changes nothing.
    ///
    /// # Errors
    /// [`CallError`]; transient errors are retried first.
    pub async fn read(
        &self,
        service: QueryService,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<QueryResponse, CallError> {
        let query = QueryCall::new(service, action, parameters);
        Ok(self.read_at(&query).await?.answer)
    }

    /// Calls an operation of Organizations once, with its input as JSON.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn organizations(
        &self,
        operation: &str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, CallError> {
        let keys = self.keys().await?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let call = (operation, input);
        call_organizations(&self.way, &self.iam, &keys, call, &*self.clock).await
    }

    /// Like [`AccountClient::read`], for a response with lists in lists.
    ///
    /// # Errors
    /// [`CallError`]; transient errors are retried first.
    pub async fn read_tree(
        &self,
        service: QueryService,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<ResponseTree, CallError> {
        let query = QueryCall::new(service, action, parameters);
        self.retried(&query, ResponseText::tree).await
    }

    /// Calls an operation that may change something, once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn send(
        &self,
        service: QueryService,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<QueryResponse, CallError> {
        let query = QueryCall::new(service, action, parameters);
        Ok(self.once(&query).await?.answer)
    }

    /// Like [`AccountClient::read`], with the metadata of the response's headers.
    pub(crate) async fn read_at(&self, query: &QueryCall<'_>) -> Result<CallResponse, CallError> {
        self.retried(query, ResponseText::response).await
    }

    /// Calls and reads the response, again after transient errors.
    async fn retried<T>(
        &self,
        query: &QueryCall<'_>,
        read: fn(ResponseText) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut pause = Duration::from_millis(PAUSE_MILLIS);
        let mut tries = 1;
        loop {
            match self.once_text(query).await.and_then(read) {
                Err(error) if error.is_passing() && tries < TRIES => {
                    tries += 1;
                    #[expect(clippy::disallowed_methods, reason = "a pause before a retry")]
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends a query once.
    pub(crate) async fn once(&self, query: &QueryCall<'_>) -> Result<CallResponse, CallError> {
        self.once_text(query).await?.response()
    }

    async fn once_text(&self, query: &QueryCall<'_>) -> Result<ResponseText, CallError> {
        let keys = self.keys().await?;
        let endpoint = match query.service {
            QueryService::Sts => self.sts.first().unwrap_or(&self.iam),
            QueryService::Iam | QueryService::Keywright | QueryService::Sns => &self.iam,
        };
        self.pace.turn().await;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let outcome = call_text(&self.way, endpoint, &keys, query, &*self.clock).await;
        match &outcome {
            Ok(_) => self.pace.well().await,
            Err(error) if error.is_throttling() => self.pace.slow().await,
            Err(_) => {}
        }
        outcome
    }

    /// Calls `GetCallerIdentity` with a key pair at one of the STS endpoints.
    pub(crate) async fn who_is(
        &self,
        pair: &KeyPair,
        endpoint: usize,
    ) -> Result<KeyIdentity, CallError> {
        let endpoint = self.sts.get(endpoint).unwrap_or(&self.iam);
        self.calls.fetch_add(1, Ordering::Relaxed);
        let keys = SigningKeys::of_pair(pair);
        let answered = call(&self.way, endpoint, &keys, &WHO, &*self.clock).await?;
        Ok(identity(&answered.answer))
    }

    pub(super) const fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) const fn sts_endpoints(&self) -> usize {
        self.sts.len()
    }

    /// The ID of the signing key if it is a long-term key.
    pub(crate) fn signer(&self) -> Option<KeyId> {
        let adopted = held(&self.adopted);
        let keys = adopted.or_else(|| held(&self.own))?;
        keys.token.is_none().then_some(KeyId(keys.id))
    }

    pub(crate) fn has_adopted(&self) -> bool {
        held(&self.adopted).is_some()
    }

    pub(crate) fn adopt(&self, pair: Option<&KeyPair>) {
        put(&self.adopted, pair.map(SigningKeys::of_pair));
        if pair.is_none() {
            // Read the chain again: its key may have been restored.
            put(&self.own, None);
        }
    }

    pub(super) async fn keys(&self) -> Result<SigningKeys, CallError> {
        let impossible = |error: AccessError| CallError::Impossible(error.to_string());
        if let Transport::Within(server) = &self.way {
            // Issue new credentials each time: nothing is done on behalf of a deleted principal.
            return borrow(&self.settings, &**server).map_err(impossible);
        }
        if let Some(keys) = held(&self.adopted).or_else(|| held(&self.own)) {
            let soon = self.clock.now().plus_secs(EXPIRES_SOON_SECS);
            if keys.expires.is_none_or(|expires| soon < expires) {
                return Ok(keys);
            }
        }
        let sdk = sdk(&self.settings, None).await;
        let fetched = fetch(&self.settings, &sdk, self.stand_in.as_ref()).await;
        let keys = fetched.map_err(impossible)?;
        put(&self.own, Some(keys.clone()));
        Ok(keys)
    }
}

/// The error for a rejected identity check. A key that is unknown is named, with its profile.
fn not_accepted(error: CallError, keys: &SigningKeys, settings: &ClientSettings) -> AccessError {
    if !error.is_unknown_key() {
        return error.into();
    }
    let profile = settings.profile.as_ref();
    AccessError::UnknownKey {
        error,
        key: keys.id.clone(),
        from: profile.map_or_else(String::new, |name| format!(", of profile {name}")),
    }
}

const WHO: QueryCall<'_> = QueryCall::new(QueryService::Sts, "GetCallerIdentity", &[]);

fn identity(answer: &QueryResponse) -> KeyIdentity {
    let field = |name: &str| answer.fields.get(name).cloned().unwrap_or_default();
    KeyIdentity {
        account: field("Account"),
        user_id: field("UserId"),
        arn: field("Arn"),
    }
}

fn held(place: &RwLock<Option<SigningKeys>>) -> Option<SigningKeys> {
    place.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn put(place: &RwLock<Option<SigningKeys>>, keys: Option<SigningKeys>) {
    *place.write().unwrap_or_else(PoisonError::into_inner) = keys;
}
