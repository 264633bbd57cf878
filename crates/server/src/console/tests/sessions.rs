//! What a session can do, and everything that ends it.

use serde_json::{Value, json};

use super::bench::{ACCOUNT, Ask, Bench, HOUR_SECS, get, post, who};

const PASSWORD: &str = "Correct-horse-7";

async fn state(bench: &Bench, cookie: &str) -> String {
    let ask = get("GET /console/api/session").with("cookie", cookie);
    let json = bench.ask(ask).await.json();
    json["state"].as_str().unwrap().to_owned()
}

async fn credentials(bench: &Bench, cookie: &str) -> Value {
    let answer = bench
        .ask(post("credentials", "{}").with("cookie", cookie))
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

#[tokio::test]
async fn credentials_are_the_users_own_and_end_with_the_session() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, false, &["IAMReadOnlyAccess"])
        .await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    let made = credentials(&bench, &cookie).await;
    assert_eq!(made["expiresAt"], "2026-11-24T08:15:00Z");
    assert!(made["accessKeyId"].as_str().unwrap().starts_with("ASIA"));
    let caller = bench
        .as_session(&made, "Action=GetCallerIdentity")
        .await
        .unwrap();
    assert!(caller.contains(":user/ann</Arn>"), "{caller}");
    // The credentials may call IAM as far as the user may, and stand for the user if none is named.
    let user = bench.as_session(&made, "Action=GetUser").await.unwrap();
    assert!(user.contains("<UserName>ann</UserName>"), "{user}");
    let denied = bench
        .as_session(&made, "Action=CreateUser&UserName=eve")
        .await;
    assert_eq!(denied.unwrap_err().code, "AccessDenied");
    let nested = bench.as_session(&made, "Action=GetSessionToken").await;
    assert_eq!(nested.unwrap_err().code, "AccessDenied");

    let out = bench
        .ask(post("sign-out", "{}").with("cookie", &cookie))
        .await;
    assert_eq!(out.status, 204);
    let gone = "keywright=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict";
    assert_eq!(out.header("set-cookie"), gone);
    assert_eq!(state(&bench, &cookie).await, "signed-out");
    let ended = bench.as_session(&made, "Action=GetUser").await.unwrap_err();
    assert_eq!((ended.status, &*ended.code), (403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn credentials_of_root_manage_roots_own_keys() {
    let bench = Bench::new().await;
    let cookie = bench.sign_in("root", &bench.root_password).await;
    let made = credentials(&bench, &cookie).await;
    let keys = bench
        .as_session(&made, "Action=ListAccessKeys")
        .await
        .unwrap();
    assert_eq!(keys.matches("<AccessKeyId>").count(), 1, "{keys}");
    bench.pass(15 * 60);
    let late = bench.as_session(&made, "Action=ListAccessKeys").await;
    assert_eq!(late.unwrap_err().code, "ExpiredToken");
}

#[tokio::test]
async fn conditions_see_that_no_second_factor_was_given() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*",
        "Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
    let document: String = document
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let form = format!("UserName=ann&PolicyName=p&PolicyDocument={document}");
    bench.root(&format!("Action=PutUserPolicy&{form}")).await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    let made = credentials(&bench, &cookie).await;
    assert!(bench.as_session(&made, "Action=ListUsers").await.is_ok());
}

#[tokio::test]
async fn sessions_end_by_time() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let idle = bench.sign_in("ann", PASSWORD).await;
    bench.pass(HOUR_SECS - 1);
    // Reading the session's state does not keep it alive.
    assert_eq!(state(&bench, &idle).await, "signed-in");
    bench.pass(1);
    assert_eq!(state(&bench, &idle).await, "signed-out");

    let busy = bench.sign_in("ann", PASSWORD).await;
    for _ in 0..22 {
        let made = credentials(&bench, &busy).await;
        bench.pass(10 * 60);
        // A call with the credentials keeps it alive.
        bench
            .as_session(&made, "Action=GetCallerIdentity")
            .await
            .unwrap();
        bench.pass(22 * 60);
    }
    credentials(&bench, &busy).await;
    bench.pass(16 * 60 - 1);
    assert_eq!(state(&bench, &busy).await, "signed-in");
    bench.pass(1);
    assert_eq!(state(&bench, &busy).await, "signed-out");
}

#[tokio::test]
async fn sessions_end_with_their_password() {
    let new = "Battery-staple-8";
    for form in [
        format!("Action=UpdateLoginProfile&UserName=ann&Password={new}"),
        "Action=DeleteLoginProfile&UserName=ann".to_owned(),
    ] {
        let bench = Bench::new().await;
        bench.user("ann", PASSWORD, false, &[]).await;
        let cookie = bench.sign_in("ann", PASSWORD).await;
        let made = credentials(&bench, &cookie).await;
        bench.root(&form).await;
        let ended = bench.as_session(&made, "Action=GetCallerIdentity").await;
        assert_eq!(ended.unwrap_err().code, "InvalidClientTokenId", "{form}");
        assert_eq!(state(&bench, &cookie).await, "signed-out", "{form}");
    }
}

#[tokio::test]
async fn a_change_of_password_ends_the_other_sessions() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, false, &["IAMUserChangePassword"])
        .await;
    let (here, there) = (
        bench.sign_in("ann", PASSWORD).await,
        bench.sign_in("ann", PASSWORD).await,
    );
    let body = json!({"oldPassword": PASSWORD, "newPassword": "Battery-staple-8"});
    let ask = post("password", &body.to_string()).with("cookie", &here);
    let changed = bench.ask(ask).await;
    assert_eq!(state(&bench, &changed.cookie()).await, "signed-in");
    assert_eq!(state(&bench, &here).await, "signed-out");
    assert_eq!(state(&bench, &there).await, "signed-out");
}

#[tokio::test]
async fn a_new_sign_in_ends_the_browsers_last_session() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let first = bench.sign_in("ann", PASSWORD).await;
    let again = post("sign-in", &who(ACCOUNT, "ann", PASSWORD)).with("cookie", &first);
    let second = bench.ask(again).await.cookie();
    assert_eq!(state(&bench, &first).await, "signed-out");
    assert_eq!(state(&bench, &second).await, "signed-in");
}

#[tokio::test]
async fn cookies_are_for_this_host_and_no_script() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let flags = |path: &str, secs: i64, secure: &str| {
        format!("Path={path}; Max-Age={secs};{secure} HttpOnly; SameSite=Strict")
    };
    for (secure, prefix, path) in [(false, "", "/console"), (true, "__Host-", "/")] {
        let over = |ask: Ask| if secure { ask.over_tls() } else { ask };
        let answer = bench
            .ask(over(post("sign-in", &who(ACCOUNT, "ann", PASSWORD))))
            .await;
        let sets: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        let mark = if secure { " Secure;" } else { "" };
        for (set, (name, secs)) in sets.iter().zip([
            ("keywright", 12 * HOUR_SECS),
            ("keywright-browser", 180 * 24 * HOUR_SECS),
        ]) {
            let (pair, got) = set.to_str().unwrap().split_once("; ").unwrap();
            let (got_name, _) = pair.split_once('=').unwrap();
            let expected = (format!("{prefix}{name}"), flags(path, secs, mark));
            assert_eq!((got_name.to_owned(), got.to_owned()), expected);
        }
        assert_eq!(sets.len(), 2);
        let pair = answer.cookie();
        let state = async |cookie: String| {
            let ask = over(get("GET /console/api/session")).with("cookie", &cookie);
            bench.ask(ask).await.json()["state"].clone()
        };
        assert_eq!(state(format!("other=1; {pair}")).await, "signed-in");
        assert_eq!(state(format!("{pair}x")).await, "signed-out");
        assert_eq!(state(format!("x{pair}")).await, "signed-out");
        // On a plain connection, a man in the middle can plant a cookie without the prefix.
        let (_, value) = pair.split_once('=').unwrap();
        let planted = if secure {
            "keywright"
        } else {
            "__Host-keywright"
        };
        assert_eq!(state(format!("{planted}={value}")).await, "signed-out");
    }
}

#[tokio::test]
async fn presigned_links_are_the_apis() {
    let known = Bench::at("http://127.0.0.1:8788", "https://s3.example.com").await;
    for (bench, expected) in [
        (&Bench::new().await, "http://127.0.0.1:8787"),
        (&known, "https://s3.example.com"),
    ] {
        let cookie = bench.sign_in("root", &bench.root_password).await;
        let made = credentials(bench, &cookie).await;
        assert_eq!(made["endpointUrl"], expected);
    }
}

#[tokio::test]
async fn capabilities_are_the_tables_own() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    let ask = get("GET /console/api/capabilities").with("cookie", &cookie);
    let json = bench.ask(ask).await.json();
    let names = |service: &str| json[service].as_array().unwrap().len();
    let services = ["iam", "sts", "organizations", "keywright"];
    let all: usize = services.map(names).iter().sum();
    assert_eq!(all, keywright_identity::actions::actions().count());
    assert_eq!(names("s3"), keywright_s3::operations().len());
    for (service, name) in [
        ("iam", "CreateUser"),
        ("sts", "GetCallerIdentity"),
        ("keywright", "ListAccessKeyAttempts"),
        ("s3", "CreateBucket"),
        ("actions", "s3:ListAllMyBuckets"),
    ] {
        assert!(
            json[service].as_array().unwrap().contains(&name.into()),
            "{name}"
        );
    }
}
