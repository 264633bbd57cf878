//! A compiled policy: everything that does not depend on the request is done once, here. Invariant:
//! a statement that cannot be evaluated grants nothing if it is an Allow, and denies everything it
//! might have denied if it is a Deny.

use crate::{
    condition::Condition,
    context::EvaluationEnv,
    document::{Effect, LanguageVersion, PolicyDocument, Statement},
    index::{self, ActionIndex, RequestAction},
    pattern::{MatchCost, PatternVariable},
    principal::{CompiledPrincipals, GrantStrength, PrincipalRef},
    reason::PolicyLayer,
    resource::{ArnPattern, RequestResource},
};

/// A compiled policy, which can be evaluated any number of times from any thread.
#[derive(Debug, Clone)]
pub struct Policy {
    index: ActionIndex,
    statements: Box<[CompiledStatement]>,
    /// The document as written, for explanations.
    document: Box<PolicyDocument>,
    id: Option<Box<str>>,
}

/// One request, parsed for matching.
pub(crate) struct PolicyQuery<'a> {
    pub(crate) action: RequestAction<'a>,
    pub(crate) target: RequestResource<'a>,
    /// Whether the caller has a permissions boundary.
    pub(crate) bounded: bool,
    pub(crate) env: EvaluationEnv<'a>,
}

/// The result of a policy for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyVerdict {
    /// An explicit deny.
    Deny,
    /// How strongly it grants. Identity policies grant [`GrantStrength::Direct`] or not at all.
    Grant(GrantStrength),
}

impl Policy {
    /// Compiles a document, which need not have been validated. What cannot be evaluated grants
    /// nothing in an Allow, and denies in a Deny.
    pub fn compile(document: &PolicyDocument) -> Self {
        let variables = document.version == Some(LanguageVersion::V2012);
        let statements = document.statements.iter();
        let compiled = statements
            .clone()
            .map(|s| CompiledStatement::new(s, variables));
        let mut index = index::IndexBuilder::default();
        for (at, statement) in statements.enumerate() {
            index.add(at, statement.action.as_ref(), statement.effect);
        }
        Self {
            index: index.build(),
            statements: compiled.collect(),
            document: Box::new(document.clone()),
            id: None,
        }
    }

    /// An estimate of the memory that the policy takes, in bytes: rather more than less.
    pub fn bytes(&self) -> usize {
        let statements = self.document.statements.iter().map(statement_bytes);
        size_of::<Self>() + size_of::<PolicyDocument>() + statements.sum::<usize>()
    }

    /// Sets the name that explanations use, for example `user_bob_inline1`.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        let id = Some(id.into());
        Self { id, ..self }
    }

    /// The name that explanations use.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The document that the policy was compiled from.
    pub const fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// Whether some Allow could match a request without credentials.
    pub fn may_allow_anonymous(&self) -> bool {
        self.statements.iter().any(|statement| {
            let named = statement.principals.as_ref();
            statement.effect == Effect::Allow
                && named.is_some_and(|named| {
                    named.grant(&PrincipalRef::Anonymous) != GrantStrength::None
                })
        })
    }

    /// The statements, indexed by action.
    pub(crate) const fn index(&self) -> &ActionIndex {
        &self.index
    }

    /// Evaluates the policy as part of `layer`.
    pub(crate) fn verdict(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> PolicyVerdict {
        let mut verdict = PolicyVerdict::Grant(GrantStrength::None);
        // If the steps are used up, the request is denied whatever this returns.
        if !query.env.steps.take(self.index.steps(&query.action)) {
            return verdict;
        }
        self.index.each(&query.action, |number| {
            let Some(statement) = self.statements.get(number) else {
                return true;
            };
            match (verdict, statement.effect) {
                (_, Effect::Deny) if statement.denies(query, layer) => {
                    verdict = PolicyVerdict::Deny;
                    return false;
                }
                (PolicyVerdict::Grant(best), Effect::Allow) if best < GrantStrength::Direct => {
                    verdict = PolicyVerdict::Grant(best.max(statement.grants(query, layer)));
                }
                _ => {}
            }
            true
        });
        verdict
    }

    /// Calls `visit` with the statements that match the action, as written and as compiled,
    /// possibly more than once, until it returns `false`.
    pub(crate) fn each(
        &self,
        query: &PolicyQuery<'_>,
        mut visit: impl FnMut(&Statement, &CompiledStatement) -> bool,
    ) {
        self.index.each(&query.action, |number| {
            let written = self.document.statements.get(number);
            let both = written.zip(self.statements.get(number));
            both.is_none_or(|(written, compiled)| visit(written, compiled))
        });
    }

    /// The statements as written and as compiled.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&Statement, &CompiledStatement)> {
        self.document.statements.iter().zip(&self.statements)
    }
}

/// What a value takes, as written and compiled, beside its text.
const VALUE_BYTES: usize = 400;
/// What a byte of a plain text takes: it is written once, and compiled once or twice.
const TEXT_BYTES: usize = 4;
/// What a byte of a pattern takes: at most it becomes a part of its own.
const PATTERN_BYTES: usize = 64;

fn statement_bytes(written: &Statement) -> usize {
    let value = |text: &str| {
        let plain = text.strip_suffix('*').unwrap_or(text);
        let each = match plain.contains(['*', '?', '$']) {
            true => PATTERN_BYTES,
            false => TEXT_BYTES,
        };
        VALUE_BYTES + each * text.len()
    };
    let elements = [&written.action, &written.resource].into_iter().flatten();
    let elements = elements.flat_map(|clause| &clause.elements);
    let elements = elements.map(|element| value(element.as_deref().unwrap_or_default()));
    let principals = written.principal.iter().flat_map(|it| &it.elements);
    let principals = principals.map(|(_, text)| value(text));
    let conditions = written.conditions.iter().map(|clause| {
        let values = clause.values.iter().map(|text| value(text));
        size_of::<Condition>() + value(&clause.key) + values.sum::<usize>()
    });
    let parts = elements.chain(principals).chain(conditions);
    let sid = written.sid.as_ref().map_or(0, String::len);
    size_of::<Statement>() + size_of::<CompiledStatement>() + sid + parts.sum::<usize>()
}

/// A statement without its actions, which are in the index.
#[derive(Debug, Clone)]
pub(crate) struct CompiledStatement {
    effect: Effect,
    principals: Option<CompiledPrincipals>,
    resources: StatementResources,
    /// The cost of comparing a resource with all patterns of `resources`.
    resources_cost: MatchCost,
    has_open_variables: bool,
    /// `None`: an operator could not be compiled.
    conditions: Option<Box<[Condition]>>,
}

#[derive(Debug, Clone)]
enum StatementResources {
    /// The element is missing.
    Absent,
    /// `*`
    Any,
    Only(Box<[ArnPattern]>),
    AllBut(Box<[ArnPattern]>),
}

impl CompiledStatement {
    fn new(statement: &Statement, variables: bool) -> Self {
        let conditions = statement
            .conditions
            .iter()
            .map(|c| Condition::new(c, statement.effect, variables));
        let resources = StatementResources::new(statement, variables);
        let has_open_variables = variables_of(&resources).any(PatternVariable::is_open);
        Self {
            has_open_variables,
            resources_cost: MatchCost::sum(resources.patterns().iter().map(ArnPattern::cost)),
            effect: statement.effect,
            principals: statement.principal.as_ref().map(CompiledPrincipals::new),
            resources,
            conditions: conditions.collect(),
        }
    }

    /// How strongly an Allow with matching actions grants.
    fn grants(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> GrantStrength {
        let grant = self.granted_to(query, layer);
        if grant == GrantStrength::None
            || !self.covers(query, layer)
            || !self.conditions_hold(query)
        {
            return GrantStrength::None;
        }
        grant
    }

    /// Whether a Deny with matching actions applies.
    fn denies(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> bool {
        self.aimed_at(query, layer) && self.covers(query, layer) && self.conditions_hold(query)
    }

    /// How an Allow names the caller. Everyone except some is no one: no store accepts such an
    /// Allow.
    pub(crate) fn granted_to(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> GrantStrength {
        match (&self.principals, layer.names_principals()) {
            (Some(principals), true) if !principals.negated() => {
                if !query.env.steps.take(principals.steps()) {
                    return GrantStrength::None;
                }
                principals.grant(query.env.principal)
            }
            (None, false) => GrantStrength::Direct,
            _ => GrantStrength::None,
        }
    }

    /// Whether a Deny names the caller. Without principals it applies to everyone. With
    /// `NotPrincipal` it exempts no one who has a permissions boundary.
    pub(crate) fn aimed_at(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> bool {
        match &self.principals {
            Some(principals) if layer.names_principals() => {
                let caller = query.env.principal;
                if !query.env.steps.take(principals.steps()) {
                    return true;
                }
                if principals.negated() {
                    query.bounded || !principals.spares(caller)
                } else {
                    principals.names_unknown() || principals.grant(caller) != GrantStrength::None
                }
            }
            _ => true,
        }
    }

    /// Whether the statement covers the resource.
    pub(crate) fn covers(&self, query: &PolicyQuery<'_>, layer: PolicyLayer) -> bool {
        match (&self.resources, self.effect) {
            (StatementResources::Absent, Effect::Allow) => layer == PolicyLayer::Trust,
            (_, effect) if self.has_ambiguous_variable(query) => effect == Effect::Deny,
            (resources, effect) => {
                let cost = self.resources_cost.of(query.target.text().len());
                if query.env.steps.take(cost) {
                    resources.contain(query, effect)
                } else {
                    effect == Effect::Deny
                }
            }
        }
    }

    /// Whether the resources depend on a key that the request has several times.
    fn has_ambiguous_variable(&self, query: &PolicyQuery<'_>) -> bool {
        self.has_open_variables
            && variables_of(&self.resources).any(|it| it.is_ambiguous(&query.env))
    }

    /// Whether every condition holds. An unknown operator holds only in a Deny.
    fn conditions_hold(&self, query: &PolicyQuery<'_>) -> bool {
        match &self.conditions {
            Some(conditions) => conditions.iter().all(|c| c.holds(&query.env)),
            None => self.effect == Effect::Deny,
        }
    }

    /// The conditions in the order of the statement; empty if an operator is unknown.
    pub(crate) fn conditions(&self) -> &[Condition] {
        self.conditions.as_deref().unwrap_or_default()
    }

    /// Whether it covers all resources: `*`, or no such element.
    pub(crate) const fn is_about_all(&self) -> bool {
        matches!(
            self.resources,
            StatementResources::Absent | StatementResources::Any
        )
    }

    pub(crate) const fn is_unreadable(&self) -> bool {
        self.conditions.is_none()
    }

    /// The patterns of `Resource` or `NotResource`.
    pub(crate) const fn patterns(&self) -> &[ArnPattern] {
        self.resources.patterns()
    }

    /// The maximum steps of testing the statement.
    pub(crate) fn steps(&self, query: &PolicyQuery<'_>) -> u64 {
        let conditions = self.conditions().iter();
        let steps = conditions.map(|condition| condition.steps(&query.env));
        let resources = self.resources_cost.of(query.target.text().len());
        steps.fold(resources, u64::saturating_add)
    }
}

fn variables_of(resources: &StatementResources) -> impl Iterator<Item = &PatternVariable> {
    resources.patterns().iter().flat_map(ArnPattern::variables)
}

impl StatementResources {
    fn new(statement: &Statement, variables: bool) -> Self {
        let Some(clause) = &statement.resource else {
            return Self::Absent;
        };
        let elements = clause.elements.iter().flatten();
        let patterns: Box<[_]> = elements
            .map(|r| ArnPattern::resource(r, variables))
            .collect();
        if clause.negated {
            Self::AllBut(patterns)
        } else if patterns.iter().any(|p| matches!(p, ArnPattern::Any)) {
            Self::Any
        } else {
            Self::Only(patterns)
        }
    }

    const fn patterns(&self) -> &[ArnPattern] {
        match self {
            Self::Absent | Self::Any => &[],
            Self::Only(patterns) | Self::AllBut(patterns) => patterns,
        }
    }

    fn contain(&self, query: &PolicyQuery<'_>, effect: Effect) -> bool {
        let PolicyQuery { target, env, .. } = query;
        match self {
            Self::Absent | Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|p| p.matches(target, env)),
            // If a variable has no value, the whole statement does not apply. A pattern that is not
            // an ARN was meant to exclude something, and we cannot know what.
            Self::AllBut(patterns) => !patterns.iter().any(|p| match p.compare(target, env) {
                Some(listed) => listed || p.unresolved(env),
                None => effect == Effect::Allow,
            }),
        }
    }
}
