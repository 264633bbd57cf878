//! Decides whether a web identity may assume a role. Only the role's trust policy can allow it.
//!
//! Invariant: a denial says neither whether the role exists nor why it was denied, because the
//! caller is nobody of the account.

use keywright_base::{AccountId, limits};
use keywright_policy::{
    AccessRequest, ContextLookup, ContextValues, PoliciesInForce, PolicySet, PrincipalRef,
};

use super::{AuthTarget, TrustCheck, nobody_trusted};
use crate::{
    conditions::{common, of_target},
    event::RequestRecord,
    fault::IamFault,
    web_identity::FederatedClaims,
};

/// The proof that a web identity may assume a role. Only this module creates it.
#[derive(Debug)]
#[must_use]
pub(crate) struct FederatedPermit(());

/// A web identity that asks for a role of an account.
pub(crate) struct FederatedRequest<'a> {
    pub(crate) claims: &'a FederatedClaims,
    /// The account of the role.
    pub(crate) account: AccountId,
    pub(crate) record: &'a RequestRecord,
}

impl FederatedRequest<'_> {
    /// Decides all targets, and notes them.
    ///
    /// # Errors
    /// [`IamFault::AccessDenied`] with AWS's message.
    pub(crate) fn permit(&self, targets: &[AuthTarget]) -> Result<FederatedPermit, IamFault> {
        for target in targets {
            let action = target.action.unwrap_or(ASSUME);
            self.record
                .note_resource(&target.resource, Some(self.account));
            if !self.is_allowed(action, target) {
                return Err(not_authorized(action));
            }
        }
        Ok(FederatedPermit(()))
    }

    fn is_allowed(&self, action: &str, target: &AuthTarget) -> bool {
        let trust = match &target.trust {
            Some(TrustCheck::Policy(trust)) => trust,
            Some(TrustCheck::Nobody) | None => nobody_trusted(),
        };
        let conditions = FederatedConditions {
            request: self,
            target,
        };
        let request = AccessRequest {
            principal: PrincipalRef::Federated(&self.claims.provider.arn),
            action,
            resource: &target.resource,
            owner: Some(self.account),
            context: &conditions,
        };
        let none = PolicySet::default();
        let policies = PoliciesInForce::new(&none).with_trust(trust);
        // On a request thread, so that a decision that takes longer denies.
        let measured = policies.decide_within(&request, limits::SHORT_DECISION_STEPS);
        measured.decision.is_allowed()
    }
}

const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";

/// The denial of a web identity.
fn not_authorized(action: &str) -> IamFault {
    IamFault::AccessDenied(format!("Not authorized to perform {action}"))
}

/// The denial of a role that does not trust the provider, or does not exist.
pub(crate) fn not_trusted() -> IamFault {
    not_authorized(ASSUME)
}

struct FederatedConditions<'a> {
    request: &'a FederatedRequest<'a>,
    target: &'a AuthTarget,
}

impl ContextLookup for FederatedConditions<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        let FederatedRequest {
            claims,
            account,
            record,
        } = self.request;
        if let Some(values) = of_target(self.target, *account, key) {
            return values;
        }
        match key {
            "aws:federatedprovider" => ContextValues::one(claims.provider.arn.as_str()),
            _ => match claims.key(key) {
                ContextValues::Absent => common(None, &record.context, key),
                values => values,
            },
        }
    }
}
