//! ARNs as patterns and as requested resources. It protects one rule: the segments of an ARN are
//! compared one by one, so that a wildcard in one never reaches into the next.

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
    /// The first five segments literally, with their colons; then a pattern.
    Head(Box<str>, PatternTemplate),
    /// A pattern for each of partition, service, region, account and resource.
    Segments(Box<[PatternTemplate; 5]>),
    /// Fewer than six segments until the variables have their values.
    Late(Box<LateBoundPattern>),
    /// Not the form of an ARN.
    Never,
}

/// The resource of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RequestResource<'a> {
    /// `*`: the action knows no resources.
    Everything,
    /// An ARN and its segments after `arn`.
    Arn(&'a str, [&'a str; 5]),
}

impl<'a> RequestResource<'a> {
    /// Whether [`RequestResource::parse`] reads it.
    pub(crate) fn is_readable(text: &str) -> bool {
        // Without a check of overflow the compiler looks at many bytes at once.
        let colon = |count: u32, byte| count.wrapping_add(u32::from(byte == b':'));
        text == "*" || text.starts_with("arn:") && text.bytes().fold(0, colon) >= 5
    }

    /// As it was asked for.
    pub(crate) const fn text(&self) -> &'a str {
        match self {
            Self::Everything => "*",
            Self::Arn(text, _) => text,
        }
    }

    /// Reads `*` or an ARN.
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

/// A text before and after its first colon. The pieces of actions and ARNs are so short that the
/// library's search for a character costs more than it saves.
pub(crate) fn cut(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl ArnPattern {
    /// An element of `Resource`: short patterns without variables are filled up with `*`.
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

    /// Joins the first segments when they are literal.
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

    /// Whether the target matches; a variable without value matches nothing.
    pub(crate) fn matches(&self, target: &RequestResource<'_>, env: &EvaluationEnv<'_>) -> bool {
        self.compare(target, env) == Some(true)
    }

    /// The same; `None` when the pattern has not the form of an ARN, with the values of its
    /// variables in it.
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

    /// What matching a target costs at most.
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

/// Splits at the first five colons that are not inside a variable.
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
