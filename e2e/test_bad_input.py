"""What no well-behaved client sends: AWS's error, and the server goes on."""

import base64
import hashlib
import http.client
import socket

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from harness.wire import form, post, send, sign

VERSION = "Version=2010-05-08"
MEMORY_BYTES = 200 * 1024 * 1024
DEEP = 10_000


# Would be 10^9 letters, if entities were followed.
BOMB = (
    '<!DOCTYPE a [<!ENTITY x0 "a">'
    + "".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 10}">' for n in range(9))
    + "]><Delete><Object><Key>&x9;</Key></Object></Delete>"
).encode()
# One more than S3 takes.
KEYS = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"


def iam(server, body: bytes):
    """The error that a signed body gets."""
    return send(server, sign(post(server, body), server.root, "iam")).error("iam")


@pytest.fixture(autouse=True)
def alive(server):
    """After each of these tests the server answers as before, and has not grown."""
    yield
    assert server.memory_peak() < MEMORY_BYTES
    identity = sign(form(server, "sts", "GetCallerIdentity"), server.root, "sts")
    assert send(server, identity).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"),
        (f"Action=FooBar&{VERSION}".encode(), "InvalidAction"),
        (b"Action=ListUsers&Version=1999-01-01", "InvalidAction"),
        (f"Action=ListOrganizationsFeatures&{VERSION}".encode(), "NotImplemented"),
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
        (f"Action=ListPolicies&{VERSION}&OnlyAttached=yes".encode(), "MalformedInput"),
        (f"Action=ListUsers&{VERSION}&MaxItems=99999999999999999999".encode(), "MalformedInput"),
        (f"Action=ListUsers&{VERSION}&Marker={'A' * 321}".encode(), "ValidationError"),
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
    ("document", "code"),
    [
        ("[" * DEEP + "]" * DEEP, "LimitExceeded"),
        ('{"a":' * DEEP + "1" + "}" * DEEP, "LimitExceeded"),
        ("{", "MalformedPolicyDocument"),
        ("null", "MalformedPolicyDocument"),
        ('{"Statement":[]}', "MalformedPolicyDocument"),
        ("\U0001f600", "ValidationError"),
        (" " * 131_073, "ValidationError"),
    ],
)
def test_policy_documents(server, root, name, document, code):
    root.s3.create_bucket(Bucket=name)
    for call in (
        lambda: root.iam.create_policy(PolicyName=name, PolicyDocument=document),
        lambda: root.s3.put_bucket_policy(Bucket=name, Policy=document),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        found = refused.value.response["Error"]["Code"]
        of_s3 = ("MalformedPolicy", "PolicyTooLarge", "MaxMessageLengthExceeded")
        assert found in (code, *of_s3), found


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


def test_a_refused_body_that_was_not_sent_is_not_waited_for(server):
    """The next request on the connection must not be taken for that body."""
    host, port = server.host.split(":")
    head = f"PUT /nobodys/k HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 40\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert b"\r\nconnection: close\r\n" in answer.lower(), answer
    assert answer.count(b"HTTP/1.1 ") == 1, answer


def test_s3_requests(server, root, name):
    root.s3.create_bucket(Bucket=name)
    for method, path, body, code in [
        ("PUT", f"/{name}?policy", b"{", "MalformedPolicy"),
        ("POST", f"/{name}?delete", b"<a", "MalformedXML"),
        ("POST", f"/{name}?delete", b"<a>" * DEEP + b"</a>" * DEEP, "MalformedXML"),
        ("POST", f"/{name}?delete", BOMB, "MalformedXML"),
        ("POST", f"/{name}?delete", KEYS, "MalformedXML"),
        ("PUT", "/Not_A_Bucket", b"", "InvalidBucketName"),
        ("GET", f"/{name}?list-type=2&max-keys=many", b"", "InvalidArgument"),
        ("PUT", f"/{name}/{'k' * 1025}", b"", "KeyTooLongError"),
        ("GET", "/no-such-bucket-here/k", b"", "NoSuchBucket"),
        ("PATCH", f"/{name}/k", b"", "MethodNotAllowed"),
    ]:
        request = AWSRequest(method, f"{server.endpoint}{path}", data=body)
        digest = hashlib.md5(body).digest()
        request.headers["Content-MD5"] = base64.b64encode(digest).decode()
        answer = send(server, sign(request, server.root, "s3"))
        assert answer.error("s3")[1] == code, (method, path, answer.body)
