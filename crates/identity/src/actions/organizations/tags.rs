//! Tags of roots, organizational units, accounts and policies. Keys are case-sensitive.

use keywright_base::limits;
use keywright_wire::organizations;

use super::{ManagedOrganization, node_target, organization::with_node, page, policy_target};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ConstraintReason, IamFault, InputReason, OrganizationsFault},
    state::{StateChange, Tag},
    view::StateView,
};

/// Tags of a request.
pub(super) fn from_wire(tags: Option<&[organizations::Tag]>) -> Vec<Tag> {
    let tag = |tag: &organizations::Tag| Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.unwrap_or_default().iter().map(tag).collect()
}

/// The tags after `add` is applied to `existing`.
///
/// # Errors
/// `InvalidInputException` for repeated or reserved keys, `ConstraintViolationException` beyond
/// fifty.
pub(super) fn checked(
    existing: &[Tag],
    add: Option<&[organizations::Tag]>,
) -> Result<Vec<Tag>, IamFault> {
    let added = from_wire(add);
    for (position, tag) in added.iter().enumerate() {
        let mut rest = added.iter().skip(position + 1);
        if rest.any(|other| other.key == tag.key) {
            return Err(OrganizationsFault::Input(InputReason::DuplicateTagKey).into());
        }
        let prefix = tag.key.as_bytes().get(..4);
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"aws:")) {
            return Err(OrganizationsFault::Input(InputReason::SystemTags).into());
        }
    }
    let stays = |tag: &&Tag| !added.iter().any(|new| new.key == tag.key);
    let mut tags: Vec<Tag> = existing.iter().filter(stays).cloned().collect();
    tags.extend(added.iter().cloned());
    if tags.len() > limits::TAGS_PER_ENTITY {
        return Err(OrganizationsFault::Constraint(ConstraintReason::Tags).into());
    }
    Ok(tags)
}

/// A taggable resource to be authorized on.
fn resource_target(view: &StateView<'_>, id: &str) -> AuthTarget {
    if id.starts_with("p-") {
        policy_target(view, id)
    } else {
        node_target(view, id)
    }
}

/// The tags of a resource.
fn tags_of(managed: &ManagedOrganization<'_>, id: &str) -> Result<Vec<Tag>, IamFault> {
    let target = managed.state.target(id);
    let target = target.map(|target| target.node().tags.clone());
    let policy = || managed.state.policy(id).map(|policy| policy.tags.clone());
    let tags = target.or_else(policy);
    tags.ok_or_else(|| OrganizationsFault::TargetNotFound.into())
}

/// The change that gives a resource other tags.
fn with_tags(
    managed: &ManagedOrganization<'_>,
    id: &str,
    tags: Vec<Tag>,
) -> Result<StateChange, IamFault> {
    if let Some(target) = managed.state.target(id) {
        let mut node = target.node().clone();
        node.tags = tags;
        return Ok(with_node(target, node));
    }
    let policy = managed.state.policy(id);
    let policy = policy.ok_or(OrganizationsFault::TargetNotFound)?;
    if policy.of_aws {
        return Err(OrganizationsFault::Input(InputReason::TargetNotSupported).into());
    }
    Ok(StateChange::put(policy.with_tags(tags)))
}

pub(crate) struct TagResource;

impl Action for TagResource {
    type Shape = organizations::TagResource;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = resource_target(view, &input.resource_id);
        Ok(Requirement::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let tags = checked(&tags_of(&managed, &input.resource_id)?, Some(&input.tags))?;
        let change = with_tags(&managed, &input.resource_id, tags)?;
        Ok(ActionResult::change((), change))
    }
}

pub(crate) struct UntagResource;

impl Action for UntagResource {
    type Shape = organizations::UntagResource;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..resource_target(view, &input.resource_id)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let mut tags = tags_of(&managed, &input.resource_id)?;
        tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        let change = with_tags(&managed, &input.resource_id, tags)?;
        Ok(ActionResult::change((), change))
    }
}

pub(crate) struct ListTagsForResource;

impl Action for ListTagsForResource {
    type Shape = organizations::ListTagsForResource;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(resource_target(view, &input.resource_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let mut tags = tags_of(&managed, &input.resource_id)?;
        tags.sort_by(|one, other| one.key.cmp(&other.key));
        let place = (input.next_token.as_deref(), None);
        let page = page("ListTagsForResource", &[&input.resource_id], place)?;
        let (tags, next_token) = page.cut(tags, |tag| tag.key.clone());
        let tags = tags.into_iter().map(|tag| organizations::Tag {
            key: tag.key,
            value: tag.value,
        });
        Ok(ActionResult::answer(
            organizations::ListTagsForResourceOutput {
                tags: Some(tags.collect()),
                next_token,
            },
        ))
    }
}
