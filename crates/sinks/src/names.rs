//! Names of the variables that hold a key pair: one each for ID and secret, or one with both as
//! JSON.
//!
//! Invariant: of two writes, the ID comes last, so that a reader of a new ID finds its secret.

use std::fmt;

use keywright_base::Secret;
use keywright_rotation::model::KeyPair;
use serde_json::json;

/// `#ID,SECRET`, or `#NAME` for one variable with both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VariableNames {
    Two { id: String, secret: String },
    Document(String),
}

const USUAL: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");

impl VariableNames {
    /// Parses the part after a `#`. `name` validates a name and converts it to the service's
    /// spelling.
    pub(super) fn new(
        text: Option<&str>,
        name: fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let (id, secret) = match text.map(|text| text.split_once(',').ok_or(text)) {
            None => USUAL,
            Some(Ok(two)) => two,
            Some(Err(one)) => return Ok(Self::Document(name(one)?)),
        };
        let (id, secret) = (name(id)?, name(secret)?);
        match id == secret {
            true => Err(format!(
                "{id} cannot be the name of both the ID and the secret"
            )),
            false => Ok(Self::Two { id, secret }),
        }
    }

    /// The names, in the order in which they are written.
    pub(super) fn all(&self) -> Vec<&str> {
        match self {
            Self::Two { id, secret } => vec![secret, id],
            Self::Document(name) => vec![name],
        }
    }

    /// The values of a pair, in the same order.
    pub(super) fn values(&self, pair: &KeyPair) -> Vec<Secret<String>> {
        let (id, secret) = (&pair.id.0, &pair.secret);
        match self {
            Self::Two { .. } => vec![secret.clone(), Secret::new(id.clone())],
            Self::Document(_) => {
                let both = json!({"AccessKeyId": id, "SecretAccessKey": secret.expose()});
                vec![Secret::new(both.to_string())]
            }
        }
    }

    /// The warning that two writes are not atomic. `reader` is what may start between them.
    pub(super) fn caveat(&self, reader: &str) -> Option<String> {
        let Self::Two { id, secret } = self else {
            return None;
        };
        Some(format!(
            "{id} and {secret} are written separately: a {reader} that starts in between gets half \
             a key pair; #NAME stores both in one, as JSON"
        ))
    }
}

impl fmt::Display for VariableNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Two { id, secret } if (id.as_str(), secret.as_str()) == USUAL => Ok(()),
            Self::Two { id, secret } => write!(f, "#{id},{secret}"),
            Self::Document(name) => write!(f, "#{name}"),
        }
    }
}
