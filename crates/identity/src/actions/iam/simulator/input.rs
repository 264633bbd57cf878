//! Validates a simulation's request and prepares it for the evaluator.
//!
//! Invariants:
//!
//! - Parameters are checked in AWS's order, with AWS's texts.
//! - The simulated caller is hypothetical: nothing of the real caller's request affects the result.

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{
    AccessRequest, ContextMap, ContextValues, LiteralKind, PoliciesInForce, PolicyLayer,
    PolicyLevel, PolicySet, PolicySource, PrincipalRef, StatementRef, explanation_steps,
};
use keywright_wire::iam;

use super::{
    given::{BOUNDARIES, InputPolicy, POLICIES, SimulatedPrincipal, entity, parsed},
    invalid,
};
use crate::{authorize::service_controlled, fault::IamFault, view::StateView};

/// `aws:userid` if the request names no caller.
const NOBODY: &str = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR";

/// The inputs of a simulation: policies, caller, owner of the resources, context.
#[derive(Debug)]
pub(super) struct SimulationInput {
    given: Vec<InputPolicy>,
    boundary: Option<InputPolicy>,
    resource_policy: Option<InputPolicy>,
    set: PolicySet,
    account: AccountId,
    caller: String,
    owner: Option<AccountId>,
    context: ContextMap,
    supplied: ContextMap,
}

/// The parts of both requests that are validated alike.
struct CommonInput<'a> {
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

impl SimulationInput {
    /// From policies in the request.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn custom(
        view: &StateView<'_>,
        input: &iam::SimulateCustomPolicyInput,
    ) -> Result<Self, IamFault> {
        let parts = CommonInput {
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

    /// From the policies of a user, group or role, and those in the request.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchEntity`.
    pub(super) fn principal(
        view: &StateView<'_>,
        input: &iam::SimulatePrincipalPolicyInput,
    ) -> Result<Self, IamFault> {
        let subject = SimulatedPrincipal::find(view, &input.policy_source_arn)?;
        let own_arn = subject.arn(view);
        let parts = CommonInput {
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
        supposed.set = service_controlled(view.ledger, view.account, supposed.set);
        if supposed.boundary.is_none()
            && let Some(boundary) = subject.boundary(view, excluded)?
        {
            supposed.set.boundary = Some(Arc::clone(&boundary.policy));
            supposed.boundary = Some(boundary);
        }
        Ok(supposed)
    }

    /// Validates in AWS's order.
    fn new(
        own: AccountId,
        mut given: Vec<InputPolicy>,
        parts: &CommonInput<'_>,
    ) -> Result<Self, IamFault> {
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
        let supplied = context.clone();
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
            supplied,
        })
    }

    /// Adds the organization's policies.
    fn organization(
        &mut self,
        levels: &[iam::OrderedOrganizationPolicyType],
    ) -> Result<(), IamFault> {
        let mut organization = Vec::new();
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
            organization.push(identity(&level));
        }
        self.set.service_control = organization.into();
        Ok(())
    }

    /// The context without the simulator's placeholder values, which count as missing: the caller's
    /// ID, and the account if no caller is given.
    pub(super) const fn supplied(&self) -> &ContextMap {
        &self.supplied
    }

    /// The total number of statements in all policies.
    pub(super) fn statements(&self) -> usize {
        let given = self.given.iter().chain(&self.boundary);
        let given = given.chain(&self.resource_policy).map(|g| &g.policy);
        let levels = self.set.service_control.iter().flatten();
        let all = given.chain(levels.map(|(_, policy)| policy));
        all.map(|policy| policy.document().statements.len()).sum()
    }

    /// The maximum number of steps to simulate an action on a resource.
    pub(super) fn steps(&self, action: &str, resource: &str) -> u64 {
        explanation_steps(&self.policies(), &self.request(action, resource))
    }

    /// All policies that take part in the decision.
    pub(super) fn policies(&self) -> PoliciesInForce<'_> {
        let policies = PoliciesInForce::new(&self.set);
        match &self.resource_policy {
            Some(given) => policies.with_resource(&given.policy),
            None => policies,
        }
    }

    /// The policy that contains a statement; `None` for an organization's policy.
    pub(super) fn source(&self, statement: &StatementRef) -> Option<&InputPolicy> {
        match statement.layer {
            PolicyLayer::Identity => self.given.get(statement.policy),
            PolicyLayer::Boundary => self.boundary.as_ref(),
            PolicyLayer::Resource => self.resource_policy.as_ref(),
            PolicyLayer::Session
            | PolicyLayer::Trust
            | PolicyLayer::ServiceControl
            | PolicyLayer::ResourceControl => None,
        }
    }

    /// The request for an action on a resource. The owner of the resource matters only when there
    /// is a resource policy.
    pub(super) fn request<'r>(&'r self, action: &'r str, resource: &'r str) -> AccessRequest<'r> {
        let named = resource.split(':').nth(4);
        let named = named.and_then(|account| account.parse().ok());
        let owner = self.resource_policy.as_ref().and(named.or(self.owner));
        AccessRequest {
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

fn identity(given: &[InputPolicy]) -> PolicyLevel {
    let policies = given.iter();
    policies
        .map(|given| (PolicySource::Inline, Arc::clone(&given.policy)))
        .collect()
}

fn check_resources(resources: &[String]) -> Result<(), IamFault> {
    if resources == ["*"] {
        return Ok(());
    }
    resources
        .iter()
        .try_for_each(|resource| check_arn(resource))
}

fn check_arn(resource: &str) -> Result<(), IamFault> {
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

/// The options that determine which other resources an instance needs; AWS ignores the rest.
const HANDLING: [&str; 6] = [
    "EC2-Classic-InstanceStore",
    "EC2-Classic-EBS",
    "EC2-VPC-InstanceStore",
    "EC2-VPC-InstanceStore-Subnet",
    "EC2-VPC-EBS",
    "EC2-VPC-EBS-Subnet",
];

fn check_handling(parts: &CommonInput<'_>) -> Result<(), IamFault> {
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

/// The context entries of the request.
fn context(entries: &[iam::ContextEntry]) -> Result<ContextMap, IamFault> {
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
            [only] if !kind.ends_with("List") => ContextValues::one(only.clone()),
            values => ContextValues::many(values.iter().cloned()),
        };
        context.set(name, values);
    }
    Ok(context)
}

/// The format of a type's values, and its name in errors.
fn literal(kind: &str) -> Option<(LiteralKind, &'static str)> {
    match kind.trim_end_matches("List") {
        "numeric" => Some((LiteralKind::Number, "numeric format")),
        "date" => Some((LiteralKind::Date, "DateTime format")),
        "ip" => Some((LiteralKind::Address, "IP address")),
        "binary" => Some((LiteralKind::Base64, "base-64 encoded binary format")),
        _ => None,
    }
}

/// Sets a key, unless the request supplies it.
fn say(context: &mut ContextMap, key: &str, value: &str) {
    use keywright_policy::ContextLookup;
    if context.get(key).as_slice().is_empty() {
        context.set(key, ContextValues::one(value.to_owned()));
    }
}

/// Adds the keys that follow from the caller, other than its ID.
fn suppose_caller(
    own: AccountId,
    caller: Option<&str>,
    context: &mut ContextMap,
) -> Result<AccountId, IamFault> {
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
fn owner(arn: &str) -> Result<AccountId, IamFault> {
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

fn resource_policy(parts: &CommonInput<'_>) -> Result<Option<InputPolicy>, IamFault> {
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
    let given = InputPolicy::read("ResourcePolicy".to_owned(), text.into());
    let given = given.ok_or_else(|| invalid("Resource policy has invalid content"))?;
    let statements = given.policy.document().statements.iter();
    let mut resources = statements.filter_map(|statement| statement.resource.as_ref());
    resources.try_for_each(|clause| {
        let mut names = clause.elements.iter().flatten();
        names.try_for_each(|name| check_arn(name))
    })?;
    Ok(Some(given))
}
