//! AWS's policy simulator: how policies decide hypothetical requests, and which condition keys they
//! use.
//!
//! Invariant: a simulation is the decision of the real evaluator; only the caller and the context
//! are hypothetical.
//!
//! Shapes, texts and the order of errors are AWS's. Trust policies, policies of real resources and
//! organization policies are not evaluated unless the request supplies them.

mod fit;
mod given;
mod input;
mod result;

use keywright_base::limits;
use keywright_wire::iam;

use self::{
    given::{InputPolicy, SimulatedPrincipal, parsed},
    input::SimulationInput,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput},
    pagination::PageRequest,
    view::StateView,
};

fn invalid(text: impl Into<String>) -> IamFault {
    InvalidInput::Other(text.into()).into()
}

/// The parameters that both simulations share, other than the policy lists.
struct SimulationQuery<'a> {
    operation: &'static str,
    actions: &'a [String],
    resources: Option<&'a [String]>,
    max_items: Option<i32>,
    marker: Option<&'a str>,
}

/// A page of results: whole actions, as many as the page size and the work limit of a response
/// allow.
fn page(
    requested: &SimulationQuery<'_>,
    supposed: &SimulationInput,
) -> Result<ResultPage, IamFault> {
    let resources = requested
        .resources
        .filter(|list| !matches!(list, []) && *list != ["*"]);
    let affordable = affordable(requested.actions, resources, supposed)?;
    let items = requested.max_items.unwrap_or(PAGE).min(affordable);
    let page = PageRequest::of(requested.operation, &[], requested.marker, Some(items));
    let page = page.map_err(|_| invalid("Invalid marker for pagination."))?;
    let numbered = requested.actions.iter().enumerate();
    let name = |(number, _): &(usize, &String)| format!("{number:05}");
    let (actions, mut marker) = page.cut(numbered, name);
    let (mut results, mut bytes) = (Vec::new(), 0);
    let mut last = None;
    for (number, action) in actions {
        let result = match resources {
            Some(resources) => result::of_resources(supposed, action, resources)?,
            None => result::of_everything(supposed, action),
        };
        bytes += result::size(&result);
        if bytes > limits::SIMULATED_BYTES
            && let Some(last) = last
        {
            marker = Some(page.marker(&name(&last)));
            break;
        }
        results.push(result);
        last = Some((number, action));
    }
    Ok((results, marker))
}

/// The number of actions that fit in one response by the work per action: the statements on all
/// resources, and the patterns matched against all context values and resources.
fn affordable(
    actions: &[String],
    resources: Option<&[String]>,
    supposed: &SimulationInput,
) -> Result<i32, IamFault> {
    // An extension action is simulated together with the actions it implies.
    let known = |action: &String| keywright_policy::ActionCatalogue::built_in().action(action);
    let implied = actions.iter().filter_map(known);
    let implied = implied.map(|known| known.implied().count()).max();
    let count = resources.map_or(1, <[String]>::len) * (1 + implied.unwrap_or(0));
    let per_action = count * supposed.statements().max(1);
    let by_statements = limits::SIMULATED_STATEMENTS / per_action;
    // The cost of a pattern grows with the length of the text it is matched against.
    let longest = |texts: &[String]| texts.iter().max_by_key(|text| text.len()).cloned();
    let action = longest(actions).unwrap_or_default();
    let resource = resources
        .and_then(longest)
        .unwrap_or_else(|| "*".to_owned());
    let steps = supposed.steps(&action, &resource).max(1);
    let steps = steps.saturating_mul(count as u64);
    let by_steps = limits::PAGE_STEPS / steps;
    match (by_statements, by_steps) {
        (0, _) => Err(invalid(format!(
            "The simulation is too large: {per_action} statements and resources to each action, \
             at most {}.",
            limits::SIMULATED_STATEMENTS
        ))),
        (_, 0) => Err(invalid(format!(
            "The simulation is too large: {steps} steps of matching to each action, at most {}.",
            limits::PAGE_STEPS
        ))),
        (statements, steps) => {
            let steps = usize::try_from(steps).unwrap_or(usize::MAX);
            Ok(i32::try_from(statements.min(steps)).unwrap_or(i32::MAX))
        }
    }
}

/// The default page size, in actions.
const PAGE: i32 = 100;

type ResultPage = (Vec<iam::EvaluationResult>, Option<String>);

pub(crate) struct SimulateCustomPolicy;

impl Action for SimulateCustomPolicy {
    type Shape = iam::SimulateCustomPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let supposed = SimulationInput::custom(view, input)?;
        let requested = SimulationQuery {
            operation: "SimulateCustomPolicy",
            actions: &input.action_names,
            resources: input.resource_arns.as_deref(),
            max_items: input.max_items,
            marker: input.marker.as_deref(),
        };
        let (results, marker) = page(&requested, &supposed)?;
        Ok(ActionResult::answer(iam::SimulateCustomPolicyOutput {
            evaluation_results: Some(results),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct SimulatePrincipalPolicy;

impl Action for SimulatePrincipalPolicy {
    type Shape = iam::SimulatePrincipalPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.policy_source_arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let supposed = SimulationInput::principal(view, input)?;
        let requested = SimulationQuery {
            operation: "SimulatePrincipalPolicy",
            actions: &input.action_names,
            resources: input.resource_arns.as_deref(),
            max_items: input.max_items,
            marker: input.marker.as_deref(),
        };
        let (results, marker) = page(&requested, &supposed)?;
        Ok(ActionResult::answer(iam::SimulatePrincipalPolicyOutput {
            evaluation_results: Some(results),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// The entity that a source ARN names, with its stored path and case.
fn target(view: &StateView<'_>, arn: &str) -> AuthTarget {
    match SimulatedPrincipal::find(view, arn) {
        Ok(SimulatedPrincipal::User(user)) => AuthTarget::user(view, &user.name),
        Ok(SimulatedPrincipal::Group(group)) => AuthTarget::group(view, &group.name),
        Ok(SimulatedPrincipal::Role(role)) => AuthTarget::role(view, &role.name),
        Err(IamFault::NoSuchEntity(_)) => AuthTarget::new(arn, arn),
        Err(_) => AuthTarget::new("*", arn),
    }
}

pub(crate) struct GetContextKeysForCustomPolicy;

impl Action for GetContextKeysForCustomPolicy {
    type Shape = iam::GetContextKeysForCustomPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(_: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let given = parsed(&input.policy_input_list, given::POLICIES)?;
        Ok(ActionResult::answer(
            iam::GetContextKeysForCustomPolicyOutput {
                context_key_names: Some(keys(&given)),
            },
        ))
    }
}

pub(crate) struct GetContextKeysForPrincipalPolicy;

impl Action for GetContextKeysForPrincipalPolicy {
    type Shape = iam::GetContextKeysForPrincipalPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.policy_source_arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let subject = SimulatedPrincipal::find(view, &input.policy_source_arn)?;
        let mut given = subject.policies(view, &[])?;
        let more = input.policy_input_list.as_deref().unwrap_or_default();
        given.extend(parsed(more, given::POLICIES)?);
        Ok(ActionResult::answer(
            iam::GetContextKeysForPrincipalPolicyOutput {
                context_key_names: Some(keys(&given)),
            },
        ))
    }
}

/// The condition keys that policies use, sorted.
fn keys(given: &[InputPolicy]) -> Vec<String> {
    keywright_policy::context_keys(given.iter().map(|given| given.policy.document()))
}

#[cfg(test)]
mod tests;
