"""A declared fleet: `keywright rotate plan`, `apply`, `report`, and `keywright agent`.

Its server is its own, since a credential report is made once in four hours.
"""

import json
import os
import re
import signal
import subprocess
import urllib.request
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
deliver = ["dotenv:{home}/{{user}}.env"]
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


def test_plan_and_apply(fleet):
    said = verdicts(fleet)
    assert said["worker"][0] == "due"
    assert said["torn"][0] == "person" and "two keys" in said["torn"][1]
    assert said["other-team"] == ("nothing", "no rule fits")
    assert said["outside"] == ("nothing", "no rule fits")
    assert said["skipped-one"] == ("nothing", "a rule says to skip it")
    assert not list(fleet.home.glob("*.env"))

    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 0, done.stderr
    assert re.search(r"over +worker +Done", done.stdout), done.stdout
    text = (fleet.home / "worker.env").read_text()
    new = Credentials(*re.findall(r"=(.*)$", text, re.M))
    assert new.access_key != fleet.keys["worker"].access_key
    assert client("sts", fleet.server.endpoint, new).get_caller_identity()["Arn"].endswith("worker")
    news = json.loads((fleet.home / "news").read_text())
    assert (news["UserName"], news["Outcome"], news["Why"]) == ("worker", "over", "Done")
    for name in ("torn", "other-team", "outside", "skipped-one"):
        listed = fleet.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        assert fleet.keys[name].access_key in [key["AccessKeyId"] for key in listed]
        assert all(key["Status"] == "Active" for key in listed)

    again = fleet.keywright.run("rotate", "apply", str(fleet.file), "--json")
    assert again.returncode == 0, again.stderr
    (did,) = json.loads(again.stdout)[0]["Did"]
    assert (did["Outcome"], did["RotationId"]) == ("waiting", None), did
    assert new.secret_key not in done.stdout + done.stderr + again.stdout


def test_agent(fleet):
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
            rounds += "looked at" in line
            if rounds == 2:
                break
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            shown = answer.read().decode()
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
        assert agent.returncode == 0
    assert re.search(r'keywright_key_age_seconds\{account="test",user="worker"\} \d', shown), shown
    assert 'keywright_rotations_held{account="test"} 0' in shown
    assert 'keywright_last_success_timestamp_seconds{account="test"}' in shown
    assert (fleet.home / "worker.env").exists()


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_report(fleet, form):
    done = fleet.keywright.run("rotate", "report", "--format", form)
    assert done.returncode == 1, done.stderr
    if form == "json":
        (finding,) = json.loads(done.stdout)["Findings"]
        assert (finding["Control"], finding["UserName"]) == ("one-active-key", "torn")
    elif form == "csv":
        head, row = done.stdout.splitlines()
        assert head == "control,user,arn,detail" and row.startswith("one-active-key,torn,arn:aws:")
    else:
        assert "NOT MET: a user has one active access key at most" in done.stdout
        assert "\nmet: access keys are replaced" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accounts = 1", "is not a fleet"),
        ('[[account]]\nname = "a"\n[[account.rule]]\neveryone = true', "where the new keys go"),
        ('[[account]]\nname = "a"\nid = "000000000000"\nrule = []', "are of account"),
    ],
)
def test_declarations_that_are_refused(fleet, text, says):
    fleet.file.write_text(text)
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert says in done.stderr and "panicked" not in done.stderr, done.stderr
