"""`keywright imds`: unmodified SDKs on a machine act in a role, and have no key of their own."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager

import boto3
import pytest

from harness.keywright import Keywright
from test_roles import trust

SECONDS = 100
TOKEN_URL = "/latest/api/token"
ROLES_URL = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def machine(server, root, name, new_user, tmp_path):
    """A machine whose own key may do nothing but assume a role that reads IAM."""
    key = new_user(suffix="-machine")
    user = f"arn:aws:iam::{server.account}:user/{name}-machine"
    root.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(user))
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    root.iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return Keywright(tmp_path / "machine", server.endpoint, key)


@contextmanager
def serving(machine, role: str, *arguments: str):
    """The address of `keywright imds`, which must end well when it is stopped."""
    process = machine.start("imds", role, "--listen", "127.0.0.1:0", *arguments)
    with process:
        try:
            line = process.stdout.readline()
            assert line.startswith(f"Serving credentials of {role} on http://127.0.0.1:"), line
            yield re.search(r"http\S+", line)[0]
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """The status and the body of a response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def session_token(url: str) -> str:
    status, token = fetch(url + TOKEN_URL, "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert status == 200
    return token


def boto(monkeypatch, server, home, **environment: str):
    """A session of boto3 with nothing but this environment and an empty home folder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    home.mkdir()
    environment |= {"HOME": str(home), "AWS_ENDPOINT_URL": server.endpoint}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return boto3.Session(region_name="us-east-1")


def arn(server, name: str) -> str:
    return f"arn:aws:iam::{server.account}:role/{name}"


def test_an_sdk_finds_the_role_as_on_ec2(server, name, machine, monkeypatch, tmp_path):
    with serving(machine, arn(server, name)) as url:
        session = boto(monkeypatch, server, tmp_path / "home", AWS_EC2_METADATA_SERVICE_ENDPOINT=url)
        found = session.get_credentials()
        assert found.method == "iam-role"
        caller = session.client("sts").get_caller_identity()["Arn"]
        assert caller == f"arn:aws:sts::{server.account}:assumed-role/{name}/keywright"
        assert session.client("iam").list_roles()["Roles"]


def test_an_sdk_finds_the_role_as_in_a_container(server, name, machine, monkeypatch, tmp_path):
    file = tmp_path / "token"
    with serving(machine, arn(server, name), "--token-file", str(file)) as url:
        assert file.stat().st_mode & 0o777 == 0o600
        full = f"{url}/credentials"
        container = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": full,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        }
        session = boto(monkeypatch, server, tmp_path / "home", **container)
        assert session.get_credentials().method == "container-role"
        assert session.client("iam").list_roles()["Roles"]
        assert fetch(full) == (401, "")
        assert fetch(full, Authorization="x" * 43) == (401, "")
    # The same file serves after a restart. Without one, there are no container credentials.
    token = file.read_text()
    with serving(machine, arn(server, name), "--token-file", str(file)) as url:
        assert fetch(f"{url}/credentials", Authorization=token)[0] == 200
    with serving(machine, arn(server, name)) as url:
        assert fetch(f"{url}/credentials", Authorization=token) == (404, "")


def test_who_has_no_session_token_gets_nothing(server, name, machine):
    with serving(machine, arn(server, name)) as url:
        token = session_token(url)
        for path in (ROLES_URL, ROLES_URL + name, "/latest/meta-data/", "/nothing"):
            assert fetch(url + path) == (401, ""), path
            assert fetch(url + path, X_aws_ec2_metadata_token=token[:-1]) == (401, ""), path
        for seconds in ("0", "21601", "soon"):
            header = {"X_aws_ec2_metadata_token_ttl_seconds": seconds}
            assert fetch(url + TOKEN_URL, "PUT", **header) == (400, "")
        assert fetch(url + TOKEN_URL, "PUT") == (400, "")
        assert fetch(url + TOKEN_URL, "POST") == (405, "")
        # What a proxy or a web page sends.
        header = {"X_aws_ec2_metadata_token_ttl_seconds": "60"}
        assert fetch(url + TOKEN_URL, "PUT", X_Forwarded_For="10.0.0.1", **header) == (403, "")
        assert fetch(url + TOKEN_URL, "PUT", Host="attacker.example", **header) == (403, "")


def test_metadata(server, name, machine):
    with serving(machine, arn(server, name)) as url:
        token = session_token(url)

        def read(path: str) -> tuple[int, str]:
            return fetch(url + path, X_aws_ec2_metadata_token=token)

        assert read(ROLES_URL) == (200, name)
        assert read("/latest/meta-data/placement/region") == (200, "us-east-1")
        assert read("/latest/meta-data/placement/availability-zone") == (200, "us-east-1a")
        assert read(ROLES_URL + "other") == (404, "")
        status, body = read(ROLES_URL + name)
        first = json.loads(body)
        assert (status, first["Code"], first["Type"]) == (200, "Success", "AWS-HMAC")
        assert first["AccessKeyId"].startswith("ASIA")
        # Credentials are served again until half of their life is over.
        assert json.loads(read(ROLES_URL + name)[1]) == first


def test_a_role_that_cannot_be_assumed(server, root, name, machine):
    nobody = trust(f"arn:aws:iam::{server.account}:root")
    root.iam.update_assume_role_policy(RoleName=name, PolicyDocument=nobody)
    process = machine.start("imds", arn(server, name), "--listen", "127.0.0.1:0")
    with process:
        try:
            warning = process.stderr.readline()
            assert warning.startswith("warning: no credentials yet: no credentials: "), warning
            url = re.search(r"http\S+", process.stdout.readline())[0]
            header = {"X_aws_ec2_metadata_token": session_token(url)}
            status, body = fetch(url + ROLES_URL + name, **header)
            answer = json.loads(body)
            assert (status, answer["Code"]) == (200, "Failed")
            assert "not authorized to perform: sts:AssumeRole" in answer["Message"]
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["app"], "app is not the ARN of a role, like arn:aws:iam::123456789012:role/name"),
        (
            ["arn:aws:iam::123456789012:role/app", "--listen", "0.0.0.0:1338"],
            "0.0.0.0 can be reached from other machines",
        ),
        (
            ["arn:aws:iam::123456789012:role/app", "--token-file", "/nowhere/token"],
            "cannot create /nowhere/token",
        ),
    ],
)
def test_bad_input(machine, arguments, error):
    done: subprocess.CompletedProcess = machine.run("imds", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {error}")
