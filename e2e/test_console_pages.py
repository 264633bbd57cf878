"""The console's pages in Chromium: what they do, and what they say when something is wrong."""

import json
import os

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import key_of
from harness.console import walk
from harness.rotations import Rotations

# Quick by itself, but a browser is slow where many things run at once.
pytestmark = pytest.mark.timeout(480)

PASSWORD = "Correct-horse-7"
MIB = 1024 * 1024


def test_policies(own):
    iam = clients(own, own.root).iam
    iam.create_user(UserName="ann")
    full = iam.create_policy(PolicyName="full", PolicyDocument=listing("1"))["Policy"]["Arn"]
    for version in "2345":
        text = listing(version)
        iam.create_policy_version(PolicyArn=full, PolicyDocument=text, SetAsDefault=True)
    walk(own, "console_policies.mjs", full="full")
    versions = iam.list_policy_versions(PolicyArn=full)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v6", "v5", "v4", "v2"]
    assert [policy["Arn"] for policy in iam.list_policies(Scope="Local")["Policies"]] == [full]
    assert iam.list_group_policies(GroupName="readers")["PolicyNames"] == ["shared"]
    own = iam.get_user_policy(UserName="ann", PolicyName="own")["PolicyDocument"]
    assert own["Statement"][0]["Action"] == "s3:PutObject"


def listing(bucket):
    """A policy that allows to list one bucket."""
    resource = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_settings_and_buckets(own):
    iam = clients(own, own.root).iam
    people(iam)
    walk(own, "console_pages.mjs", walk="settings and buckets", bucket="photos-of-ann")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["bob"]
    assert iam.list_account_aliases()["AccountAliases"] == ["photo-shop"]


def test_every_page(own):
    people(clients(own, own.root).iam)
    walk(own, "console_pages.mjs", walk="every page")


def test_access_keys_of_the_account(own):
    iam = clients(own, own.root).iam
    for user in ["ann", "bob", "carl"]:
        iam.create_user(UserName=user)
    used, inactive, rotating = (
        key_of(iam.create_access_key(UserName=user)) for user in ["ann", "bob", "carl"]
    )
    iam.tag_user(UserName="ann", Tags=[{"Key": used.access_key, "Value": "laptop"}])
    allow(iam, "ann", "iam:ListUsers")
    clients(own, used).iam.list_users()
    iam.update_access_key(UserName="bob", AccessKeyId=inactive.access_key, Status="Inactive")
    for _ in range(2):
        with pytest.raises(ClientError):
            clients(own, inactive).iam.list_users()
    Rotations(own, own.root)("StartRotation", UserName="carl")
    for number in range(20):
        iam.create_user(UserName=f"user-{number}")
    iam.create_login_profile(UserName="carl", Password=PASSWORD)
    allow(iam, "carl", "iam:ListUsers")
    walk(
        own,
        "console_keys.mjs",
        used=used.access_key,
        inactive=inactive.access_key,
        rotating=rotating.access_key,
        user="carl",
        userPassword=PASSWORD,
    )
    assert iam.list_access_keys(UserName="ann")["AccessKeyMetadata"] == []
    assert iam.list_user_tags(UserName="ann")["Tags"] == []
    [key] = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert key["Status"] == "Active"


def allow(iam, user, action):
    """Gives a user one permission on everything."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document)


def people(iam):
    """Two users, of whom one has a key, a policy and a group."""
    for user in ["ann", "bob"]:
        iam.create_user(UserName=user)
    iam.create_access_key(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=listing("ann"))
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName="ann")


def test_uploads(own, tmp_path):
    s3 = clients(own, own.root).s3
    s3.create_bucket(Bucket="films")
    film = tmp_path / "film.bin"
    film.write_bytes(os.urandom(20 * MIB))
    walk(own, "console_uploads.mjs", bucket="films", file=str(film), name=film.name)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="films")
    stored = s3.get_object(Bucket="films", Key=film.name)
    assert stored["ETag"].endswith('-2"')
    assert stored["Body"].read() == film.read_bytes()


def test_the_keyboard_alone(own):
    iam = clients(own, own.root).iam
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    walk(own, "console_keyboard.mjs", user="ann", key=key)
    assert iam.list_access_keys(UserName="ann")["AccessKeyMetadata"] == []


def test_trouble_and_five_thousand_users(own):
    iam = clients(own, own.root).iam
    iam.create_user(UserName="carl")
    iam.create_login_profile(UserName="carl", Password=PASSWORD)
    iam.create_group(GroupName="everybody")
    walk(
        own,
        "console_trouble.mjs",
        user="carl",
        userPassword=PASSWORD,
    )
