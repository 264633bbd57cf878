//! Instance profiles and their role.

use crate::testing::{ACCOUNT, TestInstallation};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

fn with_role() -> TestInstallation {
    let bench = TestInstallation::new();
    let create = format!("Action=CreateRole&RoleName=R&AssumeRolePolicyDocument={TRUST}");
    bench.root(&create).ok();
    bench
}

#[test]
fn a_profile_holds_one_role() {
    let mut bench = with_role();
    let tag = "Tags.member.1.Key=k&Tags.member.1.Value=v";
    let create = format!("Action=CreateInstanceProfile&InstanceProfileName=P&Path=/web/&{tag}");
    let created = bench.root(&create);
    assert!(created.value("InstanceProfileId").starts_with("AIPA"));
    let arn = format!("arn:aws:iam::{ACCOUNT}:instance-profile/web/P");
    assert_eq!(created.value("Arn"), arn);
    assert!(created.ok().contains("<Roles/>"));
    bench
        .root("Action=CreateInstanceProfile&InstanceProfileName=p")
        .refused("EntityAlreadyExists", "Instance Profile p already exists.");
    let named = "InstanceProfileName=p&RoleName=r";
    let add = format!("Action=AddRoleToInstanceProfile&{named}");
    bench.root(&add).ok();
    let quota = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
    bench.root(&add).refused("LimitExceeded", quota);
    bench.reopen();
    let got = bench.root("Action=GetInstanceProfile&InstanceProfileName=P");
    assert_eq!(got.values("RoleName"), ["R"]);
    assert_eq!(got.values("Key"), ["k"]);
    for form in [
        "ListInstanceProfiles&PathPrefix=/web",
        "ListInstanceProfilesForRole&RoleName=R",
    ] {
        let listed = bench.root(&format!("Action={form}"));
        assert_eq!(listed.values("InstanceProfileName"), ["P"]);
        assert!(!listed.ok().contains("<Tags"));
    }
    let conflict = "Cannot delete entity, must remove roles from instance profile first.";
    for form in [
        "DeleteInstanceProfile&InstanceProfileName=P",
        "DeleteRole&RoleName=R",
    ] {
        let delete = bench.root(&format!("Action={form}"));
        delete.refused("DeleteConflict", conflict);
    }
    let remove = "Action=RemoveRoleFromInstanceProfile&InstanceProfileName=P&RoleName=R";
    bench.root(remove).ok();
    let missing = "Role R in Instance Profile P cannot be found.";
    bench.root(remove).refused("NoSuchEntity", missing);
    bench.root("Action=DeleteRole&RoleName=R").ok();
    bench
        .root("Action=DeleteInstanceProfile&InstanceProfileName=P")
        .ok();
    bench
        .root("Action=GetInstanceProfile&InstanceProfileName=P")
        .refused("NoSuchEntity", "Instance Profile P cannot be found.");
}

#[test]
fn adding_a_role_passes_it() {
    let bench = with_role();
    let ann = bench.user("ann", &[]);
    bench
        .root("Action=CreateInstanceProfile&InstanceProfileName=P")
        .ok();
    let allow = |bench: &TestInstallation, pass: &str| {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"*"}}{pass}]}}"#
        );
        let put = "Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=";
        bench.root(&format!("{put}{document}")).ok();
    };
    let add = "Action=AddRoleToInstanceProfile&InstanceProfileName=P&RoleName=R";
    allow(&bench, "");
    let denied = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:PassRole on \
         resource: arn:aws:iam::{ACCOUNT}:role/R because no identity-based policy allows the \
         iam:PassRole action"
    );
    bench.call(&ann, add).refused("AccessDenied", &denied);
    let passing = |service: &str| {
        format!(
            r#",{{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::{ACCOUNT}:role/R","Condition":{{"StringEquals":{{"iam:PassedToService":"{service}"}}}}}}"#
        )
    };
    allow(&bench, &passing("lambda.amazonaws.com"));
    bench.call(&ann, add).refused("AccessDenied", &denied);
    allow(&bench, &passing("ec2.amazonaws.com"));
    bench.call(&ann, add).ok();
}

#[test]
fn tag_keys_differ_in_case() {
    let bench = TestInstallation::new();
    bench
        .root("Action=CreateInstanceProfile&InstanceProfileName=P")
        .ok();
    let tag = |tags: &str| {
        bench.root(&format!(
            "Action=TagInstanceProfile&InstanceProfileName=P{tags}"
        ))
    };
    tag("&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2")
        .ok();
    let twice =
        "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=a&Tags.member.2.Value=2";
    tag(twice).refused("InvalidInput", "Duplicate tag keys found.");
    let list = "Action=ListInstanceProfileTags&InstanceProfileName=P";
    let first = bench.root(&format!("{list}&MaxItems=1"));
    assert_eq!(first.values("Key"), ["A"]);
    let second = bench.root(&format!("{list}&Marker={}", first.value("Marker")));
    assert_eq!(second.values("Key"), ["a"]);
    bench
        .root("Action=UntagInstanceProfile&InstanceProfileName=P&TagKeys.member.1=a")
        .ok();
    assert_eq!(bench.root(list).values("Value"), ["2"]);
}

#[test]
fn quota_and_names() {
    let bench = TestInstallation::new();
    for number in 0..1000 {
        let create = format!("Action=CreateInstanceProfile&InstanceProfileName=p{number}");
        bench.root(&create).ok();
    }
    bench
        .root("Action=CreateInstanceProfile&InstanceProfileName=more")
        .refused(
            "LimitExceeded",
            "Cannot exceed quota for InstanceProfilesPerAccount: 1000",
        );
    let add = "Action=AddRoleToInstanceProfile&RoleName=none&InstanceProfileName=";
    bench
        .root(&format!("{add}none"))
        .refused("NoSuchEntity", "Instance Profile none cannot be found.");
    bench
        .root(&format!("{add}p1"))
        .refused("NoSuchEntity", "The role with name none cannot be found.");
}
