//! Golden test: what clients see of each fault, as recorded.

use super::{ChecksumFault as C, S3Fault as F, TagFault as T};
use crate::digest::{ChecksumAlgorithm, ChecksumType};

fn show(fault: &F) -> String {
    let answer = fault.wire();
    let extra: String = answer
        .extra
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    format!(
        "{} {}: {}{extra}",
        answer.status,
        answer.code,
        answer.text()
    )
}

#[test]
fn buckets() {
    let b = || "b".to_owned();
    for (fault, expected) in [
        (
            F::NoSuchBucket(b()),
            "404 NoSuchBucket: The specified bucket does not exist BucketName=b",
        ),
        (
            F::BucketOwnedByYou(b()),
            "409 BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded and you already own it. BucketName=b",
        ),
        (
            F::BucketExists(b()),
            "409 BucketAlreadyExists: The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again. BucketName=b",
        ),
        (
            F::BucketNotEmpty(b()),
            "409 BucketNotEmpty: The bucket you tried to delete is not empty BucketName=b",
        ),
        (
            F::InvalidBucketName(b()),
            "400 InvalidBucketName: The specified bucket is not valid. BucketName=b",
        ),
        (
            F::IllegalLocation("unspecified".into()),
            "400 IllegalLocationConstraintException: The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
        ),
        (
            F::InvalidLocation("x".into()),
            "400 InvalidLocationConstraint: The specified location-constraint is not valid LocationConstraint=x",
        ),
        (
            F::WrongRegion {
                signed: "eu-west-1".into(),
                region: "us-east-1".into(),
            },
            "400 AuthorizationHeaderMalformed: The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1' Region=us-east-1",
        ),
        (
            F::NoSuchBucketPolicy(b()),
            "404 NoSuchBucketPolicy: The bucket policy does not exist BucketName=b",
        ),
        (
            F::NoSuchTagSet(b()),
            "404 NoSuchTagSet: The TagSet does not exist BucketName=b",
        ),
        (
            F::MalformedPolicy("Missing required field Statement".into()),
            "400 MalformedPolicy: Missing required field Statement",
        ),
        (
            F::AccessDenied("Access Denied".into()),
            "403 AccessDenied: Access Denied",
        ),
        (
            F::Internal("disk".into()),
            "500 InternalError: We encountered an internal error. Please try again.",
        ),
    ] {
        assert_eq!(show(&fault), expected);
    }
}

#[test]
fn objects() {
    for (fault, expected) in [
        (
            F::NoSuchKey("k".into()),
            "404 NoSuchKey: The specified key does not exist. Key=k",
        ),
        (
            F::InvalidRange {
                requested: "bytes=1024-4096".into(),
                size: 8,
            },
            "416 InvalidRange: The requested range is not satisfiable RangeRequested=bytes=1024-4096 ActualObjectSize=8",
        ),
        (
            F::HeadersTooLarge { limit: 8192 },
            "400 RequestHeaderSectionTooLarge: Your request header section exceeds the maximum allowed size. MaxSizeAllowed=8192",
        ),
        (
            F::PreconditionFailed("If-Match"),
            "412 PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition=If-Match",
        ),
        (
            F::BadMd5 {
                expected: "0989".into(),
                calculated: "Q3uT==".into(),
            },
            "400 BadDigest: The Content-MD5 you specified did not match what we received. ExpectedDigest=0989 CalculatedDigest=Q3uT==",
        ),
        (
            F::InvalidMd5("x".into()),
            "400 InvalidDigest: The Content-MD5 you specified was invalid. Content-MD5=x",
        ),
        (
            F::CopyToItself,
            "400 InvalidRequest: This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ),
        (
            F::CopyRangeOutside {
                requested: "bytes=0-100".into(),
                size: 10,
            },
            "400 InvalidArgument: Range specified is not valid for source object of size: 10 ArgumentName=x-amz-copy-source-range ArgumentValue=bytes=0-100",
        ),
        (
            F::CopyRangeBeyond,
            "400 InvalidRequest: The specified copy range is invalid for the source object size",
        ),
        (
            F::CopyRangeForm("0-8".into()),
            "400 InvalidArgument: The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy ArgumentName=x-amz-copy-source-range ArgumentValue=0-8",
        ),
        (
            F::InvalidStorageClass("FakeClass".into()),
            "400 InvalidStorageClass: The storage class you specified is not valid StorageClassRequested=FakeClass",
        ),
        (
            F::ConditionNotServed("If-None-Match"),
            "501 NotImplemented: A header you provided implies functionality that is not implemented Header=If-None-Match additionalMessage=We don't accept the provided value of If-None-Match header for this API",
        ),
    ] {
        assert_eq!(show(&fault), expected);
    }
}

#[test]
fn requests() {
    for (fault, expected) in [
        (
            F::InvalidExpectedOwner("0000".into()),
            "400 InvalidBucketOwnerAWSAccountID: The value of the expected bucket owner parameter must be an AWS Account ID... [0000]",
        ),
        (
            F::MalformedXml,
            "400 MalformedXML: The XML you provided was not well-formed or did not validate against our published schema",
        ),
        (
            F::AclsDisabled,
            "400 AccessControlListNotSupported: The bucket does not allow ACLs",
        ),
        (
            F::Conflict {
                condition: "If-None-Match",
                key: "k".into(),
            },
            "409 ConditionalRequestConflict: The conditional request cannot succeed due to a conflicting operation against this resource. Condition=If-None-Match Key=k",
        ),
    ] {
        assert_eq!(show(&fault), expected);
    }
}

#[test]
fn uploads() {
    for (fault, expected) in [
        (
            F::NoSuchUpload("u".into()),
            "404 NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed. UploadId=u",
        ),
        (
            F::EntityTooSmall {
                part: 1,
                etag: "e".into(),
                size: 4,
                limit: 5_242_880,
            },
            "400 EntityTooSmall: Your proposed upload is smaller than the minimum allowed size ProposedSize=4 MinSizeAllowed=5242880 PartNumber=1 ETag=e",
        ),
        (
            F::InvalidPart {
                part: 2,
                etag: "e".into(),
                upload: "u".into(),
            },
            "400 InvalidPart: One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag. UploadId=u PartNumber=2 ETag=e",
        ),
        (
            F::InvalidPartOrder("u".into()),
            "400 InvalidPartOrder: The list of parts was not in ascending order. Parts must be ordered by part number. UploadId=u",
        ),
        (
            F::NoParts,
            "400 InvalidRequest: You must specify at least one part",
        ),
        (
            F::PartNumberOutside(-1),
            "400 InvalidArgument: Part number must be an integer between 1 and 10000, inclusive ArgumentName=partNumber ArgumentValue=-1",
        ),
        (
            F::NoSuchPart {
                requested: 10,
                count: 2,
            },
            "416 InvalidPartNumber: The requested partnumber is not satisfiable PartNumberRequested=10 ActualPartCount=2",
        ),
        (
            F::SizeMismatch {
                given: 5,
                computed: 4,
            },
            "400 InvalidRequest: The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 4",
        ),
        (
            F::RangeAndPart,
            "400 InvalidRequest: Cannot specify both Range header and partNumber query parameter",
        ),
    ] {
        assert_eq!(show(&fault), expected);
    }
}

#[test]
fn lack_of_room() {
    for (fault, expected) in [
        (
            F::DiskFull,
            "503 SlowDown: Please reduce your request rate.",
        ),
        (
            F::Throttled,
            "503 SlowDown: Please reduce your request rate.",
        ),
        (
            std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
            "503 SlowDown: Please reduce your request rate.",
        ),
        (
            F::QuotaExceeded {
                bucket: Some("b".into()),
                limit: 7,
            },
            "403 QuotaExceeded: The bucket may store at most 7 bytes BucketName=b",
        ),
        (
            F::QuotaExceeded {
                bucket: None,
                limit: 7,
            },
            "403 QuotaExceeded: The account may store at most 7 bytes",
        ),
    ] {
        assert_eq!(show(&fault), expected);
    }
}

#[test]
fn checksums() {
    use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1};
    for (fault, expected) in [
        (
            C::Differs(Crc64Nvme),
            "400 BadDigest: The CRC64NVME you specified did not match the calculated checksum.",
        ),
        (
            C::ObjectDiffers(Crc32c),
            "400 BadDigest: The crc32c you specified did not match the calculated checksum.",
        ),
        (
            C::Malformed(Sha1),
            "400 InvalidRequest: Value for x-amz-checksum-sha1 header is invalid.",
        ),
        (
            C::Several,
            "400 InvalidRequest: Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            C::UnknownAlgorithm,
            "400 InvalidRequest: Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ),
        (
            C::OtherAlgorithm {
                expected: Crc32c,
                actual: Crc32,
            },
            "400 InvalidRequest: Checksum Type mismatch occurred, expected checksum Type: crc32c, actual checksum Type: crc32",
        ),
        (
            C::Incompatible {
                kind: ChecksumType::Composite,
                algorithm: Crc64Nvme,
            },
            "400 InvalidRequest: The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            C::KindAlone,
            "400 InvalidRequest: The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            C::OtherKind(None),
            "400 InvalidRequest: The upload was created using the null checksum mode. The complete request must use the same checksum mode.",
        ),
        (
            C::PartMissing {
                algorithm: Crc32,
                part: 1,
            },
            "400 InvalidRequest: The upload was created using a crc32 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request.",
        ),
    ] {
        assert_eq!(show(&fault.into()), expected);
    }
}

#[test]
fn tags() {
    let k = || "k".to_owned();
    for (fault, expected) in [
        (
            T::Key(k()),
            "400 InvalidTag: The TagKey you have provided is invalid TagKey=k",
        ),
        (
            T::Value {
                key: k(),
                value: "v".into(),
            },
            "400 InvalidTag: The TagValue you have provided is invalid TagKey=k TagValue=v",
        ),
        (
            T::Twice(k()),
            "400 InvalidTag: Cannot provide multiple Tags with the same key TagKey=k",
        ),
        (
            T::Reserved(k()),
            "400 InvalidTag: Your TagKey cannot be prefixed with aws: TagKey=k",
        ),
        (
            T::System(k()),
            "400 InvalidTag: System tags cannot be added/updated by requester TagKey=k",
        ),
        (
            T::SystemCase(k()),
            "400 InvalidTag: Invalid Tag. Tags cannot start with \"aws:\"(case insensitive) unless they are System Tags that start with \"aws:\"(case sensitive) TagKey=k",
        ),
        (
            T::ReservedAtCreation(k()),
            "400 InvalidTag: User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from your tag keys and try again.",
        ),
        (
            T::Header("a=1&a=2".into()),
            "400 InvalidArgument: The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates. ArgumentName=x-amz-tagging ArgumentValue=a=1&a=2",
        ),
    ] {
        assert_eq!(show(&fault.into()), expected);
    }
}
