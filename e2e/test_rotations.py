"""The server's own rotations: asked for by signed calls, carried out by the server.

Waits are 0, or the second in which a key must stay quiet; what has no end is looked at again by
asking for it.
"""

import json
import re
import stat
import time

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import client, key_of
from harness.keywright import Keywright
from harness.rotations import SECONDS, Rotations
from harness.server import Credentials, Server

QUICK = {"ObserveSeconds": 0, "DwellSeconds": 0, "OverrideUnused": "no program in a test"}


@pytest.fixture
def rotations(server):
    """Root's calls about rotations."""
    return Rotations(server, server.root)


def keys_of(root, user):
    """The keys of a user with their status."""
    listed = root.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in listed}


def fetched(answer):
    """The key that RetrieveRotationKey told."""
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"])


def who(server, key):
    """Whom a key belongs to, or the code of the refusal."""
    try:
        return client("sts", server.endpoint, key).get_caller_identity()["Arn"]
    except ClientError as refused:
        return refused.response["Error"]["Code"]


def use(server, key):
    """Uses a key as a program does; whether it may do that is not asked."""
    try:
        client("s3", server.endpoint, key).list_buckets()
    except ClientError as refused:
        assert refused.response["Error"]["Code"] == "AccessDenied"


def test_a_command_says_that_the_server_rotates(root, rotations, server, new_user, name, tmp_path):
    new_user()
    rotations("StartRotation", UserName=name, ObserveSeconds=0, DwellSeconds=3600)
    rotations.until(name, lambda rotation: "NewAccessKeyId" in rotation)
    keywright = Keywright(tmp_path / "home", server.endpoint, server.root)
    done = keywright.run("rotate", name, "--deliver", "dotenv:x.env", "--create")
    assert done.returncode == 1, done.stdout
    root_arn = f"arn:aws:iam::{server.account}:root"
    assert "hint: the server runs rotation " in done.stderr, done.stderr
    assert f"which {root_arn} started" in done.stderr and "Do not delete" in done.stderr
    assert len(keys_of(root, name)) == 2


def may(root, user, *actions, resource="*"):
    """Lets a user do these and nothing else."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document)


NEEDED = [
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:TagUser",
    "iam:UntagUser",
    "iam:CreateAccessKey",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:GetAccessKeyLastUsed",
    "keywright:*",
]


def test_a_person_takes_the_new_key(server, root, rotations, new_user, name):
    old = new_user()
    begun = rotations("StartRotation", UserName=name, ObserveSeconds=0, DwellSeconds=3600)
    begun = begun["Rotation"]
    assert begun["StartedBy"] == f"arn:aws:iam::{server.account}:root"
    assert begun["OldAccessKeyId"] == old.access_key
    waits = rotations.until(name, lambda it: "WaitingFor" in it)
    assert (waits["Phase"], waits["CanRollBack"]) == ("Distributing", "true"), waits
    assert "confirm" in waits["WaitingFor"] and "WaitingUntil" not in waits, waits
    person = {"Place": "person", "Stage": "Writing", "Failures": "0", "Removed": "false"}
    assert waits["Deliveries"] == [person]

    again = rotations.refused("StartRotation", UserName=name)
    assert again.code == "EntityAlreadyExists" and begun["RotationId"] in again.message
    new = fetched(rotations("RetrieveRotationKey", UserName=name))
    assert fetched(rotations("RetrieveRotationKey", UserName=name)) == new, "as often as needed"
    assert who(server, old) == who(server, new) == f"arn:aws:iam::{server.account}:user/{name}"

    rotations.deliver(name)
    rests = rotations.until(name, lambda it: it["Phase"] == "Dwelling" and "WaitingUntil" in it)
    assert keys_of(root, name) == {old.access_key: "Inactive", new.access_key: "Active"}
    assert (who(server, old), who(server, new)[-len(name) :]) == ("InvalidClientTokenId", name)
    tried = rotations("ListAccessKeyAttempts", AccessKeyId=old.access_key)
    assert (tried["Total"], tried["Attempts"][0]["Action"]) == ("1", "sts:GetCallerIdentity")
    again = fetched(rotations("RetrieveRotationKey", UserName=name))
    assert again == new, "it can be retrieved until the old key is deleted"
    assert rotations.refused("ConfirmDelivery", UserName=name).code == "InvalidInput"
    assert rests["NewAccessKeyId"] == new.access_key

    events = rotations("ListRotationHistory", UserName=name)["Events"]
    said = [event["Event"] for event in events]
    assert said[0] == "planned" and any("confirmed by a person" in text for text in said), said
    assert not any(secret in str(events) for secret in (old.secret_key, new.secret_key))
    listed = rotations("ListRotations", UserName=name, Open=True)["Rotations"]
    assert [one["RotationId"] for one in listed] == [begun["RotationId"]]


def test_it_ends_by_itself(server, root, rotations, new_user, name):
    old = new_user()
    rotations("StartRotation", UserName=name, AccessKeyId=old.access_key, **QUICK)
    rotations.until(name, lambda it: "WaitingFor" in it)
    new = fetched(rotations.deliver(name))
    done = rotations.until(name, lambda it: it["IsOver"] == "true")
    assert (done["Phase"], done["CanRollBack"], done["Incident"]) == ("Done", "false", "true")
    assert keys_of(root, name) == {new.access_key: "Active"}
    tags = root.iam.list_user_tags(UserName=name)["Tags"]
    assert tags == [], "the mark is gone"
    assert rotations.refused("ResumeRotation", UserName=name).code == "NoSuchEntity"
    assert rotations("ListRotations", UserName=name, Open=True)["Rotations"] == ""


def test_a_word_is_no_evidence(server, root, rotations, new_user, name):
    """Nobody has the new key: neither the word of a person nor the checks of the server count."""
    old = new_user()
    quick = {"ObserveSeconds": 0, "DwellSeconds": 0}
    rotations("StartRotation", UserName=name, **quick)
    rotations.until(name, lambda it: "WaitingFor" in it)
    new_id = rotations("GetRotation", UserName=name)["Rotation"]["NewAccessKeyId"]
    refused = rotations.refused("ConfirmDelivery", UserName=name)
    assert refused.code == "InvalidInput" and "neither retrieved nor" in refused.message, refused
    used = root.iam.get_access_key_last_used(AccessKeyId=new_id)["AccessKeyLastUsed"]
    assert used["ServiceName"] == "N/A", "the server verified it, which is nobody's use"

    new = fetched(rotations.deliver(name))
    waits = rotations.until(name, lambda it: "whether a consumer has used" in it.get("WaitingFor", ""))
    assert (waits["Phase"], waits["CanRetrieveKey"]) == ("Dwelling", "true"), waits
    assert who(server, new).endswith(name), "the person's own check"
    rotations("ResumeRotation", UserName=name)
    assert keys_of(root, name)[old.access_key] == "Inactive", "which counts for nothing"
    use(server, new)
    done = rotations.until(name, lambda it: it["Phase"] == "Done")
    assert done["NewKeyFirstUsedService"] == "s3", done
    assert keys_of(root, name) == {new.access_key: "Active"}


@pytest.mark.parametrize("confirmed", [False, True])
def test_it_is_put_back(server, root, rotations, new_user, name, confirmed):
    old = new_user()
    rotations("StartRotation", UserName=name, ObserveSeconds=0, DwellSeconds=3600)
    rotations.until(name, lambda it: "WaitingFor" in it)
    if confirmed:
        rotations.deliver(name)
        rotations.until(name, lambda it: it["Phase"] == "Dwelling")
        assert keys_of(root, name)[old.access_key] == "Inactive"
    rotations("RollBackRotation", UserName=name, Reason="a test")
    back = rotations.until(name, lambda it: it["Phase"] == "Retiring")
    assert keys_of(root, name) == {old.access_key: "Active", back["NewAccessKeyId"]: "Inactive"}
    assert who(server, old).endswith(name)
    too_late = rotations.refused("RollBackRotation", UserName=name, Reason="again")
    assert too_late.code == "InvalidInput" and "no longer allows this" in too_late.message
    assert rotations.refused("RetrieveRotationKey", UserName=name).code == "InvalidInput"


def test_hold_and_release(rotations, new_user, name):
    new_user()
    rotations("StartRotation", UserName=name, **QUICK)
    rotations.until(name, lambda it: "WaitingFor" in it)
    held = rotations("HoldRotation", UserName=name, Reason="a freeze")["Rotation"]
    assert (held["HeldReason"], held["HeldCode"]) == ("held: a freeze", "Asked"), held
    rotations.deliver(name)
    still = rotations("ResumeRotation", UserName=name)["Rotation"]
    assert (still["Phase"], still["HeldReason"]) == ("Distributing", "held: a freeze")
    rotations("ReleaseRotation", UserName=name)
    rotations.until(name, lambda it: it["Phase"] == "Done")


def test_it_acts_with_the_rights_of_whoever_began_it(server, root, new_user, name):
    new_user()
    maker = Rotations(server, new_user(suffix="-maker"))
    may(root, f"{name}-maker", *[one for one in NEEDED if one != "iam:DeleteAccessKey"])
    refused = maker.refused("StartRotation", UserName=name)
    assert refused.code == "AccessDenied" and "iam:DeleteAccessKey" in refused.message
    may(root, f"{name}-maker", *NEEDED)
    maker("StartRotation", UserName=name, **QUICK)
    maker.until(name, lambda it: "WaitingFor" in it)
    may(root, f"{name}-maker", *[one for one in NEEDED if one != "iam:UpdateAccessKey"])
    refused = maker.refused("ConfirmDelivery", UserName=name)
    assert refused.code == "AccessDenied" and "iam:UpdateAccessKey" in refused.message
    Rotations(server, server.root).deliver(name)
    held = maker.until(name, lambda it: "HeldReason" in it)
    assert "iam:UpdateAccessKey" in held["HeldReason"] and held["Phase"] == "Deactivating", held
    may(root, f"{name}-maker", *NEEDED)
    maker.until(name, lambda it: it["Phase"] == "Done")


def test_rights_may_be_the_services_only(server, root, new_user, name):
    new_user()
    key = new_user(suffix="-maker")
    own = {"Effect": "Allow", "Action": "keywright:*", "Resource": "*"}
    via = {
        "Effect": "Allow",
        "Action": NEEDED[:-1],
        "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": "rotation.keywright"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [own, via]})
    root.iam.put_user_policy(
        UserName=f"{name}-maker", PolicyName="via", PolicyDocument=document
    )
    maker = Rotations(server, key)
    maker("StartRotation", UserName=name, **QUICK)
    maker.until(name, lambda it: "WaitingFor" in it)
    # Whoever retrieves the key acts as its user: that takes the right itself.
    assert maker.refused("RetrieveRotationKey", UserName=name).code == "AccessDenied"
    Rotations(server, server.root)("RetrieveRotationKey", UserName=name)
    maker("ConfirmDelivery", UserName=name)
    maker.until(name, lambda it: it["Phase"] == "Done")
    with pytest.raises(ClientError, match="AccessDenied"):
        clients(server, key).iam.list_access_keys(UserName=name)


def test_somebody_else_takes_over_from_who_was_deleted(server, root, rotations, new_user, name):
    new_user()
    maker_name = f"{name}-maker"
    key = new_user("AdministratorAccess", suffix="-maker")
    Rotations(server, key)("StartRotation", UserName=name, **QUICK)
    Rotations(server, key).until(name, lambda it: "WaitingFor" in it)
    root.iam.delete_access_key(UserName=maker_name, AccessKeyId=key.access_key)
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    root.iam.detach_user_policy(UserName=maker_name, PolicyArn=policy)
    root.iam.delete_user(UserName=maker_name)
    rotations("RetrieveRotationKey", UserName=name)
    shown = rotations("ConfirmDelivery", UserName=name)["Rotation"]
    assert shown["StartedBy"].endswith(maker_name), shown
    rotations.until(name, lambda it: it["Phase"] == "Done")
    events = [e["Event"] for e in rotations("ListRotationHistory", UserName=name)["Events"]]
    assert any("taken over by" in event and ":root" in event for event in events), events


def test_strangers_and_mistakes(server, root, rotations, new_user, name):
    key = new_user()
    stranger = Rotations(server, key)
    for action in ("StartRotation", "GetRotation", "RetrieveRotationKey", "ConfirmDelivery"):
        assert stranger.refused(action, UserName=name).code == "AccessDenied", action
    for action, code, says in [
        ("GetRotation", "NoSuchEntity", f"There is no rotation of user {name}."),
        ("ConfirmDelivery", "NoSuchEntity", f"There is no rotation of user {name}."),
        ("RetrieveRotationKey", "NoSuchEntity", f"There is no rotation of user {name}."),
    ]:
        assert rotations.refused(action, UserName=name)[1:] == (code, says)
    gone = rotations.refused("StartRotation", UserName=f"{name}-gone")
    assert gone[1:] == ("NoSuchEntity", f"The user with name {name}-gone cannot be found.")
    allowed = rotations("ListRotationPlaces")["Places"]
    assert allowed == ["person"]
    for place in ("command:touch /tmp/x", "dotenv:/etc/passwd"):
        refused = rotations.refused("StartRotation", UserName=name, Places=[place])
        assert refused.code == "InvalidInput" and place in refused.message, refused
    other = key_of(root.iam.create_access_key(UserName=name))
    two = rotations.refused("StartRotation", UserName=name)
    assert two.code == "LimitExceeded", two
    assert any(one.access_key in two.message for one in (key, other)), two
    one = rotations.refused("StartRotation", UserName=name, AccessKeyId=other.access_key)
    assert one.code == "LimitExceeded" and key.access_key in one.message, one
    assert set(keys_of(root, name).values()) == {"Active"}


def test_the_command_and_the_server_stay_out_of_each_others_way(
    server, root, rotations, new_user, name, tmp_path
):
    old = new_user()
    home = tmp_path / "home"
    keywright = Keywright(home, server.endpoint, server.root)
    command = ["rotate", name, "--deliver", f"dotenv:{home}/{name}.env"]
    rotations("StartRotation", UserName=name)
    rotations.until(name, lambda it: "WaitingFor" in it)
    done = keywright.run(*command, "--key", old.access_key)
    assert done.returncode == 1 and "another rotation has marked" in done.stderr, done.stderr
    rotations("RollBackRotation", UserName=name, Reason="a test")

    other = f"{name}-other"
    old = new_user(suffix="-other")
    command[1], command[3] = other, f"dotenv:{home}/{other}.env"
    begun = keywright.run(*command, "--create", "--observe", "1h")
    assert begun.returncode == 0, begun.stderr
    keys = keys_of(root, other)
    refused = rotations.refused("StartRotation", UserName=other, AccessKeyId=old.access_key)
    assert refused.code == "EntityAlreadyExists" and "is marked by" in refused.message, refused
    assert keys_of(root, other) == keys


@pytest.fixture
def own(tmp_path):
    """Starts a server of one's own on the same data, as often as one likes."""
    running = []

    def start(*options):
        running.append(Server(tmp_path / "data", tmp_path / "log", *options))
        return running[-1]

    yield start
    for server in running:
        server.stop()
    assert (tmp_path / "log").read_text() == ""


def test_a_killed_server_goes_on(own, tmp_path):
    first = own()
    root = clients(first, first.root)
    root.iam.create_user(UserName="bob")
    old = key_of(root.iam.create_access_key(UserName="bob"))
    rotations = Rotations(first, first.root)
    rotations("StartRotation", UserName="bob", **QUICK)
    rotations.until("bob", lambda it: "WaitingFor" in it)
    new = fetched(rotations("RetrieveRotationKey", UserName="bob"))
    assert stat.S_IMODE((tmp_path / "data/rotations.db").stat().st_mode) == 0o600
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("rotations.db*"))
    assert new.secret_key.encode() not in stored, "secrets are sealed"
    first.kill()

    second = own()
    rotations = Rotations(second, second.root)
    assert fetched(rotations("RetrieveRotationKey", UserName="bob")) == new
    rotations.deliver("bob")
    second.kill()

    third = own()
    rotations = Rotations(third, third.root)
    rotations.until("bob", lambda it: it["Phase"] == "Done")
    assert keys_of(clients(third, third.root), "bob") == {new.access_key: "Active"}
    assert who(third, old) == "InvalidClientTokenId"


def test_a_user_who_is_renamed_or_deleted(own):
    first = own()
    root = clients(first, first.root)
    rotations = Rotations(first, first.root)
    for name in ("bob", "eve"):
        root.iam.create_user(UserName=name)
        root.iam.create_access_key(UserName=name)
        rotations("StartRotation", UserName=name, **QUICK)
        rotations.until(name, lambda it: "WaitingFor" in it)
    root.iam.update_user(UserName="bob", NewUserName="robert")
    for key in keys_of(root, "eve"):
        root.iam.delete_access_key(UserName="eve", AccessKeyId=key)
    root.iam.delete_user(UserName="eve")
    first.kill()

    # A server looks at everything that is open when it starts.
    second = own()
    root = clients(second, second.root)
    rotations = Rotations(second, second.root)
    end = time.monotonic() + SECONDS
    open_now = []
    while len(open_now) != 1 and time.monotonic() < end:
        open_now = rotations("ListRotations", Open=True)["Rotations"]
    (bob,) = open_now
    new = fetched(rotations.deliver("robert"))
    done = rotations.until("robert", lambda it: it["Phase"] == "Done")
    assert (done["RotationId"], done["UserName"]) == (bob["RotationId"], "robert")
    assert keys_of(root, "robert") == {new.access_key: "Active"}
    events = rotations("ListRotationHistory", UserName="robert")["Events"]
    assert any(e["Event"] == "user bob was renamed to robert" for e in events), events
    phases = {one["UserName"]: one["Phase"] for one in rotations("ListRotations")["Rotations"]}
    assert phases == {"robert": "Done", "eve": "UserGone"}


def test_places_that_the_operator_allows(own, tmp_path):
    template = f"dotenv:{tmp_path}/{{user}}.env"
    server = own("--rotation-place", f"[path=/] {template}")
    root = clients(server, server.root)
    root.iam.create_user(UserName="bob")
    old = key_of(root.iam.create_access_key(UserName="bob"))
    file = tmp_path / "bob.env"
    file.write_text(
        f"AWS_ACCESS_KEY_ID={old.access_key}\nAWS_SECRET_ACCESS_KEY={old.secret_key}\n"
    )
    rotations = Rotations(server, server.root)
    assert rotations("ListRotationPlaces")["Places"] == ["person", template]
    places = [f"dotenv:{tmp_path}/bob.env"]
    quick = QUICK | {"Incident": True}
    rotations("StartRotation", UserName="bob", Places=places, **quick)
    done = rotations.until("bob", lambda it: it["Phase"] == "Done")
    delivery = {"Place": places[0], "Stage": "ReadBack", "Failures": "0", "Removed": "false"}
    assert done["Deliveries"] == [delivery]
    new = Credentials(*re.findall(r"=(.*)$", file.read_text(), re.M))
    assert who(server, new).endswith("/bob") and who(server, old) == "InvalidClientTokenId"
    root.iam.create_user(UserName="..")
    root.iam.create_access_key(UserName="..")
    refused = rotations.refused("StartRotation", UserName="..", Places=[template])
    assert refused.code == "InvalidInput" and "cannot be part of a place" in refused.message


def test_a_policy_rotates_who_is_due(own):
    server = own()
    root = clients(server, server.root)
    for name, path in [("worker", "/jobs/"), ("outside", "/"), ("torn", "/jobs/")]:
        root.iam.create_user(UserName=name, Path=path)
        root.iam.create_access_key(UserName=name)
    root.iam.create_access_key(UserName="torn")
    rotations = Rotations(server, server.root)
    put = rotations(
        "PutRotationPolicy",
        RotationPolicyName="jobs",
        PathPrefix="/jobs/",
        MaxAgeDays=0,
        ObserveSeconds=0,
        DwellSeconds=0,
    )["RotationPolicy"]
    assert (put["PathPrefix"], put["Places"]) == ("/jobs/", ["person"])
    listed = ""
    end = time.monotonic() + SECONDS
    while not listed and time.monotonic() < end:
        listed = rotations("ListRotations", Open=True)["Rotations"]
    (begun,) = listed
    assert (begun["UserName"], begun["RotationPolicyName"]) == ("worker", "jobs"), begun
    rotations.until("worker", lambda it: "WaitingFor" in it)
    new = fetched(rotations.deliver("worker"))
    use(server, new)
    rotations.until("worker", lambda it: it["Phase"] == "Done")
    assert len(keys_of(root, "torn")) == 2
    assert rotations.refused("GetRotation", UserName="torn").code == "NoSuchEntity"
    rotations("DeleteRotationPolicy", RotationPolicyName="jobs")
    assert rotations("ListRotationPolicies")["RotationPolicies"] == ""
