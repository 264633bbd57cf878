//! The owners of credentials.

use keywright_base::UniqueId;

use super::entity::{RecordError, RecordReader};

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
