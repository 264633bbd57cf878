//! Lint findings on AWS's own managed policies.
//!
//! What AWS wrote has an effect, so a finding of these kinds is a false alarm caused by the
//! published table, unless it was reviewed: `managed.txt` lists those. Most name services that AWS
//! has closed, or actions that it has not published yet.

use std::collections::BTreeSet;

use crate::{DocumentKind, lint};

/// The findings that report something without effect.
const CODES: [&str; 9] = [
    "any-if-exists",
    "impossible-conditions",
    "key-without-action",
    "literal-wildcard",
    "no-matching-action",
    "no-matching-resource",
    "no-such-action",
    "no-such-key",
    "no-such-service",
];

#[test]
fn findings_in_aws_managed_policies_are_reviewed() {
    let text = std::fs::read_to_string("../../models/aws-managed-policies.jsonl").unwrap();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let policy: serde_json::Value = serde_json::from_str(line).unwrap();
        let document = policy["document"].to_string();
        for finding in lint(&document, DocumentKind::Managed) {
            if CODES.contains(&finding.code) {
                let at = document.get(finding.span.start..finding.span.end).unwrap();
                found.insert(format!(
                    "{} {} {at}",
                    policy["name"].as_str().unwrap(),
                    finding.code
                ));
            }
        }
    }
    let reviewed: BTreeSet<String> = include_str!("managed.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let new: Vec<_> = found.difference(&reviewed).collect();
    let gone: Vec<_> = reviewed.difference(&found).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:#?}\ngone: {gone:#?}"
    );
}
