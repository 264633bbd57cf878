"""Buckets that are created with their tags: all of it, or nothing."""

import json

import botocore.exceptions
import pytest
from botocore.awsrequest import AWSRequest

from conftest import clients
from harness.wire import send, sign

TEAM = {"Key": "team", "Value": "ops"}


def create(who, name, *tags):
    """Creates a bucket with tags."""
    who.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": list(tags)})


def refused(call) -> tuple[int, str, str]:
    """Status, code and message of a refused call."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    answer = error.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return status, answer["Error"]["Code"], answer["Error"]["Message"]


def exists(root, name) -> bool:
    return name in [bucket["Name"] for bucket in root.s3.list_buckets(Prefix=name)["Buckets"]]


def allow(root, user, *statements):
    """Replaces what a user may do on all buckets."""
    statements = [{"Effect": "Allow", "Resource": "arn:aws:s3:::*"} | s for s in statements]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    root.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)


def test_the_tags_are_there(root, name):
    tags = [TEAM, {"Key": "a b/é", "Value": ""}, {"Key": "Team", "Value": "x y"}]
    create(root, name, *tags)
    assert root.s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    owned = "Your previous request to create the named bucket succeeded and you already own it."
    again = refused(lambda: create(root, name, {"Key": "team", "Value": "dev"}))
    assert again == (409, "BucketAlreadyOwnedByYou", owned)
    root.s3.create_bucket(Bucket=name)
    assert root.s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags


def test_beside_a_region(server, name):
    there = clients(server, server.root, region="eu-west-1")
    configuration = {"LocationConstraint": "eu-west-1", "Tags": [TEAM]}
    there.s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    assert there.s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert there.s3.get_bucket_tagging(Bucket=name)["TagSet"] == [TEAM]


def test_creating_with_tags_needs_the_right_to_tag(server, root, new_user, name):
    user = clients(server, new_user())
    for allowed, denied in [
        ("s3:CreateBucket", "s3:TagResource"),
        ("s3:TagResource", "s3:CreateBucket"),
    ]:
        allow(root, name, {"Action": allowed})
        said = (
            f"User: arn:aws:iam::{server.account}:user/{name} is not authorized to perform: "
            f'{denied} on resource: "arn:aws:s3:::{name}" because no identity-based policy '
            f"allows the {denied} action"
        )
        assert refused(lambda: create(user, name, TEAM)) == (403, "AccessDenied", said)
        assert not exists(root, name)
    allow(root, name, {"Action": ["s3:CreateBucket", "s3:TagResource"]})
    create(user, name, TEAM)
    assert root.s3.get_bucket_tagging(Bucket=name)["TagSet"] == [TEAM]
    user.s3.create_bucket(Bucket=f"{name}-plain")


@pytest.mark.parametrize("action", ["s3:CreateBucket", "s3:TagResource"])
def test_conditions_on_the_tags_of_the_request(server, root, new_user, name, action):
    user = clients(server, new_user())
    other = {"s3:CreateBucket": "s3:TagResource", "s3:TagResource": "s3:CreateBucket"}[action]
    condition = {
        "StringEquals": {"aws:RequestTag/team": "ops"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]},
    }
    allow(root, name, {"Action": action, "Condition": condition}, {"Action": other})
    for tags in [
        [{"Key": "team", "Value": "dev"}],
        [{"Key": "cost", "Value": "ops"}],
        [TEAM, {"Key": "more", "Value": "x"}],
    ]:
        assert refused(lambda tags=tags: create(user, name, *tags))[:2] == (403, "AccessDenied")
    if action == "s3:CreateBucket":
        plain = refused(lambda: user.s3.create_bucket(Bucket=name))
        assert plain[:2] == (403, "AccessDenied")
    assert not exists(root, name)
    create(user, name, TEAM, {"Key": "cost", "Value": "1"})
    assert len(root.s3.get_bucket_tagging(Bucket=name)["TagSet"]) == 2


RESERVED = (
    'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. '
    'Remove "aws:" from your tag keys and try again.'
)


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        ([TEAM, TEAM], "InvalidTag", "Cannot provide multiple Tags with the same key"),
        ([{"Key": "aws:team", "Value": "ops"}], "InvalidTag", RESERVED),
        (
            [{"Key": "k" * 129, "Value": ""}],
            "InvalidTag",
            "The TagKey you have provided is invalid",
        ),
        (
            [{"Key": "k", "Value": "a,b"}],
            "InvalidTag",
            "The TagValue you have provided is invalid",
        ),
        (
            [{"Key": f"k{n}", "Value": ""} for n in range(51)],
            "BadRequest",
            "Bucket tag count cannot be greater than 50",
        ),
    ],
)
def test_wrong_tags_create_nothing(root, name, tags, code, message):
    assert refused(lambda: create(root, name, *tags)) == (400, code, message)
    assert not exists(root, name)


def test_a_body_that_is_wrong_creates_nothing(server, root, name):
    tag = "<Tag><Key>team</Key>{}</Tag>"
    for inside, code in [
        (tag.format(""), "MalformedXML"),
        (tag.format("<Value>ops"), "MalformedXML"),
        (tag.format("<Value>ops</Value>"), "XAmzContentSHA256Mismatch"),
    ]:
        body = (
            f"<CreateBucketConfiguration><Tags>{inside}</Tags></CreateBucketConfiguration>"
        ).encode()
        request = AWSRequest("PUT", f"{server.endpoint}/{name}", {}, body)
        signed = sign(request, server.root, "s3")
        if code != "MalformedXML":
            signed.data = body.replace(b"ops", b"dev")
        answer = send(server, signed)
        assert answer.error("s3")[:2] == (400, code)
        assert not exists(root, name)
