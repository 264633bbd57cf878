//! Users' console passwords: create, read, change and delete one; change one's own.
//!
//! Invariants:
//!
//! - Every new password satisfies the account's password policy, reuse prevention included, as it
//!   is at commit.
//! - The result of comparing a password applies only to the hash that was compared, so after a
//!   concurrent change the old password is never accepted as the current one.
//!
//! Root's own password is not set here.

use std::sync::Arc;

use keywright_base::{Secret, limits};
use keywright_wire::iam;

use super::users::subject_target;
use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation,
        PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ExistingEntity, IamFault, MissingEntity},
    password_rules,
    principal::Principal,
    sign_in::{OLD_PASSWORD, VIOLATION},
    state::{LoginProfile, StateChange, User},
    view::{CredentialSubject, StateView},
};

pub(crate) struct CreateLoginProfile;

impl CreateLoginProfile {
    /// The user, and the password if the account's policy accepts it.
    fn checked<'a>(
        view: &StateView<'a>,
        input: &'a Input<Self>,
    ) -> Result<(&'a Arc<User>, &'a Secret<String>), IamFault> {
        let user = subject_user(view, input.user_name.as_deref())?;
        if user.login.is_some() {
            return Err(ExistingEntity::LoginProfile(user.name.clone()).into());
        }
        // AWS allows omitting the password only in AssumeRoot sessions.
        let password = input.password.as_ref().ok_or_else(missing_password)?;
        check_password_rules(view, password)?;
        Ok((user, password))
    }
}

impl PreparedAction for CreateLoginProfile {
    type Shape = iam::CreateLoginProfile;
    type Prepared = String;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let (_, password) = Self::checked(&with.view, input)?;
        with.hash(password).await
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        hash: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let (user, _) = Self::checked(view, input)?;
        let login = LoginProfile {
            created: view.now(),
            changed: view.now(),
            reset_required: input.password_reset_required.unwrap_or(false),
            hash: hash.clone(),
            earlier: Vec::new(),
        };
        let output = iam::CreateLoginProfileOutput {
            login_profile: to_wire(user, &login),
        };
        Ok(ActionResult::change(output, put(user, Some(login))))
    }
}

pub(crate) struct GetLoginProfile;

impl Action for GetLoginProfile {
    type Shape = iam::GetLoginProfile;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = subject_user(view, input.user_name.as_deref())?;
        Ok(ActionResult::answer(iam::GetLoginProfileOutput {
            login_profile: to_wire(user, login(user)?),
        }))
    }
}

/// `iam:UpdateLoginProfile`; omitted values stay.
pub(crate) struct UpdateLoginProfile;

impl PreparedAction for UpdateLoginProfile {
    type Shape = iam::UpdateLoginProfile;
    type Prepared = Option<NewPassword>;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::user(view, &input.user_name)))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let login = login(with.view.user(&input.user_name)?)?;
        let Some(password) = &input.password else {
            return Ok(None);
        };
        check_password_rules(&with.view, password)?;
        NewPassword::prepare(with, password, login).await.map(Some)
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        new: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let mut login = login(user)?.clone();
        if let (Some(password), Some(new)) = (&input.password, new) {
            check_password_rules(view, password)?;
            new.refuse_reuse(user, &unwanted(view, &login))?;
            login = new.renewed(view, login);
        }
        if let Some(required) = input.password_reset_required {
            login.reset_required = required;
        }
        Ok(ActionResult::change((), put(user, Some(login))))
    }
}

/// `iam:DeleteLoginProfile`; access keys keep working.
pub(crate) struct DeleteLoginProfile;

impl Action for DeleteLoginProfile {
    type Shape = iam::DeleteLoginProfile;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = subject_user(view, input.user_name.as_deref())?;
        login(user)?;
        Ok(ActionResult::change((), put(user, None)))
    }
}

/// `iam:ChangePassword`, for the caller's own password.
pub(crate) struct ChangePassword;

impl ChangePassword {
    fn caller<'a>(view: &StateView<'a>) -> Result<(&'a Arc<User>, &'a LoginProfile), IamFault> {
        let user = match view.caller.principal() {
            Principal::User { name, .. } => view.user(name)?,
            Principal::Root { .. } | Principal::RoleSession(_) | Principal::FederatedUser(_) => {
                return Err(IamFault::InvalidUserType(USERS_ONLY.to_owned()));
            }
        };
        Ok((user, login(user)?))
    }
}

const USERS_ONLY: &str = "Only IAM Users can change their own password";

impl PreparedAction for ChangePassword {
    type Shape = iam::ChangePassword;
    type Prepared = CheckedPasswords;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(match view.caller.principal() {
            Principal::User { name, .. } => AuthTarget::user(view, name),
            Principal::Root { .. } | Principal::RoleSession(_) | Principal::FederatedUser(_) => {
                let arn = view.caller.arn().to_string();
                AuthTarget::new(arn.clone(), arn)
            }
        }))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let (user, login) = Self::caller(&with.view)?;
        let view = &with.view;
        if !view.password_attempts.begin(user.id, view.context.now) {
            return Err(IamFault::Throttled);
        }
        let old = with.matches(&input.old_password, vec![login.hash.clone()]);
        Ok(CheckedPasswords {
            old: old.await?,
            new: NewPassword::prepare(with, &input.new_password, login).await?,
        })
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        CheckedPasswords { old, new }: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let (user, login) = Self::caller(view)?;
        let right = old.iter().any(|(hash, same)| *same && *hash == login.hash);
        if right {
            view.password_attempts.reset(user.id);
        }
        if !right || input.old_password == input.new_password {
            return Err(IamFault::AccessDenied(OLD_PASSWORD.to_owned()));
        }
        check_password_rules(view, &input.new_password)?;
        new.refuse_reuse(user, &unwanted(view, login))?;
        let login = LoginProfile {
            reset_required: false,
            ..new.renewed(view, login.clone())
        };
        Ok(ActionResult::change((), put(user, Some(login))))
    }
}

/// The user that an optional `UserName` names. Root has no login profile as far as these actions
/// are concerned.
fn subject_user<'a>(view: &StateView<'a>, name: Option<&str>) -> Result<&'a Arc<User>, IamFault> {
    match view.subject(name)? {
        CredentialSubject::User(name) => view.user(&name),
        CredentialSubject::Root => Err(MissingEntity::User("root".to_owned()).into()),
    }
}

fn login(user: &User) -> Result<&LoginProfile, IamFault> {
    let login = user.login.as_ref();
    login.ok_or_else(|| MissingEntity::LoginProfile(user.name.clone()).into())
}

fn check_password_rules(view: &StateView<'_>, password: &Secret<String>) -> Result<(), IamFault> {
    if password_rules::accepts(view.account.settings(), password.expose()) {
        Ok(())
    } else {
        Err(violation())
    }
}

fn violation() -> IamFault {
    IamFault::PasswordPolicyViolation(VIOLATION.to_owned())
}

fn missing_password() -> IamFault {
    IamFault::Validation(
        "1 validation error detected: Value at 'password' failed to satisfy constraint: Member \
         must not be null"
            .to_owned(),
    )
}

/// The hashes of passwords that must not be reused, newest first: as many of the last passwords as
/// the policy says, including the current one.
fn unwanted(view: &StateView<'_>, login: &LoginProfile) -> Vec<String> {
    let policy = view.account.settings().password_policy.as_ref();
    let count = policy
        .and_then(|policy| policy.reuse_prevention)
        .unwrap_or(0);
    std::iter::once(&login.hash)
        .chain(&login.earlier)
        .take(usize::try_from(count).unwrap_or(0))
        .cloned()
        .collect()
}

/// A new password, hashed and compared with those that must not be reused.
pub(crate) struct NewPassword {
    hash: String,
    /// Each of those hashes with whether it is of the same password. The state may have changed
    /// since.
    compared: Vec<(String, bool)>,
}

impl NewPassword {
    async fn prepare(
        with: &Preparation<'_>,
        password: &Secret<String>,
        login: &LoginProfile,
    ) -> Result<Self, IamFault> {
        Ok(Self {
            compared: with.matches(password, unwanted(&with.view, login)).await?,
            hash: with.hash(password).await?,
        })
    }

    /// Refuses a new password that is one of the unwanted ones, or was not compared with all of
    /// them.
    fn refuse_reuse(&self, user: &User, unwanted: &[String]) -> Result<(), IamFault> {
        for hash in unwanted {
            match self.compared.iter().find(|(compared, _)| compared == hash) {
                Some((_, false)) => {}
                Some((_, true)) => return Err(violation()),
                None => return Err(IamFault::LoginProfileInMotion(user.name.clone())),
            }
        }
        Ok(())
    }

    /// The profile with its new password, after remembering the previous one.
    fn renewed(&self, view: &StateView<'_>, mut login: LoginProfile) -> LoginProfile {
        let before = std::mem::replace(&mut login.hash, self.hash.clone());
        login.earlier.insert(0, before);
        login.earlier.truncate(limits::PASSWORDS_REMEMBERED);
        login.changed = view.now();
        login
    }
}

pub(crate) struct CheckedPasswords {
    /// The hash that the old password was compared with, and whether it matches.
    old: Vec<(String, bool)>,
    new: NewPassword,
}

fn put(user: &User, login: Option<LoginProfile>) -> StateChange {
    let mut user = user.clone();
    user.login = login;
    StateChange::put(user)
}

fn to_wire(user: &User, login: &LoginProfile) -> iam::LoginProfile {
    iam::LoginProfile {
        user_name: user.name.clone(),
        create_date: login.created,
        password_reset_required: Some(login.reset_required),
    }
}

#[cfg(test)]
mod tests;
