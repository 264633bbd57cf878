"""Nothing is carried out as something else: every operation of S3's and S3 Control's models, and
sub-resources that nobody knows, against a bucket that is compared before and after."""

import json
import random
import string

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from harness.clients import client
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
        assert answer.status == 501, (name, target, answer)
        account = {**headers, "Host": f"123456789012.localhost:{server.host.split(':')[-1]}"}
        assert call(server, method, target, account).status == 501, name
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
    unsigned = AWSRequest("GET", f"{server.endpoint}{tags}{bucket}", account)
    assert send(server, unsigned).status == 403


def control(server, key):
    """boto3's client of S3 Control and the account's number, which it wants with every call."""
    api = client("s3control", server.endpoint, key)

    def without_account(request, **_):
        # It stands before the host's name, and no address has such names.
        request.url = request.url.replace(f"//{server.account}.", "//")

    api.meta.events.register("before-sign.s3-control", without_account)
    return api, {"AccountId": server.account}


def tag(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def test_tags_are_changed_through_s3_control(server, root, bucket):
    api, account = control(server, server.root)
    of = {**account, "ResourceArn": f"arn:aws:s3:::{bucket}"}
    done = api.tag_resource(**of, Tags=tag(a="2", b="x y"))
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert api.list_tags_for_resource(**of)["Tags"] == tag(a="2", b="x y")
    assert root.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag(a="2", b="x y")
    done = api.untag_resource(**of, TagKeys=["a", "none"])
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert api.list_tags_for_resource(**of)["Tags"] == tag(b="x y")
    most = tag(**{f"k{number}": "v" for number in range(49)})
    api.tag_resource(**of, Tags=most)
    for tags, code in [
        (tag(more="1"), "BadRequest"),
        (tag(**{"aws:x": "1"}), "InvalidTag"),
        (tag(x="1") + tag(x="2"), "InvalidTag"),
    ]:
        with pytest.raises(ClientError) as refused:
            api.tag_resource(**of, Tags=tags)
        assert refused.value.response["Error"]["Code"] == code, refused.value
    assert api.list_tags_for_resource(**of)["Tags"] == tag(b="x y") + most
    assert root.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


def test_what_s3_control_does_not_understand_changes_no_tags(server, root, bucket):
    before = state(root, bucket)
    account = {"x-amz-account-id": server.account}
    target = f"/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A{bucket}"
    body = (
        b'<TagResourceRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags><Tag>'
        b"<Key>a</Key><Value>2</Value></Tag></Tags></TagResourceRequest>"
    )
    large = b" " * (128 * 1024 + 1 - len(body)) + body
    wrong = {**account, "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    for method, query, headers, text, status in [
        ("POST", "?more", account, body, 501),
        ("POST", "", {**account, "x-amz-more": "1"}, body, 501),
        ("POST", "", wrong, body, 400),
        ("POST", "", account, b"<Tags/>", 400),
        ("POST", "", account, b"<TagResourceRequest/>", 400),
        ("POST", "", account, large, 400),
        ("POST", "", {"x-amz-account-id": "123456789012"}, body, 403),
        ("PUT", "", account, body, 501),
        ("DELETE", "", account, b"", 400),
        ("DELETE", "?tagKeys=a&more", account, b"", 501),
    ]:
        answer = call(server, method, f"{target}{query}", headers, text)
        assert answer.status == status, (method, query, text[:80], answer)
    assert state(root, bucket) == before
    assert call(server, "POST", target, account, large[1:]).status == 204


def test_tags_of_a_request_to_s3_control_are_condition_keys(server, root, new_user, name, bucket):
    user = new_user()
    api, account = control(server, user)
    of = {**account, "ResourceArn": f"arn:aws:s3:::{bucket}"}
    before = root.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    for call in [
        lambda: api.tag_resource(**of, Tags=tag(team="a")),
        lambda: api.untag_resource(**of, TagKeys=["a"]),
        lambda: api.list_tags_for_resource(**of),
    ]:
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    allowed = {
        "Effect": "Allow",
        "Action": ["s3:TagResource", "s3:UntagResource"],
        "Resource": f"arn:aws:s3:::{bucket}",
        "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    root.iam.put_user_policy(UserName=name, PolicyName="tags", PolicyDocument=policy)
    with pytest.raises(ClientError, match="AccessDenied"):
        api.tag_resource(**of, Tags=tag(team="a", a="2"))
    with pytest.raises(ClientError, match="AccessDenied"):
        api.untag_resource(**of, TagKeys=["a", "team"])
    assert root.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == before
    api.tag_resource(**of, Tags=tag(team="a"))
    assert root.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == before + tag(team="a")
    api.untag_resource(**of, TagKeys=["team"])
    assert root.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == before
