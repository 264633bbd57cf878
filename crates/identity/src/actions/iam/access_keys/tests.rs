//! Access keys from creation to deletion, and the reports of their last use.

use keywright_base::limits;

use crate::{
    testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse},
    view::SignedContext,
};

const CREATE: &str = "Action=CreateAccessKey&UserName=bob";

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    bench
}

fn set(bench: &TestInstallation, by: &TestKeys, key: &str, status: &str) -> TestResponse {
    let form = format!("Action=UpdateAccessKey&AccessKeyId={key}&Status={status}");
    bench.call(by, &form)
}

/// Creates a key with an idempotency token.
fn create_with(bench: &TestInstallation, by: &TestKeys, form: &str, token: &str) -> TestResponse {
    bench.call_with(by, form, |facts| {
        facts.signed = SignedContext {
            region: "us-east-1",
            idempotency_token: Some(token.to_owned()),
        }
        .into();
    })
}

/// Date, service and region of the last use of a key.
fn last_used(bench: &TestInstallation, key: &str) -> (Option<String>, String, String) {
    let form = format!("Action=GetAccessKeyLastUsed&AccessKeyId={key}");
    let answer = bench.root(&form);
    let date = answer.values("LastUsedDate").into_iter().next();
    (date, answer.value("ServiceName"), answer.value("Region"))
}

#[test]
fn a_key_has_the_form_of_aws() {
    let bench = bench();
    let made = bench.root("Action=CreateAccessKey&UserName=BOB");
    assert_eq!(made.value("UserName"), "bob", "as it is spelled");
    assert_eq!(made.value("Status"), "Active");
    assert_eq!(made.value("CreateDate"), bench.now().iso8601());
    let (id, secret) = (made.value("AccessKeyId"), made.value("SecretAccessKey"));
    assert_eq!((id.len(), id.starts_with("AKIA")), (20, true));
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    assert_eq!(secret.len(), 40);
    assert!(secret.bytes().all(base64), "no padding, no other letters");
    let info = bench.root(&format!("Action=GetAccessKeyInfo&AccessKeyId={id}"));
    assert_eq!(info.value("Account"), ACCOUNT, "the id carries it");
    let listed = bench.root("Action=ListAccessKeys&UserName=bob");
    assert_eq!(listed.values("AccessKeyId"), [id]);
    assert!(!listed.ok().contains(&secret), "it is returned only once");
}

#[test]
fn a_key_may_change_and_delete_itself_and_no_other_users() {
    let bench = TestInstallation::new();
    let bob = bench.user("bob", &["IAMFullAccess"]);
    let eve = bench.user("eve", &["IAMFullAccess"]);
    let missing = format!("The Access Key with id {} cannot be found.", eve.id);
    set(&bench, &bob, &eve.id, "Inactive").refused("NoSuchEntity", &missing);
    let expired = set(&bench, &bob, &bob.id, "Expired");
    assert_eq!(expired.code(), Some("InvalidInput"));
    for _ in 0..2 {
        set(&bench, &bob, &bob.id, "Active").ok();
    }
    let delete = format!("Action=DeleteAccessKey&AccessKeyId={}", bob.id);
    bench.call(&bob, &delete).ok();
    let gone = bench.call(&bob, "Action=GetCallerIdentity");
    assert_eq!(gone.code(), Some("InvalidClientTokenId"));
    set(&bench, &eve, &eve.id, "Inactive").ok();
    let inactive = set(&bench, &eve, &eve.id, "Active");
    assert_eq!(inactive.code(), Some("InvalidClientTokenId"));
}

#[test]
fn inactive_keys_count_and_root_has_two_as_well() {
    let bench = bench();
    let first = bench.key("bob");
    let update = format!(
        "Action=UpdateAccessKey&UserName=bob&AccessKeyId={}&Status=Inactive",
        first.id
    );
    bench.root(&update).ok();
    bench.key("bob");
    bench.root("Action=CreateAccessKey").ok();
    let full = "Cannot exceed quota for AccessKeysPerUser: 2";
    for form in [CREATE, "Action=CreateAccessKey"] {
        bench.root(form).refused("LimitExceeded", full);
    }
}

#[test]
fn the_same_token_gives_the_same_key_for_fifteen_minutes() {
    let mut bench = bench();
    let admin = bench.user("admin", &["IAMFullAccess"]);
    let root = bench.root.clone();
    let pair =
        |answer: &TestResponse| (answer.value("AccessKeyId"), answer.value("SecretAccessKey"));
    let first = pair(&create_with(&bench, &root, CREATE, "t"));
    bench.pass(limits::IDEMPOTENCY_MINUTES * 60 - 1);
    bench.reopen();
    assert_eq!(pair(&create_with(&bench, &root, CREATE, "t")), first);
    // Another token, another caller, another user: another key.
    let other = pair(&create_with(&bench, &admin, CREATE, "t"));
    assert_ne!(other.0, first.0);
    let own = create_with(&bench, &root, "Action=CreateAccessKey", "t");
    assert!(own.is_success() && pair(&own).0 != first.0);
    let full = create_with(&bench, &root, CREATE, "u");
    assert_eq!(full.code(), Some("LimitExceeded"));
    // A token does not bypass authorization.
    let stranger = bench.user("eve", &[]);
    let denied = create_with(&bench, &stranger, CREATE, "t");
    assert_eq!(denied.code(), Some("AccessDenied"));
    bench.pass(1);
    let late = create_with(&bench, &root, CREATE, "t");
    assert_eq!(late.code(), Some("LimitExceeded"), "it is a new request");
}

#[test]
fn what_is_no_idempotency_token() {
    let bench = bench();
    for token in [
        "",
        "a b",
        "é",
        &"t".repeat(limits::IDEMPOTENCY_TOKEN_CHARS + 1),
    ] {
        let answer = create_with(&bench, &bench.root, CREATE, token);
        assert_eq!(answer.code(), Some("ValidationError"), "{token}");
    }
    let keys = bench.root("Action=ListAccessKeys&UserName=bob");
    assert_eq!(keys.values("AccessKeyId"), Vec::<String>::new());
}

#[test]
fn the_first_use_inside_each_window_is_reported() {
    let mut bench = bench();
    let keys = bench.key("bob");
    let never = (None, "N/A".to_owned(), "N/A".to_owned());
    let wrong = TestKeys {
        secret: keywright_base::Secret::new("not the secret".to_owned()),
        ..keys.clone()
    };
    assert!(!bench.call(&wrong, "Action=GetCallerIdentity").is_success());
    assert_eq!(last_used(&bench, &keys.id), never, "nothing was proven");
    // A denied request counts as a use: its signature was valid.
    let denied = bench.call(&keys, "Action=ListUsers");
    assert_eq!(denied.code(), Some("AccessDenied"));
    let payload = |at: String, service: &str| {
        let region = "us-east-1".to_owned();
        (Some(at), service.to_owned(), region)
    };
    let first = payload(bench.now().iso8601(), "iam");
    for secs in [0, 15 * 60 - 1] {
        bench.pass(secs);
        bench.call(&keys, "Action=GetCallerIdentity").ok();
        assert_eq!(last_used(&bench, &keys.id), first, "the window is open");
    }
    bench.pass(1);
    bench.call(&keys, "Action=GetCallerIdentity").ok();
    let second = payload(bench.now().iso8601(), "sts");
    assert_eq!(last_used(&bench, &keys.id), second);
    bench.reopen();
    assert_eq!(last_used(&bench, &keys.id), second);
    let answer = bench.root(&format!(
        "Action=GetAccessKeyLastUsed&AccessKeyId={}",
        keys.id
    ));
    assert_eq!(answer.value("UserName"), "bob");
}

#[test]
fn a_renamed_user_keeps_everything() {
    let mut bench = bench();
    let keys = bench.key("bob");
    let id = bench.root("Action=GetUser&UserName=bob").value("UserId");
    let rename = "Action=UpdateUser&UserName=bob&NewUserName=Robert&NewPath=%2Fteam%2F";
    bench.root(rename).ok();
    bench.reopen();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team/Robert");
    let identity = bench.call(&keys, "Action=GetCallerIdentity");
    assert_eq!((identity.value("Arn"), identity.value("UserId")), (arn, id));
    let listed = bench.root("Action=ListAccessKeys&UserName=robert");
    assert_eq!(listed.value("UserName"), "Robert");
    bench
        .root("Action=GetUser&UserName=bob")
        .refused("NoSuchEntity", "The user with name bob cannot be found.");
}
