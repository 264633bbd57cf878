//! Advice on the documents that AWS's guides give as examples.
//!
//! Whoever follows a guide must not be sent after a mistake that is none. `corpus/lint/guides.json`
//! has what the guides show, in our own arrangement, with the findings that were looked at and are
//! right: a risk that the guide takes, or a slip of its own. Anything else is a false alarm.

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
