//! Rotation policies: whose keys are rotated automatically, when, and where the new keys go.
//!
//! The first policy that matches a user applies, in order of names.
//!
//! Invariants:
//!
//! - A rotation that a policy starts acts for the principal who last put that policy, so no one can
//!   use another principal's permissions by editing its policy.
//! - A principal who cannot rotate a user's keys can neither put a policy that covers the user nor
//!   delete another principal's policy that does.

use keywright_base::{FoldedName, limits};
use keywright_wire::keywright;

use super::rotations::{destination, places, to_each};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity, ReachedQuota},
    on_behalf::OnBehalf,
    pagination::PageRequest,
    state::{RotationPolicy, StateChange, Tag, UserSelector},
    view::StateView,
};

/// Age in days at which a key is due if the policy does not set one: 90, as in CIS.
const MAX_AGE_DAYS: i32 = 90;
/// Seconds for which the old key must be unused if the policy does not set it.
const OBSERVE_SECS: i32 = 24 * 3600;
/// Seconds for which the old key stays inactive if the policy does not set it.
const DWELL_SECS: i32 = 7 * 24 * 3600;

fn invalid(text: &str) -> IamFault {
    InvalidInput::Other(text.to_owned()).into()
}

fn to_wire(view: &StateView<'_>, policy: &RotationPolicy) -> keywright::RotationPolicy {
    let tag = |tag: &Tag| keywright::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    let (path_prefix, tags, everyone) = match &policy.selector {
        UserSelector::Path(path) => (Some(path.clone()), None, None),
        UserSelector::Tags(tags) => (None, Some(tags.iter().map(tag).collect()), None),
        UserSelector::Everyone => (None, None, Some(true)),
    };
    // Policies of earlier versions contain destination names that are no longer exposed to callers.
    let places = policy.places.iter();
    let places = places.map(|place| destination(view, place, None));
    keywright::RotationPolicy {
        rotation_policy_name: policy.name.clone(),
        path_prefix,
        tags,
        everyone,
        max_age_days: policy.max_age_days,
        jitter_days: policy.jitter_days,
        observe_seconds: i64::from(policy.observe_secs),
        dwell_seconds: i64::from(policy.dwell_secs),
        places: places.collect(),
        created_by: policy.by_arn.clone(),
        create_date: policy.created,
        update_date: policy.updated,
        trouble: None,
    }
}

pub(crate) struct PutRotationPolicy;

fn selector(input: &Input<PutRotationPolicy>) -> Result<UserSelector, IamFault> {
    let tags = input.tags.as_deref().unwrap_or_default();
    let everyone = input.everyone.unwrap_or(false);
    match (&input.path_prefix, tags, everyone) {
        (Some(path), [], false) if path.ends_with('/') => Ok(UserSelector::Path(path.clone())),
        (Some(_), [], false) => Err(invalid("PathPrefix must begin and end with a slash.")),
        (None, [_, ..], false) => {
            let tag = |tag: &keywright::Tag| Tag {
                key: tag.key.clone(),
                value: tag.value.clone(),
            };
            let tags: Vec<Tag> = tags.iter().map(tag).collect();
            let again = |(at, tag): (usize, &Tag)| {
                let later = tags.iter().skip(at + 1);
                later.clone().any(|other| other.key == tag.key)
            };
            if tags.iter().enumerate().any(again) {
                return Err(InvalidInput::DuplicateTagKeys.into());
            }
            Ok(UserSelector::Tags(tags))
        }
        (None, [], true) => Ok(UserSelector::Everyone),
        _ => Err(invalid(
            "Specify exactly one of PathPrefix, Tags and Everyone = true.",
        )),
    }
}

fn policy(
    view: &StateView<'_>,
    input: &Input<PutRotationPolicy>,
) -> Result<RotationPolicy, IamFault> {
    let before = view.account.rotation_policy(&input.rotation_policy_name);
    let max_age_days = input.max_age_days.unwrap_or(MAX_AGE_DAYS);
    let jitter_days = input.jitter_days.unwrap_or(0);
    if jitter_days > max_age_days {
        return Err(invalid("JitterDays is more than MaxAgeDays."));
    }
    Ok(RotationPolicy {
        name: before.map_or_else(|| input.rotation_policy_name.clone(), |it| it.name.clone()),
        selector: selector(input)?,
        max_age_days,
        jitter_days,
        observe_secs: input.observe_seconds.unwrap_or(OBSERVE_SECS),
        dwell_secs: input.dwell_seconds.unwrap_or(DWELL_SECS),
        places: places(input.places.as_ref()),
        by: OnBehalf::of(view.caller)?,
        by_arn: view.caller.arn().to_string(),
        created: before.map_or_else(|| view.now(), |before| before.created),
        updated: view.now(),
    })
}

/// The users that a policy covers, if it acts for another principal: taking the rotation away from
/// them requires the permissions to perform it.
fn of_another(view: &StateView<'_>, policy: &RotationPolicy) -> Option<AuthTarget> {
    let caller = view.caller.principal();
    let owner = Some(policy.by.owner);
    let own = policy.by.account == caller.account() && owner == caller.credential_owner();
    (!own).then(|| AuthTarget::every_user(view, &policy.selector))
}

impl Action for PutRotationPolicy {
    type Shape = keywright::PutRotationPolicy;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        // A selector that matches no users is reported after authorization.
        let selected = selector(input).unwrap_or(UserSelector::Everyone);
        let before = view.account.rotation_policy(&input.rotation_policy_name);
        let mut subjects = vec![AuthTarget::every_user(view, &selected)];
        subjects.extend(before.and_then(|before| of_another(view, before)));
        let places = places(input.places.as_ref());
        Ok(Requirement::On {
            own: to_each(view, &AuthTarget::everything(), (&places, None)),
            subjects,
        })
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policy = policy(view, input)?;
        view.engine()?.check_destinations(&policy.places)?;
        let all = view.account.rotation_policies();
        let known = view.account.rotation_policy(&policy.name).is_some();
        let most = limits::ROTATION_POLICIES_PER_ACCOUNT;
        if !known && all.len() >= most {
            return Err(ReachedQuota::Named("RotationPoliciesPerAccount", most).into());
        }
        let output = keywright::PutRotationPolicyOutput {
            rotation_policy: to_wire(view, &policy),
        };
        let mut done = ActionResult::change(output, StateChange::put(policy));
        done.policies_changed = true;
        Ok(done)
    }
}

pub(crate) struct ListRotationPolicies;

impl Action for ListRotationPolicies {
    type Shape = keywright::ListRotationPolicies;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListRotationPolicies", &[], marker, input.max_items)?;
        let all = view.account.rotation_policies().iter();
        let (policies, marker) = page.cut(all, |(name, _)| name.as_str().to_owned());
        let troubles = view.engine()?.policy_failures(view.id());
        let listed = policies
            .iter()
            .map(|(_, policy)| keywright::RotationPolicy {
                trouble: troubles.get(&policy.name).cloned(),
                ..to_wire(view, policy)
            });
        Ok(ActionResult::answer(
            keywright::ListRotationPoliciesOutput {
                rotation_policies: listed.collect(),
                is_truncated: marker.is_some(),
                marker,
            },
        ))
    }
}

pub(crate) struct DeleteRotationPolicy;

impl Action for DeleteRotationPolicy {
    type Shape = keywright::DeleteRotationPolicy;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let subject = match view.account.rotation_policy(&input.rotation_policy_name) {
            Some(policy) => of_another(view, policy),
            None => Some(AuthTarget::every_user(view, &UserSelector::Everyone)),
        };
        Ok(Requirement::On {
            own: vec![AuthTarget::everything()],
            subjects: subject.into_iter().collect(),
        })
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let name = &input.rotation_policy_name;
        let found = view.account.rotation_policy(name);
        let found = found.ok_or_else(|| MissingEntity::RotationPolicy(name.clone()))?;
        let change = StateChange::delete::<RotationPolicy>(FoldedName::new(&found.name));
        Ok(ActionResult::change((), change))
    }
}

#[cfg(test)]
mod tests;
