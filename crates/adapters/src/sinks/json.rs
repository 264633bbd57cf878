//! A JSON document with the pair at two places in it.
//!
//! It protects one rule: other members and their order stay. Spaces do not: a document of several
//! lines is written with two spaces an indent.

use std::fmt;

use keywright_base::Secret;
use keywright_rotation::model::{KeyId, Pair};
use serde_json::{Map, Value};

use super::document::Format;

/// JSON pointers to the two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Json {
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("/AccessKeyId", "/SecretAccessKey");

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.id.as_str(), self.secret.as_str()) == USUAL {
            return Ok(());
        }
        write!(f, "#{},{}", self.id, self.secret)
    }
}

impl Json {
    pub(super) fn new(pointers: Option<&str>) -> Result<Self, String> {
        let (id, secret) = match pointers {
            None => USUAL,
            Some(pointers) => pointers
                .split_once(',')
                .ok_or("after # come two JSON pointers, /ID,/SECRET")?,
        };
        for pointer in [id, secret] {
            if !pointer.starts_with('/') || pointer.len() < 2 {
                return Err(format!("{pointer} is not a JSON pointer to a member"));
            }
        }
        if id == secret {
            return Err("the two pointers are the same".to_owned());
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }
}

fn parse(content: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(content)
        // The error quotes nothing of the document.
        .map_err(|error| format!("line {}: it is not JSON", error.line()))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err("it is not a JSON object".to_owned()),
    }
}

/// Sets a value; the objects on the way are made where they are missing.
fn set(root: &mut Value, pointer: &str, text: &str) -> Result<(), String> {
    let mut at = root;
    let names = pointer.split('/').skip(1);
    for name in names {
        let name = name.replace("~1", "/").replace("~0", "~");
        let Value::Object(members) = at else {
            return Err(format!(
                "{pointer} leads through something that is no object"
            ));
        };
        at = members
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    if !matches!(at, Value::String(_) | Value::Null) && *at != Value::Object(Map::new()) {
        return Err(format!("{pointer} is something else than a text"));
    }
    *at = Value::String(text.to_owned());
    Ok(())
}

impl Format for Json {
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
    }

    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String> {
        let document = parse(content)?;
        let text = |pointer: &str| Some(document.pointer(pointer)?.as_str()?.to_owned());
        Ok(text(&self.id)
            .zip(text(&self.secret))
            .map(|(id, secret)| Pair {
                id: KeyId(id),
                secret: Secret::new(secret),
            }))
    }

    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String> {
        let mut document = match content {
            Some(content) => parse(content)?,
            None => Value::Object(Map::new()),
        };
        let before = document.clone();
        set(&mut document, &self.id, &pair.id.0)?;
        set(&mut document, &self.secret, pair.secret.expose())?;
        if let Some(content) = content
            && before == document
        {
            return Ok(content.to_vec());
        }
        let long = content.is_none_or(|content| content.trim_ascii().contains(&b'\n'));
        let text = if long {
            serde_json::to_vec_pretty(&document)
        } else {
            serde_json::to_vec(&document)
        };
        let mut text = text.map_err(|error| error.to_string())?;
        if content.is_none_or(|content| content.ends_with(b"\n")) {
            text.push(b'\n');
        }
        Ok(text)
    }
}
