//! Operators that compare a key's values as another type than AWS publishes for the key.
//!
//! Keys that hold texts are not checked: a text may well be a number or an ARN. An ARN may be
//! compared as text, which AWS's own guides do (`StringEquals` with `aws:SourceArn`).

use super::{LintFinding, LintSubject, Severity};
use crate::{
    condition::{ConditionOperator, OperatorTest},
    published::{KeyType, PublishedTable},
};

/// Finds every condition of a statement whose operator does not fit its key.
pub(super) fn check(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let published = PublishedTable::built_in();
    let clauses = subject.statement.conditions.iter();
    let mismatch = clauses.filter_map(|clause| {
        let operator = ConditionOperator::parse(&clause.operator)?;
        let kind = published.key_type(&clause.key.to_ascii_lowercase())?;
        if fits(kind, operator.test) {
            return None;
        }
        let at = format!("Condition\n{}\n{}", clause.operator, clause.key);
        let finding = subject.finding((Severity::Warning, "type-mismatch"), (&at, None));
        Some(finding.with_message(
            format!(
                "{} is {}, which {} compares as {}",
                clause.key,
                name(kind),
                clause.operator,
                compared_as(operator.test)
            ),
            format!("use {}", advice(kind, operator.negated)),
        ))
    });
    mismatch.collect()
}

const fn fits(kind: KeyType, test: OperatorTest) -> bool {
    matches!(
        (kind, test),
        (_, OperatorTest::Null)
            | (
                KeyType::Arn,
                OperatorTest::Arn
                    | OperatorTest::Equals
                    | OperatorTest::EqualsIgnoreCase
                    | OperatorTest::Like
            )
            | (KeyType::Bool, OperatorTest::Bool)
            | (KeyType::Date | KeyType::EpochDate, OperatorTest::Date(_))
            | (
                KeyType::EpochDate | KeyType::Numeric,
                OperatorTest::Numeric(_)
            )
            | (KeyType::Ip, OperatorTest::Ip)
    )
}

const fn name(kind: KeyType) -> &'static str {
    match kind {
        KeyType::Arn => "an ARN",
        KeyType::Bool => "true or false",
        KeyType::Date | KeyType::EpochDate => "a date",
        KeyType::Ip => "an IP address",
        KeyType::Numeric => "a number",
    }
}

const fn compared_as(test: OperatorTest) -> &'static str {
    match test {
        OperatorTest::Equals | OperatorTest::EqualsIgnoreCase | OperatorTest::Like => "text",
        OperatorTest::Numeric(_) => "a number",
        OperatorTest::Date(_) => "a date",
        OperatorTest::Bool => "true or false",
        OperatorTest::Binary => "bytes",
        OperatorTest::Ip => "an IP address",
        OperatorTest::Arn => "an ARN",
        OperatorTest::Null => "absent or present",
    }
}

/// The operators that fit.
const fn advice(kind: KeyType, negated: bool) -> &'static str {
    match (kind, negated) {
        (KeyType::Arn, false) => "ArnLike",
        (KeyType::Arn, true) => "ArnNotLike",
        (KeyType::Bool, false) => "Bool",
        (KeyType::Bool, true) => "Bool with the other value",
        (KeyType::Date | KeyType::EpochDate, _) => {
            "DateLessThan, DateGreaterThan or another operator for dates"
        }
        (KeyType::Ip, false) => "IpAddress",
        (KeyType::Ip, true) => "NotIpAddress",
        (KeyType::Numeric, _) => "NumericEquals, NumericLessThan or another operator for numbers",
    }
}
