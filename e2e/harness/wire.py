"""Requests signed by hand, for what no well-behaved client sends, and answers as they came.

The signatures are botocore's own; only their time, region, service and key are ours to choose.
"""

import datetime
import http.client
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import botocore.auth
from botocore.awsrequest import AWSRequest

from harness.server import Credentials

FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15", "keywright": "2026-11-24"}
NAMESPACES = {
    "iam": "{https://iam.amazonaws.com/doc/2010-05-08/}",
    "sts": "{https://sts.amazonaws.com/doc/2011-06-15/}",
    "keywright": "{https://keywright.dev/doc/2026-11-24/}",
}
SECONDS = 30


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self, service: str) -> tuple[int, str, str | None]:
        """Status, code and message of an error, whose whole shape must be the service's own."""
        root = ElementTree.fromstring(self.body)
        if service == "s3":
            assert root.tag == "Error", self.body
            assert self.headers["content-type"] == "application/xml"
            assert root.findtext("RequestId") == self.headers["x-amz-request-id"]
            assert root.findtext("HostId") == self.headers["x-amz-id-2"]
            return self.status, root.findtext("Code"), root.findtext("Message")
        space = NAMESPACES[service]
        assert root.tag == f"{space}ErrorResponse", self.body
        assert self.headers["content-type"] == "text/xml"
        assert root.findtext(f"{space}RequestId") == self.headers["x-amzn-requestid"]
        error = root.find(f"{space}Error")
        fault = "Sender" if self.status < 500 else "Receiver"
        assert error.findtext(f"{space}Type") == fault
        return self.status, error.findtext(f"{space}Code"), error.findtext(f"{space}Message")

    def element(self, name: str) -> str | None:
        """The text of one of S3's extra elements."""
        return ElementTree.fromstring(self.body).findtext(name)


class Connection:
    """One connection, kept open between requests."""

    def __init__(self, server):
        self._server = server
        self._http = http.client.HTTPConnection(server.host, timeout=SECONDS)

    def __enter__(self):
        self._http.connect()
        self._socket = self._http.sock
        return self

    def __exit__(self, *_):
        self._http.close()

    def send(self, request: AWSRequest) -> Answer:
        """Sends a request, signed or not, over the connection that was opened first."""
        assert self._http.sock is self._socket, "the connection was closed"
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._http.request(request.method, target, request.data, dict(request.headers))
        response = self._http.getresponse()
        return Answer(response.status, response.headers, response.read())


def send(server, request: AWSRequest) -> Answer:
    """Sends one request over a connection of its own."""
    with Connection(server) as connection:
        return connection.send(request)


def form(server, service: str, action: str, **parameters: str) -> AWSRequest:
    """An unsigned call of IAM or STS."""
    fields = {"Action": action, "Version": VERSIONS[service], **parameters}
    return post(server, urlencode(fields).encode())


def post(server, body: bytes) -> AWSRequest:
    """An unsigned form with any bytes as its body."""
    return AWSRequest("POST", f"{server.endpoint}/", {"Content-Type": FORM}, body)


def sign(
    request: AWSRequest,
    key: Credentials,
    service: str,
    region: str = "us-east-1",
    at: datetime.datetime | None = None,
) -> AWSRequest:
    """Signs it in its headers, as of another time if one is given."""
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    with clock(at):
        signer(key, service, region).add_auth(request)
    return request


def presign(
    request: AWSRequest, key: Credentials, expires: int, at: datetime.datetime | None = None
) -> AWSRequest:
    """Signs it in its query string, for S3."""
    with clock(at):
        botocore.auth.S3SigV4QueryAuth(key, "s3", "us-east-1", expires=expires).add_auth(request)
    return request


def minutes_from_now(minutes: int) -> datetime.datetime:
    """A time of day on whole seconds, as botocore's signers take it."""
    now = datetime.datetime.now(datetime.UTC)
    return now.replace(microsecond=0) + datetime.timedelta(minutes=minutes)


class clock:
    """Sets the clock of botocore's signers for a while; None leaves it alone."""

    def __init__(self, at: datetime.datetime | None):
        self._at = at

    def __enter__(self):
        self._real = botocore.auth.get_current_datetime
        if self._at is not None:
            botocore.auth.get_current_datetime = lambda: self._at

    def __exit__(self, *_):
        botocore.auth.get_current_datetime = self._real
