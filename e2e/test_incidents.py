"""Keys that have leaked: their sessions end, some are deactivated first, many come as a list, and
in the end there is a report of what they did. On Keywright itself; AWS as moto serves it is in
`test_moto.py`.
"""

import json
import re

import botocore.exceptions
import pytest

from harness.clients import client, key_of
from harness.keywright import Keywright
from harness.rotations import Rotations
from harness.server import Credentials, Server

UNUSED = ("--override-unused", "no program in a test")
NOW = ("--now", "--dwell", "24h")


class Leaked:
    """A user whose key has leaked, and the file that it lies in."""

    def __init__(self, server, keywright, name, old):
        self.server, self.keywright, self.name, self.old = server, keywright, name, old
        self.file = keywright.home / f"{name}.env"
        self.file.write_text(
            f"AWS_ACCESS_KEY_ID={old.access_key}\nAWS_SECRET_ACCESS_KEY={old.secret_key}\n"
        )
        self.file.chmod(0o600)

    def key(self) -> Credentials:
        """The key that a program would find now."""
        found = dict(line.split("=", 1) for line in self.file.read_text().splitlines())
        return Credentials(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])

    def rotate(self, *arguments: str):
        """Runs `keywright rotate NAME --deliver FILE …`."""
        place = f"dotenv:{self.file}"
        return self.keywright.run("rotate", self.name, "--deliver", place, *arguments)

    def status(self) -> dict:
        """What the journal says of the newest rotation."""
        done = self.keywright.run("rotate", "status", self.name, "--json")
        return json.loads(done.stdout)[-1]

    def history(self) -> list[str]:
        """What happened, as it is written down."""
        done = self.keywright.run("rotate", "history", self.name, "--json")
        return [event["Text"] for event in json.loads(done.stdout)]


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key and a journal of its own."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


@pytest.fixture
def leaked(server, new_user, keywright, name):
    """A user whose key has leaked."""
    return Leaked(server, keywright, name, new_user("AmazonS3FullAccess"))


def mint(server, key) -> Credentials:
    """Temporary credentials of a key."""
    return key_of(client("sts", server.endpoint, key).get_session_token())


def works(server, key) -> bool:
    """Whether credentials are good for anything."""
    try:
        client("s3", server.endpoint, key).list_buckets()
        client("sts", server.endpoint, key).get_caller_identity()
    except botocore.exceptions.ClientError:
        return False
    return True


def keys(root, name) -> dict:
    """The status of each key of a user."""
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in listed}


def test_the_sessions_of_a_leaked_key_end_and_no_others(root, server, leaked):
    stolen, own = mint(server, leaked.old), key_of(root.iam.create_access_key(UserName=leaked.name))
    other = mint(server, own)
    root.iam.delete_access_key(UserName=leaked.name, AccessKeyId=own.access_key)
    assert works(server, stolen) and works(server, other)
    planned = leaked.rotate(*NOW, "--dry-run")
    assert "the sessions that were issued with it end" in planned.stdout, planned.stdout
    assert works(server, stolen), "nothing was done yet"

    done = leaked.rotate(*NOW)
    assert done.returncode == 0, done.stderr
    assert not works(server, stolen), "it outlives its key"
    assert works(server, other), "another key of the user has not leaked"
    assert works(server, mint(server, leaked.key())), "new ones can be minted"
    assert leaked.status()["SessionsEnded"]
    assert any("has minted are ended" in text for text in leaked.history())
    listed = leaked.keywright.run("keys", "sessions", leaked.old.access_key)
    assert listed.stdout == "" and "no valid session" in listed.stderr


def test_a_rotation_without_a_leak_ends_no_session(server, leaked):
    session = mint(server, leaked.old)
    done = leaked.rotate("--observe", "0s", "--dwell", "24h")
    assert done.returncode == 0, done.stderr
    assert leaked.status()["Phase"] == "Dwelling" and works(server, session)
    later = leaked.keywright.run("rotate", "change", leaked.name, "--now", "--why", "it leaked")
    assert later.returncode == 0, later.stderr
    assert not works(server, session)


def test_ended_sessions_stay_so_after_a_restart(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log") as server:
        root = client("iam", server.endpoint, server.root)
        root.create_user(UserName="bob")
        key = key_of(root.create_access_key(UserName="bob"))
        keywright = Keywright(tmp_path / "home", server.endpoint, server.root)
        leaked = Leaked(server, keywright, "bob", key)
        session = mint(server, key)
        done = leaked.rotate("--now", "--dwell", "0s", "--wait", *UNUSED)
        assert done.returncode == 0, done.stderr
        assert keys_of(root, "bob") == [leaked.key().access_key], "the old one is deleted"
    with Server(tmp_path / "data", tmp_path / "again") as server:
        sts = client("sts", server.endpoint, session)
        with pytest.raises(botocore.exceptions.ClientError):
            sts.get_caller_identity()


def keys_of(iam, name) -> list[str]:
    """Ids of a user's keys."""
    return [key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]]


def test_deactivate_first(root, server, leaked):
    refused = leaked.rotate("--deactivate-first", "--dwell", "24h")
    assert refused.returncode == 2 and "--now" in refused.stderr, refused.stderr
    planned = leaked.rotate(*NOW, "--deactivate-first", "--dry-run")
    assert f"FIRST, before step 1: deactivate {leaked.old.access_key}" in planned.stdout
    done = leaked.rotate(*NOW, "--deactivate-first")
    assert done.returncode == 0, done.stderr
    history = leaked.history()
    order = [
        next(at for at, text in enumerate(history) if what in text)
        for what in ("before anyone has a new key", "minted are ended", "was created", "written")
    ]
    assert order == sorted(order), history
    assert keys(root, leaked.name) == {
        leaked.old.access_key: "Inactive",
        leaked.key().access_key: "Active",
    }
    assert leaked.status()["OldKeyInactiveFirst"]


def test_a_key_that_was_deactivated_by_hand_is_replaced(root, leaked):
    user = {"UserName": leaked.name, "AccessKeyId": leaked.old.access_key}
    root.iam.update_access_key(**user, Status="Inactive")
    refused = leaked.rotate(*NOW)
    assert refused.returncode == 1 and "already inactive" in refused.stderr, refused.stderr
    assert "--now --deactivate-first" in refused.stderr, refused.stderr
    done = leaked.rotate(*NOW, "--deactivate-first")
    assert done.returncode == 0, done.stderr
    assert keys(root, leaked.name)[leaked.key().access_key] == "Active"


def test_a_list_of_users_and_keys(root, server, new_user, keywright, name):
    ends = ("-a", "-b", "-c")
    users = [Leaked(server, keywright, name + end, new_user(suffix=end)) for end in ends]
    first, second, both = users
    root.iam.create_access_key(UserName=both.name)
    listed = keywright.home / "leaked.txt"
    listed.write_text(
        f"# found on a website\n\n{first.name}\n  {second.old.access_key}  \n{both.name}\n"
    )
    deliver = ("--deliver", f"dotenv:{keywright.home}/{{user}}.env")
    done = keywright.run("rotate", "--list", str(listed), *NOW, *deliver)
    assert done.returncode == 1, done.stderr
    assert f"failed: line 5, {both.name}: " in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1] == "0 over, 2 waiting, 0 held, 1 failed"
    for one in (first, second):
        assert keys(root, one.name) == {
            one.old.access_key: "Inactive",
            one.key().access_key: "Active",
        }
        assert f"Activity of {one.old.access_key}: " in done.stdout
    assert keys(root, both.name)[both.old.access_key] == "Active"

    again = keywright.run("rotate", "--list", str(listed), "--json", *NOW, *deliver)
    shown = json.loads(again.stdout)
    assert shown["Summary"] == {"over": 0, "waiting": 2, "held": 0, "failed": 1}
    assert [one["Line"] for one in shown["Failed"]] == [5]
    said = done.stdout + done.stderr + again.stdout + again.stderr
    assert not any(one.key().secret_key in said or one.old.secret_key in said for one in users)


def test_every_bad_line_is_named_before_anything_starts(root, leaked, keywright):
    text = f"{leaked.name}\nno such user\nnobody-{leaked.name}\nAKIAIOSFODNN7EXAMPLE\n"
    text += f"{leaked.old.access_key}\n"
    deliver = ("--deliver", f"dotenv:{keywright.home}/{{user}}.env")
    done = keywright.run("rotate", "--list", "-", *NOW, *deliver, stdin=text)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    numbers = re.findall(r"^-:(\d+): ", done.stderr, re.MULTILINE)
    assert numbers == ["2", "3", "4", "5"], done.stderr
    assert f"{leaked.name} is already on line 1" in done.stderr
    assert "nothing was started" in done.stderr
    assert keys(root, leaked.name) == {leaked.old.access_key: "Active"}
    assert keywright.run("rotate", "status", "--all").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "text", "code", "says"),
    [
        (["--list", "none.txt"], "", 1, "cannot read none.txt"),
        (["--list", "-"], "# nobody\n", 1, "contains no users"),
        (["--list", "-"], "x\n" * 600_000, 1, "is longer than"),
        (["--list", "-", "--key", "AKIAIOSFODNN7EXAMPLE"], "", 2, "--key"),
        (["someone", "--list", "-"], "", 2, "--list"),
    ],
)
def test_bad_lists(keywright, arguments, text, code, says):
    deliver = ("--deliver", "dotenv:{user}.env")
    done = keywright.run("rotate", *arguments, "--now", *deliver, stdin=text)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr, done.stderr


def test_one_place_for_all_of_a_list_is_refused(leaked, keywright):
    place = ("--deliver", f"dotenv:{leaked.file}")
    done = keywright.run("rotate", "--list", "-", *NOW, *place, stdin=leaked.name)
    assert done.returncode == 1 and "{user}" in done.stderr, done.stderr


def test_the_report_says_what_the_key_did(root, server, leaked):
    with pytest.raises(botocore.exceptions.ClientError):
        client("iam", server.endpoint, leaked.old).create_user(UserName="mallory")
    mint(server, leaked.old)
    done = leaked.rotate(*NOW)
    assert done.returncode == 0, done.stderr
    used = f"Activity of {leaked.old.access_key}: last used for (iam|sts) in us-east-1"
    assert re.search(used, done.stdout), done.stdout
    assert re.search(r"refused +1x iam:CreateUser +.*user/mallory +AccessDenied", done.stdout)
    assert "no temporary credentials that it has minted are accepted" in done.stdout

    with pytest.raises(botocore.exceptions.ClientError):
        client("s3", server.endpoint, leaked.old).list_buckets()
    again = leaked.keywright.run("rotate", "activity", leaked.name, "--json")
    assert again.returncode == 0, again.stderr
    shown = json.loads(again.stdout)
    tried = [call for call in shown["Calls"] if call["Outcome"] == "Inactive"]
    assert [call["Action"] for call in tried] == ["s3:REST.GET.SERVICE"]
    assert tried[0]["SourceAddress"] == "127.0.0.1" and "Boto3" in tried[0]["UserAgent"]
    planned = leaked.rotate("--activity", "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr


def test_what_may_not_be_read_is_said(root, server, leaked, new_user, name):
    rotator = new_user("IAMFullAccess", suffix="-rotator")
    looks = ["GetAccessKeyUse", "ListAccessKeyAttempts", "EndAccessKeySessions"]
    actions = [f"keywright:{action}" for action in looks]
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    policy = {"UserName": f"{name}-rotator", "PolicyName": "looks"}
    root.iam.put_user_policy(**policy, PolicyDocument=document)
    environment = leaked.keywright.environment
    environment["AWS_ACCESS_KEY_ID"] = rotator.access_key
    environment["AWS_SECRET_ACCESS_KEY"] = rotator.secret_key
    done = leaked.rotate(*NOW)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "sessions were not read: " in done.stdout
    assert "denied requests were not read: " in done.stdout


def test_the_printed_policy_is_about_the_user_with_its_path(root, server, keywright, name):
    root.iam.create_user(UserName=name, Path="/jobs/")
    key = key_of(root.iam.create_access_key(UserName=name))
    leaked = Leaked(server, keywright, name, key)
    arn = f"arn:aws:iam::{server.account}:user/jobs/{name}"
    rotator = f"{name}-rotator"
    root.iam.create_user(UserName=rotator)
    looks = ["iam:GetUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"]
    looks += ["keywright:GetAccessKeyUse"]
    statement = {"Effect": "Allow", "Action": looks, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_user_policy(UserName=rotator, PolicyName="p", PolicyDocument=document)
    own = key_of(root.iam.create_access_key(UserName=rotator))
    keywright.environment["AWS_ACCESS_KEY_ID"] = own.access_key
    keywright.environment["AWS_SECRET_ACCESS_KEY"] = own.secret_key
    done = leaked.rotate(*NOW)
    assert done.returncode == 1, done.stdout
    policy = json.loads(done.stderr[done.stderr.index("{\n") :])
    assert policy["Statement"][0]["Resource"] == [arn]
    assert "keywright:EndAccessKeySessions" in policy["Statement"][0]["Action"]

    root.iam.delete_user_policy(UserName=rotator, PolicyName="p")
    keywright.run("rotate", "abandon", name, "--why", "a test")
    unread = leaked.rotate(*NOW)
    policy = json.loads(unread.stderr[unread.stderr.index("{\n") :])
    anywhere = f"arn:aws:iam::{server.account}:user/*/{name}"
    assert anywhere in policy["Statement"][0]["Resource"], unread.stderr


def test_a_rotator_whose_own_key_is_in_its_environment_goes_on(
    server, root, new_user, keywright, name
):
    old = new_user("AdministratorAccess")
    leaked = Leaked(server, keywright, name, old)
    keywright.environment["AWS_ACCESS_KEY_ID"] = old.access_key
    keywright.environment["AWS_SECRET_ACCESS_KEY"] = old.secret_key
    first = leaked.rotate(*NOW, "--deactivate-first")
    assert first.returncode == 1 and "cannot be deactivated first" in first.stderr, first.stderr
    begun = leaked.rotate("--observe", "0s", "--dwell", "2s", *UNUSED)
    assert begun.returncode == 0, begun.stderr
    # Its environment still has the old key, which is inactive, or gone, by now.
    if leaked.status()["Phase"] != "Done":
        resumed = leaked.rotate("--wait")
        assert resumed.returncode == 0, resumed.stderr
    assert keys(root, name) == {leaked.key().access_key: "Active"}
    late = keywright.run("rotate", "status", name)
    assert late.returncode == 0, late.stderr


def test_the_servers_own_rotations_end_sessions(root, server, new_user, name):
    old = new_user("AmazonS3FullAccess")
    stolen = mint(server, old)
    rotations = Rotations(server, server.root)
    alone = rotations.refused("StartRotation", UserName=name, DeactivateFirst=True)
    assert "requires Incident" in alone.message, alone
    first = {"Incident": True, "DeactivateFirst": True}
    begun = rotations("StartRotation", UserName=name, **first)["Rotation"]
    assert begun["Incident"] == "true" and begun["SessionsEndedDate"], begun
    assert keys(root, name)[old.access_key] == "Inactive"
    assert not works(server, stolen)
