//! Earlier versions of AWS managed policies.
//!
//! The data is `models/aws-managed-policy-versions.jsonl`, one version per line, as differences
//! from the document in effect. It is decompressed on first use; a document is reconstructed on
//! demand.

use std::{collections::BTreeMap, io::Read, sync::LazyLock};

use flate2::read::GzDecoder;
use keywright_base::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

static COMPRESSED: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/aws-managed-policy-versions.gz"));
static TEXT: LazyLock<String> = LazyLock::new(|| {
    // As for the catalogue: if the bytes were unreadable, there would be no earlier versions.
    let mut text = String::new();
    let read = GzDecoder::new(COMPRESSED).read_to_string(&mut text);
    read.map(|_| text).unwrap_or_default()
});
static VERSIONS: LazyLock<BTreeMap<String, Vec<EarlierVersion>>> = LazyLock::new(unpack);

/// A version that is no longer in effect.
#[derive(Debug)]
pub struct EarlierVersion {
    /// For example `v1`.
    pub id: String,
    /// When AWS created it.
    pub created: Timestamp,
    differences: &'static str,
}

impl EarlierVersion {
    /// Its document, reconstructed from the one in effect; `None` if the two do not belong
    /// together.
    pub(super) fn document(&self, in_effect: &str) -> Option<String> {
        let pieces: Vec<DocumentPiece> = serde_json::from_str(self.differences).ok()?;
        let tokens: Vec<&str> = in_effect.split_inclusive(',').collect();
        let mut document = String::new();
        for piece in pieces {
            match piece {
                DocumentPiece::Same(from, count) => {
                    let run = tokens.get(from..from.checked_add(count)?)?;
                    document.extend(run.iter().copied());
                }
                DocumentPiece::Text(text) => document.push_str(&text),
            }
        }
        Some(document)
    }
}

/// The versions of a policy before the one in effect, newest first.
pub(super) fn earlier_versions(name: &str) -> &'static [EarlierVersion] {
    VERSIONS.get(name).map_or(&[], Vec::as_slice)
}

/// A piece of a document.
#[derive(Deserialize)]
#[serde(untagged)]
enum DocumentPiece {
    /// A number of tokens of the document in effect, starting at a token. A token ends with a
    /// comma.
    Same(usize, usize),
    Text(String),
}

#[derive(Deserialize)]
struct HistoryLine {
    name: String,
    version: String,
    created: String,
    #[serde(borrow)]
    document: &'static RawValue,
}

fn unpack() -> BTreeMap<String, Vec<EarlierVersion>> {
    let mut versions = BTreeMap::<String, Vec<EarlierVersion>>::new();
    for line in TEXT.lines() {
        let Ok(line) = serde_json::from_str::<HistoryLine>(line) else {
            continue;
        };
        let Ok(created) = Timestamp::parse_iso8601(&line.created) else {
            continue;
        };
        versions.entry(line.name).or_default().push(EarlierVersion {
            id: line.version,
            created,
            differences: line.document.get(),
        });
    }
    versions
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::PolicyCatalogue, TEXT};

    #[test]
    fn every_line_is_a_version_with_a_valid_document() {
        let lines = include_str!("../../../../models/aws-managed-policy-versions.jsonl");
        assert_eq!(TEXT.as_str(), lines);
        let mut count = 0;
        for policy in PolicyCatalogue::built_in().by_arn.values() {
            let mut ids = BTreeSet::from([policy.version.clone()]);
            let mut newer = policy.updated;
            for version in policy.earlier_versions() {
                count += 1;
                let document = policy.document_of(&version.id).unwrap();
                let parsed = keywright_policy::parse(&document);
                assert!(parsed.is_ok(), "{} {}", policy.name, version.id);
                assert!(ids.insert(version.id.clone()), "{}", policy.name);
                assert!(version.created <= newer, "{} {}", policy.name, version.id);
                newer = version.created;
            }
        }
        assert_eq!(count, lines.lines().count());
    }

    #[test]
    fn a_version_is_what_it_was() {
        let power = PolicyCatalogue::built_in().by_arn("arn:aws:iam::aws:policy/PowerUserAccess");
        let first = power.unwrap().document_of("v1");
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","#.to_owned()
            + r#""NotAction":"iam:*","Resource":"*"}]}"#;
        assert_eq!(first, Some(document));
        assert_eq!(power.unwrap().document_of("v0"), None);
    }
}
