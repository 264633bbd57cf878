"""The `keywright` command of one person, who has a key and the address of a server.

It sees the key as the AWS CLI does, in the environment, and nothing else of whoever runs the tests.
"""

import os
import subprocess
from pathlib import Path

from harness.server import Credentials

SECONDS = 100


class Keywright:
    """Runs `keywright …` with a key, from a home folder."""

    def __init__(self, home: Path, endpoint: str, key: Credentials):
        home.mkdir(exist_ok=True)
        self.home = home
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_REGION": "us-east-1",
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
        """Runs it to its end."""
        return subprocess.run(
            [os.environ["KEYWRIGHT_BINARY"], *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.home,
            env=self.environment,
        )

    def start(self, *arguments: str) -> subprocess.Popen:
        """Starts it; whoever does must wait for its end."""
        return subprocess.Popen(
            [os.environ["KEYWRIGHT_BINARY"], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env=self.environment,
        )
