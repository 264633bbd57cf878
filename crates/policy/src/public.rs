//! Whether a bucket policy is public in the sense of S3's Block Public Access. Invariant: a policy
//! is public unless every Allow is visibly limited, by itself or by a Deny, to fixed values of the
//! caller or the origin. A limit that cannot be recognized does not count.

use crate::{
    condition::{ConditionOperator, OperatorTest, SetPrefix},
    document::{
        ConditionClause, Effect, ElementClause, LanguageVersion, PolicyDocument, PrincipalClause,
        Statement,
    },
    literal::IpNetwork,
};

/// Whether a bucket policy grants public access. Sources: "The meaning of public" in S3's user
/// guide, and recordings of S3.
pub fn is_public(document: &PolicyDocument) -> bool {
    let mut statements = document.statements.iter();
    statements.any(|statement| is_open(statement, document))
}

/// Whether a statement makes its bucket policy public.
pub(crate) fn is_open(allow: &Statement, document: &PolicyDocument) -> bool {
    let variables = document.version == Some(LanguageVersion::V2012);
    let mut others = document.statements.iter();
    opens(allow, variables) && !others.any(|deny| closes(deny, allow, variables))
}

/// Whether a statement allows everyone, without a limiting condition.
fn opens(statement: &Statement, variables: bool) -> bool {
    let all = &statement.conditions;
    let limited = all.iter().any(|one| limits(one, all, variables));
    statement.effect == Effect::Allow && !names_principal(statement) && !limited
}

/// Whether only specific principals are named.
fn names_principal(statement: &Statement) -> bool {
    let principal = statement.principal.as_ref();
    principal.is_some_and(|principal| !principal.negated && !principal.names_everyone())
}

/// Whether a statement denies everyone what another one allows, or everyone except callers with
/// some fixed values.
fn closes(deny: &Statement, allow: &Statement, variables: bool) -> bool {
    let principal = deny.principal.as_ref();
    let everyone = principal.is_some_and(PrincipalClause::names_everyone);
    let all = match deny.conditions.as_slice() {
        [] => true,
        [only] => ConditionOperator::parse(&only.operator).is_some_and(|operator| {
            operator.negated
                && operator.set == SetPrefix::Scalar
                && is_fixed(only, operator, variables)
        }),
        _ => false,
    };
    deny.effect == Effect::Deny
        && everyone
        && all
        && covers(deny.action.as_ref(), allow.action.as_ref())
        && covers(deny.resource.as_ref(), allow.resource.as_ref())
}

/// Whether the values of one element visibly include those of another.
fn covers(outer: Option<&ElementClause>, inner: Option<&ElementClause>) -> bool {
    let (Some(outer), Some(inner)) = (outer, inner) else {
        return false;
    };
    let covered = |text: &String| {
        let mut patterns = outer.elements.iter().flatten();
        patterns.any(|pattern| pattern == text || is_start(pattern, text))
    };
    outer == inner
        || !outer.negated && !inner.negated && inner.elements.iter().flatten().all(covered)
}

/// Whether a pattern is a prefix of the text followed by an asterisk.
fn is_start(pattern: &str, text: &str) -> bool {
    let start = pattern.strip_suffix('*');
    start.is_some_and(|start| is_plain(start) && !start.contains("${") && text.starts_with(start))
}

/// The keys whose fixed values limit a grant.
const LIMITING: [&str; 12] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether a condition, together with the other conditions of its statement, accepts only fixed
/// values of a key.
fn limits(condition: &ConditionClause, all: &[ConditionClause], variables: bool) -> bool {
    let Some(operator) = ConditionOperator::parse(&condition.operator) else {
        return false;
    };
    // These operators accept a request without the key, unless another condition requires it.
    let lax = operator.if_exists || operator.set == SetPrefix::All;
    !operator.negated
        && is_fixed(condition, operator, variables)
        && (!lax || all.iter().any(|other| is_presence(other, &condition.key)))
}

/// Whether a condition requires the request to have a key.
fn is_presence(condition: &ConditionClause, key: &str) -> bool {
    let is_null =
        ConditionOperator::parse(&condition.operator).is_some_and(ConditionOperator::is_null);
    let mut values = condition.values.iter();
    is_null
        && condition.key.eq_ignore_ascii_case(key)
        && !condition.values.is_empty()
        && values.all(|value| value.eq_ignore_ascii_case("false"))
}

/// Whether a condition compares a limiting key only with fixed values.
fn is_fixed(condition: &ConditionClause, operator: ConditionOperator, variables: bool) -> bool {
    let key = condition.key.to_lowercase();
    let fixed: fn(&str) -> bool = match (operator.test, &*key) {
        (OperatorTest::Ip, "aws:sourceip") => is_narrow,
        (OperatorTest::Equals | OperatorTest::EqualsIgnoreCase, _) => |_| true,
        (OperatorTest::Like, "aws:userid") => has_fixed_id,
        (OperatorTest::Arn, "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn") => {
            |arn| is_plain(arn) || is_of_account(arn, true)
        }
        (OperatorTest::Like, "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn") => {
            |arn| is_plain(arn) || is_of_account(arn, false)
        }
        (OperatorTest::Like | OperatorTest::Arn, _) => is_plain,
        _ => return false,
    };
    let mut values = condition.values.iter();
    LIMITING.contains(&&*key)
        && values.all(|value| !(variables && value.contains("${")) && fixed(value))
        && (operator.test != OperatorTest::Ip || are_narrow_together(&condition.values))
}

/// A text without wildcards.
fn is_plain(text: &str) -> bool {
    !text.contains(['*', '?'])
}

/// Whether the part of a user ID before the session name is fixed.
fn has_fixed_id(text: &str) -> bool {
    let id = text.split_once(':').map_or(text, |(id, _)| id);
    !id.is_empty() && is_plain(id)
}

/// Whether an ARN's account is fixed. Its last part may have wildcards. So may its region if
/// `any_region` is set, which requires that a wildcard stays within its segment.
fn is_of_account(arn: &str, any_region: bool) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, service, region, account, _] => {
            let fixed = [partition, service, account]
                .into_iter()
                .all(|p| is_plain(p));
            fixed && !account.is_empty() && (any_region || is_plain(region))
        }
        _ => false,
    }
}

/// Whether a network is no broader than /8 (IPv4) or /32 (IPv6).
fn is_narrow(text: &str) -> bool {
    match IpNetwork::parse(text) {
        Some(IpNetwork::V4 { mask, .. }) => mask.count_ones() >= 8,
        Some(IpNetwork::V6 { mask, .. }) => mask.count_ones() >= 32,
        None => false,
    }
}

/// Addresses of IPv4 in a network of /8.
const NARROW: u64 = 1 << 24;
/// Addresses that networks of IPv4 may have together: those of sixteen such networks.
const TOGETHER_MAX: u64 = 16 * NARROW;

/// Whether networks, each of them narrow, leave out most of IPv4 and do not join to one that is
/// broader than /8. So many of IPv6 that it matters are more than a policy has room for.
fn are_narrow_together(texts: &[String]) -> bool {
    let ranges = texts
        .iter()
        .filter_map(|text| match IpNetwork::parse(text) {
            Some(IpNetwork::V4 { base, mask }) => {
                let first = u64::from(base);
                Some((first, first + u64::from(!mask) + 1))
            }
            _ => None,
        });
    let mut ranges: Vec<(u64, u64)> = ranges.collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, end) in ranges {
        match joined.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((first, end)),
        }
    }
    let together: u64 = joined.iter().map(|(first, end)| end - first).sum();
    let mut broad = joined.iter().filter(|(first, end)| {
        let aligned = first.next_multiple_of(2 * NARROW);
        aligned + 2 * NARROW <= *end
    });
    together <= TOGETHER_MAX && broad.next().is_none()
}
