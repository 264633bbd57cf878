"""Roles for assertions of a SAML identity provider, with the CLI and boto3."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import AwsCli
from harness.saml import AWS, ENDPOINT, ENTITY, SamlProvider
from harness.server import Server


@pytest.fixture
def federated(tmp_path):
    """A server with a SAML provider and the role `admin`, which may read IAM."""
    with Server(tmp_path / "data", tmp_path / "log") as server:
        iam, provider = clients(server, server.root).iam, SamlProvider()
        created = iam.create_saml_provider(
            Name="idp", SAMLMetadataDocument=provider.metadata()
        )
        arn = created["SAMLProviderArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
            "Condition": {"StringEquals": {"SAML:aud": ENDPOINT}},
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust)
        policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
        iam.attach_role_policy(RoleName="admin", PolicyArn=policy)
        role = role["Role"]["Arn"]
        made = SimpleNamespace(server=server, idp=provider, role=role, provider=arn)
        # A server accepts only what was issued after its start, a minute of skew included. Those
        # here are dated as late as possible, and so are accepted within two seconds.
        assert any(outcome(made, response(made)) is None for _ in range(10_000))
        yield made


def attributes(federated) -> dict[str, list[str]]:
    return {
        f"{AWS}/Role": [f"{federated.role},{federated.provider}"],
        f"{AWS}/RoleSessionName": ["ann"],
        f"{AWS}/PrincipalTag:team": ["red"],
    }


def response(federated) -> str:
    idp = federated.idp
    return idp.response(idp.signed(idp.assertion(attributes(federated))))


def outcome(federated, assertion: str) -> tuple[str, str] | None:
    """Code and message of a refusal, if it is one."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    endpoint = federated.server.endpoint
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=endpoint, config=config)
    try:
        sts.assume_role_with_saml(
            RoleArn=federated.role, PrincipalArn=federated.provider, SAMLAssertion=assertion
        )
    except ClientError as caught:
        error = caught.response["Error"]
        return error["Code"], error["Message"]
    return None


def test_the_aws_cli_assumes_a_role_once(federated, tmp_path):
    assertion = response(federated)
    cli = AwsCli(tmp_path / "home", federated.server.endpoint, AWS_DEFAULT_REGION="us-east-1")
    assumed = cli(
        *("sts", "assume-role-with-saml", "--role-arn", federated.role),
        *("--principal-arn", federated.provider, "--saml-assertion", assertion),
    )
    assert (assumed["Issuer"], assumed["Audience"]) == (ENTITY, ENDPOINT)
    assert assumed["Subject"] == "ann@example.com"
    keys = assumed["Credentials"]
    session = boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name="us-east-1",
    )
    endpoint = federated.server.endpoint
    sts = session.client("sts", endpoint_url=endpoint)
    arn = f"arn:aws:sts::{federated.server.account}:assumed-role/admin/ann"
    assert sts.get_caller_identity()["Arn"] == arn
    assert session.client("iam", endpoint_url=endpoint).list_users()["Users"] == []
    used = ("InvalidIdentityToken", "The assertion was used before")
    assert outcome(federated, assertion) == used


def test_assertions_that_are_not_the_providers_are_rejected(federated):
    idp, rejected = federated.idp, "InvalidIdentityToken"
    plain = idp.assertion(attributes(federated))
    signed = idp.signed(plain)
    forged = plain.replace("ann@example.com", "root@example.com").replace('ID="_a', 'ID="_b')
    for content, message in [
        (plain, "Response signature invalid"),
        (signed.replace("ann@", "eve@"), "Response signature invalid"),
        (SamlProvider().signed(plain), "Response signature invalid"),
        (forged + signed, "The response is not a SAML 2.0 response with one assertion"),
        (
            forged.replace("<saml:Subject>", f"{signed}<saml:Subject>"),
            "The response is not a SAML 2.0 response with one assertion",
        ),
        (
            idp.signed(plain.replace("urn:amazon:webservices", "urn:other")),
            "Response does not contain the required audience",
        ),
    ]:
        assert outcome(federated, idp.response(content)) == (rejected, message)
    # None of them was used up.
    other = idp.signed(idp.assertion({f"{AWS}/RoleSessionName": ["ann"]}))
    denied = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
    assert outcome(federated, idp.response(other)) == denied
