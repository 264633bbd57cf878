//! Everything that can be wrong with an S3 request once it is authenticated and parsed.
//!
//! The rule: a variant carries what a human needs to understand the refusal, and nothing of the
//! wire. Codes, texts and statuses are in [`wire`] and nowhere else. This file decides nothing.

pub mod wire;

use keywright_store::{contract::StoreError, reserve::is_full};

use crate::digest::{ChecksumAlgorithm, ChecksumType};

/// The failure of a request's body: whatever the reader of the body reported, passed on untouched.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Why an S3 action was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Fault {
    /// There is no such bucket.
    #[error("no such bucket: {0}")]
    NoSuchBucket(String),
    /// The caller's account owns a bucket of this name already.
    #[error("bucket {0} exists and is the caller's own")]
    BucketOwnedByYou(String),
    /// Another account owns a bucket of this name.
    #[error("bucket {0} exists")]
    BucketExists(String),
    /// The bucket still has objects or unfinished uploads.
    #[error("bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// The account has as many buckets as it may have.
    #[error("the account has {limit} buckets")]
    TooManyBuckets {
        /// How many an account may have.
        limit: usize,
    },
    /// The text is not a bucket name.
    #[error("not a bucket name: {0}")]
    InvalidBucketName(String),
    /// The location constraint does not fit the endpoint; `unspecified` when it is missing.
    #[error("location constraint {0} does not fit the endpoint's region")]
    IllegalLocation(String),
    /// The location constraint is no region.
    #[error("no such region: {0}")]
    InvalidLocation(String),
    /// The request was signed for another region than the bucket's.
    #[error("the request is for region {signed}, the bucket is in {region}")]
    WrongRegion {
        /// The region of the credential scope.
        signed: String,
        /// The bucket's region.
        region: String,
    },
    /// An anonymous request came to another region's endpoint.
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
        /// The version that was asked for.
        version: String,
    },
    /// The text is not a version id.
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
    /// The bucket has no settings of Block Public Access.
    #[error("bucket {0} has no public access block")]
    NoSuchPublicAccessBlock(String),
    /// The policy is not acceptable; the text says why.
    #[error("malformed policy: {0}")]
    MalformedPolicy(String),
    /// The bucket policy has more bytes than a bucket policy may have.
    #[error("the policy has more than {limit} bytes")]
    PolicyTooLarge {
        /// The most bytes of a bucket policy.
        limit: usize,
    },
    /// A body is not the XML it has to be.
    #[error("malformed XML")]
    MalformedXml,
    /// A body that has to be parsed is too long.
    #[error("body longer than {limit} bytes")]
    MessageTooLong {
        /// The most bytes of such a body.
        limit: usize,
    },
    /// The key has too many bytes.
    #[error("key of {size} bytes, {limit} are allowed")]
    KeyTooLong {
        /// Its bytes.
        size: usize,
        /// The most bytes of a key.
        limit: usize,
    },
    /// The user metadata has too many bytes.
    #[error("{size} bytes of metadata, {limit} are allowed")]
    MetadataTooLarge {
        /// Its bytes.
        size: usize,
        /// The most bytes of user metadata.
        limit: usize,
    },
    /// The headers that are stored with an object have too many bytes.
    #[error("more than {limit} bytes of headers to store")]
    HeadersTooLarge {
        /// The most bytes of all of them, names and values.
        limit: usize,
    },
    /// There is no such storage class, or it is not served.
    #[error("storage class {0}")]
    InvalidStorageClass(String),
    /// ACLs are disabled: buckets are owner-enforced.
    #[error("ACLs are disabled")]
    AclsDisabled,
    /// A body is longer than a single upload may be.
    #[error("body of {proposed} bytes, {limit} are allowed")]
    EntityTooLarge {
        /// Bytes that were announced or seen.
        proposed: u64,
        /// The most bytes of one upload.
        limit: u64,
    },
    /// A part other than the last is too small.
    #[error("part {part} has {size} bytes, {limit} are required")]
    EntityTooSmall {
        /// The part's number.
        part: i32,
        /// Its entity tag.
        etag: String,
        /// Its bytes.
        size: u64,
        /// The fewest bytes of a part.
        limit: u64,
    },
    /// A part that completion names does not exist or has another entity tag.
    #[error("part {part} of upload {upload} does not exist or differs")]
    InvalidPart {
        /// The part's number.
        part: i32,
        /// The entity tag that was named.
        etag: String,
        /// The upload.
        upload: String,
    },
    /// The parts that completion names do not ascend.
    #[error("parts of upload {0} do not ascend")]
    InvalidPartOrder(String),
    /// Completion names no part.
    #[error("no parts")]
    NoParts,
    /// A part number outside 1 to 10,000.
    #[error("part number {0}")]
    PartNumberOutside(i32),
    /// The object has fewer parts than the number asked for.
    #[error("part {requested} of {count}")]
    NoSuchPart {
        /// The number asked for.
        requested: i32,
        /// How many parts the object has.
        count: usize,
    },
    /// Both a range and a part number were asked for.
    #[error("range and part number")]
    RangeAndPart,
    /// The object's size is not what completion announced.
    #[error("announced {given} bytes, assembled {computed}")]
    SizeMismatch {
        /// The size that was announced.
        given: u64,
        /// The size of the parts together.
        computed: u64,
    },
    /// A condition on the object does not hold.
    #[error("condition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// A condition of a read says that the reader's copy is current.
    #[error("not modified")]
    NotModified(Box<crate::Object>),
    /// A condition has a form that S3 does not serve.
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
    /// The range has no byte in common with the object.
    #[error("range {requested} of {size} bytes")]
    InvalidRange {
        /// The range as it was asked for.
        requested: String,
        /// The object's bytes.
        size: u64,
    },
    /// The range of a part copy has the wrong form.
    #[error("copy range {0}")]
    CopyRangeForm(String),
    /// The range of a part copy ends outside the source.
    #[error("copy range {requested} of {size} bytes")]
    CopyRangeOutside {
        /// The range as it was asked for.
        requested: String,
        /// The source's bytes.
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
    /// The source of a copy is larger than one copy may be.
    #[error("copy source larger than {limit} bytes")]
    CopySourceTooLarge {
        /// The most bytes of one copy.
        limit: u64,
    },
    /// `Content-MD5` is not the base64 of 16 bytes.
    #[error("not an MD5: {0}")]
    InvalidMd5(String),
    /// The body has another MD5 than announced.
    #[error("MD5 {calculated}, announced {expected}")]
    BadMd5 {
        /// As announced, in hex.
        expected: String,
        /// As calculated, in base64.
        calculated: String,
    },
    /// Something about a checksum.
    #[error("checksum: {0}")]
    Checksum(#[from] ChecksumFault),
    /// Something about tags.
    #[error("tags: {0}")]
    Tag(#[from] TagFault),
    /// A bucket does not have this setting.
    #[error("bucket {1} has no {0:?}")]
    NotConfigured(BucketSetting, String),
    /// A bucket was to be created with an ACL.
    #[error("a new bucket with an ACL")]
    BucketAclWithOwnership,
    /// A header that the operation needs is missing.
    #[error("header {0} is missing")]
    MissingHeader(&'static str),
    /// A body came with a request that says everything in headers.
    #[error("a body that does not belong there")]
    UnexpectedContent,
    /// The name does not fit the namespace that the request names.
    #[error("bucket {0} is not in its account's namespace")]
    InvalidNamespace(String),
    /// The request contradicts itself or lacks something; the text is the whole answer.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A parameter has a value that S3 does not take.
    #[error("{name}={value:?}: {message}")]
    InvalidArgument {
        /// The text for the caller.
        message: String,
        /// The parameter.
        name: &'static str,
        /// Its value, when it is repeated to the caller.
        value: Option<String>,
    },
    /// A parameter would replace a header of the answer that none may replace.
    #[error("{parameter} overrides no header")]
    NotOverridable {
        /// The parameter, for example `response-etag`.
        parameter: String,
        /// Its value.
        value: String,
    },
    /// The expected bucket owner is not an account id.
    #[error("expected owner {0}")]
    InvalidExpectedOwner(String),
    /// The caller may not do this; the text is the whole answer.
    #[error("access denied: {0}")]
    AccessDenied(String),
    /// The resource does not know the method.
    #[error("method {method} on {resource}")]
    MethodNotAllowed {
        /// The HTTP method.
        method: String,
        /// `SERVICE`, `BUCKET` or `OBJECT`.
        resource: &'static str,
    },
    /// A header asks for something that is not served.
    #[error("header {0} is not served")]
    HeaderNotServed(&'static str),
    /// A part of the request is not understood, so nothing of it is done.
    #[error("{0:?} {1} is not understood")]
    NotUnderstood(UnknownElement, String),
    /// The operation exists in S3 and is not served here.
    #[error("operation {0} is not served")]
    OperationNotServed(String),
    /// The body ended before, or went on after, its announced length.
    #[error("body of {seen} bytes, {announced} announced")]
    IncompleteBody {
        /// Bytes announced.
        announced: u64,
        /// Bytes seen.
        seen: u64,
    },
    /// The disk is full up to its reserve.
    #[error("the disk is full")]
    DiskFull,
    /// Too much of the caller waits for the processor already.
    #[error("too much waits for the processor")]
    Throttled,
    /// The body would exceed a quota.
    #[error("quota of {limit} bytes exceeded")]
    QuotaExceeded {
        /// The bucket, if the quota is a bucket's and not the account's.
        bucket: Option<String>,
        /// The most bytes that may be stored.
        limit: u64,
    },
    /// Reading the request's body failed.
    #[error("body: {0}")]
    Body(BodyError),
    /// The disk, the index or an invariant failed. The text is for the log, never for the caller.
    #[error("internal: {0}")]
    Internal(String),
}

/// What of a request is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownElement {
    /// A header.
    Header,
    /// A query parameter, or the sub-resource that it names.
    Parameter,
}

/// A setting of buckets that nothing here can put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSetting {
    /// Rules for other origins.
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

/// What can be wrong with checksums.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumFault {
    /// The algorithm is none of the five.
    #[error("unknown algorithm")]
    UnknownAlgorithm,
    /// More than one checksum was sent.
    #[error("more than one")]
    Several,
    /// The value is not base64 of the algorithm's length.
    #[error("{0:?} value is malformed")]
    Malformed(ChecksumAlgorithm),
    /// The body has another checksum.
    #[error("{0:?} differs")]
    Differs(ChecksumAlgorithm),
    /// The assembled object has another checksum than announced.
    #[error("{0:?} of the object differs")]
    ObjectDiffers(ChecksumAlgorithm),
    /// A part came with another algorithm than the upload was created with.
    #[error("expected {expected:?}")]
    OtherAlgorithm {
        /// The upload's algorithm.
        expected: ChecksumAlgorithm,
        /// The part's algorithm.
        actual: ChecksumAlgorithm,
    },
    /// The algorithm cannot be used with this kind.
    #[error("{kind:?} with {algorithm:?}")]
    Incompatible {
        /// The kind.
        kind: ChecksumType,
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// A kind was named without an algorithm.
    #[error("kind without algorithm")]
    KindAlone,
    /// Completion names another kind than the upload has.
    #[error("the upload was created with {0:?}")]
    OtherKind(Option<ChecksumType>),
    /// A composite upload's completion must repeat each part's checksum.
    #[error("{algorithm:?} of part {part} is missing")]
    PartMissing {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
        /// The part.
        part: i32,
    },
}

/// What can be wrong with tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// The key is empty, too long or has other characters.
    #[error("key {0}")]
    Key(String),
    /// The value is too long or has other characters.
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
    /// The key of an object's tag begins with `aws:`.
    #[error("reserved key {0}")]
    Reserved(String),
    /// The key of a bucket's tag begins with `aws:`.
    #[error("system key {0}")]
    System(String),
    /// The key of a bucket's tag begins with `aws:` in another case.
    #[error("system key {0} in another case")]
    SystemCase(String),
    /// The key of a tag that a bucket is created with begins with `aws:`.
    #[error("system key {0} at creation")]
    ReservedAtCreation(String),
    /// There are more tags than an object or a bucket may have.
    #[error("more than {limit} tags")]
    TooMany {
        /// How many it may have.
        limit: usize,
        /// Whether it is a bucket's set.
        bucket: bool,
    },
    /// The tagging header cannot be parsed.
    #[error("header {0}")]
    Header(String),
}

impl From<StoreError> for S3Fault {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
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
