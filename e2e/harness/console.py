"""The console's endpoints as a browser's pages ask them, without a browser; and walks in one."""

import http.client
import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

SECONDS = 30
WALK_SECONDS = 460
MARKS = {"Content-Type": "application/json", "X-Keywright-Console": "1"}


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
    """What one browser's pages would send: it keeps the cookie that it was given."""

    def __init__(self, server):
        self._server = server
        self.cookie = None

    def get(self, path: str, **headers: str) -> Told:
        """Asks for `/console/PATH`."""
        return self._send("GET", path, None, headers)

    def post(self, endpoint: str, body: object, **headers: str | None) -> Told:
        """Asks an endpoint; a header that is None is left out."""
        wanted = {**MARKS, **{name.replace("_", "-"): v for name, v in headers.items()}}
        headers = {name: value for name, value in wanted.items() if value is not None}
        return self._send("POST", f"api/{endpoint}", json.dumps(body).encode(), headers)

    def sign_in(self, user: str | None, password: str) -> Told:
        """As a user, or as root for None."""
        who = {"userName": user} if user else {"root": True}
        return self.post("sign-in", {"account": self._server.account, "password": password, **who})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict) -> Told:
        if self.cookie:
            headers = {**headers, "Cookie": self.cookie}
        connection = http.client.HTTPConnection(self._server.host, timeout=SECONDS)
        try:
            connection.request(method, f"/console/{path}", body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        set_cookie = response.headers["set-cookie"]
        if set_cookie:
            self.cookie = set_cookie.partition(";")[0]
        is_json = response.headers["content-type"] == "application/json"
        return Told(response.status, response.headers, json.loads(content) if is_json else None)


def walk(server, script: str, **told: object):
    """Walks through the console in Chromium as `e2e/SCRIPT` says; it must come to its end."""
    told = {
        "browser": os.environ["KEYWRIGHT_CHROMIUM"],
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
