//! Grants that are wider than they look. It protects one rule: every way by which a principal could
//! give itself more than the policy says is named, with the action that opens it.

use super::{Finding, Severity, Subject};
use crate::{
    Kind, PrincipalType, Version,
    document::Clause,
    index::{Action, Builder},
    pattern::Glob,
};

/// A way to more rights.
struct Way {
    action: &'static str,
    /// Whether it is harmless on one's own user.
    own_is_fine: bool,
    /// What it gives.
    gain: &'static str,
}

const fn way(action: &'static str, gain: &'static str) -> Way {
    Way {
        action,
        own_is_fine: false,
        gain,
    }
}

const fn to_others(action: &'static str, gain: &'static str) -> Way {
    Way {
        own_is_fine: true,
        ..way(action, gain)
    }
}

/// Ways to more rights: through IAM, and through what runs under a role already.
#[rustfmt::skip]
const ESCALATIONS: &[Way] = &[
    way("iam:AddClientIDToOpenIDConnectProvider", "lets another application's tokens assume roles"),
    way("iam:AddUserToGroup", "joins a group with more rights"),
    way("iam:AttachGroupPolicy", "gives its own group any policy"),
    way("iam:AttachRolePolicy", "gives a role that it can assume any policy"),
    way("iam:AttachUserPolicy", "gives itself any policy"),
    to_others("iam:CreateAccessKey", "makes keys of other users"),
    to_others("iam:CreateLoginProfile", "sets a password for other users"),
    way("iam:CreatePolicyVersion", "rewrites a policy that is attached to it"),
    to_others("iam:CreateServiceSpecificCredential", "makes other users' credentials for services"),
    to_others("iam:DeactivateMFADevice", "removes the second factor of other users"),
    way("iam:DeleteGroupPolicy", "removes a group's policy that denies"),
    way("iam:DeleteRolePermissionsBoundary", "lifts a role's boundary"),
    way("iam:DeleteRolePolicy", "removes a role's policy that denies"),
    way("iam:DeleteUserPermissionsBoundary", "lifts its own boundary"),
    way("iam:DeleteUserPolicy", "removes its own policy that denies"),
    way("iam:DetachGroupPolicy", "removes a group's policy that denies"),
    way("iam:DetachRolePolicy", "removes a role's policy that denies"),
    way("iam:DetachUserPolicy", "removes its own policy that denies"),
    way("iam:PassRole", "runs a service under a stronger role"),
    way("iam:PutGroupPolicy", "writes a policy of its own group"),
    way("iam:PutRolePermissionsBoundary", "changes a role's boundary"),
    way("iam:PutRolePolicy", "writes a policy of a role that it can assume"),
    way("iam:PutUserPermissionsBoundary", "changes its own boundary"),
    way("iam:PutUserPolicy", "writes its own policy"),
    way("iam:RemoveUserFromGroup", "leaves a group whose policy denies"),
    to_others("iam:ResetServiceSpecificCredential", "takes over others' credentials for services"),
    way("iam:SetDefaultPolicyVersion", "brings back an older, wider policy"),
    way("iam:TagRole", "sets the tags by which a role is given rights"),
    way("iam:TagUser", "sets the tags by which it is given rights"),
    way("iam:UpdateAssumeRolePolicy", "lets itself assume a role"),
    to_others("iam:UpdateLoginProfile", "changes the password of other users"),
    way("iam:UpdateOpenIDConnectProviderThumbprint", "lets another server say who assumes roles"),
    way("iam:UpdateSAMLProvider", "lets another server vouch for who assumes roles"),
    to_others("iam:UploadSSHPublicKey", "adds keys of other users"),
    to_others("iam:UploadSigningCertificate", "adds certificates of other users"),
    to_others("keywright:RetrieveRotationKey", "fetches new keys of other users"),
    to_others("keywright:StartRotation", "has keys of other users replaced"),
    way("sts:AssumeRole", "takes on any role that trusts the account"),
    way("cloudformation:UpdateStack", "acts as a stack's role"),
    way("codebuild:StartBuild", "runs its commands under a project's role"),
    way("datapipeline:PutPipelineDefinition", "runs its commands under a pipeline's role"),
    way("ec2-instance-connect:SendSSHPublicKey", "enters an instance and has its role"),
    way("ec2:ModifyInstanceAttribute", "runs its commands under an instance's role"),
    way("ecs:ExecuteCommand", "runs its commands under a task's role"),
    way("glue:UpdateDevEndpoint", "enters an endpoint and has its role"),
    way("lambda:UpdateFunctionCode", "runs its code under a function's role"),
    way("lambda:UpdateFunctionConfiguration", "runs its layer under a function's role"),
    way("sagemaker:CreatePresignedNotebookInstanceUrl", "enters a notebook and has its role"),
    way("ssm:SendCommand", "runs its commands under an instance's role"),
    way("ssm:StartSession", "enters an instance and has its role"),
];

/// Whether an action is harmful only on many resources: naming the role, or what runs under one, is
/// the remedy.
fn named_is_fine(action: &str) -> bool {
    let on_users = ["iam:", "keywright:"].iter().any(|s| action.starts_with(s));
    !on_users || action == "iam:PassRole"
}

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
        let opened = ESCALATIONS.iter().filter(|way| {
            let lower = way.action.to_ascii_lowercase();
            let selected = Action::new(&lower).is_some_and(|action| index.selects(&action));
            selected && reaches(subject, way)
        });
        let opened: Vec<String> = opened
            .map(|way| format!("{} {}", way.action, way.gain))
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

/// Whether the statement's resources make a way passable.
fn reaches(subject: &Subject<'_>, way: &Way) -> bool {
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
        may_be_of(way.action, resource)
            && !(own && way.own_is_fine)
            && (many || !named_is_fine(way.action))
    })
}

/// Whether a resource can be of the service of an action. Roles and users are IAM's, also for STS
/// and the extension, and what
/// other services act on may be anything.
fn may_be_of(action: &str, resource: &str) -> bool {
    let ours = ["iam:", "keywright:", "sts:"]
        .iter()
        .any(|s| action.starts_with(s));
    match resource.split(':').nth(2) {
        Some(service) if ours => Glob::new(service).matches("iam"),
        _ => true,
    }
}
