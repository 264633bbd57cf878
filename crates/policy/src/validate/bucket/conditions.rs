//! The conditions of S3 bucket policies. Invariant: every action of a statement can have the
//! statement's condition keys.

use super::super::Violation;
use crate::{
    ActionCatalogue,
    actions::ServiceAction,
    condition::{ConditionOperator, OperatorTest},
    document::{ConditionClause, ElementClause},
    literal::IpNetwork,
    pattern::Glob,
};

/// Checks one condition key against the actions of its statement.
pub(super) fn check(clause: &ConditionClause, actions: &ElementClause) -> Result<(), Violation> {
    let key = clause.key.to_ascii_lowercase();
    if !key.starts_with("aws:") {
        let known = ActionCatalogue::built_in().condition_keys().iter();
        let mut known = known.filter(|known| known.service == "s3");
        if !known.any(|known| is(known.name, &key)) {
            return Err(Violation::BucketConditionKey);
        }
        let mut named = actions.elements.iter().flatten();
        if !actions.negated && !named.all(|action| may_have(action, &key)) {
            return Err(Violation::BucketConditions);
        }
    }
    let test = ConditionOperator::parse(&clause.operator).map(|operator| operator.test);
    let mut values = clause.values.iter();
    match test {
        Some(OperatorTest::Ip) if values.any(|value| IpNetwork::parse(value).is_none()) => {
            Err(Violation::BucketAddress)
        }
        _ => Ok(()),
    }
}

/// Whether some action that a pattern matches can have a key.
fn may_have(action: &str, key: &str) -> bool {
    let Some((_, name)) = action.split_once(':') else {
        return true;
    };
    let glob = Glob::new(&name.to_lowercase());
    let of_s3 = ActionCatalogue::built_in().of_service("s3");
    let mut named = of_s3.filter(|(name, _)| glob.matches(name));
    named.any(|(_, action)| has(action, key))
}

/// Whether requests for an action can have a key, by themselves or through their resources.
fn has(action: &ServiceAction, key: &str) -> bool {
    let types = ActionCatalogue::built_in().resource_types().iter();
    let types = types.filter(|kind| kind.service == "s3" && action.is_on(kind.name));
    let of_resources = types.flat_map(|kind| &kind.condition_keys);
    let mut all = action.condition_keys.iter().chain(of_resources);
    all.any(|known| is(known, key))
}

/// Whether a key (in lower case) is the published one. `s3:ExistingObjectTag/<key>` covers any tag
/// key.
fn is(published: &str, key: &str) -> bool {
    match (published.split_once('/'), key.split_once('/')) {
        (None, None) => published.eq_ignore_ascii_case(key),
        (Some((published, _)), Some((stem, tag))) => {
            published.eq_ignore_ascii_case(stem) && !tag.is_empty()
        }
        _ => false,
    }
}
