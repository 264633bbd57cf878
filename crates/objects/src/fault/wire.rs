//! The one place that maps a [`Fault`] to what a client sees: status, code, message, extra
//! elements.
//!
//! The rule: every text here is wire format that SDKs and tools match on; `tests.rs` holds it
//! golden. XML and headers are made by the server. Source of the texts: recorded answers of the
//! service.

use std::borrow::Cow;

use super::{ChecksumFault, Fault, Setting, TagFault, Unknown};

/// An error answer of S3, without request id and host id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The code, for example `NoSuchKey`.
    pub code: &'static str,
    /// The message.
    pub message: Cow<'static, str>,
    /// Elements between message and request id, in order.
    pub extra: Vec<(&'static str, String)>,
}

impl Answer {
    /// An answer without extra elements.
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

/// What the client sees of a fault.
pub fn answer(fault: &Fault) -> Answer {
    match fault {
        Fault::Checksum(fault) => checksum(fault),
        Fault::Tag(fault) => tag(fault),
        Fault::NoSuchBucket(_)
        | Fault::BucketOwnedByYou(_)
        | Fault::BucketExists(_)
        | Fault::BucketNotEmpty(_)
        | Fault::TooManyBuckets { .. }
        | Fault::InvalidBucketName(_)
        | Fault::IllegalLocation(_)
        | Fault::InvalidLocation(_)
        | Fault::WrongRegion { .. }
        | Fault::Moved { .. }
        | Fault::NoSuchBucketPolicy(_)
        | Fault::NoSuchTagSet(_)
        | Fault::MalformedPolicy(_)
        | Fault::NoSuchPublicAccessBlock(_)
        | Fault::PolicyTooLarge { .. } => bucket(fault),
        Fault::NoSuchUpload(_)
        | Fault::EntityTooSmall { .. }
        | Fault::InvalidPart { .. }
        | Fault::InvalidPartOrder(_)
        | Fault::NoParts
        | Fault::PartNumberOutside(_)
        | Fault::NoSuchPart { .. }
        | Fault::RangeAndPart
        | Fault::SizeMismatch { .. } => multipart(fault),
        Fault::PreconditionFailed(_)
        | Fault::NotModified(_)
        | Fault::ConditionNotServed(_)
        | Fault::Conflict { .. }
        | Fault::InvalidRange { .. } => condition(fault),
        Fault::CopyRangeForm(_)
        | Fault::CopyRangeOutside { .. }
        | Fault::CopyRangeBeyond
        | Fault::CopySourceForm(_)
        | Fault::CopyToItself
        | Fault::CopySourceTooLarge { .. } => copy(fault),
        Fault::DiskFull | Fault::Throttled | Fault::QuotaExceeded { .. } => room(fault),
        Fault::MetadataTooLarge { .. } | Fault::HeadersTooLarge { .. } => stored_headers(fault),
        _ => general(fault),
    }
}

fn bucket(fault: &Fault) -> Answer {
    match fault {
        Fault::NoSuchBucket(name) => Answer::new(
            MISSING,
            "NoSuchBucket",
            "The specified bucket does not exist",
        )
        .with("BucketName", name),
        Fault::BucketOwnedByYou(name) => Answer::new(
            CONFLICT,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
        .with("BucketName", name),
        Fault::BucketExists(name) => Answer::new(
            CONFLICT,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all \
             users of the system. Please select a different name and try again.",
        )
        .with("BucketName", name),
        Fault::BucketNotEmpty(name) => Answer::new(
            CONFLICT,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty",
        )
        .with("BucketName", name),
        Fault::TooManyBuckets { .. } => Answer::new(
            BAD,
            "TooManyBuckets",
            "You have attempted to create more buckets than allowed",
        ),
        Fault::InvalidBucketName(name) => Answer::new(
            BAD,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        )
        .with("BucketName", name),
        Fault::IllegalLocation(name) => Answer::new(
            BAD,
            "IllegalLocationConstraintException",
            format!(
                "The {name} location constraint is incompatible for the region specific endpoint \
                 this request was sent to."
            ),
        ),
        Fault::InvalidLocation(name) => Answer::new(
            BAD,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", name),
        Fault::WrongRegion { signed, region } => wrong_region(signed, region),
        Fault::Moved { bucket, region } => moved(bucket, region),
        Fault::NoSuchBucketPolicy(name) => Answer::new(
            MISSING,
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
        )
        .with("BucketName", name),
        Fault::NoSuchTagSet(name) => {
            Answer::new(MISSING, "NoSuchTagSet", "The TagSet does not exist")
                .with("BucketName", name)
        }
        Fault::MalformedPolicy(message) => Answer::new(BAD, "MalformedPolicy", message.clone()),
        other => settings(other),
    }
}

fn settings(fault: &Fault) -> Answer {
    match fault {
        Fault::NoSuchPublicAccessBlock(name) => Answer::new(
            MISSING,
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )
        .with("BucketName", name),
        Fault::PolicyTooLarge { limit } => Answer::new(
            BAD,
            "MalformedPolicy",
            format!("Policy is too large; exceeds the maximum allowed size of {limit} bytes"),
        ),
        other => internal(other),
    }
}

fn wrong_region(signed: &str, region: &str) -> Answer {
    Answer::new(
        BAD,
        "AuthorizationHeaderMalformed",
        format!(
            "The authorization header is malformed; the region '{signed}' is wrong; expecting \
             '{region}'"
        ),
    )
    .with("Region", region)
}

fn moved(bucket: &str, region: &str) -> Answer {
    Answer::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint.",
    )
    .with("Endpoint", format!("{bucket}.s3.{region}.amazonaws.com"))
    .with("Bucket", bucket)
}

fn multipart(fault: &Fault) -> Answer {
    match fault {
        Fault::NoSuchUpload(upload) => Answer::new(
            MISSING,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may \
             have been aborted or completed.",
        )
        .with("UploadId", upload),
        Fault::EntityTooSmall {
            part,
            etag,
            size,
            limit,
        } => Answer::new(
            BAD,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .with("ProposedSize", size)
        .with("MinSizeAllowed", limit)
        .with("PartNumber", part)
        .with("ETag", etag),
        Fault::InvalidPart { part, etag, upload } => Answer::new(
            BAD,
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been \
             uploaded, or the specified entity tag may not match the part's entity tag.",
        )
        .with("UploadId", upload)
        .with("PartNumber", part)
        .with("ETag", etag),
        Fault::InvalidPartOrder(upload) => Answer::new(
            BAD,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
        .with("UploadId", upload),
        Fault::NoParts => Answer::new(BAD, "InvalidRequest", "You must specify at least one part"),
        Fault::PartNumberOutside(number) => argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            number,
        ),
        Fault::NoSuchPart { asked, count } => Answer::new(
            UNSATISFIABLE,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        )
        .with("PartNumberRequested", asked)
        .with("ActualPartCount", count),
        Fault::RangeAndPart => Answer::new(
            BAD,
            "InvalidRequest",
            "Cannot specify both Range header and partNumber query parameter",
        ),
        Fault::SizeMismatch { given, computed } => Answer::new(
            BAD,
            "InvalidRequest",
            format!(
                "The provided 'x-amz-mp-object-size' header value {given} does not match what was \
                 computed: {computed}"
            ),
        ),
        other => internal(other),
    }
}

fn condition(fault: &Fault) -> Answer {
    match fault {
        Fault::PreconditionFailed(condition) => Answer::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", condition),
        Fault::NotModified(_) => Answer::new(304, "NotModified", "Not Modified"),
        Fault::ConditionNotServed(header) => Answer::new(501, "NotImplemented", NOT_SERVED)
            .with("Header", header)
            .with(
                "additionalMessage",
                format!("We don't accept the provided value of {header} header for this API"),
            ),
        Fault::Conflict { condition, key } => Answer::new(
            CONFLICT,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this \
             resource.",
        )
        .with("Condition", condition)
        .with("Key", key),
        Fault::InvalidRange { asked, size } => Answer::new(
            UNSATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .with("RangeRequested", asked)
        .with("ActualObjectSize", size),
        other => internal(other),
    }
}

fn copy(fault: &Fault) -> Answer {
    match fault {
        Fault::CopyRangeForm(asked) => argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            asked,
        ),
        Fault::CopyRangeOutside { asked, size } => Answer::new(
            BAD,
            "InvalidArgument",
            format!("Range specified is not valid for source object of size: {size}"),
        )
        .with("ArgumentName", "x-amz-copy-source-range")
        .with("ArgumentValue", asked),
        Fault::CopyRangeBeyond => Answer::new(
            BAD,
            "InvalidRequest",
            "The specified copy range is invalid for the source object size",
        ),
        Fault::CopySourceForm(_) => argument(
            "Invalid copy source object key",
            "x-amz-copy-source",
            "x-amz-copy-source",
        ),
        Fault::CopyToItself => Answer::new(
            BAD,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes.",
        ),
        Fault::CopySourceTooLarge { limit } => Answer::new(
            BAD,
            "InvalidRequest",
            format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {limit}"
            ),
        ),
        other => internal(other),
    }
}

fn room(fault: &Fault) -> Answer {
    match fault {
        Fault::DiskFull | Fault::Throttled => {
            Answer::new(503, "SlowDown", "Please reduce your request rate.")
        }
        // S3 has no quotas; code and status are those of Ceph's object gateway.
        Fault::QuotaExceeded { bucket, limit } => {
            let owner = if bucket.is_some() {
                "bucket"
            } else {
                "account"
            };
            let message = format!("The {owner} may store at most {limit} bytes");
            let answer = Answer::new(DENIED, "QuotaExceeded", message);
            match bucket {
                Some(bucket) => answer.with("BucketName", bucket),
                None => answer,
            }
        }
        other => internal(other),
    }
}

fn stored_headers(fault: &Fault) -> Answer {
    match fault {
        Fault::MetadataTooLarge { size, limit } => Answer::new(
            BAD,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", size)
        .with("MaxSizeAllowed", limit),
        Fault::HeadersTooLarge { limit } => Answer::new(
            BAD,
            "RequestHeaderSectionTooLarge",
            "Your request header section exceeds the maximum allowed size.",
        )
        .with("MaxSizeAllowed", limit),
        other => internal(other),
    }
}

fn general(fault: &Fault) -> Answer {
    match fault {
        Fault::NoSuchKey(key) => {
            Answer::new(MISSING, "NoSuchKey", "The specified key does not exist.").with("Key", key)
        }
        Fault::NoSuchVersion { key, version } => Answer::new(
            MISSING,
            "NoSuchVersion",
            "The specified version does not exist.",
        )
        .with("Key", key)
        .with("VersionId", version),
        Fault::InvalidVersion(version) => {
            argument("Invalid version id specified", "versionId", version)
        }
        Fault::MalformedXml => Answer::new(
            BAD,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        ),
        Fault::InvalidStorageClass(class) => Answer::new(
            BAD,
            "InvalidStorageClass",
            "The storage class you specified is not valid",
        )
        .with("StorageClassRequested", class),
        Fault::AclsDisabled => Answer::new(
            BAD,
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
        ),
        Fault::EntityTooLarge { proposed, limit } => Answer::new(
            BAD,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )
        .with("ProposedSize", proposed)
        .with("MaxSizeAllowed", limit),
        Fault::InvalidMd5(given) => Answer::new(
            BAD,
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )
        .with("Content-MD5", given),
        Fault::BadMd5 {
            expected,
            calculated,
        } => Answer::new(
            BAD,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        )
        .with("ExpectedDigest", expected)
        .with("CalculatedDigest", calculated),
        Fault::IncompleteBody { .. } | Fault::Body(_) => Answer::new(
            BAD,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        other => parameter(other),
    }
}

fn parameter(fault: &Fault) -> Answer {
    match fault {
        Fault::AccessDenied(message) => Answer::new(DENIED, "AccessDenied", message.clone()),
        Fault::KeyTooLong { size, limit } => {
            Answer::new(BAD, "KeyTooLongError", "Your key is too long")
                .with("Size", size)
                .with("MaxSizeAllowed", limit)
        }
        Fault::InvalidArgument {
            message,
            name,
            value,
        } => {
            let answer =
                Answer::new(BAD, "InvalidArgument", message.clone()).with("ArgumentName", name);
            match value {
                Some(value) => answer.with("ArgumentValue", value),
                None => answer,
            }
        }
        Fault::InvalidRequest(message) => Answer::new(BAD, "InvalidRequest", *message),
        Fault::MessageTooLong { limit } => {
            Answer::new(BAD, "MaxMessageLengthExceeded", "Your request was too big.")
                .with("MaxMessageLengthBytes", limit)
        }
        Fault::InvalidExpectedOwner(given) => Answer::new(
            BAD,
            "InvalidBucketOwnerAWSAccountID",
            format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... \
                 [{given}]"
            ),
        ),
        Fault::MethodNotAllowed { method, resource } => Answer::new(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with("Method", method)
        .with("ResourceType", resource),
        Fault::HeaderNotServed(header) => {
            Answer::new(501, "NotImplemented", NOT_SERVED).with("Header", header)
        }
        Fault::NotUnderstood(Unknown::Header, name) => {
            Answer::new(501, "NotImplemented", NOT_SERVED).with("Header", name)
        }
        Fault::NotUnderstood(Unknown::Parameter, name) => Answer::new(
            501,
            "NotImplemented",
            "A parameter you provided implies functionality that is not implemented",
        )
        .with("ArgumentName", name),
        Fault::OperationNotServed(name) => Answer::new(
            501,
            "NotImplemented",
            format!("The operation {name} is not implemented."),
        ),
        other => other_argument(other),
    }
}

/// About the settings and ACLs of buckets.
fn other_argument(fault: &Fault) -> Answer {
    match fault {
        // Recorded 2026-04.
        Fault::NotOverridable { parameter, value } => Answer::new(
            BAD,
            "InvalidArgument",
            format!(
                "{parameter} is not in the set of overridable response headers. Please refer to \
                 the S3 API documentation for a complete list of overridable response headers."
            ),
        )
        .with("ArgumentName", parameter)
        .with("ArgumentValue", value),
        Fault::NotConfigured(setting, bucket) => not_configured(*setting, bucket),
        Fault::BucketAclWithOwnership => Answer::new(
            BAD,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ),
        Fault::MissingHeader(header) => Answer::new(
            BAD,
            "MissingSecurityHeader",
            "Your request was missing a required header",
        )
        .with("MissingHeaderName", header),
        Fault::UnexpectedContent => Answer::new(
            BAD,
            "UnexpectedContent",
            "This request does not support content",
        ),
        Fault::InvalidNamespace(bucket) => Answer::new(
            BAD,
            "InvalidNamespaceHeader",
            "The bucket name does not belong to the namespace of the x-amz-bucket-namespace header",
        )
        .with("BucketName", bucket),
        other => internal(other),
    }
}

fn not_configured(setting: Setting, bucket: &str) -> Answer {
    let (code, message) = match setting {
        Setting::Cors => (
            "NoSuchCORSConfiguration",
            "The CORS configuration does not exist",
        ),
        Setting::Lifecycle => (
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
        Setting::Website => (
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        Setting::Replication => (
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
        Setting::ObjectLock => (
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    };
    Answer::new(MISSING, code, message).with("BucketName", bucket)
}

fn internal(_: &Fault) -> Answer {
    Answer::new(
        500,
        "InternalError",
        "We encountered an internal error. Please try again.",
    )
}

fn argument(message: &'static str, name: &'static str, value: impl ToString) -> Answer {
    Answer::new(BAD, "InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

fn checksum(fault: &ChecksumFault) -> Answer {
    let invalid = |message: String| Answer::new(BAD, "InvalidRequest", message);
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
        ChecksumFault::Differs(algorithm) => Answer::new(
            BAD,
            "BadDigest",
            format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ),
        ),
        ChecksumFault::ObjectDiffers(algorithm) => Answer::new(
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
            kind.map_or("null", crate::digest::Kind::name)
        )),
        ChecksumFault::PartMissing { algorithm, part } => invalid(format!(
            "The upload was created using a {} checksum. The complete request must include the \
             checksum for each part. It was missing for part {part} in the request.",
            algorithm.lower()
        )),
    }
}

fn tag(fault: &TagFault) -> Answer {
    let invalid = |message: &'static str, key: &str| {
        Answer::new(BAD, "InvalidTag", message).with("TagKey", key)
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
        TagFault::ReservedAtCreation(_) => Answer::new(
            BAD,
            "InvalidTag",
            "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system \
             tags. Remove \"aws:\" from your tag keys and try again.",
        ),
        TagFault::TooMany {
            limit,
            bucket: false,
        } => Answer::new(
            BAD,
            "BadRequest",
            format!("Object tags cannot be greater than {limit}"),
        ),
        TagFault::TooMany {
            limit,
            bucket: true,
        } => Answer::new(
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
