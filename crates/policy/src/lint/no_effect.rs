//! Statements that certainly have no effect: actions and keys that do not exist, and actions,
//! resources and keys that no request can have together.
//!
//! It protects one rule: what is not known for certain is left alone. A service that AWS does not
//! publish, a wildcard that might match or a variable that might fit is never pointed out.

use super::{Finding, Severity, Subject};
use crate::{
    actions::Action, document::Clause, implied::implied_outline, pattern::Outline,
    published::Published,
};

/// The extension's own actions are checked where they are declared.
const UNPUBLISHED: &str = "keywright";

/// Everything in a statement that nothing can match.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(clause) = &subject.statement.action else {
        return Vec::new();
    };
    let published = Published::built_in();
    let mut findings = Vec::new();
    let mut named = Vec::new();
    for (item, text) in clause.elements.iter().enumerate() {
        let Some(element) = Element::new(published, item, text.as_deref()) else {
            continue;
        };
        findings.extend(unknown(subject, published, &element));
        named.push(element);
    }
    // All that is not listed is more than anyone can check.
    if !clause.negated {
        findings.extend(resources(subject, published, &named));
        findings.extend(keys(subject, published, &named));
    }
    findings.extend(unknown_keys(subject, published));
    findings
}

/// An element of `Action` or `NotAction`.
struct Element<'a> {
    item: usize,
    text: &'a str,
    service: &'a str,
    name: &'a str,
    /// Whether its service is published, so that `actions` is all that it can mean.
    is_known: bool,
    actions: Vec<&'static Action>,
}

impl<'a> Element<'a> {
    /// `None` where it names actions of any service.
    fn new(published: &'static Published, item: usize, text: Option<&'a str>) -> Option<Self> {
        let (service, name) = text?.split_once(':')?;
        if service.contains(['*', '?']) {
            return None;
        }
        Some(Self {
            item,
            text: text?,
            service,
            name,
            is_known: published.has_service(service),
            actions: published.actions_of(service, name),
        })
    }
}

/// A service or an action that does not exist.
fn unknown(subject: &Subject<'_>, published: &Published, element: &Element<'_>) -> Option<Finding> {
    let negated = subject.statement.action.as_ref().is_some_and(|c| c.negated);
    let at = (
        if negated { "NotAction" } else { "Action" },
        Some(element.item),
    );
    let Element { service, name, .. } = element;
    if !element.is_known {
        if service.eq_ignore_ascii_case(UNPUBLISHED) {
            return None;
        }
        let hint = match published.nearest_service(service) {
            Some(nearest) => format!("did you mean {nearest}:{name}?"),
            None => "see the service prefixes of the Service Authorization Reference".to_owned(),
        };
        let finding = subject.finding((Severity::Warning, "no-such-service"), at);
        return Some(finding.says(format!("no AWS service has the prefix {service}"), hint));
    }
    if !element.actions.is_empty() {
        return None;
    }
    let hint = match published.nearest_action(service, name) {
        Some(nearest) => format!("did you mean {service}:{nearest}?"),
        None => "see the actions of the service".to_owned(),
    };
    let finding = subject.finding((Severity::Warning, "no-such-action"), at);
    Some(finding.says(format!("no action is called {}", element.text), hint))
}

/// Actions that are done on none of the resources, and resources that none of the actions is done
/// on.
fn resources(subject: &Subject<'_>, published: &Published, named: &[Element<'_>]) -> Vec<Finding> {
    let clause = subject.statement.resource.as_ref().filter(|c| !c.negated);
    let written = subject
        .statement
        .action
        .as_ref()
        .map_or(0, |c| c.elements.len());
    let (Some(clause), true) = (clause, named.len() == written) else {
        return Vec::new();
    };
    if named.iter().any(|element| element.actions.is_empty()) {
        return Vec::new();
    }
    let listed = Resources::new(clause);
    if listed.has_everything {
        return Vec::new();
    }
    let idle: Vec<&Element<'_>> = named
        .iter()
        .filter(|element| !element.actions.iter().any(|a| listed.fit(published, a)))
        .collect();
    let mut findings: Vec<Finding> = idle
        .iter()
        .map(|element| idle_action(subject, published, element))
        .collect();
    if idle.len() < named.len() {
        let actions: Vec<&Action> = named
            .iter()
            .flat_map(|e| e.actions.iter().copied())
            .collect();
        findings.extend(idle_resources(subject, published, &listed, &actions));
    }
    findings
}

fn idle_action(subject: &Subject<'_>, published: &Published, element: &Element<'_>) -> Finding {
    let mut arns: Vec<&str> = Vec::new();
    for kind in element.actions.iter().flat_map(|a| published.types_of(a)) {
        if !arns.contains(&kind.arn) {
            arns.push(kind.arn);
        }
    }
    let (message, hint) = if arns.is_empty() {
        (
            format!(
                "{} has no resource types, so it needs Resource \"*\"",
                element.text
            ),
            "give it a statement of its own with \"Resource\": \"*\"".to_owned(),
        )
    } else {
        let more = if arns.len() > ARNS_SHOWN { ", ..." } else { "" };
        arns.truncate(ARNS_SHOWN);
        (
            format!(
                "no resource of this statement is one that {} is for",
                element.text
            ),
            format!("add a resource such as {}{more}", arns.join(", ")),
        )
    };
    let at = ("Action", Some(element.item));
    subject
        .finding((Severity::Warning, "no-matching-resource"), at)
        .says(message, hint)
}

/// ARNs that a hint names.
const ARNS_SHOWN: usize = 3;

fn idle_resources(
    subject: &Subject<'_>,
    published: &Published,
    listed: &Resources<'_>,
    actions: &[&Action],
) -> Vec<Finding> {
    let idle = listed.each.iter().filter(|resource| {
        !actions
            .iter()
            .any(|action| resource.fits(published, action))
    });
    idle.map(|resource| {
        let at = ("Resource", Some(resource.item));
        subject
            .finding((Severity::Warning, "no-matching-action"), at)
            .says(
                format!("no action of this statement is for {}", resource.text),
                "remove it, or add the actions that it is meant for",
            )
    })
    .collect()
}

/// The resources of a statement.
struct Resources<'a> {
    each: Vec<Listed<'a>>,
    /// Whether one of them is `*`.
    has_everything: bool,
}

struct Listed<'a> {
    item: usize,
    text: &'a str,
    /// The part of the ARN that names the service, if it names one.
    service: Option<&'a str>,
    outline: Outline,
}

impl<'a> Resources<'a> {
    fn new(clause: &'a Clause) -> Self {
        let texts = clause.elements.iter().enumerate();
        let texts = texts.filter_map(|(item, text)| Some((item, text.as_deref()?)));
        let each: Vec<Listed<'a>> = texts
            .map(|(item, text)| Listed {
                item,
                text,
                service: text
                    .split(':')
                    .nth(2)
                    .filter(|s| !s.contains(['*', '?', '$'])),
                outline: Outline::of_resource(text),
            })
            .collect();
        Self {
            has_everything: each.iter().any(|r| r.text.bytes().all(|byte| byte == b'*')),
            each,
        }
    }

    fn fit(&self, published: &Published, action: &Action) -> bool {
        self.each
            .iter()
            .any(|resource| resource.fits(published, action))
    }
}

impl Listed<'_> {
    /// Whether an action can be on this resource.
    fn fits(&self, published: &Published, action: &Action) -> bool {
        if action.resources.is_empty() {
            return self.fits_without_type(action);
        }
        let mut kinds = published.types_of(action).peekable();
        if kinds.peek().is_none() {
            // A type that is named but not described may be anything.
            return true;
        }
        kinds.any(|kind| {
            let service = kind.arn.split(':').nth(2).unwrap_or_default();
            let is_near = self
                .service
                .is_none_or(|own| own == service || service.contains(['$', '*']));
            is_near && self.outline.overlaps(&kind.outline)
        })
    }
}

impl Listed<'_> {
    /// Whether an action without resource types can be on this resource. Of the services that are
    /// served here it is known; others often take ARNs that AWS does not publish, as
    /// `logs:DescribeLogGroups` does.
    fn fits_without_type(&self, action: &Action) -> bool {
        let name = format!("{}:{}", action.service, action.name).to_ascii_lowercase();
        match implied_outline(&name) {
            Some(implied) => self.outline.overlaps(&implied),
            None if ["iam", "s3", "sts"].contains(&action.service) => false,
            None => self.service.is_none_or(|own| own == action.service),
        }
    }
}

/// Keys of a service that requests of none of the statement's actions have.
fn keys(subject: &Subject<'_>, published: &Published, named: &[Element<'_>]) -> Vec<Finding> {
    let written = subject
        .statement
        .action
        .as_ref()
        .map_or(0, |c| c.elements.len());
    let is_certain = named.len() == written && named.iter().all(|e| !e.actions.is_empty());
    let mut findings = Vec::new();
    for clause in subject.statement.conditions.iter().filter(|_| is_certain) {
        let key = clause.key.to_ascii_lowercase();
        // Keys of identity providers and global keys come with the caller, not with the action.
        let of_service = key
            .split_once(':')
            .is_some_and(|(prefix, _)| prefix != "aws" && published.has_service(prefix));
        let mut actions = named.iter().flat_map(|element| &element.actions);
        if !of_service
            || !published.has_key(&key)
            || actions.any(|action| published.action_has_key(action, &key))
        {
            continue;
        }
        let at = format!("Condition\n{}\n{}", clause.operator, clause.key);
        let finding = subject.finding((Severity::Warning, "key-without-action"), (&at, None));
        findings.push(finding.says(
            format!(
                "requests of this statement's actions never have {}",
                clause.key
            ),
            "use a key that the actions have, or give the actions that have it their own statement",
        ));
    }
    findings
}

/// Keys that a known service does not have.
fn unknown_keys(subject: &Subject<'_>, published: &Published) -> Vec<Finding> {
    let mut findings = Vec::new();
    for clause in &subject.statement.conditions {
        let key = clause.key.to_ascii_lowercase();
        let Some((prefix, _)) = key.split_once(':') else {
            continue;
        };
        let is_checked = prefix == "aws" || published.has_service(prefix);
        if !is_checked || published.has_key(&key) {
            continue;
        }
        let at = format!("Condition\n{}\n{}", clause.operator, clause.key);
        let hint = match published.nearest_key(&key) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("see the condition keys of {prefix}"),
        };
        let finding = subject.finding((Severity::Warning, "no-such-key"), (&at, None));
        findings.push(finding.says(format!("no condition key is called {}", clause.key), hint));
    }
    findings
}
