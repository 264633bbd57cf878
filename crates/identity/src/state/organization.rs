//! An organization: its root, organizational units, accounts and policies. All of it is state of
//! the management account; a member only knows which account manages it ([`OrganizationLink`]).
//!
//! Invariant: whether an account is a member, and what limits it, is read from the management
//! account's snapshot at every decision ([`Membership`]). A policy that is missing or cannot be
//! read leaves its level without an Allow, which denies everything.

mod guardrails;
mod nodes;
mod policy;

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::{HashMap, OrdMap};
use keywright_base::{AccountId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use self::{guardrails::Guardrails, nodes::NodeRecord};
pub(crate) use self::{
    guardrails::Membership,
    nodes::{AccountCreation, CreationOutcome, MemberAccount, OrganizationalUnit, TargetNode},
    policy::{OrganizationPolicy, PolicyType},
};
use super::{
    Account,
    entity::{Entity, RecordError, RecordReader, RemovableEntity, at},
};

/// The organization itself.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    /// `o-…`.
    pub(crate) id: String,
    /// `r-…`.
    pub(crate) root_id: String,
    /// The root of the tree.
    pub(crate) root: TargetNode,
    /// The policy types that are enabled, in this order.
    pub(crate) enabled: Vec<PolicyType>,
    /// When it was created.
    pub(crate) created: Timestamp,
}

/// Everything that an organization consists of.
#[derive(Debug, Default)]
pub(crate) struct OrganizationState {
    pub(super) organization: Option<Arc<Organization>>,
    pub(super) units: OrdMap<String, Arc<OrganizationalUnit>>,
    pub(super) members: OrdMap<AccountId, Arc<MemberAccount>>,
    pub(super) policies: OrdMap<String, Arc<OrganizationPolicy>>,
    pub(super) creations: OrdMap<String, Arc<AccountCreation>>,
    /// What limits each account, once it was asked for.
    guardrails: ArcSwap<HashMap<AccountId, Guardrails>>,
}

impl Clone for OrganizationState {
    /// Omits what follows from the state, because the copy is about to change.
    fn clone(&self) -> Self {
        Self {
            organization: self.organization.clone(),
            units: self.units.clone(),
            members: self.members.clone(),
            policies: self.policies.clone(),
            creations: self.creations.clone(),
            guardrails: ArcSwap::default(),
        }
    }
}

/// Any place in an organization that policies can be attached to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TargetRef<'a> {
    Root(&'a Arc<Organization>),
    Unit(&'a Arc<OrganizationalUnit>),
    Account(&'a Arc<MemberAccount>),
}

impl TargetRef<'_> {
    /// Its attached policies and tags.
    pub(crate) fn node(&self) -> &TargetNode {
        match self {
            Self::Root(organization) => &organization.root,
            Self::Unit(unit) => &unit.node,
            Self::Account(member) => &member.node,
        }
    }
}

impl OrganizationState {
    /// The organization, if there is one.
    pub(crate) const fn organization(&self) -> Option<&Arc<Organization>> {
        self.organization.as_ref()
    }

    /// The organizational units, by ID.
    pub(crate) const fn units(&self) -> &OrdMap<String, Arc<OrganizationalUnit>> {
        &self.units
    }

    /// The accounts, the management account among them.
    pub(crate) const fn members(&self) -> &OrdMap<AccountId, Arc<MemberAccount>> {
        &self.members
    }

    /// The policies that were made here, by ID.
    pub(crate) const fn policies(&self) -> &OrdMap<String, Arc<OrganizationPolicy>> {
        &self.policies
    }

    /// The requests for new accounts, by ID.
    pub(crate) const fn creations(&self) -> &OrdMap<String, Arc<AccountCreation>> {
        &self.creations
    }

    /// A policy, one of AWS's among them.
    pub(crate) fn policy(&self, id: &str) -> Option<&Arc<OrganizationPolicy>> {
        OrganizationPolicy::of_aws(id).or_else(|| self.policies.get(id))
    }

    /// An account by the text of its ID.
    pub(crate) fn member(&self, id: &str) -> Option<&Arc<MemberAccount>> {
        self.members.get(&id.parse::<AccountId>().ok()?)
    }

    /// A root, organizational unit or account by its ID.
    pub(crate) fn target(&self, id: &str) -> Option<TargetRef<'_>> {
        let organization = self.organization.as_ref()?;
        if id == organization.root_id {
            return Some(TargetRef::Root(organization));
        }
        let unit = self.units.get(id).map(TargetRef::Unit);
        unit.or_else(|| self.member(id).map(TargetRef::Account))
    }

    /// The IDs from the root down to this root or unit, itself included.
    pub(crate) fn ancestry(&self, id: &str) -> Vec<String> {
        let mut above = Vec::new();
        let mut next = Some(id.to_owned());
        while let Some(id) = next.take_if(|_| above.len() <= limits::UNIT_DEPTH) {
            next = self.units.get(&id).map(|unit| unit.parent.clone());
            above.push(id);
        }
        above.reverse();
        above
    }

    /// Every root, organizational unit and account, with its ID.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (String, TargetRef<'_>)> {
        let root = self.organization.iter();
        let root = root.map(|it| (it.root_id.clone(), TargetRef::Root(it)));
        let units = self
            .units
            .iter()
            .map(|(id, it)| (id.clone(), TargetRef::Unit(it)));
        let members = self.members.iter();
        let members = members.map(|(id, it)| (id.to_string(), TargetRef::Account(it)));
        root.chain(units).chain(members)
    }
}

impl Account {
    /// The organization that this account manages; its state is empty if there is none.
    pub(crate) const fn organization(&self) -> &Arc<OrganizationState> {
        &self.organization
    }

    /// The account that may manage this one: the one that created it. It does if its organization
    /// lists this account.
    pub(crate) const fn management(&self) -> Option<AccountId> {
        self.management
    }

    pub(super) fn organization_mut(&mut self) -> &mut OrganizationState {
        let state = Arc::make_mut(&mut self.organization);
        // If nobody else has the state, this is not a copy.
        state.guardrails = ArcSwap::default();
        state
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrganizationRecord {
    id: String,
    root_id: String,
    root: NodeRecord,
    enabled: Vec<String>,
    created: i64,
}

impl From<&Organization> for OrganizationRecord {
    fn from(organization: &Organization) -> Self {
        let enabled = organization.enabled.iter();
        Self {
            id: organization.id.clone(),
            root_id: organization.root_id.clone(),
            root: NodeRecord::from(&organization.root),
            enabled: enabled.map(|it| it.as_str().to_owned()).collect(),
            created: organization.created.millis(),
        }
    }
}

impl Entity for Organization {
    const KIND: &'static str = "organization";
    type Id = ();
    type Record = OrganizationRecord;

    fn entity_id(&self) -> Self::Id {}

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let enabled = record.enabled.iter().map(|it| PolicyType::parse(it));
        let enabled = enabled.collect::<Option<Vec<_>>>();
        Ok(Self {
            id: record.id,
            root_id: record.root_id,
            root: record.root.restore(),
            enabled: enabled.ok_or_else(|| reader.error("an unknown policy type"))?,
            created: at(record.created),
        })
    }

    fn insert(account: &mut Account, organization: &Arc<Self>) {
        account.organization_mut().organization = Some(Arc::clone(organization));
    }
}

impl RemovableEntity for Organization {
    fn remove(account: &mut Account, (): &Self::Id) {
        account.organization_mut().organization = None;
    }
}

/// Which account created this one, for its organization.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationLink {
    pub(crate) management: AccountId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LinkRecord {
    management: String,
}

impl From<&OrganizationLink> for LinkRecord {
    fn from(link: &OrganizationLink) -> Self {
        Self {
            management: link.management.to_string(),
        }
    }
}

impl Entity for OrganizationLink {
    const KIND: &'static str = "organization-link";
    type Id = ();
    type Record = LinkRecord;

    fn entity_id(&self) -> Self::Id {}

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            management: reader.id(&record.management)?,
        })
    }

    fn insert(account: &mut Account, link: &Arc<Self>) {
        account.management = Some(link.management);
    }
}
