//! Decides whether a web or SAML identity may assume a role. Only the role's trust policy can allow
//! it.
//!
//! Invariant: a denial says neither whether the role exists nor why it was denied, because the
//! caller is nobody of the account. Those who may read the role can ask why.

use std::sync::Arc;

use keywright_base::{AccountId, limits};
use keywright_policy::{
    AccessRequest, ContextLookup, ContextValues, PoliciesInForce, PolicySet, PrincipalRef,
};

use super::{AuthTarget, TrustCheck, nobody_trusted, organization_key, resource_control};
use crate::{
    caller::SessionProvider,
    conditions::{common, common_names, of_target, target_names},
    denials::{
        DenialEvidence, DeniedCaller, FederatedCaller, QuotedEntity, TargetPolicies, TargetPolicy,
    },
    event::RequestRecord,
    fault::IamFault,
    ledger::IamLedger,
};

/// The proof that such an identity may assume a role. Only this module creates it.
#[derive(Debug)]
#[must_use]
pub(crate) struct FederatedPermit(());

/// Whom an identity provider vouches for, by a token or an assertion.
pub(crate) trait FederatedIdentity: Send + Sync {
    /// The provider, and what the session's requests have from it.
    fn provider(&self) -> &SessionProvider;

    /// The policy action by which it assumes a role.
    fn action(&self) -> &'static str;

    /// The values of a condition key, which is in lower case.
    fn key(&self, key: &str) -> ContextValues<'_>;
}

/// An identity that asks for a role of an account.
pub(crate) struct FederatedRequest<'a> {
    pub(crate) ledger: &'a IamLedger,
    pub(crate) identity: &'a dyn FederatedIdentity,
    /// The account of the role.
    pub(crate) account: AccountId,
    pub(crate) record: &'a RequestRecord,
}

impl FederatedRequest<'_> {
    /// Decides all targets, and notes them and a denial.
    ///
    /// # Errors
    /// [`IamFault::AccessDenied`] with AWS's message.
    pub(crate) fn permit(&self, targets: &[AuthTarget]) -> Result<FederatedPermit, IamFault> {
        for target in targets {
            let action = target.action.unwrap_or_else(|| self.identity.action());
            self.record
                .note_resource(&target.resource, Some(self.account));
            self.check(action, target)?;
        }
        Ok(FederatedPermit(()))
    }

    fn check(&self, action: &str, target: &AuthTarget) -> Result<(), IamFault> {
        let trust = match &target.trust {
            Some(TrustCheck::Policy(trust)) => trust,
            Some(TrustCheck::Nobody) | None => nobody_trusted(),
        };
        let conditions = FederatedConditions {
            request: self,
            target,
        };
        let request = AccessRequest {
            principal: PrincipalRef::Federated(&self.identity.provider().arn),
            action,
            resource: &target.resource,
            owner: Some(self.account),
            context: &conditions,
        };
        let none = PolicySet::default();
        let control = resource_control(self.ledger, Some(self.account));
        let policies = PoliciesInForce {
            resource_control: control.as_deref().unwrap_or_default(),
            ..PoliciesInForce::new(&none)
        };
        let policies = policies.with_trust(trust);
        // On a request thread, so that a decision that takes longer denies.
        let measured = policies.decide_within(&request, limits::SHORT_DECISION_STEPS);
        if measured.decision.is_allowed() {
            return Ok(());
        }
        // Whether or not the role exists.
        let message = format!("Not authorized to perform {action}");
        let who = DeniedCaller::Federated(FederatedCaller {
            account: self.account,
            provider_arn: self.identity.provider().arn.as_str().into(),
        });
        let claims = self.identity.provider().keys().into_iter();
        let claims = claims.map(|(name, _)| name);
        let names = common_names(None).into_iter();
        let names = names.chain(target_names(target)).chain(claims);
        let attached = TargetPolicies {
            own: Some(TargetPolicy::Trust(Arc::clone(trust))),
            control: control.unwrap_or_default(),
        };
        let role = QuotedEntity::new(&target.resource, &target.resource_tags);
        let evidence = DenialEvidence::keep(who, &request, &none, attached, names);
        self.record.note_denial(&message, evidence.with_role(role));
        Err(IamFault::AccessDenied(message))
    }
}

struct FederatedConditions<'a> {
    request: &'a FederatedRequest<'a>,
    target: &'a AuthTarget,
}

impl ContextLookup for FederatedConditions<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        let FederatedRequest {
            ledger,
            identity,
            account,
            record,
        } = self.request;
        if let Some(values) = of_target(self.target, *account, key) {
            return values;
        }
        if let Some(values) = organization_key(ledger, None, Some(*account), key) {
            return values;
        }
        match key {
            "aws:federatedprovider" => ContextValues::one(identity.provider().arn.as_str()),
            _ => match identity.key(key) {
                ContextValues::Absent => common(None, &record.context, key),
                values => values,
            },
        }
    }
}
