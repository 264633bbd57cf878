//! Names that are unique without regard to case, as IAM's are, while their spelling is kept.

use std::fmt;

/// A name folded for comparison: ASCII lower case, which is all that IAM's name pattern
/// (`[\w+=,.@-]`, ASCII) can vary in. The stored spelling lives with the entity, not here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldedName(Box<str>);

impl FoldedName {
    /// Folds a name as given by a caller or as stored.
    pub fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into_boxed_str())
    }

    /// The folded text.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FoldedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
