"""Clients as their makers ship them: the AWS CLI and boto3, each with nothing but a key.

Neither sees the configuration of whoever runs the tests. Nothing is retried: a refusal shows at
once, as the server sent it.
"""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.config import Config

from harness.server import Credentials

REGION = "us-east-1"
CLI_SECONDS = 100
ERROR = re.compile(r"An error occurred \((\S+)\) when calling the (\S+) operation: (.*)")


class Refusal(NamedTuple):
    """What a client says of a refused call."""

    code: str
    operation: str
    message: str


def client(service: str, endpoint: str, key: Credentials, region: str = REGION, **options):
    """A boto3 client with no other setting than its key, region and endpoint."""
    session = boto3.session.Session(
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        aws_session_token=key.token,
        region_name=region,
    )
    retries = {"total_max_attempts": 1}
    config = Config(retries=retries, connect_timeout=10, read_timeout=60, **options)
    return session.client(service, endpoint_url=endpoint, config=config)


def key_of(answer: dict) -> Credentials:
    """The key in CreateAccessKey's or GetSessionToken's answer."""
    if "Credentials" in answer:
        made = answer["Credentials"]
        return Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    made = answer["AccessKey"]
    return Credentials(made["AccessKeyId"], made["SecretAccessKey"])


def download(key: Credentials, path: Path) -> Path:
    """The .csv that AWS's console offers when an access key is made: a mark, a head, one row."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Access key ID", "Secret access key"])
        rows.writerow([key.access_key, key.secret_key])
    return path


class AwsCli:
    """The `aws` command of one person: a home folder of their own."""

    def __init__(self, home: Path, endpoint: str, **environment: str):
        home.mkdir(exist_ok=True)
        self._environment = {
            **environment,
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "PYTHONUTF8": "1",
        }
        self._home = home

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
        """Runs `aws ARGUMENTS…` to its end."""
        return subprocess.run(
            [Path(sys.executable).parent / "aws", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            cwd=self._home,
            env=self._environment,
        )

    def configure(self, csv_path: Path, region: str = REGION):
        """`aws configure`, answering its four questions from a downloaded .csv."""
        with csv_path.open(encoding="utf-8-sig", newline="") as file:
            row = next(csv.DictReader(file))
        answers = [row["Access key ID"], row["Secret access key"], region, "json"]
        done = self.run("configure", stdin="".join(f"{answer}\n" for answer in answers))
        assert done.returncode == 0, done.stderr

    def __call__(self, *arguments: str):
        """Runs a command that must succeed: its JSON, or its text if that is what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    def refused(self, *arguments: str) -> Refusal:
        """Runs a command that must be refused by the server."""
        done = self.run(*arguments)
        said = ERROR.search(done.stderr)
        assert said, f"aws {' '.join(arguments)} gave {done.returncode}: {done.stderr}"
        # A task of `aws s3` that failed gives 1, any other refusal 255.
        assert done.returncode in (1, 255), done.returncode
        return Refusal(*said.groups())
