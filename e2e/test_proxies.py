"""A reverse proxy in front of the server: what is believed about the client's address and scheme."""

import json

import pytest
from botocore.awsrequest import AWSRequest

from conftest import clients
from harness import wire
from harness.clients import key_of
from harness.console import Pages
from harness.server import Server

CLIENT = "198.51.100.7"
CONSOLE = "https://console.example.com"
API = "https://s3.example.com"


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A server that believes this machine, and the key of a user with rights that depend on the client."""
    folder = tmp_path_factory.mktemp("proxied")
    options = ("--trusted-proxy", "127.0.0.1", "--console-url", CONSOLE, "--api-url", API)
    with Server(folder / "data", folder / "log", *options) as server:
        yield server, restricted(server)


def restricted(server):
    """The key of a user who may do anything from one address over TLS."""
    iam = clients(server, server.root).iam
    iam.create_user(UserName="ann")
    condition = {"IpAddress": {"aws:SourceIp": CLIENT}, "Bool": {"aws:SecureTransport": "true"}}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ann", PolicyName="there", PolicyDocument=document)
    return key_of(iam.create_access_key(UserName="ann"))


def forwarded(request, headers):
    """A signed request with what a proxy adds."""
    for name, value in headers.items():
        request.headers[name] = value
    return request


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}, 200),
        ({"Forwarded": f"for={CLIENT};proto=https"}, 200),
        ({"X-Forwarded-For": f"1.1.1.1, {CLIENT}, 127.0.0.1", "X-Forwarded-Proto": "https"}, 200),
        ({"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "http"}, 403),
        ({"X-Forwarded-For": CLIENT}, 403),
        ({"X-Forwarded-For": f"{CLIENT}, 1.1.1.1", "X-Forwarded-Proto": "https"}, 403),
        ({"X-Forwarded-For": "nonsense", "X-Forwarded-Proto": "https"}, 403),
        ({"Forwarded": f"for={CLIENT};proto=https", "X-Forwarded-For": "1.1.1.1"}, 400),
        ({}, 403),
    ],
)
def test_policies_see_the_client(behind, headers, status):
    server, key = behind
    iam = wire.sign(wire.form(server, "iam", "ListUsers"), key, "iam")
    s3 = wire.sign(AWSRequest("GET", f"{server.endpoint}/"), key, "s3")
    for request in (iam, s3):
        assert wire.send(server, forwarded(request, headers)).status == status


def test_who_is_not_trusted_says_nothing(own):
    key = restricted(own)
    request = wire.sign(wire.form(own, "iam", "ListUsers"), key, "iam")
    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
    assert wire.send(own, forwarded(request, headers)).status == 403


def test_the_console_is_the_proxy_s(behind):
    server, _ = behind
    pages = Pages(server)
    password = (server.data_dir / "root.password").read_text().strip()
    assert pages.sign_in(None, password).status == 403, "the origin is not the one it listens at"
    told = pages.sign_in(None, password, Origin=CONSOLE)
    assert told.status == 200
    for cookie in told.headers.get_all("set-cookie"):
        assert cookie.startswith("__Host-keywright") and "; Secure; " in cookie
    made = pages.post("credentials", {}, Origin=CONSOLE)
    assert made.body["endpointUrl"] == API
