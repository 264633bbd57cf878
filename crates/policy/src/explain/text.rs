//! Explanations in words, one line each, for a terminal or a log. It protects one rule: the words
//! say no more than the data; who wants JSON takes the fields.

use std::fmt::{Display, Formatter, Result};

use super::{Explanation, Found, Lack, Need, StatementRef, Tested};
use crate::{Decision, Effect, Layer};

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
        for need in &self.needs {
            writeln!(f, "  needed: {need}")?;
        }
        Ok(())
    }
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

impl Display for Layer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.noun())
    }
}

impl Display for Need {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::WithoutDeny {
                statement,
                conditions,
            } => {
                write!(f, "{statement} must not deny")?;
                if !conditions.is_empty() {
                    let asked: Vec<String> = conditions.iter().map(ToString::to_string).collect();
                    write!(f, ", as it does if {}", asked.join(" and "))?;
                }
                Ok(())
            }
            Self::Allow { layer, nearest } => {
                write!(f, "an Allow in {layer}")?;
                for near in nearest {
                    let lacks: Vec<String> = near.lacks.iter().map(ToString::to_string).collect();
                    write!(f, "; {} lacks: {}", near.statement, lacks.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Lack {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Action => f.write_str("the action"),
            Self::Principal => f.write_str("the principal"),
            Self::Resource { unresolved } if unresolved.is_empty() => f.write_str("the resource"),
            Self::Resource { unresolved } => {
                write!(f, "the resource (without value: {})", unresolved.join(", "))
            }
            Self::Condition(tested) => write!(f, "the condition {tested}"),
            Self::Unreadable => f.write_str("an operator that exists"),
        }
    }
}

impl Tested {
    /// What is asked, without what was found.
    pub fn asked(&self) -> String {
        let Self {
            operator,
            key,
            wanted,
            ..
        } = self;
        format!("{operator} {key} = {}", wanted.join(" or "))
    }
}

impl Display for Tested {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} (found: {})", self.asked(), self.found)
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Absent => f.write_str("no such key"),
            Self::One(value) => f.write_str(value),
            Self::Many(values) => write!(f, "[{}]", values.join(", ")),
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
