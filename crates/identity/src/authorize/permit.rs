//! Creates approvals: decides an action on all of its targets within a step limit.
//!
//! Invariants:
//!
//! - A request thread makes only short decisions. Long ones are made outside those threads.
//! - The result of a long decision is reused only if everything it depends on is unchanged.

use std::sync::{Arc, OnceLock};

use keywright_base::limits;
use keywright_policy::{
    AccessRequest, Decision, MeasuredDecision, PoliciesInForce, Policy, PolicyDocument, PolicySet,
};
use keywright_wire::Service;

use super::{
    Approval, AuthTarget, Requirement, TrustCheck, effective,
    implied::{decide_on_every, with_implied},
    organizations::resource_control,
};
use crate::{
    action::ActionRequest,
    conditions::RequestConditions,
    denials::{DenialEvidence, QuotedEntity, TargetPolicies, TargetPolicy},
    fault::IamFault,
    ledger::IamLedger,
    state::Grantee,
    view::StateView,
};

/// A permission whose decision took long, for one request.
#[derive(Debug)]
pub(crate) struct LongDecision {
    /// The user or role with its tags, groups and policies. Keeping the reference prevents another
    /// one from being allocated at the same address.
    grantee: Grantee,
    grants_version: u64,
    organizations_version: u64,
    targets: Vec<AuthTarget>,
}

impl LongDecision {
    /// `None` for root, which has no policies that could take long.
    fn of(
        view: &StateView<'_>,
        targets: Vec<AuthTarget>,
        organizations_version: u64,
    ) -> Option<Self> {
        Some(Self {
            grantee: grantee(view)?,
            grants_version: view.account.grants_version(),
            organizations_version,
            targets,
        })
    }

    /// Whether the request would be decided by the same policies, tags and targets.
    fn is_of(&self, view: &StateView<'_>, targets: &[AuthTarget]) -> bool {
        grantee(view).is_some_and(|grantee| grantee.is_same(&self.grantee))
            && self.grants_version == view.account.grants_version()
            && self.organizations_version == view.ledger.organizations_version()
            && self.targets == targets
    }
}

fn grantee(view: &StateView<'_>) -> Option<Grantee> {
    view.caller.principal().grantee(view.account)
}

/// The remaining steps of a request's decisions.
struct StepsLeft {
    left: u64,
    /// Whether to defer a decision that needs more steps instead of denying it.
    may_be_long: bool,
}

impl StepsLeft {
    /// The limit on request threads.
    const SHORT: Self = Self {
        left: limits::SHORT_DECISION_STEPS,
        may_be_long: true,
    };
    /// The limit outside request threads.
    const LONG: Self = Self {
        left: limits::REQUEST_STEPS,
        may_be_long: false,
    };

    fn decide(
        &mut self,
        decide: impl FnOnce(u64) -> MeasuredDecision,
    ) -> Result<Decision, Refusal> {
        let measured = decide(self.left.min(limits::DECISION_STEPS));
        self.left = self.left.saturating_sub(measured.steps);
        if measured.cut_short && self.may_be_long {
            return Err(Refusal::CutShort);
        }
        Ok(measured.decision)
    }
}

/// Why there is no permit.
enum Refusal {
    Denied(IamFault),
    /// The decision takes too long to be made here.
    CutShort,
}

/// Decides an action and approves it if everything required is allowed. An extension action also
/// requires the permissions for what it does or reveals. `None` if the decision takes too long for
/// a request thread.
pub(crate) fn approve_shortly(
    view: &StateView<'_>,
    request: &dyn ActionRequest,
    before: Option<&LongDecision>,
) -> Option<Result<Approval, IamFault>> {
    let approved = Ok(Approval(request.operation()));
    let targets = match targets(view, request) {
        Ok(targets) => targets,
        Err(fault) => return Some(Err(fault)),
    };
    if before.is_some_and(|before| before.is_of(view, &targets)) {
        return Some(approved);
    }
    let mut steps = StepsLeft::SHORT;
    match decide_all(view, request, &targets, &mut steps) {
        Ok(()) => Some(approved),
        Err(Refusal::Denied(fault)) => Some(Err(fault)),
        Err(Refusal::CutShort) => None,
    }
}

/// As [`approve_shortly`] without the short limit. Also returns the decision if it took long. Not
/// for request threads.
///
/// # Errors
/// [`IamFault::AccessDenied`] with AWS's message, or what AWS reports before authorization.
pub(crate) fn approve_at_length(
    view: &StateView<'_>,
    request: &dyn ActionRequest,
) -> Result<(Approval, Option<LongDecision>), IamFault> {
    // Before anything is read of an organization.
    let organizations = view.ledger.organizations_version();
    let targets = targets(view, request)?;
    let mut steps = StepsLeft::LONG;
    match decide_all(view, request, &targets, &mut steps) {
        Ok(()) => {}
        Err(Refusal::Denied(fault)) => return Err(fault),
        Err(Refusal::CutShort) => return Err(IamFault::Internal("a decision was cut".to_owned())),
    }
    let taken = limits::REQUEST_STEPS - steps.left;
    let is_long = taken >= limits::SHORT_DECISION_STEPS;
    let long = is_long.then(|| LongDecision::of(view, targets, organizations));
    Ok((Approval(request.operation()), long.flatten()))
}

/// As [`approve_at_length`], for one of many actions that a request consists of. Uses up steps from
/// the limit of the request.
///
/// # Errors
/// As [`approve_at_length`].
pub(crate) fn approve_step(
    view: &StateView<'_>,
    request: &dyn ActionRequest,
    steps_left: &mut u64,
) -> Result<Approval, IamFault> {
    if !view.caller.may_call_iam() {
        return Err(IamFault::Revoked);
    }
    let targets = targets(view, request)?;
    let mut steps = StepsLeft {
        left: *steps_left,
        may_be_long: false,
    };
    let decided = decide_all(view, request, &targets, &mut steps);
    *steps_left = steps.left;
    match decided {
        Ok(()) => Ok(Approval(request.operation())),
        Err(Refusal::Denied(fault)) => Err(fault),
        Err(Refusal::CutShort) => Err(IamFault::Internal("a decision was cut".to_owned())),
    }
}

/// Whether the caller would be permitted an extension action with this requirement. Uses up steps
/// from the given limit. This is not a request, so a denial is not recorded.
pub(crate) fn would_permit(
    view: &StateView<'_>,
    (action, required): (&str, Requirement),
    steps_left: &mut u64,
) -> bool {
    let set = effective(view.ledger, view.account, view.caller);
    let mut allowed = |target: &AuthTarget| {
        let steps_max = (*steps_left).min(limits::DECISION_STEPS);
        let question = Question::new(view, action, target);
        let measured =
            question.ask(|request| decide(view.ledger, &set, request, target, steps_max));
        *steps_left = steps_left.saturating_sub(measured.steps);
        measured.decision.is_allowed()
    };
    // Most denials are decided here, before the implied actions are computed.
    let own = match &required {
        Requirement::Nothing => return false,
        Requirement::All(own) | Requirement::On { own, .. } => own.iter().all(&mut allowed),
    };
    let all = own.then(|| with_implied(view, action, required));
    all.is_some_and(|all| !all.is_empty() && may_do(view, &all) && all.iter().all(allowed))
}

/// Whether the caller may do what a target says. This is not a request, so a denial is not
/// recorded.
pub(crate) fn may(view: &StateView<'_>, target: &AuthTarget) -> bool {
    let set = effective(view.ledger, view.account, view.caller);
    let question = Question::new(view, "", target);
    let steps_max = limits::DECISION_STEPS;
    let decide =
        |request: &AccessRequest<'_>| decide(view.ledger, &set, request, target, steps_max);
    may_do(view, std::slice::from_ref(target)) && question.ask(decide).decision.is_allowed()
}

/// Everything an action is authorized on. Empty if every verified caller may use it.
fn targets(view: &StateView<'_>, request: &dyn ActionRequest) -> Result<Vec<AuthTarget>, IamFault> {
    let operation = request.operation();
    let action = operation.policy_action;
    let targets = match request.required(view)? {
        Requirement::Nothing if operation.service != Service::Keywright => return Ok(Vec::new()),
        required if operation.service == Service::Keywright => with_implied(view, action, required),
        Requirement::All(targets) => targets,
        Requirement::Nothing | Requirement::On { .. } => Vec::new(),
    };
    // Actions that a session may not call in IAM are closed to it in the extension too.
    if operation.service == Service::Keywright && !may_do(view, &targets) {
        return Err(IamFault::Revoked);
    }
    if targets.is_empty() {
        return Err(IamFault::Internal(format!(
            "{action} has no target to be authorized on"
        )));
    }
    Ok(targets)
}

/// Whether the kind of credentials can be used for the actions: those of IAM are closed to sessions
/// without MFA and to federated users, whatever their policies say.
fn may_do(view: &StateView<'_>, targets: &[AuthTarget]) -> bool {
    let is_iam = |target: &AuthTarget| {
        let service = target.action.and_then(|action| action.split_once(':'));
        service.is_some_and(|(service, _)| service.eq_ignore_ascii_case("iam"))
    };
    view.caller.may_call_iam() || !targets.iter().any(is_iam)
}

fn decide_all(
    view: &StateView<'_>,
    request: &dyn ActionRequest,
    targets: &[AuthTarget],
    steps: &mut StepsLeft,
) -> Result<(), Refusal> {
    let action = request.operation().policy_action;
    let set = effective(view.ledger, view.account, view.caller);
    for target in targets {
        check(view, &set, Question::new(view, action, target), steps)?;
    }
    Ok(())
}

/// One action on one target, with the data that its request borrows.
struct Question<'a> {
    action: &'a str,
    target: &'a AuthTarget,
    conditions: RequestConditions<'a>,
}

impl<'a> Question<'a> {
    fn new(view: &StateView<'a>, action: &'a str, target: &'a AuthTarget) -> Self {
        Self {
            action: target.action.unwrap_or(action),
            target,
            conditions: RequestConditions {
                ledger: view.ledger,
                caller: view.caller,
                account: view.account,
                facts: view.context,
                target,
            },
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(&AccessRequest<'_>) -> T) -> T {
        ask(&AccessRequest {
            principal: self.conditions.caller.principal().reference(),
            action: self.action,
            resource: &self.target.resource,
            owner: Some(
                self.target
                    .owner
                    .unwrap_or_else(|| self.conditions.account.id()),
            ),
            context: &self.conditions,
        })
    }
}

fn decide(
    ledger: &IamLedger,
    set: &PolicySet,
    request: &AccessRequest<'_>,
    target: &AuthTarget,
    steps_max: u64,
) -> MeasuredDecision {
    let control = resource_control(ledger, request.owner);
    let policies = PoliciesInForce {
        resource_control: control.as_deref().unwrap_or_default(),
        ..PoliciesInForce::new(set)
    };
    match &target.trust {
        _ if target.every => decide_on_every(set, request, target, steps_max),
        None => policies.decide_within(request, steps_max),
        Some(TrustCheck::Policy(trust)) => {
            policies.with_trust(trust).decide_within(request, steps_max)
        }
        Some(TrustCheck::Nobody) => policies
            .with_trust(nobody_trusted())
            .decide_within(request, steps_max),
    }
}

/// A trust policy that trusts no one.
pub(crate) fn nobody_trusted() -> &'static Arc<Policy> {
    static COMPILED: OnceLock<Arc<Policy>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        Arc::new(Policy::compile(&PolicyDocument {
            version: None,
            id: None,
            statements: Vec::new(),
        }))
    })
}

/// Decides one action on one target, and notes the target and a denial.
fn check(
    view: &StateView<'_>,
    set: &PolicySet,
    question: Question<'_>,
    steps: &mut StepsLeft,
) -> Result<(), Refusal> {
    let Question { action, target, .. } = question;
    let owner = target.owner.unwrap_or_else(|| view.account.id());
    view.record.note_resource(&target.resource, Some(owner));
    let decision = question
        .ask(|request| steps.decide(|most| decide(view.ledger, set, request, target, most)))?;
    let Decision::Deny(reason) = decision else {
        return Ok(());
    };
    let (arn, display) = (view.caller.arn(), &target.display);
    // AWS does not say which side of assuming a role denied it, nor whether the role exists.
    let why = match target.trust {
        None => reason.sentence(action),
        Some(_) => String::new(),
    };
    let text =
        format!("User: {arn} is not authorized to perform: {action} on resource: {display} {why}");
    // Across accounts, AWS gives no reason.
    let message = text.trim_end().to_owned();
    let evidence = question.ask(|request| {
        let mut request = *request;
        if target.every {
            request.resource = display;
            // A denial caused only by differences between users has no explanation as a single
            // request.
            let one = |most| PoliciesInForce::new(set).decide_within(&request, most);
            if steps.decide(one)?.is_allowed() {
                return Ok(None);
            }
        }
        let (who, names) = (view.caller.principal().clone(), question.conditions.names());
        let trust = target.trust.as_ref().map(|trust| {
            TargetPolicy::Trust(match trust {
                TrustCheck::Policy(trust) => Arc::clone(trust),
                TrustCheck::Nobody => Arc::clone(nobody_trusted()),
            })
        });
        let attached = TargetPolicies {
            own: trust,
            control: resource_control(view.ledger, request.owner).unwrap_or_default(),
        };
        let evidence = DenialEvidence::keep(who, &request, set, attached, names);
        let evidence = evidence.of_caller(view.account, view.caller);
        let own = target.owner.is_none_or(|owner| owner == view.id());
        Ok(Some(match &target.trust {
            Some(_) if own => {
                let (arn, tags) = (&target.resource, &target.resource_tags);
                evidence.with_role(QuotedEntity::new(arn, tags))
            }
            _ => evidence,
        }))
    })?;
    if let Some(evidence) = evidence {
        view.record.note_denial(&message, evidence);
    }
    Err(Refusal::Denied(IamFault::AccessDenied(message)))
}

#[cfg(test)]
mod tests;
