"""What docs/backup.md promises: a backup of a running server restores, and an incomplete one is
refused before anything is changed."""

import shutil
import sqlite3
import threading

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import key_of
from harness.keywright import Keywright
from harness.rotations import Rotations
from harness.server import Server
from test_serve import serve

BUCKET = "kept"
# The reserve of the disk: the next start makes it again.
SCRATCH = shutil.ignore_patterns("disk.reserve")
LARGE = bytes(64 * 1024)
DATABASES = ("keywright.db", "rotations.db")


def dot_backup(source, target):
    """What `sqlite3 SOURCE ".backup TARGET"` does."""
    with sqlite3.connect(source) as from_, sqlite3.connect(target) as to:
        from_.backup(to)


def vacuum_into(source, target):
    """What `sqlite3 SOURCE "VACUUM INTO 'TARGET'"` does."""
    with sqlite3.connect(source) as database:
        database.execute("VACUUM INTO ?", (str(target),))


def back_up(data, backup, copy_database):
    """The steps of docs/backup.md, in their order."""
    backup.mkdir(mode=0o700)
    shutil.copytree(data / "objects", backup / "objects", ignore=shutil.ignore_patterns("tmp"))
    for name in DATABASES:
        copy_database(data / name, backup / name)
        (backup / name).chmod(0o600)
    objects = {"ignore": shutil.ignore_patterns("tmp"), "dirs_exist_ok": True}
    shutil.copytree(data / "objects", backup / "objects", **objects)
    shutil.copy2(data / "master.key", backup)


class Load:
    """Programs that write and overwrite objects and users until they are stopped."""

    def __init__(self, server):
        self._server = server
        self._stop, self._writers = threading.Event(), []
        self.acknowledged = set()

    def __enter__(self):
        for number in range(3):
            self._writers.append(threading.Thread(target=self._write, args=(number,)))
            self._writers[-1].start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for writer in self._writers:
            writer.join()

    def _write(self, number):
        mine = clients(self._server, self._server.root)
        for turn in range(1_000_000):
            if self._stop.is_set():
                return
            key = f"{number}-{turn}"
            mine.s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode() + LARGE)
            mine.s3.put_object(Bucket=BUCKET, Key=f"again-{number}", Body=LARGE + key.encode())
            mine.iam.create_user(UserName=f"user-{key}")
            self.acknowledged.add(key)


@pytest.mark.parametrize("copy_database", [dot_backup, vacuum_into])
def test_a_backup_under_load_restores(tmp_path, copy_database):
    data, backup = tmp_path / "data", tmp_path / "backup"
    with Server(data, tmp_path / "log") as server:
        account, key = server.account, server.root
        root = clients(server, key)
        root.s3.create_bucket(Bucket=BUCKET)
        root.iam.create_user(UserName="rotated")
        old = key_of(root.iam.create_access_key(UserName="rotated"))
        Rotations(server, key)("StartRotation", UserName="rotated", DwellSeconds=3600)
        with Load(server) as load:
            while len(load.acknowledged) < 20:
                pass
            before = set(load.acknowledged)
            back_up(data, backup, copy_database)
            while len(load.acknowledged) < len(before) + 20:
                pass
    shutil.rmtree(data)
    with Server(backup, tmp_path / "log") as server:
        assert server.account == account
        root = clients(server, key)
        users = {
            user["UserName"]
            for page in root.iam.get_paginator("list_users").paginate()
            for user in page["Users"]
        }
        for number in before:
            assert f"user-{number}" in users
            body = root.s3.get_object(Bucket=BUCKET, Key=number)["Body"].read()
            assert body == number.encode() + LARGE
        assert clients(server, old).sts.get_caller_identity()["Account"] == account
        (rotation,) = Rotations(server, key)("ListRotations", UserName="rotated")["Rotations"]
        assert rotation["IsOver"] == "false"
        damaged = 0
        for page in root.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for listed in page["Contents"]:
                try:
                    root.s3.get_object(Bucket=BUCKET, Key=listed["Key"])["Body"].read()
                except ClientError as missing:
                    assert listed["Key"].startswith("again-"), (listed, missing)
                    damaged += 1
        assert damaged <= 3, "only what was overwritten while the copy ran"


def test_a_stopped_folder_is_copied_as_it_is(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy"
    with Server(data, tmp_path / "log") as server:
        account, key = server.account, server.root
        clients(server, key).iam.create_user(UserName="ann")
    shutil.copytree(data, copy, ignore=SCRATCH)
    with Server(copy, tmp_path / "log") as server:
        assert (server.account, server.users) == (account, 1)
        assert clients(server, key).iam.get_user(UserName="ann")


def test_an_incomplete_copy_is_refused_and_stays_as_it_is(tmp_path):
    data = tmp_path / "data"
    with Server(data, tmp_path / "log") as server:
        root = clients(server, server.root)
        root.s3.create_bucket(Bucket=BUCKET)
        root.s3.put_object(Bucket=BUCKET, Key="k", Body=LARGE)
        root.iam.create_user(UserName="rotated")
        root.iam.create_access_key(UserName="rotated")
        home = tmp_path / "home"
        Keywright(home, server.endpoint, server.root)
        Rotations(server, server.root)("StartRotation", UserName="rotated")
        whole = tmp_path / "whole"
        shutil.copytree(data, whole, ignore=SCRATCH)
    for number, (removed, left) in enumerate(
        [
            (["keywright.db-wal", "keywright.db"], "objects"),
            (["keywright.db", "keywright.db-wal", "objects"], "rotations.db"),
            (["keywright.db", "keywright.db-wal", "objects", "rotations.db*"], "root.password"),
        ]
    ):
        copy = tmp_path / f"copy-{number}"
        ignored = [*removed, "keywright.db-shm", "keywright.db-lock", "master.key"]
        shutil.copytree(whole, copy, ignore=shutil.ignore_patterns(*ignored))
        if number == 0:
            # As SQLite's main file is before the log was written back: it exists and is empty.
            (copy / "keywright.db").touch(0o600)
            shutil.copy2(whole / "master.key", copy)
        # SQLite may move what is in a log into its database.
        logs = ("rotations.db-wal", "rotations.db-shm")
        before = {p for p in copy.rglob("*") if p.is_file() and p.name not in logs}
        for _ in range(2):
            done = serve(tmp_path, "--data-dir", str(copy), "--listen", "127.0.0.1:0")
            assert (done.returncode, done.stdout) == (1, ""), done
            assert f"but {copy / left} is left of one" in done.stderr, done.stderr
            assert "docs/backup.md" in done.stderr
        assert before <= set(copy.rglob("*")), "nothing was collected"
        assert (copy / "master.key").exists() == (number == 0), "and no other key was made"
