//! The one place that maps an [`S3Fault`] to what a client sees: status, code, message, extra
//! elements.
//!
//! Invariant: every text here is wire format that SDKs and tools match on; `tests.rs` keeps it
//! golden. The renderer writes the XML. Source of the texts: recorded answers of the
//! service.

use keywright_base::WireError;

use super::{BucketSetting, ChecksumFault, S3Fault, TagFault, UnknownElement};

const BAD: u16 = 400;
const DENIED: u16 = 403;
const MISSING: u16 = 404;
const CONFLICT: u16 = 409;
const UNSATISFIABLE: u16 = 416;
const NOT_SERVED: &str = "A header you provided implies functionality that is not implemented";

impl S3Fault {
    /// Status, code, message, elements and headers as S3 sends them.
    #[expect(
        clippy::too_many_lines,
        reason = "one row a fault: a new fault does not compile until it has its text"
    )]
    pub fn wire(&self) -> WireError {
        match self {
        Self::Checksum(fault) => checksum(fault),
        Self::Tag(fault) => tag(fault),
        Self::NoSuchBucket(name) => WireError::new(
            MISSING,
            "NoSuchBucket",
            "The specified bucket does not exist",
        )
        .with("BucketName", name),
        Self::BucketOwnedByYou(name) => WireError::new(
            CONFLICT,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
        .with("BucketName", name),
        Self::BucketExists(name) => WireError::new(
            CONFLICT,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all \
             users of the system. Please select a different name and try again.",
        )
        .with("BucketName", name),
        Self::BucketNotEmpty(name) => WireError::new(
            CONFLICT,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty",
        )
        .with("BucketName", name),
        Self::TooManyBuckets { .. } => WireError::new(
            BAD,
            "TooManyBuckets",
            "You have attempted to create more buckets than allowed",
        ),
        Self::InvalidBucketName(name) => WireError::new(
            BAD,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        )
        .with("BucketName", name),
        Self::IllegalLocation(name) => WireError::new(
            BAD,
            "IllegalLocationConstraintException",
            format!(
                "The {name} location constraint is incompatible for the region specific endpoint \
                 this request was sent to."
            ),
        ),
        Self::InvalidLocation(name) => WireError::new(
            BAD,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", name),
        Self::WrongRegion { signed, region } => wrong_region(signed, region),
        Self::Moved { bucket, region } => moved(bucket, region),
        Self::NoSuchBucketPolicy(name) => WireError::new(
            MISSING,
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
        )
        .with("BucketName", name),
        Self::NoSuchTagSet(name) => {
            WireError::new(MISSING, "NoSuchTagSet", "The TagSet does not exist")
                .with("BucketName", name)
        }
        Self::MalformedPolicy(message) => WireError::new(BAD, "MalformedPolicy", message.clone()),
        Self::NoSuchPublicAccessBlock(name) => WireError::new(
            MISSING,
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )
        .with("BucketName", name),
        Self::PolicyTooLarge { limit } => WireError::new(
            BAD,
            "MalformedPolicy",
            format!("Policy is too large; exceeds the maximum allowed size of {limit} bytes"),
        ),
        Self::NoSuchUpload(upload) => WireError::new(
            MISSING,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may \
             have been aborted or completed.",
        )
        .with("UploadId", upload),
        Self::EntityTooSmall {
            part,
            etag,
            size,
            limit,
        } => WireError::new(
            BAD,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .with("ProposedSize", size)
        .with("MinSizeAllowed", limit)
        .with("PartNumber", part)
        .with("ETag", etag),
        Self::InvalidPart { part, etag, upload } => WireError::new(
            BAD,
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been \
             uploaded, or the specified entity tag may not match the part's entity tag.",
        )
        .with("UploadId", upload)
        .with("PartNumber", part)
        .with("ETag", etag),
        Self::InvalidPartOrder(upload) => WireError::new(
            BAD,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
        .with("UploadId", upload),
        Self::NoParts => {
            WireError::new(BAD, "InvalidRequest", "You must specify at least one part")
        }
        Self::PartNumberOutside(number) => argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            number,
        ),
        Self::NoSuchPart { requested, count } => WireError::new(
            UNSATISFIABLE,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        )
        .with("PartNumberRequested", requested)
        .with("ActualPartCount", count),
        Self::RangeAndPart => WireError::new(
            BAD,
            "InvalidRequest",
            "Cannot specify both Range header and partNumber query parameter",
        ),
        Self::SizeMismatch { given, computed } => WireError::new(
            BAD,
            "InvalidRequest",
            format!(
                "The provided 'x-amz-mp-object-size' header value {given} does not match what was \
                 computed: {computed}"
            ),
        ),
        Self::PreconditionFailed(condition) => WireError::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", condition),
        Self::NotModified(object) => WireError::new(304, "NotModified", "Not Modified")
            .with_header("etag", format!("\"{}\"", object.etag))
            .with_header("last-modified", object.modified.http_date()),
        Self::ConditionNotServed(header) => WireError::new(501, "NotImplemented", NOT_SERVED)
            .with("Header", header)
            .with(
                "additionalMessage",
                format!("We don't accept the provided value of {header} header for this API"),
            ),
        Self::Conflict { condition, key } => WireError::new(
            CONFLICT,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this \
             resource.",
        )
        .with("Condition", condition)
        .with("Key", key),
        Self::InvalidRange { requested, size } => WireError::new(
            UNSATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .with("RangeRequested", requested)
        .with("ActualObjectSize", size)
        .with_header("content-range", format!("bytes */{size}")),
        Self::CopyRangeForm(requested) => argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            requested,
        ),
        Self::CopyRangeOutside { requested, size } => WireError::new(
            BAD,
            "InvalidArgument",
            format!("Range specified is not valid for source object of size: {size}"),
        )
        .with("ArgumentName", "x-amz-copy-source-range")
        .with("ArgumentValue", requested),
        Self::CopyRangeBeyond => WireError::new(
            BAD,
            "InvalidRequest",
            "The specified copy range is invalid for the source object size",
        ),
        Self::CopySourceForm(_) => argument(
            "Invalid copy source object key",
            "x-amz-copy-source",
            "x-amz-copy-source",
        ),
        Self::CopyToItself => WireError::new(
            BAD,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes.",
        ),
        Self::CopySourceTooLarge { limit } => WireError::new(
            BAD,
            "InvalidRequest",
            format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {limit}"
            ),
        ),
        Self::DiskFull | Self::Throttled => {
            WireError::new(503, "SlowDown", "Please reduce your request rate.")
        }
        // S3 has no quotas; code and status are those of Ceph's Object Gateway.
        Self::QuotaExceeded { bucket, limit } => {
            let owner = if bucket.is_some() {
                "bucket"
            } else {
                "account"
            };
            let message = format!("The {owner} may store at most {limit} bytes");
            let answer = WireError::new(DENIED, "QuotaExceeded", message);
            match bucket {
                Some(bucket) => answer.with("BucketName", bucket),
                None => answer,
            }
        }
        Self::MetadataTooLarge { size, limit } => WireError::new(
            BAD,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", size)
        .with("MaxSizeAllowed", limit),
        Self::HeadersTooLarge { limit } => WireError::new(
            BAD,
            "RequestHeaderSectionTooLarge",
            "Your request header section exceeds the maximum allowed size.",
        )
        .with("MaxSizeAllowed", limit),
        Self::NoSuchKey(key) => WireError::new(
            MISSING,
            "NoSuchKey",
            "The specified key does not exist.",
        )
        .with("Key", key),
        Self::NoSuchVersion { key, version } => WireError::new(
            MISSING,
            "NoSuchVersion",
            "The specified version does not exist.",
        )
        .with("Key", key)
        .with("VersionId", version),
        Self::InvalidVersion(version) => {
            argument("Invalid version id specified", "versionId", version)
        }
        Self::MalformedXml => WireError::new(
            BAD,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        ),
        Self::InvalidStorageClass(class) => WireError::new(
            BAD,
            "InvalidStorageClass",
            "The storage class you specified is not valid",
        )
        .with("StorageClassRequested", class),
        Self::AclsDisabled => WireError::new(
            BAD,
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
        ),
        Self::EntityTooLarge { proposed, limit } => WireError::new(
            BAD,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )
        .with("ProposedSize", proposed)
        .with("MaxSizeAllowed", limit),
        Self::InvalidMd5(given) => WireError::new(
            BAD,
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )
        .with("Content-MD5", given),
        Self::BadMd5 {
            expected,
            calculated,
        } => WireError::new(
            BAD,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        )
        .with("ExpectedDigest", expected)
        .with("CalculatedDigest", calculated),
        Self::IncompleteBody { .. } | Self::Body(_) => WireError::new(
            BAD,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        Self::AccessDenied(message) => WireError::new(DENIED, "AccessDenied", message.clone()),
        Self::KeyTooLong { size, limit } => {
            WireError::new(BAD, "KeyTooLongError", "Your key is too long")
                .with("Size", size)
                .with("MaxSizeAllowed", limit)
        }
        Self::InvalidArgument {
            message,
            name,
            value,
        } => {
            let answer =
                WireError::new(BAD, "InvalidArgument", message.clone()).with("ArgumentName", name);
            match value {
                Some(value) => answer.with("ArgumentValue", value),
                None => answer,
            }
        }
        Self::InvalidRequest(message) => WireError::new(BAD, "InvalidRequest", *message),
        Self::MessageTooLong { limit } => {
            WireError::new(BAD, "MaxMessageLengthExceeded", "Your request was too big.")
                .with("MaxMessageLengthBytes", limit)
        }
        Self::InvalidExpectedOwner(given) => WireError::new(
            BAD,
            "InvalidBucketOwnerAWSAccountID",
            format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... \
                 [{given}]"
            ),
        ),
        Self::MethodNotAllowed { method, resource } => WireError::new(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with("Method", method)
        .with("ResourceType", resource),
        Self::HeaderNotServed(header) => {
            WireError::new(501, "NotImplemented", NOT_SERVED).with("Header", header)
        }
        Self::NotUnderstood(UnknownElement::Header, name) => {
            WireError::new(501, "NotImplemented", NOT_SERVED).with("Header", name)
        }
        Self::NotUnderstood(UnknownElement::Parameter, name) => WireError::new(
            501,
            "NotImplemented",
            "A parameter you provided implies functionality that is not implemented",
        )
        .with("ArgumentName", name),
        Self::OperationNotServed(name) => WireError::new(
            501,
            "NotImplemented",
            format!("The operation {name} is not implemented."),
        ),
        // Recorded 2026-04.
        Self::NotOverridable { parameter, value } => WireError::new(
            BAD,
            "InvalidArgument",
            format!(
                "{parameter} is not in the set of overridable response headers. Please refer to \
                 the S3 API documentation for a complete list of overridable response headers."
            ),
        )
        .with("ArgumentName", parameter)
        .with("ArgumentValue", value),
        Self::NotConfigured(setting, bucket) => not_configured(*setting, bucket),
        Self::BucketAclWithOwnership => WireError::new(
            BAD,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ),
        Self::MissingHeader(header) => WireError::new(
            BAD,
            "MissingSecurityHeader",
            "Your request was missing a required header",
        )
        .with("MissingHeaderName", header),
        Self::UnexpectedContent => WireError::new(
            BAD,
            "UnexpectedContent",
            "This request does not support content",
        ),
        Self::InvalidNamespace(bucket) => WireError::new(
            BAD,
            "InvalidNamespaceHeader",
            "The bucket name does not belong to the namespace of the x-amz-bucket-namespace header",
        )
        .with("BucketName", bucket),
        // The text is for the log.
        Self::Internal(_) => WireError::new(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
    }
    }
}

fn wrong_region(signed: &str, region: &str) -> WireError {
    WireError::new(
        BAD,
        "AuthorizationHeaderMalformed",
        format!(
            "The authorization header is malformed; the region '{signed}' is wrong; expecting \
             '{region}'"
        ),
    )
    .with("Region", region)
    .with_header("x-amz-bucket-region", region)
}

fn moved(bucket: &str, region: &str) -> WireError {
    WireError::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint.",
    )
    .with("Endpoint", format!("{bucket}.s3.{region}.amazonaws.com"))
    .with("Bucket", bucket)
    .with_header("x-amz-bucket-region", region)
}

fn not_configured(setting: BucketSetting, bucket: &str) -> WireError {
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
    WireError::new(MISSING, code, message).with("BucketName", bucket)
}

fn argument(message: &'static str, name: &'static str, value: impl ToString) -> WireError {
    WireError::new(BAD, "InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

fn checksum(fault: &ChecksumFault) -> WireError {
    let invalid = |message: String| WireError::new(BAD, "InvalidRequest", message);
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
        ChecksumFault::Differs(algorithm) => WireError::new(
            BAD,
            "BadDigest",
            format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ),
        ),
        ChecksumFault::ObjectDiffers(algorithm) => WireError::new(
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

fn tag(fault: &TagFault) -> WireError {
    let invalid = |message: &'static str, key: &str| {
        WireError::new(BAD, "InvalidTag", message).with("TagKey", key)
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
        TagFault::ReservedAtCreation(_) => WireError::new(
            BAD,
            "InvalidTag",
            "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system \
             tags. Remove \"aws:\" from your tag keys and try again.",
        ),
        TagFault::TooMany {
            limit,
            bucket: false,
        } => WireError::new(
            BAD,
            "BadRequest",
            format!("Object tags cannot be greater than {limit}"),
        ),
        TagFault::TooMany {
            limit,
            bucket: true,
        } => WireError::new(
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
