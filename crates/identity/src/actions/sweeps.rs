//! Sweeps over the action table: what must hold for every action, whoever adds one.
//!
//! A sample form of each action stands here once; a test demands it. What an action does is tested
//! beside it.

use std::collections::BTreeSet;

use keywright_policy::{AccessLevel, ResourceUse, SettledAnswer, settled};
use keywright_wire::{Service, operations};

use super::{actions, not_served};
use crate::{
    action::ActionLevel,
    testing::{
        ACCOUNT, TestInstallation, TestKeys,
        certificates::{TestCertificate, in_form, ssh_rsa},
        saml::metadata,
    },
    unserved::{unserved_operations, unserved_reason},
};

/// Codes that any operation may answer, beside those that the model declares for it.
const COMMON: [&str; 3] = ["AccessDenied", "ValidationError", "MalformedInput"];

/// Whether every verified caller may do an action, as explanations say too.
fn for_everyone(action: &str) -> bool {
    settled(&format!("sts:{action}"), "*") == Some(SettledAnswer::Allowed)
}

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// A valid form of every served action.
#[expect(clippy::too_many_lines, reason = "one row an action")]
pub(crate) fn samples() -> Vec<(&'static str, String)> {
    let someone = "UserName=someone";
    let user = someone.to_owned();
    let group = "GroupName=some".to_owned();
    let role = "RoleName=some".to_owned();
    let profile = "InstanceProfileName=some".to_owned();
    let provider = "oidc-provider/idp.example.com";
    let provider = format!("OpenIDConnectProviderArn=arn:aws:iam::{ACCOUNT}:{provider}");
    let thumbprint = "ThumbprintList.member.1=0123456789012345678901234567890123456789";
    let trusting = format!("AssumeRolePolicyDocument={TRUST}");
    let own = format!("PolicyArn=arn:aws:iam::{ACCOUNT}:policy/P");
    let aws = "PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let key = "AccessKeyId=AKIAIOSFODNN7EXAMPLE";
    let device = format!("SerialNumber=arn:aws:iam::{ACCOUNT}:mfa/phone");
    let codes = "AuthenticationCode1=123456&AuthenticationCode2=654321";
    let ssh_body = format!("SSHPublicKeyBody={}", in_form(&ssh_rsa(2048, 1)));
    let ssh_id = "SSHPublicKeyId=APKAIOSFODNN7EXAMPLE";
    let pair = TestCertificate::new("some.example");
    let pem = format!("CertificateBody={}", in_form(&pair.certificate));
    let pair = format!("{pem}&PrivateKey={}", in_form(&pair.private_key));
    let certificate = "ServerCertificateName=some".to_owned();
    let saml = format!("SAMLProviderArn=arn:aws:iam::{ACCOUNT}:saml-provider/some");
    let metadata = in_form(&metadata("https://idp.example"));
    let credential = "ServiceSpecificCredentialId=ACCAIOSFODNN7EXAMPLE1";
    let certificate_id = "CertificateId=TA7SMP42TDN5Z26OBPJE7EXAMPLE";
    let tag = "Tags.member.1.Key=k&Tags.member.1.Value=v";
    let boundary = "PermissionsBoundary=arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let version = "VersionId=v1";
    let inline = "PolicyName=P";
    let requested = "ActionName=iam:ListUsers&ResourceArn=*";
    let and = |a: &str, b: &str| format!("{a}&{b}");
    let document = format!("PolicyDocument={POLICY}");
    let simulated = "ActionNames.member.1=s3:GetObject";
    let list = &format!("PolicyInputList.member.1={POLICY}");
    let source = format!("PolicySourceArn=arn:aws:iam::{ACCOUNT}:user/someone");
    vec![
        ("CreateUser", user.clone()),
        ("GetUser", user.clone()),
        ("ListUsers", String::new()),
        ("UpdateUser", and(&user, "NewUserName=other")),
        ("DeleteUser", user.clone()),
        ("PutUserPermissionsBoundary", and(&user, boundary)),
        ("DeleteUserPermissionsBoundary", user.clone()),
        ("TagUser", and(&user, tag)),
        ("UntagUser", and(&user, "TagKeys.member.1=k")),
        ("ListUserTags", user.clone()),
        ("CreateRole", and(&role, &trusting)),
        ("GetRole", role.clone()),
        ("ListRoles", String::new()),
        ("UpdateRole", role.clone()),
        ("UpdateRoleDescription", and(&role, "Description=d")),
        (
            "UpdateAssumeRolePolicy",
            format!("{role}&PolicyDocument={TRUST}"),
        ),
        ("DeleteRole", role.clone()),
        (
            "CreateServiceLinkedRole",
            "AWSServiceName=ecs.amazonaws.com".to_owned(),
        ),
        ("DeleteServiceLinkedRole", role.clone()),
        (
            "GetServiceLinkedRoleDeletionStatus",
            "DeletionTaskId=task/aws-service-role/ecs.amazonaws.com/some/1".to_owned(),
        ),
        ("TagRole", and(&role, tag)),
        ("UntagRole", and(&role, "TagKeys.member.1=k")),
        ("ListRoleTags", role.clone()),
        ("PutRolePermissionsBoundary", and(&role, boundary)),
        ("DeleteRolePermissionsBoundary", role.clone()),
        ("AttachRolePolicy", and(&role, aws)),
        ("DetachRolePolicy", and(&role, aws)),
        ("ListAttachedRolePolicies", role.clone()),
        ("PutRolePolicy", format!("{role}&{inline}&{document}")),
        ("GetRolePolicy", and(&role, inline)),
        ("ListRolePolicies", role.clone()),
        ("DeleteRolePolicy", and(&role, inline)),
        ("CreateInstanceProfile", profile.clone()),
        ("GetInstanceProfile", profile.clone()),
        ("ListInstanceProfiles", String::new()),
        ("ListInstanceProfilesForRole", role.clone()),
        ("AddRoleToInstanceProfile", and(&profile, &role)),
        ("RemoveRoleFromInstanceProfile", and(&profile, &role)),
        ("DeleteInstanceProfile", profile.clone()),
        ("TagInstanceProfile", and(&profile, tag)),
        ("UntagInstanceProfile", and(&profile, "TagKeys.member.1=k")),
        ("ListInstanceProfileTags", profile),
        (
            "CreateOpenIDConnectProvider",
            "Url=https://idp.example.com".to_owned(),
        ),
        ("GetOpenIDConnectProvider", provider.clone()),
        ("ListOpenIDConnectProviders", String::new()),
        ("DeleteOpenIDConnectProvider", provider.clone()),
        (
            "UpdateOpenIDConnectProviderThumbprint",
            and(&provider, thumbprint),
        ),
        (
            "AddClientIDToOpenIDConnectProvider",
            and(&provider, "ClientID=a"),
        ),
        (
            "RemoveClientIDFromOpenIDConnectProvider",
            and(&provider, "ClientID=a"),
        ),
        ("TagOpenIDConnectProvider", and(&provider, tag)),
        (
            "UntagOpenIDConnectProvider",
            and(&provider, "TagKeys.member.1=k"),
        ),
        ("ListOpenIDConnectProviderTags", provider),
        ("TagPolicy", and(&own, tag)),
        ("UntagPolicy", and(&own, "TagKeys.member.1=k")),
        ("ListPolicyTags", own.clone()),
        ("CreatePolicy", and(inline, &document)),
        ("GetPolicy", own.clone()),
        ("ListPolicies", String::new()),
        ("DeletePolicy", own.clone()),
        ("CreatePolicyVersion", and(&own, &document)),
        ("GetPolicyVersion", and(&own, version)),
        ("ListPolicyVersions", own.clone()),
        ("SetDefaultPolicyVersion", and(&own, version)),
        ("DeletePolicyVersion", and(&own, version)),
        ("AttachUserPolicy", and(&user, aws)),
        ("DetachUserPolicy", and(&user, aws)),
        ("ListAttachedUserPolicies", user.clone()),
        ("AttachGroupPolicy", and(&group, aws)),
        ("DetachGroupPolicy", and(&group, aws)),
        ("ListAttachedGroupPolicies", group.clone()),
        ("ListEntitiesForPolicy", aws.to_owned()),
        ("PutUserPolicy", format!("{user}&{inline}&{document}")),
        ("GetUserPolicy", and(&user, inline)),
        ("ListUserPolicies", user.clone()),
        ("DeleteUserPolicy", and(&user, inline)),
        ("PutGroupPolicy", format!("{group}&{inline}&{document}")),
        ("GetGroupPolicy", and(&group, inline)),
        ("ListGroupPolicies", group.clone()),
        ("DeleteGroupPolicy", and(&group, inline)),
        ("CreateGroup", group.clone()),
        ("GetGroup", group.clone()),
        ("ListGroups", String::new()),
        ("UpdateGroup", and(&group, "NewGroupName=other")),
        ("DeleteGroup", group.clone()),
        ("AddUserToGroup", and(&group, &user)),
        ("RemoveUserFromGroup", and(&group, &user)),
        ("ListGroupsForUser", user.clone()),
        ("CreateAccessKey", user.clone()),
        ("ListAccessKeys", user.clone()),
        ("UploadSSHPublicKey", and(&user, &ssh_body)),
        ("GetSSHPublicKey", format!("{user}&{ssh_id}&Encoding=SSH")),
        ("ListSSHPublicKeys", user.clone()),
        (
            "UpdateSSHPublicKey",
            format!("{user}&{ssh_id}&Status=Inactive"),
        ),
        ("DeleteSSHPublicKey", and(&user, ssh_id)),
        ("UploadSigningCertificate", and(&user, &pem)),
        ("ListSigningCertificates", user.clone()),
        (
            "UpdateSigningCertificate",
            format!("{user}&{certificate_id}&Status=Inactive"),
        ),
        ("DeleteSigningCertificate", and(&user, certificate_id)),
        (
            "CreateServiceSpecificCredential",
            and(&user, "ServiceName=codecommit.amazonaws.com"),
        ),
        ("ListServiceSpecificCredentials", user.clone()),
        ("ResetServiceSpecificCredential", and(&user, credential)),
        (
            "UpdateServiceSpecificCredential",
            format!("{user}&{credential}&Status=Inactive"),
        ),
        ("DeleteServiceSpecificCredential", and(&user, credential)),
        ("UploadServerCertificate", and(&certificate, &pair)),
        ("GetServerCertificate", certificate.clone()),
        ("ListServerCertificates", String::new()),
        (
            "UpdateServerCertificate",
            and(&certificate, "NewPath=/new/"),
        ),
        ("TagServerCertificate", and(&certificate, tag)),
        (
            "UntagServerCertificate",
            and(&certificate, "TagKeys.member.1=k"),
        ),
        ("ListServerCertificateTags", certificate.clone()),
        ("DeleteServerCertificate", certificate),
        (
            "CreateSAMLProvider",
            format!("Name=some&SAMLMetadataDocument={metadata}"),
        ),
        ("GetSAMLProvider", saml.clone()),
        ("ListSAMLProviders", String::new()),
        (
            "UpdateSAMLProvider",
            format!("{saml}&SAMLMetadataDocument={metadata}"),
        ),
        ("TagSAMLProvider", and(&saml, tag)),
        ("UntagSAMLProvider", and(&saml, "TagKeys.member.1=k")),
        ("ListSAMLProviderTags", saml.clone()),
        ("DeleteSAMLProvider", saml),
        (
            "ListPoliciesGrantingServiceAccess",
            format!("Arn=arn:aws:iam::{ACCOUNT}:user/someone&ServiceNamespaces.member.1=s3"),
        ),
        (
            "SetSecurityTokenServicePreferences",
            "GlobalEndpointTokenVersion=v2Token".to_owned(),
        ),
        ("UpdateAccessKey", format!("{user}&{key}&Status=Inactive")),
        ("DeleteAccessKey", and(&user, key)),
        ("GetAccessKeyLastUsed", key.to_owned()),
        ("CreateLoginProfile", and(&user, "Password=Abcdefg1")),
        ("GetLoginProfile", user.clone()),
        ("UpdateLoginProfile", and(&user, "Password=Abcdefg1")),
        ("DeleteLoginProfile", user.clone()),
        (
            "ChangePassword",
            "OldPassword=Abcdefg1&NewPassword=Abcdefg2".to_owned(),
        ),
        (
            "CreateVirtualMFADevice",
            "VirtualMFADeviceName=phone".to_owned(),
        ),
        ("EnableMFADevice", format!("{someone}&{device}&{codes}")),
        ("ResyncMFADevice", format!("{someone}&{device}&{codes}")),
        ("DeactivateMFADevice", and(someone, &device)),
        ("DeleteVirtualMFADevice", device.clone()),
        ("ListMFADevices", someone.to_owned()),
        ("ListVirtualMFADevices", String::new()),
        ("GetMFADevice", device.clone()),
        ("TagMFADevice", and(&device, tag)),
        ("UntagMFADevice", and(&device, "TagKeys.member.1=k")),
        ("ListMFADeviceTags", device.clone()),
        ("UpdateAccountPasswordPolicy", String::new()),
        ("GetAccountPasswordPolicy", String::new()),
        ("DeleteAccountPasswordPolicy", String::new()),
        ("CreateAccountAlias", "AccountAlias=alias".to_owned()),
        ("DeleteAccountAlias", "AccountAlias=alias".to_owned()),
        ("ListAccountAliases", String::new()),
        ("GetAccountSummary", String::new()),
        ("GetAccountAuthorizationDetails", String::new()),
        ("GenerateCredentialReport", String::new()),
        ("GetCredentialReport", String::new()),
        ("SimulateCustomPolicy", and(list, simulated)),
        ("SimulatePrincipalPolicy", and(&source, simulated)),
        ("GetContextKeysForCustomPolicy", list.to_owned()),
        ("GetContextKeysForPrincipalPolicy", source),
        ("GetCallerIdentity", String::new()),
        ("GetSessionToken", String::new()),
        (
            "AssumeRole",
            format!("RoleArn=arn:aws:iam::{ACCOUNT}:role/some&RoleSessionName=s1"),
        ),
        ("GetFederationToken", "Name=fed".to_owned()),
        ("GetAccessKeyInfo", key.to_owned()),
        ("ListAccessKeyAttempts", key.to_owned()),
        ("GetAccessKeyUse", key.to_owned()),
        ("ListAccessKeySessions", key.to_owned()),
        ("EndAccessKeySessions", key.to_owned()),
        (
            "ExplainAuthorization",
            format!("PrincipalArn=arn:aws:iam::{ACCOUNT}:root&{requested}"),
        ),
        ("ListAuthorizedPrincipals", requested.to_owned()),
        ("ListDeniedRequests", String::new()),
        (
            "ExplainDeniedRequest",
            "RequestId=none-like-this".to_owned(),
        ),
        ("ValidatePolicy", and(&document, "PolicyType=managed")),
        ("StartRotation", user.clone()),
        ("GetRotation", user.clone()),
        ("ListRotations", String::new()),
        ("RetrieveRotationKey", user.clone()),
        ("ConfirmDelivery", user.clone()),
        ("ResumeRotation", user.clone()),
        ("HoldRotation", and(&user, "Reason=r")),
        ("ReleaseRotation", user.clone()),
        ("RollBackRotation", and(&user, "Reason=r")),
        ("AbandonRotation", and(&user, "Reason=r")),
        ("ChangeRotation", and(&user, "Reason=r")),
        ("ListRotationHistory", user),
        ("ListRotationPlaces", String::new()),
        (
            "PutRotationPolicy",
            "RotationPolicyName=p&Everyone=true".to_owned(),
        ),
        ("ListRotationPolicies", String::new()),
        ("DeleteRotationPolicy", "RotationPolicyName=p".to_owned()),
    ]
}

fn form(action: &str, more: &str) -> String {
    format!("Action={action}&{more}")
}

#[test]
fn every_served_action_has_a_sample() {
    let served: BTreeSet<_> = actions().map(|row| row.operation.name).collect();
    let sampled: BTreeSet<_> = samples().into_iter().map(|(action, _)| action).collect();
    assert_eq!(served, sampled);
    assert_eq!(served.len(), actions().count(), "an action is served twice");
}

#[test]
fn nobody_may_do_anything_without_a_grant() {
    let bench = TestInstallation::new();
    let keys = bench.user("nobody", &[]);
    for (action, more) in samples() {
        let denied = bench.call(&keys, &form(action, &more)).code() == Some("AccessDenied");
        assert_eq!(denied, !for_everyone(action), "{action}");
    }
}

#[test]
fn an_explicit_deny_holds_for_everything_but_what_is_for_everyone() {
    let bench = TestInstallation::new();
    let keys = bench.user("admin", &["AdministratorAccess"]);
    let deny = POLICY.replace("Allow", "Deny").replace("s3:*", "*");
    let put = format!("Action=PutUserPolicy&UserName=admin&PolicyName=no&PolicyDocument={deny}");
    bench.root(&put).ok();
    for (action, more) in samples() {
        let denied = bench.call(&keys, &form(action, &more)).code() == Some("AccessDenied");
        assert_eq!(denied, !for_everyone(action), "{action}");
    }
}

#[test]
fn nobody_may_do_anything_unproven() {
    let bench = TestInstallation::new();
    let stranger = TestKeys {
        secret: keywright_base::Secret::new("not the secret".to_owned()),
        ..bench.root.clone()
    };
    for (action, more) in samples() {
        let answer = bench.call(&stranger, &form(action, &more));
        assert_eq!(answer.error().code, "SignatureDoesNotMatch", "{action}");
    }
}

/// A session that may not call IAM gets nothing of IAM through the extension, and root's neither.
#[test]
fn sessions_without_a_code_may_not_use_the_extension_in_place_of_iam() {
    let bench = TestInstallation::new();
    let admin = bench.user("admin", &["AdministratorAccess"]);
    let sessions = [
        TestKeys::of(&bench.call(&admin, "Action=GetSessionToken")),
        TestKeys::of(&bench.root("Action=GetSessionToken")),
    ];
    let catalogue = keywright_policy::ActionCatalogue::built_in();
    let extension = actions().filter(|row| row.operation.service == Service::Keywright);
    let extension: BTreeSet<_> = extension.map(|row| row.operation.name).collect();
    let mut closed = 0;
    for (action, more) in samples() {
        if !extension.contains(action) {
            continue;
        }
        let known = catalogue.action(&format!("keywright:{action}")).unwrap();
        let mut implied = known.does.iter().chain(&known.reveals);
        let of_iam = implied.any(|name| name.starts_with("iam:"));
        closed += usize::from(of_iam);
        for session in &sessions {
            let code = bench.call(session, &form(action, &more)).code();
            assert_eq!(
                code == Some("InvalidClientTokenId"),
                of_iam,
                "{action}: {code:?}"
            );
        }
    }
    assert!(closed > 15, "{closed}");
}

#[test]
fn refusals_are_declared() {
    let bench = TestInstallation::new();
    for (action, more) in samples() {
        let row = actions().find(|row| row.operation.name == action);
        let declared = row.unwrap().operation.errors;
        // Twice: what the first call made stands in the second one's way.
        for _ in 0..2 {
            let answer = bench.root(&form(action, &more));
            if let Some(code) = answer.code() {
                let known = declared.iter().any(|shape| shape.code == code);
                assert!(known || COMMON.contains(&code), "{action} answers {code}");
            }
        }
    }
}

/// The published table of actions says the same as ours.
#[test]
fn access_levels_are_as_published() {
    let published = keywright_policy::ActionCatalogue::built_in();
    let mut differing = Vec::new();
    for row in actions() {
        let action = row.operation.policy_action;
        let level = match row.access {
            ActionLevel::List => AccessLevel::List,
            ActionLevel::Read => AccessLevel::Read,
            ActionLevel::Write => AccessLevel::Write,
            ActionLevel::PermissionsManagement => AccessLevel::Permissions,
            ActionLevel::Tagging => AccessLevel::Tagging,
        };
        let known = published.action(action).map(|known| known.level);
        if known != Some(level) {
            differing.push((action, level, known));
        }
    }
    assert_eq!(differing, []);
}

/// What nobody may do was asked on a resource of a published type.
#[test]
fn resources_are_as_published() {
    let published = keywright_policy::ActionCatalogue::built_in();
    let bench = TestInstallation::new();
    let keys = bench.user("nobody", &[]);
    let account = ACCOUNT.parse().unwrap();
    let mut differing = Vec::new();
    for (action, more) in samples() {
        bench.call(&keys, &form(action, &more));
        let denials = bench.identity().denials().list(account, None, None, 1);
        let Some((_, denial)) = denials.first() else {
            continue;
        };
        let (requested, resource) = (&denial.evidence.action, &denial.evidence.resource);
        let Some(known) = published.action(requested) else {
            continue;
        };
        // Of ours some are about a user or about all of them.
        let must = |used: &ResourceUse| used.required || known.service != "keywright";
        let bare = resource == "*" && known.resources.iter().any(must);
        if bare || !published.fits(requested, resource) {
            differing.push(format!("{requested} on {resource}"));
        }
    }
    assert_eq!(differing, [""; 0]);
}

#[test]
fn what_is_not_served_says_so() {
    let bench = TestInstallation::new();
    let all = operations().count();
    // Those that need no signature are no actions: they have no caller to be authorized.
    let unsigned = operations().filter(|operation| operation.unsigned);
    let unsigned = unsigned.filter(|it| !not_served().any(|other| std::ptr::eq(other, *it)));
    let unsigned: Vec<_> = unsigned.map(|operation| operation.name).collect();
    assert_eq!(unsigned, ["AssumeRoleWithWebIdentity"]);
    assert_eq!(not_served().count() + actions().count() + 1, all);
    for operation in not_served() {
        let answer = bench.root(&form(operation.name, ""));
        let error = answer.error();
        assert_eq!(
            (error.status, &*error.code),
            (501, "NotImplemented"),
            "{operation:?}"
        );
        let reason = unserved_reason(operation.name).unwrap();
        let text = error.message.as_deref().unwrap();
        assert!(text.ends_with(reason), "{text}");
    }
    let unserved: BTreeSet<_> = not_served().map(|it| it.name).collect();
    let explained: Vec<_> = unserved_operations().collect();
    let different: BTreeSet<_> = explained.iter().copied().collect();
    assert_eq!(different, unserved, "a reason for each, and for no other");
    assert_eq!(different.len(), explained.len(), "one reason for each");
    for operation in explained {
        let reason = unserved_reason(operation).unwrap();
        assert!(!reason.ends_with('.') && reason.len() > 20, "{reason}");
    }
}
