"""What strangers can do to memory, connections and shutdown: little, and not for long.

The deadlines themselves are proven in the server's unit tests, in a time that is only counted.
"""

import http.client
import resource
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from botocore.awsrequest import AWSRequest

from conftest import clients
from harness.clients import key_of
from harness.server import Credentials, Server
from harness.wire import FORM, Connection, form, minutes_from_now, presign, send, sign

KIB, MIB = 1024, 1024 * 1024
SECONDS = 60
# What a body that waits for nothing has been answered with, and closed, by.
GONE_SECONDS = 60


@pytest.fixture(autouse=True, scope="module")
def many_sockets():
    """Lets the tests themselves open as many sockets as the system allows."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def address(host: str) -> tuple[str, int]:
    name, port = host.split(":")
    return name, int(port)


def connect(server) -> socket.socket:
    return socket.create_connection(address(server.host), timeout=SECONDS)


def slow_reader(server) -> socket.socket:
    """A connection of which the system takes little until it is read."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(SECONDS)
    reader.connect(address(server.host))
    return reader


@contextmanager
def connections(server, count: int):
    """That many open connections."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(server)) for _ in range(count)]


def send_what_fits(connection: socket.socket, data: bytes):
    """Sends without waiting for anyone; a connection that was closed takes nothing."""
    connection.setblocking(False)
    try:
        connection.send(data)
    except (BlockingIOError, ConnectionError):
        pass
    connection.settimeout(GONE_SECONDS)


def read_to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; TimeoutError if it does not."""
    received = b""
    try:
        while piece := connection.recv(64 * KIB):
            received += piece
    except ConnectionResetError:
        pass
    return received


def head(server, line: str, headers) -> bytes:
    """The head of a request, as it goes over the wire."""
    lines = [line, f"Host: {server.host}", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_stalled_bodies_of_strangers_hold_little_and_are_gone_soon(own):
    announced = {"Content-Type": FORM, "Content-Length": MIB}
    form_head = head(own, "POST / HTTP/1.1", announced)
    object_head = head(own, "PUT /bucket/key HTTP/1.1", {"Content-Length": MIB})
    files = own.open_files()
    with connections(own, 600) as stalled:
        before = own.memory()
        began = time.monotonic()
        for number, connection in enumerate(stalled):
            start = form_head if number % 2 else object_head
            send_what_fits(connection, start + b"a" * (256 * KIB))
        for connection in stalled:
            assert read_to_the_end(connection).startswith(b"HTTP/1.1 4")
        while own.open_files() > files + 50:
            assert time.monotonic() < began + GONE_SECONDS
            time.sleep(0.1)
        took, added = time.monotonic() - began, own.memory_peak() - before
    print(f"600 stalled bodies: +{added / MIB:.1f} MiB, gone after {took:.1f} s")
    assert added <= 32 * MIB


def test_idle_connections_keep_nobody_out(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log", open_files=1024) as server:
        with connections(server, 1060) as idle:
            for connection in idle:
                send_what_fits(connection, b"G")
            took = []
            for _ in range(5):
                began = time.monotonic()
                user = sign(form(server, "iam", "GetUser"), server.root, "iam")
                assert send(server, user).status == 200
                took.append(time.monotonic() - began)
        print(f"GetUser beside 1,060 idle connections: {[f'{secs:.3f}' for secs in took]}")
        # A machine under load may pause for a second once, not five times.
        assert min(took) < 1
    refused = (tmp_path / "log").read_text().count("connections were refused or closed")
    assert 1 <= refused < 10, "one line stands for many"


def test_slow_readers_of_one_link_keep_nobody_out(tmp_path):
    """Whoever has a presigned link has it for as many connections as they like."""
    with Server(tmp_path / "data", tmp_path / "log", open_files=1024) as server:
        root = clients(server, server.root)
        root.s3.create_bucket(Bucket="slow")
        root.s3.put_object(Bucket="slow", Key="large", Body=b"a" * (12 * MIB))
        get = presign(AWSRequest("GET", f"{server.endpoint}/slow/large"), server.root, 300)
        target = get.url.removeprefix(server.endpoint)
        console = server.console.removeprefix("http://").rstrip("/")
        with ExitStack() as stack:
            for number in range(600):
                reader = stack.enter_context(slow_reader(server))
                reader.sendall(head(server, f"GET {target} HTTP/1.1", {}))
                assert reader.recv(9) == b"HTTP/1.1 ", f"{number}: and it reads no more"
            took = []
            for _ in range(5):
                began = time.monotonic()
                user = sign(form(server, "iam", "GetUser"), server.root, "iam")
                assert send(server, user).status == 200
                page = http.client.HTTPConnection(console, timeout=SECONDS)
                page.request("GET", "/console/")
                assert page.getresponse().status == 200
                page.close()
                took.append(time.monotonic() - began)
    print(f"GetUser and console beside 600 slow readers: {[f'{secs:.3f}' for secs in took]}")
    assert min(took) < 1


def test_listings_hold_little_for_those_who_do_not_read(own):
    """A page shows nothing of the bytes and headers of its objects, so it holds nothing of them."""
    root = clients(own, own.root)
    root.s3.create_bucket(Bucket="listed")
    with Connection(own) as connection:
        for number in range(1000):
            headers = {"Content-Disposition": "a" * 7000}
            url = f"{own.endpoint}/listed/{'k' * 200}{number}"
            put = AWSRequest("PUT", url, headers, b"a" * 16_000)
            assert connection.send(sign(put, own.root, "s3")).status == 200
    get = presign(AWSRequest("GET", f"{own.endpoint}/listed?list-type=2"), own.root, 300)
    target = get.url.removeprefix(own.endpoint)
    before = own.memory()
    with ExitStack() as stack:
        readers = [stack.enter_context(slow_reader(own)) for _ in range(60)]
        for reader in readers:
            reader.sendall(head(own, f"GET {target} HTTP/1.1", {}))
        status = [reader.recv(12)[9:] for reader in readers]
        root.iam.get_user()
        added = own.memory_peak() - before
    print(f"60 unread listings: +{added / MIB:.1f} MiB, {status.count(b'503')} of them refused")
    # The system itself takes much of what is not read; beyond the memory for the rest is SlowDown.
    assert b"200" in status and set(status) <= {b"200", b"503"}
    assert added <= 96 * MIB


def test_method_names_leave_nothing(own, name):
    root = clients(own, own.root)
    root.iam.create_user(UserName=name)
    key = key_of(root.iam.create_access_key(UserName=name))
    root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")
    before = own.memory()
    for start in range(0, 2000, 100):
        with Connection(own) as connection:
            for number in range(start, start + 100):
                method = f"M{number}".ljust(50_000, "M")
                request = AWSRequest(method, f"{own.endpoint}/b/k")
                answer = connection.send(sign(request, key, "s3"))
                assert answer.error("s3")[:2] == (501, "NotImplemented")
    added = own.memory_peak() - before
    print(f"2,000 method names of 50 kB: +{added / MIB:.1f} MiB")
    assert added <= 8 * MIB, "2,000 of them would be 95 MiB"
    attempts = form(own, "keywright", "ListAccessKeyAttempts", AccessKeyId=key.access_key)
    assert b"<Total>0</Total>" in send(own, sign(attempts, own.root, "keywright")).body


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("unsigned", "MissingAuthenticationToken"),
        ("unknown", "InvalidClientTokenId"),
        ("token", "InvalidClientTokenId"),
        ("old", "SignatureDoesNotMatch"),
        ("region", "SignatureDoesNotMatch"),
        ("service", "SignatureDoesNotMatch"),
    ],
)
def test_a_large_form_that_cannot_be_authentic_is_answered_before_it_comes(server, why, code):
    call = form(server, "iam", "ListUsers")
    key, at, region, service = server.root, None, "us-east-1", "iam"
    if why == "unknown":
        key = Credentials("AKIAIOSFODNN7EXAMPLE", "x")
    elif why == "token":
        key = Credentials("ASIAIOSFODNN7EXAMPLE", "x", "AAAA")
    elif why == "old":
        at = minutes_from_now(-16)
    elif why == "region":
        region = "mars-1"
    elif why == "service":
        service = "ec2"
    if why != "unsigned":
        sign(call, key, service, region, at)
    fields = {**call.headers, "Content-Length": MIB}
    with connect(server) as connection:
        connection.sendall(head(server, "POST / HTTP/1.1", fields))
        answer = b""
        while b"</ErrorResponse>" not in answer:
            piece = connection.recv(64 * KIB)
            assert piece, answer
            answer += piece
    assert b"\r\nconnection: close\r\n" in answer
    assert f"<Code>{code}</Code>".encode() in answer


def test_a_stalled_body_is_timed_out_in_the_words_of_its_service(server, root, bucket):
    put = presign(AWSRequest("PUT", f"{server.endpoint}/{bucket}/slow"), server.root, 300)
    target = put.url.removeprefix(server.endpoint)
    call = sign(form(server, "sts", "GetCallerIdentity"), server.root, "sts")
    length = {"Content-Length": 100}
    with connect(server) as object, connect(server) as identity:
        object.sendall(head(server, f"PUT {target} HTTP/1.1", length) + b"half")
        identity.sendall(head(server, "POST / HTTP/1.1", {**call.headers, **length}) + b"Action")
        object, identity = read_to_the_end(object), read_to_the_end(identity)
    assert object.startswith(b"HTTP/1.1 400 "), object
    assert b"<Code>RequestTimeout</Code><Message>Your socket connection to the server" in object
    assert b"\r\nconnection: close\r\n" in object
    assert identity.startswith(b"HTTP/1.1 408 "), identity
    assert b"<Code>RequestTimeout</Code>" in identity
    listed = root.s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [found["Key"] for found in listed] == ["k"], "nothing of it was stored"


def test_a_refusal_reaches_a_client_that_is_still_sending(server, new_user, bucket):
    key = new_user()
    for path, service, body in [
        (f"/{bucket}/k", "s3", b"a" * (8 * MIB)),
        ("/", "iam", b"a" * (8 * MIB)),
    ]:
        request = AWSRequest("PUT", f"{server.endpoint}{path}", {"Content-Type": FORM}, body)
        answer = send(server, sign(request, key, service))
        assert answer.status in (403, 413), answer
        assert answer.headers["connection"] == "close"


def test_only_chunked_is_a_transfer_coding(server):
    for coding, status in [("gzip, chunked", 501), ("Chunked", 501), ("gzip", 400)]:
        with connect(server) as connection:
            fields = {"Transfer-Encoding": coding}
            connection.sendall(head(server, "PUT /b/k HTTP/1.1", fields) + b"0\r\n\r\n")
            answer = read_to_the_end(connection)
        # RFC 9112, 6.3: a coding that does not end with chunked leaves no length at all.
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (coding, answer)
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_signal_does_not_wait_for_those_who_stall(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log") as server:
        root = clients(server, server.root)
        root.s3.create_bucket(Bucket="stalled")
        root.s3.put_object(Bucket="stalled", Key="large", Body=b"a" * (16 * MIB))
        get = presign(AWSRequest("GET", f"{server.endpoint}/stalled/large"), server.root, 300)
        put = presign(AWSRequest("PUT", f"{server.endpoint}/stalled/k"), server.root, 300)
        with connections(server, 4) as (reader, writer, partial, silent):
            target = get.url.removeprefix(server.endpoint)
            reader.sendall(head(server, f"GET {target} HTTP/1.1", {}))
            assert reader.recv(1).startswith(b"H"), "and it reads no more"
            target = put.url.removeprefix(server.endpoint)
            expect = {"Content-Length": 100, "Expect": "100-continue"}
            writer.sendall(head(server, f"PUT {target} HTTP/1.1", expect) + b"half")
            assert writer.recv(64 * KIB).startswith(b"HTTP/1.1 100")
            partial.sendall(b"GET / HTTP/1.1\r\nHost:")
            began = time.monotonic()
            server.stop()
            took = time.monotonic() - began
            assert silent.recv(1) == b""
    print(f"stopped after {took:.1f} s")
    assert took < 20, "the most that is given to requests under way is 30 seconds"


def test_a_kept_connection_serves_request_after_request(server, root, bucket):
    """The limits end no connection that is used as it should be."""
    connection = http.client.HTTPConnection(server.host, timeout=SECONDS)
    connection.connect()
    same = connection.sock
    for _ in range(20):
        request = sign(form(server, "sts", "GetCallerIdentity"), server.root, "sts")
        connection.request("POST", "/", request.data, dict(request.headers))
        answer = connection.getresponse()
        assert (answer.status, answer.headers["connection"]) == (200, None)
        answer.read()
        assert connection.sock is same
    connection.close()
