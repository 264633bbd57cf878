//! Conditions that cannot hold, or that hold where they are not meant to.
//!
//! Only what follows from the operators alone is reported, regardless of the values in a request.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{LintFinding, LintSubject, Severity};
use crate::{
    ConditionClause, Effect,
    condition::{ConditionOperator, OperatorTest, SetPrefix, ValueOrder, is_true},
    literal::{Decimal, date},
};

const MFA_PRESENT: &str = "aws:multifactorauthpresent";
const MFA_AGE: &str = "aws:multifactorauthage";

/// One test of a key.
struct KeyTest<'a> {
    clause: &'a ConditionClause,
    operator: ConditionOperator,
    /// Lower case.
    key: String,
}

/// Finds every condition of a statement that does not do what it appears to.
pub(super) fn check(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let clauses = subject.statement.conditions.iter();
    let tests: Vec<KeyTest<'_>> = clauses
        .filter_map(|clause| {
            Some(KeyTest {
                clause,
                operator: ConditionOperator::parse(&clause.operator)?,
                key: clause.key.to_lowercase(),
            })
        })
        .collect();
    let mut findings = Vec::new();
    for test in &tests {
        findings.extend(literal_wildcard(subject, test));
        findings.extend(any_if_exists(subject, test));
        findings.extend(mfa(subject, test, &tests));
    }
    let mut by_key = BTreeMap::<&str, Vec<&KeyTest<'_>>>::new();
    for test in &tests {
        by_key.entry(&test.key).or_default().push(test);
    }
    findings.extend(
        by_key
            .values()
            .filter_map(|tests| impossible(subject, tests)),
    );
    findings
}

fn finding(
    subject: &LintSubject<'_>,
    test: &KeyTest<'_>,
    about: (Severity, &'static str),
) -> LintFinding {
    let at = format!("Condition\n{}\n{}", test.clause.operator, test.clause.key);
    subject.finding(about, (&at, None))
}

/// An asterisk that is compared literally.
fn literal_wildcard(subject: &LintSubject<'_>, test: &KeyTest<'_>) -> Option<LintFinding> {
    let takes_none = matches!(
        test.operator.test,
        OperatorTest::Equals | OperatorTest::EqualsIgnoreCase
    );
    // `${*}` is how a policy writes a literal asterisk.
    let mut values = test.clause.values.iter();
    let value = values.find(|value| value.replace("${*}", "").contains('*'))?;
    takes_none.then(|| {
        let operator = &test.clause.operator;
        let like = if test.operator.negated {
            "StringNotLike"
        } else {
            "StringLike"
        };
        finding(subject, test, (Severity::Warning, "literal-wildcard")).with_message(
            format!("{operator} compares the asterisk in {value} as a character"),
            format!("use {like} for a pattern"),
        )
    })
}

/// `ForAnyValue:...IfExists`, which holds for requests without the key.
fn any_if_exists(subject: &LintSubject<'_>, test: &KeyTest<'_>) -> Option<LintFinding> {
    let holds = test.operator.set == SetPrefix::Any && test.operator.if_exists;
    (holds && subject.allows()).then(|| {
        finding(subject, test, (Severity::Risk, "any-if-exists")).with_message(
            format!("also holds for requests without {}", test.clause.key),
            "remove IfExists: ForAnyValue alone requires a value",
        )
    })
}

/// MFA conditions that allow, or exempt from a Deny, requests signed with a long-term access key.
/// Such requests lack the keys entirely.
fn mfa(subject: &LintSubject<'_>, test: &KeyTest<'_>, all: &[KeyTest<'_>]) -> Option<LintFinding> {
    let requires_mfa = match (test.key.as_str(), test.operator.test) {
        (MFA_PRESENT, OperatorTest::Bool) => test
            .clause
            .values
            .iter()
            .all(|v| v.eq_ignore_ascii_case("true")),
        (MFA_AGE, OperatorTest::Numeric(ValueOrder::Less | ValueOrder::LessOrEqual)) => true,
        (MFA_AGE, OperatorTest::Numeric(ValueOrder::Greater | ValueOrder::GreaterOrEqual)) => false,
        _ => return None,
    };
    let has_null = all
        .iter()
        .any(|other| other.key == test.key && other.operator.is_null());
    if has_null {
        return None;
    }
    match (
        subject.statement.effect,
        requires_mfa,
        test.operator.if_exists,
    ) {
        (Effect::Allow, true, true) => Some(
            finding(subject, test, (Severity::Risk, "mfa-not-required")).with_message(
                format!(
                    "also holds for requests with a long-term access key, which have no {}",
                    test.clause.key
                ),
                "remove IfExists, so that requests without MFA are not allowed",
            ),
        ),
        (Effect::Deny, false, false) if !denied_without_mfa(subject) => Some(
            finding(subject, test, (Severity::Warning, "mfa-not-required")).with_message(
                format!(
                    "does not deny requests with a long-term access key, which have no {}",
                    test.clause.key
                ),
                format!("use {}IfExists", test.clause.operator),
            ),
        ),
        _ => None,
    }
}

/// Whether another statement denies the same to requests without MFA, as S3's guide recommends.
fn denied_without_mfa(subject: &LintSubject<'_>) -> bool {
    let this = subject.statement;
    let mut others = subject.document.statements.iter();
    others.any(|other| {
        other.effect == Effect::Deny
            && other.principal == this.principal
            && other.action == this.action
            && other.resource == this.resource
            && matches!(other.conditions.as_slice(), [only] if holds_without_mfa(only))
    })
}

fn holds_without_mfa(clause: &ConditionClause) -> bool {
    let Some(operator) = ConditionOperator::parse(&clause.operator) else {
        return false;
    };
    let are = |wanted: &str| {
        let mut values = clause.values.iter();
        !clause.values.is_empty() && values.all(|value| value.eq_ignore_ascii_case(wanted))
    };
    match (clause.key.to_lowercase().as_str(), operator.test) {
        (MFA_PRESENT | MFA_AGE, OperatorTest::Null) => are("true"),
        (MFA_PRESENT, OperatorTest::Bool) => {
            operator.if_exists && !operator.negated && are("false")
        }
        _ => false,
    }
}

/// Tests of one key that no value can pass together.
fn impossible(subject: &LintSubject<'_>, tests: &[&KeyTest<'_>]) -> Option<LintFinding> {
    // Set operators look at each value in turn, so different values may pass different tests.
    let tests: Vec<&KeyTest<'_>> = tests
        .iter()
        .copied()
        .filter(|test| test.operator.set == SetPrefix::Scalar)
        .collect();
    let pairs = tests.iter().enumerate().flat_map(|(at, one)| {
        let later = tests.iter().skip(at + 1);
        later.map(move |other| (*one, *other))
    });
    let (one, other) = pairs
        .take(PAIRS_MAX)
        .find(|(one, other)| excludes(one, other) || excludes(other, one))?;
    Some(
        finding(subject, other, (Severity::Warning, "impossible-conditions")).with_message(
            format!(
                "no value of {} passes both {} and {}, so the statement never applies",
                one.clause.key, one.clause.operator, other.clause.operator
            ),
            "list alternatives under one operator, or write two statements",
        ),
    )
}

/// Maximum number of pairs of tests of one key that are compared; enough for every existing
/// operator.
const PAIRS_MAX: usize = 2_000;

/// Whether one test excludes the other.
fn excludes(one: &KeyTest<'_>, other: &KeyTest<'_>) -> bool {
    let needs_value = |test: &KeyTest<'_>| {
        !test.operator.negated && !test.operator.if_exists && !test.operator.is_null()
    };
    if one.operator.is_null() {
        let wants_absence = one
            .clause
            .values
            .iter()
            .all(|v| v.eq_ignore_ascii_case("true"));
        return wants_absence && needs_value(other);
    }
    if !needs_value(one) {
        return false;
    }
    match (one.operator.test, other.operator.test) {
        (OperatorTest::Equals, OperatorTest::Equals) => no_text_left(one, other, |a, b| a == b),
        (OperatorTest::EqualsIgnoreCase, OperatorTest::EqualsIgnoreCase) => {
            no_text_left(one, other, |a, b| a.to_lowercase() == b.to_lowercase())
        }
        (OperatorTest::Bool, OperatorTest::Bool) => {
            no_text_left(one, other, |a, b| is_true(a) == is_true(b))
        }
        (OperatorTest::Numeric(first), OperatorTest::Numeric(second))
            if !other.operator.negated =>
        {
            apart(one, other, (first, second), Decimal::parse)
        }
        (OperatorTest::Date(first), OperatorTest::Date(second)) if !other.operator.negated => {
            apart(one, other, (first, second), date)
        }
        _ => false,
    }
}

/// Whether none of the values that one test requires passes the other.
fn no_text_left(one: &KeyTest<'_>, other: &KeyTest<'_>, same: impl Fn(&str, &str) -> bool) -> bool {
    let (wanted, others) = (&one.clause.values, &other.clause.values);
    let has_variable = wanted
        .iter()
        .chain(others)
        .any(|value| value.contains("${"));
    if has_variable || wanted.len().saturating_mul(others.len()) > COMPARISONS_MAX {
        return false;
    }
    let is_listed = |value: &String| others.iter().any(|other| same(value, other));
    if other.operator.negated {
        wanted.iter().all(is_listed)
    } else {
        !wanted.iter().any(is_listed)
    }
}

/// Maximum number of value comparisons per pair of tests.
const COMPARISONS_MAX: usize = 10_000;

/// Whether no number can satisfy a literal of each test.
fn apart<T: Ord>(
    one: &KeyTest<'_>,
    other: &KeyTest<'_>,
    (first, second): (ValueOrder, ValueOrder),
    parse: impl Fn(&str) -> Option<T>,
) -> bool {
    let read = |test: &KeyTest<'_>| {
        let values = test.clause.values.iter();
        values.map(|value| parse(value)).collect::<Option<Vec<T>>>()
    };
    let (Some(ours), Some(theirs)) = (read(one), read(other)) else {
        return false;
    };
    if ours.len().saturating_mul(theirs.len()) > COMPARISONS_MAX {
        return false;
    }
    let meets = |a: &T, b: &T| meet((first, a), (second, b));
    !ours.iter().any(|a| theirs.iter().any(|b| meets(a, b)))
}

/// Whether some value can satisfy both limits. Between two different limits there is always a
/// decimal; for dates, a resolution of one second is close enough.
fn meet<T: Ord>((first, a): (ValueOrder, &T), (second, b): (ValueOrder, &T)) -> bool {
    let holds = |order: ValueOrder, value: &T, limit: &T| match value.cmp(limit) {
        Ordering::Less => matches!(order, ValueOrder::Less | ValueOrder::LessOrEqual),
        Ordering::Equal => {
            matches!(
                order,
                ValueOrder::Equal | ValueOrder::LessOrEqual | ValueOrder::GreaterOrEqual
            )
        }
        Ordering::Greater => matches!(order, ValueOrder::Greater | ValueOrder::GreaterOrEqual),
    };
    let is_below = |order| matches!(order, ValueOrder::Less | ValueOrder::LessOrEqual);
    let is_above = |order| matches!(order, ValueOrder::Greater | ValueOrder::GreaterOrEqual);
    holds(first, a, a) && holds(second, a, b)
        || holds(first, b, a) && holds(second, b, b)
        || is_below(first) && is_below(second)
        || is_above(first) && is_above(second)
        || is_above(first) && is_below(second) && a < b
        || is_below(first) && is_above(second) && b < a
}
