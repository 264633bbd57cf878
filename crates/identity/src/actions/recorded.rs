//! Errors recorded from AWS: status, code and text of every recorded error of an operation that is
//! served.
//!
//! Decoding errors are tested in `wire`, errors in policy documents in `corpus/`.

use crate::testing::{ACCOUNT, TestInstallation, TestKeys};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
const AWS: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

/// One row: the form, and the expected status, code and message. `{own}` is the prefix of the ARNs
/// of the account's own policies.
type RecordedCase = (&'static str, u16, &'static str, &'static str);

/// Users `bob` and `eve`, groups `some` and `other`, the policy `P` with five versions.
fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.user("bob", &[]);
    bench.key("bob");
    for form in [
        "CreateUser&UserName=eve",
        "CreateLoginProfile&UserName=bob&Password=Abcdefg1",
        "CreateGroup&GroupName=some",
        "CreateGroup&GroupName=other",
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let create = format!("Action=CreatePolicy&PolicyName=P&PolicyDocument={POLICY}");
    bench.root(&create).ok();
    let own = format!("PolicyArn=arn:aws:iam::{ACCOUNT}:policy/P");
    for _ in 2..=5 {
        let form = format!("Action=CreatePolicyVersion&{own}&PolicyDocument={POLICY}");
        bench.root(&form).ok();
    }
    bench
}

#[track_caller]
fn check(
    bench: &TestInstallation,
    keys: &TestKeys,
    (form, status, code, message): (&str, u16, &str, &str),
) {
    let own = format!("arn:aws:iam::{ACCOUNT}:policy");
    let fill = |text: &str| {
        let text = text.replace("{own}", &own).replace("{policy}", POLICY);
        text.replace("{aws}", AWS).replace("{account}", ACCOUNT)
    };
    let answer = bench.call(keys, &format!("Action={}", fill(form)));
    let error = answer.error();
    let message = (message != "-").then(|| fill(message));
    assert_eq!(
        (error.status, &*error.code, error.message.as_deref()),
        (status, code, message.as_deref()),
        "{form}"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn what_is_missing() {
    const ROWS: &[RecordedCase] = &[
        (
            "GetUser&UserName=wrong-user-name",
            404,
            "NoSuchEntity",
            "The user with name wrong-user-name cannot be found.",
        ),
        (
            "RemoveUserFromGroup&UserName=any-user&GroupName=unknown-group",
            404,
            "NoSuchEntity",
            "The user with name any-user cannot be found.",
        ),
        (
            "AddUserToGroup&UserName=bob&GroupName=nonexistent-group",
            404,
            "NoSuchEntity",
            "The group with name nonexistent-group cannot be found.",
        ),
        (
            "GetGroup&GroupName=non-existent-group",
            404,
            "NoSuchEntity",
            "The group with name non-existent-group cannot be found.",
        ),
        (
            "UpdateGroup&GroupName=nonexisting&NewGroupName=x",
            404,
            "NoSuchEntity",
            "The group with name nonexisting cannot be found.",
        ),
        (
            "DeleteGroup&GroupName=unknown-group",
            404,
            "NoSuchEntity",
            "The group with name unknown-group cannot be found.",
        ),
        (
            "GetGroupPolicy&GroupName=some&PolicyName=p",
            404,
            "NoSuchEntity",
            "The group policy with name p cannot be found.",
        ),
        (
            "GetUserPolicy&UserName=bob&PolicyName=p",
            404,
            "NoSuchEntity",
            "The user policy with name p cannot be found.",
        ),
        (
            "GetLoginProfile&UserName=eve",
            404,
            "NoSuchEntity",
            "Login Profile for User eve cannot be found.",
        ),
        (
            "UpdateAccessKey&UserName=bob&AccessKeyId=AKIAIOSFODNN7EXAMPLE&Status=Inactive",
            404,
            "NoSuchEntity",
            "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
        ),
        (
            "GetAccountPasswordPolicy",
            404,
            "NoSuchEntity",
            "The Password Policy with domain name {account} cannot be found.",
        ),
        (
            "DeleteAccountPasswordPolicy",
            404,
            "NoSuchEntity",
            "The account policy with name PasswordPolicy cannot be found.",
        ),
        ("GetCredentialReport", 410, "ReportNotPresent", "-"),
    ];
    let bench = bench();
    for row in ROWS {
        check(&bench, &bench.root, *row);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn managed_policies_that_are_missing() {
    const ROWS: &[RecordedCase] = &[
        (
            "GetPolicy&PolicyArn=arn:aws:iam::aws:policy/Nonexistent",
            404,
            "NoSuchEntity",
            "Policy arn:aws:iam::aws:policy/Nonexistent was not found.",
        ),
        (
            "DeletePolicy&PolicyArn={own}/non-existent-policy",
            404,
            "NoSuchEntity",
            "Policy {own}/non-existent-policy was not found.",
        ),
        (
            "TagPolicy&PolicyArn={own}/NotAPolicy&Tags.member.1.Key=k&Tags.member.1.Value=v",
            404,
            "NoSuchEntity",
            "Policy {own}/NotAPolicy was not found.",
        ),
        (
            "DetachUserPolicy&UserName=bob&PolicyArn={own}/P",
            404,
            "NoSuchEntity",
            "Policy {own}/P was not found.",
        ),
        (
            "DetachGroupPolicy&GroupName=some&PolicyArn={aws}",
            404,
            "NoSuchEntity",
            "Policy {aws} was not found.",
        ),
        (
            "AttachUserPolicy&UserName=bob&PolicyArn={own}/nonexistent",
            404,
            "NoSuchEntity",
            "Policy {own}/nonexistent does not exist or is not attachable.",
        ),
        (
            "ListEntitiesForPolicy&PolicyArn={own}/NonExistentPolicy",
            404,
            "NoSuchEntity",
            "Policy {own}/NonExistentPolicy does not exist or is not attachable.",
        ),
        (
            "GetPolicyVersion&PolicyArn={own}/TestNonExistingPolicy&VersionId=v1",
            404,
            "NoSuchEntity",
            "Policy {own}/TestNonExistingPolicy version v1 does not exist or is not attachable.",
        ),
        (
            "GetPolicyVersion&PolicyArn={own}/P&VersionId=v9",
            404,
            "NoSuchEntity",
            "Policy {own}/P version v9 does not exist or is not attachable.",
        ),
        (
            "SetDefaultPolicyVersion&PolicyArn={own}/P&VersionId=v9",
            404,
            "NoSuchEntity",
            "Policy {own}/P version v9 does not exist or is not attachable.",
        ),
        (
            "PutUserPermissionsBoundary&UserName=bob&PermissionsBoundary={own}/nonexistent-policy",
            404,
            "NoSuchEntity",
            "Scope ARN: {own}/nonexistent-policy does not exist or is not attachable.",
        ),
    ];
    let bench = bench();
    for row in ROWS {
        check(&bench, &bench.root, *row);
    }
}

#[test]
fn what_is_there_already() {
    const ROWS: &[RecordedCase] = &[
        (
            "CreateUser&UserName=BOB",
            409,
            "EntityAlreadyExists",
            "User with name BOB already exists.",
        ),
        (
            "UpdateUser&UserName=bob&NewUserName=Eve",
            409,
            "EntityAlreadyExists",
            "User with name Eve already exists.",
        ),
        (
            "CreateGroup&GroupName=some",
            409,
            "EntityAlreadyExists",
            "Group with name some already exists.",
        ),
        (
            "UpdateGroup&GroupName=some&NewGroupName=other",
            409,
            "EntityAlreadyExists",
            "Group with name other already exists.",
        ),
        (
            "CreatePolicy&PolicyName=P&PolicyDocument={policy}",
            409,
            "EntityAlreadyExists",
            "A policy called P already exists. Duplicate names are not allowed.",
        ),
        (
            "CreateLoginProfile&UserName=bob&Password=Abcdefg1",
            409,
            "EntityAlreadyExists",
            "Login Profile for user bob already exists.",
        ),
        (
            "CreateAccessKey&UserName=bob",
            409,
            "LimitExceeded",
            "Cannot exceed quota for AccessKeysPerUser: 2",
        ),
        (
            "CreatePolicyVersion&PolicyArn={own}/P&PolicyDocument={policy}",
            409,
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you \
             must delete an existing version.",
        ),
        (
            "DeletePolicyVersion&PolicyArn={own}/P&VersionId=v1",
            409,
            "DeleteConflict",
            "Cannot delete the default version of a policy.",
        ),
    ];
    let bench = bench();
    for row in ROWS {
        check(&bench, &bench.root, *row);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn values_that_are_refused() {
    const ROWS: &[RecordedCase] = &[
        (
            "AttachUserPolicy&UserName=bob&PolicyArn=longpolicynamebutnoarn",
            400,
            "ValidationError",
            "ARN longpolicynamebutnoarn is not valid.",
        ),
        (
            "PutUserPermissionsBoundary&UserName=bob\
             &PermissionsBoundary=arn:aws:iam::{account}:not_a_policy/invalid",
            400,
            "InvalidInput",
            "ARN arn:aws:iam::{account}:not_a_policy/invalid is not valid.",
        ),
        (
            "CreatePolicy&PolicyName=Q&PolicyDocument={policy}&Tags.member.1.Key=k\
             &Tags.member.1.Value=1&Tags.member.2.Key=k&Tags.member.2.Value=2",
            400,
            "InvalidInput",
            "Duplicate tag keys found.",
        ),
        (
            "CreateUser&UserName=ann&Tags.member.1.Key=k&Tags.member.1.Value=1\
             &Tags.member.2.Key=K&Tags.member.2.Value=2",
            400,
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            "TagUser&UserName=bob&Tags.member.1.Key=AWS:k&Tags.member.1.Value=1",
            400,
            "InvalidInput",
            "Tag keys beginning with aws: are reserved for system use.",
        ),
        (
            "ListUsers&Marker=no-marker",
            400,
            "ValidationError",
            "Invalid Marker.",
        ),
        (
            "CreateUser&UserName=ann&Path=invalid-path/",
            400,
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain \
             only alphanumeric characters and/or / characters.",
        ),
        (
            "DeletePolicy&PolicyArn={aws}",
            403,
            "AccessDenied",
            "Cannot delete policies outside your own account.",
        ),
        (
            "DeletePolicyVersion&PolicyArn={aws}&VersionId=v1",
            403,
            "AccessDenied",
            "Cannot delete policy versions for policies outside your own account.",
        ),
        (
            "SetDefaultPolicyVersion&PolicyArn={aws}&VersionId=v1",
            403,
            "AccessDenied",
            "Cannot update policies outside your own account.",
        ),
        (
            "GetAccessKeyLastUsed&AccessKeyId=AKIAIOSFODNN7EXAMPLE",
            403,
            "AccessDenied",
            "User: arn:aws:iam::{account}:root is not authorized to perform \
             iam:GetAccessKeyLastUsed on resource: access key AKIAIOSFODNN7EXAMPLE",
        ),
    ];
    let bench = bench();
    for row in ROWS {
        check(&bench, &bench.root, *row);
    }
}

#[test]
fn fifty_tags_at_most() {
    let bench = bench();
    let tag = |range: std::ops::Range<u8>| -> String {
        let member = |(n, key)| format!("&Tags.member.{n}.Key=k{key}&Tags.member.{n}.Value=");
        (1..).zip(range).map(member).collect()
    };
    for target in [
        "TagUser&UserName=bob".to_owned(),
        format!("TagPolicy&PolicyArn=arn:aws:iam::{ACCOUNT}:policy/P"),
    ] {
        bench.root(&format!("Action={target}{}", tag(0..50))).ok();
        let more = bench.root(&format!("Action={target}{}", tag(49..51)));
        let text = "The number of tags has reached the maximum limit.";
        more.refused("LimitExceeded", text);
        let many = bench.root(&format!("Action={target}{}", tag(0..51)));
        many.refused(
            "ValidationError",
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member \
             must have length less than or equal to 50",
        );
    }
}

#[test]
fn what_still_depends_on_it() {
    let bench = bench();
    for form in [
        format!("AttachUserPolicy&UserName=bob&PolicyArn={AWS}"),
        format!("PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument={POLICY}"),
        "AddUserToGroup&UserName=bob&GroupName=some".to_owned(),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let keys = bench.root("Action=ListAccessKeys&UserName=bob");
    let mut mend = vec![
        (
            "must detach all policies first.",
            vec![format!("DetachUserPolicy&UserName=bob&PolicyArn={AWS}")],
        ),
        (
            "must delete policies first.",
            vec!["DeleteUserPolicy&UserName=bob&PolicyName=p".to_owned()],
        ),
        (
            "must remove users from group first.",
            vec!["RemoveUserFromGroup&UserName=bob&GroupName=some".to_owned()],
        ),
    ];
    let delete_key = |key: &String| format!("DeleteAccessKey&UserName=bob&AccessKeyId={key}");
    mend.push((
        "must delete access keys first.",
        keys.values("AccessKeyId").iter().map(delete_key).collect(),
    ));
    mend.push((
        "must delete login profile first.",
        vec!["DeleteLoginProfile&UserName=bob".to_owned()],
    ));
    for (why, forms) in mend {
        bench
            .root("Action=DeleteUser&UserName=bob")
            .refused("DeleteConflict", &format!("Cannot delete entity, {why}"));
        for form in forms {
            bench.root(&format!("Action={form}")).ok();
        }
    }
    bench.root("Action=DeleteUser&UserName=bob").ok();
}

#[test]
fn policies_of_services_are_for_services() {
    let bench = bench();
    let arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy";
    for (form, kind) in [
        ("AttachUserPolicy&UserName=bob", "user"),
        ("AttachGroupPolicy&GroupName=some", "group"),
    ] {
        let answer = bench.root(&format!("Action={form}&PolicyArn={arn}"));
        let text = format!("Cannot attach a Service Role Policy to a customer {kind}.");
        assert_eq!(answer.error().status, 400);
        answer.refused("PolicyNotAttachable", &text);
    }
    let entities = format!("Action=ListEntitiesForPolicy&PolicyArn={arn}");
    bench.root(&entities).ok();
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn roles_and_instance_profiles() {
    const ROWS: &[RecordedCase] = &[
        (
            "CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}",
            409,
            "EntityAlreadyExists",
            "Role with name r already exists.",
        ),
        (
            "CreateRole&RoleName=new&AssumeRolePolicyDocument=x",
            400,
            "MalformedPolicyDocument",
            "This policy contains invalid Json",
        ),
        (
            "CreateRole&RoleName=new&AssumeRolePolicyDocument={trust}\
             &Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2",
            400,
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            "GetRole&RoleName=test-nonexistent-role",
            404,
            "NoSuchEntity",
            "The role with name test-nonexistent-role cannot be found.",
        ),
        (
            "GetRolePolicy&RoleName=R&PolicyName=non-existent-policy",
            404,
            "NoSuchEntity",
            "The role policy with name non-existent-policy cannot be found.",
        ),
        (
            "UpdateAssumeRolePolicy&RoleName=R&PolicyDocument={trust_of_s3}",
            400,
            "MalformedPolicyDocument",
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            "UpdateAssumeRolePolicy&RoleName=R&PolicyDocument={trust_of_resource}",
            400,
            "MalformedPolicyDocument",
            "Has prohibited field Resource",
        ),
        (
            "PutRolePermissionsBoundary&RoleName=R\
             &PermissionsBoundary=arn:aws:iam::{account}:not_a_policy/invalid",
            400,
            "InvalidInput",
            "ARN arn:aws:iam::{account}:not_a_policy/invalid is not valid.",
        ),
        (
            "PutRolePermissionsBoundary&RoleName=R&PermissionsBoundary={own}/nonexistent-policy",
            404,
            "NoSuchEntity",
            "Scope ARN: {own}/nonexistent-policy does not exist or is not attachable.",
        ),
        (
            "DetachRolePolicy&RoleName=R&PolicyArn={own}/P",
            404,
            "NoSuchEntity",
            "Policy {own}/P was not found.",
        ),
        (
            "AttachRolePolicy&RoleName=R&PolicyArn={own}/nonexistent-policy",
            404,
            "NoSuchEntity",
            "Policy {own}/nonexistent-policy does not exist or is not attachable.",
        ),
        (
            "CreateInstanceProfile&InstanceProfileName=I",
            409,
            "EntityAlreadyExists",
            "Instance Profile I already exists.",
        ),
        (
            "GetInstanceProfile&InstanceProfileName=nonexistent-profile",
            404,
            "NoSuchEntity",
            "Instance Profile nonexistent-profile cannot be found.",
        ),
        (
            "AddRoleToInstanceProfile&InstanceProfileName=I&RoleName=nonexistent-role",
            404,
            "NoSuchEntity",
            "The role with name nonexistent-role cannot be found.",
        ),
        (
            "RemoveRoleFromInstanceProfile&InstanceProfileName=I&RoleName=R",
            404,
            "NoSuchEntity",
            "Role R in Instance Profile I cannot be found.",
        ),
    ];
    let bench = bench();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let of_s3 = trust.replace("sts:AssumeRole", "s3:GetObject");
    let of_resource = trust.replace(r#""Effect""#, r#""Resource":"*","Effect""#);
    for form in [
        format!("CreateRole&RoleName=R&AssumeRolePolicyDocument={trust}"),
        "CreateInstanceProfile&InstanceProfileName=I".to_owned(),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    for (form, status, code, message) in ROWS {
        let form = form.replace("{trust}", trust);
        let form = form.replace("{trust_of_s3}", &of_s3);
        let form = form.replace("{trust_of_resource}", &of_resource);
        check(&bench, &bench.root, (&form, *status, code, message));
    }
}
