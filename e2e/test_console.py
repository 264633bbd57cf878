"""The console's endpoints over plain HTTP, and its pages in a browser that people have."""

import json
import os
import stat
import subprocess
from pathlib import Path

import botocore.exceptions
import pytest

from conftest import clients
from harness.clients import Credentials
from harness.console import Pages, walk
from harness.server import Server

PASSWORD = "Correct-horse-7"
OTHER = "Battery-staple-8"
SECONDS = 110
WRONG = {
    "code": "AuthenticationFailed",
    "message": "Your authentication information is incorrect. Please try again.",
}


@pytest.fixture
def pages(server):
    """One browser's worth of requests."""
    return Pages(server)


@pytest.fixture
def person(root, name):
    """A user with console access."""
    root.iam.create_user(UserName=name)
    root.iam.create_login_profile(UserName=name, Password=PASSWORD)
    return name


def credentials(pages):
    """The temporary credentials of a session."""
    made = pages.post("credentials", {}).body
    return Credentials(made["accessKeyId"], made["secretAccessKey"], made["sessionToken"])


def test_root_signs_in_with_the_password_in_its_file(server, pages):
    file = server.data_dir / "root.password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = file.read_text().removesuffix("\n")
    assert f"root password in {file}" in "\n".join(server.greeting)
    assert password not in "\n".join(server.greeting)
    told = pages.sign_in(None, password)
    expires = told.body.pop("expiresAt")
    assert (told.status, told.body) == (
        200,
        {
            "state": "signed-in",
            "accountId": server.account,
            "arn": f"arn:aws:iam::{server.account}:root",
        },
    )
    assert expires.endswith("Z")
    mine = clients(server, credentials(pages))
    keys = mine.iam.list_access_keys()["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [server.root.access_key]


def test_a_session_from_its_beginning_to_its_end(server, root, pages, person):
    assert pages.get("api/session").body == {"state": "signed-out"}
    assert pages.sign_in(person, PASSWORD).status == 200
    session = pages.get("api/session").body
    assert (session["state"], session["userName"]) == ("signed-in", person)
    served = pages.get("api/capabilities").body
    assert {"CreateUser", "CreateAccessKey"} <= set(served["iam"])
    mine = clients(server, credentials(pages))
    assert mine.sts.get_caller_identity()["Arn"] == session["arn"]
    with pytest.raises(mine.iam.exceptions.ClientError, match="not authorized"):
        mine.iam.list_users()
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    root.iam.attach_user_policy(UserName=person, PolicyArn=policy)
    assert person in [user["UserName"] for user in mine.iam.list_users()["Users"]]
    assert root.iam.get_user(UserName=person)["User"]["PasswordLastUsed"]
    out = pages.post("sign-out", {})
    assert (out.status, "Max-Age=0" in out.headers["set-cookie"]) == (204, True)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        mine.sts.get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_a_due_password_is_changed_as_its_user(root, pages, name):
    root.iam.create_user(UserName=name)
    root.iam.create_login_profile(UserName=name, Password=PASSWORD, PasswordResetRequired=True)
    assert pages.sign_in(name, PASSWORD).body["state"] == "password-change"
    assert pages.post("credentials", {}).code == "PasswordChangeRequired"
    wanted = {"oldPassword": PASSWORD, "newPassword": OTHER}
    told = pages.post("password", wanted)
    assert (told.status, told.code) == (400, "AccessDenied")
    assert "is not authorized to perform: iam:ChangePassword" in told.body["message"]
    policy = "arn:aws:iam::aws:policy/IAMUserChangePassword"
    root.iam.attach_user_policy(UserName=name, PolicyArn=policy)
    weak = pages.post("password", {**wanted, "newPassword": "weak"})
    assert (weak.status, weak.code) == (400, "PasswordPolicyViolation")
    assert pages.post("password", wanted).body["state"] == "signed-in"
    assert not root.iam.get_login_profile(UserName=name)["LoginProfile"]["PasswordResetRequired"]


def test_who_is_not_let_in(server, pages, person):
    for user, password in [(person, "wrong"), (f"{person}-2", PASSWORD), (None, PASSWORD)]:
        told = pages.sign_in(user, password)
        assert (told.status, told.body) == (401, WRONG)
        assert told.headers["set-cookie"] is None
    for account in ["210987654321", "no-such-alias"]:
        who = {"account": account, "userName": person, "password": PASSWORD}
        told = pages.post("sign-in", who)
        assert (told.status, told.body) == (401, WRONG)


def test_guessing_is_slowed_down(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log") as alone:
        pages = Pages(alone)
        told = [pages.sign_in("nobody", f"Password-{n}").status for n in range(6)]
        assert told == [401] * 6
        refused = pages.sign_in("nobody", "Password-7")
        assert (refused.status, refused.code) == (429, "TooManyAttempts")
        assert int(refused.headers["retry-after"]) == refused.body["retryAfterSecs"] == 1
        assert pages.sign_in("somebody", PASSWORD).status == 401


def test_nobody_locks_another_person_out(tmp_path):
    proxy = ("--trusted-proxy", "127.0.0.1")
    with Server(tmp_path / "data", tmp_path / "log", *proxy) as alone:
        password = (alone.data_dir / "root.password").read_text().strip()
        known, attacker, stranger = Pages(alone), Pages(alone), Pages(alone)
        assert known.sign_in(None, password).status == 200
        for _ in range(8):
            attacker.sign_in(None, "wrong", X_Forwarded_For="198.51.100.7")
        refused = attacker.sign_in(None, password, X_Forwarded_For="198.51.100.7")
        assert refused.code == "TooManyAttempts"
        # Neither whoever is elsewhere nor, at the same address, who was there before.
        assert stranger.sign_in(None, password, X_Forwarded_For="203.0.113.9").status == 200
        assert known.sign_in(None, password, X_Forwarded_For="198.51.100.7").status == 200
    with Server(tmp_path / "data", tmp_path / "log") as again:
        known.move(again)
        for _ in range(8):
            Pages(again).sign_in(None, "wrong")
        assert Pages(again).sign_in(None, password).code == "TooManyAttempts"
        assert known.sign_in(None, password).status == 200, "a restart forgets no browser"


@pytest.mark.parametrize("endpoint", ["sign-in", "password", "credentials", "sign-out"])
def test_what_another_origin_could_send_is_refused(server, pages, endpoint):
    for headers in [
        {"X_Keywright_Console": None},
        {"Content_Type": "text/plain"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": server.endpoint},
        {"Sec_Fetch_Site": "same-site"},
    ]:
        told = pages.post(endpoint, {}, **headers)
        assert (told.status, told.code) == (403, "Forbidden"), headers
    assert pages.get(f"api/{endpoint}").status == 405


@pytest.mark.parametrize("endpoint", ["password", "credentials"])
def test_nothing_for_who_is_not_signed_in(pages, endpoint):
    told = pages.post(endpoint, {"oldPassword": PASSWORD, "newPassword": OTHER})
    assert (told.status, told.code) == (401, "SignedOut")
    pages.cookies = {"keywright": "AAAA"}
    assert pages.post(endpoint, {}).code == "SignedOut"
    assert pages.get("api/capabilities").code == "SignedOut"


def test_long_bodies_are_not_read(pages):
    told = pages.post("sign-in", {"account": "x" * 17_000})
    assert (told.status, told.code) == (413, "RequestEntityTooLarge")


def test_a_restart_signs_everyone_out(tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    with Server(data, log) as first:
        password = (data / "root.password").read_text().strip()
        pages = Pages(first)
        pages.sign_in(None, password)
        key = credentials(pages)
    with Server(data, log) as second:
        again = Pages(second)
        again.cookies = pages.cookies
        assert again.get("api/session").body == {"state": "signed-out"}
        with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
            clients(second, key).sts.get_caller_identity()
        assert again.sign_in(None, password).status == 200


def test_in_a_browser(server, person):
    told = {
        "browser": os.environ["KEYWRIGHT_CHROMIUM"],
        "console": server.console,
        "account": server.account,
        "user": person,
        "password": PASSWORD,
    }
    done = subprocess.run(
        ["node", Path(__file__).with_name("console.mjs")],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {step.pop("step"): step for step in map(json.loads, done.stdout.splitlines())}
    assert steps["opened"] == {"url": f"{server.console}/console/"}
    assert steps["wrong password"] == {"status": 401, "code": "AuthenticationFailed"}
    assert steps["signed in"] == {"status": 200, "state": "signed-in"}
    assert steps["cookies that scripts see"] == {"cookies": ""}
    assert steps["after a reload"] == {"state": "signed-in"}
    assert steps["credentials"] == {"status": 200, "prefix": "ASIA"}
    assert steps["signed out"] == {"status": 204}
    # What is left is that the browser is known, and has sign-in attempts of its own.
    left = ["keywright-browser"]
    assert steps["after that"] == {"state": "signed-out", "cookies": left}
    assert steps["styles in the page are refused"] == {"violated": "style-src-elem"}
    assert steps["whole visit"] == {"violations": [], "elsewhere": [], "errors": []}


def test_mfa_by_hand(own):
    root = clients(own, own.root)
    user = "ann"
    root.iam.create_user(UserName=user)
    root.iam.create_login_profile(UserName=user, Password=PASSWORD)
    policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    root.iam.attach_user_policy(UserName=user, PolicyArn=policy)
    root_password = (own.data_dir / "root.password").read_text().strip()
    walk(own, "console_mfa.mjs", rootPassword=root_password, user=user, password=PASSWORD)
    [left] = root.iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    assert left["User"]["UserName"] == user


def test_the_story_by_hand(own, tmp_path):
    server, root = own, clients(own, own.root)
    walk(server, "console_story.mjs", folder=str(tmp_path))
    user = "RotateKeyUser"
    tags = {tag["Key"]: tag["Value"] for tag in root.iam.list_user_tags(UserName=user)["Tags"]}
    assert tags["team"] == "storage"
    attached = root.iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    names = {policy["PolicyName"] for policy in attached}
    assert names == {"AmazonS3FullAccess", "IAMUserChangePassword"}
    header, row = (tmp_path / f"{user}_credentials.csv").read_text().splitlines()
    assert header == "User name,Password,Console sign-in URL"
    assert row.startswith(f"{user},")
    old, new = (downloaded(tmp_path / f"key{n}.csv") for n in (1, 2))
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        clients(server, old).s3.list_buckets()
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"
    clients(server, new).s3.list_buckets()


def downloaded(file):
    """The key of a `.csv` file as the console writes it."""
    header, row = file.read_text().splitlines()
    assert header == "Access key ID,Secret access key"
    return Credentials(*row.split(","))
