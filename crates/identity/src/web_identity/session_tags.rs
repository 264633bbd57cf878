//! What a token asks of the session: tags and the source identity, in AWS's two spellings. The
//! attributes of an assertion have the same rules.
//!
//! A claim that is not understood rejects the token: a session without a tag that its provider
//! demands could be allowed more.

use keywright_base::limits;
use serde_json::Value;

use super::{key_set::VerifiedToken, rejection::TokenRejection};
use crate::state::Tag;

const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// What a session is created with, by its token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestedSession {
    pub(crate) tags: Vec<Tag>,
    pub(crate) transitive_keys: Vec<String>,
    pub(crate) source_identity: Option<String>,
}

impl RequestedSession {
    /// Reads the claims.
    ///
    /// # Errors
    /// [`TokenRejection::Claim`].
    pub(crate) fn of(token: &VerifiedToken) -> Result<Self, TokenRejection> {
        let mut session = Self::default();
        for (name, value) in token.claims() {
            if name == SOURCE_IDENTITY {
                session.source_identity = Some(source_identity(value)?);
            } else if name == TAGS {
                session.add_nested(value)?;
            } else if let Some(rest) = name.strip_prefix(TAGS) {
                session.add_flat(rest, value)?;
            }
        }
        let count = session.tags.len().max(session.transitive_keys.len());
        if count > limits::TAGS_PER_ENTITY || !session.tags.iter().all(is_session_tag) {
            return Err(TokenRejection::Claim(TAGS));
        }
        Ok(session)
    }

    /// `{"principal_tags": {"KEY": ["VALUE"]}, "transitive_tag_keys": ["KEY"]}`
    fn add_nested(&mut self, value: &Value) -> Result<(), TokenRejection> {
        let malformed = || TokenRejection::Claim(TAGS);
        for (name, value) in value.as_object().ok_or_else(malformed)? {
            match name.as_str() {
                "principal_tags" => {
                    for (key, value) in value.as_object().ok_or_else(malformed)? {
                        self.add_tag(key, value)?;
                    }
                }
                "transitive_tag_keys" => self.add_transitive(value)?,
                _ => return Err(malformed()),
            }
        }
        Ok(())
    }

    /// The same for providers without nested claims: a claim for each tag.
    fn add_flat(&mut self, rest: &str, value: &Value) -> Result<(), TokenRejection> {
        match rest.strip_prefix("/principal_tags/") {
            Some(key) => self.add_tag(key, value),
            None if rest == "/transitive_tag_keys" => self.add_transitive(value),
            None => Err(TokenRejection::Claim(TAGS)),
        }
    }

    fn add_tag(&mut self, key: &str, value: &Value) -> Result<(), TokenRejection> {
        let value = match value {
            Value::Array(items) => match items.as_slice() {
                [only] => only.as_str(),
                _ => None,
            },
            _ => value.as_str(),
        };
        let value = value.ok_or(TokenRejection::Claim(TAGS))?;
        self.tags.push(Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        Ok(())
    }

    fn add_transitive(&mut self, value: &Value) -> Result<(), TokenRejection> {
        let malformed = || TokenRejection::Claim(TAGS);
        for key in value.as_array().ok_or_else(malformed)? {
            let key = key.as_str().ok_or_else(malformed)?;
            self.transitive_keys.push(key.to_owned());
        }
        Ok(())
    }
}

/// Whether it may be a session's name or source identity: 2 to 64 of `[\w+=,.@-]`.
pub(crate) fn is_source_identity(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&text.len()) && text.chars().all(allowed)
}

fn source_identity(value: &Value) -> Result<String, TokenRejection> {
    let text = value.as_str().filter(|text| is_source_identity(text));
    let text = text.ok_or(TokenRejection::Claim(SOURCE_IDENTITY))?;
    Ok(text.to_owned())
}

/// Whether a tag has the length and the characters that AWS allows.
pub(crate) fn is_session_tag(tag: &Tag) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    let fits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.chars().count()) && text.chars().all(allowed)
    };
    fits(&tag.key, 1..=128) && fits(&tag.value, 0..=256)
}
