//! Names that are unique regardless of case, as IAM's are, while their spelling is preserved; and a
//! tag key that several crates share.

use std::{fmt, sync::Arc};

/// The key of the tag that marks a user whose access key is being rotated.
pub const ROTATION_MARK: &str = "keywright:rotation";

/// A name folded to ASCII lower case for comparison. That suffices, because IAM's name pattern
/// (`[\w+=,.@-]`) is ASCII. The original spelling is stored with the entity, not here. Clones share
/// the text, because an account's indexes hold each name many times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldedName(Arc<str>);

impl FoldedName {
    /// Folds a name as given by a caller or as stored.
    pub fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FoldedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
