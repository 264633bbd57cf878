"""`keywright rotate`: the story's steps 5 to 8 as one command, and what it does when things go wrong.

A consumer is a program that reads the credentials file whenever it needs a key, as every SDK does.
"""

import configparser
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.exceptions
import pytest

from harness.clients import client, key_of
from harness.keywright import SECONDS, Keywright
from harness.server import Credentials
from harness.wire import form, send, sign

SECRET = re.compile(r"[A-Za-z0-9/+=]{40}")
UNUSED = ("--override-unused", "no program in a test")
QUICK = ("--observe", "1s", "--dwell", "1s", "--wait", *UNUSED)
AT_ONCE = ("--observe", "0s", "--dwell", "0s", "--wait", *UNUSED)
HEAD = "# mine, do not touch\n[other]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\n"


class Consumer:
    """A user whose key lies in a credentials file, and the command that rotates it."""

    def __init__(self, server, home, name, old):
        self.server, self.name, self.old = server, name, old
        self.keywright = Keywright(home, server.endpoint, server.root)
        self.file = home / "credentials"
        self.file.write_text(
            f"{HEAD}[default]\naws_access_key_id = {old.access_key}\n"
            f"aws_secret_access_key = {old.secret_key} \nregion = ap-south-1\n"
        )
        self.file.chmod(0o600)
        self.sink = f"aws-profile:default@{self.file}"
        self.said = []

    def key(self) -> Credentials:
        """The key that a program would find now."""
        file = configparser.ConfigParser()
        assert file.read(self.file)
        profile = file["default"]
        return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"])

    def works(self) -> str:
        """Uses the key that is in the file; gives its id."""
        key = self.key()
        asked = form(self.server, "sts", "GetCallerIdentity")
        answer = send(self.server, sign(asked, key, "sts"))
        assert answer.status == 200 and f"/{self.name}<".encode() in answer.body, answer
        return key.access_key

    def rotate(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs `keywright rotate …`."""
        done = self.keywright.run("rotate", *arguments)
        self.said += [done.stdout, done.stderr]
        return done

    def begin(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs `keywright rotate USER --deliver FILE …`."""
        return self.rotate(self.name, "--deliver", self.sink, *arguments)

    def status(self) -> dict:
        """What the journal says of the newest rotation."""
        done = self.rotate("status", self.name, "--json")
        return json.loads(done.stdout)[-1]

    def check_silence(self):
        """No secret is in anything that was said."""
        secrets = {self.old.secret_key, self.key().secret_key, self.server.root.secret_key}
        for said in self.said:
            assert not secrets & set(SECRET.findall(said)), said
            assert not any(secret in said for secret in secrets)


@pytest.fixture
def consumer(server, new_user, tmp_path, name):
    """A user with a key, a file that holds it, and a journal of their own."""
    home = tmp_path / "home"
    home.mkdir()
    made = Consumer(server, home, name, new_user("AmazonS3FullAccess"))
    yield made
    made.check_silence()


def keys(root, name) -> dict:
    """The status of each key of a user."""
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in listed}


def test_the_story_in_one_command(root, consumer, name):
    consumer.works()
    planned = consumer.begin("--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert f"replace {consumer.old.access_key} of {name}" in planned.stdout
    assert planned.stdout.endswith("\nnothing was changed\n") and planned.stderr == ""
    assert list(keys(root, name)) == [consumer.old.access_key]

    done = consumer.begin(*QUICK)
    assert done.returncode == 0, done.stderr
    new = consumer.works()
    assert keys(root, name) == {new: "Active"} and new != consumer.old.access_key
    assert consumer.file.read_text().startswith(HEAD)
    assert consumer.file.read_text().endswith("region = ap-south-1\n")
    assert consumer.file.stat().st_mode & 0o777 == 0o600
    status = consumer.status()
    assert (status["Phase"], status["NewAccessKeyId"]) == ("Done", new)
    history = consumer.rotate("history", name)
    assert "the new key" in history.stdout or "Done" in history.stdout
    assert consumer.rotate("history", "--check").returncode == 0
    tags = root.iam.list_user_tags(UserName=name)["Tags"]
    assert tags == []


def test_grace_and_resume(root, consumer, name):
    started = consumer.begin("--observe", "24h")
    assert started.returncode == 0, started.stderr
    assert "waits until" in started.stdout and "rotate resume" in started.stdout
    new = consumer.works()
    assert keys(root, name) == {consumer.old.access_key: "Active", new: "Active"}
    again = consumer.begin()
    assert again.returncode == 0 and "waits until" in again.stdout, again.stderr
    assert keys(root, name) == {consumer.old.access_key: "Active", new: "Active"}
    elsewhere = consumer.rotate(name, "--deliver", "dotenv:other.env")
    assert elsewhere.returncode == 1 and "is open and also delivers to" in elsewhere.stderr

    held = consumer.rotate("hold", name, "--why", "a freeze")
    assert held.returncode == 0, held.stderr
    assert "a freeze" in consumer.rotate("resume").stdout
    assert consumer.rotate("status").returncode == 1
    assert consumer.rotate("release", name).returncode == 0
    assert consumer.status()["Held"] is None


@pytest.mark.parametrize("phase", ["Observing", "Dwelling"])
def test_roll_back(root, consumer, name, phase):
    before = consumer.file.read_bytes()
    observe = "24h" if phase == "Observing" else "0s"
    started = consumer.begin("--observe", observe, "--dwell", "24h")
    assert started.returncode == 0, started.stderr
    assert consumer.status()["Phase"] == phase
    assert consumer.works() != consumer.old.access_key
    back = consumer.rotate("rollback", name, "--why", "the report job broke")
    assert back.returncode == 0, back.stderr
    assert consumer.file.read_bytes() == before
    assert consumer.works() == consumer.old.access_key
    assert keys(root, name)[consumer.old.access_key] == "Active"


def test_a_key_that_is_still_used_is_not_deactivated(root, consumer, name):
    started = consumer.begin("--observe", "2s", "--dwell", "1s", *UNUSED)
    assert started.returncode == 0, started.stderr
    # An unknown program goes on with the old key while the command waits.
    command = [os.environ["KEYWRIGHT_BINARY"], "rotate", "resume", "--wait"]
    if consumer.status()["Phase"] == "Observing":
        sts = client("sts", consumer.server.endpoint, consumer.old)
        with subprocess.Popen(
            command,
            cwd=consumer.keywright.home,
            env=consumer.keywright.environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as waiting:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                sts.get_caller_identity()
            assert keys(root, name)[consumer.old.access_key] == "Active"
            waiting.communicate(timeout=SECONDS)
            assert waiting.returncode == 0
    assert list(keys(root, name)) == [consumer.works()]


@pytest.fixture(scope="module")
def deadly(tmp_path_factory):
    """A library that kills the process it is loaded into at a durable write."""
    library = tmp_path_factory.mktemp("die") / "die.so"
    source = Path(__file__).parent / "harness" / "die.c"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.mark.timeout(300)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_boundary(root, server, new_user, tmp_path, name, deadly, when):
    """kill -9 before or after every flush and rename, of journal and file; then run it again."""

    def consumer(number: int) -> Consumer:
        home = tmp_path / str(number)
        home.mkdir()
        key = new_user("AmazonS3FullAccess", suffix=f"-{number}")
        return Consumer(server, home, f"{name}-{number}", key)

    def run(consumer: Consumer, **environment: str) -> int:
        dying = Keywright(consumer.keywright.home, server.endpoint, server.root)
        dying.environment |= {"LD_PRELOAD": str(deadly), **environment}
        rotation = ("rotate", consumer.name, "--deliver", consumer.sink, *AT_ONCE)
        done = dying.run(*rotation)
        consumer.said += [done.stdout, done.stderr]
        return done.returncode

    def kill_and_resume(consumer: Consumer, at: str):
        assert run(consumer, DIE_AT=at) == -signal.SIGKILL, at
        consumer.works()
        resumed = consumer.begin(*AT_ONCE)
        assert resumed.returncode == 0, (at, resumed.stderr)
        consumer.check_silence()

    count = tmp_path / "count"
    assert run(consumer(0), DIE_COUNT=str(count)) == 0
    flushes = int(count.read_text())
    assert flushes > 20, "it flushes each of its steps"
    deaths = [f"{nth} {when}" for nth in range(1, flushes + 1)]
    consumers = [consumer(number) for number in range(1, len(deaths) + 1)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(kill_and_resume, consumers, deaths))
    for each in consumers:
        assert keys(root, each.name) == {each.works(): "Active"}
        assert each.key().access_key != each.old.access_key
        left = [one.name for one in each.file.parent.iterdir() if "keywright-" in one.name]
        assert left == [], "what was being written stays"


def test_status_is_a_table_with_filters(root, consumer, name):
    begun = consumer.begin("--observe", "24h")
    assert begun.returncode == 0, begun.stderr
    table = consumer.rotate("status").stdout.splitlines()
    assert table[0].split() == ["USER", "ACCOUNT", "PHASE", "SINCE", "ROTATION", "STATE"]
    [line] = [line for line in table[1:] if line.startswith(name)]
    assert "Observing" in line and "waits until " in line, line
    assert consumer.rotate("status", "--phase", "observing").stdout.splitlines() == table
    assert "\x1b" not in consumer.rotate("status").stdout
    for nothing in (["--held"], ["--phase", "Dwelling"], ["--account", "999999999999"]):
        assert consumer.rotate("status", *nothing).stdout == "", nothing
    wrong = consumer.rotate("status", "--phase", "Sleeping")
    assert wrong.returncode == 2 and "expected one of Planned, " in wrong.stderr, wrong.stderr
    held = consumer.rotate("hold", name, "--why", "to look at it")
    assert held.returncode == 0, held.stderr
    [_, line] = consumer.rotate("status", "--held").stdout.splitlines()
    assert line.startswith(name) and "HELD: " in line, line


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nobody", "--deliver", "dotenv:x.env"], 1, "nobody"),
        (["USER"], 1, "no destination given"),
        (["USER", "--deliver", "what:x"], 1, "what"),
        (["USER", "--deliver", "dotenv:x.env", "--observe", "soon"], 2, "24h"),
        (["USER", "--deliver", "dotenv:x.env", "--key", "AKIAIOSFODNN7EXAMPLE"], 1, "does not exist"),
        (["resume", "nobody"], 1, "no open rotation"),
        (["rollback", "nobody"], 1, "no open rotation"),
    ],
)
def test_bad_input(root, consumer, name, arguments, code, says):
    done = consumer.rotate(*[name if word == "USER" else word for word in arguments])
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr and "panicked" not in done.stderr, done.stderr
    assert list(keys(root, name)) == [consumer.old.access_key]


def test_two_keys_are_a_persons_business(root, consumer, name):
    second = key_of(root.iam.create_access_key(UserName=name))
    done = consumer.begin()
    assert done.returncode == 1, done.stderr
    named = consumer.begin("--key", consumer.old.access_key)
    assert named.returncode == 1 and second.access_key in named.stderr
    assert "nothing was changed" in named.stderr
    assert len(keys(root, name)) == 2 and consumer.works() == consumer.old.access_key


def test_a_missing_permission_is_named_with_a_policy_to_paste(consumer, name):
    consumer.keywright.environment["AWS_ACCESS_KEY_ID"] = consumer.old.access_key
    consumer.keywright.environment["AWS_SECRET_ACCESS_KEY"] = consumer.old.secret_key
    done = consumer.begin()
    assert done.returncode == 1
    assert "not authorized to perform: iam:GetUser" in done.stderr, done.stderr
    policy = json.loads(done.stderr[done.stderr.index("{") :])
    assert "iam:CreateAccessKey" in policy["Statement"][0]["Action"]


def test_a_permission_that_is_missing_later_is_named_with_a_policy_to_paste(
    root, consumer, new_user, name
):
    rotator = new_user("IAMReadOnlyAccess", suffix="-rotator")
    statement = {"Effect": "Allow", "Action": "keywright:GetAccessKeyUse", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    looks = {"UserName": f"{name}-rotator", "PolicyName": "looks"}
    root.iam.put_user_policy(**looks, PolicyDocument=document)
    consumer.keywright.environment["AWS_ACCESS_KEY_ID"] = rotator.access_key
    consumer.keywright.environment["AWS_SECRET_ACCESS_KEY"] = rotator.secret_key
    done = consumer.begin()
    assert done.returncode == 1, done.stdout
    assert "not allowed to call iam:TagUser" in done.stdout, done.stdout
    root.iam.delete_user_policy(**looks)
    policy = json.loads(done.stderr[done.stderr.index("{") :])
    assert "iam:TagUser" in policy["Statement"][0]["Action"]
    assert keys(root, name) == {consumer.old.access_key: "Active"}
    assert rotator.secret_key not in done.stdout + done.stderr


def test_a_permission_that_is_taken_away_late_is_named_and_asked_for_again(
    root, consumer, new_user, name
):
    rotator = new_user("IAMFullAccess", suffix="-rotator")
    consumer.keywright.environment["AWS_ACCESS_KEY_ID"] = rotator.access_key
    consumer.keywright.environment["AWS_SECRET_ACCESS_KEY"] = rotator.secret_key
    statement = {"Effect": "Deny", "Action": "iam:UpdateAccessKey", "Resource": "*"}
    denied = {"UserName": f"{name}-rotator", "PolicyName": "denied"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_user_policy(**denied, PolicyDocument=document)
    looks = ["keywright:ListAccessKeyAttempts", "keywright:GetAccessKeyUse"]
    attempts = {"Effect": "Allow", "Action": looks, "Resource": "*"}
    allowed = {"UserName": f"{name}-rotator", "PolicyName": "attempts"}
    document = json.dumps({"Version": "2012-10-17", "Statement": attempts})
    root.iam.put_user_policy(**allowed, PolicyDocument=document)
    done = consumer.begin(*AT_ONCE)
    assert done.returncode == 1, done.stdout
    for again in (done, consumer.rotate("resume")):
        assert "not allowed to call iam:UpdateAccessKey" in again.stdout, again.stdout
        assert "iam:UpdateAccessKey" in again.stderr, "a policy to paste"
    status = consumer.status()
    assert status["Phase"] == "Deactivating" and "iam:UpdateAccessKey" in status["Held"]
    assert set(keys(root, name).values()) == {"Active"} and consumer.works()
    assert [tag["Key"] for tag in root.iam.list_user_tags(UserName=name)["Tags"]] == [
        "keywright:rotation"
    ]
    root.iam.delete_user_policy(**denied)
    resumed = consumer.rotate("resume", "--wait")
    root.iam.delete_user_policy(**allowed)
    assert resumed.returncode == 0, resumed.stdout
    assert keys(root, name) == {consumer.works(): "Active"}
    assert root.iam.list_user_tags(UserName=name)["Tags"] == [], "the mark is gone"


def test_a_user_who_is_renamed_is_followed(root, consumer, name):
    started = consumer.begin("--observe", "0s", "--dwell", "24h")
    assert started.returncode == 0, started.stderr
    renamed = f"{name}-renamed"
    root.iam.update_user(UserName=name, NewUserName=renamed)
    consumer.name = renamed
    resumed = consumer.rotate("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"user {name} was renamed to {renamed}" in resumed.stderr, resumed.stderr
    assert consumer.works() == consumer.status()["NewAccessKeyId"]
    back = consumer.rotate("rollback", renamed, "--why", "a test")
    assert back.returncode == 0, back.stderr
    assert consumer.works() == consumer.old.access_key
    assert keys(root, renamed)[consumer.old.access_key] == "Active"
    assert f"was renamed to {renamed}" in consumer.rotate("history", renamed).stdout


@pytest.mark.parametrize("phase", ["Observing", "Dwelling"])
@pytest.mark.parametrize("anew", [False, True])
def test_row_18_a_rotation_ends_when_its_user_is_deleted(
    root, consumer, new_user, name, phase, anew
):
    observe = "24h" if phase == "Observing" else "0s"
    started = consumer.begin("--observe", observe, "--dwell", "24h")
    assert started.returncode == 0 and consumer.status()["Phase"] == phase, started.stderr
    new = consumer.works()
    for key in keys(root, name):
        root.iam.delete_access_key(UserName=name, AccessKeyId=key)
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    root.iam.detach_user_policy(UserName=name, PolicyArn=policy)
    root.iam.delete_user(UserName=name)
    if anew:
        root.iam.create_user(UserName=name)
        other = key_of(root.iam.create_access_key(UserName=name))
    ended = consumer.rotate("resume", "--json")
    assert ended.returncode == 0, ended.stderr
    (shown,) = json.loads(ended.stdout)
    assert (shown["Outcome"], shown["Why"]) == ("over", "UserGone"), shown
    assert "no longer exists" in shown["Rotation"]["State"]
    assert consumer.file.name in shown["Rotation"]["State"], "the place that holds a dead key"
    assert consumer.key().access_key == new
    assert "UserGone" in consumer.rotate("history", name).stdout
    assert consumer.rotate("status").stdout == "", "nothing is open"
    if anew:
        assert keys(root, name) == {other.access_key: "Active"}
        assert root.iam.list_user_tags(UserName=name)["Tags"] == []


PEEK = """#!/bin/sh
cat > /dev/null
cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ >> {peeked}
"""


def test_row_21_no_argument_and_no_environment_holds_a_secret(consumer):
    peeked, program = consumer.keywright.home / "peeked", consumer.keywright.home / "peek"
    program.write_text(PEEK.format(peeked=peeked))
    program.chmod(0o755)
    done = consumer.begin("--deliver", f"command:{program}", *QUICK)
    assert done.returncode == 0, done.stderr
    consumer.said.append(consumer.rotate("history", consumer.name).stdout)
    consumer.said.append(consumer.rotate("status", "--all", "--json").stdout)
    seen = peeked.read_text()
    assert "rotate" in seen and "AWS_ENDPOINT_URL" in seen
    assert consumer.key().secret_key not in seen and consumer.old.secret_key not in seen
    journal = consumer.keywright.home / ".local/state/keywright"
    for file in journal.iterdir():
        assert consumer.key().secret_key.encode() not in file.read_bytes(), file


def test_row_14_the_journal_moves_to_another_machine(root, consumer, name, tmp_path):
    started = consumer.begin("--observe", "0s", "--dwell", "2s", *UNUSED)
    assert started.returncode == 0, started.stderr
    there = tmp_path / "there"
    shutil.copytree(consumer.keywright.home / ".local/state/keywright", there)
    shutil.rmtree(consumer.keywright.home / ".local")
    resumed = consumer.rotate("resume", "--wait", "--journal", str(there))
    assert resumed.returncode == 0, resumed.stderr
    assert keys(root, name) == {consumer.works(): "Active"}


def test_an_open_rotation_is_shortened_and_abandoned(root, consumer, name):
    started = consumer.begin("--observe", "24h")
    assert started.returncode == 0, started.stderr
    status = consumer.status()
    assert status["WaitsUntil"] and "to stay unused" in status["WaitsFor"], status
    shortened = consumer.begin("--now")
    assert shortened.returncode == 0, shortened.stderr
    assert keys(root, name)[consumer.old.access_key] == "Inactive"
    history = consumer.rotate("history", name).stdout
    assert "changed: observe from 86400 s to 0 s" in history, history
    same = consumer.rotate("change", name, "--now", "--why", "again")
    assert same.returncode == 1 and "nothing to change" in same.stderr, same.stderr
    before = keys(root, name)
    ended = consumer.rotate("abandon", name, "--why", "the job is gone")
    assert ended.returncode == 0 and "abandoned: the job is gone" in ended.stdout, ended
    assert keys(root, name) == before and consumer.works()
    assert root.iam.list_user_tags(UserName=name)["Tags"] == [], "the mark is gone"


def env_key(file: Path) -> str:
    """The id of the key in a file of variables."""
    return dict(line.split("=", 1) for line in file.read_text().split())["AWS_ACCESS_KEY_ID"]


def test_places_of_an_open_rotation_are_changed(root, consumer, name, tmp_path):
    old, file, made = consumer.old, tmp_path / "job.env", tmp_path / "made.env"
    pair = "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n"
    file.write_text(pair.format("AKIAIOSFODNN7FOREIGN", "x"))
    job, new = f"dotenv:{file}", f"dotenv:{made}"
    started = consumer.begin("--observe", "24h", *UNUSED)
    assert started.returncode == 0, started.stderr
    change = ("change", name, "--why", "found another job")
    for more, says in [
        (("--deliver", job), "it holds AKIAIOSFODNN7FOREIGN"),
        (("--deliver", new), "use --create"),
        (("--remove", job), "is not a destination of this rotation"),
        (("--remove", consumer.sink), "no destination would be left"),
    ]:
        refused = consumer.rotate(*change, *more)
        assert refused.returncode == 1 and says in refused.stderr, refused.stderr
        assert "nothing was changed" in refused.stderr, refused.stderr
    file.write_text(pair.format(old.access_key, old.secret_key))
    assert len(consumer.status()["Deliveries"]) == 1 and not made.exists()

    added = consumer.rotate(*change, "--deliver", job)
    assert added.returncode == 0, added.stderr
    assert f"{job}\n         holds the key being replaced" in added.stderr, added.stderr
    fresh = consumer.works()
    assert env_key(file) == fresh != old.access_key
    assert consumer.status()["Phase"] == "Observing"
    history = consumer.rotate("history", name).stdout
    assert f"changed: {job} was added; found another job" in history, history

    fewer = consumer.begin("--deliver", new, "--create")
    assert fewer.returncode == 1 and f"also delivers to {job}" in fewer.stderr, fewer.stderr
    looked = consumer.begin("--deliver", job, "--deliver", new, "--create", "--dry-run")
    assert looked.returncode == 0 and new in looked.stderr and not made.exists(), looked
    again = consumer.begin("--deliver", job, "--deliver", new, "--create")
    assert again.returncode == 0 and env_key(made) == fresh, again.stderr

    removed = consumer.rotate(*change, "--remove", job)
    assert removed.returncode == 0 and f"{job}: ReadBack, removed" in removed.stdout, removed
    file.chmod(0o400)
    shorter = consumer.rotate(*change, "--observe", "0s", "--dwell", "1h")
    assert shorter.returncode == 0, shorter.stderr
    assert consumer.status()["Phase"] == "Dwelling", "a removed place is not looked at"
    assert env_key(file) == fresh, "and keeps what it has"
    file.chmod(0o600)
    back = consumer.rotate("rollback", name)
    assert back.returncode == 0, back.stderr
    assert (consumer.works(), env_key(file), made.exists()) == (old.access_key,) * 2 + (False,)
    late = consumer.rotate(*change, "--remove", new)
    assert late.returncode == 1 and "no longer allows this" in late.stderr, late.stderr


def test_a_place_is_added_while_the_old_key_is_inactive(root, consumer, name, tmp_path):
    started = consumer.begin("--observe", "0s", "--dwell", "1h", *UNUSED)
    assert started.returncode == 0, started.stderr
    assert keys(root, name)[consumer.old.access_key] == "Inactive"
    file = tmp_path / "late.env"
    late = f"dotenv:{file}"
    more = ("--deliver", late, "--create", "--dwell", "0s", "--why", "late")
    done = consumer.rotate("change", name, *more)
    assert done.returncode == 0, done.stderr
    assert consumer.status()["Phase"] == "Done"
    assert keys(root, name) == {consumer.works(): "Active"}
    assert env_key(file) == consumer.works(), "before the old key was deleted"


def test_an_endpoint_that_is_not_there(consumer):
    consumer.keywright.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    done = consumer.begin()
    assert done.returncode == 1
    assert "cannot reach http://127.0.0.1:9" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "[default\naws_access_key_id = x\n",
        "[default]\naws_access_key_id = x\n[default]\naws_access_key_id = y\n",
        "[default]\naws_access_key_id = x\naws_secret_access_key = y\naws_session_token = z\n",
    ],
)
def test_a_file_that_cannot_be_understood_is_left_alone(root, consumer, name, text):
    good = consumer.file.read_bytes()
    consumer.file.write_text(text)
    done = consumer.begin()
    assert done.returncode == 1, done.stdout
    assert consumer.file.read_text() == text
    assert keys(root, name) == {consumer.old.access_key: "Active"}, "nothing was changed"
    assert consumer.rotate("status", name).returncode == 1, "nothing was begun"
    consumer.file.write_bytes(good)
    consumer.works()


def test_a_read_only_file_is_known_before_anything_is_changed(root, consumer, name):
    before = consumer.file.read_bytes()
    consumer.file.chmod(0o400)
    done = consumer.begin()
    assert done.returncode == 1, done.stdout
    assert "it is read-only" in done.stderr and "nothing was changed" in done.stderr, done.stderr
    assert keys(root, name) == {consumer.old.access_key: "Active"}
    assert consumer.file.read_bytes() == before
    assert consumer.rotate("status", name).returncode == 1, "nothing was begun"


def test_a_file_that_is_locked_is_known_before_anything_is_changed(root, consumer, name):
    before = consumer.file.read_bytes()
    with consumer.file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = consumer.begin()
    assert done.returncode == 1, done.stdout
    assert "another program has locked it" in done.stderr, done.stderr
    assert "the rotation was not started" in done.stderr, done.stderr
    assert keys(root, name) == {consumer.old.access_key: "Active"}
    assert consumer.file.read_bytes() == before
    assert consumer.rotate("status", name).returncode == 1, "nothing was begun"


def test_a_rotator_that_rotates_itself(server, root, new_user, tmp_path, name):
    old = new_user("AdministratorAccess")
    home = tmp_path / "home"
    home.mkdir()
    consumer = Consumer(server, home, name, old)
    environment = consumer.keywright.environment
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    environment["AWS_SHARED_CREDENTIALS_FILE"] = str(consumer.file)
    done = consumer.begin(*QUICK)
    assert done.returncode == 0, done.stderr
    assert keys(root, name) == {consumer.works(): "Active"}
    with pytest.raises(botocore.exceptions.ClientError):
        client("sts", server.endpoint, old).get_caller_identity()


def test_another_rotations_key_is_not_advised_to_be_deleted(root, consumer, name, tmp_path):
    begun = consumer.begin("--observe", "24h", *UNUSED)
    assert begun.returncode == 0, begun.stderr
    rotation = consumer.status()["RotationId"]
    other = consumer.begin("--journal", str(tmp_path / "other"))
    assert other.returncode == 1, other.stdout
    assert f"another rotation has marked the user: {rotation}" in other.stderr, other.stderr
    assert "is in another journal" in other.stderr and "one must be removed" not in other.stderr
    assert len(keys(root, name)) == 2
    # Only a person knows that a journal is lost.
    root.iam.untag_user(UserName=name, TagKeys=["keywright:rotation"])
    unmarked = consumer.begin("--journal", str(tmp_path / "other"))
    assert "one must be removed first" in unmarked.stderr, unmarked.stderr


def test_a_leak_during_a_rollback_is_not_passed_over(root, consumer, name):
    begun = consumer.begin("--observe", "24h", *UNUSED)
    assert begun.returncode == 0, begun.stderr
    back = consumer.rotate("rollback", name)
    assert back.returncode == 0 and consumer.status()["Phase"] == "Settling", back.stderr
    for leaked in (
        consumer.begin("--now"),
        consumer.rotate("change", name, "--now", "--why", "it leaked"),
    ):
        assert leaked.returncode == 1, leaked.stdout
        old = consumer.old.access_key
        assert f"is being rolled back, so {old} is in use again" in leaked.stderr, leaked.stderr
        assert f"--access-key-id {old} --status Inactive" in leaked.stderr, leaked.stderr
    # What the hint says works as printed.
    root.iam.update_access_key(UserName=name, AccessKeyId=old, Status="Inactive")
    ended = consumer.rotate("abandon", name, "--why", "it leaked")
    assert ended.returncode == 0, ended.stderr
    (new,) = set(keys(root, name)) - {old}
    root.iam.delete_access_key(UserName=name, AccessKeyId=new)
    done = consumer.begin("--now", "--deactivate-first", "--dwell", "24h", *UNUSED)
    assert done.returncode == 0, done.stderr
    assert keys(root, name)[old] == "Inactive" and consumer.works() not in (old, new)


def test_the_file_of_root_is_no_destination(consumer, server, name):
    roots = server.data_dir / "root.credentials"
    before = roots.read_bytes()
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(roots), "AWS_PROFILE": "keywright-root"}
    consumer.keywright.environment |= environment
    for more in ((), ("--create",)):
        done = consumer.rotate(name, "--deliver", "aws-profile:default", *more)
        assert done.returncode == 1, done.stdout
        assert "the server keeps root's credentials there" in done.stderr, done.stderr
        assert "aws-profile:default@~/.aws/credentials" in done.stderr
    assert roots.read_bytes() == before


def test_the_last_use_is_known_after_the_deletion(consumer, name):
    consumer.works()
    done = consumer.begin(*QUICK)
    assert done.returncode == 0 and consumer.status()["Phase"] == "Done", done.stderr
    activity = consumer.rotate("activity", name).stdout.splitlines()[0]
    assert activity.startswith(f"Activity of {consumer.old.access_key}: last used for "), activity
    assert activity.endswith(", as the rotation recorded it"), activity


def test_hints_for_common_mistakes(consumer, name, tmp_path):
    nothing = consumer.rotate("status", "--journal", str(tmp_path / "none"))
    assert nothing.stderr == "no open rotations; --all includes those that are over\n"
    help = consumer.rotate("--help").stdout
    assert "keywright rotate --deliver aws-profile:default -- status" in help
    environment = consumer.keywright.environment
    environment["AWS_CA_BUNDLE"] = "/etc/ssl/none.pem"
    usage = consumer.keywright.run("policy", "explain").stderr
    assert " policy explain <PRINCIPAL> <ACTION>" in usage and "--ca-bundle" not in usage, usage
    del environment["AWS_CA_BUNDLE"]
    environment["AWS_ACCESS_KEY_ID"] = "AKIAIOSFODNN7EXAMPLE"
    unknown = consumer.begin()
    assert "(signed with AKIAIOSFODNN7EXAMPLE)" in unknown.stderr, unknown.stderr
    assert "hint: check that this key exists at this endpoint" in unknown.stderr
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    none = consumer.begin()
    assert "no credentials" in none.stderr and "hint: use --profile NAME" in none.stderr, none.stderr
    for done in (unknown, none):
        assert done.returncode == 1
