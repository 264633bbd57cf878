//! Names that are unique without regard to case, as IAM's are, while their spelling is kept; and
//! one that several crates must agree on.

use std::{fmt, sync::Arc};

/// The key of the tag that marks a user whose access key is being rotated.
pub const ROTATION_MARK: &str = "keywright:rotation";

/// A name folded for comparison: ASCII lower case, which is all that IAM's name pattern
/// (`[\w+=,.@-]`, ASCII) can vary in. The stored spelling lives with the entity, not here.
/// Clones share the text: an account's indexes hold a name many times.
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
