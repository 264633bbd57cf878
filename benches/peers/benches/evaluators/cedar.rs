//! The same policies in Cedar.

use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use serde_json::Value;

use crate::fixture;

pub struct Peer {
    policies: PolicySet,
    entities: Entities,
    authorizer: Authorizer,
}

impl Peer {
    pub fn new() -> Self {
        let mut text = String::new();
        let mut groups = Vec::new();
        for document in fixture::documents() {
            let document: Value = serde_json::from_str(&document).unwrap();
            let statements = match &document["Statement"] {
                Value::Array(statements) => statements.clone(),
                one => vec![one.clone()],
            };
            for statement in &statements {
                policy(statement, &mut text, &mut groups);
            }
        }
        groups.sort();
        groups.dedup();
        let of_request = |action: &str| {
            let parents = groups.iter().filter(|group| like(group, action));
            let parents = parents.map(|group| uid("Action", group)).collect();
            Entity::new_no_attrs(uid("Action", &format!("ask {action}")), parents)
        };
        let actions = fixture::REQUESTS
            .iter()
            .map(|(_, action, ..)| of_request(action));
        let mut entities: Vec<Entity> = actions.collect();
        entities.sort_by_key(Entity::uid);
        entities.dedup_by_key(|entity| entity.uid());
        for group in &groups {
            entities.push(Entity::with_uid(uid("Action", group)));
        }
        Self {
            policies: text.parse().unwrap(),
            entities: Entities::from_entities(entities, None).unwrap(),
            authorizer: Authorizer::new(),
        }
    }

    pub fn request(&self, action: &str, resource: &str) -> Request {
        let own = [("resource", resource)];
        let keys = fixture::KEYS.iter().chain(&own);
        let pairs = keys.map(|(key, value)| {
            let value = RestrictedExpression::new_string((*value).to_owned());
            ((*key).to_owned(), value)
        });
        let context = Context::from_pairs(pairs).unwrap();
        let action = uid("Action", &format!("ask {action}"));
        Request::new(
            uid("User", "bob"),
            action,
            uid("Resource", "any"),
            context,
            None,
        )
        .unwrap()
    }

    pub fn allows(&self, request: &Request) -> bool {
        let response = self
            .authorizer
            .is_authorized(request, &self.policies, &self.entities);
        response.decision() == Decision::Allow
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.parse().unwrap(), cedar_policy::EntityId::new(id))
}

/// Whether a pattern of actions lists an action.
fn like(pattern: &str, action: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(action),
        Some((first, rest)) => {
            let Some(tail) = action.strip_prefix(first) else {
                return false;
            };
            (0..=tail.len()).any(|at| like(rest, &tail[at..]) || (rest.is_empty()))
        }
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(list).collect(),
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// Appends a statement.
fn policy(statement: &Value, text: &mut String, groups: &mut Vec<String>) {
    let effect = if statement["Effect"] == "Allow" {
        "permit"
    } else {
        "forbid"
    };
    let actions = list(&statement["Action"]);
    let ids = actions.iter().map(|action| format!("Action::{action:?}"));
    let ids = ids.collect::<Vec<_>>().join(", ");
    groups.extend(actions);
    let quoted = |pattern: &str| format!("{:?}", pattern.replace("${aws:username}", "bob"));
    let resources = list(&statement["Resource"]);
    let mut clauses = Vec::new();
    if !resources.iter().any(|resource| resource == "*") {
        let each = resources
            .iter()
            .map(|r| format!("context.resource like {}", quoted(r)));
        clauses.push(each.collect::<Vec<_>>().join(" || "));
    }
    for (_, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().unwrap() {
            let each = list(values);
            let each = each
                .iter()
                .map(|v| format!("context[{key:?}] like {}", quoted(v)));
            let any = each.collect::<Vec<_>>().join(" || ");
            clauses.push(format!("context has {key:?} && ({any})"));
        }
    }
    let clauses: Vec<String> = clauses.iter().map(|clause| format!("({clause})")).collect();
    let when = match clauses.is_empty() {
        true => String::new(),
        false => format!(" when {{ {} }}", clauses.join(" && ")),
    };
    writeln!(
        text,
        "{effect}(principal, action in [{ids}], resource){when};"
    )
    .unwrap();
}
