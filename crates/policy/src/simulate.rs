//! What AWS's policy simulator answers for one action on one resource, as data. It protects one
//! rule: a simulation is the real decision with its explanation, never a second evaluator.
//!
//! AWS's simulator differs from its own authorization in one point that is deliberately not copied:
//! there an unreadable number makes `NumericNotEquals` false.

use crate::{
    Decision, Effect, Examined, Explanation, Layer, Need, Policies, Request, StatementRef, explain,
    missing_context_keys,
};

/// The three outcomes, as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `allowed`
    Allowed,
    /// `explicitDeny`
    ExplicitDeny,
    /// `implicitDeny`
    ImplicitDeny,
}

impl Outcome {
    /// The API's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}

impl From<&Decision> for Outcome {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allowed,
            Decision::Deny(reason) if reason.is_explicit() => Self::ExplicitDeny,
            Decision::Deny(_) => Self::ImplicitDeny,
        }
    }
}

/// The answer for one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// `EvalDecision`.
    pub outcome: Outcome,
    /// `MatchedStatements`: those that decided.
    pub matched: Vec<StatementRef>,
    /// `MissingContextValues`: the keys that a policy refers to and the request does not have.
    pub missing: Vec<String>,
    /// `AllowedByPermissionsBoundary`; `None` without a boundary.
    pub allowed_by_boundary: Option<bool>,
    /// `AllowedByOrganizations`; `None` without organization policies.
    pub allowed_by_organizations: Option<bool>,
}

/// Decides a request as the simulator reports it.
pub fn simulate(policies: &Policies<'_>, request: &Request<'_>) -> Simulation {
    let explanation = explain(policies, request);
    let set = policies.principal;
    let boundary = set.boundary.is_some();
    let organized = !set.service_control.is_empty() || !policies.resource_control.is_empty();
    // Whatever an organization keeps from being allowed is among the needs.
    let of_organization = |need: &Need| {
        let layer = match need {
            Need::WithoutDeny(statement) => statement.layer,
            Need::Allow { layer, .. } => *layer,
        };
        matches!(layer, Layer::ServiceControl | Layer::ResourceControl)
    };
    Simulation {
        outcome: Outcome::from(&explanation.decision),
        allowed_by_boundary: boundary.then(|| allows(&explanation, Layer::Boundary)),
        allowed_by_organizations: organized.then(|| !explanation.needs.iter().any(of_organization)),
        missing: missing_context_keys(policies, request),
        matched: explanation.decided_by,
    }
}

/// Whether a layer allows and does not deny.
fn allows(explanation: &Explanation, layer: Layer) -> bool {
    let own = |e: &&Examined| e.statement.layer == layer && e.applies();
    let mut applying = explanation.statements.iter().filter(own).peekable();
    applying.peek().is_some() && applying.all(|examined| examined.effect == Effect::Allow)
}
