//! Instance profiles: create, read, list, tag and delete them, and add or remove a role.

use std::{ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_wire::iam;

use super::{
    roles::{check_modifiable, document_bytes, in_profile},
    tags,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{DeleteBlocker, ExistingEntity, IamFault, InvalidInput, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{InstanceProfile, StateChange},
    view::StateView,
};

/// The service that roles in instance profiles are passed to.
const PASSED_TO: &str = "ec2.amazonaws.com";

fn profile_target(view: &StateView<'_>, name: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::instance_profile(view, name)))
}

/// The instance profile as a copy to modify.
fn changed(view: &StateView<'_>, name: &str) -> Result<InstanceProfile, IamFault> {
    Ok(InstanceProfile::clone(view.instance_profile(name)?))
}

/// As list responses have it: without tags.
pub(super) fn brief(view: &StateView<'_>, profile: &InstanceProfile) -> iam::InstanceProfile {
    let role = profile.role.and_then(|id| view.account.role_by_id(id));
    iam::InstanceProfile {
        path: profile.path.clone(),
        instance_profile_name: profile.name.clone(),
        instance_profile_id: profile.id.to_string(),
        arn: profile.arn(view.id()).to_string(),
        create_date: profile.created,
        roles: role
            .map(|role| in_profile(view, role))
            .into_iter()
            .collect(),
        tags: None,
    }
}

pub(crate) struct CreateInstanceProfile;

impl Action for CreateInstanceProfile {
    type Shape = iam::CreateInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let (path, name) = (input.path.as_deref(), &input.instance_profile_name);
        let path = path.unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "instance-profile", path, name).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("iam:TagInstanceProfile"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let name = &input.instance_profile_name;
        if view.account.instance_profile(name).is_some() {
            return Err(ExistingEntity::InstanceProfile(name.clone()).into());
        }
        let most = limits::INSTANCE_PROFILES_PER_ACCOUNT;
        if view.account.instance_profiles().len() >= most {
            return Err(ReachedQuota::Named("InstanceProfilesPerAccount", most).into());
        }
        let profile = InstanceProfile {
            id: UniqueId::generate(IdKind::InstanceProfile, view.id(), view.entropy),
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            name: name.clone(),
            created: view.now(),
            role: None,
            tags: tags::checked_exact_case(&[], input.tags.as_deref())?,
        };
        let output = iam::CreateInstanceProfileOutput {
            instance_profile: iam::InstanceProfile {
                tags: (!profile.tags.is_empty()).then(|| tags::to_wire(&profile.tags)),
                ..brief(view, &profile)
            },
        };
        Ok(ActionResult::change(output, StateChange::put(profile)))
    }
}

pub(crate) struct GetInstanceProfile;

impl Action for GetInstanceProfile {
    type Shape = iam::GetInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        profile_target(view, &input.instance_profile_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let profile = view.instance_profile(&input.instance_profile_name)?;
        Ok(ActionResult::answer(iam::GetInstanceProfileOutput {
            instance_profile: iam::InstanceProfile {
                tags: Some(tags::to_wire(&profile.tags)),
                ..brief(view, profile)
            },
        }))
    }
}

pub(crate) struct ListInstanceProfiles;

impl Action for ListInstanceProfiles {
    type Shape = iam::ListInstanceProfiles;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let arn = Arn::iam(view.id(), &format!("instance-profile{prefix}")).to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListInstanceProfiles", &[prefix], marker, input.max_items)?;
        let from = page
            .after()
            .map_or(Bound::Unbounded, |a| Bound::Excluded(FoldedName::new(a)));
        let rest = view.account.instance_profiles();
        let rest = rest.range((from, Bound::Unbounded));
        let matching = rest
            .map(|(_, profile)| profile)
            .filter(|profile| profile.path.starts_with(prefix));
        let (instance_profiles, marker) = listed(view, &page, matching);
        Ok(ActionResult::answer(iam::ListInstanceProfilesOutput {
            instance_profiles,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

/// A page of instance profiles, after the last one of the previous page.
fn listed<'a>(
    view: &StateView<'_>,
    page: &PageRequest,
    profiles: impl Iterator<Item = &'a Arc<InstanceProfile>>,
) -> (Vec<iam::InstanceProfile>, Option<String>) {
    page.take_within(
        profiles.map(|profile| brief(view, profile)),
        |profile| place(&profile.instance_profile_name),
        |profile| profile.roles.iter().map(document_bytes).sum(),
        limits::PAGE_DOCUMENT_BYTES,
    )
}

/// The sort key of a name in a listing.
fn place(name: &str) -> String {
    FoldedName::new(name).as_str().to_owned()
}

pub(crate) struct ListInstanceProfilesForRole;

impl Action for ListInstanceProfilesForRole {
    type Shape = iam::ListInstanceProfilesForRole;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::role(view, &input.role_name)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let role = view.role(&input.role_name)?;
        let (operation, marker) = ("ListInstanceProfilesForRole", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&role.name], marker, input.max_items)?;
        let profiles = view.account.profiles_of(role.id);
        let after = page.after().unwrap_or_default();
        let rest = profiles.filter(|profile| place(&profile.name).as_str() > after);
        let (instance_profiles, marker) = listed(view, &page, rest);
        Ok(ActionResult::answer(
            iam::ListInstanceProfilesForRoleOutput {
                instance_profiles,
                is_truncated: Some(marker.is_some()),
                marker,
            },
        ))
    }
}

pub(crate) struct AddRoleToInstanceProfile;

impl Action for AddRoleToInstanceProfile {
    type Shape = iam::AddRoleToInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::All(vec![
            AuthTarget::instance_profile(view, &input.instance_profile_name),
            AuthTarget::passed_role(view, &input.role_name, PASSED_TO),
        ]))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut profile = changed(view, &input.instance_profile_name)?;
        let role = view.role(&input.role_name)?;
        check_modifiable(role)?;
        if profile.role.is_some() {
            return Err(ReachedQuota::Named("InstanceSessionsPerInstanceProfile", 1).into());
        }
        profile.role = Some(role.id);
        Ok(ActionResult::change((), StateChange::put(profile)))
    }
}

pub(crate) struct RemoveRoleFromInstanceProfile;

impl Action for RemoveRoleFromInstanceProfile {
    type Shape = iam::RemoveRoleFromInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        profile_target(view, &input.instance_profile_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut profile = changed(view, &input.instance_profile_name)?;
        let role = view.account.role(&input.role_name);
        if role.is_none() || profile.role != role.map(|role| role.id) {
            let (role, profile) = (&input.role_name, &input.instance_profile_name);
            return Err(MissingEntity::RoleInProfile(role.clone(), profile.clone()).into());
        }
        profile.role = None;
        Ok(ActionResult::change((), StateChange::put(profile)))
    }
}

pub(crate) struct DeleteInstanceProfile;

impl Action for DeleteInstanceProfile {
    type Shape = iam::DeleteInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        profile_target(view, &input.instance_profile_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let profile = view.instance_profile(&input.instance_profile_name)?;
        if profile.role.is_some() {
            return Err(DeleteBlocker::RoleInProfile.into());
        }
        let delete = StateChange::delete::<InstanceProfile>(profile.id);
        Ok(ActionResult::change((), delete))
    }
}

pub(crate) struct TagInstanceProfile;

impl Action for TagInstanceProfile {
    type Shape = iam::TagInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::instance_profile(view, &input.instance_profile_name);
        let tags = tags::from_wire(Some(&input.tags));
        Ok(Requirement::one(target.with_request_tags(tags)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut profile = changed(view, &input.instance_profile_name)?;
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        profile.tags = tags::checked_exact_case(&profile.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(profile)))
    }
}

pub(crate) struct UntagInstanceProfile;

impl Action for UntagInstanceProfile {
    type Shape = iam::UntagInstanceProfile;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::instance_profile(view, &input.instance_profile_name)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut profile = changed(view, &input.instance_profile_name)?;
        profile
            .tags
            .retain(|tag| !input.tag_keys.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(profile)))
    }
}

pub(crate) struct ListInstanceProfileTags;

impl Action for ListInstanceProfileTags {
    type Shape = iam::ListInstanceProfileTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        profile_target(view, &input.instance_profile_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let profile = view.instance_profile(&input.instance_profile_name)?;
        let (operation, marker) = ("ListInstanceProfileTags", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&profile.name], marker, input.max_items)?;
        let (tags, marker) = tags::listed(&profile.tags, &page);
        Ok(ActionResult::answer(iam::ListInstanceProfileTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

#[cfg(test)]
mod tests;
