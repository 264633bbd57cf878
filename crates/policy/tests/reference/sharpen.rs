//! Sharpens a case: every layer but one allows everything, and the request's values come from the
//! tables of the operators that test them. The decision then depends on the statements of one layer
//! often enough to expose a mistake in evaluating them.

use serde_json::{Value as Json, json};

use super::{
    Caller, Case, Given,
    generate::{ADDRESSES_FOUND, Draw, Kind, OPERATORS, policy},
    list, statements,
};

/// Makes the decision depend on one layer.
pub(super) fn sharpen(case: &mut Case, draw: &mut Draw) {
    let mut layer = [vec![], vec![]];
    let focus = draw.below(6);
    let kind = kind(focus, case.trust);
    for policies in &mut layer {
        *policies = (0..=draw.below(2)).map(|_| sharp(draw, kind)).collect();
    }
    if let [policies, _] = &mut layer
        && draw.below(3) > 0
    {
        *policies = vec![one_condition(draw, kind)];
    }
    answer(case, draw, &layer.concat());
    let [mut policies, more] = layer;
    case.identity = vec![everything(None)];
    (case.boundary, case.session, case.owner) = (None, None, None);
    case.service_control.clear();
    case.resource_control.clear();
    let stranger = matches!(
        case.caller,
        Caller::Service | Caller::Provider | Caller::Anonymous
    );
    case.attached = match case.trust {
        _ if stranger => Some(everything(Some(json!("*")))),
        true => Some(everything(Some(json!({"AWS": "123456789012"})))),
        false => None,
    };
    if case.caller == Caller::Federated {
        case.session = Some(vec![everything(None)]);
    }
    match focus {
        0 => case.identity = policies,
        1 => case.boundary = policies.pop(),
        2 => case.session = Some(policies),
        3 => {
            case.attached = policies.pop();
            match draw.below(3) {
                0 => case.owner = Some("210987654321".to_owned()),
                1 => case.identity.clear(),
                _ => {}
            }
        }
        4 => case.service_control = vec![policies, more],
        _ => case.resource_control = vec![policies, more],
    }
}

const fn kind(focus: usize, trust: bool) -> Kind {
    match focus {
        3 if trust => Kind::Trust,
        3 | 5 => Kind::Attached,
        _ => Kind::Identity,
    }
}

/// A policy whose statements often cover every action, resource and principal, so that their
/// conditions decide.
fn sharp(draw: &mut Draw, kind: Kind) -> Json {
    let mut policy = policy(draw, kind);
    let mut all = statements(&policy);
    for statement in &mut all {
        for (name, value) in [
            ("Action", json!("*")),
            ("Resource", json!("*")),
            ("Principal", json!("*")),
        ] {
            if statement.get(name).is_some() && draw.below(3) > 0 {
                statement[name] = value;
            }
        }
    }
    if draw.one_in(2) && all.iter().any(|statement| statement["Effect"] == "Deny") {
        all.push(statement((kind != Kind::Identity).then(|| json!("*"))));
        if kind == Kind::Trust {
            all.last_mut()
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove("Resource");
        }
    }
    policy["Statement"] = all.into();
    policy
}

/// A policy decided by one condition; all operators and forms are equally likely.
fn one_condition(draw: &mut Draw, kind: Kind) -> Json {
    let (name, table) = OPERATORS[draw.below(OPERATORS.len())];
    let prefix = ["", "ForAllValues:", "ForAnyValue:"][draw.below(3)];
    let suffix = match name {
        "Null" => "",
        _ => ["", "IfExists"][draw.below(2)],
    };
    let wanted: Vec<&str> = (0..=draw.below(2))
        .map(|_| table[draw.below(table.len())])
        .collect();
    let mut only = statement((kind != Kind::Identity).then(|| json!("*")));
    if kind == Kind::Trust {
        only.as_object_mut().unwrap().remove("Resource");
    }
    only["Condition"] = json!({format!("{prefix}{name}{suffix}"): {"m": wanted}});
    if draw.one_in(3) {
        only["Effect"] = json!("Deny");
    }
    json!({"Version": "2012-10-17", "Statement": only})
}

fn statement(principal: Option<Json>) -> Json {
    let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if let Some(principal) = principal {
        statement["Principal"] = principal;
    }
    statement
}

fn everything(principal: Option<Json>) -> Json {
    json!({"Version": "2012-10-17", "Statement": statement(principal)})
}

/// Gives the request the keys that the policies test, often with matching values.
fn answer(case: &mut Case, draw: &mut Draw, policies: &[Json]) {
    for statement in policies.iter().flat_map(statements) {
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let bare = operator.to_lowercase().replace("ifexists", "");
            let bare = bare.rsplit(':').next().unwrap_or_default();
            let known = OPERATORS.iter();
            let table = match bare {
                "ipaddress" | "notipaddress" => ADDRESSES_FOUND,
                _ => known
                    .clone()
                    .find(|(name, _)| name.to_lowercase() == bare)
                    .map_or(&[][..], |(_, values)| values),
            };
            for (key, wanted) in keys.as_object().unwrap() {
                let wanted = list(wanted);
                let mut one = || match wanted.get(draw.below(2 * wanted.len().max(1))) {
                    Some(value) => value.clone(),
                    None => table[draw.below(table.len())].to_owned(),
                };
                let first = one();
                let values = [first.clone(), one(), first];
                let given = match draw.below(8) {
                    0 => {
                        case.context.remove(&key.to_lowercase());
                        continue;
                    }
                    1..4 => Given::One(values[0].clone()),
                    few => Given::List(values[few % 3..].to_vec()),
                };
                case.context.insert(key.to_lowercase(), given);
            }
        }
    }
}
