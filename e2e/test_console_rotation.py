"""Rotations in the console, in Chromium, by the server's own engine."""

import json

import botocore.exceptions
import pytest

from conftest import clients
from harness.clients import AwsCli, key_of
from harness.console import walk

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


def test_rotations_by_hand(own, tmp_path):
    iam = clients(own, own.root).iam
    keys = {}
    for user, path in [("ann", "/"), ("bob", "/"), ("carl", "/"), ("dora", "/jobs/")]:
        iam.create_user(UserName=user, Path=path)
        keys[user] = key_of(iam.create_access_key(UserName=user))
    second = key_of(iam.create_access_key(UserName="carl"))
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.tag_user(UserName="bob", Tags=[{"Key": "team", "Value": "Storage"}])
    iam.create_user(UserName="eve")
    iam.create_login_profile(UserName="eve", Password=PASSWORD)
    statement = {"Effect": "Allow", "Action": NEARLY, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="eve", PolicyName="nearly", PolicyDocument=document)
    ids = {user: key.access_key for user, key in keys.items()}
    walk(
        own,
        "console_rotation.mjs",
        folder=str(tmp_path),
        userPassword=PASSWORD,
        keys={**ids, "carl": [ids["carl"], second.access_key]},
    )

    aws = AwsCli(tmp_path / "home", own.endpoint)
    aws.configure(tmp_path / "ann_accessKeys.csv")
    assert aws("sts", "get-caller-identity")["Arn"].endswith(":user/ann")
    aws("s3", "mb", "s3://with-the-new-key")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        clients(own, keys["ann"]).s3.list_buckets()
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"
    (kept,) = iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
    assert (kept["Status"], kept["AccessKeyId"] == ids["ann"]) == ("Active", False)
    clients(own, keys["bob"]).sts.get_caller_identity()
    for user in ("carl", "dora"):
        listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        assert ids[user] in [key["AccessKeyId"] for key in listed]
