//! The second step of a sign-in: a user with an MFA device also gives a code.

use serde_json::{Value, json};

use super::bench::{ACCOUNT, Ask, Bench, HOUR_SECS, get, post, who};

const PASSWORD: &str = "Correct-horse-7";

fn sign_in(user: &str, password: &str, code: Option<&str>) -> Ask {
    let mut body: Value = serde_json::from_str(&who(ACCOUNT, user, password)).unwrap();
    if let Some(code) = code {
        body["mfaCode"] = code.into();
    }
    post("sign-in", &body.to_string())
}

/// A user with a device that was enabled some time ago.
async fn with_device() -> (Bench, impl Fn(i64) -> String) {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &["IAMFullAccess"]).await;
    let code = bench.device("ann", "phone").await;
    bench.pass(HOUR_SECS);
    (bench, code)
}

/// A code that is not accepted now.
fn wrong(code: &impl Fn(i64) -> String) -> String {
    let taken: Vec<_> = (-3..=3).map(code).collect();
    let mut all = (0..10).map(|n| format!("{n:06}"));
    all.find(|code| !taken.contains(code)).unwrap()
}

#[tokio::test]
async fn a_code_is_requested_after_the_right_password() {
    let (bench, code) = with_device().await;
    let requested = bench.ask(sign_in("ann", PASSWORD, None)).await;
    let text = "Enter a code of your MFA device to go on.";
    let expected = json!({"code": "MfaRequired", "message": text});
    assert_eq!((requested.status, requested.json()), (401, expected));
    assert_eq!(requested.header("set-cookie"), "");
    let answer = bench.ask(sign_in("ann", PASSWORD, Some(&code(0)))).await;
    assert_eq!((answer.status, &answer.json()["mfa"]), (200, &true.into()));
    // A user without a device is not asked for a code, and a code is ignored.
    bench.user("bob", PASSWORD, false, &[]).await;
    let without = bench.ask(sign_in("bob", PASSWORD, Some("123456"))).await;
    assert_eq!(
        (without.status, &without.json()["mfa"]),
        (200, &Value::Null)
    );
}

#[tokio::test]
async fn what_is_wrong_is_not_disclosed() {
    let (bench, code) = with_device().await;
    let right = code(0);
    bench.ask(sign_in("ann", PASSWORD, Some(&right))).await;
    let fresh = code(1);
    for (password, code) in [
        ("wrong", None),
        ("wrong", Some(fresh.as_str())),
        (PASSWORD, Some(right.as_str())),
        (PASSWORD, Some("12345")),
        (PASSWORD, Some("")),
    ] {
        let answer = bench.ask(sign_in("ann", password, code)).await;
        let text = "Your authentication information is incorrect. Please try again.";
        let expected = json!({"code": "AuthenticationFailed", "message": text});
        assert_eq!((answer.status, answer.json()), (401, expected), "{code:?}");
    }
    // A wrong password does not use up the code.
    assert_eq!(
        bench
            .ask(sign_in("ann", PASSWORD, Some(&fresh)))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn wrong_codes_make_a_name_wait() {
    let (bench, code) = with_device().await;
    let ask = |code: Option<String>| {
        let ask = sign_in("ann", PASSWORD, code.as_deref());
        async { bench.ask(ask).await.code() }
    };
    let wrong = || ask(Some(wrong(&code)));
    // The first step counts as well, otherwise it could be repeated without limit.
    assert_eq!(ask(None).await.1, "MfaRequired");
    for _ in 0..5 {
        assert_eq!(wrong().await.1, "AuthenticationFailed");
    }
    let waiting = (429, "TooManyAttempts".to_owned());
    assert_eq!(ask(Some(code(0))).await, waiting);
    assert_eq!(ask(None).await, waiting);
    bench.pass(1);
    assert_eq!(ask(Some(code(0))).await.0, 200);
    // A successful sign-in resets the count.
    assert_eq!(wrong().await.1, "AuthenticationFailed");
    assert_eq!(ask(Some(code(1))).await.0, 200);
}

#[tokio::test]
async fn many_who_sign_in_from_one_address_do_not_wait() {
    let (bench, code) = with_device().await;
    for n in 0..32 {
        bench.pass(30);
        assert_eq!(bench.ask(sign_in("ann", PASSWORD, None)).await.status, 401);
        let answer = bench.ask(sign_in("ann", PASSWORD, Some(&code(0)))).await;
        assert_eq!(answer.status, 200, "{n}");
    }
}

#[tokio::test]
async fn a_device_takes_nine_codes_in_three_minutes() {
    let (bench, code) = with_device().await;
    for device in ["tablet", "watch"] {
        let _ = bench.device("ann", device).await;
    }
    for secs in [0, 0, 0, 0, 0, 0, 1, 2, 4] {
        bench.pass(secs);
        let wrong = bench
            .ask(sign_in("ann", PASSWORD, Some(&wrong(&code))))
            .await;
        assert_eq!(wrong.code().1, "AuthenticationFailed");
    }
    bench.pass(8);
    let right = |code: String| bench.ask(sign_in("ann", PASSWORD, Some(&code)));
    assert_eq!(right(code(0)).await.code().1, "AuthenticationFailed");
    bench.pass(180);
    assert_eq!(right(code(0)).await.status, 200);
}

#[tokio::test]
async fn codes_tried_by_a_leaked_key_or_elsewhere_lock_no_known_browser_out() {
    let (bench, code) = with_device().await;
    let answer = bench.ask(sign_in("ann", PASSWORD, Some(&code(0)))).await;
    let browser = answer.browser();
    let key = bench.root("Action=CreateAccessKey&UserName=ann").await;
    bench.pass(180);
    let wrong = wrong(&code);
    let guess =
        format!("Action=GetSessionToken&SerialNumber=arn:aws:iam::{ACCOUNT}:mfa/phone&TokenCode=");
    for _ in 0..12 {
        let guess = format!("{guess}{wrong}");
        assert!(bench.with_key(&key, &guess).await.is_err());
    }
    // Attempts at the console are counted separately from those at the API, for every browser.
    let right = sign_in("ann", PASSWORD, Some(&code(0)));
    assert_eq!(bench.ask(right).await.status, 200);
    for n in 0..9 {
        let address = ["127.0.0.2", "127.0.0.3"][n % 2];
        let wrong = sign_in("ann", PASSWORD, Some(&wrong)).from(address);
        assert_eq!(bench.ask(wrong).await.code().1, "AuthenticationFailed");
    }
    let right = || sign_in("ann", PASSWORD, Some(&code(1)));
    let elsewhere = bench.ask(right().from("127.0.0.4")).await;
    assert_eq!(elsewhere.code().1, "AuthenticationFailed");
    let known = bench.ask(right().with("cookie", &browser)).await;
    assert_eq!(known.status, 200);
}

#[tokio::test]
async fn the_sessions_credentials_say_that_a_code_was_given() {
    let (bench, code) = with_device().await;
    let rule = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
    let put = |user: &str| {
        format!("Action=PutUserPolicy&UserName={user}&PolicyName=mfa&PolicyDocument={rule}")
    };
    bench.user("bob", PASSWORD, false, &["IAMFullAccess"]).await;
    for (user, code, allowed) in [("ann", Some(code(0)), true), ("bob", None, false)] {
        bench.root(&put(user)).await;
        let answer = bench.ask(sign_in(user, PASSWORD, code.as_deref())).await;
        let cookie = answer.cookie();
        let ask = post("credentials", "{}").with("cookie", &cookie);
        let made = bench.ask(ask).await.json();
        let listed = bench.as_session(&made, "Action=ListUsers").await;
        assert_eq!(listed.is_ok(), allowed, "{user}");
    }
}

#[tokio::test]
async fn root_and_a_due_password_go_through_it_too() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, true, &["IAMUserChangePassword"])
        .await;
    let codes = (
        bench.device("root", "root-account-mfa-device").await,
        bench.device("ann", "phone").await,
    );
    bench.pass(60);
    let password = bench.root_password.clone();
    for (user, password, code, state) in [
        ("root", password.as_str(), codes.0(0), "signed-in"),
        ("ann", PASSWORD, codes.1(0), "password-change"),
    ] {
        let requested = bench.ask(sign_in(user, password, None)).await;
        assert_eq!(requested.code(), (401, "MfaRequired".to_owned()));
        let answer = bench.ask(sign_in(user, password, Some(&code))).await;
        assert_eq!(answer.json()["state"], state);
        if state == "password-change" {
            let body = json!({"oldPassword": password, "newPassword": "Battery-staple-8"});
            let change = post("password", &body.to_string()).with("cookie", &answer.cookie());
            let changed = bench.ask(change).await;
            assert_eq!(changed.json()["mfa"], true);
            let session = get("GET /console/api/session").with("cookie", &changed.cookie());
            assert_eq!(bench.ask(session).await.json()["mfa"], true);
        }
    }
}

#[tokio::test]
async fn a_session_of_sts_calls_iam_only_with_a_code() {
    let (bench, code) = with_device().await;
    let serial = format!("arn:aws:iam::{ACCOUNT}:mfa/phone");
    let key = bench.root("Action=CreateAccessKey&UserName=ann").await;
    let with_code = format!("&SerialNumber={serial}&TokenCode={}", code(0));
    for (more, expected) in [
        ("", Err("InvalidClientTokenId".into())),
        (with_code.as_str(), Ok(())),
    ] {
        let made = bench
            .with_key(&key, &format!("Action=GetSessionToken{more}"))
            .await
            .unwrap();
        let answer = bench.with_key(&made, "Action=GetUser").await;
        assert_eq!(answer.map(|_| ()).map_err(|error| error.code), expected);
        bench
            .with_key(&made, "Action=GetCallerIdentity")
            .await
            .unwrap();
    }
}
