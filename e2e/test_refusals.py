"""Who is refused, with AWS's exact codes and texts, as the bytes on the wire say it."""

import datetime
import json

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from conftest import clients
from harness.clients import Credentials, client, key_of
from harness.keywright import Keywright
from harness.wire import Connection, form, minutes_from_now, presign, send, sign

UNKNOWN = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NO_SUCH_TOKEN = (
    403,
    "InvalidClientTokenId",
    "The security token included in the request is invalid.",
)
NO_SUCH_KEY = (
    403,
    "InvalidAccessKeyId",
    "The AWS Access Key Id you provided does not exist in our records.",
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your {} and signing method."
)
FULL = MISMATCH.format("AWS Secret Access Key") + " Consult the service documentation for details."


def identity(server):
    return form(server, "sts", "GetCallerIdentity")


def buckets(server):
    return AWSRequest("GET", f"{server.endpoint}/")


def stamp(at: datetime.datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def test_no_credentials(server):
    missing = (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    assert send(server, identity(server)).error("sts") == missing
    assert send(server, form(server, "iam", "ListUsers")).error("iam") == missing
    anonymous = send(server, buckets(server)).error("s3")
    assert anonymous == (403, "AccessDenied", "Access Denied")
    # This one is called without any; its parameters are missing.
    saml = send(server, form(server, "sts", "AssumeRoleWithSAML"))
    assert saml.error("sts")[:2] == (400, "ValidationError")


def test_unknown_key(server):
    assert send(server, sign(identity(server), UNKNOWN, "sts")).error("sts") == NO_SUCH_TOKEN
    assert (
        send(server, sign(form(server, "iam", "ListUsers"), UNKNOWN, "iam")).error("iam")
        == NO_SUCH_TOKEN
    )
    refused = send(server, sign(buckets(server), UNKNOWN, "s3"))
    assert refused.error("s3") == NO_SUCH_KEY
    assert refused.element("AWSAccessKeyId") == UNKNOWN.access_key


def test_wrong_secret(server):
    wrong = Credentials(server.root.access_key, UNKNOWN.secret_key)
    refused = send(server, sign(identity(server), wrong, "sts")).error("sts")
    assert refused == (403, "SignatureDoesNotMatch", FULL)
    refused = send(server, sign(buckets(server), wrong, "s3"))
    assert refused.error("s3") == (403, "SignatureDoesNotMatch", MISMATCH.format("key"))
    assert refused.element("StringToSign").startswith("AWS4-HMAC-SHA256\n")


def test_a_key_is_refused_from_the_next_request_on_over_an_open_connection(
    server, root, new_user, name
):
    key = new_user("AmazonS3FullAccess")
    with Connection(server) as connection:
        assert connection.send(sign(identity(server), key, "sts")).status == 200
        assert connection.send(sign(buckets(server), key, "s3")).status == 200
        root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")
        assert connection.send(sign(identity(server), key, "sts")).error("sts") == NO_SUCH_TOKEN
        assert connection.send(sign(buckets(server), key, "s3")).error("s3") == NO_SUCH_KEY
        root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Active")
        assert connection.send(sign(identity(server), key, "sts")).status == 200
        root.iam.delete_access_key(UserName=name, AccessKeyId=key.access_key)
        assert connection.send(sign(identity(server), key, "sts")).error("sts") == NO_SUCH_TOKEN


@pytest.mark.parametrize("minutes", [-16, 16])
def test_dates_that_are_off(server, minutes):
    at = minutes_from_now(minutes)
    status, code, text = send(server, sign(identity(server), server.root, "sts", at=at)).error(
        "sts"
    )
    assert (status, code) == (403, "SignatureDoesNotMatch")
    words = (
        "Signature expired: {} is now earlier than"
        if minutes < 0
        else "Signature not yet current: {} is still later than"
    )
    assert text.startswith(words.format(stamp(at)))
    assert text.endswith("- 15 min.)" if minutes < 0 else "+ 15 min.)")
    refused = send(server, sign(buckets(server), server.root, "s3", at=at))
    assert refused.error("s3") == (
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    )
    assert refused.element("MaxAllowedSkewMilliseconds") == "900000"


def test_dates_that_are_almost_off(server):
    for minutes in (-14, 14):
        at = minutes_from_now(minutes)
        assert send(server, sign(identity(server), server.root, "sts", at=at)).status == 200


def test_another_service_or_region_in_the_scope(server):
    for service, region, text in [
        ("ec2", "us-east-1", "Credential should be scoped to correct service: 'sts'."),
        ("sts", "mars-1", "Credential should be scoped to a valid region, not 'mars-1'."),
    ]:
        refused = send(server, sign(identity(server), server.root, service, region)).error("sts")
        assert refused == (403, "SignatureDoesNotMatch", text)


def test_s3_names_the_region_that_it_expects(server, root, name):
    root.s3.create_bucket(Bucket=name)
    request = AWSRequest("GET", f"{server.endpoint}/{name}")
    refused = send(server, sign(request, server.root, "s3", "eu-west-1"))
    assert refused.error("s3") == (
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'",
    )
    assert refused.element("Region") == "us-east-1"


def test_presigned_urls(server, root, name):
    root.s3.create_bucket(Bucket=name)
    root.s3.put_object(Bucket=name, Key="k", Body=b"hello")
    url = f"{server.endpoint}/{name}/k"
    fresh = send(server, presign(AWSRequest("GET", url), server.root, 60))
    assert (fresh.status, fresh.body) == (200, b"hello")
    late = presign(AWSRequest("GET", url), server.root, 60, at=minutes_from_now(-10))
    assert send(server, late).error("s3") == (403, "AccessDenied", "Request has expired")
    other = presign(AWSRequest("GET", url), server.root, 60)
    other.url = other.url.replace("/k?", "/other?")
    assert send(server, other).error("s3")[1] == "SignatureDoesNotMatch"
    unsigned = presign(AWSRequest("PUT", f"{server.endpoint}/{name}/copy"), server.root, 60)
    unsigned.headers["x-amz-copy-source"] = f"{name}/k"
    refused = send(server, unsigned)
    assert refused.error("s3") == (
        403,
        "AccessDenied",
        "There were headers present in the request which were not signed",
    ), "a header that was not signed is not obeyed"
    assert refused.element("HeadersNotSigned") == "x-amz-copy-source"
    assert "Contents" in root.s3.list_objects_v2(Bucket=name, Prefix="k")
    assert "Contents" not in root.s3.list_objects_v2(Bucket=name, Prefix="copy")


def test_signature_version_2_is_told_how_to_become_4(server, root, name):
    """In the header; in queries it is taken, see test_presigned.py."""
    header = AWSRequest("GET", f"{server.endpoint}/{name}")
    header.headers["Authorization"] = f"AWS {server.root.access_key}:c2lnbmF0dXJl"
    status, code, text = send(server, header).error("s3")
    assert (status, code) == (400, "InvalidRequest")
    assert "s3v4" in text, text


def test_session_tokens(server, root, new_user, name):
    key = new_user("AmazonS3FullAccess")
    mine = clients(server, key)
    session = key_of(mine.sts.get_session_token(DurationSeconds=900))
    assert send(server, sign(identity(server), session, "sts")).status == 200
    assert send(server, sign(buckets(server), session, "s3")).status == 200
    refused = send(server, sign(form(server, "iam", "GetUser"), session, "iam")).error("iam")
    assert refused == NO_SUCH_TOKEN, "IAM wants a multi-factor code for such credentials"
    bare = session._replace(token=None)
    garbled = session._replace(token="AAAA" + session.token[4:])
    foreign = key_of(root.sts.get_session_token(DurationSeconds=900))._replace(token=session.token)
    for wrong in (bare, garbled, foreign):
        assert send(server, sign(identity(server), wrong, "sts")).error("sts") == NO_SUCH_TOKEN
    root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")
    assert send(server, sign(identity(server), session, "sts")).status == 200, "as on AWS"


def test_denied(server, root, new_user, name):
    key = new_user()
    mine = clients(server, key)
    arn = f"arn:aws:iam::{server.account}:user/{name}"
    root.s3.create_bucket(Bucket=name)
    for call, action, resource in [
        (lambda: mine.iam.list_users(), "iam:ListUsers", f"arn:aws:iam::{server.account}:user/"),
        (lambda: mine.iam.get_user(UserName="nobody"), "iam:GetUser", "user nobody"),
        (lambda: mine.iam.create_access_key(), "iam:CreateAccessKey", f"user {name}"),
        (lambda: mine.iam.get_account_summary(), "iam:GetAccountSummary", "*"),
        (
            lambda: mine.s3.put_object(Bucket=name, Key="k", Body=b""),
            "s3:PutObject",
            f'"arn:aws:s3:::{name}/k"',
        ),
    ]:
        with pytest.raises(Exception) as refused:
            call()
        error = refused.value.response["Error"]
        assert error["Code"] == "AccessDenied"
        assert error["Message"] == (
            f"User: {arn} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action"
        )
    # An explicit deny says where it stands.
    deny = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:*","Resource":"*"}}'
    root.iam.put_user_policy(UserName=name, PolicyName="no", PolicyDocument=deny)
    with pytest.raises(Exception) as refused:
        mine.iam.list_users()
    assert refused.value.response["Error"]["Message"].endswith(
        "with an explicit deny in an identity-based policy"
    )
    assert mine.sts.get_caller_identity()["Arn"] == arn, "which needs no permission"


def test_attempts_with_an_inactive_key_are_counted(server, root, new_user, name):
    key = new_user()
    root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")
    wrong = Credentials(key.access_key, UNKNOWN.secret_key)
    for who in (key, key, wrong):
        assert send(server, sign(identity(server), who, "sts")).status == 403
    used = root.iam.get_access_key_last_used(AccessKeyId=key.access_key)["AccessKeyLastUsed"]
    assert "LastUsedDate" not in used, "an attempt is no use"
    attempts = form(server, "sts", "ListAccessKeyAttempts", AccessKeyId=key.access_key)
    attempts.data = attempts.data.replace(b"2011-06-15", b"2026-11-24")
    answer = send(server, sign(attempts, server.root, "keywright"))
    assert answer.status == 200, answer.body
    assert b"<Total>2</Total>" in answer.body, "the wrongly signed one leaves no trace"
    assert b"<SourceAddress>127.0.0.1</SourceAddress>" in answer.body


def test_attempts_are_a_table_and_those_of_no_key_an_error(server, root, new_user, name, tmp_path):
    key = new_user()
    keywright = Keywright(tmp_path / "home", server.endpoint, server.root)
    none = keywright.run("keys", "attempts", key.access_key)
    assert (none.returncode, none.stdout) == (0, ""), none.stderr
    assert "no attempts to use this key" in none.stderr
    root.iam.update_access_key(UserName=name, AccessKeyId=key.access_key, Status="Inactive")
    with pytest.raises(ClientError):
        client("sts", server.endpoint, key, user_agent_extra="x" * 200).get_caller_identity()
    # A listing may miss what the server is writing at this moment.
    tables = (keywright.run("keys", "attempts", key.access_key).stdout for _ in range(10))
    table = next(filter(None, tables)).splitlines()
    assert len(table) == 2 and max(map(len, table)) < 160 and table[1].endswith("…"), table
    whole = json.loads(keywright.run("keys", "attempts", key.access_key, "--json").stdout)
    assert "x" * 20 in whole["Attempts"][0]["UserAgent"], "JSON has what the table leaves out"
    for listing in ("attempts", "sessions"):
        unknown = keywright.run("keys", listing, f"{key.access_key[:-1]}2")
        assert unknown.returncode == 1 and "no such key: " in unknown.stderr, unknown
