//! Small conversions between the protocol layer's types and those of `keywright_objects`. They make
//! no decisions.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto;

use keywright_base::{AccountId, Timestamp};
use keywright_objects::{Checksum, ChecksumType};

/// The bytes besides letters and digits that `encoding-type=url` leaves as they are.
const URL: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

pub(super) fn timestamp(at: Timestamp) -> dto::Timestamp {
    let since = u64::try_from(at.truncate_to_secs().millis()).unwrap_or(0);
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(since))
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .into()
}

/// The date in a header; `None` if it is malformed, which S3 ignores.
pub(super) fn parse_http_date(text: &str) -> Option<Timestamp> {
    let parsed = dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text.trim()).ok()?;
    let mut out = Vec::new();
    parsed
        .format(dto::TimestampFormat::DateTime, &mut out)
        .ok()?;
    Timestamp::parse_iso8601(std::str::from_utf8(&out).ok()?).ok()
}

pub(super) fn etag(text: &str) -> dto::ETag {
    dto::ETag::Strong(text.into())
}

/// The header with the bucket's region.
pub(super) fn region_header(
    bucket: &keywright_objects::Bucket,
) -> Option<(HeaderName, HeaderValue)> {
    let region = HeaderValue::from_str(&bucket.region).ok()?;
    Some((HeaderName::from_static("x-amz-bucket-region"), region))
}

/// The header with a bucket's ARN.
pub(super) fn arn_header(name: &str) -> Option<(HeaderName, HeaderValue)> {
    let arn = HeaderValue::from_str(keywright_base::Arn::s3_bucket(name).as_str()).ok()?;
    Some((HeaderName::from_static("x-amz-bucket-arn"), arn))
}

pub(super) fn owner(account: AccountId) -> dto::Owner {
    dto::Owner {
        id: Some(keywright_objects::canonical_id(account)),
        ..dto::Owner::default()
    }
}

pub(super) fn url_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, URL)
        .to_string()
        .replace(' ', "+")
}

/// An opaque token for a name.
pub(super) fn token(name: &str) -> String {
    STANDARD.encode(name)
}

/// The name in a token; `None` if the token was not issued by this server.
pub(super) fn parse_token(token: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(token).ok()?).ok()
}

/// A header as text, which may contain characters outside ASCII.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok()
}

pub(super) fn kind(kind: ChecksumType) -> dto::ChecksumType {
    dto::ChecksumType::from(kind.name().to_owned())
}

pub(super) fn sse() -> Option<dto::ServerSideEncryption> {
    Some(dto::ServerSideEncryption::from_static(
        dto::ServerSideEncryption::AES256,
    ))
}

/// The five checksum fields of an output. At most one is set.
#[derive(Debug, Default)]
pub(super) struct ChecksumFields {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

impl ChecksumFields {
    /// Whether one of the fields is set.
    pub(super) const fn is_any(&self) -> bool {
        self.crc32.is_some()
            || self.crc32c.is_some()
            || self.crc64nvme.is_some()
            || self.sha1.is_some()
            || self.sha256.is_some()
    }

    pub(super) fn of(checksum: Option<&Checksum>) -> Self {
        use keywright_objects::ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
        let mut sums = Self::default();
        let Some(checksum) = checksum else {
            return sums;
        };
        let slot = match checksum.algorithm {
            Crc32 => &mut sums.crc32,
            Crc32c => &mut sums.crc32c,
            Crc64Nvme => &mut sums.crc64nvme,
            Sha1 => &mut sums.sha1,
            Sha256 => &mut sums.sha256,
        };
        *slot = Some(checksum.value.clone());
        sums
    }
}

/// Builds an output of the protocol layer that has the five checksum fields.
macro_rules! with_sums {
    ($type:path, $sums:expr, { $($fields:tt)* }) => {{
        let sums: $crate::convert::ChecksumFields = $sums;
        $type {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            $($fields)*
        }
    }};
}
pub(super) use with_sums;
