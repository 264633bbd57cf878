"""AWS as moto serves it: its two stores as places for Keywright's keys, and its IAM as the issuer.

moto is one more opinion of what AWS answers, beside the published API that ours was written from.
"""

import json
import re
import subprocess
import sys

import boto3
import pytest

from harness.clients import client, key_of
from harness.keywright import Keywright
from harness.server import Credentials

RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
UNUSED = ("--override-unused", "a test", "--accept-blind-window")
QUICK = ("--observe", "0s", "--dwell", "0s", "--wait", *UNUSED)


@pytest.fixture(scope="module")
def moto():
    """The address of moto's server, which is asked with any credentials."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if found := RUNNING.search(line):
                yield found[1]
                break
        running.terminate()
        running.stderr.read()


class Stored:
    """A document in one of the two stores."""

    def __init__(self, kind: str, moto: str, name: str):
        self.name = f"/keys/{name}"
        self.sink = f"{kind}:{self.name}?region=eu-west-1&endpoint={moto}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.api = boto3.client(kind, endpoint_url=moto, region_name="eu-west-1", **keys)
        self.kind = kind

    def create(self, text: str):
        """Makes it."""
        if self.kind == "ssm":
            self.api.put_parameter(Name=self.name, Value=text, Type="SecureString")
        else:
            self.api.create_secret(Name=self.name, SecretString=text)

    def text(self) -> str:
        """What is in it."""
        if self.kind == "ssm":
            answer = self.api.get_parameter(Name=self.name, WithDecryption=True)
            assert answer["Parameter"]["Type"] == "SecureString"
            return answer["Parameter"]["Value"]
        # Without the label moto answers with the version that it was made with.
        current = {"SecretId": self.name, "VersionStage": "AWSCURRENT"}
        return self.api.get_secret_value(**current)["SecretString"]

    def key(self) -> Credentials:
        """The pair in it."""
        document = json.loads(self.text())
        return Credentials(document["AccessKeyId"], document["SecretAccessKey"])


@pytest.fixture(params=["secretsmanager", "ssm"])
def stored(request, moto, name):
    """Each of the two stores."""
    return Stored(request.param, moto, name)


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


def test_a_store_gets_the_new_key_and_the_old_one_back(
    server, root, new_user, name, stored, keywright
):
    old = new_user()
    text = json.dumps(
        {"AccessKeyId": old.access_key, "SecretAccessKey": old.secret_key, "host": "db"}
    )
    stored.create(text)
    begun = keywright.run("rotate", name, "--deliver", stored.sink, "--observe", "24h")
    assert begun.returncode == 0, begun.stderr
    new = stored.key()
    assert new.access_key != old.access_key and json.loads(stored.text())["host"] == "db"
    assert client("sts", server.endpoint, new).get_caller_identity()["Arn"].endswith(name)
    back = keywright.run("rotate", "rollback", name)
    assert back.returncode == 0, back.stderr
    assert stored.text() == text
    said = begun.stdout + begun.stderr + back.stdout + back.stderr
    assert new.secret_key not in said and old.secret_key not in said


def test_a_store_whose_key_is_replaced(server, root, new_user, name, stored, keywright):
    old = new_user()
    stored.create(json.dumps({"AccessKeyId": old.access_key, "SecretAccessKey": old.secret_key}))
    done = keywright.run("rotate", name, "--deliver", stored.sink, *QUICK)
    assert done.returncode == 0, done.stderr
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [stored.key().access_key]


def test_a_store_that_cannot_be_used_is_known_before_anything_is_changed(
    root, new_user, name, moto, keywright
):
    old = new_user()
    for place, says in [
        (f"secretsmanager:none?endpoint={moto}", "there is no secret none with a value"),
        ("ssm:/x?endpoint=http://127.0.0.1:9", "nothing was begun: ssm:"),
        ("github:octo/repo", "GITHUB_TOKEN is not set"),
        ("kubernetes:prod/job", "there is no kubeconfig"),
        ("vault:kv/job", "VAULT_ADDR is not set"),
    ]:
        done = keywright.run("rotate", name, "--deliver", place)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert says in done.stderr, done.stderr
        listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        assert [key["AccessKeyId"] for key in listed] == [old.access_key]
    assert keywright.run("rotate", "status", "--all").stdout == ""


def test_a_key_of_aws_is_replaced_by_a_role_that_was_assumed(moto, tmp_path):
    anyone = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=moto, **anyone)
    name = "RotateKeyUser"
    iam.create_user(UserName=name)
    old = key_of(iam.create_access_key(UserName=name))
    keywright = Keywright(tmp_path / "home", moto, Credentials("x", "x"))
    file = keywright.home / "job.env"
    role = "arn:aws:iam::123456789012:role/rotator"
    done = keywright.run(
        "rotate", name, "--assume-role", role, "--deliver", f"dotenv:{file}", "--create", *QUICK
    )
    assert done.returncode == 0, done.stderr
    assert f"of {name} in 123456789012" in done.stderr
    new = re.search("AWS_ACCESS_KEY_ID=(.*)", file.read_text())[1]
    assert new != old.access_key
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [(key["AccessKeyId"], key["Status"]) for key in listed] == [(new, "Active")]
    assert iam.list_user_tags(UserName=name)["Tags"] == []

    report = keywright.run("rotate", "report", "--format", "json")
    assert report.returncode == 0, report.stderr + report.stdout
    shown = json.loads(report.stdout)
    assert (shown["Account"], shown["Findings"]) == ("123456789012", [])
