"""The story, steps 3 to 8, with the AWS CLI and with boto3: a key is made, used and rotated.

The console's part of it is played by root's client; the .csv files are as the console writes them.
"""

import botocore.exceptions
import pytest

from conftest import clients
from harness.clients import Refusal, download, key_of

USER = "RotateKeyUser"
S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
CHANGE_PASSWORD = "arn:aws:iam::aws:policy/IAMUserChangePassword"
NO_SUCH_KEY = "The AWS Access Key Id you provided does not exist in our records."
NO_SUCH_TOKEN = "The security token included in the request is invalid."


@pytest.fixture
def user(root):
    """The user of the story, with console access, a policy and a tag; gone afterwards."""
    root.iam.create_user(UserName=USER, Tags=[{"Key": "team", "Value": "storage"}])
    root.iam.create_login_profile(
        UserName=USER, Password="Correct-horse-7", PasswordResetRequired=True
    )
    for policy in (S3_FULL, CHANGE_PASSWORD):
        root.iam.attach_user_policy(UserName=USER, PolicyArn=policy)
    yield USER
    for policy in (S3_FULL, CHANGE_PASSWORD):
        root.iam.detach_user_policy(UserName=USER, PolicyArn=policy)
    root.iam.delete_login_profile(UserName=USER)
    for key in root.iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
        root.iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    root.iam.delete_user(UserName=USER)


def statuses(iam):
    """The status of each key of the user."""
    keys = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in keys}


def test_with_the_aws_cli(server, root, user, aws, tmp_path, name):
    old = key_of(root.iam.create_access_key(UserName=user))
    aws.configure(download(old, tmp_path / "old.csv"), region="ap-south-1")
    assert aws("sts", "get-caller-identity")["Arn"].endswith(f":user/{user}")
    assert aws("s3", "mb", f"s3://{name}") == f"make_bucket: {name}\n"
    assert name in aws("s3", "ls")
    assert root.s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "ap-south-1"
    used = root.iam.get_access_key_last_used(AccessKeyId=old.access_key)["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("sts", "ap-south-1")

    new = key_of(root.iam.create_access_key(UserName=user))
    assert statuses(root.iam) == {old.access_key: "Active", new.access_key: "Active"}
    root.iam.update_access_key(UserName=user, AccessKeyId=old.access_key, Status="Inactive")
    assert statuses(root.iam) == {old.access_key: "Inactive", new.access_key: "Active"}
    refused = aws.refused("s3", "mb", f"s3://{name}-2")
    assert refused == Refusal("InvalidAccessKeyId", "CreateBucket", NO_SUCH_KEY)
    for service, command, operation in [
        ("sts", "get-caller-identity", "GetCallerIdentity"),
        ("iam", "get-user", "GetUser"),
    ]:
        refused = aws.refused(service, command)
        assert refused == Refusal("InvalidClientTokenId", operation, NO_SUCH_TOKEN)

    aws.configure(download(new, tmp_path / "new.csv"), region="ap-south-1")
    assert aws("s3", "mb", f"s3://{name}-2") == f"make_bucket: {name}-2\n"
    root.iam.delete_access_key(UserName=user, AccessKeyId=old.access_key)
    assert statuses(root.iam) == {new.access_key: "Active"}
    aws.configure(download(old, tmp_path / "old.csv"), region="ap-south-1")
    assert aws.refused("s3", "ls").code == "InvalidAccessKeyId"
    aws.configure(download(new, tmp_path / "new.csv"), region="ap-south-1")
    for bucket in (name, f"{name}-2"):
        assert aws("s3", "rb", f"s3://{bucket}") == f"remove_bucket: {bucket}\n"


def test_with_boto3(server, root, user, name):
    old = key_of(root.iam.create_access_key(UserName=user))
    mine = clients(server, old)
    mine.s3.create_bucket(Bucket=name)
    mine.s3.put_object(Bucket=name, Key="greeting", Body=b"hello")
    new = key_of(root.iam.create_access_key(UserName=user))
    with pytest.raises(root.iam.exceptions.LimitExceededException) as full:
        root.iam.create_access_key(UserName=user)
    assert full.value.response["Error"]["Message"] == (
        "Cannot exceed quota for AccessKeysPerUser: 2"
    )
    root.iam.update_access_key(UserName=user, AccessKeyId=old.access_key, Status="Inactive")
    for call, code in [
        (lambda: mine.s3.get_object(Bucket=name, Key="greeting"), "InvalidAccessKeyId"),
        (lambda: mine.sts.get_caller_identity(), "InvalidClientTokenId"),
        (lambda: mine.iam.get_user(), "InvalidClientTokenId"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == code
    root.iam.update_access_key(UserName=user, AccessKeyId=old.access_key, Status="Active")
    assert mine.s3.get_object(Bucket=name, Key="greeting")["Body"].read() == b"hello"
    root.iam.update_access_key(UserName=user, AccessKeyId=old.access_key, Status="Inactive")
    root.iam.delete_access_key(UserName=user, AccessKeyId=old.access_key)
    fresh = clients(server, new)
    assert fresh.s3.get_object(Bucket=name, Key="greeting")["Body"].read() == b"hello"
    fresh.s3.delete_object(Bucket=name, Key="greeting")
    fresh.s3.delete_bucket(Bucket=name)
