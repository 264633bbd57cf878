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

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

fn put_policy(bench: &TestInstallation, user: &str, statements: &[&str]) {
    let statements = statements.join(",");
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let form = format!("Action=PutUserPolicy&UserName={user}&PolicyName=p");
    bench
        .root(&format!("{form}&PolicyDocument={document}"))
        .ok();
}

/// A user who may do everything except what this says about one ARN.
fn barred_from(bench: &TestInstallation, arn: &str) -> TestKeys {
    let spy = bench.user("spy", &[]);
    let deny = format!(r#"{{"Effect":"Deny","Action":"*","Resource":"{arn}"}}"#);
    put_policy(bench, "spy", &[ALL, &deny]);
    spy
}

const EXPLAIN: &str = "Action=ExplainDeniedRequest&RequestId=11111111-2222-4333-8444-555555555555";

/// The policies of a federated user are its issuer's.
#[test]
fn a_federated_users_denial_is_as_secret_as_its_issuers_policies() {
    let on_federated = format!(
        r#"{{"Effect":"Allow","Action":"*","Resource":"arn:aws:sts::{ACCOUNT}:federated-user/*"}}"#
    );
    let boss_arn = format!("arn:aws:iam::{ACCOUNT}:user/boss");
    for spied in [true, false] {
        let bench = TestInstallation::new();
        let boss = bench.user("boss", &[]);
        let hidden = r#"{"Effect":"Allow","Action":"keywright:*","Resource":"*","Condition":
            {"StringEquals":{"aws:SourceVpce":"vpce-hidden"}}}"#;
        let sts = r#"{"Effect":"Allow","Action":"sts:*","Resource":"*"}"#;
        put_policy(&bench, "boss", &[hidden, sts]);
        let spy = match spied {
            true => barred_from(&bench, &boss_arn),
            false => {
                let spy = bench.user("spy", &[]);
                put_policy(&bench, "spy", &[&on_federated]);
                spy
            }
        };
        let limits = format!(r#"{{"Version":"2012-10-17","Statement":[{ALL}]}}"#);
        let federate = format!("Action=GetFederationToken&Name=fed&Policy={limits}");
        let federated = TestKeys::of(&bench.call(&boss, &federate));
        let denied = bench.call(&federated, "Action=ListRotationPlaces");
        assert_eq!(denied.code(), Some("AccessDenied"));
        let text = explain(&bench).value("Explanation");
        assert!(text.contains("vpce-hidden"), "{text}");
        let refused = bench.call(&spy, EXPLAIN);
        assert_eq!(refused.code(), Some("AccessDenied"), "{spied}");
    }
}

/// What became of a role since a request was denied.
#[derive(Debug, Clone, Copy)]
enum RoleFate {
    Stays,
    Deleted,
    CreatedElsewhere,
}

/// A role's policies stay as secret as they were, whatever became of the role.
#[test]
fn the_policies_of_a_role_that_is_gone_are_not_disclosed() {
    use RoleFate::{CreatedElsewhere, Deleted, Stays};
    for fate in [Stays, Deleted, CreatedElsewhere] {
        for assuming in [false, true] {
            let bench = TestInstallation::new();
            let ann = bench.user("ann", &[]);
            let trust = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole",
                    "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/ann"}},"Condition":
                    {{"StringEquals":{{"sts:ExternalId":"hidden"}}}}}}}}"#
            );
            let create = |path: &str| {
                let form = format!("Action=CreateRole&RoleName=r&Path={path}");
                bench
                    .root(&format!("{form}&AssumeRolePolicyDocument={trust}"))
                    .ok();
            };
            create("/restricted/");
            let barred = format!("arn:aws:iam::{ACCOUNT}:role/restricted/*");
            let spy = barred_from(&bench, &barred);
            let arn = format!("arn:aws:iam::{ACCOUNT}:role/restricted/r");
            let assume = format!("Action=AssumeRole&RoleArn={arn}&RoleSessionName=s1");
            let refused = if assuming {
                bench.call(&ann, &assume)
            } else {
                let session = bench.call(&ann, &format!("{assume}&ExternalId=hidden"));
                bench.call(&TestKeys::of(&session), "Action=ListGroups")
            };
            assert_eq!(refused.code(), Some("AccessDenied"));
            explain(&bench).ok();
            if let Deleted | CreatedElsewhere = fate {
                bench.root("Action=DeleteRole&RoleName=r").ok();
            }
            if let CreatedElsewhere = fate {
                create("/open/");
            }
            let refused = bench.call(&spy, EXPLAIN);
            assert_eq!(refused.code(), Some("AccessDenied"), "{fate:?} {assuming}");
            if !assuming {
                let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s1");
                let list = format!("Action=ListDeniedRequests&PrincipalArn={session}");
                let listed = bench.call(&spy, &list);
                assert_eq!(listed.code(), Some("AccessDenied"), "{fate:?}");
            }
        }
    }
}

/// Neither its tags nor whether it exists.
#[test]
fn nothing_about_a_role_of_another_account_is_disclosed() {
    let bench = TestInstallation::new();
    let other = "210987654321";
    let creating = bench
        .identity()
        .create_account(other.parse().unwrap(), |_| Ok(()));
    let created = bench.block_on(creating).unwrap();
    let root = TestKeys {
        id: created.key.to_string(),
        secret: created.secret,
        token: None,
    };
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{{"AWS":"arn:aws:iam::{other}:root"}}}}}}"#
    );
    let form = "Action=CreateRole&RoleName=there&Tags.member.1.Key=Secret&Tags.member.1.Value=gold";
    bench
        .call(&root, &format!("{form}&AssumeRolePolicyDocument={trust}"))
        .ok();
    let ann = bench.user("ann", &[]);
    let deny = r#"{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*","Condition":
        {"StringEquals":{"aws:ResourceTag/Secret":["lead","${aws:ResourceTag/Secret}s"]}}}"#;
    put_policy(&bench, "ann", &[ALL, deny]);
    let explained = ["there", "gone"].map(|name| {
        let arn = format!("arn:aws:iam::{other}:role/{name}");
        let assume = format!("Action=AssumeRole&RoleArn={arn}&RoleSessionName=s1");
        assert_eq!(bench.call(&ann, &assume).code(), Some("AccessDenied"));
        let found = explain(&bench);
        let of_resource = |key: &&String| key.contains("resource");
        let names = found.values("ContextKeyName");
        assert_eq!(names.iter().find(of_resource), None, "{name}");
        let lacks = found.values("Lacks").join(" ");
        assert!(lacks.contains("not disclosed"), "{lacks}");
        assert!(!found.ok().contains("gold"), "{}", found.ok());
        (
            names,
            found.value("Explanation").replace(name, "NAME"),
            lacks,
        )
    });
    assert_eq!(explained[0], explained[1]);
}

/// Whoever is denied to see an entity does not see it in the explanation either.
#[test]
fn tags_are_disclosed_to_those_who_may_read_them() {
    let bench = TestInstallation::new();
    bench.user("bob", &[]);
    let tag = "Action=TagUser&UserName=bob&Tags.member.1.Key=Secret&Tags.member.1.Value=gold";
    bench.root(tag).ok();
    let spy = barred_from(&bench, &format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    let refused = bench.call(&spy, "Action=GetUser&UserName=bob");
    assert_eq!(refused.code(), Some("AccessDenied"));
    let disclosed = |answer: &TestResponse| answer.ok().contains("gold");
    assert!(disclosed(&explain(&bench)));
    assert!(!disclosed(&bench.call(&spy, EXPLAIN)));
}
