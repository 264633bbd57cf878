//! AWS's policy simulator: what policies would say to requests that nobody made, and which
//! condition keys they ask for.
//!
//! It protects one rule: a simulation is the real evaluator's answer, only the caller and the
//! context are supposed. Shapes, texts and the order of refusals are AWS's. It never asks trust
//! policies, policies of real resources or an organization; who wants those asked, sends them.

mod fit;
mod given;
mod input;
mod result;

use keywright_base::limits;
use keywright_wire::iam;

use self::{
    given::{Given, Subject, parsed},
    input::Supposed,
};
use crate::{
    action::{Access, Action, Done, Effort, Input, Outcome},
    authorize::{Permit, Required, Target},
    fault::{Fault, Invalid},
    pagination::Page,
    view::View,
};

fn invalid(text: impl Into<String>) -> Fault {
    Invalid::Other(text.into()).into()
}

/// What both simulations take: the smaller one's input without its list of policies.
struct Asked<'a> {
    operation: &'static str,
    actions: &'a [String],
    resources: Option<&'a [String]>,
    max_items: Option<i32>,
    marker: Option<&'a str>,
}

/// A page of results: whole actions, as many as the page and the work for one answer allow.
fn page(asked: &Asked<'_>, supposed: &Supposed) -> Result<Paged, Fault> {
    let resources = asked
        .resources
        .filter(|list| !matches!(list, []) && *list != ["*"]);
    let affordable = affordable(asked.actions, resources, supposed)?;
    let items = asked.max_items.unwrap_or(PAGE).min(affordable);
    let page = Page::of(asked.operation, &[], asked.marker, Some(items));
    let page = page.map_err(|_| invalid("Invalid marker for pagination."))?;
    let numbered = asked.actions.iter().enumerate();
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

/// How many actions one answer can take, by the work for each: the statements on all resources, and
/// the patterns that all values of the context and all resources are matched with.
fn affordable(
    actions: &[String],
    resources: Option<&[String]>,
    supposed: &Supposed,
) -> Result<i32, Fault> {
    // An action of the extension is simulated with those that it implies.
    let known = |action: &String| keywright_policy::Catalogue::built_in().action(action);
    let implied = actions.iter().filter_map(known);
    let implied = implied.map(|known| known.implied().count()).max();
    let count = resources.map_or(1, <[String]>::len) * (1 + implied.unwrap_or(0));
    let per_action = count * supposed.statements().max(1);
    let by_statements = limits::SIMULATED_STATEMENTS / per_action;
    // Patterns take time by the length of what they are matched with.
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

/// Actions of a page when the request does not say.
const PAGE: i32 = 100;

type Paged = (Vec<iam::EvaluationResult>, Option<String>);

/// `iam:SimulateCustomPolicy`
pub(crate) struct SimulateCustomPolicy;

impl Action for SimulateCustomPolicy {
    type Shape = iam::SimulateCustomPolicy;
    const ACCESS: Access = Access::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::everything()))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let supposed = Supposed::custom(view, input)?;
        let asked = Asked {
            operation: "SimulateCustomPolicy",
            actions: &input.action_names,
            resources: input.resource_arns.as_deref(),
            max_items: input.max_items,
            marker: input.marker.as_deref(),
        };
        let (results, marker) = page(&asked, &supposed)?;
        Ok(Done::answer(iam::SimulateCustomPolicyOutput {
            evaluation_results: Some(results),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// `iam:SimulatePrincipalPolicy`
pub(crate) struct SimulatePrincipalPolicy;

impl Action for SimulatePrincipalPolicy {
    type Shape = iam::SimulatePrincipalPolicy;
    const ACCESS: Access = Access::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(target(view, &input.policy_source_arn)))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let supposed = Supposed::principal(view, input)?;
        let asked = Asked {
            operation: "SimulatePrincipalPolicy",
            actions: &input.action_names,
            resources: input.resource_arns.as_deref(),
            max_items: input.max_items,
            marker: input.marker.as_deref(),
        };
        let (results, marker) = page(&asked, &supposed)?;
        Ok(Done::answer(iam::SimulatePrincipalPolicyOutput {
            evaluation_results: Some(results),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// The entity that a source ARN names, with its stored path and case.
fn target(view: &View<'_>, arn: &str) -> Target {
    match Subject::find(view, arn) {
        Ok(Subject::User(user)) => Target::user(view, &user.name),
        Ok(Subject::Group(group)) => Target::group(view, &group.name),
        Err(Fault::NoSuchEntity(_)) => Target::new(arn, arn),
        Err(_) => Target::new("*", arn),
    }
}

/// `iam:GetContextKeysForCustomPolicy`
pub(crate) struct GetContextKeysForCustomPolicy;

impl Action for GetContextKeysForCustomPolicy {
    type Shape = iam::GetContextKeysForCustomPolicy;
    const ACCESS: Access = Access::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::everything()))
    }

    fn run(_: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let given = parsed(&input.policy_input_list, given::POLICIES)?;
        Ok(Done::answer(iam::GetContextKeysForCustomPolicyOutput {
            context_key_names: Some(keys(&given)),
        }))
    }
}

/// `iam:GetContextKeysForPrincipalPolicy`
pub(crate) struct GetContextKeysForPrincipalPolicy;

impl Action for GetContextKeysForPrincipalPolicy {
    type Shape = iam::GetContextKeysForPrincipalPolicy;
    const ACCESS: Access = Access::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(target(view, &input.policy_source_arn)))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let subject = Subject::find(view, &input.policy_source_arn)?;
        let mut given = subject.policies(view, &[])?;
        let more = input.policy_input_list.as_deref().unwrap_or_default();
        given.extend(parsed(more, given::POLICIES)?);
        Ok(Done::answer(iam::GetContextKeysForPrincipalPolicyOutput {
            context_key_names: Some(keys(&given)),
        }))
    }
}

/// The condition keys that policies ask for, sorted.
fn keys(given: &[Given]) -> Vec<String> {
    keywright_policy::context_keys(given.iter().map(|given| given.policy.document()))
}

#[cfg(test)]
mod tests;
