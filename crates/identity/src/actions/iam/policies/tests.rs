//! Managed policies and their versions.

use crate::testing::{ACCOUNT, TestInstallation};

const READ: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}}"#;
const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
const S3: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

fn arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/Read")
}

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    let form = format!("Action=CreatePolicy&PolicyName=Read&PolicyDocument={READ}");
    bench.root(&form).ok();
    bench
}

/// The form, and the expected code and message.
type Row<'a> = (String, &'a str, &'a str);

fn assert_refused(bench: &TestInstallation, rows: Vec<Row<'_>>) {
    for (form, code, message) in rows {
        bench.root(&format!("Action={form}")).refused(code, message);
    }
}

#[test]
fn refusals() {
    let bench = bench();
    let arn = arn();
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/None");
    let sid = "S".repeat(6144);
    let large = READ.replace("{\"Effect\"", &format!("{{\"Sid\":\"{sid}\",\"Effect\""));
    let not_found = &*format!("Policy {own} was not found.");
    let no_version =
        |policy: &str| format!("Policy {policy} version v9 does not exist or is not attachable.");
    let [no_own, no_ninth, no_aws] = [&*own, &*arn, S3].map(no_version);
    let version = |policy: &str| format!("GetPolicyVersion&PolicyArn={policy}&VersionId=v9");
    let rows = vec![
        (
            format!("CreatePolicy&PolicyName=READ&PolicyDocument={READ}"),
            "EntityAlreadyExists",
            "A policy called READ already exists. Duplicate names are not allowed.",
        ),
        (
            format!("CreatePolicy&PolicyName=Large&PolicyDocument={large}"),
            "LimitExceeded",
            "Cannot exceed quota for PolicySize: 6144",
        ),
        (
            format!("GetPolicy&PolicyArn={own}"),
            "NoSuchEntity",
            not_found,
        ),
        (
            format!("DeletePolicy&PolicyArn={own}"),
            "NoSuchEntity",
            not_found,
        ),
        (
            "GetPolicy&PolicyArn=aaaaaaaaaaaaaaaaaaaaa".to_owned(),
            "ValidationError",
            "ARN aaaaaaaaaaaaaaaaaaaaa is not valid.",
        ),
        (version(&own), "NoSuchEntity", &no_own),
        (version(&arn), "NoSuchEntity", &no_ninth),
        (version(S3), "NoSuchEntity", &no_aws),
        (
            format!("DeletePolicyVersion&PolicyArn={arn}&VersionId=v1"),
            "DeleteConflict",
            "Cannot delete the default version of a policy.",
        ),
    ];
    assert_refused(&bench, rows);
    let bad = "Action=CreatePolicy&PolicyName=Bad&PolicyDocument={}";
    assert_eq!(bench.root(bad).error().code, "MalformedPolicyDocument");
}

#[test]
fn what_is_of_aws_stays_as_it_is() {
    let foreign = "Cannot update policies outside your own account.";
    let rows = [
        (
            "DeletePolicy",
            "",
            "Cannot delete policies outside your own account.",
        ),
        ("SetDefaultPolicyVersion", "&VersionId=v1", foreign),
        (
            "DeletePolicyVersion",
            "&VersionId=v1",
            "Cannot delete policy versions for policies outside your own account.",
        ),
        (
            "TagPolicy",
            "&Tags.member.1.Key=a&Tags.member.1.Value=",
            foreign,
        ),
        ("UntagPolicy", "&TagKeys.member.1=a", foreign),
    ];
    let bench = TestInstallation::new();
    let row = |(action, more, message)| {
        (
            format!("{action}&PolicyArn={S3}{more}"),
            "AccessDenied",
            message,
        )
    };
    assert_refused(&bench, rows.into_iter().map(row).collect());
    let create = format!("CreatePolicyVersion&PolicyArn={S3}&PolicyDocument={READ}");
    assert_refused(&bench, vec![(create, "AccessDenied", foreign)]);
}

#[test]
fn a_new_default_version_is_in_effect_at_once() {
    let mut bench = bench();
    let (keys, arn) = (bench.user("bob", &[]), arn());
    bench
        .root(&format!(
            "Action=AttachUserPolicy&UserName=bob&PolicyArn={arn}"
        ))
        .ok();
    bench.call(&keys, "Action=ListUsers").ok();
    let create = format!("Action=CreatePolicyVersion&PolicyArn={arn}&PolicyDocument={NOTHING}");
    assert_eq!(bench.root(&create).value("VersionId"), "v2");
    bench.call(&keys, "Action=ListUsers").ok();
    bench
        .root(&format!(
            "Action=SetDefaultPolicyVersion&PolicyArn={arn}&VersionId=v2"
        ))
        .ok();
    bench.call(&keys, "Action=ListUsers").refused(
        "AccessDenied",
        &format!(
            "User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:ListUsers on \
             resource: arn:aws:iam::{ACCOUNT}:user/ with an explicit deny in an identity-based \
             policy: {arn}"
        ),
    );
    bench.reopen();
    assert_eq!(
        bench.call(&keys, "Action=ListUsers").error().code,
        "AccessDenied"
    );
    let policy = bench.root(&format!("Action=GetPolicy&PolicyArn={arn}"));
    assert_eq!(policy.value("DefaultVersionId"), "v2");
    assert_eq!(policy.value("AttachmentCount"), "1");
}

#[test]
fn there_are_five_versions_and_their_numbers_are_never_used_again() {
    let bench = bench();
    let arn = arn();
    let create = format!("Action=CreatePolicyVersion&PolicyArn={arn}&PolicyDocument={READ}");
    for _ in 2..=5 {
        bench.root(&create).ok();
    }
    bench.root(&create).refused(
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must \
         delete an existing version.",
    );
    bench
        .root(&format!(
            "Action=DeletePolicyVersion&PolicyArn={arn}&VersionId=v5"
        ))
        .ok();
    assert_eq!(bench.root(&create).value("VersionId"), "v6");
    let list = format!("Action=ListPolicyVersions&PolicyArn={arn}");
    let first = bench.root(&format!("{list}&MaxItems=2"));
    assert_eq!(first.values("VersionId"), ["v6", "v4"]);
    let rest = bench.root(&format!("{list}&Marker={}", first.value("Marker")));
    assert_eq!(rest.values("VersionId"), ["v3", "v2", "v1"]);
    let delete = format!("Action=DeletePolicy&PolicyArn={arn}");
    assert_eq!(bench.root(&delete).error().code, "DeleteConflict");
    for version in ["v2", "v3", "v4", "v6"] {
        let form = format!("Action=DeletePolicyVersion&PolicyArn={arn}&VersionId={version}");
        bench.root(&form).ok();
    }
    bench
        .root(&format!(
            "Action=CreateUser&UserName=bob&PermissionsBoundary={arn}"
        ))
        .ok();
    bench.root(&delete).refused(
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    );
    bench.root("Action=DeleteUser&UserName=bob").ok();
    bench.root(&delete).ok();
}

#[test]
fn versions_of_aws_policies_are_listed_and_readable() {
    let bench = bench();
    let arn = "arn:aws:iam::aws:policy/PowerUserAccess";
    let list = format!("Action=ListPolicyVersions&PolicyArn={arn}");
    let all = bench.root(&list);
    let ids = all.values("VersionId");
    assert!(ids.len() > 5 && ids.last().unwrap() == "v1", "{ids:?}");
    assert_eq!(all.values("IsDefaultVersion").first().unwrap(), "true");
    let default = bench.root(&format!("Action=GetPolicy&PolicyArn={arn}"));
    assert_eq!(default.value("DefaultVersionId"), ids[0]);
    let first = bench.root(&format!("{list}&MaxItems=2"));
    assert_eq!(first.values("VersionId"), ids[..2]);
    let rest = bench.root(&format!("{list}&Marker={}", first.value("Marker")));
    assert_eq!(rest.values("VersionId"), ids[2..]);
    let get = format!("Action=GetPolicyVersion&PolicyArn={arn}&VersionId=");
    let oldest = bench.root(&format!("{get}v1"));
    assert_eq!(oldest.value("IsDefaultVersion"), "false");
    assert_eq!(oldest.value("CreateDate"), "2015-02-06T18:39:47Z");
    let document = oldest.value("Document");
    assert!(
        document.contains("NotAction%22%3A%22iam%3A%2A"),
        "{document}"
    );
    assert_eq!(
        bench.root(&format!("{get}v9999")).error().code,
        "NoSuchEntity"
    );
}

#[test]
fn every_policy_is_listed_once_over_pages() {
    let bench = bench();
    // A customer managed policy may have the name of an AWS managed one.
    bench
        .root(&format!(
            "Action=CreatePolicy&PolicyName=AmazonS3FullAccess&PolicyDocument={READ}"
        ))
        .ok();
    let (mut arns, mut marker) = (Vec::new(), String::new());
    loop {
        let page = bench.root(&format!("Action=ListPolicies&MaxItems=500{marker}"));
        arns.extend(page.values("Arn"));
        match page.values("Marker").first() {
            Some(next) => marker = format!("&Marker={next}"),
            None => break,
        }
        bench.root("Action=DeletePolicy&PolicyArn=arn:aws:iam::123456789012:policy/Read");
    }
    let known = crate::catalogue::PolicyCatalogue::built_in()
        .by_name()
        .len();
    assert!(arns.contains(&S3.to_owned()));
    assert_eq!(
        arns.len(),
        known + 2,
        "the one that was deleted meanwhile was listed before"
    );
    // The account's own come first, then AWS's in the order recorded from AWS.
    let names = arns.iter().map(|arn| arn.rsplit('/').next().unwrap());
    assert_eq!(
        names.take(5).collect::<Vec<_>>(),
        [
            "AmazonS3FullAccess",
            "Read",
            "AdministratorAccess",
            "PowerUserAccess",
            "ReadOnlyAccess"
        ]
    );
    arns.sort();
    arns.dedup();
    assert_eq!(arns.len(), known + 2);
    for (filter, count) in [
        ("Scope=Local", 1),
        ("OnlyAttached=true", 0),
        ("Scope=AWS&PathPrefix=%2Fjob-function%2F&MaxItems=1", 1),
    ] {
        let listed = bench.root(&format!("Action=ListPolicies&{filter}"));
        assert_eq!(listed.values("PolicyName").len(), count, "{filter}");
    }
    bench.user("bob", &["AmazonS3FullAccess"]);
    let attached = bench.root("Action=ListPolicies&OnlyAttached=true");
    assert_eq!(attached.values("Arn"), [S3]);
}

/// As recorded: the usage filter applies only with `OnlyAttached`.
#[test]
fn policies_by_their_use() {
    let bench = bench();
    for form in [
        format!("Action=CreatePolicy&PolicyName=Bound&PolicyDocument={READ}"),
        format!("Action=CreatePolicy&PolicyName=Idle&PolicyDocument={READ}"),
        "Action=CreateUser&UserName=bob".to_owned(),
        format!("Action=AttachUserPolicy&UserName=bob&PolicyArn={}", arn()),
        format!(
            "Action=PutUserPermissionsBoundary&UserName=bob&PermissionsBoundary={}",
            arn().replace("Read", "Bound")
        ),
    ] {
        bench.root(&form).ok();
    }
    for (more, names) in [
        ("", ["Bound", "Idle", "Read"].as_slice()),
        (
            "&PolicyUsageFilter=PermissionsPolicy",
            &["Bound", "Idle", "Read"],
        ),
        (
            "&PolicyUsageFilter=PermissionsBoundary&OnlyAttached=false",
            &["Bound", "Idle", "Read"],
        ),
        ("&OnlyAttached=true", &["Bound", "Read"]),
        (
            "&OnlyAttached=true&PolicyUsageFilter=PermissionsPolicy",
            &["Read"],
        ),
        (
            "&OnlyAttached=true&PolicyUsageFilter=PermissionsBoundary",
            &["Bound"],
        ),
    ] {
        let listed = bench.root(&format!("Action=ListPolicies&Scope=Local{more}"));
        assert_eq!(listed.values("PolicyName"), names, "{more}");
    }
}

#[test]
fn documents_and_tags() {
    let bench = bench();
    let arn = arn();
    let got = bench.root(&format!(
        "Action=GetPolicyVersion&PolicyArn={arn}&VersionId=v1"
    ));
    assert!(
        got.value("Document")
            .starts_with("%7B%22Version%22%3A%222012-10-17%22")
    );
    let version = bench
        .root(&format!("Action=GetPolicy&PolicyArn={S3}"))
        .value("DefaultVersionId");
    let aws = bench.root(&format!(
        "Action=GetPolicyVersion&PolicyArn={S3}&VersionId={version}"
    ));
    assert!(aws.value("Document").contains("s3-object-lambda"));
    let tag = format!("Action=TagPolicy&PolicyArn={arn}");
    let form = format!(
        "{tag}&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2"
    );
    bench.root(&form).ok();
    let listed = bench.root(&format!("Action=ListPolicyTags&PolicyArn={arn}"));
    assert_eq!(listed.values("Key"), ["A", "a"], "keys differ in case");
    let twice = format!(
        "{tag}&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=a&Tags.member.2.Value=2"
    );
    bench
        .root(&twice)
        .refused("InvalidInput", "Duplicate tag keys found.");
    bench
        .root(&format!(
            "Action=UntagPolicy&PolicyArn={arn}&TagKeys.member.1=a"
        ))
        .ok();
    let listed = bench.root(&format!("Action=ListPolicyTags&PolicyArn={arn}"));
    assert_eq!(listed.values("Key"), ["A"]);
}

#[test]
fn arns_are_held_to_every_part_of_their_form() {
    let bench = bench();
    let partition = "arn:aws-cn:iam::123456789012:policy/Read";
    bench
        .root(&format!("Action=GetPolicy&PolicyArn={partition}"))
        .refused("ValidationError", "Invalid ARN partition: aws-cn");
    for arn in [
        "arn:aws:s3::123456789012:policy/Read",
        "arn:aws:iam:us-east-1:123456789012:policy/Read",
        "arn:aws:iam::123456789012:user/Read",
        "arn:aws:iam::123456789012:policy/Read ",
    ] {
        let form = format!("Action=GetPolicy&PolicyArn={}", arn.replace(' ', "%20"));
        let message = format!("ARN {arn} is not valid.");
        bench.root(&form).refused("ValidationError", &message);
    }
}

#[test]
fn a_policy_is_used_by_roles_as_well() {
    let bench = bench();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let create = format!("Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}");
    bench.root(&create).ok();
    let arn = arn();
    let attached = |usage: &str| {
        let list = "Action=ListPolicies&OnlyAttached=true&PolicyUsageFilter=";
        bench.root(&format!("{list}{usage}")).values("PolicyName")
    };
    let delete = || bench.root(&format!("Action=DeletePolicy&PolicyArn={arn}"));
    let conflict = "Cannot delete a policy attached to entities.";
    let uses = [
        (
            "PermissionsPolicy",
            "AttachRolePolicy",
            "DetachRolePolicy",
            "PolicyArn",
        ),
        (
            "PermissionsBoundary",
            "PutRolePermissionsBoundary",
            "DeleteRolePermissionsBoundary",
            "PermissionsBoundary",
        ),
    ];
    for (usage, put, remove, parameter) in uses {
        assert_eq!(attached(usage), [""; 0]);
        bench
            .root(&format!("Action={put}&RoleName=r&{parameter}={arn}"))
            .ok();
        assert_eq!(attached(usage), ["Read"]);
        delete().refused("DeleteConflict", conflict);
        let remove = format!("Action={remove}&RoleName=r&{parameter}={arn}");
        bench.root(&remove).ok();
    }
    delete().ok();
}
