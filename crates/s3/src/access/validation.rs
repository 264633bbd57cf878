//! Checks of the request that ask nobody for a permission.

use http::HeaderMap;

use keywright_base::AccountId;
use keywright_objects::{Bucket, S3Fault};

use super::S3Shared;
use crate::{S3Caller, acl, body::DocumentLimit, convert::text, request::S3Call, route};

/// Whether the body is an object's content, which is written to disk as it arrives.
pub(super) fn streams(call: &S3Call) -> bool {
    matches!(call.operation(), "PutObject" | "UploadPart")
}

/// Limits the length of bodies that are not an object's content, because they are buffered and
/// parsed.
pub(super) fn check_length(call: &S3Call) -> Result<(), S3Fault> {
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

pub(super) fn check_headers(call: &S3Call) -> Result<(), S3Fault> {
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

/// CompleteMultipartUpload without a body names no parts, which the protocol layer would call
/// malformed. A missing upload is reported first (recorded 2026-02).
pub(super) async fn check_completion(service: &S3Shared, call: &S3Call) -> Result<(), S3Fault> {
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
pub(super) fn check_arguments(call: &S3Call) -> Result<(), S3Fault> {
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

/// Requires that the request is signed for the bucket's region. GetBucketLocation may be signed for
/// any region.
pub(crate) fn check_region(
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

pub(super) fn check_owner(call: &S3Call, header: &str, bucket: &Bucket) -> Result<(), S3Fault> {
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
pub(super) fn check_version(version: Option<&str>) -> Result<(), S3Fault> {
    match version {
        None | Some("null" | "") => Ok(()),
        Some(other) => Err(S3Fault::InvalidVersion(other.into())),
    }
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
