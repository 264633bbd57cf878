#![doc = include_str!("../README.md")]
//!
//! Floor 1. Invariant: a decision is a pure function of policies and a request, and whatever cannot
//! be evaluated is denied. The crate has no I/O, no clock and no async. It deliberately knows no
//! service: the caller says which action is performed on which resource.

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

pub use actions::{
    AccessLevel, ActionCatalogue, ConditionKey, ResourceType, ResourceUse, ServiceAction,
};
pub use context::{ContextLookup, ContextMap, ContextValues, is_key};
pub use document::{
    ConditionClause, Effect, ElementClause, LanguageVersion, PolicyDocument, PrincipalClause,
    PrincipalType, Statement, SyntaxError, TextSpan, parse,
};
pub use evaluate::{
    AccessRequest, Decision, MeasuredDecision, PoliciesInForce, PolicyLevel, PolicySet, evaluate,
    evaluate_every, evaluate_every_within, evaluate_trust,
};
pub use explain::{
    ConditionTrace, ElementValues, Explanation, FoundValue, MissingAllow, StatementMismatch,
    StatementRef, StatementTrace, VariableTrace, explain, explanation_steps,
};
pub use json::size_without_whitespace;
pub use keys::{context_keys, is_list_key, is_of_principal, mentioned_keys, missing_context_keys};
pub use lint::{LintFinding, Severity, TextPosition, lint};
pub use literal::LiteralKind;
pub use policy::Policy;
pub use principal::PrincipalRef;
pub use public::is_public;
pub use question::{InvalidQuestion, SettledAnswer, check_question, settled};
pub use reason::{DenialCause, DenialReason, PolicyLayer, PolicySource};
pub use rename::{ReplacedAccount, rename_principals, replace_account};
pub use simulate::{Simulation, SimulationOutcome, simulate, statement_positions};
pub use validate::{DocumentKind, Violation, validate};
