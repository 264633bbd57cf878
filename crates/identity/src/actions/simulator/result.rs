//! One action of a simulation as AWS shows it.
//!
//! It protects one rule: an action is shown as allowed only if it is on every resource asked for.

use std::collections::BTreeMap;

use keywright_policy::{
    Catalogue, Layer, Outcome, Policies, Simulation, StatementRef, simulate, statement_positions,
};
use keywright_wire::iam;

use super::input::Supposed;

/// An action without a resource: one plain result.
pub(super) fn of_everything(supposed: &Supposed, action: &str) -> iam::EvaluationResult {
    let simulation = decide(supposed, action, "*");
    iam::EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: Some("*".to_owned()),
        eval_decision: simulation.outcome.as_str().to_owned(),
        matched_statements: Some(shown(supposed, &simulation.matched)),
        organizations_decision_detail: organizations(&simulation),
        permissions_boundary_decision_detail: boundary(&simulation),
        missing_context_values: Some(simulation.missing),
        eval_decision_details: None,
        resource_specific_results: None,
    }
}

/// An action on resources: the whole, and a result for each.
pub(super) fn of_resources(
    supposed: &Supposed,
    action: &str,
    resources: &[String],
) -> iam::EvaluationResult {
    let each = resources.iter();
    let each: Vec<_> = each.map(|r| (r, decide(supposed, action, r))).collect();
    let mut matched: Vec<StatementRef> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for (_, one) in &each {
        let new = one.matched.iter().filter(|s| !matched.contains(s));
        let new: Vec<_> = new.cloned().collect();
        matched.extend(new);
        let new = one.missing.iter().filter(|key| !missing.contains(key));
        let new: Vec<_> = new.cloned().collect();
        missing.extend(new);
    }
    let all = |of: fn(&Simulation) -> Option<bool>| {
        let said: Vec<bool> = each.iter().filter_map(|(_, one)| of(one)).collect();
        (!said.is_empty()).then(|| said.iter().all(|yes| *yes))
    };
    let (by_boundary, by_organizations) = (
        all(|one| one.allowed_by_boundary),
        all(|one| one.allowed_by_organizations),
    );
    let name = match resources {
        [only] => only.as_str(),
        _ => template(action),
    };
    iam::EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: Some(name.to_owned()),
        eval_decision: together(each.iter().map(|(_, one)| one.outcome)).to_owned(),
        matched_statements: Some(shown(supposed, &matched)),
        missing_context_values: Some(missing),
        organizations_decision_detail: by_organizations.map(|allowed| {
            iam::OrganizationsDecisionDetail {
                allowed_by_organizations: Some(allowed),
            }
        }),
        permissions_boundary_decision_detail: by_boundary.map(|allowed| {
            iam::PermissionsBoundaryDecisionDetail {
                allowed_by_permissions_boundary: Some(allowed),
            }
        }),
        eval_decision_details: each.first().map(|(_, one)| details(one)),
        resource_specific_results: Some(
            each.iter()
                .map(|(resource, one)| specific(supposed, resource, one))
                .collect(),
        ),
    }
}

/// How the simulator calls the resources of an action together.
fn template(action: &str) -> &'static str {
    let known = Catalogue::built_in().action(action);
    match known {
        Some(known) if known.service == "s3" && known.is_on("object") => {
            "arn:aws:s3:::${BucketName}/${KeyName}"
        }
        Some(known) if known.service == "s3" && known.is_on("bucket") => {
            "arn:aws:s3:::${BucketName}"
        }
        Some(known) if known.service == "iam" && !known.resources.is_empty() => {
            "arn:aws:iam::${Account}:${ResourceType}/${ResourceName}"
        }
        _ => "*",
    }
}

/// The strictest of several outcomes.
fn together(outcomes: impl Iterator<Item = Outcome> + Clone) -> &'static str {
    let mut all = outcomes.clone();
    if all.any(|one| one == Outcome::ExplicitDeny) {
        return Outcome::ExplicitDeny.as_str();
    }
    let mut all = outcomes;
    let outcome = if all.all(|one| one == Outcome::Allowed) {
        Outcome::Allowed
    } else {
        Outcome::ImplicitDeny
    };
    outcome.as_str()
}

/// The result for one resource; empty lists are left out here, as AWS does.
fn specific(supposed: &Supposed, resource: &str, one: &Simulation) -> iam::ResourceSpecificResult {
    let matched = shown(supposed, &one.matched);
    let details = details(one);
    iam::ResourceSpecificResult {
        eval_resource_name: resource.to_owned(),
        eval_resource_decision: one.outcome.as_str().to_owned(),
        matched_statements: Some(matched).filter(|list| !list.is_empty()),
        missing_context_values: Some(one.missing.clone()).filter(|list| !list.is_empty()),
        eval_decision_details: Some(details).filter(|map| !map.is_empty()),
        permissions_boundary_decision_detail: boundary(one),
    }
}

fn decide(supposed: &Supposed, action: &str, resource: &str) -> Simulation {
    let request = supposed.request(action, resource);
    let mut policies = Policies::new(supposed.set());
    if let Some(given) = supposed.resource_policy() {
        policies = policies.with_resource(&given.policy);
    }
    let simulation = simulate(&policies, &request);
    if Catalogue::built_in().fits(action, resource) {
        return simulation;
    }
    Simulation {
        outcome: Outcome::ImplicitDeny,
        matched: Vec::new(),
        missing: Vec::new(),
        ..simulation
    }
}

fn organizations(one: &Simulation) -> Option<iam::OrganizationsDecisionDetail> {
    let allowed = one.allowed_by_organizations?;
    Some(iam::OrganizationsDecisionDetail {
        allowed_by_organizations: Some(allowed),
    })
}

fn boundary(one: &Simulation) -> Option<iam::PermissionsBoundaryDecisionDetail> {
    let allowed = one.allowed_by_boundary?;
    Some(iam::PermissionsBoundaryDecisionDetail {
        allowed_by_permissions_boundary: Some(allowed),
    })
}

fn details(one: &Simulation) -> BTreeMap<String, String> {
    let said = one.details.iter();
    said.map(|(layer, outcome)| (kind(*layer).to_owned(), outcome.as_str().to_owned()))
        .collect()
}

/// `SourcePolicyType`, in the words that AWS really sends.
const fn kind(layer: Layer) -> &'static str {
    match layer {
        Layer::Resource | Layer::Trust => "Resource Policy",
        Layer::Boundary => "Permissions Boundary Policy",
        Layer::Identity | Layer::Session | Layer::ServiceControl | Layer::ResourceControl => {
            "IAM Policy"
        }
    }
}

fn shown(supposed: &Supposed, matched: &[StatementRef]) -> Vec<iam::Statement> {
    let shown = matched.iter().filter_map(|statement| {
        let given = supposed.source(statement)?;
        let (start, end) = statement_positions(&given.text, statement.span);
        Some(iam::Statement {
            source_policy_id: Some(given.id.clone()),
            source_policy_type: Some(kind(statement.layer).to_owned()),
            start_position: Some(position(start)),
            end_position: Some(position(end)),
        })
    });
    shown.collect()
}

fn position(at: keywright_policy::Position) -> iam::Position {
    let number = |number: usize| i32::try_from(number).ok();
    iam::Position {
        line: number(at.line),
        column: number(at.column),
    }
}
