//! The interface to the rotation engine, which a higher layer implements.
//!
//! Invariants:
//!
//! - The engine is called only after the caller's permit was created: by
//!   [`crate::action::PreparedAction::prepare`], which takes it, and by actions that run.
//! - Without an engine, every request is rejected.
//! - An engine that has waited checks that its caller is still allowed
//!   ([`RotationCaller::check`]) before it changes anything or returns a secret.

use std::collections::HashMap;

use keywright_base::{AccountId, Secret};
use keywright_wire::keywright;

use crate::{Identity, fault::IamFault, on_behalf::OnBehalf, state::User, view::StateView};

/// Authenticates and authorizes a request again.
#[async_trait::async_trait]
pub trait PermissionCheck: Send + Sync {
    /// Whether the newest state still allows the request.
    ///
    /// # Errors
    /// [`IamFault::Revoked`], [`IamFault::AccessDenied`] and other faults of authorization.
    async fn check(&self) -> Result<(), IamFault>;
}

/// The principal that gives the engine an order.
pub struct RotationCaller<'a> {
    /// The principal that the engine acts for.
    pub principal: OnBehalf,
    permission: &'a dyn PermissionCheck,
}

impl std::fmt::Debug for RotationCaller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RotationCaller({:?})", self.principal)
    }
}

impl<'a> RotationCaller<'a> {
    pub(crate) const fn new(principal: OnBehalf, permission: &'a dyn PermissionCheck) -> Self {
        Self {
            principal,
            permission,
        }
    }

    /// Checks that the caller is still allowed to give this order.
    ///
    /// # Errors
    /// As [`PermissionCheck::check`].
    pub async fn check(&self) -> Result<(), IamFault> {
        self.permission.check().await
    }
}

/// The user of a rotation.
#[derive(Debug, Clone)]
pub struct UserRef {
    /// The name, for messages.
    pub name: String,
    /// The unique ID.
    pub id: String,
}

impl UserRef {
    pub(crate) fn of(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            id: user.id.to_string(),
        }
    }
}

/// Which rotations to list.
#[derive(Debug)]
pub struct RotationQuery {
    /// Those of this account.
    pub account: AccountId,
    /// Only those of this user.
    pub user: Option<UserRef>,
    /// Only open ones.
    pub open: bool,
    /// Only those started before this one.
    pub after: Option<String>,
    /// The maximum number.
    pub limit: usize,
}

/// Which events of rotations to list.
#[derive(Debug)]
pub struct HistoryQuery {
    /// Those of this account.
    pub account: AccountId,
    /// The user.
    pub user: UserRef,
    /// Only those of this rotation.
    pub rotation: Option<String>,
    /// Only those after this number.
    pub after: i64,
    /// The maximum number.
    pub limit: usize,
}

/// The new key of a rotation, for the person who delivers it.
#[derive(Debug)]
pub struct RetrievedKey {
    /// The access key ID.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
}

/// The parameters of a new rotation.
#[derive(Debug)]
pub struct RotationStart {
    /// The owner of the key.
    pub user: UserRef,
    /// The key. Optional if the user has only one.
    pub key: Option<String>,
    /// The destinations of the new key.
    pub places: Vec<String>,
    /// Observation window in seconds. `None` for the default.
    pub observe_secs: Option<i64>,
    /// Dwell in seconds. `None` for the default.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked: do not wait until it is unused, and end its sessions.
    pub incident: bool,
    /// Whether to deactivate the old key before the new one exists.
    pub deactivate_first: bool,
    /// Why the old key may be deleted although no consumer has used the new one. `None` forbids it.
    pub override_unused: Option<String>,
}

/// An order about an open rotation.
#[derive(Debug)]
pub enum RotationOrder {
    /// Confirm that the new key is installed where it is used.
    Confirm,
    /// Check again now.
    Resume,
    /// Hold it, with a reason.
    Hold(String),
    /// Release it.
    Release,
    /// Roll it back, with a reason.
    RollBack(String),
    /// Abandon it, with a reason.
    Abandon(String),
    /// Change its parameters or destinations.
    Change(RotationChange),
}

/// Changes to an open rotation.
#[derive(Debug)]
pub struct RotationChange {
    /// New observation window in seconds.
    pub observe_secs: Option<i64>,
    /// New dwell in seconds.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked: do not wait until it is unused, and end its sessions.
    pub incident: bool,
    /// Whether to deactivate the old key now, before its consumers have the new one.
    pub deactivate_first: bool,
    /// Why the old key may be deleted although no consumer has used the new one.
    pub override_unused: Option<String>,
    /// Destinations to add.
    pub add_places: Vec<String>,
    /// Destinations to remove. Nothing is deleted there.
    pub remove_places: Vec<String>,
    /// The reason.
    pub why: String,
}

/// The rotation engine. It decides nothing itself: an action calls it with a permit of its own, and
/// it has the decision repeated after a wait.
#[async_trait::async_trait]
pub trait RotationEngine: Send + Sync {
    /// Starts a rotation on behalf of a principal.
    ///
    /// # Errors
    /// [`IamFault`].
    async fn start(
        &self,
        caller: &RotationCaller<'_>,
        start: RotationStart,
    ) -> Result<keywright::Rotation, IamFault>;

    /// Carries out an order about a user's open rotation, on behalf of a principal.
    ///
    /// # Errors
    /// [`IamFault`], including [`IamFault::Throttled`] if the rotation stays busy.
    async fn order(
        &self,
        caller: &RotationCaller<'_>,
        user: &UserRef,
        order: RotationOrder,
    ) -> Result<keywright::Rotation, IamFault>;

    /// Returns the new key of a user's open rotation, which a person delivers. The retrieval is
    /// recorded.
    ///
    /// # Errors
    /// As [`RotationEngine::order`].
    async fn retrieve_key(
        &self,
        caller: &RotationCaller<'_>,
        user: &UserRef,
    ) -> Result<RetrievedKey, IamFault>;

    /// A user's rotation: the one with this ID, or the newest.
    ///
    /// # Errors
    /// [`IamFault`].
    async fn rotation(
        &self,
        account: AccountId,
        user: UserRef,
        id: Option<String>,
    ) -> Result<keywright::Rotation, IamFault>;

    /// Lists rotations, newest first.
    ///
    /// # Errors
    /// [`IamFault`].
    async fn rotations(&self, query: RotationQuery) -> Result<Vec<keywright::Rotation>, IamFault>;

    /// Lists events with their numbers, oldest first.
    ///
    /// # Errors
    /// [`IamFault`].
    async fn history(
        &self,
        query: HistoryQuery,
    ) -> Result<Vec<(i64, keywright::RotationEvent)>, IamFault>;

    /// The names of the destinations that the operator allows.
    fn destinations(&self) -> Vec<String>;

    /// Checks that all these destinations are allowed.
    ///
    /// # Errors
    /// [`IamFault`] naming the first that is not.
    fn check_destinations(&self, places: &[String]) -> Result<(), IamFault>;

    /// What the last check of an account's rotation policies found wrong, by policy name.
    fn policy_failures(&self, account: AccountId) -> HashMap<String, String>;

    /// Notifies the engine that the rotation policies of an account have changed.
    fn policies_changed(&self);

    /// The operator's name for a destination, however the caller spells it. `None` if there is no
    /// such destination.
    fn destination(&self, place: &str, user: Option<&str>) -> Option<String>;

    /// Whether the operator allows a user's keys at the destination with this name.
    fn accepts(&self, place: &str, user: &User) -> bool;
}

impl Identity {
    /// Sets the rotation engine. The first one stays.
    pub fn set_rotations(&self, engine: std::sync::Arc<dyn RotationEngine>) {
        // Ignore a second engine: there is only one journal.
        let _ = self.rotations.set(engine);
    }
}

impl<'a> StateView<'a> {
    pub(crate) fn engine(&self) -> Result<&'a dyn RotationEngine, IamFault> {
        let missing = || IamFault::Internal("there is no rotation engine".to_owned());
        self.rotations.ok_or_else(missing)
    }
}
