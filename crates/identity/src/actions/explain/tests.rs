//! Explanations and the list of who may, beside what really happens.

use crate::testing::{ACCOUNT, Bench};

const BY_TAG: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Tagged","Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"ops"}}}}"#;
const BY_TLS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}"#;
const NO: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"No","Effect":"Deny","Action":"iam:*","Resource":"*"}}"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.user("admin", &["AdministratorAccess"]);
    bench.user("nobody", &[]);
    bench.user("denied", &["AdministratorAccess"]);
    for (user, policy) in [("tagged", BY_TAG), ("tls", BY_TLS), ("denied", NO)] {
        if user != "denied" {
            bench.user(user, &[]);
        }
        let put = format!("UserName={user}&PolicyName=p&PolicyDocument={policy}");
        bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    }
    let tag = "Tags.member.1.Key=team&Tags.member.1.Value=ops";
    bench
        .root(&format!("Action=TagUser&UserName=tagged&{tag}"))
        .ok();
    bench
}

fn explain(bench: &Bench, name: &str, more: &str) -> (String, String) {
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:{name}\
         &ActionName=iam:ListUsers&ResourceArn=arn:aws:iam::{ACCOUNT}:user/{more}"
    );
    let answer = bench.root(&form);
    (answer.value("Decision"), answer.value("Explanation"))
}

#[test]
fn explanations() {
    let bench = bench();
    let tls = "&ContextEntries.member.1.ContextKeyName=aws:SecureTransport\
               &ContextEntries.member.1.ContextKeyValue=true";
    for (name, more, decision, says) in [
        ("root", "", "allowed", "allowed"),
        (
            "user/admin",
            "",
            "allowed",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        (
            "user/nobody",
            "",
            "implicitDeny",
            "needed: an Allow in identity-based policy",
        ),
        (
            "user/denied",
            "",
            "explicitDeny",
            "statement 1 (No) of identity-based policy p",
        ),
        (
            "user/tagged",
            "",
            "allowed",
            "(Tagged) of identity-based policy p",
        ),
        (
            "user/tls",
            "",
            "implicitDeny",
            "lacks: the condition Bool aws:SecureTransport",
        ),
        ("user/tls", tls, "allowed", "identity-based policy p"),
    ] {
        let (found, text) = explain(&bench, name, more);
        assert_eq!(found, decision, "{name}");
        assert!(text.contains(says), "{name}: {text}");
    }
    let unknown = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/x/admin\
         &ActionName=iam:ListUsers&ResourceArn=*"
    );
    assert_eq!(
        bench.root(&unknown).code(),
        Some("NoSuchEntity"),
        "another path"
    );
}

#[test]
fn who_can() {
    let bench = bench();
    let form = "Action=ListAuthorizedPrincipals&ActionName=iam:ListUsers&ResourceArn=*";
    let answer = bench.root(form);
    let names: Vec<_> = answer.values("PrincipalArn");
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:{name}");
    let expected = ["root", "user/admin", "user/tagged", "user/tls"].map(arn);
    assert_eq!(names, expected);
    let conditions = answer.values("Condition");
    assert_eq!(conditions.len(), 1, "only one is under a condition");
    assert!(
        conditions[0].contains("aws:SecureTransport"),
        "{conditions:?}"
    );
}

#[test]
fn only_actions_can_be_asked_about() {
    let bench = bench();
    for action in [
        "GetObject",
        "s3:*",
        "s3:Get?bject",
        "*:*",
        "s3:",
        ":GetObject",
    ] {
        for form in [
            format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
            "ListAuthorizedPrincipals".to_owned(),
        ] {
            let form = format!("Action={form}&ActionName={action}&ResourceArn=*");
            bench.root(&form).refused(
                "ValidationError",
                &format!(
                    "ActionName {action} is not an action: write service:Action, for example \
                     s3:GetObject, without wildcards"
                ),
            );
        }
    }
}

#[test]
fn every_statement_says_what_it_lacked() {
    let bench = bench();
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/denied\
         &ActionName=iam:ListUsers&ResourceArn=*"
    );
    let answer = bench.root(&form);
    let told: Vec<_> = ["Statement", "Effect", "Applies"]
        .map(|n| answer.values(n))
        .into();
    assert_eq!(told[0], ["1", "1 (No)"]);
    assert_eq!(told[1], ["Allow", "Deny"]);
    assert_eq!(told[2], ["true", "true"]);
    assert_eq!(answer.values("Lacks"), [""; 0]);
    assert_eq!(answer.value("IsTruncated"), "false");
}
