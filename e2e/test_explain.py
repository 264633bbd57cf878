"""`keywright policy explain` and `who-can` ask a running server what it decides, and why."""

import json

import pytest

from harness.keywright import Keywright

S3_READ = "AmazonS3ReadOnlyAccess"


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


def test_explain_says_why(keywright, server, new_user, name):
    new_user(S3_READ)
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    allowed = keywright.run("policy", "explain", arn, "s3:GetObject", "arn:aws:s3:::b/k")
    assert allowed.returncode == 0, allowed.stderr
    assert S3_READ in allowed.stdout, allowed.stdout
    denied = keywright.run("policy", "explain", arn, "s3:PutObject", "arn:aws:s3:::b/k", "--json")
    assert denied.returncode == 1, denied.stderr
    shown = json.loads(denied.stdout)
    assert shown["decision"] == "implicitDeny", shown
    assert "needed: an Allow in identity-based policy" in shown["explanation"], shown


def test_who_can_lists_principals_and_through_what(keywright, server, new_user, name):
    new_user("AmazonS3FullAccess")
    new_user("IAMReadOnlyAccess", suffix="-other")
    done = keywright.run("policy", "who-can", "s3:PutObject", "arn:aws:s3:::b/k", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["PrincipalArn"]: row["Through"] for row in json.loads(done.stdout)}
    prefix = f"arn:aws:iam::{server.account}:"
    assert "AmazonS3FullAccess" in found[f"{prefix}user/{name}"]
    assert f"{prefix}user/{name}-other" not in found
    assert f"{prefix}root" in found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "nobody", "s3:GetObject"], "principalArn"),
        (["explain", "arn:aws:iam::123456789012:user/none", "s3:GetObject"], "none"),
        (["who-can", "s3"], "actionName"),
    ],
)
def test_what_it_cannot_explain(keywright, arguments, says):
    done = keywright.run("policy", *arguments)
    assert done.returncode == 1 and says in done.stderr, (done.returncode, done.stderr)
    assert done.stdout == ""
