//! The result of AWS's policy simulator for one action on one resource, as data. Invariant: a
//! simulation is the real decision with its explanation, never a second evaluator.
//!
//! AWS's simulator differs from its own authorization in three points, which are deliberately not
//! copied: an unreadable number makes `NumericNotEquals` false; an unreadable network ends the
//! comparison and also makes `NotIpAddress` false; and a resource policy that names an account
//! grants to its users by itself.

use std::str::CharIndices;

use crate::{
    AccessRequest, Decision, Effect, Explanation, MissingAllow, PoliciesInForce, Policy,
    PolicyLayer, StatementRef, TextPosition, explain, missing_context_keys,
};

/// The three outcomes, named as in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulationOutcome {
    /// `allowed`
    Allowed,
    /// `explicitDeny`
    ExplicitDeny,
    /// `implicitDeny`
    ImplicitDeny,
}

impl SimulationOutcome {
    /// The outcome's name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}

impl From<&Decision> for SimulationOutcome {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allowed,
            Decision::Deny(reason) if reason.is_explicit() => Self::ExplicitDeny,
            Decision::Deny(_) => Self::ImplicitDeny,
        }
    }
}

/// The result for one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// `EvalDecision`.
    pub outcome: SimulationOutcome,
    /// `MatchedStatements`: the statements that decided, except those of an organization and the
    /// Allows of a boundary.
    pub matched: Vec<StatementRef>,
    /// `MissingContextValues`: the keys that a policy refers to and the request lacks. Empty unless
    /// the outcome is an implicit deny.
    pub missing: Vec<String>,
    /// `AllowedByPermissionsBoundary`; `None` without a boundary.
    pub allowed_by_boundary: Option<bool>,
    /// `AllowedByOrganizations`; `None` without organization policies.
    pub allowed_by_organizations: Option<bool>,
    /// `EvalDecisionDetails`: the outcome of each policy type by itself. Only if caller and
    /// resource are in different accounts.
    pub details: Vec<(PolicyLayer, SimulationOutcome)>,
}

/// Decides a request and reports the decision as the simulator does.
pub fn simulate(policies: &PoliciesInForce<'_>, request: &AccessRequest<'_>) -> Simulation {
    let explanation = explain(policies, request);
    let set = policies.principal;
    let boundary = set.boundary.is_some();
    let organized = !set.service_control.is_empty() || !policies.resource_control.is_empty();
    // Anything that an organization does not allow is among the needs.
    let of_organization = |need: &MissingAllow| {
        let layer = match need {
            MissingAllow::WithoutDeny { statement, .. } => statement.layer,
            MissingAllow::Allow { layer, .. } => *layer,
        };
        matches!(
            layer,
            PolicyLayer::ServiceControl | PolicyLayer::ResourceControl
        )
    };
    let outcome = SimulationOutcome::from(&explanation.decision);
    let missing = match outcome {
        SimulationOutcome::ImplicitDeny => missing_context_keys(policies, request),
        SimulationOutcome::Allowed | SimulationOutcome::ExplicitDeny => Vec::new(),
    };
    let foreign = request.owner.is_some() && request.owner != request.principal.account();
    Simulation {
        outcome,
        allowed_by_boundary: boundary.then(|| allows(&explanation, PolicyLayer::Boundary)),
        allowed_by_organizations: organized.then(|| !explanation.needs.iter().any(of_organization)),
        missing,
        details: if foreign && policies.resource.is_some() {
            details(&explanation, boundary)
        } else {
            Vec::new()
        },
        matched: matched(&explanation, outcome),
    }
}

/// The statements that AWS reports, by layer. If a resource policy denies, the Allows of the other
/// side are reported as well.
fn matched(explanation: &Explanation, outcome: SimulationOutcome) -> Vec<StatementRef> {
    if outcome == SimulationOutcome::ImplicitDeny {
        return Vec::new();
    }
    let resource_denies =
        layer_outcome(explanation, PolicyLayer::Resource) == SimulationOutcome::ExplicitDeny;
    let of = |layer: PolicyLayer| {
        let listed = match layer_outcome(explanation, layer) {
            SimulationOutcome::ExplicitDeny => Some(Effect::Deny),
            SimulationOutcome::Allowed if layer == PolicyLayer::Boundary => None,
            SimulationOutcome::Allowed => {
                (outcome == SimulationOutcome::Allowed || resource_denies).then_some(Effect::Allow)
            }
            SimulationOutcome::ImplicitDeny => None,
        };
        let own = explanation.statements.iter();
        own.filter(move |e| e.statement.layer == layer && e.applies() && Some(e.effect) == listed)
    };
    let layers = [
        PolicyLayer::Boundary,
        PolicyLayer::Resource,
        PolicyLayer::Identity,
    ];
    let all = layers.into_iter().flat_map(of);
    all.map(|examined| examined.statement.clone()).collect()
}

fn details(explanation: &Explanation, boundary: bool) -> Vec<(PolicyLayer, SimulationOutcome)> {
    let mut layers = vec![PolicyLayer::Identity, PolicyLayer::Resource];
    if boundary {
        layers.push(PolicyLayer::Boundary);
    }
    let layers = layers.into_iter();
    layers
        .map(|layer| (layer, layer_outcome(explanation, layer)))
        .collect()
}

/// The outcome of a layer by itself.
fn layer_outcome(explanation: &Explanation, layer: PolicyLayer) -> SimulationOutcome {
    let own = explanation.statements.iter();
    let mut own = own.filter(|e| e.statement.layer == layer && e.applies());
    let effects = own.clone().map(|examined| examined.effect);
    if effects.clone().any(|effect| effect == Effect::Deny) {
        SimulationOutcome::ExplicitDeny
    } else if own.next().is_some() {
        SimulationOutcome::Allowed
    } else {
        SimulationOutcome::ImplicitDeny
    }
}

/// The positions of AWS's parser before and after each statement: just after the bracket or the
/// previous statement (after its own brace, if it stands alone), and just after its closing brace.
/// Scans the text once, however many statements it has.
pub fn statement_positions(policy: &Policy, text: &str) -> Vec<(TextPosition, TextPosition)> {
    let mut reader = PositionCounter::new(text);
    let statements = policy.document().statements.iter();
    let each = statements.map(|statement| {
        let span = statement.span;
        let before = text.get(..span.start).unwrap_or_default().trim_end();
        let start = match before.strip_suffix(',') {
            Some(earlier) => earlier.trim_end().len(),
            None if before.ends_with('[') => before.len(),
            None => span.start + 1,
        };
        (reader.position(start), reader.position(span.end))
    });
    each.collect()
}

/// Counts lines and columns while scanning a text. Agrees with [`TextPosition::of`], which counts
/// from the beginning.
struct PositionCounter<'a> {
    rest: CharIndices<'a>,
    at: TextPosition,
    after_return: bool,
}

impl<'a> PositionCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            at: TextPosition { line: 1, column: 1 },
            after_return: false,
        }
    }

    /// The position of a byte, which must not be before the previous one.
    fn position(&mut self, byte: usize) -> TextPosition {
        while self.rest.offset() < byte
            && let Some((_, character)) = self.rest.next()
        {
            match character {
                // The second half of a CR LF.
                '\n' if self.after_return => {}
                '\r' | '\n' => self.at.line += 1,
                _ => self.at.column += 1,
            }
            if matches!(character, '\r' | '\n') {
                self.at.column = 1;
            }
            self.after_return = character == '\r';
        }
        self.at
    }
}

/// Whether a layer allows and does not deny.
fn allows(explanation: &Explanation, layer: PolicyLayer) -> bool {
    layer_outcome(explanation, layer) == SimulationOutcome::Allowed
}

#[cfg(test)]
mod tests {
    use super::{PositionCounter, TextPosition};

    #[test]
    fn positions_on_the_way_are_those_from_the_beginning() {
        for text in [
            "",
            "ab",
            "a\nb\r\nc\rd\n\re",
            "\u{e9}\n\u{1f600}x",
            "\r\r\n\n\r\n",
        ] {
            let mut reader = PositionCounter::new(text);
            for byte in 0..text.len() + 2 {
                let expected = TextPosition::of(text, byte);
                assert_eq!(reader.position(byte), expected, "{text:?} {byte}");
            }
        }
    }
}
