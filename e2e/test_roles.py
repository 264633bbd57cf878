"""Roles with the clients that people use: profiles of the AWS CLI, boto3, the JavaScript SDK."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import key_of
from test_javascript import run

DENY_OLDER = "AWSRevokeOlderSessions"


def trust(principal: str, condition: dict | None = None) -> str:
    """A trust policy for one principal."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(server, root, name, new_user):
    """A role that may read IAM, and a user who is trusted with an external ID only."""
    key = new_user()
    user = f"arn:aws:iam::{server.account}:user/{name}"
    external = {"StringEquals": {"sts:ExternalId": "e2e"}}
    created = root.iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=trust(user, external), Description="e2e"
    )["Role"]
    root.iam.get_waiter("role_exists").wait(RoleName=name)
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    root.iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return SimpleNamespace(name=name, arn=created["Arn"], key=key)


def assume(server, role, **more):
    """The credentials of a new session."""
    sts = clients(server, role.key).sts
    wanted = {"RoleArn": role.arn, "RoleSessionName": "e2e", "ExternalId": "e2e", **more}
    return key_of(sts.assume_role(**wanted))


def profiles(folder, role, session: str) -> dict:
    """Files with the user's key and two profiles of the role, one with a wrong external ID."""
    folder.mkdir()
    credentials, config = folder / "credentials", folder / "config"
    credentials.write_text(
        f"[user]\naws_access_key_id={role.key.access_key}\n"
        f"aws_secret_access_key={role.key.secret_key}\n"
    )
    profile = f"source_profile=user\nrole_arn={role.arn}\nrole_session_name={session}\n"
    profile += "region=us-east-1\n"
    config.write_text(
        f"[profile reader]\n{profile}external_id=e2e\n[profile wrong]\n{profile}external_id=other\n"
    )
    return {"credentials": str(credentials), "config": str(config)}


def test_a_profile_of_the_cli(server, role, aws, tmp_path):
    profiles(tmp_path / "home" / ".aws", role, "cli")
    session = f"arn:aws:sts::{server.account}:assumed-role/{role.name}/cli"
    assert aws("sts", "get-caller-identity", "--profile", "reader")["Arn"] == session
    assert aws("iam", "list-roles", "--profile", "reader")["Roles"]
    refusal = aws.refused("iam", "create-group", "--group-name", "g", "--profile", "reader")
    assert refusal.code == "AccessDenied"
    assert refusal.message.startswith(f"User: {session} is not authorized")
    refusal = aws.refused("iam", "list-roles", "--profile", "wrong")
    assert (refusal.code, refusal.operation) == ("AccessDenied", "AssumeRole")
    assert refusal.message.endswith(f"perform: sts:AssumeRole on resource: {role.arn}")


def test_boto3(server, role):
    tags = [{"Key": "team", "Value": "blue"}]
    session = clients(server, assume(server, role, Tags=tags, DurationSeconds=900))
    identity = session.sts.get_caller_identity()
    assert identity["Arn"].endswith(f":assumed-role/{role.name}/e2e")
    pages = session.iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1})
    assert role.name in [it["RoleName"] for page in pages for it in page["Roles"]]
    details = session.iam.get_paginator("get_account_authorization_details")
    pages = details.paginate(Filter=["Role"], PaginationConfig={"PageSize": 1})
    found = [it for page in pages for it in page["RoleDetailList"]]
    (mine,) = [it for it in found if it["RoleName"] == role.name]
    assert mine["AttachedManagedPolicies"][0]["PolicyName"] == "IAMReadOnlyAccess"
    assert mine["AssumeRolePolicyDocument"]["Statement"][0]["Action"][0] == "sts:AssumeRole"
    used = session.iam.get_role(RoleName=role.name)["Role"]["RoleLastUsed"]
    assert used["Region"] == "us-east-1"


def test_instance_profiles(root, role):
    name = {"InstanceProfileName": role.name}
    root.iam.create_instance_profile(**name, Tags=[{"Key": "k", "Value": "v"}])
    root.iam.get_waiter("instance_profile_exists").wait(**name)
    root.iam.add_role_to_instance_profile(**name, RoleName=role.name)
    profile = root.iam.get_instance_profile(**name)["InstanceProfile"]
    assert [it["Arn"] for it in profile["Roles"]] == [role.arn]
    listed = root.iam.list_instance_profiles_for_role(RoleName=role.name)
    assert [it["Arn"] for it in listed["InstanceProfiles"]] == [profile["Arn"]]
    with pytest.raises(root.iam.exceptions.DeleteConflictException):
        root.iam.delete_instance_profile(**name)
    root.iam.remove_role_from_instance_profile(**name, RoleName=role.name)
    root.iam.delete_instance_profile(**name)


def test_service_linked_roles(root):
    made = root.iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    with pytest.raises(root.iam.exceptions.UnmodifiableEntityException):
        root.iam.delete_role(RoleName=made["RoleName"])
    task = root.iam.delete_service_linked_role(RoleName=made["RoleName"])["DeletionTaskId"]
    status = root.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    assert status["Status"] == "SUCCEEDED"


def test_sessions_are_revoked(server, root, role):
    session = clients(server, assume(server, role))
    session.iam.list_users()
    # The console's "Revoke active sessions". A session that is issued in the same second stays.
    issued_before = datetime(2100, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    deny = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": issued_before}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    root.iam.put_role_policy(RoleName=role.name, PolicyName=DENY_OLDER, PolicyDocument=document)
    with pytest.raises(ClientError, match="explicit deny in an identity-based policy"):
        session.iam.list_users()


def test_a_bucket_policy_names_a_role_and_a_session(server, root, role, bucket):
    session = clients(server, assume(server, role))
    with pytest.raises(ClientError, match="AccessDenied"):
        session.s3.get_object(Bucket=bucket, Key="k")
    sessions = f"arn:aws:sts::{server.account}:assumed-role/{role.name}"
    for principal, allowed in (
        (role.arn, True),
        (f"{sessions}/e2e", True),
        (f"{sessions}/other", False),
    ):
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        root.s3.put_bucket_policy(Bucket=bucket, Policy=document)
        if allowed:
            assert session.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                session.s3.get_object(Bucket=bucket, Key="k")
    # A policy that names the role names this role, not another of its name.
    by_role = {**statement, "Principal": {"AWS": role.arn}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [by_role]})
    root.s3.put_bucket_policy(Bucket=bucket, Policy=document)
    stored = json.loads(root.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert stored["Statement"][0]["Principal"]["AWS"] == role.arn
    role_id = root.iam.get_role(RoleName=role.name)["Role"]["RoleId"]
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    root.iam.detach_role_policy(RoleName=role.name, PolicyArn=policy)
    root.iam.delete_role(RoleName=role.name)
    stored = json.loads(root.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert stored["Statement"][0]["Principal"]["AWS"] == role_id


def test_a_profile_of_the_javascript_sdk(server, role, tmp_path):
    files = profiles(tmp_path / "aws", role, "javascript")
    wanted = {"endpoint": server.endpoint, "profile": "reader", **files}
    (answer,) = run("assume_role.mjs", wanted)
    assert answer["arn"].endswith(f":assumed-role/{role.name}/javascript")
    assert answer["expiration"]
