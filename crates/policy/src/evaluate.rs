//! The decision. Invariants: an explicit deny anywhere wins, and without a reason to allow the
//! request is denied.
//!
//! This module knows the order of AWS's layers and nothing else. The caller knows which policies
//! apply to a request (no service control policies for a management account, for example).

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

/// The policies of one level of an organization, each with its source.
pub type PolicyLevel = Vec<(PolicySource, Arc<Policy>)>;

/// The policies that apply to a principal.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// The principal's own policies, inline and attached, and those of its groups. For a federated
    /// user's session, those of the IAM user who created it.
    identity: Vec<(PolicySource, Arc<Policy>)>,
    /// The services that they are about.
    reach: ServiceReach,
    /// The permissions boundary.
    pub boundary: Option<Arc<Policy>>,
    /// The policies passed when the session was created; their union limits it. `None`: none were
    /// passed. An empty list grants nothing.
    pub session: Option<Vec<Arc<Policy>>>,
    /// The service control policies of the principal's account, level by level from the
    /// organization's root to the account. Every level must allow. They apply to the root user but
    /// not to service-linked roles. Pass none for a management account.
    pub service_control: Arc<[PolicyLevel]>,
    unreadable: bool,
}

impl PolicySet {
    /// A set of identity policies, without a boundary or session policies.
    pub fn new(identity: Vec<(PolicySource, Arc<Policy>)>) -> Self {
        Self {
            reach: ServiceReach::of(identity.iter().map(|(_, policy)| policy.index())),
            identity,
            boundary: None,
            session: None,
            service_control: Arc::default(),
            unreadable: false,
        }
    }

    /// A set that represents policies that could not be read. It denies everything.
    pub fn unreadable() -> Self {
        Self {
            unreadable: true,
            ..Self::default()
        }
    }

    /// Adds a permissions boundary.
    #[must_use]
    pub fn with_boundary(self, boundary: Arc<Policy>) -> Self {
        Self {
            boundary: Some(boundary),
            ..self
        }
    }

    /// Adds session policies.
    #[must_use]
    pub fn with_session(self, policies: Vec<Arc<Policy>>) -> Self {
        Self {
            session: Some(policies),
            ..self
        }
    }

    /// Adds an organization's service control policies.
    #[must_use]
    pub fn with_service_control(self, levels: impl Into<Arc<[PolicyLevel]>>) -> Self {
        Self {
            service_control: levels.into(),
            ..self
        }
    }

    /// The identity policies.
    pub fn identity(&self) -> &[(PolicySource, Arc<Policy>)] {
        &self.identity
    }

    /// All policies of the set.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let identity = self.identity.iter().map(|(_, policy)| policy);
        let control = self.service_control.iter().flatten();
        let session = self.session.iter().flatten();
        let own = identity.chain(&self.boundary).chain(session);
        own.chain(control.map(|(_, policy)| policy))
    }

    /// Whether the set represents policies that could not be read.
    pub const fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// The request to decide.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The principal that makes the request.
    pub principal: PrincipalRef<'a>,
    /// The action in any case, for example `s3:PutObject`.
    pub action: &'a str,
    /// An ARN, or `*` for actions without resources.
    pub resource: &'a str,
    /// The account that owns the resource; `None`: the principal's own account.
    pub owner: Option<AccountId>,
    /// The condition keys, except those that follow from the principal.
    pub context: &'a dyn ContextLookup,
}

impl<'a> AccessRequest<'a> {
    /// A request on a resource in the principal's own account.
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

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The request is allowed.
    Allow,
    /// The request is denied.
    Deny(DenialReason),
}

impl Decision {
    /// Whether the request is allowed.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// A decision and its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct MeasuredDecision {
    /// The decision.
    pub decision: Decision,
    /// The matching steps taken.
    pub steps: u64,
    /// Whether the request was denied for lack of steps.
    pub cut_short: bool,
}

/// Every policy that applies to a request.
#[derive(Debug, Clone, Copy)]
pub struct PoliciesInForce<'a> {
    /// The principal's policies.
    pub principal: &'a PolicySet,
    /// The resource's own policy: [`PolicyLayer::Resource`], or [`PolicyLayer::Trust`] for the role
    /// being assumed, which must allow even within the same account.
    pub resource: Option<(PolicyLayer, &'a Policy)>,
    /// The resource control policies of the resource owner's account, level by level. They apply
    /// only to services that support them, and not to service-linked roles.
    pub resource_control: &'a [PolicyLevel],
}

impl<'a> PoliciesInForce<'a> {
    /// The principal's policies only.
    pub const fn new(principal: &'a PolicySet) -> Self {
        Self {
            principal,
            resource: None,
            resource_control: &[],
        }
    }

    /// Adds a resource's policy.
    #[must_use]
    pub const fn with_resource(self, policy: &'a Policy) -> Self {
        Self {
            resource: Some((PolicyLayer::Resource, policy)),
            ..self
        }
    }

    /// Adds a role's trust policy.
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

    /// Decides a request within `steps_max` steps; denies it if it needs more.
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
    /// Whether there are only identity policies and none of them is about the action's service, so
    /// that evaluation can be skipped. Unreadable policies take the normal path.
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

/// Decides a request by the principal's and the resource's policies.
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

/// Decides whether a role may be assumed (or its sessions tagged). The trust policy must allow it.
/// If it only names the account, or is in a different account, the principal's policies must allow
/// it too.
pub fn evaluate_trust(set: &PolicySet, trust: &Policy, request: &AccessRequest<'_>) -> Decision {
    PoliciesInForce::new(set).with_trust(trust).decide(request)
}

/// Memory for the parsed request, on the caller's stack, so that a decision does not allocate.
pub(crate) struct EvaluationBuffers {
    action: [u8; ACTION_BYTES],
    user_id: UserId,
    /// Empty except for the few actions with an implied resource.
    resource: String,
    steps: StepCounter,
}

impl EvaluationBuffers {
    pub(crate) const fn new() -> Self {
        Self::with(StepCounter::new())
    }

    /// Buffers for purposes other than a decision.
    pub(crate) const fn with(steps: StepCounter) -> Self {
        Self {
            action: [0; ACTION_BYTES],
            user_id: UserId::new(),
            resource: String::new(),
            steps,
        }
    }
}

/// Maximum length of an action in a request, in bytes. AWS's longest has 73.
const ACTION_BYTES: usize = 128;

/// Parses a request; `None` if its action or resource is malformed.
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

/// Evaluates every policy and stops at the first explicit deny.
fn gather(
    policies: &PoliciesInForce<'_>,
    query: &PolicyQuery<'_>,
) -> Result<LayerGrants, DenialCause> {
    let mut grants = LayerGrants::new(query);
    walk(policies, query, |consulted| {
        match consulted.policy.verdict(query, consulted.layer) {
            PolicyVerdict::Deny => Err(DenialCause::Explicit(
                consulted.layer,
                consulted.source.cloned(),
            )),
            PolicyVerdict::Grant(grant) => {
                grants.add(consulted, grant);
                Ok(())
            }
        }
    })?;
    Ok(grants)
}
