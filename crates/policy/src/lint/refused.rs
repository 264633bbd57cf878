//! Findings for a policy that would be rejected: the position of the fault and how to fix it. The
//! message is AWS's, exactly as storing the policy would return it; only position and hint are
//! ours.

use super::{LintFinding, Severity, place::StatementPlaces};
use crate::{DocumentKind, TextSpan, Violation, json, validate};

/// The finding for a violation.
pub(super) fn refused(text: &str, violation: &Violation, kind: DocumentKind<'_>) -> LintFinding {
    let finding = |statement, span, hint: &str| LintFinding {
        severity: Severity::Error,
        code: "refused",
        message: violation.to_string(),
        hint: hint.to_owned(),
        statement,
        span,
    };
    if let Violation::Syntax(fault)
    | Violation::TrustJson(fault)
    | Violation::BucketJson(fault)
    | Violation::BucketSyntax(fault) = violation
    {
        let end = text.len().min(fault.at + 1);
        let start = fault.at.min(end);
        return finding(None, TextSpan { start, end }, &fault.what);
    }
    if let (Violation::OldVersion, Some(span)) = (violation, written_version(text)) {
        return finding(None, span, CHANGE_VERSION);
    }
    let (statement, span) = culprit(text, violation, kind).unzip();
    let end = text.len();
    let span = span.unwrap_or(TextSpan { start: 0, end });
    finding(statement, span, hint(violation))
}

/// The hint for a version that is too old.
pub(super) const CHANGE_VERSION: &str = "change \"Version\" to \"2012-10-17\"";

/// The value of `Version`, if there is one.
fn written_version(text: &str) -> Option<TextSpan> {
    let root = json::read(text).ok()?;
    root.member("Version").map(|node| node.span)
}

/// The first statement that causes the same violation by itself, and the part of it that is at
/// fault.
fn culprit(text: &str, violation: &Violation, kind: DocumentKind<'_>) -> Option<(usize, TextSpan)> {
    let root = json::read(text).ok()?;
    let place = StatementPlaces::new(&root);
    let alone = |statement: usize| {
        let span = place.statement(statement)?;
        let version = r#"{"Version": "2012-10-17", "Statement": "#;
        let written = text.get(span.start..span.end)?;
        let refused = validate(&format!("{version}{written}}}"), kind).err()?;
        (refused == *violation).then_some((statement, span))
    };
    let (statement, span) = (0..place.len()).find_map(alone)?;
    let narrow = elements(violation).iter().find_map(|element| {
        let own = place.of(statement, element, None)?;
        let wanted = named(violation).unwrap_or_default();
        let written = text.get(own.start..own.end)?;
        match written.find(&format!("\"{wanted}\"")) {
            Some(at) if !wanted.is_empty() => {
                let start = own.start + at;
                let end = start + wanted.len() + 2;
                Some(TextSpan { start, end })
            }
            _ => Some(own),
        }
    });
    Some((statement, narrow.unwrap_or(span)))
}

/// The value that a message quotes.
fn named(violation: &Violation) -> Option<&str> {
    match violation {
        Violation::NotAnArn(text) | Violation::IamRegion(text) | Violation::Region(text) => {
            Some(text)
        }
        Violation::TrustPrincipal { value, .. } => Some(value),
        Violation::BucketEffect(text) | Violation::BucketOperator(text) => Some(text),
        _ => None,
    }
}

/// The elements that a violation can be about.
const fn elements(violation: &Violation) -> &'static [&'static str] {
    match violation {
        Violation::SidCharacters => &["Sid"],
        Violation::BucketEffect(_) => &["Effect"],
        Violation::BucketOperator(_)
        | Violation::BucketConditionKey
        | Violation::BucketConditions
        | Violation::BucketAddress => &["Condition"],
        Violation::NotAnArn(_)
        | Violation::Partition { .. }
        | Violation::ResourceVendor
        | Violation::IamRegion(_)
        | Violation::Region(_)
        | Violation::IamPath
        | Violation::BucketResource => &["Resource", "NotResource"],
        Violation::ActionVendor
        | Violation::ActionColons
        | Violation::Vendor(_)
        | Violation::TrustAction
        | Violation::BucketAction
        | Violation::ActionResource => &["Action", "NotAction"],
        Violation::Principal
        | Violation::TrustPrincipal { .. }
        | Violation::BucketPrincipal
        | Violation::AllowNotPrincipal => &["Principal", "NotPrincipal"],
        _ => &[],
    }
}

/// How to fix it.
const fn hint(violation: &Violation) -> &'static str {
    match violation {
        Violation::BucketVersion => "write \"Version\": \"2012-10-17\"",
        Violation::BucketEmpty => "add a statement, or delete the policy",
        Violation::BucketField(_) => "remove it, or look at its spelling: case matters",
        Violation::BucketEffect(_) => "write Allow or Deny",
        Violation::BucketOperator(_) => "see the operators of conditions, as StringEquals",
        Violation::BucketConditionKey => "write a key of S3's or a global one, as aws:SourceIp",
        Violation::BucketConditions => {
            "keep to keys that every action of the statement has, or give the others their own"
        }
        Violation::BucketAddress => "write an address or a network, as 192.0.2.0/24",
        Violation::OldVersion => "add \"Version\": \"2012-10-17\"",
        Violation::Legacy => {
            "look for an Effect that is not spelt Allow or Deny, an ARN with :: and too few \
             colons, or a date, number, address or ARN in a condition that is none"
        }
        Violation::RepeatedSid => "give each statement a Sid of its own, or none",
        Violation::SidCharacters => "letters and digits only",
        Violation::NoActions => "add Action or NotAction",
        Violation::NoResources => "add Resource or NotResource",
        Violation::NotAnArn(_) => "write an ARN, for example arn:aws:s3:::bucket/key, or *",
        Violation::Partition { .. } => "aws, aws-cn and aws-us-gov are partitions; * is any",
        Violation::ResourceVendor => "name the service after the second colon, without wildcards",
        Violation::IamRegion(_) | Violation::Region(_) => {
            "leave the region empty, as in arn:aws:iam::123456789012:user/name"
        }
        Violation::IamPath => "begin with the type after the last colon, for example user/name",
        Violation::ActionVendor => "write service:Action, for example s3:GetObject",
        Violation::ActionColons => "write service:Action, with one colon",
        Violation::Vendor(_) => {
            "use letters, digits, hyphens and periods only in the service prefix"
        }
        Violation::Principal => {
            "remove Principal: the policy applies to whatever it is attached to"
        }
        Violation::Prohibited(_) => "remove it",
        Violation::Missing(_) => "add it",
        Violation::TrustAction => "name only actions of STS, for example sts:AssumeRole",
        Violation::TrustPrincipal { .. } | Violation::BucketPrincipal => {
            "name an account, or the ARN of a user, role or session; wildcards are not possible"
        }
        Violation::AllowNotPrincipal => "list the allowed principals under Principal",
        Violation::BucketAction => "name actions of S3 on buckets or objects",
        Violation::BucketResource => {
            "name this bucket, arn:aws:s3:::bucket, or its objects, arn:aws:s3:::bucket/*"
        }
        Violation::ActionResource => {
            "actions on objects need arn:aws:s3:::bucket/*, those on buckets arn:aws:s3:::bucket"
        }
        Violation::Syntax(_)
        | Violation::TrustJson(_)
        | Violation::BucketJson(_)
        | Violation::BucketSyntax(_) => "",
    }
}
