//! Every condition key in the tables is either filled in from a real request, or listed as one that
//! no request here can have.

use std::collections::BTreeSet;

use keywright_policy::ActionCatalogue;

use crate::testing::{ACCOUNT, TestInstallation, TestKeys};

const DIFFERENCES: &str = include_str!("../../../../docs/differences.md");

/// The global keys from AWS's documentation; the action tables do not contain them.
const GLOBAL: &str = "CurrentTime EpochTime SecureTransport SourceIp UserAgent Referer \
    RequestedRegion PrincipalArn PrincipalAccount PrincipalType PrincipalTag PrincipalOrgID \
    PrincipalOrgPaths PrincipalIsAWSService PrincipalServiceName PrincipalServiceNamesList userid \
    username TokenIssueTime MultiFactorAuthPresent MultiFactorAuthAge SourceIdentity \
    FederatedProvider AssumedRoot ChatbotSourceArn Ec2InstanceSourceVpc \
    Ec2InstanceSourcePrivateIPv4 ViaAWSService CalledVia CalledViaFirst CalledViaLast SourceArn \
    SourceAccount SourceOrgID SourceOrgPaths SourceVpc SourceVpcArn SourceVpce VpceAccount \
    VpceOrgID VpceOrgPaths VpcSourceIp ResourceAccount ResourceOrgID ResourceOrgPaths ResourceTag \
    RequestTag TagKeys SignInSessionArn IsMcpServiceAction";

/// Key, value, and the request that has it.
#[expect(clippy::too_many_lines, reason = "one row per key")]
fn rows() -> Vec<(&'static str, String, String)> {
    let tag = "Tags.member.1.Key=team&Tags.member.1.Value=ops";
    let list = "Action=ListUsers".to_owned();
    let bob = "UserName=bob";
    let bound = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let row = |key, value: &str, form: &str| (key, value.to_owned(), form.to_owned());
    let mut rows: Vec<_> = [
        ("aws:CurrentTime", "2026-11-24T*"),
        ("aws:EpochTime", "17955*"),
        ("aws:SecureTransport", "false"),
        ("aws:SourceIp", "192.0.2.7"),
        ("aws:UserAgent", "aws-cli/1.45"),
        ("aws:Referer", "https://there.example/"),
        ("aws:RequestedRegion", "us-east-1"),
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:user/bob"),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:PrincipalType", "User"),
        ("aws:PrincipalTag/team", "red"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ViaAWSService", "false"),
        ("aws:userid", "AIDA*"),
        ("aws:username", "bob"),
        ("aws:ResourceAccount", ACCOUNT),
    ]
    .map(|(key, value)| row(key, value, &list))
    .into();
    let boundary = format!("PermissionsBoundary={bound}");
    rows.extend([
        row(
            "aws:RequestTag/team",
            "ops",
            &format!("Action=TagUser&{bob}&{tag}"),
        ),
        row(
            "aws:RequestTag/team",
            "ops",
            &format!("Action=CreateUser&UserName=new&{tag}"),
        ),
        row(
            "aws:TagKeys",
            "team",
            &format!("Action=TagUser&{bob}&{tag}"),
        ),
        row(
            "aws:TagKeys",
            "team",
            &format!("Action=UntagUser&{bob}&TagKeys.member.1=team"),
        ),
        row(
            "aws:ResourceTag/team",
            "red",
            &format!("Action=GetUser&{bob}"),
        ),
        row(
            "iam:ResourceTag/team",
            "red",
            &format!("Action=GetUser&{bob}"),
        ),
        row(
            "aws:ResourceTag/team",
            "red",
            "Action=ExplainAuthorization&ActionName=s3:GetObject&ResourceArn=*\
             &PrincipalArn=arn:aws:iam::123456789012:user/bob",
        ),
        row(
            "aws:ResourceTag/team",
            "red",
            "Action=ListDeniedRequests&PrincipalArn=arn:aws:iam::123456789012:user/bob",
        ),
        row(
            "iam:PolicyARN",
            bound,
            &format!("Action=AttachUserPolicy&{bob}&PolicyArn={bound}"),
        ),
        row(
            "iam:PermissionsBoundary",
            bound,
            &format!("Action=CreateUser&UserName=new&{boundary}"),
        ),
        row(
            "iam:PermissionsBoundary",
            bound,
            &format!("Action=PutUserPermissionsBoundary&{bob}&{boundary}"),
        ),
        row(
            "iam:AWSServiceName",
            "ecs.amazonaws.com",
            "Action=CreateServiceLinkedRole&AWSServiceName=ecs.amazonaws.com",
        ),
        row(
            "iam:ServiceSpecificCredentialServiceName",
            "logs.amazonaws.com",
            &format!("Action=CreateServiceSpecificCredential&{bob}&ServiceName=logs.amazonaws.com"),
        ),
        row(
            "iam:ServiceSpecificCredentialAgeDays",
            "30",
            &format!(
                "Action=CreateServiceSpecificCredential&{bob}&ServiceName=logs.amazonaws.com\
                 &CredentialAgeDays=30"
            ),
        ),
    ]);
    rows
}

fn bench() -> (TestInstallation, TestKeys) {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &[]);
    let tag = "Tags.member.1.Key=Team&Tags.member.1.Value=red";
    bench
        .root(&format!("Action=TagUser&UserName=bob&{tag}"))
        .ok();
    (bench, keys)
}

/// Allows bob everything under one condition.
fn only_if(bench: &TestInstallation, key: &str, value: &str) {
    let operator = match key {
        "aws:TagKeys" | "aws:CalledVia" => "ForAnyValue:StringLike",
        _ => "StringLike",
    };
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}}}}}"#
    );
    let put = format!("Action=PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument={policy}");
    bench.root(&put).ok();
}

#[test]
fn keys_come_from_the_request() {
    for (key, value, form) in rows() {
        let (bench, keys) = bench();
        let ask = || {
            let answer = bench.call_with(&keys, &form, |facts| {
                facts.referer = Some("https://there.example/".to_owned());
            });
            answer.code() != Some("AccessDenied")
        };
        only_if(&bench, key, &format!("{value}-not"));
        assert!(!ask(), "{key} is not {value}-not");
        only_if(&bench, key, &value);
        assert!(ask(), "{key} is {value}: {form}");
    }
}

/// A principal who may grant permissions only under a boundary is restricted by these keys.
#[test]
fn the_boundary_of_a_user_is_a_key_wherever_its_grants_change() {
    let bound = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let other = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let document =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    for (boundary, may) in [(Some(bound), true), (Some(other), false), (None, false)] {
        let (bench, keys) = bench();
        bench.user("ann", &[]);
        bench
            .root(&format!(
                "Action=AttachUserPolicy&UserName=ann&PolicyArn={other}"
            ))
            .ok();
        if let Some(arn) = boundary {
            let put = "Action=PutUserPermissionsBoundary&UserName=ann";
            bench.root(&format!("{put}&PermissionsBoundary={arn}")).ok();
        }
        only_if(&bench, "iam:PermissionsBoundary", bound);
        for form in [
            format!("Action=AttachUserPolicy&UserName=ann&PolicyArn={bound}"),
            format!("Action=DetachUserPolicy&UserName=ann&PolicyArn={other}"),
            format!("Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument={document}"),
            "Action=DeleteUserPolicy&UserName=ann&PolicyName=p".to_owned(),
            "Action=DeleteUserPermissionsBoundary&UserName=ann".to_owned(),
        ] {
            let answer = bench.call(&keys, &form);
            assert_eq!(answer.is_success(), may, "{boundary:?} {form}");
        }
    }
}

/// A Deny on the ARN of a policy cannot be evaded by another spelling of it.
#[test]
fn a_policy_is_named_by_one_spelling_of_its_arn() {
    let (bench, keys) = bench();
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    for form in [
        format!("CreatePolicy&PolicyName=Admin&Path=/team/&PolicyDocument={all}"),
        "CreateUser&UserName=ann".to_owned(),
        "CreateGroup&GroupName=crew".to_owned(),
        format!("CreateRole&RoleName=work&AssumeRolePolicyDocument={TRUST}"),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/team/Admin");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"*"}},
        {{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"ArnEquals":{{"iam:PolicyARN":"{arn}"}}}}}},
        {{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"StringEquals":{{"iam:PermissionsBoundary":"{arn}"}}}}}}]}}"#
    );
    let put = format!("Action=PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument={policy}");
    bench.root(&put).ok();
    for other in [
        arn.to_lowercase(),
        arn.replace("/team/", "/Team/"),
        arn.replace("/team", ""),
    ] {
        for form in [
            format!("AttachUserPolicy&UserName=ann&PolicyArn={other}"),
            format!("AttachGroupPolicy&GroupName=crew&PolicyArn={other}"),
            format!("AttachRolePolicy&RoleName=work&PolicyArn={other}"),
            format!("PutUserPermissionsBoundary&UserName=ann&PermissionsBoundary={other}"),
            format!("PutRolePermissionsBoundary&RoleName=work&PermissionsBoundary={other}"),
            format!("CreateUser&UserName=new&PermissionsBoundary={other}"),
        ] {
            let answer = bench.call(&keys, &format!("Action={form}"));
            assert_eq!(answer.code(), Some("NoSuchEntity"), "{form}");
        }
    }
    let used = bench.root(&format!("Action=GetPolicy&PolicyArn={arn}"));
    assert_eq!(used.value("AttachmentCount"), "0");
    assert_eq!(used.value("PermissionsBoundaryUsageCount"), "0");
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}"#;

#[test]
fn a_renamed_user_has_its_tags_under_both_names() {
    let (bench, keys) = bench();
    only_if(&bench, "aws:ResourceTag/team", "red");
    let rename = "Action=UpdateUser&UserName=bob&NewUserName=rob";
    assert!(bench.call(&keys, rename).is_success());
}

#[test]
fn keys_of_temporary_credentials() {
    let (bench, keys) = bench();
    let plain = TestKeys::of(&bench.call(&keys, "Action=GetSessionToken"));
    let phone = bench.device("phone");
    bench.root(&phone.enable(&bench, "bob", [-1, 0])).ok();
    let (serial, code) = (&phone.serial, phone.code(&bench, 1));
    let form = format!("Action=GetSessionToken&SerialNumber={serial}&TokenCode={code}");
    let with_code = TestKeys::of(&bench.call(&keys, &form));
    bench.pass(7);
    for (key, value, who) in [
        ("aws:TokenIssueTime", "2026-11-24T*", [false, true, true]),
        ("aws:MultiFactorAuthPresent", "false", [false, true, false]),
        ("aws:MultiFactorAuthPresent", "true", [false, false, true]),
        ("aws:MultiFactorAuthAge", "7", [false, false, true]),
        ("aws:MultiFactorAuthAge", "*", [false, false, true]),
    ] {
        only_if(&bench, key, value);
        let may = [&keys, &plain, &with_code]
            .map(|keys| bench.call(keys, "Action=ListUsers").is_success());
        assert_eq!(may, who, "{key} {value}");
    }
}

#[test]
fn keys_of_credentials_that_a_service_uses() {
    let (bench, keys) = bench();
    let session = bench.forward_access_session("bob", None);
    let may = |keys| bench.call(keys, "Action=ListUsers").is_success();
    for (key, value) in [
        ("aws:ViaAWSService", "true"),
        ("aws:CalledVia", "rotation.keywright"),
        ("aws:CalledViaFirst", "rotation.keywright"),
        ("aws:CalledViaLast", "rotation.keywright"),
    ] {
        only_if(&bench, key, value);
        assert!(may(&session), "{key}");
        assert!(!may(&keys), "{key} is not so for a user's own request");
        only_if(&bench, key, &format!("{value}-not"));
        assert!(!may(&session), "{key} is not {value}-not");
    }
}

#[test]
fn every_key_of_the_tables_is_filled_or_listed() {
    let stem = |key: &str| key.split(['/', '$', '<']).next().unwrap().to_lowercase();
    let mut filled: BTreeSet<String> = rows().iter().map(|(key, ..)| stem(key)).collect();
    let temporary = [
        "tokenissuetime",
        "multifactorauthpresent",
        "multifactorauthage",
        // `tags_and_source_identity_follow_the_chain` tests it.
        "sourceidentity",
        // `tags_and_source_identity_come_from_the_token` tests it.
        "federatedprovider",
    ];
    filled.extend(temporary.map(|key| format!("aws:{key}")));
    // `conditions_know_the_organization` tests them.
    let organizations = [
        "principalorgid",
        "principalorgpaths",
        "resourceorgid",
        "resourceorgpaths",
    ];
    filled.extend(organizations.map(|key| format!("aws:{key}")));
    // `adding_a_role_passes_it` tests it.
    filled.insert("iam:passedtoservice".to_owned());
    let via = ["aws:calledvia", "aws:calledviafirst", "aws:calledvialast"];
    filled.extend(via.map(str::to_owned));
    let (_, absent) = DIFFERENCES
        .split_once("## Condition keys that no request")
        .unwrap();
    let absent = absent.split("\n## ").next().unwrap();
    let absent = absent.split('`').skip(1).step_by(2).map(stem);
    let absent: BTreeSet<String> = absent.collect();
    let tables = ActionCatalogue::built_in().condition_keys().iter();
    let iam = tables
        .filter(|key| key.service == "iam")
        .map(|key| stem(key.name));
    let global = GLOBAL
        .split_whitespace()
        .map(|key| stem(&format!("aws:{key}")));
    for key in iam.chain(global) {
        let known = (filled.contains(&key), absent.contains(&key));
        // S3's table has this key too. It is absent there and filled in here.
        let tags = key == "aws:resourcetag";
        assert!(
            known.0 != known.1 || tags && known.0,
            "{key}: filled, listed {known:?}"
        );
    }
}
