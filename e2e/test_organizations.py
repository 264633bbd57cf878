"""Organizations with the AWS CLI and boto3: new accounts, the policies that limit them, and access
between accounts."""

import json
import os
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import AwsCli, client, key_of

ROLE = "OrganizationAccountAccessRole"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def deny(action: str, **more) -> str:
    """A policy that denies an action on everything."""
    statement = {"Effect": "Deny", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def allow(**statement) -> str:
    """A policy of one statement that allows."""
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", **statement}})


def code_of(call) -> str:
    """The code of a refused call."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


class Organization:
    """An organization on a server of the test's own, and an administrator of its management
    account."""

    def __init__(self, server):
        self.server = server
        root = clients(server, server.root)
        root.iam.create_user(UserName="admin")
        root.iam.attach_user_policy(UserName="admin", PolicyArn=ADMIN)
        self.key = key_of(root.iam.create_access_key(UserName="admin"))
        self.api = client("organizations", server.endpoint, self.key)
        self.sts = client("sts", server.endpoint, self.key)
        self.id = self.api.create_organization()["Organization"]["Id"]
        self.root = self.api.list_roots()["Roots"][0]["Id"]

    def account(self, name: str) -> str:
        """Creates an account as scripts do: ask, then look until it is there."""
        status = self.api.create_account(AccountName=name, Email=f"{name}@example.com")
        status = status["CreateAccountStatus"]
        for _ in range(50):
            if status["State"] != "IN_PROGRESS":
                break
            time.sleep(0.1)
            found = self.api.describe_create_account_status(CreateAccountRequestId=status["Id"])
            status = found["CreateAccountStatus"]
        assert status["State"] == "SUCCEEDED"
        return status["AccountId"]

    def enter(self, account: str):
        """The clients of the role that every new account has."""
        arn = f"arn:aws:iam::{account}:role/{ROLE}"
        return clients(
            self.server, key_of(self.sts.assume_role(RoleArn=arn, RoleSessionName="e2e"))
        )

    def policy(self, name: str, content: str, kind: str = "SERVICE_CONTROL_POLICY") -> str:
        """A new policy's ID."""
        made = self.api.create_policy(Name=name, Description="e2e", Type=kind, Content=content)
        return made["Policy"]["PolicySummary"]["Id"]


@pytest.fixture
def organization(own):
    """An organization without members."""
    return Organization(own)


def test_a_service_control_policy_is_in_force_on_the_next_request(organization):
    dev, other = organization.account("dev"), organization.account("other")
    inside, elsewhere = organization.enter(dev), organization.enter(other)
    policy = organization.policy("no-buckets", deny("s3:CreateBucket"))
    inside.s3.create_bucket(Bucket="e2e-before")
    organization.api.attach_policy(PolicyId=policy, TargetId=dev)
    with pytest.raises(ClientError) as refused:
        inside.s3.create_bucket(Bucket="e2e-after")
    message = refused.value.response["Error"]["Message"]
    assert "with an explicit deny in a service control policy" in message, message
    elsewhere.s3.create_bucket(Bucket="e2e-elsewhere")
    organization.api.detach_policy(PolicyId=policy, TargetId=dev)
    inside.s3.create_bucket(Bucket="e2e-after")
    # At the root it reaches members only.
    organization.api.attach_policy(PolicyId=policy, TargetId=organization.root)
    assert code_of(lambda: elsewhere.s3.create_bucket(Bucket="e2e-no")) == "AccessDenied"
    mine = client("s3", organization.server.endpoint, organization.key)
    mine.create_bucket(Bucket="e2e-management")


def test_a_bucket_is_shared_among_three_accounts(organization):
    owner, reader, stranger = (organization.account(name) for name in ("owner", "reader", "third"))
    ours, theirs, third = map(organization.enter, (owner, reader, stranger))
    ours.s3.create_bucket(Bucket="e2e-shared")
    ours.s3.put_object(Bucket="e2e-shared", Key="k", Body=b"text")

    def read(who):
        return who.s3.get_object(Bucket="e2e-shared", Key="k")["Body"].read()

    assert code_of(lambda: read(theirs)) == "AccessDenied"
    ours.s3.put_bucket_policy(
        Bucket="e2e-shared",
        Policy=allow(
            Principal={"AWS": f"arn:aws:iam::{reader}:root"},
            Action="s3:GetObject",
            Resource="arn:aws:s3:::e2e-shared/*",
        ),
    )
    assert read(theirs) == b"text"
    assert code_of(lambda: read(third)) == "AccessDenied"
    ours.s3.put_bucket_policy(
        Bucket="e2e-shared",
        Policy=allow(
            Principal="*",
            Action="s3:GetObject",
            Resource="arn:aws:s3:::e2e-shared/*",
            Condition={"StringEquals": {"aws:PrincipalOrgID": organization.id}},
        ),
    )
    assert read(third) == b"text"
    # Only from within the account, whatever the bucket says.
    organization.api.enable_policy_type(
        RootId=organization.root, PolicyType="RESOURCE_CONTROL_POLICY"
    )
    policy = organization.policy(
        "own-account",
        deny(
            "s3:*",
            Principal="*",
            Condition={"StringNotEquals": {"aws:PrincipalAccount": owner}},
        ),
        "RESOURCE_CONTROL_POLICY",
    )
    organization.api.attach_policy(PolicyId=policy, TargetId=owner)
    assert code_of(lambda: read(third)) == "AccessDenied"
    assert read(ours) == b"text"
    # An account that has left is no longer of the organization.
    organization.api.detach_policy(PolicyId=policy, TargetId=owner)
    assert read(third) == b"text"
    organization.api.remove_account_from_organization(AccountId=stranger)
    assert code_of(lambda: read(third)) == "AccessDenied"


def test_a_role_is_trusted_across_accounts(organization):
    one, two = organization.account("one"), organization.account("two")
    first, second = organization.enter(one), organization.enter(two)
    trust = allow(Principal={"AWS": one}, Action="sts:AssumeRole")
    second.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust)
    arn = f"arn:aws:iam::{two}:role/shared"
    first.sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    assert code_of(
        lambda: organization.sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    ) == "AccessDenied"


def test_a_closed_account_is_over(organization):
    dev = organization.account("dev")
    inside = organization.enter(dev)
    inside.iam.create_user(UserName="ann")
    key = key_of(inside.iam.create_access_key(UserName="ann"))
    ann = client("sts", organization.server.endpoint, key)
    assert ann.get_caller_identity()["Account"] == dev
    organization.api.close_account(AccountId=dev)
    assert code_of(ann.get_caller_identity) == "InvalidClientTokenId"
    assert code_of(inside.iam.list_users) == "InvalidClientTokenId"
    listed = organization.api.get_paginator("list_accounts").paginate()
    states = {it["Id"]: it["Status"] for page in listed for it in page["Accounts"]}
    assert states[dev] == "SUSPENDED"


def test_errors_are_those_that_clients_know(organization):
    api = organization.api
    errors = api.exceptions
    with pytest.raises(errors.AccountNotFoundException):
        api.describe_account(AccountId="000000000001")
    with pytest.raises(errors.AlreadyInOrganizationException):
        api.create_organization()
    with pytest.raises(errors.InvalidInputException) as invalid:
        api.describe_policy(PolicyId="x")
    assert invalid.value.response["Reason"] == "INVALID_PATTERN"
    with pytest.raises(errors.ConstraintViolationException) as violated:
        api.detach_policy(PolicyId="p-FullAWSAccess", TargetId=organization.root)
    assert violated.value.response["Reason"] == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    stranger = client("organizations", organization.server.endpoint, organization.key)
    stranger._request_signer._credentials.secret_key = "wrong"  # noqa: SLF001
    assert code_of(stranger.list_roots) == "InvalidSignatureException"
    assert code_of(api.list_aws_service_access_for_organization) == "NotImplemented"


def test_the_aws_command_line_and_ours(organization, tmp_path):
    key, server = organization.key, organization.server
    credentials = {
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    aws = AwsCli(tmp_path / "home", server.endpoint, **credentials)
    listed = aws("organizations", "list-accounts")
    assert [it["Id"] for it in listed["Accounts"]] == [server.account]

    def keywright(*arguments: str) -> str:
        environment = {**credentials, "AWS_ENDPOINT_URL": server.endpoint, "HOME": str(tmp_path)}
        command = [os.environ["KEYWRIGHT_BINARY"], "account", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    created = keywright("create", "dev", "--email", "dev@example.com").strip()
    assert len(created) == 12
    assert created in keywright("list")
    assert "Closed account" in keywright("close", created, "--yes")
    assert "SUSPENDED" in keywright("list")
