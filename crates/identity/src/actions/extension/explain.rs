//! Explains why a principal may or may not do something, and lists who may, from the policies in
//! effect now.
//!
//! Invariants:
//!
//! - An explanation evaluates the same compiled policies as a decision does, bucket policies
//!   included.
//! - It reveals nothing about the bucket policies of other accounts.

mod implied;
mod supplied_context;

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, limits};
use keywright_policy::{
    AccessRequest, ConditionTrace, Decision, Effect, Explanation, MissingAllow as PolicyNeed,
    PoliciesInForce, Policy, PolicyLayer, PolicySet, PrincipalRef, SettledAnswer,
    SimulationOutcome as PolicyOutcome, StatementMismatch, StatementRef, StatementTrace,
    check_question, explain, explanation_steps, is_of_principal, settled,
};
use keywright_wire::keywright;

use self::{implied::ImpliedQuestion, supplied_context::SuppliedContext};
use crate::{
    action::{
        ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation, PreparedAction,
    },
    authorize::{
        AuthTarget, Permit, Requirement, account_in, binding, is_assuming, nobody_trusted,
        policies_of, resource_control, service_controlled, withhold_guardrails,
    },
    fault::{IamFault, MissingEntity},
    names::PolicyNames,
    pagination::PageRequest,
    principal::Principal,
    state::Grantee,
    view::{ResourcePolicy, StateView},
};

/// Users and roles examined for one page of [`ListAuthorizedPrincipals`].
const PRINCIPALS_PER_PAGE: i32 = 500;

/// The session name used to explain a role's requests.
const EXPLAINED: &str = "explained";

/// Explains a request of a user. A request implied by another is also denied if it is not allowed
/// for every resource that the original request covers.
fn of_user(
    view: &ExplainView<'_>,
    user: &Grantee,
    (action, resource): (&str, &str),
    (context, implied, steps): (
        &SuppliedContext<'_>,
        Option<&ImpliedQuestion>,
        &mut StepsLeft,
    ),
) -> Result<Explanation, IamFault> {
    let set = policies_of(view.account, user);
    let set = service_controlled(view.ledger, view.account, set);
    let principal = match user {
        Grantee::User(user) => Principal::user(view.id(), user),
        Grantee::Role(role) => Principal::role_session(view.id(), role, EXPLAINED),
    };
    let request = AccessRequest {
        principal: principal.reference(),
        action,
        resource,
        owner: Some(view.id()),
        context,
    };
    let mut explanation = explained(view, &set, &request, steps)?;
    if let Some(implied) = implied
        && explanation.decision.is_allowed()
        && let Some(denied) = implied.denied_for_some(view, user, &request)
    {
        explanation.decision = denied;
        explanation.decided_by.clear();
    }
    PolicyNames::of(view.account, user).name(&mut explanation);
    Ok(explanation)
}

/// The matching steps that a response may still take.
struct StepsLeft(u64);

impl StepsLeft {
    const fn new() -> Self {
        Self(limits::PAGE_STEPS)
    }

    fn take(&mut self, steps: u64) -> Result<(), IamFault> {
        let left = self.0.checked_sub(steps).ok_or_else(|| {
            IamFault::Validation(format!(
                "The explanation is too large: {steps} steps of matching policies with the values \
                 of the request, at most {}",
                limits::PAGE_STEPS
            ))
        });
        self.0 = left?;
        Ok(())
    }
}

/// Explains a request by the policies of the principal and of the resource.
fn explained(
    view: &ExplainView<'_>,
    set: &PolicySet,
    request: &AccessRequest<'_>,
    steps: &mut StepsLeft,
) -> Result<Explanation, IamFault> {
    let control = resource_control(view.ledger, request.owner);
    let own = PoliciesInForce {
        resource_control: control.as_deref().unwrap_or_default(),
        ..PoliciesInForce::new(set)
    };
    let policies = match (binding(view.policy(), request), view.trust(request)) {
        (_, Some(trust)) => own.with_trust(trust),
        (Some(policy), None) => own.with_resource(policy),
        (None, None) => own,
    };
    steps.take(explanation_steps(&policies, request))?;
    let mut explanation = explain(&policies, request);
    withhold_guardrails(&mut explanation);
    Ok(explanation)
}

/// The state that a request is explained from.
pub(super) struct ExplainView<'a> {
    view: &'a StateView<'a>,
    /// The resource of another service, if the request concerns one.
    resource: Option<&'a ResourcePolicy>,
}

impl<'a> std::ops::Deref for ExplainView<'a> {
    type Target = StateView<'a>;

    fn deref(&self) -> &StateView<'a> {
        self.view
    }
}

impl<'a> ExplainView<'a> {
    /// The trust policy that decides a request to assume a role of the account. A role that does
    /// not exist trusts no one.
    fn trust(&self, request: &AccessRequest<'_>) -> Option<&'a Arc<Policy>> {
        let roles = Arn::iam(self.view.id(), "role/");
        let assumes = is_assuming(request.action) && request.resource.starts_with(roles.as_str());
        assumes.then(|| {
            let role = self.view.account.role_by_arn(request.resource);
            let trust = role.and_then(|role| role.trust.compiled());
            trust.unwrap_or_else(|| nobody_trusted())
        })
    }

    fn policy(&self) -> Option<&'a Arc<Policy>> {
        self.resource?.policy.as_ref()
    }
}

/// Explains a request of the root user.
fn of_root(
    view: &ExplainView<'_>,
    (action, resource): (&str, &str),
    (context, steps): (&SuppliedContext<'_>, &mut StepsLeft),
) -> Result<Explanation, IamFault> {
    let set = service_controlled(view.ledger, view.account, PolicySet::default());
    let arn = Arn::iam(view.id(), "root");
    let request = AccessRequest {
        principal: PrincipalRef::Root {
            account: view.id(),
            arn: arn.as_str(),
        },
        action,
        resource,
        owner: Some(view.id()),
        context,
    };
    explained(view, &set, &request, steps)
}

/// Refuses requests that cannot occur, and resources of other accounts: their policies must not be
/// disclosed, nor whether they exist.
fn check(view: &ExplainView<'_>, action: &str, resource: &str) -> Result<(), IamFault> {
    check_question(action, resource).map_err(|fault| IamFault::Validation(fault.to_string()))?;
    let owner = view.resource.map(|attached| attached.owner);
    match owner.or_else(|| account_in(resource)) {
        Some(owner) if owner != view.id() => Err(IamFault::Validation(format!(
            "{resource} belongs to another account, so its policy cannot be explained"
        ))),
        _ => Ok(()),
    }
}

/// The condition keys that the decision depends on and that were not supplied, from the statements
/// about the action.
fn not_given(explanation: &Explanation, supplied: &SuppliedContext<'_>) -> Vec<String> {
    let about = explanation.statements.iter();
    let about = about.filter(|examined| !examined.mismatches.contains(&StatementMismatch::Action));
    let lacked = about.flat_map(|examined| &examined.mismatches);
    let mut keys = BTreeSet::new();
    let mut variables = Vec::new();
    let mut tested = Vec::new();
    for lack in lacked {
        match lack {
            StatementMismatch::Condition(lacked) => tested.push(lacked),
            StatementMismatch::Resource { variables: all, .. } => variables.extend(all),
            _ => {}
        }
    }
    for need in &explanation.needs {
        if let PolicyNeed::WithoutDeny { conditions, .. } = need {
            tested.extend(conditions);
        }
    }
    for tested in tested {
        variables.extend(&tested.variables);
        if supplied.is_open(tested) {
            keys.insert(tested.key.clone());
        }
    }
    let unknown = variables.into_iter().filter(|v| v.value.is_none());
    keys.extend(
        unknown
            .filter(|variable| supplied.leaves_open(&variable.key))
            .map(|variable| variable.key.clone()),
    );
    keys.into_iter().collect()
}

/// A decision as the policy simulator spells it.
pub(super) fn word(decision: &Decision) -> String {
    PolicyOutcome::from(decision).as_str().to_owned()
}

/// The examined statements with what each lacked, and whether the list was cut off.
pub(super) fn statements(explanation: &Explanation) -> (Vec<keywright::ExaminedStatement>, bool) {
    let all = &explanation.statements;
    let listed = all
        .iter()
        .take(limits::EXAMINED_STATEMENTS)
        .map(|examined| {
            let statement = &examined.statement;
            let sid = statement.sid.as_ref().map(|sid| format!(" ({sid})"));
            let place = || (statement.policy + 1).to_string();
            let policy = statement.id.clone().unwrap_or_else(place);
            let lacks: Vec<_> = examined
                .mismatches
                .iter()
                .map(ToString::to_string)
                .collect();
            keywright::ExaminedStatement {
                statement: format!("{}{}", statement.index + 1, sid.unwrap_or_default()),
                policy: format!("{} {policy}", statement.layer),
                effect: examined.effect.to_string(),
                applies: examined.applies(),
                lacks: (!lacks.is_empty()).then(|| lacks.join(", ")),
            }
        });
    (listed.collect(), all.len() > limits::EXAMINED_STATEMENTS)
}

pub(crate) struct ExplainAuthorization;

impl PreparedAction for ExplainAuthorization {
    type Shape = keywright::ExplainAuthorization;
    type Prepared = Option<ResourcePolicy>;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let (principal, resource) = (&input.principal_arn, &input.resource_arn);
        Ok(Requirement::On {
            own: vec![AuthTarget::principal(view, principal)],
            subjects: AuthTarget::of_explanation(view, principal, (&input.action_name, resource)),
        })
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let found = with.quotable_resource(&input.resource_arn, None).await?;
        Ok(found.resource)
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        resource: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let view = &ExplainView {
            view,
            resource: resource.as_ref(),
        };
        let requested = (&*input.action_name, &*input.resource_arn);
        check(view, requested.0, requested.1)?;
        let user = principal(view, &input.principal_arn)?;
        if let Some(settled) = settled(requested.0, requested.1) {
            return Ok(ActionResult::answer(settled_answer(settled)));
        }
        let entries = input.context_entries.as_deref().unwrap_or_default();
        let mut keys = entries.iter().map(|entry| &entry.context_key_name);
        if let Some(key) = keys.find(|key| is_of_principal(key)) {
            let text = format!("{key} is derived from the principal and cannot be supplied");
            return Err(IamFault::Validation(text));
        }
        let (explanation, text) = in_words(view, user.as_ref(), requested, entries)?;
        let (statements, is_truncated) = statements(&explanation);
        Ok(ActionResult::answer(
            keywright::ExplainAuthorizationOutput {
                decision: word(&explanation.decision),
                explanation: text,
                statements,
                is_truncated,
            },
        ))
    }
}

/// The response for a request that is settled before policies are evaluated.
fn settled_answer(settled: SettledAnswer) -> keywright::ExplainAuthorizationOutput {
    let outcome = PolicyOutcome::from(settled);
    let word = match outcome {
        PolicyOutcome::Allowed => "allowed",
        PolicyOutcome::ExplicitDeny | PolicyOutcome::ImplicitDeny => "denied",
    };
    keywright::ExplainAuthorizationOutput {
        decision: outcome.as_str().to_owned(),
        explanation: format!("{word}\n  {}\n", settled.why()),
        statements: Vec::new(),
        is_truncated: false,
    }
}

/// An explanation and its text. Actions that an extension action implies are evaluated after it;
/// the first one that is denied decides.
fn in_words(
    view: &ExplainView<'_>,
    user: Option<&Grantee>,
    requested: (&str, &str),
    entries: &[keywright::ContextEntry],
) -> Result<(Explanation, String), IamFault> {
    let mut steps = StepsLeft::new();
    let mut message =
        |requested: (&str, &str), entries: &[_], implied: Option<&ImpliedQuestion>| {
            let supplied = SuppliedContext::new(view, user, requested, entries);
            let explanation = match user {
                Some(user) => of_user(view, user, requested, (&supplied, implied, &mut steps))?,
                None => of_root(view, requested, (&supplied, &mut steps))?,
            };
            let mut text = explanation.to_string();
            let open = not_given(&explanation, &supplied);
            if !open.is_empty() {
                text.push_str(&format!("  not given: {}\n", open.join(", ")));
            }
            Ok::<_, IamFault>((explanation, text))
        };
    let own = message(requested, entries, None)?;
    if user.is_none() || !own.0.decision.is_allowed() {
        return Ok(own);
    }
    for implied in implied::questions(view, requested, entries) {
        let (explanation, mut text) = message(
            implied.action_and_resource(),
            &implied.entries,
            Some(&implied),
        )?;
        if !explanation.decision.is_allowed() {
            let (action, resource) = implied.action_and_resource();
            let line = format!("  {} also takes {action} on {resource}\n", requested.0);
            text.push_str(&line);
            return Ok((explanation, text));
        }
    }
    Ok(own)
}

/// The user or role with this ARN; `None` for the root user.
fn principal(view: &StateView<'_>, arn: &str) -> Result<Option<Grantee>, IamFault> {
    if arn == Arn::iam(view.id(), "root").as_str() {
        return Ok(None);
    }
    let name = || arn.rsplit('/').next().unwrap_or(arn).to_owned();
    if arn.starts_with(Arn::iam(view.id(), "user/").as_str()) {
        let user = view.account.user_by_arn(arn);
        let user = user.ok_or_else(|| MissingEntity::User(name()))?;
        return Ok(Some(Grantee::User(Arc::clone(user))));
    }
    if arn.starts_with(Arn::iam(view.id(), "role/").as_str()) {
        let role = view.account.role_by_arn(arn);
        let role = role.ok_or_else(|| MissingEntity::Role(name()))?;
        return Ok(Some(Grantee::Role(Arc::clone(role))));
    }
    Err(IamFault::Validation(format!(
        "PrincipalArn {arn} is neither the root user nor a user or role of account {}",
        view.id()
    )))
}

/// `keywright:ListAuthorizedPrincipals`: who is allowed, through which statement, and under which
/// conditions.
pub(crate) struct ListAuthorizedPrincipals;

/// Whether a user or the root user is allowed, or would be if the conditions held. Includes
/// everything that an extension action implies.
fn authorized(
    view: &ExplainView<'_>,
    user: Option<&Grantee>,
    requested: (&str, &str),
    steps: &mut StepsLeft,
) -> Result<Option<keywright::AuthorizedPrincipal>, IamFault> {
    let Some(mut found) = authorized_alone(view, user, requested, (None, steps))? else {
        return Ok(None);
    };
    if user.is_some() {
        for implied in implied::questions(view, requested, &[]) {
            let also = authorized_alone(
                view,
                user,
                implied.action_and_resource(),
                (Some(&implied), steps),
            )?;
            let Some(also) = also else { return Ok(None) };
            let both = found.condition.into_iter().chain(also.condition);
            let mut conditions: Vec<String> = both.collect();
            conditions.dedup();
            found.condition = (!conditions.is_empty()).then(|| conditions.join("; "));
        }
    }
    Ok(Some(found))
}

/// As [`authorized`] for a single action, without those it implies.
fn authorized_alone(
    view: &ExplainView<'_>,
    user: Option<&Grantee>,
    requested: (&str, &str),
    (implied, steps): (Option<&ImpliedQuestion>, &mut StepsLeft),
) -> Result<Option<keywright::AuthorizedPrincipal>, IamFault> {
    let root = || Arn::iam(view.id(), "root");
    let arn = user
        .map_or_else(root, |user| user.arn(view.id()))
        .to_string();
    if let Some(settled) = settled(requested.0, requested.1) {
        let allowed = settled == SettledAnswer::Allowed;
        return Ok(allowed.then(|| keywright::AuthorizedPrincipal {
            principal_arn: arn,
            through: settled.why().to_owned(),
            condition: None,
        }));
    }
    let entries = implied.map_or(&[][..], |implied| &implied.entries);
    let supplied = SuppliedContext::new(view, user, requested, entries);
    let explanation = match user {
        Some(user) => of_user(view, user, requested, (&supplied, implied, steps))?,
        None => of_root(view, requested, (&supplied, steps))?,
    };
    let through = authorized_through(view, user, (&explanation, &supplied));
    Ok(
        through.map(|(through, conditions)| keywright::AuthorizedPrincipal {
            principal_arn: arn,
            through: through.join("; "),
            condition: (!conditions.is_empty()).then(|| conditions.join("; ")),
        }),
    )
}

/// The statements that allow the explained request, and their conditions.
fn authorized_through(
    view: &ExplainView<'_>,
    user: Option<&Grantee>,
    (explanation, supplied): (&Explanation, &SuppliedContext<'_>),
) -> Option<(Vec<String>, Vec<String>)> {
    let open = |examined: &StatementTrace| lacks_open_only(examined, supplied);
    let (mut through, mut conditions) = (Vec::new(), Vec::new());
    for need in &explanation.needs {
        match need {
            PolicyNeed::WithoutDeny {
                statement,
                conditions: holding,
                ..
            } => {
                if !holding.iter().any(|tested| supplied.is_open(tested)) {
                    return None;
                }
                conditions.push(unless(statement, holding.iter()));
            }
            PolicyNeed::Allow { layer, .. } => {
                let near = nearly(view, user?, (explanation, supplied), *layer)?;
                through.push(near.statement.to_string());
                conditions.extend(tests(near).map(ConditionTrace::condition_text));
            }
        }
    }
    if !explanation.decision.is_allowed() && explanation.needs.is_empty() {
        return None;
    }
    let statements = explanation.statements.iter();
    if user.is_none() {
        through.push("the root user needs no policy".to_owned());
    } else if through.is_empty() {
        let applying = statements
            .clone()
            .filter(|e| e.effect == Effect::Allow && e.applies());
        through.extend(applying.map(|examined| examined.statement.to_string()));
    }
    let might_deny = statements.filter(|e| e.effect == Effect::Deny && !e.applies() && open(e));
    conditions.extend(might_deny.map(|examined| unless(&examined.statement, tests(examined))));
    Some((through, conditions))
}

/// The Allow with the fewest unmet conditions that could satisfy a layer which allows nothing yet.
/// For identity policies, a resource policy that names the user also counts.
fn nearly<'a>(
    view: &ExplainView<'_>,
    user: &Grantee,
    (explanation, supplied): (&'a Explanation, &SuppliedContext<'_>),
    layer: PolicyLayer,
) -> Option<&'a StatementTrace> {
    let serves = |statement: &StatementRef| {
        statement.layer == layer
            || layer == PolicyLayer::Identity
                && statement.layer == PolicyLayer::Resource
                && names(view, user, statement.index)
    };
    let allows = explanation.statements.iter().filter(|e| {
        e.effect == Effect::Allow && serves(&e.statement) && lacks_open_only(e, supplied)
    });
    allows.min_by_key(|examined| examined.mismatches.len())
}

/// Whether a statement of the resource policy names the user or everyone, not just the account.
fn names(view: &ExplainView<'_>, user: &Grantee, statement: usize) -> bool {
    let written = view
        .policy()
        .and_then(|policy| policy.document().statements.get(statement));
    let principal = written.and_then(|statement| statement.principal.as_ref());
    let arn = user.arn(view.id());
    principal.is_some_and(|principal| {
        let mut names = principal.elements.iter();
        names.any(|(_, name)| name == "*" || name == arn.as_str() || name == user.id().as_str())
    })
}

/// Whether a statement would apply to a request with suitable values for the open keys.
fn lacks_open_only(examined: &StatementTrace, supplied: &SuppliedContext<'_>) -> bool {
    let mut lacks = examined.mismatches.iter();
    lacks.all(
        |lack| matches!(lack, StatementMismatch::Condition(tested) if supplied.is_open(tested)),
    )
}

/// The conditions that a statement does not meet.
fn tests(examined: &StatementTrace) -> impl Iterator<Item = &ConditionTrace> {
    examined.mismatches.iter().filter_map(|lack| match lack {
        StatementMismatch::Condition(tested) => Some(tested),
        _ => None,
    })
}

/// The conditions under which a Deny does not apply.
fn unless<'a>(deny: &StatementRef, tests: impl Iterator<Item = &'a ConditionTrace>) -> String {
    let requested: Vec<String> = tests.map(ConditionTrace::condition_text).collect();
    format!("not ({}), which {deny} denies", requested.join(" and "))
}

/// The sort key of a user or role in the list: users first, each by name.
fn place(grantee: &Grantee) -> String {
    let name = FoldedName::new(grantee.name());
    let kind = match grantee {
        Grantee::User(_) => USERS,
        Grantee::Role(_) => ROLES,
    };
    format!("{kind} {}", name.as_str())
}

const USERS: &str = "1";
const ROLES: &str = "2";

/// The users and roles after a position, in order.
fn following<'a>(
    view: &'a ExplainView<'_>,
    after: Option<&str>,
) -> impl Iterator<Item = Grantee> + use<'a> {
    let after = after.and_then(|after| after.split_once(' '));
    let from = |kind: &str| match after {
        Some((last, name)) if last == kind => Bound::Excluded(FoldedName::new(name)),
        _ => Bound::Unbounded,
    };
    let has_users = after.is_none_or(|(last, _)| last == USERS);
    let users = has_users.then(|| view.account.users().range((from(USERS), Bound::Unbounded)));
    let roles = view.account.roles().range((from(ROLES), Bound::Unbounded));
    let users = users.into_iter().flatten();
    let users = users.map(|(_, user)| Grantee::User(Arc::clone(user)));
    users.chain(roles.map(|(_, role)| Grantee::Role(Arc::clone(role))))
}

impl PreparedAction for ListAuthorizedPrincipals {
    type Shape = keywright::ListAuthorizedPrincipals;
    type Prepared = Option<ResourcePolicy>;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let mut subjects = Vec::from(AuthTarget::every_principal(view));
        subjects.extend(AuthTarget::of_storage(&input.resource_arn));
        Ok(Requirement::On {
            own: vec![AuthTarget::everything()],
            subjects,
        })
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let found = with.quotable_resource(&input.resource_arn, None).await?;
        Ok(found.resource)
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        resource: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let view = &ExplainView {
            view,
            resource: resource.as_ref(),
        };
        let requested = (&*input.action_name, &*input.resource_arn);
        check(view, requested.0, requested.1)?;
        let filter = [requested.0, requested.1];
        let marker = input.marker.as_deref();
        let page = PageRequest::of(
            "ListAuthorizedPrincipals",
            &filter,
            marker,
            Some(PRINCIPALS_PER_PAGE),
        )?;
        let (grantees, mut marker) = page.take(following(view, page.after()), place);
        let (mut principals, mut steps) = (Vec::new(), StepsLeft::new());
        if page.after().is_none() {
            principals.extend(authorized(view, None, requested, &mut steps)?);
        }
        let mut last = None;
        for grantee in &grantees {
            match (authorized(view, Some(grantee), requested, &mut steps), last) {
                (Ok(found), _) => principals.extend(found),
                (Err(fault), None) => return Err(fault),
                // The page ends before the first principal that takes too many steps.
                (Err(_), Some(last)) => {
                    marker = Some(page.marker(&place(last)));
                    break;
                }
            }
            last = Some(grantee);
        }
        Ok(ActionResult::answer(
            keywright::ListAuthorizedPrincipalsOutput {
                principals,
                is_truncated: marker.is_some(),
                marker,
            },
        ))
    }
}

#[cfg(test)]
mod tests;
