"""Bucket policies keep users by their unique ids, as S3 does."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.keywright import Keywright


def policy(bucket, principal):
    """A bucket policy that lets a principal read objects, as a text of its own style."""
    return (
        '{"Version": "2012-10-17",\n  "Statement": [ {"Effect": "Allow", '
        f'"Principal": {{"AWS": [{json.dumps(principal)}]}}, "Action": "s3:GetObject",\n'
        f'"Resource": "arn:aws:s3:::{bucket}/*"}} ]}}'
    )


def test_a_grant_follows_its_user(root, bucket, server, new_user, name, tmp_path):
    user = clients(server, new_user())
    found = root.iam.get_user(UserName=name)["User"]
    put, get = root.s3.put_bucket_policy, root.s3.get_bucket_policy
    put(Bucket=bucket, Policy=policy(bucket, found["Arn"]))
    assert get(Bucket=bucket)["Policy"] == policy(bucket, found["Arn"]), "as it was put"
    read = {"Bucket": bucket, "Key": "k"}
    assert user.s3.get_object(**read)["Body"].read() == b"text"

    root.iam.update_user(UserName=name, NewUserName=f"{name}-moved", NewPath="/team/")
    moved = root.iam.get_user(UserName=f"{name}-moved")["User"]["Arn"]
    assert moved.endswith(f":user/team/{name}-moved")
    assert get(Bucket=bucket)["Policy"] == policy(bucket, moved)
    assert user.s3.get_object(**read)["Body"].read() == b"text"
    keywright = Keywright(tmp_path / "home", server.endpoint, server.root)
    explained = keywright.run("policy", "explain", moved, "s3:GetObject", f"arn:aws:s3:::{bucket}/k")
    assert explained.returncode == 0, explained.stdout

    # Somebody else of the old name is not meant.
    other = clients(server, new_user())
    with pytest.raises(ClientError):
        other.s3.get_object(**read)
    missed = keywright.run(
        "policy", "explain", found["Arn"], "s3:GetObject", f"arn:aws:s3:::{bucket}/k"
    )
    assert missed.returncode == 1 and moved in missed.stdout, missed.stdout


def test_a_grant_ends_with_its_user(root, bucket, server, new_user, name):
    key = new_user()
    found = root.iam.get_user(UserName=name)["User"]
    root.s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, found["Arn"]))
    root.iam.delete_access_key(UserName=name, AccessKeyId=key.access_key)
    root.iam.delete_user(UserName=name)
    again = clients(server, new_user())
    shown = root.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert shown == policy(bucket, found["UserId"])
    with pytest.raises(ClientError) as refusal:
        again.s3.get_object(Bucket=bucket, Key="k")
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"
    # Nobody has that id any more, so it cannot be put again.
    with pytest.raises(ClientError) as refusal:
        root.s3.put_bucket_policy(Bucket=bucket, Policy=shown)
    assert refusal.value.response["Error"]["Message"] == "Invalid principal in policy"
