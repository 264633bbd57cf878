"""Tools that people have for S3 and IAM, as their makers ship them: each signs as itself.

They find a key, a region and the endpoint where such a person puts them, the environment or a file
in a home folder of their own, and nothing of whoever runs the tests.
"""

import json
import os
import subprocess
from pathlib import Path

from harness.server import Credentials

SECONDS = 100


class Tools:
    """The programs of one person."""

    def __init__(self, home: Path, endpoint: str, key: Credentials):
        home.mkdir(exist_ok=True)
        self.home = home
        self._installed = Path(os.environ["KEYWRIGHT_TOOLS"])
        self._environment = {
            "HOME": str(home),
            "PATH": f"{self._installed}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
        }

    def run(self, *command: str | Path, cwd: Path | None = None, **environment: str):
        """Runs a program to its end."""
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=cwd or self.home,
            env={**self._environment, **environment},
        )

    def __call__(self, *command: str | Path, cwd: Path | None = None, **environment: str) -> str:
        """Runs a program that must succeed: what it prints."""
        done = self.run(*command, cwd=cwd, **environment)
        said = f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        return done.stdout

    def script(self, name: str, **wanted):
        """Runs one of the scripts beside the tests, which asserts by itself what a library does."""
        path = Path(__file__).parents[1] / "scripts" / name
        self(self._installed / "python", path, WANTED=json.dumps(wanted))
