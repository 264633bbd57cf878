//! Attempts with inactive keys, and sessions that keys minted.

use keywright_base::Secret;

use crate::testing::{Bench, Keys};

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

#[test]
fn keys_of_others_are_not_told_about() {
    let bench = Bench::new();
    let keys = bench.user("bob", &[]);
    let foreign = "AKIARZPUZDIKGB2VALC4";
    for list in ["ListAccessKeyAttempts", "ListAccessKeySessions"] {
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
