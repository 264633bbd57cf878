//! The one access check of S3: every request passes it before its input is even parsed.
//!
//! The rule: refused unless the table names the operation and the caller's authorizer allows every
//! action that it needs. The order is visible to clients: names, bucket, region, expected owner,
//! permission, then the object's existence; and a missing object is told only to who may list.

use std::sync::Arc;

use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
};

use keywright_base::{AccountId, Arn, limits};
use keywright_objects::{
    Bucket, Checking, CommitCheck, Fault, Object, check_bucket_name, check_key,
};

use super::{
    Service,
    context::{self, Seen},
    convert::text,
    job::{Call, Permit},
    public_access,
    table::{self, On, Row},
};

/// The access check as the protocol layer calls it.
pub(super) struct Gate(pub(super) Arc<Service>);

/// The protocol layer runs access checks only when it has an authentication provider. This one
/// knows no key: whatever credential still reached it is refused.
pub(super) struct NoKeys;

#[async_trait::async_trait]
impl S3Auth for NoKeys {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied))
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(call) = cx.extensions_mut().get::<Call>().cloned() else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let permitted = match seen(cx, &call) {
            Ok(seen) => decide(&self.0, &call, &seen, None)
                .await
                .map(|permit| Permitted {
                    permit: Arc::new(permit),
                    seen: Arc::new(seen),
                }),
            Err(fault) => Err(fault),
        };
        match permitted {
            Ok(permitted) => {
                if !streams(&permitted.seen) {
                    call.body.charge(self.0.bodies.account());
                }
                if permitted.permit.bucket.is_none() {
                    // CreateBucket reads of it what the protocol layer leaves out.
                    call.body.begin();
                }
                cx.extensions_mut().insert(permitted);
                Ok(())
            }
            Err(fault) => Err(call.cell.refuse(&fault)),
        }
    }
}

/// What the access check leaves for the operation, as an extension of its request.
#[derive(Clone)]
pub(super) struct Permitted {
    pub(super) permit: Arc<Permit>,
    pub(super) seen: Arc<Seen>,
}

/// The whole access check once more, with what is in force by now: the key, the user, their
/// policies, the bucket and its policy. Whatever is committed passes it first.
pub(super) struct Again {
    pub(super) service: Arc<Service>,
    pub(super) call: Call,
    pub(super) seen: Arc<Seen>,
    /// The source of a copy, which may be gone after it was read.
    pub(super) source: Option<Object>,
}

impl Again {
    pub(super) async fn decide(&self) -> Result<Permit, Fault> {
        if let Err(error) = self.call.caller.authorize.check_caller() {
            self.call.cell.leave(*error);
            return Err(Fault::AccessDenied("Access Denied".into()));
        }
        decide(&self.service, &self.call, &self.seen, self.source.as_ref()).await
    }
}

impl CommitCheck for Again {
    fn check(&self) -> Checking<'_> {
        Box::pin(async { self.decide().await.map(drop) })
    }
}

fn seen(cx: &S3AccessContext<'_>, call: &Call) -> Result<Seen, Fault> {
    let (bucket, key) = match cx.s3_path() {
        S3Path::Root => (None, None),
        S3Path::Bucket { bucket } => (Some(bucket), None),
        S3Path::Object { bucket, key } => (Some(bucket), Some(key)),
    };
    Ok(Seen {
        operation: cx.s3_op().name().into(),
        bucket: bucket.map(|name| name.to_string()),
        key: key.map(|name| name.to_string()),
        query: context::query(cx.uri())?,
        headers: (*call.headers).clone(),
    })
}

/// The decision. `source` is a copy's source that an earlier decision found.
async fn decide(
    service: &Service,
    call: &Call,
    seen: &Seen,
    source: Option<&Object>,
) -> Result<Permit, Fault> {
    let row = table::row(&seen.operation).ok_or_else(|| not_served(call, seen))?;
    check_headers(seen)?;
    check_length(seen)?;
    if let Some(name) = &seen.bucket {
        check_bucket_name(name)?;
    }
    if let Some(key) = &seen.key {
        check_key(key)?;
    }
    match row.on {
        On::Everything => {
            let permit = Permit::begin(&call.caller, None, None, seen.context(None)?);
            permit.require(&action(row, seen), "*", &permit.context)?;
            Ok(permit)
        }
        // Nobody can own what is created, whatever its body says.
        On::NewBucket if call.caller.account.is_none() => {
            Err(Fault::AccessDenied("Access Denied".into()))
        }
        On::NewBucket => Ok(Permit::begin(&call.caller, None, None, seen.context(None)?)),
        _ => in_bucket(service, call, (seen, source), row).await,
    }
}

async fn in_bucket(
    service: &Service,
    call: &Call,
    (seen, source): (&Seen, Option<&Object>),
    row: &Row,
) -> Result<Permit, Fault> {
    let name = seen.bucket.as_deref().unwrap_or_default();
    let bucket = find_bucket(service, name).await?;
    check_region(call, &bucket, row)?;
    check_owner(seen, "x-amz-expected-bucket-owner", &bucket)?;
    let mut permit = open(service, call, seen, bucket)?;
    match row.on {
        On::Bucket => {
            let arn = Arn::s3_bucket(name);
            permit.require(&action(row, seen), arn.as_str(), &permit.context)?;
        }
        On::Key => key_permitted(&permit, seen, row)?,
        On::Object | On::ObjectLater => {
            let key = seen.key.as_deref().unwrap_or_default();
            let later = row.on == On::ObjectLater;
            let found = service.objects.find(name, key).await?;
            let action = (!later).then(|| action(row, seen));
            permit.object = Some(object_permitted(
                &permit,
                found,
                (name, key),
                action.as_deref(),
            )?);
            check_version(seen.parameter("versionId"))?;
            if row.operation == "GetObjectAttributes" {
                let tags = permit.object.as_ref().map(|object| &object.meta.tags);
                let context = tags.map(|tags| permit.context.with_existing(tags));
                let context = context.as_ref().unwrap_or(&permit.context);
                let arn = Arn::s3_object(name, key);
                permit.require("s3:GetObjectAttributes", arn.as_str(), context)?;
            }
        }
        On::Everything | On::NewBucket | On::Keys => {}
    }
    if matches!(row.operation, "CopyObject" | "UploadPartCopy") {
        permit.source = Some(source_permitted(service, call, (seen, source), &permit).await?);
    }
    Ok(permit)
}

fn open(service: &Service, call: &Call, seen: &Seen, bucket: Bucket) -> Result<Permit, Fault> {
    let attached = public_access::attached(service, &bucket)?;
    let policy = attached.policy_for(call.caller.account).cloned();
    let context = seen.context(Some(&bucket))?;
    Ok(Permit::begin(&call.caller, Some(bucket), policy, context))
}

/// Asks for an action on a key, and for tagging it when the request sets tags.
fn key_permitted(permit: &Permit, seen: &Seen, row: &Row) -> Result<(), Fault> {
    let (bucket, key) = (seen.bucket.as_deref(), seen.key.as_deref());
    let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
    permit.require(&action(row, seen), arn.as_str(), &permit.context)?;
    let tags = text(&seen.headers, "x-amz-tagging").is_some_and(|tags| !tags.is_empty());
    if tags
        && matches!(
            row.operation,
            "PutObject" | "CopyObject" | "CreateMultipartUpload"
        )
    {
        permit.require("s3:PutObjectTagging", arn.as_str(), &permit.context)?;
    }
    if row.operation == "DeleteObject" {
        check_version(seen.parameter("versionId"))?;
    }
    Ok(())
}

/// Asks for an action on an object. Who may not list the bucket is not told that a key is missing.
fn object_permitted(
    permit: &Permit,
    found: Option<Object>,
    (bucket, key): (&str, &str),
    action: Option<&str>,
) -> Result<Object, Fault> {
    if let Some(action) = action {
        let tags = found.as_ref().map(|object| &object.meta.tags);
        let context = tags.map_or_else(
            || permit.context.clone(),
            |tags| permit.context.with_existing(tags),
        );
        permit.require(action, Arn::s3_object(bucket, key).as_str(), &context)?;
    }
    if let Some(object) = found {
        return Ok(object);
    }
    permit.require(
        "s3:ListBucket",
        Arn::s3_bucket(bucket).as_str(),
        &permit.context.of_bucket(),
    )?;
    Err(Fault::NoSuchKey(key.into()))
}

async fn source_permitted(
    service: &Service,
    call: &Call,
    (seen, earlier): (&Seen, Option<&Object>),
    target: &Permit,
) -> Result<Object, Fault> {
    let header = text(&seen.headers, "x-amz-copy-source").unwrap_or_default();
    let (name, key, version) = parse_source(header)?;
    let bucket = find_bucket(service, &name).await?;
    check_owner(seen, "x-amz-source-expected-bucket-owner", &bucket)?;
    let mut permit = open(service, call, seen, bucket)?;
    permit.context.keys.retain(|(key, _)| key != "s3:versionid");
    permit.context.add("s3:versionid", version.as_deref());
    let found = service.objects.find(&name, &key).await?;
    let found = found.or_else(|| earlier.cloned());
    let action = if version.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    let source = object_permitted(&permit, found, (&name, &key), Some(action))?;
    check_version(version.as_deref())?;
    let replaces = text(&seen.headers, "x-amz-tagging-directive") == Some("REPLACE");
    if seen.operation == "CopyObject" && !replaces && !source.meta.tags.is_empty() {
        let existing = permit.context.with_existing(&source.meta.tags);
        let arn = Arn::s3_object(&name, &key);
        permit.require("s3:GetObjectTagging", arn.as_str(), &existing)?;
        let mut requested = target.context.clone();
        requested.request_tags(&source.meta.tags);
        let (bucket, key) = (seen.bucket.as_deref(), seen.key.as_deref());
        let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
        target.require("s3:PutObjectTagging", arn.as_str(), &requested)?;
    }
    Ok(source)
}

/// Bucket, key and version of a copy's source: `[/]bucket/key[?versionId=version]`,
/// percent-encoded.
fn parse_source(header: &str) -> Result<(String, String, Option<String>), Fault> {
    let wrong = || Fault::CopySourceForm(header.into());
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version.to_owned())),
        None => (header, None),
    };
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    let decoded = decoded.map_err(|_| wrong())?;
    let path = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, key) = path.split_once('/').ok_or_else(wrong)?;
    if key.is_empty() || check_bucket_name(bucket).is_err() {
        return Err(wrong());
    }
    Ok((bucket.into(), key.into(), version))
}

async fn find_bucket(service: &Service, name: &str) -> Result<Bucket, Fault> {
    let found = service.objects.find_bucket(name).await?;
    found.ok_or_else(|| Fault::NoSuchBucket(name.into()))
}

/// The request must be signed for the bucket's region. Where a bucket is may be asked from
/// anywhere.
fn check_region(call: &Call, bucket: &Bucket, row: &Row) -> Result<(), Fault> {
    match &call.caller.region {
        Some(signed) if *signed != bucket.region && row.operation != "GetBucketLocation" => {
            Err(Fault::WrongRegion {
                signed: signed.clone(),
                region: bucket.region.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn check_owner(seen: &Seen, header: &str, bucket: &Bucket) -> Result<(), Fault> {
    let Some(expected) = text(&seen.headers, header) else {
        return Ok(());
    };
    let owner = expected.parse::<AccountId>();
    let owner = owner.map_err(|_| Fault::InvalidExpectedOwner(expected.into()))?;
    if owner == bucket.owner {
        Ok(())
    } else {
        Err(Fault::AccessDenied("Access Denied".into()))
    }
}

/// Buckets were never versioned, so the only version of an object is `null`.
fn check_version(version: Option<&str>) -> Result<(), Fault> {
    match version {
        None | Some("null" | "") => Ok(()),
        Some(other) => Err(Fault::InvalidVersion(other.into())),
    }
}

/// The full action name; a named version is another action.
fn action(row: &Row, seen: &Seen) -> String {
    let versioned = matches!(
        row.action,
        "GetObject" | "DeleteObject" | "GetObjectTagging" | "DeleteObjectTagging" | "GetObjectAcl"
    ) && seen.parameter("versionId").is_some();
    let name = row.action;
    match name.strip_suffix("Tagging") {
        Some(stem) if versioned => format!("s3:{stem}VersionTagging"),
        _ if versioned => match name.strip_suffix("Acl") {
            Some(stem) => format!("s3:{stem}VersionAcl"),
            None => format!("s3:{name}Version"),
        },
        _ => format!("s3:{name}"),
    }
}

fn not_served(call: &Call, seen: &Seen) -> Fault {
    if call.caller.account.is_none() {
        return Fault::AccessDenied("Access Denied".into());
    }
    Fault::OperationNotServed(seen.operation.clone())
}

/// Headers that ask for what is not served: refused, never ignored.
const NOT_SERVED: [&str; 11] = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-retain-until-date",
    "x-amz-write-offset-bytes",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
    "x-amz-rename-source",
    "x-amz-mfa",
];

/// Whether the body is an object's, and goes to disk as it comes.
fn streams(seen: &Seen) -> bool {
    matches!(seen.operation.as_str(), "PutObject" | "UploadPart")
}

/// Bodies that are not an object's are gathered and parsed, and therefore bounded.
fn check_length(seen: &Seen) -> Result<(), Fault> {
    let limit = limits::S3_XML_BYTES;
    let length = text(&seen.headers, "content-length").and_then(|length| length.parse().ok());
    if !streams(seen) && length.is_some_and(|length: usize| length > limit) {
        return Err(Fault::MessageTooLong { limit });
    }
    Ok(())
}

fn check_headers(seen: &Seen) -> Result<(), Fault> {
    if let Some(name) = NOT_SERVED
        .iter()
        .find(|name| seen.headers.contains_key(**name))
    {
        return Err(Fault::HeaderNotServed(name));
    }
    if text(&seen.headers, "x-amz-server-side-encryption").is_some_and(|sse| sse != "AES256") {
        return Err(Fault::HeaderNotServed("x-amz-server-side-encryption"));
    }
    if text(&seen.headers, "x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(Fault::HeaderNotServed("x-amz-bucket-object-lock-enabled"));
    }
    let grants = seen
        .headers
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-grant-"));
    let acl = text(&seen.headers, "x-amz-acl");
    let harmless = matches!(acl, None | Some("private" | "bucket-owner-full-control"));
    if grants || !harmless {
        Err(Fault::AclsDisabled)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::parse_source;

    #[test]
    fn sources() {
        for (header, expected) in [
            ("bucket/key", Some(("bucket", "key", None))),
            ("/bucket/a/b", Some(("bucket", "a/b", None))),
            ("bucket%2Fa%20b", Some(("bucket", "a b", None))),
            (
                "bucket/a+b?versionId=null",
                Some(("bucket", "a+b", Some("null"))),
            ),
            ("bucket", None),
            ("bucket/", None),
            ("B/key", None),
            ("bucket/%ff", None),
            ("", None),
        ] {
            let expected = expected.map(|(bucket, key, version): (&str, &str, Option<&str>)| {
                (
                    bucket.to_owned(),
                    key.to_owned(),
                    version.map(str::to_owned),
                )
            });
            assert_eq!(parse_source(header).ok(), expected, "{header}");
        }
    }
}
