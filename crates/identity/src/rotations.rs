//! The port to whoever carries rotations out: the engine of the server, which is on a floor above.
//!
//! It protects two rules: nothing is asked of the engine before the caller's permit is minted
//! ([`crate::view::Need::Rotation`] is gathered after that); and where there is no engine, every
//! question is refused.

use std::collections::HashMap;

use keywright_base::Secret;
use keywright_wire::keywright;

use crate::{Identity, fault::IamFault, on_behalf::OnBehalf, state::User, view::StateView};

/// A user whose rotations are meant.
#[derive(Debug, Clone)]
pub struct UserRef {
    /// The name, for sentences.
    pub name: String,
    /// The unique id.
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

/// What is asked of the engine.
#[derive(Debug)]
pub struct RotationRequest {
    /// Who asks, and is acted for.
    pub by: OnBehalf,
    /// What.
    pub command: RotationCommand,
}

/// A question or an order.
#[derive(Debug)]
pub enum RotationCommand {
    /// Begin a rotation.
    Start(RotationStart),
    /// One rotation of a user: this one, or the newest.
    Show(UserRef, Option<String>),
    /// A page of rotations, newest first.
    List {
        /// Of one user.
        user: Option<UserRef>,
        /// Only those that are not over.
        open: bool,
        /// Those begun before this one.
        after: Option<String>,
        /// How many.
        limit: usize,
    },
    /// The new key of the open rotation, which a person delivers; who retrieves it is written down.
    Key(UserRef),
    /// An order about the open rotation.
    Order(UserRef, RotationOrder),
    /// A page of what happened, oldest first.
    History {
        /// In whose rotations.
        user: UserRef,
        /// In this one only.
        id: Option<String>,
        /// What came after the event of this number.
        after: i64,
        /// How many.
        limit: usize,
    },
    /// The places that the operator allows.
    Places,
    /// Nothing, if all these places are allowed; otherwise a refusal.
    Check(Vec<String>),
    /// What kept the account's rotation policies from being followed when they were last looked at.
    Troubles,
}

/// What a rotation is to do.
#[derive(Debug)]
pub struct RotationStart {
    /// Whose key.
    pub user: UserRef,
    /// The key; nothing where the user has but one.
    pub key: Option<String>,
    /// Where the new key goes.
    pub places: Vec<String>,
    /// Seconds that the old key must be quiet, if not the usual.
    pub observe_secs: Option<i64>,
    /// Seconds that it stays inactive, if not the usual.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked: it is not waited for silence, and its sessions end.
    pub incident: bool,
    /// Whether it is deactivated before there is a new one.
    pub deactivate_first: bool,
    /// Why the old key may be deleted although no consumer has used the new one, if it may.
    pub override_unused: Option<String>,
}

/// An order about an open rotation.
#[derive(Debug)]
pub enum RotationOrder {
    /// The new key is where it is used.
    Confirm,
    /// Look again now.
    Resume,
    /// Stop, for this reason.
    Hold(String),
    /// Go on.
    Release,
    /// Put everything back, for this reason.
    RollBack(String),
    /// End it as it is, for this reason.
    Abandon(String),
    /// Be more or less careful, or deliver to other places.
    Change(RotationChange),
}

/// What is to be different in an open rotation.
#[derive(Debug)]
pub struct RotationChange {
    /// Seconds that the old key must be quiet.
    pub observe_secs: Option<i64>,
    /// Seconds that it stays inactive.
    pub dwell_secs: Option<i64>,
    /// Whether the key has leaked: then it is not waited until it is quiet, and its sessions end.
    pub incident: bool,
    /// Whether it is deactivated now, before its consumers have the new one.
    pub deactivate_first: bool,
    /// Why the old key may be deleted although no consumer has used the new one.
    pub override_unused: Option<String>,
    /// Where the new key goes as well.
    pub add_places: Vec<String>,
    /// Where it does not go any more; nothing is deleted there.
    pub remove_places: Vec<String>,
    /// Why.
    pub why: String,
}

/// What the engine answers.
#[derive(Debug)]
pub enum RotationReply {
    /// One rotation.
    Rotation(Box<keywright::Rotation>),
    /// Rotations.
    Rotations(Vec<keywright::Rotation>),
    /// A new key: its id and its secret.
    Key(String, Secret<String>),
    /// Events with their numbers.
    Events(Vec<(i64, keywright::RotationEvent)>),
    /// Places.
    Destinations(Vec<String>),
    /// Troubles by the names of rotation policies.
    PolicyFailures(HashMap<String, String>),
}

/// The engine.
#[async_trait::async_trait]
pub trait RotationEngine: Send + Sync {
    /// Answers a question or carries out an order. The caller was authorized for it.
    ///
    /// # Errors
    /// [`Fault`].
    async fn ask(&self, requested: RotationRequest) -> Result<RotationReply, IamFault>;

    /// The rotation policies of an account have changed.
    fn policies_changed(&self);

    /// What the operator calls a destination, however the caller spells it; `None`: there is none
    /// such.
    fn destination(&self, place: &str, user: Option<&str>) -> Option<String>;

    /// Whether the operator lets a user's keys go to a destination of that name.
    fn accepts(&self, place: &str, user: &User) -> bool;
}

impl Identity {
    /// Says who carries rotations out; the first one stays.
    pub fn set_rotations(&self, engine: std::sync::Arc<dyn RotationEngine>) {
        // A second one is refused: there is one journal.
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

/// What was told is not what was asked for.
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
