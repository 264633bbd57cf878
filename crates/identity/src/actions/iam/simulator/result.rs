//! The result of simulating one action, in AWS's shape.
//!
//! Invariant: an action is reported as allowed only if it is allowed on every requested resource.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Deref,
};

use keywright_base::limits;
use keywright_policy::{
    AccessRequest, ActionCatalogue, PolicyLayer, SettledAnswer, Simulation, SimulationOutcome,
    StatementRef, missing_context_keys, settled, simulate,
};
use keywright_wire::iam;

use super::{fit, input::SimulationInput, invalid};
use crate::fault::IamFault;

/// Simulates an action without resources: one plain result.
pub(super) fn of_everything(supposed: &SimulationInput, action: &str) -> iam::EvaluationResult {
    let simulation = decide(supposed, action, "*");
    iam::EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: Some("*".to_owned()),
        eval_decision: simulation.outcome.as_str().to_owned(),
        matched_statements: Some(matched_statements(supposed, &simulation.matched)),
        organizations_decision_detail: organizations(&simulation),
        permissions_boundary_decision_detail: boundary(&simulation),
        missing_context_values: Some(simulation.missing.clone()),
        eval_decision_details: Some(details(&simulation)).filter(|map| !map.is_empty()),
        resource_specific_results: None,
    }
}

/// Simulates an action on resources: the overall result, and one for each.
pub(super) fn of_resources(
    supposed: &SimulationInput,
    action: &str,
    resources: &[String],
) -> Result<iam::EvaluationResult, IamFault> {
    let (mut each, mut bytes) = (Vec::with_capacity(resources.len()), 0);
    for resource in resources {
        let one = decide(supposed, action, resource);
        let missing: usize = one.missing.iter().map(String::len).sum();
        bytes += RESULT_BYTES + resource.len() + one.matched.len() * STATEMENT_BYTES + missing;
        if bytes > limits::SIMULATED_BYTES {
            return Err(invalid(format!(
                "The simulation is too large: the results for {action} take more than {} bytes.",
                limits::SIMULATED_BYTES
            )));
        }
        each.push((resource, one));
    }
    let (matched, missing) = union(each.iter().map(|(_, one)| &**one));
    let all = |of: fn(&Simulation) -> Option<bool>| {
        let message: Vec<bool> = each.iter().filter_map(|(_, one)| of(one)).collect();
        (!message.is_empty()).then(|| message.iter().all(|yes| *yes))
    };
    let (by_boundary, by_organizations) = (
        all(|one| one.allowed_by_boundary),
        all(|one| one.allowed_by_organizations),
    );
    let name = match resources {
        [only] => only.clone(),
        [first, ..] => fit::template(action, first),
        [] => "*".to_owned(),
    };
    Ok(iam::EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: Some(name),
        eval_decision: together(each.iter().map(|(_, one)| one.outcome)).to_owned(),
        matched_statements: Some(matched_statements(supposed, &matched)),
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
    })
}

/// The approximate size of a result, without its name and what it lists.
const RESULT_BYTES: usize = 256;
/// The approximate size of a statement.
const STATEMENT_BYTES: usize = 400;

/// The approximate size of a result in the response.
pub(super) fn size(result: &iam::EvaluationResult) -> usize {
    let listed = |statements: &Option<Vec<iam::Statement>>, missing: &Option<Vec<String>>| {
        let statements = statements.as_ref().map_or(0, Vec::len);
        let missing = missing.iter().flatten().map(String::len);
        statements * STATEMENT_BYTES + missing.sum::<usize>()
    };
    let specific = result
        .resource_specific_results
        .iter()
        .flatten()
        .map(|one| {
            let listed = listed(&one.matched_statements, &one.missing_context_values);
            RESULT_BYTES + one.eval_resource_name.len() + listed
        });
    let own = listed(&result.matched_statements, &result.missing_context_values);
    RESULT_BYTES + result.eval_action_name.len() + own + specific.sum::<usize>()
}

/// The statements and missing keys of all simulations, without duplicates, in order.
fn union<'a>(all: impl Iterator<Item = &'a Simulation>) -> (Vec<StatementRef>, Vec<String>) {
    let (mut statements, mut keys) = (HashSet::new(), HashSet::new());
    let (mut matched, mut missing) = (Vec::new(), Vec::new());
    for one in all {
        for statement in &one.matched {
            let place = (
                statement.layer,
                statement.level,
                statement.policy,
                statement.index,
            );
            if statements.insert(place) {
                matched.push(statement.clone());
            }
        }
        missing.extend(one.missing.iter().filter(|key| keys.insert(*key)).cloned());
    }
    (matched, missing)
}

/// The strictest of several outcomes.
fn together(outcomes: impl Iterator<Item = SimulationOutcome> + Clone) -> &'static str {
    let mut all = outcomes.clone();
    if all.any(|one| one == SimulationOutcome::ExplicitDeny) {
        return SimulationOutcome::ExplicitDeny.as_str();
    }
    let mut all = outcomes;
    let outcome = if all.all(|one| one == SimulationOutcome::Allowed) {
        SimulationOutcome::Allowed
    } else {
        SimulationOutcome::ImplicitDeny
    };
    outcome.as_str()
}

/// The result for one resource. Like AWS, omits empty lists.
fn specific(
    supposed: &SimulationInput,
    resource: &str,
    one: &SimulatedAction,
) -> iam::ResourceSpecificResult {
    let matched = matched_statements(supposed, &one.matched);
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

/// Decides an action and, if it is allowed, the actions it implies. The first denied one determines
/// the result.
fn decide(supposed: &SimulationInput, action: &str, resource: &str) -> SimulatedAction {
    let mut decided = SimulatedAction {
        simulation: decide_alone(supposed, action, resource),
        implied: Vec::new(),
    };
    let known = ActionCatalogue::built_in().action(action);
    let implied = known.map(|known| known.implied_on(resource));
    for (name, resource) in implied.unwrap_or_default() {
        let one = decide_alone(supposed, name, resource);
        decided.implied.push((name, one.outcome));
        if decided.simulation.outcome == SimulationOutcome::Allowed
            && one.outcome != SimulationOutcome::Allowed
        {
            decided.simulation = one;
        }
    }
    decided
}

/// A simulation, and the outcomes of the actions that an extension action implies.
struct SimulatedAction {
    simulation: Simulation,
    implied: Vec<(&'static str, SimulationOutcome)>,
}

impl Deref for SimulatedAction {
    type Target = Simulation;

    fn deref(&self) -> &Simulation {
        &self.simulation
    }
}

fn decide_alone(supposed: &SimulationInput, action: &str, resource: &str) -> Simulation {
    let request = supposed.request(action, resource);
    let policies = supposed.policies();
    let mut simulation = simulate(&policies, &request);
    // Changes to AWS managed policies are denied by the service, not by a policy.
    let refused = simulation.outcome == SimulationOutcome::Allowed
        && settled(action, resource) == Some(SettledAnswer::AwsPolicy);
    if fit::is_simulated(action, resource) && !refused {
        if simulation.outcome == SimulationOutcome::ImplicitDeny {
            let context = supposed.supplied();
            let request = AccessRequest { context, ..request };
            simulation.missing = missing_context_keys(&policies, &request);
        }
        return simulation;
    }
    Simulation {
        outcome: SimulationOutcome::ImplicitDeny,
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

/// The decision of each kind of policy. For an extension action also the outcomes of the implied
/// actions, so that the missing permission is named.
fn details(one: &SimulatedAction) -> BTreeMap<String, String> {
    let message = one.details.iter();
    let message = message.map(|(layer, outcome)| (kind(*layer), *outcome));
    message
        .chain(one.implied.iter().copied())
        .map(|(name, outcome)| (name.to_owned(), outcome.as_str().to_owned()))
        .collect()
}

/// `SourcePolicyType`, in the spelling that AWS actually sends.
const fn kind(layer: PolicyLayer) -> &'static str {
    match layer {
        PolicyLayer::Resource | PolicyLayer::Trust => "Resource Policy",
        PolicyLayer::Boundary => "Permissions Boundary Policy",
        PolicyLayer::Identity
        | PolicyLayer::Session
        | PolicyLayer::ServiceControl
        | PolicyLayer::ResourceControl => "IAM Policy",
    }
}

fn matched_statements(supposed: &SimulationInput, matched: &[StatementRef]) -> Vec<iam::Statement> {
    let display = matched.iter().filter_map(|statement| {
        let given = supposed.source(statement)?;
        let (start, end) = given.positions().get(statement.index).copied()?;
        Some(iam::Statement {
            source_policy_id: Some(given.id.clone()),
            source_policy_type: Some(kind(statement.layer).to_owned()),
            start_position: Some(position(start)),
            end_position: Some(position(end)),
        })
    });
    display.collect()
}

fn position(at: keywright_policy::TextPosition) -> iam::Position {
    let number = |number: usize| i32::try_from(number).ok();
    iam::Position {
        line: number(at.line),
        column: number(at.column),
    }
}
