//! Why a request was decided as it was, as data. Invariant: an explanation runs the same compiled
//! statements as the decision, so the two cannot disagree.
//!
//! Explanations are for people and may be slow: they examine every statement of every policy.

mod text;
mod withhold;

use std::collections::BTreeSet;

use keywright_base::limits;

use crate::{
    AccessRequest, ContextValues, Decision, Effect, PoliciesInForce, PolicyLayer, PolicySource,
    Statement, TextSpan,
    condition::Condition,
    context::{EvaluationEnv, StepCounter},
    document::ConditionClause,
    evaluate::{ConsultedPolicy, EvaluationBuffers, LayerGrants, all, conclude, query, walk},
    pattern,
    policy::{CompiledStatement, PolicyQuery},
    principal::GrantStrength,
    reason::DenialCause,
};

/// A decision and everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The action of the request.
    pub action: String,
    /// The resource of the request.
    pub resource: String,
    /// The result of [`PoliciesInForce::decide`].
    pub decision: Decision,
    /// The statements that decided: every matching Deny for an explicit denial, every matching
    /// Allow if allowed. Empty if nothing matched, and for a root user that needs no Allow.
    pub decided_by: Vec<StatementRef>,
    /// Every statement of every policy that applies, in order of evaluation.
    pub statements: Vec<StatementTrace>,
    /// Everything that would be needed, together, to allow a denied request. Empty if the request
    /// is allowed, and if the request or a policy could not be read.
    pub needs: Vec<MissingAllow>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRef {
    /// The layer of its policy.
    pub layer: PolicyLayer,
    /// The organization's level, from the root; 0 for other policies.
    pub level: usize,
    /// The policy's index in its layer or level.
    pub policy: usize,
    /// The policy's name: the one set by [`Policy::with_id`](crate::Policy::with_id), or else the
    /// ARN of a managed policy.
    pub id: Option<String>,
    /// The statement's index in the policy.
    pub index: usize,
    /// The `Sid`, unless empty.
    pub sid: Option<String>,
    /// The statement's span in the policy's text.
    pub span: TextSpan,
}

/// A statement, and why it does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementTrace {
    /// The statement.
    pub statement: StatementRef,
    /// The statement's effect.
    pub effect: Effect,
    /// Why the statement does not apply; empty if it applies.
    pub mismatches: Vec<StatementMismatch>,
}

/// Why a statement does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementMismatch {
    /// It covers other actions.
    Action,
    /// It names other principals.
    Principal(ElementValues),
    /// It covers other resources.
    Resource {
        /// The resources as written.
        about: ElementValues,
        /// The values of the variables in them.
        variables: Vec<VariableTrace>,
    },
    /// A condition does not hold.
    Condition(ConditionTrace),
    /// A condition operator does not exist, so the statement grants nothing.
    Unreadable,
}

/// The values listed in an element of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementValues {
    /// Whether the element is negated (`NotResource`, `NotPrincipal`).
    pub negated: bool,
    /// The values as written.
    pub listed: Vec<String>,
}

/// A variable and its value in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableTrace {
    /// The condition key, in lower case.
    pub key: String,
    /// The value or default; `None` if there is neither.
    pub value: Option<String>,
}

/// One key of a condition: the values it requires, and the value in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionTrace {
    /// The operator as written.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// The policy's values as written.
    pub wanted: Vec<String>,
    /// The values of the variables in them.
    pub variables: Vec<VariableTrace>,
    /// The value in the request.
    pub found: FoundValue,
}

/// The value of a condition key in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundValue {
    /// The request does not have the key.
    Absent,
    /// A single value.
    One(String),
    /// A list.
    Many(Vec<String>),
    /// The reader may not know it.
    Withheld,
}

/// One of the changes that are needed to allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingAllow {
    /// The Deny must be removed, or must not apply.
    WithoutDeny {
        /// The statement.
        statement: StatementRef,
        /// Its conditions, all of which hold. If one did not, the Deny would not apply.
        conditions: Vec<ConditionTrace>,
        /// The principals that it exempts, if it denies all but some.
        spares: Vec<String>,
    },
    /// The layer must allow the request.
    Allow {
        /// The layer.
        layer: PolicyLayer,
        /// Its Allow statements that are closest to matching: those with the fewest mismatches.
        nearest: Vec<StatementTrace>,
    },
}

/// The maximum steps that [`explain`] and [`simulate`](crate::simulate) take for a request.
/// Computed without taking them, so that a limit can be enforced in advance.
pub fn explanation_steps(policies: &PoliciesInForce<'_>, request: &AccessRequest<'_>) -> u64 {
    let mut room = EvaluationBuffers::new();
    let Some(query) = query(policies.principal, request, &mut room) else {
        return 0;
    };
    let each = all(policies).map(|policy| {
        let statements = policy.statements();
        let statements = statements.map(|(written, compiled)| {
            // The text of the statement is copied.
            let display = written.span.end.saturating_sub(written.span.start) as u64;
            compiled.steps(&query).saturating_add(display)
        });
        let index = policy.index().steps(&query.action);
        statements.fold(index, u64::saturating_add)
    });
    // One pass to decide, one to find each statement's mismatches.
    each.fold(0, u64::saturating_add).saturating_mul(2)
}

/// Decides a request and explains the decision. Returns only the decision if the explanation would
/// take more than [`PAGE_STEPS`](limits::PAGE_STEPS) steps.
pub fn explain(policies: &PoliciesInForce<'_>, request: &AccessRequest<'_>) -> Explanation {
    let decision = policies.decide(request);
    let affordable = explanation_steps(policies, request) <= limits::PAGE_STEPS;
    let mut room = EvaluationBuffers::with(StepCounter::of(limits::PAGE_STEPS));
    let mut explanation = Explanation {
        action: request.action.to_owned(),
        resource: request.resource.to_owned(),
        decision,
        decided_by: Vec::new(),
        statements: Vec::new(),
        needs: Vec::new(),
    };
    let query = match query(policies.principal, request, &mut room) {
        Some(query) if affordable && !policies.principal.is_unreadable() => query,
        _ => return explanation,
    };
    let mut grants = LayerGrants::new(&query);
    let examined = &mut explanation.statements;
    let mut needs = Vec::new();
    let walked = walk(policies, &query, |consulted| {
        let mut best = GrantStrength::None;
        let selected = consulted.policy.index().selected(&query.action);
        for (index, (written, compiled)) in consulted.policy.statements().enumerate() {
            let mut mismatches = mismatches_of(written, compiled, &query, consulted.layer);
            if !selected.contains(&index) {
                mismatches.insert(0, StatementMismatch::Action);
            }
            if mismatches.is_empty() && written.effect == Effect::Allow {
                best = best.max(compiled.granted_to(&query, consulted.layer));
            }
            let statement = StatementRef::new(consulted, index, written);
            if mismatches.is_empty() && written.effect == Effect::Deny {
                needs.push(MissingAllow::WithoutDeny {
                    statement: statement.clone(),
                    conditions: tested(written, compiled, &query, |_| true),
                    spares: spared(written),
                });
            }
            examined.push(StatementTrace {
                statement,
                effect: written.effect,
                mismatches,
            });
        }
        grants.add(consulted, best);
        Ok(())
    });
    debug_assert!(walked.is_ok(), "the closure never ends the walk");
    if query.env.steps.are_used_up() {
        // Statements that were not compared explain nothing.
        explanation.statements.clear();
        return explanation;
    }
    let effect = match &explanation.decision {
        Decision::Allow => Some(Effect::Allow),
        Decision::Deny(reason) => reason.is_explicit().then_some(Effect::Deny),
    };
    let applying = explanation.statements.iter().filter(|e| e.applies());
    let deciding = applying.filter(|e| Some(e.effect) == effect);
    explanation.decided_by = deciding.map(|e| e.statement.clone()).collect();
    if !explanation.decision.is_allowed() {
        needs.extend(
            silent(policies, grants, &query, request).map(|layer| MissingAllow::Allow {
                layer,
                nearest: nearest(&explanation.statements, layer),
            }),
        );
        explanation.needs = needs;
    }
    explanation
}

impl Explanation {
    /// Sets the names of policies to those that `name` returns for a layer and index.
    pub fn name_policies(&mut self, name: impl Fn(PolicyLayer, usize) -> Option<String>) {
        let rename = |statement: &mut StatementRef| {
            if let Some(name) = name(statement.layer, statement.policy) {
                statement.id = Some(name);
            }
        };
        self.decided_by.iter_mut().for_each(rename);
        let examined = |examined: &mut StatementTrace| rename(&mut examined.statement);
        self.statements.iter_mut().for_each(examined);
        for need in &mut self.needs {
            match need {
                MissingAllow::WithoutDeny { statement, .. } => rename(statement),
                MissingAllow::Allow { nearest, .. } => nearest.iter_mut().for_each(examined),
            }
        }
    }
}

impl StatementTrace {
    /// Whether the statement applies to the request.
    pub const fn applies(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl StatementRef {
    fn new(consulted: &ConsultedPolicy<'_>, index: usize, statement: &Statement) -> Self {
        let managed = match consulted.source {
            Some(PolicySource::Managed(arn)) => Some(&**arn),
            Some(PolicySource::Inline) | None => None,
        };
        Self {
            layer: consulted.layer,
            level: consulted.level,
            policy: consulted.position,
            id: consulted.policy.id().or(managed).map(str::to_owned),
            index,
            sid: statement.sid.clone().filter(|sid| !sid.is_empty()),
            span: statement.span,
        }
    }
}

/// The layers that must additionally allow the request, if nothing denies it.
fn silent<'a>(
    policies: &'a PoliciesInForce<'_>,
    mut grants: LayerGrants,
    query: &'a PolicyQuery<'_>,
    request: &'a AccessRequest<'_>,
) -> impl Iterator<Item = PolicyLayer> + 'a {
    std::iter::from_fn(move || match conclude(policies, &grants, query, request) {
        Err(DenialCause::Silent(layer)) => {
            grants.raise(layer);
            Some(layer)
        }
        _ => None,
    })
}

/// The Allow statements of a layer with the fewest mismatches.
fn nearest(statements: &[StatementTrace], layer: PolicyLayer) -> Vec<StatementTrace> {
    let allows = statements
        .iter()
        .filter(|e| e.statement.layer == layer && e.effect == Effect::Allow && !e.applies());
    let about = allows.filter(|e| !e.mismatches.contains(&StatementMismatch::Action));
    let least = about.clone().map(|e| e.mismatches.len()).min();
    about
        .filter(|e| Some(e.mismatches.len()) == least)
        .cloned()
        .collect()
}

/// The mismatches of a statement, other than its actions.
fn mismatches_of(
    written: &Statement,
    compiled: &CompiledStatement,
    query: &PolicyQuery<'_>,
    layer: PolicyLayer,
) -> Vec<StatementMismatch> {
    let mut missing = Vec::new();
    let concerned = match written.effect {
        Effect::Allow => compiled.granted_to(query, layer) != GrantStrength::None,
        Effect::Deny => compiled.aimed_at(query, layer),
    };
    if !concerned {
        let principal = written.principal.as_ref();
        missing.push(StatementMismatch::Principal(ElementValues {
            negated: principal.is_some_and(|principal| principal.negated),
            listed: principals(written),
        }));
    }
    if !compiled.covers(query, layer) {
        let resource = written.resource.as_ref();
        let listed = resource.map(|resource| resource.elements.iter().flatten().cloned());
        let used = compiled.patterns().iter().flat_map(|p| p.variables());
        missing.push(StatementMismatch::Resource {
            about: ElementValues {
                negated: resource.is_some_and(|resource| resource.negated),
                listed: listed.into_iter().flatten().collect(),
            },
            variables: VariableTrace::all(used, &query.env),
        });
    }
    if compiled.is_unreadable() && written.effect == Effect::Allow {
        missing.push(StatementMismatch::Unreadable);
    }
    let failing = tested(written, compiled, query, |condition| {
        !condition.holds(&query.env)
    });
    missing.extend(failing.into_iter().map(StatementMismatch::Condition));
    missing
}

/// The principals of a statement, as written.
fn principals(written: &Statement) -> Vec<String> {
    let principals = written.principal.iter().flat_map(|p| &p.elements);
    principals.map(|(_, text)| text.clone()).collect()
}

/// The principals that a `NotPrincipal` statement exempts.
fn spared(written: &Statement) -> Vec<String> {
    match &written.principal {
        Some(principal) if principal.negated => principals(written),
        _ => Vec::new(),
    }
}

/// The conditions of a statement that satisfy `wanted`.
fn tested(
    written: &Statement,
    compiled: &CompiledStatement,
    query: &PolicyQuery<'_>,
    wanted: impl Fn(&Condition) -> bool,
) -> Vec<ConditionTrace> {
    let pairs = written.conditions.iter().zip(compiled.conditions());
    let pairs = pairs.filter(|(_, condition)| wanted(condition));
    pairs
        .map(|(clause, condition)| ConditionTrace::new(clause, condition, &query.env))
        .collect()
}

impl VariableTrace {
    /// The variables, each once.
    fn all<'a>(
        used: impl IntoIterator<Item = &'a pattern::PatternVariable>,
        env: &EvaluationEnv<'_>,
    ) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for variable in used {
            let value = match env.get(&variable.key) {
                ContextValues::One(value) => Some(value.into_owned()),
                _ if variable.is_unresolved(env) => None,
                _ => variable.default.as_deref().map(str::to_owned),
            };
            if seen.insert((&variable.key, value.clone())) {
                let key = variable.key.to_string();
                all.push(Self { key, value });
            }
        }
        all
    }
}

impl ConditionTrace {
    fn new(clause: &ConditionClause, condition: &Condition, env: &EvaluationEnv<'_>) -> Self {
        let found = match env.get(condition.key()) {
            ContextValues::Absent => FoundValue::Absent,
            ContextValues::One(value) => FoundValue::One(value.into_owned()),
            list => FoundValue::Many(list.as_slice().iter().map(ToString::to_string).collect()),
        };
        Self {
            operator: clause.operator.clone(),
            key: clause.key.clone(),
            wanted: clause.values.clone(),
            variables: VariableTrace::all(condition.variables(), env),
            found,
        }
    }
}
