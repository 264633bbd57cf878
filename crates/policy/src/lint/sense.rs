//! Statements that do not do what they appear to say. Only what is certainly without effect is
//! reported, not what merely looks odd.

use std::collections::BTreeSet;

use super::{LintFinding, LintSubject, Severity, refused::CHANGE_VERSION};
use crate::{
    LanguageVersion, PolicyDocument, TextSpan,
    condition::{ConditionOperator, SetPrefix},
    keys::is_list_key,
    pattern::variable,
};

/// Variables in a policy of the version without variables.
pub(super) fn version(text: &str, document: &PolicyDocument) -> Option<LintFinding> {
    if document.version == Some(LanguageVersion::V2012) {
        return None;
    }
    let found = text.match_indices("${");
    let mut found = found.filter_map(|(at, _)| {
        let (body, _) = text.get(at..).and_then(variable)?;
        Some(TextSpan {
            start: at,
            end: at + body.len() + 3,
        })
    });
    let span = found.next()?;
    let finding = LintFinding {
        severity: Severity::Warning,
        code: "version",
        message: String::new(),
        hint: String::new(),
        statement: None,
        span,
    };
    Some(finding.with_message(
        "before version 2012-10-17 this is text, not a variable",
        match document.version {
            Some(_) => CHANGE_VERSION,
            None => "add \"Version\": \"2012-10-17\"",
        },
    ))
}

/// Lists under single-value operators, and lists that may be empty.
pub(super) fn lists(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let conditions = &subject.statement.conditions;
    let tests = conditions.iter().filter_map(|clause| {
        let operator = ConditionOperator::parse(&clause.operator)?;
        Some((clause, operator, clause.key.to_lowercase()))
    });
    let presence = tests.clone().filter(|(clause, operator, _)| {
        operator.is_null() && clause.values.iter().any(|value| value == "false")
    });
    let guarded: BTreeSet<String> = presence.map(|(_, _, key)| key).collect();
    let mut findings = Vec::new();
    for (clause, operator, key) in tests.clone().filter(|(_, o, _)| !o.is_null()) {
        let at = format!("Condition\n{}\n{}", clause.operator, clause.key);
        if operator.set == SetPrefix::Scalar && is_list_key(&key) {
            let about = (Severity::Warning, "list-without-set");
            findings.push(subject.finding(about, (&at, None)).with_message(
                format!(
                    "{} is a list, which {} never matches",
                    clause.key, clause.operator
                ),
                format!("write ForAnyValue:{0} or ForAllValues:{0}", clause.operator),
            ));
        }
        if operator.set == SetPrefix::All && subject.allows() && !guarded.contains(&key) {
            let about = (Severity::Risk, "for-all-without-null");
            findings.push(subject.finding(about, (&at, None)).with_message(
                format!("holds also for requests without {}", clause.key),
                format!("add \"Null\": {{\"{}\": \"false\"}}", clause.key),
            ));
        }
    }
    findings
}
