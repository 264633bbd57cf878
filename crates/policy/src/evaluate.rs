//! The decision. It protects two rules: an explicit deny anywhere wins, and without a reason to
//! allow the answer is no.
//!
//! It knows the order of AWS's layers and nothing else: which policies belong to a request, the
//! caller knows (no service control policies for a management account, for example).

mod every;
mod weigh;

use std::sync::Arc;

use keywright_base::{AccountId, limits};

pub use self::every::{evaluate_every, evaluate_every_within};
pub(crate) use self::weigh::{ConsultedPolicy, LayerGrants, all, conclude, walk};
use crate::{
    context::{ContextLookup, EvaluationEnv, StepCounter},
    implied::implied_arn,
    index::{RequestAction, ServiceReach},
    policy::{Policy, PolicyQuery, PolicyVerdict},
    principal::{PrincipalRef, UserId},
    reason::{DenialCause, DenialReason, PolicyLayer, PolicySource},
    resource::RequestResource,
};

/// The policies of one level of an organization, with where each comes from.
pub type PolicyLevel = Vec<(PolicySource, Arc<Policy>)>;

/// The policies that follow the principal.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// The principal's own policies, inline and attached, and those of its groups. For a session of
    /// a federated user, those of the IAM user who made it.
    identity: Vec<(PolicySource, Arc<Policy>)>,
    /// What those are about.
    reach: ServiceReach,
    /// The permissions boundary.
    pub boundary: Option<Arc<Policy>>,
    /// The policies passed when the session was made, whose union limits it. `None`: none were
    /// passed. An empty list grants nothing.
    pub session: Option<Vec<Arc<Policy>>>,
    /// The service control policies of the principal's account, level by level from the
    /// organization's root to the account. Every level must allow. They bind the root user and
    /// spare service-linked roles; give none for a management account.
    pub service_control: Vec<PolicyLevel>,
    unreadable: bool,
}

impl PolicySet {
    /// Identity policies without boundary and session policies.
    pub fn new(identity: Vec<(PolicySource, Arc<Policy>)>) -> Self {
        Self {
            reach: ServiceReach::of(identity.iter().map(|(_, policy)| policy.index())),
            identity,
            boundary: None,
            session: None,
            service_control: Vec::new(),
            unreadable: false,
        }
    }

    /// The set that stands for policies that could not be read: it denies everything.
    pub fn unreadable() -> Self {
        Self {
            unreadable: true,
            ..Self::default()
        }
    }

    /// The set under a permissions boundary.
    #[must_use]
    pub fn with_boundary(self, boundary: Arc<Policy>) -> Self {
        Self {
            boundary: Some(boundary),
            ..self
        }
    }

    /// The set limited by the policies of a session.
    #[must_use]
    pub fn with_session(self, policies: Vec<Arc<Policy>>) -> Self {
        Self {
            session: Some(policies),
            ..self
        }
    }

    /// The set under the service control policies of an organization.
    #[must_use]
    pub fn with_service_control(self, levels: Vec<PolicyLevel>) -> Self {
        Self {
            service_control: levels,
            ..self
        }
    }

    /// The identity policies.
    pub fn identity(&self) -> &[(PolicySource, Arc<Policy>)] {
        &self.identity
    }

    /// Whether the set stands for policies that could not be read.
    pub const fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub principal: PrincipalRef<'a>,
    /// For example `s3:PutObject`, in any case.
    pub action: &'a str,
    /// An ARN, or `*` for actions that know no resources.
    pub resource: &'a str,
    /// The account that owns the resource; `None`: the principal's own.
    pub owner: Option<AccountId>,
    /// The condition keys, except those that follow from the principal.
    pub context: &'a dyn ContextLookup,
}

impl<'a> AccessRequest<'a> {
    /// A request on a resource of the principal's own account.
    pub const fn new(
        principal: PrincipalRef<'a>,
        action: &'a str,
        resource: &'a str,
        context: &'a dyn ContextLookup,
    ) -> Self {
        Self {
            principal,
            action,
            resource,
            owner: None,
            context,
        }
    }

    fn cross_account(&self) -> bool {
        let own = self.principal.account();
        own.is_none() || self.owner.is_some_and(|owner| Some(owner) != own)
    }
}

impl std::fmt::Debug for AccessRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("principal", &self.principal)
            .field("action", &self.action)
            .field("resource", &self.resource)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Go ahead.
    Allow,
    /// Refused.
    Deny(DenialReason),
}

impl Decision {
    /// Whether the request may go ahead.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// A decision, and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct MeasuredDecision {
    /// The answer.
    pub decision: Decision,
    /// Steps of matching.
    pub steps: u64,
    /// Whether it is a denial because there were not enough steps.
    pub cut_short: bool,
}

/// Every policy that has a say in a request.
#[derive(Debug, Clone, Copy)]
pub struct PoliciesInForce<'a> {
    /// Those that follow the principal.
    pub principal: &'a PolicySet,
    /// The resource's own: [`Layer::Resource`], or [`Layer::Trust`] for a role that is assumed,
    /// which must allow even in the same account.
    pub resource: Option<(PolicyLayer, &'a Policy)>,
    /// The resource control policies of the account that owns the resource, level by level. They
    /// count only for services that know them, and not for service-linked roles.
    pub resource_control: &'a [PolicyLevel],
}

impl<'a> PoliciesInForce<'a> {
    /// The principal's policies alone.
    pub const fn new(principal: &'a PolicySet) -> Self {
        Self {
            principal,
            resource: None,
            resource_control: &[],
        }
    }

    /// With a resource's policy.
    #[must_use]
    pub const fn with_resource(self, policy: &'a Policy) -> Self {
        Self {
            resource: Some((PolicyLayer::Resource, policy)),
            ..self
        }
    }

    /// With a role's trust policy.
    #[must_use]
    pub const fn with_trust(self, policy: &'a Policy) -> Self {
        Self {
            resource: Some((PolicyLayer::Trust, policy)),
            ..self
        }
    }

    /// Decides a request.
    pub fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        self.decide_within(request, limits::DECISION_STEPS).decision
    }

    /// Decides a request in so many steps at most; what needs more is denied.
    pub fn decide_within(&self, request: &AccessRequest<'_>, steps_max: u64) -> MeasuredDecision {
        if self.concerns_nobody(request) {
            let reason = DenialReason {
                cause: DenialCause::Silent(PolicyLayer::Identity),
                cross_account: false,
            };
            return MeasuredDecision {
                decision: Decision::Deny(reason),
                steps: 1,
                cut_short: false,
            };
        }
        let mut room = EvaluationBuffers::with(StepCounter::of(steps_max));
        let decision = self.decide_in(&mut room, request);
        let left = room.steps.left();
        MeasuredDecision {
            decision,
            steps: steps_max.saturating_sub(left),
            cut_short: left == 0,
        }
    }

    fn decide_in(&self, room: &mut EvaluationBuffers, request: &AccessRequest<'_>) -> Decision {
        let outcome = match query(self.principal, request, room) {
            _ if self.principal.unreadable => Err(DenialCause::Unreadable),
            Some(query) => match gather(self, &query) {
                _ if query.env.steps.are_used_up() => Err(DenialCause::Unreadable),
                grants => grants.and_then(|grants| conclude(self, &grants, &query, request)),
            },
            None => Err(DenialCause::Unintelligible),
        };
        match outcome {
            Ok(()) => Decision::Allow,
            Err(cause) => Decision::Deny(DenialReason {
                cause,
                cross_account: request.cross_account(),
            }),
        }
    }
}

impl PoliciesInForce<'_> {
    /// Whether there are identity policies only and none of them speaks of the action's service:
    /// then nothing need be asked. What could not be read is left to the long way.
    fn concerns_nobody(&self, request: &AccessRequest<'_>) -> bool {
        let set = self.principal;
        let others = self.resource.is_some()
            || set.boundary.is_some()
            || set.session.is_some()
            || set.unreadable
            || !(self.resource_control.is_empty() && set.service_control.is_empty());
        !others
            && matches!(request.principal, PrincipalRef::User { .. })
            && !request.cross_account()
            && set.reach.excludes(request.action)
            && request.action.len() <= ACTION_BYTES
            && RequestResource::is_readable(request.resource)
    }
}

/// Decides a request, given the policies of the principal and of the resource.
pub fn evaluate(
    set: &PolicySet,
    resource_policy: Option<&Policy>,
    request: &AccessRequest<'_>,
) -> Decision {
    let policies = PoliciesInForce {
        resource: resource_policy.map(|policy| (PolicyLayer::Resource, policy)),
        ..PoliciesInForce::new(set)
    };
    policies.decide(request)
}

/// Decides whether a role may be assumed (or its sessions tagged): the trust policy must allow, and
/// where it names only the account or comes from another one, the principal's policies must too.
pub fn evaluate_trust(set: &PolicySet, trust: &Policy, request: &AccessRequest<'_>) -> Decision {
    PoliciesInForce::new(set).with_trust(trust).decide(request)
}

/// What a request is taken apart into: memory of the caller's stack, so that deciding allocates
/// nothing.
pub(crate) struct EvaluationBuffers {
    action: [u8; ACTION_BYTES],
    user_id: UserId,
    /// Stays empty but for the few actions whose resource is implied.
    resource: String,
    steps: StepCounter,
}

impl EvaluationBuffers {
    pub(crate) const fn new() -> Self {
        Self::with(StepCounter::new())
    }

    /// For another purpose than a decision.
    pub(crate) const fn with(steps: StepCounter) -> Self {
        Self {
            action: [0; ACTION_BYTES],
            user_id: UserId::new(),
            resource: String::new(),
            steps,
        }
    }
}

/// Bytes of the longest action that can be asked for. AWS's longest has 73.
const ACTION_BYTES: usize = 128;

/// Takes a request apart; `None` when its action or resource has no known form.
pub(crate) fn query<'a>(
    set: &PolicySet,
    request: &'a AccessRequest<'_>,
    room: &'a mut EvaluationBuffers,
) -> Option<PolicyQuery<'a>> {
    let lower = room.action.get_mut(..request.action.len())?;
    lower.copy_from_slice(request.action.as_bytes());
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).ok()?;
    let resource = match request.resource {
        "*" => implied_arn(lower, request.principal.account(), &mut room.resource),
        _ => None,
    };
    Some(PolicyQuery {
        action: RequestAction::new(lower)?,
        target: RequestResource::parse(resource.unwrap_or(request.resource))?,
        bounded: set.boundary.is_some() && request.principal.is_entity(),
        env: EvaluationEnv {
            principal: &request.principal,
            user_id: request.principal.user_id(&mut room.user_id),
            context: request.context,
            steps: &room.steps,
        },
    })
}

/// Asks every policy; the first explicit deny ends it.
fn gather(
    policies: &PoliciesInForce<'_>,
    query: &PolicyQuery<'_>,
) -> Result<LayerGrants, DenialCause> {
    let mut grants = LayerGrants::new(query);
    walk(policies, query, |requested| {
        match requested.policy.verdict(query, requested.layer) {
            PolicyVerdict::Deny => Err(DenialCause::Explicit(
                requested.layer,
                requested.source.cloned(),
            )),
            PolicyVerdict::Grant(grant) => {
                grants.add(requested, grant);
                Ok(())
            }
        }
    })?;
    Ok(grants)
}
