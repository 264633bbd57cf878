//! The one place that maps an [`S3Fault`] to what a client sees: status, code, message, extra
//! elements.
//!
//! Invariant: every text here is wire format that SDKs and tools match on; `tests.rs` keeps it
//! golden. The server writes the XML and the headers. Source of the texts: recorded answers of the
//! service.

use std::borrow::Cow;

use super::{BucketSetting, ChecksumFault, S3Fault, TagFault, UnknownElement};

/// An S3 error response, without request ID and host ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Error {
    /// The HTTP status.
    pub status: u16,
    /// The error code, for example `NoSuchKey`.
    pub code: &'static str,
    /// The message.
    pub message: Cow<'static, str>,
    /// Elements between the message and the request ID, in order.
    pub extra: Vec<(&'static str, String)>,
}

impl S3Error {
    /// Creates a response without extra elements.
    pub fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            extra: Vec::new(),
        }
    }

    /// Adds an element.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.extra.push((name, value.to_string()));
        self
    }
}

const BAD: u16 = 400;
const DENIED: u16 = 403;
const MISSING: u16 = 404;
const CONFLICT: u16 = 409;
const UNSATISFIABLE: u16 = 416;
const NOT_SERVED: &str = "A header you provided implies functionality that is not implemented";

/// Maps a fault to what the client sees.
#[expect(
    clippy::too_many_lines,
    reason = "one row a fault: a new fault does not compile until it has its text"
)]
pub fn answer(fault: &S3Fault) -> S3Error {
    match fault {
        S3Fault::Checksum(fault) => checksum(fault),
        S3Fault::Tag(fault) => tag(fault),
        S3Fault::NoSuchBucket(name) => S3Error::new(
            MISSING,
            "NoSuchBucket",
            "The specified bucket does not exist",
        )
        .with("BucketName", name),
        S3Fault::BucketOwnedByYou(name) => S3Error::new(
            CONFLICT,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
        .with("BucketName", name),
        S3Fault::BucketExists(name) => S3Error::new(
            CONFLICT,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all \
             users of the system. Please select a different name and try again.",
        )
        .with("BucketName", name),
        S3Fault::BucketNotEmpty(name) => S3Error::new(
            CONFLICT,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty",
        )
        .with("BucketName", name),
        S3Fault::TooManyBuckets { .. } => S3Error::new(
            BAD,
            "TooManyBuckets",
            "You have attempted to create more buckets than allowed",
        ),
        S3Fault::InvalidBucketName(name) => S3Error::new(
            BAD,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        )
        .with("BucketName", name),
        S3Fault::IllegalLocation(name) => S3Error::new(
            BAD,
            "IllegalLocationConstraintException",
            format!(
                "The {name} location constraint is incompatible for the region specific endpoint \
                 this request was sent to."
            ),
        ),
        S3Fault::InvalidLocation(name) => S3Error::new(
            BAD,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", name),
        S3Fault::WrongRegion { signed, region } => wrong_region(signed, region),
        S3Fault::Moved { bucket, region } => moved(bucket, region),
        S3Fault::NoSuchBucketPolicy(name) => S3Error::new(
            MISSING,
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
        )
        .with("BucketName", name),
        S3Fault::NoSuchTagSet(name) => {
            S3Error::new(MISSING, "NoSuchTagSet", "The TagSet does not exist")
                .with("BucketName", name)
        }
        S3Fault::MalformedPolicy(message) => S3Error::new(BAD, "MalformedPolicy", message.clone()),
        S3Fault::NoSuchPublicAccessBlock(name) => S3Error::new(
            MISSING,
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )
        .with("BucketName", name),
        S3Fault::PolicyTooLarge { limit } => S3Error::new(
            BAD,
            "MalformedPolicy",
            format!("Policy is too large; exceeds the maximum allowed size of {limit} bytes"),
        ),
        S3Fault::NoSuchUpload(upload) => S3Error::new(
            MISSING,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may \
             have been aborted or completed.",
        )
        .with("UploadId", upload),
        S3Fault::EntityTooSmall {
            part,
            etag,
            size,
            limit,
        } => S3Error::new(
            BAD,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .with("ProposedSize", size)
        .with("MinSizeAllowed", limit)
        .with("PartNumber", part)
        .with("ETag", etag),
        S3Fault::InvalidPart { part, etag, upload } => S3Error::new(
            BAD,
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been \
             uploaded, or the specified entity tag may not match the part's entity tag.",
        )
        .with("UploadId", upload)
        .with("PartNumber", part)
        .with("ETag", etag),
        S3Fault::InvalidPartOrder(upload) => S3Error::new(
            BAD,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
        .with("UploadId", upload),
        S3Fault::NoParts => {
            S3Error::new(BAD, "InvalidRequest", "You must specify at least one part")
        }
        S3Fault::PartNumberOutside(number) => argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            number,
        ),
        S3Fault::NoSuchPart { requested, count } => S3Error::new(
            UNSATISFIABLE,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        )
        .with("PartNumberRequested", requested)
        .with("ActualPartCount", count),
        S3Fault::RangeAndPart => S3Error::new(
            BAD,
            "InvalidRequest",
            "Cannot specify both Range header and partNumber query parameter",
        ),
        S3Fault::SizeMismatch { given, computed } => S3Error::new(
            BAD,
            "InvalidRequest",
            format!(
                "The provided 'x-amz-mp-object-size' header value {given} does not match what was \
                 computed: {computed}"
            ),
        ),
        S3Fault::PreconditionFailed(condition) => S3Error::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", condition),
        S3Fault::NotModified(_) => S3Error::new(304, "NotModified", "Not Modified"),
        S3Fault::ConditionNotServed(header) => S3Error::new(501, "NotImplemented", NOT_SERVED)
            .with("Header", header)
            .with(
                "additionalMessage",
                format!("We don't accept the provided value of {header} header for this API"),
            ),
        S3Fault::Conflict { condition, key } => S3Error::new(
            CONFLICT,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this \
             resource.",
        )
        .with("Condition", condition)
        .with("Key", key),
        S3Fault::InvalidRange { requested, size } => S3Error::new(
            UNSATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .with("RangeRequested", requested)
        .with("ActualObjectSize", size),
        S3Fault::CopyRangeForm(requested) => argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            requested,
        ),
        S3Fault::CopyRangeOutside { requested, size } => S3Error::new(
            BAD,
            "InvalidArgument",
            format!("Range specified is not valid for source object of size: {size}"),
        )
        .with("ArgumentName", "x-amz-copy-source-range")
        .with("ArgumentValue", requested),
        S3Fault::CopyRangeBeyond => S3Error::new(
            BAD,
            "InvalidRequest",
            "The specified copy range is invalid for the source object size",
        ),
        S3Fault::CopySourceForm(_) => argument(
            "Invalid copy source object key",
            "x-amz-copy-source",
            "x-amz-copy-source",
        ),
        S3Fault::CopyToItself => S3Error::new(
            BAD,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes.",
        ),
        S3Fault::CopySourceTooLarge { limit } => S3Error::new(
            BAD,
            "InvalidRequest",
            format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {limit}"
            ),
        ),
        S3Fault::DiskFull | S3Fault::Throttled => {
            S3Error::new(503, "SlowDown", "Please reduce your request rate.")
        }
        // S3 has no quotas; code and status are those of Ceph's Object Gateway.
        S3Fault::QuotaExceeded { bucket, limit } => {
            let owner = if bucket.is_some() {
                "bucket"
            } else {
                "account"
            };
            let message = format!("The {owner} may store at most {limit} bytes");
            let answer = S3Error::new(DENIED, "QuotaExceeded", message);
            match bucket {
                Some(bucket) => answer.with("BucketName", bucket),
                None => answer,
            }
        }
        S3Fault::MetadataTooLarge { size, limit } => S3Error::new(
            BAD,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", size)
        .with("MaxSizeAllowed", limit),
        S3Fault::HeadersTooLarge { limit } => S3Error::new(
            BAD,
            "RequestHeaderSectionTooLarge",
            "Your request header section exceeds the maximum allowed size.",
        )
        .with("MaxSizeAllowed", limit),
        S3Fault::NoSuchKey(key) => {
            S3Error::new(MISSING, "NoSuchKey", "The specified key does not exist.").with("Key", key)
        }
        S3Fault::NoSuchVersion { key, version } => S3Error::new(
            MISSING,
            "NoSuchVersion",
            "The specified version does not exist.",
        )
        .with("Key", key)
        .with("VersionId", version),
        S3Fault::InvalidVersion(version) => {
            argument("Invalid version id specified", "versionId", version)
        }
        S3Fault::MalformedXml => S3Error::new(
            BAD,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        ),
        S3Fault::InvalidStorageClass(class) => S3Error::new(
            BAD,
            "InvalidStorageClass",
            "The storage class you specified is not valid",
        )
        .with("StorageClassRequested", class),
        S3Fault::AclsDisabled => S3Error::new(
            BAD,
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
        ),
        S3Fault::EntityTooLarge { proposed, limit } => S3Error::new(
            BAD,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )
        .with("ProposedSize", proposed)
        .with("MaxSizeAllowed", limit),
        S3Fault::InvalidMd5(given) => S3Error::new(
            BAD,
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )
        .with("Content-MD5", given),
        S3Fault::BadMd5 {
            expected,
            calculated,
        } => S3Error::new(
            BAD,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        )
        .with("ExpectedDigest", expected)
        .with("CalculatedDigest", calculated),
        S3Fault::IncompleteBody { .. } | S3Fault::Body(_) => S3Error::new(
            BAD,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        S3Fault::AccessDenied(message) => S3Error::new(DENIED, "AccessDenied", message.clone()),
        S3Fault::KeyTooLong { size, limit } => {
            S3Error::new(BAD, "KeyTooLongError", "Your key is too long")
                .with("Size", size)
                .with("MaxSizeAllowed", limit)
        }
        S3Fault::InvalidArgument {
            message,
            name,
            value,
        } => {
            let answer =
                S3Error::new(BAD, "InvalidArgument", message.clone()).with("ArgumentName", name);
            match value {
                Some(value) => answer.with("ArgumentValue", value),
                None => answer,
            }
        }
        S3Fault::InvalidRequest(message) => S3Error::new(BAD, "InvalidRequest", *message),
        S3Fault::MessageTooLong { limit } => {
            S3Error::new(BAD, "MaxMessageLengthExceeded", "Your request was too big.")
                .with("MaxMessageLengthBytes", limit)
        }
        S3Fault::InvalidExpectedOwner(given) => S3Error::new(
            BAD,
            "InvalidBucketOwnerAWSAccountID",
            format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... \
                 [{given}]"
            ),
        ),
        S3Fault::MethodNotAllowed { method, resource } => S3Error::new(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with("Method", method)
        .with("ResourceType", resource),
        S3Fault::HeaderNotServed(header) => {
            S3Error::new(501, "NotImplemented", NOT_SERVED).with("Header", header)
        }
        S3Fault::NotUnderstood(UnknownElement::Header, name) => {
            S3Error::new(501, "NotImplemented", NOT_SERVED).with("Header", name)
        }
        S3Fault::NotUnderstood(UnknownElement::Parameter, name) => S3Error::new(
            501,
            "NotImplemented",
            "A parameter you provided implies functionality that is not implemented",
        )
        .with("ArgumentName", name),
        S3Fault::OperationNotServed(name) => S3Error::new(
            501,
            "NotImplemented",
            format!("The operation {name} is not implemented."),
        ),
        // Recorded 2026-04.
        S3Fault::NotOverridable { parameter, value } => S3Error::new(
            BAD,
            "InvalidArgument",
            format!(
                "{parameter} is not in the set of overridable response headers. Please refer to \
                 the S3 API documentation for a complete list of overridable response headers."
            ),
        )
        .with("ArgumentName", parameter)
        .with("ArgumentValue", value),
        S3Fault::NotConfigured(setting, bucket) => not_configured(*setting, bucket),
        S3Fault::BucketAclWithOwnership => S3Error::new(
            BAD,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ),
        S3Fault::MissingHeader(header) => S3Error::new(
            BAD,
            "MissingSecurityHeader",
            "Your request was missing a required header",
        )
        .with("MissingHeaderName", header),
        S3Fault::UnexpectedContent => S3Error::new(
            BAD,
            "UnexpectedContent",
            "This request does not support content",
        ),
        S3Fault::InvalidNamespace(bucket) => S3Error::new(
            BAD,
            "InvalidNamespaceHeader",
            "The bucket name does not belong to the namespace of the x-amz-bucket-namespace header",
        )
        .with("BucketName", bucket),
        // The text is for the log.
        S3Fault::Internal(_) => S3Error::new(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
    }
}

fn wrong_region(signed: &str, region: &str) -> S3Error {
    S3Error::new(
        BAD,
        "AuthorizationHeaderMalformed",
        format!(
            "The authorization header is malformed; the region '{signed}' is wrong; expecting \
             '{region}'"
        ),
    )
    .with("Region", region)
}

fn moved(bucket: &str, region: &str) -> S3Error {
    S3Error::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint.",
    )
    .with("Endpoint", format!("{bucket}.s3.{region}.amazonaws.com"))
    .with("Bucket", bucket)
}

fn not_configured(setting: BucketSetting, bucket: &str) -> S3Error {
    let (code, message) = match setting {
        BucketSetting::Cors => (
            "NoSuchCORSConfiguration",
            "The CORS configuration does not exist",
        ),
        BucketSetting::Lifecycle => (
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
        BucketSetting::Website => (
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        BucketSetting::Replication => (
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
        BucketSetting::ObjectLock => (
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    };
    S3Error::new(MISSING, code, message).with("BucketName", bucket)
}

fn argument(message: &'static str, name: &'static str, value: impl ToString) -> S3Error {
    S3Error::new(BAD, "InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

fn checksum(fault: &ChecksumFault) -> S3Error {
    let invalid = |message: String| S3Error::new(BAD, "InvalidRequest", message);
    match fault {
        ChecksumFault::UnknownAlgorithm => invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid \
             types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
                .into(),
        ),
        ChecksumFault::Several => invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                .into(),
        ),
        ChecksumFault::Malformed(algorithm) => invalid(format!(
            "Value for {} header is invalid.",
            algorithm.header()
        )),
        ChecksumFault::Differs(algorithm) => S3Error::new(
            BAD,
            "BadDigest",
            format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ),
        ),
        ChecksumFault::ObjectDiffers(algorithm) => S3Error::new(
            BAD,
            "BadDigest",
            format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.lower()
            ),
        ),
        ChecksumFault::OtherAlgorithm { expected, actual } => invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.lower(),
            actual.lower()
        )),
        ChecksumFault::Incompatible { kind, algorithm } => invalid(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.lower()
        )),
        ChecksumFault::KindAlone => invalid(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
             header."
                .into(),
        ),
        ChecksumFault::OtherKind(kind) => invalid(format!(
            "The upload was created using the {} checksum mode. The complete request must use the \
             same checksum mode.",
            kind.map_or("null", crate::digest::ChecksumType::name)
        )),
        ChecksumFault::PartMissing { algorithm, part } => invalid(format!(
            "The upload was created using a {} checksum. The complete request must include the \
             checksum for each part. It was missing for part {part} in the request.",
            algorithm.lower()
        )),
    }
}

fn tag(fault: &TagFault) -> S3Error {
    let invalid = |message: &'static str, key: &str| {
        S3Error::new(BAD, "InvalidTag", message).with("TagKey", key)
    };
    match fault {
        TagFault::Key(key) => invalid("The TagKey you have provided is invalid", key),
        TagFault::Value { key, value } => {
            invalid("The TagValue you have provided is invalid", key).with("TagValue", value)
        }
        TagFault::Twice(key) => invalid("Cannot provide multiple Tags with the same key", key),
        TagFault::Reserved(key) => invalid("Your TagKey cannot be prefixed with aws:", key),
        TagFault::System(key) => invalid("System tags cannot be added/updated by requester", key),
        TagFault::SystemCase(key) => invalid(
            "Invalid Tag. Tags cannot start with \"aws:\"(case insensitive) unless they are System \
             Tags that start with \"aws:\"(case sensitive)",
            key,
        ),
        TagFault::ReservedAtCreation(_) => S3Error::new(
            BAD,
            "InvalidTag",
            "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system \
             tags. Remove \"aws:\" from your tag keys and try again.",
        ),
        TagFault::TooMany {
            limit,
            bucket: false,
        } => S3Error::new(
            BAD,
            "BadRequest",
            format!("Object tags cannot be greater than {limit}"),
        ),
        TagFault::TooMany {
            limit,
            bucket: true,
        } => S3Error::new(
            BAD,
            "BadRequest",
            format!("Bucket tag count cannot be greater than {limit}"),
        ),
        TagFault::Header(value) => argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
             parameters without tag name duplicates.",
            "x-amz-tagging",
            value,
        ),
    }
}
