//! Grants that are wider than they look. Invariant: a condition counts as a limit only if it limits
//! the principals or the resources, not if it is about the circumstances of a call.

use super::{LintFinding, LintSubject, Severity, escalation::escalations, federated};
use crate::{DocumentKind, Statement, document::ElementClause, public::is_open};

/// Finds every risk of a statement.
pub(super) fn check(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    if !subject.allows() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(everything(subject));
    findings.extend(negations(subject));
    findings.extend(public(subject));
    findings.extend(federated::check(subject));
    if findings.iter().all(|finding| finding.code != "everything") {
        findings.extend(escalations(subject));
    }
    findings
}

/// `*` on `*`.
fn everything(subject: &LintSubject<'_>) -> Option<LintFinding> {
    let statement = subject.statement;
    let all = |clause: &Option<ElementClause>| {
        let plain = clause.as_ref().filter(|clause| !clause.negated);
        plain.is_some_and(|c| c.elements.iter().flatten().any(|e| e == "*" || e == "*:*"))
    };
    let found = all(&statement.action) && all(&statement.resource);
    (found && !limits_reach(statement)).then(|| {
        let finding = subject.finding((Severity::Risk, "everything"), ("Action", None));
        finding.with_message(
            "allows every action on every resource",
            "name the actions and the resources that are needed",
        )
    })
}

/// An Allow of everything except some values.
fn negations(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let statement = subject.statement;
    let negated = |clause: &Option<ElementClause>| clause.as_ref().is_some_and(|c| c.negated);
    let rows = [
        (
            negated(&statement.action),
            "NotAction",
            "allows every action of every service except those listed, including future ones",
            "list the actions that are needed under Action",
        ),
        (
            negated(&statement.resource),
            "NotResource",
            "allows every resource except those listed, including future ones",
            "list the resources under Resource, or deny those listed in another statement",
        ),
        (
            statement.principal.as_ref().is_some_and(|p| p.negated),
            "NotPrincipal",
            "means to allow everyone but those listed, anonymous callers included",
            "list the principals under Principal; with NotPrincipal only Deny makes sense",
        ),
    ];
    let found = rows.into_iter().filter(|(found, ..)| *found);
    let finding = |(_, element, message, hint): (bool, &'static str, &str, &str)| {
        let about = (Severity::Risk, "allow-all-but");
        subject
            .finding(about, (element, None))
            .with_message(message, hint)
    };
    found.map(finding).collect()
}

/// Keys about how and when a request is made, which anyone can satisfy.
const CIRCUMSTANCES: [&str; 10] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:referer",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:tokenissuetime",
    "aws:useragent",
    "s3:authtype",
    "s3:signatureversion",
    "s3:tlsversion",
];

/// Keys about where a request comes from and how its caller signed in.
const ORIGINS: [&str; 7] = [
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpcsourceip",
];

/// Whether a condition tests any other key.
fn asks_beyond(statement: &Statement, keys: &[&[&str]]) -> bool {
    let known = |key: &str| keys.iter().any(|keys| keys.contains(&key));
    let mut clauses = statement.conditions.iter();
    clauses.any(|clause| !known(&clause.key.to_ascii_lowercase()))
}

/// Whether a condition limits what a holder of the permission can do with it.
pub(super) fn limits_reach(statement: &Statement) -> bool {
    asks_beyond(statement, &[&CIRCUMSTANCES, &ORIGINS])
}

/// Access for everyone, without a condition that distinguishes callers; for buckets, what Block
/// Public Access rejects.
fn public(subject: &LintSubject<'_>) -> Option<LintFinding> {
    let statement = subject.statement;
    let everyone = statement.principal.as_ref()?.names_everyone();
    let open = match subject.kind {
        DocumentKind::Bucket { .. } => is_open(statement, subject.document),
        _ => !asks_beyond(statement, &[&CIRCUMSTANCES]),
    };
    (everyone && open).then(|| {
        let finding = subject.finding((Severity::Risk, "public"), ("Principal", None));
        finding.with_message(
            "allows everyone, whatever account they belong to",
            "name the principals, or add a condition such as aws:PrincipalOrgID",
        )
    })
}
