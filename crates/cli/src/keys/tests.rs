//! Where credentials come from, what an answer reads as, how it is shown.

use std::{fs, path::PathBuf};

use super::{ATTEMPTS, SESSIONS, table, to_json};
use crate::remote::{
    answer::{self, Answer, Row},
    client::Endpoint,
    credentials,
};

const FILE: &str = "# mine\n[default]\naws_access_key_id = AKIADEFAULT\n\
    aws_secret_access_key = d\n\n[ work ]\naws_access_key_id=ASIAWORK\n\
    ; aws_secret_access_key = no\naws_secret_access_key=a=b\naws_session_token = t\n\
    [sso]\nsso_session = x\n";

#[test]
fn credentials_come_from_where_aws_clients_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    #[expect(clippy::disallowed_methods, reason = "a file of the test")]
    fs::write(&path, FILE).unwrap();
    let path = path.to_str().unwrap();
    let file = ("AWS_SHARED_CREDENTIALS_FILE", path);
    let id = ("AWS_ACCESS_KEY_ID", "AKIAENV");
    let secret = ("AWS_SECRET_ACCESS_KEY", "e");
    let work = ("AWS_PROFILE", "work");
    for (flag, set, wanted) in [
        (None, vec![file], "AKIADEFAULT d -"),
        (None, vec![file, work], "ASIAWORK a=b t"),
        (None, vec![file, work, id, secret], "AKIAENV e -"),
        (Some("work"), vec![file, id, secret], "ASIAWORK a=b t"),
        (
            None,
            vec![id],
            "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not",
        ),
        (Some("play"), vec![file], "there is no such profile"),
        (Some("sso"), vec![file], "it has no aws_access_key_id"),
        (
            None,
            vec![("HOME", "/nonexistent")],
            "there is no /nonexistent/.aws/credentials",
        ),
        (None, vec![], "HOME is not set"),
    ] {
        let variable = |name: &str| {
            let mut all = set.iter();
            all.find(|(set, _)| *set == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let got = match credentials::find(flag, &variable) {
            Ok(found) => {
                let token = found.token.as_ref().map_or("-", |token| token.expose());
                format!("{} {} {token}", found.id, found.secret.expose())
            }
            Err(error) => format!("{error:#}"),
        };
        assert!(got.contains(wanted), "{flag:?} {set:?}: {got}");
    }
}

#[test]
fn addresses() {
    for (url, good) in [
        (Some("http://127.0.0.1:8787"), true),
        (Some("http://127.0.0.1:8787/"), true),
        (Some("https://iam.example.org"), true),
        (Some("http://[::1]:8787"), true),
        (Some("127.0.0.1:8787"), false),
        (Some("ftp://127.0.0.1"), false),
        (Some("http://127.0.0.1/path"), false),
        (Some("http://user@127.0.0.1"), false),
        (Some(""), false),
        (None, false),
    ] {
        let endpoint = Endpoint::new(url, &Some(PathBuf::from("bundle.pem")));
        assert_eq!(endpoint.is_ok(), good, "{url:?}: {endpoint:?}");
    }
}

fn row(members: &[(&str, &str)]) -> Row {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    members.iter().map(owned).collect()
}

fn attempts() -> Answer {
    Answer {
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
fn answers_are_read() {
    let list = "<member><SourceAddress>192.0.2.7</SourceAddress>\
        <UserAgent>a&amp;b &lt;&#27;[2J&gt;</UserAgent><Action>s3:CreateBucket</Action>\
        <LastAttempt>2026-11-24T08:00:00Z</LastAttempt><Count>3</Count></member>";
    let body = |list: &str| {
        format!(
            "<R xmlns=\"x\"><Result><AccessKeyId>AKIAX</AccessKeyId><Total>3</Total>\
             <Attempts>{list}</Attempts></Result><ResponseMetadata><RequestId>1</RequestId>\
             </ResponseMetadata></R>"
        )
    };
    assert_eq!(answer::read(&body(list)).unwrap(), attempts());
    let error = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code>\
        <Message>gone</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let fields = answer::read(error).unwrap().fields;
    assert_eq!(
        (&*fields["Code"], &*fields["Message"]),
        ("NoSuchEntity", "gone")
    );
    for bad in ["<a><b>", "<a></b>", "<a>&what;</a>", &"<a>".repeat(100)] {
        assert!(answer::read(bad).is_err(), "{bad}");
    }
}

#[test]
fn answers_are_shown() {
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
        to_json(&SESSIONS, &Answer::default())["Sessions"],
        serde_json::json!([])
    );
}
