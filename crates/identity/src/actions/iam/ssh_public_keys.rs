//! SSH public keys of users: upload, read in either encoding, list, change status, delete.

use std::sync::Arc;

use keywright_base::{IdKind, UniqueId, limits};
use keywright_wire::iam::{self, values::encoding_type};

use super::{
    credential_holder::{CredentialHolder, settable_status},
    users::subject_target,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity, ReachedQuota, UploadFault},
    pagination::PageRequest,
    ssh_keys::{PublicKeyEncoding, RsaPublicKey},
    state::{CredentialOwner, KeyStatus, SshPublicKey, StateChange, User},
    view::StateView,
};

/// The key of a user, by the id given.
fn key_of<'a>(view: &StateView<'a>, user: &User, id: &str) -> Result<&'a SshPublicKey, IamFault> {
    let mut keys = view.account.ssh_public_keys_of(user.id);
    let key = keys.find(|key| key.id.as_str() == id);
    let key = key.ok_or_else(|| MissingEntity::SshPublicKey(id.to_owned()))?;
    Ok(&**key)
}

fn to_wire(
    user: &User,
    key: &SshPublicKey,
    encoding: PublicKeyEncoding,
) -> Result<iam::SSHPublicKey, IamFault> {
    let body = key.key.text(encoding);
    Ok(iam::SSHPublicKey {
        user_name: user.name.clone(),
        ssh_public_key_id: key.id.to_string(),
        fingerprint: key.key.fingerprint(),
        ssh_public_key_body: body
            .ok_or_else(|| IamFault::Internal("cannot encode a public key".to_owned()))?,
        status: key.status.as_str().to_owned(),
        upload_date: Some(key.uploaded),
    })
}

pub(crate) struct UploadSSHPublicKey;

impl Action for UploadSSHPublicKey {
    type Shape = iam::UploadSSHPublicKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let (key, encoding) = RsaPublicKey::parse(&input.ssh_public_key_body)?;
        if view
            .account
            .ssh_public_keys_of(user.id)
            .any(|it| it.key == key)
        {
            return Err(UploadFault::DuplicateSshPublicKey.into());
        }
        let most = limits::SSH_PUBLIC_KEYS_PER_USER;
        if view.account.ssh_public_keys_of(user.id).count() >= most {
            return Err(ReachedQuota::Named("SSHPublicKeysPerUser", most).into());
        }
        let key = SshPublicKey {
            id: UniqueId::generate(IdKind::SshPublicKey, view.id(), view.entropy),
            user: user.id,
            key,
            status: KeyStatus::Active,
            uploaded: view.now(),
        };
        let output = iam::UploadSSHPublicKeyOutput {
            ssh_public_key: Some(to_wire(user, &key, encoding)?),
        };
        Ok(ActionResult::change(output, StateChange::put(key)))
    }
}

pub(crate) struct GetSSHPublicKey;

impl Action for GetSSHPublicKey {
    type Shape = iam::GetSSHPublicKey;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let key = key_of(view, user, &input.ssh_public_key_id)?;
        let encoding = match input.encoding.as_str() {
            encoding_type::PEM => PublicKeyEncoding::Pem,
            _ => PublicKeyEncoding::Ssh,
        };
        Ok(ActionResult::answer(iam::GetSSHPublicKeyOutput {
            ssh_public_key: Some(to_wire(user, key, encoding)?),
        }))
    }
}

pub(crate) struct ListSSHPublicKeys;

impl Action for ListSSHPublicKeys {
    type Shape = iam::ListSSHPublicKeys;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let holder = CredentialHolder::of(view, input.user_name.as_deref())?;
        let (operation, marker) = ("ListSSHPublicKeys", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&holder.name], marker, input.max_items)?;
        let keys: Vec<&Arc<SshPublicKey>> = match holder.owner {
            CredentialOwner::User(user) => view.account.ssh_public_keys_of(user).collect(),
            CredentialOwner::Root => Vec::new(),
        };
        let (keys, marker) = page.cut(keys, |key| key.id.to_string());
        let metadata = |key: &Arc<SshPublicKey>| iam::SSHPublicKeyMetadata {
            user_name: holder.name.clone(),
            ssh_public_key_id: key.id.to_string(),
            status: key.status.as_str().to_owned(),
            upload_date: key.uploaded,
        };
        Ok(ActionResult::answer(iam::ListSSHPublicKeysOutput {
            ssh_public_keys: Some(keys.into_iter().map(metadata).collect()),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct UpdateSSHPublicKey;

impl Action for UpdateSSHPublicKey {
    type Shape = iam::UpdateSSHPublicKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let mut key = key_of(view, user, &input.ssh_public_key_id)?.clone();
        let status = &input.status;
        key.status = settable_status(status).ok_or_else(|| {
            let text = format!("The status {status} cannot be set on an SSH public key.");
            InvalidInput::Other(text)
        })?;
        Ok(ActionResult::change((), StateChange::put(key)))
    }
}

pub(crate) struct DeleteSSHPublicKey;

impl Action for DeleteSSHPublicKey {
    type Shape = iam::DeleteSSHPublicKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let key = key_of(view, user, &input.ssh_public_key_id)?;
        let delete = StateChange::delete::<SshPublicKey>(key.id);
        Ok(ActionResult::change((), delete))
    }
}

#[cfg(test)]
mod tests;
