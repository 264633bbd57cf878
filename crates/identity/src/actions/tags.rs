//! Tags of users: their rules, and the actions that change and list them.
//!
//! Keys of a user's tags are unique without regard to case; tagging again in another case replaces
//! both the spelling and the value.

use std::sync::Arc;

use keywright_base::limits;
use keywright_wire::iam;

use crate::{
    action::{Access, Action, Done, Input, Outcome},
    authorize::{Permit, Required, Target},
    fault::{Fault, Invalid, Quota},
    pagination::Page,
    state::{Change, Tag, User},
    view::View,
};

/// As requests carry them.
pub(super) fn from_wire(tags: Option<&[iam::Tag]>) -> Vec<Tag> {
    let tag = |tag: &iam::Tag| Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.unwrap_or_default().iter().map(tag).collect()
}

/// As answers carry them.
pub(super) fn to_wire(tags: &[Tag]) -> Vec<iam::Tag> {
    let tag = |tag: &Tag| iam::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.iter().map(tag).collect()
}

/// The tags that a user has after `add` is put on `existing`.
///
/// # Errors
/// `InvalidInput` for repeated or reserved keys, `LimitExceeded` beyond fifty.
pub(super) fn checked_any_case(
    existing: &[Tag],
    add: Option<&[iam::Tag]>,
) -> Result<Vec<Tag>, Fault> {
    let added = from_wire(add);
    for (position, tag) in added.iter().enumerate() {
        let same = |other: &Tag| other.key.eq_ignore_ascii_case(&tag.key);
        if added.iter().skip(position + 1).any(same) {
            return Err(Invalid::DuplicateTagKeysAnyCase.into());
        }
        let prefix = tag.key.as_bytes().get(..4);
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"aws:")) {
            return Err(Invalid::ReservedTagKey.into());
        }
    }
    let replaced = |tag: &&Tag| {
        !added
            .iter()
            .any(|new| new.key.eq_ignore_ascii_case(&tag.key))
    };
    let mut tags: Vec<Tag> = existing.iter().filter(replaced).cloned().collect();
    tags.extend(added.iter().cloned());
    if tags.len() > limits::TAGS_PER_ENTITY {
        return Err(Quota::Tags.into());
    }
    Ok(tags)
}

/// `iam:TagUser`
pub(crate) struct TagUser;

impl Action for TagUser {
    type Shape = iam::TagUser;
    const ACCESS: Access = Access::Tagging;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let target = Target::user(view, &input.user_name);
        Ok(Required::one(
            target.with_request_tags(from_wire(Some(&input.tags))),
        ))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        if input.tags.is_empty() {
            return Err(Invalid::NoTags.into());
        }
        user.tags = checked_any_case(&user.tags, Some(&input.tags))?;
        Ok(Done::change((), Change::PutUser(Arc::new(user))))
    }
}

/// `iam:UntagUser`
pub(crate) struct UntagUser;

impl Action for UntagUser {
    type Shape = iam::UntagUser;
    const ACCESS: Access = Access::Tagging;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let target = Target::user(view, &input.user_name);
        Ok(Required::one(Target {
            tag_keys: input.tag_keys.clone(),
            ..target
        }))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        user.tags.retain(|tag| {
            !input
                .tag_keys
                .iter()
                .any(|key| key.eq_ignore_ascii_case(&tag.key))
        });
        Ok(Done::change((), Change::PutUser(Arc::new(user))))
    }
}

/// `iam:ListUserTags`
pub(crate) struct ListUserTags;

impl Action for ListUserTags {
    type Shape = iam::ListUserTags;
    const ACCESS: Access = Access::List;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::user(view, &input.user_name)))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let user = view.user(&input.user_name)?;
        let marker = input.marker.as_deref();
        let page = Page::of("ListUserTags", &[&user.name], marker, input.max_items)?;
        let mut tags = user.tags.clone();
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        let (tags, marker) = page.cut(tags, |tag| tag.key.clone());
        Ok(Done::answer(iam::ListUserTagsOutput {
            tags: to_wire(&tags),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}
