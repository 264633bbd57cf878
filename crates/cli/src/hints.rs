//! Advice about errors that several commands share.

use keywright_aws::AccessError;
use keywright_fleet::driver::DriveError;

/// What to do about an error, if this is known from its type.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let access = error.downcast_ref::<AccessError>().or_else(|| {
        match error.downcast_ref::<DriveError>()? {
            DriveError::Access(access) => Some(access),
            _ => None,
        }
    });
    match access? {
        AccessError::Credentials(_) => Some(
            "use --profile NAME, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY; a server prints at its first start where root's are",
        ),
        AccessError::UnknownKey { .. } => Some(
            "check that this key exists at this endpoint and is active, or use another --profile",
        ),
        _ => None,
    }
}
