//! Privilege-escalation paths: actions by which a principal can obtain more permissions than the
//! policy says. Each path is reported with the action that opens it, and only if the statement's
//! resources make it usable.

use super::{LintFinding, LintSubject, Severity, risk::limits_reach};
use crate::{
    ActionCatalogue, LanguageVersion,
    document::ElementClause,
    index::{IndexBuilder, RequestAction},
    pattern::Glob,
};

/// A privilege-escalation path.
pub(crate) struct EscalationPath {
    pub(crate) action: &'static str,
    /// Whether it is harmless when limited to one's own user.
    own_is_fine: bool,
    /// What it gains.
    gain: &'static str,
}

const fn way(action: &'static str, gain: &'static str) -> EscalationPath {
    EscalationPath {
        action,
        own_is_fine: false,
        gain,
    }
}

const fn to_others(action: &'static str, gain: &'static str) -> EscalationPath {
    EscalationPath {
        own_is_fine: true,
        ..way(action, gain)
    }
}

/// Privilege-escalation paths through IAM, and through workloads that already run under a role.
#[rustfmt::skip]
pub(crate) const ESCALATIONS: &[EscalationPath] = &[
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
    way("iam:UntagRole", "removes the tags by which a role is denied"),
    way("iam:UntagUser", "removes the tags by which it is denied"),
    to_others("iam:UpdateAccessKey", "brings back keys of other users"),
    to_others("iam:UpdateLoginProfile", "changes the password of other users"),
    way("iam:UpdateOpenIDConnectProviderThumbprint", "lets another server say who assumes roles"),
    way("iam:UpdateSAMLProvider", "lets another server vouch for who assumes roles"),
    way("iam:UpdateUser", "takes the name or the path by which another user is given rights"),
    to_others("iam:UploadSSHPublicKey", "adds keys of other users"),
    to_others("iam:UploadSigningCertificate", "adds certificates of other users"),
    to_others("keywright:AbandonRotation", "keeps leaked keys of other users in use"),
    to_others("keywright:ChangeRotation", "says where new keys of other users go"),
    to_others("keywright:ConfirmDelivery", "has old keys of other users deactivated"),
    way("keywright:DeleteRotationPolicy", "keeps leaked keys of other users in use"),
    to_others("keywright:EndAccessKeySessions", "ends sessions of other users"),
    to_others("keywright:ExplainAuthorization", "reads what policies of other users say"),
    to_others("keywright:ExplainDeniedRequest", "reads what policies of other users say"),
    to_others("keywright:GetAccessKeyUse", "learns who holds keys of other users"),
    to_others("keywright:GetRotation", "learns of the keys of other users"),
    to_others("keywright:HoldRotation", "keeps leaked keys of other users in use"),
    to_others("keywright:ListAccessKeyAttempts", "learns who holds keys of other users"),
    to_others("keywright:ListAccessKeySessions", "learns who holds keys of other users"),
    way("keywright:ListAuthorizedPrincipals", "learns whose keys open more"),
    to_others("keywright:ListDeniedRequests", "learns what other users may not do"),
    to_others("keywright:ListRotationHistory", "learns of the keys of other users"),
    way("keywright:ListRotationPolicies", "learns whose keys are not replaced"),
    to_others("keywright:ListRotations", "learns of the keys of other users"),
    way("keywright:PutRotationPolicy", "has keys of other users replaced, or keeps them from it"),
    to_others("keywright:ReleaseRotation", "has keys of other users replaced"),
    to_others("keywright:ResumeRotation", "has keys of other users replaced"),
    to_others("keywright:RetrieveRotationKey", "fetches new keys of other users"),
    to_others("keywright:RollBackRotation", "brings back old keys of other users"),
    to_others("keywright:StartRotation", "has keys of other users replaced"),
    way("s3:DeleteBucketPolicy", "removes a bucket's policy that denies"),
    way("s3:PutBucketPolicy", "lets itself into a bucket"),
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

/// Whether an action is harmful only on many resources. The remedy is then to name the role, or the
/// workload that runs under one.
fn named_is_fine(action: &str) -> bool {
    let on_users = ["iam:", "keywright:"].iter().any(|s| action.starts_with(s));
    !on_users || action == "iam:PassRole"
}

/// Actions by which the caller can obtain more permissions: one finding per element of `Action`,
/// and one per `NotAction`.
pub(super) fn escalations(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let statement = subject.statement;
    let Some(clause) = statement.action.as_ref() else {
        return Vec::new();
    };
    if limits_reach(statement) {
        return Vec::new();
    }
    if clause.negated {
        // Access to every other service is a finding of its own.
        let ours = |way: &&EscalationPath| {
            ["iam:", "keywright:", "sts:"]
                .iter()
                .any(|s| way.action.starts_with(s))
        };
        return finding(subject, clause, ("NotAction", None), ours)
            .into_iter()
            .collect();
    }
    let elements = clause.elements.iter().enumerate();
    let each = elements.filter_map(|(item, element)| {
        let alone = ElementClause {
            negated: false,
            elements: vec![element.clone()],
        };
        finding(subject, &alone, ("Action", Some(item)), |_| true)
    });
    each.collect()
}

/// Reports the paths that actions open, at the element that names them.
fn finding(
    subject: &LintSubject<'_>,
    actions: &ElementClause,
    at: (&str, Option<usize>),
    wanted: impl Fn(&&EscalationPath) -> bool,
) -> Option<LintFinding> {
    let mut index = IndexBuilder::default();
    index.add(0, Some(actions), subject.statement.effect);
    let index = index.build();
    let opened = ESCALATIONS.iter().filter(wanted).filter(|way| {
        let lower = way.action.to_ascii_lowercase();
        let selected = RequestAction::new(&lower).is_some_and(|action| index.selects(&action));
        selected && reaches(subject, way)
    });
    let opened: Vec<&EscalationPath> = opened.collect();
    let listed = opened.iter().take(LISTED_MAX);
    let mut listed: Vec<String> = listed
        .map(|way| format!("{} {}", way.action, way.gain))
        .collect();
    match opened.len().saturating_sub(LISTED_MAX) {
        0 => {}
        more => listed.push(format!("and {more} more")),
    }
    (!opened.is_empty()).then(|| {
        let finding = subject.finding((Severity::Risk, "escalation"), at);
        let message = format!(
            "lets whoever has it take more rights: {}",
            listed.join("; ")
        );
        finding.with_message(message, remedy(&opened))
    })
}

/// Maximum number of paths that a finding names; `iam:*` has many more.
const LISTED_MAX: usize = 6;

/// How to close the paths.
fn remedy(ways: &[&EscalationPath]) -> &'static str {
    let all_of = |service: &str| ways.iter().all(|way| way.action.starts_with(service));
    if all_of("sts:") {
        "name the roles that may be assumed"
    } else if all_of("s3:") {
        "name the buckets"
    } else {
        "limit the resources, or add a condition such as iam:PermissionsBoundary, iam:PolicyARN or \
         iam:PassedToService"
    }
}

/// Whether the statement's resources make a path usable.
fn reaches(subject: &LintSubject<'_>, way: &EscalationPath) -> bool {
    let Some(resources) = &subject.statement.resource else {
        // In a trust policy, the principal decides who is let in.
        return false;
    };
    if resources.negated {
        return true;
    }
    let variables = subject.document.version == Some(LanguageVersion::V2012);
    resources.elements.iter().flatten().any(|resource| {
        let own = variables && resource.to_lowercase().ends_with("/${aws:username}");
        let many = resource.contains(['*', '?']);
        may_be_of(way.action, resource)
            && !(own && way.own_is_fine)
            && (many || !named_is_fine(way.action))
    })
}

/// Whether a resource can be of a type that an action acts on. For services that Keywright does not
/// serve, it can always be.
fn may_be_of(action: &str, resource: &str) -> bool {
    let mut parts = resource.splitn(6, ':').skip(2);
    let (Some(service), path) = (parts.next(), parts.nth(2)) else {
        return true;
    };
    let Some((wanted, prefixes)) = acted_on(action) else {
        return true;
    };
    if !Glob::new(service).matches(wanted) {
        return false;
    }
    let Some(path) = path else {
        return true;
    };
    let fixed = path.find(['*', '?', '$']);
    let head = fixed.map_or(path, |at| path.get(..at).unwrap_or(path));
    if wanted == "s3" {
        return !head.contains('/');
    }
    let open = fixed.is_some();
    let mut prefixes = prefixes.into_iter();
    prefixes.any(|prefix| head.starts_with(prefix) || open && prefix.starts_with(head))
}

/// The service and the resource prefixes of an action of a service that Keywright serves. Roles and
/// users belong to IAM, also for STS and the extension. An action without resources is authorized
/// on `*`.
fn acted_on(action: &str) -> Option<(&'static str, Vec<&'static str>)> {
    let catalogue = ActionCatalogue::built_in();
    let known = catalogue.action(action)?;
    let types = catalogue.resource_types().iter();
    let types = types.filter(|kind| kind.service == known.service && known.is_on(kind.name));
    let mut service = known.service;
    let mut prefixes = Vec::new();
    for kind in types {
        let mut parts = kind.arn.splitn(6, ':').skip(2);
        service = parts.next().unwrap_or(service);
        let path = parts.nth(2).unwrap_or_default();
        prefixes.push(path.split("${").next().unwrap_or_default());
    }
    Some((service, prefixes))
}
