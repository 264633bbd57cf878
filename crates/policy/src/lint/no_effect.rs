//! Statements that certainly have no effect: unknown actions and keys, and combinations of actions,
//! resources and keys that no request can have.
//!
//! Only certain cases are reported. A service that AWS does not publish, a wildcard that might
//! match and a variable that might fit are never reported.

use super::{LintFinding, LintSubject, Severity};
use crate::{
    actions::ServiceAction, document::ElementClause, implied::implied_outline,
    pattern::PatternOutline, published::PublishedTable,
};

/// The extension, whose actions are checked where they are declared.
const UNPUBLISHED: &str = "keywright";

/// Finds everything in a statement that cannot match.
pub(super) fn check(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let Some(clause) = &subject.statement.action else {
        return Vec::new();
    };
    let published = PublishedTable::built_in();
    let mut findings = Vec::new();
    let mut named = Vec::new();
    for (item, text) in clause.elements.iter().enumerate() {
        let Some(element) = ActionElement::new(published, item, text.as_deref()) else {
            continue;
        };
        findings.extend(unknown(subject, published, &element));
        named.push(element);
    }
    // What a negated list covers is too much to check.
    if !clause.negated {
        findings.extend(resources(subject, published, &named));
        findings.extend(keys(subject, published, &named));
    }
    findings.extend(unknown_keys(subject, published));
    findings
}

/// An element of `Action` or `NotAction`.
struct ActionElement<'a> {
    item: usize,
    text: &'a str,
    service: &'a str,
    name: &'a str,
    /// Whether its service is published, so that `actions` is complete.
    is_known: bool,
    actions: Vec<&'static ServiceAction>,
}

impl<'a> ActionElement<'a> {
    /// `None` if the element names actions of any service.
    fn new(published: &'static PublishedTable, item: usize, text: Option<&'a str>) -> Option<Self> {
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

/// An unknown service or action.
fn unknown(
    subject: &LintSubject<'_>,
    published: &PublishedTable,
    element: &ActionElement<'_>,
) -> Option<LintFinding> {
    let negated = subject.statement.action.as_ref().is_some_and(|c| c.negated);
    let at = (
        if negated { "NotAction" } else { "Action" },
        Some(element.item),
    );
    let ActionElement { service, name, .. } = element;
    if !element.is_known {
        if service.eq_ignore_ascii_case(UNPUBLISHED) {
            return None;
        }
        let hint = match published.nearest_service(service) {
            Some(nearest) => format!("did you mean {nearest}:{name}?"),
            None => "see the service prefixes of the Service Authorization Reference".to_owned(),
        };
        let finding = subject.finding((Severity::Warning, "no-such-service"), at);
        return Some(
            finding.with_message(format!("no AWS service has the prefix {service}"), hint),
        );
    }
    if !element.actions.is_empty() {
        return None;
    }
    let hint = match published.nearest_action(service, name) {
        Some(nearest) => format!("did you mean {service}:{nearest}?"),
        None => "see the actions of the service".to_owned(),
    };
    let finding = subject.finding((Severity::Warning, "no-such-action"), at);
    Some(finding.with_message(format!("there is no action {}", element.text), hint))
}

/// Actions that act on none of the resources, and resources that none of the actions acts on.
fn resources(
    subject: &LintSubject<'_>,
    published: &PublishedTable,
    named: &[ActionElement<'_>],
) -> Vec<LintFinding> {
    let Some(clause) = subject.statement.resource.as_ref().filter(|c| !c.negated) else {
        return Vec::new();
    };
    let listed = ListedResources::new(clause);
    if listed.has_everything {
        return Vec::new();
    }
    let idle: Vec<&ActionElement<'_>> = named
        .iter()
        .filter(|element| !element.actions.is_empty())
        .filter(|element| !element.actions.iter().any(|a| listed.fit(published, a)))
        .collect();
    let mut findings: Vec<LintFinding> = idle
        .iter()
        .map(|element| idle_action(subject, published, element))
        .collect();
    // A resource may be meant for an action that is misspelt or that a wildcard covers.
    let written = subject.statement.action.as_ref();
    let is_complete = written.is_some_and(|clause| clause.elements.len() == named.len())
        && named.iter().all(|element| !element.actions.is_empty());
    if is_complete && idle.len() < named.len() {
        let actions: Vec<&ServiceAction> = named
            .iter()
            .flat_map(|e| e.actions.iter().copied())
            .collect();
        findings.extend(idle_resources(subject, published, &listed, &actions));
    }
    findings
}

fn idle_action(
    subject: &LintSubject<'_>,
    published: &PublishedTable,
    element: &ActionElement<'_>,
) -> LintFinding {
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
        let more = if arns.len() > ARNS_LISTED {
            ", ..."
        } else {
            ""
        };
        arns.truncate(ARNS_LISTED);
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
        .with_message(message, hint)
}

/// Maximum number of ARNs that a hint names.
const ARNS_LISTED: usize = 3;

fn idle_resources(
    subject: &LintSubject<'_>,
    published: &PublishedTable,
    listed: &ListedResources<'_>,
    actions: &[&ServiceAction],
) -> Vec<LintFinding> {
    let idle = listed.each.iter().filter(|resource| {
        !actions
            .iter()
            .any(|action| resource.fits(published, action))
    });
    idle.map(|resource| {
        let at = ("Resource", Some(resource.item));
        subject
            .finding((Severity::Warning, "no-matching-action"), at)
            .with_message(
                format!("no action of this statement is for {}", resource.text),
                "remove it, or add the actions that it is meant for",
            )
    })
    .collect()
}

/// The resources of a statement.
struct ListedResources<'a> {
    each: Vec<ListedResource<'a>>,
    /// Whether one of them is `*`.
    has_everything: bool,
}

struct ListedResource<'a> {
    item: usize,
    text: &'a str,
    /// The ARN's service segment, if it names a service.
    service: Option<&'a str>,
    outline: PatternOutline,
}

impl<'a> ListedResources<'a> {
    fn new(clause: &'a ElementClause) -> Self {
        let texts = clause.elements.iter().enumerate();
        let texts = texts.filter_map(|(item, text)| Some((item, text.as_deref()?)));
        let each: Vec<ListedResource<'a>> = texts
            .map(|(item, text)| ListedResource {
                item,
                text,
                service: text
                    .split(':')
                    .nth(2)
                    .filter(|s| !s.contains(['*', '?', '$'])),
                outline: PatternOutline::of_resource(text),
            })
            .collect();
        Self {
            has_everything: each.iter().any(|r| r.text.bytes().all(|byte| byte == b'*')),
            each,
        }
    }

    fn fit(&self, published: &PublishedTable, action: &ServiceAction) -> bool {
        self.each
            .iter()
            .any(|resource| resource.fits(published, action))
    }
}

impl ListedResource<'_> {
    /// Whether an action can act on this resource.
    fn fits(&self, published: &PublishedTable, action: &ServiceAction) -> bool {
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

impl ListedResource<'_> {
    /// Whether an action without resource types can act on this resource. This is known only for
    /// the services served here; others often accept ARNs that AWS does not publish, as
    /// `logs:DescribeLogGroups` does.
    fn fits_without_type(&self, action: &ServiceAction) -> bool {
        let name = format!("{}:{}", action.service, action.name).to_ascii_lowercase();
        match implied_outline(&name) {
            Some(implied) => self.outline.overlaps(&implied),
            None if ["iam", "s3", "sts"].contains(&action.service) => false,
            None => self.service.is_none_or(|own| own == action.service),
        }
    }
}

/// A service's keys that requests for none of the statement's actions have.
fn keys(
    subject: &LintSubject<'_>,
    published: &PublishedTable,
    named: &[ActionElement<'_>],
) -> Vec<LintFinding> {
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
        findings.push(finding.with_message(
            format!(
                "requests of this statement's actions never have {}",
                clause.key
            ),
            "use a key that the actions have, or give the actions that have it their own statement",
        ));
    }
    findings
}

/// Unknown keys of a known service.
fn unknown_keys(subject: &LintSubject<'_>, published: &PublishedTable) -> Vec<LintFinding> {
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
        findings
            .push(finding.with_message(format!("no condition key is called {}", clause.key), hint));
    }
    findings
}
