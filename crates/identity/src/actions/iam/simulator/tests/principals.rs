//! Which principals can be simulated, and which of their policies can be excluded.

use super::{A, ALL, ASKS, LISTS, OWN, PUT, boundary, payload};
use crate::testing::{ACCOUNT, TestInstallation, TestResponse};

fn staffed() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.user("bob", &["AmazonS3ReadOnlyAccess"]);
    bench.user("plain", &[]);
    for form in [
        "Action=CreateGroup&GroupName=staff&Path=/x/".to_owned(),
        "Action=AddUserToGroup&GroupName=staff&UserName=bob".to_owned(),
        format!("Action=PutGroupPolicy&GroupName=staff&PolicyName=put&PolicyDocument={PUT}"),
        format!("Action=PutUserPolicy&UserName=bob&PolicyName=own&PolicyDocument={OWN}"),
    ] {
        bench.root(&form).ok();
    }
    bench
}

fn of_principal(bench: &TestInstallation, source: &str, action: &str, more: &str) -> TestResponse {
    bench.root(&format!(
        "Action=SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::{ACCOUNT}:{source}\
         &ActionNames.member.1={action}{more}"
    ))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per case")]
fn principals() {
    let bench = staffed();
    let own = "&ResourceArns.member.1=arn:aws:s3:::b/bob";
    let without = "&PolicyExclusionList.member.1.PolicyArn=\
                   arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let exclude = "PolicyExclusionList.member.2.InlinePolicyIdentifier";
    let without_own = format!(
        "{without}&{exclude}.PolicyName=own&{exclude}.AttachmentType=user\
         &{exclude}.AttachmentName=bob"
    );
    let more = format!("&PolicyInputList.member.1={ALL}");
    let (own_id, managed) = ("user_bob_own", "AmazonS3ReadOnlyAccess");
    for (source, action, more, decision, matched) in [
        (
            "user/bob",
            "s3:GetObject",
            own.to_owned(),
            "allowed",
            vec![own_id, managed],
        ),
        (
            "user/any/path/bob",
            "s3:PutObject",
            A.to_owned(),
            "allowed",
            vec!["group_staff_put"],
        ),
        (
            "group/staff",
            "s3:PutObject",
            A.to_owned(),
            "allowed",
            vec!["group_staff_put"],
        ),
        (
            "group/staff",
            "s3:GetObject",
            A.to_owned(),
            "implicitDeny",
            vec![],
        ),
        (
            "user/bob",
            "s3:GetObject",
            format!("{own}{without}"),
            "allowed",
            vec![own_id],
        ),
        (
            "user/bob",
            "s3:GetObject",
            format!("{own}{without_own}"),
            "implicitDeny",
            vec![],
        ),
        (
            "user/plain",
            "s3:GetObject",
            A.to_owned(),
            "implicitDeny",
            vec![],
        ),
        (
            "user/plain",
            "s3:GetObject",
            format!("{A}{more}"),
            "allowed",
            vec!["PolicyInputList.1"],
        ),
    ] {
        let answer = of_principal(&bench, source, action, &more);
        let (found, ids, _) = payload(&answer);
        assert_eq!(
            (found.as_str(), ids),
            (decision, matched.iter().map(|s| (*s).to_owned()).collect()),
            "{source} {action} {more}"
        );
    }
}

#[test]
fn a_principals_own_boundary_counts_unless_another_is_given() {
    let bench = staffed();
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let put = format!("Action=PutUserPermissionsBoundary&UserName=bob&PermissionsBoundary={arn}");
    bench.root(&put).ok();
    let lifted = format!(
        "{A}&PolicyExclusionList.member.1.PolicyArn={arn}\
         &PolicyExclusionList.member.1.PolicyType=permission-boundary"
    );
    for (more, decision) in [
        (A.to_owned(), "implicitDeny"),
        (format!("{A}{}", boundary(ALL)), "allowed"),
        (lifted, "allowed"),
    ] {
        let answer = of_principal(&bench, "user/bob", "s3:PutObject", &more);
        assert_eq!(answer.value("EvalDecision"), decision, "{more}");
    }
}

#[test]
fn sources_that_are_none() {
    let bench = TestInstallation::new();
    let account = ACCOUNT;
    for operation in [
        "SimulatePrincipalPolicy",
        "GetContextKeysForPrincipalPolicy",
    ] {
        for (source, code, expected_text) in [
            (
                format!("arn:aws:iam::{account}:role/none"),
                "NoSuchEntity",
                "Unable to retrieve specified IAM entity.".to_owned(),
            ),
            (
                "arn:aws:iam::999999999999:user/bob".to_owned(),
                "InvalidInput",
                format!(
                    "Invalid Policy Source Arn: caller's account {account} does not have access \
                     to policies in account 999999999999."
                ),
            ),
            (
                format!("arn:aws:iam::{account}:root"),
                "InvalidInput",
                format!("Invalid ARN provided in the request: arn:aws:iam::{account}:root"),
            ),
            (
                "not-an-arn-but-long-enough".to_owned(),
                "InvalidInput",
                "Invalid ARN provided in the request: not-an-arn-but-long-enough".to_owned(),
            ),
        ] {
            let form = format!(
                "Action={operation}&PolicySourceArn={source}&ActionNames.member.1=s3:GetObject"
            );
            bench.root(&form).refused(code, &expected_text);
        }
    }
}

#[test]
fn keys_that_policies_ask_for() {
    let bench = staffed();
    let members = |answer: &TestResponse| answer.values("member");
    let custom = format!(
        "Action=GetContextKeysForCustomPolicy&PolicyInputList.member.1={OWN}\
         &PolicyInputList.member.2={ASKS}"
    );
    assert_eq!(members(&bench.root(&custom)), ["aws:username", "my:key"]);
    let source = format!("PolicySourceArn=arn:aws:iam::{ACCOUNT}:user/bob");
    let principal =
        format!("Action=GetContextKeysForPrincipalPolicy&{source}&PolicyInputList.member.1={ASKS}");
    assert_eq!(members(&bench.root(&principal)), ["aws:username", "my:key"]);
    bench
        .root("Action=GetContextKeysForCustomPolicy&PolicyInputList.member.1={")
        .refused(
            "InvalidInput",
            "Policy input list item 1 has invalid content",
        );
}

#[test]
fn exclusions() {
    let bench = staffed();
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy");
    let bound = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    for form in [
        format!("Action=CreatePolicy&PolicyName=lists&Path=/x/&PolicyDocument={LISTS}"),
        format!("Action=AttachUserPolicy&UserName=bob&PolicyArn={arn}/x/lists"),
        format!("Action=PutUserPermissionsBoundary&UserName=bob&PermissionsBoundary={bound}"),
    ] {
        bench.root(&form).ok();
    }
    let (own, group, read) = ("user_bob_own", "group_staff_put", "AmazonS3ReadOnlyAccess");
    for (excluded, without, bounded) in [
        ("PolicyType=inline".to_owned(), vec![own, group], true),
        ("PolicyType=user-managed".to_owned(), vec!["lists"], true),
        ("PolicyType=aws-managed".to_owned(), vec![read], true),
        ("PolicyType=permission-boundary".to_owned(), vec![], false),
        ("PolicyType=scp".to_owned(), vec![], true),
        (format!("PolicyArn={arn}/lists"), vec!["lists"], true),
        (format!("PolicyArn={arn}/x/lists"), vec!["lists"], true),
        (format!("PolicyArn={arn}/y/lists"), vec![], true),
        (format!("PolicyArn={bound}"), vec![], true),
    ] {
        let mut left = Vec::new();
        for (action, resource) in [
            ("s3:GetObject", "arn:aws:s3:::b/bob"),
            ("s3:PutObject", "arn:aws:s3:::b/bob"),
            ("s3:ListBucketVersions", "arn:aws:s3:::b"),
        ] {
            let more = format!(
                "&ResourceArns.member.1={resource}&PolicyExclusionList.member.1.{excluded}"
            );
            let answer = of_principal(&bench, "user/bob", action, &more);
            left.extend(payload(&answer).1);
            let listed = answer.ok().contains("AllowedByPermissionsBoundary");
            assert_eq!(listed, bounded, "{excluded}");
        }
        let mut expected = vec![own, read, group, "lists", read];
        expected.retain(|id| !without.contains(id));
        left.sort();
        expected.sort_unstable();
        assert_eq!(left, expected, "{excluded}");
    }
}

#[test]
fn a_group_calls_for_itself() {
    let bench = staffed();
    let more = format!("{A}&ResourcePolicy={}", super::BUCKET_ALL);
    let answer = of_principal(&bench, "group/staff", "s3:GetObject", &more);
    let (decision, matched, _) = payload(&answer);
    assert_eq!(
        (&*decision, &*matched),
        ("allowed", &["ResourcePolicy".to_owned()][..])
    );
}

#[test]
fn roles() {
    let bench = staffed();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    for form in [
        format!("CreateRole&RoleName=job&Path=/x/&AssumeRolePolicyDocument={trust}"),
        format!("PutRolePolicy&RoleName=job&PolicyName=put&PolicyDocument={PUT}"),
        "PutRolePermissionsBoundary&RoleName=job\
         &PermissionsBoundary=arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
            .to_owned(),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let decision = |more: &str| {
        let answer = of_principal(&bench, "role/x/job", "s3:PutObject", more);
        (
            answer.value("EvalDecision"),
            answer.values("SourcePolicyId"),
        )
    };
    let allowed_by = |id: &str| ("allowed".to_owned(), vec![id.to_owned()]);
    let (bounded, _) = decision("");
    assert_eq!(bounded, "implicitDeny");
    let without = "&PolicyExclusionList.member.1.PolicyType=permission-boundary";
    assert_eq!(decision(without), allowed_by("role_job_put"));
    let none = of_principal(&bench, "role/none", "s3:PutObject", "");
    none.refused("NoSuchEntity", "Unable to retrieve specified IAM entity.");
    let keys = bench.root(&format!(
        "Action=GetContextKeysForPrincipalPolicy\
         &PolicySourceArn=arn:aws:iam::{ACCOUNT}:role/x/job&PolicyInputList.member.1={ASKS}"
    ));
    assert_eq!(keys.values("member"), ["my:key"]);
}
