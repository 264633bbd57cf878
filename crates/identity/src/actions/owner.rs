//! Who can be granted something: a user or a group. What is done to their grants is written once,
//! over [`Owner`].

use std::sync::Arc;

use keywright_base::limits;

use crate::{
    authorize::Target,
    fault::{Fault, Missing},
    state::{Change, Grants, Group, User},
    view::View,
};

/// A principal that holds grants.
pub(super) trait Owner: Clone {
    /// Its word in AWS's texts.
    const KIND: &'static str;
    /// The quota of attached managed policies: AWS's name and the number.
    const ATTACHED: (&'static str, usize);
    /// Characters of all its inline policies, white space not counted.
    const INLINE_SIZE: usize;

    /// Finds one by name in any case.
    fn find<'a>(view: &View<'a>, name: &str) -> Result<&'a Self, Fault>;
    /// Its target for authorization.
    fn target(view: &View<'_>, name: &str) -> Target;
    /// Its target for actions that change its grants, for which the boundary is a condition key.
    fn bounded_target(view: &View<'_>, name: &str) -> Target;
    /// Its name with its own spelling.
    fn name(&self) -> &str;
    /// Its path.
    fn path(&self) -> &str;
    /// Its grants.
    fn grants(&self) -> &Grants;
    /// Its grants, to be changed.
    fn grants_mut(&mut self) -> &mut Grants;
    /// The change that stores it.
    fn put(self) -> Change;
    /// That it has no inline policy of this name.
    fn no_inline(policy: &str) -> Missing;
}

impl Owner for User {
    const KIND: &'static str = "user";
    const ATTACHED: (&'static str, usize) = ("PoliciesPerUser", limits::ATTACHED_POLICIES_PER_USER);
    const INLINE_SIZE: usize = limits::USER_POLICY_SIZE;

    fn find<'a>(view: &View<'a>, name: &str) -> Result<&'a Self, Fault> {
        view.user(name).map(|user| &**user)
    }

    fn target(view: &View<'_>, name: &str) -> Target {
        Target::user(view, name)
    }

    fn bounded_target(view: &View<'_>, name: &str) -> Target {
        Target::bounded_user(view, name)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }

    fn put(self) -> Change {
        Change::PutUser(Arc::new(self))
    }

    fn no_inline(policy: &str) -> Missing {
        Missing::UserPolicy(policy.to_owned())
    }
}

impl Owner for Group {
    const KIND: &'static str = "group";
    const ATTACHED: (&'static str, usize) =
        ("PoliciesPerGroup", limits::ATTACHED_POLICIES_PER_GROUP);
    const INLINE_SIZE: usize = limits::GROUP_POLICY_SIZE;

    fn find<'a>(view: &View<'a>, name: &str) -> Result<&'a Self, Fault> {
        view.group(name).map(|group| &**group)
    }

    fn target(view: &View<'_>, name: &str) -> Target {
        Target::group(view, name)
    }

    fn bounded_target(view: &View<'_>, name: &str) -> Target {
        Target::group(view, name)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }

    fn put(self) -> Change {
        Change::PutGroup(Arc::new(self))
    }

    fn no_inline(policy: &str) -> Missing {
        Missing::GroupPolicy(policy.to_owned())
    }
}
