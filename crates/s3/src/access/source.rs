//! The source of a copy: what the request names, and whether the caller may read it.

use std::sync::Arc;

use keywright_base::Arn;
use keywright_objects::{Object, S3Fault, check_bucket_name};

use super::{
    S3Shared, check_owner,
    decision::{AccessCheck, Allowed},
    find_bucket, object_permitted, open,
};
use crate::{convert::text, request::S3Call};

/// Finds the source of a copy, if the caller may read it. `earlier` is the source that an earlier
/// decision found.
pub(super) async fn permitted(
    service: &S3Shared,
    call: &S3Call,
    earlier: Option<&Arc<Object>>,
    target: &AccessCheck,
) -> Result<Arc<Object>, S3Fault> {
    let header = text(&call.headers, "x-amz-copy-source").unwrap_or_default();
    let (name, key, version) = parse_source(header)?;
    let bucket = find_bucket(service, &name).await?;
    check_owner(call, "x-amz-source-expected-bucket-owner", &bucket)?;
    let mut check = open(service, call, bucket)?;
    check.context.keys.retain(|(key, _)| key != "s3:versionid");
    check.context.add("s3:versionid", version.as_deref());
    let found = service.objects.find(&name, &key).await?;
    let found = found.or_else(|| earlier.cloned());
    let action = if version.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    let found = (found, version.as_deref());
    let permitted = object_permitted(&check, found, (&name, &key), Some(action));
    let (source, _) = permitted.await?;
    if call.operation() == "CopyObject" && !call.replaces_tags() && !source.meta.tags.is_empty() {
        let existing = check.context.with_existing(&source.meta.tags);
        let arn = Arn::s3_object(&name, &key);
        let reading = check.require("s3:GetObjectTagging", arn.as_str(), &existing);
        let Allowed { .. } = reading.await?;
        let mut requested = target.context.clone();
        requested.request_tags(&source.meta.tags);
        let (bucket, key) = (call.bucket.as_deref(), call.key.as_deref());
        let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
        // The copy is decided as one that sets these tags would be.
        for action in ["s3:PutObject", "s3:PutObjectTagging"] {
            let Allowed { .. } = target.require(action, arn.as_str(), &requested).await?;
        }
    }
    Ok(source)
}

/// The source of a copy as the value of its condition key: `bucket/key` as the operation reads it,
/// so that no other spelling escapes a policy, with the slash at the start if the request has one.
pub(crate) fn source_name(header: &str) -> Option<String> {
    let (bucket, key, _) = parse_source(header).ok()?;
    let start = if header.starts_with('/') { "/" } else { "" };
    Some(format!("{start}{bucket}/{key}"))
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

#[cfg(test)]
mod tests {
    use super::{parse_source, source_name};

    #[test]
    fn a_policy_sees_the_source_that_is_read() {
        for (header, expected) in [
            ("b12/k", Some("b12/k")),
            ("/b12/a/b?versionId=null", Some("/b12/a/b")),
            ("b12%2Fa%20b", Some("b12/a b")),
            ("%62%3112/k", Some("b112/k")),
            ("https://localhost/b12/k", Some("b12/k")),
            ("b12", None),
        ] {
            assert_eq!(source_name(header).as_deref(), expected, "{header}");
        }
    }

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
