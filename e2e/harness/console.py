"""The console's endpoints as a browser's pages ask them, without a browser; and walks in one."""

import http.client
import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

SECONDS = 30
WALK_SECONDS = 460
MARKS = {
    "Content-Type": "application/json",
    "X-Keywright-Console": "1",
    "Sec-Fetch-Site": "same-origin",
}


class Told(NamedTuple):
    """An answer of an endpoint."""

    status: int
    headers: http.client.HTTPMessage
    body: dict | None

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.body and self.body.get("code")


class Pages:
    """What one browser's pages would send: it keeps the cookies that it was given."""

    def __init__(self, server):
        self._server = server
        self.cookies = {}

    def get(self, path: str, **headers: str) -> Told:
        """Asks for `/console/PATH`."""
        return self._send("GET", path, None, headers)

    def post(self, endpoint: str, body: object, **headers: str | None) -> Told:
        """Asks an endpoint; a header that is None is left out."""
        marks = {**MARKS, "Origin": self._server.console}
        wanted = {**marks, **{name.replace("_", "-"): v for name, v in headers.items()}}
        headers = {name: value for name, value in wanted.items() if value is not None}
        return self._send("POST", f"api/{endpoint}", json.dumps(body).encode(), headers)

    def sign_in(self, user: str | None, password: str, **headers: str | None) -> Told:
        """As a user, or as root for None."""
        who = {"userName": user} if user else {"root": True}
        who = {"account": self._server.account, "password": password, **who}
        return self.post("sign-in", who, **headers)

    def move(self, server):
        """The same browser at a server that was started again."""
        self._server = server

    def _send(self, method: str, path: str, body: bytes | None, headers: dict) -> Told:
        if self.cookies:
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers = {**headers, "Cookie": cookies}
        host = self._server.console.partition("://")[2]
        connection = http.client.HTTPConnection(host, timeout=SECONDS)
        try:
            connection.request(method, f"/console/{path}", body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for line in response.headers.get_all("set-cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        is_json = response.headers["content-type"] == "application/json"
        return Told(response.status, response.headers, json.loads(content) if is_json else None)


def walk(server, script: str, **told: object):
    """Walks through the console in Chromium as `e2e/SCRIPT` says; it must come to its end."""
    told = {
        "browser": os.environ["KEYWRIGHT_CHROMIUM"],
        "console": server.console,
        "endpoint": server.endpoint,
        "account": server.account,
        "password": (server.data_dir / "root.password").read_text().strip(),
        **told,
    }
    done = subprocess.run(
        ["node", Path(__file__).parent.with_name(script)],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=WALK_SECONDS,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["whole"]
