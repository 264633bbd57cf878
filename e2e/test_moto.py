"""AWS as moto serves it: its two stores as places, its IAM as the issuer, a topic that is notified.

moto is one more opinion of what AWS answers, beside the published API that ours was written from.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
import time

import boto3
import pytest

from harness.clients import client, key_of
from harness.keywright import Keywright
from harness.server import Credentials

RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
UNUSED = ("--override-unused", "a test", "--accept-blind-window")
QUICK = ("--observe", "0s", "--dwell", "0s", "--wait", *UNUSED)


@pytest.fixture(scope="module")
def moto():
    """The address of moto's server, which is asked with any credentials."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if found := RUNNING.search(line):
                yield found[1]
                break
        running.terminate()
        running.stderr.read()


class Stored:
    """A document in one of the two stores."""

    def __init__(self, kind: str, moto: str, name: str):
        self.name = f"/keys/{name}"
        self.sink = f"{kind}:{self.name}?region=eu-west-1&endpoint={moto}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.api = boto3.client(kind, endpoint_url=moto, region_name="eu-west-1", **keys)
        self.kind = kind

    def create(self, text: str):
        """Makes it."""
        if self.kind == "ssm":
            self.api.put_parameter(Name=self.name, Value=text, Type="SecureString")
        else:
            self.api.create_secret(Name=self.name, SecretString=text)

    def text(self) -> str:
        """What is in it."""
        if self.kind == "ssm":
            answer = self.api.get_parameter(Name=self.name, WithDecryption=True)
            assert answer["Parameter"]["Type"] == "SecureString"
            return answer["Parameter"]["Value"]
        # Without the label moto answers with the version that it was made with.
        current = {"SecretId": self.name, "VersionStage": "AWSCURRENT"}
        return self.api.get_secret_value(**current)["SecretString"]

    def key(self) -> Credentials:
        """The pair in it."""
        document = json.loads(self.text())
        return Credentials(document["AccessKeyId"], document["SecretAccessKey"])


@pytest.fixture(params=["secretsmanager", "ssm"])
def stored(request, moto, name):
    """Each of the two stores."""
    return Stored(request.param, moto, name)


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


def test_a_store_gets_the_new_key_and_the_old_one_back(
    server, root, new_user, name, stored, keywright
):
    old = new_user()
    text = json.dumps(
        {"AccessKeyId": old.access_key, "SecretAccessKey": old.secret_key, "host": "db"}
    )
    stored.create(text)
    begun = keywright.run("rotate", name, "--deliver", stored.sink, "--observe", "24h")
    assert begun.returncode == 0, begun.stderr
    new = stored.key()
    assert new.access_key != old.access_key and json.loads(stored.text())["host"] == "db"
    assert client("sts", server.endpoint, new).get_caller_identity()["Arn"].endswith(name)
    back = keywright.run("rotate", "rollback", name)
    assert back.returncode == 0, back.stderr
    assert stored.text() == text
    said = begun.stdout + begun.stderr + back.stdout + back.stderr
    assert new.secret_key not in said and old.secret_key not in said


def test_a_store_whose_key_is_replaced(server, root, new_user, name, stored, keywright):
    old = new_user()
    stored.create(json.dumps({"AccessKeyId": old.access_key, "SecretAccessKey": old.secret_key}))
    done = keywright.run("rotate", name, "--deliver", stored.sink, *QUICK)
    assert done.returncode == 0, done.stderr
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [stored.key().access_key]


def test_a_store_that_cannot_be_used_is_known_before_anything_is_changed(
    root, new_user, name, moto, keywright
):
    old = new_user()
    for place, says in [
        (f"secretsmanager:none?endpoint={moto}", "there is no secret none with a value"),
        ("ssm:/x?endpoint=http://127.0.0.1:9", "the rotation was not started: ssm:"),
        ("github:octo/repo", "GITHUB_TOKEN is not set"),
        ("kubernetes:prod/job", "there is no kubeconfig"),
        ("vault:kv/job", "VAULT_ADDR is not set"),
        ("gitlab:octo/site", "GITLAB_TOKEN is not set"),
        ("1password:Prod/Job", "OP_CONNECT_HOST is not set"),
        ("circleci:gh/octo/prod", "CIRCLECI_CLI_TOKEN is not set"),
    ]:
        done = keywright.run("rotate", name, "--deliver", place)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert says in done.stderr, done.stderr
        listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        assert [key["AccessKeyId"] for key in listed] == [old.access_key]
    assert keywright.run("rotate", "status", "--all").stdout == ""


ANYONE = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}


@pytest.fixture
def iam(moto):
    """moto's IAM."""
    return boto3.client("iam", endpoint_url=moto, **ANYONE)


@pytest.fixture
def rotator(moto, tmp_path):
    """The command with credentials of anyone, and no address of all services."""
    keywright = Keywright(tmp_path / "home", moto, Credentials("x", "x"))
    del keywright.environment["AWS_ENDPOINT_URL"]
    # Whatever would leave this machine fails at once, and names where it would have gone.
    keywright.environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    return keywright


def test_a_key_of_aws_is_replaced_by_a_role_that_was_assumed(moto, iam, tmp_path):
    name = "RotateKeyUser"
    iam.create_user(UserName=name)
    old = key_of(iam.create_access_key(UserName=name))
    keywright = Keywright(tmp_path / "home", moto, Credentials("x", "x"))
    file = keywright.home / "job.env"
    role = "arn:aws:iam::123456789012:role/rotator"
    done = keywright.run(
        "rotate", name, "--assume-role", role, "--deliver", f"dotenv:{file}", "--create", *QUICK
    )
    assert done.returncode == 0, done.stderr
    assert f"of {name} in 123456789012" in done.stderr
    new = re.search("AWS_ACCESS_KEY_ID=(.*)", file.read_text())[1]
    assert new != old.access_key
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [(key["AccessKeyId"], key["Status"]) for key in listed] == [(new, "Active")]
    assert iam.list_user_tags(UserName=name)["Tags"] == []

    where = ("--assume-role", role, "--region", "eu-west-1")
    report = keywright.run("rotate", "report", "--format", "json", *where)
    assert report.returncode == 0, report.stderr + report.stdout
    shown = json.loads(report.stdout)
    assert (shown["Account"], shown["Findings"]) == ("123456789012", [])
    assert shown["Benchmark"] == "CIS Amazon Web Services Foundations Benchmark"
    (unused,) = [one for one in shown["Controls"] if one["Control"] == "unused-45-days"]
    assert {"Version": "5.0.0", "Number": "1.11"} in unused["Numbers"]
    text = keywright.run("rotate", "report").stdout
    assert "(v7.0.0: 2.12, v5.0.0: 1.13, v3.0.0: 1.14)" in text, text


def put_into(file, key):
    """A file of variables with a key."""
    file.write_text(f"AWS_ACCESS_KEY_ID={key.access_key}\nAWS_SECRET_ACCESS_KEY={key.secret_key}\n")


def test_sessions_of_a_leaked_key_are_denied_by_the_documented_policy(moto, iam, tmp_path):
    name = "LeakedUser"
    iam.create_user(UserName=name, Path="/jobs/")
    old = key_of(iam.create_access_key(UserName=name))
    keywright = Keywright(tmp_path / "home", moto, Credentials("x", "x"))
    put_into(keywright.home / "job.env", old)
    rotate = ("rotate", name, "--deliver", "dotenv:job.env", "--now")
    planned = keywright.run(*rotate, "--dry-run")
    assert "the inline policy KeywrightRevokeOlderSessions denies" in planned.stdout, planned.stdout
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []

    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with keywright.start(*rotate) as running:
        try:
            names = []
            until = time.monotonic() + 60
            while not names and time.monotonic() < until:
                names = iam.list_user_policies(UserName=name)["PolicyNames"]
            assert names == ["KeywrightRevokeOlderSessions"]
        finally:
            # A minute later it is put once more: until then AWS may have accepted the key.
            running.kill()
            running.communicate()
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in listed}[old.access_key] == "Inactive"
    document = iam.get_user_policy(UserName=name, PolicyName=names[0])["PolicyDocument"]
    (statement,) = document["Statement"]
    issued = statement.pop("Condition")["DateLessThan"]["aws:TokenIssueTime"]
    assert before <= issued <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert statement == {"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}


def test_addresses_of_single_services(moto, iam, rotator, tmp_path):
    name = "AddressedUser"
    iam.create_user(UserName=name)
    put_into(rotator.home / "job.env", key_of(iam.create_access_key(UserName=name)))
    rotate = ("rotate", name, "--deliver", "dotenv:job.env", "--dry-run")

    none = rotator.run(*rotate)
    assert none.returncode == 1 and "https://sts.us-east-1.amazonaws.com" in none.stderr
    rotator.environment["AWS_ENDPOINT_URL_STS"] = moto
    half = rotator.run(*rotate)
    assert half.returncode == 1 and "https://iam.amazonaws.com" in half.stderr, half.stderr
    rotator.environment["AWS_ENDPOINT_URL_IAM"] = moto
    assert rotator.run(*rotate).returncode == 0
    # One for the service goes before one for all.
    rotator.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    assert rotator.run(*rotate).returncode == 0
    rotator.environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    ignored = rotator.run(*rotate)
    assert "https://sts.us-east-1.amazonaws.com" in ignored.stderr, ignored.stderr
    given = rotator.run(*rotate, "--endpoint-url", moto)
    assert given.returncode == 0, given.stderr


def test_addresses_of_a_profile(moto, iam, rotator):
    name = "ProfileUser"
    iam.create_user(UserName=name)
    put_into(rotator.home / "job.env", key_of(iam.create_access_key(UserName=name)))
    config = rotator.home / "config"
    keys = "aws_access_key_id = x\naws_secret_access_key = x\n"
    config.write_text(
        f"[profile whole]\n{keys}endpoint_url = {moto}\n"
        f"[profile parts]\n{keys}services = here\n"
        f"[services here]\niam =\n  endpoint_url = {moto}\nsts =\n  endpoint_url = {moto}\n"
        f"[profile ignores]\n{keys}endpoint_url = {moto}\nignore_configured_endpoint_urls = true\n"
        f"[profile fips]\n{keys}use_fips_endpoint = true\nregion = us-west-2\n"
    )
    rotator.environment["AWS_CONFIG_FILE"] = str(config)
    del rotator.environment["AWS_ACCESS_KEY_ID"], rotator.environment["AWS_SECRET_ACCESS_KEY"]
    del rotator.environment["AWS_REGION"]
    rotate = ("rotate", name, "--deliver", "dotenv:job.env", "--dry-run", "--profile")
    for profile in ("whole", "parts"):
        done = rotator.run(*rotate, profile)
        assert done.returncode == 0, done.stderr
    for profile, says in [
        ("ignores", "https://sts.us-east-1.amazonaws.com"),
        ("fips", "https://sts-fips.us-west-2.amazonaws.com"),
    ]:
        done = rotator.run(*rotate, profile)
        assert done.returncode == 1 and says in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("variables", "place", "says"),
    [
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "ssm:/x", "ssm-fips.eu-west-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "ssm:/x", "ssm.eu-west-1.api.aws"),
        ({}, "secretsmanager:x", "secretsmanager.eu-west-1.amazonaws.com"),
    ],
)
def test_places_are_asked_at_the_endpoint_that_is_configured(
    moto, iam, rotator, name, variables, place, says
):
    user = f"Place{name}"
    iam.create_user(UserName=user)
    iam.create_access_key(UserName=user)
    rotator.environment |= {"AWS_ENDPOINT_URL_IAM": moto, "AWS_ENDPOINT_URL_STS": moto, **variables}
    away = rotator.run("rotate", user, "--deliver", f"{place}?region=eu-west-1", "--dry-run")
    assert away.returncode == 1, away.stderr
    kind = place.partition(":")[0]
    assert f"{kind}: " in away.stderr and says in away.stderr, away.stderr
    rotator.environment[f"AWS_ENDPOINT_URL_{'SSM' if kind == 'ssm' else 'SECRETS_MANAGER'}"] = moto
    here = rotator.run("rotate", user, "--deliver", f"{place}?region=eu-west-1", "--dry-run")
    assert "it does not exist" in here.stderr or "there is no" in here.stderr, here.stderr


class Trail(http.server.BaseHTTPRequestHandler):
    """CloudTrail with two pages of events of one key, as far as LookupEvents goes."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["x-amz-target"].endswith(".CloudTrail_20131101.LookupEvents")
        assert "/us-east-1/cloudtrail/aws4_request" in self.headers["authorization"]
        (attribute,) = asked["LookupAttributes"]
        if self.server.denied:
            status, told = 400, {"__type": "AccessDeniedException", "message": "no"}
        elif "NextToken" in asked:
            role = {"roleArn": "arn:aws:iam::123456789012:role/deploy"}
            status, told = 200, {"Events": [event(attribute, "AssumeRole", "sts", role)]}
        else:
            user = {"userName": "mallory"}
            told = {"Events": [event(attribute, "CreateUser", "iam", user)] * 2, "NextToken": "t"}
            status = 200
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


def event(attribute, action, service, parameters) -> dict:
    """An event as CloudTrail lists it."""
    record = {
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "awsRegion": "us-east-1",
        "requestParameters": parameters,
    }
    return {
        "AccessKeyId": attribute["AttributeValue"],
        "EventName": action,
        "EventSource": f"{service}.amazonaws.com",
        "EventTime": 1.8e9,
        "ReadOnly": "false",
        "CloudTrailEvent": json.dumps(record),
    }


@pytest.fixture
def trail():
    """A CloudTrail on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trail) as server:
        server.denied = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_a_key_did_is_told_by_its_trail(moto, iam, trail, rotator):
    name = "TrailedUser"
    iam.create_user(UserName=name)
    old = key_of(iam.create_access_key(UserName=name))
    put_into(rotator.home / "job.env", old)
    there = f"http://127.0.0.1:{trail.server_port}"
    for service, url in {"IAM": moto, "STS": moto, "CLOUDTRAIL": there}.items():
        rotator.environment[f"AWS_ENDPOINT_URL_{service}"] = url
    rotate = ("rotate", name, "--deliver", "dotenv:job.env", "--activity", "--dry-run")
    told = rotator.run(*rotate)
    assert told.returncode == 0, told.stderr
    assert re.search(r"CHANGED +2x iam:CreateUser +mallory +192\.0\.2\.7", told.stdout), told.stdout
    assert "CAUTION: arn:aws:iam::123456789012:role/deploy was assumed with it" in told.stdout
    assert "data events are not among them" in told.stdout
    trail.denied = True
    denied = rotator.run(*rotate)
    assert denied.returncode == 0, denied.stderr
    assert "were not read: not allowed to call cloudtrail:LookupEvents" in denied.stdout


def test_a_topic_of_sns_is_notified_with_the_accounts_credentials(moto, tmp_path):
    anyone = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-west-1"}
    iam, sns, sqs = (
        boto3.client(name, endpoint_url=moto, **anyone) for name in ("iam", "sns", "sqs")
    )
    iam.create_user(UserName="two-keys", Tags=[{"Key": "owner", "Value": "storage"}])
    for _ in range(2):
        iam.create_access_key(UserName="two-keys")
    topic = sns.create_topic(Name="rotation")["TopicArn"]
    queue = sqs.create_queue(QueueName="rotation")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    keywright = Keywright(tmp_path / "home", moto, Credentials("x", "x"))
    file = keywright.home / "fleet.toml"
    file.write_text(
        f"""
notify = ["sns:{topic}?endpoint={moto}"]
owner_tag = "owner"

[[account]]
name = "moto"

[[account.rule]]
users = ["two-*"]
deliver = ["dotenv:{keywright.home}/{{user}}.env"]
"""
    )

    def published() -> dict:
        """What two rounds have published: one message."""
        for _ in range(2):
            done = keywright.run("rotate", "apply", str(file))
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
        (got,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])
        return json.loads(got["Body"])

    # Its own address goes before one that is configured for the service, that before one for all.
    nowhere = "http://127.0.0.1:9"
    keywright.environment["AWS_ENDPOINT_URL_SNS"] = nowhere
    first = published()
    assert first["Subject"] == "Action needed: two-keys cannot be rotated"
    assert "Account: moto (123456789012)\nUser: two-keys\nOwner: storage\n" in first["Message"]
    addresses = {"": nowhere, "_IAM": moto, "_STS": moto, "_SNS": moto}
    keywright.environment |= {f"AWS_ENDPOINT_URL{of}": url for of, url in addresses.items()}
    file.write_text(file.read_text().replace(f"?endpoint={moto}", ""))
    assert published()["Subject"] == first["Subject"], "a notifier that is added hears what is so"
