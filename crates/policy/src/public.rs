//! Whether a bucket policy is public in the sense of S3's Block Public Access. Invariant: a policy
//! is public unless every Allow is visibly limited, by itself or by a Deny, to fixed values of the
//! caller or the origin. A limit that cannot be recognized does not count. Networks are judged
//! together, because many narrow ones in many statements are a broad one.

use crate::{
    condition::{ConditionOperator, OperatorTest, SetPrefix},
    document::{
        ConditionClause, Effect, ElementClause, LanguageVersion, PolicyDocument, PrincipalClause,
        Statement,
    },
    literal::IpNetwork,
    principal::ANONYMOUS_USER_ID,
};

/// Whether a bucket policy grants public access. Sources: "The meaning of public" in S3's user
/// guide, and recordings of S3.
pub fn is_public(document: &PolicyDocument) -> bool {
    let mut networks = Vec::new();
    for statement in &document.statements {
        match reach(statement, document) {
            Reach::Limited => {}
            Reach::Networks(some) => networks.extend(some),
            Reach::Anyone => return true,
        }
    }
    !are_narrow_together(networks)
}

/// Whether a statement makes its bucket policy public, alone or together with others.
pub(crate) fn is_open(allow: &Statement, document: &PolicyDocument) -> bool {
    match reach(allow, document) {
        Reach::Limited => false,
        Reach::Networks(_) => is_public(document),
        Reach::Anyone => true,
    }
}

/// The principals that a statement allows something.
enum Reach<'a> {
    /// No one, named principals, or callers with fixed values of a key.
    Limited,
    /// Everyone in these networks.
    Networks(&'a [String]),
    /// Everyone.
    Anyone,
}

impl<'a> Reach<'a> {
    /// The callers that a limiting condition leaves.
    fn within(condition: &'a ConditionClause) -> Self {
        match ConditionOperator::parse(&condition.operator) {
            Some(operator) if operator.test == OperatorTest::Ip => {
                Self::Networks(&condition.values)
            }
            _ => Self::Limited,
        }
    }

    /// The narrower of two limits that both apply. Of two sets of networks, either is an upper
    /// bound.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Limited, _) | (_, Self::Limited) => Self::Limited,
            (Self::Anyone, other) => other,
            (networks @ Self::Networks(_), _) => networks,
        }
    }
}

fn reach<'a>(allow: &'a Statement, document: &'a PolicyDocument) -> Reach<'a> {
    if allow.effect != Effect::Allow || names_principal(allow) {
        return Reach::Limited;
    }
    let variables = document.version == Some(LanguageVersion::V2012);
    let all = &allow.conditions;
    let limiting = all.iter().filter(|one| limits(one, all, variables));
    let own = limiting.map(Reach::within);
    let others = document.statements.iter();
    let denied = others.filter_map(|deny| left_by(deny, allow, variables));
    // A Deny often covers several statements, so its networks come first.
    denied.chain(own).fold(Reach::Anyone, Reach::and)
}

/// Whether only specific principals are named.
fn names_principal(statement: &Statement) -> bool {
    let principal = statement.principal.as_ref();
    principal.is_some_and(|principal| !principal.negated && !principal.names_everyone())
}

/// What a Deny leaves of an Allow, if it denies everyone the same, or everyone except callers with
/// some fixed values.
fn left_by<'a>(deny: &'a Statement, allow: &Statement, variables: bool) -> Option<Reach<'a>> {
    let principal = deny.principal.as_ref();
    let everyone = principal.is_some_and(PrincipalClause::names_everyone);
    let applies = deny.effect == Effect::Deny
        && everyone
        && covers(deny.action.as_ref(), allow.action.as_ref())
        && covers(deny.resource.as_ref(), allow.resource.as_ref());
    match deny.conditions.as_slice() {
        [] => applies.then_some(Reach::Limited),
        [only] => {
            let operator = ConditionOperator::parse(&only.operator)?;
            let all = operator.negated
                && operator.set == SetPrefix::Scalar
                && is_fixed(only, operator, variables);
            (applies && all).then(|| Reach::within(only))
        }
        _ => None,
    }
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
        (
            OperatorTest::Equals | OperatorTest::EqualsIgnoreCase | OperatorTest::Like,
            "aws:userid",
        ) => has_fixed_id,
        (OperatorTest::Equals | OperatorTest::EqualsIgnoreCase, _) => |_| true,
        (OperatorTest::Arn, "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn") => {
            |arn| is_arn(arn) && (is_plain(arn) || is_of_account(arn, true))
        }
        (OperatorTest::Like, "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn") => {
            |arn| is_plain(arn) || is_of_account(arn, false)
        }
        (OperatorTest::Like, _) => is_plain,
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

/// Whether the part of a user ID before the session name is fixed, and is not that of unsigned
/// requests.
fn has_fixed_id(text: &str) -> bool {
    let id = text.split_once(':').map_or(text, |(id, _)| id);
    !id.is_empty() && is_plain(id) && !id.eq_ignore_ascii_case(ANONYMOUS_USER_ID)
}

/// Whether a text has the parts of an ARN. An ARN operator with any other value never applies, not
/// even a negated one.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(6, ':').count() == 6
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

/// Addresses in an IPv4 /8 network.
const NARROW: u64 = 1 << 24;
/// Maximum number of IPv4 addresses of all networks together: those of sixteen /8 networks.
const TOGETHER_MAX: u64 = 16 * NARROW;

/// Whether networks that are each narrow leave out most of IPv4 and do not combine to one broader
/// than /8. IPv6 is not counted: a policy has no room for enough /32 networks to matter.
fn are_narrow_together<'a>(texts: impl IntoIterator<Item = &'a String>) -> bool {
    let ranges = texts
        .into_iter()
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
