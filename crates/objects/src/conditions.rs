//! Conditional requests: decides from the object's entity tag and date which reads and writes
//! proceed.
//!
//! Invariant: a condition is decided against the same version of the object that is then read, or
//! is passed to the index and decided in the commit. This module does no I/O.

use keywright_base::Timestamp;
use keywright_store::contract::ObjectCondition;

use crate::{fault::S3Fault, object::Object};

/// An entity-tag condition: any version, or one of several entity tags (without quotes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`.
    Any,
    /// A list of entity tags.
    OneOf(Vec<String>),
}

impl EntityTags {
    /// Parses a header value; drops quotes and a weak prefix.
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let bare = |tag: &str| {
            let tag = tag.trim();
            tag.strip_prefix("W/")
                .unwrap_or(tag)
                .trim_matches('"')
                .to_owned()
        };
        Self::OneOf(header.split(',').map(bare).collect())
    }

    fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// The conditions of a read, or on the source of a copy.
#[derive(Debug, Clone, Default)]
pub struct ReadIf {
    /// `If-Match`.
    pub matches: Option<EntityTags>,
    /// `If-None-Match`.
    pub none_match: Option<EntityTags>,
    /// `If-Modified-Since`, whole seconds.
    pub modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`, whole seconds.
    pub unmodified_since: Option<Timestamp>,
}

impl ReadIf {
    /// Checks the conditions of a read. An `If-Match` that holds takes precedence over
    /// `If-Unmodified-Since`; `If-None-Match`, whether it holds or not, takes precedence over
    /// `If-Modified-Since`.
    ///
    /// # Errors
    /// [`S3Fault::PreconditionFailed`], [`S3Fault::NotModified`].
    pub fn check(&self, object: &Object) -> Result<(), S3Fault> {
        let modified = object.modified.truncate_to_secs();
        match (&self.matches, self.unmodified_since) {
            (Some(tags), _) if !tags.matches(&object.etag) => {
                return Err(S3Fault::PreconditionFailed("If-Match"));
            }
            (None, Some(since)) if modified > since => {
                return Err(S3Fault::PreconditionFailed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let current = match (&self.none_match, self.modified_since) {
            (Some(tags), _) => tags.matches(&object.etag),
            (None, Some(since)) => modified <= since,
            (None, None) => false,
        };
        if current {
            Err(S3Fault::NotModified(Box::new(object.clone())))
        } else {
            Ok(())
        }
    }

    /// Checks the conditions on the source of a copy. Like a read, but everything that does not
    /// hold is a failed precondition.
    ///
    /// # Errors
    /// [`S3Fault::PreconditionFailed`].
    pub fn check_source(&self, object: &Object) -> Result<(), S3Fault> {
        self.check(object).map_err(|fault| match fault {
            S3Fault::PreconditionFailed("If-Match") => {
                S3Fault::PreconditionFailed("x-amz-copy-source-If-Match")
            }
            S3Fault::PreconditionFailed(_) => {
                S3Fault::PreconditionFailed("x-amz-copy-source-If-Unmodified-Since")
            }
            S3Fault::NotModified(_) if self.none_match.is_some() => {
                S3Fault::PreconditionFailed("x-amz-copy-source-If-None-Match")
            }
            _ => S3Fault::PreconditionFailed("x-amz-copy-source-If-Modified-Since"),
        })
    }
}

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteIf {
    /// No condition.
    #[default]
    Always,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with an entity tag (without quotes).
    Matches(String),
    /// `If-Match: *`: any current version, for deletions.
    Present,
}

impl WriteIf {
    /// Parses the two condition headers of a write.
    ///
    /// # Errors
    /// [`S3Fault::ConditionNotServed`] for values that S3 does not support.
    pub fn parse(matches: Option<&str>, none_match: Option<&str>) -> Result<Self, S3Fault> {
        match (matches, none_match) {
            (None, None) => Ok(Self::Always),
            (None, Some("*")) => Ok(Self::Absent),
            (_, Some(_)) => Err(S3Fault::ConditionNotServed("If-None-Match")),
            (Some("*"), None) => Err(S3Fault::ConditionNotServed("If-Match")),
            (Some(tag), None) => Ok(Self::Matches(tag.trim().trim_matches('"').to_owned())),
        }
    }

    /// The condition for the index to check.
    pub(crate) fn expect(&self) -> ObjectCondition {
        match self {
            Self::Always | Self::Present => ObjectCondition::Any,
            Self::Absent => ObjectCondition::Absent,
            Self::Matches(etag) => ObjectCondition::Etag(etag.clone()),
        }
    }

    /// The name of the header it came from.
    pub(crate) const fn header(&self) -> &'static str {
        match self {
            Self::Absent => "If-None-Match",
            Self::Always | Self::Matches(_) | Self::Present => "If-Match",
        }
    }

    /// The fault of a write whose condition does not hold for the current version.
    pub(crate) fn fault(&self, key: &str, present: bool) -> S3Fault {
        match self {
            Self::Matches(_) | Self::Present if !present => S3Fault::NoSuchKey(key.into()),
            other => S3Fault::PreconditionFailed(other.header()),
        }
    }

    /// Checks the condition early, so that a write that cannot succeed does not upload its body
    /// first. The index checks it again in the commit.
    ///
    /// # Errors
    /// As [`WriteIf::fault`].
    pub(crate) fn check(&self, key: &str, present: Option<&str>) -> Result<(), S3Fault> {
        let holds = match self {
            Self::Always => true,
            Self::Absent => present.is_none(),
            Self::Matches(etag) => present == Some(etag),
            Self::Present => present.is_some(),
        };
        if holds {
            Ok(())
        } else {
            Err(self.fault(key, present.is_some()))
        }
    }
}

#[cfg(test)]
mod tests {
    use keywright_base::Timestamp;

    use super::{EntityTags, ReadIf, WriteIf};
    use crate::{fault::S3Fault, testing};

    #[test]
    fn reads() {
        let object = testing::object("k", "aa", 1_000_500);
        let at = |secs| Some(Timestamp::from_secs(secs));
        let tags = |text: &str| Some(EntityTags::parse(text));
        for (matches, none_match, since, until, expected) in [
            (None, None, None, None, "ok"),
            (tags("\"aa\""), None, None, None, "ok"),
            (tags("bb"), None, None, None, "If-Match"),
            (tags("\"bb\", \"aa\""), None, None, None, "ok"),
            (tags("*"), None, None, None, "ok"),
            (tags("aa"), None, None, at(1), "ok"),
            (None, None, None, at(999), "If-Unmodified-Since"),
            (None, None, None, at(1000), "ok"),
            (None, tags("aa"), None, None, "304"),
            (None, tags("W/\"aa\""), None, None, "304"),
            (None, tags("bb"), None, None, "ok"),
            (None, tags("bb"), at(2000), None, "ok"),
            (None, None, at(1000), None, "304"),
            (None, None, at(999), None, "ok"),
            (tags("bb"), tags("aa"), None, None, "If-Match"),
        ] {
            let conditions = ReadIf {
                matches,
                none_match,
                modified_since: since,
                unmodified_since: until,
            };
            let got = match conditions.check(&object) {
                Ok(()) => "ok",
                Err(S3Fault::PreconditionFailed(header)) => header,
                Err(_) => "304",
            };
            assert_eq!(got, expected, "{conditions:?}");
        }
    }

    #[test]
    fn writes() {
        for (matches, none_match, expected) in [
            (None, None, Some(WriteIf::Always)),
            (None, Some("*"), Some(WriteIf::Absent)),
            (None, Some("\"aa\""), None),
            (Some("*"), None, None),
            (Some("\"aa\""), None, Some(WriteIf::Matches("aa".into()))),
            (Some("aa"), Some("*"), None),
        ] {
            assert_eq!(WriteIf::parse(matches, none_match).ok(), expected);
        }
    }
}
