"""What is revoked while an upload's body is still under way is not stored by it."""

import http.client
import json
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSRequest

from harness import wire
from harness.clients import key_of
from harness.wire import Answer

SIZE = 100_000
BODY = b"x" * SIZE


class Upload:
    """A PUT that was begun: its head and half of its body are sent, and the access check let it
    in, as the server's `100 Continue` says."""

    def __init__(self, server, key, path):
        headers = {"Content-Length": str(SIZE)}
        request = AWSRequest("PUT", f"{server.endpoint}{path}", headers, BODY)
        wire.sign(request, key, "s3")
        self._http = http.client.HTTPConnection(server.host, timeout=wire.SECONDS)
        parts = urlsplit(request.url)
        self._http.putrequest("PUT", parts.path + (f"?{parts.query}" if parts.query else ""))
        for name, value in dict(request.headers).items():
            self._http.putheader(name, value)
        self._http.putheader("Expect", "100-continue")
        self._http.endheaders()
        assert self._http.sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        self._http.send(BODY[: SIZE // 2])

    def finish(self) -> Answer:
        """Sends the rest and reads the answer."""
        self._http.send(BODY[SIZE // 2 :])
        response = self._http.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self._http.close()
        return answer


@pytest.fixture
def user(root, name, bucket):
    """A user who may write to a bucket, and the key's id."""
    root.iam.create_user(UserName=name)
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    root.iam.attach_user_policy(UserName=name, PolicyArn=policy)
    return key_of(root.iam.create_access_key(UserName=name))


def deactivate(root, name, key):
    root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")


def delete_key(root, name, key):
    root.iam.delete_access_key(UserName=name, AccessKeyId=key.access_key)


def delete_user(root, name, key):
    delete_key(root, name, key)
    detach(root, name, key)
    root.iam.delete_user(UserName=name)


def detach(root, name, _):
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    root.iam.detach_user_policy(UserName=name, PolicyArn=policy)


def deny(root, name, _):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    root.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


REVOCATIONS = [
    (deactivate, "InvalidAccessKeyId"),
    (delete_key, "InvalidAccessKeyId"),
    (delete_user, "InvalidAccessKeyId"),
    (detach, "AccessDenied"),
    (deny, "AccessDenied"),
]


@pytest.mark.parametrize(("revoke", "code"), REVOCATIONS)
def test_an_object_under_way(server, root, name, user, revoke, code):
    upload = Upload(server, user, f"/{name}/new")
    revoke(root, name, user)
    answer = upload.finish()
    assert answer.error("s3")[:2] == (403, code)
    keys = [entry["Key"] for entry in root.s3.list_objects_v2(Bucket=name)["Contents"]]
    assert keys == ["k"]


@pytest.mark.parametrize(("revoke", "code"), REVOCATIONS[:2] + REVOCATIONS[3:])
def test_a_part_under_way(server, root, name, user, revoke, code):
    begun = root.s3.create_multipart_upload(Bucket=name, Key="new")
    upload_id = begun["UploadId"]
    upload = Upload(server, user, f"/{name}/new?partNumber=1&uploadId={upload_id}")
    revoke(root, name, user)
    assert upload.finish().error("s3")[:2] == (403, code)
    parts = root.s3.list_parts(Bucket=name, Key="new", UploadId=upload_id)
    assert "Parts" not in parts


def test_nothing_revoked(server, root, name, user):
    upload = Upload(server, user, f"/{name}/new")
    assert upload.finish().status == 200
    assert root.s3.get_object(Bucket=name, Key="new")["Body"].read() == BODY


def test_the_attempt_is_counted(server, root, name, user):
    """Who finds out which keys are still used sees this use too."""
    upload = Upload(server, user, f"/{name}/new")
    deactivate(root, name, user)
    assert upload.finish().status == 403
    call = wire.form(
        server, "keywright", "ListAccessKeyAttempts", AccessKeyId=user.access_key
    )
    answer = wire.send(server, wire.sign(call, server.root, "keywright"))
    assert b"REST.PUT.OBJECT" in answer.body
