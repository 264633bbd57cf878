//! Attempts with inactive keys, and sessions that keys minted.

use keywright_base::{AccessKeyId, Secret};
use keywright_store::contract::{SESSIONS_PER_KEY, Session};

use crate::testing::{ACCOUNT, Bench, Keys};

fn deactivate(bench: &Bench, user: &str, key: &Keys) {
    let form = format!(
        "Action=UpdateAccessKey&UserName={user}&AccessKeyId={}&Status=Inactive",
        key.id
    );
    bench.root(&form).ok();
}

#[test]
fn sessions_are_listed_until_they_end() {
    let mut bench = Bench::new();
    let keys = bench.user("bob", &[]);
    let mint = |secs: u32| {
        let form = format!("Action=GetSessionToken&DurationSeconds={secs}");
        let answer = bench.call(&keys, &form);
        Keys {
            id: answer.value("AccessKeyId"),
            secret: Secret::new(answer.value("SecretAccessKey")),
            token: Some(Secret::new(answer.value("SessionToken"))),
        }
    };
    let (short, long) = (mint(900), mint(3600));
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

/// AWS's record keeps the first use of a quarter of an hour; this one the last, also after a
/// restart.
#[test]
fn the_last_use_is_known_to_the_second() {
    let mut bench = Bench::new();
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
fn keys_of_others_are_not_told_about() {
    let bench = Bench::new();
    let keys = bench.user("bob", &[]);
    let foreign = "AKIARZPUZDIKGB2VALC4";
    for list in [
        "ListAccessKeyAttempts",
        "ListAccessKeySessions",
        "GetAccessKeyUse",
    ] {
        let own = format!("Action={list}&AccessKeyId={}", keys.id);
        assert_eq!(bench.call(&keys, &own).code(), Some("AccessDenied"));
        for id in ["AKIAIOSFODNN7EXAMPLE", foreign] {
            let refused = bench.root(&format!("Action={list}&AccessKeyId={id}"));
            // The second carries this very account, but was never made.
            let known = id == foreign;
            assert_eq!(refused.is_success(), known, "{list} {id}");
        }
    }
}

#[test]
fn sessions_come_in_pages_and_are_not_without_end() {
    let bench = Bench::new();
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
        store.record_session(Session {
            key: AccessKeyId::generate_temporary(ACCOUNT.parse().unwrap(), entropy),
            source: keys.id.parse().unwrap(),
            principal: "bob".to_owned(),
            action: "sts:GetSessionToken".to_owned(),
            issued: now,
            expires: now.plus_secs(900),
        })
    });
    let fill: Vec<_> = fill.collect();
    for recorded in fill {
        assert!(bench.block_on(recorded).unwrap());
    }
    let text = format!("Cannot exceed quota for SessionsPerAccessKey: {SESSIONS_PER_KEY}");
    bench
        .call(&keys, "Action=GetSessionToken")
        .refused("LimitExceeded", &text);
    // Another key of the same user has its own, and what ends makes room.
    let other = bench.key("bob");
    bench.call(&other, "Action=GetSessionToken").ok();
    bench.pass(900);
    bench.call(&keys, "Action=GetSessionToken").ok();
}
