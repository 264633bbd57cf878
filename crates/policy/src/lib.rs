#![doc = include_str!("../README.md")]
//!
//! Floor 1. It protects one rule: a decision is a pure function of policies and a request, and
//! whatever cannot be evaluated is not allowed. It has no I/O, no clock and no async, and it
//! deliberately knows no service: the caller says which action is performed on which resource.

mod actions;
mod case;
mod condition;
mod context;
mod document;
mod evaluate;
mod explain;
mod implied;
mod index;
mod json;
mod keys;
mod lint;
mod literal;
mod pattern;
mod policy;
mod principal;
mod public;
mod published;
mod question;
mod reason;
mod rename;
mod resource;
mod simulate;
#[cfg(test)]
mod tests;
mod validate;

pub use actions::{AccessLevel, Action, Catalogue, ConditionKey, ResourceType, ResourceUse};
pub use context::{Context, ContextMap, Values};
pub use document::{
    Clause, ConditionClause, Document, Effect, PrincipalClause, PrincipalType, Span, Statement,
    SyntaxError, Version, parse,
};
pub use evaluate::{
    Decision, Level, MeasuredDecision, Policies, PolicySet, Request, evaluate, evaluate_every,
    evaluate_every_within, evaluate_trust,
};
pub use explain::{
    About, Examined, Explanation, Found, Lack, Need, StatementRef, Tested, Variable, explain,
    explanation_steps,
};
pub use json::size_without_whitespace;
pub use keys::{context_keys, is_list_key, is_of_principal, mentioned_keys, missing_context_keys};
pub use lint::{Finding, Position, Severity, lint};
pub use literal::Literal;
pub use policy::Policy;
pub use principal::PrincipalRef;
pub use public::is_public;
pub use question::{Nonsense, Settled, check_question, settled};
pub use reason::{Cause, Layer, Reason, Source};
pub use rename::rename_principals;
pub use simulate::{Outcome, Simulation, simulate, statement_positions};
pub use validate::{Kind, Violation, validate};
