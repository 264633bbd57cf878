//! Everything that can be wrong with an S3 request once it is authenticated and parsed.
//!
//! Invariant: a variant carries what a human needs to understand the error, and nothing about the
//! wire. Error codes, texts and statuses are in [`wire`] only. This file makes no decisions.

mod wire;

use keywright_store::{
    contract::{FailedPrecondition, StoreError},
    reserve::is_full,
};

use crate::digest::{ChecksumAlgorithm, ChecksumType};

/// An error from reading a request body, passed on unchanged.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Why an S3 action was rejected or failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Fault {
    /// There is no such bucket.
    #[error("no such bucket: {0}")]
    NoSuchBucket(String),
    /// The caller's account already owns a bucket with this name.
    #[error("bucket {0} exists and is the caller's own")]
    BucketOwnedByYou(String),
    /// Another account owns a bucket with this name.
    #[error("bucket {0} exists")]
    BucketExists(String),
    /// The bucket still has objects or unfinished uploads.
    #[error("bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// The account has reached its maximum number of buckets.
    #[error("the account has {limit} buckets")]
    TooManyBuckets {
        /// The maximum number of buckets.
        limit: usize,
    },
    /// The text is not a valid bucket name.
    #[error("not a bucket name: {0}")]
    InvalidBucketName(String),
    /// The location constraint does not fit the endpoint; `unspecified` when it is missing.
    #[error("location constraint {0} does not fit the endpoint's region")]
    IllegalLocation(String),
    /// The location constraint is not a region.
    #[error("no such region: {0}")]
    InvalidLocation(String),
    /// The request was signed for a region other than the bucket's.
    #[error("the request is for region {signed}, the bucket is in {region}")]
    WrongRegion {
        /// The region of the credential scope.
        signed: String,
        /// The bucket's region.
        region: String,
    },
    /// An anonymous request reached the endpoint of another region.
    #[error("bucket {bucket} is in {region}")]
    Moved {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
    },
    /// There is no such object.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// The object has no such version; only the version `null` exists.
    #[error("no version {version} of {key}")]
    NoSuchVersion {
        /// The key.
        key: String,
        /// The requested version.
        version: String,
    },
    /// The text is not a valid version ID.
    #[error("not a version id: {0}")]
    InvalidVersion(String),
    /// There is no such multipart upload.
    #[error("no such upload: {0}")]
    NoSuchUpload(String),
    /// The bucket has no policy.
    #[error("bucket {0} has no policy")]
    NoSuchBucketPolicy(String),
    /// The bucket has no tags.
    #[error("bucket {0} has no tags")]
    NoSuchTagSet(String),
    /// The bucket has no Block Public Access settings.
    #[error("bucket {0} has no public access block")]
    NoSuchPublicAccessBlock(String),
    /// The policy is not valid; the text gives the reason.
    #[error("malformed policy: {0}")]
    MalformedPolicy(String),
    /// The bucket policy is too long.
    #[error("the policy has more than {limit} bytes")]
    PolicyTooLarge {
        /// The maximum size of a bucket policy in bytes.
        limit: usize,
    },
    /// A body is not the expected XML.
    #[error("malformed XML")]
    MalformedXml,
    /// A body that has to be parsed is too long.
    #[error("body longer than {limit} bytes")]
    MessageTooLong {
        /// The maximum size in bytes.
        limit: usize,
    },
    /// The key is too long.
    #[error("key of {size} bytes, {limit} are allowed")]
    KeyTooLong {
        /// Its size in bytes.
        size: usize,
        /// The maximum size of a key in bytes.
        limit: usize,
    },
    /// The user metadata is too large.
    #[error("{size} bytes of metadata, {limit} are allowed")]
    MetadataTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The maximum size of user metadata in bytes.
        limit: usize,
    },
    /// The headers to store with an object are too large.
    #[error("more than {limit} bytes of headers to store")]
    HeadersTooLarge {
        /// The maximum total size of names and values, in bytes.
        limit: usize,
    },
    /// The storage class does not exist or is not supported.
    #[error("storage class {0}")]
    InvalidStorageClass(String),
    /// ACLs are disabled: buckets are owner-enforced.
    #[error("ACLs are disabled")]
    AclsDisabled,
    /// A body is larger than a single upload may be.
    #[error("body of {proposed} bytes, {limit} are allowed")]
    EntityTooLarge {
        /// The announced or received size in bytes.
        proposed: u64,
        /// The maximum size of one upload in bytes.
        limit: u64,
    },
    /// A part other than the last is too small.
    #[error("part {part} has {size} bytes, {limit} are required")]
    EntityTooSmall {
        /// The part's number.
        part: i32,
        /// Its entity tag.
        etag: String,
        /// Its size in bytes.
        size: u64,
        /// The minimum size of a part in bytes.
        limit: u64,
    },
    /// A part listed in the completion request does not exist or has another entity tag.
    #[error("part {part} of upload {upload} does not exist or differs")]
    InvalidPart {
        /// The part's number.
        part: i32,
        /// The entity tag in the request.
        etag: String,
        /// The upload id.
        upload: String,
    },
    /// The parts in the completion request are not in ascending order.
    #[error("parts of upload {0} do not ascend")]
    InvalidPartOrder(String),
    /// The completion request lists no parts.
    #[error("no parts")]
    NoParts,
    /// A part number outside 1 to 10,000.
    #[error("part number {0}")]
    PartNumberOutside(i32),
    /// The object has fewer parts than the requested part number.
    #[error("part {requested} of {count}")]
    NoSuchPart {
        /// The requested part number.
        requested: i32,
        /// The number of parts of the object.
        count: usize,
    },
    /// The request has both a range and a part number.
    #[error("range and part number")]
    RangeAndPart,
    /// The object's size differs from the size announced in the completion request.
    #[error("announced {given} bytes, assembled {computed}")]
    SizeMismatch {
        /// The announced size in bytes.
        given: u64,
        /// The total size of the parts in bytes.
        computed: u64,
    },
    /// A condition on the object does not hold.
    #[error("condition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// A read condition shows that the client's copy is current.
    #[error("not modified")]
    NotModified(Box<crate::Object>),
    /// A condition has a form that S3 does not support.
    #[error("the value of {0} is not served")]
    ConditionNotServed(&'static str),
    /// The object changed while a conditional write was in progress.
    #[error("{key} changed during a write on condition {condition}")]
    Conflict {
        /// The header of the condition.
        condition: &'static str,
        /// The key.
        key: String,
    },
    /// The range does not overlap the object.
    #[error("range {requested} of {size} bytes")]
    InvalidRange {
        /// The requested range.
        requested: String,
        /// The size of the object in bytes.
        size: u64,
    },
    /// The range of a part copy is malformed.
    #[error("copy range {0}")]
    CopyRangeForm(String),
    /// The range of a part copy ends outside the source.
    #[error("copy range {requested} of {size} bytes")]
    CopyRangeOutside {
        /// The requested range.
        requested: String,
        /// The size of the source in bytes.
        size: u64,
    },
    /// The range of a part copy begins outside the source.
    #[error("copy range beyond the source")]
    CopyRangeBeyond,
    /// The source of a copy is not `bucket/key`.
    #[error("copy source {0}")]
    CopySourceForm(String),
    /// An object would be copied to itself unchanged.
    #[error("copy to itself without a change")]
    CopyToItself,
    /// The source of a copy is larger than a single copy may be.
    #[error("copy source larger than {limit} bytes")]
    CopySourceTooLarge {
        /// The maximum size of one copy in bytes.
        limit: u64,
    },
    /// `Content-MD5` is not the base64 of 16 bytes.
    #[error("not an MD5: {0}")]
    InvalidMd5(String),
    /// The body's MD5 differs from the announced one.
    #[error("MD5 {calculated}, announced {expected}")]
    BadMd5 {
        /// The announced value, in hex.
        expected: String,
        /// The computed value, in base64.
        calculated: String,
    },
    /// A problem with a checksum.
    #[error("checksum: {0}")]
    Checksum(#[from] ChecksumFault),
    /// A problem with tags.
    #[error("tags: {0}")]
    Tag(#[from] TagFault),
    /// A bucket does not have this setting.
    #[error("bucket {1} has no {0:?}")]
    NotConfigured(BucketSetting, String),
    /// The request to create a bucket contains an ACL.
    #[error("a new bucket with an ACL")]
    BucketAclWithOwnership,
    /// A header that the operation requires is missing.
    #[error("header {0} is missing")]
    MissingHeader(&'static str),
    /// The request has a body although the operation takes only headers.
    #[error("a body that does not belong there")]
    UnexpectedContent,
    /// The name does not fit the namespace that the request names.
    #[error("bucket {0} is not in its account's namespace")]
    InvalidNamespace(String),
    /// The request is contradictory or incomplete; the text is the complete answer.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A parameter has a value that S3 rejects.
    #[error("{name}={value:?}: {message}")]
    InvalidArgument {
        /// The text for the caller.
        message: String,
        /// The parameter.
        name: &'static str,
        /// Its value, if it is repeated to the caller.
        value: Option<String>,
    },
    /// A parameter would override a response header that cannot be overridden.
    #[error("{parameter} overrides no header")]
    NotOverridable {
        /// The parameter, for example `response-etag`.
        parameter: String,
        /// Its value.
        value: String,
    },
    /// The expected bucket owner is not a valid account ID.
    #[error("expected owner {0}")]
    InvalidExpectedOwner(String),
    /// The caller lacks permission; the text is the complete answer.
    #[error("access denied: {0}")]
    AccessDenied(String),
    /// The resource does not support the method.
    #[error("method {method} on {resource}")]
    MethodNotAllowed {
        /// The HTTP method.
        method: String,
        /// `SERVICE`, `BUCKET` or `OBJECT`.
        resource: &'static str,
    },
    /// A header asks for something that is not supported.
    #[error("header {0} is not served")]
    HeaderNotServed(&'static str),
    /// A part of the request is not understood, so none of it is carried out.
    #[error("{0:?} {1} is not understood")]
    NotUnderstood(UnknownElement, String),
    /// The operation exists in S3 but is not supported here.
    #[error("operation {0} is not served")]
    OperationNotServed(String),
    /// The body is shorter or longer than its announced length.
    #[error("body of {seen} bytes, {announced} announced")]
    IncompleteBody {
        /// The announced size in bytes.
        announced: u64,
        /// The size received, in bytes.
        seen: u64,
    },
    /// The disk is full except for its reserve.
    #[error("the disk is full")]
    DiskFull,
    /// Too much work of the caller is already waiting for the processor.
    #[error("too much waits for the processor")]
    Throttled,
    /// The body would exceed a quota.
    #[error("quota of {limit} bytes exceeded")]
    QuotaExceeded {
        /// The bucket, if it is a bucket quota; `None` for an account quota.
        bucket: Option<String>,
        /// The quota in bytes.
        limit: u64,
    },
    /// Reading the request's body failed.
    #[error("body: {0}")]
    Body(BodyError),
    /// The disk, the index or an invariant failed. The text is for the log, never for the caller.
    #[error("internal: {0}")]
    Internal(String),
}

/// Which part of a request is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownElement {
    /// A header.
    Header,
    /// A query parameter, or the subresource that it names.
    Parameter,
}

/// A bucket setting that cannot be put here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSetting {
    /// Cross-origin rules.
    Cors,
    /// Lifecycle rules.
    Lifecycle,
    /// A website.
    Website,
    /// Replication.
    Replication,
    /// Object lock.
    ObjectLock,
}

/// A problem with a checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumFault {
    /// The algorithm is not one of the five.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// The request has more than one checksum.
    #[error("more than one")]
    Several,
    /// The value is not base64 with the algorithm's length.
    #[error("{0:?} value is malformed")]
    Malformed(ChecksumAlgorithm),
    /// The body's checksum differs from the announced one.
    #[error("{0:?} differs")]
    Differs(ChecksumAlgorithm),
    /// The assembled object's checksum differs from the announced one.
    #[error("{0:?} of the object differs")]
    ObjectDiffers(ChecksumAlgorithm),
    /// A part uses an algorithm other than the upload's.
    #[error("expected {expected:?}")]
    OtherAlgorithm {
        /// The upload's algorithm.
        expected: ChecksumAlgorithm,
        /// The part's algorithm.
        actual: ChecksumAlgorithm,
    },
    /// The algorithm does not support this checksum type.
    #[error("{kind:?} with {algorithm:?}")]
    Incompatible {
        /// The checksum type.
        kind: ChecksumType,
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// The request names a checksum type without an algorithm.
    #[error("kind without algorithm")]
    KindAlone,
    /// The completion request names a checksum type other than the upload's.
    #[error("the upload was created with {0:?}")]
    OtherKind(Option<ChecksumType>),
    /// Completing a composite upload requires the checksum of every part.
    #[error("{algorithm:?} of part {part} is missing")]
    PartMissing {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
        /// The part.
        part: i32,
    },
}

/// A problem with tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// The key is empty, too long or contains invalid characters.
    #[error("key {0}")]
    Key(String),
    /// The value is too long or contains invalid characters.
    #[error("value {value} of {key}")]
    Value {
        /// The tag's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A key occurs twice.
    #[error("key {0} twice")]
    Twice(String),
    /// The key of an object tag begins with `aws:`.
    #[error("reserved key {0}")]
    Reserved(String),
    /// The key of a bucket tag begins with `aws:`.
    #[error("system key {0}")]
    System(String),
    /// The key of a bucket tag begins with `aws:` in another case.
    #[error("system key {0} in another case")]
    SystemCase(String),
    /// The key of a tag in a request to create a bucket begins with `aws:`.
    #[error("system key {0} at creation")]
    ReservedAtCreation(String),
    /// There are too many tags.
    #[error("more than {limit} tags")]
    TooMany {
        /// The maximum number of tags.
        limit: usize,
        /// Whether they are a bucket's tags.
        bucket: bool,
    },
    /// The tagging header cannot be parsed.
    #[error("header {0}")]
    Header(String),
}

impl From<StoreError> for S3Fault {
    fn from(error: StoreError) -> Self {
        match error {
            // Another process changed the row at the same time.
            StoreError::Precondition(FailedPrecondition::BlobChanged(_)) => Self::Throttled,
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<keywright_vault::OpenError> for S3Fault {
    fn from(error: keywright_vault::OpenError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<std::io::Error> for S3Fault {
    fn from(error: std::io::Error) -> Self {
        if is_full(&error) {
            return Self::DiskFull;
        }
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests;
