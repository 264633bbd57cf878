//! Findings and explanations as JSON. It protects one rule: the names are stable, and say no less
//! than the text does.

use keywright_policy::{
    About, Decision, Examined, Explanation, Finding, Found, Lack, Need, Position, StatementRef,
    Tested, Variable,
};
use serde_json::{Map, Value, json};

/// A finding about a policy's text.
pub(super) fn finding(text: &str, finding: &Finding) -> Value {
    let place = |byte| {
        let at = Position::of(text, byte);
        json!({"line": at.line, "column": at.column})
    };
    json!({
        "severity": finding.severity.as_str(),
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
        "statement": finding.statement.map(|statement| statement + 1),
        "start": place(finding.span.start),
        "end": place(finding.span.end),
    })
}

/// An explanation as JSON; the names are stable.
pub(super) fn explanation(explained: &Explanation) -> Value {
    let decision = match &explained.decision {
        Decision::Allow => "allowed",
        Decision::Deny(reason) if reason.is_explicit() => "explicitDeny",
        Decision::Deny(_) => "implicitDeny",
    };
    json!({
        "Decision": decision,
        "DecidedBy": explained.decided_by.iter().map(statement_json).collect::<Vec<_>>(),
        "Statements": explained.statements.iter().map(examined_json).collect::<Vec<_>>(),
        "Needs": explained.needs.iter().map(need_json).collect::<Vec<_>>(),
    })
}

/// Statements are counted from 1, as in the text.
fn statement_json(statement: &StatementRef) -> Map<String, Value> {
    let members = [
        ("Layer", json!(statement.layer.to_string())),
        ("Policy", json!(statement.id)),
        ("Statement", json!(statement.index + 1)),
        ("Sid", json!(statement.sid)),
    ];
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn examined_json(examined: &Examined) -> Value {
    let lacks = examined.lacks.iter().map(|lack| {
        let mut shown = match lack {
            Lack::Condition(tested) => tested_json(tested),
            Lack::Principal(about) | Lack::Resource { about, .. } => about_json(about),
            Lack::Action | Lack::Unreadable => Map::new(),
        };
        if let Lack::Resource { variables, .. } = lack {
            shown.insert("Variables".to_owned(), variables_json(variables));
        }
        shown.insert("Lack".to_owned(), json!(lack_name(lack)));
        shown.insert("Text".to_owned(), json!(lack.to_string()));
        shown
    });
    let mut shown = statement_json(&examined.statement);
    shown.insert("Effect".to_owned(), json!(examined.effect.to_string()));
    shown.insert("Applies".to_owned(), json!(examined.applies()));
    shown.insert("Lacks".to_owned(), lacks.collect());
    shown.into()
}

/// What a statement is about: `About`, or `AboutAllBut`.
fn about_json(about: &About) -> Map<String, Value> {
    let name = if about.negated {
        "AboutAllBut"
    } else {
        "About"
    };
    std::iter::once((name.to_owned(), json!(about.listed))).collect()
}

/// The values of variables, null where there is none.
fn variables_json(variables: &[Variable]) -> Value {
    let variables = variables.iter();
    let all: Map<_, _> = variables
        .map(|variable| (variable.key.clone(), json!(variable.value)))
        .collect();
    all.into()
}

fn tested_json(tested: &Tested) -> Map<String, Value> {
    let found = match &tested.found {
        Found::Absent => Value::Null,
        Found::One(value) => json!(value),
        Found::Many(values) => json!(values),
    };
    let members = [
        ("Operator", json!(tested.operator)),
        ("Key", json!(tested.key)),
        ("Wanted", json!(tested.wanted)),
        ("Variables", variables_json(&tested.variables)),
        ("Found", found),
    ];
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

const fn lack_name(lack: &Lack) -> &'static str {
    match lack {
        Lack::Action => "action",
        Lack::Principal(_) => "principal",
        Lack::Resource { .. } => "resource",
        Lack::Condition(_) => "condition",
        Lack::Unreadable => "unreadable",
    }
}

fn need_json(need: &Need) -> Value {
    match need {
        Need::WithoutDeny {
            statement,
            conditions,
            spares,
        } => json!({
            "WithoutDeny": statement_json(statement),
            "Spares": spares,
            "Conditions": conditions.iter().map(tested_json).collect::<Vec<_>>(),
        }),
        Need::Allow { layer, nearest } => json!({
            "AllowIn": layer.to_string(),
            "Nearest": nearest.iter().map(examined_json).collect::<Vec<_>>(),
        }),
    }
}
