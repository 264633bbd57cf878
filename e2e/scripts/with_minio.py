"""minio-py: buckets, objects in one piece and in parts, copies, presigned URLs, forms, policies."""

import io
import json
import os
import urllib.request
from datetime import timedelta
from urllib.parse import urlsplit

import minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

bucket = json.loads(os.environ["WANTED"])["bucket"]
MIB = 1024 * 1024
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
client = minio.Minio(
    endpoint.netloc,
    secure=endpoint.scheme == "https",
    credentials=minio.credentials.EnvAWSProvider(),
)


def read(name: str, **options) -> bytes:
    answer = client.get_object(bucket, name, **options)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def fails(code: str, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except S3Error as error:
        assert error.code == code, error
    else:
        raise AssertionError(f"no {code}")


assert not client.bucket_exists(bucket)
client.make_bucket(bucket)
assert client.bucket_exists(bucket)
assert bucket in [each.name for each in client.list_buckets()]

tags = Tags.new_object_tags()
tags["team"] = "a b"
text = b"hello world"
client.put_object(
    bucket, "ü/a b.txt", io.BytesIO(text), len(text), metadata={"color": "blue"}, tags=tags
)
assert read("ü/a b.txt", offset=6, length=3) == b"wor"
stat = client.stat_object(bucket, "ü/a b.txt")
assert (stat.size, stat.metadata["x-amz-meta-color"]) == (len(text), "blue")
assert client.get_object_tags(bucket, "ü/a b.txt") == {"team": "a b"}
client.delete_object_tags(bucket, "ü/a b.txt")
assert not client.get_object_tags(bucket, "ü/a b.txt")

large = os.urandom(6 * MIB)
client.put_object(bucket, "large", io.BytesIO(large), -1, part_size=5 * MIB)
assert read("large") == large
client.copy_object(bucket, "copy", CopySource(bucket, "ü/a b.txt"))
assert read("copy") == text
parts = [ComposeSource(bucket, "large"), ComposeSource(bucket, "copy")]
client.compose_object(bucket, "both", parts)
assert read("both") == large + text

get = client.presigned_get_object(bucket, "copy", expires=timedelta(minutes=1))
assert urllib.request.urlopen(get, timeout=30).read() == text
put = client.presigned_put_object(bucket, "put", expires=timedelta(minutes=1))
urllib.request.urlopen(urllib.request.Request(put, b"by URL", method="PUT"), timeout=30).close()
assert read("put") == b"by URL"

listed = [each.object_name for each in client.list_objects(bucket)]
assert listed == ["both", "copy", "large", "put", "ü/"], listed
assert len(list(client.list_objects(bucket, recursive=True, include_version=True))) == 5
assert [each.object_name for each in client.list_objects(bucket, prefix="ü/")] == ["ü/a b.txt"]

statement = {
    "Effect": "Deny",
    "Principal": {"AWS": ["*"]},
    "Action": ["s3:GetObject"],
    "Resource": [f"arn:aws:s3:::{bucket}/put"],
}
policy = {"Version": "2012-10-17", "Statement": [statement]}
client.set_bucket_policy(bucket, json.dumps(policy))
assert json.loads(client.get_bucket_policy(bucket)) == policy
fails("AccessDenied", read, "put")
client.delete_bucket_policy(bucket)
fails("NoSuchBucketPolicy", client.get_bucket_policy, bucket)
bucket_tags = Tags.new_bucket_tags()
bucket_tags["stage"] = "test"
client.set_bucket_tags(bucket, bucket_tags)
assert client.get_bucket_tags(bucket) == {"stage": "test"}
assert client.get_bucket_versioning(bucket).status in ("Off", None)

fails("NoSuchKey", client.stat_object, bucket, "none")
fails("BucketNotEmpty", client.remove_bucket, bucket)
names = [each.object_name for each in client.list_objects(bucket, recursive=True)]
errors = client.remove_objects(bucket, [DeleteObject(name) for name in names])
assert list(errors) == []
client.remove_bucket(bucket)
fails("NoSuchBucket", list, client.list_objects(bucket))
