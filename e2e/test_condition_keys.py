"""Every condition key of S3's table: filled in from a real request, or listed as one that no
request here can have.
"""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from conftest import clients

FOLDER = Path(__file__).parent.parent
TABLE = FOLDER / "crates/policy/data/actions.txt"
DIFFERENCES = FOLDER / "docs/differences.md"

TAGGED = {"CreateBucketConfiguration": {"Tags": [{"Key": "team", "Value": "red"}]}}

# Key, a pattern of its value, the call that has it. {b} is the bucket, which holds the object `k`
# with the tag `team=red`.
ROWS = [
    ("s3:prefix", "a/", "list_objects_v2", {"Prefix": "a/"}),
    ("s3:delimiter", "/", "list_objects_v2", {"Delimiter": "/"}),
    ("s3:max-keys", "7", "list_objects", {"MaxKeys": 7}),
    ("s3:ResourceAccount", "{account}", "list_objects_v2", {}),
    ("s3:authType", "REST-HEADER", "list_objects_v2", {}),
    ("s3:signatureversion", "AWS4-HMAC-SHA256", "list_objects_v2", {}),
    ("s3:x-amz-content-sha256", "e3b0c442*", "list_objects_v2", {}),
    ("aws:SecureTransport", "false", "list_objects_v2", {}),
    ("aws:UserAgent", "Boto3/*", "list_objects_v2", {}),
    ("aws:PrincipalType", "User", "list_objects_v2", {}),
    ("s3:versionid", "null", "get_object", {"Key": "k", "VersionId": "null"}),
    ("s3:ExistingObjectTag/team", "red", "get_object", {"Key": "k"}),
    (
        "s3:ExistingObjectTag/team",
        "red",
        "get_object_attributes",
        {"Key": "k", "ObjectAttributes": ["ETag"]},
    ),
    ("s3:RequestObjectTag/x", "y", "put_object", {"Key": "n", "Tagging": "x=y"}),
    ("s3:RequestObjectTagKeys", "x", "put_object", {"Key": "n", "Tagging": "x=y"}),
    ("s3:ObjectCreationOperation", "true", "put_object", {"Key": "n"}),
    ("s3:ObjectCreationOperation", "false", "create_multipart_upload", {"Key": "n"}),
    ("s3:if-none-match", "*", "put_object", {"Key": "new", "IfNoneMatch": "*"}),
    ("s3:x-amz-acl", "private", "put_object", {"Key": "n", "ACL": "private"}),
    ("s3:x-amz-storage-class", "STANDARD", "put_object", {"Key": "n", "StorageClass": "STANDARD"}),
    (
        "s3:x-amz-server-side-encryption",
        "AES256",
        "put_object",
        {"Key": "n", "ServerSideEncryption": "AES256"},
    ),
    (
        "s3:x-amz-website-redirect-location",
        "/there",
        "put_object",
        {"Key": "n", "WebsiteRedirectLocation": "/there"},
    ),
    (
        "s3:x-amz-object-ownership",
        "BucketOwnerEnforced",
        "create_bucket",
        {"Bucket": "{b}-new", "ObjectOwnership": "BucketOwnerEnforced"},
    ),
    (
        "s3:x-amz-bucket-namespace",
        "global",
        "create_bucket",
        {"Bucket": "{b}-new", "BucketNamespace": "global"},
    ),
    (
        "s3:locationconstraint",
        "eu-west-1",
        "create_bucket",
        {
            "Bucket": "{b}-new",
            "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
        },
    ),
    ("aws:RequestTag/team", "red", "create_bucket", {"Bucket": "{b}-new"} | TAGGED),
    ("aws:TagKeys", "team", "create_bucket", {"Bucket": "{b}-new"} | TAGGED),
]

# Proven elsewhere, or by a call of more than one action below.
OTHERWISE = {
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:signatureage",
    "s3:if-match",
    "s3:tlsversion",
}
# ACLs are off, as they are for new buckets of AWS: a request with a grant is refused before.
GRANTS = ("full-control", "read", "read-acp", "write", "write-acp")
REFUSED = {f"s3:x-amz-grant-{what}" for what in GRANTS}


def stem(key):
    return re.split(r"[/$<]", key)[0].lower()


def only_if(root, user, key, value, operator="StringLike", action="s3:*"):
    """Allows a user an action under one condition."""
    if key in ("s3:RequestObjectTagKeys", "aws:TagKeys"):
        operator = "ForAnyValue:StringLike"
    statements = [
        {
            "Effect": "Allow",
            "Action": action,
            "Resource": "*",
            "Condition": {operator: {key: value}},
        }
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    root.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)


def may(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "403"), error
        return False
    return True


@pytest.fixture
def bucket(root, name):
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=b"k", Tagging="team=red")
    return name


@pytest.mark.parametrize(("key", "value", "call", "arguments"), ROWS)
def test_keys_come_from_the_request(
    server, root, new_user, name, bucket, key, value, call, arguments
):
    user = clients(server, new_user())
    known = {"{b}": bucket, "{account}": server.account}
    for mark, text in known.items():
        value = value.replace(mark, text)
    arguments = {"Bucket": bucket, **arguments}
    arguments["Bucket"] = arguments["Bucket"].replace("{b}", bucket)
    only_if(root, name, key, f"{value}-not")
    assert not may(getattr(user.s3, call), **arguments)
    only_if(root, name, key, value)
    assert may(getattr(user.s3, call), **arguments)


def test_keys_of_copies(server, root, new_user, name, bucket):
    user = clients(server, new_user())
    statement = {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": "*"}
    readable = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=readable)
    copy = {
        "Bucket": bucket,
        "Key": "copy",
        "CopySource": f"{bucket}/k",
        "MetadataDirective": "REPLACE",
        "TaggingDirective": "REPLACE",
    }
    for key, value in [
        ("s3:x-amz-copy-source", f"*{bucket}/k"),
        ("s3:x-amz-metadata-directive", "REPLACE"),
    ]:
        only_if(root, name, key, f"{value}-not", action="s3:PutObject")
        assert not may(user.s3.copy_object, **copy), key
        only_if(root, name, key, value, action="s3:PutObject")
        assert may(user.s3.copy_object, **copy), key


def test_the_age_of_a_presigned_url_and_the_match_of_a_write(server, root, new_user, name, bucket):
    user = clients(server, new_user(), signature_version="s3v4")
    url = user.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    for limit, allowed in [("0", False), ("600000", True)]:
        operator = "NumericLessThan"
        only_if(root, name, "s3:signatureAge", limit, operator)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.status == 200 and allowed, limit
        except urllib.error.HTTPError as refused:
            assert refused.code == 403 and not allowed, limit
    tag = root.s3.head_object(Bucket=bucket, Key="k")["ETag"]
    only_if(root, name, "s3:if-match", "*")
    assert not may(user.s3.put_object, Bucket=bucket, Key="k")
    assert may(user.s3.put_object, Bucket=bucket, Key="k", IfMatch=tag)


def test_a_list_of_one_is_a_list(server, root, new_user, name, bucket):
    user = clients(server, new_user())
    for operator, allowed in [("StringEquals", False), ("ForAnyValue:StringEquals", True)]:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*"}]}
        condition = {operator: {"s3:RequestObjectTagKeys": "x"}}
        document["Statement"][0].update(Resource="*", Condition=condition)
        root.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        assert may(user.s3.put_object, Bucket=bucket, Key="n", Tagging="x=y") == allowed, operator


def test_whose_a_bucket_is_decides_who_learns_that_a_key_is_missing(
    server, root, new_user, name, bucket
):
    user = clients(server, new_user())
    for account, code in [(server.account, "NoSuchKey"), ("123456789012", "AccessDenied")]:
        only_if(root, name, "s3:ResourceAccount", account)
        with pytest.raises(ClientError) as refused:
            user.s3.get_object(Bucket=bucket, Key="missing")
        assert refused.value.response["Error"]["Code"] == code


def test_the_version_of_a_copys_source(server, root, new_user, name, bucket):
    user = clients(server, new_user())
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k?versionId=null"}
    writable = {"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}
    writable = json.dumps({"Version": "2012-10-17", "Statement": writable})
    root.iam.put_user_policy(UserName=name, PolicyName="write", PolicyDocument=writable)
    for value, allowed in [("other", False), ("null", True)]:
        only_if(root, name, "s3:VersionId", value, action="s3:GetObjectVersion")
        tags = {"TaggingDirective": "REPLACE"}
        assert may(user.s3.copy_object, **copy, **tags) == allowed, value


def test_presigned_uploads_can_be_forbidden_as_unsigned(server, root, new_user, name, bucket):
    user = clients(server, new_user(), signature_version="s3v4")
    url = user.s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "n"})
    for value, allowed in [("UNSIGNED-PAYLOAD", True), ("e3b0*", False)]:
        only_if(root, name, "s3:x-amz-content-sha256", value)
        request = urllib.request.Request(url, b"body", {"content-type": ""}, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=10):
                assert allowed, value
        except urllib.error.HTTPError as refused:
            assert refused.code == 403 and not allowed, value


def test_every_key_of_the_table_is_filled_or_listed():
    lines = TABLE.read_text().splitlines()
    keys = {stem(line.split(" ")[2]) for line in lines if line.startswith("key s3 ")}
    filled = {stem(row[0]) for row in ROWS} | OTHERWISE
    section = DIFFERENCES.read_text().split("## Condition keys that no request")[1]
    listed = {stem(key) for key in re.findall(r"`([^`]+)`", section.split("\n## ")[0])}
    assert keys - filled - listed - REFUSED == set()
    assert {key for key in filled & listed if key.startswith("s3:")} == set()
