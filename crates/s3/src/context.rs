//! The condition keys of a request that only S3 knows.
//!
//! Invariant: a key's value comes from what the operation itself uses, with the same decoding. A
//! request whose query repeats a parameter is rejected, so that nothing can be read in two ways.

use http::Uri;

use keywright_objects::{Bucket, S3Fault, Tags};

use super::{access::source_name, authorize::S3Context, convert::text, request::S3Call};

/// Query parameters of listings that are condition keys.
const QUERY: [(&str, &str); 3] = [
    ("prefix", "s3:prefix"),
    ("delimiter", "s3:delimiter"),
    ("max-keys", "s3:max-keys"),
];

/// Headers that are condition keys.
const HEADERS: [(&str, &str); 14] = [
    ("x-amz-bucket-namespace", "s3:x-amz-bucket-namespace"),
    ("x-amz-acl", "s3:x-amz-acl"),
    ("x-amz-grant-full-control", "s3:x-amz-grant-full-control"),
    ("x-amz-grant-read", "s3:x-amz-grant-read"),
    ("x-amz-grant-read-acp", "s3:x-amz-grant-read-acp"),
    ("x-amz-grant-write", "s3:x-amz-grant-write"),
    ("x-amz-grant-write-acp", "s3:x-amz-grant-write-acp"),
    ("x-amz-metadata-directive", "s3:x-amz-metadata-directive"),
    (
        "x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption",
    ),
    ("x-amz-storage-class", "s3:x-amz-storage-class"),
    ("x-amz-object-ownership", "s3:x-amz-object-ownership"),
    (
        "x-amz-website-redirect-location",
        "s3:x-amz-website-redirect-location",
    ),
    ("if-match", "s3:if-match"),
    ("if-none-match", "s3:if-none-match"),
];

impl S3Call {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The header with the object's tags, if those are the tags that will be stored: a copy uses
    /// the header only if it replaces the tags of the source.
    pub(super) fn tagging(&self) -> Option<&str> {
        let copies = self.operation() == "CopyObject" && !self.replaces_tags();
        text(&self.headers, "x-amz-tagging").filter(|_| !copies)
    }

    /// Whether a copy replaces the tags of its source.
    pub(super) fn replaces_tags(&self) -> bool {
        text(&self.headers, "x-amz-tagging-directive") == Some("REPLACE")
    }

    /// Whether the protocol layer reads the body before the operation runs.
    pub(super) fn waited_for_body(&self) -> bool {
        let streamed = matches!(self.operation(), "PutObject" | "UploadPart");
        let empty = text(&self.headers, "content-length").is_none_or(|length| length == "0");
        let chunked = self.headers.contains_key(http::header::TRANSFER_ENCODING);
        !streamed && (!empty || chunked)
    }

    /// For actions that are authorized as PutObject: whether the operation creates an object or
    /// only prepares one.
    fn creates_object(&self) -> Option<&'static str> {
        match self.operation() {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" => Some("true"),
            "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" => Some("false"),
            _ => None,
        }
    }

    /// The condition keys that do not depend on what is stored.
    pub(super) fn context(&self, bucket: Option<&Bucket>) -> Result<S3Context, S3Fault> {
        let mut context = S3Context::default();
        if self.operation().starts_with("List") {
            for (name, key) in QUERY {
                context.add(key, self.parameter(name));
            }
        }
        // A request has fewer headers than there are condition keys.
        for name in self.headers.keys().map(http::HeaderName::as_str) {
            let known = HEADERS.iter().find(|(known, _)| *known == name);
            if let Some((_, key)) = known {
                context.add(key, text(&self.headers, name));
            }
        }
        let source = text(&self.headers, "x-amz-copy-source").and_then(source_name);
        context.add("s3:x-amz-copy-source", source.as_deref());
        context.add("s3:ObjectCreationOperation", self.creates_object());
        context.add("s3:versionid", self.parameter("versionId"));
        if let Some(bucket) = bucket {
            context.add("s3:ResourceAccount", Some(&bucket.owner.to_string()));
        }
        if let Some(header) = self.tagging() {
            context.request_tags(&keywright_objects::parse_tagging(header)?);
        }
        Ok(context)
    }
}

impl S3Context {
    /// Adds a single-valued key, if it has a value.
    pub(super) fn add(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.keys.push((key.into(), vec![value.into()]));
        }
    }

    /// Adds the tags that the request sets on an object.
    pub(super) fn request_tags(&mut self, tags: &Tags) {
        self.tags("s3:RequestObjectTag", "s3:RequestObjectTagKeys", tags);
    }

    /// Adds the tags with which the request creates a bucket.
    pub(super) fn bucket_tags(&mut self, tags: &Tags) {
        self.tags("aws:RequestTag", "aws:TagKeys", tags);
    }

    /// Adds the keys of the tags that the request removes from a bucket.
    pub(super) fn tag_keys(&mut self, keys: &[String]) {
        self.keys.push(("aws:TagKeys".into(), keys.to_vec()));
    }

    /// This context with additional keys.
    pub(super) fn with(&self, mut more: Self) -> Self {
        let mut context = self.clone();
        context.keys.append(&mut more.keys);
        context
    }

    /// Replaces the tags that are in the context.
    fn tags(&mut self, each: &str, all: &str, tags: &Tags) {
        self.each_tag(each, tags);
        self.keys.retain(|(key, _)| key != all);
        if !tags.is_empty() {
            let keys = tags.iter().map(|(key, _)| key.clone()).collect();
            self.keys.push((all.into(), keys));
        }
    }

    fn each_tag(&mut self, each: &str, tags: &Tags) {
        let is_tag = |key: &str| {
            key.strip_prefix(each)
                .is_some_and(|key| key.starts_with('/'))
        };
        self.keys.retain(|(key, _)| !is_tag(key));
        for (key, value) in tags {
            self.add(&format!("{each}/{key}"), Some(value));
        }
    }

    /// The part of this context that is about the bucket, not about the requested object.
    pub(super) fn of_bucket(&self) -> Self {
        let mut keys = self.keys.clone();
        keys.retain(|(key, _)| key == "s3:ResourceAccount");
        Self { keys }
    }

    /// This context with the existing tags of an object.
    pub(super) fn with_existing(&self, tags: &Tags) -> Self {
        let mut context = self.clone();
        context.each_tag("s3:ExistingObjectTag", tags);
        context
    }
}

/// The parameters of the query, decoded as the protocol layer decodes them.
///
/// # Errors
/// [`S3Fault::InvalidArgument`] for a parameter that is repeated or not UTF-8.
pub(super) fn query(uri: &Uri) -> Result<Vec<(String, String)>, S3Fault> {
    let pairs = pairs(uri)?;
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if names.is_sorted_by(|a, b| a < b) {
        Ok(pairs)
    } else {
        Err(bad_query())
    }
}

/// The parameters of a query in which a parameter may be repeated.
///
/// # Errors
/// [`S3Fault::InvalidArgument`] for a parameter that is not UTF-8.
pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, S3Fault> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((unescape(name)?, unescape(value)?))
    });
    pairs.collect()
}

fn unescape(text: &str) -> Result<String, S3Fault> {
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| bad_query())
}

fn bad_query() -> S3Fault {
    S3Fault::InvalidArgument {
        message: "A query parameter is repeated or is not valid UTF-8.".into(),
        name: "query",
        value: None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn queries() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        for (uri, expected) in [
            ("/b", Some(vec![])),
            (
                "/b?prefix=a%2Fb+c&delete",
                Some(vec![pair("prefix", "a/b c"), pair("delete", "")]),
            ),
            ("/b?prefix=a&prefix=b", None),
            ("/b?prefix=a&%70refix=b", None),
            ("/b?prefix=%ff", None),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(super::query(&uri).ok(), expected, "{uri}");
        }
    }
}
