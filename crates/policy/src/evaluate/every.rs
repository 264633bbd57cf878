//! Decides whether a request is allowed on every resource under a prefix, including resources that
//! do not exist yet.
//!
//! Invariant: what is not certain for all of them is denied. An Allow counts only if it covers them
//! all by itself, regardless of their tags. A Deny counts if it could match any of them.

use keywright_base::limits;

use super::{
    AccessRequest, Decision, EvaluationBuffers, LayerGrants, MeasuredDecision, PolicySet, conclude,
    query, walk,
};
use crate::{
    Effect, PoliciesInForce, Statement,
    condition::Condition,
    context::StepCounter,
    document::ElementClause,
    policy::{CompiledStatement, PolicyQuery},
    principal::GrantStrength,
    reason::{DenialCause, DenialReason, PolicyLayer},
    resource::{ArnPattern, RequestResource},
};

/// A character that occurs in no pattern, so that only a wildcard matches it.
const UNWRITTEN: &str = "\u{1}";
/// More question marks than fit into any policy.
const LONG: usize = 16 * 1024;

/// Decides a request on everything that starts with its resource, by the principal's policies.
/// `open` tells which condition keys (in lower case) are unknown because they follow from the
/// resource.
pub fn evaluate_every(
    set: &PolicySet,
    request: &AccessRequest<'_>,
    open: &dyn Fn(&str) -> bool,
) -> Decision {
    evaluate_every_within(set, request, open, limits::DECISION_STEPS).decision
}

/// Like [`evaluate_every`], within a maximum number of steps; denies if it needs more.
pub fn evaluate_every_within(
    set: &PolicySet,
    request: &AccessRequest<'_>,
    open: &dyn Fn(&str) -> bool,
    steps_max: u64,
) -> MeasuredDecision {
    let mut room = EvaluationBuffers::with(StepCounter::of(steps_max));
    let decided = decide(set, request, open, &mut room);
    let left = room.steps.left();
    let outcome = match decided {
        Ok(()) if left == 0 => Err(DenialCause::Unreadable),
        decided => decided,
    };
    let decision = match outcome {
        Ok(()) => Decision::Allow,
        Err(cause) => Decision::Deny(DenialReason {
            cause,
            cross_account: request.cross_account(),
        }),
    };
    MeasuredDecision {
        decision,
        steps: steps_max.saturating_sub(left),
        cut_short: left == 0,
    }
}

fn decide(
    set: &PolicySet,
    request: &AccessRequest<'_>,
    open: &dyn Fn(&str) -> bool,
    room: &mut EvaluationBuffers,
) -> Result<(), DenialCause> {
    if set.is_unreadable() {
        return Err(DenialCause::Unreadable);
    }
    let prefix = request.resource;
    let [short, long] = [1, LONG].map(|length| format!("{prefix}{}", UNWRITTEN.repeat(length)));
    let targets = RequestResource::parse(&short).zip(RequestResource::parse(&long));
    let (Some((short, long)), Some(query)) = (targets, query(set, request, room)) else {
        return Err(DenialCause::Unintelligible);
    };
    let every = PrefixQuestion {
        prefix,
        ends: [short, long].map(|target| PolicyQuery { target, ..query }),
        open,
    };
    let policies = PoliciesInForce::new(set);
    let mut grants = LayerGrants::new(&query);
    walk(&policies, &query, |consulted| {
        let mut best = GrantStrength::None;
        let mut denied = false;
        if !query
            .env
            .steps
            .take(consulted.policy.index().steps(&query.action))
        {
            return Err(DenialCause::Unreadable);
        }
        consulted.policy.each(&query, |written, compiled| {
            let granted = compiled.granted_to(&query, consulted.layer);
            let allows = written.effect == Effect::Allow;
            if allows && best < granted && every.is_covered((written, compiled), consulted.layer) {
                best = granted;
            }
            denied = !allows
                && compiled.aimed_at(&query, consulted.layer)
                && every.may_be_met(written, compiled);
            !denied
        });
        if denied {
            return Err(DenialCause::Explicit(
                consulted.layer,
                consulted.source.cloned(),
            ));
        }
        grants.add(consulted, best);
        Ok(())
    })?;
    conclude(&policies, &grants, &query, request)
}

/// All resources under a prefix.
struct PrefixQuestion<'a> {
    prefix: &'a str,
    /// The shortest resource, and one longer than any pattern's question marks. A pattern that
    /// matches both has an asterisk after its last letter, and so matches all.
    ends: [PolicyQuery<'a>; 2],
    open: &'a dyn Fn(&str) -> bool,
}

impl PrefixQuestion<'_> {
    /// Whether an Allow covers all of them and its conditions hold for all.
    fn is_covered(
        &self,
        (written, compiled): (&Statement, &CompiledStatement),
        layer: PolicyLayer,
    ) -> bool {
        let patterns = compiled.patterns();
        let ends = self.ends.iter().all(|end| compiled.covers(end, layer));
        let about = match &written.resource {
            Some(ElementClause {
                negated: true,
                elements,
            }) => {
                let mut texts = elements.iter().flatten();
                !texts.any(|text| self.may_match(text))
            }
            _ => compiled.is_about_all() || patterns.iter().any(|it| self.matches_all(it)),
        };
        let variables = patterns.iter().flat_map(ArnPattern::variables);
        let certain = !variables.into_iter().any(|it| (self.open)(&it.key));
        let mut conditions = compiled.conditions().iter();
        about
            && ends
            && certain
            && !compiled.is_unreadable()
            && conditions.all(|it| !it.turns_on(self.open) && self.holds(it))
    }

    /// Whether a Deny could match one of them.
    fn may_be_met(&self, written: &Statement, compiled: &CompiledStatement) -> bool {
        let patterns = compiled.patterns();
        let about = match &written.resource {
            None => true,
            Some(ElementClause { negated: true, .. }) => {
                let open = |it: &&ArnPattern| it.variables().iter().any(|it| (self.open)(&it.key));
                !patterns.iter().any(|it| self.matches_all(it) && !open(&it))
            }
            Some(ElementClause { elements, .. }) => {
                let mut texts = elements.iter().flatten();
                compiled.is_about_all() || texts.any(|text| self.may_match(text))
            }
        };
        let mut conditions = compiled.conditions().iter();
        about && conditions.all(|it| it.turns_on(self.open) || self.holds(it))
    }

    fn holds(&self, condition: &Condition) -> bool {
        self.ends.iter().all(|end| condition.holds(&end.env))
    }

    fn matches_all(&self, pattern: &ArnPattern) -> bool {
        let cost = pattern.cost();
        let mut ends = self.ends.iter();
        ends.all(|end| {
            let cost = cost.of(end.target.text().len());
            end.env.steps.take(cost) && pattern.matches(&end.target, &end.env)
        })
    }

    /// Whether an element as written could match one of them, judged by the text before its first
    /// wildcard or variable. IAM reads any first segment as `arn`.
    fn may_match(&self, text: &str) -> bool {
        let fixed = text.find(['*', '?', '$']).unwrap_or(text.len());
        let fixed = text.get(..fixed).unwrap_or_default();
        let tail = |text: &str| text.split_once(':').map(|(_, tail)| tail.to_owned());
        let (Some(head), Some(prefix)) = (tail(fixed), tail(self.prefix)) else {
            return true;
        };
        head.starts_with(&prefix) || prefix.starts_with(&head)
    }
}
