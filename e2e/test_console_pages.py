"""The console's pages in Chromium: what they do, and what they say when something is wrong."""

from conftest import clients
from harness.console import walk

PASSWORD = "Correct-horse-7"
# A person notices more than 200 ms; the machine of a test may be busy with others.
MILLISECONDS = 1_000


def test_policies_settings_simulator_and_buckets(own):
    iam = clients(own, own.root).iam
    for user in ["ann", "bob"]:
        iam.create_user(UserName=user)
    iam.create_access_key(UserName="ann")
    walk(own, "console_pages.mjs", bucket="photos-of-ann")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["bob"]
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert iam.list_account_aliases()["AccountAliases"] == ["photo-shop"]
    assert iam.list_group_policies(GroupName="readers")["PolicyNames"] == ["shared"]


def test_trouble_and_five_thousand_users(own):
    iam = clients(own, own.root).iam
    iam.create_user(UserName="carl")
    iam.create_login_profile(UserName="carl", Password=PASSWORD)
    iam.create_group(GroupName="everybody")
    walk(
        own,
        "console_trouble.mjs",
        user="carl",
        userPassword=PASSWORD,
        milliseconds=MILLISECONDS,
    )
