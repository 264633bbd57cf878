//! Credentials that users cannot have here yet: SSH public keys, signing certificates and
//! service-specific credentials.
//!
//! Their lists are served, and empty, because clients that delete a user (Ansible, Terraform with
//! `force_destroy`) read them first and would otherwise stop half-way. Creating one is
//! `NotImplemented`.

use keywright_wire::iam;

use super::users::target_of;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::IamFault,
    pagination::PageRequest,
    view::{CredentialSubject, StateView},
};

/// The user whose credentials are listed, which must exist unless it is root.
fn check_user(view: &StateView<'_>, name: Option<&str>) -> Result<String, IamFault> {
    match view.subject(name)? {
        CredentialSubject::Root => Ok("root".to_owned()),
        CredentialSubject::User(name) => Ok(view.user(&name)?.name.clone()),
    }
}

/// The first page is the only one, so a marker must be from another list.
fn check_page<A: Action>(
    view: &StateView<'_>,
    name: Option<&str>,
    (marker, max_items): (Option<&str>, Option<i32>),
) -> Result<(), IamFault> {
    let user = check_user(view, name)?;
    let operation = <A::Shape as keywright_wire::OperationShape>::OPERATION;
    PageRequest::of(operation.name, &[&user], marker, max_items).map(drop)
}

/// `iam:ListServiceSpecificCredentials`
pub(crate) struct ListServiceSpecificCredentials;

impl Action for ListServiceSpecificCredentials {
    type Shape = iam::ListServiceSpecificCredentials;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        if input.all_users == Some(true) {
            return Ok(Requirement::one(AuthTarget::everything()));
        }
        let subject = view.subject(input.user_name.as_deref())?;
        Ok(Requirement::one(target_of(view, &subject)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if input.all_users != Some(true) {
            let page = (input.marker.as_deref(), input.max_items);
            check_page::<Self>(view, input.user_name.as_deref(), page)?;
        }
        Ok(ActionResult::answer(
            iam::ListServiceSpecificCredentialsOutput {
                service_specific_credentials: Some(Vec::new()),
                is_truncated: Some(false),
                marker: None,
            },
        ))
    }
}
