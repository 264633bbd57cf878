//! Managed policies: the account's own and AWS's.
//!
//! Invariant: AWS managed policies can be read and attached, but never changed.
//!
//! Versions are in `policy_versions`, attachments in `attachments`.

use std::sync::Arc;

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_policy::{DocumentKind, size_without_whitespace, validate};
use keywright_wire::iam::{self, values::policy_scope_type, values::policy_usage_type};

use super::{attachments::parse, tags};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    catalogue::AwsPolicy,
    fault::{DeleteBlocker, ExistingEntity, IamFault, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{CustomerPolicy, PolicyVersion, StateChange},
    view::StateView,
};

/// A managed policy, of AWS or of the account.
#[derive(Clone, Copy)]
pub(super) enum ManagedPolicy<'a> {
    /// An AWS managed policy.
    Aws(&'a AwsPolicy),
    /// A customer managed policy of the account.
    Own(&'a Arc<CustomerPolicy>),
}

impl<'a> ManagedPolicy<'a> {
    /// The policy with this ARN.
    ///
    /// # Errors
    /// `ValidationError` if it is not an ARN, or `missing`.
    pub(super) fn find(
        view: &StateView<'a>,
        arn: &str,
        missing: impl FnOnce(String) -> MissingEntity,
    ) -> Result<Self, IamFault> {
        let parsed = parse(arn)?;
        if let Some(policy) = view.catalogue().by_arn(arn) {
            return Ok(Self::Aws(policy));
        }
        let own = view.account.policy_by_arn(&parsed);
        own.map(Self::Own)
            .ok_or_else(|| missing(arn.to_owned()).into())
    }

    /// The account's own policy, to be modified. Explanations and simulations deny such changes
    /// too, through `keywright_policy::settled`.
    ///
    /// # Errors
    /// `AccessDenied` with `foreign` for an AWS managed policy.
    pub(super) fn own(self, foreign: &str) -> Result<&'a Arc<CustomerPolicy>, IamFault> {
        match self {
            Self::Own(policy) => Ok(policy),
            Self::Aws(_) => Err(IamFault::AccessDenied(foreign.to_owned())),
        }
    }

    pub(super) fn name(&self) -> &'a str {
        match self {
            Self::Aws(policy) => &policy.name,
            Self::Own(policy) => &policy.name,
        }
    }

    /// The document in effect.
    pub(super) fn document(&self) -> Option<&'a str> {
        match self {
            Self::Aws(policy) => Some(&policy.document),
            Self::Own(policy) => policy.default().map(|version| &**version.text()),
        }
    }

    fn path(&self) -> &'a str {
        match self {
            Self::Aws(policy) => &policy.path,
            Self::Own(policy) => &policy.path,
        }
    }

    fn arn(&self, view: &StateView<'_>) -> String {
        match self {
            Self::Aws(policy) => policy.arn.to_string(),
            Self::Own(policy) => policy.arn(view.id()).to_string(),
        }
    }

    /// Its sort key in a listing: the account's own by name, then AWS's by age, as AWS lists them
    /// (AdministratorAccess, PowerUserAccess, ReadOnlyAccess, ...).
    fn place(&self) -> String {
        let name = FoldedName::new(self.name());
        match self {
            Self::Own(_) => format!("1 {}", name.as_str()),
            Self::Aws(policy) => format!("2 {} {}", policy.created.iso8601(), name.as_str()),
        }
    }

    /// As list responses have it.
    pub(super) fn brief(&self, view: &StateView<'_>) -> iam::Policy {
        let arn = self.arn(view);
        let count = |count: usize| i32::try_from(count).ok();
        let listed = iam::Policy {
            policy_name: Some(self.name().to_owned()),
            path: Some(self.path().to_owned()),
            attachment_count: count(view.account.attachment_count(&arn)),
            permissions_boundary_usage_count: count(view.account.boundary_count(&arn)),
            arn: Some(arn),
            ..iam::Policy::default()
        };
        match self {
            Self::Aws(policy) => iam::Policy {
                policy_id: Some(policy.id.clone()),
                default_version_id: Some(policy.version.clone()),
                is_attachable: Some(!policy.is_service_role_policy()),
                create_date: Some(policy.created),
                update_date: Some(policy.updated),
                ..listed
            },
            Self::Own(policy) => iam::Policy {
                policy_id: Some(policy.id.to_string()),
                default_version_id: Some(format!("v{}", policy.default_version)),
                is_attachable: Some(true),
                create_date: Some(policy.created),
                update_date: Some(policy.updated),
                ..listed
            },
        }
    }

    /// As GetPolicy returns it: with description and tags.
    fn full(&self, view: &StateView<'_>) -> iam::Policy {
        let listed = self.brief(view);
        match self {
            Self::Aws(_) => iam::Policy {
                tags: Some(Vec::new()),
                ..listed
            },
            Self::Own(policy) => iam::Policy {
                description: policy.description.clone(),
                tags: Some(tags::to_wire(&policy.tags)),
                ..listed
            },
        }
    }
}

/// The target of an action on a managed policy.
///
/// # Errors
/// `ValidationError` if it is not an ARN.
pub(super) fn policy_target(view: &StateView<'_>, arn: &str) -> Result<Requirement, IamFault> {
    parse(arn)?;
    Ok(Requirement::one(AuthTarget::policy(view, arn)))
}

/// Validates a document as a version of a managed policy.
///
/// # Errors
/// `MalformedPolicyDocument`, `LimitExceeded`.
pub(super) fn checked_document(document: &str) -> Result<Arc<str>, IamFault> {
    // Checked first: an oversized document would take long to validate, while other changes wait.
    if size_without_whitespace(document) > limits::POLICY_SIZE {
        return Err(ReachedQuota::Named("PolicySize", limits::POLICY_SIZE).into());
    }
    validate(document, DocumentKind::Managed)
        .map_err(|violation| IamFault::MalformedPolicyDocument(violation.to_string()))?;
    Ok(document.into())
}

pub(crate) struct CreatePolicy;

impl Action for CreatePolicy {
    type Shape = iam::CreatePolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "policy", path, &input.policy_name).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags.clone());
        let mut targets = vec![create];
        if !tags.is_empty() {
            let tag = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
            targets.push(tag.as_action("iam:TagPolicy"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.account.policy(&input.policy_name).is_some() {
            return Err(ExistingEntity::Policy(input.policy_name.clone()).into());
        }
        let most = limits::POLICIES_PER_ACCOUNT;
        if view.account.policies().len() >= most {
            return Err(ReachedQuota::Named("PoliciesPerAccount", most).into());
        }
        let document = checked_document(&input.policy_document)?;
        let policy = Arc::new(CustomerPolicy {
            id: UniqueId::generate(IdKind::Policy, view.id(), view.entropy),
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            name: input.policy_name.clone(),
            description: input.description.clone(),
            created: view.now(),
            updated: view.now(),
            tags: tags::checked_exact_case(&[], input.tags.as_deref())?,
            versions: vec![PolicyVersion::new(1, view.now(), document)],
            default_version: 1,
            next_version: 2,
        });
        let listed = ManagedPolicy::Own(&policy).brief(view);
        let output = iam::CreatePolicyOutput {
            policy: Some(iam::Policy {
                tags: input.tags.clone(),
                ..listed
            }),
        };
        Ok(ActionResult::change(
            output,
            StateChange::put_shared(policy),
        ))
    }
}

pub(crate) struct GetPolicy;

impl Action for GetPolicy {
    type Shape = iam::GetPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policy = ManagedPolicy::find(view, &input.policy_arn, MissingEntity::Policy)?;
        Ok(ActionResult::answer(iam::GetPolicyOutput {
            policy: Some(policy.full(view)),
        }))
    }
}

/// `iam:ListPolicies`, by name.
pub(crate) struct ListPolicies;

impl ListPolicies {
    /// The policies that pass the filters, with their sort keys, in order.
    fn selected<'a>(
        view: &StateView<'a>,
        input: &Input<Self>,
        after: Option<&str>,
    ) -> Vec<(String, ManagedPolicy<'a>)> {
        let scope = input.scope.as_deref().unwrap_or(policy_scope_type::ALL);
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let aws = view.catalogue().by_name().values();
        let own = view.account.policies().values();
        let aws = aws
            .filter(|_| scope != policy_scope_type::LOCAL)
            .map(|policy| ManagedPolicy::Aws(policy));
        let own = own
            .filter(|_| scope != policy_scope_type::AWS)
            .map(ManagedPolicy::Own);
        let mut found: Vec<_> = aws
            .chain(own)
            .filter(|policy| policy.path().starts_with(prefix))
            .filter(|policy| is_used_as(view, policy, input))
            .map(|policy| (policy.place(), policy))
            .filter(|(place, _)| after.is_none_or(|after| place.as_str() > after))
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}

/// AWS considers the usage filter only with `OnlyAttached`.
fn is_used_as(
    view: &StateView<'_>,
    policy: &ManagedPolicy<'_>,
    input: &Input<ListPolicies>,
) -> bool {
    let attached = || view.account.attachment_count(&policy.arn(view)) > 0;
    let bounds = || view.account.boundary_count(&policy.arn(view)) > 0;
    match input.policy_usage_filter.as_deref() {
        _ if !input.only_attached.unwrap_or(false) => true,
        Some(policy_usage_type::PERMISSIONS_POLICY) => attached(),
        Some(policy_usage_type::PERMISSIONS_BOUNDARY) => bounds(),
        _ => attached() || bounds(),
    }
}

impl Action for ListPolicies {
    type Shape = iam::ListPolicies;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        Ok(Requirement::one(AuthTarget::new(
            "*",
            format!("policy path {prefix}"),
        )))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let filter = [
            input.scope.as_deref().unwrap_or_default(),
            input.path_prefix.as_deref().unwrap_or_default(),
            input.policy_usage_filter.as_deref().unwrap_or_default(),
            if input.only_attached.unwrap_or(false) {
                "attached"
            } else {
                ""
            },
        ];
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListPolicies", &filter, marker, input.max_items)?;
        let selected = Self::selected(view, input, page.after());
        let (page, marker) = page.take(selected, |(place, _)| place.clone());
        let policies = page.into_iter().map(|(_, policy)| policy.brief(view));
        Ok(ActionResult::answer(iam::ListPoliciesOutput {
            policies: Some(policies.collect()),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct DeletePolicy;

impl Action for DeletePolicy {
    type Shape = iam::DeletePolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policy = ManagedPolicy::find(view, &input.policy_arn, MissingEntity::Policy)?;
        let policy = policy.own("Cannot delete policies outside your own account.")?;
        let arn = policy.arn(view.id());
        let (account, arn) = (view.account, arn.as_str());
        if account.attachment_count(arn) > 0 || account.boundary_count(arn) > 0 {
            return Err(DeleteBlocker::PolicyAttached.into());
        }
        if policy.versions.len() > 1 {
            return Err(DeleteBlocker::PolicyVersions.into());
        }
        Ok(ActionResult::change(
            (),
            StateChange::delete::<CustomerPolicy>(policy.id),
        ))
    }
}

#[cfg(test)]
mod tests;
