//! End-to-end tests from arguments to answers.

use std::io::Write;

use clap::Parser;

use super::{PolicyCommand, lint::kind, run, simulate::context};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: PolicyCommand,
}

/// Runs `policy WORDS`. `{0}` and `{1}` stand for files with these contents.
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
    let requested = "simulate --policy {0} --action s3:GetObject --caller arn:aws:iam::123456789012:user/a/bob --resource arn:aws:s3:::b/";
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
        let answer = policy(&format!("{requested}{rest}"), &[GET, BOUNDARY]);
        assert_eq!(answer, Ok(allowed), "{rest}");
    }
    let free = "simulate --policy {0} --action sts:GetCallerIdentity";
    assert_eq!(policy(free, &[GET]), Ok(true));
}

const S3: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/open/*"},
    {"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject",
     "Resource":"arn:aws:s3:::b/log/*","Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/team/app"},
     "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/role/*"},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/app/one"},
     "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/session/*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"},
    {"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},
    {"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},
     "Action":"sts:AssumeRoleWithWebIdentity",
     "Condition":{"StringEquals":{"accounts.google.com:aud":"app"}}}]}"#;
const ASSUME: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const RCP_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
const RCP_TLS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}}"#;

/// Each kind of caller and each kind of policy affects the decision.
#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn callers_and_layers() {
    let files = [S3, BUCKET, TRUST, ASSUME, ALL, BOUNDARY, RCP_ALL, RCP_TLS];
    let get = "--action s3:GetObject --resource arn:aws:s3:::b";
    let put = "--action s3:PutObject --resource arn:aws:s3:::b";
    let assume = "--action sts:AssumeRole --resource arn:aws:iam::123456789012:role/r";
    let web = "--action sts:AssumeRoleWithWebIdentity --resource arn:aws:iam::123456789012:role/r";
    let role = "--caller arn:aws:iam::123456789012:role/team/app";
    let session = "--caller arn:aws:sts::123456789012:assumed-role/app/one";
    let federated = "--caller arn:aws:sts::123456789012:federated-user/eve";
    let root = "--caller arn:aws:iam::123456789012:root";
    let stranger = "--caller arn:aws:iam::999999999999:user/eve";
    let scp = "--service-control-policy";
    let rcp = "--resource-control-policy";
    for (words, allowed) in [
        (format!("{get}/k {root}"), true),
        (format!("{get}/k {root} {scp} {{5}}"), false),
        (format!("{get}/k --policy {{0}} {role}"), true),
        (format!("{get}/role/k --resource-policy {{1}} {role}"), true),
        (
            format!("{get}/role/k --resource-policy {{1}} {session}"),
            false,
        ),
        (
            format!("{get}/session/k --resource-policy {{1}} {session}"),
            true,
        ),
        (
            format!("{get}/session/k --resource-policy {{1}} {role}"),
            false,
        ),
        (
            format!("{get}/role/k --resource-policy {{1}} {role} --session-policy {{5}}"),
            false,
        ),
        (format!("{get}/k --policy {{0}} {federated}"), false),
        (
            format!("{get}/k --policy {{0}} {federated} --session-policy {{0}}"),
            true,
        ),
        (
            format!("{get}/open/k --resource-policy {{1}} --caller anonymous"),
            true,
        ),
        (
            format!("{get}/k --resource-policy {{1}} --caller anonymous"),
            false,
        ),
        (format!("{get}/k --caller anonymous"), false),
        (
            format!("{put}/log/k --resource-policy {{1}} --caller logging.s3.amazonaws.com"),
            true,
        ),
        (
            format!("{put}/log/k --resource-policy {{1}} --caller ec2.amazonaws.com"),
            false,
        ),
        (format!("{assume} --trust-policy {{2}}"), false),
        (
            format!("{assume} --trust-policy {{2}} --policy {{3}}"),
            true,
        ),
        (
            format!("{assume} --trust-policy {{2}} --policy {{3}} {stranger}"),
            false,
        ),
        (format!("{assume} --policy {{3}} {stranger}"), false),
        (
            format!("{assume} --trust-policy {{2}} --caller ec2.amazonaws.com"),
            true,
        ),
        (
            format!("{assume} --trust-policy {{2}} --caller lambda.amazonaws.com"),
            false,
        ),
        (
            format!(
                "{web} --trust-policy {{2}} --caller accounts.google.com \
                 --context accounts.google.com:aud=app"
            ),
            true,
        ),
        (
            format!("{web} --trust-policy {{2}} --caller accounts.google.com"),
            false,
        ),
        (
            format!("{web} --trust-policy {{2}} --caller graph.facebook.com"),
            false,
        ),
        (
            format!("{get}/k --policy {{0}} {scp} {{4}} {scp} {{0}}"),
            true,
        ),
        (
            format!("{get}/k --policy {{0}} {scp} {{4}} {scp} {{5}}"),
            false,
        ),
        (
            format!("{get}/k --policy {{0}} {scp} {{4}} {scp} {{5}},{{0}}"),
            true,
        ),
        (format!("{get}/k --policy {{0}} {rcp} {{6}}"), true),
        (format!("{get}/k --policy {{0}} {rcp} {{7}}"), false),
        (
            format!("{get}/k --policy {{0}} {rcp} {{6}},{{7}} --context aws:SecureTransport=true"),
            true,
        ),
        (
            format!("{get}/k --policy {{0}} {rcp} {{6}},{{7}} --context aws:SecureTransport=false"),
            false,
        ),
        (
            format!(
                "{get}/open/k --resource-policy {{1}} --caller anonymous {rcp} {{6}},{{7}} \
                 --context aws:SecureTransport=false"
            ),
            false,
        ),
        (
            "--action sts:GetCallerIdentity --caller anonymous".to_owned(),
            false,
        ),
    ] {
        let words = format!("simulate {words}");
        assert_eq!(policy(&words, &files), Ok(allowed), "{words}");
    }
}

/// Changing AWS managed policies is denied whatever the policies say. Reading and attaching them is
/// not.
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

/// Whatever Keywright's own actions do or reveal must be allowed, as on the server.
#[test]
fn what_an_action_implies() {
    let statement = |action: &str, more: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":{more}}}}}"#
        )
    };
    let own = statement("keywright:*", r#""*""#);
    let iam = statement("iam:*", r#""arn:aws:iam::123456789012:user/*""#);
    let team = statement("iam:*", r#""arn:aws:iam::123456789012:user/team/*""#);
    let via = r#""*","Condition":{"ForAnyValue:StringEquals":{
        "aws:CalledVia":"rotation.keywright"}}"#;
    let via = statement("iam:*", via);
    let key = r#""*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"x"},
        "Null":{"aws:TagKeys":"false"}}"#;
    let tags = statement("iam:*", key);
    let start = "keywright:StartRotation --resource arn:aws:iam::123456789012:user/team/bob";
    let reveal = "keywright:RetrieveRotationKey --resource arn:aws:iam::123456789012:user/bob";
    let files = [own, iam, team, via, tags];
    let files: Vec<&str> = files.iter().map(|text| &**text).collect();
    for (words, allowed) in [
        (format!("{start} --policy {{0}}"), false),
        (format!("{start} --policy {{0}} --policy {{1}}"), true),
        (
            format!("{start} --policy {{0}} --policy {{2}} --json"),
            true,
        ),
        (format!("{start} --policy {{0}} --policy {{3}}"), true),
        (
            format!("{start} --policy {{0}} --policy {{4}} --context aws:TagKeys=x"),
            false,
        ),
        (format!("{reveal} --policy {{0}} --policy {{1}}"), true),
        (
            format!("{reveal} --policy {{0}} --policy {{3}} --json"),
            false,
        ),
        (
            "keywright:ListRotations --policy {0} --policy {1}".to_owned(),
            true,
        ),
        (
            "keywright:ListRotations --policy {0} --policy {2}".to_owned(),
            false,
        ),
        (
            "keywright:ListRotations --policy {0} --policy {3}".to_owned(),
            true,
        ),
    ] {
        let words = format!("simulate --action {words}");
        assert_eq!(policy(&words, &files), Ok(allowed), "{words}");
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
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn what_cannot_be_read() {
    for (words, expected) in [
        ("lint missing.json", "cannot read missing.json"),
        ("lint --kind other {0}", "hint: use managed, inline"),
        (
            "simulate --policy {0} --action a:b --context x",
            "KEY=VALUE",
        ),
        (
            "simulate --policy {0} --action a:b --caller me",
            "--caller me",
        ),
        (
            "simulate --caller arn:aws:iam::123456789012:group/g --action s3:GetObject",
            "hint: use arn:aws:iam::ACCOUNT:user/NAME",
        ),
        (
            "simulate --caller arn:aws:sts::123456789012:assumed-role/r --action s3:GetObject",
            "not a valid caller",
        ),
        (
            "simulate --caller arn:aws:iam::123456789012:user/ --action s3:GetObject",
            "not a valid caller",
        ),
        (
            "simulate --caller arn:aws:iam::aws:user/bob --action s3:GetObject",
            "not a valid caller",
        ),
        (
            "simulate --caller EC2.example.com --action s3:GetObject",
            "not a valid caller",
        ),
        (
            "simulate --caller anonymous --policy {0} --action s3:GetObject",
            "--policy: anonymous cannot have such policies",
        ),
        (
            "simulate --caller ec2.amazonaws.com --service-control-policy {0} --action s3:GetObject",
            "--service-control-policy: ec2.amazonaws.com cannot have such policies",
        ),
        (
            "simulate --caller arn:aws:iam::123456789012:root --boundary {0} --action s3:GetObject",
            "hint: it is limited by service control policies",
        ),
        (
            "simulate --trust-policy {0} --action s3:GetObject",
            "a role's trust policy does not decide s3:GetObject",
        ),
        (
            "simulate --trust-policy {0} --action sts:AssumeRole",
            "Has prohibited field Resource",
        ),
        (
            "simulate --trust-policy {0} --resource-policy {0} --action sts:AssumeRole",
            "cannot be used with",
        ),
        (
            "simulate --resource-control-policy {0} --action s3:GetObject",
            "\"Principal\": \"*\"",
        ),
        (
            "simulate --service-control-policy {0},,{0} --action s3:GetObject",
            "a file name is empty",
        ),
        (
            "simulate --policy - --service-control-policy {0},- --action s3:GetObject",
            "standard input",
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
            "s3:GetObject cannot be performed on arn:aws:s3:::b",
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
            "is set by --caller",
        ),
        ("denials --principal bob", "no server to ask"),
        ("explain bob s3:GetObject", "no server to ask"),
    ] {
        let refused = policy(words, &[GET]).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    assert!(kind("bucket:").is_err());
    assert!(
        context(&["a=b=c".to_owned()]).is_ok(),
        "values may hold the sign"
    );
    assert!(context(&["=b".to_owned()]).is_err());
}

/// Condition keys that every request has need not be given.
#[test]
fn the_owner_of_the_resource_is_known() {
    let policy_text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*",
        "Resource":"*","Condition":{
            "StringEquals":{"s3:ResourceAccount":"123456789012"},
            "DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}}}"#;
    let requested = "simulate --policy {0} --action s3:GetObject --resource arn:aws:s3:::b/k";
    assert_eq!(policy(requested, &[policy_text]), Ok(true));
    let payload = format!("{requested} --context s3:ResourceAccount=210987654321");
    assert_eq!(policy(&payload, &[policy_text]), Ok(false));
}

/// As returned by a server, where a list of one is not a single value.
#[test]
fn a_list_of_one() {
    let tagged = |operator: &str| {
        let statement = r#""Effect":"Allow","Action":"iam:TagUser","Resource":"*""#;
        let condition = format!(r#""Condition":{{"{operator}":{{"aws:TagKeys":"a,b"}}}}"#);
        let policy_text =
            format!(r#"{{"Version":"2012-10-17","Statement":{{{statement},{condition}}}}}"#);
        let requested = "simulate --policy {0} --action iam:TagUser --context aws:TagKeys=a,b";
        policy(requested, &[&policy_text])
    };
    assert_eq!(tagged("StringEquals"), Ok(false));
    assert_eq!(tagged("ForAnyValue:StringEquals"), Ok(true));
}
