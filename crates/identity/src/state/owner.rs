//! The owners of credentials.

use keywright_base::{AccessKeyId, UniqueId};

use super::{
    Account,
    entity::{RecordError, RecordReader},
};

/// The root user, in a record that may not have the owner.
const ROOT: &str = "root";

/// The owner of access keys, a console password or MFA devices. Sessions have none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialOwner {
    /// The root user.
    Root,
    /// The user with this ID.
    User(UniqueId),
}

impl CredentialOwner {
    /// The stored form: the user's ID; `None` for root.
    pub fn to_stored(self) -> Option<String> {
        match self {
            Self::Root => None,
            Self::User(id) => Some(id.to_string()),
        }
    }

    /// In a record that may not have the owner: the user's ID, or `root`.
    pub fn to_text(self) -> String {
        self.to_stored().unwrap_or_else(|| ROOT.to_owned())
    }

    /// From such a record. `None` if it does not parse.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::from_stored(Some(text).filter(|text| *text != ROOT))
    }

    /// From the stored form. `None` if the ID does not parse.
    pub fn from_stored(user: Option<&str>) -> Option<Self> {
        match user {
            None => Some(Self::Root),
            Some(user) => user.parse().ok().map(Self::User),
        }
    }

    pub(super) fn restore(
        user: Option<&str>,
        reader: &RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Self::from_stored(user).ok_or_else(|| reader.error("a user's id does not parse"))
    }
}

impl Account {
    /// The owner of the key that a session comes from, as recorded with the session. The key may
    /// have been deleted since.
    pub(crate) fn session_owner(
        &self,
        source: AccessKeyId,
        recorded: Option<&str>,
    ) -> Option<CredentialOwner> {
        let recorded = recorded.and_then(CredentialOwner::from_text);
        recorded.or_else(|| self.key(source).map(|(owner, _)| owner))
    }
}
