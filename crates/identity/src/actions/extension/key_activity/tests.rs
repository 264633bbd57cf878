//! Attempts with inactive keys, and sessions issued by keys.

use keywright_base::{AccessKeyId, Secret, limits};
use keywright_store::contract::{IssuedSession, SESSIONS_PER_KEY};
use keywright_wire::Service;

use crate::{
    state::{AccountSettings, CredentialOwner},
    testing::{ACCOUNT, TestInstallation, TestKeys},
};

fn deactivate(bench: &TestInstallation, user: &str, key: &TestKeys) {
    let form = format!(
        "Action=UpdateAccessKey&UserName={user}&AccessKeyId={}&Status=Inactive",
        key.id
    );
    bench.root(&form).ok();
}

fn mint(bench: &TestInstallation, keys: &TestKeys, secs: u32) -> TestKeys {
    let form = format!("Action=GetSessionToken&DurationSeconds={secs}");
    let answer = bench.call(keys, &form);
    TestKeys {
        id: answer.value("AccessKeyId"),
        secret: Secret::new(answer.value("SecretAccessKey")),
        token: Some(Secret::new(answer.value("SessionToken"))),
    }
}

#[test]
fn sessions_are_listed_until_they_end() {
    let mut bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let (short, long) = (mint(&bench, &keys, 900), mint(&bench, &keys, 3600));
    deactivate(&bench, "bob", &keys);
    bench.reopen();
    let list = format!("Action=ListAccessKeySessions&AccessKeyId={}", keys.id);
    let listed = bench.root(&list);
    assert_eq!(listed.values("AccessKeyId")[1..], [&*long.id, &*short.id]);
    assert_eq!(listed.values("Action"), ["sts:GetSessionToken"; 2]);
    let arn = "arn:aws:iam::123456789012:user/bob";
    assert_eq!(listed.values("PrincipalArn"), [arn; 2]);
    for session in [&short, &long] {
        bench.call(session, "Action=GetCallerIdentity").ok();
    }
    bench.pass(900);
    let listed = bench.root(&list);
    assert_eq!(listed.values("AccessKeyId")[1..], [&*long.id]);
    let ended = bench.call(&short, "Action=GetCallerIdentity");
    assert_eq!(ended.code(), Some("ExpiredToken"));
    bench.call(&long, "Action=GetCallerIdentity").ok();
}

#[test]
fn sessions_end_by_the_key_that_minted_them() {
    let mut bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let other = bench.key("bob");
    let (leaked, theirs) = (mint(&bench, &keys, 3600), mint(&bench, &other, 3600));
    let end = format!("Action=EndAccessKeySessions&AccessKeyId={}", keys.id);
    assert_eq!(bench.call(&keys, &end).code(), Some("AccessDenied"));
    let works =
        |bench: &TestInstallation, keys| bench.call(keys, "Action=GetCallerIdentity").is_success();
    assert!(works(&bench, &leaked));
    bench.root(&end).ok();
    for _ in 0..2 {
        let refused = bench.call(&leaked, "Action=GetCallerIdentity");
        assert_eq!(refused.code(), Some("InvalidClientTokenId"));
        assert!(works(&bench, &theirs) && works(&bench, &keys));
        let list = format!("Action=ListAccessKeySessions&AccessKeyId={}", keys.id);
        assert_eq!(bench.root(&list).values("AccessKeyId").len(), 1);
        bench.reopen();
    }
    bench.pass(1);
    let later = mint(&bench, &keys, 3600);
    assert!(
        works(&bench, &later),
        "what is minted later is none of them"
    );

    // The sessions of a deleted key can be ended too.
    let delete = "Action=DeleteAccessKey&UserName=bob&AccessKeyId=";
    bench.root(&format!("{delete}{}", keys.id)).ok();
    assert!(works(&bench, &later), "here as on AWS");
    bench.root(&end).ok();
    assert!(!works(&bench, &later));
}

/// The record per owner is short, but a session never survives for lack of space.
#[test]
fn ended_sessions_have_room_for_every_owner() {
    let bench = TestInstallation::new();
    for name in ["ann", "bob"] {
        bench.user(name, &[]);
    }
    let account = ACCOUNT.parse().unwrap();
    let cell = bench.identity().ledger().account(account).unwrap();
    let owner = |name: &str| CredentialOwner::User(cell.snapshot().user(name).unwrap().id);
    let (ann, bob) = (Some(owner("ann")), Some(owner("bob")));
    let (now, entropy) = (bench.now(), &*bench.identity().entropy);
    let key = || AccessKeyId::generate_temporary(account, entropy);
    let of_bob = key();
    let mut settings = AccountSettings::default().with_ended_sessions(of_bob, bob, now);
    let first = key();
    settings = settings.with_ended_sessions(first, ann, now);
    for _ in 1..limits::ENDED_KEYS_PER_OWNER {
        settings = settings.with_ended_sessions(key(), ann, now);
    }
    let other = key();
    assert!(!settings.ended_sessions.has_ended(Some(other), ann, now));
    settings = settings.with_ended_sessions(key(), ann, now);
    // Now all of hers are ended, and no others.
    for key in [first, other] {
        assert!(settings.ended_sessions.has_ended(Some(key), ann, now));
        assert!(
            !settings
                .ended_sessions
                .has_ended(Some(key), ann, now.plus_secs(1))
        );
    }
    assert!(settings.ended_sessions.has_ended(Some(of_bob), bob, now));
    assert!(!settings.ended_sessions.has_ended(Some(other), bob, now));
    // Sessions of earlier versions record neither the key that issued them nor its owner.
    assert!(settings.ended_sessions.has_ended(None, None, now));
    assert!(settings.ended_sessions.has_ended(Some(other), None, now));
    assert!(
        !settings
            .ended_sessions
            .has_ended(None, None, now.plus_secs(1))
    );
    // Sessions that have expired are dropped from the record.
    let later = now.plus_secs(limits::SESSION_SECS + 1);
    let over = settings.with_ended_sessions(other, bob, later);
    assert!(!over.ended_sessions.has_ended(Some(of_bob), bob, now));
    for _ in 0..=limits::ENDED_KEYS_WITHOUT_OWNER {
        settings = settings.with_ended_sessions(key(), None, now);
    }
    assert!(settings.ended_sessions.has_ended(Some(other), bob, now));
}

/// A user with permission to end sessions can neither end root's nor keep others from ending
/// theirs.
#[test]
fn only_root_ends_the_sessions_of_roots_keys() {
    let mut bench = TestInstallation::new();
    let admin = bench.user("admin", &["AdministratorAccess"]);
    let form = format!("Action=EndAccessKeySessions&AccessKeyId={}", bench.root.id);
    bench.call(&admin, &form).refused(
        "AccessDenied",
        "Only the root user can end the sessions of its own access keys.",
    );
    let ann = bench.user("ann", &[]);
    let session = TestKeys::of(&bench.call(&ann, "Action=GetSessionToken"));
    for _ in 0..=limits::ENDED_KEYS_PER_OWNER {
        let key = bench.key("ann");
        let end = format!("Action=EndAccessKeySessions&AccessKeyId={}", key.id);
        bench.call(&admin, &end).ok();
        let delete = format!("Action=DeleteAccessKey&UserName=ann&AccessKeyId={}", key.id);
        bench.root(&delete).ok();
    }
    // Beyond the limit for one owner, all of its sessions end; also after a restart.
    assert!(
        bench
            .caller(&session, Service::Sts, "Action=GetCallerIdentity")
            .is_err()
    );
    bench.reopen();
    assert!(
        bench
            .caller(&session, Service::Sts, "Action=GetCallerIdentity")
            .is_err()
    );
    bench.root(&form).ok();
}

/// AWS records the first use within a quarter of an hour; this record has the last use, also after
/// a restart.
#[test]
fn the_last_use_is_known_to_the_second() {
    let mut bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let exact = format!("Action=GetAccessKeyUse&AccessKeyId={}", keys.id);
    let coarse = format!("Action=GetAccessKeyLastUsed&AccessKeyId={}", keys.id);
    let never = bench.root(&exact);
    assert!(!never.ok().contains("LastUsedDate"), "{}", never.ok());
    let first = bench.now().truncate_to_secs();
    let _ = bench.call(&keys, "Action=ListUsers");
    bench.pass(20);
    let _ = bench.call(&keys, "Action=ListUsers");
    let last = first.plus_secs(20);
    for _ in 0..2 {
        let known = bench.root(&exact);
        assert_eq!(known.value("LastUsedDate"), last.iso8601());
        assert_eq!(known.value("ConsumerLastUsedDate"), last.iso8601());
        assert_eq!(known.value("ConsumerServiceName"), "iam");
        assert_eq!(bench.root(&coarse).value("LastUsedDate"), first.iso8601());
        bench.reopen();
    }
    let gone = format!(
        "Action=DeleteAccessKey&UserName=bob&AccessKeyId={}",
        keys.id
    );
    bench.root(&gone).ok();
    assert!(!bench.root(&exact).is_success() || !bench.root(&exact).ok().contains("LastUsed"));
}

#[test]
fn keys_of_others_are_not_disclosed() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let foreign = "AKIARZPUZDIKGB2VALC4";
    for list in [
        "ListAccessKeyAttempts",
        "ListAccessKeySessions",
        "EndAccessKeySessions",
        "GetAccessKeyUse",
    ] {
        let own = format!("Action={list}&AccessKeyId={}", keys.id);
        assert_eq!(bench.call(&keys, &own).code(), Some("AccessDenied"));
        for id in ["AKIAIOSFODNN7EXAMPLE", foreign] {
            let refused = bench.root(&format!("Action={list}&AccessKeyId={id}"));
            // The second names this account but was never created.
            let known = id == foreign;
            assert_eq!(refused.is_success(), known, "{list} {id}");
        }
    }
}

#[test]
fn sessions_come_in_pages_and_are_not_without_end() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    for _ in 0..5 {
        bench.call(&keys, "Action=GetSessionToken").ok();
    }
    let list = format!(
        "Action=ListAccessKeySessions&AccessKeyId={}&MaxItems=2",
        keys.id
    );
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = bench.root(&format!("{list}{marker}"));
        seen.extend(page.values("AccessKeyId").into_iter().skip(1));
        if page.value("IsTruncated") == "false" {
            break;
        }
        marker = format!("&Marker={}", page.value("Marker"));
    }
    seen.dedup();
    assert_eq!(seen.len(), 5, "{seen:?}");
    let now = bench.now();
    let identity = bench.identity();
    let (store, entropy) = (&identity.store, &*identity.entropy);
    let fill = (5..SESSIONS_PER_KEY).map(|_| {
        let session = IssuedSession {
            key: AccessKeyId::generate_temporary(ACCOUNT.parse().unwrap(), entropy),
            source: keys.id.parse().unwrap(),
            owner: None,
            principal: "bob".to_owned(),
            action: "sts:GetSessionToken".to_owned(),
            issued: now,
            expires: now.plus_secs(900),
        };
        store.record_session(session, None)
    });
    let fill: Vec<_> = fill.collect();
    for recorded in fill {
        assert!(bench.block_on(recorded).unwrap());
    }
    let text = format!("Cannot exceed quota for SessionsPerAccessKey: {SESSIONS_PER_KEY}");
    bench
        .call(&keys, "Action=GetSessionToken")
        .refused("LimitExceeded", &text);
    // Another key of the same user has its own sessions, and expired ones make room.
    let other = bench.key("bob");
    bench.call(&other, "Action=GetSessionToken").ok();
    // GetSessionToken needs no permission, so it must not keep the program from its role.
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/bob"}}}}}}"#
    );
    let role = format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}");
    bench.root(&role).ok();
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let assume = format!("Action=AssumeRole&RoleArn={arn}&RoleSessionName=s1");
    bench.call(&keys, &assume).ok();
    let end = format!("Action=EndAccessKeySessions&AccessKeyId={}", keys.id);
    bench.root(&end).ok();
    bench.pass(1);
    bench.call(&keys, "Action=GetSessionToken").ok();
    bench.call(&keys, &assume).ok();
    let listed = bench.root(&format!(
        "Action=ListAccessKeySessions&AccessKeyId={}",
        keys.id
    ));
    assert_eq!(listed.values("Action").len(), 2);
}

/// Whoever looks for what a leak has left must see every session that is still accepted.
#[test]
fn sessions_of_a_deleted_key_are_listed_whatever_others_have_ended() {
    let bench = TestInstallation::new();
    bench.user("ann", &[]);
    let bob = bench.user("bob", &[]);
    let session = mint(&bench, &bob, 3600);
    let delete = |user: &str, id: &str| {
        let form = format!("Action=DeleteAccessKey&UserName={user}&AccessKeyId={id}");
        bench.root(&form).ok();
    };
    let end = |id: &str| bench.root(&format!("Action=EndAccessKeySessions&AccessKeyId={id}"));
    for _ in 0..=limits::ENDED_KEYS_PER_OWNER {
        let key = bench.key("ann");
        end(&key.id).ok();
        delete("ann", &key.id);
    }
    delete("bob", &bob.id);
    let list = format!("Action=ListAccessKeySessions&AccessKeyId={}", bob.id);
    let listed = || bench.root(&list).values("AccessKeyId").split_off(1);
    bench.call(&session, "Action=GetCallerIdentity").ok();
    assert_eq!(listed(), [&*session.id]);
    end(&bob.id).ok();
    let ended = bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(ended.code(), Some("InvalidClientTokenId"));
    assert_eq!(listed(), Vec::<String>::new());
}
