//! ARN patterns and requested resources. Invariant: the segments of an ARN are compared one by one,
//! so that a wildcard in one never extends into the next.

use crate::{
    context::EvaluationEnv,
    pattern::{
        Glob, LateBoundPattern, MatchCost, PatternSyntax, PatternTemplate, PatternVariable,
        variable,
    },
};

/// A pattern for ARNs.
#[derive(Debug, Clone)]
pub(crate) enum ArnPattern {
    /// `*`
    Any,
    /// The first five segments literally, including their colons, followed by a pattern.
    Head(Box<str>, PatternTemplate),
    /// A pattern each for partition, service, region, account and resource.
    Segments(Box<[PatternTemplate; 5]>),
    /// Fewer than six segments before the variables have their values.
    Late(Box<LateBoundPattern>),
    /// Not in the form of an ARN.
    Never,
}

/// The resource of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RequestResource<'a> {
    /// `*`: the action has no resources.
    Everything,
    /// An ARN and its segments after `arn`.
    Arn(&'a str, [&'a str; 5]),
}

impl<'a> RequestResource<'a> {
    /// Whether [`RequestResource::parse`] accepts it.
    pub(crate) fn is_readable(text: &str) -> bool {
        // Without overflow checks, the compiler can vectorize this.
        let colon = |count: u32, byte| count.wrapping_add(u32::from(byte == b':'));
        text == "*" || text.starts_with("arn:") && text.bytes().fold(0, colon) >= 5
    }

    /// The resource as requested.
    pub(crate) const fn text(&self) -> &'a str {
        match self {
            Self::Everything => "*",
            Self::Arn(text, _) => text,
        }
    }

    /// Parses `*` or an ARN.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        let (partition, rest) = cut(text.strip_prefix("arn:")?)?;
        let (service, rest) = cut(rest)?;
        let (region, rest) = cut(rest)?;
        let (account, resource) = cut(rest)?;
        Some(Self::Arn(
            text,
            [partition, service, region, account, resource],
        ))
    }
}

/// Splits a text at its first colon. The parts of actions and ARNs are so short that the standard
/// library's character search costs more than it saves.
pub(crate) fn cut(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl ArnPattern {
    /// Compiles an element of `Resource`. Short patterns without variables are filled up with `*`.
    pub(crate) fn resource(text: &str, variables: bool) -> Self {
        Self::new(text, variables, true)
    }

    /// Compiles a value of an ARN condition.
    pub(crate) fn condition(text: &str, variables: bool) -> Self {
        Self::new(text, variables, false)
    }

    fn new(text: &str, variables: bool, resource: bool) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let syntax = PatternSyntax {
            wildcards: true,
            variables,
        };
        let segments = segments(text, variables);
        if segments.len() < 6 && variables && text.contains("${") {
            return Self::Late(Box::new(LateBoundPattern::new(text, syntax)));
        }
        let fill = resource || text.ends_with('*');
        let [scheme, rest @ ..] = segments.as_slice() else {
            return Self::Never;
        };
        if (resource && rest.is_empty()) || (rest.len() < 5 && !fill) {
            return Self::Never;
        }
        // IAM stores a resource's first segment as `arn`, whatever it is.
        if !resource && !Glob::new(scheme).matches("arn") {
            return Self::Never;
        }
        let template = |text: &str| PatternTemplate::new(text, syntax);
        let filled = rest.iter().copied().chain(["*"; 5]);
        let mut templates = filled.map(template);
        let mut next = || templates.next().unwrap_or_else(|| template(""));
        Self::shortened([next(), next(), next(), next(), next()])
    }

    /// Joins the first segments if they are literal.
    fn shortened(templates: [PatternTemplate; 5]) -> Self {
        let [head @ .., _] = &templates;
        let literals: Option<Vec<&str>> = head.iter().map(PatternTemplate::literal).collect();
        match literals {
            Some(literals) => {
                let head = format!("arn:{}:", literals.join(":"));
                let [.., resource] = templates;
                Self::Head(head.into(), resource)
            }
            None => Self::Segments(Box::new(templates)),
        }
    }

    /// Whether the resource matches. A variable without a value matches nothing.
    pub(crate) fn matches(&self, target: &RequestResource<'_>, env: &EvaluationEnv<'_>) -> bool {
        self.compare(target, env) == Some(true)
    }

    /// Like `matches`, but `None` if the pattern, with the values of its variables, does not have
    /// the form of an ARN.
    pub(crate) fn compare(
        &self,
        target: &RequestResource<'_>,
        env: &EvaluationEnv<'_>,
    ) -> Option<bool> {
        Some(match (self, target) {
            (Self::Any, _) => true,
            (Self::Never, _) => return None,
            (Self::Late(late), _) if late.is_plain() => return late.compare(target.text(), env),
            (Self::Late(late), _) if late.template().unresolved(env) => false,
            (Self::Late(late), _) => {
                let globs = late.parts(6, env)?;
                let (scheme, globs) = globs.split_first()?;
                if !scheme.matches("arn") {
                    return None;
                }
                let RequestResource::Arn(_, segments) = target else {
                    return Some(false);
                };
                let costs = globs.iter().zip(segments);
                let costs = costs.map(|(glob, segment)| glob.cost().of(segment.len()));
                if !env.steps.take(costs.fold(0, u64::saturating_add)) {
                    return None;
                }
                let mut each = globs.iter().zip(segments);
                each.all(|(glob, segment)| glob.matches(segment))
            }
            (_, RequestResource::Everything) => false,
            (Self::Head(head, resource), RequestResource::Arn(text, _)) => text
                .strip_prefix(&**head)
                .is_some_and(|rest| resource.matches(rest, env)),
            (Self::Segments(templates), RequestResource::Arn(_, segments)) => {
                let mut each = templates.iter().zip(segments);
                each.all(|(template, segment)| template.matches(segment, env))
            }
        })
    }

    /// Whether a variable has no value in this request.
    pub(crate) fn unresolved(&self, env: &EvaluationEnv<'_>) -> bool {
        match self {
            Self::Any | Self::Never => false,
            Self::Head(_, resource) => resource.unresolved(env),
            Self::Segments(templates) => templates.iter().any(|t| t.unresolved(env)),
            Self::Late(late) => late.template().unresolved(env),
        }
    }

    /// The maximum cost of matching a resource.
    pub(crate) fn cost(&self) -> MatchCost {
        match self {
            Self::Any | Self::Never => MatchCost {
                each: 1,
                per_byte: 0,
            },
            Self::Head(_, resource) => resource.cost(),
            Self::Segments(all) => MatchCost::sum(all.iter().map(PatternTemplate::cost)),
            Self::Late(late) => late.cost(),
        }
    }

    /// The variables in the pattern.
    pub(crate) fn variables(&self) -> Vec<&PatternVariable> {
        match self {
            Self::Any | Self::Never => Vec::new(),
            Self::Head(_, resource) => resource.variables().iter().collect(),
            Self::Segments(all) => all.iter().flat_map(PatternTemplate::variables).collect(),
            Self::Late(late) => late.template().variables().iter().collect(),
        }
    }
}

/// Splits at the first five colons outside variables.
pub(crate) fn segments(text: &str, variables: bool) -> Vec<&str> {
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
