//! The console as a browser sees it, over a complete pipeline, with a manual clock.

mod answers;
mod bench;
mod files;
mod mfa;
mod sessions;
mod sign_in;

use bench::{Bench, get, post};

#[tokio::test]
async fn every_answer_carries_the_guards() {
    let bench = Bench::new().await;
    for line in [
        "GET /",
        "GET /console",
        "GET /console/",
        "GET /console/users/ann",
        "DELETE /console/",
        "GET /console/api/session",
        "GET /console/api/capabilities",
        "POST /console/api/sign-in",
        "POST /console/api/nothing",
    ] {
        let answer = bench.ask(get(line)).await;
        let csp = "default-src 'none'; script-src 'self'; style-src 'self'; \
                   img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
                   form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
        for (name, value) in [
            ("content-security-policy", csp),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{line}");
        }
    }
}

/// Requests from another site, and from another origin of the same site, such as a page at the
/// API's address.
#[tokio::test]
async fn requests_that_another_origin_could_cause_are_refused() {
    let bench = Bench::new().await;
    let same = |ask: bench::Ask| ask;
    type Change = fn(bench::Ask) -> bench::Ask;
    let rows: &[(Change, u16)] = &[
        (same, 204),
        (
            |ask| ask.with("content-type", "application/json; charset=utf-8"),
            204,
        ),
        (|ask| ask.without("sec-fetch-site"), 204),
        (|ask| ask.with("sec-fetch-site", "same-site"), 403),
        (|ask| ask.with("sec-fetch-site", "cross-site"), 403),
        (|ask| ask.with("sec-fetch-site", "none"), 403),
        (|ask| ask.and("sec-fetch-site", "same-origin"), 403),
        (|ask| ask.with("origin", "http://127.0.0.1:8787"), 403),
        (|ask| ask.with("origin", "https://127.0.0.1:8788"), 403),
        (|ask| ask.with("origin", "http://127.0.0.1"), 403),
        (|ask| ask.with("origin", "127.0.0.1:8788"), 403),
        (|ask| ask.with("origin", "http://localhost:8788"), 403),
        (|ask| ask.with("origin", "http://evil.example"), 403),
        (|ask| ask.with("origin", "null"), 403),
        (|ask| ask.with("origin", ""), 403),
        (|ask| ask.and("origin", "http://127.0.0.1:8788"), 403),
        (|ask| ask.without("origin"), 403),
        (|ask| ask.and("host", "127.0.0.1:8788"), 403),
        (|ask| ask.without("host"), 403),
        (|ask| ask.with("content-type", "text/plain"), 403),
        (|ask| ask.with("content-type", "application/jsonp"), 403),
        (|ask| ask.and("content-type", "application/json"), 403),
        (|ask| ask.without("content-type"), 403),
        (|ask| ask.with("x-keywright-console", "0"), 403),
        (|ask| ask.without("x-keywright-console"), 403),
    ];
    for (change, status) in rows {
        let ask = change(post("sign-out", "{}"));
        let headers = ask.headers.clone();
        assert_eq!(bench.ask(ask).await.status, *status, "{headers:?}");
    }
}

#[tokio::test]
async fn what_is_only_read_is_not_read_by_other_origins_either() {
    let bench = Bench::new().await;
    for (name, value, status) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "http://127.0.0.1:8788", 200),
        ("origin", "http://127.0.0.1:8787", 403),
        ("origin", "null", 403),
    ] {
        let ask = get("GET /console/api/session").with(name, value);
        assert_eq!(bench.ask(ask).await.status, status, "{name}: {value}");
    }
}

/// A name of another origin can lead to this machine. Its pages are of the same origin then, so
/// only the name gives them away.
#[tokio::test]
async fn a_local_console_answers_to_no_name_of_others() {
    let mut bench = Bench::new().await;
    let ask = |host: &str| {
        let here = format!("http://{host}");
        let post = post("sign-out", "{}").with("host", host);
        post.with("origin", &here)
    };
    for (host, status) in [
        ("127.0.0.1:8788", 204),
        ("[::1]:8788", 204),
        ("localhost:8788", 204),
        ("evil.example:8788", 403),
        ("localhost.evil.example:8788", 403),
    ] {
        let answer = bench.ask(ask(host)).await;
        assert_eq!(answer.status, status, "{host}");
        if status == 403 {
            let text = answer.json()["message"].as_str().unwrap().to_owned();
            let flag = format!("--console-url http://{host}");
            assert!(text.contains(&flag), "{text}");
        }
        let read = get("GET /console/api/session").with("host", host);
        assert_eq!(bench.ask(read).await.status == 403, status == 403, "{host}");
    }
    // Other machines have to reach the console by some name.
    bench.listener.is_local = false;
    assert_eq!(bench.ask(ask("kw.example:8788")).await.status, 204);
    let bench = Bench::at("http://kw.example:8788", "http://kw.example:8787").await;
    assert_eq!(bench.ask(ask("kw.example:8788")).await.status, 204);
}

/// If the operator configures the console's URL, that is its only origin, whatever a proxy makes of
/// the request.
#[tokio::test]
async fn behind_a_proxy_the_origin_is_the_operators() {
    let bench = Bench::at("https://console.example.com", "https://s3.example.com").await;
    for (origin, status) in [
        ("https://console.example.com", 204),
        ("http://console.example.com", 403),
        ("https://s3.example.com", 403),
        ("http://127.0.0.1:8788", 403),
    ] {
        let answer = bench
            .ask(post("sign-out", "{}").with("origin", origin))
            .await;
        assert_eq!(answer.status, status, "{origin}");
        if status == 204 {
            let gone = answer.header("set-cookie");
            let expected =
                "__Host-keywright=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
            assert_eq!(gone, expected);
        }
    }
}

#[tokio::test]
async fn endpoints_say_what_is_wrong_with_a_request() {
    let bench = Bench::new().await;
    let long = "x".repeat(16 * 1024);
    for (ask, status, code) in [
        (get("GET /console/api/nothing"), 404, "NotFound"),
        (get("GET /console/api/"), 404, "NotFound"),
        (get("GET /console/api/sign-in"), 405, "MethodNotAllowed"),
        (post("session", "{}"), 405, "MethodNotAllowed"),
        (post("sign-in", ""), 400, "ValidationError"),
        (post("sign-in", "[]"), 400, "ValidationError"),
        (
            post("sign-in", r#"{"account": "x", "password": 7}"#),
            400,
            "ValidationError",
        ),
        (
            post("sign-in", r#"{"account": "x", "password": "p"}"#),
            400,
            "ValidationError",
        ),
        (
            post(
                "sign-in",
                r#"{"account": "x", "userName": "u", "root": true, "password": "p"}"#,
            ),
            400,
            "ValidationError",
        ),
        (post("sign-in", &long), 400, "ValidationError"),
        (
            post("sign-in", &format!("{long}x")),
            413,
            "RequestEntityTooLarge",
        ),
        (post("credentials", "{}"), 401, "SignedOut"),
        (post("password", "{}"), 401, "SignedOut"),
        (get("GET /console/api/capabilities"), 401, "SignedOut"),
    ] {
        let line = ask.line.clone();
        let answer = bench.ask(ask).await;
        let got = (
            answer.status,
            answer.json()["code"].as_str().unwrap().to_owned(),
        );
        assert_eq!(got, (status, code.to_owned()), "{line}");
        assert_eq!(answer.header("content-type"), "application/json", "{line}");
        assert_eq!(answer.header("cache-control"), "no-store", "{line}");
    }
}

#[test]
fn what_is_the_consoles() {
    for (line, headers, expected) in [
        ("GET /console", "", true),
        ("GET /console/", "", true),
        ("GET /console/users", "", true),
        ("POST /console/api/sign-in", "", true),
        ("GET /consoles", "", false),
        ("GET /bucket/console/", "", false),
        ("GET /", "", true),
        ("GET /?list-type=2", "", false),
        ("POST /", "", false),
        ("GET /console/key", "host: bucket.localhost:8788", false),
        ("GET /", "host: bucket.localhost:8788", false),
        ("GET /console/", "host: localhost:8788", true),
    ] {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(uri);
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let request = request.body(()).unwrap();
        assert_eq!(super::claims(&request), expected, "{line} {headers}");
    }
}
