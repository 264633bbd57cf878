//! The parse tree of a policy. Invariant: a parsed document conforms to the grammar, so no later
//! code checks again whether an element has the right type.
//!
//! The tree preserves order, spelling and spans. It deliberately does not validate ARNs, actions or
//! literals; [`crate::validate`] does.

use crate::{
    condition::ConditionOperator,
    json::{self, PolicyNode, PolicyValue},
};

/// A byte range in the policy's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextSpan {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at byte {at})")]
pub struct SyntaxError {
    /// Byte offset into the text.
    pub at: usize,
    /// What is wrong, in our words. AWS says only "Syntax errors in policy."
    pub what: String,
}

impl SyntaxError {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { at, what }
    }
}

/// The version of the policy language. Variables require 2012-10-17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanguageVersion {
    /// `2008-10-17`, also the default.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// The effect of a statement that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows, unless another statement denies.
    Allow,
    /// Denies, whatever else is allowed.
    Deny,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyDocument {
    /// `Version`; absent means 2008-10-17.
    pub version: Option<LanguageVersion>,
    /// `Id`.
    pub id: Option<String>,
    /// `Statement`, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// `Sid`.
    pub sid: Option<String>,
    /// `Effect`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`.
    pub principal: Option<PrincipalClause>,
    /// `Action` or `NotAction`.
    pub action: Option<ElementClause>,
    /// `Resource` or `NotResource`.
    pub resource: Option<ElementClause>,
    /// `Condition`: one entry per operator and key.
    pub conditions: Vec<ConditionClause>,
    /// The span of the statement's object in the text.
    pub span: TextSpan,
}

/// `Action`, `Resource` and their negated forms.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementClause {
    /// Whether the name starts with `Not`.
    pub negated: bool,
    /// The elements as written. `None` is a JSON null, which AWS accepts in a list of resources and
    /// which matches nothing.
    pub elements: Vec<Option<String>>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalClause {
    /// Whether this is `NotPrincipal`.
    pub negated: bool,
    /// The principals; the bare `"*"` is `(Everyone, "*")`.
    pub elements: Vec<(PrincipalType, String)>,
}

impl PrincipalClause {
    pub(crate) fn names_everyone(&self) -> bool {
        !self.negated && self.elements.iter().any(|(_, text)| text == "*")
    }
}

/// The key under which a principal is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalType {
    /// The bare string `"*"`.
    Everyone,
    /// `AWS`.
    Aws,
    /// `Service`.
    Service,
    /// `Federated`.
    Federated,
    /// `CanonicalUser`.
    CanonicalUser,
}

impl PrincipalType {
    /// The key as written in a policy; `*` for [`PrincipalType::Everyone`].
    pub const fn key(self) -> &'static str {
        match self {
            Self::Everyone => "*",
            Self::Aws => "AWS",
            Self::Service => "Service",
            Self::Federated => "Federated",
            Self::CanonicalUser => "CanonicalUser",
        }
    }

    fn named(key: &str) -> Option<Self> {
        [
            Self::Aws,
            Self::Service,
            Self::Federated,
            Self::CanonicalUser,
        ]
        .into_iter()
        .find(|kind| kind.key() == key)
    }
}

/// One key under one operator of a `Condition`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionClause {
    /// The operator as written, for example `ForAnyValue:StringLike`.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// The values; numbers and booleans are spelled as in the text.
    pub values: Vec<String>,
}

/// A document, and the fault that the grammar accepts but IAM's older parser does not.
pub(crate) struct ParsedDocument {
    pub(crate) document: PolicyDocument,
    /// An `Effect` in the wrong case.
    pub(crate) misspelt_effect: Option<SyntaxError>,
}

/// Parses a policy document.
///
/// # Errors
/// [`SyntaxError`] for text that is not JSON, repeats a key, nests deeper than
/// [`POLICY_DEPTH`](keywright_base::limits::POLICY_DEPTH), or does not conform to the grammar.
/// [`crate::validate`] may still reject a document that parses.
pub fn parse(text: &str) -> Result<PolicyDocument, SyntaxError> {
    let parsed = document(json::read(text)?)?;
    match parsed.misspelt_effect {
        Some(fault) => Err(fault),
        None => Ok(parsed.document),
    }
}

/// Converts a JSON value into a policy document.
pub(crate) fn document(node: PolicyNode) -> Result<ParsedDocument, SyntaxError> {
    let at = node.span.start;
    let mut out = ParsedDocument {
        document: PolicyDocument {
            version: None,
            id: None,
            statements: Vec::new(),
        },
        misspelt_effect: None,
    };
    for (name, node) in members(node, "a policy is an object")? {
        match name.as_str() {
            "Version" => out.document.version = Some(version(node)?),
            "Id" => out.document.id = Some(string(node, "Id is a string")?),
            "Statement" => statements(node, &mut out)?,
            _ => return Err(unknown(&node, &name)),
        }
    }
    if out.document.statements.is_empty() {
        return Err(SyntaxError::new(at, "Statement is missing or empty"));
    }
    Ok(out)
}

fn version(node: PolicyNode) -> Result<LanguageVersion, SyntaxError> {
    let at = node.span.start;
    match string(node, "Version is a string")?.as_str() {
        "2008-10-17" => Ok(LanguageVersion::V2008),
        "2012-10-17" => Ok(LanguageVersion::V2012),
        _ => Err(SyntaxError::new(
            at,
            "Version is neither 2008-10-17 nor 2012-10-17",
        )),
    }
}

fn statements(node: PolicyNode, out: &mut ParsedDocument) -> Result<(), SyntaxError> {
    let nodes = match node.value {
        PolicyValue::List(nodes) => nodes,
        _ => vec![node],
    };
    for node in nodes {
        let (statement, misspelt) = statement(node)?;
        out.document.statements.push(statement);
        out.misspelt_effect = out.misspelt_effect.take().or(misspelt);
    }
    Ok(())
}

fn statement(node: PolicyNode) -> Result<(Statement, Option<SyntaxError>), SyntaxError> {
    let span = node.span;
    let mut sid = None;
    let mut effect = None;
    let mut principal = None;
    let mut action = None;
    let mut resource = None;
    let mut conditions = Vec::new();
    for (name, node) in members(node, "a statement is an object")? {
        let negated = name.starts_with("Not");
        match name.as_str() {
            "Sid" => sid = Some(string(node, "Sid is a string")?),
            "Effect" => effect = Some(self::effect(node)?),
            "Principal" | "NotPrincipal" => {
                once(&mut principal, node.span, principals(node, negated)?)?;
            }
            "Action" | "NotAction" => once(&mut action, node.span, clause(node, negated, false)?)?,
            "Resource" | "NotResource" => {
                once(&mut resource, node.span, clause(node, negated, true)?)?;
            }
            "Condition" => conditions = self::conditions(node)?,
            _ => return Err(unknown(&node, &name)),
        }
    }
    let Some((effect, misspelt)) = effect else {
        return Err(SyntaxError::new(span.start, "a statement has no Effect"));
    };
    let statement = Statement {
        sid,
        effect,
        principal,
        action,
        resource,
        conditions,
        span,
    };
    Ok((statement, misspelt))
}

fn effect(node: PolicyNode) -> Result<(Effect, Option<SyntaxError>), SyntaxError> {
    let at = node.span.start;
    let text = string(node, "Effect is a string")?;
    for (word, effect) in [("Allow", Effect::Allow), ("Deny", Effect::Deny)] {
        if text == word {
            return Ok((effect, None));
        }
        if text.eq_ignore_ascii_case(word) {
            return Ok((
                effect,
                Some(SyntaxError::new(at, "Effect is in the wrong case")),
            ));
        }
    }
    Err(SyntaxError::new(at, "Effect is neither Allow nor Deny"))
}

/// Fills a slot that two element names share.
fn once<T>(slot: &mut Option<T>, span: TextSpan, value: T) -> Result<(), SyntaxError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SyntaxError::new(
            span.start,
            "an element and its Not form together",
        )),
    }
}

fn clause(node: PolicyNode, negated: bool, nulls: bool) -> Result<ElementClause, SyntaxError> {
    let nodes = match node.value {
        PolicyValue::List(nodes) => nodes,
        PolicyValue::Null => return Err(SyntaxError::new(node.span.start, "expected a string")),
        _ => vec![node],
    };
    let elements = nodes.into_iter().map(|node| match node.value {
        PolicyValue::Null if nulls => Ok(None),
        _ => string(node, "expected a string").map(Some),
    });
    let elements = elements.collect::<Result<_, _>>()?;
    Ok(ElementClause { negated, elements })
}

fn principals(node: PolicyNode, negated: bool) -> Result<PrincipalClause, SyntaxError> {
    let mut elements = Vec::new();
    if let PolicyValue::Text(text) = &node.value {
        if text != "*" {
            return Err(SyntaxError::new(
                node.span.start,
                "a principal is \"*\" or an object",
            ));
        }
        elements.push((PrincipalType::Everyone, text.clone()));
        return Ok(PrincipalClause { negated, elements });
    }
    for (name, node) in members(node, "a principal is \"*\" or an object")? {
        let Some(kind) = PrincipalType::named(&name) else {
            return Err(unknown(&node, &name));
        };
        for value in strings(node)? {
            elements.push((kind, value));
        }
    }
    Ok(PrincipalClause { negated, elements })
}

fn strings(node: PolicyNode) -> Result<Vec<String>, SyntaxError> {
    match node.value {
        PolicyValue::List(nodes) => nodes
            .into_iter()
            .map(|n| string(n, "expected a string"))
            .collect(),
        _ => Ok(vec![string(node, "expected a string")?]),
    }
}

fn conditions(node: PolicyNode) -> Result<Vec<ConditionClause>, SyntaxError> {
    let mut out = Vec::new();
    for (operator, node) in members(node, "Condition is an object")? {
        let at = node.span.start;
        for (key, node) in members(node, "an operator's value is an object")? {
            if ConditionOperator::parse(&operator).is_none() {
                let what = format!("no condition operator is called {operator}");
                return Err(SyntaxError::new(at, what));
            }
            let values = scalars(node)?;
            out.push(ConditionClause {
                operator: operator.clone(),
                key,
                values,
            });
        }
    }
    Ok(out)
}

fn scalars(node: PolicyNode) -> Result<Vec<String>, SyntaxError> {
    let nodes = match node.value {
        PolicyValue::List(nodes) => nodes,
        _ => vec![node],
    };
    let scalar = |node: PolicyNode| match node.value {
        PolicyValue::Text(text) | PolicyValue::Number(text) => Ok(text),
        PolicyValue::Bool(flag) => Ok(flag.to_string()),
        _ => Err(SyntaxError::new(
            node.span.start,
            "a condition's value is a scalar",
        )),
    };
    nodes.into_iter().map(scalar).collect()
}

fn members(node: PolicyNode, what: &'static str) -> Result<Vec<(String, PolicyNode)>, SyntaxError> {
    match node.value {
        PolicyValue::Map(members) => Ok(members),
        _ => Err(SyntaxError::new(node.span.start, what)),
    }
}

fn string(node: PolicyNode, what: &'static str) -> Result<String, SyntaxError> {
    match node.value {
        PolicyValue::Text(text) => Ok(text),
        _ => Err(SyntaxError::new(node.span.start, what)),
    }
}

fn unknown(node: &PolicyNode, name: &str) -> SyntaxError {
    SyntaxError::new(node.span.start, format!("no element is called {name}"))
}
