//! Request headers about objects: metadata, checksum claims, conditions.
//!
//! The headers are read once, here, from the request as it was signed. A value that S3 ignores is
//! ignored; a value that S3 rejects is rejected.

use http::{HeaderMap, HeaderValue};

use keywright_base::{Timestamp, limits};
use keywright_objects::{
    ChecksumAlgorithm, ChecksumFault, ClaimedBody, ClaimedValue, EntityTags, ObjectMeta, ReadIf,
    S3Fault, StoredHeaders, WriteIf, parse_tagging,
};

use super::{
    authorize::BodyTrailers,
    convert::{parse_http_date, text},
    metadata,
};

/// Headers that the protocol layer would parse more strictly than S3 does, or must not apply. They
/// are missing in the request that it gets.
const OURS: [&str; 17] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "x-amz-website-redirect-location",
    "x-amz-tagging",
    "range",
    "expires",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
];

/// The headers that the protocol layer may see.
pub(super) fn visible(headers: &HeaderMap) -> HeaderMap {
    let mut visible = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        if !OURS.contains(&text) && !text.starts_with("x-amz-meta-") {
            visible.append(name, value.clone());
        }
    }
    // The source of a copy has been looked up before this point; its syntax is checked in
    // `access.rs`.
    if let Some(source) = visible.get_mut("x-amz-copy-source") {
        *source = HeaderValue::from_static("source/key");
    }
    visible
}

/// The metadata to store with an object.
///
/// # Errors
/// [`S3Fault::Tag`], or what is wrong with the user metadata.
pub(super) fn meta(headers: &HeaderMap) -> Result<ObjectMeta, S3Fault> {
    Ok(ObjectMeta {
        headers: stored(headers)?,
        tags: text(headers, "x-amz-tagging").map_or(Ok(Vec::new()), parse_tagging)?,
        storage_class: owned(headers, "x-amz-storage-class").unwrap_or_default(),
    })
}

/// The headers that are returned with an object.
///
/// # Errors
/// What is wrong with the user metadata.
pub(super) fn stored(headers: &HeaderMap) -> Result<StoredHeaders, S3Fault> {
    let encoding = owned(headers, "content-encoding").map(|value| plain_encoding(&value));
    Ok(StoredHeaders {
        content_type: owned(headers, "content-type")
            .filter(|value| !value.is_empty())
            .or_else(|| Some("binary/octet-stream".into())),
        cache_control: owned(headers, "cache-control"),
        content_disposition: owned(headers, "content-disposition"),
        content_encoding: encoding.filter(|value| !value.is_empty()),
        content_language: owned(headers, "content-language"),
        expires: owned(headers, "expires"),
        redirect: owned(headers, "x-amz-website-redirect-location"),
        user: metadata::read(headers)?,
    })
}

/// A content encoding without `aws-chunked`.
pub(super) fn plain_encoding(value: &str) -> String {
    let codings = value.split(',').map(str::trim);
    let retained: Vec<_> = codings
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    retained.join(",")
}

/// What the client claims about the body: length and checksums.
///
/// # Errors
/// [`ChecksumFault::Several`], [`ChecksumFault::UnknownAlgorithm`].
pub(super) fn claims(
    headers: &HeaderMap,
    trailers: Option<&BodyTrailers>,
    length: Option<i64>,
) -> Result<ClaimedBody, S3Fault> {
    let (algorithm, value) = match (checksum(headers)?, trailing(headers)) {
        (Some(_), Some(_)) => return Err(ChecksumFault::Several.into()),
        (Some((algorithm, value)), None) => (Some(algorithm), ClaimedValue::Known(value)),
        (None, Some(algorithm)) => (Some(algorithm), later(algorithm, trailers)),
        (None, None) => {
            let named = text(headers, "x-amz-sdk-checksum-algorithm");
            (
                named.map(ChecksumAlgorithm::parse).transpose()?,
                ClaimedValue::None,
            )
        }
    };
    Ok(ClaimedBody {
        md5: owned(headers, "content-md5"),
        length: length.and_then(|length| u64::try_from(length).ok()),
        algorithm,
        value,
    })
}

/// The checksum header, if the request has one.
///
/// # Errors
/// [`ChecksumFault::Several`].
pub(super) fn checksum(
    headers: &HeaderMap,
) -> Result<Option<(ChecksumAlgorithm, String)>, S3Fault> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(value) = owned(headers, algorithm.header())
            && found.replace((algorithm, value)).is_some()
        {
            return Err(ChecksumFault::Several.into());
        }
    }
    Ok(found)
}

fn trailing(headers: &HeaderMap) -> Option<ChecksumAlgorithm> {
    let named = text(headers, "x-amz-trailer")?;
    ChecksumAlgorithm::ALL.into_iter().find(|algorithm| {
        named
            .split(',')
            .any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()))
    })
}

fn later(algorithm: ChecksumAlgorithm, trailers: Option<&BodyTrailers>) -> ClaimedValue {
    let trailers = trailers.cloned().unwrap_or_default();
    ClaimedValue::Trailing(Box::new(move || {
        owned(trailers.0.get()?, algorithm.header())
    }))
}

/// The headers with the conditions of a read.
pub(super) const READ_IF: [&str; 4] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// The headers with the conditions on the source of a copy, in the same order.
pub(super) const COPY_SOURCE_IF: [&str; 4] = [
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
];

/// The conditions in headers with these names. `if-modified-since` with a date in the future is
/// ignored.
pub(super) fn read_if(headers: &HeaderMap, names: [&str; 4], now: Timestamp) -> ReadIf {
    let [matches, none_match, modified_since, unmodified_since] = names;
    let tags = |name: &str| text(headers, name).map(EntityTags::parse);
    let date = |name: &str| text(headers, name).and_then(parse_http_date);
    ReadIf {
        matches: tags(matches),
        none_match: tags(none_match),
        modified_since: date(modified_since).filter(|since| *since <= now),
        unmodified_since: date(unmodified_since),
    }
}

/// The condition of a write.
///
/// # Errors
/// [`S3Fault::ConditionNotServed`].
pub(super) fn write_if(headers: &HeaderMap) -> Result<WriteIf, S3Fault> {
    WriteIf::parse(text(headers, "if-match"), text(headers, "if-none-match"))
}

/// The requested page size, capped at S3's maximum.
///
/// # Errors
/// [`S3Fault::InvalidArgument`] for a negative size.
pub(super) fn page(requested: Option<i32>, name: &'static str) -> Result<usize, S3Fault> {
    let Some(requested) = requested else {
        return Ok(limits::S3_PAGE);
    };
    usize::try_from(requested)
        .map(|requested| requested.min(limits::S3_PAGE))
        .map_err(|_| S3Fault::InvalidArgument {
            message: format!("Argument {name} must be an integer between 0 and 2147483647"),
            name,
            value: Some(requested.to_string()),
        })
}

fn owned(headers: &HeaderMap, name: &str) -> Option<String> {
    text(headers, name).map(str::to_owned)
}
