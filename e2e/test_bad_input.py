"""What no well-behaved client sends: AWS's error, and the server goes on."""

import http.client
import socket

import pytest
from botocore.awsrequest import AWSRequest

from harness.wire import form, post, send, sign

VERSION = "Version=2010-05-08"


def iam(server, body: bytes):
    """The error that a signed body gets."""
    return send(server, sign(post(server, body), server.root, "iam")).error("iam")


@pytest.fixture(autouse=True)
def alive(server):
    """After each of these tests the server answers as before."""
    yield
    identity = sign(form(server, "sts", "GetCallerIdentity"), server.root, "sts")
    assert send(server, identity).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"),
        (f"Action=FooBar&{VERSION}".encode(), "InvalidAction"),
        (b"Action=ListUsers&Version=1999-01-01", "InvalidAction"),
        (f"Action=CreateRole&{VERSION}".encode(), "NotImplemented"),
        (f"Action=ListUsers&{VERSION}&PathPrefix=%ff".encode(), "MalformedInput"),
        (f"Action=ListUsers&{VERSION}&PathPrefix=%zz".encode(), "MalformedInput"),
        (f"Action=ListUsers&{VERSION}&MaxItems=ten".encode(), "MalformedInput"),
        (f"Action=ListUsers&{VERSION}&MaxItems=0".encode(), "ValidationError"),
        (f"Action=ListUsers&{VERSION}&MaxItems=1001".encode(), "ValidationError"),
        (f"Action=ListUsers&{VERSION}&Marker=bogus".encode(), "ValidationError"),
        (f"Action=CreateUser&{VERSION}".encode(), "ValidationError"),
        (f"Action=CreateUser&{VERSION}&UserName=a%20b".encode(), "ValidationError"),
        (f"Action=CreateUser&{VERSION}&UserName={'a' * 65}".encode(), "ValidationError"),
        (f"Action=TagUser&{VERSION}&UserName=a&Tags=x".encode(), "MalformedInput"),
        (
            b"&".join(
                [f"Action=ListUsers&{VERSION}".encode()] + [b"a%d=1" % n for n in range(20000)]
            ),
            "MalformedInput",
        ),
        (b"\x00\xff\xfe", "MalformedInput"),
    ],
)
def test_forms(server, body, code):
    assert iam(server, body)[1] == code


@pytest.mark.parametrize(
    "document",
    [
        "[" * 10_000 + "]" * 10_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        "{",
        "null",
        '{"Statement":[]}',
        "\U0001f600",
    ],
)
def test_policy_documents(server, root, name, document):
    with pytest.raises(root.iam.exceptions.ClientError) as refused:
        root.iam.create_policy(PolicyName=name, PolicyDocument=document)
    assert refused.value.response["Error"]["Code"] in ("MalformedPolicyDocument", "ValidationError")


def test_a_body_that_is_too_large(server):
    body = f"Action=ListUsers&{VERSION}&PathPrefix=".encode() + b"a" * 2_000_000
    answer = send(server, sign(post(server, body), server.root, "iam"))
    assert answer.error("iam")[0] == 413


@pytest.mark.parametrize(
    "headers", [{"X-Long": "a" * 200_000}, {f"X-{n}": "a" for n in range(1000)}]
)
def test_a_head_that_is_too_large(server, headers):
    connection = http.client.HTTPConnection(server.host, timeout=30)
    try:
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == 431
    except (BrokenPipeError, ConnectionResetError):
        pass  # It closed the connection while the head was still being sent.
    finally:
        connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http(server, raw):
    host, port = server.host.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer


def test_s3_requests(server, root, name):
    root.s3.create_bucket(Bucket=name)
    for method, path, body, code in [
        ("PUT", f"/{name}?policy", b"{", "MalformedPolicy"),
        ("POST", f"/{name}?delete", b"<a", "MalformedXML"),
        ("PUT", "/Not_A_Bucket", b"", "InvalidBucketName"),
        ("GET", f"/{name}?list-type=2&max-keys=many", b"", "InvalidArgument"),
        ("PUT", f"/{name}/{'k' * 1025}", b"", "KeyTooLongError"),
        ("GET", "/no-such-bucket-here/k", b"", "NoSuchBucket"),
        ("PATCH", f"/{name}/k", b"", "MethodNotAllowed"),
    ]:
        request = AWSRequest(method, f"{server.endpoint}{path}", data=body)
        answer = send(server, sign(request, server.root, "s3"))
        assert answer.error("s3")[1] == code, (method, path, answer.body)
