//! Explanations and the list of who may, beside what really happens.

use std::sync::Arc;

use keywright_policy::{Kind, Policy, validate};

use crate::{
    testing::{ACCOUNT, Bench},
    view::Attached,
};

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

const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Named","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject",
     "Resource":"arn:aws:s3:::b/*"},
    {"Sid":"Office","Effect":"Allow","Principal":"*","Action":"s3:PutObject",
     "Resource":"arn:aws:s3:::b/*",
     "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
    {"Sid":"Locked","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject",
     "Resource":"arn:aws:s3:::b/*"},
    {"Sid":"Sealed","Effect":"Deny","Principal":"*","Action":"s3:*BucketPolicy",
     "Resource":"arn:aws:s3:::b"},
    {"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:GetObject",
     "Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;

/// The bench with a bucket `b` of its account and a bucket `c` of another one.
fn with_buckets() -> Bench {
    let bench = bench();
    let policy = validate(BUCKET, Kind::Bucket { bucket: "b" }).unwrap();
    let policy = Arc::new(Policy::compile(&policy).with_id("b"));
    bench.identity().know_resources(Box::new(move |arn| {
        let owner = match arn.split(['/', ':']).nth(5) {
            Some("b") => ACCOUNT,
            Some("c") => "210987654321",
            _ => return Box::pin(async { Ok(None) }),
        };
        let owner = owner.parse().unwrap();
        let policy = Some(Arc::clone(&policy));
        let attached = Attached {
            owner,
            policy,
            restricted: false,
        };
        Box::pin(async move { Ok(Some(attached)) })
    }));
    bench
}

#[test]
fn policies_of_buckets_are_asked() {
    let bench = with_buckets();
    let asked = |name: &str, action: &str, resource: &str| {
        bench.root(&format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:{name}\
             &ActionName=s3:{action}&ResourceArn=arn:aws:s3:::{resource}"
        ))
    };
    for (name, action, resource, decision, says) in [
        (
            "user/admin",
            "DeleteObject",
            "b/k",
            "explicitDeny",
            "(Locked) of resource-based policy b",
        ),
        (
            "user/admin",
            "DeleteObject",
            "free/k",
            "allowed",
            "AdministratorAccess",
        ),
        (
            "user/nobody",
            "GetObject",
            "b/k",
            "implicitDeny",
            "an Allow in identity-based policy",
        ),
        ("root", "DeleteObject", "b/k", "explicitDeny", "(Locked)"),
        ("root", "DeleteBucketPolicy", "b", "allowed", "allowed"),
        (
            "user/admin",
            "DeleteBucketPolicy",
            "b",
            "explicitDeny",
            "(Sealed)",
        ),
    ] {
        let answer = asked(name, action, resource);
        assert_eq!(answer.value("Decision"), decision, "{name} {action}");
        let text = answer.value("Explanation");
        assert!(text.contains(says), "{name} {action}: {text}");
    }
    for form in [
        format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
        "ListAuthorizedPrincipals".to_owned(),
    ] {
        let form = format!("Action={form}&ActionName=s3:GetObject&ResourceArn=arn:aws:s3:::c/k");
        bench.root(&form).refused(
            "ValidationError",
            "ResourceArn arn:aws:s3:::c/k belongs to another account, which alone can ask what its \
             policy says",
        );
    }
}

/// Name, through what, and under which condition.
fn who(bench: &Bench, action: &str, resource: &str) -> Vec<(String, String, String)> {
    let form =
        format!("Action=ListAuthorizedPrincipals&ActionName={action}&ResourceArn={resource}");
    let answer = bench.root(&form);
    let rows = answer.ok().split("<member>").skip(1);
    let field = |row: &str, name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = row
            .split(&open)
            .nth(1)
            .and_then(|rest| rest.split(&close).next());
        found.unwrap_or_default().to_owned()
    };
    rows.map(|row| {
        let arn = field(row, "PrincipalArn");
        let name = arn.rsplit([':', '/']).next().unwrap().to_owned();
        (name, field(row, "Through"), field(row, "Condition"))
    })
    .collect()
}

#[test]
fn conditions_of_both_effects_are_shown() {
    let bench = with_buckets();
    bench.user("guarded", &["AdministratorAccess"]);
    bench.user("untagged", &[]);
    let guard = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
    for (user, policy) in [("guarded", guard), ("untagged", BY_TAG)] {
        let put = format!("UserName={user}&PolicyName=g&PolicyDocument={policy}");
        bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    }
    let may = who(&bench, "iam:ListUsers", "*");
    let of = |name: &str| may.iter().find(|(found, ..)| found == name);
    let (_, through, condition) = of("guarded").unwrap();
    assert!(through.contains("AdministratorAccess"), "{through}");
    assert_eq!(
        condition,
        "not (BoolIfExists aws:MultiFactorAuthPresent = false), which statement 1 of \
         identity-based policy g denies"
    );
    assert_eq!(
        of("untagged"),
        None,
        "it is known what tags it does not have"
    );
    let (_, _, condition) = of("tls").unwrap();
    assert_eq!(condition, "Bool aws:SecureTransport = true");

    let may = who(&bench, "s3:PutObject", "arn:aws:s3:::b/k");
    let nobody = may.iter().find(|(name, ..)| name == "nobody").unwrap();
    assert_eq!(nobody.1, "statement 2 (Office) of resource-based policy b");
    assert_eq!(nobody.2, "IpAddress aws:SourceIp = 10.0.0.0/8");
    let may = who(&bench, "s3:GetObject", "arn:aws:s3:::b/k");
    let names: Vec<_> = may.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        ["root", "admin", "denied", "guarded"],
        "the account only delegates"
    );
    assert!(
        may[1]
            .2
            .contains("(Guard) of resource-based policy b denies"),
        "{may:?}"
    );
    assert_eq!(who(&bench, "s3:DeleteObject", "arn:aws:s3:::b/k"), []);
}

/// A statement with fewer lacks, but one that no request can make up for, hides no other.
#[test]
fn the_nearest_statement_is_one_that_can_apply() {
    let bench = Bench::new();
    bench.user("two", &[]);
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:UserAgent":"x"}}}]}"#;
    let put = format!("UserName=two&PolicyName=p&PolicyDocument={policy}");
    bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    let may = who(&bench, "s3:GetObject", "arn:aws:s3:::b/k");
    let two = may.iter().find(|(name, ..)| name == "two").unwrap();
    assert_eq!(two.1, "statement 2 of identity-based policy p");
    assert_eq!(
        two.2,
        "Bool aws:SecureTransport = true; StringEquals aws:UserAgent = x"
    );
}
