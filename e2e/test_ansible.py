"""Ansible's collection `amazon.aws`: what it makes it makes once, and what it deletes is gone."""

import re
from pathlib import Path

import pytest

from harness.tools import Tools

SCRIPTS = Path(__file__).parent / "scripts"
RESULT = re.compile(r"^TASK \[(.+)\] \*+\n(?:.*\n)*?(ok|changed|skipping): \[localhost\]", re.M)
MAKES = {
    "managed policy",
    "user",
    "user's policy",
    "key",
    "group",
    "group's policy",
    "bucket",
    "object",
    "object's file",
}
DELETES = {
    "object",
    "an object that goes with the bucket",
    "bucket",
    "group's policy",
    "group",
    "user",
    "managed policy",
}


@pytest.mark.timeout(240)
def test_made_once_and_deleted(server, root, new_user, name, tmp_path):
    key = new_user("AmazonS3FullAccess", "IAMFullAccess", suffix="-caller")
    tools = Tools(tmp_path / "home", server.endpoint, key)

    def changed(playbook, *options):
        path = SCRIPTS / f"ansible_{playbook}.yml"
        said = tools(
            "ansible-playbook",
            *("--extra-vars", f"names={name}", *options),
            path,
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_PIPELINING="1",
            ANSIBLE_LOCALHOST_WARNING="0",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="0",
        )
        return {task for task, result in RESULT.findall(said) if result == "changed"}

    assert changed("present") == MAKES
    [listed] = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert changed("present") == set()
    assert root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == [listed]
    assert changed("absent", "--extra-vars", '{"again": false}') == DELETES
    assert changed("absent", "--extra-vars", '{"again": true}') == set()
    users = [user["UserName"] for user in root.iam.list_users()["Users"]]
    assert name not in users and f"{name}-caller" in users
    assert name not in [bucket["Name"] for bucket in root.s3.list_buckets()["Buckets"]]
