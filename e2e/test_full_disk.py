"""A full disk protects nobody's leaked key: deactivation and deletion work when nothing is free.

Each test has a small disk of its own, a tmpfs in a private mount namespace. Making one needs root;
where it cannot be made the tests fail, since skipping them would claim what nobody looked at.
"""

import contextlib
import ctypes
import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import client, key_of
from harness.server import Server
from harness.wire import presign

MIB = 1024 * 1024
DISK_MIB = 128
ROUNDS = 10
SECONDS = 60
CLONE_NEWNS = 0x00020000
# Takes whatever becomes free, at once and again and again.
HUNGRY = "while :; do cat /dev/zero >> \"$1\"; done 2>/dev/null"


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of its own, which nothing outside this test sees."""
    folder = tmp_path / "disk"
    folder.mkdir()
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    namespace("unshare", CLONE_NEWNS)
    try:
        mount("--make-rprivate", "/")
        mount("-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs", str(folder))
        yield folder
    finally:
        # With the namespace goes the mount.
        namespace("setns", before, CLONE_NEWNS)
        os.close(before)


def namespace(call: str, *arguments: int):
    """A call that changes this thread's namespaces; Python's own are younger than ours."""
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*arguments) != 0:
        reason = os.strerror(ctypes.get_errno())
        pytest.fail(f"a private mount namespace needs root (CAP_SYS_ADMIN): {call}: {reason}")


def mount(*arguments):
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"mount {' '.join(arguments)} needs root (CAP_SYS_ADMIN): {done.stderr}")


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def fill(disk: Path, but: int = 0):
    """Takes every block that is free, or all but so many bytes, as another program might."""
    # The server releases slices of its reserve meanwhile, but it has only so many.
    for _ in range(20):
        with (disk / "filler").open("ab", buffering=0) as file:
            for size in (MIB, 4096):
                with contextlib.suppress(OSError):
                    while free(disk) > but:
                        file.write(bytes(size))
        if free(disk) <= but:
            return
    raise AssertionError(f"{free(disk)} bytes are still free")


@contextlib.contextmanager
def hungry(disk: Path):
    """Another program that takes every block whenever one becomes free."""
    fill(disk)
    process = subprocess.Popen(["sh", "-c", HUNGRY, "sh", str(disk / "filler")])
    try:
        yield
    finally:
        process.kill()
        process.wait(SECONDS)


def code_of(call, **arguments) -> str:
    """The code of the refusal of a call; `ok` if it is not refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def upload_until_refused(s3, bucket) -> int:
    """Uploads as someone who may do nothing else; how many mebibytes fitted."""
    for number in range(DISK_MIB):
        code = code_of(s3.put_object, Bucket=bucket, Key=f"junk-{number}", Body=bytes(MIB))
        if code != "ok":
            assert code == "SlowDown"
            return number
    raise AssertionError("the disk took more than it has")


class Leak:
    """An installation with a key a round that leaks, and an object a round to be deleted."""

    def __init__(self, server, rounds: int = ROUNDS):
        self.server = server
        self.root = clients(server, server.root)
        self.root.s3.create_bucket(Bucket="bucket")
        self.keys = []
        for number in range(rounds):
            name = f"leaked-{number}"
            self.root.iam.create_user(UserName=name)
            arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
            self.root.iam.attach_user_policy(UserName=name, PolicyArn=arn)
            self.keys.append(key_of(self.root.iam.create_access_key(UserName=name)))
            # One is a file, the other lies in the database.
            self.root.s3.put_object(Bucket="bucket", Key=f"large-{number}", Body=bytes(100_000))
            self.root.s3.put_object(Bucket="bucket", Key=f"small-{number}", Body=b"x" * 10_000)

    def stop_round(self, number: int, between=lambda: None):
        """Protects the round's key and deletes its objects; `between` comes before each step."""
        key = self.keys[number]
        s3 = client("s3", self.server.endpoint, key)
        assert code_of(s3.list_buckets) == "ok"
        between()
        self.root.iam.update_access_key(
            UserName=f"leaked-{number}", AccessKeyId=key.access_key, Status="Inactive"
        )
        assert code_of(s3.list_buckets) == "InvalidAccessKeyId"
        for name in (f"large-{number}", f"small-{number}"):
            between()
            self.root.s3.delete_object(Bucket="bucket", Key=name)
            assert code_of(self.root.s3.head_object, Bucket="bucket", Key=name) == "404"
        between()
        put = self.root.s3.put_object
        assert code_of(put, Bucket="bucket", Key="more", Body=bytes(100_000)) == "SlowDown"
        assert code_of(put, Bucket="bucket", Key="empty", Body=b"") == "SlowDown"


def accepts_again(s3) -> bool:
    """Whether uploads are accepted again before long."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        code = code_of(s3.put_object, Bucket="bucket", Key="again", Body=bytes(MIB))
        if code == "ok":
            return True
        assert code == "SlowDown"
    return False


def whole(disk: Path):
    """Both databases of a server that was stopped are whole."""
    # Room to read them: SQLite needs a little beside a log that the full disk left behind.
    (disk / "filler").unlink(missing_ok=True)
    data = disk / "data"
    for name in ("keywright.db", "rotations.db"):
        with contextlib.closing(sqlite3.connect(data / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name


def test_uploads_leave_the_reserve(disk, tmp_path):
    with Server(disk / "data", tmp_path / "log") as server:
        leak = Leak(server, rounds=1)
        upload_until_refused(client("s3", server.endpoint, leak.keys[0]), "bucket")
        assert free(disk) >= 12 * MIB
        fill(disk, 12 * MIB)
        # Nothing else that makes the database grow either, whatever its size.
        s3 = leak.root.s3
        assert code_of(s3.create_multipart_upload, Bucket="bucket", Key="k") == "SlowDown"
        assert code_of(s3.create_bucket, Bucket="another") == "SlowDown"
        source = {"Bucket": "bucket", "Key": "large-0"}
        assert code_of(s3.copy_object, Bucket="bucket", Key="k", CopySource=source) == "SlowDown"
        leak.stop_round(0)
        names = [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]]
        s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": name} for name in names]})
        assert accepts_again(s3)
    whole(disk)


def test_a_full_disk_ten_of_ten(disk, tmp_path):
    with Server(disk / "data", tmp_path / "log") as server:
        leak = Leak(server)
        upload_until_refused(leak.root.s3, "bucket")
        for number in range(ROUNDS):
            leak.stop_round(number, lambda: fill(disk))
        # Not only what is there may change: IAM goes on.
        leak.root.iam.create_user(UserName="responder")
        fill(disk)
        key_of(leak.root.iam.create_access_key(UserName="responder"))
        (disk / "filler").unlink()
        assert accepts_again(leak.root.s3)
    whole(disk)


def test_ten_of_ten_while_another_program_takes_every_block(disk, tmp_path):
    with Server(disk / "data", tmp_path / "log") as server:
        leak = Leak(server)
        with hungry(disk):
            for number in range(ROUNDS):
                leak.stop_round(number)
    whole(disk)


def test_an_upload_under_way_ends_when_the_disk_is_full(disk, tmp_path):
    with Server(disk / "data", tmp_path / "log") as server:
        leak = Leak(server, rounds=1)
        request = AWSRequest("PUT", f"{server.endpoint}/bucket/long")
        url = presign(request, server.root, 300).url
        size = 40 * MIB
        head = f"PUT {url.removeprefix(server.endpoint)} HTTP/1.1\r\nHost: {server.host}\r\n"
        address, port = server.host.split(":")
        with socket.create_connection((address, int(port)), SECONDS) as connection:
            connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
            connection.sendall(bytes(8 * MIB))
            fill(disk)
            # The answer may come while this side still sends, and then close the connection.
            with contextlib.suppress(ConnectionError):
                connection.sendall(bytes(size - 8 * MIB))
            with contextlib.suppress(ConnectionError):
                answer = connection.recv(65536)
                assert not answer or answer.startswith(b"HTTP/1.1 503 "), answer
        assert code_of(leak.root.s3.head_object, Bucket="bucket", Key="long") == "404"
        leak.stop_round(0, lambda: fill(disk))


def test_a_kill_on_a_full_disk_loses_nothing(disk, tmp_path):
    data, log = disk / "data", tmp_path / "log"
    with Server(data, log) as first:
        leak = Leak(first)
        for number in range(3):
            leak.stop_round(number, lambda: fill(disk))
        fill(disk)
        first.kill()
    fill(disk)
    with Server(data, log) as second:
        leak.server, leak.root = second, clients(second, second.root)
        for number, key in enumerate(leak.keys):
            expected = "InvalidAccessKeyId" if number < 3 else "ok"
            s3 = client("s3", second.endpoint, key)
            assert code_of(s3.list_buckets) == expected, number
            if number >= 3:
                found = leak.root.s3.get_object(Bucket="bucket", Key=f"large-{number}")
                assert found["Body"].read() == bytes(100_000)
        for number in range(3, ROUNDS):
            leak.stop_round(number, lambda: fill(disk))
        (disk / "filler").unlink()
        assert accepts_again(leak.root.s3)
    whole(disk)


@pytest.mark.parametrize("kind", ["full", "broken pipe", "pipe that nobody reads"])
def test_a_log_that_cannot_be_written_is_not_fatal(disk, kind):
    reader, writer = os.pipe()
    if kind == "pipe that nobody reads":
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
    log = Path("/dev/full" if kind == "full" else f"/proc/self/fd/{writer}")
    with Server(disk / "data", log) as server:
        if kind == "broken pipe":
            os.close(reader)
        os.close(writer)
        leak = Leak(server, rounds=3)
        # Each slice of the reserve is a line of the log, of the thread that writes.
        for number in range(3):
            leak.stop_round(number, lambda: fill(disk))
    if kind != "broken pipe":
        os.close(reader)


def test_a_greeting_that_cannot_be_written_is_not_fatal(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # Free again: without a greeting the server could not say which port it took.
        address = "{}:{}".format(*taken.getsockname())
    data = tmp_path / "data"
    command = [os.environ["KEYWRIGHT_BINARY"], "serve", "--data-dir", data, "--listen", address]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=full, stderr=full)
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", taken_port(address)), 1).close()
                break
        assert process.poll() is None
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait(SECONDS)


def taken_port(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_quotas(tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    # Rows, stored headers and the block of a part count as well: some room, and more than that.
    quota, more = 6 * MIB + 6144, 8192
    quotas = ("--bucket-quota", str(quota), "--account-quota", str(quota + 2 * MIB))
    with Server(data, log, *quotas) as server:
        s3 = client("s3", server.endpoint, server.root)
        for name in ("one", "two"):
            s3.create_bucket(Bucket=name)
        put = lambda bucket, key, size: code_of(
            s3.put_object, Bucket=bucket, Key=key, Body=bytes(size)
        )
        assert put("one", "large", 3 * MIB) == "ok"
        try:
            s3.put_object(Bucket="one", Key="larger", Body=bytes(3 * MIB + more))
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
            assert error.response["Error"] == {
                "Code": "QuotaExceeded",
                "Message": f"The bucket may store at most {quota} bytes",
                "BucketName": "one",
            }
        upload = s3.create_multipart_upload(Bucket="one", Key="multi")["UploadId"]
        part = {"Bucket": "one", "Key": "multi", "UploadId": upload}
        assert code_of(s3.upload_part, **part, PartNumber=1, Body=bytes(3 * MIB)) == "ok"
        assert code_of(s3.upload_part, **part, PartNumber=2, Body=bytes(more)) == "QuotaExceeded"
        source = {"Bucket": "one", "Key": "large"}
        refused = code_of(s3.copy_object, Bucket="two", Key="copy", CopySource=source)
        assert refused == "QuotaExceeded"
        assert put("two", "small", 2 * MIB) == "ok"
    with Server(data, log, *quotas) as server:
        s3 = client("s3", server.endpoint, server.root)
        assert put("one", "more", more) == "QuotaExceeded"
        assert put("two", "more", more) == "QuotaExceeded"
        s3.abort_multipart_upload(**part)
        assert put("two", "more", 3 * MIB) == "ok"
        assert put("one", "more", more) == "QuotaExceeded"
        s3.delete_object(Bucket="two", Key="more")
        assert put("one", "more", 3 * MIB) == "ok"
    assert log.read_text() == ""
