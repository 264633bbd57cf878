"""The fixtures: one server for all tests that do not stop it, users and buckets for each test.

Nothing of the environment of whoever runs the tests reaches the clients.
"""

import itertools
import os
from types import SimpleNamespace

import pytest

from harness.clients import AwsCli, client, key_of
from harness.server import Server

for _name in list(os.environ):
    if _name.upper().startswith("AWS_") or _name.upper().endswith("_PROXY"):
        del os.environ[_name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with an empty data folder; in the end it must have stopped well, in silence."""
    folder = tmp_path_factory.mktemp("keywright")
    log = folder / "server.log"
    with Server(folder / "data", log) as running:
        yield running
    assert log.read_text() == ""


@pytest.fixture
def own(tmp_path):
    """A server of the test's own: what is done by hand there stays there."""
    with Server(tmp_path / "data", tmp_path / "log") as server:
        yield server


@pytest.fixture
def name():
    """A name that no other test uses, fit for users and buckets."""
    return f"e2e-{next(_numbers)}"


@pytest.fixture
def root(server):
    """boto3's clients of the root user."""
    return clients(server, server.root)


@pytest.fixture
def bucket(root, name):
    """A new bucket with an object, `k`."""
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=b"text")
    return name


@pytest.fixture
def aws(server, tmp_path):
    """An AWS CLI that knows the endpoint and no key yet."""
    return AwsCli(tmp_path / "home", server.endpoint)


@pytest.fixture
def new_user(root, name):
    """Makes a user with a key and managed policies; gives their key."""

    def make(*policies, suffix=""):
        root.iam.create_user(UserName=name + suffix)
        for policy in policies:
            arn = f"arn:aws:iam::aws:policy/{policy}"
            root.iam.attach_user_policy(UserName=name + suffix, PolicyArn=arn)
        return key_of(root.iam.create_access_key(UserName=name + suffix))

    return make


@pytest.fixture
def long():
    """Whether sizes are those of everyday work rather than those of a quick run."""
    return os.environ.get("KEYWRIGHT_E2E_LONG") == "1"


def clients(server, key, **options):
    """boto3's clients of one key."""
    services = ("iam", "sts", "s3")
    return SimpleNamespace(**{s: client(s, server.endpoint, key, **options) for s in services})
