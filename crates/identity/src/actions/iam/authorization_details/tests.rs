//! The details of an account: everything exactly once, for any page size.

use crate::testing::{ACCOUNT, TestInstallation};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

fn full() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.user("Bob", &["ReadOnlyAccess"]);
    bench.user("ann", &[]);
    let document = format!("PolicyName=in&PolicyDocument={POLICY}");
    for form in [
        "CreateGroup&GroupName=staff".to_owned(),
        "AddUserToGroup&GroupName=staff&UserName=ann".to_owned(),
        format!("PutUserPolicy&UserName=ann&{document}"),
        format!("PutGroupPolicy&GroupName=staff&{document}"),
        format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}"),
        format!("PutRolePolicy&RoleName=R&{document}"),
        "CreateInstanceProfile&InstanceProfileName=I".to_owned(),
        "AddRoleToInstanceProfile&InstanceProfileName=I&RoleName=R".to_owned(),
        format!("CreatePolicy&PolicyName=Own&PolicyDocument={POLICY}"),
        format!(
            "CreatePolicyVersion&PolicyArn=arn:aws:iam::{ACCOUNT}:policy/Own&PolicyDocument={POLICY}"
        ),
        "PutRolePermissionsBoundary&RoleName=R\
         &PermissionsBoundary=arn:aws:iam::aws:policy/PowerUserAccess"
            .to_owned(),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    bench
}

const DETAILS: &str = "Action=GetAccountAuthorizationDetails";

#[test]
fn everything_is_listed_with_what_it_grants() {
    let bench = full();
    let all = bench.root(DETAILS);
    assert_eq!(all.values("UserName"), ["ann", "Bob"]);
    assert_eq!(all.values("GroupName"), ["staff"]);
    assert_eq!(
        all.values("RoleName"),
        ["R", "R"],
        "alone and in its instance profile"
    );
    assert_eq!(all.values("InstanceProfileName"), ["I"]);
    let names = all.values("PolicyName");
    assert_eq!(names.iter().filter(|name| *name == "in").count(), 3);
    // Attached, and again in the list of policies; the boundary is only in that list.
    assert_eq!(
        names
            .iter()
            .filter(|name| *name == "ReadOnlyAccess")
            .count(),
        2
    );
    assert_eq!(
        names
            .iter()
            .filter(|name| *name == "PowerUserAccess")
            .count(),
        1
    );
    assert!(all.values("VersionId").contains(&"v2".to_owned()));
    assert_eq!(all.values("IsTruncated"), ["false"]);
    let summary = bench.root("Action=GetAccountSummary");
    let entry = |name: &str| {
        let after = summary.ok().split(&format!("<key>{name}</key>")).nth(1);
        let value = after.unwrap().split("<value>").nth(1).unwrap();
        value.split('<').next().unwrap().to_owned()
    };
    for (name, value) in [
        ("Roles", "1"),
        ("InstanceProfiles", "1"),
        ("RolesQuota", "1000"),
    ] {
        assert_eq!(entry(name), value, "{name}");
    }
    // Bob has no inline policies and therefore no list of them.
    assert_eq!(all.ok().matches("<UserPolicyList>").count(), 1);
}

#[test]
fn pages_hold_each_entity_once() {
    let bench = full();
    let (mut users, mut roles, mut marker) = (Vec::new(), 0, String::new());
    let mut pages = 0;
    loop {
        let page = bench.root(&format!("{DETAILS}&MaxItems=1{marker}"));
        users.extend(page.values("UserName"));
        roles += page.values("RoleId").len();
        pages += 1;
        if page.values("IsTruncated") == ["false"] {
            break;
        }
        marker = format!("&Marker={}", page.value("Marker"));
    }
    assert_eq!(users, ["ann", "Bob"]);
    // On its own and inside the profile, on one page.
    assert_eq!((pages, roles), (7, 2));
}

#[test]
fn filters_choose_kinds_and_bind_the_marker() {
    let bench = full();
    let of = |kind: &str| bench.root(&format!("{DETAILS}&Filter.member.1={kind}"));
    assert_eq!(of("User").values("UserName").len(), 2);
    assert!(of("User").values("RoleName").is_empty());
    assert_eq!(of("LocalManagedPolicy").values("PolicyName"), ["Own"]);
    let aws = of("AWSManagedPolicy").values("PolicyName");
    assert_eq!(aws, ["PowerUserAccess", "ReadOnlyAccess"]);
    let first = bench.root(&format!("{DETAILS}&Filter.member.1=User&MaxItems=1"));
    let other = format!(
        "{DETAILS}&Filter.member.1=Role&Marker={}",
        first.value("Marker")
    );
    bench
        .root(&other)
        .refused("ValidationError", "Marker and Filter do not match");
}

#[test]
fn large_documents_end_a_page_early() {
    let bench = TestInstallation::new();
    let blanks = "%20".repeat(60_000);
    let trust = TRUST.replace("{\"Version", &format!("{{{blanks}\"Version"));
    for number in 0..30 {
        let create =
            format!("Action=CreateRole&RoleName=r{number}&AssumeRolePolicyDocument={trust}");
        bench.root(&create).ok();
    }
    for list in [DETAILS, "Action=ListRoles"] {
        let first = bench.root(list);
        assert_eq!(first.values("IsTruncated"), ["true"], "{list}");
        assert_eq!(first.values("RoleName").len(), 23, "{list}");
    }
}
