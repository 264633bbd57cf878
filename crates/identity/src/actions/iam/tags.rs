//! Tags of users, roles, managed policies and MFA devices: validation, and the actions that change
//! and list them.
//!
//! The keys of a user's or role's tags are unique without regard to case; setting a tag in another
//! case replaces both the spelling and the value. Keys of other tags are case-sensitive.

use keywright_base::limits;
use keywright_wire::iam;

use super::{
    attachments::parse,
    policies::{ManagedPolicy, policy_target},
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{CustomerPolicy, MfaDevice, Role, StateChange, Tag, User},
    view::StateView,
};

/// Tags of a request.
pub(super) fn from_wire(tags: Option<&[iam::Tag]>) -> Vec<Tag> {
    let tag = |tag: &iam::Tag| Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.unwrap_or_default().iter().map(tag).collect()
}

/// Tags of a response.
pub(super) fn to_wire(tags: &[Tag]) -> Vec<iam::Tag> {
    let tag = |tag: &Tag| iam::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.iter().map(tag).collect()
}

/// The tags of a user or role after `add` is applied to `existing`.
///
/// # Errors
/// `InvalidInput` for repeated or reserved keys, `LimitExceeded` beyond fifty.
pub(super) fn checked_any_case(
    existing: &[Tag],
    add: Option<&[iam::Tag]>,
) -> Result<Vec<Tag>, IamFault> {
    let repeated = InvalidInput::DuplicateTagKeysAnyCase;
    checked(existing, add, (str::eq_ignore_ascii_case, repeated))
}

/// The tags of a managed policy or an MFA device after `add` is applied to `existing`.
///
/// # Errors
/// As [`checked_any_case`].
pub(super) fn checked_exact_case(
    existing: &[Tag],
    add: Option<&[iam::Tag]>,
) -> Result<Vec<Tag>, IamFault> {
    checked(
        existing,
        add,
        (|a, b| a == b, InvalidInput::DuplicateTagKeys),
    )
}

/// Which keys are equal, and the error for repeated ones.
type TagKeyComparison = (fn(&str, &str) -> bool, InvalidInput);

fn checked(
    existing: &[Tag],
    add: Option<&[iam::Tag]>,
    (same, repeated): TagKeyComparison,
) -> Result<Vec<Tag>, IamFault> {
    let added = from_wire(add);
    for (position, tag) in added.iter().enumerate() {
        let again = |other: &Tag| same(&other.key, &tag.key);
        if added.iter().skip(position + 1).any(again) {
            return Err(repeated.into());
        }
        let prefix = tag.key.as_bytes().get(..4);
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"aws:")) {
            return Err(InvalidInput::ReservedTagKey.into());
        }
    }
    let stays = |tag: &&Tag| !added.iter().any(|new| same(&new.key, &tag.key));
    let mut tags: Vec<Tag> = existing.iter().filter(stays).cloned().collect();
    tags.extend(added.iter().cloned());
    if tags.len() > limits::TAGS_PER_ENTITY {
        return Err(ReachedQuota::Tags.into());
    }
    Ok(tags)
}

/// A page of tags, by key, and the next marker.
pub(super) fn listed(tags: &[Tag], page: &PageRequest) -> (Vec<iam::Tag>, Option<String>) {
    let mut tags = tags.to_vec();
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    let (tags, marker) = page.cut(tags, |tag| tag.key.clone());
    (to_wire(&tags), marker)
}

pub(crate) struct TagUser;

impl Action for TagUser {
    type Shape = iam::TagUser;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::user(view, &input.user_name);
        Ok(Requirement::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        user.tags = checked_any_case(&user.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct UntagUser;

impl Action for UntagUser {
    type Shape = iam::UntagUser;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::user(view, &input.user_name);
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..target
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        user.tags.retain(|tag| {
            !input
                .tag_keys
                .iter()
                .any(|key| key.eq_ignore_ascii_case(&tag.key))
        });
        Ok(ActionResult::change((), StateChange::put(user)))
    }
}

pub(crate) struct ListUserTags;

impl Action for ListUserTags {
    type Shape = iam::ListUserTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::user(view, &input.user_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListUserTags", &[&user.name], marker, input.max_items)?;
        let (tags, marker) = listed(&user.tags, &page);
        Ok(ActionResult::answer(iam::ListUserTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct TagRole;

impl Action for TagRole {
    type Shape = iam::TagRole;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::role(view, &input.role_name);
        Ok(Requirement::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        role.tags = checked_any_case(&role.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(role)))
    }
}

pub(crate) struct UntagRole;

impl Action for UntagRole {
    type Shape = iam::UntagRole;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::role(view, &input.role_name);
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..target
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut role = Role::clone(view.role(&input.role_name)?);
        role.tags.retain(|tag| {
            !input
                .tag_keys
                .iter()
                .any(|key| key.eq_ignore_ascii_case(&tag.key))
        });
        Ok(ActionResult::change((), StateChange::put(role)))
    }
}

pub(crate) struct ListRoleTags;

impl Action for ListRoleTags {
    type Shape = iam::ListRoleTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::role(view, &input.role_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let role = view.role(&input.role_name)?;
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListRoleTags", &[&role.name], marker, input.max_items)?;
        let (tags, marker) = listed(&role.tags, &page);
        Ok(ActionResult::answer(iam::ListRoleTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

const FOREIGN: &str = "Cannot update policies outside your own account.";

/// The account's own policy, to be tagged.
fn own_policy(view: &StateView<'_>, arn: &str) -> Result<CustomerPolicy, IamFault> {
    let policy = ManagedPolicy::find(view, arn, MissingEntity::Policy)?;
    Ok(CustomerPolicy::clone(policy.own(FOREIGN)?))
}

pub(crate) struct TagPolicy;

impl Action for TagPolicy {
    type Shape = iam::TagPolicy;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        parse(&input.policy_arn)?;
        let target = AuthTarget::policy(view, &input.policy_arn);
        Ok(Requirement::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut policy = own_policy(view, &input.policy_arn)?;
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        policy.tags = checked_exact_case(&policy.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(policy)))
    }
}

pub(crate) struct UntagPolicy;

impl Action for UntagPolicy {
    type Shape = iam::UntagPolicy;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        parse(&input.policy_arn)?;
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::policy(view, &input.policy_arn)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut policy = own_policy(view, &input.policy_arn)?;
        policy.tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(policy)))
    }
}

pub(crate) struct ListPolicyTags;

impl Action for ListPolicyTags {
    type Shape = iam::ListPolicyTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        policy_target(view, &input.policy_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let arn = input.policy_arn.as_str();
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListPolicyTags", &[arn], marker, input.max_items)?;
        let tags = match ManagedPolicy::find(view, arn, MissingEntity::Policy)? {
            ManagedPolicy::Own(policy) => policy.tags.as_slice(),
            ManagedPolicy::Aws(_) => &[],
        };
        let (tags, marker) = listed(tags, &page);
        Ok(ActionResult::answer(iam::ListPolicyTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// The device, to be tagged.
fn device(view: &StateView<'_>, serial: &str) -> Result<MfaDevice, IamFault> {
    let device = view.account.device(serial);
    let device = device.ok_or_else(|| MissingEntity::MfaDevice(serial.to_owned()))?;
    Ok(MfaDevice::clone(device))
}

pub(crate) struct TagMFADevice;

impl Action for TagMFADevice {
    type Shape = iam::TagMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::mfa(view, &input.serial_number);
        Ok(Requirement::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut device = device(view, &input.serial_number)?;
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        device.tags = checked_exact_case(&device.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(device)))
    }
}

pub(crate) struct UntagMFADevice;

impl Action for UntagMFADevice {
    type Shape = iam::UntagMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::mfa(view, &input.serial_number)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut device = device(view, &input.serial_number)?;
        device.tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(device)))
    }
}

pub(crate) struct ListMFADeviceTags;

impl Action for ListMFADeviceTags {
    type Shape = iam::ListMFADeviceTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::mfa(
            view,
            &input.serial_number,
        )))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let device = device(view, &input.serial_number)?;
        let (place, marker) = (device.place(), input.marker.as_deref());
        let page = PageRequest::of(
            "ListMFADeviceTags",
            &[place.as_str()],
            marker,
            input.max_items,
        )?;
        let (tags, marker) = listed(&device.tags, &page);
        Ok(ActionResult::answer(iam::ListMFADeviceTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}
