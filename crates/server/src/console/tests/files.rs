//! Which file is served for a path, and how.

use super::bench::{Bench, get};
use crate::console::ConsoleBundle;

#[tokio::test]
async fn each_path_has_its_file_and_files_their_headers() {
    let bench = Bench::new().await;
    let (html, script) = ("text/html; charset=utf-8", "text/javascript; charset=utf-8");
    let (again, retained) = ("no-cache", "public, max-age=31536000, immutable");
    for (path, accepted, kind, keep, encoding, body) in [
        ("", "", html, again, "", "<!doctype html>"),
        ("index.html", "", html, again, "", "<!doctype html>"),
        ("users/ann?tab=keys", "", html, again, "", "<!doctype html>"),
        ("", "br, gzip;q=0.8", html, again, "gzip", "index.gz"),
        ("", "gzip;q=0", html, again, "", "<!doctype html>"),
        ("assets/a-1.js", "", script, retained, "", "let a = 1;"),
        (
            "assets/a-1.js",
            "deflate, GZIP",
            script,
            retained,
            "gzip",
            "a.gz",
        ),
        (
            "assets/b-2.woff2",
            "gzip",
            "font/woff2",
            retained,
            "",
            "font",
        ),
        // Not cached for good, because it is not the requested file.
        ("assets/c-3.js", "", html, again, "", "<!doctype html>"),
        ("../state.db", "", html, again, "", "<!doctype html>"),
    ] {
        let ask = get(&format!("GET /console/{path}"));
        let answer = bench.ask(ask.with("accept-encoding", accepted)).await;
        assert_eq!(answer.status, 200, "{path}");
        for (name, value) in [
            ("content-type", kind),
            ("cache-control", keep),
            ("content-encoding", encoding),
            ("vary", "accept-encoding"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {accepted}");
        }
        assert_eq!(answer.body, body, "{path} {accepted}");
    }
}

#[tokio::test]
async fn the_ways_in_lead_to_the_first_page() {
    let bench = Bench::new().await;
    for (line, status) in [("GET /", 302), ("GET /console", 308)] {
        let answer = bench.ask(get(line)).await;
        let got = (answer.status, answer.header("location"));
        assert_eq!(got, (status, "/console/"), "{line}");
    }
    for line in ["POST /console/", "PUT /console/users"] {
        let answer = bench.ask(get(line)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn a_binary_without_the_console_says_why() {
    let bench = Bench::with(ConsoleBundle::new(Vec::new(), "npm <b>failed</b>")).await;
    let answer = bench.ask(get("GET /console/")).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "no-cache")
    );
    assert!(text.contains("<p>npm  b failed /b </p>"), "{text}");
    assert_eq!(bench.ask(get("GET /console/api/session")).await.status, 200);
}
