//! The identity service: opens an installation and handles IAM, STS and extension requests of
//! verified callers.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use keywright_base::{AccessKeyId, AccountId, Clock, Entropy, Secret};
use keywright_store::contract::{Store, StoreError};
use keywright_wire::{Form, Operation, Service, operation};

use crate::{
    authenticate::Authenticator,
    caller::Caller,
    console::ConsoleSessions,
    denials::DeniedRequests,
    event::{Projection, RequestEvents, RequestRecord},
    fault::IamFault,
    installation::InstallationLock,
    keyring::{Keyring, KeyringError},
    ledger::{IamLedger, LedgerError},
    mfa::MfaAttempts,
    password_attempts::PasswordAttempts,
    passwords::PasswordHasher,
    rotations::RotationEngine,
    saml::UsedAssertions,
    secrets,
    state::{Account, RootUser, StateChange},
    usage::KeyUsage,
    vault::{DataVault, MasterKey, OpenError},
    view::{ResourcePolicy, StateView},
    web_identity::{ProviderDocuments, ProviderKeys},
    work::{WorkLimits, WorkOwner, WorkPermit, WorkQueue},
};

/// Looks up the owner and the policy of another service's resource by ARN. Returns an error if they
/// cannot be determined.
pub type ResourceLookup = Box<dyn Fn(String) -> LookupFuture + Send + Sync>;

type LookupFuture = Pin<Box<dyn Future<Output = Result<Option<ResourcePolicy>, String>> + Send>>;

/// IAM, STS and Keywright's extension over one store.
pub struct Identity {
    pub(crate) ledger: Arc<IamLedger>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) usage: Arc<KeyUsage>,
    pub(crate) vault: Arc<DataVault>,
    keyring: Keyring,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Taken by actions that need exclusive access to the installation
    /// ([`crate::action::Action::ALONE`]).
    pub(crate) installation: InstallationLock,
    denials: Arc<DeniedRequests>,
    events: RequestEvents,
    pub(crate) mfa_attempts: MfaAttempts,
    password_attempts: PasswordAttempts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: PasswordHasher,
    /// Schedules long actions ([`crate::action::Effort::Long`]) and long decisions.
    pub(crate) heavy: WorkQueue,
    /// Schedules pages ([`crate::action::Effort::Page`]), so that they do not wait for long
    /// actions.
    pub(crate) pages: WorkQueue,
    /// Schedules S3 listings.
    listings: WorkQueue,
    pub(crate) sessions: Arc<ConsoleSessions>,
    pub(crate) rotations: OnceLock<Arc<dyn RotationEngine>>,
    authenticator: Authenticator,
    pub(crate) resources: OnceLock<ResourceLookup>,
    pub(crate) provider_keys: ProviderKeys,
    pub(crate) used_assertions: UsedAssertions,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.ledger)
    }
}

/// The dependencies of an installation.
pub struct IdentityParts {
    /// The durable state.
    pub store: Arc<dyn Store>,
    /// The master key, [`crate::vault::KEY_BYTES`] bytes.
    pub master_key: Secret<Vec<u8>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What is to be remembered of requests, beside what the installation needs itself.
    pub projections: Vec<Arc<dyn Projection>>,
}

impl std::fmt::Debug for IdentityParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Why an installation could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The state is unreadable.
    #[error("cannot read the state: {0}")]
    Ledger(#[from] LedgerError),
    /// The store failed.
    #[error("cannot use the store: {0}")]
    Store(#[from] StoreError),
    /// The credentials of a new account's root user could not be stored.
    #[error("cannot store the root credentials: {0}")]
    Credentials(std::io::Error),
    /// Root's console password could not be hashed.
    #[error("cannot hash the console password of root")]
    Password,
    /// The data keys cannot be opened, at least not with this master key.
    #[error("{0}")]
    Keyring(#[from] KeyringError),
    /// A secret cannot be sealed.
    #[error("{0}")]
    Vault(#[from] OpenError),
}

/// The root credentials of a new account, returned only once.
#[derive(Debug)]
pub struct RootCredentials {
    /// The account.
    pub account: AccountId,
    /// The access key ID.
    pub key: AccessKeyId,
    /// The secret access key.
    pub secret: Secret<String>,
}

impl Identity {
    /// Waits for a slot for a listing. Slots are shared fairly among principals.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if the queue is full or the wait takes too long.
    pub async fn listing_place(&self, owner: WorkOwner) -> Result<WorkPermit, IamFault> {
        self.listings.enter(owner).await
    }

    /// Runs a computation for a caller or an unauthenticated address outside the request threads,
    /// in its turn.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if the queue is full or the wait takes too long.
    pub async fn run_beside<T: Send + 'static>(
        &self,
        caller: Option<&Caller>,
        address: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let owner = caller.map_or_else(|| WorkOwner::address(address), WorkOwner::of);
        self.heavy.enter(owner).await?.run(work).await
    }

    /// Parses a long text from a request outside the request threads, in the address's turn among
    /// pages.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if the queue is full or the wait takes too long.
    pub async fn read_beside<T: Send + 'static>(
        &self,
        address: IpAddr,
        text: &[u8],
        read: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let place = self.pages.enter(WorkOwner::address(address)).await?;
        // The slots limit the number of copies.
        let text = text.to_vec();
        place.run(move || read(&text)).await
    }

    /// Opens an installation and loads all accounts. Creates its data key if it is new.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub async fn open(parts: IdentityParts) -> Result<Arc<Self>, OpenFault> {
        let store = Arc::clone(&parts.store);
        let installation = InstallationLock::new(&parts);
        let master = MasterKey::new(parts.master_key)?;
        let keyring = Keyring::open(Arc::clone(&store), &master, Arc::clone(&parts.entropy));
        let keyring = keyring.await?;
        let vault = Arc::clone(keyring.vault());
        let loading = tokio::task::spawn_blocking(move || {
            let ledger = IamLedger::load(Arc::clone(&store))?;
            Ok::<_, OpenFault>((Arc::new(ledger), Arc::new(KeyUsage::load(store)?)))
        });
        let (ledger, usage) = loading.await.map_err(|_| LedgerError::Superseded)??;
        usage.restore_windows(&ledger);
        let sessions = Arc::new(ConsoleSessions::default());
        let denials = Arc::new(DeniedRequests::default());
        let mut projections: Vec<Arc<dyn Projection>> =
            vec![Arc::clone(&usage) as _, Arc::clone(&denials) as _];
        projections.extend(parts.projections);
        let events = RequestEvents::new(projections);
        let authenticator = Authenticator {
            ledger: Arc::clone(&ledger),
            vault: Arc::clone(&vault),
            sessions: Arc::clone(&sessions),
        };
        let identity = Arc::new(Self {
            provider_keys: ProviderKeys::new(Arc::clone(&parts.clock)),
            used_assertions: UsedAssertions::new(parts.clock.now()),
            ledger,
            installation,
            store: parts.store,
            usage,
            vault,
            keyring,
            passwords: PasswordHasher::new(Arc::clone(&parts.entropy)),
            heavy: WorkQueue::new(WorkLimits::of_actions()),
            pages: WorkQueue::new(WorkLimits::of_pages()),
            listings: WorkQueue::new(WorkLimits::of_listings()),
            entropy: parts.entropy,
            denials,
            events,
            mfa_attempts: MfaAttempts::default(),
            password_attempts: PasswordAttempts::default(),
            clock: parts.clock,
            sessions,
            rotations: OnceLock::new(),
            authenticator,
            resources: OnceLock::new(),
        });
        identity.finish_all_creations().await;
        Ok(identity)
    }

    /// Creates an account whose root user has one access key. `keep` stores the credentials. It
    /// runs before the account exists, so that there is never an account without them.
    ///
    /// # Errors
    /// [`OpenFault`] if the account exists, the store fails, or `keep` does.
    pub async fn create_account(
        &self,
        account: AccountId,
        keep: impl FnOnce(&RootCredentials) -> std::io::Result<()>,
    ) -> Result<RootCredentials, OpenFault> {
        let now = self.clock.now().truncate_to_secs();
        let (key, secret) = secrets::new_key(account, now, &self.vault, &*self.entropy)?;
        let id = key.id;
        let root = RootUser {
            created: now,
            keys: vec![key],
            login: None,
        };
        let credentials = RootCredentials {
            account,
            key: id,
            secret,
        };
        keep(&credentials).map_err(OpenFault::Credentials)?;
        self.ledger
            .create(account, now, &[StateChange::put(root)])
            .await?;
        Ok(credentials)
    }

    /// The installation's own account: the oldest one that no organization has created.
    pub fn first_account(&self) -> Option<AccountId> {
        let cells = self.ledger.ids().into_iter();
        let cells = cells.filter_map(|id| self.ledger.account(id));
        let snapshots = cells.map(|cell| cell.snapshot().clone());
        let own = snapshots.filter(|account| account.management().is_none());
        let oldest = own.min_by_key(|account| account.root().created)?;
        Some(oldest.id())
    }

    /// The store.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The vault for this installation's secrets and objects.
    pub const fn vault(&self) -> &Arc<DataVault> {
        &self.vault
    }

    /// The storage of its data keys.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The accounts.
    pub const fn ledger(&self) -> &Arc<IamLedger> {
        &self.ledger
    }

    /// The authenticator of callers.
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Last uses and attempts of keys.
    pub const fn usage(&self) -> &Arc<KeyUsage> {
        &self.usage
    }

    /// The denied requests.
    pub fn denials(&self) -> &DeniedRequests {
        &self.denials
    }

    /// Where the events of requests go.
    pub const fn events(&self) -> &RequestEvents {
        &self.events
    }

    /// Sets the lookup for other services' resources, once. Explanations evaluate their policies
    /// too.
    pub fn know_resources(&self, resources: ResourceLookup) {
        // The first lookup stays.
        let _ = self.resources.set(resources);
    }

    /// Sets where the documents of identity providers are fetched, once. Without it, no provider's
    /// tokens can be verified.
    pub fn know_provider_documents(&self, source: Arc<dyn ProviderDocuments>) {
        self.provider_keys.set_source(source);
    }

    /// Removes the records of ended sessions.
    ///
    /// # Errors
    /// Store errors.
    pub async fn purge_sessions(&self) -> Result<(), StoreError> {
        self.store.purge_sessions(self.clock.now()).await
    }

    /// The operation in a form if the models say that it is unsigned.
    pub fn unsigned(service: Service, form: &Form) -> Option<&'static Operation> {
        let version = form.version().unwrap_or_default();
        operation(service, version, form.action()?).filter(|operation| operation.unsigned)
    }

    pub(crate) fn view<'a>(
        &'a self,
        account: &'a Account,
        (record, caller): (&'a RequestRecord, &'a Caller),
    ) -> StateView<'a> {
        StateView {
            account,
            ledger: &self.ledger,
            caller,
            context: &record.context,
            request_id: &record.request_id,
            record,
            denials: &self.denials,
            mfa_attempts: &self.mfa_attempts,
            password_attempts: &self.password_attempts,
            usage: &self.usage,
            vault: &self.vault,
            entropy: &*self.entropy,
            rotations: self.rotations.get().map(|engine| &**engine),
        }
    }
}
