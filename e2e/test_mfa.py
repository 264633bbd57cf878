"""MFA devices: assigned, asked for, and what a policy that demands them lets through."""

import json
import struct

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import key_of
from harness.console import Pages
from harness.totp import Authenticator

PASSWORD = "Correct-horse-7"
# AWS's own pattern: without MFA one may do nothing but what leads to it.
DEMAND = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["iam:ListUsers", "s3:ListAllMyBuckets"], "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["iam:EnableMFADevice", "sts:GetSessionToken"],
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    ],
}


@pytest.fixture
def device(root, name):
    """A virtual device: its serial number and the app that has its seed."""
    made = root.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    png = made["QRCodePNG"]
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG\r\n\x1a\n") and width == height > 200
    return made["SerialNumber"], Authenticator(made["Base32StringSeed"].decode())


def enable(iam, user, device):
    serial, app = device
    first, second = app.pair()
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=serial,
        AuthenticationCode1=first,
        AuthenticationCode2=second,
    )


def refused(call, **arguments):
    with pytest.raises(ClientError) as told:
        call(**arguments)
    return told.value.response["Error"]["Code"]


def test_a_policy_demands_mfa(server, root, new_user, name, device):
    key = new_user()
    root.iam.put_user_policy(UserName=name, PolicyName="mfa", PolicyDocument=json.dumps(DEMAND))
    enable(root.iam, name, device)
    serial, app = device
    [listed] = root.iam.list_mfa_devices(UserName=name)["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == (name, serial)
    mine = clients(server, key)
    # For the access key itself the condition key is absent, which BoolIfExists takes for a match.
    assert refused(mine.iam.list_users) == "AccessDenied"
    assert refused(mine.s3.list_buckets) == "AccessDenied"
    plain = clients(server, key_of(mine.sts.get_session_token()))
    assert refused(plain.s3.list_buckets) == "AccessDenied"
    assert refused(plain.iam.list_users) == "InvalidClientTokenId"
    code = app.code()
    safe = key_of(mine.sts.get_session_token(SerialNumber=serial, TokenCode=code))
    clients(server, safe).s3.list_buckets()
    clients(server, safe).iam.list_users()
    again = refused(mine.sts.get_session_token, SerialNumber=serial, TokenCode=code)
    assert again == "AccessDenied"
    assert refused(root.iam.delete_virtual_mfa_device, SerialNumber=serial) == "DeleteConflict"
    root.iam.deactivate_mfa_device(UserName=name, SerialNumber=serial)
    root.iam.delete_virtual_mfa_device(SerialNumber=serial)


def test_the_cli_assigns_a_device(server, root, aws, name, tmp_path):
    root.iam.create_user(UserName=name)
    for setting, value in [
        ("aws_access_key_id", server.root.access_key),
        ("aws_secret_access_key", server.root.secret_key),
        ("region", "us-east-1"),
    ]:
        assert aws.run("configure", "set", setting, value).returncode == 0
    seed = tmp_path / "seed"
    made = aws(
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", name),
        *("--outfile", str(seed), "--bootstrap-method", "Base32StringSeed"),
    )
    serial = made["VirtualMFADevice"]["SerialNumber"]
    app = Authenticator(seed.read_text())
    who = ("--user-name", name, "--serial-number", serial)
    first, second = app.pair()
    codes = ("--authentication-code1", first, "--authentication-code2", second)
    aws("iam", "enable-mfa-device", *who, *codes)
    assert aws.refused("iam", "resync-mfa-device", *who, *codes).code == "InvalidAuthenticationCode"
    aws("iam", "deactivate-mfa-device", *who)


def test_a_second_step_at_sign_in(server, root, name, device):
    root.iam.create_user(UserName=name)
    root.iam.create_login_profile(UserName=name, Password=PASSWORD)
    enable(root.iam, name, device)
    pages = Pages(server)
    who = {"account": server.account, "userName": name, "password": PASSWORD}
    asked = pages.post("sign-in", who)
    assert (asked.status, asked.code) == (401, "MfaRequired")
    assert pages.cookies == {}
    code = device[1].code()
    told = pages.post("sign-in", {**who, "mfaCode": code})
    assert (told.status, told.body["mfa"]) == (200, True)
    spent = Pages(server).post("sign-in", {**who, "mfaCode": code})
    assert (spent.status, spent.code) == (401, "AuthenticationFailed")
