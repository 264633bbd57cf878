//! Sign-ins with a password that succeed and that fail, and password changes that are required.

use serde_json::json;

use super::bench::{ACCOUNT, Ask, Bench, HOUR_SECS, get, post, who};

const PASSWORD: &str = "Correct-horse-7";

fn change(cookie: &str, old: &str, new: &str) -> Ask {
    let body = json!({"oldPassword": old, "newPassword": new});
    post("password", &body.to_string()).with("cookie", cookie)
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_the_same() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    bench.root("Action=CreateUser&UserName=bob").await;
    for (account, user, password) in [
        (ACCOUNT, "ann", "wrong"),
        (ACCOUNT, "ann", ""),
        (ACCOUNT, "ann", "correct-horse-7"),
        (ACCOUNT, "bob", PASSWORD),
        (ACCOUNT, "eve", PASSWORD),
        (ACCOUNT, "root", PASSWORD),
        ("210987654321", "ann", PASSWORD),
        ("000000000000", "ann", PASSWORD),
        ("acme", "ann", PASSWORD),
        ("", "ann", PASSWORD),
    ] {
        let answer = bench
            .ask(post("sign-in", &who(account, user, password)))
            .await;
        let text = "Your authentication information is incorrect. Please try again.";
        let expected = json!({"code": "AuthenticationFailed", "message": text});
        assert_eq!(
            (answer.status, answer.json()),
            (401, expected),
            "{account} {user}"
        );
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn accounts_go_by_id_or_alias_and_users_in_any_case() {
    let bench = Bench::new().await;
    bench.user("Ann", PASSWORD, false, &[]).await;
    bench
        .root("Action=CreateAccountAlias&AccountAlias=acme")
        .await;
    for (account, user) in [(ACCOUNT, "Ann"), (ACCOUNT, " ann "), ("acme", "ANN")] {
        let answer = bench
            .ask(post("sign-in", &who(account, user, PASSWORD)))
            .await;
        let expected = json!({
            "state": "signed-in",
            "accountId": ACCOUNT,
            "accountAlias": "acme",
            "userName": "Ann",
            "arn": "arn:aws:iam::123456789012:user/Ann",
            "expiresAt": "2026-11-24T20:00:00Z",
        });
        assert_eq!(
            (answer.status, answer.json()),
            (200, expected),
            "{account} {user}"
        );
    }
}

#[tokio::test]
async fn failures_make_a_name_wait_at_their_address() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let wrong = || post("sign-in", &who(ACCOUNT, "ann", "wrong"));
    let right = || post("sign-in", &who(ACCOUNT, "ANN", PASSWORD));
    for _ in 0..6 {
        assert_eq!(bench.ask(wrong()).await.status, 401);
    }
    // Also with the right password.
    let waiting = bench.ask(right()).await;
    assert_eq!(waiting.code(), (429, "TooManyAttempts".to_owned()));
    assert_eq!(waiting.header("retry-after"), "1");
    assert_eq!(waiting.json()["retryAfterSecs"], 1);
    // Nobody else has to wait.
    let elsewhere = bench.ask(right().from("198.51.100.9")).await;
    assert_eq!(elsewhere.status, 200);
    bench.pass(1);
    assert_eq!(bench.ask(wrong()).await.status, 401);
    assert_eq!(bench.ask(right()).await.header("retry-after"), "2");
    bench.pass(2);
    assert_eq!(bench.ask(right()).await.status, 200);
    assert_eq!(bench.ask(wrong()).await.status, 401);
    assert_eq!(bench.ask(right()).await.status, 200);
}

/// Also from an address that many share, for example behind a proxy that is not trusted.
#[tokio::test]
async fn a_browser_that_has_signed_in_before_has_attempts_of_its_own() {
    let bench = Bench::new().await;
    for user in ["ann", "bob"] {
        bench
            .user(user, PASSWORD, false, &["IAMUserChangePassword"])
            .await;
    }
    let ask = |user: &str, password: &str, browser: &str| {
        let ask = post("sign-in", &who(ACCOUNT, user, password)).with("cookie", browser);
        async { bench.ask(ask).await }
    };
    let first = ask("root", &bench.root_password, "").await.browser();
    let both = ask("ann", PASSWORD, &first).await.browser();
    for n in 0..40 {
        for user in ["root", "ann", "bob", &format!("u{n}")] {
            ask(user, "wrong", "").await;
        }
    }
    assert_eq!(ask("ann", PASSWORD, "").await.status, 429);
    // It is recognized for everyone who has signed in with it, and for nobody else.
    assert_eq!(ask("ann", PASSWORD, &both).await.status, 200);
    assert_eq!(ask("root", &bench.root_password, &both).await.status, 200);
    assert_eq!(ask("bob", PASSWORD, &both).await.status, 429);
    assert_eq!(ask("ann", PASSWORD, &first).await.status, 429);
    // Its attempts are counted as well, for each of its users.
    for _ in 0..6 {
        assert_eq!(ask("ann", "wrong", &both).await.status, 401);
    }
    assert_eq!(ask("ann", PASSWORD, &both).await.status, 429);
    assert_eq!(ask("root", &bench.root_password, &both).await.status, 200);
    // Sign-outs, forged cookies and those of others do not matter.
    for made_up in [
        "keywright-browser=",
        "keywright-browser=AAAA",
        &format!("{both}A"),
    ] {
        assert_eq!(ask("root", &bench.root_password, made_up).await.status, 429);
    }
}

#[tokio::test]
async fn a_browser_is_known_until_the_password_is_another() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, false, &["IAMUserChangePassword"])
        .await;
    let other = "Battery-staple-8";
    let sign_in = |password: &str, browser: &str| {
        let ask = post("sign-in", &who(ACCOUNT, "ann", password)).with("cookie", browser);
        async { bench.ask(ask).await }
    };
    let flood = async || {
        for _ in 0..7 {
            sign_in("wrong", "").await;
        }
    };
    let begun = sign_in(PASSWORD, "").await;
    let cookies = format!("{}; {}", begun.cookie(), begun.browser());
    let changed = bench.ask(change(&cookies, PASSWORD, other)).await;
    flood().await;
    // The browser in which the password was changed stays known; its earlier cookie is void.
    assert_eq!(sign_in(other, &begun.browser()).await.status, 429);
    assert_eq!(sign_in(other, &changed.browser()).await.status, 200);
    let reset = format!("Action=UpdateLoginProfile&UserName=ann&Password={PASSWORD}");
    bench.root(&reset).await;
    bench.pass(HOUR_SECS);
    flood().await;
    assert_eq!(sign_in(PASSWORD, &changed.browser()).await.status, 429);
}

#[tokio::test]
async fn an_address_that_tries_many_names_must_wait() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let spray = |n: u32| post("sign-in", &who(ACCOUNT, &format!("u{n}"), "Password-1"));
    for n in 0..31 {
        assert_eq!(bench.ask(spray(n)).await.status, 401, "{n}");
    }
    assert_eq!(bench.ask(spray(31)).await.status, 429);
    let right = || post("sign-in", &who(ACCOUNT, "ann", PASSWORD));
    assert_eq!(bench.ask(right().from("198.51.100.9")).await.status, 200);
    bench.pass(1);
    // A valid account of one's own does not buy attempts at others.
    assert_eq!(bench.ask(right()).await.status, 200);
    assert_eq!(bench.ask(spray(32)).await.status, 401);
    assert_eq!(bench.ask(spray(33)).await.status, 429);
}

#[tokio::test]
async fn a_due_password_must_be_changed_before_anything_else() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, true, &["IAMUserChangePassword"])
        .await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    let due = json!({"state": "password-change", "accountId": ACCOUNT, "userName": "ann"});
    let session = get("GET /console/api/session").with("cookie", &cookie);
    assert_eq!(bench.ask(session).await.json(), due);
    for ask in [
        post("credentials", "{}"),
        get("GET /console/api/capabilities"),
    ] {
        let answer = bench.ask(ask.with("cookie", &cookie)).await;
        assert_eq!(answer.code(), (403, "PasswordChangeRequired".to_owned()));
    }
    let violation = "Password does not conform to the account password policy.";
    for (old, new, code, message) in [
        (
            "wrong",
            "Battery-staple-8",
            "AccessDenied",
            "The old password was incorrect.",
        ),
        (
            PASSWORD,
            PASSWORD,
            "AccessDenied",
            "The old password was incorrect.",
        ),
        (PASSWORD, "short", "PasswordPolicyViolation", violation),
    ] {
        let answer = bench.ask(change(&cookie, old, new)).await;
        let expected = json!({"code": code, "message": message});
        assert_eq!(
            (answer.status, answer.json()),
            (400, expected),
            "{old} {new}"
        );
    }
    let odd = "Bättery&staple=8 +%00";
    let changed = bench.ask(change(&cookie, PASSWORD, odd)).await;
    assert_eq!(changed.json()["state"], "signed-in");
    let answer = bench
        .ask(post("credentials", "{}").with("cookie", &changed.cookie()))
        .await;
    assert_eq!(answer.status, 200);
    let old = bench
        .ask(get("GET /console/api/session").with("cookie", &cookie))
        .await;
    assert_eq!(old.json()["state"], "signed-out");
    bench.sign_in("ann", odd).await;
}

#[tokio::test]
async fn a_user_may_change_the_password_only_if_allowed() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, true, &[]).await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    let answer = bench
        .ask(change(&cookie, PASSWORD, "Battery-staple-8"))
        .await;
    assert_eq!(answer.code(), (400, "AccessDenied".to_owned()));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    let denied = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: \
                  iam:ChangePassword";
    assert!(message.starts_with(denied), "{message}");
    bench.sign_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn an_old_password_cannot_be_guessed_in_a_session() {
    let bench = Bench::new().await;
    bench
        .user("ann", PASSWORD, false, &["IAMUserChangePassword"])
        .await;
    let cookie = bench.sign_in("ann", PASSWORD).await;
    for _ in 0..6 {
        let answer = bench
            .ask(change(&cookie, "wrong", "Battery-staple-8"))
            .await;
        assert_eq!(answer.status, 400);
    }
    let answer = bench
        .ask(change(&cookie, PASSWORD, "Battery-staple-8"))
        .await;
    assert_eq!(answer.code(), (429, "TooManyAttempts".to_owned()));
}

#[tokio::test]
async fn passwords_expire_by_the_accounts_policy() {
    let day_secs = 24 * HOUR_SECS;
    for (hard, days, expected) in [
        (false, 89, (200, "signed-in", "")),
        (false, 90, (200, "password-change", "")),
        (true, 89, (200, "signed-in", "")),
        (true, 90, (401, "", "PasswordExpired")),
    ] {
        let bench = Bench::new().await;
        bench.user("ann", PASSWORD, false, &[]).await;
        let policy = format!("MaxPasswordAge=90&HardExpiry={hard}");
        bench
            .root(&format!("Action=UpdateAccountPasswordPolicy&{policy}"))
            .await;
        bench.pass(days * day_secs);
        let answer = bench
            .ask(post("sign-in", &who(ACCOUNT, "ann", PASSWORD)))
            .await;
        let json = answer.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let got = (answer.status, text("state"), text("code"));
        let expected = (expected.0, expected.1.to_owned(), expected.2.to_owned());
        assert_eq!(got, expected, "{hard} {days}");
        // Root's password is not subject to the password policy.
        bench.sign_in("root", &bench.root_password).await;
    }
}

#[tokio::test]
async fn root_changes_its_own_password() {
    let bench = Bench::new().await;
    let cookie = bench.sign_in("root", &bench.root_password).await;
    let session = bench
        .ask(get("GET /console/api/session").with("cookie", &cookie))
        .await;
    let expected = json!({
        "state": "signed-in",
        "accountId": ACCOUNT,
        "arn": "arn:aws:iam::123456789012:root",
        "expiresAt": "2026-11-24T20:00:00Z",
    });
    assert_eq!(session.json(), expected);
    for (old, new, code) in [
        ("wrong", "Battery-staple-8", "AccessDenied"),
        (
            bench.root_password.as_str(),
            bench.root_password.as_str(),
            "AccessDenied",
        ),
        (
            bench.root_password.as_str(),
            "weak",
            "PasswordPolicyViolation",
        ),
    ] {
        let answer = bench.ask(change(&cookie, old, new)).await;
        assert_eq!(answer.code(), (400, code.to_owned()));
    }
    let new = "Battery-staple-8";
    let changed = bench.ask(change(&cookie, &bench.root_password, new)).await;
    assert_eq!(changed.status, 200);
    bench.sign_in("root", new).await;
    let old = bench
        .ask(post("sign-in", &who(ACCOUNT, "root", &bench.root_password)))
        .await;
    assert_eq!(old.status, 401);
}

#[tokio::test]
async fn a_sign_in_is_the_last_use_of_a_password() {
    let bench = Bench::new().await;
    bench.user("ann", PASSWORD, false, &[]).await;
    let before = bench.root("Action=GetUser&UserName=ann").await;
    assert!(!before.contains("PasswordLastUsed"), "{before}");
    bench
        .ask(post("sign-in", &who(ACCOUNT, "ann", "wrong")))
        .await;
    let before = bench.root("Action=GetUser&UserName=ann").await;
    assert!(!before.contains("PasswordLastUsed"), "{before}");
    bench.sign_in("ann", PASSWORD).await;
    let after = bench.root("Action=GetUser&UserName=ann").await;
    let used = "<PasswordLastUsed>2026-11-24T08:00:00Z</PasswordLastUsed>";
    assert!(after.contains(used), "{after}");
}
