//! The condition keys that policies speak of. It protects one rule: what a policy can ask of a
//! request is known before the request comes, variables included.

use std::collections::BTreeMap;

use crate::{Document, Policies, Policy, Request, Version, context::Env, evaluate::all, principal};

/// Keys that are lists, even of one value: only set operators match them.
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

/// Keys that follow from who calls, whatever a context says.
const OF_PRINCIPAL: [&str; 5] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:userid",
    "aws:username",
];

/// Whether a key, in any case, follows from who calls: a context cannot tell it.
pub fn is_of_principal(key: &str) -> bool {
    OF_PRINCIPAL.iter().any(|own| own.eq_ignore_ascii_case(key))
}

/// Whether a key, in any case, is a list whatever it holds.
pub fn is_list_key(key: &str) -> bool {
    LISTS.iter().any(|list| list.eq_ignore_ascii_case(key))
}

/// The condition keys that documents refer to, in conditions and in variables: sorted without
/// regard to case, each once, in the first spelling. Keys in variables are in lower case.
pub fn context_keys<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for document in documents {
        collect(&Policy::compile(document), &mut keys);
    }
    keys.into_values().collect()
}

/// The condition keys that the policies refer to and the request does not have.
pub fn missing_context_keys(policies: &Policies<'_>, request: &Request<'_>) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for policy in all(policies) {
        collect(policy, &mut keys);
    }
    let mut buffer = principal::UserId::new();
    let env = Env {
        principal: &request.principal,
        user_id: request.principal.user_id(&mut buffer),
        context: request.context,
    };
    keys.retain(|key, _| env.get(key).as_slice().is_empty());
    keys.into_values().collect()
}

/// The condition keys that the policies refer to, in lower case and sorted.
pub fn mentioned_keys(policies: &Policies<'_>) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for policy in all(policies) {
        collect(policy, &mut keys);
    }
    keys.into_keys().collect()
}

/// Adds a policy's keys: lower case to spelling.
fn collect(policy: &Policy, keys: &mut BTreeMap<String, String>) {
    let variables = policy.document().version == Some(Version::V2012);
    for (written, compiled) in policy.statements() {
        for clause in &written.conditions {
            let spelling = || clause.key.clone();
            keys.entry(clause.key.to_lowercase())
                .or_insert_with(spelling);
        }
        let of_conditions = compiled.conditions().iter().flat_map(|c| c.variables());
        let of_resources = compiled.patterns().iter().flat_map(|p| p.variables());
        for variable in of_conditions.chain(of_resources).filter(|_| variables) {
            let key = variable.key.to_string();
            keys.entry(key.clone()).or_insert(key);
        }
    }
}
