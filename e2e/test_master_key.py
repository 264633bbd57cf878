"""The master key: where it can be, how it is changed, and that nothing on disk is readable without it.

The binary is killed in the middle of changes, over and over: whatever the point, the next start has
to read everything and to end the change.
"""

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conftest import clients
from harness.clients import key_of
from harness.console import Pages
from harness.server import Server
from harness.wire import send, sign

SECONDS = 60
TEXT = b"clear text "
LARGE = TEXT * 30_000
RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


def keywright(*arguments, **environment):
    """Runs a command to its end."""
    return subprocess.run(
        [os.environ["KEYWRIGHT_BINARY"], *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | environment,
    )


def rotate(data, *options, **environment):
    """Changes the master key."""
    done = keywright("master-key", "rotate", "--data-dir", data, *options, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Content:
    """Something of each kind that is sealed."""

    def __init__(self, server):
        root = clients(server, server.root)
        root.iam.create_user(UserName="ann")
        self.key = key_of(root.iam.create_access_key(UserName="ann"))
        root.iam.attach_user_policy(
            UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
        )
        root.s3.create_bucket(Bucket="sealed")
        self.objects = {"empty": b"", "small": TEXT, "large": LARGE}
        for key, body in self.objects.items():
            root.s3.put_object(Bucket="sealed", Key=key, Body=body)
        for number in range(20):
            self.objects[f"many/{number}"] = body = TEXT * number
            root.s3.put_object(Bucket="sealed", Key=f"many/{number}", Body=body)
        self.session = key_of(clients(server, self.key).sts.get_session_token())

    def check(self, server):
        """All of it is there and works."""
        for name, body in self.objects.items():
            assert get(server, self.key, name).body == body, name
        for key in (server.root, self.session):
            assert get(server, key, "large").body == LARGE
        part = get(server, self.key, "large", Range="bytes=65530-65545")
        assert (part.status, part.body) == (206, LARGE[65530:65546])


def get(server, key, name, **headers):
    """The answer to a GET of an object."""
    request = AWSRequest("GET", f"{server.endpoint}/sealed/{name}", headers)
    return send(server, sign(request, key, "s3"))


def settled(data):
    """Waits until no change is under way."""
    end = time.monotonic() + SECONDS
    while (data / "master-key.change").exists():
        assert time.monotonic() < end, "the change does not end"
        time.sleep(0.05)


def nothing_in_clear(data):
    """No file holds a text of an object."""
    for path in data.rglob("*"):
        if path.is_file():
            assert TEXT * 2 not in path.read_bytes(), path


def test_nothing_is_stored_in_clear_and_a_running_server_changes_its_key(tmp_path):
    data = tmp_path / "data"
    with Server(data, tmp_path / "log") as server:
        content = Content(server)
        nothing_in_clear(data)
        old = (data / "master.key").read_bytes()
        failures, stop = [], threading.Event()

        def client():
            s3 = clients(server, content.key).s3
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    s3.put_object(Bucket="sealed", Key="busy", Body=TEXT * number)
                    s3.get_object(Bucket="sealed", Key="large")["Body"].read()
                except Exception as error:
                    failures.append(error)

        busy = threading.Thread(target=client)
        busy.start()
        for _ in range(2):
            assert "in effect" in rotate(data)
            content.check(server)
        stop.set()
        busy.join()
        assert failures == []
        new = (data / "master.key").read_bytes()
        assert (old != new, len(new)) == (True, 32)
    with Server(data, tmp_path / "log") as server:
        content.check(server)
    # The old key opens nothing any more.
    (data / "master.key").write_bytes(old)
    done = keywright("serve", "--data-dir", data, "--listen", "127.0.0.1:0")
    assert (done.returncode, "wrong master key" in done.stderr) == (1, True)
    assert "hint: this installation's master key is" in done.stderr


# Milliseconds after the change was written down (a server looks for it once a second), and after
# the command was started.
KILLS = {"server": (50, 300, 600, 800, 900, 1000, 1100), "command": (30, 60, 100, 150, 250, 400)}


@pytest.mark.parametrize("by", KILLS)
def test_a_change_survives_being_killed_at_any_point(tmp_path, by):
    data = tmp_path / "data"
    with Server(data, tmp_path / "log") as server:
        content = Content(server)
    unfinished = 0
    command = [os.environ["KEYWRIGHT_BINARY"], "master-key", "rotate", "--data-dir", str(data)]
    for milliseconds in KILLS[by]:
        server = Server(data, tmp_path / "log") if by == "server" else None
        changing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if server:
            end = time.monotonic() + SECONDS
            while not (data / "master-key.change").exists() and changing.poll() is None:
                assert time.monotonic() < end
        time.sleep(milliseconds / 1000)
        if server:
            server.kill()
        changing.kill()
        changing.wait(SECONDS)
        unfinished += (data / "master-key.change").exists()
        with Server(data, tmp_path / "log") as server:
            content.check(server)
            settled(data)
            content.check(server)
    assert unfinished > 0, "no kill came in the middle"


def test_the_key_can_be_a_file_a_variable_or_a_command(tmp_path):
    data, file = tmp_path / "data", tmp_path / "key"
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    file.write_text(first + "\n")
    file.chmod(0o600)
    with Server(data, tmp_path / "log", "--master-key", f"file:{file}") as server:
        content = Content(server)
        assert not (data / "master.key").exists()
    # The same key from elsewhere.
    command = f"command:cat {file}"
    with Server(data, tmp_path / "log", "--master-key", command) as server:
        content.check(server)
        # A new key, while the server runs, from the environment of the command only.
        said = rotate(
            data, "--master-key", command, "--to", "env:KEYWRIGHT_TEST_NEXT",
            KEYWRIGHT_TEST_NEXT=second,
        )
        assert "--master-key env:KEYWRIGHT_TEST_NEXT" in said
        content.check(server)
    done = keywright("serve", "--data-dir", data, "--master-key", command)
    assert (done.returncode, "wrong master key" in done.stderr) == (1, True)
    assert first not in done.stderr
    file.write_text(second)
    with Server(data, tmp_path / "log", "--master-key", command) as server:
        content.check(server)
        rotate(data, "--master-key", command, "--to", "folder")
    with Server(data, tmp_path / "log") as server:
        content.check(server)
    done = keywright("master-key", "rotate", "--data-dir", data, "--master-key", command)
    assert (done.returncode, "is not the master key" in done.stderr) == (1, True)
    file.chmod(0o644)
    done = keywright("serve", "--data-dir", data, "--master-key", f"file:{file}")
    assert (done.returncode, "others can read" in done.stderr) == (1, True)


@pytest.fixture(scope="module")
def kms():
    """moto's KMS: its address and the ARN of a key."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if found := RUNNING.search(line):
                break
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        api = boto3.client("kms", endpoint_url=found[1], region_name="eu-west-1", **keys)
        yield found[1], api.create_key()["KeyMetadata"]["Arn"]
        running.terminate()
        running.stderr.read()


class Transit(BaseHTTPRequestHandler):
    """The two operations of Vault's transit engine that matter, as its API documents them."""

    key = AESGCM(os.urandom(32))
    token = "s.e2e"

    def log_message(self, *_):
        """Says nothing."""

    def do_POST(self):
        """Answers `datakey/plaintext/NAME` and `decrypt/NAME`."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["x-vault-token"] != self.token:
            return self.answer(403, {"errors": ["permission denied"]})
        if self.path == "/v1/transit/datakey/plaintext/keywright":
            plain, nonce = os.urandom(body["bits"] // 8), os.urandom(12)
            sealed = base64.b64encode(nonce + self.key.encrypt(nonce, plain, None)).decode()
            data = {"plaintext": base64.b64encode(plain).decode(), "key_version": 1}
            return self.answer(200, {"data": data | {"ciphertext": f"vault:v1:{sealed}"}})
        if self.path == "/v1/transit/decrypt/keywright":
            sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
            plain = self.key.decrypt(sealed[:12], sealed[12:], None)
            return self.answer(200, {"data": {"plaintext": base64.b64encode(plain).decode()}})
        return self.answer(404, {"errors": []})

    def answer(self, status, body):
        """Sends JSON."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def transit(monkeypatch):
    """A server of transit, which the environment names."""
    running = HTTPServer(("127.0.0.1", 0), Transit)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{running.server_port}")
    monkeypatch.setenv("VAULT_TOKEN", Transit.token)
    yield "vault-transit:transit/keywright"
    running.shutdown()
    running.server_close()


def test_kms_and_transit_open_the_key(tmp_path, kms, transit, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    data, (endpoint, arn) = tmp_path / "data", kms
    source = f"aws-kms:{arn}?endpoint={endpoint}"
    with Server(data, tmp_path / "log", "--master-key", source) as server:
        content = Content(server)
    assert not (data / "master.key").exists()
    with Server(data, tmp_path / "log", "--master-key", source) as server:
        content.check(server)
        before = (data / "master.key.wrapped").read_text()
        # A new key of the same service, then one of the other.
        rotate(data, "--master-key", source)
        assert (data / "master.key.wrapped").read_text() != before
        rotate(data, "--master-key", source, "--to", transit)
        content.check(server)
    with Server(data, tmp_path / "log", "--master-key", transit) as server:
        content.check(server)
    monkeypatch.setenv("VAULT_TOKEN", "s.other")
    done = keywright("serve", "--data-dir", data, "--master-key", transit)
    assert (done.returncode, "permission denied" in done.stderr) == (1, True)
    # A backup without the service gives nothing.
    shutil.copytree(data, tmp_path / "backup")
    done = keywright("serve", "--data-dir", tmp_path / "backup")
    assert (done.returncode, "master.key is missing" in done.stderr) == (1, True)


def test_root_is_forgotten_when_a_person_says_so(tmp_path):
    data = tmp_path / "data"
    with Server(data, tmp_path / "log") as server:
        root = server.root
        files = [data / "root.credentials", data / "root.password"]
        done = keywright("root", "forget", "--data-dir", data)
        assert (done.returncode, "--yes" in done.stderr) == (1, True)
        assert all(file.exists() for file in files)
        done = keywright("root", "forget", "--data-dir", data, "--yes")
        assert done.returncode == 0, done.stderr
        assert not any(file.exists() for file in files)
        done = keywright("root", "forget", "--data-dir", data, "--yes")
        assert (done.returncode, "Nothing to remove" in done.stdout) == (0, True)
        assert clients(server, root).sts.get_caller_identity()["Account"] == server.account
    # They are not made again.
    with Server(data, tmp_path / "log") as server:
        assert not any(file.exists() for file in files)
        assert clients(server, root).sts.get_caller_identity()["Account"] == server.account


def test_root_is_not_forgotten_with_another_profile(tmp_path):
    data = tmp_path / "data"
    with Server(data, tmp_path / "log"):
        pass
    file = data / "root.credentials"
    with file.open("a") as more:
        more.write("\n[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    done = keywright("root", "forget", "--data-dir", data, "--yes")
    assert (done.returncode, "other profiles: default\n" in done.stderr) == (1, True), done.stderr
    assert "aws_secret_access_key" not in done.stdout + done.stderr
    assert file.exists() and (data / "root.password").exists()
    missing = keywright("root", "forget", "--data-dir", tmp_path / "nowhere")
    assert (missing.returncode, "hint: use --data-dir" in missing.stderr) == (1, True)


def test_roots_password_is_reset_while_the_server_is_stopped(tmp_path):
    data, file = tmp_path / "data", tmp_path / "data" / "root.password"
    reset = ("root", "reset-password", "--data-dir", data)
    with Server(data, tmp_path / "log") as server:
        root, old = server.root, file.read_text().strip()
        done = keywright(*reset)
        assert (done.returncode, "stop it first" in done.stderr) == (1, True), done.stderr
        assert Pages(server).sign_in(None, old).status == 200
    file.unlink()
    done = keywright(*reset)
    assert (done.returncode, str(file) in done.stdout) == (0, True), done.stderr
    new = file.read_text().strip()
    assert new != old and new not in done.stdout + done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Server(data, tmp_path / "log") as server:
        assert Pages(server).sign_in(None, old).status != 200
        assert Pages(server).sign_in(None, new).status == 200
        assert clients(server, root).sts.get_caller_identity()["Account"] == server.account
    nowhere = keywright("root", "reset-password", "--data-dir", tmp_path / "nowhere")
    assert (nowhere.returncode, "hint: use --data-dir" in nowhere.stderr) == (1, True)
    assert not (tmp_path / "nowhere").exists()
