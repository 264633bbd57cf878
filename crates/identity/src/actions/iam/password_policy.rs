//! The account's password policy: set, read, delete. Its requirements for passwords are in
//! [`crate::password_rules`], what it lets users do in [`crate::authorize`].

use keywright_wire::iam;

use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, MissingEntity},
    state::{AccountSettings, PasswordPolicy, StateChange},
    view::StateView,
};

/// The minimum length if a policy does not set one.
const MINIMUM_LENGTH: i32 = 6;

/// `iam:UpdateAccountPasswordPolicy`; omitted values are reset to AWS's defaults.
pub(crate) struct UpdateAccountPasswordPolicy;

impl Action for UpdateAccountPasswordPolicy {
    type Shape = iam::UpdateAccountPasswordPolicy;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let policy = PasswordPolicy {
            minimum_length: input.minimum_password_length.unwrap_or(MINIMUM_LENGTH),
            require_symbols: input.require_symbols.unwrap_or(false),
            require_numbers: input.require_numbers.unwrap_or(false),
            require_uppercase: input.require_uppercase_characters.unwrap_or(false),
            require_lowercase: input.require_lowercase_characters.unwrap_or(false),
            allow_users_to_change: input.allow_users_to_change_password.unwrap_or(false),
            max_age_days: input.max_password_age,
            reuse_prevention: input.password_reuse_prevention,
            hard_expiry: input.hard_expiry,
        };
        Ok(ActionResult::change((), put(view, Some(policy))))
    }
}

pub(crate) struct GetAccountPasswordPolicy;

impl Action for GetAccountPasswordPolicy {
    type Shape = iam::GetAccountPasswordPolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let policy = view.account.settings().password_policy.as_ref();
        let policy = policy.ok_or(MissingEntity::PasswordPolicy(view.id()))?;
        Ok(ActionResult::answer(iam::GetAccountPasswordPolicyOutput {
            password_policy: to_wire(policy),
        }))
    }
}

pub(crate) struct DeleteAccountPasswordPolicy;

impl Action for DeleteAccountPasswordPolicy {
    type Shape = iam::DeleteAccountPasswordPolicy;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        if view.account.settings().password_policy.is_none() {
            return Err(MissingEntity::PasswordPolicyToDelete.into());
        }
        Ok(ActionResult::change((), put(view, None)))
    }
}

fn put(view: &StateView<'_>, password_policy: Option<PasswordPolicy>) -> StateChange {
    StateChange::put(AccountSettings {
        password_policy,
        ..AccountSettings::clone(view.account.settings())
    })
}

fn to_wire(policy: &PasswordPolicy) -> iam::PasswordPolicy {
    iam::PasswordPolicy {
        minimum_password_length: Some(policy.minimum_length),
        require_symbols: Some(policy.require_symbols),
        require_numbers: Some(policy.require_numbers),
        require_uppercase_characters: Some(policy.require_uppercase),
        require_lowercase_characters: Some(policy.require_lowercase),
        allow_users_to_change_password: Some(policy.allow_users_to_change),
        expire_passwords: Some(policy.max_age_days.is_some()),
        max_password_age: policy.max_age_days,
        password_reuse_prevention: policy.reuse_prevention,
        hard_expiry: policy.hard_expiry,
    }
}

#[cfg(test)]
mod tests;
