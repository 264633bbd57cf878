"""Presigned URLs carry everything: what stands for headers in the query, and Signature Version 2."""

import base64
import hashlib
import json
import time
from urllib.parse import quote, urlencode, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest

from harness.clients import client, download, key_of
from harness.wire import presign, send

BODY = b"0123456789"


@pytest.fixture
def bucket(root, name):
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=BODY)
    return name


def of(url: str, method: str = "GET", headers=None, body: bytes = b""):
    return AWSRequest(method, url, headers or {}, body)


def hoisted(server, path: str, method: str = "PUT", body: bytes = b"", **parameters):
    """A request whose parameters stand for headers, as SDKs for JavaScript presign it."""
    query = urlencode({name.replace("_", "-"): value for name, value in parameters.items()})
    request = presign(of(f"{server.endpoint}{path}?{query}", method), server.root, 60)
    # Only now: botocore's signer would take it for a form.
    request.data = body
    return send(server, request)


def test_parameters_that_stand_for_headers(server, root, bucket):
    stored = hoisted(
        server,
        f"/{bucket}/new",
        body=BODY,
        x_amz_meta_color="light blue",
        x_amz_tagging="team=a b",
        x_amz_storage_class="STANDARD_IA",
        x_amz_checksum_sha1=sha1(BODY),
    )
    assert stored.status == 200, stored
    head = root.s3.head_object(Bucket=bucket, Key="new", ChecksumMode="ENABLED")
    assert head["Metadata"] == {"color": "light blue"}
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["ChecksumSHA1"] == sha1(BODY)
    tags = root.s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"]
    assert tags == [{"Key": "team", "Value": "a b"}]
    wrong = hoisted(server, f"/{bucket}/new", body=b"x", x_amz_checksum_sha1=sha1(BODY))
    assert wrong.error("s3")[1] == "BadDigest"
    for condition in [{"If_None_Match": "*"}, {"if_match": '"other"'}]:
        assert hoisted(server, f"/{bucket}/new", body=b"x", **condition).status == 412
    acl = hoisted(server, f"/{bucket}/new", body=b"x", x_amz_acl="public-read")
    assert acl.error("s3")[1] == "AccessControlListNotSupported"
    copied = hoisted(server, f"/{bucket}/copy", x_amz_copy_source=f"{bucket}/new")
    assert copied.status == 200, copied
    assert root.s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == BODY
    unknown = hoisted(server, f"/{bucket}/new", body=b"x", x_amz_unknown="1")
    assert unknown.status == 501, unknown
    assert root.s3.get_object(Bucket=bucket, Key="new")["Body"].read() == BODY


def sha1(data: bytes) -> str:
    return base64.b64encode(hashlib.sha1(data).digest()).decode()


def test_an_escaped_slash_is_one(server, root, bucket):
    root.s3.put_object(Bucket=bucket, Key="a/b", Body=BODY)
    request = presign(of(f"{server.endpoint}/{bucket}/a/b"), server.root, 60)
    parts = urlsplit(request.url)
    escaped = f"{server.endpoint}/{bucket}/a%2Fb?{parts.query}"
    assert send(server, AWSRequest("GET", escaped)).body == BODY


def v2(server, key=None):
    """boto3 as it is: on us-east-1 it presigns with Version 2."""
    s3 = client("s3", server.endpoint, key or server.root)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert "AWSAccessKeyId=" in url, url
    return s3


def test_signature_version_2(server, root, bucket):
    s3 = v2(server)
    both = {"Bucket": bucket, "Key": "k"}
    url = s3.generate_presigned_url("get_object", both)
    assert send(server, of(url)).body == BODY
    assert send(server, of(url + "&")).status == 200
    for changed in [url.replace("/k?", "/j?"), url.replace("Expires=", "Expires=1")]:
        assert send(server, of(changed)).error("s3")[1] == "SignatureDoesNotMatch"
    assert send(server, of(url, "PUT", body=b"x")).error("s3")[1] == "SignatureDoesNotMatch"
    # Nobody signed these, so nobody obeys them.
    for more in ["&encryption", "&x-id=GetObject", "&attributes"]:
        answer = send(server, of(url + more))
        assert answer.status == 501, (more, answer)
    assert send(server, of(url + "&tagging")).error("s3")[1] == "SignatureDoesNotMatch"
    shown = {**both, "ResponseContentType": "text/x", "VersionId": "null"}
    answer = send(server, of(s3.generate_presigned_url("get_object", shown)))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/x")
    late = s3.generate_presigned_url("get_object", both, ExpiresIn=-1)
    status, code, message = send(server, of(late)).error("s3")
    assert (status, code, message) == (403, "AccessDenied", "Request has expired")


def test_the_aws_cli_presigns(server, bucket, aws, tmp_path):
    """`aws s3 presign` as it is installed."""
    aws.configure(download(server.root, tmp_path / "root.csv"))
    url = aws("s3", "presign", f"s3://{bucket}/k").strip()
    assert send(server, of(url)).body == BODY


def test_signature_version_2_uploads(server, root, bucket):
    s3 = v2(server)
    new = {
        "Bucket": bucket,
        "Key": "new",
        "Metadata": {"color": "blue"},
        "Tagging": "a=1",
        "ContentType": "text/x",
    }
    url = s3.generate_presigned_url("put_object", new)
    sent = send(server, of(url, "PUT", {"Content-Type": "text/x"}, BODY))
    assert sent.status == 200, sent
    head = root.s3.head_object(Bucket=bucket, Key="new")
    assert (head["Metadata"], head["ContentType"]) == ({"color": "blue"}, "text/x")
    assert root.s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"]
    copied = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert send(server, of(s3.generate_presigned_url("copy_object", copied), "PUT")).status == 200
    assert root.s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == BODY
    meta = url.replace("x-amz-meta-color=blue", "x-amz-meta-color=red")
    answer = send(server, of(meta, "PUT", {"Content-Type": "text/x"}, BODY))
    assert answer.error("s3")[1] == "SignatureDoesNotMatch"


def test_signature_version_2_with_temporary_credentials(server, root, bucket):
    key = key_of(root.sts.get_session_token())
    url = v2(server, key).generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert "x-amz-security-token=" in url
    assert send(server, of(url)).body == BODY


def test_a_policy_can_deny_signature_version_2(server, root, bucket):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"s3:signatureversion": "AWS"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    url = v2(server).generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert send(server, of(url)).status == 200
    root.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert send(server, of(url)).error("s3")[1] == "AccessDenied"
    statement["Condition"] = {"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}
    root.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert send(server, of(url)).error("s3")[1] == "AccessDenied"
    root.s3.delete_bucket_policy(Bucket=bucket)
    assert send(server, of(url)).status == 200


def test_signature_version_2_is_for_old_regions_and_for_queries(server, root, name):
    west = client("s3", server.endpoint, server.root, "eu-central-1")
    where = {"LocationConstraint": "eu-central-1"}
    west.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    url = v2(server).generate_presigned_url("get_object", {"Bucket": name, "Key": "k"})
    status, code, message = send(server, of(url)).error("s3")
    assert (status, code) == (400, "InvalidRequest"), message
    assert message.startswith("The authorization mechanism you have provided is not supported")
    header = AWSRequest("GET", f"{server.endpoint}/{name}", {})
    botocore.auth.HmacV1Auth(server.root).add_auth(header)
    assert send(server, header).error("s3")[:2] == (400, "InvalidRequest")
    incomplete = f"{server.endpoint}/{name}/k?AWSAccessKeyId=a&Expires={int(time.time()) + 60}"
    assert send(server, of(incomplete)).error("s3")[:2] == (403, "AccessDenied")
    quoted = quote("no/such/key")
    unknown = f"{incomplete}&Signature={quoted}"
    assert send(server, of(unknown)).error("s3")[1] == "InvalidAccessKeyId"
