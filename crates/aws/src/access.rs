//! Whose credentials sign, where the services are, and how they are asked.
//!
//! It protects two rules: credentials come from the chain that every AWS client uses, and are never
//! shown; a call that changes something is sent once. Calls that only read are repeated with a
//! pause. Which account answers, and whether it is Keywright, is asked once, when it is opened.

use std::{
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
    call::{CallError, CallResponse, QueryCall, QueryService, Transport, call},
    credentials::{SigningKeys, StandIn, borrow, fetch},
    endpoint::{IAM, STS, ServiceEndpoint, second_sts},
    pace::RateLimiter,
    settings::{ClientSettings, region, sdk, variant},
    within::InProcessTransport,
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

impl AccessError {
    /// Whether other credentials may be accepted.
    pub fn is_about_credentials(&self) -> bool {
        match self {
            Self::Credentials(_) => true,
            Self::Call(error) => error.is_unknown_key(),
            _ => false,
        }
    }
}

/// Access to the IAM and STS of one account.
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
    /// What signs when the service refuses the key of the chain.
    stand_in: Option<StandIn>,
    /// Credentials of the chain, as long as they are good.
    own: RwLock<Option<SigningKeys>>,
    /// Signs instead of them.
    adopted: RwLock<Option<SigningKeys>>,
}

impl std::fmt::Debug for AccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} at {})", self.identity.arn, self.iam.url)
    }
}

impl AccountClient {
    /// Finds credentials and asks who they are.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessError> {
        Self::open_or(settings, clock, None).await
    }

    /// As [`Access::open`]. Where the key of the chain is the one that was replaced, and is refused
    /// by now, the pair that has replaced it signs.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn open_or(
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
        let answered = response?;
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

    /// Access to the server that this process is, as whom the settings say to act for.
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

    /// As [`Access::open`], for what only Keywright has.
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

    /// Shares the rate of another access, where both ask the same account at the same address.
    pub fn share_pace(&mut self, other: &Self) {
        let same = self.identity.account == other.identity.account;
        if same && self.iam.url == other.iam.url {
            self.pace = Arc::clone(&other.pace);
        }
    }

    /// Who asks.
    pub const fn identity(&self) -> &KeyIdentity {
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
        service: QueryService,
        action: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<QueryResponse, CallError> {
        let query = QueryCall {
            service,
            action,
            parameters,
            header: None,
        };
        Ok(self.read_at(&query).await?.answer)
    }

    /// As [`Access::read`], with what the head of the answer said.
    pub(crate) async fn read_at(&self, query: &QueryCall<'_>) -> Result<CallResponse, CallError> {
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
    pub(crate) async fn once(&self, query: &QueryCall<'_>) -> Result<CallResponse, CallError> {
        let keys = self.keys().await?;
        let endpoint = match query.service {
            QueryService::Sts => self.sts.first().unwrap_or(&self.iam),
            QueryService::Iam | QueryService::Keywright | QueryService::Sns => &self.iam,
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

    /// The id of the key that signs, where it is a long-term one.
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
            // Read anew: what is kept there may have been put back.
            put(&self.own, None);
        }
    }

    pub(super) async fn keys(&self) -> Result<SigningKeys, CallError> {
        let impossible = |error: AccessError| CallError::Impossible(error.to_string());
        if let Transport::Within(server) = &self.way {
            // Lent anew each time: who was deleted is acted for no more.
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

const WHO: QueryCall<'_> = QueryCall {
    service: QueryService::Sts,
    action: "GetCallerIdentity",
    parameters: &[],
    header: None,
};

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
