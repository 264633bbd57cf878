//! The console as a browser meets it, over a whole pipeline, with a clock that is moved by hand.

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

#[tokio::test]
async fn requests_that_another_site_could_cause_are_refused() {
    let bench = Bench::new().await;
    let same = |ask: bench::Ask| ask;
    type Change = fn(bench::Ask) -> bench::Ask;
    let rows: &[(Change, u16)] = &[
        (same, 204),
        (
            |ask| ask.with("content-type", "application/json; charset=utf-8"),
            204,
        ),
        (|ask| ask.with("origin", "http://127.0.0.1:8787"), 204),
        (|ask| ask.with("origin", "https://127.0.0.1:8787"), 204),
        (|ask| ask.with("origin", "http://127.0.0.1:8788"), 403),
        (|ask| ask.with("origin", "http://evil.example"), 403),
        (|ask| ask.with("origin", "null"), 403),
        (|ask| ask.with("content-type", "text/plain"), 403),
        (|ask| ask.with("content-type", "application/jsonp"), 403),
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
        ("GET /", "accept: text/html,application/xhtml+xml", true),
        ("GET /", "accept: */*", false),
        ("GET /", "", false),
        ("GET /?list-type=2", "accept: text/html", false),
        ("POST /", "accept: text/html", false),
        ("GET /console/key", "host: bucket.localhost:8787", false),
        (
            "GET /",
            "host: bucket.localhost:8787\naccept: text/html",
            false,
        ),
        ("GET /console/", "host: localhost:8787", true),
        (
            "GET /console/key",
            "authorization: AWS AKIA:signature",
            false,
        ),
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
