//! ACL arguments. Buckets here have ACLs disabled.
//!
//! An argument that is malformed is reported as such. A valid one is rejected because ACLs are
//! disabled, unless it changes nothing. The checks for existence and permission run before these.

use http::HeaderMap;
use s3s::dto;

use keywright_objects::S3Fault;

use super::convert::text;

const OBJECT: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];
const BUCKET: [&str; 4] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
];
const GROUPS: [&str; 3] = [
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    "http://acs.amazonaws.com/groups/s3/LogDelivery",
];

/// The ACL in a request's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AclHeaders<'a> {
    Nothing,
    Canned(&'a str),
    Grants,
}

/// Checks the ACL in a request that writes an object.
///
/// # Errors
/// What is wrong with it, or [`S3Fault::AclsDisabled`].
pub(super) fn of_object(headers: &HeaderMap) -> Result<(), S3Fault> {
    match read(headers, &OBJECT)? {
        AclHeaders::Nothing | AclHeaders::Canned("private" | "bucket-owner-full-control") => Ok(()),
        AclHeaders::Canned(_) | AclHeaders::Grants => Err(S3Fault::AclsDisabled),
    }
}

/// Checks the ACL in a request that creates a bucket.
///
/// # Errors
/// What is wrong with it, or [`S3Fault::BucketAclWithOwnership`].
pub(super) fn of_new_bucket(headers: &HeaderMap) -> Result<(), S3Fault> {
    match read(headers, &BUCKET)? {
        AclHeaders::Nothing | AclHeaders::Canned("private") => Ok(()),
        AclHeaders::Canned(_) | AclHeaders::Grants => Err(S3Fault::BucketAclWithOwnership),
    }
}

/// The fault for PutBucketAcl.
pub(super) fn put_bucket(headers: &HeaderMap, body: Option<&dto::AccessControlPolicy>) -> S3Fault {
    let checked = check_put(headers, &BUCKET, body);
    checked.err().unwrap_or(S3Fault::AclsDisabled)
}

/// The fault for PutObjectAcl, also for an ACL that would change nothing: where ACLs are disabled,
/// S3 accepts none after the object is written.
pub(super) fn put_object(headers: &HeaderMap, body: Option<&dto::AccessControlPolicy>) -> S3Fault {
    let checked = check_put(headers, &OBJECT, body);
    checked.err().unwrap_or(S3Fault::AclsDisabled)
}

fn check_put(
    headers: &HeaderMap,
    canned: &[&str],
    body: Option<&dto::AccessControlPolicy>,
) -> Result<(), S3Fault> {
    match (read(headers, canned)?, body) {
        (AclHeaders::Nothing, None) => Err(S3Fault::MissingHeader("x-amz-acl")),
        (AclHeaders::Nothing, Some(body)) => {
            let grants = body.grants.iter().flatten();
            let mut grantees = grants.filter_map(|grant| grant.grantee.as_ref());
            grantees.try_for_each(check_grantee)
        }
        (_, Some(_)) => Err(S3Fault::UnexpectedContent),
        (_, None) => Ok(()),
    }
}

fn check_grantee(grantee: &dto::Grantee) -> Result<(), S3Fault> {
    if let Some(id) = &grantee.id {
        check_id(id, "CanonicalUser/ID")?;
    }
    match &grantee.uri {
        Some(uri) => check_group(uri, "Group/URI"),
        None => Ok(()),
    }
}

fn read<'a>(headers: &'a HeaderMap, known: &[&str]) -> Result<AclHeaders<'a>, S3Fault> {
    let mut grants = false;
    for (name, value) in headers {
        let Some(name) = GRANTS.iter().find(|known| **known == name.as_str()) else {
            continue;
        };
        grants = true;
        let list = String::from_utf8_lossy(value.as_bytes());
        list.split(',').try_for_each(|one| check_grant(name, one))?;
    }
    match text(headers, "x-amz-acl") {
        Some(_) if grants => Err(S3Fault::InvalidRequest(
            "Specifying both Canned ACLs and Header Grants is not allowed",
        )),
        Some(canned) if known.contains(&canned) => Ok(AclHeaders::Canned(canned)),
        Some(other) => Err(invalid("", "x-amz-acl", other)),
        None if grants => Ok(AclHeaders::Grants),
        None => Ok(AclHeaders::Nothing),
    }
}

const GRANTS: [&str; 5] = [
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
];

fn check_grant(header: &'static str, one: &str) -> Result<(), S3Fault> {
    let wrong = || invalid("Argument format not recognized", header, one);
    let (kind, value) = one.trim().split_once('=').ok_or_else(wrong)?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => check_id(value, "id"),
        "uri" => check_group(value, "uri"),
        "emailAddress" => Ok(()),
        _ => Err(wrong()),
    }
}

fn check_id(id: &str, name: &'static str) -> Result<(), S3Fault> {
    let right = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if right {
        Ok(())
    } else {
        Err(invalid("Invalid id", name, id))
    }
}

fn check_group(uri: &str, name: &'static str) -> Result<(), S3Fault> {
    if GROUPS.contains(&uri) {
        Ok(())
    } else {
        Err(invalid("Invalid group uri", name, uri))
    }
}

fn invalid(message: &str, name: &'static str, value: &str) -> S3Fault {
    S3Fault::InvalidArgument {
        message: message.to_owned(),
        name,
        value: Some(value.to_owned()),
    }
}
