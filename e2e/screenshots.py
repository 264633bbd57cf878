"""Pictures of the console, of an empty account and of one with something in it.

`cargo xtask screenshots` runs it with the folder for the pictures. It asserts nothing: somebody
must look.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from botocore.exceptions import ClientError

from conftest import clients
from harness.certificates import make_pair, saml_metadata
from harness.clients import key_of
from harness.rotations import Rotations
from harness.server import Server
from harness.totp import Authenticator

USER = "RotateKeyUser"
PASSWORD = "Correct-horse-7"
MANAGED = "arn:aws:iam::aws:policy/"
POLICY = "photo-readers"


def document(*statements: dict) -> str:
    """A policy of these statements, indented."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=4)


def allow(action: str, resource: str, **more: object) -> dict:
    """A statement that allows one action."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


DRAFT = document(allow("s3:GetObject", "arn:aws:s3:::photos-of-2026/*"))


def fill(server: Server):
    """What a small account has after some weeks of use."""
    root = clients(server, server.root)
    iam, s3 = root.iam, root.s3
    for name in [USER, "ann", "bob", "deployer", "a-user-with-quite-a-long-name-of-a-build-machine"]:
        iam.create_user(UserName=name, Tags=[{"Key": "team", "Value": "storage"}])
    iam.create_login_profile(UserName=USER, Password=PASSWORD)
    keys = [key_of(iam.create_access_key(UserName=USER)) for _ in range(2)]
    iam.update_access_key(UserName=USER, AccessKeyId=keys[0].access_key, Status="Inactive")
    iam.tag_user(UserName=USER, Tags=[{"Key": keys[1].access_key, "Value": "laptop"}])
    iam.create_access_key(UserName="deployer")
    policy = iam.create_policy(PolicyName=POLICY, PolicyDocument=DRAFT, Description="Reads photos")
    arn = policy["Policy"]["Arn"]
    for prefix in ["2023", "2024", "2025", "2026"]:
        text = document(allow("s3:GetObject", f"arn:aws:s3:::photos-of-2026/{prefix}/*"))
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    for group in ["readers", "everybody"]:
        iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName="readers", UserName=USER)
    iam.attach_group_policy(GroupName="readers", PolicyArn=arn)
    for attached in [arn, f"{MANAGED}AmazonS3FullAccess"]:
        iam.attach_user_policy(UserName=USER, PolicyArn=attached)
    iam.put_user_policy(UserName=USER, PolicyName="own", PolicyDocument=DRAFT)
    roles(server)
    s3.create_bucket(Bucket="photos-of-2026")
    s3.create_bucket(Bucket="backups-of-the-build-machines-in-mumbai")
    for key in ["cat.txt", "dog.txt", "2026/january/horse.txt"]:
        s3.put_object(Bucket="photos-of-2026", Key=key, Body=b"meow" * 300)
    everyone = allow("s3:GetObject", "arn:aws:s3:::photos-of-2026/*", Principal="*")
    s3.delete_public_access_block(Bucket="photos-of-2026")
    s3.put_bucket_policy(Bucket="photos-of-2026", Policy=document(everyone))
    nobody = key_of(iam.create_access_key(UserName="bob"))
    for refused in [clients(server, nobody).iam.list_users, clients(server, nobody).s3.list_buckets]:
        try:
            refused()
        except ClientError:
            continue


def roles(server: Server):
    """Roles that trust each kind of entity, and identity providers."""
    iam = clients(server, server.root).iam
    issuer = iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com",
        ClientIDList=["sts.amazonaws.com", "https://github.com/octo"],
        ThumbprintList=["990f4193972f2becf12ddeda5237f9c952f20d9e"],
    )["OpenIDConnectProviderArn"]
    with tempfile.TemporaryDirectory() as folder:
        metadata = saml_metadata(make_pair(Path(folder)))
    iam.create_saml_provider(Name="Corp", SAMLMetadataDocument=metadata)
    trusted = {
        "developers": ("sts:AssumeRole", {"AWS": f"arn:aws:iam::{server.account}:root"}),
        "web-servers": ("sts:AssumeRole", {"Service": "ec2.amazonaws.com"}),
        "deploy-the-shop": ("sts:AssumeRoleWithWebIdentity", {"Federated": issuer}),
    }
    for name, (action, principal) in trusted.items():
        statement = {"Effect": "Allow", "Principal": principal, "Action": action}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(statement))
    iam.attach_role_policy(RoleName="developers", PolicyArn=f"{MANAGED}ReadOnlyAccess")
    iam.put_role_policy(RoleName="developers", PolicyName="own", PolicyDocument=DRAFT)
    iam.create_instance_profile(InstanceProfileName="web-servers")
    iam.add_role_to_instance_profile(InstanceProfileName="web-servers", RoleName="web-servers")
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")


def rotate(server: Server):
    """Rotations in each state that a page shows in its own way, and policies."""
    root = clients(server, server.root)
    for name in ["waits", "watched", "held", "over", "back"]:
        root.iam.create_user(UserName=name, Path="/jobs/")
        root.iam.create_access_key(UserName=name)
    rotations = Rotations(server, server.root)
    quick = {"ObserveSeconds": 0, "DwellSeconds": 0, "OverrideUnused": "a picture"}
    for name, waits in [("waits", {}), ("watched", {}), ("held", {}), ("over", quick), ("back", quick)]:
        rotations("StartRotation", UserName=name, **waits)
        rotations.until(name, lambda it: "WaitingFor" in it)
    for name in ["watched", "over"]:
        rotations.deliver(name)
    rotations("HoldRotation", UserName="held", Reason="a freeze until Monday")
    rotations("RollBackRotation", UserName="back", Reason="the wrong key")
    rotations.until("over", lambda it: it["IsOver"] == "true")
    rotations.until("back", lambda it: it["IsOver"] == "true")
    key = key_of(root.iam.create_access_key(UserName="ann"))
    own = allow("*", "*")
    root.iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=document(own))
    put = Rotations(server, key)
    put("PutRotationPolicy", RotationPolicyName="builds", PathPrefix="/builds/")
    # What is missing from now on is the policy's trouble.
    own = allow("keywright:*", "*")
    root.iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=document(own))
    rotations("PutRotationPolicy", RotationPolicyName="jobs", PathPrefix="/jobs/", JitterDays=10)


def people(server: Server):
    """Who must change the password, who may nothing, who has an MFA device, who switches roles."""
    iam = clients(server, server.root).iam
    for name in ["newcomer", "nobody", "careful", "developer"]:
        iam.create_user(UserName=name)
        must = name == "newcomer"
        iam.create_login_profile(UserName=name, Password=PASSWORD, PasswordResetRequired=must)
    switching = document(allow("sts:AssumeRole", "*"))
    iam.put_user_policy(UserName="developer", PolicyName="own", PolicyDocument=switching)
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    first, second = Authenticator(made["Base32StringSeed"].decode()).pair()
    iam.enable_mfa_device(
        UserName="careful",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=first,
        AuthenticationCode2=second,
    )


def take(server: Server, folder: str, state: str):
    """Runs the browser through the pages."""
    told = {
        "browser": os.environ["KEYWRIGHT_CHROMIUM"],
        "console": server.console,
        "endpoint": server.endpoint,
        "account": server.account,
        "password": (server.data_dir / "root.password").read_text().strip(),
        "folder": folder,
        "state": state,
        "draft": DRAFT,
        "userPassword": PASSWORD,
    }
    script = Path(__file__).with_name("screenshots.mjs")
    subprocess.run(["node", script], input=json.dumps(told), text=True, check=True)


def main():
    """Both accounts, one after the other, on the same server."""
    folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as home:
        with Server(Path(home) / "data", Path(home) / "log") as server:
            take(server, folder, "empty")
            fill(server)
            rotate(server)
            people(server)
            take(server, folder, "filled")


main()
