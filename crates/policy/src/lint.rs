//! Lint: advice on a policy before it is stored. It finds errors, elements without effect, and
//! grants that are wider than intended. Findings never affect a decision.
//!
//! Lint judges a single document. For what a principal can do overall, use evaluation.

mod conditions;
pub(crate) mod escalation;
mod federated;
mod no_effect;
mod place;
mod refused;
mod risk;
mod sense;
mod value_types;

use crate::{DocumentKind, Effect, PolicyDocument, Statement, TextSpan, json, validate};

use self::place::StatementPlaces;

/// The severity of a finding, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy would be rejected.
    Error,
    /// It grants more than is likely meant, or opens a privilege-escalation path.
    Risk,
    /// It does not do what it appears to say.
    Warning,
}

impl Severity {
    /// The severity in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Risk => "risk",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// How severe it is.
    pub severity: Severity,
    /// A stable name, for example `escalation`.
    pub code: &'static str,
    /// What is wrong, without a full stop.
    pub message: String,
    /// How to fix it, without a full stop.
    pub hint: String,
    /// The index of the statement, if it is about one.
    pub statement: Option<usize>,
    /// The range of the text that it is about.
    pub span: TextSpan,
}

/// A position in a text, as people count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl TextPosition {
    /// The position of a byte in a text; past the end, the position of the end.
    pub fn of(text: &str, byte: usize) -> Self {
        let mut before = text;
        if let Some((start, _)) = text.char_indices().find(|(at, _)| *at >= byte) {
            before = text.get(..start).unwrap_or(text);
        }
        // A line ends with LF, CR or CR LF.
        let pairs = before.matches("\r\n").count();
        let ends = before.matches(['\r', '\n']).count();
        let last = before.rsplit(['\r', '\n']).next().unwrap_or_default();
        Self {
            line: ends - pairs + 1,
            column: last.chars().count() + 1,
        }
    }
}

/// Checks a policy's text. Findings are in the order of the text; an error is reported alone.
pub fn lint(text: &str, kind: DocumentKind<'_>) -> Vec<LintFinding> {
    let document = match validate(text, kind) {
        Ok(document) => document,
        Err(violation) => return vec![refused::refused(text, &violation, kind)],
    };
    let Ok(root) = json::read(text) else {
        return Vec::new();
    };
    let place = StatementPlaces::new(&root);
    let mut findings: Vec<LintFinding> = sense::version(text, &document).into_iter().collect();
    for (index, statement) in document.statements.iter().enumerate() {
        let subject = LintSubject {
            document: &document,
            statement,
            index,
            place: &place,
            kind,
        };
        findings.extend(risk::check(&subject));
        findings.extend(no_effect::check(&subject));
        findings.extend(sense::lists(&subject));
        findings.extend(conditions::check(&subject));
        findings.extend(federated::foreign_keys(&subject));
        findings.extend(value_types::check(&subject));
    }
    findings.sort_by_key(|finding| (finding.span.start, finding.severity));
    findings
}

/// A statement in its context.
struct LintSubject<'a> {
    document: &'a PolicyDocument,
    statement: &'a Statement,
    index: usize,
    place: &'a StatementPlaces<'a>,
    kind: DocumentKind<'a>,
}

impl LintSubject<'_> {
    fn allows(&self) -> bool {
        self.statement.effect == Effect::Allow
    }

    /// A finding about an element of the statement, or about one item of it.
    fn finding(&self, about: (Severity, &'static str), at: (&str, Option<usize>)) -> LintFinding {
        let (severity, code) = about;
        let (element, item) = at;
        let span = self.place.of(self.index, element, item);
        LintFinding {
            severity,
            code,
            message: String::new(),
            hint: String::new(),
            statement: Some(self.index),
            span: span.unwrap_or(self.statement.span),
        }
    }
}

impl LintFinding {
    fn with_message(self, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            ..self
        }
    }
}
