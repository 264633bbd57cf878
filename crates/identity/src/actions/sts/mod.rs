//! The actions of STS.

mod assume_role;
mod caller_identity;
mod federation;
mod issue;
mod session_token;

use crate::action::{ActionEntry, served};

/// Every action of STS that this server serves.
pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<caller_identity::GetCallerIdentity>(),
    served::<caller_identity::GetAccessKeyInfo>(),
    served::<session_token::GetSessionToken>(),
    served::<assume_role::AssumeRole>(),
    served::<federation::GetFederationToken>(),
];

#[cfg(test)]
mod tests;
