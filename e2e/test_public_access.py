"""Block Public Access: on for every new bucket, and what it makes of bucket policies."""

import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import Config
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import download

SETTINGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def policy(bucket, principal="*", condition=None):
    """A bucket policy that lets a principal read objects, as a text."""
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def code(call, **arguments):
    """The error code of a call, or None when it succeeds."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


@pytest.fixture
def anyone(server):
    """boto3's S3 client of somebody without a key."""
    config = Config(signature_version=UNSIGNED)
    return boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", config=config)


def settings(root, bucket):
    """The settings that are on; None when there are none at all."""
    try:
        got = root.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration"
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        return None
    assert sorted(got) == sorted(SETTINGS)
    return {name for name, on in got.items() if on}


def block(root, bucket, *on):
    """Turns these settings on and the others off."""
    wanted = {name: name in on for name in SETTINGS}
    root.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
    assert settings(root, bucket) == set(on)


def test_a_new_bucket_refuses_public_policies(root, bucket, server, new_user, name):
    assert settings(root, bucket) == set(SETTINGS)
    office = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    broad = {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}
    for text, refused in (
        (policy(bucket), True),
        (policy(bucket, {"AWS": "*"}, broad), True),
        (policy(bucket, "*", office), False),
        (policy(bucket, {"AWS": server.account}), False),
    ):
        expected = "AccessDenied" if refused else None
        assert code(root.s3.put_bucket_policy, Bucket=bucket, Policy=text) == expected, text
    kept = root.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert kept == policy(bucket, {"AWS": server.account}), "a refused policy changes nothing"
    user = clients(server, new_user("AmazonS3FullAccess"))
    with pytest.raises(ClientError) as refusal:
        user.s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
    assert refusal.value.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{server.account}:user/{name} is not authorized to perform: "
        f's3:PutBucketPolicy on resource: "arn:aws:s3:::{bucket}" because public policies are '
        "prevented by the BlockPublicPolicy setting in S3 Block Public Access."
    )
    # What is wrong with a policy is told before that it is public.
    assert code(root.s3.put_bucket_policy, Bucket=bucket, Policy="{}") == "MalformedPolicy"


def test_a_restricted_bucket_serves_its_own_account_only(root, bucket, anyone, server, new_user):
    user = clients(server, new_user())
    read = {"Bucket": bucket, "Key": "k"}
    status = {"Bucket": bucket}
    assert code(root.s3.get_bucket_policy_status, **status) == "NoSuchBucketPolicy"
    block(root, bucket, "RestrictPublicBuckets")
    root.s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
    assert root.s3.get_bucket_policy_status(**status)["PolicyStatus"] == {"IsPublic": True}
    assert code(anyone.get_object, **read) == "AccessDenied"
    assert user.s3.get_object(**read)["Body"].read() == b"text"

    root.s3.delete_public_access_block(Bucket=bucket)
    assert settings(root, bucket) is None
    assert anyone.get_object(**read)["Body"].read() == b"text"

    # What is there already stays when new public policies are blocked.
    block(root, bucket, "BlockPublicPolicy")
    assert anyone.get_object(**read)["Body"].read() == b"text"
    put = {"Bucket": bucket, "Policy": policy(bucket)}
    assert code(root.s3.put_bucket_policy, **put) == "AccessDenied"
    block(root, bucket, *SETTINGS)
    assert code(anyone.get_object, **read) == "AccessDenied"

    own = policy(bucket, {"AWS": server.account})
    root.s3.put_bucket_policy(Bucket=bucket, Policy=own)
    assert root.s3.get_bucket_policy_status(**status)["PolicyStatus"] == {"IsPublic": False}


def test_the_settings_are_authorized_by_their_own_actions(root, bucket, server, new_user, name):
    user = clients(server, new_user())
    everything = dict.fromkeys(SETTINGS, True)
    calls = (
        ("get_public_access_block", {}, "s3:GetBucketPublicAccessBlock"),
        (
            "put_public_access_block",
            {"PublicAccessBlockConfiguration": everything},
            "s3:PutBucketPublicAccessBlock",
        ),
        ("get_bucket_policy_status", {}, "s3:GetBucketPolicyStatus"),
        ("delete_public_access_block", {}, "s3:PutBucketPublicAccessBlock"),
    )
    for operation, arguments, action in calls:
        with pytest.raises(ClientError) as refusal:
            getattr(user.s3, operation)(Bucket=bucket, **arguments)
        assert f"is not authorized to perform: {action} on" in str(refusal.value), operation
        granted = {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{bucket}"}
        document = json.dumps({"Version": "2012-10-17", "Statement": granted})
        root.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        expected = "NoSuchBucketPolicy" if operation.endswith("status") else None
        found = code(getattr(user.s3, operation), Bucket=bucket, **arguments)
        assert found == expected, operation


def test_with_the_cli(aws, root, bucket, server, tmp_path):
    aws.configure(download(server.root, tmp_path / "root.csv"))
    off = ",".join(f"{name}=false" for name in SETTINGS)
    given = ("--public-access-block-configuration", off)
    aws("s3api", "put-public-access-block", "--bucket", bucket, *given)
    assert settings(root, bucket) == set()
    aws("s3api", "put-bucket-policy", "--bucket", bucket, "--policy", policy(bucket))
    shown = aws("s3api", "get-bucket-policy-status", "--bucket", bucket)
    assert shown == {"PolicyStatus": {"IsPublic": True}}
