//! Denials are listed, and explained after the policies have changed.

use crate::testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse};

const BY_AGENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Agent","Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{"aws:UserAgent":"other"}}},{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}"#;
const ID: &str = "11111111-2222-4333-8444-555555555555";

fn explain(bench: &TestInstallation) -> TestResponse {
    bench.root(&format!("Action=ExplainDeniedRequest&RequestId={ID}"))
}

#[test]
fn a_denial_is_explained_by_the_policies_of_then() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let put = |name: &str, document: &str| {
        let form = "Action=PutUserPolicy&UserName=bob";
        let form = format!("{form}&PolicyName={name}&PolicyDocument={document}");
        bench.root(&form).ok();
    };
    put("then", BY_AGENT);
    let tag = "&Tags.member.1.Key=Team&Tags.member.1.Value=red";
    bench
        .root(&format!("Action=TagUser&UserName=bob{tag}"))
        .ok();
    let refused = bench.call(&keys, "Action=ListUsers");
    let message = refused.error().message.clone().unwrap();
    let found = explain(&bench);
    assert_eq!(found.value("Decision"), "implicitDeny");
    assert_eq!(found.value("DecisionNow"), "implicitDeny");
    assert_eq!(found.value("Message"), message);
    assert_eq!(found.value("ActionName"), "iam:ListUsers");
    let bob = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    assert_eq!(found.value("PrincipalArn"), bob);
    assert_eq!(found.values("Statement"), ["1 (Agent)", "2"]);
    assert_eq!(found.values("Applies"), ["false", "false"]);
    let lacks = found.values("Lacks");
    assert!(lacks[0].contains("StringEquals aws:UserAgent = other (found: aws-cli/1.45)"));
    assert!(lacks[1].starts_with("the action"), "{lacks:?}");
    let names = found.values("ContextKeyName");
    for key in [
        "aws:sourceip",
        "aws:useragent",
        "aws:principaltag/team",
        "aws:currenttime",
    ] {
        assert!(names.iter().any(|name| name == key), "{key}: {names:?}");
    }
    // Replaces the policy: the recorded explanation stays, the current decision changes.
    put(
        "now",
        &BY_AGENT
            .replace("\"other\"", "\"aws-cli/*\"")
            .replace("Equals", "Like"),
    );
    let later = explain(&bench);
    assert_eq!(later.value("Explanation"), found.value("Explanation"));
    assert_eq!(later.value("DecisionNow"), "allowed");
}

#[test]
fn denials_are_listed_by_pages() {
    let bench = TestInstallation::new();
    let (bob, eve) = (bench.user("bob", &[]), bench.user("eve", &[]));
    for keys in [&bob, &eve, &bob] {
        assert_eq!(
            bench.call(keys, "Action=ListUsers").code(),
            Some("AccessDenied")
        );
    }
    assert_eq!(
        bench.call(&bob, "Action=GetUser&UserName=eve").code(),
        Some("AccessDenied")
    );
    let all = bench.root("Action=ListDeniedRequests");
    assert_eq!(
        all.values("ActionName"),
        [
            "iam:GetUser",
            "iam:ListUsers",
            "iam:ListUsers",
            "iam:ListUsers"
        ]
    );
    let of_bob = format!("Action=ListDeniedRequests&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/bob");
    let first = bench.root(&format!("{of_bob}&MaxItems=2"));
    assert_eq!(first.values("ActionName"), ["iam:GetUser", "iam:ListUsers"]);
    let marker = first.value("Marker");
    let rest = bench.root(&format!("{of_bob}&Marker={marker}"));
    assert_eq!(rest.values("ActionName"), ["iam:ListUsers"]);
    assert_eq!(rest.value("IsTruncated"), "false");
    // A refused ListDeniedRequests is itself recorded as a denial.
    assert_eq!(
        bench.call(&bob, "Action=ListDeniedRequests").code(),
        Some("AccessDenied")
    );
    let newest = bench.root("Action=ListDeniedRequests&MaxItems=1");
    assert_eq!(newest.value("ActionName"), "keywright:ListDeniedRequests");
}

#[test]
fn what_was_allowed_or_unproven_is_not_remembered() {
    let bench = TestInstallation::new();
    bench.root("Action=ListUsers").ok();
    let mut stranger = bench.user("bob", &[]);
    stranger.secret = keywright_base::Secret::new("another".to_owned());
    assert_eq!(
        bench.call(&stranger, "Action=ListUsers").code(),
        Some("SignatureDoesNotMatch")
    );
    assert_eq!(
        bench
            .root("Action=ListDeniedRequests")
            .values("RequestId")
            .len(),
        1,
        "the answer's"
    );
    let expected = format!("The denied request with id {ID} cannot be found.");
    explain(&bench).refused("NoSuchEntity", &expected);
}

#[test]
fn a_deleted_user_would_be_denied_now() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    assert_eq!(
        bench.call(&keys, "Action=ListUsers").code(),
        Some("AccessDenied")
    );
    bench
        .root(&format!(
            "Action=DeleteAccessKey&UserName=bob&AccessKeyId={}",
            keys.id
        ))
        .ok();
    bench.root("Action=DeleteUser&UserName=bob").ok();
    bench.user("bob", &["AdministratorAccess"]);
    assert_eq!(explain(&bench).value("DecisionNow"), "implicitDeny");
}

#[test]
fn a_denied_session_is_explained_with_its_session_policy_and_a_denied_role_with_its_trust() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &["AdministratorAccess"]);
    let trust = |who: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Sid":"Trusts","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/{who}"}},"Action":"sts:AssumeRole"}}}}"#
        )
    };
    bench.user("bob", &[]);
    let create = "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument=";
    bench.root(&format!("{create}{}", trust("bob"))).ok();
    let attach = "Action=AttachRolePolicy&RoleName=r&PolicyArn=";
    let full = "arn:aws:iam::aws:policy/IAMFullAccess";
    bench.root(&format!("{attach}{full}")).ok();
    let assume = format!(
        "Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/r&RoleSessionName=s1&Policy={}",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}}"#
    );
    assert_eq!(bench.call(&ann, &assume).code(), Some("AccessDenied"));
    // All requests in these tests have the same ID; the newest one is found.
    let explained = |bench: &TestInstallation| {
        let answer = explain(bench);
        (
            answer.value("Decision"),
            answer.value("DecisionNow"),
            answer.value("Explanation"),
        )
    };
    let (decision, now, text) = explained(&bench);
    assert_eq!((&*decision, &*now), ("implicitDeny", "implicitDeny"));
    assert!(text.contains("trust policy"), "{text}");
    let update = "Action=UpdateAssumeRolePolicy&RoleName=r&PolicyDocument=";
    bench.root(&format!("{update}{}", trust("ann"))).ok();
    assert_eq!(explained(&bench).1, "allowed");
    let session = TestKeys::of(&bench.call(&ann, &assume));
    let denied = bench.call(&session, "Action=ListGroups");
    assert_eq!(denied.code(), Some("AccessDenied"));
    let (decision, now, _) = explained(&bench);
    assert_eq!((&*decision, &*now), ("implicitDeny", "implicitDeny"));
}
