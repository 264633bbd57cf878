//! The central access check of S3: every request passes it before its input is parsed.
//!
//! Invariant: a request is denied unless the table names the operation and the caller's authorizer
//! allows every action that it needs. Clients can observe the order of the checks: names, bucket,
//! region, expected owner, permission, then the object's existence. Only a caller who may list the
//! bucket learns that an object does not exist.

use std::sync::Arc;

use http::HeaderMap;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
};

use keywright_base::{AccountId, Arn};
use keywright_objects::{
    Bucket, CheckFuture, CommitCheck, Object, S3Fault, check_bucket_name, check_key,
};

use super::{
    S3Caller, S3Context, S3Shared, acl,
    authorize::CpuWork,
    body::DocumentLimit,
    convert::text,
    job::{S3Permit, beside},
    public_access,
    request::S3Call,
    route,
    table::{self, OperationRow, Scope},
};

/// The access check as the protocol layer calls it.
pub(super) struct AccessGate(pub(super) Arc<S3Shared>);

/// The protocol layer runs access checks only if it has an authentication provider. This one knows
/// no keys: any credential that still reaches it is denied.
pub(super) struct NoKeys;

#[async_trait::async_trait]
impl S3Auth for NoKeys {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied))
    }
}

#[async_trait::async_trait]
impl S3Access for AccessGate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(call) = cx.extensions_mut().get::<Arc<S3Call>>().cloned() else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let permitted = match check_reading(cx, &call) {
            Ok(()) => decide(&self.0, &call, None).await,
            Err(fault) => Err(fault),
        };
        let permit = permitted.map_err(|fault| call.error.refuse(&fault))?;
        if !streams(&call) {
            call.body.charge(self.0.bodies.account());
            call.body.limit(DocumentLimit::of(call.operation()));
        }
        if route::has_document(call.route) || permit.bucket.is_none() {
            // It is held to its checksum; and CreateBucket reads of it what the protocol layer
            // leaves out.
            call.body.begin();
        }
        cx.extensions_mut().insert(Arc::new(permit));
        Ok(())
    }
}

/// Repeats the whole access check with what is in force now: the key, the user and its policies,
/// the bucket and its policy. Every commit passes it first.
pub(super) struct CommitRecheck {
    pub(super) service: Arc<S3Shared>,
    pub(super) call: Arc<S3Call>,
    /// The source of a copy. It may have been deleted after it was read.
    pub(super) source: Option<Object>,
}

impl CommitRecheck {
    pub(super) async fn decide(&self) -> Result<S3Permit, S3Fault> {
        if let Err(error) = self.call.caller.authorize.check_caller() {
            self.call.error.leave(*error);
            return Err(S3Fault::AccessDenied("Access Denied".into()));
        }
        decide(&self.service, &self.call, self.source.as_ref()).await
    }
}

impl CommitCheck for CommitRecheck {
    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.decide().await.map(drop) })
    }

    fn run_beside(&self, work: CpuWork) -> CheckFuture<'_> {
        Box::pin(beside(&self.call.caller.authorize, work))
    }
}

/// Checks that the protocol layer reads the request as it was read here, or it would carry it out
/// as something else.
fn check_reading(cx: &S3AccessContext<'_>, call: &S3Call) -> Result<(), S3Fault> {
    let (bucket, key) = match cx.s3_path() {
        S3Path::Root => (None, None),
        S3Path::Bucket { bucket } => (Some(&**bucket), None),
        S3Path::Object { bucket, key } => (Some(&**bucket), Some(&**key)),
    };
    let same = cx.s3_op().name() == call.operation()
        && bucket == call.bucket.as_deref()
        && key == call.key.as_deref();
    if same {
        Ok(())
    } else {
        Err(S3Fault::OperationNotServed(call.operation().into()))
    }
}

/// Makes the decision. `source` is the source of a copy that an earlier decision found.
async fn decide(
    service: &S3Shared,
    call: &S3Call,
    source: Option<&Object>,
) -> Result<S3Permit, S3Fault> {
    let not_served = || S3Fault::OperationNotServed(call.operation().into());
    let row = table::row(call.operation()).ok_or_else(not_served)?;
    check_headers(call)?;
    check_length(call)?;
    if let Some(name) = &call.bucket {
        check_bucket_name(name)?;
    }
    if let Some(key) = &call.key {
        check_key(key)?;
    }
    let permit = match row.on {
        Scope::Everything => {
            let permit = S3Permit::begin(&call.caller, None, None, call.context(None)?);
            permit
                .require(&action(row, call), "*", &permit.context)
                .await?;
            permit
        }
        // An anonymous caller cannot own a bucket, whatever the body says.
        Scope::NewBucket if call.caller.account.is_none() => {
            return Err(S3Fault::AccessDenied("Access Denied".into()));
        }
        Scope::NewBucket => S3Permit::begin(&call.caller, None, None, call.context(None)?),
        _ => in_bucket(service, call, source, row).await?,
    };
    check_arguments(call)?;
    if call.operation() == "CompleteMultipartUpload" {
        check_completion(service, call).await?;
    }
    Ok(permit)
}

/// CompleteMultipartUpload without a body names no parts, which the protocol layer would call
/// malformed. A missing upload is reported first (recorded 2026-02).
async fn check_completion(service: &S3Shared, call: &S3Call) -> Result<(), S3Fault> {
    let length = text(&call.headers, "content-length");
    if !matches!(length, None | Some("0")) || call.headers.contains_key("transfer-encoding") {
        return Ok(());
    }
    let (bucket, key) = (call.bucket.as_deref(), call.key.as_deref());
    let of = (bucket.unwrap_or_default(), key.unwrap_or_default());
    let id = call.parameter("uploadId").unwrap_or_default();
    service.objects.find_upload(of.0, of.1, id).await?;
    Err(S3Fault::NoParts)
}

/// Checks the arguments. This runs after authorization, so that only a permitted caller learns what
/// is wrong with them.
fn check_arguments(call: &S3Call) -> Result<(), S3Fault> {
    route::check_integers(&call.query)?;
    let headers = &call.headers;
    if headers.contains_key("x-amz-bypass-governance-retention") {
        let name = "x-amz-bypass-governance-retention";
        return Err(S3Fault::InvalidArgument {
            message: format!("{name} is only applicable to Object Lock enabled buckets."),
            name,
            value: None,
        });
    }
    match call.operation() {
        "PutObject" | "CopyObject" | "CreateMultipartUpload" => acl::of_object(headers),
        _ => Ok(()),
    }
}

async fn in_bucket(
    service: &S3Shared,
    call: &S3Call,
    source: Option<&Object>,
    row: &OperationRow,
) -> Result<S3Permit, S3Fault> {
    let name = call.bucket.as_deref().unwrap_or_default();
    let bucket = find_bucket(service, name).await?;
    check_region(&call.caller, &bucket, row.operation)?;
    check_owner(call, "x-amz-expected-bucket-owner", &bucket)?;
    let mut permit = open(service, call, bucket)?;
    if matches!(row.on, Scope::Keys | Scope::ObjectLater) && permit.denies_strangers(&call.caller) {
        // The resources of these operations are known only from the body. Deny now what would be
        // denied anyway, so that the body need not be sent.
        return Err(S3Fault::AccessDenied("Access Denied".into()));
    }
    match row.on {
        Scope::Bucket => {
            let arn = Arn::s3_bucket(name);
            permit
                .require(&action(row, call), arn.as_str(), &permit.context)
                .await?;
        }
        Scope::Key => key_permitted(&permit, call, row).await?,
        Scope::Object | Scope::ObjectLater => {
            let key = call.key.as_deref().unwrap_or_default();
            let later = row.on == Scope::ObjectLater;
            let found = service.objects.find(name, key).await?;
            let action = (!later).then(|| action(row, call));
            permit.object = Some(
                object_permitted(
                    &permit,
                    (found, call.parameter("versionId")),
                    (name, key),
                    action.as_deref(),
                )
                .await?,
            );
            if row.operation == "GetObjectAttributes" {
                let tags = permit.object.as_ref().map(|object| &object.meta.tags);
                let context = tags.map(|tags| permit.context.with_existing(tags));
                let context = context.as_ref().unwrap_or(&permit.context);
                let arn = Arn::s3_object(name, key);
                permit
                    .require("s3:GetObjectAttributes", arn.as_str(), context)
                    .await?;
            }
        }
        Scope::Everything | Scope::NewBucket | Scope::Keys => {}
    }
    if matches!(row.operation, "CopyObject" | "UploadPartCopy") {
        permit.source = Some(source_permitted(service, call, source, &permit).await?);
    }
    Ok(permit)
}

/// A permit for a request without S3 condition keys of its own.
pub(super) fn open_plain(
    service: &S3Shared,
    caller: &S3Caller,
    bucket: Bucket,
) -> Result<S3Permit, S3Fault> {
    let attached = public_access::attached(service, &bucket)?;
    let policy = attached.policy_for(caller.account).cloned();
    let mut context = S3Context::default();
    context.add("s3:ResourceAccount", Some(&bucket.owner.to_string()));
    Ok(S3Permit::begin(caller, Some(bucket), policy, context))
}

fn open(service: &S3Shared, call: &S3Call, bucket: Bucket) -> Result<S3Permit, S3Fault> {
    let attached = public_access::attached(service, &bucket)?;
    let policy = attached.policy_for(call.caller.account).cloned();
    let context = call.context(Some(&bucket))?;
    Ok(S3Permit::begin(&call.caller, Some(bucket), policy, context))
}

/// Asks for an action on a key, and for tagging it if the request sets tags.
async fn key_permitted(
    permit: &S3Permit,
    call: &S3Call,
    row: &OperationRow,
) -> Result<(), S3Fault> {
    let (bucket, key) = (call.bucket.as_deref(), call.key.as_deref());
    let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
    permit
        .require(&action(row, call), arn.as_str(), &permit.context)
        .await?;
    let tags = call.tagging().is_some_and(|tags| !tags.is_empty());
    if tags
        && matches!(
            row.operation,
            "PutObject" | "CopyObject" | "CreateMultipartUpload"
        )
    {
        permit
            .require("s3:PutObjectTagging", arn.as_str(), &permit.context)
            .await?;
    }
    if row.operation == "DeleteObject" {
        check_version(call.parameter("versionId"))?;
    }
    Ok(())
}

/// Asks for an action on an object. A caller who may not list the bucket is not told that a key
/// does not exist.
async fn object_permitted(
    permit: &S3Permit,
    (found, version): (Option<Object>, Option<&str>),
    (bucket, key): (&str, &str),
    action: Option<&str>,
) -> Result<Object, S3Fault> {
    if let Some(action) = action {
        let tags = found.as_ref().map(|object| &object.meta.tags);
        let context = tags.map_or_else(
            || permit.context.clone(),
            |tags| permit.context.with_existing(tags),
        );
        permit
            .require(action, Arn::s3_object(bucket, key).as_str(), &context)
            .await?;
    }
    check_version(version)?;
    if let Some(object) = found {
        return Ok(object);
    }
    permit
        .require(
            "s3:ListBucket",
            Arn::s3_bucket(bucket).as_str(),
            &permit.context.of_bucket(),
        )
        .await?;
    Err(S3Fault::NoSuchKey(key.into()))
}

async fn source_permitted(
    service: &S3Shared,
    call: &S3Call,
    earlier: Option<&Object>,
    target: &S3Permit,
) -> Result<Object, S3Fault> {
    let header = text(&call.headers, "x-amz-copy-source").unwrap_or_default();
    let (name, key, version) = parse_source(header)?;
    let bucket = find_bucket(service, &name).await?;
    check_owner(call, "x-amz-source-expected-bucket-owner", &bucket)?;
    let mut permit = open(service, call, bucket)?;
    permit.context.keys.retain(|(key, _)| key != "s3:versionid");
    permit.context.add("s3:versionid", version.as_deref());
    let found = service.objects.find(&name, &key).await?;
    let found = found.or_else(|| earlier.cloned());
    let action = if version.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    let found = (found, version.as_deref());
    let source = object_permitted(&permit, found, (&name, &key), Some(action)).await?;
    if call.operation() == "CopyObject" && !call.replaces_tags() && !source.meta.tags.is_empty() {
        let existing = permit.context.with_existing(&source.meta.tags);
        let arn = Arn::s3_object(&name, &key);
        permit
            .require("s3:GetObjectTagging", arn.as_str(), &existing)
            .await?;
        let mut requested = target.context.clone();
        requested.request_tags(&source.meta.tags);
        let (bucket, key) = (call.bucket.as_deref(), call.key.as_deref());
        let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
        target
            .require("s3:PutObjectTagging", arn.as_str(), &requested)
            .await?;
    }
    Ok(source)
}

/// Parses the source of a copy into bucket, key and version: `[/]bucket/key[?versionId=version]`,
/// form-encoded, or a URL with such a path (recorded 2026-02).
fn parse_source(header: &str) -> Result<(String, String, Option<String>), S3Fault> {
    let wrong = || S3Fault::CopySourceForm(header.into());
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version.to_owned())),
        None => (header, None),
    };
    let path = match path.split_once("://") {
        Some(("http" | "https", url)) => url.split_once('/').ok_or_else(wrong)?.1,
        _ => path,
    };
    let path = path.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&path).decode_utf8();
    let decoded = decoded.map_err(|_| wrong())?;
    let path = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, key) = path.split_once('/').ok_or_else(wrong)?;
    if key.is_empty() || check_bucket_name(bucket).is_err() {
        return Err(wrong());
    }
    Ok((bucket.into(), key.into(), version))
}

/// The regions that are old enough to accept Signature Version 2.
const V2_REGIONS: [&str; 9] = [
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

pub(super) async fn find_bucket(service: &S3Shared, name: &str) -> Result<Bucket, S3Fault> {
    let found = service.objects.find_bucket(name).await?;
    found.ok_or_else(|| S3Fault::NoSuchBucket(name.into()))
}

/// Requires that the request is signed for the bucket's region. GetBucketLocation may be signed for
/// any region.
pub(super) fn check_region(
    caller: &S3Caller,
    bucket: &Bucket,
    operation: &str,
) -> Result<(), S3Fault> {
    if caller.version2 && !V2_REGIONS.contains(&&*bucket.region) {
        return Err(S3Fault::InvalidRequest(
            "The authorization mechanism you have provided is not supported. Please use \
             AWS4-HMAC-SHA256.",
        ));
    }
    match &caller.region {
        Some(signed) if *signed != bucket.region && operation != "GetBucketLocation" => {
            Err(S3Fault::WrongRegion {
                signed: signed.clone(),
                region: bucket.region.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn check_owner(call: &S3Call, header: &str, bucket: &Bucket) -> Result<(), S3Fault> {
    let Some(expected) = text(&call.headers, header) else {
        return Ok(());
    };
    let owner = expected.parse::<AccountId>();
    let owner = owner.map_err(|_| S3Fault::InvalidExpectedOwner(expected.into()))?;
    if owner == bucket.owner {
        Ok(())
    } else {
        Err(S3Fault::AccessDenied("Access Denied".into()))
    }
}

/// Versioning was never enabled for any bucket, so the only version of an object is `null`.
fn check_version(version: Option<&str>) -> Result<(), S3Fault> {
    match version {
        None | Some("null" | "") => Ok(()),
        Some(other) => Err(S3Fault::InvalidVersion(other.into())),
    }
}

/// The full name of the action, which differs if the request names a version.
fn action(row: &OperationRow, call: &S3Call) -> String {
    let versioned = matches!(
        row.action,
        "GetObject" | "DeleteObject" | "GetObjectTagging" | "DeleteObjectTagging" | "GetObjectAcl"
    ) && call.parameter("versionId").is_some();
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

/// Whether the body is an object's content, which is written to disk as it arrives.
fn streams(call: &S3Call) -> bool {
    matches!(call.operation(), "PutObject" | "UploadPart")
}

/// Limits the length of bodies that are not an object's content, because they are buffered and
/// parsed.
fn check_length(call: &S3Call) -> Result<(), S3Fault> {
    let limit = DocumentLimit::of(call.operation()).bytes_max();
    let length = text(&call.headers, "content-length").and_then(|length| length.parse().ok());
    if !streams(call) && length.is_some_and(|length: usize| length > limit) {
        return Err(S3Fault::MessageTooLong { limit });
    }
    Ok(())
}

/// Rejects SSE-C, which is not served; a customer key without an algorithm is invalid in itself.
fn check_customer_key(headers: &HeaderMap) -> Result<(), S3Fault> {
    let header = "x-amz-server-side-encryption-customer-algorithm";
    if headers.contains_key(header) {
        return Err(S3Fault::HeaderNotServed(header));
    }
    let mut names = headers.keys().map(http::HeaderName::as_str);
    if names.any(|name| name.starts_with("x-amz-server-side-encryption-customer-")) {
        return Err(S3Fault::InvalidArgument {
            message: "Requests specifying Server Side Encryption with Customer provided keys must \
                      provide a valid encryption algorithm."
                .into(),
            name: header,
            value: Some("null".into()),
        });
    }
    Ok(())
}

fn check_headers(call: &S3Call) -> Result<(), S3Fault> {
    check_customer_key(&call.headers)?;
    if text(&call.headers, "x-amz-server-side-encryption").is_some_and(|sse| sse != "AES256") {
        return Err(S3Fault::HeaderNotServed("x-amz-server-side-encryption"));
    }
    if text(&call.headers, "x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(S3Fault::HeaderNotServed("x-amz-bucket-object-lock-enabled"));
    }
    Ok(())
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
                "bucket/a+b%2Bc?versionId=null",
                Some(("bucket", "a b+c", Some("null"))),
            ),
            (
                "https://localhost:9000/bucket/a%20b",
                Some(("bucket", "a b", None)),
            ),
            ("http://localhost", None),
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
