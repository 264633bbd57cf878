//! Whether a bucket's policy is public, as S3's Block Public Access has it. It protects one rule: a
//! policy is public unless every Allow is seen to be limited to fixed values of who asks or from
//! where; what cannot be seen to limit does not.

use crate::{
    condition::{Operator, Set, Test},
    document::{ConditionClause, Document, Effect, Statement, Version},
    literal::Network,
};

/// Whether a bucket policy grants something to the public. Source: "The meaning of public" in S3's
/// user guide.
pub fn is_public(document: &Document) -> bool {
    let mut statements = document.statements.iter();
    statements.any(|statement| opens(statement, document.version))
}

/// Whether a statement allows everyone, and no condition limits that.
pub(crate) fn opens(statement: &Statement, version: Option<Version>) -> bool {
    let variables = version == Some(Version::V2012);
    let named = statement.principal.as_ref().is_some_and(|principal| {
        !principal.negated && principal.elements.iter().all(|(_, text)| text != "*")
    });
    let limited = statement
        .conditions
        .iter()
        .any(|condition| limits(condition, variables));
    statement.effect == Effect::Allow && !named && !limited
}

/// The keys whose fixed values limit a grant.
const LIMITING: [&str; 12] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether a condition lets pass only what has one of some fixed values.
fn limits(condition: &ConditionClause, variables: bool) -> bool {
    let key = condition.key.to_lowercase();
    let Some(operator) = Operator::parse(&condition.operator) else {
        return false;
    };
    // Each of these lets pass who lacks the key.
    if operator.negated || operator.if_exists || operator.set == Set::All {
        return false;
    }
    let fixed: fn(&str) -> bool = match operator.test {
        Test::Ip if key == "aws:sourceip" => is_narrow,
        Test::Equals | Test::EqualsIgnoreCase | Test::Like | Test::Arn
            if key == "s3:dataaccesspointarn" =>
        {
            is_of_account
        }
        Test::Equals | Test::EqualsIgnoreCase | Test::Like | Test::Arn => is_fixed,
        _ => return false,
    };
    let mut values = condition.values.iter();
    LIMITING.contains(&&*key)
        && !condition.values.is_empty()
        && values.all(|value| !(variables && value.contains("${")) && fixed(value))
}

/// A text without wildcards.
fn is_fixed(text: &str) -> bool {
    !text.contains(['*', '?'])
}

/// The ARN of an access point whose account is fixed; its name may have wildcards.
fn is_of_account(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", head @ .., account, _] => {
            !account.is_empty() && head.iter().chain([account]).all(|p| is_fixed(p))
        }
        _ => false,
    }
}

/// A network that is no broader than /8 (IPv4) or /32 (IPv6).
fn is_narrow(text: &str) -> bool {
    match Network::parse(text) {
        Some(Network::V4 { mask, .. }) => mask.count_ones() >= 8,
        Some(Network::V6 { mask, .. }) => mask.count_ones() >= 32,
        None => false,
    }
}
