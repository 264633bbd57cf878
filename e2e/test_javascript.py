"""The story with the JavaScript SDK, as npm has it."""

import json
import os
import subprocess
from pathlib import Path

SECONDS = 100
NO_SUCH_TOKEN = "The security token included in the request is invalid."


def run(script: str, wanted: dict) -> list[dict]:
    """Runs a script beside this file, which must succeed: what it prints, a document a line."""
    done = subprocess.run(
        ["node", Path(__file__).with_name(script)],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_story(server, name):
    root = {"accessKeyId": server.root.access_key, "secretAccessKey": server.root.secret_key}
    wanted = {"endpoint": server.endpoint, "root": root, "user": name, "bucket": name}
    steps = run("story.mjs", wanted)
    denied = (
        f"User: arn:aws:iam::{server.account}:user/{name} is not authorized to perform: "
        f"iam:ListUsers on resource: arn:aws:iam::{server.account}:user/ because no "
        "identity-based policy allows the iam:ListUsers action"
    )
    unknown = "The AWS Access Key Id you provided does not exist in our records."
    assert steps == [
        {"step": "create user", "status": 200},
        {"step": "attach", "status": 200},
        {"step": "first key", "status": 200},
        {"step": "bucket", "status": 200},
        {"step": "put", "status": 200},
        {"step": "get", "status": 200, "body": "hello"},
        {"step": "second key", "status": 200},
        {"step": "deactivate", "status": 200},
        {"step": "both listed", "status": 200},
        {"step": "statuses", "statuses": ["Inactive", "Active"]},
        {"step": "old on S3", "status": 403, "code": "InvalidAccessKeyId", "message": unknown},
        {
            "step": "old on STS",
            "status": 403,
            "code": "InvalidClientTokenId",
            "message": NO_SUCH_TOKEN,
        },
        {
            "step": "old on IAM",
            "status": 403,
            "code": "InvalidClientTokenId",
            "message": NO_SUCH_TOKEN,
        },
        {"step": "new on S3", "status": 200, "body": "hello"},
        {"step": "denied", "status": 403, "code": "AccessDenied", "message": denied},
        {"step": "delete key", "status": 200},
        {"step": "delete object", "status": 204},
        {"step": "delete bucket", "status": 204},
        {"step": "delete last key", "status": 200},
        {"step": "detach", "status": 200},
        {"step": "delete user", "status": 200},
    ]


def test_a_denied_upload_is_an_access_denied(server, new_user, bucket):
    """Not a broken pipe: the server reads on until the client has its answer."""
    key = new_user()
    credentials = {"accessKeyId": key.access_key, "secretAccessKey": key.secret_key}
    wanted = {"endpoint": server.endpoint, "credentials": credentials, "bucket": bucket}
    outcomes = run("denied_upload.mjs", wanted)
    assert len(outcomes) == 30
    assert {(outcome["name"], outcome["status"]) for outcome in outcomes} == {("AccessDenied", 403)}


def test_presigned_urls(server, root, new_user, bucket):
    """What the SDK's presigner hoists into the query acts as headers would."""
    key = new_user("AmazonS3FullAccess")
    credentials = {"accessKeyId": key.access_key, "secretAccessKey": key.secret_key}
    wanted = {"endpoint": server.endpoint, "credentials": credentials, "bucket": bucket}
    steps = {step.pop("step"): step for step in run("presigned.mjs", wanted)}
    outcomes = {name: (step["status"], step.get("code")) for name, step in steps.items()}
    assert outcomes == {
        "put": (200, None),
        "get": (200, None),
        "put once": (412, "PreconditionFailed"),
        "put without its header": (403, "SignatureDoesNotMatch"),
        "put with its header": (200, None),
        "copy": (200, None),
        "begin": (200, None),
        "delete": (204, None),
        "get deleted": (404, "NoSuchKey"),
    }
    assert set(steps["put"]["hoisted"]) >= {
        "x-amz-meta-color",
        "x-amz-meta-shape",
        "x-amz-storage-class",
        "x-amz-tagging",
    }
    copied = root.s3.get_object(Bucket=bucket, Key="copy")
    assert copied["Body"].read() == b"hello"
    assert copied["Metadata"] == {"color": "red"}
