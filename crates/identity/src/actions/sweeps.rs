//! A sample form of each action, for the sweeps over the action table.
//!
//! Each stands here once; a test demands it. The sweeps of this crate are beside this file, and the
//! server's sweep of events uses the samples too (feature `samples`). What an action does is tested
//! beside it.

mod documents;

use keywright_wire::{Operation, Service, operations};

use self::documents::{SAML_METADATA, SSH_KEY, certificate, import_document, in_form};

/// The account of the samples, which is that of every test installation.
const ACCOUNT: &str = "123456789012";

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// A valid form of every served action. Those of Organizations are named with their service,
/// because IAM has actions of the same names.
#[expect(clippy::too_many_lines, reason = "one row an action")]
pub fn samples() -> Vec<(&'static str, String)> {
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
    let ssh_body = format!("SSHPublicKeyBody={}", in_form(SSH_KEY));
    let ssh_id = "SSHPublicKeyId=APKAIOSFODNN7EXAMPLE";
    let (certificate, private_key) = certificate();
    let pem = format!("CertificateBody={}", in_form(&certificate));
    let pair = format!("{pem}&PrivateKey={}", in_form(&private_key));
    let certificate = "ServerCertificateName=some".to_owned();
    let saml = format!("SAMLProviderArn=arn:aws:iam::{ACCOUNT}:saml-provider/some");
    let metadata = in_form(SAML_METADATA);
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
        ("ImportAccount", format!("Document={}", import_document())),
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
    .into_iter()
    .chain(organizations())
    .collect()
}

/// Those of Organizations. Nothing that they name exists.
#[expect(clippy::too_many_lines, reason = "one row an action")]
fn organizations() -> Vec<(&'static str, String)> {
    let account = "AccountId=210987654321";
    let root = "r-abcd";
    let unit = "OrganizationalUnitId=ou-abcd-abcdefgh";
    let parent = format!("ParentId={root}");
    let policy = "PolicyId=p-abcdefgh";
    let kind = "SERVICE_CONTROL_POLICY";
    let target = format!("{policy}&TargetId={root}");
    let document = format!("Content={POLICY}&Description=d&Name=n&Type={kind}");
    let resource = format!("ResourceId={root}");
    let and = |a: &str, b: &str| format!("{a}&{b}");
    vec![
        ("organizations:CreateOrganization", String::new()),
        ("organizations:DescribeOrganization", String::new()),
        ("organizations:DeleteOrganization", String::new()),
        ("organizations:ListRoots", String::new()),
        (
            "organizations:EnablePolicyType",
            format!("RootId={root}&PolicyType={kind}"),
        ),
        (
            "organizations:DisablePolicyType",
            format!("RootId={root}&PolicyType={kind}"),
        ),
        (
            "organizations:CreateAccount",
            "Email=a@example.com&AccountName=a".to_owned(),
        ),
        (
            "organizations:DescribeCreateAccountStatus",
            "CreateAccountRequestId=car-abcdefgh".to_owned(),
        ),
        ("organizations:ListCreateAccountStatus", String::new()),
        ("organizations:ListAccounts", String::new()),
        ("organizations:ListAccountsForParent", parent.clone()),
        ("organizations:DescribeAccount", account.to_owned()),
        ("organizations:CloseAccount", account.to_owned()),
        (
            "organizations:RemoveAccountFromOrganization",
            account.to_owned(),
        ),
        (
            "organizations:CreateOrganizationalUnit",
            and(&parent, "Name=n"),
        ),
        ("organizations:DescribeOrganizationalUnit", unit.to_owned()),
        (
            "organizations:UpdateOrganizationalUnit",
            and(unit, "Name=m"),
        ),
        ("organizations:DeleteOrganizationalUnit", unit.to_owned()),
        (
            "organizations:ListOrganizationalUnitsForParent",
            parent.clone(),
        ),
        (
            "organizations:ListChildren",
            and(&parent, "ChildType=ACCOUNT"),
        ),
        (
            "organizations:ListParents",
            "ChildId=210987654321".to_owned(),
        ),
        (
            "organizations:MoveAccount",
            format!("{account}&SourceParentId={root}&DestinationParentId=ou-abcd-abcdefgh"),
        ),
        ("organizations:CreatePolicy", document),
        ("organizations:DescribePolicy", policy.to_owned()),
        ("organizations:UpdatePolicy", and(policy, "Name=m")),
        ("organizations:DeletePolicy", policy.to_owned()),
        ("organizations:ListPolicies", format!("Filter={kind}")),
        ("organizations:AttachPolicy", target.clone()),
        ("organizations:DetachPolicy", target),
        (
            "organizations:ListPoliciesForTarget",
            format!("TargetId={root}&Filter={kind}"),
        ),
        ("organizations:ListTargetsForPolicy", policy.to_owned()),
        (
            "organizations:TagResource",
            and(&resource, "Tags.member.1.Key=k&Tags.member.1.Value=v"),
        ),
        (
            "organizations:UntagResource",
            and(&resource, "TagKeys.member.1=k"),
        ),
        ("organizations:ListTagsForResource", resource),
    ]
}

/// The form of a sample, with the version of its service.
pub fn sampled(action: &str, more: &str) -> String {
    let mut all = operations();
    let operation = all.find(|operation| sample_name(operation) == action);
    let (name, version) = operation.map_or((action, ""), |operation| {
        (operation.name, operation.service.version())
    });
    format!("Action={name}&Version={version}&{more}")
}

/// What a sample calls an operation.
pub const fn sample_name(operation: &'static Operation) -> &'static str {
    match operation.service {
        Service::Organizations => operation.policy_action,
        Service::Iam | Service::Sts | Service::Keywright => operation.name,
    }
}

#[cfg(test)]
mod tests;
