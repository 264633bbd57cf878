//! Condition operators. It protects one rule: every combination of operator, set prefix, `IfExists`
//! and absent, single or listed value has one meaning, written here once.
//!
//! Literals are parsed when a policy is compiled; a literal that cannot be read matches nothing.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    case,
    context::{Env, Values},
    document::{ConditionClause, Effect},
    literal::{Decimal, Network, address, date},
    pattern::{Cost, LOOKUP_STEPS, Syntax, Template, Variable},
    resource::{ArnPattern, Target},
};

/// How a list of values is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// No prefix: the key has one value.
    Scalar,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// How two ordered values must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
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
pub(crate) struct Operator {
    pub(crate) set: Set,
    pub(crate) test: Test,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// Every operator in lower case, what it tests, and whether it is negated.
const OPERATORS: [(&str, Test, bool); 27] = [
    ("stringequals", Test::Equals, false),
    ("stringnotequals", Test::Equals, true),
    ("stringequalsignorecase", Test::EqualsIgnoreCase, false),
    ("stringnotequalsignorecase", Test::EqualsIgnoreCase, true),
    ("stringlike", Test::Like, false),
    ("stringnotlike", Test::Like, true),
    ("numericequals", Test::Numeric(Order::Equal), false),
    ("numericnotequals", Test::Numeric(Order::Equal), true),
    ("numericlessthan", Test::Numeric(Order::Less), false),
    (
        "numericlessthanequals",
        Test::Numeric(Order::LessOrEqual),
        false,
    ),
    ("numericgreaterthan", Test::Numeric(Order::Greater), false),
    (
        "numericgreaterthanequals",
        Test::Numeric(Order::GreaterOrEqual),
        false,
    ),
    ("dateequals", Test::Date(Order::Equal), false),
    ("datenotequals", Test::Date(Order::Equal), true),
    ("datelessthan", Test::Date(Order::Less), false),
    ("datelessthanequals", Test::Date(Order::LessOrEqual), false),
    ("dategreaterthan", Test::Date(Order::Greater), false),
    (
        "dategreaterthanequals",
        Test::Date(Order::GreaterOrEqual),
        false,
    ),
    ("bool", Test::Bool, false),
    ("binaryequals", Test::Binary, false),
    ("ipaddress", Test::Ip, false),
    ("notipaddress", Test::Ip, true),
    ("arnequals", Test::Arn, false),
    ("arnlike", Test::Arn, false),
    ("arnnotequals", Test::Arn, true),
    ("arnnotlike", Test::Arn, true),
    ("null", Test::Null, false),
];

impl Operator {
    /// Reads an operator's name, whatever its case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let prefixes = [("forallvalues:", Set::All), ("foranyvalue:", Set::Any)];
        let prefixed = prefixes
            .iter()
            .find_map(|(p, set)| Some((*set, name.strip_prefix(p)?)));
        let (set, rest) = prefixed.unwrap_or((Set::Scalar, &name));
        let (bare, if_exists) = match rest.strip_suffix("ifexists") {
            Some(bare) => (bare, true),
            None => (rest, false),
        };
        let (_, test, negated) = OPERATORS.into_iter().find(|(name, ..)| *name == bare)?;
        if test == Test::Null && if_exists {
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

impl Operator {
    /// Whether it is `Null`.
    pub(crate) fn is_null(self) -> bool {
        self.test == Test::Null
    }
}

/// One operator on one key, ready to be tested.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    /// Its statement's: what cannot be compared holds for a Deny only.
    effect: Effect,
    /// Lower case.
    key: Box<str>,
    literals: Literals,
    /// Of comparing a value with all literals.
    cost: Cost,
}

/// The values of a policy, parsed for their operator.
#[derive(Debug, Clone)]
enum Literals {
    Equals(Box<[Template]>),
    EqualsIgnoreCase(Box<[Template]>),
    Numeric(Order, Box<[Decimal]>),
    Date(Order, Box<[i64]>),
    Bool(Box<[Template]>),
    /// Base64 of the one form that the decoder takes, so that equal bytes are equal texts.
    Binary(Box<[Box<str>]>),
    Ip(Box<[Network]>),
    Arn(Box<[ArnPattern]>),
    /// For each value, whether it asks for absence.
    Null(Box<[bool]>),
}

/// How a value of the request compares with the literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A literal matches.
    Same,
    /// None does.
    Different,
    /// The value is not of the operator's type.
    Foreign,
    /// A literal that comes before any that matches cannot be compared.
    Unreadable,
}

impl Literals {
    fn new(test: Test, values: &[String], variables: bool) -> Self {
        let templates = |wildcards| {
            let syntax = Syntax {
                wildcards,
                variables,
            };
            values
                .iter()
                .map(|text| Template::new(text, syntax))
                .collect()
        };
        match test {
            Test::Equals => Self::Equals(templates(false)),
            Test::EqualsIgnoreCase => Self::EqualsIgnoreCase(templates(false)),
            Test::Like => Self::Equals(templates(true)),
            Test::Bool => Self::Bool(templates(false)),
            Test::Numeric(order) => Self::Numeric(order, readable(values, Decimal::parse)),
            Test::Date(order) => Self::Date(order, readable(values, date)),
            Test::Binary => Self::Binary(readable(values, |v| {
                STANDARD.decode(v).ok().map(|_| v.into())
            })),
            Test::Ip => Self::Ip(readable(values, Network::parse)),
            Test::Arn => {
                let patterns = values.iter().map(|v| ArnPattern::condition(v, variables));
                Self::Arn(patterns.collect())
            }
            Test::Null => Self::Null(values.iter().map(|v| is_true(v)).collect()),
        }
    }

    /// What comparing a value with all of them costs at most.
    fn cost(&self) -> Cost {
        let each = |count| Cost {
            each: count,
            per_byte: 0,
        };
        match self {
            Self::Equals(all) => Cost::sum(all.iter().map(Template::cost)),
            Self::EqualsIgnoreCase(all) | Self::Bool(all) => {
                Cost::sum(all.iter().map(Template::spelling_cost))
            }
            Self::Arn(all) => Cost::sum(all.iter().map(ArnPattern::cost)),
            // Their digits are scaled to each other.
            Self::Numeric(_, all) => each(all.len().saturating_mul(LOOKUP_STEPS)),
            Self::Date(_, all) => each(all.len()),
            Self::Binary(all) => each(all.iter().map(|literal| 1 + literal.len()).sum()),
            Self::Ip(all) => each(all.len()),
            Self::Null(all) => each(all.len()),
        }
    }

    /// Compares a value of the request with each literal until one matches.
    fn compare(&self, value: &str, env: &Env<'_>) -> Comparison {
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
                    return Comparison::Foreign;
                };
                all.iter().any(|network| network.contains(address))
            }
            Self::Arn(all) => {
                let Some(target @ Target::Arn(..)) = Target::parse(value) else {
                    return Comparison::Foreign;
                };
                let mut compared = all.iter().map(|pattern| pattern.compare(&target, env));
                match compared.find(|one| *one != Some(false)) {
                    Some(None) => return Comparison::Unreadable,
                    found => found.is_some(),
                }
            }
            Self::Null(_) => return Comparison::Foreign,
        };
        if any {
            Comparison::Same
        } else {
            Comparison::Different
        }
    }
}

fn readable<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Box<[T]> {
    values.iter().filter_map(|text| parse(text)).collect()
}

/// `true` in any case is true, everything else is false.
pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

impl Condition {
    /// Compiles a clause of a statement with this effect; `None` for an operator that does not
    /// exist.
    pub(crate) fn new(clause: &ConditionClause, effect: Effect, variables: bool) -> Option<Self> {
        let operator = Operator::parse(&clause.operator)?;
        let literals = Literals::new(operator.test, &clause.values, variables);
        Some(Self {
            operator,
            effect,
            key: clause.key.to_lowercase().into(),
            cost: literals.cost(),
            literals,
        })
    }

    /// Whether the condition holds.
    pub(crate) fn holds(&self, env: &Env<'_>) -> bool {
        if !env.steps.take(LOOKUP_STEPS as u64) {
            return self.effect == Effect::Deny;
        }
        let found = env.get(&self.key);
        if let Literals::Null(wanted) = &self.literals {
            return env.steps.take(wanted.len() as u64)
                && wanted.contains(&matches!(found, Values::Absent));
        }
        let Operator {
            set,
            negated,
            if_exists,
            ..
        } = self.operator;
        let mut values = found.as_slice().iter();
        match (&found, set) {
            (Values::Absent, Set::Scalar) => if_exists || negated,
            (Values::Absent, Set::All) => true,
            (Values::Absent, Set::Any) => if_exists,
            (Values::One(value), Set::Scalar) => self.accepts(value, env),
            // A list never satisfies an operator for one value.
            (Values::Many(_) | Values::Slice(_), Set::Scalar) => false,
            (_, Set::All) => values.all(|value| self.accepts(value, env)),
            (_, Set::Any) => values.any(|value| self.accepts(value, env)),
        }
    }

    /// A positive operator wants some literal to match, a negated one wants none.
    fn accepts(&self, value: &str, env: &Env<'_>) -> bool {
        if !env.steps.take(self.value_steps(value)) {
            return self.effect == Effect::Deny;
        }
        match self.literals.compare(value, env) {
            Comparison::Same => !self.operator.negated,
            Comparison::Different => self.operator.negated,
            Comparison::Foreign => false,
            Comparison::Unreadable => self.effect == Effect::Deny,
        }
    }

    /// Steps of comparing a value with all literals at most. A text in lower case may have to be
    /// made of it for each.
    fn value_steps(&self, value: &str) -> u64 {
        let folded = matches!(self.literals, Literals::EqualsIgnoreCase(_)) && !value.is_ascii();
        let each = if folded { case::FOLD_STEPS } else { 1 };
        self.cost.of(value.len().saturating_mul(each))
    }

    /// Steps of testing it at most, with the values that the request has.
    pub(crate) fn steps(&self, env: &Env<'_>) -> u64 {
        let found = env.get(&self.key);
        let values = found.as_slice().iter();
        let steps = values.map(|value| self.value_steps(value));
        steps.fold(LOOKUP_STEPS as u64, u64::saturating_add)
    }

    /// The key that is tested, in lower case.
    pub(crate) const fn key(&self) -> &str {
        &self.key
    }

    /// Whether it asks for one of these keys, itself or in a variable.
    pub(crate) fn turns_on(&self, open: &dyn Fn(&str) -> bool) -> bool {
        open(&self.key) || self.variables().iter().any(|variable| open(&variable.key))
    }

    /// The variables in the values.
    pub(crate) fn variables(&self) -> Vec<&Variable> {
        match &self.literals {
            Literals::Equals(all) | Literals::EqualsIgnoreCase(all) | Literals::Bool(all) => {
                all.iter().flat_map(Template::variables).collect()
            }
            Literals::Arn(all) => all.iter().flat_map(ArnPattern::variables).collect(),
            _ => Vec::new(),
        }
    }
}
