//! AWS managed policies on users: attach, detach, list.

use std::sync::Arc;

use keywright_base::{Arn, limits};
use keywright_wire::iam;

use crate::{
    action::{Access, Action, Done, Input, Outcome},
    authorize::{Permit, Required, Target},
    fault::{Fault, Missing, Quota},
    pagination::Page,
    state::{Change, User},
    view::View,
};

/// The stored ARN of a managed policy that can be attached.
fn attachable(view: &View<'_>, arn: &str) -> Result<Arc<str>, Fault> {
    let parsed = parse(arn)?;
    if let Some(policy) = view.catalogue().by_arn(arn) {
        return Ok(Arc::clone(&policy.arn));
    }
    let policy = view
        .account
        .policy_by_arn(&parsed)
        .ok_or(Missing::AttachablePolicy)?;
    Ok(policy.arn(view.id()).as_str().into())
}

fn parse(arn: &str) -> Result<Arn, Fault> {
    Arn::parse(arn).map_err(|_| Fault::Validation(format!("ARN {arn} is not valid.")))
}

/// `iam:AttachUserPolicy`
pub(crate) struct AttachUserPolicy;

impl Action for AttachUserPolicy {
    type Shape = iam::AttachUserPolicy;
    const ACCESS: Access = Access::PermissionsManagement;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let target = Target::user(view, &input.user_name);
        Ok(Required::one(
            target.with_key("iam:PolicyARN", &input.policy_arn),
        ))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let mut user = User::clone(view.user(&input.user_name)?);
        let arn = attachable(view, &input.policy_arn)?;
        if user.grants.is_attached(&arn) {
            return Ok(Done::answer(()));
        }
        if user.grants.attached.len() >= limits::ATTACHED_POLICIES_PER_USER {
            let most = limits::ATTACHED_POLICIES_PER_USER;
            return Err(Quota::Named("PoliciesPerUser", most).into());
        }
        user.grants.attached.push(arn);
        Ok(Done::change((), Change::PutUser(Arc::new(user))))
    }
}

/// `iam:DetachUserPolicy`
pub(crate) struct DetachUserPolicy;

impl Action for DetachUserPolicy {
    type Shape = iam::DetachUserPolicy;
    const ACCESS: Access = Access::PermissionsManagement;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let target = Target::user(view, &input.user_name);
        Ok(Required::one(
            target.with_key("iam:PolicyARN", &input.policy_arn),
        ))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        parse(&input.policy_arn)?;
        let mut user = User::clone(view.user(&input.user_name)?);
        let before = user.grants.attached.len();
        user.grants
            .attached
            .retain(|arn| **arn != *input.policy_arn);
        if user.grants.attached.len() == before {
            return Err(Missing::Policy.into());
        }
        Ok(Done::change((), Change::PutUser(Arc::new(user))))
    }
}

/// `iam:ListAttachedUserPolicies`
pub(crate) struct ListAttachedUserPolicies;

impl Action for ListAttachedUserPolicies {
    type Shape = iam::ListAttachedUserPolicies;
    const ACCESS: Access = Access::List;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::user(view, &input.user_name)))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let user = view.user(&input.user_name)?;
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let filter = [user.name.as_str(), prefix];
        let marker = input.marker.as_deref();
        let page = Page::of("ListAttachedUserPolicies", &filter, marker, input.max_items)?;
        let under = format!("policy{prefix}");
        let matches =
            |arn: &&Arc<str>| Arn::parse(arn).is_ok_and(|arn| arn.resource().starts_with(&under));
        let mut arns: Vec<&Arc<str>> = user.grants.attached.iter().filter(matches).collect();
        arns.sort();
        let (arns, marker) = page.cut(arns, |arn| arn.to_string());
        let attached = |arn: &Arc<str>| iam::AttachedPolicy {
            policy_name: arn.rsplit('/').next().map(str::to_owned),
            policy_arn: Some(arn.to_string()),
        };
        Ok(Done::answer(iam::ListAttachedUserPoliciesOutput {
            attached_policies: Some(arns.into_iter().map(attached).collect()),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}
