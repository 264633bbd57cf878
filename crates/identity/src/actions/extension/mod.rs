//! The actions of Keywright's extension, which have no counterpart in AWS.

mod denied_requests;
mod explain;
mod import;
mod key_activity;
mod rotation_policies;
mod rotations;
mod validate_policy;

use crate::action::{ActionEntry, served};

pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<key_activity::ListAccessKeyAttempts>(),
    served::<key_activity::ListAccessKeySessions>(),
    served::<key_activity::EndAccessKeySessions>(),
    served::<explain::ExplainAuthorization>(),
    served::<explain::ListAuthorizedPrincipals>(),
    served::<validate_policy::ValidatePolicy>(),
    served::<import::ImportAccount>(),
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
    served::<key_activity::GetAccessKeyUse>(),
    served::<rotations::AbandonRotation>(),
    served::<rotations::ChangeRotation>(),
    served::<rotations::ListRotationHistory>(),
    served::<rotations::ListRotationPlaces>(),
    served::<rotation_policies::PutRotationPolicy>(),
    served::<rotation_policies::ListRotationPolicies>(),
    served::<rotation_policies::DeleteRotationPolicy>(),
];
