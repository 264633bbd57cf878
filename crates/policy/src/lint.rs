//! Advice on a policy before it is stored: what is wrong, what cannot work, what grants more than
//! was meant. It protects one rule: advice never decides; a policy with findings evaluates as
//! before.
//!
//! It judges one document alone. What a principal can do in all, evaluation says.

mod conditions;
pub(crate) mod escalation;
mod no_effect;
mod place;
mod refused;
mod risk;
mod sense;

use crate::{DocumentKind, Effect, PolicyDocument, Statement, TextSpan, json, validate};

use self::place::StatementPlaces;

/// How bad a finding is, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy would be refused.
    Error,
    /// It grants more than is likely meant, or a way to take more.
    Risk,
    /// It does not do what it seems to say.
    Warning,
}

impl Severity {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Risk => "risk",
            Self::Warning => "warning",
        }
    }
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name, for example `escalation`.
    pub code: &'static str,
    /// What is the matter, without a full stop.
    pub message: String,
    /// What to do about it, without a full stop.
    pub hint: String,
    /// The statement's place, if it is about one.
    pub statement: Option<usize>,
    /// The bytes of the text that it is about.
    pub span: TextSpan,
}

/// Where a byte stands in a text, as a person counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl TextPosition {
    /// The position of a byte of a text; past the end, that of the end.
    pub fn of(text: &str, byte: usize) -> Self {
        let mut before = text;
        if let Some((start, _)) = text.char_indices().find(|(at, _)| *at >= byte) {
            before = text.get(..start).unwrap_or(text);
        }
        // A line ends with LF, CR, or both.
        let pairs = before.matches("\r\n").count();
        let ends = before.matches(['\r', '\n']).count();
        let last = before.rsplit(['\r', '\n']).next().unwrap_or_default();
        Self {
            line: ends - pairs + 1,
            column: last.chars().count() + 1,
        }
    }
}

/// Checks a policy's text. Findings come in the order of the text; an error comes alone.
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
    }
    findings.sort_by_key(|finding| (finding.span.start, finding.severity));
    findings
}

/// A statement with its surroundings.
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

    /// A finding about an element of the statement, or about its place in a list.
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
