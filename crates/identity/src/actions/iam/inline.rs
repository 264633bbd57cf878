//! Inline policies of users, groups and roles: put, get, list, delete.
//!
//! Each behaviour is implemented once, over [`PolicyOwner`]. Documents are stored byte for byte and
//! returned percent-encoded.

use keywright_base::limits;
use keywright_policy::{DocumentKind, size_without_whitespace, validate};
use keywright_wire::{iam, percent_encode_document};

use super::owner::PolicyOwner;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{Permit, Requirement},
    fault::{IamFault, ReachedQuota},
    pagination::PageRequest,
    state::{Group, InlinePolicy, Role, StateChange, User},
    view::StateView,
};

fn put<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    policy: (&str, &str),
) -> Result<StateChange, IamFault> {
    let (policy, document) = policy;
    let mut owner = O::find(view, name)?.clone();
    owner.check_modifiable()?;
    let too_large = |owner: &O| {
        let name = owner.name().to_owned();
        IamFault::from(ReachedQuota::InlinePolicies(O::INLINE_SIZE, O::KIND, name))
    };
    // Checked first: an oversized document would take long to validate, while other changes wait.
    if size_without_whitespace(document) > O::INLINE_SIZE {
        return Err(too_large(&owner));
    }
    validate(document, DocumentKind::Inline)
        .map_err(|violation| IamFault::MalformedPolicyDocument(violation.to_string()))?;
    owner.grants_mut().put_inline(policy, document.into());
    let texts = || owner.grants().inline.iter().map(InlinePolicy::text);
    let size: usize = texts().map(|text| size_without_whitespace(text)).sum();
    let bytes: usize = texts().map(|text| text.len()).sum();
    if size > O::INLINE_SIZE || bytes > limits::INLINE_POLICIES_BYTES {
        return Err(too_large(&owner));
    }
    Ok(owner.put())
}

fn get<'a, O: PolicyOwner + 'a>(
    view: &StateView<'a>,
    name: &str,
    policy: &str,
) -> Result<(&'a O, &'a InlinePolicy), IamFault> {
    let owner = O::find(view, name)?;
    let inline = owner.grants().inline(policy);
    Ok((owner, inline.ok_or_else(|| O::no_inline(policy))?))
}

/// A page of names, and the next marker.
fn list<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    page: (&str, Option<&str>, Option<i32>),
) -> Result<(Vec<String>, Option<String>), IamFault> {
    let owner = O::find(view, name)?;
    let (operation, marker, items) = page;
    let page = PageRequest::of(operation, &[owner.name()], marker, items)?;
    let names = owner
        .grants()
        .inline
        .iter()
        .map(|inline| inline.name.clone());
    Ok(page.cut(names, |name| name.to_ascii_lowercase()))
}

fn delete<O: PolicyOwner>(
    view: &StateView<'_>,
    name: &str,
    policy: &str,
) -> Result<StateChange, IamFault> {
    let (owner, _) = get::<O>(view, name, policy)?;
    let mut owner = owner.clone();
    owner.check_modifiable()?;
    let inline = &mut owner.grants_mut().inline;
    inline.retain(|inline| !inline.name.eq_ignore_ascii_case(policy));
    Ok(owner.put())
}

/// The four actions for one kind of owner.
macro_rules! inline_of {
    (
        $owner:ty, $name:ident,
        $put:ident, $get:ident -> $got:ident, $list:ident -> $listed:ident, $delete:ident
    ) => {
        #[doc = concat!("`iam:", stringify!($put), "`")]
        pub(crate) struct $put;

        impl Action for $put {
            type Shape = iam::$put;
            const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                let target = <$owner>::bounded_target(view, &input.$name);
                Ok(Requirement::one(target))
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let policy = (&*input.policy_name, &*input.policy_document);
                let change = put::<$owner>(view, &input.$name, policy)?;
                Ok(ActionResult::change((), change))
            }
        }

        #[doc = concat!("`iam:", stringify!($get), "`")]
        pub(crate) struct $get;

        impl Action for $get {
            type Shape = iam::$get;
            const ACCESS: ActionLevel = ActionLevel::Read;
            const EFFORT: Effort = Effort::Page;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                Ok(Requirement::one(<$owner>::target(view, &input.$name)))
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let (owner, inline) = get::<$owner>(view, &input.$name, &input.policy_name)?;
                Ok(ActionResult::answer(iam::$got {
                    $name: owner.name.clone(),
                    // In the spelling of the request, as AWS does.
                    policy_name: input.policy_name.clone(),
                    policy_document: percent_encode_document(inline.text()),
                }))
            }
        }

        #[doc = concat!("`iam:", stringify!($list), "`")]
        pub(crate) struct $list;

        impl Action for $list {
            type Shape = iam::$list;
            const ACCESS: ActionLevel = ActionLevel::List;
            const EFFORT: Effort = Effort::Small;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                Ok(Requirement::one(<$owner>::target(view, &input.$name)))
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let page = (stringify!($list), input.marker.as_deref(), input.max_items);
                let (policy_names, marker) = list::<$owner>(view, &input.$name, page)?;
                Ok(ActionResult::answer(iam::$listed {
                    policy_names,
                    is_truncated: Some(marker.is_some()),
                    marker,
                }))
            }
        }

        #[doc = concat!("`iam:", stringify!($delete), "`")]
        pub(crate) struct $delete;

        impl Action for $delete {
            type Shape = iam::$delete;
            const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                let target = <$owner>::bounded_target(view, &input.$name);
                Ok(Requirement::one(target))
            }

            fn run(
                view: &StateView<'_>,
                _: Permit<Self>,
                input: &Input<Self>,
            ) -> ActionOutcome<Self> {
                let change = delete::<$owner>(view, &input.$name, &input.policy_name)?;
                Ok(ActionResult::change((), change))
            }
        }
    };
}

inline_of!(
    User, user_name,
    PutUserPolicy, GetUserPolicy -> GetUserPolicyOutput,
    ListUserPolicies -> ListUserPoliciesOutput, DeleteUserPolicy
);
inline_of!(
    Role, role_name,
    PutRolePolicy, GetRolePolicy -> GetRolePolicyOutput,
    ListRolePolicies -> ListRolePoliciesOutput, DeleteRolePolicy
);
inline_of!(
    Group, group_name,
    PutGroupPolicy, GetGroupPolicy -> GetGroupPolicyOutput,
    ListGroupPolicies -> ListGroupPoliciesOutput, DeleteGroupPolicy
);

#[cfg(test)]
mod tests {
    use keywright_base::limits;

    use crate::testing::TestInstallation;

    /// AWS's quota does not count white space, but white space is stored, so it needs a limit too.
    #[test]
    fn all_that_is_stored_of_inline_policies_has_a_limit() {
        let bench = TestInstallation::new();
        bench.user("ann", &[]);
        let put = |name: &str, bytes: usize| {
            let statement = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
            let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
            let space = "%20".repeat(bytes - text.len());
            let document = text.replace(":{", &format!(":{space}{{"));
            bench.root(&format!(
                "Action=PutUserPolicy&UserName=ann&PolicyName={name}&PolicyDocument={document}"
            ))
        };
        let half = limits::INLINE_POLICIES_BYTES / 2;
        put("a", half).ok();
        put("b", half).ok();
        let full = "Maximum policy size of 2048 bytes exceeded for user ann";
        put("c", 100).refused("LimitExceeded", full);
        put("b", half + 1).refused("LimitExceeded", full);
        put("b", half - 100).ok();
        put("c", 100).ok();
    }
}
