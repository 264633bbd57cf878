"""Rotations in the console, in Chromium, by the server's own engine."""

import json

import botocore.exceptions
import pytest

from conftest import clients
from harness.clients import AwsCli, key_of
from harness.console import walk
from harness.rotations import Rotations

SCRIPT = "console_rotation.mjs"
PASSWORD = "Correct-horse-7"
# All that a rotation does but for the last step.
NEARLY = [
    "iam:Get*",
    "iam:List*",
    "iam:TagUser",
    "iam:UntagUser",
    "iam:CreateAccessKey",
    "iam:UpdateAccessKey",
    "keywright:*",
]


def make(iam, user, path="/"):
    """A user with a key."""
    iam.create_user(UserName=user, Path=path)
    return key_of(iam.create_access_key(UserName=user))


def test_by_hand_to_the_end(own, tmp_path):
    iam = clients(own, own.root).iam
    old, first = make(iam, "ann"), make(iam, "carl")
    second = key_of(iam.create_access_key(UserName="carl"))
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.create_user(UserName="eve")
    iam.create_login_profile(UserName="eve", Password=PASSWORD)
    statement = {"Effect": "Allow", "Action": NEARLY, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="eve", PolicyName="nearly", PolicyDocument=document)
    keys = {"ann": old.access_key, "carl": [first.access_key, second.access_key]}
    walk(
        own,
        SCRIPT,
        walk="to the end",
        userPassword=PASSWORD,
        folder=str(tmp_path),
        keys=keys,
    )

    aws = AwsCli(tmp_path / "home", own.endpoint)
    aws.configure(tmp_path / "ann_accessKeys.csv")
    assert aws("sts", "get-caller-identity")["Arn"].endswith(":user/ann")
    aws("s3", "mb", "s3://with-the-new-key")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        clients(own, old).s3.list_buckets()
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"
    (kept,) = iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
    assert (kept["Status"], kept["AccessKeyId"] == old.access_key) == ("Active", False)
    assert len(iam.list_access_keys(UserName="carl")["AccessKeyMetadata"]) == 2
    (policy,) = Rotations(own, own.root)("ListRotationPolicies")["RotationPolicies"]
    assert "carl: it has two keys" in policy["Trouble"]


def test_by_hand_back_and_by_policy(own):
    iam = clients(own, own.root).iam
    old = make(iam, "bob")
    make(iam, "dora", path="/jobs/")
    iam.tag_user(UserName="bob", Tags=[{"Key": "team", "Value": "Storage"}])
    walk(own, SCRIPT, walk="back, and by policy", keys={"bob": old.access_key})
    assert clients(own, old).sts.get_caller_identity()["Arn"].endswith(":user/bob")
    listed = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert {"Active"} == {key["Status"] for key in listed}
    assert Rotations(own, own.root)("ListRotationPolicies")["RotationPolicies"] == ""
