//! Service-linked roles: every service in the table, and the changes that are refused.

use super::{SERVICES, uuid};
use crate::{
    catalogue::PolicyCatalogue,
    testing::{ACCOUNT, TestEntropy, TestInstallation},
};

fn create(bench: &TestInstallation, more: &str) -> crate::testing::TestResponse {
    bench.root(&format!(
        "Action=CreateServiceLinkedRole&AWSServiceName={more}"
    ))
}

#[test]
fn every_service_has_its_role() {
    let bench = TestInstallation::new();
    assert!(SERVICES.len() >= 59);
    for service in &*SERVICES {
        let created = create(&bench, service.principal);
        assert_eq!(created.value("RoleName"), service.role_name);
        assert_eq!(
            created.value("Path"),
            format!("/aws-service-role/{}/", service.principal)
        );
        let listed = format!(
            "Action=ListAttachedRolePolicies&RoleName={}",
            service.role_name
        );
        let arn = bench.root(&listed).value("PolicyArn");
        // Recorded, but the policy is no longer published.
        if service.policy == "AmazonLexBotPolicy" {
            continue;
        }
        let known = PolicyCatalogue::built_in().by_arn(&arn);
        assert!(
            known.is_some_and(|policy| policy.is_service_role_policy()),
            "{arn}"
        );
        let taken = format!(
            "Service role name {} has been taken in this account, please try a different suffix.",
            service.role_name
        );
        create(&bench, service.principal).refused("InvalidInput", &taken);
    }
}

#[test]
fn some_services_allow_a_suffix() {
    let bench = TestInstallation::new();
    create(&bench, "ops.apigateway.amazonaws.com&CustomSuffix=a").refused(
        "InvalidInput",
        "Custom suffix is not allowed for ops.apigateway.amazonaws.com",
    );
    let created = create(
        &bench,
        "autoscaling.amazonaws.com&CustomSuffix=a&Description=mine",
    );
    assert_eq!(created.value("RoleName"), "AWSServiceRoleForAutoScaling_a");
    create(&bench, "autoscaling.amazonaws.com").ok();
    let got = bench.root("Action=GetRole&RoleName=AWSServiceRoleForAutoScaling_a");
    assert_eq!(got.value("Description"), "mine");
    let longest = "s".repeat(64 - "AWSServiceRoleForAutoScaling_".len());
    create(
        &bench,
        &format!("autoscaling.amazonaws.com&CustomSuffix={longest}"),
    )
    .ok();
    let answer = create(
        &bench,
        &format!("autoscaling.amazonaws.com&CustomSuffix={longest}s"),
    );
    assert_eq!(answer.code(), Some("InvalidInput"));
    assert_eq!(
        create(&bench, "none.example.com").code(),
        Some("InvalidInput")
    );
}

#[test]
fn only_its_service_changes_a_linked_role() {
    let bench = TestInstallation::new();
    create(&bench, "ecs.amazonaws.com").ok();
    let role = "RoleName=AWSServiceRoleForECS";
    let aws = "PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess";
    let document =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    let text = "Cannot perform the operation on the protected role 'AWSServiceRoleForECS' - this \
                role is only modifiable by AWS";
    for form in [
        format!("DeleteRole&{role}"),
        format!("UpdateRole&{role}&MaxSessionDuration=7200"),
        format!("AttachRolePolicy&{role}&{aws}"),
        format!(
            "DetachRolePolicy&{role}&PolicyArn=arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
        ),
        format!("PutRolePolicy&{role}&PolicyName=p&PolicyDocument={document}"),
        format!(
            "PutRolePermissionsBoundary&{role}&PermissionsBoundary=arn:aws:iam::aws:policy/ReadOnlyAccess"
        ),
        format!(
            "UpdateAssumeRolePolicy&{role}&PolicyDocument={}",
            document.replace("s3:*", "sts:AssumeRole")
        ),
    ] {
        bench
            .root(&format!("Action={form}"))
            .refused("UnmodifiableEntity", text);
    }
    for form in [
        format!("UpdateRoleDescription&{role}&Description=d"),
        format!("UpdateRole&{role}&Description=e"),
        format!("TagRole&{role}&Tags.member.1.Key=k&Tags.member.1.Value=v"),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
}

#[test]
fn a_deletion_has_a_status() {
    let mut bench = TestInstallation::new();
    create(&bench, "ecs.amazonaws.com").ok();
    let delete = "Action=DeleteServiceLinkedRole&RoleName=AWSServiceRoleForECS";
    let id = bench.root(delete).value("DeletionTaskId");
    let start = "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/";
    assert_eq!(id.strip_prefix(start).map(str::len), Some(36), "{id}");
    bench.reopen();
    let status = |id: &str| {
        bench.root(&format!(
            "Action=GetServiceLinkedRoleDeletionStatus&DeletionTaskId={id}"
        ))
    };
    assert_eq!(status(&id).value("Status"), "SUCCEEDED");
    assert_eq!(status(&format!("{start}x")).code(), Some("NoSuchEntity"));
    bench.root(delete).refused(
        "NoSuchEntity",
        "The role with name AWSServiceRoleForECS cannot be found.",
    );
    // The oldest tasks are dropped.
    for _ in 0..100 {
        bench.pass(1);
        create(&bench, "ecs.amazonaws.com").ok();
        bench.root(delete).ok();
    }
    assert_eq!(status(&id).code(), Some("NoSuchEntity"));
    let account = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
    assert_eq!(account.unwrap().snapshot().deletion_tasks().len(), 100);
}

#[test]
fn uuids_are_of_version_4() {
    let entropy = TestEntropy::default();
    for _ in 0..100 {
        let uuid = uuid(&entropy);
        let bytes = uuid.as_bytes();
        assert_eq!((bytes.len(), bytes[14]), (36, b'4'));
        assert!(b"89ab".contains(&bytes[19]), "{uuid}");
    }
}
