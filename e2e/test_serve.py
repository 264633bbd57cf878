"""How `keywright serve` is told what to do, and what it does not do without being told."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
import trustme
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from harness.clients import client
from harness.server import Server
from harness.wire import sign

SECONDS = 60
README = Path(__file__).parent.parent / "README.md"
# The lines to copy, each with those that continue it.
COMMANDS = re.compile(r"^    ((?:aws|unset|export) .*?(?:\\\n.*)*)$", re.M)


def serve(folder, *arguments, **environment) -> subprocess.CompletedProcess:
    """Runs `keywright serve` where it must end by itself."""
    return subprocess.run(
        [os.environ["KEYWRIGHT_BINARY"], "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
    )


def root_s3(server):
    """boto3's client of the root user."""
    return client("s3", server.endpoint, server.root)


def test_tls(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    tls = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with Server(tmp_path / "data", tmp_path / "log", *tls) as server:
        assert server.endpoint.startswith("https://") and server.console.startswith("https://")
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        for url in (f"{server.endpoint}/", f"{server.console}/console/"):
            try:
                answer = urllib.request.urlopen(url, context=context, timeout=SECONDS)
            except urllib.error.HTTPError as error:
                answer = error
            assert answer.headers["strict-transport-security"] == "max-age=63072000", url
        options = {
            "endpoint_url": server.endpoint,
            "region_name": "us-east-1",
            "verify": str(tmp_path / "ca.pem"),
            "aws_access_key_id": server.root.access_key,
            "aws_secret_access_key": server.root.secret_key,
        }
        sts = boto3.client("sts", **options)
        assert sts.get_caller_identity()["Account"] == server.account
        s3 = boto3.client("s3", **options)
        s3.create_bucket(Bucket="encrypted")
        # A policy can ask for the version: 1.2 or 1.3 here.
        for limit, refused in (("1.2", False), ("1.4", True)):
            statement = {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::encrypted",
                "Condition": {"NumericLessThan": {"s3:TlsVersion": limit}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
            s3.put_bucket_policy(Bucket="encrypted", Policy=policy)
            try:
                s3.list_objects_v2(Bucket="encrypted")
                assert not refused, limit
            except ClientError as error:
                assert refused and error.response["Error"]["Code"] == "AccessDenied", limit


def shell(lines, folder, typed=""):
    """What a shell prints that runs these lines, as of someone who has the AWS CLI and no key."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        ["sh", "-eu", "-c", "\n".join(lines)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        cwd=folder,
        env={
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_PAGER": "",
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_lines_of_the_greeting_and_of_the_readme_work_as_printed(tmp_path):
    folder = tmp_path / "it's here"
    folder.mkdir()
    with Server(folder / "data", folder / "log") as server:
        root = server.root
        greeting = [line for line in server.greeting if line.startswith("  ")]
        exports = [line for line in greeting if line.startswith("  export ")]
        readme = COMMANDS.findall(README.read_text())
        made = next(at for at, line in enumerate(readme) if "create-access-key" in line)
        answers = shell(greeting + readme[: made + 1], folder)
        answers = [json.loads(answer) for answer in re.findall(r"^\{.*?^\}", answers, re.M | re.S)]
        assert answers[0]["Arn"] == f"arn:aws:iam::{server.account}:root"
        key = answers[-1]["AccessKey"]
        typed = f"{key['AccessKeyId']}\n{key['SecretAccessKey']}\nap-south-1\njson\n"
        # The user's terminal knows nothing of root's.
        last = next(at for at, line in enumerate(readme) if "s3 mb" in line)
        theirs = [
            line.replace("http://127.0.0.1:8787", server.endpoint)
            for line in readme[made + 1 : last + 1]
        ]
        said = shell(theirs, folder, typed)
        assert "make_bucket: my-first-bucket" in said
        again = [line.replace(" KEY ", f" {key['AccessKeyId']} ") for line in readme[last + 1 :]]
        assert len(again) == 2 and all(key["AccessKeyId"] in line for line in again), again
        shell(exports + again, folder)
        assert server.root == root, "whoever configures another key does not lose root's"
        location = root_s3(server).get_bucket_location(Bucket="my-first-bucket")
        assert location["LocationConstraint"] == "ap-south-1"


def test_another_address_in_plain_http_must_be_allowed(tmp_path):
    where = (tmp_path / "data", tmp_path / "log")
    with Server(*where, "--allow-plain-http", listen="0.0.0.0:0") as server:
        assert server.endpoint.startswith("http://0.0.0.0:")


def test_everything_is_in_the_help(tmp_path):
    help = serve(tmp_path, "--help").stdout
    for name in (
        *("config", "data-dir", "listen", "console-listen", "api-url", "console-url"),
        *("trusted-proxy", "account-id", "tls-cert", "tls-key"),
    ):
        assert f"--{name} <" in help and f"KEYWRIGHT_{name.upper().replace('-', '_')}" in help
    assert "--allow-plain-http" in help and "KEYWRIGHT_ALLOW_PLAIN_HTTP" in help
    assert "keywright.toml" in help


@pytest.mark.parametrize("account", ["123456789012", "000000000000"])
def test_an_account_id_can_be_chosen(tmp_path, account):
    for _ in range(2):
        with Server(tmp_path / "data", tmp_path / "log", "--account-id", account) as server:
            identity = client("sts", server.endpoint, server.root).get_caller_identity()
            assert identity["Arn"] == f"arn:aws:iam::{account}:root"
            client("iam", server.endpoint, server.root).list_users()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--listen", "0.0.0.0:0"], 1, "plain HTTP"),
        (["--account-id", "12"], 2, "12 digits"),
        (["--rotation-place", "dotenv:/x"], 1, "say whose keys may go there"),
        (["--listen", "nowhere"], 2, "expected ADDRESS:PORT"),
        (["--listen", "no.such.host.invalid:1"], 2, "cannot resolve no.such.host.invalid"),
        (["--no-such-flag"], 2, "unexpected argument"),
        (["--tls-cert", "cert.pem"], 2, "--tls-key"),
        (["--config", "missing.toml"], 1, "missing.toml"),
        (["--console-listen", "0.0.0.0:0"], 1, "plain HTTP"),
        (["--console-url", "console.example.com"], 1, "--console-url"),
        (["--api-url", "https://a", "--console-url", "https://a"], 1, "different origins"),
        (["--trusted-proxy", "0.0.0.0/0"], 1, "every address"),
    ],
)
def test_what_it_refuses_to_start_with(tmp_path, arguments, code, says):
    done = serve(tmp_path, "--data-dir", "data", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr, done.stderr
    assert "panicked" not in done.stderr


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path):
    # Each of them is wrong in its own way, so the answer shows which one was used.
    (tmp_path / "keywright.toml").write_text('account_id = "1"\n')
    by_file = serve(tmp_path)
    by_environment = serve(tmp_path, KEYWRIGHT_ACCOUNT_ID="22")
    by_flag = serve(tmp_path, "--account-id", "333", KEYWRIGHT_ACCOUNT_ID="22")
    assert (by_file.returncode, "--account-id 1:" in by_file.stderr) == (1, True), by_file
    for done, value in [(by_environment, "22"), (by_flag, "333")]:
        assert (done.returncode, f"'{value}' for '--account-id" in done.stderr) == (2, True), done
    (tmp_path / "keywright.toml").write_text("acount_id = 1\n")
    unknown = serve(tmp_path)
    assert (unknown.returncode, "acount_id" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("round", range(5))
def test_a_signal_right_after_the_first_word_stops_it_well(tmp_path, round):
    command = [os.environ["KEYWRIGHT_BINARY"], "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as server:
        assert server.stdout.readline().startswith(b"Keywright serves")
        server.send_signal(signal.SIGTERM)
        assert server.wait(SECONDS) == 0


def test_a_request_under_way_is_finished_after_the_signal(tmp_path):
    body = b"0123456789" * 10
    with Server(tmp_path / "data", tmp_path / "log") as server:
        root_s3(server).create_bucket(Bucket="kept")
        request = AWSRequest("PUT", f"{server.endpoint}/kept/k", {}, body)
        sign(request, server.root, "s3")
        headers = {
            "Host": server.host,
            "Content-Length": len(body),
            "Expect": "100-continue",
            **request.headers,
        }
        head = ["PUT /kept/k HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        host, port = server.host.split(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body[:50])
            # It has begun to read the body.
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")
            server.signal()
            wait_until_refused(host, int(port))
            connection.sendall(body[50:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    with Server(tmp_path / "data", tmp_path / "log") as server:
        assert root_s3(server).get_object(Bucket="kept", Key="k")["Body"].read() == body


def wait_until_refused(host: str, port: int):
    """Returns once nobody listens there any more."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except ConnectionError:
            return
    raise AssertionError("the server still takes connections")


def test_a_data_folder_has_one_server(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log") as server:
        second = serve(tmp_path, "--data-dir", str(server.data_dir), "--listen", "127.0.0.1:0")
        assert second.returncode == 1
        assert "another running server" in second.stderr


def test_a_lost_master_key_is_not_replaced(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log"):
        pass
    (tmp_path / "data" / "master.key").unlink()
    done = serve(tmp_path, "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    assert (done.returncode, "restore it from your backup" in done.stderr) == (1, True)
    assert not (tmp_path / "data" / "master.key").exists()


def test_a_name_can_be_listened_on_and_an_address_that_is_taken_is_explained(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log", listen="localhost:0") as server:
        address = server.endpoint.removeprefix("http://")
        for option in ("--listen", "--console-listen"):
            other = ("--data-dir", "other", "--listen", "127.0.0.1:0")
            done = serve(tmp_path, *(other if option != "--listen" else other[:2]), option, address)
            assert done.returncode == 1, done
            assert f"hint: another program listens there; choose another address with {option} " in (
                done.stderr
            )


def test_the_lines_to_copy_come_again_while_roots_credentials_are_there(tmp_path):
    where = (tmp_path / "data", tmp_path / "log")
    greetings = []
    for _ in range(2):
        with Server(*where) as server:
            greetings.append([line.partition("=")[0] for line in server.greeting[3:]])
            assert server.greeting[1].endswith(": 0 users, 1 access key")
    assert greetings[0] == greetings[1] and "  export AWS_ENDPOINT_URL" in greetings[0]
    (tmp_path / "data" / "root.credentials").unlink()
    with Server(*where) as server:
        assert server.greeting[-1] == f"Data: {tmp_path / 'data'}"
