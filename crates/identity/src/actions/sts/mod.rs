//! The actions of STS.

mod assume_role;
mod caller_identity;
mod federated_role;
mod federation;
mod issue;
mod saml;
mod session_token;
mod web_identity;

use keywright_wire::{OperationShape, sts};

use crate::action::{ActionEntry, UnsignedEntry, served};

/// Every action of STS that this server serves.
pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<caller_identity::GetCallerIdentity>(),
    served::<caller_identity::GetAccessKeyInfo>(),
    served::<session_token::GetSessionToken>(),
    served::<assume_role::AssumeRole>(),
    served::<federation::GetFederationToken>(),
];

/// The operations that need no signature, because they prove who asks in another way.
pub(super) static UNSIGNED: &[UnsignedEntry] = &[
    UnsignedEntry {
        operation: <sts::AssumeRoleWithSAML as OperationShape>::OPERATION,
        handle: |identity, call| Box::pin(saml::assume_role_with_saml(identity, call)),
    },
    UnsignedEntry {
        operation: <sts::AssumeRoleWithWebIdentity as OperationShape>::OPERATION,
        handle: |identity, call| {
            Box::pin(web_identity::assume_role_with_web_identity(identity, call))
        },
    },
];

#[cfg(test)]
mod tests;
