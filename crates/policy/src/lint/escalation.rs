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
    way("iam:AddUserToGroup", "joins a group with more permissions"),
    way("iam:AttachGroupPolicy", "attaches any policy to its own group"),
    way("iam:AttachRolePolicy", "attaches any policy to a role that it can assume"),
    way("iam:AttachUserPolicy", "attaches any policy to itself"),
    to_others("iam:CreateAccessKey", "creates access keys for other users"),
    to_others("iam:CreateLoginProfile", "sets a password for other users"),
    way("iam:CreatePolicyVersion", "rewrites a policy that is attached to it"),
    to_others("iam:CreateServiceSpecificCredential", "creates service credentials for other users"),
    to_others("iam:DeactivateMFADevice", "removes other users' MFA devices"),
    way("iam:DeleteGroupPolicy", "removes a denying policy from a group"),
    way("iam:DeleteRolePermissionsBoundary", "lifts a role's boundary"),
    way("iam:DeleteRolePolicy", "removes a denying policy from a role"),
    way("iam:DeleteUserPermissionsBoundary", "lifts its own boundary"),
    way("iam:DeleteUserPolicy", "removes its own denying policy"),
    way("iam:DetachGroupPolicy", "removes a denying policy from a group"),
    way("iam:DetachRolePolicy", "removes a denying policy from a role"),
    way("iam:DetachUserPolicy", "removes its own denying policy"),
    way("iam:PassRole", "runs a service under a stronger role"),
    way("iam:PutGroupPolicy", "writes policies of its own group"),
    way("iam:PutRolePermissionsBoundary", "changes a role's boundary"),
    way("iam:PutRolePolicy", "writes policies of a role that it can assume"),
    way("iam:PutUserPermissionsBoundary", "changes its own boundary"),
    way("iam:PutUserPolicy", "writes its own policies"),
    way("iam:RemoveUserFromGroup", "leaves a group with a denying policy"),
    to_others("iam:ResetServiceSpecificCredential", "takes over others' credentials for services"),
    way("iam:SetDefaultPolicyVersion", "restores an older, broader policy version"),
    way("iam:TagRole", "sets tags that grant a role permissions"),
    way("iam:TagUser", "sets tags that grant it permissions"),
    way("iam:UpdateAssumeRolePolicy", "lets itself assume a role"),
    way("iam:UntagRole", "removes tags that deny a role permissions"),
    way("iam:UntagUser", "removes tags that deny it permissions"),
    to_others("iam:UpdateAccessKey", "reactivates keys of other users"),
    to_others("iam:UpdateLoginProfile", "changes the password of other users"),
    way("iam:UpdateOpenIDConnectProviderThumbprint", "makes roles trust another server's tokens"),
    way("iam:UpdateSAMLProvider", "lets another server decide who assumes roles"),
    way("iam:UpdateUser", "takes a name or path that grants another user permissions"),
    to_others("iam:UploadSSHPublicKey", "adds SSH keys to other users"),
    to_others("iam:UploadSigningCertificate", "adds certificates to other users"),
    to_others("keywright:AbandonRotation", "keeps leaked keys of other users in use"),
    to_others("keywright:ChangeRotation", "decides where other users' new keys go"),
    to_others("keywright:ConfirmDelivery", "gets other users' old keys deactivated"),
    way("keywright:DeleteRotationPolicy", "keeps leaked keys of other users in use"),
    to_others("keywright:EndAccessKeySessions", "ends sessions of other users"),
    to_others("keywright:ExplainAuthorization", "reveals other users' policies"),
    to_others("keywright:ExplainDeniedRequest", "reveals other users' policies"),
    to_others("keywright:GetAccessKeyUse", "reveals who uses other users' keys"),
    to_others("keywright:GetRotation", "reveals which keys other users have"),
    to_others("keywright:HoldRotation", "keeps leaked keys of other users in use"),
    way("keywright:ImportAccount", "creates users, roles and policies"),
    to_others("keywright:ListAccessKeyAttempts", "reveals who uses other users' keys"),
    to_others("keywright:ListAccessKeySessions", "reveals who uses other users' keys"),
    way("keywright:ListAuthorizedPrincipals", "reveals who has more permissions"),
    to_others("keywright:ListDeniedRequests", "reveals what other users may not do"),
    to_others("keywright:ListRotationHistory", "reveals which keys other users have"),
    way("keywright:ListRotationPolicies", "reveals whose keys are not rotated"),
    to_others("keywright:ListRotations", "reveals which keys other users have"),
    way("keywright:PutRotationPolicy", "rotates other users' keys, or prevents their rotation"),
    to_others("keywright:ReleaseRotation", "rotates other users' keys"),
    to_others("keywright:ResumeRotation", "rotates other users' keys"),
    to_others("keywright:RetrieveRotationKey", "retrieves other users' new keys"),
    to_others("keywright:RollBackRotation", "restores other users' old keys"),
    to_others("keywright:StartRotation", "rotates other users' keys"),
    way("s3:DeleteBucketPolicy", "removes a denying bucket policy"),
    way("s3:PutBucketPolicy", "grants itself access to a bucket"),
    way("sts:AssumeRole", "assumes any role that trusts the account"),
    way("cloudformation:UpdateStack", "acts as a stack's role"),
    way("codebuild:StartBuild", "runs its commands under a project's role"),
    way("datapipeline:PutPipelineDefinition", "runs its commands under a pipeline's role"),
    way("ec2-instance-connect:SendSSHPublicKey", "logs in to an instance and uses its role"),
    way("ec2:ModifyInstanceAttribute", "runs its commands under an instance's role"),
    way("ecs:ExecuteCommand", "runs its commands under a task's role"),
    way("glue:UpdateDevEndpoint", "logs in to an endpoint and uses its role"),
    way("lambda:UpdateFunctionCode", "runs its code under a function's role"),
    way("lambda:UpdateFunctionConfiguration", "runs its layer under a function's role"),
    way("sagemaker:CreatePresignedNotebookInstanceUrl", "opens a notebook and uses its role"),
    way("ssm:SendCommand", "runs its commands under an instance's role"),
    way("ssm:StartSession", "logs in to an instance and uses its role"),
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
            "lets its holder gain more permissions: {}",
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
        // In a trust policy, the principal decides who may assume the role.
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
