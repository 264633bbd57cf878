"""`keywright import` and `export`: an account moves with everything that it grants."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from conftest import clients
from harness.clients import AwsCli, download, key_of
from harness.keywright import Keywright
from harness.server import Credentials, Server

READ = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::box/*"}],
}
TRUST_EC2 = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """An account with one of everything."""
    folder = tmp_path_factory.mktemp("old")
    with Server(folder / "data", folder / "log") as server:
        fill(server)
        yield server


@pytest.fixture
def new(tmp_path):
    """An empty account of another installation."""
    with Server(tmp_path / "new", tmp_path / "log") as server:
        yield server


def fill(server):
    """Creates one of everything."""
    iam = clients(server, server.root).iam
    document = json.dumps(READ, indent=2)
    policy = iam.create_policy(
        PolicyName="reader",
        Path="/team/",
        PolicyDocument=document,
        Description="reads",
        Tags=[{"Key": "team", "Value": "blue"}],
    )["Policy"]["Arn"]
    for default in (False, True):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=document, SetAsDefault=default)
    iam.delete_policy_version(PolicyArn=policy, VersionId="v2")
    iam.create_group(GroupName="devs", Path="/team/")
    iam.attach_group_policy(GroupName="devs", PolicyArn=policy)
    iam.put_group_policy(GroupName="devs", PolicyName="inline", PolicyDocument=document)
    iam.create_user(
        UserName="ann", PermissionsBoundary=policy, Tags=[{"Key": "mail", "Value": "a@example.com"}]
    )
    iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.put_user_policy(
        UserName="ann",
        PolicyName="own",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "iam:GetUser",
                        "Resource": f"arn:aws:iam::{server.account}:user/ann",
                    }
                ],
            }
        ),
    )
    iam.add_user_to_group(UserName="ann", GroupName="devs")
    iam.create_access_key(UserName="ann")
    iam.create_role(
        RoleName="deploy",
        AssumeRolePolicyDocument=json.dumps(TRUST_EC2),
        Description="deploys",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    iam.attach_role_policy(RoleName="deploy", PolicyArn=policy)
    trusts = {"AWS": f"arn:aws:iam::{server.account}:role/deploy"}
    trust = {**TRUST_EC2, "Statement": [{**TRUST_EC2["Statement"][0], "Principal": trusts}]}
    iam.create_role(RoleName="build", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    for profile in ("machines", "empty"):
        iam.create_instance_profile(
            InstanceProfileName=profile, Tags=[{"Key": "kind", "Value": profile}]
        )
    iam.add_role_to_instance_profile(InstanceProfileName="machines", RoleName="deploy")


def command(server, folder, key=None):
    return Keywright(folder, server.endpoint, key or server.root)


def export(server, folder):
    done = command(server, folder).run("export")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lines(done):
    """The plan without its columns."""
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


CREATED = [
    "create policy reader",
    "create group devs",
    "create user ann",
    "create role AWSServiceRoleForECS",
    "create role deploy",
    "create role build",
    "create instance-profile machines",
    "create instance-profile empty",
]


def comparable(details, account):
    """Details without what an import cannot preserve: account, IDs and dates."""

    def cleaned(value, name=""):
        if isinstance(value, dict):
            dropped = {"UserId", "GroupId", "RoleId", "PolicyId", "InstanceProfileId"}
            dropped |= {"CreateDate", "UpdateDate", "RoleLastUsed"}
            return {key: cleaned(it, key) for key, it in value.items() if key not in dropped}
        if isinstance(value, list):
            return [cleaned(it) for it in value]
        return value.replace(account, "ACCOUNT") if isinstance(value, str) else value

    return cleaned(details)


def test_a_round_trip_is_the_identity(old, new, tmp_path):
    exported = export(old, tmp_path / "home")
    file = tmp_path / "account.json"
    file.write_text(json.dumps(exported, indent=4))
    keywright = command(new, tmp_path / "home")
    planned = keywright.run("import", str(file), "--dry-run", "--rewrite-account")
    assert planned.returncode == 0, planned.stderr
    assert lines(planned) == CREATED
    assert f"8 entities for account {new.account}: 8 to create" in planned.stderr
    assert export(new, tmp_path / "home")["UserDetailList"] == []

    done = keywright.run("import", str(file), "--rewrite-account")
    assert done.returncode == 0, done.stderr
    assert "imported 8 entities" in done.stderr
    again = export(new, tmp_path / "home")
    assert comparable(again, new.account) == comparable(exported, old.account)
    # Descriptions, durations, tags and version IDs are among what is the same.
    (policy,) = [it for it in again["Policies"] if it["PolicyName"] == "reader"]
    assert [it["VersionId"] for it in policy["PolicyVersionList"]] == ["v3", "v1"]
    assert policy["Tags"] == [{"Key": "team", "Value": "blue"}]

    new.kill()
    with Server(new.data_dir, tmp_path / "log") as restarted:
        assert export(restarted, tmp_path / "home") == again
        keywright = command(restarted, tmp_path / "home")
        repeated = keywright.run("import", str(file), "--rewrite-account")
        assert repeated.returncode == 0, repeated.stderr
        assert lines(repeated) == [line.replace("create", "exists", 1) for line in CREATED]
        assert export(restarted, tmp_path / "home") == again


def test_the_output_of_the_aws_cli_is_imported(old, new, tmp_path):
    """As the CLI prints it, and as separate pages one after the other."""
    aws = AwsCli(tmp_path / "cli", old.endpoint)
    aws.configure(download(old.root, tmp_path / "root.csv"))
    whole = aws("iam", "get-account-authorization-details")
    file = tmp_path / "account.json"
    file.write_text(json.dumps(whole, indent=4))
    pages = []
    iam = clients(old, old.root).iam
    marker = {}
    while True:
        page = iam.get_account_authorization_details(MaxItems=2, **marker)
        pages.append(json.dumps(page, default=str))
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    keywright = command(new, tmp_path / "home")
    planned = [
        keywright.run("import", str(file), "--dry-run", "--json"),
        keywright.run("import", "-", "--dry-run", "--json", stdin="\n".join(pages)),
    ]
    for plan in planned:
        assert plan.returncode == 0, plan.stderr
    assert planned[0].stdout == planned[1].stdout
    assert "--rewrite-account replaces it" in planned[0].stderr
    plan = json.loads(planned[0].stdout)
    names = [it["EntityName"] for it in plan["Entities"]]
    # An instance profile without a role is not in AWS's format.
    assert sorted(names) == sorted(line.split()[-1] for line in CREATED[:-1])
    cut = keywright.run("import", "-", "--dry-run", stdin="\n".join(pages[:-1]))
    assert cut.returncode == 1
    assert "the last page says that another one follows" in cut.stderr
    broken = keywright.run("import", "-", stdin='{\n"UserDetailList": [{"Quota": 1}]}')
    assert "unknown field `Quota`" in broken.stderr
    assert "at line 2 column 27" in broken.stderr


def test_an_import_is_all_or_nothing(new, tmp_path):
    user = {"Path": "/", "Arn": "arn:aws:iam::111122223333:user/x"}
    gone = {
        "AttachedManagedPolicies": [
            {"PolicyName": "gone", "PolicyArn": "arn:aws:iam::111122223333:policy/gone"}
        ]
    }
    users = [{**user, "UserName": "fine"}, {**user, "UserName": "bad", **gone}]
    text = json.dumps({"UserDetailList": users})
    keywright = command(new, tmp_path / "home")
    done = keywright.run("import", "-", stdin=text)
    assert done.returncode == 1
    assert "nothing was imported" in done.stderr
    assert lines(done)[1].startswith("reject user bad: AttachUserPolicy: NoSuchEntity: ")
    assert export(new, tmp_path / "home")["UserDetailList"] == []
    done = keywright.run("import", "-", "--allow-incomplete", stdin=text)
    assert done.returncode == 0, done.stderr
    users = export(new, tmp_path / "home")["UserDetailList"]
    assert [it["UserName"] for it in users] == ["fine"]


def test_an_import_needs_the_permissions_of_iam(new, tmp_path):
    iam = clients(new, new.root).iam
    iam.create_user(UserName="importer")
    statement = {"Effect": "Allow", "Action": ["keywright:ImportAccount"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(
        UserName="importer", PolicyName="p", PolicyDocument=json.dumps(policy)
    )
    key = key_of(iam.create_access_key(UserName="importer"))
    keywright = command(new, tmp_path / "home", key)
    text = json.dumps({"GroupDetailList": [{"GroupName": "g", "Path": "/"}]})
    done = keywright.run("import", "-", "--allow-incomplete", stdin=text)
    assert done.returncode == 1
    assert "not authorized to perform: iam:CreateGroup" in done.stderr
    assert iam.list_groups()["Groups"] == []


def test_credentials_are_reported_and_created_again(old, new, tmp_path):
    exported = tmp_path / "account.json"
    exported.write_text(json.dumps(export(old, tmp_path / "home")))
    rotated = (datetime.now(UTC) - timedelta(days=412, hours=1)).isoformat()
    header = (
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
        "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
        "access_key_2_active,access_key_2_last_rotated,cert_1_active"
    )
    row = f"ann,a,d,true,d,d,d,true,true,{rotated},false,N/A,false"
    report = tmp_path / "report.csv"
    report.write_text(f"{header}\n{row}")
    keys = tmp_path / "keys.csv"
    keywright = command(new, tmp_path / "home")
    arguments = ["import", str(exported), "--credential-report", str(report)]
    done = keywright.run(*arguments, "--new-keys", str(keys))
    assert done.returncode == 0, done.stderr
    assert "user ann: console password; access key 1, 412 days old; MFA device" in done.stdout
    assert "created 1 access key" in done.stderr
    assert keys.stat().st_mode & 0o777 == 0o600
    (row,) = csv.DictReader(io.StringIO(keys.read_text()))
    assert (row["User name"], row["Replaces"]) == ("ann", "access key 1")
    key = Credentials(row["Access key ID"], row["Secret access key"])
    who = clients(new, key).sts.get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{new.account}:user/ann"
    # Neither is a key created twice, nor a file replaced.
    done = keywright.run(*arguments, "--new-keys", str(keys))
    assert (done.returncode, "File exists" in done.stderr) == (1, True), done.stderr
    done = keywright.run(*arguments, "--new-keys", str(tmp_path / "more.csv"))
    assert "no new access key for user ann, who has access keys already" in done.stderr


def minio_archive(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"iam-assets/{name}.json", json.dumps(content))


def test_an_archive_of_minio_is_imported(new, tmp_path):
    path = tmp_path / "cluster-iam-info.zip"
    statement = READ["Statement"][0]
    minio_archive(
        path,
        policies={
            "reader": READ,
            "consoleAdmin": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": ["admin:*"]},
                    {**statement, "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
                ],
            },
        },
        users={
            "ann": {"secretKey": "ann-secret-key", "status": "enabled"},
            "bob": {"secretKey": "bob-secret-key", "status": "disabled"},
        },
        groups={"devs": {"version": 1, "status": "enabled", "members": ["ann"]}},
        svcaccts={
            "ANNSVC": {"parent": "ann", "secretKey": "s", "status": "on", "sessionPolicy": None}
        },
        user_mappings={"bob": {"version": 1, "policy": "consoleAdmin"}},
        group_mappings={"devs": {"version": 1, "policy": "reader"}},
        stsuser_mappings={},
    )
    keys = tmp_path / "keys.csv"
    keywright = command(new, tmp_path / "home")
    done = keywright.run("import", str(path), "--new-keys", str(keys))
    assert done.returncode == 0, done.stderr
    assert lines(done)[:5] == [
        "create policy consoleAdmin",
        "create policy reader",
        "create group devs",
        "create user ann",
        "create user bob",
    ]
    assert "secret-key" not in done.stdout + done.stderr
    rows = list(csv.DictReader(io.StringIO(keys.read_text())))
    assert [(it["User name"], it["Replaces"]) for it in rows] == [("ann", "ann"), ("ann", "ANNSVC")]
    root = clients(new, new.root)
    root.s3.create_bucket(Bucket="box")
    root.s3.put_object(Bucket="box", Key="k", Body=b"text")
    key = Credentials(rows[0]["Access key ID"], rows[0]["Secret access key"])
    assert clients(new, key).s3.get_object(Bucket="box", Key="k")["Body"].read() == b"text"
