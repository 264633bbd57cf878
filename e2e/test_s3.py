"""S3 for every day, with the clients' own defaults: checksums, parts and retries as they come."""

import hashlib
import json
import os
import urllib.request

import botocore.exceptions
import pytest

from conftest import clients
from harness.clients import AwsCli, download

MIB = 1024 * 1024


@pytest.fixture
def bucket(root, name):
    root.s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def cli(server, aws, tmp_path):
    """The AWS CLI with root's key."""
    aws.configure(download(server.root, tmp_path / "root.csv"))
    return aws


def refused(call) -> tuple[int, str]:
    """Status and code of a refused call."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def digest(path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_large_file_there_and_back_in_bounded_memory(own, tmp_path, long):
    cli = AwsCli(tmp_path / "home", own.endpoint)
    cli.configure(download(own.root, tmp_path / "root.csv"))
    bucket = "large-files"
    cli("s3", "mb", f"s3://{bucket}")
    size = 1024 * MIB if long else 64 * MIB
    there, back = tmp_path / "there", tmp_path / "back"
    with there.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    cli("s3", "cp", "--no-progress", str(there), f"s3://{bucket}/large")
    cli("s3", "cp", "--no-progress", f"s3://{bucket}/large", str(back))
    assert digest(back) == digest(there)
    assert own.memory_peak() < 200 * MIB
    assert cli("s3", "rb", "--force", f"s3://{bucket}").endswith(f"remove_bucket: {bucket}\n")


def test_sync_of_many_files_and_back(cli, bucket, tmp_path, long):
    there, back = tmp_path / "there", tmp_path / "back"
    names = [f"{n % 7}/a b {n}é.txt" for n in range(1000 if long else 200)]
    for name in names:
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text(name * 10)
        # Older than what is stored now, whose time has no fraction of a second.
        os.utime(there / name, (1_700_000_000, 1_700_000_000))
    cli("s3", "sync", "--no-progress", str(there), f"s3://{bucket}")
    assert cli("s3", "sync", "--no-progress", str(there), f"s3://{bucket}") == "", "all is there"
    cli("s3", "sync", "--no-progress", f"s3://{bucket}", str(back))
    found = {str(path.relative_to(back)) for path in back.rglob("*.txt")}
    assert found == set(names)
    assert all((back / name).read_text() == name * 10 for name in names)
    cli("s3", "rb", "--force", f"s3://{bucket}")


def test_objects(root, bucket):
    s3, of = root.s3, {"Bucket": bucket, "Key": "a/b c+é"}
    s3.put_object(**of, Body=b"0123456789", ContentType="text/x", Metadata={"who": "me"})
    head = s3.head_object(**of)
    assert (head["ContentLength"], head["ContentType"]) == (10, "text/x")
    assert head["Metadata"] == {"who": "me"}
    assert head["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"'
    for asked, body, ranged in [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
    ]:
        part = s3.get_object(**of, Range=asked)
        assert (part["Body"].read(), part["ContentRange"]) == (body, ranged)
    assert refused(lambda: s3.get_object(**of, Range="bytes=10-"))[1] == "InvalidRange"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=of, MetadataDirective="COPY")
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"who": "me"}
    s3.put_object_tagging(**of, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert s3.get_object_tagging(**of)["TagSet"] == [{"Key": "k", "Value": "v"}]
    s3.delete_object_tagging(**of)
    assert s3.get_object_tagging(**of)["TagSet"] == []
    keys = [{"Key": of["Key"]}, {"Key": "copy"}, {"Key": "never there"}]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    assert sorted(key["Key"] for key in gone["Deleted"]) == sorted(key["Key"] for key in keys)
    assert refused(lambda: s3.head_object(**of)) == (404, "404")


def test_conditions(root, bucket):
    s3, of = root.s3, {"Bucket": bucket, "Key": "k"}
    first = s3.put_object(**of, Body=b"one", IfNoneMatch="*")["ETag"]
    assert refused(lambda: s3.put_object(**of, Body=b"two", IfNoneMatch="*")) == (
        412,
        "PreconditionFailed",
    )
    assert refused(lambda: s3.get_object(**of, IfNoneMatch=first))[0] == 304
    assert refused(lambda: s3.get_object(**of, IfMatch='"0"')) == (412, "PreconditionFailed")
    second = s3.put_object(**of, Body=b"two", IfMatch=first)["ETag"]
    assert refused(lambda: s3.put_object(**of, Body=b"three", IfMatch=first)) == (
        412,
        "PreconditionFailed",
    )
    assert s3.get_object(**of, IfMatch=second)["Body"].read() == b"two"


def test_listings(root, bucket):
    s3 = root.s3
    keys = [f"{folder}/{n}" for folder in "ab" for n in range(5)] + ["top"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 3}
        )
        assert [found["Key"] for page in pages for found in page["Contents"]] == keys
        listed = getattr(s3, operation)(Bucket=bucket, Delimiter="/")
        assert [common["Prefix"] for common in listed["CommonPrefixes"]] == ["a/", "b/"]
        assert [found["Key"] for found in listed["Contents"]] == ["top"]
    after = s3.list_objects_v2(Bucket=bucket, Prefix="b/", StartAfter="b/2")
    assert [found["Key"] for found in after["Contents"]] == ["b/3", "b/4"]


def test_parts(root, bucket):
    s3, of = root.s3, {"Bucket": bucket, "Key": "k"}
    upload = {**of, "UploadId": s3.create_multipart_upload(**of)["UploadId"]}
    bodies = [b"a" * 5 * MIB, b"tail"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    listed = s3.list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 5 * MIB), (2, 4)]
    assert refused(lambda: s3.get_object(**of)) == (
        404,
        "NoSuchKey",
    ), "not there before it is whole"
    turned = {"Parts": parts[::-1]}
    wrong = refused(lambda: s3.complete_multipart_upload(**upload, MultipartUpload=turned))
    assert wrong[1] == "InvalidPartOrder"
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"')
    assert s3.get_object(**of)["Body"].read() == b"".join(bodies)
    given_up = {**of, "UploadId": s3.create_multipart_upload(**of)["UploadId"]}
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    s3.abort_multipart_upload(**given_up)
    assert refused(lambda: s3.list_parts(**given_up))[1] == "NoSuchUpload"


def test_a_trailing_checksum_that_is_wrong(server, root, bucket):
    s3, of = root.s3, {"Bucket": bucket, "Key": "k"}
    s3.put_object(**of, Body=b"hello", ChecksumAlgorithm="CRC32")
    shown = s3.head_object(**of, ChecksumMode="ENABLED")
    assert shown["ChecksumCRC32"] == "NhCmhg=="
    wrong = refused(lambda: s3.put_object(**of, Body=b"hello", ChecksumCRC32="AAAAAA=="))
    assert wrong == (400, "BadDigest")


def test_presigned(server, root, bucket):
    signed = clients(server, server.root, signature_version="s3v4").s3
    of = {"Bucket": bucket, "Key": "a b"}
    put = urllib.request.Request(
        signed.generate_presigned_url("put_object", of), method="PUT", data=b"by anyone"
    )
    assert urllib.request.urlopen(put, timeout=30).status == 200
    got = urllib.request.urlopen(signed.generate_presigned_url("get_object", of), timeout=30)
    assert got.read() == b"by anyone"


def test_bucket_policies(server, root, bucket, new_user, name):
    mine = clients(server, new_user()).s3
    of = {"Bucket": bucket, "Key": "k"}
    root.s3.put_object(**of, Body=b"hello")
    assert refused(lambda: mine.get_object(**of)) == (403, "AccessDenied")
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},'
        '"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}' % (arn, bucket)
    )
    root.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert root.s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert mine.get_object(**of)["Body"].read() == b"hello"
    assert refused(lambda: mine.put_object(**of, Body=b""))[1] == "AccessDenied"
    root.s3.delete_bucket_policy(Bucket=bucket)
    assert refused(lambda: mine.get_object(**of)) == (403, "AccessDenied")
    assert refused(lambda: root.s3.get_bucket_policy(Bucket=bucket))[1] == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("principal", "exists"),
    [
        ("arn:aws:iam::{account}:user/{name}", True),
        ("arn:aws:iam::{account}:user/{upper}", False),
        ("arn:aws:iam::{account}:user/other/{name}", False),
        ("arn:aws:iam::{account}:user/{name}-gone", False),
        ("arn:aws:iam::{account}:role/{name}", False),
        ("arn:aws:iam::{account}:root", True),
        ("arn:aws:iam::123456789012:user/unknown-here", True),
    ],
)
def test_bucket_policies_name_who_exists(
    server, root, bucket, new_user, name, principal, exists
):
    new_user()
    arn = principal.format(account=server.account, name=name, upper=name.upper())
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:GetObject"}
    statement["Resource"] = f"arn:aws:s3:::{bucket}/*"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    if exists:
        root.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        return
    with pytest.raises(botocore.exceptions.ClientError) as error:
        root.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    said = error.value.response["Error"]
    assert (said["Code"], said["Message"]) == ("MalformedPolicy", "Invalid principal in policy")


def test_buckets(root, name):
    s3 = root.s3
    s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert refused(lambda: s3.delete_bucket(Bucket=name)) == (409, "BucketNotEmpty")
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refused(lambda: s3.head_bucket(Bucket=name)) == (404, "404")
