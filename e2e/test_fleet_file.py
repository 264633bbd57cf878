"""The fleet file as a program: its errors with their places, its windows, and what one bad account
or a second run does to the rest.
"""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
import urllib.request

from conftest import clients
from harness.clients import key_of
from harness.keywright import SECONDS, Keywright
from harness.server import Server
from test_fleet import fleet, news, phase, verdicts  # noqa: F401

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def closed_window() -> str:
    """A window of a day that is neither today nor one beside it."""
    day = DAYS[(time.gmtime().tm_wday + 3) % 7]
    return f'{{ days = ["{day}"], from = "22:00", to = "04:00", zone = "UTC" }}'


def edit(fleet, *replacements):  # noqa: F811
    """Changes the file."""
    text = fleet.file.read_text()
    for before, after in replacements:
        assert before in text, before
        text = text.replace(before, after)
    fleet.file.write_text(text)


def keys_of(fleet, name: str) -> list:  # noqa: F811
    """The ids of a user's keys."""
    listed = fleet.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return [key["AccessKeyId"] for key in listed]


def test_all_errors_come_at_once_without_credentials(fleet):  # noqa: F811
    edit(
        fleet,
        ('team = "storage"', "team = 1"),
        ('max_age = "0s"', 'max_agee = "0s"'),
        ("{user}.env", "{username}.env"),
    )
    nobody = Keywright(fleet.home, "http://127.0.0.1:1", fleet.server.root)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del nobody.environment[name]
    for command in (["rotate", "plan"], ["rotate", "apply"], ["agent"]):
        done = nobody.run(*command, str(fleet.file))
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        said = done.stderr.splitlines()
        at = [re.search(r"fleet\.toml:(\d+:\d+): (.*)", line) for line in said]
        assert [found.groups() for found in at if found] == [
            ("14:10", "the tag team must be a string"),
            ("15:1", "[[account.rule]] has no key max_agee"),
            ("19:12", "{username} is not a placeholder"),
        ], done.stderr
        assert said[0] == "error: there are 3 errors in the fleet file; no rotation was started"
        assert "  hint: did you mean max_age?" in said
        hints = ("did you mean {user}?", "the placeholders are {user} and {account}")
        assert any(f"  hint: {hint}" in said for hint in hints)


def test_a_rule_for_nobody_is_an_error_unless_the_user_is_new(fleet):  # noqa: F811
    assert fleet.keywright.run("rotate", "plan", str(fleet.file)).returncode == 1, "the report"
    with fleet.file.open("a") as file:
        file.write('\n[[account.rule]]\nusers = ["newcomer"]\nskip = true\n')
    line = fleet.file.read_text().splitlines().index('users = ["newcomer"]')
    for command in ("plan", "apply"):
        done = fleet.keywright.run("rotate", command, str(fleet.file))
        assert done.returncode == 1, done.stdout
        place = f"fleet.toml:{line}:1: this rule selects no user of account test"
        assert place in done.stderr, done.stderr
        assert "  hint: " in done.stderr
        assert keys_of(fleet, "worker") == [fleet.keys["worker"].access_key]
    (notice,) = [one for one in news(fleet) if one["Outcome"] == "failed"]
    assert f"line {line}: this rule selects no user" in notice["Why"], notice
    fleet.iam.create_user(UserName="newcomer")
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 0, done.stderr
    assert keys_of(fleet, "worker") != [fleet.keys["worker"].access_key]


def test_two_users_never_share_a_destination(fleet):  # noqa: F811
    text = fleet.file.read_text()
    account = text[text.index("[[account]]") :].replace('"test"', '"again"')
    account = re.sub(r'id = "\d+"\n', "", account)
    fleet.file.write_text(re.sub(r'id = "\d+"\n', "", text) + account)
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 1, done.stdout
    said = r"fleet\.toml:\d+:1: worker of test and worker of again have the same destination dotenv:"
    assert re.search(said, done.stderr), done.stderr
    assert keys_of(fleet, "worker") == [fleet.keys["worker"].access_key]


BROKEN = """
[[account]]
name = "broken"
access = {{ endpoint_url = "http://127.0.0.1:1" }}

[[account.rule]]
everyone = true
deliver = ["dotenv:/nowhere/{{account}}/{{user}}.env"]

[[account]]
name = "test"
""".format()


def test_a_broken_account_stops_no_other(fleet):  # noqa: F811
    edit(fleet, ('\n[[account]]\nname = "test"\n', BROKEN))
    plan = fleet.keywright.run("rotate", "plan", str(fleet.file), "--json")
    assert plan.returncode == 1
    broken, test = json.loads(plan.stdout)
    assert broken["Name"] == "broken" and broken["Error"] and "Users" not in broken
    assert test["Summary"]["Due"] == 1
    assert "1 of 2 accounts failed: broken\n  broken: " in plan.stderr, plan.stderr

    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 1
    assert re.search(r"over +worker +Done", done.stdout), done.stdout
    assert "1 of 2 accounts failed: broken\n  broken: " in done.stderr, done.stderr
    failed = [one for one in news(fleet) if one["Outcome"] == "failed"]
    assert len(failed) == 1 and failed[0]["UserName"] is None, failed
    assert failed[0]["AccountName"] == "broken", failed

    command = ["agent", str(fleet.file), "--every", "1s", "--metrics", "127.0.0.1:0"]
    with fleet.keywright.start(*command) as agent:
        url = re.search(r"http\S+", agent.stderr.readline())[0]
        for rounds, _ in enumerate(line for line in agent.stdout if ": checked " in line):
            if rounds == 2:
                break
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            shown = answer.read().decode()
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
    count = re.search(r'keywright_account_failures_total\{account="broken"\} (\d+)', shown)
    assert count and int(count[1]) >= 2, shown
    assert 'keywright_account_failures_total{account="test"}' not in shown


def test_a_second_run_leaves_with_one_line(fleet):  # noqa: F811
    """The first run is inside its notifier, which reads a pipe to its end."""
    pipe = fleet.home / "pipe"
    os.mkfifo(pipe)
    notify, deaf = fleet.home / "notify", fleet.home / "deaf"
    notify.write_text(f"#!/bin/sh\ncat {pipe}\n")
    deaf.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    deaf.chmod(0o755)
    with fleet.keywright.start("rotate", "apply", str(fleet.file)) as first:
        # It opens when the notifier has opened it: the run has the lock by now.
        with pipe.open("w"):
            second = fleet.keywright.run("rotate", "apply", str(fleet.file))
            deaf.replace(notify)
        out, err = first.communicate(timeout=SECONDS)
    assert (second.returncode, second.stdout) == (0, ""), second.stderr
    line = f"another run of {fleet.file} is in progress; exiting\n"
    assert second.stderr == line
    assert first.returncode == 0, out + err
    third = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert third.returncode == 0 and ": checked " in third.stdout, third.stderr


def test_hangup_reads_the_file_again(fleet):  # noqa: F811
    good = fleet.file.read_text()
    fleet.file.write_text(good.replace('path = "/fleet/"', 'path = "/fleet/"\nskip = true'))
    command = ["agent", str(fleet.file), "--every", "1s"]
    with fleet.keywright.start(*command) as agent:
        try:
            assert any(": checked " in line for line in agent.stdout)
            fleet.file.write_text(good + "\nnonsense = 1\n")
            agent.send_signal(signal.SIGHUP)
            said = [agent.stderr.readline() for _ in range(4)]
            assert said[0].startswith("error: there is 1 error in the fleet file"), said
            assert "fleet.toml:" in said[1] and "has no key nonsense" in said[1], said
            assert "hint: " in said[2], said
            assert said[3] == "the previous fleet configuration stays in effect\n", said
            # Another round, of the file as it was.
            assert any(": checked " in line for line in agent.stdout)
            assert keys_of(fleet, "worker") == [fleet.keys["worker"].access_key]
            fleet.file.write_text(good)
            agent.send_signal(signal.SIGHUP)
            assert agent.stderr.readline() == f"reloaded {fleet.file}\n"
            for line in agent.stdout:
                if re.search(r"over +worker +Done", line):
                    break
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    assert keys_of(fleet, "worker") != [fleet.keys["worker"].access_key]


def test_what_is_newer_than_the_report_counts(fleet):  # noqa: F811
    """A report is made once in four hours."""
    said = verdicts(fleet)
    ids = keys_of(fleet, "torn")
    assert said["torn"][0] == "person" and all(key in said["torn"][1] for key in ids), said
    assert said["worker"][0] == "due"
    # A person mends one and replaces the key of the other.
    fleet.iam.delete_access_key(UserName="torn", AccessKeyId=ids[1])
    fleet.iam.create_access_key(UserName="worker")
    old = fleet.keys["worker"].access_key
    fleet.iam.delete_access_key(UserName="worker", AccessKeyId=old)
    done = fleet.keywright.run("rotate", "plan", str(fleet.file), "--json")
    assert done.returncode == 0, done.stderr
    (account,) = json.loads(done.stdout)
    said = {user["UserName"]: user for user in account["Users"]}
    assert said["torn"]["Verdict"] == "due", said["torn"]
    assert said["worker"]["Verdict"] == "later", said["worker"]
    assert said["worker"]["Why"].endswith("its key is new"), said["worker"]


def test_a_plan_has_a_summary_rules_and_destinations(fleet):  # noqa: F811
    (fleet.home / "worker.env").write_text("OTHER=1\n")
    done = fleet.keywright.run("rotate", "plan", str(fleet.file))
    lines = done.stdout.splitlines()
    summary = "  6 users: 1 due, 0 later, 1 need a person, 4 with nothing to do"
    assert lines[1] == summary, done.stdout
    worker = next(number for number, line in enumerate(lines) if " worker " in line)
    assert re.search(r"due +worker +rule 2 \(line 12\), since 20", lines[worker]), lines[worker]
    assert f"to dotenv:{fleet.home}/worker.env: " in lines[worker + 1], lines[worker + 1]
    assert not any("to dotenv" in line and "skipped" in line for line in lines), "its rule skips"
    shown = json.loads(fleet.keywright.run("rotate", "plan", str(fleet.file), "--json").stdout)
    said = {user["UserName"]: user for user in shown[0]["Users"]}
    assert (said["worker"]["Rule"], said["worker"]["RuleLine"]) == (2, 12)
    (destination,) = said["worker"]["Destinations"]
    assert destination["Sink"].startswith(f"dotenv:{fleet.home}/worker.env")
    assert destination["Found"]["State"] in ("Absent", "Empty"), destination
    assert keys_of(fleet, "worker") == [fleet.keys["worker"].access_key]
    assert (fleet.home / "worker.env").read_text() == "OTHER=1\n"

    # What would not begin is said beforehand.
    edit(fleet, ("create = true\n", ""))
    refused = fleet.keywright.run("rotate", "plan", str(fleet.file))
    assert refused.returncode == 1
    assert "1 due (1 of them cannot begin)" in refused.stdout, refused.stdout
    assert "CANNOT BEGIN: dotenv:" in refused.stdout, refused.stdout


def test_a_plan_fits_the_terminal(fleet):  # noqa: F811
    ours, theirs = pty.openpty()
    columns = 60
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [os.environ["KEYWRIGHT_BINARY"], "rotate", "plan", str(fleet.file)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=fleet.home,
        env=fleet.keywright.environment,
    ) as plan:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    lines = shown.decode().splitlines()
    assert len(lines) > 8 and max(map(len, lines)) <= columns, lines
    joined = "".join(line.strip() for line in lines)
    assert f"{fleet.home}/worker.env" in joined, "nothing is left out"


def test_windows_and_freezes_begin_nothing(fleet):  # noqa: F811
    words = "\nwindow = " + closed_window()
    edit(fleet, ('max_age = "0s"', 'max_age = "0s"' + words))
    said = verdicts(fleet)["worker"]
    assert said[0] == "later" and "waiting for the window" in said[1], said
    edit(fleet, (words, ""))
    day = time.strftime("%Y-%m-%d", time.gmtime())
    freeze = f'[[freeze]]\nfrom = {day}\nto = 2999-01-01\nwhy = "end of the year"\n'
    fleet.file.write_text(fleet.file.read_text() + freeze)
    done = fleet.keywright.run("rotate", "apply", str(fleet.file), "--json")
    assert done.returncode == 0, done.stderr
    (account,) = json.loads(done.stdout)
    said = {user["UserName"]: user["Why"] for user in account["Users"]}
    assert "the end of the freeze (end of the year)" in said["worker"], said
    assert account["Did"] == []
    assert keys_of(fleet, "worker") == [fleet.keys["worker"].access_key]


def test_a_window_for_deactivation(fleet):  # noqa: F811
    words = "\ndeactivation_window = " + closed_window()
    edit(fleet, ('\ndwell = "0s"', '\ndwell = "0s"' + words))
    # Whatever goes on with it waits for the window, and it is no trouble.
    for command in (["apply", str(fleet.file)], ["resume"]):
        done = fleet.keywright.run("rotate", *command)
        assert done.returncode == 0, done.stderr
        assert "the window " in done.stdout and "22:00-04:00 UTC" in done.stdout, done.stdout
        assert phase(fleet, "worker") == "Confirming"
    shown = json.loads(fleet.keywright.run("rotate", "status", "worker", "--json").stdout)
    assert shown[-1]["WaitsFor"].startswith("the window "), shown
    old = fleet.keys["worker"].access_key
    listed = fleet.iam.list_access_keys(UserName="worker")["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in listed}[old] == "Active"
    assert (fleet.home / "worker.env").exists(), "the new key is delivered meanwhile"
    # The file as it is now decides, for what is open too.
    edit(fleet, (words, ""))
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert re.search(r"over +worker +Done", done.stdout), done.stdout + done.stderr
    assert old not in keys_of(fleet, "worker")


def test_a_leak_does_not_wait_for_a_window(fleet):  # noqa: F811
    words = "\ndeactivation_window = " + closed_window()
    edit(fleet, ('\ndwell = "0s"', '\ndwell = "0s"' + words))
    assert fleet.keywright.run("rotate", "apply", str(fleet.file)).returncode == 0
    assert phase(fleet, "worker") == "Confirming"
    done = fleet.keywright.run("rotate", "change", "worker", "--now", "--why", "it leaked")
    assert done.returncode == 0, done.stderr
    assert phase(fleet, "worker") == "Done"


def test_users_of_another_server_are_not_mixed_up(fleet, tmp_path):  # noqa: F811
    """A destination is shared only where it is the same after all replacements."""
    second = tmp_path / "second"
    second.mkdir()
    with Server(second / "data", second / "log") as server:
        iam = clients(server, server.root).iam
        iam.create_user(UserName="worker", Path="/fleet/")
        key_of(iam.create_access_key(UserName="worker"))
        aws = fleet.home / ".aws"
        aws.mkdir()
        root = server.root
        (aws / "credentials").write_text(
            f"[second]\naws_access_key_id = {root.access_key}\n"
            f"aws_secret_access_key = {root.secret_key}\n"
        )
        with fleet.file.open("a") as declared:
            declared.write(
                f'[[account]]\nname = "second"\nid = "{server.account}"\n'
                f'access = {{ profile = "second", endpoint_url = "{server.endpoint}" }}\n'
                '[[account.rule]]\nusers = ["worker"]\n'
                f'deliver = ["dotenv:{fleet.home}/{{user}}.env"]\ncreate = true\n'
            )
        done = fleet.keywright.run("rotate", "plan", str(fleet.file))
        assert "worker of test and worker of second have the same destination" in done.stderr
        edit(fleet, ("{user}.env", "{account}-{user}.env"))
        done = fleet.keywright.run("rotate", "plan", str(fleet.file))
        assert done.stderr == "", done.stderr
