//! docs/coverage.md: every operation of IAM, STS, Organizations and S3, and whether it is served. It
//! is derived from the tables that route requests.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use keywright_identity::{
    action::ActionLevel,
    actions::{ServedOperation, not_served},
};
use keywright_wire::{Service, operations, s3::ROUTES};

use super::TABLE;
use crate::unserved::{UNSERVED, unserved_reason};

const COMMITTED: &str = include_str!("../../../../docs/coverage.md");

const HEAD: &str = "\
# Coverage of AWS's APIs

Every operation of IAM, STS, Organizations and S3 in the models that this version knows. An operation that is not served
answers `NotImplemented` with the reason. How served operations differ from AWS is described in
[differences.md](differences.md).

This page is derived from the tables that route requests. A test fails when it is not up to date, and writes the new
text to `target/coverage.md`. Further tests call every served operation of IAM, STS and Organizations with a valid
request, without a permission, with an explicit deny and with a wrong signature (`actions::sweeps`), and every served
operation of S3 without a permission; operations of S3 that are not served change nothing. What each of them does is
tested beside it.
";

const fn level(level: ActionLevel) -> &'static str {
    match level {
        ActionLevel::List => "List",
        ActionLevel::Read => "Read",
        ActionLevel::Write => "Write",
        ActionLevel::PermissionsManagement => "Permissions management",
        ActionLevel::Tagging => "Tagging",
    }
}

/// The rows of a service: an operation, and its level or action, or why it is not served.
fn section(text: &mut String, title: &str, column: &str, rows: &[(&str, Option<String>, &str)]) {
    let served = rows
        .iter()
        .filter(|(_, served, _)| served.is_some())
        .count();
    let total = rows.len();
    writeln!(
        text,
        "\n## {title}\n\n{served} of {total} operations are served.\n"
    )
    .unwrap();
    writeln!(
        text,
        "| operation | {column} | not served because |\n| --- | --- | --- |"
    )
    .unwrap();
    for (operation, served, reason) in rows {
        let served = served.as_deref().unwrap_or("–");
        writeln!(text, "| {operation} | {served} | {reason} |").unwrap();
    }
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    let titles = [
        (Service::Iam, "IAM"),
        (Service::Sts, "STS"),
        (Service::Organizations, "Organizations"),
    ];
    for (service, title) in titles {
        let mut rows: Vec<_> = operations()
            .filter(|operation| operation.service == service)
            .map(|operation| {
                let served = ServedOperation::of(operation).map(|served| match served {
                    ServedOperation::Action(row) => level(row.access).to_owned(),
                    ServedOperation::Unsigned(_) => "needs no signature".to_owned(),
                });
                let reason = keywright_identity::unserved::unserved_reason(operation.name);
                (operation.name, served, reason.unwrap_or_default())
            })
            .collect();
        rows.sort_unstable();
        section(&mut text, title, "access level", &rows);
    }
    let mut rows: Vec<_> = ROUTES
        .iter()
        .map(|route| {
            let row = TABLE.iter().find(|row| row.operation == route.operation);
            let served = row.map(|row| format!("`s3:{}`", row.action));
            let reason = unserved_reason(route.operation);
            (route.operation, served, reason.unwrap_or_default())
        })
        .collect();
    rows.sort_unstable();
    rows.dedup();
    section(&mut text, "S3", "action", &rows);
    text
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the text for a person to copy, in the build folder"
)]
fn the_page_is_up_to_date() {
    let text = document();
    if text != COMMITTED {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/coverage.md");
        std::fs::write(&target, text).unwrap();
        panic!("docs/coverage.md is not up to date: copy {target:?} there");
    }
}

#[test]
fn each_operation_is_served_or_has_a_reason() {
    let known: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
    let served: BTreeSet<_> = TABLE.iter().map(|row| row.operation).collect();
    let explained = || UNSERVED.iter().flat_map(|row| row.operations).copied();
    let different: BTreeSet<_> = explained().collect();
    assert_eq!(different.len(), explained().count(), "one reason for each");
    let missing: BTreeSet<_> = known.difference(&served).copied().collect();
    assert_eq!(different, missing);
    assert!(not_served().all(|it| !known.contains(it.name)));
}
