//! Compares a restarted server with what it had acknowledged.
//!
//! The complete state of each client is read back. It must be either the acknowledged one or the
//! one that the request in flight would have produced, and becomes the model's new state. Keys are
//! tested: an active key must work, any other must be rejected.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, bail, ensure};

use super::{
    model::{Content, ExpectedState, ExpectedUser, Step, TAGS},
    worker::BUCKET,
};
use crate::{
    client::Connection,
    requests::{self, Key},
};

/// Former keys to test besides the current ones, newest first.
const PAST_KEYS: usize = 16;

/// A connection as root.
pub(super) struct Reader<'a> {
    connection: Connection,
    address: SocketAddr,
    root: &'a Key,
}

impl<'a> Reader<'a> {
    pub(super) fn new(address: SocketAddr, root: &'a Key) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(address)?,
            address,
            root,
        })
    }

    /// Checks a client's state and adopts it.
    ///
    /// # Errors
    /// The difference between the actual and the possible states.
    pub(super) fn check(&mut self, model: &mut ExpectedState) -> anyhow::Result<()> {
        let users = self.users(model)?;
        let made = made(model, &users);
        let other = model.otherwise(made.clone());
        if users != model.users {
            let other = other.as_ref().filter(|other| other.users == users);
            ensure!(
                other.is_some(),
                "users are\n  {users:?}\nacknowledged were\n  {:?}\nunder way was {:?}",
                model.users,
                model.under_way
            );
        }
        self.check_keys(model, &users)?;
        self.check_objects(model, other.as_ref())?;
        model.users = users;
        model.under_way = None;
        Ok(())
    }

    /// A client's users on the server.
    fn users(&mut self, model: &ExpectedState) -> anyhow::Result<BTreeMap<String, ExpectedUser>> {
        let path = model.path();
        let listed = self.iam("ListUsers", &[("PathPrefix", &path)])?;
        let mut users = BTreeMap::new();
        for name in elements(&listed, "UserName") {
            let about = [("UserName", name)];
            let user = self.iam("GetUser", &about)?;
            let keys = self.iam("ListAccessKeys", &about)?;
            let ids = elements(&keys, "AccessKeyId").map(str::to_owned);
            let active = elements(&keys, "Status").map(|status| status == "Active");
            let user = ExpectedUser {
                generation: generation(&user).with_context(|| format!("user {name}: {user}"))?,
                keys: ids.zip(active).collect(),
            };
            users.insert(name.to_owned(), user);
        }
        Ok(users)
    }

    /// Tests the secrets of current and recent former keys.
    fn check_keys(
        &mut self,
        model: &ExpectedState,
        users: &BTreeMap<String, ExpectedUser>,
    ) -> anyhow::Result<()> {
        let mut past = 0;
        for key in model.secrets.iter().rev() {
            let owner = users
                .iter()
                .find_map(|(name, user)| Some((name, *user.keys.get(&key.id)?)));
            past += usize::from(owner.is_none());
            if owner.is_none() && past > PAST_KEYS {
                continue;
            }
            self.try_key(key, owner)?;
        }
        Ok(())
    }

    fn try_key(&mut self, key: &Key, owner: Option<(&String, bool)>) -> anyhow::Result<()> {
        let action = ("sts", "GetCallerIdentity");
        let request = requests::query(self.address, key, action, &[])?;
        let reply = self.connection.exchange(&request)?;
        let arn = reply.element("Arn").unwrap_or_default();
        let right = match owner {
            Some((name, true)) => reply.status == 200 && arn.ends_with(&format!("/{name}")),
            _ => reply.status == 403 && reply.element("Code") == Some("InvalidClientTokenId"),
        };
        let (id, excerpt) = (&key.id, reply.excerpt());
        ensure!(
            right,
            "key {id} of {owner:?} (name, active) was answered {excerpt}"
        );
        Ok(())
    }

    /// Reads every object of a client back.
    fn check_objects(
        &mut self,
        model: &mut ExpectedState,
        other: Option<&ExpectedState>,
    ) -> anyhow::Result<()> {
        let path = format!("/{BUCKET}?list-type=2&prefix=c{}%2F", model.client);
        let (status, listed) = self.s3(&path)?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        ensure!(status == 200, "the listing was answered {status} {listed}");
        let mut found = BTreeMap::new();
        for key in elements(&listed, "Key") {
            let may_be = [
                model.objects.get(key),
                other.and_then(|other| other.objects.get(key)),
            ];
            let (status, bytes) = self.s3(&format!("/{BUCKET}/{key}"))?;
            let is = |content: &&&Content| content.bytes() == bytes;
            let content = may_be.iter().flatten().find(is);
            let Some(content) = content else {
                bail!(
                    "object {key} ({status}, {} bytes) is none of {may_be:?}; under way was {:?}",
                    bytes.len(),
                    model.under_way
                );
            };
            found.insert(key.to_owned(), **content);
        }
        let right = found == model.objects || other.is_some_and(|other| other.objects == found);
        ensure!(
            right,
            "objects are\n  {:?}\nacknowledged were\n  {:?}\nunder way was {:?}",
            found.keys(),
            model.objects.keys(),
            model.under_way
        );
        model.objects = found;
        Ok(())
    }

    fn iam(&mut self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let request = requests::query(self.address, self.root, ("iam", action), parameters)?;
        let reply = self.connection.exchange(&request)?;
        ensure!(
            reply.status == 200,
            "{action} {parameters:?}: {}",
            reply.excerpt()
        );
        Ok(String::from_utf8_lossy(reply.body).into_owned())
    }

    fn s3(&mut self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let request = requests::s3(self.address, self.root, ("GET", path), b"")?;
        let reply = self.connection.exchange(&request)?;
        Ok((reply.status, reply.body.to_vec()))
    }
}

/// The key created by a CreateAccessKey in flight, whose secret was never returned.
fn made(model: &ExpectedState, users: &BTreeMap<String, ExpectedUser>) -> Option<String> {
    let Some(Step::CreateKey { user }) = &model.under_way else {
        return None;
    };
    let known = &model.users.get(user)?.keys;
    let mut keys = users.get(user)?.keys.keys();
    keys.find(|id| !known.contains_key(*id)).cloned()
}

/// The common value of all tags of a user. `None` unless all exist with the same value.
fn generation(user: &str) -> Option<u64> {
    let values: Vec<_> = elements(user, "Value").collect();
    let first = values.first()?;
    let whole = values.len() == TAGS && values.iter().all(|value| value == first);
    whole.then(|| first.parse().ok()).flatten()
}

/// The text of every element of this name.
fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{name}>");
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (text, after) = after.split_once('<')?;
        rest = after;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::{elements, generation};
    use crate::crash::model::TAGS;

    #[test]
    fn texts_of_elements() {
        let xml = "<a><b>1</b><c>2</c></a><b></b><b>3</b>";
        assert_eq!(elements(xml, "b").collect::<Vec<_>>(), ["1", "", "3"]);
    }

    #[test]
    fn partial_tags_are_not_a_generation() {
        let tag = "<Value>7</Value>";
        assert_eq!(generation(&tag.repeat(TAGS)), Some(7));
        assert_eq!(generation(&tag.repeat(TAGS - 1)), None);
        assert_eq!(
            generation(&format!("{}<Value>8</Value>", tag.repeat(TAGS - 1))),
            None
        );
        assert_eq!(generation(""), None);
    }
}
