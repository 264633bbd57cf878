//! The report, read back by an independent CSV reader.

use std::convert::Infallible;

use base64::{Engine, prelude::BASE64_STANDARD};

use keywright_base::{AccountId, IdKind, UniqueId, limits};

use super::push_row;
use crate::{
    state::{StateChange, User},
    testing::{
        ACCOUNT, TestInstallation,
        certificates::{TestCertificate, in_form},
    },
};

const GENERATE: &str = "Action=GenerateCredentialReport";
const GET: &str = "Action=GetCredentialReport";
const HOURS_4: i64 = 4 * 60 * 60;

/// Generates a report and reads it back; every row must have all 22 columns.
fn report(bench: &TestInstallation) -> Vec<Vec<String>> {
    bench.root(GENERATE).ok();
    let answer = bench.root(GET);
    let content = BASE64_STANDARD.decode(answer.value("Content")).unwrap();
    let rows = read_csv(&String::from_utf8(content).unwrap());
    for row in &rows {
        assert_eq!(row.len(), 22, "{row:?}");
    }
    rows
}

/// RFC 4180, except for its CRLF.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            c => row.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{text}");
    rows
}

/// A user's value in a column.
fn column<'a>(rows: &'a [Vec<String>], user: &str, name: &str) -> &'a str {
    let column = rows[0].iter().position(|column| column == name).unwrap();
    let row = rows.iter().find(|row| row[0] == user).unwrap();
    &row[column]
}

#[test]
fn a_report_is_started_then_complete_and_lasts_four_hours() {
    let mut bench = TestInstallation::new();
    let error = bench.root(GET);
    let error = error.error();
    assert_eq!(
        (error.status, &*error.code, error.message.as_deref()),
        (410, "ReportNotPresent", None)
    );
    let started = bench.root(GENERATE);
    assert_eq!(started.value("State"), "STARTED");
    assert_eq!(
        started.value("Description"),
        "No report exists. Starting a new report generation task"
    );
    let first = bench.root(GET);
    assert_eq!(first.value("ReportFormat"), "text/csv");
    assert_eq!(first.value("GeneratedTime"), bench.now().iso8601());
    bench.root("Action=CreateUser&UserName=late").ok();
    bench.pass(HOURS_4 - 1);
    bench.reopen();
    let complete = bench.root(GENERATE);
    assert_eq!(complete.value("State"), "COMPLETE");
    assert!(complete.values("Description").is_empty());
    assert_eq!(bench.root(GET).value("Content"), first.value("Content"));
    bench.pass(1);
    let error = bench.root(GET);
    let error = error.error();
    assert_eq!((error.status, &*error.code), (410, "ReportExpired"));
    assert_eq!(bench.root(GENERATE).value("State"), "STARTED");
    assert_ne!(bench.root(GET).value("Content"), first.value("Content"));
}

#[test]
fn rows_say_what_aws_says() {
    let bench = TestInstallation::new();
    let start = bench.now().iso8601();
    bench
        .root("Action=UpdateAccountPasswordPolicy&MaxPasswordAge=90")
        .ok();
    let ann = bench.user("ann", &[]);
    bench
        .root("Action=CreateUser&UserName=Bob&Path=/team/")
        .ok();
    let login = "Action=CreateLoginProfile&UserName=ann&Password=Abcdef1%21";
    bench.root(login).ok();
    bench.pass(3600);
    let later = bench.now().iso8601();
    bench.call(&ann, "Action=GetCallerIdentity").ok();
    let second = bench.key("ann");
    let off = "Action=UpdateAccessKey&UserName=ann&Status=Inactive&AccessKeyId=";
    bench.root(&format!("{off}{}", ann.id)).ok();
    let rows = report(&bench);
    let users: Vec<_> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(users, ["user", "<root_account>", "ann", "Bob"]);
    let root_arn = format!("arn:aws:iam::{ACCOUNT}:root");
    let bobs_arn = format!("arn:aws:iam::{ACCOUNT}:user/team/Bob");
    for (user, name, value) in [
        ("<root_account>", "arn", &*root_arn),
        ("<root_account>", "user_creation_time", &start),
        ("<root_account>", "password_enabled", "false"),
        ("<root_account>", "password_next_rotation", "not_supported"),
        ("<root_account>", "access_key_1_active", "true"),
        ("<root_account>", "access_key_1_last_used_service", "iam"),
        ("<root_account>", "access_key_2_active", "false"),
        ("ann", "password_enabled", "true"),
        ("ann", "password_last_used", "no_information"),
        ("ann", "password_last_changed", &start),
        ("ann", "password_next_rotation", "2027-02-22T08:00:00Z"),
        ("ann", "mfa_active", "false"),
        ("ann", "access_key_1_active", "true"),
        ("ann", "access_key_1_last_rotated", &later),
        ("ann", "access_key_1_last_used_date", "N/A"),
        ("ann", "access_key_1_last_used_region", "N/A"),
        ("ann", "access_key_1_last_used_service", "N/A"),
        ("ann", "access_key_2_active", "false"),
        ("ann", "access_key_2_last_rotated", &start),
        ("ann", "access_key_2_last_used_date", &later),
        ("ann", "access_key_2_last_used_region", "us-east-1"),
        ("ann", "access_key_2_last_used_service", "sts"),
        ("Bob", "arn", &bobs_arn),
        ("Bob", "password_enabled", "false"),
        ("Bob", "password_last_used", "N/A"),
        ("Bob", "password_last_changed", "N/A"),
        ("Bob", "password_next_rotation", "N/A"),
        ("Bob", "access_key_1_active", "false"),
        ("Bob", "access_key_1_last_rotated", "N/A"),
        ("Bob", "cert_1_active", "false"),
        ("Bob", "cert_2_last_rotated", "N/A"),
    ] {
        assert_eq!(column(&rows, user, name), value, "{user} {name}");
    }
    assert_ne!(second.id, ann.id);
}

#[test]
fn the_last_sign_in_is_reported() {
    let bench = TestInstallation::new();
    let id = bench.root("Action=CreateUser&UserName=ann").value("UserId");
    let login = "Action=CreateLoginProfile&UserName=ann&Password=Abcdef1%21";
    bench.root(login).ok();
    bench.pass(60);
    let signed_in = bench.now();
    bench.block_on(async { bench.identity().usage().note_password(&id, signed_in) });
    let rows = report(&bench);
    let used = column(&rows, "ann", "password_last_used");
    assert_eq!(used, signed_in.iso8601());
    // Without a maximum age nothing is due.
    assert_eq!(column(&rows, "ann", "password_next_rotation"), "N/A");
}

#[test]
fn certificates_of_users_and_root_are_reported() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=ann").ok();
    let start = bench.now().iso8601();
    let upload = |user: &str, name: &str| {
        let body = in_form(&TestCertificate::new(name).certificate);
        let form = format!("Action=UploadSigningCertificate{user}&CertificateBody={body}");
        bench.root(&form).value("CertificateId")
    };
    let id = upload("&UserName=ann", "ann.example");
    upload("", "root.example");
    let update = "Action=UpdateSigningCertificate&UserName=ann&Status=Inactive&CertificateId=";
    bench.root(&format!("{update}{id}")).ok();
    let rows = report(&bench);
    for (user, name, value) in [
        ("ann", "cert_1_active", "false"),
        ("ann", "cert_1_last_rotated", &*start),
        ("ann", "cert_2_active", "false"),
        ("ann", "cert_2_last_rotated", "N/A"),
        ("<root_account>", "cert_1_active", "true"),
        ("<root_account>", "cert_1_last_rotated", &start),
        ("<root_account>", "cert_2_last_rotated", "N/A"),
    ] {
        assert_eq!(column(&rows, user, name), value, "{user} {name}");
    }
}

#[test]
fn names_with_commas_and_paths_with_quotes_are_quoted() {
    let bench = TestInstallation::new();
    let create = "Action=CreateUser&UserName=a%2Cb%3D1&Path=/x%22y,z/";
    bench.root(create).ok();
    let rows = report(&bench);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/x\"y,z/a,b=1");
    assert_eq!(column(&rows, "a,b=1", "arn"), arn);
    let mut csv = String::new();
    push_row(
        &mut csv,
        vec!["plain".into(), "a,b".into(), "say \"x\"".into()],
    );
    assert_eq!(csv, "\nplain,\"a,b\",\"say \"\"x\"\"\"");
}

#[test]
fn it_ends_without_a_line_feed_and_has_no_carriage_return() {
    let bench = TestInstallation::new();
    bench.root(GENERATE).ok();
    let content = bench.root(GET).value("Content");
    let content = BASE64_STANDARD.decode(content).unwrap();
    assert!(!content.ends_with(b"\n") && !content.contains(&b'\r'));
}

#[test]
fn each_action_is_refused_without_permission() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    for action in ["GenerateCredentialReport", "GetCredentialReport"] {
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:{action} on \
             resource: * because no identity-based policy allows the iam:{action} action"
        );
        let form = format!("Action={action}");
        bench.call(&ann, &form).refused("AccessDenied", &text);
    }
}

#[test]
fn a_full_account_is_reported_whole() {
    let bench = TestInstallation::new();
    bench.user("u0000", &[]);
    let account: AccountId = ACCOUNT.parse().unwrap();
    let cell = bench.identity().ledger().account(account).unwrap();
    let model = User::clone(cell.snapshot().user("u0000").unwrap());
    let entropy = &*bench.identity().entropy;
    let user = |n: usize| User {
        id: UniqueId::generate(IdKind::User, account, entropy),
        name: format!("u{n:04}"),
        keys: Vec::new(),
        ..model.clone()
    };
    let users = (1..limits::USERS_PER_ACCOUNT).map(|n| StateChange::put(user(n)));
    let changes: Vec<_> = users.collect();
    let ledger = bench.identity().ledger();
    let written = ledger.write(&cell, |_| Ok::<_, Infallible>(((), changes.clone())));
    bench.block_on(written).unwrap().unwrap();
    let rows = report(&bench);
    assert_eq!(rows.len(), 2 + limits::USERS_PER_ACCOUNT);
    assert_eq!(rows.last().unwrap()[0], "u4999");
    let full = "Cannot exceed quota for UsersPerAccount: 5000";
    bench
        .root("Action=CreateUser&UserName=more")
        .refused("LimitExceeded", full);
}
