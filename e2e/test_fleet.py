"""A declared fleet: `keywright rotate plan`, `apply`, `report`, and `keywright agent`.

Its server is its own, since a credential report is made once in four hours.
"""

import json
import os
import re
import signal
import subprocess
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

from conftest import clients
from harness.clients import client, key_of
from harness.keywright import SECONDS, Keywright
from harness.server import Credentials, Server

RULES = """
notify = ["command:{home}/notify"]

[[account]]
name = "test"
id = "{account}"

[[account.rule]]
users = ["skipped*"]
skip = true

[[account.rule]]
path = "/fleet/"
tags = {{ team = "storage" }}
max_age = "0s"
observe = "0s"
dwell = "0s"
override_unused = "no program in a test"
deliver = ["dotenv:{home}/{{user}}.env"]
create = true
"""


@pytest.fixture
def fleet(tmp_path):
    """A server with five users, and the declaration that rotates one of them."""
    home = tmp_path / "home"
    home.mkdir()
    with Server(tmp_path / "data", tmp_path / "log") as server:
        iam = clients(server, server.root).iam
        keys = {}
        for name, path, team, count in [
            ("worker", "/fleet/", "storage", 1),
            ("torn", "/fleet/", "storage", 2),
            ("other-team", "/fleet/", "network", 1),
            ("outside", "/", "storage", 1),
            ("skipped-one", "/fleet/", "storage", 1),
        ]:
            iam.create_user(UserName=name, Path=path, Tags=[{"Key": "team", "Value": team}])
            made = [key_of(iam.create_access_key(UserName=name)) for _ in range(count)]
            keys[name] = made[0]
        file = home / "fleet.toml"
        file.write_text(RULES.format(home=home, account=server.account))
        notify = home / "notify"
        notify.write_text(f"#!/bin/sh\ncat >> {home}/news\n")
        notify.chmod(0o755)
        keywright = Keywright(home, server.endpoint, server.root)
        yield SimpleNamespace(
            server=server, iam=iam, keys=keys, home=home, file=file, keywright=keywright
        )
    assert (tmp_path / "log").read_text() == ""


def verdicts(fleet) -> dict:
    """What `rotate plan` says of each user."""
    done = fleet.keywright.run("rotate", "plan", str(fleet.file), "--json")
    assert done.returncode == 1, done.stderr
    (account,) = json.loads(done.stdout)
    return {user["UserName"]: (user["Verdict"], user["Why"]) for user in account["Users"]}


def news(fleet) -> list:
    """What the command was told, one JSON document after the other."""
    text, found = (fleet.home / "news").read_text(), []
    while text:
        one, end = json.JSONDecoder().raw_decode(text)
        found.append(one)
        text = text[end:].lstrip()
    return found


def test_plan_and_apply(fleet):
    said = verdicts(fleet)
    assert said["worker"][0] == "due"
    assert said["torn"][0] == "person" and "two keys" in said["torn"][1]
    assert said["other-team"] == ("nothing", "no rule matches")
    assert said["outside"] == ("nothing", "no rule matches")
    assert said["skipped-one"] == ("nothing", "a rule skips it")
    assert not list(fleet.home.glob("*.env"))

    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 0, done.stderr
    assert re.search(r"over +worker +Done", done.stdout), done.stdout
    text = (fleet.home / "worker.env").read_text()
    new = Credentials(*re.findall(r"=(.*)$", text, re.M))
    assert new.access_key != fleet.keys["worker"].access_key
    assert client("sts", fleet.server.endpoint, new).get_caller_identity()["Arn"].endswith("worker")
    told = {one["UserName"]: (one["Outcome"], one["Why"]) for one in news(fleet)}
    assert told.pop("worker") == ("over", "Done")
    assert told.pop("torn")[0] == "warning"
    assert told == {}
    for name in ("torn", "other-team", "outside", "skipped-one"):
        listed = fleet.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        assert fleet.keys[name].access_key in [key["AccessKeyId"] for key in listed]
        assert all(key["Status"] == "Active" for key in listed)

    again = fleet.keywright.run("rotate", "apply", str(fleet.file), "--json")
    assert again.returncode == 0, again.stderr
    (account,) = json.loads(again.stdout)
    # The report of before still names the key that was replaced.
    assert account["Did"] == []
    (worker,) = [user for user in account["Users"] if user["UserName"] == "worker"]
    assert worker["Verdict"] == "later" and worker["Why"].endswith("its key is new"), worker
    assert new.secret_key not in done.stdout + done.stderr + again.stdout


def test_agent_and_its_metrics(fleet):
    command = [os.environ["KEYWRIGHT_BINARY"], "agent", str(fleet.file), "--every", "1s"]
    with subprocess.Popen(
        [*command, "--metrics", "127.0.0.1:0"],
        cwd=fleet.home,
        env=fleet.keywright.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as agent:
        url = re.search(r"http\S+", agent.stderr.readline())[0]
        rounds = 0
        for line in agent.stdout:
            rounds += ": checked " in line
            if rounds == 2:
                break
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            shown = answer.read().decode()
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
        assert agent.returncode == 0
    assert re.search(r'keywright_key_age_seconds\{account="test",user="worker"\} \d', shown), shown
    assert 'keywright_rotations_held{account="test"} 0' in shown
    assert 'keywright_rotation_orphans{account="test"} 0' in shown
    assert 'keywright_last_success_timestamp_seconds{account="test"}' in shown
    ended = 'keywright_rotations_ended_total{account="test",outcome="Done"} 1'
    assert ended in shown, shown
    assert "keywright_rotation_phase_age_seconds{" not in shown, "nothing is open"
    assert (fleet.home / "worker.env").exists()


def test_what_is_told_and_only_once(fleet):
    """Held, and a person's business: once each, to all who listen."""
    told = []

    class Listens(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listens) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        fleet.keywright.environment["KEYWRIGHT_WEBHOOK_KEY"] = "a shared key"
        url = f"webhook:http://127.0.0.1:{listening.server_port}/"
        text = fleet.file.read_text().replace("notify = [", f'notify = ["{url}", ')
        fleet.file.write_text(text.replace('dwell = "0s"', 'dwell = "1d"'))
        agent(fleet, rounds=1)
        assert phase(fleet, "worker") == "Dwelling"
        assert verdicts(fleet)["worker"][0] == "nothing", "two keys, but they are ours"
        fleet.keywright.run("rotate", "hold", "worker", "--why", "a freeze")
        agent(fleet, rounds=3)
        listening.shutdown()
    outcomes = sorted((news["UserName"], news["Outcome"]) for news in told)
    # Each agent is another process, and knows from the journal what was said.
    assert outcomes == [("torn", "warning"), ("worker", "held")]
    assert (fleet.home / "news").read_text().count("a freeze") == 1


def test_a_user_who_is_deleted_in_the_middle_is_told(fleet):
    fleet.file.write_text(fleet.file.read_text().replace('dwell = "0s"', 'dwell = "1d"'))
    assert fleet.keywright.run("rotate", "apply", str(fleet.file)).returncode == 0
    assert phase(fleet, "worker") == "Dwelling"
    for key in fleet.iam.list_access_keys(UserName="worker")["AccessKeyMetadata"]:
        fleet.iam.delete_access_key(UserName="worker", AccessKeyId=key["AccessKeyId"])
    fleet.iam.delete_user(UserName="worker")
    for _ in range(2):
        # The report still lists the user.
        done = fleet.keywright.run("rotate", "apply", str(fleet.file))
        assert done.returncode == 0, done.stdout + done.stderr
    told = [(one["Outcome"], one["Why"]) for one in news(fleet) if one["UserName"] == "worker"]
    assert told == [("over", "UserGone")]
    assert phase(fleet, "worker") == "UserGone"


def agent(fleet, rounds: int):
    """Runs the agent for some rounds."""
    command = [os.environ["KEYWRIGHT_BINARY"], "agent", str(fleet.file), "--every", "1s"]
    with subprocess.Popen(
        command,
        cwd=fleet.home,
        env=fleet.keywright.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        for line in running.stdout:
            rounds -= ": checked " in line
            if rounds == 0:
                break
        running.send_signal(signal.SIGTERM)
        running.stdout.read()
        assert running.wait(SECONDS) == 0


def phase(fleet, name: str) -> str:
    """How far a rotation is."""
    shown = json.loads(fleet.keywright.run("rotate", "status", name, "--json").stdout)
    return shown[-1]["Phase"]


def test_row_20_more_users_than_a_page_and_several_accounts(fleet, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    with Server(second / "data", second / "log") as server:
        iam = clients(server, server.root).iam
        for number in range(120):
            iam.create_user(UserName=f"many-{number}", Path="/many/")
            iam.create_access_key(UserName=f"many-{number}")
        aws = fleet.home / ".aws"
        aws.mkdir()
        root = server.root
        (aws / "credentials").write_text(
            f"[second]\naws_access_key_id = {root.access_key}\n"
            f"aws_secret_access_key = {root.secret_key}\n"
        )
        with fleet.file.open("a") as declared:
            declared.write(
                f"""
[[account]]
name = "second"
id = "{server.account}"
access = {{ profile = "second", endpoint_url = "{server.endpoint}" }}

[[account.rule]]
path = "/many/"
max_age = "1d"
deliver = ["dotenv:{fleet.home}/{{user}}.env"]
create = true
"""
            )
        done = fleet.keywright.run("rotate", "plan", str(fleet.file), "--json")
        first, other = json.loads(done.stdout)
        assert (first["Account"], other["Account"]) == (fleet.server.account, server.account)
        later = [user["UserName"] for user in other["Users"] if user["Verdict"] == "later"]
        assert len(later) == 120
        assert other["Calls"] <= 4, "however many users there are"


EVERYONE = """
notify = ["command:{home}/notify"]
at_once = 1
stop_after_failures = 2

[[account]]
name = "test"

[[account.rule]]
everyone = true
max_age = "0s"
observe = "0s"
dwell = "0s"
override_unused = "no program in a test"
deliver = ["dotenv:{place}/{{user}}.env"]
create = true
"""


def test_after_failures_in_a_row_nothing_more_is_begun(fleet):
    fleet.file.write_text(EVERYONE.format(home=fleet.home, place=fleet.home / "no/folder"))
    done = fleet.keywright.run("rotate", "apply", str(fleet.file), "--json")
    assert done.returncode == 1, done.stderr
    (account,) = json.loads(done.stdout)
    assert account["StoppedAfterFailures"] is True
    assert [did["Outcome"] for did in account["Did"]] == ["held", "held"]
    stopped = [one for one in news(fleet) if one["Outcome"] == "stopped"]
    assert len(stopped) == 1 and stopped[0]["UserName"] is None, stopped
    why = "no further rotation was started after 2 consecutive failures"
    assert stopped[0]["Why"].startswith(why)
    again = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert again.returncode == 1, again.stderr
    told = [one["Outcome"] for one in news(fleet)]
    assert told.count("stopped") == 1, "once, until a round went well"
    assert len(fleet.iam.list_access_keys(UserName="worker")["AccessKeyMetadata"]) == 1


def test_row_15_the_principal_that_signs_comes_last(fleet):
    fleet.file.write_text(EVERYONE.format(home=fleet.home, place=fleet.home))
    # First by name, and first in the report.
    fleet.iam.create_user(UserName="aaa")
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    fleet.iam.attach_user_policy(UserName="aaa", PolicyArn=policy)
    own = key_of(fleet.iam.create_access_key(UserName="aaa"))
    keywright = Keywright(fleet.home, fleet.server.endpoint, own)
    done = keywright.run("rotate", "apply", str(fleet.file), "--json")
    assert done.returncode == 0, done.stderr
    did = json.loads(done.stdout)[0]["Did"]
    assert [each["Why"] for each in did] == ["Done"] * len(did)
    assert did[-1]["UserName"] == "aaa" and len(did) == 5, did


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_report(fleet, form):
    done = fleet.keywright.run("rotate", "report", "--format", form)
    assert done.returncode == 1, done.stderr
    if form == "json":
        (finding,) = json.loads(done.stdout)["Findings"]
        assert (finding["Control"], finding["UserName"]) == ("one-active-key", "torn")
    elif form == "csv":
        head, row = done.stdout.splitlines()
        assert head == "control,user,arn,detail,cis"
        assert row.startswith("one-active-key,torn,arn:aws:")
    else:
        assert "NOT MET: a user has at most one active access key" in done.stdout
        assert "\nmet: access keys are replaced" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accounts = 1", "fleet.toml:1:1: the file has no key accounts"),
        ('[[account]]\nname = "a"\n[[account.rule]]\neveryone = true', "where the new keys go"),
        (
            '[[account]]\nname = "a"\nid = "000000000000"\n'
            '[[account.rule]]\nusers = ["worker"]\nskip = true',
            "belong to account",
        ),
    ],
)
def test_declarations_that_are_refused(fleet, text, says):
    fleet.file.write_text(text)
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert says in done.stderr and "panicked" not in done.stderr, done.stderr
