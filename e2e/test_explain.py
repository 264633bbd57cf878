"""`keywright policy explain` and `who-can` ask a running server what it decides, and why."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import clients
from harness.keywright import Keywright

S3_READ = "AmazonS3ReadOnlyAccess"


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


def test_explain_says_why(keywright, server, new_user, name):
    new_user(S3_READ)
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    allowed = keywright.run("policy", "explain", arn, "s3:GetObject", "arn:aws:s3:::b/k")
    assert allowed.returncode == 0, allowed.stderr
    assert S3_READ in allowed.stdout, allowed.stdout
    by_name = keywright.run("policy", "explain", name, "s3:GetObject", "arn:aws:s3:::b/k")
    assert (by_name.returncode, by_name.stdout) == (0, allowed.stdout), by_name.stderr
    assert keywright.run("policy", "explain", "root", "s3:GetObject").returncode == 0
    denied = keywright.run("policy", "explain", arn, "s3:PutObject", "arn:aws:s3:::b/k", "--json")
    assert denied.returncode == 1, denied.stderr
    shown = json.loads(denied.stdout)
    assert shown["Decision"] == "implicitDeny", shown
    needed = "needed: an Allow in identity-based policy for s3:PutObject on arn:aws:s3:::b/k"
    assert needed in shown["Explanation"], shown


def test_who_can_lists_principals_and_through_what(keywright, server, new_user, name):
    new_user("AmazonS3FullAccess")
    new_user("IAMReadOnlyAccess", suffix="-other")
    done = keywright.run("policy", "who-can", "s3:PutObject", "arn:aws:s3:::b/k", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["PrincipalArn"]: row["Through"] for row in json.loads(done.stdout)}
    prefix = f"arn:aws:iam::{server.account}:"
    assert "AmazonS3FullAccess" in found[f"{prefix}user/{name}"]
    assert f"{prefix}user/{name}-other" not in found
    assert f"{prefix}root" in found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "nobody", "s3:GetObject"], "nobody"),
        (["explain", "arn:aws:iam::123456789012:role/r", "s3:GetObject"], "neither the root user"),
        (["who-can", "s3:GetObjekt"], "did you mean s3:GetObject?"),
        (["who-can", "s3:GetObject", "bucket/key"], "bucket/key is not an ARN"),
        (["who-can", "s3:GetObject", "arn:aws:s3:::bucket"], "cannot be performed on arn:aws:s3:::bucket"),
        (["explain", "arn:aws:iam::{account}:user/none", "s3:GetObject"], "none"),
        (["who-can", "s3"], "actionName"),
        (["who-can", "GetObject"], "GetObject is not an action"),
        (["who-can", "s3:*"], "s3:* is not an action"),
        (["explain", "--request-id", "0123456789ABCDEF"], "denied request with id"),
    ],
)
def test_what_it_cannot_explain(keywright, server, arguments, says):
    arguments = [argument.replace("{account}", server.account) for argument in arguments]
    done = keywright.run("policy", *arguments)
    assert done.returncode == 1 and says in done.stderr, (done.returncode, done.stderr)
    assert done.stdout == ""


def test_a_denial_of_each_service_is_remembered_and_explained(keywright, server, new_user, name):
    user = clients(server, new_user("AmazonS3ReadOnlyAccess"))
    ids = {}
    for service, call in [
        ("iam", lambda: user.iam.list_users()),
        ("s3", lambda: user.s3.create_bucket(Bucket=name)),
    ]:
        with pytest.raises(ClientError) as refused:
            call()
        ids[service] = refused.value.response["ResponseMetadata"]["RequestId"]
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    listed = keywright.run("policy", "denials", "--principal", arn, "--json")
    rows = json.loads(listed.stdout)
    assert [row["RequestId"] for row in rows] == [ids["s3"], ids["iam"]], rows
    assert [row["ActionName"] for row in rows] == ["s3:CreateBucket", "iam:ListUsers"]
    told = keywright.run("policy", "explain", "--request-id", ids["s3"], "--json")
    assert told.returncode == 1, told.stderr
    shown = json.loads(told.stdout)
    assert shown["DeniedRequest"]["ResourceArn"] == f"arn:aws:s3:::{name}", shown
    assert (shown["Decision"], shown["DecisionNow"]) == ("implicitDeny", "implicitDeny")
    entries = {e["ContextKeyName"]: e["ContextKeyValue"] for e in shown["ContextEntries"]}
    assert entries["aws:sourceip"] == "127.0.0.1" and entries["s3:authtype"] == "REST-HEADER"
    assert shown["Statements"] and not any(s["Applies"] for s in shown["Statements"])
    root = clients(server, server.root)
    everything = "arn:aws:iam::aws:policy/AdministratorAccess"
    root.iam.attach_user_policy(UserName=name, PolicyArn=everything)
    now = keywright.run("policy", "explain", "--request-id", ids["s3"])
    assert now.returncode == 0 and "now: allowed" in now.stdout, (now.stdout, now.stderr)
    assert "hint: to list who may: keywright policy who-can s3:CreateBucket" in now.stderr


def test_a_buckets_policy_is_asked_and_root_can_undo_it(keywright, server, root, new_user, name):
    user = clients(server, new_user("AmazonS3FullAccess"))
    user.s3.create_bucket(Bucket=name)
    resource = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    deny = {"Sid": "Sealed", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    policy = {"Version": "2012-10-17", "Statement": {**deny, "Resource": resource}}
    user.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    told = keywright.run("policy", "explain", arn, "s3:GetObject", f"{resource[0]}/k")
    assert told.returncode == 1, told.stderr
    assert f"statement 1 (Sealed) of resource-based policy {name}" in told.stdout, told.stdout
    nobody = keywright.run("policy", "who-can", "s3:GetObject", f"{resource[0]}/k", "--json")
    assert nobody.returncode == 1 and json.loads(nobody.stdout) == [], nobody.stdout
    with pytest.raises(ClientError) as refused:
        user.s3.delete_bucket_policy(Bucket=name)
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError):
        root.s3.list_objects_v2(Bucket=name)
    root.s3.delete_bucket_policy(Bucket=name)
    now = keywright.run("policy", "explain", "--request-id", request_id)
    assert now.returncode == 0 and "now: allowed" in now.stdout, (now.stdout, now.stderr)
    assert "(Sealed)" in now.stdout


def test_it_knows_what_the_server_would_fill_in(keywright, server, root, new_user, name):
    user = clients(server, new_user())
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    root.iam.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "red"}])
    condition = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    allow = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*", "Condition": condition}
    tags = {"StringEquals": {"aws:TagKeys": "a,b"}}
    tag = {"Effect": "Allow", "Action": "iam:TagUser", "Resource": "*", "Condition": tags}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow, tag]})
    root.iam.create_group(GroupName=name)
    root.iam.put_group_policy(GroupName=name, PolicyName="team", PolicyDocument=policy)
    root.iam.add_user_to_group(GroupName=name, UserName=name)
    for other, team in [("red", "red"), ("blue", "blue"), ("none", None)]:
        new_user(suffix=f"-{other}")
        if team:
            root.iam.tag_user(UserName=f"{name}-{other}", Tags=[{"Key": "team", "Value": team}])
        told = keywright.run("policy", "explain", arn, "iam:GetUser", f"{arn}-{other}")
        try:
            user.iam.get_user(UserName=f"{name}-{other}")
            assert told.returncode == 0, told.stdout
        except ClientError:
            assert told.returncode == 1 and "aws:principaltag/team is red" in told.stdout
        assert f"team of group {name}" in told.stdout, told.stdout
    # A list of one is a list there and here.
    told = keywright.run("policy", "explain", arn, "iam:TagUser", arn, "--context", "aws:TagKeys=a,b")
    assert told.returncode == 1 and "(found: [a,b])" in told.stdout, told.stdout
    with pytest.raises(ClientError):
        user.iam.tag_user(UserName=name, Tags=[{"Key": "a,b", "Value": "c"}])


def test_it_knows_the_tags_of_an_object(keywright, server, root, new_user, name):
    new_user()
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="red", Body=b"", Tagging="team=red")
    root.s3.put_object(Bucket=name, Key="blue", Body=b"", Tagging="team=blue")
    condition = {"StringEquals": {"s3:ExistingObjectTag/team": "red"}}
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    root.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    for key, code, says in [
        ("red", 0, "allowed"),
        ("blue", 1, "(found: blue)"),
        ("none", 1, "not given: s3:ExistingObjectTag/team"),
    ]:
        on = f"arn:aws:s3:::{name}/{key}"
        told = keywright.run("policy", "explain", arn, "s3:GetObject", on)
        assert told.returncode == code and says in told.stdout, told.stdout


@pytest.mark.parametrize(("effect", "decision"), [("Allow", "allowed"), ("Deny", "explicitDeny")])
def test_list_all_my_buckets_on_its_arn_is_decided_alike_everywhere(
    keywright, server, root, new_user, name, tmp_path, effect, decision
):
    """AWS matches ListAllMyBuckets, which has no resource type, against arn:aws:s3:::*."""
    key = new_user(*(["AmazonS3FullAccess"] if effect == "Deny" else []))
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Action": ["s3:ListAllMyBuckets", "s3:GetBucketLocation"],
                    "Resource": "arn:aws:s3:::*",
                }
            ],
        }
    )
    root.iam.put_user_policy(UserName=name, PolicyName="list-all", PolicyDocument=policy)
    s3 = clients(server, key).s3
    if effect == "Allow":
        s3.list_buckets()
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_buckets()
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    explained = keywright.run("policy", "explain", arn, "s3:ListAllMyBuckets", "--json")
    assert json.loads(explained.stdout)["Decision"] == decision, explained
    file = tmp_path / "policy.json"
    file.write_text(policy)
    simulated = keywright.run(
        "policy", "simulate", "--policy", str(file), "--action", "s3:ListAllMyBuckets", "--json"
    )
    assert json.loads(simulated.stdout)["Decision"] == decision, simulated
    custom = root.iam.simulate_custom_policy(
        PolicyInputList=[policy], ActionNames=["s3:ListAllMyBuckets"]
    )
    principal = root.iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["s3:ListAllMyBuckets"]
    )
    for answer in (custom, principal):
        assert answer["EvaluationResults"][0]["EvalDecision"] == decision


def test_a_simulation_from_files_says_what_the_server_says(keywright, server, root, new_user, name):
    new_user()
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    statements = [
        {"Effect": "Allow", "Action": ["keywright:*", "iam:*Policy"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:*", "Resource": f"{arn}*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    file = keywright.home / "policy.json"
    file.write_text(policy)
    root.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    for action, resource, allowed in [
        ("keywright:StartRotation", arn, True),
        ("keywright:StartRotation", f"arn:aws:iam::{server.account}:user/other", False),
        ("keywright:ListRotations", "*", False),
        ("iam:DeletePolicy", f"arn:aws:iam::{server.account}:policy/own", True),
        ("iam:DeletePolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess", False),
        ("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess", True),
    ]:
        given = ["--policy", str(file), "--action", action, "--resource", resource]
        offline = keywright.run("policy", "simulate", "--caller", arn, *given, "--json")
        online = keywright.run("policy", "explain", arn, action, resource, "--json")
        decisions = [json.loads(done.stdout)["Decision"] for done in (offline, online)]
        expected = "allowed" if allowed else "implicitDeny"
        assert decisions == [expected] * 2, (action, resource, offline.stderr, online.stderr)
        codes = (offline.returncode, online.returncode)
        assert codes == ((0, 0) if allowed else (1, 1)), (action, resource, codes)
    role = f"arn:aws:sts::{server.account}:assumed-role/app/one"
    given = ["--policy", str(file), "--action", "iam:GetUser", "--resource", arn]
    assert keywright.run("policy", "simulate", "--caller", role, *given).returncode == 0
    done = keywright.run("policy", "simulate", "--caller", "anonymous", *given)
    assert done.returncode == 1 and "anonymous cannot have such policies" in done.stderr, done
