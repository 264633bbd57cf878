//! The AWS managed policies: names, dates and real documents, compressed in the binary.
//!
//! The data is `models/aws-managed-policies.jsonl`, one policy per line, compressed by the build
//! script. It is decompressed on first use; a document is compiled when it is first evaluated.

mod history;

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Arc, LazyLock, OnceLock},
};

use flate2::read::GzDecoder;
use keywright_base::{FoldedName, Timestamp};
use keywright_policy::Policy;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::history::EarlierVersion;

static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/aws-managed-policies.gz"));
static CATALOGUE: LazyLock<PolicyCatalogue> = LazyLock::new(PolicyCatalogue::unpack);

/// An AWS managed policy.
#[derive(Debug)]
pub struct AwsPolicy {
    /// `ANPA` and seventeen symbols, derived from the name.
    pub id: String,
    /// For example `AmazonS3FullAccess`.
    pub name: String,
    /// `/`, `/service-role/`, `/job-function/`, `/aws-service-role/`, ….
    pub path: String,
    /// `arn:aws:iam::aws:policy/…`.
    pub arn: Arc<str>,
    /// When AWS created it.
    pub created: Timestamp,
    /// When AWS last changed it.
    pub updated: Timestamp,
    /// The version in effect, for example `v2`.
    pub version: String,
    /// The document, as JSON.
    pub document: Arc<str>,
    compiled: OnceLock<Option<Arc<Policy>>>,
}

impl AwsPolicy {
    /// The compiled document; `None` means that it cannot be evaluated and the caller must refuse.
    pub fn compiled(&self) -> Option<&Arc<Policy>> {
        let compile = || {
            let document = keywright_policy::parse(&self.document).ok()?;
            Some(Arc::new(Policy::compile(&document)))
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// The known versions before the one in effect, newest first.
    pub fn earlier_versions(&self) -> &'static [EarlierVersion] {
        history::earlier_versions(&self.name)
    }

    /// The document of a version; `None` if it is unknown.
    pub fn document_of(&self, version: &str) -> Option<String> {
        if version == self.version {
            return Some(self.document.to_string());
        }
        let mut earlier = self.earlier_versions().iter();
        let found = earlier.find(|earlier| earlier.id == version)?;
        found.document(&self.document)
    }

    /// Whether only AWS's own services can have it attached.
    pub fn is_service_role_policy(&self) -> bool {
        self.path.starts_with("/aws-service-role/")
    }
}

/// All AWS managed policies.
#[derive(Debug)]
pub struct PolicyCatalogue {
    by_arn: BTreeMap<Arc<str>, Arc<AwsPolicy>>,
    by_name: BTreeMap<FoldedName, Arc<AwsPolicy>>,
}

impl PolicyCatalogue {
    /// The catalogue in this binary.
    pub fn built_in() -> &'static Self {
        &CATALOGUE
    }

    /// A policy by ARN.
    pub fn by_arn(&self, arn: &str) -> Option<&Arc<AwsPolicy>> {
        self.by_arn.get(arn)
    }

    /// All policies, ordered by name without regard to case.
    pub const fn by_name(&self) -> &BTreeMap<FoldedName, Arc<AwsPolicy>> {
        &self.by_name
    }

    fn unpack() -> Self {
        // The bytes are written by this crate's build script and tested below. If they were
        // unreadable there would be no AWS managed policies, which grants nothing.
        let mut text = Vec::new();
        if GzDecoder::new(COMPRESSED).read_to_end(&mut text).is_err() {
            text.clear();
        }
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let policies: Vec<_> = lines.filter_map(read_line).map(Arc::new).collect();
        let named = |policy: &Arc<AwsPolicy>| (FoldedName::new(&policy.name), Arc::clone(policy));
        Self {
            by_name: policies.iter().map(named).collect(),
            by_arn: policies
                .into_iter()
                .map(|policy| (Arc::clone(&policy.arn), policy))
                .collect(),
        }
    }
}

#[derive(Deserialize)]
struct CatalogueLine<'a> {
    name: String,
    path: String,
    created: String,
    updated: String,
    version: String,
    #[serde(borrow)]
    document: &'a RawValue,
}

fn read_line(line: &[u8]) -> Option<AwsPolicy> {
    let line: CatalogueLine<'_> = serde_json::from_slice(line).ok()?;
    Some(AwsPolicy {
        id: policy_id(&line.name),
        arn: format!("arn:aws:iam::aws:policy{}{}", line.path, line.name).into(),
        name: line.name,
        path: line.path,
        created: Timestamp::parse_iso8601(&line.created).ok()?,
        updated: Timestamp::parse_iso8601(&line.updated).ok()?,
        version: line.version,
        document: line.document.get().into(),
        compiled: OnceLock::new(),
    })
}

/// A stable ID: AWS does not publish a list of the real ones.
fn policy_id(name: &str) -> String {
    const SYMBOLS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = digest(&SHA256, name.as_bytes());
    let symbol = |byte: &u8| {
        SYMBOLS
            .get(usize::from(byte & 31))
            .copied()
            .map_or('A', char::from)
    };
    format!(
        "ANPA{}",
        digest
            .as_ref()
            .iter()
            .take(17)
            .map(symbol)
            .collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::PolicyCatalogue;

    #[test]
    fn every_line_is_there_and_every_document_compiles() {
        let lines = include_str!("../../../models/aws-managed-policies.jsonl")
            .lines()
            .count();
        let catalogue = PolicyCatalogue::built_in();
        assert_eq!(catalogue.by_arn.len(), lines);
        for policy in catalogue.by_arn.values() {
            assert!(policy.compiled().is_some(), "{}", policy.name);
        }
    }

    #[test]
    fn the_ones_that_the_story_needs() {
        for name in [
            "AmazonS3FullAccess",
            "IAMUserChangePassword",
            "AdministratorAccess",
        ] {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            assert_eq!(PolicyCatalogue::built_in().by_arn(&arn).unwrap().name, name);
        }
    }
}
