//! The owners of policies: users, groups and roles. Operations on their grants are implemented
//! once, over [`PolicyOwner`].

use keywright_base::limits;

use crate::{
    authorize::AuthTarget,
    fault::{IamFault, MissingEntity},
    state::{DirectGrants, Group, Role, StateChange, User},
    view::StateView,
};

/// A principal that holds grants.
pub(super) trait PolicyOwner: Clone {
    /// Its kind in AWS's texts.
    const KIND: &'static str;
    /// The quota of attached managed policies: AWS's name and the number.
    const ATTACHED: (&'static str, usize);
    /// The size limit of all its inline policies together, in characters without white space.
    const INLINE_SIZE: usize;

    /// Finds one by name in any case.
    fn find<'a>(view: &StateView<'a>, name: &str) -> Result<&'a Self, IamFault>;
    /// Its target for authorization.
    fn target(view: &StateView<'_>, name: &str) -> AuthTarget;
    /// Its target for actions that change its grants, where the boundary is a condition key.
    fn bounded_target(view: &StateView<'_>, name: &str) -> AuthTarget;
    /// Its name as created.
    fn name(&self) -> &str;
    fn path(&self) -> &str;
    fn grants(&self) -> &DirectGrants;
    fn grants_mut(&mut self) -> &mut DirectGrants;
    /// The change that stores it.
    fn put(self) -> StateChange;
    /// The error if it has no inline policy of this name.
    fn no_inline(policy: &str) -> MissingEntity;
    /// Checks that customers may change its grants.
    ///
    /// # Errors
    /// `UnmodifiableEntity`.
    fn check_modifiable(&self) -> Result<(), IamFault> {
        Ok(())
    }
}

impl PolicyOwner for User {
    const KIND: &'static str = "user";
    const ATTACHED: (&'static str, usize) = ("PoliciesPerUser", limits::ATTACHED_POLICIES_PER_USER);
    const INLINE_SIZE: usize = limits::USER_POLICY_SIZE;

    fn find<'a>(view: &StateView<'a>, name: &str) -> Result<&'a Self, IamFault> {
        view.user(name).map(|user| &**user)
    }

    fn target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::user(view, name)
    }

    fn bounded_target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::bounded_user(view, name)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn grants(&self) -> &DirectGrants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut DirectGrants {
        &mut self.grants
    }

    fn put(self) -> StateChange {
        StateChange::put(self)
    }

    fn no_inline(policy: &str) -> MissingEntity {
        MissingEntity::UserPolicy(policy.to_owned())
    }
}

impl PolicyOwner for Group {
    const KIND: &'static str = "group";
    const ATTACHED: (&'static str, usize) =
        ("PoliciesPerGroup", limits::ATTACHED_POLICIES_PER_GROUP);
    const INLINE_SIZE: usize = limits::GROUP_POLICY_SIZE;

    fn find<'a>(view: &StateView<'a>, name: &str) -> Result<&'a Self, IamFault> {
        view.group(name).map(|group| &**group)
    }

    fn target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::group(view, name)
    }

    fn bounded_target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::group(view, name)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn grants(&self) -> &DirectGrants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut DirectGrants {
        &mut self.grants
    }

    fn put(self) -> StateChange {
        StateChange::put(self)
    }

    fn no_inline(policy: &str) -> MissingEntity {
        MissingEntity::GroupPolicy(policy.to_owned())
    }
}

impl PolicyOwner for Role {
    const KIND: &'static str = "role";
    const ATTACHED: (&'static str, usize) = ("PoliciesPerRole", limits::ATTACHED_POLICIES_PER_ROLE);
    const INLINE_SIZE: usize = limits::ROLE_POLICY_SIZE;

    fn find<'a>(view: &StateView<'a>, name: &str) -> Result<&'a Self, IamFault> {
        view.role(name).map(|role| &**role)
    }

    fn target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::role(view, name)
    }

    fn bounded_target(view: &StateView<'_>, name: &str) -> AuthTarget {
        AuthTarget::bounded_role(view, name)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn grants(&self) -> &DirectGrants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut DirectGrants {
        &mut self.grants
    }

    fn put(self) -> StateChange {
        StateChange::put(self)
    }

    fn no_inline(policy: &str) -> MissingEntity {
        MissingEntity::RolePolicy(policy.to_owned())
    }

    fn check_modifiable(&self) -> Result<(), IamFault> {
        super::roles::check_modifiable(self)
    }
}
