//! The actions of IAM, a file per noun.

pub(super) mod access_keys;
mod account;
pub(super) mod attachments;
mod authorization_details;
mod boundaries;
mod credential_holder;
mod credential_report;
pub(super) mod groups;
pub(super) mod inline;
pub(super) mod instance_profiles;
mod login_profiles;
mod mfa;
mod oidc_providers;
mod owner;
mod password_policy;
pub(super) mod policies;
pub(super) mod policy_versions;
pub(super) mod roles;
mod saml_providers;
mod server_certificates;
mod service_access;
mod service_credentials;
pub(super) mod service_linked_roles;
mod signing_certificates;
mod simulator;
mod ssh_public_keys;
pub(super) mod tags;
pub(super) mod users;

use crate::action::{ActionEntry, served};

#[cfg(test)]
pub(crate) use self::{tags::TagUser, users::CreateUser};

/// Every action of IAM that this server serves, in the order of the files.
pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<users::CreateUser>(),
    served::<users::GetUser>(),
    served::<users::ListUsers>(),
    served::<users::UpdateUser>(),
    served::<users::DeleteUser>(),
    served::<roles::CreateRole>(),
    served::<roles::GetRole>(),
    served::<roles::ListRoles>(),
    served::<roles::UpdateRole>(),
    served::<roles::UpdateRoleDescription>(),
    served::<roles::UpdateAssumeRolePolicy>(),
    served::<roles::DeleteRole>(),
    served::<service_linked_roles::CreateServiceLinkedRole>(),
    served::<service_linked_roles::DeleteServiceLinkedRole>(),
    served::<service_linked_roles::GetServiceLinkedRoleDeletionStatus>(),
    served::<tags::TagRole>(),
    served::<tags::UntagRole>(),
    served::<tags::ListRoleTags>(),
    served::<boundaries::PutRolePermissionsBoundary>(),
    served::<boundaries::DeleteRolePermissionsBoundary>(),
    served::<attachments::AttachRolePolicy>(),
    served::<attachments::DetachRolePolicy>(),
    served::<attachments::ListAttachedRolePolicies>(),
    served::<inline::PutRolePolicy>(),
    served::<inline::GetRolePolicy>(),
    served::<inline::ListRolePolicies>(),
    served::<inline::DeleteRolePolicy>(),
    served::<instance_profiles::CreateInstanceProfile>(),
    served::<instance_profiles::GetInstanceProfile>(),
    served::<instance_profiles::ListInstanceProfiles>(),
    served::<instance_profiles::ListInstanceProfilesForRole>(),
    served::<instance_profiles::AddRoleToInstanceProfile>(),
    served::<instance_profiles::RemoveRoleFromInstanceProfile>(),
    served::<instance_profiles::DeleteInstanceProfile>(),
    served::<instance_profiles::TagInstanceProfile>(),
    served::<instance_profiles::UntagInstanceProfile>(),
    served::<instance_profiles::ListInstanceProfileTags>(),
    served::<ssh_public_keys::UploadSSHPublicKey>(),
    served::<ssh_public_keys::GetSSHPublicKey>(),
    served::<ssh_public_keys::ListSSHPublicKeys>(),
    served::<ssh_public_keys::UpdateSSHPublicKey>(),
    served::<ssh_public_keys::DeleteSSHPublicKey>(),
    served::<signing_certificates::UploadSigningCertificate>(),
    served::<signing_certificates::ListSigningCertificates>(),
    served::<signing_certificates::UpdateSigningCertificate>(),
    served::<signing_certificates::DeleteSigningCertificate>(),
    served::<service_credentials::CreateServiceSpecificCredential>(),
    served::<service_credentials::ListServiceSpecificCredentials>(),
    served::<service_credentials::ResetServiceSpecificCredential>(),
    served::<service_credentials::UpdateServiceSpecificCredential>(),
    served::<service_credentials::DeleteServiceSpecificCredential>(),
    served::<server_certificates::UploadServerCertificate>(),
    served::<server_certificates::GetServerCertificate>(),
    served::<server_certificates::ListServerCertificates>(),
    served::<server_certificates::UpdateServerCertificate>(),
    served::<server_certificates::DeleteServerCertificate>(),
    served::<server_certificates::TagServerCertificate>(),
    served::<server_certificates::UntagServerCertificate>(),
    served::<server_certificates::ListServerCertificateTags>(),
    served::<saml_providers::CreateSAMLProvider>(),
    served::<saml_providers::GetSAMLProvider>(),
    served::<saml_providers::ListSAMLProviders>(),
    served::<saml_providers::UpdateSAMLProvider>(),
    served::<saml_providers::DeleteSAMLProvider>(),
    served::<saml_providers::TagSAMLProvider>(),
    served::<saml_providers::UntagSAMLProvider>(),
    served::<saml_providers::ListSAMLProviderTags>(),
    served::<service_access::ListPoliciesGrantingServiceAccess>(),
    served::<boundaries::PutUserPermissionsBoundary>(),
    served::<boundaries::DeleteUserPermissionsBoundary>(),
    served::<tags::TagUser>(),
    served::<tags::UntagUser>(),
    served::<tags::ListUserTags>(),
    served::<tags::TagPolicy>(),
    served::<tags::UntagPolicy>(),
    served::<tags::ListPolicyTags>(),
    served::<policies::CreatePolicy>(),
    served::<policies::GetPolicy>(),
    served::<policies::ListPolicies>(),
    served::<policies::DeletePolicy>(),
    served::<policy_versions::CreatePolicyVersion>(),
    served::<policy_versions::GetPolicyVersion>(),
    served::<policy_versions::ListPolicyVersions>(),
    served::<policy_versions::SetDefaultPolicyVersion>(),
    served::<policy_versions::DeletePolicyVersion>(),
    served::<attachments::AttachUserPolicy>(),
    served::<attachments::DetachUserPolicy>(),
    served::<attachments::ListAttachedUserPolicies>(),
    served::<attachments::AttachGroupPolicy>(),
    served::<attachments::DetachGroupPolicy>(),
    served::<attachments::ListAttachedGroupPolicies>(),
    served::<attachments::ListEntitiesForPolicy>(),
    served::<inline::PutUserPolicy>(),
    served::<inline::GetUserPolicy>(),
    served::<inline::ListUserPolicies>(),
    served::<inline::DeleteUserPolicy>(),
    served::<inline::PutGroupPolicy>(),
    served::<inline::GetGroupPolicy>(),
    served::<inline::ListGroupPolicies>(),
    served::<inline::DeleteGroupPolicy>(),
    served::<groups::CreateGroup>(),
    served::<groups::GetGroup>(),
    served::<groups::ListGroups>(),
    served::<groups::UpdateGroup>(),
    served::<groups::DeleteGroup>(),
    served::<groups::AddUserToGroup>(),
    served::<groups::RemoveUserFromGroup>(),
    served::<groups::ListGroupsForUser>(),
    served::<access_keys::CreateAccessKey>(),
    served::<access_keys::ListAccessKeys>(),
    served::<access_keys::UpdateAccessKey>(),
    served::<access_keys::DeleteAccessKey>(),
    served::<access_keys::GetAccessKeyLastUsed>(),
    served::<login_profiles::CreateLoginProfile>(),
    served::<login_profiles::GetLoginProfile>(),
    served::<login_profiles::UpdateLoginProfile>(),
    served::<login_profiles::DeleteLoginProfile>(),
    served::<login_profiles::ChangePassword>(),
    served::<mfa::CreateVirtualMFADevice>(),
    served::<mfa::EnableMFADevice>(),
    served::<mfa::ResyncMFADevice>(),
    served::<mfa::DeactivateMFADevice>(),
    served::<mfa::DeleteVirtualMFADevice>(),
    served::<mfa::ListMFADevices>(),
    served::<mfa::ListVirtualMFADevices>(),
    served::<mfa::GetMFADevice>(),
    served::<tags::TagMFADevice>(),
    served::<tags::UntagMFADevice>(),
    served::<tags::ListMFADeviceTags>(),
    served::<password_policy::UpdateAccountPasswordPolicy>(),
    served::<password_policy::GetAccountPasswordPolicy>(),
    served::<password_policy::DeleteAccountPasswordPolicy>(),
    served::<account::CreateAccountAlias>(),
    served::<account::DeleteAccountAlias>(),
    served::<account::ListAccountAliases>(),
    served::<account::GetAccountSummary>(),
    served::<account::SetSecurityTokenServicePreferences>(),
    served::<authorization_details::GetAccountAuthorizationDetails>(),
    served::<credential_report::GenerateCredentialReport>(),
    served::<credential_report::GetCredentialReport>(),
    served::<simulator::SimulateCustomPolicy>(),
    served::<simulator::SimulatePrincipalPolicy>(),
    served::<simulator::GetContextKeysForCustomPolicy>(),
    served::<simulator::GetContextKeysForPrincipalPolicy>(),
    served::<oidc_providers::CreateOpenIDConnectProvider>(),
    served::<oidc_providers::GetOpenIDConnectProvider>(),
    served::<oidc_providers::ListOpenIDConnectProviders>(),
    served::<oidc_providers::DeleteOpenIDConnectProvider>(),
    served::<oidc_providers::UpdateOpenIDConnectProviderThumbprint>(),
    served::<oidc_providers::AddClientIDToOpenIDConnectProvider>(),
    served::<oidc_providers::RemoveClientIDFromOpenIDConnectProvider>(),
    served::<oidc_providers::TagOpenIDConnectProvider>(),
    served::<oidc_providers::UntagOpenIDConnectProvider>(),
    served::<oidc_providers::ListOpenIDConnectProviderTags>(),
];
