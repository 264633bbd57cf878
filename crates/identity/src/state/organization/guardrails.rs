//! What an organization imposes on one of its accounts.

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{PolicyLevel, PolicySource};

use super::{OrganizationState, PolicyType};

/// The policies that limit an account, level by level from the root to the account. Empty for the
/// management account, and for a type that is not enabled.
#[derive(Debug, Clone)]
pub(crate) struct Guardrails {
    /// The service control policies, for its principals.
    pub(crate) service_control: Arc<[PolicyLevel]>,
    /// The resource control policies, for its resources.
    pub(crate) resource_control: Arc<[PolicyLevel]>,
    /// `o-…/r-…/ou-…/`, for `aws:PrincipalOrgPaths` and `aws:ResourceOrgPaths`.
    pub(crate) path: Arc<str>,
}

/// An account's membership in an organization, as of one snapshot of the management account.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    state: Arc<OrganizationState>,
    management: AccountId,
    account: AccountId,
}

impl Membership {
    /// The membership of an account in the organization of this management account, if it is one.
    pub(crate) fn of(
        account: AccountId,
        management: AccountId,
        state: &Arc<OrganizationState>,
    ) -> Option<Self> {
        state.organization.as_ref()?;
        state.members.contains_key(&account).then(|| Self {
            state: Arc::clone(state),
            management,
            account,
        })
    }

    /// The organization's state.
    pub(crate) const fn state(&self) -> &Arc<OrganizationState> {
        &self.state
    }

    /// The management account.
    pub(crate) const fn management(&self) -> AccountId {
        self.management
    }

    /// The organization's ID.
    pub(crate) fn organization_id(&self) -> &str {
        let organization = self.state.organization.as_ref();
        organization.map_or("", |organization| &organization.id)
    }

    /// Whether the account was closed.
    pub(crate) fn is_closed(&self) -> bool {
        let member = self.state.members.get(&self.account);
        member.is_some_and(|member| member.closed.is_some())
    }

    /// What limits the account; computed once for each state of the organization.
    pub(crate) fn guardrails(&self) -> Guardrails {
        let known = self.state.guardrails.load();
        if let Some(known) = known.get(&self.account) {
            return known.clone();
        }
        let computed = self.compute();
        self.state.guardrails.rcu(|known| {
            let mut known = imbl::HashMap::clone(known);
            known.insert(self.account, computed.clone());
            known
        });
        computed
    }

    fn compute(&self) -> Guardrails {
        let member = self.state.members.get(&self.account);
        let ancestors = member.map_or_else(Vec::new, |it| self.state.ancestry(&it.parent));
        let levels = |kind: PolicyType| -> Arc<[PolicyLevel]> {
            let organization = self.state.organization.as_ref();
            let enabled = organization.is_some_and(|it| it.enabled.contains(&kind));
            if self.account == self.management || !enabled {
                return Arc::from([]);
            }
            let account = self.account.to_string();
            let nodes = ancestors.iter().chain([&account]);
            nodes.map(|id| self.level(id, kind)).collect()
        };
        Guardrails {
            service_control: levels(PolicyType::ServiceControl),
            resource_control: levels(PolicyType::ResourceControl),
            path: format!("{}/{}/", self.organization_id(), ancestors.join("/")).into(),
        }
    }

    /// The policies of one type at one place. If one cannot be read, the level is left empty, so
    /// that nothing is allowed.
    fn level(&self, id: &str, kind: PolicyType) -> PolicyLevel {
        let Some(target) = self.state.target(id) else {
            return Vec::new();
        };
        let mut level = PolicyLevel::new();
        for id in &target.node().attached {
            let Some(policy) = self.state.policy(id) else {
                return Vec::new();
            };
            if policy.kind != kind {
                continue;
            }
            let Some(compiled) = policy.compiled() else {
                return Vec::new();
            };
            let arn = policy.arn(self.management, self.organization_id());
            level.push((PolicySource::Managed(arn.into()), Arc::clone(compiled)));
        }
        level
    }
}
