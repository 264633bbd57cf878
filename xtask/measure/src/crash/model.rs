//! A client's model: the state that was acknowledged to it, and the one request that was in flight
//! when the server died.
//!
//! Invariant: after a crash an entity is either as acknowledged or as the request in flight would
//! have left it. Each client has its own entities, so nothing else can have changed them. The model
//! makes no requests; see `verify.rs` and `worker.rs`.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::requests::Key;

/// Users per client.
const USERS: u64 = 4;
/// Objects per client.
const OBJECTS: u64 = 6;
/// Tags per user. All have the same value, so a partial update is visible.
pub(super) const TAGS: usize = 8;
/// Size of the largest object in bytes: more than one read of the body, so that a partial write is
/// possible.
const OBJECT_BYTES: u64 = 200_000;

/// A user that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExpectedUser {
    /// The value of all of its tags.
    pub(super) generation: u64,
    /// Its key IDs, and whether each is active.
    pub(super) keys: BTreeMap<String, bool>,
}

/// The content of an object, generated from a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content(pub(super) u64);

impl Content {
    /// Generates the bytes.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut chance = Chance::new(self.0);
        let length = usize::try_from(chance.below(OBJECT_BYTES)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&chance.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    CreateUser {
        user: String,
        generation: u64,
    },
    TagUser {
        user: String,
        generation: u64,
    },
    DeleteUser {
        user: String,
    },
    CreateKey {
        user: String,
    },
    SetKey {
        user: String,
        key: String,
        active: bool,
    },
    DeleteKey {
        user: String,
        key: String,
    },
    Put {
        object: String,
        content: Content,
    },
    Delete {
        object: String,
    },
}

impl Step {
    /// Whether it commits to the IAM state.
    pub(super) const fn commits(&self) -> bool {
        !matches!(self, Self::Put { .. } | Self::Delete { .. })
    }
}

/// A client's model.
#[derive(Debug, Clone)]
pub(super) struct ExpectedState {
    /// The client's number, part of all its names.
    pub(super) client: usize,
    /// Acknowledged users by name.
    pub(super) users: BTreeMap<String, ExpectedUser>,
    /// Acknowledged objects by key.
    pub(super) objects: BTreeMap<String, Content>,
    /// Every key whose secret was ever returned.
    pub(super) secrets: Vec<Key>,
    /// The request in flight when the server died.
    pub(super) under_way: Option<Step>,
    /// Acknowledged commits to the IAM state in this round.
    pub(super) commits: u64,
    chance: Chance,
}

impl ExpectedState {
    pub(super) fn new(client: usize, seed: u64) -> Self {
        Self {
            client,
            users: BTreeMap::new(),
            objects: BTreeMap::new(),
            secrets: Vec::new(),
            under_way: None,
            commits: 0,
            chance: Chance::new(seed),
        }
    }

    /// The path of the client's users, by which they can be listed.
    pub(super) fn path(&self) -> String {
        format!("/client{}/", self.client)
    }

    /// Chooses the next request among those that the acknowledged state allows.
    pub(super) fn next(&mut self) -> Step {
        if self.chance.below(3) == 0 {
            return self.next_object();
        }
        let user = format!("c{}-u{}", self.client, self.chance.below(USERS));
        let generation = self.chance.next();
        let Some(known) = self.users.get(&user) else {
            return Step::CreateUser { user, generation };
        };
        let keys: Vec<_> = known
            .keys
            .iter()
            .map(|(id, active)| (id.clone(), *active))
            .collect();
        let which = usize::try_from(self.chance.below(2)).unwrap_or_default();
        match (self.chance.below(8), keys.get(which)) {
            (0 | 1, _) => Step::TagUser { user, generation },
            (2 | 3, Some((key, _))) => Step::DeleteKey {
                user,
                key: key.clone(),
            },
            (4 | 5, Some((key, active))) => Step::SetKey {
                user,
                key: key.clone(),
                active: !active,
            },
            (_, None) if keys.is_empty() && which == 1 => Step::DeleteUser { user },
            _ if keys.len() < 2 => Step::CreateKey { user },
            _ => Step::TagUser { user, generation },
        }
    }

    fn next_object(&mut self) -> Step {
        let object = format!("c{}/o{}", self.client, self.chance.below(OBJECTS));
        match (self.objects.get(&object), self.chance.below(4)) {
            (Some(_), 0) => Step::Delete { object },
            _ => Step::Put {
                object,
                content: Content(self.chance.next()),
            },
        }
    }

    /// Records a request as done. `made` is the ID of a created key.
    pub(super) fn done(&mut self, step: Step, made: Option<String>) {
        match step {
            Step::CreateUser { user, generation } => {
                let keys = BTreeMap::new();
                self.users.insert(user, ExpectedUser { generation, keys });
            }
            Step::TagUser { user, generation } => {
                self.users.entry(user).or_default().generation = generation;
            }
            Step::DeleteUser { user } => {
                self.users.remove(&user);
            }
            Step::CreateKey { user } => {
                let keys = made.map(|id| (id, true));
                self.users.entry(user).or_default().keys.extend(keys);
            }
            Step::SetKey { user, key, active } => {
                self.users.entry(user).or_default().keys.insert(key, active);
            }
            Step::DeleteKey { user, key } => {
                self.users.entry(user).or_default().keys.remove(&key);
            }
            Step::Put { object, content } => {
                self.objects.insert(object, content);
            }
            Step::Delete { object } => {
                self.objects.remove(&object);
            }
        }
    }

    /// The model as if the request in flight had been done. `made` as for [`ExpectedState::done`].
    pub(super) fn otherwise(&self, made: Option<String>) -> Option<Self> {
        let step = self.under_way.clone()?;
        let mut other = self.clone();
        other.done(step, made);
        Some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, ExpectedState, Step};

    #[test]
    fn a_seed_repeats_its_steps_and_the_steps_reach_everything() {
        let steps = |seed| {
            let mut model = ExpectedState::new(3, seed);
            let mut steps = Vec::new();
            for number in 0..400 {
                let step = model.next();
                steps.push(step.clone());
                model.done(step, Some(format!("key{number}")));
                assert!(model.users.values().all(|user| user.keys.len() <= 2));
            }
            steps
        };
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
        let kinds: std::collections::HashSet<_> =
            steps(7).iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 8);
    }

    #[test]
    fn content_is_a_function_of_its_number() {
        assert_eq!(Content(5).bytes(), Content(5).bytes());
        assert_ne!(Content(5).bytes(), Content(6).bytes());
    }

    #[test]
    fn what_was_under_way_is_one_step_further() {
        let mut model = ExpectedState::new(0, 1);
        assert!(model.otherwise(None).is_none());
        let user = "c0-u0".to_owned();
        model.done(
            Step::CreateUser {
                user: user.clone(),
                generation: 1,
            },
            None,
        );
        model.under_way = Some(Step::TagUser {
            user: user.clone(),
            generation: 2,
        });
        let other = model.otherwise(None).unwrap();
        assert_eq!(
            (model.users[&user].generation, other.users[&user].generation),
            (1, 2)
        );
    }
}
