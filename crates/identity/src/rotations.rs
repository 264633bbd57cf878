//! The port to whoever carries rotations out: the engine of the server, which is on a floor above.
//!
//! It protects two rules: nothing is asked of the engine before the caller's permit is minted
//! ([`crate::view::Need::Rotation`] is gathered after that); and where there is no engine, every
//! question is refused.

use std::collections::HashMap;

use keywright_base::Secret;
use keywright_wire::keywright;

use crate::{Identity, fault::Fault, on_behalf::OnBehalf, state::User, view::View};

/// A user whose rotations are meant.
#[derive(Debug, Clone)]
pub struct Whose {
    /// The name, for sentences.
    pub name: String,
    /// The unique id.
    pub id: String,
}

impl Whose {
    pub(crate) fn of(user: &User) -> Self {
        Self {
            name: user.name.clone(),
            id: user.id.to_string(),
        }
    }
}

/// What is asked of the engine.
#[derive(Debug)]
pub struct Asked {
    /// Who asks, and is acted for.
    pub by: OnBehalf,
    /// What.
    pub what: What,
}

/// A question or an order.
#[derive(Debug)]
pub enum What {
    /// Begin a rotation.
    Start(Start),
    /// One rotation of a user: this one, or the newest.
    Show(Whose, Option<String>),
    /// A page of rotations, newest first.
    List {
        /// Of one user.
        user: Option<Whose>,
        /// Only those that are not over.
        open: bool,
        /// Those begun before this one.
        after: Option<String>,
        /// How many.
        limit: usize,
    },
    /// The new key of the open rotation, which a person delivers; who retrieves it is written down.
    Key(Whose),
    /// An order about the open rotation.
    Order(Whose, Order),
    /// A page of what happened, oldest first.
    History {
        /// In whose rotations.
        user: Whose,
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
pub struct Start {
    /// Whose key.
    pub user: Whose,
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
pub enum Order {
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
pub enum Told {
    /// One rotation.
    Rotation(Box<keywright::Rotation>),
    /// Rotations.
    Rotations(Vec<keywright::Rotation>),
    /// A new key: its id and its secret.
    Key(String, Secret<String>),
    /// Events with their numbers.
    Events(Vec<(i64, keywright::RotationEvent)>),
    /// Places.
    Places(Vec<String>),
    /// Troubles by the names of rotation policies.
    Troubles(HashMap<String, String>),
}

/// The engine.
#[async_trait::async_trait]
pub trait Rotations: Send + Sync {
    /// Answers a question or carries out an order. The caller was authorized for it.
    ///
    /// # Errors
    /// [`Fault`].
    async fn ask(&self, asked: Asked) -> Result<Told, Fault>;

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
    pub fn set_rotations(&self, engine: std::sync::Arc<dyn Rotations>) {
        // A second one is refused: there is one journal.
        let _ = self.rotations.set(engine);
    }

    pub(crate) async fn ask_rotations(&self, asked: Asked) -> Result<Told, Fault> {
        match self.rotations.get() {
            Some(engine) => engine.ask(asked).await,
            None => Err(Fault::Internal("there is no rotation engine".to_owned())),
        }
    }
}

/// What was told is not what was asked for.
fn astray() -> Fault {
    Fault::Internal("the rotation engine answered something else".to_owned())
}

impl View<'_> {
    pub(crate) fn asks(&self, what: What) -> crate::view::Need {
        let by = OnBehalf::of(self.caller);
        crate::view::Need::Rotation(Box::new(Asked { by, what }))
    }

    pub(crate) fn told_rotation(&self) -> Result<keywright::Rotation, Fault> {
        match &self.gathered.rotation {
            Some(Told::Rotation(rotation)) => Ok(keywright::Rotation::clone(rotation)),
            _ => Err(astray()),
        }
    }

    pub(crate) fn told_rotations(&self) -> Result<&[keywright::Rotation], Fault> {
        match &self.gathered.rotation {
            Some(Told::Rotations(rotations)) => Ok(rotations),
            _ => Err(astray()),
        }
    }

    pub(crate) fn told_key(&self) -> Result<(&str, &Secret<String>), Fault> {
        match &self.gathered.rotation {
            Some(Told::Key(id, secret)) => Ok((id, secret)),
            _ => Err(astray()),
        }
    }

    pub(crate) fn told_events(&self) -> Result<&[(i64, keywright::RotationEvent)], Fault> {
        match &self.gathered.rotation {
            Some(Told::Events(events)) => Ok(events),
            _ => Err(astray()),
        }
    }

    pub(crate) fn told_troubles(&self) -> Result<&HashMap<String, String>, Fault> {
        match &self.gathered.rotation {
            Some(Told::Troubles(troubles)) => Ok(troubles),
            _ => Err(astray()),
        }
    }

    pub(crate) fn told_places(&self) -> Result<&[String], Fault> {
        match &self.gathered.rotation {
            Some(Told::Places(places)) => Ok(places),
            _ => Err(astray()),
        }
    }
}
