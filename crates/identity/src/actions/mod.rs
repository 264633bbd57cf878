//! The actions, one file per noun, and the table they are routed by.

mod access_keys;
mod account;
mod attachments;
mod boundaries;
pub(crate) mod credential_report;
mod denied_requests;
mod explain;
mod extension;
mod groups;
mod inline;
mod login_profiles;
mod mfa;
mod other_credentials;
mod owner;
mod password_policy;
mod policies;
mod policy_versions;
mod rotation_policies;
mod rotations;
mod simulator;
mod sts;
mod tags;
mod users;
mod validate_policy;

#[cfg(test)]
mod implied;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
pub(crate) use {sweeps::samples, tags::TagUser};

use std::sync::Arc;

use keywright_wire::{Operation, Service, operation, operations};

use crate::{
    action::{ActionCall, ActionEntry, Answer, served},
    fault::IamFault,
    service::Identity,
};

/// Every action that this server serves, in the order of the files.
pub static ACTIONS: &[ActionEntry] = &[
    served::<users::CreateUser>(),
    served::<users::GetUser>(),
    served::<users::ListUsers>(),
    served::<users::UpdateUser>(),
    served::<users::DeleteUser>(),
    served::<other_credentials::ListSSHPublicKeys>(),
    served::<other_credentials::ListSigningCertificates>(),
    served::<other_credentials::ListServiceSpecificCredentials>(),
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
    served::<credential_report::GenerateCredentialReport>(),
    served::<credential_report::GetCredentialReport>(),
    served::<simulator::SimulateCustomPolicy>(),
    served::<simulator::SimulatePrincipalPolicy>(),
    served::<simulator::GetContextKeysForCustomPolicy>(),
    served::<simulator::GetContextKeysForPrincipalPolicy>(),
    served::<sts::GetCallerIdentity>(),
    served::<sts::GetSessionToken>(),
    served::<sts::GetAccessKeyInfo>(),
    served::<extension::ListAccessKeyAttempts>(),
    served::<extension::ListAccessKeySessions>(),
    served::<extension::EndAccessKeySessions>(),
    served::<explain::ExplainAuthorization>(),
    served::<explain::ListAuthorizedPrincipals>(),
    served::<validate_policy::ValidatePolicy>(),
    served::<denied_requests::ListDeniedRequests>(),
    served::<denied_requests::ExplainDeniedRequest>(),
    served::<rotations::StartRotation>(),
    served::<rotations::GetRotation>(),
    served::<rotations::ListRotations>(),
    served::<rotations::RetrieveRotationKey>(),
    served::<rotations::ConfirmDelivery>(),
    served::<rotations::ResumeRotation>(),
    served::<rotations::HoldRotation>(),
    served::<rotations::ReleaseRotation>(),
    served::<rotations::RollBackRotation>(),
    served::<extension::GetAccessKeyUse>(),
    served::<rotations::AbandonRotation>(),
    served::<rotations::ChangeRotation>(),
    served::<rotations::ListRotationHistory>(),
    served::<rotations::ListRotationPlaces>(),
    served::<rotation_policies::PutRotationPolicy>(),
    served::<rotation_policies::ListRotationPolicies>(),
    served::<rotation_policies::DeleteRotationPolicy>(),
];

/// The operations of the models that this server knows and does not serve.
pub fn not_served() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| {
        let mut served = ACTIONS.iter();
        !served.any(|row| std::ptr::eq(row.operation, *operation))
    })
}

impl Identity {
    /// Handles a request.
    ///
    /// # Errors
    /// [`IamFault`]; render it with [`IamFault::wire`].
    pub async fn call(
        self: &Arc<Self>,
        service: Service,
        call: ActionCall<'_>,
    ) -> Result<Answer, IamFault> {
        let action = call.form.action().ok_or(IamFault::MissingAction)?;
        let version = call.form.version().unwrap_or_default();
        let Some(operation) = operation(service, version, action) else {
            let (action, version) = (action.to_owned(), version.to_owned());
            return Err(IamFault::InvalidAction { action, version });
        };
        let served = ACTIONS
            .iter()
            .find(|row| std::ptr::eq(row.operation, operation));
        let served = served.ok_or(IamFault::NotServed(operation.name))?;
        (served.handle)(self, call).await
    }
}
