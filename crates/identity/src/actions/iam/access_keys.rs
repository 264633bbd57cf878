//! Access keys of users and of root: create, list, change status, delete, last used.
//!
//! A user has at most two keys, inactive ones included. CreateAccessKey returns the secret once;
//! the only exception is a repeated call with the same idempotency token within fifteen minutes.

use keywright_base::{AccessKeyId, Secret, limits};
use keywright_wire::iam;
use ring::digest::{SHA256, digest};

use super::users::subject_target;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authenticate::open_secret,
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    secrets,
    state::{
        AccessKey, CredentialOwner, IdempotencyRecord, KeyStatus, RootUser, StateChange, User,
    },
    view::{CredentialSubject, StateView},
};

/// The owner of keys, as a copy to modify.
enum KeyHolder {
    Root(RootUser),
    User(User),
}

impl KeyHolder {
    fn of(view: &StateView<'_>, name: Option<&str>) -> Result<Self, IamFault> {
        Ok(match view.subject(name)? {
            CredentialSubject::Root => Self::Root(RootUser::clone(view.account.root())),
            CredentialSubject::User(name) => Self::User(User::clone(view.user(&name)?)),
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::Root(_) => "root",
            Self::User(user) => &user.name,
        }
    }

    const fn keys(&self) -> &Vec<AccessKey> {
        match self {
            Self::Root(root) => &root.keys,
            Self::User(user) => &user.keys,
        }
    }

    const fn keys_mut(&mut self) -> &mut Vec<AccessKey> {
        match self {
            Self::Root(root) => &mut root.keys,
            Self::User(user) => &mut user.keys,
        }
    }

    /// The index of a key in its owner's list.
    fn position(&self, id: &str) -> Result<usize, IamFault> {
        let position = self.keys().iter().position(|key| key.id.as_str() == id);
        position.ok_or_else(|| MissingEntity::AccessKey(id.to_owned()).into())
    }

    fn put(self) -> StateChange {
        match self {
            Self::Root(root) => StateChange::put(root),
            Self::User(user) => StateChange::put(user),
        }
    }
}

pub(crate) struct CreateAccessKey;

impl Action for CreateAccessKey {
    type Shape = iam::CreateAccessKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut owner = KeyHolder::of(view, input.user_name.as_deref())?;
        let replay = replay(view)?;
        if let Some(key) = owner
            .keys()
            .iter()
            .find(|key| is_replay(view, key, replay.as_ref()))
        {
            let secret = open_secret(view.vault, key);
            let secret = secret.map_err(|error| IamFault::Internal(error.to_string()))?;
            return Ok(ActionResult::answer(created(owner.name(), key, secret)));
        }
        if owner.keys().len() >= limits::ACCESS_KEYS_PER_USER {
            return Err(
                ReachedQuota::Named("AccessKeysPerUser", limits::ACCESS_KEYS_PER_USER).into(),
            );
        }
        let made = secrets::new_key(view.id(), view.now(), view.vault, view.entropy);
        let (mut key, secret) = made.map_err(|error| IamFault::Internal(error.to_string()))?;
        key.replay = replay;
        let output = created(owner.name(), &key, secret);
        owner.keys_mut().push(key);
        Ok(ActionResult::change(output, owner.put()))
    }
}

fn created(user: &str, key: &AccessKey, secret: Secret<String>) -> iam::CreateAccessKeyOutput {
    iam::CreateAccessKeyOutput {
        access_key: iam::AccessKey {
            user_name: user.to_owned(),
            access_key_id: key.id.to_string(),
            status: key.status.as_str().to_owned(),
            secret_access_key: secret,
            create_date: Some(key.created),
        },
    }
}

/// The idempotency token of this request, in the form stored with the key.
fn replay(view: &StateView<'_>) -> Result<Option<IdempotencyRecord>, IamFault> {
    let Some(token) = view.context.idempotency_token() else {
        return Ok(None);
    };
    let graphic = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > limits::IDEMPOTENCY_TOKEN_CHARS || !graphic {
        let most = limits::IDEMPOTENCY_TOKEN_CHARS;
        return Err(IamFault::Validation(format!(
            "The idempotency token must be 1 to {most} printable ASCII characters without spaces"
        )));
    }
    let digest = digest(&SHA256, token.as_bytes());
    let token_digest = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some(IdempotencyRecord {
        token_digest,
        caller: view.caller.user_id().into_owned(),
    }))
}

fn is_replay(view: &StateView<'_>, key: &AccessKey, replay: Option<&IdempotencyRecord>) -> bool {
    let age_secs = view.now().secs_since(key.created);
    replay.is_some() && key.replay.as_ref() == replay && age_secs < limits::IDEMPOTENCY_MINUTES * 60
}

pub(crate) struct ListAccessKeys;

impl Action for ListAccessKeys {
    type Shape = iam::ListAccessKeys;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let owner = KeyHolder::of(view, input.user_name.as_deref())?;
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListAccessKeys", &[owner.name()], marker, input.max_items)?;
        let mut keys: Vec<&AccessKey> = owner.keys().iter().collect();
        keys.sort_by_key(|key| key.id);
        let (keys, marker) = page.cut(keys, |key| key.id.to_string());
        let metadata = |key: &AccessKey| iam::AccessKeyMetadata {
            user_name: Some(owner.name().to_owned()),
            access_key_id: Some(key.id.to_string()),
            status: Some(key.status.as_str().to_owned()),
            create_date: Some(key.created),
        };
        Ok(ActionResult::answer(iam::ListAccessKeysOutput {
            access_key_metadata: keys.into_iter().map(metadata).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct UpdateAccessKey;

impl Action for UpdateAccessKey {
    type Shape = iam::UpdateAccessKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut owner = KeyHolder::of(view, input.user_name.as_deref())?;
        let position = owner.position(&input.access_key_id)?;
        let status = match input.status.as_str() {
            "Active" => KeyStatus::Active,
            "Inactive" => KeyStatus::Inactive,
            other => {
                let text = format!("The status {other} cannot be set on an access key.");
                return Err(InvalidInput::Other(text).into());
            }
        };
        match owner.keys_mut().get_mut(position) {
            Some(key) if key.status != status => key.status = status,
            _ => return Ok(ActionResult::answer(())),
        }
        Ok(ActionResult::change((), owner.put()))
    }
}

pub(crate) struct DeleteAccessKey;

impl Action for DeleteAccessKey {
    type Shape = iam::DeleteAccessKey;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut owner = KeyHolder::of(view, input.user_name.as_deref())?;
        let position = owner.position(&input.access_key_id)?;
        owner.keys_mut().remove(position);
        let mut done = ActionResult::change((), owner.put());
        done.forget.push(input.access_key_id.clone());
        Ok(done)
    }
}

pub(crate) struct GetAccessKeyLastUsed;

/// AWS's value for a key that was never used.
const NOT_APPLICABLE: &str = "N/A";

impl Action for GetAccessKeyLastUsed {
    type Shape = iam::GetAccessKeyLastUsed;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let arn = view.caller.arn();
        let refused = || {
            // AWS's special form for a key of another account, even for an administrator.
            let id = &input.access_key_id;
            IamFault::AccessDenied(format!(
                "User: {arn} is not authorized to perform iam:GetAccessKeyLastUsed on resource: \
                 access key {id}"
            ))
        };
        let owner = owner(view, &input.access_key_id).ok_or_else(refused)?;
        Ok(Requirement::one(owner_target(view, owner)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user_name = match owner(view, &input.access_key_id) {
            Some(CredentialOwner::User(id)) => {
                view.account.user_by_id(id).map(|user| user.name.clone())
            }
            Some(CredentialOwner::Root) | None => None,
        };
        let used = view.usage.last(&input.access_key_id);
        let last_used = iam::AccessKeyLastUsed {
            last_used_date: used.as_ref().map(|used| used.at),
            service_name: used
                .as_ref()
                .map_or(NOT_APPLICABLE, |u| &u.service)
                .to_owned(),
            region: used
                .as_ref()
                .map_or(NOT_APPLICABLE, |u| &u.region)
                .to_owned(),
        };
        Ok(ActionResult::answer(iam::GetAccessKeyLastUsedOutput {
            user_name,
            access_key_last_used: Some(last_used),
        }))
    }
}

/// The owner of a key of the caller's account.
pub(in crate::actions) fn owner(view: &StateView<'_>, id: &str) -> Option<CredentialOwner> {
    let (owner, _) = view.account.key(id.parse::<AccessKeyId>().ok()?)?;
    Some(owner)
}

/// The owner as a target of authorization.
pub(in crate::actions) fn owner_target(view: &StateView<'_>, owner: CredentialOwner) -> AuthTarget {
    let user = match owner {
        CredentialOwner::Root => None,
        CredentialOwner::User(id) => view.account.user_by_id(id),
    };
    match user {
        Some(user) => AuthTarget::user(view, &user.name),
        None => AuthTarget::root(view),
    }
}

#[cfg(test)]
mod tests;
