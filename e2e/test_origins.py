"""Two origins: objects are served at the API's, and nothing of the console is; and the reverse."""

import json
import os
import socket
import subprocess
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSRequest

from conftest import clients
from harness import wire
from harness.clients import client, key_of
from harness.console import Pages
from harness.server import Server

SECONDS = 300
HERE = Path(__file__).parent
XML = "http://s3.amazonaws.com/doc/2006-03-01/"


def origin(endpoint):
    """An origin as the requests by hand take it."""
    return SimpleNamespace(endpoint=endpoint, host=endpoint.partition("://")[2])


@pytest.fixture
def api(server):
    """Where IAM, STS and S3 are served."""
    return origin(server.endpoint)


@pytest.fixture
def console(server):
    """Where the console is."""
    return origin(server.console)


@pytest.fixture
def public(root, bucket):
    """A bucket with an object, `k`, that everyone may read."""
    root.s3.delete_public_access_block(Bucket=bucket)
    root.s3.put_bucket_policy(Bucket=bucket, Policy=everyone(bucket))
    return bucket


def everyone(bucket):
    """A policy by which everyone may read a bucket's objects."""
    resource = f"arn:aws:s3:::{bucket}/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def attack(server):
    """A page that runs the attack on this server's console, and what it must know."""
    told = f"globalThis.told = {json.dumps({'console': server.console, 'endpoint': server.endpoint})}"
    script = (HERE / "origins_attack.js").read_text()
    return told, f"<!doctype html><script>{told}</script><script>{script}</script>".encode()


def links(server, page):
    """Ways in which an attacker's page gets onto the server, and the link to each."""
    root = clients(server, server.root)
    root.s3.create_bucket(Bucket="site")
    root.iam.create_user(UserName="mallory")
    actions = ["s3:PutObject", "s3:GetObject"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "arn:aws:s3:::site/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_user_policy(UserName="mallory", PolicyName="site", PolicyDocument=document)
    key = key_of(root.iam.create_access_key(UserName="mallory"))
    mallory = clients(server, key, signature_version="s3v4").s3
    mallory.put_object(Bucket="site", Key="a.html", Body=page, ContentType="text/html")
    mallory.put_object(Bucket="site", Key="a.svg", Body=svg(server), ContentType="image/svg+xml")
    # A stranger is given a link to upload something; whoever links to it later chooses the type.
    put = mallory.generate_presigned_url("put_object", Params={"Bucket": "site", "Key": "upload"})
    request = urllib.request.Request(put, page, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    html = {"Bucket": "site", "Key": "upload", "ResponseContentType": "text/html"}
    root.s3.create_bucket(Bucket="console")
    root.s3.delete_public_access_block(Bucket="console")
    root.s3.put_bucket_policy(Bucket="console", Policy=everyone("console"))
    root.s3.put_object(Bucket="console", Key="a.html", Body=page, ContentType="text/html")
    there = client("s3", server.console, key, signature_version="s3v4")
    return {
        "a page": presigned(mallory, "a.html"),
        "a picture": presigned(mallory, "a.svg"),
        "an upload": mallory.generate_presigned_url("get_object", Params=html),
        "a public page": f"{server.endpoint}/console/a.html",
        "a page at the console": presigned(there, "a.html"),
        "an upload at the console": there.generate_presigned_url("get_object", Params=html),
    }


def presigned(s3, key):
    """A link to an object."""
    return s3.generate_presigned_url("get_object", Params={"Bucket": "site", "Key": key})


def svg(server):
    """A picture that runs the attack."""
    told, _ = attack(server)
    script = (HERE / "origins_attack.js").read_text()
    return f'<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[{told};{script}]]></script></svg>'


@pytest.mark.timeout(SECONDS + 60)
def test_an_object_gets_nothing_of_the_console_while_root_is_signed_in(own):
    _, page = attack(own)
    found = links(own, page)
    steps = browse(own, links=found)
    assert steps["own page before"] == steps["own page after"] == {"got": "ASIA"}
    for name in found:
        # The console's address refuses; the API's serves what cannot do anything.
        status = 403 if "at the console" in name else 200
        assert steps[name] == {"status": status, "ran": False, "loot": []}, name
        assert steps[f"{name}, framed"] == {"ran": False, "loot": []}, name
    for name in ("a script at the API's address", "a script at another site"):
        report = steps[name]
        assert (report["loot"], report["ran"]) == ([], True), report
        assert report["tried"] > 50, report


def browse(server, **told):
    """What the browser tells, by step."""
    told = {
        "browser": os.environ["KEYWRIGHT_CHROMIUM"],
        "console": server.console,
        "endpoint": server.endpoint,
        "account": server.account,
        "password": (server.data_dir / "root.password").read_text().strip(),
        **told,
    }
    done = subprocess.run(
        ["node", HERE / "origins.mjs"],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {step.pop("step"): step for step in map(json.loads, done.stdout.splitlines())}


def requests(bucket):
    """Requests for S3 of every kind, with the status of each where it is served."""
    parts = "<CompleteMultipartUpload/>"
    delete = f'<Delete xmlns="{XML}"><Object><Key>x</Key></Object></Delete>'
    return [
        ("GET", "/", {}, b"", 200),
        ("HEAD", f"/{bucket}", {}, b"", 200),
        ("GET", f"/{bucket}?list-type=2", {}, b"", 200),
        ("GET", f"/{bucket}?acl", {}, b"", 200),
        ("GET", f"/{bucket}?cors", {}, b"", None),
        ("GET", f"/{bucket}?no-such-thing", {}, b"", None),
        ("PUT", f"/{bucket}/k", {"Content-Type": "text/html"}, b"<script>1</script>", 200),
        ("GET", f"/{bucket}/k", {}, b"", 200),
        ("HEAD", f"/{bucket}/k", {}, b"", 200),
        ("GET", f"/{bucket}/k?response-content-type=text%2Fhtml", {}, b"", 200),
        ("GET", f"/{bucket}/k", {"Range": "bytes=0-3"}, b"", 206),
        ("GET", f"/{bucket}/k", {"Range": "bytes=900-"}, b"", 416),
        ("GET", f"/{bucket}/k", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, b"", None),
        ("GET", f"/{bucket}/k", {"If-None-Match": "*"}, b"", None),
        ("HEAD", f"/{bucket}/k", {"If-None-Match": "*"}, b"", None),
        ("GET", f"/{bucket}/k", {"If-Match": '"x"'}, b"", 412),
        ("GET", f"/{bucket}/missing", {}, b"", 404),
        ("HEAD", f"/{bucket}/missing", {}, b"", 404),
        ("GET", "/no-such-bucket-at-all/k", {}, b"", 404),
        ("GET", "/No_Bucket/k", {}, b"", None),
        ("PUT", f"/{bucket}", {}, b"", None),
        ("POST", f"/{bucket}/k?uploads", {}, b"", 200),
        ("POST", f"/{bucket}/k?uploadId=none", {}, parts.encode(), None),
        ("POST", f"/{bucket}?delete", {}, delete.encode(), None),
        ("POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=x"}, b"x", None),
        ("OPTIONS", f"/{bucket}/k", {"Origin": "http://evil.example"}, b"", None),
        ("PATCH", f"/{bucket}/k", {}, b"", None),
        ("GET", f"/{bucket}/%ff%zz", {}, b"", None),
        ("DELETE", f"/{bucket}/k", {}, b"", 204),
        ("DELETE", f"/{bucket}", {}, b"", None),
    ]


@pytest.mark.parametrize("where", ["api", "console"])
@pytest.mark.parametrize("how", ["signed", "wrong", "anonymous", "presigned"])
def test_every_answer_of_s3_says_that_it_runs_nothing(request, server, bucket, root, where, how):
    there = request.getfixturevalue(where)
    statuses = set()
    for method, path, headers, body, status in requests(bucket):
        if (where, how, path) == ("console", "anonymous", "/"):
            continue  # It leads to the console.
        # A presigned request does not sign its body.
        signed_body = b"" if how == "presigned" else body
        asked = AWSRequest(method, there.endpoint + path, headers, signed_body)
        key = server.root._replace(secret_key="wrong") if how == "wrong" else server.root
        if how in ("signed", "wrong"):
            wire.sign(asked, key, "s3")
        elif how == "presigned":
            wire.presign(asked, key, 60)
            asked.data = body
        answer = wire.send(there, asked)
        line = f"{method} {path}: {answer.status} {answer.headers}"
        assert answer.headers.get_all("content-security-policy") == ["sandbox"], line
        assert answer.headers.get_all("x-content-type-options") == ["nosniff"], line
        if how == "signed" and status:
            assert answer.status == status, (line, answer.body)
        if where == "console" and how in ("anonymous", "presigned"):
            assert answer.status == 403, line
        statuses.add(answer.status)
    if how == "signed":
        assert {200, 204, 206, 404, 412, 416} < statuses


def test_iam_and_sts_say_so_too(server, api, console):
    for there in (api, console):
        for service, action in (("sts", "GetCallerIdentity"), ("iam", "NoSuchAction")):
            form = wire.form(there, service, action)
            for asked in (form, wire.sign(wire.form(there, service, action), server.root, service)):
                headers = wire.send(there, asked).headers
                assert headers["content-security-policy"] == "sandbox"
                assert headers["x-content-type-options"] == "nosniff"


def test_the_console_s_address_wants_a_signature_in_a_header(server, console, public):
    key = server.root
    for service, action in (("sts", "GetCallerIdentity"), ("iam", "ListUsers")):
        signed = wire.sign(wire.form(console, service, action), key, service)
        assert wire.send(console, signed).status == 200
        # Unread, a form does not say for which service it is.
        unsigned = wire.send(console, wire.form(console, service, action)).error("iam")
        text = "Request is missing Authentication Token"
        assert unsigned == (403, "MissingAuthenticationToken", text)
    url = f"{console.endpoint}/{public}/k"
    assert wire.send(console, wire.sign(AWSRequest("GET", url), key, "s3")).body == b"text"
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}
    for asked in (
        AWSRequest("GET", url),
        AWSRequest("GET", url, basic),
        wire.presign(AWSRequest("GET", url), key, 60),
        AWSRequest("GET", f"{console.endpoint}/?Action=ListUsers&Version=2010-05-08"),
        AWSRequest("PUT", f"{console.endpoint}/{public}/new", {}, b"text"),
    ):
        assert wire.send(console, asked).status == 403, asked.url
    both = wire.presign(AWSRequest("GET", url), key, 60)
    assert wire.send(console, wire.sign(both, key, "s3")).status == 400


def test_the_api_s_address_knows_no_console(server, api, own):
    pages = Pages(own)
    assert pages.sign_in(None, (own.data_dir / "root.password").read_text().strip()).status == 200
    cookies = "; ".join(f"{name}={value}" for name, value in pages.cookies.items())
    there = origin(own.endpoint)
    browser = {"Accept": "text/html", "Cookie": cookies, "Origin": own.console}
    marks = {"Content-Type": "application/json", "X-Keywright-Console": "1", **browser}
    for method, path, headers in (
        ("GET", "/", browser),
        ("GET", "/console", browser),
        ("GET", "/console/", browser),
        ("GET", "/console/api/session", browser),
        ("POST", "/console/api/credentials", marks),
        ("POST", "/console/api/sign-out", marks),
    ):
        answer = wire.send(there, AWSRequest(method, own.endpoint + path, headers, b"{}"))
        assert answer.status in (403, 404, 405, 501), (path, answer)
        assert answer.headers["content-type"] == "application/xml", path
        assert answer.headers["set-cookie"] is None, path
    assert pages.get("api/session").body["state"] == "signed-in"


def test_a_bucket_may_be_called_console(own):
    s3 = clients(own, own.root).s3
    s3.create_bucket(Bucket="console")
    s3.delete_public_access_block(Bucket="console")
    s3.put_bucket_policy(Bucket="console", Policy=everyone("console"))
    s3.put_object(Bucket="console", Key="api/session", Body=b"text")
    there = origin(own.endpoint)
    answer = wire.send(there, AWSRequest("GET", f"{own.endpoint}/console/api/session"))
    assert (answer.status, answer.body) == (200, b"text")


def test_the_console_is_at_the_next_free_port_or_where_it_is_wanted(tmp_path):
    with socket.create_server(("127.0.0.77", 0)) as taken:
        port = taken.getsockname()[1]
        # Nobody else is at this address: the port before is free, and is the API's.
        listen = f"127.0.0.77:{port - 1}"
        with Server(tmp_path / "a", tmp_path / "log", listen=listen) as server:
            assert port < int(server.console.rpartition(":")[2]) <= port + 15
    urls = ("--console-url", "https://c.example:8443", "--api-url", "https://C.example:443/")
    with Server(tmp_path / "b", tmp_path / "log", *urls) as server:
        assert server.greeting[0].endswith(" at https://c.example")
        assert server.greeting[2].startswith("Console: https://c.example:8443/console/ ")
        assert "  export AWS_ENDPOINT_URL=https://c.example" in server.greeting
