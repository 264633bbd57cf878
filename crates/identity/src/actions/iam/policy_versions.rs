//! Versions of managed policies: at most five, of which one is the default; numbers are never
//! reused.
//!
//! Invariant: SetDefaultPolicyVersion is answered only after the new version is in effect for every
//! entity that has the policy attached.

use keywright_base::limits;
use keywright_wire::{iam, percent_encode_document};

use super::policies::{ManagedPolicy, checked_document, policy_target};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{Permit, Requirement},
    catalogue::AwsPolicy,
    fault::{DeleteBlocker, IamFault, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{CustomerPolicy, PolicyVersion, StateChange},
    view::StateView,
};

const FOREIGN: &str = "Cannot update policies outside your own account.";
const FOREIGN_VERSION: &str =
    "Cannot delete policy versions for policies outside your own account.";

/// The number in `v3`; `None` if it is not a version ID of ours.
fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok()
}

/// The error for a missing policy or version.
fn missing(version: &str) -> impl Fn(String) -> MissingEntity {
    move |arn| MissingEntity::PolicyVersion(arn, version.to_owned())
}

/// A version of the account's own policy, given the ARN in the request.
fn version_of<'a>(
    policy: &'a CustomerPolicy,
    arn: &str,
    id: &str,
) -> Result<&'a PolicyVersion, IamFault> {
    let version = number(id).and_then(|number| policy.version(number));
    version.ok_or_else(|| missing(id)(arn.to_owned()).into())
}

/// A version as responses have it; lists omit the document.
fn to_wire(policy: &CustomerPolicy, version: &PolicyVersion, full: bool) -> iam::PolicyVersion {
    iam::PolicyVersion {
        document: full.then(|| percent_encode_document(version.text())),
        version_id: Some(version.id()),
        is_default_version: Some(version.number == policy.default_version),
        create_date: Some(version.created),
    }
}

/// The versions of an AWS managed policy as lists have them, newest first.
fn of_aws(policy: &AwsPolicy) -> impl Iterator<Item = iam::PolicyVersion> {
    let to_wire = |id: &str, created, in_effect| iam::PolicyVersion {
        document: None,
        version_id: Some(id.to_owned()),
        is_default_version: Some(in_effect),
        create_date: Some(created),
    };
    let in_effect = to_wire(&policy.version, policy.updated, true);
    let earlier = policy.earlier_versions().iter();
    let earlier = earlier.map(move |version| to_wire(&version.id, version.created, false));
    std::iter::once(in_effect).chain(earlier)
}

/// The versions with their documents, newest first. For an AWS managed policy, which can have
/// hundreds, only the default one.
pub(super) fn with_documents(policy: ManagedPolicy<'_>) -> Vec<iam::PolicyVersion> {
    match policy {
        ManagedPolicy::Own(policy) => {
            let versions = policy.versions.iter().rev();
            versions.map(|it| to_wire(policy, it, true)).collect()
        }
        ManagedPolicy::Aws(policy) => {
            let in_effect = of_aws(policy).take(1);
            let document = Some(percent_encode_document(&policy.document));
            in_effect
                .map(|version| iam::PolicyVersion {
                    document: document.clone(),
                    ..version
                })
                .collect()
        }
    }
}

pub(crate) struct CreatePolicyVersion;

impl Action for CreatePolicyVersion {
    type Shape = iam::CreatePolicyVersion;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policy = ManagedPolicy::find(view, &input.policy_arn, MissingEntity::Policy)?;
        let mut policy = CustomerPolicy::clone(policy.own(FOREIGN)?);
        let document = checked_document(&input.policy_document)?;
        if policy.versions.len() >= limits::VERSIONS_PER_POLICY {
            return Err(ReachedQuota::PolicyVersions.into());
        }
        let version = PolicyVersion::new(policy.next_version, view.now(), document);
        policy.next_version = policy.next_version.saturating_add(1);
        policy.updated = view.now();
        if input.set_as_default.unwrap_or(false) {
            policy.default_version = version.number;
        }
        let output = iam::CreatePolicyVersionOutput {
            policy_version: Some(to_wire(&policy, &version, false)),
        };
        policy.versions.push(version);
        Ok(ActionResult::change(output, StateChange::put(policy)))
    }
}

pub(crate) struct GetPolicyVersion;

impl Action for GetPolicyVersion {
    type Shape = iam::GetPolicyVersion;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Page;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = input.version_id.as_str();
        let version = match ManagedPolicy::find(view, &input.policy_arn, missing(id))? {
            ManagedPolicy::Own(policy) => {
                to_wire(policy, version_of(policy, &input.policy_arn, id)?, true)
            }
            ManagedPolicy::Aws(policy) => {
                let unknown = || IamFault::from(missing(id)(input.policy_arn.clone()));
                let mut versions = of_aws(policy);
                let known = versions.find(|known| known.version_id.as_deref() == Some(id));
                let document = policy.document_of(id).ok_or_else(unknown)?;
                iam::PolicyVersion {
                    document: Some(percent_encode_document(&document)),
                    ..known.ok_or_else(unknown)?
                }
            }
        };
        Ok(ActionResult::answer(iam::GetPolicyVersionOutput {
            policy_version: Some(version),
        }))
    }
}

/// `iam:ListPolicyVersions`, newest first.
pub(crate) struct ListPolicyVersions;

impl Action for ListPolicyVersions {
    type Shape = iam::ListPolicyVersions;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let arn = input.policy_arn.as_str();
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListPolicyVersions", &[arn], marker, input.max_items)?;
        let versions = match ManagedPolicy::find(view, arn, MissingEntity::Policy)? {
            ManagedPolicy::Own(policy) => {
                let newest = policy.versions.iter().rev();
                let versions = newest.map(|version| {
                    let place = format!("{:010}", u32::MAX - version.number);
                    (place, to_wire(policy, version, false))
                });
                versions.collect::<Vec<_>>()
            }
            ManagedPolicy::Aws(policy) => {
                let places = (0_u32..).map(|place| format!("{place:010}"));
                places.zip(of_aws(policy)).collect::<Vec<_>>()
            }
        };
        let (versions, marker) = page.cut(versions, |(place, _)| place.clone());
        Ok(ActionResult::answer(iam::ListPolicyVersionsOutput {
            versions: Some(versions.into_iter().map(|(_, version)| version).collect()),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct SetDefaultPolicyVersion;

impl Action for SetDefaultPolicyVersion {
    type Shape = iam::SetDefaultPolicyVersion;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = input.version_id.as_str();
        let policy = ManagedPolicy::find(view, &input.policy_arn, missing(id))?;
        let mut policy = CustomerPolicy::clone(policy.own(FOREIGN)?);
        policy.default_version = version_of(&policy, &input.policy_arn, id)?.number;
        policy.updated = view.now();
        Ok(ActionResult::change((), StateChange::put(policy)))
    }
}

pub(crate) struct DeletePolicyVersion;

impl Action for DeletePolicyVersion {
    type Shape = iam::DeletePolicyVersion;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = input.version_id.as_str();
        let policy = ManagedPolicy::find(view, &input.policy_arn, missing(id))?;
        let mut policy = CustomerPolicy::clone(policy.own(FOREIGN_VERSION)?);
        let number = version_of(&policy, &input.policy_arn, id)?.number;
        if number == policy.default_version {
            return Err(DeleteBlocker::DefaultVersion.into());
        }
        policy.versions.retain(|version| version.number != number);
        Ok(ActionResult::change((), StateChange::put(policy)))
    }
}
