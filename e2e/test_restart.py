"""What was acknowledged is there after the server was stopped and started again."""

import stat

from conftest import clients
from harness.clients import key_of
from harness.server import Server


PASSWORD = "Correct-horse-7"
# What is there to be read by its owner.
MEANT_TO_BE_READ = ("root.credentials", "root.password")


def nothing_is_told(data, secrets):
    """Every file is its owner's alone, and none has a secret in it: database, log, objects."""
    for path in data.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        if path.is_file() and path.name not in MEANT_TO_BE_READ:
            content = path.read_bytes()
            for secret in secrets:
                assert secret.encode() not in content, path


def test_everything_is_still_there(tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    with Server(data, log) as first:
        assert (first.users, first.keys) == (0, 1)
        assert str(data / "root.credentials") in "\n".join(first.greeting)
        assert first.root.secret_key not in "\n".join(first.greeting)
        root = clients(first, first.root)
        root.iam.create_user(UserName="bob", Tags=[{"Key": "k", "Value": "v"}])
        key = key_of(root.iam.create_access_key(UserName="bob"))
        root.iam.attach_user_policy(
            UserName="bob", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
        )
        mine = clients(first, key)
        mine.s3.create_bucket(Bucket="kept")
        mine.s3.put_object(Bucket="kept", Key="k", Body=b"hello")
        mine.s3.put_object(Bucket="kept", Key="large", Body=bytes(1024 * 1024))
        session = key_of(mine.sts.get_session_token(DurationSeconds=900))
        root.iam.create_login_profile(UserName="bob", Password=PASSWORD)
        account, secret = first.account, first.root
        secrets = (secret.secret_key, key.secret_key, session.secret_key, session.token, PASSWORD)
        nothing_is_told(data, secrets)
    nothing_is_told(data, secrets)
    told = {path.name for path in data.iterdir()}
    assert told >= {"master.key", "root.credentials", "root.password", "keywright.db", "objects"}
    with Server(data, log) as second:
        assert (second.account, second.root) == (account, secret)
        assert (second.users, second.keys) == (1, 2)
        mine = clients(second, key)
        assert mine.s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"hello"
        user = clients(second, second.root).iam.get_user(UserName="bob")["User"]
        assert user["Tags"] == [{"Key": "k", "Value": "v"}]
    assert log.read_text() == ""
