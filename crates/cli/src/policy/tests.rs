//! Flags to answers, without a terminal.

use std::io::Write;

use clap::Parser;

use super::{PolicyCommand, context, kind, run};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: PolicyCommand,
}

/// Runs `policy WORDS`; `{0}`, `{1}` stand for files with these contents.
fn policy(words: &str, files: &[&str]) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut line = words.to_owned();
    for (number, content) in files.iter().enumerate() {
        let path = folder.path().join(format!("{number}.json"));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        line = line.replace(&format!("{{{number}}}"), path.to_str().unwrap());
    }
    let words = std::iter::once("policy").chain(line.split(' '));
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    run(&line.command).map_err(|error| format!("{error:#}"))
}

const GET: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Get","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}"#;
const BOUNDARY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#;

#[test]
fn decisions() {
    let asked = "simulate --policy {0} --action s3:GetObject --caller arn:aws:iam::123456789012:user/a/bob --resource arn:aws:s3:::b/";
    for (rest, allowed) in [
        ("bob/k --context aws:SecureTransport=true", true),
        ("bob/k --context aws:SecureTransport=false", false),
        ("bob/k", false),
        ("eve/k --context aws:SecureTransport=true", false),
        (
            "bob/k --context aws:SecureTransport=true --boundary {1}",
            false,
        ),
        ("bob/k --context aws:SecureTransport=true --json", true),
        (
            "bob/k --context aws:SecureTransport=true --resource-owner 999999999999",
            false,
        ),
        (
            "bob/k --context aws:SecureTransport=true --session-policy {1}",
            false,
        ),
        (
            "bob/k --context aws:SecureTransport=true --session-policy {1} --session-policy {0}",
            true,
        ),
    ] {
        let answer = policy(&format!("{asked}{rest}"), &[GET, BOUNDARY]);
        assert_eq!(answer, Ok(allowed), "{rest}");
    }
    let free = "simulate --policy {0} --action sts:GetCallerIdentity";
    assert_eq!(policy(free, &[GET]), Ok(true));
}

/// A change of AWS's policies is denied whatever policies say; reading and attaching are not.
#[test]
fn policies_of_aws() {
    let aws = "--resource arn:aws:iam::aws:policy/ReadOnlyAccess";
    let user = "--resource arn:aws:iam::123456789012:user/bob";
    for (words, allowed) in [
        (format!("iam:DeletePolicy {aws}"), false),
        (format!("iam:TagPolicy {aws} --json"), false),
        (format!("iam:GetPolicy {aws}"), true),
        (format!("iam:AttachUserPolicy {user}"), true),
    ] {
        let words = format!("simulate --policy {{0}} --action {words}");
        assert_eq!(policy(&words, &[BOUNDARY]), Ok(allowed), "{words}");
    }
}

#[test]
fn advice() {
    let broken = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow"}}"#;
    for (words, content, clean) in [
        ("lint {0}", GET, true),
        ("lint --json {0}", GET, true),
        ("lint {0}", broken, false),
        ("lint --kind bucket:b {0}", GET, false),
    ] {
        assert_eq!(policy(words, &[content]), Ok(clean), "{words} {content}");
    }
}

#[test]
fn what_cannot_be_read() {
    for (words, says) in [
        ("lint missing.json", "cannot read missing.json"),
        ("lint --kind other {0}", "hint: managed, inline"),
        (
            "simulate --policy {0} --action a:b --context x",
            "KEY=VALUE",
        ),
        (
            "simulate --policy {0} --action a:b --caller me",
            "--caller me",
        ),
        ("simulate --policy {0}", "--action"),
        ("simulate --policy {0} --action GetObject", "service:Action"),
        ("simulate --policy {0} --action s3:*", "without wildcards"),
        (
            "simulate --policy {0} --action s3:GetObjekt",
            "did you mean s3:GetObject?",
        ),
        (
            "simulate --policy {0} --action s3:GetObject --resource b/k",
            "b/k is not an ARN",
        ),
        (
            "simulate --policy {0} --action s3:GetObject --resource arn:aws:s3:::b",
            "s3:GetObject is not done on arn:aws:s3:::b",
        ),
        (
            "simulate --policy - --boundary - --action s3:GetObject",
            "standard input",
        ),
        (
            "explain arn:aws:iam::123456789012:user/bob s3:GetObject --context =x",
            "KEY=VALUE",
        ),
        (
            "simulate --policy {0} --action s3:GetObject --context aws:username=eve",
            "follows from --caller",
        ),
        ("denials --principal bob", "--principal bob: not an ARN"),
        (
            "explain bob s3:GetObject",
            "PRINCIPAL bob: not an ARN, such as",
        ),
    ] {
        let refused = policy(words, &[GET]).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }
    assert!(kind("bucket:").is_err());
    assert!(
        context(&["a=b=c".to_owned()]).is_ok(),
        "values may hold the sign"
    );
    assert!(context(&["=b".to_owned()]).is_err());
}

/// What every request has need not be told.
#[test]
fn the_owner_of_the_resource_is_known() {
    let policy_text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*",
        "Resource":"*","Condition":{
            "StringEquals":{"s3:ResourceAccount":"123456789012"},
            "DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}}}"#;
    let asked = "simulate --policy {0} --action s3:GetObject --resource arn:aws:s3:::b/k";
    assert_eq!(policy(asked, &[policy_text]), Ok(true));
    let told = format!("{asked} --context s3:ResourceAccount=210987654321");
    assert_eq!(policy(&told, &[policy_text]), Ok(false));
}

/// As from a server, where a list of one is no single value.
#[test]
fn a_list_of_one() {
    let tagged = |operator: &str| {
        let statement = r#""Effect":"Allow","Action":"iam:TagUser","Resource":"*""#;
        let condition = format!(r#""Condition":{{"{operator}":{{"aws:TagKeys":"a,b"}}}}"#);
        let policy_text =
            format!(r#"{{"Version":"2012-10-17","Statement":{{{statement},{condition}}}}}"#);
        let asked = "simulate --policy {0} --action iam:TagUser --context aws:TagKeys=a,b";
        policy(asked, &[&policy_text])
    };
    assert_eq!(tagged("StringEquals"), Ok(false));
    assert_eq!(tagged("ForAnyValue:StringEquals"), Ok(true));
}
