//! A simulation's request, checked and made ready to be asked of the evaluator.
//!
//! It protects two rules: the checks come in AWS's order with AWS's texts; and whoever is simulated
//! is supposed only, so that nothing of the real caller's request leaks into the answer.

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{
    ContextMap, Layer, Level, Literal, Policies, PolicySet, PrincipalRef, Request, Source,
    StatementRef, Values, explanation_steps,
};
use keywright_wire::iam;

use super::{
    given::{BOUNDARIES, Given, POLICIES, Subject, entity, parsed},
    invalid,
};
use crate::{fault::Fault, view::View};

/// `aws:userid` of a caller that nobody named.
const NOBODY: &str = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR";

/// What is supposed: policies, caller, owner of the resources, context.
#[derive(Debug)]
pub(super) struct Supposed {
    given: Vec<Given>,
    boundary: Option<Given>,
    resource_policy: Option<Given>,
    set: PolicySet,
    account: AccountId,
    caller: String,
    owner: Option<AccountId>,
    context: ContextMap,
    told: ContextMap,
}

/// The parts of both requests that are checked alike.
struct Parts<'a> {
    operation: &'static str,
    handling: Option<&'a str>,
    actions: &'a [String],
    resources: &'a [String],
    entries: &'a [iam::ContextEntry],
    policies: &'a [String],
    boundaries: &'a [String],
    caller: Option<&'a str>,
    owner: Option<&'a str>,
    resource_policy: Option<&'a str>,
}

impl Supposed {
    /// From policies that the request brings.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn custom(
        view: &View<'_>,
        input: &iam::SimulateCustomPolicyInput,
    ) -> Result<Self, Fault> {
        let parts = Parts {
            operation: "SimulateCustomPolicy",
            handling: input.resource_handling_option.as_deref(),
            actions: &input.action_names,
            resources: input.resource_arns.as_deref().unwrap_or_default(),
            entries: input.context_entries.as_deref().unwrap_or_default(),
            policies: &input.policy_input_list,
            boundaries: list(input.permissions_boundary_policy_input_list.as_deref()),
            caller: input.caller_arn.as_deref(),
            owner: input.resource_owner.as_deref(),
            resource_policy: input.resource_policy.as_deref(),
        };
        let mut supposed = Self::new(view.id(), Vec::new(), &parts)?;
        let levels = input.ordered_organization_policy_input_list.as_deref();
        supposed.organization(levels.unwrap_or_default())?;
        Ok(supposed)
    }

    /// From the policies of a user or group, and more that the request brings.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchEntity`.
    pub(super) fn principal(
        view: &View<'_>,
        input: &iam::SimulatePrincipalPolicyInput,
    ) -> Result<Self, Fault> {
        let subject = Subject::find(view, &input.policy_source_arn)?;
        let own_arn = subject.arn(view);
        let parts = Parts {
            operation: "SimulatePrincipalPolicy",
            handling: input.resource_handling_option.as_deref(),
            actions: &input.action_names,
            resources: input.resource_arns.as_deref().unwrap_or_default(),
            entries: input.context_entries.as_deref().unwrap_or_default(),
            policies: list(input.policy_input_list.as_deref()),
            boundaries: list(input.permissions_boundary_policy_input_list.as_deref()),
            caller: input.caller_arn.as_deref().or(Some(&own_arn)),
            owner: input.resource_owner.as_deref(),
            resource_policy: input.resource_policy.as_deref(),
        };
        let excluded = input.policy_exclusion_list.as_deref().unwrap_or_default();
        let own = subject.policies(view, excluded)?;
        let mut supposed = Self::new(view.id(), own, &parts)?;
        if supposed.boundary.is_none()
            && let Some(boundary) = subject.boundary(view, excluded)?
        {
            supposed.set.boundary = Some(Arc::clone(&boundary.policy));
            supposed.boundary = Some(boundary);
        }
        Ok(supposed)
    }

    /// Checks in AWS's order.
    fn new(own: AccountId, mut given: Vec<Given>, parts: &Parts<'_>) -> Result<Self, Fault> {
        check_resources(parts.resources)?;
        if parts.actions.iter().any(|action| !action.contains(':')) {
            return Err(invalid("The action is invalid since it is missing names"));
        }
        check_handling(parts)?;
        let mut context = context(parts.entries)?;
        if parts.boundaries.len() > 1 {
            return Err(invalid(
                "The list of Permissions Boundary policies cannot exceed 1 items.",
            ));
        }
        given.extend(parsed(parts.policies, POLICIES)?);
        let boundary = parsed(parts.boundaries, BOUNDARIES)?.pop();
        let account = suppose_caller(own, parts.caller, &mut context)?;
        let told = context.clone();
        say(&mut context, "aws:userid", parts.caller.unwrap_or(NOBODY));
        say(&mut context, "aws:principalaccount", &account.to_string());
        let owner = parts.owner.map(owner).transpose()?;
        let resource_policy = resource_policy(parts)?;
        let mut set = PolicySet::new(identity(&given));
        set.boundary = boundary.as_ref().map(|given| Arc::clone(&given.policy));
        Ok(Self {
            given,
            boundary,
            resource_policy,
            set,
            account,
            caller: parts.caller.unwrap_or_default().to_owned(),
            owner,
            context,
            told,
        })
    }

    /// Puts everything under an organization's policies.
    fn organization(&mut self, levels: &[iam::OrderedOrganizationPolicyType]) -> Result<(), Fault> {
        for (number, level) in (1..).zip(levels) {
            let texts = list(level.service_control_policy_input_list.as_deref());
            if texts.is_empty() {
                return Err(invalid(format!(
                    "Organization policy at index {number} must contain at least one service \
                     control policy"
                )));
            }
            let name = "Service control policy input list";
            let level = parsed(texts, ("ServiceControlPolicyInputList", name))?;
            self.set.service_control.push(identity(&level));
        }
        Ok(())
    }

    /// The context without what the simulator makes up, which counts as missing: the caller's id,
    /// and the account when no caller is given.
    pub(super) const fn told(&self) -> &ContextMap {
        &self.told
    }

    /// Statements of all policies together.
    pub(super) fn statements(&self) -> usize {
        let given = self.given.iter().chain(&self.boundary);
        let given = given.chain(&self.resource_policy).map(|g| &g.policy);
        let levels = self.set.service_control.iter().flatten();
        let all = given.chain(levels.map(|(_, policy)| policy));
        all.map(|policy| policy.document().statements.len()).sum()
    }

    /// Steps of simulating an action on a resource, at most.
    pub(super) fn steps(&self, action: &str, resource: &str) -> u64 {
        explanation_steps(&self.policies(), &self.request(action, resource))
    }

    /// Everything that has a say.
    pub(super) fn policies(&self) -> Policies<'_> {
        let policies = Policies::new(&self.set);
        match &self.resource_policy {
            Some(given) => policies.with_resource(&given.policy),
            None => policies,
        }
    }

    /// Where a statement comes from; `None` for those of an organization.
    pub(super) fn source(&self, statement: &StatementRef) -> Option<&Given> {
        match statement.layer {
            Layer::Identity => self.given.get(statement.policy),
            Layer::Boundary => self.boundary.as_ref(),
            Layer::Resource => self.resource_policy.as_ref(),
            Layer::Session | Layer::Trust | Layer::ServiceControl | Layer::ResourceControl => None,
        }
    }

    /// The request for an action on a resource. Only beside a resource's policy does it matter
    /// whose the resource is.
    pub(super) fn request<'r>(&'r self, action: &'r str, resource: &'r str) -> Request<'r> {
        let named = resource.split(':').nth(4);
        let named = named.and_then(|account| account.parse().ok());
        let owner = self.resource_policy.as_ref().and(named.or(self.owner));
        Request {
            principal: PrincipalRef::Supposed {
                account: self.account,
                arn: &self.caller,
            },
            action,
            resource,
            owner: Some(owner.unwrap_or(self.account)),
            context: &self.context,
        }
    }
}

fn list(texts: Option<&[String]>) -> &[String] {
    texts.unwrap_or_default()
}

fn identity(given: &[Given]) -> Level {
    let policies = given.iter();
    policies
        .map(|given| (Source::Inline, Arc::clone(&given.policy)))
        .collect()
}

fn check_resources(resources: &[String]) -> Result<(), Fault> {
    if resources == ["*"] {
        return Ok(());
    }
    resources
        .iter()
        .try_for_each(|resource| check_arn(resource))
}

fn check_arn(resource: &str) -> Result<(), Fault> {
    let parts: Vec<_> = resource.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, service, _, _, rest] if ![*partition, *service, *rest].contains(&"") => {
            Ok(())
        }
        _ => Err(invalid(format!(
            "ResourceNames are not in a valid ARN format: {resource}."
        ))),
    }
}

/// The options that say what else an instance needs; AWS does not look at others.
const HANDLING: [&str; 6] = [
    "EC2-Classic-InstanceStore",
    "EC2-Classic-EBS",
    "EC2-VPC-InstanceStore",
    "EC2-VPC-InstanceStore-Subnet",
    "EC2-VPC-EBS",
    "EC2-VPC-EBS-Subnet",
];

fn check_handling(parts: &Parts<'_>) -> Result<(), Fault> {
    let known = parts
        .handling
        .is_some_and(|option| HANDLING.contains(&option));
    let mut actions = parts.actions.iter().filter(|_| known);
    match actions.find(|action| !action.eq_ignore_ascii_case("ec2:RunInstances")) {
        Some(action) => Err(invalid(format!(
            "Invalid input resource handling options. Action does not support resource handling \
             options: {action}. Please refer to the documentation for more details: \
             https://docs.aws.amazon.com/IAM/latest/APIReference/API_{}.html",
            parts.operation
        ))),
        None => Ok(()),
    }
}

/// The context that the request gives.
fn context(entries: &[iam::ContextEntry]) -> Result<ContextMap, Fault> {
    let mut context = ContextMap::default();
    let mut known: Vec<String> = Vec::new();
    for entry in entries {
        let name = entry.context_key_name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(invalid("ContextKeyName cannot be null or empty."));
        }
        let lower = name.to_lowercase();
        if known.contains(&lower) {
            return Err(invalid(format!("Duplicate context key: {name}.")));
        }
        known.push(lower);
        let kind = entry
            .context_key_type
            .as_deref()
            .ok_or_else(|| invalid(format!("Context key {name} has invalid type null.")))?;
        let values = list(entry.context_key_values.as_deref());
        match values.len() {
            0 => {
                return Err(invalid(format!(
                    "Context values for context key {name} cannot be null or empty."
                )));
            }
            2.. if !kind.ends_with("List") => {
                return Err(invalid(format!(
                    "Context key {kind} expected a single value, but received {}.",
                    values.len()
                )));
            }
            _ => {}
        }
        if let Some((literal, wanted)) = literal(kind)
            && values.iter().any(|value| !literal.reads(value))
        {
            return Err(invalid(format!(
                "Invalid context value for key {name}: expected {wanted}."
            )));
        }
        let values = match values {
            [only] if !kind.ends_with("List") => Values::one(only.clone()),
            values => Values::many(values.iter().cloned()),
        };
        context.set(name, values);
    }
    Ok(context)
}

/// How values of a type must read, and how an error calls it.
fn literal(kind: &str) -> Option<(Literal, &'static str)> {
    match kind.trim_end_matches("List") {
        "numeric" => Some((Literal::Number, "numeric format")),
        "date" => Some((Literal::Date, "DateTime format")),
        "ip" => Some((Literal::Address, "IP address")),
        "binary" => Some((Literal::Base64, "base-64 encoded binary format")),
        _ => None,
    }
}

/// Sets a key, unless the request does.
fn say(context: &mut ContextMap, key: &str, value: &str) {
    use keywright_policy::Context;
    if context.get(key).as_slice().is_empty() {
        context.set(key, Values::one(value.to_owned()));
    }
}

/// Adds what follows from the caller but its id.
fn suppose_caller(
    own: AccountId,
    caller: Option<&str>,
    context: &mut ContextMap,
) -> Result<AccountId, Fault> {
    let mut say = |key: &str, value: &str| say(context, key, value);
    let Some(caller) = caller else {
        return Ok(own);
    };
    let nobody =
        || invalid("Invalid caller - Caller must be an IAM user, role or group in this context.");
    let (kind, account, name) = entity(caller).ok_or_else(nobody)?;
    let id = account.parse().map_err(|_| nobody())?;
    say("aws:principalarn", caller);
    say("aws:principalaccount", account);
    if kind == "user" {
        say("aws:username", name);
    }
    Ok(id)
}

/// The account that an ARN such as `arn:aws:iam::123456789012:root` names.
fn owner(arn: &str) -> Result<AccountId, Fault> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let account = match parts.as_slice() {
        ["arn", partition, "iam", "", account, rest] if !partition.is_empty() => {
            Some(*account).filter(|_| !rest.is_empty())
        }
        _ => None,
    };
    let account = account.and_then(|account| account.parse().ok());
    account.ok_or_else(|| invalid(format!("'{arn}' is not a valid as a Resource Owner.")))
}

fn resource_policy(parts: &Parts<'_>) -> Result<Option<Given>, Fault> {
    let Some(text) = parts.resource_policy else {
        return Ok(None);
    };
    if parts.caller.is_none() {
        return Err(invalid("Invalid caller - Caller cannot be null or empty."));
    }
    if matches!(parts.resources, [] | [_]) && parts.resources.iter().all(|r| r == "*") {
        return Err(invalid(
            "Invalid Entity Arn: * does not clearly define entity type and name.",
        ));
    }
    let given = Given::read("ResourcePolicy".to_owned(), text.into());
    let given = given.ok_or_else(|| invalid("Resource policy has invalid content"))?;
    let statements = given.policy.document().statements.iter();
    let mut resources = statements.filter_map(|statement| statement.resource.as_ref());
    resources.try_for_each(|clause| {
        let mut names = clause.elements.iter().flatten();
        names.try_for_each(|name| check_arn(name))
    })?;
    Ok(Some(given))
}
