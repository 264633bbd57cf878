//! A JSON document with the key pair at two places.
//!
//! Invariant: every byte outside the two values stays. Numbers, order, duplicate members and layout
//! of the rest are skipped over, never parsed and written again.

use std::{borrow::Cow, fmt, ops::Range};

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::MissingTarget,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    document::{DocumentFormat, DocumentView},
    text::{at_line, edited, is_id, line_end, pair_of, similar, unmarked_text},
};

/// The maximum depth to which other members are searched.
const DEPTH_MAX: usize = 64;

/// JSON pointers to the two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonFormat {
    id: String,
    secret: String,
}

const USUAL: (&str, &str) = ("/AccessKeyId", "/SecretAccessKey");

impl fmt::Display for JsonFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.id.as_str(), self.secret.as_str()) == USUAL {
            return Ok(());
        }
        write!(f, "#{},{}", self.id, self.secret)
    }
}

impl JsonFormat {
    pub(super) fn new(pointers: Option<&str>) -> Result<Self, String> {
        let (id, secret) = match pointers {
            None => USUAL,
            Some(pointers) => pointers
                .split_once(',')
                .ok_or("expected two JSON pointers after #: /ID,/SECRET")?,
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

/// A value in a document, with its source text.
#[derive(Clone, Copy)]
struct JsonNode<'a> {
    text: &'a str,
    raw: &'a str,
}

/// The members of an object, or the elements of an array by their index.
struct JsonMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for JsonMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = JsonMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(MemberName(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(JsonMembers(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(value) = seq.next_element()? {
                    members.push((Cow::Owned(members.len().to_string()), value));
                }
                Ok(JsonMembers(members))
            }
        }
        from.deserialize_any(All)
    }
}

#[derive(Deserialize)]
struct MemberName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> JsonNode<'a> {
    /// Parses a whole document, which must be an object.
    fn root(text: &'a str) -> Result<Self, String> {
        // The error quotes nothing of the document.
        let raw: &RawValue = serde_json::from_str(text)
            .map_err(|error| format!("line {}: it is not JSON", error.line()))?;
        let raw = raw.get();
        if raw.starts_with('{') {
            Ok(Self { text, raw })
        } else {
            Err("it is not a JSON object".to_owned())
        }
    }

    fn start(&self) -> usize {
        // `raw` is a slice of `text`.
        let (text, raw) = (self.text.as_ptr() as usize, self.raw.as_ptr() as usize);
        raw.saturating_sub(text)
    }

    fn place(&self) -> Range<usize> {
        let start = self.start();
        start..start + self.raw.len()
    }

    fn members(&self) -> Vec<(Cow<'a, str>, Self)> {
        let members: Option<JsonMembers<'a>> = serde_json::from_str(self.raw).ok();
        let members = members.map(|members| members.0).into_iter().flatten();
        let text = self.text;
        members
            .map(|(name, raw)| {
                (
                    name,
                    Self {
                        text,
                        raw: raw.get(),
                    },
                )
            })
            .collect()
    }

    /// Finds a member. A duplicate is an error: some readers take the last one, some the first, and
    /// some fail.
    fn member(&self, name: &str) -> Result<Option<Self>, String> {
        let mut found = self.members().into_iter().filter(|(own, _)| own == name);
        match (found.next(), found.next()) {
            (Some(_), Some((_, second))) => {
                let why = format!("{name} is defined twice");
                Err(at_line(self.text, second.start(), &why))
            }
            (first, _) => Ok(first.map(|(_, node)| node)),
        }
    }

    fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    fn string(&self) -> Option<String> {
        serde_json::from_str(self.raw).ok()
    }
}

/// Where a pointer leads.
enum PointerTarget<'a> {
    /// To this value.
    Value(JsonNode<'a>),
    /// No further than this object, in which the first of these names is missing.
    Missing(JsonNode<'a>, Vec<String>),
}

fn names(pointer: &str) -> Vec<String> {
    let names = pointer.split('/').skip(1);
    names
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn follow<'a>(root: JsonNode<'a>, pointer: &str) -> Result<PointerTarget<'a>, String> {
    let mut at = root;
    let names = names(pointer);
    for (depth, name) in names.iter().enumerate() {
        if !at.is_object() {
            let why = format!("{pointer} leads through a value that is not an object");
            return Err(at_line(at.text, at.start(), &why));
        }
        match at.member(name)? {
            Some(member) => at = member,
            None => {
                let missing = names.get(depth..).unwrap_or_default().to_vec();
                return Ok(PointerTarget::Missing(at, missing));
            }
        }
    }
    Ok(PointerTarget::Value(at))
}

/// The string at a pointer; `None` if it is missing or null.
fn value(root: JsonNode<'_>, pointer: &str) -> Result<Option<String>, String> {
    let PointerTarget::Value(node) = follow(root, pointer)? else {
        return Ok(None);
    };
    if node.raw == "null" {
        return Ok(None);
    }
    let why = || {
        let why = format!("{pointer} is not a string");
        at_line(node.text, node.start(), &why)
    };
    node.string().map(Some).ok_or_else(why)
}

/// Sets a value, and creates missing objects on the way.
fn set(text: &str, pointer: &str, value: &str) -> Result<String, String> {
    let value = quoted(value);
    let (place, value) = match follow(JsonNode::root(text)?, pointer)? {
        PointerTarget::Value(node) => (node.place(), value),
        PointerTarget::Missing(object, names) => {
            let (first, rest) = names.split_first().ok_or("it does not name a member")?;
            let inner = rest.iter().rev();
            let value = inner.fold(value, |value, name| {
                format!("{{{}: {value}}}", quoted(name))
            });
            added(&object, &quoted(first), &value)
        }
    };
    Ok(edited(text, vec![(place, value)]))
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// A new member at the end of an object, in the layout of the others.
fn added(object: &JsonNode<'_>, name: &str, value: &str) -> (Range<usize>, String) {
    let Some((_, last)) = object.members().pop() else {
        let place = object.place();
        let pretty = object.text.trim() == object.raw && object.text.trim() != object.text;
        let end = line_end(object.text);
        return match pretty {
            true => (place, format!("{{{end}  {name}: {value}{end}}}")),
            false => (place, format!("{{{name}: {value}}}")),
        };
    };
    let inner = object.raw.get(1..).unwrap_or_default();
    let indent = inner.len() - inner.trim_start().len();
    let indent = inner.get(..indent).unwrap_or_default();
    let before = object.text.get(..last.start()).unwrap_or_default();
    let colon = before.len() - before.trim_end().len();
    let colon = before.get(before.len() - colon..).unwrap_or_default();
    let at = last.place().end;
    (at..at, format!(",{indent}{name}:{colon}{value}"))
}

/// Finds every string of a document that could be a key ID, with its pointer.
fn ids(node: &JsonNode<'_>, pointer: &str, depth: usize, found: &mut Vec<(String, KeyId)>) {
    for (name, member) in node.members() {
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{pointer}/{name}");
        if let Some(text) = member.string().filter(|text| is_id(text)) {
            found.push((pointer, KeyId(text)));
        } else if depth < DEPTH_MAX {
            ids(&member, &pointer, depth + 1, found);
        }
    }
}

fn is_missing(root: JsonNode<'_>, pointer: &str) -> Result<bool, String> {
    Ok(matches!(follow(root, pointer)?, PointerTarget::Missing(..)))
}

/// The names next to a missing member.
fn siblings(root: JsonNode<'_>, pointer: &str) -> Result<Vec<String>, String> {
    Ok(match follow(root, pointer)? {
        PointerTarget::Value(_) => Vec::new(),
        PointerTarget::Missing(object, _) => {
            let members = object.members().into_iter();
            members.map(|(name, _)| name.into_owned()).collect()
        }
    })
}

impl DocumentFormat for JsonFormat {
    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        let value = |bytes| serde_json::from_slice::<serde_json::Value>(bytes);
        matches!((value(one), value(other)), (Ok(one), Ok(other)) if one == other)
    }

    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String> {
        let Some(content) = content else {
            return Ok(DocumentView::default());
        };
        let root = JsonNode::root(unmarked_text(content)?)?;
        let (id, secret) = (value(root, &self.id)?, value(root, &self.secret)?);
        let pair = pair_of((&self.id, id.as_deref()), (&self.secret, secret.as_deref()))?;
        let missing = is_missing(root, &self.id)? && is_missing(root, &self.secret)?;
        let absent = if missing && !root.members().is_empty() {
            let wanted = names(&self.id).pop().unwrap_or_default();
            let siblings = siblings(root, &self.id)?;
            Some(MissingTarget {
                what: format!("there is no {} and no {}", self.id, self.secret),
                similar: similar(&wanted, siblings.iter().map(String::as_str)),
            })
        } else {
            None
        };
        let mut others = Vec::new();
        ids(&root, "", 0, &mut others);
        others.retain(|(pointer, _)| *pointer != self.id && *pointer != self.secret);
        Ok(DocumentView {
            pair,
            absent,
            others,
        })
    }

    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String> {
        let text = unmarked_text(content.unwrap_or(b"{}\n"))?;
        let half = Secret::new(set(text, &self.id, &pair.id.0)?);
        let whole = set(half.expose(), &self.secret, pair.secret.expose())?;
        Ok(Secret::new(whole.into_bytes()))
    }
}
