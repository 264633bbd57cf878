"""S3's errors as they were recorded from AWS: status, code, text and extra elements of each.

Errors of signatures are in test_refusals.py; which fault has which text is golden in the
`objects` crate. Here each of them is met by a request.
"""

import base64
import hashlib

import pytest
from botocore.awsrequest import AWSRequest

from harness.wire import send, sign

MIB = 1024 * 1024
BODY = b"0123456789"
NOT_WELL_FORMED = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)
TAGS = "<Tagging><TagSet>{}</TagSet></Tagging>"
TAG = "<Tag><Key>{}</Key><Value>{}</Value></Tag>"
OTHER_MD5 = hashlib.md5(b"other").digest()


@pytest.fixture
def bucket(root, name):
    """A bucket with one object of ten bytes, `k`."""
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=BODY)
    return name


def ask(server, line: str, headers=None, body: bytes = b""):
    """The answer to a signed request."""
    method, path = line.split(" ", 1)
    request = AWSRequest(method, f"{server.endpoint}{path}", headers or {}, body)
    return send(server, sign(request, server.root, "s3"))


def refused(answer, status: int, code: str, message: str, extra: dict):
    """Holds an answer to what was recorded."""
    assert answer.error("s3") == (status, code, message)
    for element, text in extra.items():
        assert answer.element(element) == text, (element, answer.body)


def checksum(algorithm: str, size: int) -> list:
    """A wrong checksum, and what is none."""
    header = f"x-amz-checksum-{algorithm.lower()}"
    wrong = base64.b64encode(bytes(size)).decode()
    return [
        (
            "PUT /{b}/k",
            {header: wrong},
            BODY,
            400,
            "BadDigest",
            f"The {algorithm} you specified did not match the calculated checksum.",
            {},
        ),
        (
            "PUT /{b}/k",
            {header: "?"},
            BODY,
            400,
            "InvalidRequest",
            f"Value for {header} header is invalid.",
            {},
        ),
    ]


def location(region: str) -> bytes:
    return f"""<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>
        </CreateBucketConfiguration>""".encode()


ROWS = [
    (
        "GET /{b}-none/k",
        {},
        b"",
        404,
        "NoSuchBucket",
        "The specified bucket does not exist",
        {"BucketName": "{b}-none"},
    ),
    (
        "GET /{b}/my-key",
        {"range": "bytes=0-5"},
        b"",
        404,
        "NoSuchKey",
        "The specified key does not exist.",
        {"Key": "my-key"},
    ),
    (
        "DELETE /{b}",
        {},
        b"",
        409,
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
        {"BucketName": "{b}"},
    ),
    (
        "PUT /Upper-Case",
        {},
        b"",
        400,
        "InvalidBucketName",
        "The specified bucket is not valid.",
        {"BucketName": "Upper-Case"},
    ),
    (
        "PUT /{b}-2",
        {},
        location("us-east-1"),
        400,
        "InvalidLocationConstraint",
        "The specified location-constraint is not valid",
        {"LocationConstraint": "us-east-1"},
    ),
    (
        "GET /{b}?policy",
        {},
        b"",
        404,
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
        {"BucketName": "{b}"},
    ),
    (
        "GET /{b}?policy",
        {"x-amz-expected-bucket-owner": "aa000000000$"},
        b"",
        400,
        "InvalidBucketOwnerAWSAccountID",
        "The value of the expected bucket owner parameter must be an AWS Account ID... "
        "[aa000000000$]",
        {},
    ),
    (
        "PUT /{b}?policy",
        {},
        b"x",
        400,
        "MalformedPolicy",
        "Policies must be valid JSON and the first byte must be '{{'",
        {},
    ),
    (
        "PUT /{b}?policy",
        {},
        b"{}",
        400,
        "MalformedPolicy",
        "Missing required field Statement",
        {},
    ),
    (
        "GET /{b}?tagging",
        {},
        b"",
        404,
        "NoSuchTagSet",
        "The TagSet does not exist",
        {"BucketName": "{b}"},
    ),
    (
        "PUT /{b}?tagging",
        {},
        TAGS.format(TAG.format("Key1", "a") * 2).encode(),
        400,
        "InvalidTag",
        "Cannot provide multiple Tags with the same key",
        {"TagKey": "Key1"},
    ),
    (
        "PUT /{b}?tagging",
        {},
        TAGS.format(TAG.format("aws:prefixed", "a")).encode(),
        400,
        "InvalidTag",
        "System tags cannot be added/updated by requester",
        {"TagKey": "aws:prefixed"},
    ),
    (
        "PUT /{b}/k?tagging",
        {},
        TAGS.format(TAG.format("aws:prefixed", "a")).encode(),
        400,
        "InvalidTag",
        "Your TagKey cannot be prefixed with aws:",
        {"TagKey": "aws:prefixed"},
    ),
    (
        "PUT /{b}/k?tagging",
        {},
        TAGS.format(TAG.format("Key1,Key2", "a")).encode(),
        400,
        "InvalidTag",
        "The TagKey you have provided is invalid",
        {"TagKey": "Key1,Key2"},
    ),
    (
        "PUT /{b}/k?tagging",
        {},
        TAGS.format(TAG.format("Key1", "Val1,Val2")).encode(),
        400,
        "InvalidTag",
        "The TagValue you have provided is invalid",
        {"TagKey": "Key1", "TagValue": "Val1,Val2"},
    ),
    (
        "PUT /{b}/k",
        {"x-amz-tagging": "key1=val1&key1=val2"},
        b"",
        400,
        "InvalidArgument",
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
        "parameters without tag name duplicates.",
        {"ArgumentName": "x-amz-tagging", "ArgumentValue": "key1=val1&key1=val2"},
    ),
    (
        "GET /{b}?list-type=2&encoding-type=value",
        {},
        b"",
        400,
        "InvalidArgument",
        "Invalid Encoding Method specified in Request",
        {"ArgumentName": "encoding-type", "ArgumentValue": "value"},
    ),
    (
        "GET /{b}?list-type=2&continuation-token=%21",
        {},
        b"",
        400,
        "InvalidArgument",
        "The continuation token provided is incorrect",
        {"ArgumentName": "continuation-token"},
    ),
    (
        "GET /{b}/k",
        {"range": "bytes=1024-4096"},
        b"",
        416,
        "InvalidRange",
        "The requested range is not satisfiable",
        {"RangeRequested": "bytes=1024-4096", "ActualObjectSize": "10"},
    ),
    (
        "GET /{b}/k?partNumber=1",
        {"range": "bytes=0-1"},
        b"",
        400,
        "InvalidRequest",
        "Cannot specify both Range header and partNumber query parameter",
        {},
    ),
    (
        "GET /{b}/k?partNumber=10",
        {},
        b"",
        416,
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
        {"PartNumberRequested": "10", "ActualPartCount": "1"},
    ),
    (
        "GET /{b}/k",
        {"if-match": '"none"'},
        b"",
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        {"Condition": "If-Match"},
    ),
    (
        "PUT /{b}/k",
        {"if-none-match": '"none"'},
        b"",
        501,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        {"Header": "If-None-Match"},
    ),
    (
        "DELETE /{b}/k",
        {"x-amz-if-match-last-modified-time": "Thu, 26 Nov 2026 08:00:00 GMT"},
        b"",
        501,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        {"Header": "x-amz-if-match-last-modified-time"},
    ),
    (
        "PUT /{b}/k",
        {"x-amz-storage-class": "OUTPOSTS"},
        b"",
        400,
        "InvalidStorageClass",
        "The storage class you specified is not valid",
        {"StorageClassRequested": "OUTPOSTS"},
    ),
    (
        "PUT /{b}/k",
        {"content-md5": "__invalid__"},
        b"",
        400,
        "InvalidDigest",
        "The Content-MD5 you specified was invalid.",
        {"Content-MD5": "__invalid__"},
    ),
    (
        "PUT /{b}/k",
        {"content-md5": base64.b64encode(OTHER_MD5).decode()},
        BODY,
        400,
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
        {
            "ExpectedDigest": OTHER_MD5.hex(),
            "CalculatedDigest": base64.b64encode(hashlib.md5(BODY).digest()).decode(),
        },
    ),
    *checksum("CRC32", 4),
    *checksum("CRC32C", 4),
    *checksum("CRC64NVME", 8),
    *checksum("SHA1", 20),
    *checksum("SHA256", 32),
    (
        "PUT /{b}/k",
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
        BODY,
        400,
        "InvalidRequest",
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        {},
    ),
    (
        "PUT /{b}/copy",
        {"x-amz-copy-source": "nonsense"},
        b"",
        400,
        "InvalidArgument",
        "Invalid copy source object key",
        {"ArgumentName": "x-amz-copy-source", "ArgumentValue": "x-amz-copy-source"},
    ),
    (
        "PUT /{b}/k",
        {"x-amz-copy-source": "{b}/k"},
        b"",
        400,
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without "
        "changing the object's metadata, storage class, website redirect location or encryption "
        "attributes.",
        {},
    ),
    (
        "POST /{b}/new?uploads",
        {"x-amz-checksum-algorithm": "TEST"},
        b"",
        400,
        "InvalidRequest",
        "Checksum algorithm provided is unsupported. Please try again with any of the valid "
        "types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        {},
    ),
    (
        "POST /{b}/new?uploads",
        {"x-amz-checksum-type": "COMPOSITE"},
        b"",
        400,
        "InvalidRequest",
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
        "header.",
        {},
    ),
    (
        "POST /{b}/new?uploads",
        {"x-amz-checksum-type": "COMPOSITE", "x-amz-checksum-algorithm": "CRC64NVME"},
        b"",
        400,
        "InvalidRequest",
        "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        {},
    ),
    (
        "POST /{b}/new?uploads",
        {"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-algorithm": "SHA1"},
        b"",
        400,
        "InvalidRequest",
        "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.",
        {},
    ),
    ("POST /{b}?delete", {}, b"<a", 400, "MalformedXML", NOT_WELL_FORMED, {}),
]


def test_requests(server, bucket):
    def fill(text):
        return text.replace("{b}", bucket) if isinstance(text, str) else text

    for line, headers, body, status, code, message, extra in ROWS:
        headers = {header: fill(value) for header, value in headers.items()}
        answer = ask(server, fill(line), headers, body)
        extra = {element: fill(text) for element, text in extra.items()}
        refused(answer, status, code, message.replace("{{", "{"), extra)


def test_uploads(server, root, bucket):
    of = {"Bucket": bucket, "Key": "new"}
    upload = root.s3.create_multipart_upload(**of)["UploadId"]
    part = f"/{bucket}/new?uploadId={upload}&partNumber="
    for number in ("1", "2"):
        assert ask(server, f"PUT {part}{number}", body=b"tiny").status == 200
    etag = hashlib.md5(b"tiny").hexdigest()

    def complete(*parts, headers=None):
        listed = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        return ask(server, f"POST /{bucket}/new?uploadId={upload}", headers, body)

    small = "Your proposed upload is smaller than the minimum allowed size"
    sizes = {"MinSizeAllowed": "5242880", "ProposedSize": "4", "PartNumber": "1", "ETag": etag}
    refused(complete((1, etag), (2, etag)), 400, "EntityTooSmall", small, sizes)
    refused(complete(), 400, "InvalidRequest", "You must specify at least one part", {})
    order = (
        "The list of parts was not in ascending order. Parts must be ordered by part number."
    )
    refused(complete((2, etag), (1, etag)), 400, "InvalidPartOrder", order, {"UploadId": upload})
    gone = (
        "One or more of the specified parts could not be found.  The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag."
    )
    missing = {"UploadId": upload, "PartNumber": "3", "ETag": etag}
    refused(complete((3, etag)), 400, "InvalidPart", gone, missing)
    size = "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 4"
    refused(
        complete((1, etag), headers={"x-amz-mp-object-size": "5"}),
        400,
        "InvalidRequest",
        size,
        {},
    )
    number = "Part number must be an integer between 1 and 10000, inclusive"
    argument = {"ArgumentName": "partNumber", "ArgumentValue": "-1"}
    refused(ask(server, f"PUT {part}-1"), 400, "InvalidArgument", number, argument)
    for asked, code, message, extra in [
        (
            "0-8",
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": "0-8"},
        ),
        (
            "bytes=0-100",
            "InvalidArgument",
            "Range specified is not valid for source object of size: 10",
            {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": "bytes=0-100"},
        ),
        (
            "bytes=100-200",
            "InvalidRequest",
            "The specified copy range is invalid for the source object size",
            {},
        ),
    ]:
        headers = {"x-amz-copy-source": f"{bucket}/k", "x-amz-copy-source-range": asked}
        refused(ask(server, f"PUT {part}3", headers), 400, code, message, extra)
    root.s3.abort_multipart_upload(**of, UploadId=upload)
    unknown = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed."
    )
    answer = ask(server, f"GET /{bucket}/new?uploadId={upload}")
    refused(answer, 404, "NoSuchUpload", unknown, {"UploadId": upload})


def test_checksums_of_parts(server, root, bucket):
    of = {"Bucket": bucket, "Key": "new"}
    made = root.s3.create_multipart_upload(**of, ChecksumAlgorithm="SHA1")
    upload = made["UploadId"]
    part = f"/{bucket}/new?uploadId={upload}&partNumber=1"
    crc32 = base64.b64encode(b"\xa6\x84\xc7\xc6").decode()  # of BODY
    answer = ask(server, f"PUT {part}", {"x-amz-checksum-crc32": crc32}, BODY)
    mismatch = (
        "Checksum Type mismatch occurred, expected checksum Type: sha1, actual checksum Type: "
        "crc32"
    )
    refused(answer, 400, "InvalidRequest", mismatch, {})
    done = root.s3.upload_part(
        **of, UploadId=upload, PartNumber=1, Body=BODY, ChecksumAlgorithm="SHA1"
    )
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{done['ETag']}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    answer = ask(server, f"POST /{bucket}/new?uploadId={upload}", {}, body)
    lacks = (
        "The upload was created using a sha1 checksum. The complete request must include the "
        "checksum for each part. It was missing for part 1 in the request."
    )
    refused(answer, 400, "InvalidRequest", lacks, {})


def test_regions(server, root, name):
    """What depends on the region that the request is signed for."""

    def create(bucket: str, signed_for: str, body: bytes = b""):
        request = AWSRequest("PUT", f"{server.endpoint}/{bucket}", {}, body)
        return send(server, sign(request, server.root, "s3", signed_for))

    incompatible = (
        "The {} location constraint is incompatible for the region specific endpoint this "
        "request was sent to."
    )
    for signed_for, body, named in [
        ("us-west-1", b"", "unspecified"),
        ("us-west-1", location("us-east-2"), "us-east-2"),
        ("us-west-1", location("EU"), "EU"),
        ("eu-west-1", location("bar"), "bar"),
    ]:
        refused(
            create(name, signed_for, body),
            400,
            "IllegalLocationConstraintException",
            incompatible.format(named),
            {},
        )
    assert create(name, "us-west-1", location("us-west-1")).status == 200
    owned = (
        "Your previous request to create the named bucket succeeded and you already own it."
    )
    again = create(name, "us-west-1", location("us-west-1"))
    refused(again, 409, "BucketAlreadyOwnedByYou", owned, {"BucketName": name})
