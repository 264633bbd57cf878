//! What organizations add to a decision: the policies that limit the caller's and the resource's
//! account, and the condition keys that name both.
//!
//! Invariant: both are read from the management account's newest snapshot at every decision, so a
//! change is in force with the next request in every account.

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{
    ContextValues, Explanation, MissingAllow, PolicyLayer, PolicyLevel, PolicySet,
};

use crate::{ledger::IamLedger, state::Account};

/// Adds the service control policies of an account to the policies of one of its principals.
pub(crate) fn service_controlled(
    ledger: &IamLedger,
    account: &Account,
    set: PolicySet,
) -> PolicySet {
    match ledger.membership(account) {
        Some(membership) => set.with_service_control(membership.guardrails().service_control),
        None => set,
    }
}

/// The resource control policies of the account that owns a resource.
pub(crate) fn resource_control(
    ledger: &IamLedger,
    owner: Option<AccountId>,
) -> Option<Arc<[PolicyLevel]>> {
    let membership = ledger.membership_of(owner?)?;
    Some(membership.guardrails().resource_control)
}

/// The value of a condition key that names an organization: the caller's, whose account is
/// `principal`, or that of a resource's owner. `None` for all other keys. The key is in lower case.
pub fn organization_key(
    ledger: &IamLedger,
    principal: Option<&Account>,
    owner: Option<AccountId>,
    key: &str,
) -> Option<ContextValues<'static>> {
    let (of_resource, is_path) = match key {
        "aws:principalorgid" => (false, false),
        "aws:principalorgpaths" => (false, true),
        "aws:resourceorgid" => (true, false),
        "aws:resourceorgpaths" => (true, true),
        _ => return None,
    };
    let membership = if of_resource {
        owner.and_then(|owner| ledger.membership_of(owner))
    } else {
        principal.and_then(|account| ledger.membership(account))
    };
    let Some(membership) = membership else {
        return Some(ContextValues::Absent);
    };
    Some(if is_path {
        ContextValues::many([membership.guardrails().path.to_string()])
    } else {
        ContextValues::one(membership.organization_id().to_owned())
    })
}

/// The keys of [`organization_key`].
pub(crate) const ORGANIZATION_KEYS: [&str; 4] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
];

/// Leaves out of an explanation what the statements of an organization's policies say, which only
/// the management account may read. Which of them decided remains.
pub(crate) fn withhold_guardrails(explanation: &mut Explanation) {
    let is_open = |layer: PolicyLayer| {
        !matches!(
            layer,
            PolicyLayer::ServiceControl | PolicyLayer::ResourceControl
        )
    };
    explanation
        .statements
        .retain(|examined| is_open(examined.statement.layer));
    for need in &mut explanation.needs {
        match need {
            MissingAllow::WithoutDeny {
                statement,
                conditions,
                ..
            } => {
                if !is_open(statement.layer) {
                    conditions.clear();
                }
            }
            MissingAllow::Allow { nearest, .. } => {
                nearest.retain(|near| is_open(near.statement.layer));
            }
        }
    }
}
