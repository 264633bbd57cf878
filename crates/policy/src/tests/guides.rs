//! Lint findings on the example documents of AWS's guides.
//!
//! Lint must not report false mistakes to readers who follow a guide. `corpus/lint/guides.json`
//! holds the guides' examples, in our own arrangement, with the findings that were reviewed and are
//! right: a risk that the guide takes, or an error of its own. Any other finding is a false alarm.

use serde_json::Value;

use crate::{DocumentKind, lint};

#[test]
fn findings_in_documents_of_guides_are_reviewed() {
    let text = std::fs::read_to_string("../../corpus/lint/guides.json").unwrap();
    let guides: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(guides.len() > 80);
    let mut wrong = Vec::new();
    for guide in &guides {
        let kind = match guide["kind"].as_str().unwrap() {
            "managed" => DocumentKind::Managed,
            "trust" => DocumentKind::Trust,
            "bucket" => DocumentKind::Bucket {
                bucket: "example-bucket",
            },
            other => panic!("{other} is no kind"),
        };
        let document = guide["document"].to_string();
        let found: Vec<_> = lint(&document, kind)
            .iter()
            .map(|finding| {
                let at = document.get(finding.span.start..finding.span.end).unwrap();
                Value::from(format!("{} {at}", finding.code))
            })
            .collect();
        if guide["findings"] != Value::from(found.clone()) {
            wrong.push((&guide["guide"], &guide["name"], found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
