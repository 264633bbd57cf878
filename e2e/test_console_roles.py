"""Roles, identity providers and switching roles on the console's pages, in Chromium."""

import json

import pytest

from conftest import clients
from harness.certificates import make_pair, saml_metadata
from harness.console import walk

# Quick by itself, but a browser is slow where many things run at once.
pytestmark = pytest.mark.timeout(480)

PASSWORD = "Correct-horse-7"


def document(**statement: object) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def trust(principal: str) -> str:
    """A trust policy for one AWS principal."""
    return document(Principal={"AWS": principal}, Action="sts:AssumeRole")


def test_roles_and_providers(own, tmp_path):
    iam = clients(own, own.root).iam
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    walk(
        own,
        "console_roles.mjs",
        metadata=saml_metadata(make_pair(tmp_path)),
        trust=trust(f"arn:aws:iam::{own.account}:root"),
        policy=document(Action="s3:ListAllMyBuckets", Resource="*"),
    )
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["deploy", "developers"]
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    assert iam.list_saml_providers()["SAMLProviderList"] == []
    [issuer] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=issuer["Arn"])
    assert provider["ClientIDList"] == ["sts.amazonaws.com"]
    assert provider["ThumbprintList"] == ["ab" * 20]
    deploy = iam.get_role(RoleName="deploy")["Role"]["AssumeRolePolicyDocument"]
    assert deploy["Statement"][0]["Principal"] == {"Federated": issuer["Arn"]}


def test_switching_roles(own):
    iam = clients(own, own.root).iam
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=PASSWORD)
    role = iam.create_role(
        RoleName="readers",
        Path="/teams/",
        MaxSessionDuration=7200,
        AssumeRolePolicyDocument=trust(f"arn:aws:iam::{own.account}:root"),
    )["Role"]
    iam.attach_role_policy(
        RoleName="readers", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    )
    own_policy = document(Action="sts:AssumeRole", Resource=role["Arn"])
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=own_policy)
    walk(own, "console_switch_role.mjs", user="ann", userPassword=PASSWORD)
    assert "LastUsedDate" in iam.get_role(RoleName="readers")["Role"]["RoleLastUsed"]
