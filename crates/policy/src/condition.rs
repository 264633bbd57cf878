//! Condition operators. Invariant: every combination of operator, set prefix, `IfExists`, and an
//! absent, single or listed value has one meaning, defined here.
//!
//! Literals are parsed when a policy is compiled. A literal that cannot be parsed matches nothing.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    case,
    context::{ContextValues, EvaluationEnv},
    document::{ConditionClause, Effect},
    literal::{Decimal, IpNetwork, address, date},
    pattern::{LOOKUP_STEPS, MatchCost, PatternSyntax, PatternTemplate, PatternVariable},
    resource::{ArnPattern, RequestResource},
};

/// The set prefix of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetPrefix {
    /// No prefix: the key has one value.
    Scalar,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperatorTest {
    Equals,
    EqualsIgnoreCase,
    Like,
    Numeric(ValueOrder),
    Date(ValueOrder),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// How the request's value must compare with the literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueOrder {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl ValueOrder {
    fn holds<T: Ord>(self, value: &T, literal: &T) -> bool {
        match self {
            Self::Equal => value == literal,
            Self::Less => value < literal,
            Self::LessOrEqual => value <= literal,
            Self::Greater => value > literal,
            Self::GreaterOrEqual => value >= literal,
        }
    }
}

/// An operator with its prefix and suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConditionOperator {
    pub(crate) set: SetPrefix,
    pub(crate) test: OperatorTest,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// Every operator in lower case, what it compares, and whether it is negated.
const OPERATORS: [(&str, OperatorTest, bool); 27] = [
    ("stringequals", OperatorTest::Equals, false),
    ("stringnotequals", OperatorTest::Equals, true),
    (
        "stringequalsignorecase",
        OperatorTest::EqualsIgnoreCase,
        false,
    ),
    (
        "stringnotequalsignorecase",
        OperatorTest::EqualsIgnoreCase,
        true,
    ),
    ("stringlike", OperatorTest::Like, false),
    ("stringnotlike", OperatorTest::Like, true),
    (
        "numericequals",
        OperatorTest::Numeric(ValueOrder::Equal),
        false,
    ),
    (
        "numericnotequals",
        OperatorTest::Numeric(ValueOrder::Equal),
        true,
    ),
    (
        "numericlessthan",
        OperatorTest::Numeric(ValueOrder::Less),
        false,
    ),
    (
        "numericlessthanequals",
        OperatorTest::Numeric(ValueOrder::LessOrEqual),
        false,
    ),
    (
        "numericgreaterthan",
        OperatorTest::Numeric(ValueOrder::Greater),
        false,
    ),
    (
        "numericgreaterthanequals",
        OperatorTest::Numeric(ValueOrder::GreaterOrEqual),
        false,
    ),
    ("dateequals", OperatorTest::Date(ValueOrder::Equal), false),
    ("datenotequals", OperatorTest::Date(ValueOrder::Equal), true),
    ("datelessthan", OperatorTest::Date(ValueOrder::Less), false),
    (
        "datelessthanequals",
        OperatorTest::Date(ValueOrder::LessOrEqual),
        false,
    ),
    (
        "dategreaterthan",
        OperatorTest::Date(ValueOrder::Greater),
        false,
    ),
    (
        "dategreaterthanequals",
        OperatorTest::Date(ValueOrder::GreaterOrEqual),
        false,
    ),
    ("bool", OperatorTest::Bool, false),
    ("binaryequals", OperatorTest::Binary, false),
    ("ipaddress", OperatorTest::Ip, false),
    ("notipaddress", OperatorTest::Ip, true),
    ("arnequals", OperatorTest::Arn, false),
    ("arnlike", OperatorTest::Arn, false),
    ("arnnotequals", OperatorTest::Arn, true),
    ("arnnotlike", OperatorTest::Arn, true),
    ("null", OperatorTest::Null, false),
];

impl ConditionOperator {
    /// Parses an operator's name in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let prefixes = [
            ("forallvalues:", SetPrefix::All),
            ("foranyvalue:", SetPrefix::Any),
        ];
        let prefixed = prefixes
            .iter()
            .find_map(|(p, set)| Some((*set, name.strip_prefix(p)?)));
        let (set, rest) = prefixed.unwrap_or((SetPrefix::Scalar, &name));
        let (bare, if_exists) = match rest.strip_suffix("ifexists") {
            Some(bare) => (bare, true),
            None => (rest, false),
        };
        let (_, test, negated) = OPERATORS.into_iter().find(|(name, ..)| *name == bare)?;
        if test == OperatorTest::Null && if_exists {
            return None;
        }
        Some(Self {
            set,
            test,
            negated,
            if_exists,
        })
    }
}

impl ConditionOperator {
    pub(crate) fn is_null(self) -> bool {
        self.test == OperatorTest::Null
    }
}

/// One operator on one key, compiled.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: ConditionOperator,
    /// The statement's effect: a condition that cannot be compared holds only in a Deny.
    effect: Effect,
    /// Lower case.
    key: Box<str>,
    literals: ParsedLiterals,
    has_open_variables: bool,
    /// The cost of comparing a value with all literals.
    cost: MatchCost,
}

/// A policy's values, parsed for their operator.
#[derive(Debug, Clone)]
enum ParsedLiterals {
    Equals(Box<[PatternTemplate]>),
    EqualsIgnoreCase(Box<[PatternTemplate]>),
    Numeric(ValueOrder, Box<[Decimal]>),
    Date(ValueOrder, Box<[i64]>),
    Bool(Box<[PatternTemplate]>),
    /// Base64 in the one form that the decoder accepts, so that equal bytes have equal texts.
    Binary(Box<[Box<str>]>),
    Ip(Box<[IpNetwork]>),
    Arn(Box<[ArnPattern]>),
    /// For each value, whether it requires the key to be absent.
    Null(Box<[bool]>),
}

/// How a value of the request compares with the literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LiteralComparison {
    /// A literal matches.
    Same,
    /// No literal matches.
    Different,
    /// The value is not of the operator's type.
    Foreign,
    /// A literal before the first match cannot be compared.
    Unreadable,
}

impl ParsedLiterals {
    fn new(test: OperatorTest, values: &[String], variables: bool) -> Self {
        let templates = |wildcards| {
            let syntax = PatternSyntax {
                wildcards,
                variables,
            };
            values
                .iter()
                .map(|text| PatternTemplate::new(text, syntax))
                .collect()
        };
        match test {
            OperatorTest::Equals => Self::Equals(templates(false)),
            OperatorTest::EqualsIgnoreCase => Self::EqualsIgnoreCase(templates(false)),
            OperatorTest::Like => Self::Equals(templates(true)),
            OperatorTest::Bool => Self::Bool(templates(false)),
            OperatorTest::Numeric(order) => Self::Numeric(order, readable(values, Decimal::parse)),
            OperatorTest::Date(order) => Self::Date(order, readable(values, date)),
            OperatorTest::Binary => Self::Binary(readable(values, |v| {
                STANDARD.decode(v).ok().map(|_| v.into())
            })),
            OperatorTest::Ip => Self::Ip(readable(values, IpNetwork::parse)),
            OperatorTest::Arn => {
                let patterns = values.iter().map(|v| ArnPattern::condition(v, variables));
                Self::Arn(patterns.collect())
            }
            OperatorTest::Null => Self::Null(values.iter().map(|v| is_true(v)).collect()),
        }
    }

    /// The maximum cost of comparing a value with all literals.
    fn cost(&self) -> MatchCost {
        let each = |count| MatchCost {
            each: count,
            per_byte: 0,
        };
        match self {
            Self::Equals(all) => MatchCost::sum(all.iter().map(PatternTemplate::cost)),
            Self::EqualsIgnoreCase(all) | Self::Bool(all) => {
                MatchCost::sum(all.iter().map(PatternTemplate::spelling_cost))
            }
            Self::Arn(all) => MatchCost::sum(all.iter().map(ArnPattern::cost)),
            // The numbers' digits are scaled to each other.
            Self::Numeric(_, all) => each(all.len().saturating_mul(LOOKUP_STEPS)),
            Self::Date(_, all) => each(all.len()),
            Self::Binary(all) => each(all.iter().map(|literal| 1 + literal.len()).sum()),
            Self::Ip(all) => each(all.len()),
            Self::Null(all) => each(all.len()),
        }
    }

    /// Compares a value of the request with each literal until one matches.
    fn compare(&self, value: &str, env: &EvaluationEnv<'_>) -> LiteralComparison {
        let any = match self {
            Self::Equals(all) => all.iter().any(|t| t.matches(value, env)),
            Self::EqualsIgnoreCase(all) => all.iter().any(|t| t.spells(value, env) == Some(true)),
            Self::Numeric(order, all) => match Decimal::parse(value) {
                Some(value) => all.iter().any(|literal| order.holds(&value, literal)),
                None => false,
            },
            Self::Date(order, all) => match date(value) {
                Some(value) => all.iter().any(|literal| order.holds(&value, literal)),
                None => false,
            },
            Self::Bool(all) => {
                let value = is_true(value);
                all.iter().any(|t| t.spells("true", env) == Some(value))
            }
            Self::Binary(all) => all.iter().any(|literal| **literal == *value),
            Self::Ip(all) => {
                let Some(address) = address(value) else {
                    return LiteralComparison::Foreign;
                };
                all.iter().any(|network| network.contains(address))
            }
            Self::Arn(all) => {
                let Some(target @ RequestResource::Arn(..)) = RequestResource::parse(value) else {
                    return LiteralComparison::Foreign;
                };
                let mut compared = all.iter().map(|pattern| pattern.compare(&target, env));
                match compared.find(|one| *one != Some(false)) {
                    Some(None) => return LiteralComparison::Unreadable,
                    found => found.is_some(),
                }
            }
            Self::Null(_) => return LiteralComparison::Foreign,
        };
        if any {
            LiteralComparison::Same
        } else {
            LiteralComparison::Different
        }
    }
}

fn readable<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Box<[T]> {
    values.iter().filter_map(|text| parse(text)).collect()
}

/// `true` in any case is true; everything else is false.
pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

impl Condition {
    /// Compiles a condition of a statement with this effect; `None` for an unknown operator.
    pub(crate) fn new(clause: &ConditionClause, effect: Effect, variables: bool) -> Option<Self> {
        let operator = ConditionOperator::parse(&clause.operator)?;
        let literals = ParsedLiterals::new(operator.test, &clause.values, variables);
        let mut condition = Self {
            operator,
            effect,
            key: clause.key.to_lowercase().into(),
            cost: literals.cost(),
            literals,
            has_open_variables: false,
        };
        condition.has_open_variables = condition.variables().iter().any(|it| it.is_open());
        Some(condition)
    }

    pub(crate) fn holds(&self, env: &EvaluationEnv<'_>) -> bool {
        if !env.steps.take(LOOKUP_STEPS as u64) {
            return self.effect == Effect::Deny;
        }
        if self.has_open_variables && self.variables().iter().any(|it| it.is_ambiguous(env)) {
            return self.effect == Effect::Deny;
        }
        let found = env.get(&self.key);
        if let ParsedLiterals::Null(wanted) = &self.literals {
            return env.steps.take(wanted.len() as u64)
                && wanted.contains(&matches!(found, ContextValues::Absent));
        }
        let ConditionOperator {
            set,
            negated,
            if_exists,
            ..
        } = self.operator;
        let mut values = found.as_slice().iter();
        match (&found, set) {
            (ContextValues::Absent, SetPrefix::Scalar) => if_exists || negated,
            (ContextValues::Absent, SetPrefix::All) => true,
            (ContextValues::Absent, SetPrefix::Any) => if_exists,
            // A value that nobody can read: a Deny assumes that it is the one.
            (ContextValues::Ambiguous(none), _) if none.is_empty() => self.effect == Effect::Deny,
            (ContextValues::Ambiguous(_), _) if self.effect == Effect::Deny => {
                values.any(|value| self.accepts(value, env))
            }
            (ContextValues::Ambiguous(_), _) => values.all(|value| self.accepts(value, env)),
            (ContextValues::One(value), SetPrefix::Scalar) => self.accepts(value, env),
            // An operator without a set prefix never matches a list.
            (ContextValues::Many(_) | ContextValues::Slice(_), SetPrefix::Scalar) => false,
            (ContextValues::Claims(_), SetPrefix::Scalar) => self.effect == Effect::Deny,
            (_, SetPrefix::All) => values.all(|value| self.accepts(value, env)),
            (_, SetPrefix::Any) => values.any(|value| self.accepts(value, env)),
        }
    }

    /// A positive operator requires some literal to match; a negated one requires none to match.
    fn accepts(&self, value: &str, env: &EvaluationEnv<'_>) -> bool {
        if !env.steps.take(self.value_steps(value)) {
            return self.effect == Effect::Deny;
        }
        match self.literals.compare(value, env) {
            LiteralComparison::Same => !self.operator.negated,
            LiteralComparison::Different => self.operator.negated,
            LiteralComparison::Foreign => false,
            LiteralComparison::Unreadable => self.effect == Effect::Deny,
        }
    }

    /// The maximum steps of comparing a value with all literals. Each comparison may have to fold
    /// the value to lower case.
    fn value_steps(&self, value: &str) -> u64 {
        let folded =
            matches!(self.literals, ParsedLiterals::EqualsIgnoreCase(_)) && !value.is_ascii();
        let each = if folded { case::FOLD_STEPS } else { 1 };
        self.cost.of(value.len().saturating_mul(each))
    }

    /// The maximum steps of testing the condition against this request's values.
    pub(crate) fn steps(&self, env: &EvaluationEnv<'_>) -> u64 {
        let found = env.get(&self.key);
        let values = found.as_slice().iter();
        let steps = values.map(|value| self.value_steps(value));
        steps.fold(LOOKUP_STEPS as u64, u64::saturating_add)
    }

    /// The tested key, in lower case.
    pub(crate) const fn key(&self) -> &str {
        &self.key
    }

    /// Whether the condition depends on one of these keys, directly or through a variable.
    pub(crate) fn turns_on(&self, open: &dyn Fn(&str) -> bool) -> bool {
        open(&self.key) || self.variables().iter().any(|variable| open(&variable.key))
    }

    /// The variables in the values.
    pub(crate) fn variables(&self) -> Vec<&PatternVariable> {
        match &self.literals {
            ParsedLiterals::Equals(all)
            | ParsedLiterals::EqualsIgnoreCase(all)
            | ParsedLiterals::Bool(all) => {
                all.iter().flat_map(PatternTemplate::variables).collect()
            }
            ParsedLiterals::Arn(all) => all.iter().flat_map(ArnPattern::variables).collect(),
            _ => Vec::new(),
        }
    }
}
