//! How responses are displayed.

use keywright_aws::{QueryResponse, ResponseRow};

use super::{ATTEMPTS, SESSIONS, table, to_json};

fn row(members: &[(&str, &str)]) -> ResponseRow {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    members.iter().map(owned).collect()
}

fn attempts() -> QueryResponse {
    QueryResponse {
        fields: row(&[("AccessKeyId", "AKIAX"), ("Total", "3")]),
        rows: vec![row(&[
            ("SourceAddress", "192.0.2.7"),
            ("UserAgent", "a&b <\u{1b}[2J>"),
            ("Action", "s3:CreateBucket"),
            ("LastAttempt", "2026-11-24T08:00:00Z"),
            ("Count", "3"),
        ])],
    }
}

#[test]
fn answers_are_displayed() {
    assert_eq!(
        table(&ATTEMPTS, &attempts().rows),
        "LAST ATTEMPT          COUNT  SOURCE     ACTION           USER AGENT\n\
         2026-11-24T08:00:00Z  3      192.0.2.7  s3:CreateBucket  a&b <?[2J>\n"
    );
    let json = to_json(&ATTEMPTS, &attempts());
    assert_eq!(
        (
            json["Total"].as_i64(),
            json["Attempts"][0]["Count"].as_i64()
        ),
        (Some(3), Some(3))
    );
    assert_eq!(json["Attempts"][0]["UserAgent"], "a&b <\u{1b}[2J>");
    assert_eq!(
        to_json(&SESSIONS, &QueryResponse::default())["Sessions"],
        serde_json::json!([])
    );
}
