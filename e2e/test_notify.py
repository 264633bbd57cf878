"""Notices of a fleet: to Slack, Teams, mailboxes and webhooks, once each, also after a restart."""

import hashlib
import hmac
import json
import re
import sqlite3
import ssl

import pytest
import trustme

from harness.receivers import HttpReceiver, MailReceiver
from test_fleet import agent, fleet  # noqa: F401: a fixture

SECRET_PATH = "/services/T0/B0/a-secret-path"


def notify(fleet, *notifiers: str, also: str = ""):
    """Puts notifiers, and other lines, at the top of the fleet file."""
    text = re.sub("^notify = .*$", "", fleet.file.read_text(), flags=re.M)
    fleet.file.write_text(f"notify = {json.dumps(notifiers)}\n{also}\n{text}")


def apply(fleet) -> str:
    """One round; what it said on standard error."""
    done = fleet.keywright.run("rotate", "apply", str(fleet.file))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def journal(fleet, statement: str) -> list:
    """Runs a statement in the journal."""
    file = fleet.home / ".local/state/keywright/rotations.db"
    with sqlite3.connect(file) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def receiver():
    """An HTTP server that is notified."""
    with HttpReceiver() as receiver:
        yield receiver


def test_a_webhook_is_signed(fleet, receiver):
    notify(fleet, f"webhook:{receiver.url}/hook?token=in-the-url")
    said = apply(fleet)
    assert "KEYWRIGHT_WEBHOOK_KEY is not set" in said and "in-the-url" not in said, said
    assert (fleet.home / "worker.env").exists(), "a notifier stops no rotation"
    assert receiver.requests == []

    fleet.keywright.environment["KEYWRIGHT_WEBHOOK_KEY"] = "a shared key"
    journal(fleet, "UPDATE notice_outbox SET not_before = 0")
    apply(fleet)
    assert len(receiver.requests) == 2
    for _, headers, body in receiver.requests:
        at, mac = re.fullmatch(r"t=(\d+),v1=(\w+)", headers["x-keywright-signature"]).groups()
        signed = f"{at}.".encode() + body
        assert hmac.new(b"a shared key", signed, hashlib.sha256).hexdigest() == mac
    notices = {one["UserName"]: one for one in receiver.documents()}
    assert notices["torn"]["Outcome"] == "warning"
    done = notices["worker"]
    assert (done["Outcome"], done["Why"]) == ("over", "Done")
    assert done["OldAccessKeyId"] == fleet.keys["worker"].access_key
    assert done["NewAccessKeyId"] in (fleet.home / "worker.env").read_text()


def test_a_failure_is_tried_again_and_nothing_is_repeated(fleet, receiver):
    fleet.keywright.environment["HOOK"] = receiver.url + SECRET_PATH
    notify(fleet, "slack:env:HOOK")
    receiver.status = 503
    said = apply(fleet)
    assert "slack:env:HOOK: cannot deliver notices" in said and "503" in said, said
    assert "a-secret-path" not in said
    assert (fleet.home / "worker.env").exists(), "a notifier stops no rotation"

    receiver.status = 200
    journal(fleet, "UPDATE notice_outbox SET not_before = 0")
    apply(fleet)
    texts = sorted(document["text"] for document in receiver.documents())
    assert len(texts) == 2
    assert texts[0].startswith("Action needed: torn cannot be rotated\n"), texts
    assert texts[1].startswith("The access key of worker was rotated\n"), texts
    apply(fleet)
    agent(fleet, rounds=2)
    assert len(receiver.requests) == 2, "another process repeats nothing"
    assert journal(fleet, "SELECT count(*) FROM notice_outbox") == [(0,)]
    for file in (fleet.home / ".local/state/keywright").iterdir():
        assert b"a-secret-path" not in file.read_bytes(), file

    # What is over and comes back is said again.
    keys = fleet.iam.list_access_keys(UserName="torn")["AccessKeyMetadata"]
    notify(fleet, "slack:env:HOOK", also='owner_tag = "team"')
    journal(fleet, "DELETE FROM notice_memory WHERE subject = 'user:torn'")
    apply(fleet)
    assert len(keys) == 2 and len(receiver.requests) == 3
    assert "\nOwner: storage\n" in receiver.documents()[-1]["text"]


def test_what_is_wrong_with_an_account_is_said_once_and_hides_nothing(fleet, receiver):
    environment = fleet.keywright.environment
    environment["KEYWRIGHT_WEBHOOK_KEY"] = "a shared key"
    notify(fleet, f"webhook:{receiver.url}/hook")
    apply(fleet)

    def outcomes() -> list:
        return sorted(one["Outcome"] for one in receiver.documents())

    def fails_twice():
        for _ in range(2):
            done = fleet.keywright.run("rotate", "apply", str(fleet.file))
            assert done.returncode == 1, done.stdout

    assert outcomes() == ["over", "warning"]
    good = environment["AWS_SECRET_ACCESS_KEY"]
    environment["AWS_SECRET_ACCESS_KEY"] = "another"
    fails_twice()
    environment["AWS_SECRET_ACCESS_KEY"] = good
    apply(fleet)
    assert outcomes() == ["failed", "over", "warning"], "what was said of a user is still so"

    rule = '\n[[account.rule]]\nusers = ["nobody-there"]\ndeliver = ["dotenv:/x"]\n'
    fleet.file.write_text(fleet.file.read_text() + rule)
    fails_twice()
    assert outcomes() == ["failed", "failed", "over", "warning"]
    whys = [one["Why"] for one in receiver.documents() if one["Outcome"] == "failed"]
    assert whys[1].startswith("no rotation is started: fleet file, line "), whys


def test_one_digest_for_each_channel_and_reminders(fleet, receiver):
    fleet.keywright.environment["HOOK"] = receiver.url + "/slack"
    (fleet.home / "teams.url").write_text(receiver.url + "/teams\n")
    rule = '\n[[account.rule]]\nusers = ["other-team"]\nmax_age = "10d"\ndeliver = ["dotenv:/x"]\n'
    fleet.file.write_text(fleet.file.read_text() + rule)
    digest = 'digest = "round"\nremind = ["14d", "1d"]'
    notify(fleet, "slack:env:HOOK", f"teams:file:{fleet.home}/teams.url", also=digest)
    apply(fleet)
    sent = {path: json.loads(body) for path, _, body in receiver.requests}
    assert len(receiver.requests) == 2 and set(sent) == {"/slack", "/teams"}
    text = sent["/slack"]["text"]
    assert text.startswith("3 notices about access keys, 1 need attention"), text
    for words in (
        "The access key of worker was rotated",
        "torn cannot be rotated",
        "The access key of other-team is due in 10 days",
        "Access keys: " + fleet.keys["worker"].access_key,
    ):
        assert words in text, text
    (card,) = sent["/teams"]["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert "User: other-team" in json.dumps(card)
    apply(fleet)
    assert len(receiver.requests) == 2, "each reminder once"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("kind", ["smtp", "smtps"])
def test_mail_over_tls_to_the_operators_and_the_owner(fleet, tmp_path, kind):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    fleet.iam.tag_user(
        UserName="worker", Tags=[{"Key": "owner", "Value": "alice@example.org"}]
    )
    fleet.iam.tag_user(UserName="torn", Tags=[{"Key": "owner", "Value": "the storage team"}])
    with MailReceiver(context, kind == "smtps", "mailer", "a-mail-password") as receiver:
        notify(
            fleet,
            f"{kind}:127.0.0.1:{receiver.port}?from=keys@example.org&to=ops@example.org"
            "&user=mailer&password=env:MAIL_PASSWORD",
            also='owner_tag = "owner"',
        )
        environment = fleet.keywright.environment
        environment["MAIL_PASSWORD"] = "a-mail-password"
        said = apply(fleet)
        assert receiver.mails == [], "its certificate is not trusted"
        assert "cannot deliver notices" in said and "a-mail-password" not in said, said

        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
        environment["MAIL_PASSWORD"] = "wrong-password"
        journal(fleet, "UPDATE notice_outbox SET not_before = 0")
        said = apply(fleet)
        assert receiver.mails == [] and "cannot deliver notices" in said, said
        assert "wrong-password" not in said

        environment["MAIL_PASSWORD"] = "a-mail-password"
        journal(fleet, "UPDATE notice_outbox SET not_before = 0")
        said = apply(fleet)
        assert "cannot deliver notices" not in said, said
    mails = sorted((to, mail["subject"], mail.get_content()) for to, mail in receiver.mails)
    done = "[Keywright] The access key of worker was rotated"
    assert [(to, subject) for to, subject, _ in mails] == [
        (["alice@example.org"], done),
        (["ops@example.org"], "[Keywright] Action needed: torn cannot be rotated"),
        (["ops@example.org"], done),
    ]
    assert "\nOwner: the storage team\n" in mails[1][2].replace("\r\n", "\n")
    new = re.search("SECRET_ACCESS_KEY=(.*)", (fleet.home / "worker.env").read_text())[1]
    assert all(new not in str(mail) for _, mail in receiver.mails)


def test_an_account_that_cannot_be_reached_is_announced_once(fleet, receiver):
    fleet.keywright.environment["HOOK"] = receiver.url + "/slack"
    notify(fleet, "slack:env:HOOK")
    good = fleet.file.read_text()
    fleet.file.write_text(good.replace(fleet.server.account, "000000000000"))
    for _ in range(2):
        done = fleet.keywright.run("rotate", "apply", str(fleet.file))
        assert done.returncode == 1
    (document,) = receiver.documents()
    assert document["text"].startswith("Account test could not be rotated\n"), document
    assert "000000000000" in document["text"]
