//! Leaves out of an explanation the values of condition keys that its reader may not know. What the
//! policies say about these keys stays, and so does whether a statement applies.

use super::{
    ConditionTrace, Explanation, FoundValue, MissingAllow, StatementMismatch, StatementTrace,
    VariableTrace,
};

impl Explanation {
    /// Withholds the values of the condition keys that `secret` names, in lower case.
    pub fn withhold(&mut self, secret: impl Fn(&str) -> bool) {
        for examined in &mut self.statements {
            in_statement(examined, &secret);
        }
        for need in &mut self.needs {
            match need {
                MissingAllow::WithoutDeny { conditions, .. } => {
                    conditions
                        .iter_mut()
                        .for_each(|it| in_condition(it, &secret));
                }
                MissingAllow::Allow { nearest, .. } => {
                    nearest.iter_mut().for_each(|it| in_statement(it, &secret));
                }
            }
        }
    }
}

fn in_statement(examined: &mut StatementTrace, secret: &impl Fn(&str) -> bool) {
    for mismatch in &mut examined.mismatches {
        match mismatch {
            StatementMismatch::Condition(tested) => in_condition(tested, secret),
            StatementMismatch::Resource { variables, .. } => in_variables(variables, secret),
            StatementMismatch::Action
            | StatementMismatch::Principal(_)
            | StatementMismatch::Unreadable => {}
        }
    }
}

fn in_condition(tested: &mut ConditionTrace, secret: &impl Fn(&str) -> bool) {
    if secret(&tested.key.to_lowercase()) {
        tested.found = FoundValue::Withheld;
    }
    in_variables(&mut tested.variables, secret);
}

fn in_variables(variables: &mut Vec<VariableTrace>, secret: &impl Fn(&str) -> bool) {
    variables.retain(|variable| !secret(&variable.key.to_lowercase()));
}
