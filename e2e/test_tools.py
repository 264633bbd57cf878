"""Unmodified tools: what people have for S3, each with its own client and its own signatures.

The JavaScript SDK is in test_javascript.py, presigning in test_presigned.py, Ansible in
test_ansible.py.
"""

import os
import re
import urllib.request
from urllib.parse import urlsplit

import pytest

from harness.tools import Tools

MIB = 1024 * 1024


@pytest.fixture
def tools(server, new_user, tmp_path):
    """The tools of a user who may do everything on S3."""
    return Tools(tmp_path / "home", server.endpoint, new_user("AmazonS3FullAccess"))


@pytest.fixture
def folder(tmp_path):
    """Files to store: a large one among them, names that need escapes, none that is empty."""
    folder = tmp_path / "files"
    (folder / "inner").mkdir(parents=True)
    (folder / "a b+ü.txt").write_text("text")
    (folder / "inner" / "100%.txt").write_text("more")
    (folder / "large").write_bytes(os.urandom(6 * MIB))
    return folder


def contents(folder):
    """The files below a folder and what is in them."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_s3fs(tools, name):
    tools.script("with_s3fs.py", bucket=name)


def test_minio(tools, name):
    tools.script("with_minio.py", bucket=name)


def test_pyarrow(tools, name):
    tools.script("with_pyarrow.py", bucket=name)


def test_duckdb(tools, bucket):
    tools.script("with_duckdb.py", bucket=bucket)


def test_s3cmd(tools, server, name, folder, tmp_path):
    host = urlsplit(server.endpoint).netloc
    settings = [f"host_base = {host}", f"host_bucket = {host}", "use_https = False"]
    (tools.home / ".s3cfg").write_text("\n".join(["[default]", *settings, ""]))

    def s3cmd(*arguments):
        return tools("s3cmd", *arguments)

    there = f"s3://{name}"
    s3cmd("mb", there)
    assert there in s3cmd("ls")
    s3cmd("put", "--multipart-chunk-size-mb=5", folder / "large", f"{there}/large")
    color = "--add-header=x-amz-meta-color: blue"
    s3cmd("put", color, folder / "a b+ü.txt", f"{there}/a b+ü.txt")
    assert "x-amz-meta-color: blue" in s3cmd("info", f"{there}/a b+ü.txt")
    assert "STANDARD" in s3cmd("info", there) or "Location" in s3cmd("info", there)
    s3cmd("sync", "--multipart-chunk-size-mb=5", f"{folder}/", f"{there}/tree/")
    assert "upload:" not in s3cmd("sync", f"{folder}/", f"{there}/tree/")
    s3cmd("sync", f"{there}/tree/", f"{tmp_path}/back/")
    assert contents(tmp_path / "back") == contents(folder)
    # As on AWS: it copies ACLs too, which buckets do not take any more, unless it is told not to.
    denied = tools.run("s3cmd", "cp", f"{there}/large", f"{there}/copy")
    assert "AccessControlListNotSupported" in denied.stderr, denied
    s3cmd("cp", "--acl-private", f"{there}/large", f"{there}/copy")
    s3cmd("mv", "--acl-private", f"{there}/copy", f"{there}/moved")
    s3cmd("modify", "--acl-private", "--add-header=Content-Type: text/x", f"{there}/moved")
    assert "text/x" in s3cmd("info", f"{there}/moved")
    listed = s3cmd("ls", "--recursive", there)
    assert len(listed.splitlines()) == 6 and "moved" in listed and "copy" not in listed
    assert s3cmd("du", f"{there}/tree/").split()[:2] == [str(6 * MIB + 8), "3"]
    s3cmd("settagging", f"{there}/moved", "team=a&stage=test")
    assert "team" in s3cmd("gettagging", f"{there}/moved")
    s3cmd("deltagging", f"{there}/moved")
    # A URL of Signature Version 2.
    url = s3cmd("signurl", f"{there}/a b+ü.txt", "+60").strip()
    assert download(url) == b"text"
    s3cmd("get", f"{there}/large", tmp_path / "large")
    assert (tmp_path / "large").read_bytes() == (folder / "large").read_bytes()
    denied = tools.run("s3cmd", "setacl", "--acl-public", f"{there}/large")
    assert "AccessControlListNotSupported" in denied.stderr, denied
    s3cmd("multipart", there)
    s3cmd("del", "--recursive", "--force", f"{there}/tree/")
    s3cmd("rb", "--recursive", "--force", there)
    assert there not in s3cmd("ls")


def test_rclone(tools, server, name, folder, tmp_path):
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "true",
        "ENDPOINT": server.endpoint,
        "UPLOAD_CUTOFF": "5Mi",
        "CHUNK_SIZE": "5Mi",
    }
    settings = {f"RCLONE_CONFIG_KW_{key}": value for key, value in settings.items()}

    def rclone(*arguments):
        return tools("rclone", *arguments, RCLONE_CONFIG="/dev/null", **settings)

    there = f"kw:{name}"
    rclone("mkdir", there)
    rclone("sync", folder, f"{there}/tree")
    rclone("check", folder, f"{there}/tree")
    rclone("check", "--download", folder, f"{there}/tree")
    again = rclone("sync", "--stats-one-line", "-v", folder, f"{there}/tree")
    assert "Copied" not in again
    rclone("copyto", f"{there}/tree/large", f"{there}/copy")
    rclone("moveto", f"{there}/copy", f"{there}/moved")
    assert rclone("lsf", there).split() == ["moved", "tree/"]
    assert rclone("cat", f"{there}/tree/inner/100%.txt") == "more"
    rclone("touch", "--timestamp", "2026-01-02T03:04:05", f"{there}/moved")
    assert "2026-01-02 03:04:05" in rclone("lsl", f"{there}/moved")
    (folder / "inner" / "100%.txt").unlink()
    rclone("sync", folder, f"{there}/tree")
    rclone("copy", f"{there}/tree", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(folder)
    assert download(rclone("link", f"{there}/tree/a b+ü.txt").strip()) == b"text"
    assert re.search(r"Total objects:\s*3\b", rclone("size", there))
    rclone("cleanup", there)
    rclone("delete", f"{there}/tree")
    rclone("purge", there)
    assert name not in rclone("lsd", "kw:")


def test_restic(tools, server, name, folder, tmp_path):
    repository = f"s3:{server.endpoint}/{name}"
    settings = {"RESTIC_REPOSITORY": repository, "RESTIC_PASSWORD": "a password"}

    def restic(*arguments):
        return tools("restic", "--no-cache", *arguments, **settings)

    restic("init")
    restic("backup", folder)
    (folder / "inner" / "100%.txt").write_text("changed")
    restic("backup", folder)
    assert "2 snapshots" in restic("snapshots")
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "back")
    back = tmp_path / "back" / folder.relative_to("/")
    assert contents(back) == contents(folder)
    restic("forget", "--keep-last", "1", "--prune")
    assert "1 snapshots" in restic("snapshots")
    restic("check")
