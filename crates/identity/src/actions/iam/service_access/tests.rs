//! Which policies grant access to which services.

use keywright_policy::parse;

use super::grants;
use crate::testing::{ACCOUNT, TestInstallation, certificates::in_form};

#[test]
fn what_grants_access_to_s3() {
    for (statement, expected) in [
        (r#""Effect":"Allow","Action":"*""#, true),
        (r#""Effect":"Allow","Action":"s3:GetObject""#, true),
        (r#""Effect":"Allow","Action":["iam:*","S3:Get*"]"#, true),
        (r#""Effect":"Allow","NotAction":"iam:*""#, true),
        (r#""Effect":"Allow","NotAction":"s3:Get*""#, true),
        (r#""Effect":"Allow","NotAction":"s3:*""#, false),
        (r#""Effect":"Allow","NotAction":"*""#, false),
        (r#""Effect":"Allow","Action":"s3express:*""#, false),
        (r#""Effect":"Deny","Action":"s3:*""#, false),
    ] {
        let document =
            format!(r#"{{"Version":"2012-10-17","Statement":{{{statement},"Resource":"*"}}}}"#);
        let document = parse(&document).unwrap();
        assert_eq!(grants(&document, "s3"), expected, "{statement}");
    }
}

#[test]
fn policies_of_users_include_those_of_their_groups() {
    let bench = TestInstallation::new();
    bench.user("ann", &["AmazonS3FullAccess"]);
    let inline = in_form(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}}"#,
    );
    for form in [
        "CreateGroup&GroupName=staff".to_owned(),
        "AddUserToGroup&GroupName=staff&UserName=ann".to_owned(),
        "AttachGroupPolicy&GroupName=staff&PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess"
            .to_owned(),
        format!("PutGroupPolicy&GroupName=staff&PolicyName=reader&PolicyDocument={inline}"),
        format!("PutUserPolicy&UserName=ann&PolicyName=own&PolicyDocument={inline}"),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let list = |arn: &str, more: &str| {
        bench.root(&format!(
            "Action=ListPoliciesGrantingServiceAccess&Arn=arn:aws:iam::{ACCOUNT}:{arn}{more}"
        ))
    };
    let services = "&ServiceNamespaces.member.1=s3&ServiceNamespaces.member.2=iam\
                    &ServiceNamespaces.member.3=ec2";
    let answer = list("user/ann", services);
    assert_eq!(answer.values("ServiceNamespace"), ["s3", "iam", "ec2"]);
    assert_eq!(
        answer.values("PolicyName"),
        ["AmazonS3FullAccess", "own", "reader"]
    );
    assert_eq!(answer.values("PolicyType"), ["MANAGED", "INLINE", "INLINE"]);
    assert_eq!(answer.values("EntityType"), ["USER", "GROUP"]);
    assert_eq!(answer.values("EntityName"), ["ann", "staff"]);
    assert_eq!(answer.value("IsTruncated"), "false");
    let group = list("group/staff", "&ServiceNamespaces.member.1=iam");
    assert_eq!(group.values("PolicyName"), ["reader"]);
    for (arn, code) in [
        ("user/eve", "NoSuchEntity"),
        ("role/ann", "NoSuchEntity"),
        ("user/path/ann", "NoSuchEntity"),
        ("policy/p", "InvalidInput"),
        ("root", "InvalidInput"),
    ] {
        assert_eq!(list(arn, services).code(), Some(code), "{arn}");
    }
}

#[test]
fn more_than_a_hundred_services_are_pages() {
    let bench = TestInstallation::new();
    bench.user("ann", &["AdministratorAccess"]);
    let members = (1..=150).map(|n| format!("&ServiceNamespaces.member.{n}=service-{n}"));
    let members: String = members.collect();
    let form = format!(
        "Action=ListPoliciesGrantingServiceAccess&Arn=arn:aws:iam::{ACCOUNT}:user/ann{members}"
    );
    let first = bench.root(&form);
    assert_eq!(first.values("ServiceNamespace").len(), 100);
    let marker = first.value("Marker");
    let rest = bench.root(&format!("{form}&Marker={marker}"));
    let services = rest.values("ServiceNamespace");
    assert_eq!((services.len(), &*services[0]), (50, "service-101"));
    assert_eq!(rest.values("PolicyName").len(), 50);
}
