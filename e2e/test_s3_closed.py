"""Nothing is carried out as something else: every operation of S3's and S3 Control's models, and
sub-resources that nobody knows, against a bucket that is compared before and after."""

import random
import string

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest

from harness.wire import send, sign

# What may change the bucket, as it is called here.
CHANGES = {
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "DeleteBucketTagging",
    "DeleteObject",
    "DeleteObjects",
    "DeleteObjectTagging",
    "DeletePublicAccessBlock",
    "PutBucketAcl",
    "PutBucketPolicy",
    "PutBucketTagging",
    "PutObject",
    "PutObjectAcl",
    "PutObjectTagging",
    "PutPublicAccessBlock",
    "UploadPart",
    "UploadPartCopy",
}
BODY = b'<X xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


@pytest.fixture
def bucket(root, name):
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=b"content", Tagging="a=1")
    root.s3.create_multipart_upload(Bucket=name, Key="k")
    root.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    return name


def state(root, bucket):
    """Everything of it that a client can read, but for what differs between requests."""
    s3 = root.s3
    answers = [
        s3.list_objects_v2(Bucket=bucket),
        s3.list_multipart_uploads(Bucket=bucket),
        s3.get_bucket_tagging(Bucket=bucket),
        s3.get_public_access_block(Bucket=bucket),
        s3.get_object_tagging(Bucket=bucket, Key="k"),
        s3.head_object(Bucket=bucket, Key="k"),
        s3.list_buckets(Prefix=bucket),
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
    return answers, s3.get_object(Bucket=bucket, Key="k")["Body"].read()


def call(server, method: str, target: str, headers=None, body: bytes = BODY):
    request = AWSRequest(method, f"{server.endpoint}{target}", headers or {}, body)
    return send(server, sign(request, server.root, "s3"))


def operations(service: str, bucket: str):
    """Each operation of the newest model: its name, method, target and required headers."""
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        http = operation.http
        path, _, query = http["requestUri"].partition("?")
        pairs = [query] if query else []
        headers = {}
        shape = operation.input_shape
        for member, place in (shape.members if shape else {}).items():
            where = place.serialization
            required = member in shape.required_members
            if where.get("location") == "uri":
                value = bucket if where["name"] == "Bucket" else "k"
                path = path.replace("{%s}" % where["name"], value)
                path = path.replace("{%s+}" % where["name"], value)
            elif where.get("location") == "querystring" and required:
                pairs.append(f"{where['name']}=1")
            elif where.get("location") == "header" and required:
                headers[where["name"].lower()] = "123456789012"
        yield name, http["method"], "?".join([path, "&".join(pairs)]).rstrip("?"), headers


def test_every_operation_of_s3(server, root, bucket):
    before = state(root, bucket)
    for name, method, target, headers in operations("s3", bucket):
        if name in CHANGES:
            continue
        answer = call(server, method, target, headers)
        assert answer.status in (200, 206, 400, 404, 405, 501), (name, answer)
        writes = name.startswith(("Put", "Create", "Delete", "Update", "Rename", "Restore"))
        if writes:
            assert answer.status == 501, (name, target, answer)
    assert state(root, bucket) == before


def test_every_operation_of_s3_control(server, root, bucket):
    before = state(root, bucket)
    for name, method, target, headers in operations("s3control", bucket):
        answer = call(server, method, target, headers)
        expected = (405,) if name in ("TagResource", "UntagResource") else (501,)
        assert answer.status in expected, (name, target, answer)
        account = {**headers, "Host": f"123456789012.localhost:{server.host.split(':')[-1]}"}
        assert call(server, method, target, account).status in expected, name
    assert state(root, bucket) == before


def test_unknown_sub_resources(server, root, bucket):
    before = state(root, bucket)
    dice = random.Random(15)
    for _ in range(60):
        name = "".join(dice.choices(string.ascii_letters + "-", k=dice.randint(3, 20)))
        method = dice.choice(["GET", "HEAD", "PUT", "POST", "DELETE"])
        target = dice.choice(["/", f"/{bucket}", f"/{bucket}/k"])
        query = dice.choice([name, f"{name}=", f"{name}=1", f"tagging&{name}"])
        answer = call(server, method, f"{target}?{query}")
        assert answer.status == 501, (method, target, query, answer)
    assert state(root, bucket) == before


def test_the_tags_of_a_bucket_through_s3_control(server, root, bucket):
    account = {"x-amz-account-id": root.sts.get_caller_identity()["Account"]}
    tags = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A"
    answer = call(server, "GET", f"{tags}{bucket}", account, b"")
    assert answer.status == 200, answer
    assert b"<Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>" in answer.body
    assert call(server, "GET", f"{tags}{bucket}-none", account, b"").status == 404
    other = {"x-amz-account-id": "123456789012"}
    assert call(server, "GET", f"{tags}{bucket}", other, b"").status == 403
    for method in ("POST", "DELETE"):
        assert call(server, method, f"{tags}{bucket}", account, b"").status == 405
    unsigned = AWSRequest("GET", f"{server.endpoint}{tags}{bucket}", account)
    assert send(server, unsigned).status == 403
