"""Certificates that are renewed while the server runs."""

import signal
import socket
import ssl
import time

import pytest
import trustme

from harness.server import Server
from test_serve import serve

SECONDS = 60


class Pair:
    """The two files that a server is given, and what is written into them."""

    def __init__(self, folder):
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.options = ("--tls-cert", str(self.cert), "--tls-key", str(self.key))

    def write(self) -> str:
        """A new certificate with its key; gives the certificate as the server will show it."""
        issued = trustme.CA().issue_cert("127.0.0.1")
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.key.chmod(0o600)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        self.cert.write_bytes(chain)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def served(server) -> bytes:
    """The certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = server.host.split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        with context.wrap_socket(connection) as secured:
            return secured.getpeercert(binary_form=True)


def wait_until(what, holds):
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_a_renewed_certificate_is_used_and_a_bad_one_is_not(tmp_path):
    pair, log = Pair(tmp_path), tmp_path / "log"
    first = pair.write()
    with Server(tmp_path / "data", log, *pair.options) as server:
        assert served(server) == first
        pair.cert.write_text("no certificate")
        server.signal(signal.SIGHUP)
        wait_until("it is logged", lambda: "was not replaced" in log.read_text())
        assert served(server) == first
        second = pair.write()
        server.signal(signal.SIGHUP)
        wait_until("the second is used", lambda: served(server) == second)
        third = pair.write()
        wait_until("the third is used without a signal", lambda: served(server) == third)
        # The key of another certificate, and one that everyone can read.
        pair.write()
        pair.key.chmod(0o644)
        server.signal(signal.SIGHUP)
        wait_until("it is logged", lambda: "other users can read" in log.read_text())
        assert served(server) == third
        assert "PRIVATE KEY" not in log.read_text()


@pytest.mark.parametrize("file", ["key", "both"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o622, 0o602])
def test_a_private_key_that_others_can_read_or_write_is_refused(tmp_path, file, mode):
    pair = Pair(tmp_path)
    pair.write()
    opened = pair.key
    if file == "both":
        opened = pair.cert
        opened.write_text(opened.read_text() + pair.key.read_text())
    opened.chmod(mode)
    data = ("--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    done = serve(tmp_path, *data, *pair.options)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"other users can read or write this private key (mode {mode:04o})" in done.stderr
    assert f"hint: chmod 600 {opened}" in done.stderr
