"""A Keywright server as a person starts it: the built binary, a data folder, a free port.

The server is known only by what it prints and answers. It is stopped by its own handle with
SIGTERM and must then exit with 0; nothing here looks into its data folder but for the root
credentials, which it tells people to read.
"""

import configparser
import os
import re
import resource
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

SERVES = re.compile(r"Keywright serves IAM, STS and S3 at (https?://[^/]+)$")
CONSOLE = re.compile(r"Console: (https?://[^/]+)/console/ ")
# Behind a proxy: the lines above name the proxy's addresses.
BEHIND = re.compile(r"Listening at (\S+), the console at (\S+)$")
ACCOUNT = re.compile(r"Account (\d{12}): (\d+) users?, (\d+) access keys?$")
# The last line of a greeting, while root's credentials are in the data folder and afterwards.
GREETED = re.compile(r"\s*aws sts get-caller-identity$|Data: ")
STOP_SECONDS = 40


class Credentials(NamedTuple):
    """An access key as botocore's signers take it."""

    access_key: str
    secret_key: str
    token: str | None = None


class Server:
    """A running server; use it in a `with` block."""

    def __init__(
        self,
        data_dir: Path,
        log: Path,
        *options: str,
        listen: str = "127.0.0.1:0",
        open_files: int | None = None,
    ):
        """Starts it, with more options or fewer open files if need be, and reads its greeting."""
        self.data_dir = data_dir
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [
                os.environ["KEYWRIGHT_BINARY"],
                "serve",
                "--data-dir",
                str(data_dir),
                "--listen",
                listen,
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=data_dir.parent,
            text=True,
            preexec_fn=open_files and (lambda: limit_open_files(open_files)),
        )
        self.greeting = []
        for line in self._process.stdout:
            self.greeting.append(line.rstrip("\n"))
            if GREETED.match(line):
                break
        assert self.greeting, f"the server did not start: {log.read_text()}"
        self.endpoint = SERVES.match(self.greeting[0])[1]
        self.console = CONSOLE.match(self.greeting[2])[1]
        for behind in filter(None, map(BEHIND.match, self.greeting)):
            self.endpoint, self.console = behind.groups()
        account, users, keys = ACCOUNT.match(self.greeting[1]).groups()
        self.account, self.users, self.keys = account, int(users), int(keys)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def host(self) -> str:
        """Address and port, for a raw connection."""
        return self.endpoint.partition("://")[2]

    @property
    def root(self) -> Credentials:
        """The root user's key, from the file that the greeting names."""
        file = configparser.ConfigParser()
        assert file.read(self.data_dir / "root.credentials")
        profile = file["keywright-root"]
        return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"])

    def memory_peak(self) -> int:
        """The most memory that the process has had resident, in bytes."""
        return self._memory("VmHWM")

    def memory(self) -> int:
        """The memory that the process has resident, in bytes; its peak counts from here on."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        return self._memory("VmRSS")

    def open_files(self) -> int:
        """How many files and sockets the process has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def _memory(self, kind: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) * 1024

    def memory(self) -> int:
        """The memory that the process has resident, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def kill(self):
        """Ends it as a power cut would."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        self._process.stdout.close()
        self._log.close()

    def signal(self, which=signal.SIGTERM):
        """Asks it to stop, or sends it another signal, and goes on."""
        self._process.send_signal(which)

    def stop(self):
        """Asks it to stop; it must leave by itself and say that all is well."""
        if self._process.returncode is not None:
            return
        self.signal()
        try:
            code = self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.stdout.close()
            self._log.close()
        assert code == 0, f"the server exited with {code}"


def limit_open_files(files: int):
    """Sets both limits of open files, for a process that is about to start."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
