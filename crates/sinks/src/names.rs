//! Names of variables that hold a pair: two of them, or one with both values as JSON.
//!
//! It protects one rule: of two writes the id is the last, so that whoever reads a new id finds its
//! secret.

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
    /// From what stands after a `#`; `name` checks one and gives it its service's spelling.
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
                "{id} cannot be the name of both: they are the same"
            )),
            false => Ok(Self::Two { id, secret }),
        }
    }

    /// In the order of their writing.
    pub(super) fn all(&self) -> Vec<&str> {
        match self {
            Self::Two { id, secret } => vec![secret, id],
            Self::Document(name) => vec![name],
        }
    }

    /// What they are to hold, in the same order.
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

    /// What a person should know of two writes; `reader` is who may start between them.
    pub(super) fn caveat(&self, reader: &str) -> Option<String> {
        let Self::Two { id, secret } = self else {
            return None;
        };
        Some(format!(
            "{id} and {secret} are two writes: a {reader} that starts between them gets half a \
             pair; #NAME keeps both in one, as JSON"
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
