//! The decision. It protects two rules: an explicit deny anywhere wins, and without a reason to
//! allow the answer is no.
//!
//! It knows the order of AWS's layers and nothing else; organization policies are not among them.

use std::sync::Arc;

use keywright_base::AccountId;

use crate::{
    context::{Context, Env},
    policy::{Hashed, Policy, Query, Verdict},
    principal::{Grant, PrincipalRef},
    reason::{Cause, Layer, Reason, Source},
    resource::Target,
};

/// The policies that follow the principal.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// The principal's own policies, inline and attached, and those of its groups. For a session of
    /// a federated user, those of the IAM user who made it.
    pub identity: Vec<(Source, Arc<Policy>)>,
    /// The permissions boundary.
    pub boundary: Option<Arc<Policy>>,
    /// The policies passed when the session was made, whose union limits it. `None`: none were
    /// passed. An empty list grants nothing.
    pub session: Option<Vec<Arc<Policy>>>,
    unreadable: bool,
}

impl PolicySet {
    /// Identity policies without boundary and session policies.
    pub const fn new(identity: Vec<(Source, Arc<Policy>)>) -> Self {
        Self {
            identity,
            boundary: None,
            session: None,
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
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: PrincipalRef<'a>,
    /// For example `s3:PutObject`, in any case.
    pub action: &'a str,
    /// An ARN, or `*` for actions that know no resources.
    pub resource: &'a str,
    /// The account that owns the resource; `None`: the principal's own.
    pub owner: Option<AccountId>,
    /// The condition keys, except those that follow from the principal.
    pub context: &'a dyn Context,
}

impl<'a> Request<'a> {
    /// A request on a resource of the principal's own account.
    pub const fn new(
        principal: PrincipalRef<'a>,
        action: &'a str,
        resource: &'a str,
        context: &'a dyn Context,
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

impl std::fmt::Debug for Request<'_> {
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
    Deny(Reason),
}

impl Decision {
    /// Whether the request may go ahead.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// Decides a request, given the policies of the principal and of the resource.
pub fn evaluate(
    set: &PolicySet,
    resource_policy: Option<&Policy>,
    request: &Request<'_>,
) -> Decision {
    let attached = resource_policy.map(|policy| (Layer::Resource, policy));
    decide(set, attached, request)
}

/// Decides whether a role may be assumed (or its sessions tagged): the trust policy must allow, and
/// where it names only the account or comes from another one, the principal's policies must too.
pub fn evaluate_trust(set: &PolicySet, trust: &Policy, request: &Request<'_>) -> Decision {
    decide(set, Some((Layer::Trust, trust)), request)
}

fn decide(set: &PolicySet, attached: Option<(Layer, &Policy)>, request: &Request<'_>) -> Decision {
    let cross_account = request.cross_account();
    let mut buffer = [0; ACTION_BYTES];
    let outcome = match query(request, &mut buffer) {
        _ if set.unreadable => Err(Cause::Unreadable),
        Some(query) => gather(set, attached, &query)
            .and_then(|grants| conclude(set, &grants, request, attached.map(|(layer, _)| layer))),
        None => Err(Cause::Unintelligible),
    };
    match outcome {
        Ok(()) => Decision::Allow,
        Err(cause) => Decision::Deny(Reason {
            cause,
            cross_account,
        }),
    }
}

/// Bytes of the longest action that can be asked for. AWS's longest has 73.
const ACTION_BYTES: usize = 256;

/// Takes a request apart; `None` when its action or resource has no known form.
fn query<'a>(request: &'a Request<'_>, buffer: &'a mut [u8; ACTION_BYTES]) -> Option<Query<'a>> {
    let lower = buffer.get_mut(..request.action.len())?;
    lower.copy_from_slice(request.action.as_bytes());
    lower.make_ascii_lowercase();
    let action = std::str::from_utf8(lower).ok()?;
    let (service, name) = action.split_once(':')?;
    if service.is_empty() || name.is_empty() {
        return None;
    }
    Some(Query {
        action: Hashed::new(action),
        service: Hashed::new(service),
        name: Hashed::new(name),
        target: Target::parse(request.resource)?,
        env: Env {
            principal: &request.principal,
            context: request.context,
        },
    })
}

/// What each layer grants, once nothing denies.
struct Grants {
    identity: bool,
    boundary: bool,
    session: bool,
    attached: Grant,
}

/// Asks every policy; the first explicit deny ends it. A root user has no identity policies.
fn gather(
    set: &PolicySet,
    attached: Option<(Layer, &Policy)>,
    query: &Query<'_>,
) -> Result<Grants, Cause> {
    let root = matches!(query.env.principal, PrincipalRef::Root { .. });
    let mut grants = Grants {
        identity: root,
        boundary: true,
        session: true,
        attached: Grant::None,
    };
    if !root {
        for (source, policy) in &set.identity {
            let source = || Some(source.clone());
            grants.identity |= ask(policy, query, Layer::Identity, source)? != Grant::None;
        }
        if let Some(policy) = &set.boundary {
            grants.boundary = ask(policy, query, Layer::Boundary, || None)? != Grant::None;
        }
        if let Some(policies) = &set.session {
            grants.session = false;
            for policy in policies {
                grants.session |= ask(policy, query, Layer::Session, || None)? != Grant::None;
            }
        }
    }
    if let Some((layer, policy)) = attached {
        grants.attached = ask(policy, query, layer, || None)?;
    }
    Ok(grants)
}

fn ask(
    policy: &Policy,
    query: &Query<'_>,
    layer: Layer,
    source: impl Fn() -> Option<Source>,
) -> Result<Grant, Cause> {
    match policy.verdict(query, layer) {
        Verdict::Deny => Err(Cause::Explicit(layer, source())),
        Verdict::Grant(grant) => Ok(grant),
    }
}

/// Weighs the grants against each other.
fn conclude(
    set: &PolicySet,
    grants: &Grants,
    request: &Request<'_>,
    attached: Option<Layer>,
) -> Result<(), Cause> {
    let required = request.cross_account() || attached == Some(Layer::Trust);
    if required && grants.attached == Grant::None {
        return Err(Cause::Silent(attached.unwrap_or(Layer::Resource)));
    }
    let vouched = match request.principal {
        // They have no policies of their own.
        PrincipalRef::Anonymous | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
            return Ok(());
        }
        _ if request.cross_account() => Grant::None,
        _ => grants.attached,
    };
    if vouched == Grant::Direct {
        return Ok(());
    }
    // A federated session made without policies has no permissions from its user.
    let federated = matches!(request.principal, PrincipalRef::FederatedUser { .. });
    let session = grants.session && !(federated && set.session.is_none());
    if vouched < Grant::Limited && !grants.identity {
        return Err(Cause::Silent(Layer::Identity));
    }
    if !grants.boundary {
        return Err(Cause::Silent(Layer::Boundary));
    }
    if !session {
        return Err(Cause::Silent(Layer::Session));
    }
    Ok(())
}
