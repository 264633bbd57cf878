//! ListPoliciesGrantingServiceAccess: the policies by which a user, group or role has access to
//! services.
//!
//! It reads `Allow` statements of identity policies only, as AWS does: neither denials nor
//! boundaries nor conditions are considered.

use std::collections::BTreeSet;

use keywright_base::{Arn, limits};
use keywright_policy::{Effect, ElementClause, PolicyDocument};
use keywright_wire::iam::{
    self,
    values::{policy_owner_entity_type as entity_type, policy_type},
};

use super::policies::ManagedPolicy;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity},
    pagination::PageRequest,
    state::DirectGrants,
    view::StateView,
};

/// Whether these actions include some of a service.
fn covers_some(clause: &ElementClause, service: &str) -> bool {
    let mut actions = clause.elements.iter().flatten();
    if clause.negated {
        return !actions.any(|action| is_whole(action, service));
    }
    actions.any(|action| {
        let named = action.split_once(':').map_or(&**action, |(named, _)| named);
        is_all(named) || named.eq_ignore_ascii_case(service)
    })
}

/// Whether this is every action of a service.
fn is_whole(action: &str, service: &str) -> bool {
    match action.split_once(':') {
        Some((named, rest)) => {
            (is_all(named) || named.eq_ignore_ascii_case(service)) && is_all(rest)
        }
        None => is_all(action),
    }
}

fn is_all(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

fn grants(document: &PolicyDocument, service: &str) -> bool {
    document.statements.iter().any(|statement| {
        let action = statement.action.as_ref();
        statement.effect == Effect::Allow && action.is_some_and(|it| covers_some(it, service))
    })
}

/// A policy, as it is listed, with its document.
struct GrantingPolicy {
    listed: iam::PolicyGrantingServiceAccess,
    document: PolicyDocument,
}

/// Collects the policies of an entity and its groups.
struct PolicyCollector<'a> {
    view: &'a StateView<'a>,
    managed: BTreeSet<&'a str>,
    policies: Vec<GrantingPolicy>,
}

impl<'a> PolicyCollector<'a> {
    fn add(
        &mut self,
        grants: &'a DirectGrants,
        (kind, name): (&str, &str),
    ) -> Result<(), IamFault> {
        for policy in &grants.inline {
            let listed = iam::PolicyGrantingServiceAccess {
                policy_name: policy.name.clone(),
                policy_type: policy_type::INLINE.to_owned(),
                policy_arn: None,
                entity_type: Some(kind.to_owned()),
                entity_name: Some(name.to_owned()),
            };
            self.push(listed, policy.text());
        }
        for arn in &grants.attached {
            if !self.managed.insert(arn) {
                continue;
            }
            let policy = ManagedPolicy::find(self.view, arn, MissingEntity::Policy)?;
            let listed = iam::PolicyGrantingServiceAccess {
                policy_name: policy.name().to_owned(),
                policy_type: policy_type::MANAGED.to_owned(),
                policy_arn: Some(arn.to_string()),
                entity_type: None,
                entity_name: None,
            };
            self.push(listed, policy.document().unwrap_or_default());
        }
        Ok(())
    }

    /// What no longer parses grants nothing.
    fn push(&mut self, listed: iam::PolicyGrantingServiceAccess, text: &str) {
        if let Ok(document) = keywright_policy::parse(text) {
            self.policies.push(GrantingPolicy { listed, document });
        }
    }
}

fn policies_of(view: &StateView<'_>, arn: &str) -> Result<Vec<GrantingPolicy>, IamFault> {
    let missing = || IamFault::from(MissingEntity::AccessedEntity(arn.to_owned()));
    let parsed = Arn::parse(arn).map_err(|_| InvalidInput::Arn(arn.to_owned()))?;
    let (kind, path) = parsed.resource().split_once('/').unwrap_or_default();
    if !matches!(kind, "user" | "group" | "role") {
        return Err(InvalidInput::Arn(arn.to_owned()).into());
    }
    let target = AuthTarget::existing(view, arn);
    target
        .filter(|found| found.resource == arn)
        .ok_or_else(missing)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut collected = PolicyCollector {
        view,
        managed: BTreeSet::new(),
        policies: Vec::new(),
    };
    match kind {
        "user" => {
            let user = view.user(name)?;
            collected.add(&user.grants, (entity_type::USER, &user.name))?;
            let groups = user.groups.iter();
            for group in groups.filter_map(|id| view.account.group_by_id(*id)) {
                collected.add(&group.grants, (entity_type::GROUP, &group.name))?;
            }
        }
        "group" => {
            let group = view.group(name)?;
            collected.add(&group.grants, (entity_type::GROUP, &group.name))?;
        }
        _ => {
            let role = view.role(name)?;
            collected.add(&role.grants, (entity_type::ROLE, &role.name))?;
        }
    }
    Ok(collected.policies)
}

pub(crate) struct ListPoliciesGrantingServiceAccess;

impl Action for ListPoliciesGrantingServiceAccess {
    type Shape = iam::ListPoliciesGrantingServiceAccess;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let existing = AuthTarget::existing(view, &input.arn);
        let target = existing.unwrap_or_else(|| AuthTarget::new(&*input.arn, &*input.arn));
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policies = policies_of(view, &input.arn)?;
        let services = &input.service_namespaces;
        let mut filter = vec![input.arn.as_str()];
        filter.extend(services.iter().map(String::as_str));
        let (operation, marker) = ("ListPoliciesGrantingServiceAccess", input.marker.as_deref());
        let page = PageRequest::of(operation, &filter, marker, None)?;
        let after = page.after().unwrap_or_default();
        let entries = services.iter().enumerate();
        let entries = entries.map(|(position, service)| (format!("{position:03}"), service));
        let entries = entries.filter(|(position, _)| position.as_str() > after);
        let entries = entries.map(|(position, service)| {
            let granting = policies.iter().filter(|it| grants(&it.document, service));
            let granting: Vec<_> = granting.map(|it| it.listed.clone()).collect();
            (position, service, granting)
        });
        let (entries, marker) = page.take_within(
            entries,
            |(position, _, _)| position.clone(),
            |(_, _, granting)| granting.len() * limits::LISTED_POLICY_BYTES,
            limits::PAGE_DOCUMENT_BYTES,
        );
        let entry =
            |(_, service, granting): (_, &String, _)| iam::ListPoliciesGrantingServiceAccessEntry {
                service_namespace: Some(service.clone()),
                policies: Some(granting),
            };
        Ok(ActionResult::answer(
            iam::ListPoliciesGrantingServiceAccessOutput {
                policies_granting_service_access: entries.into_iter().map(entry).collect(),
                is_truncated: Some(marker.is_some()),
                marker,
            },
        ))
    }
}

#[cfg(test)]
mod tests;
