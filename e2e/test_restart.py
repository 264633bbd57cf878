"""What was acknowledged is there after the server was stopped and started again."""

import stat

from conftest import clients
from harness.clients import key_of
from harness.server import Server


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
        account, secret = first.account, first.root
    for file in ("master.key", "root.credentials", "keywright.db"):
        assert stat.S_IMODE((data / file).stat().st_mode) == 0o600, file
    stored = b"".join(path.read_bytes() for path in data.glob("keywright.db*"))
    assert key.secret_key.encode() not in stored, "secrets are sealed"
    with Server(data, log) as second:
        assert (second.account, second.root) == (account, secret)
        assert (second.users, second.keys) == (1, 2)
        mine = clients(second, key)
        assert mine.s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"hello"
        user = clients(second, second.root).iam.get_user(UserName="bob")["User"]
        assert user["Tags"] == [{"Key": "k", "Value": "v"}]
    assert log.read_text() == ""
