//! The format of resources in policies that IAM stores. Invariant: exactly the resources that could
//! never match are rejected, with AWS's messages.

use super::Violation;
use crate::{
    document::{LanguageVersion, PolicyDocument},
    resource::segments,
};

const PARTITIONS: [&str; 9] = [
    "*",
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
];

/// What may follow the account in an IAM resource, apart from `*` and `root`.
const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// The S3 resources that belong to a region.
const S3_REGIONAL: [&str; 6] = [
    "accesspoint/",
    "access-grants/",
    "async-request/",
    "job/",
    "storage-lens/",
    "storage-lens-group/",
];

/// Checks every resource. The first violation is returned as a value, because AWS reports it later.
/// A resource that cannot be parsed at all is an immediate error.
pub(super) fn check(document: &PolicyDocument) -> Result<Option<Violation>, Violation> {
    let clauses = document
        .statements
        .iter()
        .filter_map(|s| s.resource.as_ref());
    let mut first = None;
    for resource in clauses.flat_map(|clause| clause.elements.iter().flatten()) {
        if resource == "*" {
            continue;
        }
        match form(resource, document.version == Some(LanguageVersion::V2012)) {
            Ok(()) => {}
            Err(Violation::Legacy) => return Err(Violation::Legacy),
            Err(violation) => first = first.or(Some(violation)),
        }
    }
    Ok(first)
}

/// A variable, including its colon, is part of the segment that contains it.
fn form(resource: &str, variables: bool) -> Result<(), Violation> {
    let parts = segments(resource, variables);
    let [_, parts @ ..] = parts.as_slice() else {
        return Err(Violation::NotAnArn(resource.to_owned()));
    };
    let [partition, ..] = parts else {
        return Err(Violation::NotAnArn(resource.to_owned()));
    };
    if !PARTITIONS.contains(partition) {
        return Err(Violation::Partition {
            partition: (*partition).to_owned(),
            arn: filled(parts),
        });
    }
    let segment = |at: usize| parts.get(at).copied().unwrap_or("*");
    let vendor = segment(1);
    if vendor.is_empty() || (parts.len() < 5 && resource.contains("::")) {
        return Err(Violation::Legacy);
    }
    if vendor.contains(['*', '?']) {
        return Err(Violation::ResourceVendor);
    }
    let (region, path) = (segment(2), segment(4));
    match vendor {
        "iam" if !region.is_empty() => Err(Violation::IamRegion(resource.to_owned())),
        "iam" if !is_iam_path(path) => Err(Violation::IamPath),
        "s3" if !region.is_empty() && !S3_REGIONAL.iter().any(|p| path.starts_with(p)) => {
            Err(Violation::Region(resource.to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_iam_path(path: &str) -> bool {
    path == "*" || path == "root" || IAM_PATHS.iter().any(|prefix| path.starts_with(prefix))
}

/// `arn:` and the five segments after it; missing ones are `*`.
fn filled(parts: &[&str]) -> String {
    let missing = 5_usize.saturating_sub(parts.len());
    format!("arn:{}{}", parts.join(":"), ":*".repeat(missing))
}
