//! The interface to the rotation engine, which a higher layer implements.
//!
//! Invariants:
//!
//! - The engine is called only after the caller's permit was created, because
//!   [`crate::view::Prefetch::Rotation`] is fetched after that.
//! - Without an engine, every request is rejected.

use std::collections::HashMap;

use keywright_base::Secret;
use keywright_wire::keywright;

use crate::{Identity, fault::IamFault, on_behalf::OnBehalf, state::User, view::StateView};

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

/// A request to the engine.
#[derive(Debug)]
pub struct RotationRequest {
    /// The principal that makes the request and on whose behalf the engine acts.
    pub by: OnBehalf,
    /// The command.
    pub command: RotationCommand,
}

/// A query or an order.
#[derive(Debug)]
pub enum RotationCommand {
    /// Start a rotation.
    Start(RotationStart),
    /// Get a user's rotation: the one with this ID, or the newest.
    Show(UserRef, Option<String>),
    /// List a page of rotations, newest first.
    List {
        /// Only those of this user.
        user: Option<UserRef>,
        /// Only open ones.
        open: bool,
        /// Only those started before this one.
        after: Option<String>,
        /// The page size.
        limit: usize,
    },
    /// Get the new key of the open rotation, which a person delivers. The retrieval is recorded.
    Key(UserRef),
    /// Give an order to the open rotation.
    Order(UserRef, RotationOrder),
    /// List a page of the history, oldest first.
    History {
        /// The user.
        user: UserRef,
        /// Only this rotation.
        id: Option<String>,
        /// Only events after this number.
        after: i64,
        /// The page size.
        limit: usize,
    },
    /// List the destinations that the operator allows.
    Places,
    /// Check that all these destinations are allowed.
    Check(Vec<String>),
    /// List the problems from the last check of the account's rotation policies.
    Troubles,
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

/// A reply of the engine.
#[derive(Debug)]
pub enum RotationReply {
    /// A rotation.
    Rotation(Box<keywright::Rotation>),
    /// Rotations.
    Rotations(Vec<keywright::Rotation>),
    /// A new key: its ID and its secret.
    Key(String, Secret<String>),
    /// Events with their numbers.
    Events(Vec<(i64, keywright::RotationEvent)>),
    /// Destination names.
    Destinations(Vec<String>),
    /// Problems by the name of the rotation policy.
    PolicyFailures(HashMap<String, String>),
}

/// The rotation engine.
#[async_trait::async_trait]
pub trait RotationEngine: Send + Sync {
    /// Answers a query or carries out an order. The caller is already authorized.
    ///
    /// # Errors
    /// [`IamFault`].
    async fn ask(&self, requested: RotationRequest) -> Result<RotationReply, IamFault>;

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

    pub(crate) async fn call_rotation_engine(
        &self,
        requested: RotationRequest,
    ) -> Result<RotationReply, IamFault> {
        match self.rotations.get() {
            Some(engine) => engine.ask(requested).await,
            None => Err(IamFault::Internal("there is no rotation engine".to_owned())),
        }
    }
}

/// The engine's reply does not match the request.
fn unexpected_reply() -> IamFault {
    IamFault::Internal("the rotation engine answered something else".to_owned())
}

impl StateView<'_> {
    pub(crate) fn request_rotation(&self, what: RotationCommand) -> crate::view::Prefetch {
        let by = OnBehalf::of(self.caller);
        crate::view::Prefetch::Rotation(Box::new(RotationRequest { by, command: what }))
    }

    pub(crate) fn replied_rotation(&self) -> Result<keywright::Rotation, IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::Rotation(rotation)) => Ok(keywright::Rotation::clone(rotation)),
            _ => Err(unexpected_reply()),
        }
    }

    pub(crate) fn replied_rotations(&self) -> Result<&[keywright::Rotation], IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::Rotations(rotations)) => Ok(rotations),
            _ => Err(unexpected_reply()),
        }
    }

    pub(crate) fn replied_key(&self) -> Result<(&str, &Secret<String>), IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::Key(id, secret)) => Ok((id, secret)),
            _ => Err(unexpected_reply()),
        }
    }

    pub(crate) fn replied_events(&self) -> Result<&[(i64, keywright::RotationEvent)], IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::Events(events)) => Ok(events),
            _ => Err(unexpected_reply()),
        }
    }

    pub(crate) fn replied_failures(&self) -> Result<&HashMap<String, String>, IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::PolicyFailures(troubles)) => Ok(troubles),
            _ => Err(unexpected_reply()),
        }
    }

    pub(crate) fn replied_destinations(&self) -> Result<&[String], IamFault> {
        match &self.prefetched.rotation {
            Some(RotationReply::Destinations(places)) => Ok(places),
            _ => Err(unexpected_reply()),
        }
    }
}
