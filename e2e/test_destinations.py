"""What is delivered is what the consumer reads: each case of the table against real readers.

The table is `corpus/destinations/cases.json`. Before a rotation, after its delivery and after it was
put back, botocore, python-dotenv, bash, jq and Python see in each file what the table says; a file
that is to be refused is refused before there is a new key. Docker Compose's reader is not run here,
for want of an engine: what the table says of it follows compose-go's source.
"""

import json
import shutil
from pathlib import Path

import pytest

from harness.clients import AwsCli
from harness.keywright import Keywright
from harness.readers import OF, READERS, names_of

TABLE = Path(__file__).parents[1] / "corpus/destinations/cases.json"
CASES = json.loads(TABLE.read_text(encoding="utf-8"))


class Destination:
    """A case with a file of its own."""

    def __init__(self, folder: Path, number: int, case: dict):
        self.case, self.file = case, folder / f"{number}.file"
        self.kind = case["destination"].split(":", 1)[0]
        self.place = case["destination"].replace("FILE", str(self.file))

    def write(self, key):
        """The file as the table has it, with this key."""
        text = self.case["text"].replace("KEYID", key.access_key)
        text = text.replace("AWS_SECRET", "\0").replace("SECRET", key.secret_key)
        self.file.write_bytes(text.replace("\0", "AWS_SECRET").encode())
        self.file.chmod(0o600)

    def check(self, key, there: bool):
        """Each reader of the table sees this key, or none, and no other reader sees anything."""
        names = names_of(self.case["destination"])
        for reader in OF[self.kind]:
            sees = there and reader in self.case["readers"]
            wanted = (key.access_key, key.secret_key) if sees else None
            assert READERS[reader](self.file, names) == wanted, (self.case["name"], reader)


@pytest.fixture
def keywright(server, tmp_path):
    """The command with root's key."""
    return Keywright(tmp_path / "home", server.endpoint, server.root)


@pytest.fixture
def folder(tmp_path):
    """Where the files are."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def numbered(folder, refused: bool) -> list[Destination]:
    """The cases that are refused, or the others."""
    picked = [case for case in CASES if (case["state"] == "refused") == refused]
    return [Destination(folder, number, case) for number, case in enumerate(picked)]


@pytest.mark.timeout(300)
def test_readers_see_each_key_in_its_time(server, root, new_user, name, keywright, folder):
    old = new_user("AmazonS3FullAccess")
    all_of_them = numbered(folder, refused=False)
    for one in all_of_them:
        one.write(old)
        one.check(old, one.case["state"] == "old")
    before = [one.file.read_bytes() for one in all_of_them]
    deliver = [word for one in all_of_them for word in ("--deliver", one.place)]
    refused = keywright.run("rotate", name, *deliver)
    assert refused.returncode == 1 and "use --create" in refused.stderr, refused.stderr
    begun = keywright.run("rotate", name, "--create", *deliver, "--observe", "24h", "--json")
    assert begun.returncode == 0, begun.stderr
    (rotation,) = json.loads(begun.stdout)
    assert rotation["Rotation"]["Phase"] == "Observing", begun.stdout
    delivered = json.loads(keywright.run("rotate", "status", name, "--json").stdout)[0]
    states = {state["Sink"]: state["Found"]["State"] for state in delivered["Deliveries"]}
    words = {"old": "OldKey", "empty": "Empty", "absent": "Absent"}
    assert states == {one.place: words[one.case["state"]] for one in all_of_them}
    new = key_in(next(one for one in all_of_them if one.case["name"] == "plain"))
    assert new.access_key == rotation["Rotation"]["NewAccessKeyId"] != old.access_key
    for one in all_of_them:
        one.check(new, True)
    assert caller(server, all_of_them, folder).endswith(name)

    back = keywright.run("rotate", "rollback", name)
    assert back.returncode == 0, back.stderr
    assert [one.file.read_bytes() for one in all_of_them] == before
    for one in all_of_them:
        one.check(old, one.case["state"] == "old")
    assert caller(server, all_of_them, folder).endswith(name)
    assert len(list(folder.iterdir())) == len(all_of_them), "nothing is left over"


def key_in(one: Destination):
    """The pair that the first reader sees."""
    names = names_of(one.case["destination"])
    found = READERS[OF[one.kind][0]](one.file, names)
    return type("Key", (), dict(zip(("access_key", "secret_key"), found, strict=True)))


def caller(server, destinations, folder) -> str:
    """Who the AWS CLI is with the indented credentials file."""
    one = next(one for one in destinations if one.case["name"] == "indented")
    assert one.kind == "aws-profile"
    home = folder.parent / "aws"
    aws = AwsCli(home, server.endpoint)
    (home / ".aws").mkdir(exist_ok=True)
    shutil.copy(one.file, home / ".aws/credentials")
    done = aws.run("sts", "get-caller-identity", "--query", "Arn", "--output", "text")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(300)
def test_what_cannot_be_rewritten_is_refused_before_there_is_a_key(
    root, new_user, name, keywright, folder
):
    old = new_user()
    for one in numbered(folder, refused=True):
        one.write(old)
        before = one.file.read_bytes()
        done = keywright.run("rotate", name, "--create", "--deliver", one.place)
        case = one.case
        says = case.get("says", "")
        says = f"{one.file}{says}" if says[:1] == ":" else says
        assert (done.returncode, done.stdout) == (1, ""), (case, done.stderr)
        assert says in done.stderr and "nothing was changed" in done.stderr, (case, done.stderr)
        assert old.secret_key not in done.stderr
        assert one.file.read_bytes() == before
    listed = root.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [old.access_key]


def test_what_is_there_is_said(root, new_user, name, keywright, folder):
    old = new_user()
    file = folder / "credentials"
    pair = f"aws_access_key_id = {old.access_key}\naws_secret_access_key = {old.secret_key}\n"
    file.write_text(f"[prod]\n{pair}[copy]\n{pair}[dev]\nregion = x\n")
    file.chmod(0o644)

    def planned(profile: str, *more: str):
        place = f"aws-profile:{profile}@{file}"
        return keywright.run("rotate", name, "--deliver", place, "--dry-run", *more)

    missing = planned("prdo")
    assert missing.returncode == 1
    assert "there is no profile prdo, did you mean prod?" in missing.stderr
    assert "there is no profile prdo" in planned("prdo", "--create").stdout
    assert planned("dev").returncode == 0 and "         empty" in planned("dev").stdout
    there = planned("prod")
    assert there.returncode == 0, there.stderr
    assert "holds the key being replaced" in there.stdout
    assert f"profile copy also holds {old.access_key}, and is not updated" in there.stdout
    assert "other users on this machine can read it (mode 0644)" in there.stdout
    (found,) = json.loads(planned("prod", "--json").stdout)["Deliveries"]
    assert found["Found"]["AlsoHeldBy"] == ["profile copy"], found
    assert list(folder.iterdir()) == [file]


@pytest.mark.timeout(300)
def test_many_rotations_in_one_file(server, root, new_user, name, keywright, folder):
    """Every user has a profile in one file, and all are rotated at once, by a process each."""
    users = 24
    file = folder / "credentials"
    old = [new_user(suffix=f"-{number}") for number in range(users)]
    file.write_text(
        "".join(
            f"[{name}-{number}]\naws_access_key_id = {key.access_key}\n"
            f"aws_secret_access_key = {key.secret_key}\n"
            for number, key in enumerate(old)
        )
    )
    file.chmod(0o600)
    processes = [
        keywright.start(
            "rotate",
            f"{name}-{number}",
            *("--deliver", f"aws-profile:{name}-{number}@{file}"),
            *("--observe", "0s", "--dwell", "0s", "--wait"),
            *("--override-unused", "no program uses these keys"),
            *("--journal", str(folder.parent / f"journal-{number}")),
        )
        for number in range(users)
    ]
    for process in processes:
        said = process.communicate(timeout=250)
        assert process.returncode == 0, said
    for number, key in enumerate(old):
        (listed,) = root.iam.list_access_keys(UserName=f"{name}-{number}")["AccessKeyMetadata"]
        found = READERS["botocore"](file, [f"{name}-{number}"])
        assert found[0] == listed["AccessKeyId"] != key.access_key
    assert list(folder.iterdir()) == [file] and file.stat().st_mode & 0o777 == 0o600
