"""An OpenID Connect issuer as GitHub's is: https with an authority of its own, a configuration and
a key set, and tokens signed with RS256. It can also behave in other ways.
"""

import base64
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CONFIGURATION = "/.well-known/openid-configuration"
AUDIENCE = "sts.amazonaws.com"
SUBJECT = "repo:octo-org/app:ref:refs/heads/main"


def encoded(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """A number as keys have it."""
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Issuer:
    """A running issuer; use it in a `with` block."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        pem = folder / "issuer.pem"
        chain = [*issued.cert_chain_pems, authority.cert_pem]
        pem.write_bytes(issued.private_key_pem.bytes() + b"".join(it.bytes() for it in chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.issuer = self
        self._http.daemon_threads = True
        self.requests = []
        self.port = self._http.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.host = self.url.removeprefix("https://")
        certificate = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
        self.thumbprint = hashlib.sha1(certificate).hexdigest()
        self.key = rsa.generate_private_key(65537, 2048)
        self.replies = {
            CONFIGURATION: json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}),
            "/jwks": json.dumps({"keys": [self.public("one")]}),
        }

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def public(self, key_id: str) -> dict:
        """The public key as a JSON Web Key."""
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id}
        return {**key, "n": number(numbers.n), "e": number(numbers.e)}

    def token(self, header: dict | None = None, key=None, **claims) -> str:
        """A token as a workflow gets it, with other claims if need be; None leaves one out."""
        now = int(time.time())
        all_claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "repository": "octo-org/app",
            "ref": "refs/heads/main",
            "iat": now,
            "nbf": now - 300,
            "exp": now + 300,
            **claims,
        }
        all_claims = {name: value for name, value in all_claims.items() if value is not None}
        head = header or {"alg": "RS256", "kid": "one", "typ": "JWT"}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, all_claims))
        signature = (key or self.key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"


class Handler(BaseHTTPRequestHandler):
    """Answers by what the issuer has for a path: a text, or a function that writes."""

    def do_GET(self):
        issuer = self.server.issuer
        issuer.requests.append(self.path)
        reply = issuer.replies.get(self.path)
        if callable(reply):
            reply(self)
            return
        body = (reply or "").encode()
        self.send_response(200 if reply else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def redirect(location: str):
    """A reply that leads elsewhere."""

    def reply(handler):
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return reply


def endless(handler):
    """A reply that has no end until the client leaves."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass


def slow(handler):
    """A reply that comes a byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.2)
    except OSError:
        pass
