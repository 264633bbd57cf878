"""Those who are notified: an HTTP server and a mail server, each on a port of its own."""

import asyncio
import json
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from aiosmtpd.smtp import SMTP, AuthResult


class HttpReceiver:
    """Keeps what it is sent, and answers with `status`."""

    def __init__(self):
        self.requests, self.status = [], 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.status < 300:
                    receiver.requests.append((self.path, self.headers, body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def documents(self) -> list:
        """The JSON documents that it got."""
        return [json.loads(body) for _, _, body in self.requests]


class MailReceiver:
    """Keeps the mails that it gets over TLS (by STARTTLS, or from the first byte), after a login."""

    def __init__(self, context, implicit: bool, user: str, password: str):
        self.mails, self.context, self.implicit = [], context, implicit
        self.login = (user.encode(), password.encode())

    async def handle_DATA(self, _server, session, envelope):
        """One mail: its recipients, and its text."""
        assert session.authenticated and (session.ssl is not None or self.implicit)
        mail = message_from_bytes(envelope.content, policy=default)
        self.mails.append((sorted(envelope.rcpt_tos), mail))
        return "250 OK"

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        return AuthResult(success=(data.login, data.password) == self.login)

    def _protocol(self):
        options = {"authenticator": self._authenticate, "auth_required": True}
        if self.implicit:
            options["auth_require_tls"] = False
        else:
            options.update(tls_context=self.context, require_starttls=True)
        return SMTP(self, hostname="mail.test", loop=self.loop, **options)

    async def _serve(self):
        tls = self.context if self.implicit else None
        self.server = await self.loop.create_server(self._protocol, "127.0.0.1", 0, ssl=tls)
        self.port = self.server.sockets[0].getsockname()[1]

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._serve())
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
