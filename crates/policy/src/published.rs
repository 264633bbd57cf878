//! The published actions, resources and keys of all AWS services, against which `policy lint`
//! checks policies.
//!
//! The data is `data/services.txt`, compressed by the build script, plus `data/actions.txt` and
//! `data/extension.txt` for the services that Keywright serves. It is parsed on first use, which
//! takes about 40 ms. Evaluation never needs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    sync::LazyLock,
};

use flate2::read::GzDecoder;

use crate::{
    actions::{ActionCatalogue, ConditionKey, EDITS, ServiceAction, nearest},
    pattern::{Glob, PatternOutline},
};

static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/services.gz"));
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    // The bytes come from the build script. If they were unreadable, lint would know fewer services
    // and a test would fail.
    if GzDecoder::new(COMPRESSED)
        .read_to_string(&mut text)
        .is_err()
    {
        text.clear();
    }
    text
});
static PUBLISHED: LazyLock<PublishedTable> = LazyLock::new(PublishedTable::read);

/// The table, with indexes for lint.
#[derive(Debug)]
pub(crate) struct PublishedTable {
    catalogue: ActionCatalogue,
    services: BTreeSet<&'static str>,
    /// By service and type name.
    types: BTreeMap<(&'static str, &'static str), Vec<PublishedType>>,
    /// Full keys in lower case.
    keys: BTreeMap<String, &'static str>,
    /// The published types of full keys in lower case. A key that services publish with different
    /// types has none.
    key_types: BTreeMap<String, KeyType>,
    /// Keys with a placeholder, such as `aws:ResourceTag/${TagKey}`.
    key_patterns: Vec<Glob>,
}

/// A resource type, prepared for comparison with a policy's resources.
#[derive(Debug)]
pub(crate) struct PublishedType {
    pub(crate) arn: &'static str,
    pub(crate) outline: PatternOutline,
    condition_keys: Vec<&'static str>,
}

impl PublishedTable {
    pub(crate) fn built_in() -> &'static Self {
        &PUBLISHED
    }

    fn read() -> Self {
        let mut catalogue = ActionCatalogue::default();
        let ours = include_str!("../data/extension.txt");
        for text in [include_str!("../data/actions.txt"), ours, TEXT.as_str()] {
            for line in text.lines() {
                catalogue.read(line);
            }
        }
        let mut types = BTreeMap::<_, Vec<_>>::new();
        for kind in catalogue.resource_types() {
            types
                .entry((kind.service, kind.name))
                .or_default()
                .push(PublishedType {
                    arn: kind.arn,
                    outline: PatternOutline::of_template(kind.arn),
                    condition_keys: kind.condition_keys.clone(),
                });
        }
        let mut keys = BTreeMap::new();
        let mut key_patterns = Vec::new();
        let names = catalogue.condition_keys().iter().map(|key| key.name);
        let of_actions = catalogue
            .actions()
            .flat_map(|action| &action.condition_keys);
        for name in names.chain(of_actions.copied()) {
            if placeholder(name).is_some() {
                key_patterns.push(key_pattern(name));
            } else {
                keys.insert(name.to_ascii_lowercase(), name);
            }
        }
        Self {
            key_types: key_types(catalogue.condition_keys()),
            services: catalogue.actions().map(|action| action.service).collect(),
            catalogue,
            types,
            keys,
            key_patterns,
        }
    }

    /// Whether a service (in any case) is published.
    pub(crate) fn has_service(&self, service: &str) -> bool {
        let service = service.to_ascii_lowercase();
        self.services.contains(service.as_str())
    }

    /// The service with the most similar name.
    pub(crate) fn nearest_service(&self, service: &str) -> Option<&'static str> {
        nearest(self.services.iter().copied(), service, edits_max(service))
    }

    /// The actions of a service that match a name, which may have wildcards.
    pub(crate) fn actions_of(&self, service: &str, name: &str) -> Vec<&ServiceAction> {
        let glob = Glob::new(&name.to_ascii_lowercase());
        let of_service = self.catalogue.of_service(service);
        let matching = of_service.filter(|(name, _)| glob.matches(name));
        matching.map(|(_, action)| action).collect()
    }

    /// The action of a service with the most similar name.
    pub(crate) fn nearest_action(&self, service: &str, name: &str) -> Option<&'static str> {
        self.catalogue.nearest(service, name)
    }

    /// The resource types that an action acts on.
    pub(crate) fn types_of<'a>(
        &'a self,
        action: &'a ServiceAction,
    ) -> impl Iterator<Item = &'a PublishedType> {
        let uses = action.resources.iter();
        uses.flat_map(|used| self.types.get(&(action.service, used.name)))
            .flatten()
    }

    /// Whether a condition key, in lower case, is published.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.keys.contains_key(key) || self.key_patterns.iter().any(|glob| glob.matches(key))
    }

    /// The type of a condition key's values, in lower case, unless they are texts or unknown.
    pub(crate) fn key_type(&self, key: &str) -> Option<KeyType> {
        self.key_types.get(key).copied()
    }

    /// The condition key with the most similar name.
    pub(crate) fn nearest_key(&self, key: &str) -> Option<&'static str> {
        let prefix = key.split_once(':').map_or("", |(prefix, _)| prefix);
        let alike = self.keys.range(prefix.to_owned()..);
        let alike = alike.take_while(|(known, _)| known.starts_with(prefix));
        nearest(alike.map(|(_, name)| *name), key, edits_max(key))
    }

    /// Whether requests for an action can have a key (in lower case), by themselves or through
    /// their resources.
    pub(crate) fn action_has_key(&self, action: &ServiceAction, key: &str) -> bool {
        let of_types = self.types_of(action).flat_map(|kind| &kind.condition_keys);
        let mut all = action.condition_keys.iter().chain(of_types);
        all.any(|known| is_key(known, key))
    }
}

/// The type of a condition key's values, other than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Arn,
    Bool,
    Date,
    /// A date that may be compared as a number.
    EpochDate,
    Ip,
    Numeric,
}

impl KeyType {
    /// Reads a published type; a list has the type of its values.
    fn read(text: &str) -> Option<Self> {
        Some(match text.strip_prefix("ArrayOf").unwrap_or(text) {
            "ARN" => Self::Arn,
            "Bool" => Self::Bool,
            "Date" => Self::Date,
            "IPAddress" => Self::Ip,
            "Numeric" => Self::Numeric,
            // AWS's page has a comment there.
            text if text.starts_with("Date") && text.contains("Numeric") => Self::EpochDate,
            _ => return None,
        })
    }
}

fn key_types(keys: &[ConditionKey]) -> BTreeMap<String, KeyType> {
    let mut types = BTreeMap::<String, Option<KeyType>>::new();
    for key in keys.iter().filter(|key| placeholder(key.name).is_none()) {
        let read = KeyType::read(key.kind);
        let known = types.entry(key.name.to_ascii_lowercase()).or_insert(read);
        if *known != read {
            *known = None;
        }
    }
    let known = types.into_iter();
    known.filter_map(|(key, kind)| Some((key, kind?))).collect()
}

/// The text before and after a key's placeholder, which is `${TagKey}` or, in S3's keys, `<key>`.
fn placeholder(name: &str) -> Option<(&str, &str)> {
    let (fixed, rest) = name.split_once("${").or_else(|| name.split_once('<'))?;
    let (_, rest) = rest.split_once(['}', '>'])?;
    Some((fixed, rest))
}

/// Whether a published key, which may have a placeholder, matches this key in lower case.
fn is_key(published: &str, key: &str) -> bool {
    let Some((fixed, _)) = placeholder(published) else {
        return published.eq_ignore_ascii_case(key);
    };
    let head = key.get(..fixed.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(fixed)) && key_pattern(published).matches(key)
}

/// A pattern for a key, with wildcards for its placeholders.
fn key_pattern(name: &str) -> Glob {
    let mut pattern = String::new();
    let mut rest = name;
    while let Some((fixed, after)) = placeholder(rest) {
        pattern.push_str(fixed);
        pattern.push('*');
        rest = after;
    }
    pattern.push_str(rest);
    Glob::new(&pattern.to_ascii_lowercase())
}

/// Maximum edits between a service or key and a suggestion. Short names are too similar: `s3` is
/// two edits from `sts`.
fn edits_max(name: &str) -> usize {
    EDITS.min(name.len() / 3)
}

#[cfg(test)]
mod tests {
    use super::PublishedTable;

    #[test]
    fn the_table_is_in_the_binary() {
        let published = PublishedTable::built_in();
        assert!(published.services.len() > 440);
        assert!(published.catalogue.actions().count() > 21_000);
        for service in ["iam", "s3", "sts", "dynamodb", "EC2", "lambda"] {
            assert!(published.has_service(service), "{service}");
        }
        assert!(!published.has_service("dyanmodb"));
        assert_eq!(published.nearest_service("dyanmodb"), Some("dynamodb"));
        assert_eq!(published.nearest_service("zz"), None);
        for key in [
            "aws:sourceip",
            "aws:principaltag/team",
            "aws:resourcetag/a/b",
            "s3:prefix",
            "s3:existingobjecttag/team",
            "secretsmanager:resourcetag/team",
            "ec2:resourcetag/x",
        ] {
            assert!(published.has_key(key), "{key}");
        }
        assert!(!published.has_key("iam:accesskeyscount"));
        assert_eq!(published.nearest_key("s3:prefx"), Some("s3:prefix"));
    }
}
