//! Collects the policies that apply to a caller: its own and its groups', boundary and session
//! policies, and those of its organization.
//!
//! Invariant: a policy that cannot be read makes the whole set unreadable, which denies everything.
//! Policies of resources are not collected here.

use std::sync::{Arc, OnceLock};

use keywright_base::Arn;
use keywright_policy::{Policy, PolicySet, PolicySource};

use super::organizations::service_controlled;
use crate::{
    caller::{Caller, SessionAttributes},
    catalogue::PolicyCatalogue,
    ledger::IamLedger,
    principal::Principal,
    state::{Account, CredentialOwner, DirectGrants, Grantee},
};

/// The policies of a caller. Root has none and needs none, but its organization limits it too.
pub(super) fn effective(ledger: &IamLedger, account: &Account, caller: &Caller) -> PolicySet {
    service_controlled(ledger, account, own(account, caller))
}

/// The same without the policies of an organization.
fn own(account: &Account, caller: &Caller) -> PolicySet {
    let grantee = caller.principal().grantee(account);
    let set = match (caller.principal(), grantee) {
        (Principal::Root { .. }, _) => return PolicySet::default(),
        (_, Some(grantee)) => policies_of(account, &grantee),
        // Root's federated users have no identity policies.
        (Principal::FederatedUser(session), None) if session.issuer == CredentialOwner::Root => {
            PolicySet::default()
        }
        (_, None) => return PolicySet::unreadable(),
    };
    let limited = match (caller.principal(), caller.attributes()) {
        (Principal::FederatedUser(_), None) => Some(Vec::new()),
        (Principal::FederatedUser(_), Some(session)) => session_policies(account, session),
        (_, Some(session)) if session.has_policies() => session_policies(account, session),
        (_, _) => return set,
    };
    limited.map_or_else(PolicySet::unreadable, |limited| set.with_session(limited))
}

/// The session policies of a session. `None` if one is unreadable.
fn session_policies(account: &Account, session: &SessionAttributes) -> Option<Vec<Arc<Policy>>> {
    let managed = session.policy_arns.iter().map(|arn| managed(account, arn));
    let inline = session.policy.iter();
    let inline = inline.map(|policy| policy.compiled().cloned());
    managed.chain(inline).collect()
}

/// The identity policies of a user or role, compiled once for each version of the account's grants.
pub(crate) fn policies_of(account: &Account, grantee: &Grantee) -> PolicySet {
    if let Some(cached) = &*grantee.effective().load()
        && cached.0 == account.grants_version()
    {
        return cached.1.clone();
    }
    let set = collect(account, grantee).unwrap_or_else(PolicySet::unreadable);
    let version = account.grants_version();
    grantee
        .effective()
        .store(Some(Arc::new((version, set.clone()))));
    set
}

/// All effective policies. `None` if one is unreadable, which must lead to a denial.
fn collect(account: &Account, grantee: &Grantee) -> Option<PolicySet> {
    let mut policies = Vec::new();
    add(account, grantee.grants(), &mut policies)?;
    for id in grantee.groups() {
        add(account, &account.group_by_id(*id)?.grants, &mut policies)?;
    }
    let rules = account.settings().password_policy.as_ref();
    if matches!(grantee, Grantee::User(_)) && rules.is_some_and(|it| it.allow_users_to_change) {
        policies.push((PolicySource::Inline, own_password()?));
    }
    let set = PolicySet::new(policies);
    match grantee.boundary() {
        Some(arn) => Some(set.with_boundary(managed(account, arn)?)),
        None => Some(set),
    }
}

/// AllowUsersToChangePassword as the equivalent policy for every user, so that an explicit deny or
/// a boundary still applies. ChangePassword always concerns the caller alone.
const OWN_PASSWORD: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
    "Action": ["iam:ChangePassword", "iam:GetAccountPasswordPolicy"], "Resource": "*"}}"#;

fn own_password() -> Option<Arc<Policy>> {
    static COMPILED: OnceLock<Option<Arc<Policy>>> = OnceLock::new();
    let compile = || {
        let document = keywright_policy::parse(OWN_PASSWORD).ok()?;
        Some(Arc::new(Policy::compile(&document)))
    };
    COMPILED.get_or_init(compile).clone()
}

fn add(
    account: &Account,
    grants: &DirectGrants,
    policies: &mut Vec<(PolicySource, Arc<Policy>)>,
) -> Option<()> {
    for arn in &grants.attached {
        policies.push((
            PolicySource::Managed(Arc::clone(arn)),
            managed(account, arn)?,
        ));
    }
    for inline in &grants.inline {
        policies.push((PolicySource::Inline, Arc::clone(inline.compiled()?)));
    }
    Some(())
}

fn managed(account: &Account, arn: &str) -> Option<Arc<Policy>> {
    if let Some(policy) = PolicyCatalogue::built_in().by_arn(arn) {
        return policy.compiled().map(Arc::clone);
    }
    let arn = Arn::parse(arn).ok()?;
    account
        .policy_by_arn(&arn)?
        .default()?
        .compiled()
        .map(Arc::clone)
}
