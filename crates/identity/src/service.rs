//! The identity service: opens an installation, and carries out one IAM, STS or extension request
//! of a proven caller.

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
    action::{ActionCall, Answer, RequestHead},
    actions::{ACTIONS, credential_report},
    authenticate::Authenticator,
    caller::Caller,
    console::ConsoleSessions,
    denials::DeniedRequests,
    fault::IamFault,
    keyring::{Keyring, KeyringError},
    ledger::{IamLedger, LedgerError},
    mfa::MfaAttempts,
    password_attempts::PasswordAttempts,
    passwords::PasswordHasher,
    rotations::RotationEngine,
    secrets,
    state::{Account, RootUser, StateChange},
    usage::KeyUsage,
    vault::{DataVault, MasterKey, OpenError},
    view::{Prefetch, Prefetched, ResourcePolicy, StateView},
    work::{WorkLimits, WorkOwner, WorkPermit, WorkQueue},
};

/// Tells whose a resource of another service is and what its policy says, by its ARN; an error when
/// that cannot be known.
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
    /// Held by actions that must be alone in the installation ([`crate::action::Action::ALONE`]).
    pub(crate) alone: tokio::sync::Mutex<()>,
    denials: DeniedRequests,
    pub(crate) mfa_attempts: MfaAttempts,
    password_attempts: PasswordAttempts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: PasswordHasher,
    /// Where long actions ([`crate::action::Effort::Long`]) and long decisions get the processor.
    pub(crate) heavy: WorkQueue,
    /// Where pages ([`crate::action::Effort::Page`]) get the processor: whoever waits for one does
    /// not wait for what takes long.
    pub(crate) pages: WorkQueue,
    /// Where S3 listings get their turn.
    listings: WorkQueue,
    pub(crate) sessions: Arc<ConsoleSessions>,
    pub(crate) rotations: OnceLock<Arc<dyn RotationEngine>>,
    authenticator: Authenticator,
    resources: OnceLock<ResourceLookup>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.ledger)
    }
}

/// What an installation is opened with.
pub struct IdentityParts {
    /// The durable state.
    pub store: Arc<dyn Store>,
    /// The master key, [`crate::vault::KEY_BYTES`] bytes.
    pub master_key: Secret<Vec<u8>>,
    /// The system's time.
    pub clock: Arc<dyn Clock>,
    /// The system's randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for IdentityParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Why an installation could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The state cannot be read.
    #[error("cannot read the state: {0}")]
    Ledger(#[from] LedgerError),
    /// The store failed.
    #[error("cannot use the store: {0}")]
    Store(#[from] StoreError),
    /// The credentials of a new account's root user could not be kept.
    #[error("cannot keep the root credentials: {0}")]
    Credentials(std::io::Error),
    /// Root's console password could not be hashed.
    #[error("cannot hash the console password of root")]
    Password,
    /// The data keys cannot be opened, or not with this master key.
    #[error("{0}")]
    Keyring(#[from] KeyringError),
    /// A secret cannot be sealed.
    #[error("{0}")]
    Vault(#[from] OpenError),
}

/// The root credentials of a new account, shown once.
#[derive(Debug)]
pub struct RootCredentials {
    /// The account.
    pub account: AccountId,
    /// The key's id.
    pub key: AccessKeyId,
    /// The key's secret.
    pub secret: Secret<String>,
}

impl Identity {
    /// A place to make a listing in, which principals take in turn.
    ///
    /// # Errors
    /// [`Fault::Throttled`] when too many wait, or the wait takes too long.
    pub async fn listing_place(&self, owner: WorkOwner) -> Result<WorkPermit, IamFault> {
        self.listings.enter(owner).await
    }

    /// Computes for a caller, or for an address that has proven nothing, beside the threads that
    /// answer requests, once its turn has come.
    ///
    /// # Errors
    /// [`Fault::Throttled`] when too much waits already, or the wait takes too long.
    pub async fn run_beside<T: Send + 'static>(
        &self,
        caller: Option<&Caller>,
        address: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let owner = caller.map_or_else(|| WorkOwner::address(address), WorkOwner::of);
        self.heavy.enter(owner).await?.run(work).await
    }

    /// Reads a long text that a request brought from an address, beside the threads that answer
    /// requests, once it is the turn of that address among pages.
    ///
    /// # Errors
    /// [`Fault::Throttled`] when too much waits already, or the wait takes too long.
    pub async fn read_beside<T: Send + 'static>(
        &self,
        address: IpAddr,
        text: &[u8],
        read: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let place = self.pages.enter(WorkOwner::address(address)).await?;
        // There are as many copies as places.
        let text = text.to_vec();
        place.run(move || read(&text)).await
    }

    /// Opens an installation; makes its data key if it is new. Loads everything.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub async fn open(parts: IdentityParts) -> Result<Arc<Self>, OpenFault> {
        let store = Arc::clone(&parts.store);
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
        let authenticator = Authenticator {
            ledger: Arc::clone(&ledger),
            vault: Arc::clone(&vault),
            usage: Arc::clone(&usage),
            sessions: Arc::clone(&sessions),
        };
        Ok(Arc::new(Self {
            ledger,
            store: parts.store,
            usage,
            vault,
            keyring,
            passwords: PasswordHasher::new(Arc::clone(&parts.entropy)),
            heavy: WorkQueue::new(WorkLimits::of_actions()),
            pages: WorkQueue::new(WorkLimits::of_pages()),
            listings: WorkQueue::new(WorkLimits::of_listings()),
            entropy: parts.entropy,
            alone: tokio::sync::Mutex::new(()),
            denials: DeniedRequests::default(),
            mfa_attempts: MfaAttempts::default(),
            password_attempts: PasswordAttempts::default(),
            clock: parts.clock,
            sessions,
            rotations: OnceLock::new(),
            authenticator,
            resources: OnceLock::new(),
        }))
    }

    /// Creates an account whose root user has one access key. `keep` puts the credentials where
    /// they stay; it runs before the account exists, so that no account is ever without them.
    ///
    /// # Errors
    /// [`OpenFault`] when the account exists, the store fails, or `keep` does.
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
            .create(account, now, &[StateChange::PutRoot(Arc::new(root))])
            .await?;
        Ok(credentials)
    }

    /// The durable state.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What seals and opens this installation's secrets and objects.
    pub const fn vault(&self) -> &Arc<DataVault> {
        &self.vault
    }

    /// Where its keys are stored.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The accounts.
    pub const fn ledger(&self) -> &Arc<IamLedger> {
        &self.ledger
    }

    /// Resolves and verifies callers.
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Last uses and attempts.
    pub const fn usage(&self) -> &Arc<KeyUsage> {
        &self.usage
    }

    /// What was denied.
    pub const fn denials(&self) -> &DeniedRequests {
        &self.denials
    }

    /// Says, once, who knows the resources of other services: explanations ask their policies too.
    pub fn know_resources(&self, resources: ResourceLookup) {
        // Whoever comes second knows no more.
        let _ = self.resources.set(resources);
    }

    /// Removes the records of sessions that have ended.
    ///
    /// # Errors
    /// From the store.
    pub async fn purge_sessions(&self) -> Result<(), StoreError> {
        self.store.purge_sessions(self.clock.now()).await
    }

    /// Carries out a request.
    ///
    /// # Errors
    /// [`Fault`], to be rendered with [`Fault::wire`].
    pub async fn call(
        self: &Arc<Self>,
        service: Service,
        call: ActionCall<'_>,
    ) -> Result<Answer, IamFault> {
        let action = call.form.action().ok_or(IamFault::MissingAction)?;
        let version = call.form.version().unwrap_or_default();
        let Some(operation) = operation(service, version, action) else {
            let (action, version) = (action.to_owned(), version.to_owned());
            return Err(IamFault::InvalidAction { action, version });
        };
        let served = ACTIONS
            .iter()
            .find(|row| std::ptr::eq(row.operation, operation));
        let served = served.ok_or(IamFault::NotServed(operation.name))?;
        (served.handle)(self, call).await
    }

    /// The operation that a form asks for, if the models say that it is called without a signature.
    pub fn unsigned(service: Service, form: &Form) -> Option<&'static Operation> {
        let version = form.version().unwrap_or_default();
        operation(service, version, form.action()?).filter(|operation| operation.unsigned)
    }

    /// Carries out an operation that is called without a signature; none of them is served yet.
    ///
    /// # Errors
    /// [`Fault::NotServed`].
    pub fn call_unsigned(&self, operation: &'static Operation) -> Result<String, IamFault> {
        Err(IamFault::NotServed(operation.name))
    }

    /// The name of the action that a form asks for, for the record; unverified text is cut short.
    pub fn action_name(service: Service, form: &Form) -> String {
        let name: String = form.action().unwrap_or("?").chars().take(64).collect();
        format!("{}:{name}", service.scope_name())
    }

    pub(crate) fn view<'a>(
        &'a self,
        account: &'a Account,
        head: impl Into<RequestHead<'a>>,
        gathered: &'a Prefetched,
    ) -> StateView<'a> {
        let head = head.into();
        StateView {
            account,
            caller: head.caller,
            context: head.facts,
            prefetched: gathered,
            request_id: head.request_id,
            denials: &self.denials,
            mfa_attempts: &self.mfa_attempts,
            password_attempts: &self.password_attempts,
            usage: &self.usage,
            vault: &self.vault,
            entropy: &*self.entropy,
            rotations: self.rotations.get().map(|engine| &**engine),
        }
    }

    pub(crate) async fn gather(
        &self,
        needs: Vec<Prefetch>,
        owner: WorkOwner,
        account: &Arc<Account>,
    ) -> Result<Prefetched, IamFault> {
        let mut gathered = Prefetched::default();
        let failed = |error: StoreError| IamFault::Internal(error.to_string());
        for need in needs {
            match need {
                Prefetch::Hash(password) => {
                    gathered.hash = Some(self.passwords.hash(owner, password).await?);
                }
                Prefetch::Matches(password, hashes) => {
                    let matches = self.passwords.matches(owner, password, hashes);
                    gathered.matches.push(matches.await?);
                }
                Prefetch::Attempts(key) => {
                    gathered.attempts = self.usage.attempts(key).await.map_err(failed)?;
                }
                Prefetch::Sessions(page) => {
                    gathered.sessions = self.store.sessions(page).await.map_err(failed)?;
                }
                Prefetch::AliasHolder(alias) => {
                    gathered.alias_holder = self.ledger.alias_holder(&alias);
                }
                Prefetch::Attached(arn) => {
                    if let Some(resources) = self.resources.get() {
                        gathered.attached = resources(arn).await.map_err(IamFault::Internal)?;
                    }
                }
                Prefetch::CredentialReport => {
                    let (account, usage) = (Arc::clone(account), Arc::clone(&self.usage));
                    let making = move || credential_report::content(&account, &usage).into();
                    let place = self.heavy.enter(owner).await?;
                    gathered.credential_report = Some(place.run(making).await?);
                }
                Prefetch::Rotation(requested) => {
                    gathered.rotation = Some(self.call_rotation_engine(*requested).await?);
                }
            }
        }
        Ok(gathered)
    }
}
