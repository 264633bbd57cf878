//! The condition keys that policies refer to, including those in variables, so that what a policy
//! needs from a request is known before the request arrives.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    AccessRequest, LanguageVersion, PoliciesInForce, Policy, PolicyDocument,
    context::{EvaluationEnv, StepCounter},
    evaluate::all,
    principal,
};

/// Multivalued keys, which only set operators match, even with a single value.
const LISTS: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "s3:requestobjecttagkeys",
    "sts:transitivetagkeys",
];

/// Keys that the caller's identity determines, regardless of the context.
const OF_PRINCIPAL: [&str; 5] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:userid",
    "aws:username",
];

/// Whether the caller's identity determines a key (in any case), so that a context cannot set it.
pub fn is_of_principal(key: &str) -> bool {
    OF_PRINCIPAL.iter().any(|own| own.eq_ignore_ascii_case(key))
}

/// Whether a key (in any case) is multivalued.
pub fn is_list_key(key: &str) -> bool {
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(key))
}

/// The condition keys in the conditions and variables of documents, sorted ignoring case, without
/// duplicates, in their first spelling. Keys in variables are in lower case.
pub fn context_keys<'a>(documents: impl IntoIterator<Item = &'a PolicyDocument>) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for document in documents {
        collect(&Policy::compile(document), |key, spelling| {
            keys.entry(key).or_insert(spelling);
        });
    }
    keys.into_values().collect()
}

/// The condition keys that the policies refer to and the request lacks, in every spelling.
pub fn missing_context_keys(
    policies: &PoliciesInForce<'_>,
    request: &AccessRequest<'_>,
) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for policy in all(policies) {
        collect(policy, |key, spelling| {
            keys.insert((key, spelling));
        });
    }
    let mut buffer = principal::UserId::new();
    let steps = StepCounter::new();
    let env = EvaluationEnv {
        steps: &steps,
        principal: &request.principal,
        user_id: request.principal.user_id(&mut buffer),
        context: request.context,
    };
    keys.retain(|(key, _)| env.get(key).as_slice().is_empty());
    keys.into_iter().map(|(_, spelling)| spelling).collect()
}

/// The condition keys that the policies refer to, in lower case and sorted.
pub fn mentioned_keys(policies: &PoliciesInForce<'_>) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for policy in all(policies) {
        collect(policy, |key, _| {
            keys.insert(key);
        });
    }
    keys.into_iter().collect()
}

/// Passes a policy's keys to `tell`, in lower case and as written.
fn collect(policy: &Policy, mut tell: impl FnMut(String, String)) {
    let variables = policy.document().version == Some(LanguageVersion::V2012);
    for (written, compiled) in policy.statements() {
        for clause in &written.conditions {
            tell(clause.key.to_lowercase(), clause.key.clone());
        }
        let of_conditions = compiled.conditions().iter().flat_map(|c| c.variables());
        let of_resources = compiled.patterns().iter().flat_map(|p| p.variables());
        for variable in of_conditions.chain(of_resources).filter(|_| variables) {
            let key = variable.key.to_string();
            tell(key.clone(), key);
        }
    }
}
