"""Roles for tokens of an OpenID Connect issuer, with the clients that workflows and pods use."""

import json
import time
from types import SimpleNamespace

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import clients
from harness.clients import AwsCli, key_of
from harness.issuer import AUDIENCE, CONFIGURATION, SUBJECT, Issuer, endless, redirect, slow
from harness.server import Server
from harness.wire import form, send

DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
MALFORMED = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)


def trust(provider: str, host: str) -> str:
    """Trusts the workflows of one repository."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {f"{host}:aud": AUDIENCE},
            "StringLike": {f"{host}:sub": "repo:octo-org/app:*"},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def federate(server, issuer, host=None, thumbprints=None) -> str:
    """Registers an issuer and makes the role `deploy`, which may read IAM; gives its ARN."""
    iam = clients(server, server.root).iam
    host = host or issuer.host
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{host}",
        ClientIDList=[AUDIENCE],
        ThumbprintList=[issuer.thumbprint] if thumbprints is None else thumbprints,
    )["OpenIDConnectProviderArn"]
    assert provider == f"arn:aws:iam::{server.account}:oidc-provider/{host}"
    role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust(provider, host))
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    iam.attach_role_policy(RoleName="deploy", PolicyArn=policy)
    return role["Role"]["Arn"]


@pytest.fixture
def issuer(tmp_path):
    """An issuer that the server may reach on this machine."""
    with Issuer(tmp_path / "issuer") as issuer:
        yield issuer


@pytest.fixture
def federated(tmp_path, issuer):
    """A server with the issuer and the role."""
    options = ("--oidc-loopback-issuer", issuer.url)
    with Server(tmp_path / "data", tmp_path / "log", *options) as server:
        role = federate(server, issuer)
        yield SimpleNamespace(server=server, issuer=issuer, role=role)


def assume(federated, token: str, **more) -> dict:
    """AssumeRoleWithWebIdentity by a client without any key."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    endpoint = federated.server.endpoint
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=endpoint, config=config)
    wanted = {"RoleArn": federated.role, "RoleSessionName": "run-1", "WebIdentityToken": token}
    return sts.assume_role_with_web_identity(**{**wanted, **more})


def refused(federated, token: str, **more) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(ClientError) as caught:
        assume(federated, token, **more)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def token_file(tmp_path, token: str) -> str:
    path = tmp_path / "token"
    path.write_text(token)
    return str(path)


def test_the_aws_cli_finds_its_role_in_the_environment(federated, tmp_path):
    cli = AwsCli(
        tmp_path / "home",
        federated.server.endpoint,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ROLE_ARN=federated.role,
        AWS_ROLE_SESSION_NAME="run-7",
        AWS_WEB_IDENTITY_TOKEN_FILE=token_file(tmp_path, federated.issuer.token()),
    )
    arn = f"arn:aws:sts::{federated.server.account}:assumed-role/deploy/run-7"
    assert cli("sts", "get-caller-identity")["Arn"] == arn
    assert cli("iam", "list-users")["Users"] == []
    denied = cli.refused("iam", "create-user", "--user-name", "eve")
    assert denied.code == "AccessDenied" and arn in denied.message
    role = clients(federated.server, federated.server.root).iam.get_role(RoleName="deploy")
    assert "LastUsedDate" in role["Role"]["RoleLastUsed"]


def test_boto3_finds_its_role_in_a_profile(federated, tmp_path, monkeypatch):
    file = token_file(tmp_path, federated.issuer.token())
    config = tmp_path / "config"
    config.write_text(
        f"[profile deploy]\nrole_arn={federated.role}\nweb_identity_token_file={file}\n"
        f"role_session_name=run-8\nregion=us-east-1\nendpoint_url={federated.server.endpoint}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    session = boto3.Session(profile_name="deploy")
    arn = f"arn:aws:sts::{federated.server.account}:assumed-role/deploy/run-8"
    assert session.client("sts").get_caller_identity()["Arn"] == arn
    session.client("iam").list_roles()


def test_the_answer_says_who_was_authenticated(federated):
    tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    token = federated.issuer.token(**{"https://aws.amazon.com/tags": tags})
    answer = assume(federated, token, DurationSeconds=900)
    account = federated.server.account
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Audience"] == AUDIENCE
    assert answer["Provider"].endswith(f":oidc-provider/{federated.issuer.host}")
    user = answer["AssumedRoleUser"]
    assert user["Arn"] == f"arn:aws:sts::{account}:assumed-role/deploy/run-1"
    assert answer["PackedPolicySize"] == 1
    # The session has the tag of the token.
    statement = {
        "Effect": "Allow",
        "Action": "iam:CreateGroup",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}},
    }
    root = clients(federated.server, federated.server.root)
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_role_policy(RoleName="deploy", PolicyName="tag", PolicyDocument=policy)
    session = clients(federated.server, key_of(answer))
    session.iam.create_group(GroupName="made-by-a-workflow")
    # The documents of the issuer were fetched once.
    assume(federated, federated.issuer.token())
    assert federated.issuer.requests == [CONFIGURATION, "/jwks"]


def test_every_other_token_is_rejected(federated):
    issuer, now = federated.issuer, int(time.time())
    other = rsa.generate_private_key(65537, 2048)
    found = "No OpenIDConnect provider found in your account for https://evil.example.com"
    rejections = [
        ("not-a-token", "InvalidIdentityToken", MALFORMED),
        (issuer.token(header={"alg": "none"}), "InvalidIdentityToken", "algorithm"),
        (issuer.token(header={"alg": "HS256", "kid": "one"}), "InvalidIdentityToken", "algorithm"),
        (issuer.token(header={"alg": "RS384", "kid": "one"}), "InvalidIdentityToken", "signature"),
        (issuer.token(header={"alg": "RS256", "kid": "two"}), "InvalidIdentityToken", NO_KEY),
        (issuer.token(key=other), "InvalidIdentityToken", "signature of the ID Token"),
        (issuer.token(exp=now - 301), "ExpiredTokenException", "Token expired: current date/time"),
        (issuer.token(exp=None), "InvalidIdentityToken", "Missing a required claim: exp"),
        (issuer.token(nbf=now + 900), "InvalidIdentityToken", "not valid yet"),
        (issuer.token(iat=now + 900), "InvalidIdentityToken", "not valid yet"),
        (issuer.token(iss="https://evil.example.com"), "InvalidIdentityToken", found),
        (issuer.token(aud="https://github.com/octo-org"), "InvalidIdentityToken", "audience"),
        (issuer.token(sub=None), "InvalidIdentityToken", "Missing a required claim: sub"),
        (issuer.token(sub="repo:evil/app:ref:refs/heads/main"), "AccessDenied", DENIED),
    ]
    for token, code, text in rejections:
        got = refused(federated, token)
        assert got[0] == code and text in got[1], (code, text, got)
    unknown = federated.role.replace("deploy", "none")
    assert refused(federated, issuer.token(), RoleArn=unknown) == ("AccessDenied", DENIED)
    code, text = refused(federated, issuer.token(), DurationSeconds=7200)
    assert code == "ValidationError" and "MaxSessionDuration" in text
    # What has a valid signature, but no permission, is no other principal's business.
    assert refused(federated, issuer.token(aud=["other"]))[0] == "InvalidIdentityToken"
    assume(federated, issuer.token())


def test_a_long_form_is_not_read_without_a_signature(federated):
    parameters = {"RoleArn": federated.role, "RoleSessionName": "run-1"}
    long = form(
        federated.server,
        "sts",
        "AssumeRoleWithWebIdentity",
        WebIdentityToken="a" * 17_000,
        **parameters,
    )
    answer = send(federated.server, long)
    # Its service is not known before its body is read.
    assert answer.error("iam")[:2] == (403, "MissingAuthenticationToken")


def test_a_removed_provider_counts_no_longer(federated):
    assume(federated, federated.issuer.token())
    iam = clients(federated.server, federated.server.root).iam
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arn = listed[0]["Arn"]
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == 1
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (got["Url"], got["ClientIDList"]) == (federated.issuer.host, [AUDIENCE])
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    code, text = refused(federated, federated.issuer.token())
    assert code == "InvalidIdentityToken" and "No OpenIDConnect provider found" in text


@pytest.mark.parametrize(
    ("path", "reply", "code"),
    [
        (CONFIGURATION, redirect("/elsewhere"), "InvalidIdentityToken"),
        ("/jwks", redirect("https://169.254.169.254/"), "InvalidIdentityToken"),
        ("/jwks", endless, "InvalidIdentityToken"),
        ("/jwks", slow, "IDPCommunicationError"),
        ("/jwks", "no json", "InvalidIdentityToken"),
        (CONFIGURATION, None, "InvalidIdentityToken"),
    ],
    ids=["redirect", "redirect to metadata", "endless", "slow", "no keys", "nothing"],
)
def test_what_a_bad_issuer_answers_is_of_no_use(federated, path, reply, code):
    federated.issuer.replies[path] = reply
    token = federated.issuer.token()
    begun = time.monotonic()
    assert refused(federated, token)[0] == code
    assert time.monotonic() - begun < 20
    # The failure is remembered, so that another token causes nothing.
    requests = len(federated.issuer.requests)
    assert refused(federated, token)[0] == code
    assert len(federated.issuer.requests) == requests
    assert "/elsewhere" not in federated.issuer.requests


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_issuer_on_this_machine_is_not_reached_unless_it_is_named(tmp_path, issuer, host):
    """By address and by name: what counts is the address that the name has."""
    with Server(tmp_path / "data", tmp_path / "log") as server:
        role = federate(server, issuer, host=f"{host}:{issuer.port}")
        federated = SimpleNamespace(server=server, issuer=issuer, role=role)
        token = issuer.token(iss=f"https://{host}:{issuer.port}")
        assert refused(federated, token)[0] == "IDPCommunicationError"
    assert issuer.requests == []
    assert "its address may not be used" in (tmp_path / "log").read_text()


def test_a_private_certificate_needs_a_thumbprint(tmp_path, issuer):
    text = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    options = ("--oidc-loopback-issuer", issuer.url)
    with Server(tmp_path / "data", tmp_path / "log", *options) as server:
        role = federate(server, issuer, thumbprints=["0" * 40])
        federated = SimpleNamespace(server=server, issuer=issuer, role=role)
        assert refused(federated, issuer.token()) == ("InvalidIdentityToken", text)
        assert issuer.requests == []
        iam = clients(server, server.root).iam
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=f"arn:aws:iam::{server.account}:oidc-provider/{issuer.host}",
            ThumbprintList=[issuer.thumbprint.upper()],
        )
        assume(federated, issuer.token())
