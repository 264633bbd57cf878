//! ARNs as patterns and as requested resources. It protects one rule: the segments of an ARN are
//! compared one by one, so that a wildcard in one never reaches into the next.

use crate::{
    context::Env,
    pattern::{Syntax, Template, variable},
};

/// A pattern for ARNs.
#[derive(Debug, Clone)]
pub(crate) enum ArnPattern {
    /// `*`
    Any,
    /// The first five segments literally, with their colons; then a pattern.
    Head(Box<str>, Template),
    /// A pattern for each of partition, service, region, account and resource.
    Segments(Box<[Template; 5]>),
    /// Not the form of an ARN, or a variable where none may stand.
    Never,
}

/// Whether a resource matches a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// A variable has no value.
    Unresolved,
}

/// The resource of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// `*`: the action knows no resources.
    Everything,
    /// An ARN and its segments after `arn`.
    Arn(&'a str, [&'a str; 5]),
}

impl<'a> Target<'a> {
    /// Reads `*` or an ARN.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let mut next = || parts.next();
        Some(Self::Arn(
            text,
            [next()?, next()?, next()?, next()?, next()?],
        ))
    }
}

impl ArnPattern {
    /// An element of `Resource`: short patterns are filled up with `*`, and variables may stand
    /// only after the fifth colon.
    pub(crate) fn resource(text: &str, variables: bool) -> Self {
        Self::new(text, variables, true)
    }

    /// A value of an ARN condition.
    pub(crate) fn condition(text: &str, variables: bool) -> Self {
        Self::new(text, variables, false)
    }

    fn new(text: &str, variables: bool, resource: bool) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let segments = segments(text, variables);
        let fill = resource || text.ends_with('*');
        let [_, partition, rest @ ..] = segments.as_slice() else {
            return Self::Never;
        };
        if rest.len() < 4 && !fill {
            return Self::Never;
        }
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        let template = |text: &&str| Template::new(text, syntax);
        let mut templates = [*partition]
            .into_iter()
            .chain(rest.iter().copied())
            .chain(["*"; 4])
            .map(|text| template(&text));
        let mut next = || templates.next().unwrap_or_else(|| template(&""));
        let templates = [next(), next(), next(), next(), next()];
        let [head @ .., _] = &templates;
        if resource && head.iter().any(|t| matches!(t, Template::Open(_))) {
            return Self::Never;
        }
        Self::shortened(templates)
    }

    /// Joins the first segments when they are literal.
    fn shortened(templates: [Template; 5]) -> Self {
        let [head @ .., _] = &templates;
        let literals: Option<Vec<&str>> = head.iter().map(Template::literal).collect();
        match literals {
            Some(literals) => {
                let head = format!("arn:{}:", literals.join(":"));
                let [.., resource] = templates;
                Self::Head(head.into(), resource)
            }
            None => Self::Segments(Box::new(templates)),
        }
    }

    /// Whether the target matches.
    pub(crate) fn matches(&self, target: &Target<'_>, env: &Env<'_>) -> Match {
        let Target::Arn(text, segments) = target else {
            return yes_if(matches!(self, Self::Any));
        };
        match self {
            Self::Any => Match::Yes,
            Self::Never => Match::No,
            Self::Head(head, resource) => match text.strip_prefix(&**head) {
                Some(rest) => one(resource, rest, env),
                // A variable without value matters even when the head differs: see NotResource.
                None if resource.resolve(env).is_none() => Match::Unresolved,
                None => Match::No,
            },
            Self::Segments(templates) => {
                let each = templates.iter().zip(segments).map(|(t, s)| one(t, s, env));
                each.fold(Match::Yes, |all, next| match (all, next) {
                    (Match::Unresolved, _) | (_, Match::Unresolved) => Match::Unresolved,
                    (Match::Yes, Match::Yes) => Match::Yes,
                    _ => Match::No,
                })
            }
        }
    }
}

fn one(template: &Template, text: &str, env: &Env<'_>) -> Match {
    match template.resolve(env) {
        Some(glob) => yes_if(glob.matches(text)),
        None => Match::Unresolved,
    }
}

const fn yes_if(flag: bool) -> Match {
    if flag { Match::Yes } else { Match::No }
}

/// Splits at the first five colons that are not inside a variable.
fn segments(text: &str, variables: bool) -> Vec<&str> {
    let mut out = Vec::with_capacity(6);
    let mut start = 0;
    let mut at = 0;
    while out.len() < 5
        && let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        if variables && let Some((body, _)) = variable(rest) {
            at += body.len() + 3;
            continue;
        }
        if first == ':' {
            out.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        at += first.len_utf8();
    }
    out.push(text.get(start..).unwrap_or_default());
    out
}
