//! Explanations as text, one line each, for a terminal or a log. The text says no more than the
//! data; for JSON, use the fields.

use std::fmt::{Display, Formatter, Result};

use super::{
    ConditionTrace, ElementValues, Explanation, FoundValue, MissingAllow, StatementMismatch,
    StatementRef, VariableTrace,
};
use crate::{Decision, Effect, PolicyLayer};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.decision {
            Decision::Allow => writeln!(f, "allowed")?,
            Decision::Deny(reason) if reason.is_explicit() => writeln!(f, "explicitly denied")?,
            Decision::Deny(_) => writeln!(f, "denied: nothing allows it")?,
        }
        for statement in &self.decided_by {
            writeln!(f, "  by {statement}")?;
        }
        if self.decision.is_allowed() && self.decided_by.is_empty() {
            writeln!(f, "  the root user needs no policy")?;
        }
        for need in &self.needs {
            write!(f, "  needed: ")?;
            self.need(need, f)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Explanation {
    fn need(&self, need: &MissingAllow, f: &mut Formatter<'_>) -> Result {
        match need {
            MissingAllow::WithoutDeny {
                statement,
                conditions,
                spares,
            } => {
                write!(f, "{statement} must not deny")?;
                if !spares.is_empty() {
                    let listed = list(spares, "and");
                    write!(f, " all but {listed}, whose accounts have to be listed too")?;
                }
                if !conditions.is_empty() {
                    let requested: Vec<String> =
                        conditions.iter().map(ToString::to_string).collect();
                    write!(f, ", as it does if {}", requested.join(" and "))?;
                }
                Ok(())
            }
            MissingAllow::Allow { layer, nearest } => {
                write!(f, "an Allow in {layer}")?;
                // There is only one boundary; for other layers, any policy will do.
                let mut own = self.statements.iter().map(|examined| &examined.statement);
                let boundary = own.find(|s| s.layer == *layer && *layer == PolicyLayer::Boundary);
                if let Some(id) = boundary.and_then(|statement| statement.id.as_deref()) {
                    write!(f, " {id}")?;
                }
                write!(f, " for {} on {}", self.action, self.resource)?;
                for near in nearest {
                    let mismatches: Vec<String> =
                        near.mismatches.iter().map(ToString::to_string).collect();
                    write!(f, "; {} lacks: {}", near.statement, mismatches.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

/// Maximum number of items listed.
const LISTED_MAX: usize = 4;

fn list(items: &[String], word: &str) -> String {
    let rest = items.len().saturating_sub(LISTED_MAX);
    let mut display: Vec<String> = items.iter().take(LISTED_MAX).cloned().collect();
    if rest > 0 {
        display.push(format!("{rest} more"));
    }
    display.join(&format!(" {word} "))
}

impl Display for ElementValues {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.listed.is_empty(), self.negated) {
            (true, _) => f.write_str("about nothing"),
            (false, true) => write!(f, "about all but {}", list(&self.listed, "and")),
            (false, false) => write!(f, "about {}", list(&self.listed, "or")),
        }
    }
}

impl Display for VariableTrace {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value}", self.key),
            None => write!(f, "{} has no value", self.key),
        }
    }
}

/// The values of variables, each preceded by a semicolon.
fn variables(all: &[VariableTrace]) -> String {
    all.iter().map(|variable| format!("; {variable}")).collect()
}

impl Display for StatementRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "statement {}", self.index + 1)?;
        if let Some(sid) = &self.sid {
            write!(f, " ({sid})")?;
        }
        write!(f, " of {}", self.layer)?;
        match &self.id {
            Some(id) => write!(f, " {id}"),
            None => write!(f, " {}", self.policy + 1),
        }
    }
}

impl Display for PolicyLayer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.noun())
    }
}

impl Display for StatementMismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Action => f.write_str("the action"),
            Self::Principal(about) => write!(f, "the principal ({about})"),
            Self::Resource {
                about,
                variables: used,
            } => write!(f, "the resource ({about}{})", variables(used)),
            Self::Condition(tested) => write!(f, "the condition {tested}"),
            Self::Unreadable => f.write_str("an operator that exists"),
        }
    }
}

impl ConditionTrace {
    /// The requirement, without the value found.
    pub fn condition_text(&self) -> String {
        let Self {
            operator,
            key,
            wanted,
            ..
        } = self;
        format!("{operator} {key} = {}", wanted.join(" or "))
    }
}

impl Display for ConditionTrace {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let used = variables(&self.variables);
        write!(f, "{} (found: {}{used})", self.condition_text(), self.found)
    }
}

impl Display for FoundValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Absent => f.write_str("no such key"),
            Self::One(value) => f.write_str(value),
            Self::Many(values) => write!(f, "[{}]", values.join(", ")),
            Self::Withheld => f.write_str("not disclosed"),
        }
    }
}

impl Display for Effect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        })
    }
}
