//! Grants that are wider than they look. It protects one rule: every way by which a principal could
//! give itself more than the policy says is named, with the action that opens it.

use super::{Finding, Severity, Subject};
use crate::{
    Kind, PrincipalType, Version,
    document::Clause,
    index::{Action, Builder},
};

/// Ways to more rights: the action, whether one's own user is harmless, and what it gives.
const ESCALATIONS: &[(&str, bool, &str)] = &[
    (
        "iam:addusertogroup",
        false,
        "joins a group with more rights",
    ),
    (
        "iam:attachgrouppolicy",
        false,
        "gives its own group any policy",
    ),
    (
        "iam:attachrolepolicy",
        false,
        "gives a role that it can assume any policy",
    ),
    ("iam:attachuserpolicy", false, "gives itself any policy"),
    ("iam:createaccesskey", true, "makes keys of other users"),
    (
        "iam:createloginprofile",
        true,
        "sets a password for other users",
    ),
    (
        "iam:createpolicyversion",
        false,
        "rewrites a policy that is attached to it",
    ),
    (
        "iam:deactivatemfadevice",
        true,
        "removes the second factor of other users",
    ),
    (
        "iam:deleterolepermissionsboundary",
        false,
        "lifts a role's boundary",
    ),
    (
        "iam:deleteuserpermissionsboundary",
        false,
        "lifts its own boundary",
    ),
    (
        "iam:passrole",
        false,
        "runs a service under a stronger role",
    ),
    (
        "iam:putgrouppolicy",
        false,
        "writes a policy of its own group",
    ),
    (
        "iam:putrolepermissionsboundary",
        false,
        "changes a role's boundary",
    ),
    (
        "iam:putrolepolicy",
        false,
        "writes a policy of a role that it can assume",
    ),
    (
        "iam:putuserpermissionsboundary",
        false,
        "changes its own boundary",
    ),
    ("iam:putuserpolicy", false, "writes its own policy"),
    (
        "iam:setdefaultpolicyversion",
        false,
        "brings back an older, wider policy",
    ),
    (
        "iam:updateassumerolepolicy",
        false,
        "lets itself assume a role",
    ),
    (
        "iam:updateloginprofile",
        true,
        "changes the password of other users",
    ),
    (
        "keywright:retrieverotationkey",
        true,
        "fetches new keys of other users",
    ),
    (
        "keywright:startrotation",
        true,
        "has keys of other users replaced",
    ),
    (
        "sts:assumerole",
        false,
        "takes on any role that trusts the account",
    ),
];

/// The extension's own, which AWS's table of actions does not have, as they are spelled.
const OWN: &[&str] = &["keywright:RetrieveRotationKey", "keywright:StartRotation"];

/// Those that are harmful only on many resources: naming the role is the remedy.
const NAMED_IS_FINE: &[&str] = &["iam:passrole", "sts:assumerole"];

/// Every risk of a statement.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    if !subject.allows() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(everything(subject));
    findings.extend(negations(subject));
    findings.extend(public(subject));
    findings.extend(federated(subject));
    if findings.iter().all(|finding| finding.code != "everything") {
        findings.extend(escalations(subject));
    }
    findings
}

/// `*` on `*`.
fn everything(subject: &Subject<'_>) -> Option<Finding> {
    let statement = subject.statement;
    let all = |clause: &Option<Clause>| {
        let plain = clause.as_ref().filter(|clause| !clause.negated);
        plain.is_some_and(|c| c.elements.iter().flatten().any(|e| e == "*" || e == "*:*"))
    };
    let found = all(&statement.action) && all(&statement.resource);
    (found && statement.conditions.is_empty()).then(|| {
        let finding = subject.finding((Severity::Risk, "everything"), ("Action", None));
        finding.says(
            "allows every action on every resource",
            "name the actions and the resources that are needed",
        )
    })
}

/// An Allow of all but some.
fn negations(subject: &Subject<'_>) -> Vec<Finding> {
    let statement = subject.statement;
    let negated = |clause: &Option<Clause>| clause.as_ref().is_some_and(|c| c.negated);
    let rows = [
        (
            negated(&statement.action),
            "NotAction",
            "allows every action of every service but those listed, also ones that come later",
            "list the actions that are needed under Action",
        ),
        (
            negated(&statement.resource),
            "NotResource",
            "allows every resource but those listed, also ones that come later",
            "list the resources under Resource, or deny those listed in another statement",
        ),
        (
            statement.principal.as_ref().is_some_and(|p| p.negated),
            "NotPrincipal",
            "means to allow everyone but those listed, anonymous callers included",
            "list the principals under Principal; with NotPrincipal only Deny makes sense",
        ),
    ];
    let found = rows.into_iter().filter(|(found, ..)| *found);
    let finding = |(_, element, message, hint): (bool, &'static str, &str, &str)| {
        let about = (Severity::Risk, "allow-all-but");
        subject.finding(about, (element, None)).says(message, hint)
    };
    found.map(finding).collect()
}

/// Everyone, without a condition.
fn public(subject: &Subject<'_>) -> Option<Finding> {
    let principal = subject.statement.principal.as_ref()?;
    let everyone = !principal.negated && principal.elements.iter().any(|(_, text)| text == "*");
    (everyone && subject.statement.conditions.is_empty()).then(|| {
        let finding = subject.finding((Severity::Risk, "public"), ("Principal", None));
        finding.says(
            "allows everyone, whatever account they belong to",
            "name the principals, or add a condition such as aws:PrincipalOrgID",
        )
    })
}

/// A trust in an identity provider that asks nothing of the token.
fn federated(subject: &Subject<'_>) -> Option<Finding> {
    let principal = subject.statement.principal.as_ref()?;
    let trusts = subject.kind == Kind::Trust
        && principal
            .elements
            .iter()
            .any(|(kind, _)| *kind == PrincipalType::Federated);
    (trusts && subject.statement.conditions.is_empty()).then(|| {
        let finding = subject.finding((Severity::Risk, "any-token"), ("Principal", None));
        finding.says(
            "accepts every token of the identity provider",
            "add conditions on the provider's aud and sub keys",
        )
    })
}

/// Actions by which the caller can get more rights, one finding for each element of `Action`.
fn escalations(subject: &Subject<'_>) -> Vec<Finding> {
    let statement = subject.statement;
    let Some(clause) = statement.action.as_ref().filter(|clause| !clause.negated) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (item, element) in clause.elements.iter().enumerate() {
        let mut index = Builder::default();
        let alone = Clause {
            negated: false,
            elements: vec![element.clone()],
        };
        index.add(0, Some(&alone), statement.effect);
        let index = index.build();
        let opened = ESCALATIONS.iter().filter(|(action, own_is_fine, _)| {
            let selected = Action::new(action).is_some_and(|action| index.selects(&action));
            selected && reaches(subject, action, *own_is_fine)
        });
        let opened: Vec<String> = opened
            .map(|(action, _, gain)| format!("{} {gain}", spelling(action)))
            .collect();
        if opened.is_empty() || !statement.conditions.is_empty() {
            continue;
        }
        let finding = subject.finding((Severity::Risk, "escalation"), ("Action", Some(item)));
        findings.push(finding.says(
            format!(
                "lets whoever has it take more rights: {}",
                opened.join("; ")
            ),
            "limit the resources, or add a condition such as iam:PermissionsBoundary, \
             iam:PolicyARN or iam:PassedToService",
        ));
    }
    findings
}

/// Whether the statement's resources make an action dangerous.
fn reaches(subject: &Subject<'_>, action: &str, own_is_fine: bool) -> bool {
    let Some(resources) = &subject.statement.resource else {
        // A trust policy: whom it lets in, its principal says.
        return false;
    };
    if resources.negated {
        return true;
    }
    let variables = subject.document.version == Some(Version::V2012);
    resources.elements.iter().flatten().any(|resource| {
        let own = variables && resource.to_lowercase().contains("${aws:username}");
        let many = resource.contains(['*', '?']);
        !(own && own_is_fine) && (many || !NAMED_IS_FINE.contains(&action))
    })
}

/// The action as AWS spells it.
fn spelling(action: &str) -> String {
    match crate::Catalogue::built_in().action(action) {
        Some(action) => format!("{}:{}", action.service, action.name),
        None => {
            let own = OWN.iter().find(|own| own.eq_ignore_ascii_case(action));
            own.map_or_else(|| action.to_owned(), |&own| own.to_owned())
        }
    }
}
