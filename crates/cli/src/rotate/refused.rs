//! Why a plan or a change of a rotation was rejected, with advice.
//!
//! Invariant: no advice to delete a key that another rotation may have created.

use std::sync::Arc;

use keywright_aws::{AccountClient, QueryService};
use keywright_base::ROTATION_MARK;
use keywright_fleet::driver::DriveError;
use keywright_rotation::{
    execute::TickError,
    model::{HoldReason, Rotation},
    ports::IssuerError,
};

use super::{permissions::NeededPolicy, show::argument_of};
use crate::remote::printable;

/// The error for a plan to rotate a user's key, perhaps because it has leaked.
pub(super) async fn plan(
    access: &Arc<AccountClient>,
    error: DriveError,
    (user, leaked): (&str, bool),
) -> anyhow::Error {
    match error {
        DriveError::Stopped(TickError::Issuer(error @ IssuerError::Denied { .. })) => {
            let mut needed = NeededPolicy::of_user(access, user).await;
            needed.incident = leaked;
            anyhow::anyhow!("{error}\nhint: {}", needed.hint(user))
        }
        DriveError::Stopped(TickError::Refused(hold @ HoldReason::Marked(_))) => {
            let hint = marked(access, &hold, user).await;
            anyhow::anyhow!("{hold}\nhint: {hint}; nothing was changed")
        }
        DriveError::Stopped(TickError::Refused(HoldReason::OldKeyInactive(key))) => {
            let (name, key) = (argument_of(user), printable(&key.0));
            anyhow::anyhow!(
                "the key to replace is already inactive: {key}\nhint: to replace it as it is, use \
                 --now --deactivate-first; to keep its consumers working meanwhile, activate it \
                 first (aws iam update-access-key --user-name {name} --access-key-id {key} \
                 --status Active); nothing was changed"
            )
        }
        other => rejected(other),
    }
}

/// Who rotates a marked user, and where to look.
async fn marked(access: &AccountClient, hold: &HoldReason, user: &str) -> String {
    let HoldReason::Marked(owner) = hold else {
        return String::new();
    };
    let owner = printable(owner);
    let of_user = [("UserName", user)];
    let listed = if access.is_keywright() {
        let listed = access.read(QueryService::Keywright, "ListRotations", &of_user);
        listed.await.ok()
    } else {
        None
    };
    let rows = listed.into_iter().flat_map(|answer| answer.rows);
    let server = rows
        .into_iter()
        .find(|row| row.get("RotationId").is_some_and(|id| *id == owner));
    if let Some(row) = server {
        let field = |name: &str| {
            row.get(name)
                .map(|text| printable(text))
                .unwrap_or_default()
        };
        return format!(
            "the server runs rotation {owner}, which {} started (phase {}): see Rotations in the \
             console. Do not delete either key",
            field("StartedBy"),
            field("Phase")
        );
    }
    let name = argument_of(user);
    format!(
        "rotation {owner} is in another journal: run keywright rotate status {owner} on the \
         machine that started it, or with its --journal. Do not delete either key before you have \
         looked. If that journal is lost, remove the mark and run this again: aws iam untag-user \
         --user-name {name} --tag-keys {ROTATION_MARK}"
    )
}

/// The error for a change of an open rotation.
pub(super) fn change(error: DriveError, rotation: &Rotation) -> anyhow::Error {
    match error {
        DriveError::Stopped(error @ TickError::RollingBack(_)) => {
            let name = argument_of(&rotation.user);
            let old = printable(&rotation.old.0);
            let new = rotation.new.as_ref();
            let second = new.map_or_else(String::new, |new| {
                format!(", delete the other key ({})", printable(&new.0))
            });
            anyhow::anyhow!(
                "{error}\nhint: deactivate it yourself (aws iam update-access-key --user-name \
                 {name} --access-key-id {old} --status Inactive), end this rotation (keywright \
                 rotate abandon {name} --why TEXT){second}, and start another one (keywright \
                 rotate {name} --now --deactivate-first --deliver ...); nothing was changed"
            )
        }
        other => rejected(other),
    }
}

fn rejected(error: DriveError) -> anyhow::Error {
    match error {
        DriveError::Stopped(TickError::Refused(hold)) => {
            let hint = match &hold {
                HoldReason::SecondKey(_) => {
                    "\nhint: a user can have two keys, so one must be removed first: check whether \
                     it is used (aws iam get-access-key-last-used), then deactivate and delete it; \
                     nothing was changed"
                }
                _ => "\nhint: nothing was changed",
            };
            anyhow::anyhow!("{hold}{hint}")
        }
        DriveError::Stopped(error @ (TickError::Destinations(_) | TickError::TooLate(_))) => {
            anyhow::anyhow!("{error}\nhint: nothing was changed")
        }
        DriveError::Stopped(error @ TickError::Absent(_)) => anyhow::anyhow!(
            "{error}\nhint: if the name is correct, use --create; nothing was changed"
        ),
        DriveError::Stopped(TickError::Blind(blind)) => anyhow::anyhow!(
            "{blind}\nhint: use a longer one, or --accept-blind-window; nothing was changed"
        ),
        DriveError::Stopped(error @ TickError::OwnKey(_)) => anyhow::anyhow!(
            "{error}\nhint: sign with other credentials, or omit --deactivate-first; nothing was \
             changed"
        ),
        other => other.into(),
    }
}
