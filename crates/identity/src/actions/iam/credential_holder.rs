//! Whose credentials an action is about, where they are entities of their own.

use crate::{
    fault::IamFault,
    state::{CredentialOwner, KeyStatus},
    view::{CredentialSubject, StateView},
};

/// The user, or root, whose credentials an action is about; it exists.
pub(super) struct CredentialHolder {
    pub(super) owner: CredentialOwner,
    /// The name as it is spelled, `root` for root.
    pub(super) name: String,
}

impl CredentialHolder {
    /// The named user, or the caller.
    ///
    /// # Errors
    /// `NoSuchEntity` if there is no such user, or as [`StateView::subject`].
    pub(super) fn of(view: &StateView<'_>, name: Option<&str>) -> Result<Self, IamFault> {
        Ok(match view.subject(name)? {
            CredentialSubject::Root => Self {
                owner: CredentialOwner::Root,
                name: "root".to_owned(),
            },
            CredentialSubject::User(name) => {
                let user = view.user(&name)?;
                Self {
                    owner: CredentialOwner::User(user.id),
                    name: user.name.clone(),
                }
            }
        })
    }
}

/// The status that a request sets: `Expired` is in AWS's enumeration and cannot be set.
pub(super) fn settable_status(status: &str) -> Option<KeyStatus> {
    [KeyStatus::Active, KeyStatus::Inactive]
        .into_iter()
        .find(|known| known.as_str() == status)
}
