"""A machine to log in to: OpenSSH's server behind a pipe, so that nothing listens.

`ssh` starts it by `ProxyCommand`, and it answers on its standard input (`sshd -i`). One logs in as
whoever runs the tests, with a key made for the test.
"""

import os
import pwd
import subprocess
from pathlib import Path

HOST = "web-1"
SOURCE = Path(__file__).parent / "sshd_user.c"


class Machine:
    """A folder with keys, configurations, and an `ssh` that knows them and notes its arguments."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder, self.known = folder, folder / "known"
        for key in ("host", "me"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(command, check=True)
        self.know()
        server = folder / "sshd_config"
        server.write_text(
            f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/me.pub\nStrictModes no\n"
            "PasswordAuthentication no\nPidFile none\nPermitRootLogin yes\nLogLevel ERROR\n"
        )
        sshd = Path(os.environ["KEYWRIGHT_SSHD"])
        variables = f"LD_LIBRARY_PATH={self._libraries(sshd)}"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
            variables += f" LD_PRELOAD={self._preloaded()}"
        # It must not pass the preloaded library on, so it is not exported.
        program(folder / "serve", f"{variables} exec {sshd} -i -e -f {server}")
        # Laxer than the command line, which must win.
        (folder / "config").write_text(
            f"Host {HOST}\n ProxyCommand {folder}/serve\n IdentityFile {folder}/me\n"
            f" IdentitiesOnly yes\n UserKnownHostsFile {self.known}\n GlobalKnownHostsFile none\n"
            " StrictHostKeyChecking no\n PermitLocalCommand yes\n"
            f" LocalCommand touch {folder}/local\n"
        )
        (folder / "bin").mkdir()
        notes = f"printf '%s\\n' \"$@\" >> {folder}/arguments"
        program(folder / "bin/ssh", f'{notes}\nexec /usr/bin/ssh -F {folder}/config "$@"')

    def know(self, host: str = HOST):
        """Makes the machine's key known under this name only."""
        key = (self.folder / "host.pub").read_text().split()[:2]
        self.known.write_text(f"{host} {' '.join(key)}\n")

    def path(self) -> str:
        """Where programs are looked for, its `ssh` first."""
        return f"{self.folder}/bin:{os.environ['PATH']}"

    def _preloaded(self) -> Path:
        library = self.folder / "sshd_user.so"
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        return library

    @staticmethod
    def _libraries(sshd: Path) -> str:
        """Of a server that is unpacked, and not installed."""
        root = sshd.parents[2]
        folders = [*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")]
        return ":".join(map(str, folders)) if root != Path("/") else ""


def user() -> str:
    """Who runs the tests."""
    return pwd.getpwuid(os.geteuid()).pw_name


def program(path: Path, text: str):
    """A shell script that may be run."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
