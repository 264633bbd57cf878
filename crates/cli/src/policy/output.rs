//! Findings and explanations as JSON.
//!
//! Invariant: field names are stable, and the JSON contains everything that the text does.

use keywright_policy::{
    ConditionTrace, Decision, ElementValues, Explanation, FoundValue, LintFinding, MissingAllow,
    StatementMismatch, StatementRef, StatementTrace, TextPosition, VariableTrace,
};
use serde_json::{Map, Value, json};

/// A lint finding.
pub(super) fn finding(text: &str, finding: &LintFinding) -> Value {
    let place = |byte| {
        let at = TextPosition::of(text, byte);
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

/// An explanation. Its field names are stable.
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

/// A statement, counted from 1 as in the text.
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

fn examined_json(examined: &StatementTrace) -> Value {
    let lacks = examined.mismatches.iter().map(|lack| {
        let mut display = match lack {
            StatementMismatch::Condition(tested) => tested_json(tested),
            StatementMismatch::Principal(about) | StatementMismatch::Resource { about, .. } => {
                about_json(about)
            }
            StatementMismatch::Action | StatementMismatch::Unreadable => Map::new(),
        };
        if let StatementMismatch::Resource { variables, .. } = lack {
            display.insert("Variables".to_owned(), variables_json(variables));
        }
        display.insert("Lack".to_owned(), json!(lack_name(lack)));
        display.insert("Text".to_owned(), json!(lack.to_string()));
        display
    });
    let mut display = statement_json(&examined.statement);
    display.insert("Effect".to_owned(), json!(examined.effect.to_string()));
    display.insert("Applies".to_owned(), json!(examined.applies()));
    display.insert("Lacks".to_owned(), lacks.collect());
    display.into()
}

/// The element that a statement matches: `About`, or `AboutAllBut` for its negated form.
fn about_json(about: &ElementValues) -> Map<String, Value> {
    let name = if about.negated {
        "AboutAllBut"
    } else {
        "About"
    };
    std::iter::once((name.to_owned(), json!(about.listed))).collect()
}

/// The values of policy variables; null if a variable has none.
fn variables_json(variables: &[VariableTrace]) -> Value {
    let variables = variables.iter();
    let all: Map<_, _> = variables
        .map(|variable| (variable.key.clone(), json!(variable.value)))
        .collect();
    all.into()
}

fn tested_json(tested: &ConditionTrace) -> Map<String, Value> {
    let found = match &tested.found {
        FoundValue::Absent | FoundValue::Withheld => Value::Null,
        FoundValue::One(value) => json!(value),
        FoundValue::Many(values) => json!(values),
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

const fn lack_name(lack: &StatementMismatch) -> &'static str {
    match lack {
        StatementMismatch::Action => "action",
        StatementMismatch::Principal(_) => "principal",
        StatementMismatch::Resource { .. } => "resource",
        StatementMismatch::Condition(_) => "condition",
        StatementMismatch::Unreadable => "unreadable",
    }
}

fn need_json(need: &MissingAllow) -> Value {
    match need {
        MissingAllow::WithoutDeny {
            statement,
            conditions,
            spares,
        } => json!({
            "WithoutDeny": statement_json(statement),
            "Spares": spares,
            "Conditions": conditions.iter().map(tested_json).collect::<Vec<_>>(),
        }),
        MissingAllow::Allow { layer, nearest } => json!({
            "AllowIn": layer.to_string(),
            "Nearest": nearest.iter().map(examined_json).collect::<Vec<_>>(),
        }),
    }
}
