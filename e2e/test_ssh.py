"""Keys in files of another machine, by the system's `ssh` and OpenSSH's server."""

import json

import pytest

from harness.keywright import Keywright
from harness.ssh import Machine, user

USUAL = "A_ID={0.access_key}\nA_SECRET={0.secret_key}\n# mine\n"


@pytest.fixture
def machine(tmp_path):
    """A machine that one can log in to."""
    return Machine(tmp_path / "machine")


@pytest.fixture
def keywright(server, tmp_path, machine):
    """The command with root's key, which finds the machine's `ssh`."""
    keywright = Keywright(tmp_path / "home", server.endpoint, server.root)
    keywright.environment["PATH"] = machine.path()
    return keywright


@pytest.mark.timeout(300)
def test_a_file_of_another_machine_and_what_reads_it(
    root, new_user, name, keywright, machine, tmp_path
):
    old = new_user("AmazonS3FullAccess")
    folder = tmp_path / "far away"
    folder.mkdir()
    file, log = folder / "app.env", folder / "log"
    file.write_text(USUAL.format(old))
    file.chmod(0o640)
    before = file.read_bytes()
    reload = f"cp '{file}' '{log}'"
    place = f"ssh:{user()}@web-1/dotenv:{file}?after={reload}#A_ID,A_SECRET"
    begun = keywright.run("rotate", name, "--deliver", place, "--observe", "24h", "--json")
    assert begun.returncode == 0, begun.stderr
    (rotation,) = json.loads(begun.stdout)
    assert rotation["Rotation"]["Phase"] == "Observing", begun.stdout
    new = rotation["Rotation"]["NewAccessKeyId"]
    after = file.read_bytes()
    assert f"A_ID={new}\n".encode() in after and b"# mine" in after
    assert log.read_bytes() == after, "what reads it was started when it was written"
    assert file.stat().st_mode & 0o7777 == 0o640
    secret = after.split(b"A_SECRET=")[1].split(b"\n")[0].decode()

    back = keywright.run("rotate", "rollback", name)
    assert back.returncode == 0, back.stderr
    assert file.read_bytes() == log.read_bytes() == before
    assert sorted(one.name for one in folder.iterdir()) == ["app.env", "log"]
    said = (machine.folder / "arguments").read_text() + begun.stdout + begun.stderr + back.stderr
    assert secret not in said and old.secret_key not in said
    assert "StrictHostKeyChecking=yes" in said and "BatchMode=yes" in said
    assert not (machine.folder / "local").exists(), "the configuration runs nothing here"


def test_a_machine_whose_key_is_not_known_is_refused(
    root, new_user, name, keywright, machine, tmp_path
):
    old = new_user()
    file = tmp_path / "app.env"
    file.write_text(USUAL.format(old))
    machine.know("web-2")
    place = f"ssh:web-1/dotenv:{file}#A_ID,A_SECRET"
    refused = keywright.run("rotate", name, "--deliver", place)
    assert refused.returncode == 1, refused.stderr
    assert "Host key verification failed" in refused.stderr
    assert file.read_text() == USUAL.format(old)
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [old.access_key]


def test_a_program_that_fails_holds_the_rotation(root, new_user, name, keywright, tmp_path):
    old = new_user("AmazonS3FullAccess")
    file, flag = tmp_path / "app.env", tmp_path / "works"
    file.write_text(USUAL.format(old))
    place = f"dotenv:{file}?after=ls '{flag}'#A_ID,A_SECRET"
    held = keywright.run("rotate", name, "--deliver", place, "--observe", "24h")
    assert held.returncode == 1, (held.stdout, held.stderr)
    assert str(flag) in held.stdout + held.stderr
    states = {key["Status"] for key in keys(root, name)}
    assert states == {"Active"} and len(keys(root, name)) == 2
    flag.touch()
    released = keywright.run("rotate", "release", name)
    assert released.returncode == 0, released.stderr
    resumed = keywright.run("rotate", "resume", name)
    assert resumed.returncode == 0, (resumed.stdout, resumed.stderr)
    found = json.loads(keywright.run("rotate", "status", name, "--json").stdout)[0]
    assert found["Phase"] == "Observing", found


def keys(root, name) -> list:
    """The user's keys."""
    return root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
