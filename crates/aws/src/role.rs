//! Credentials of a role, for a process that passes them on.

use keywright_base::{Secret, Timestamp};

use crate::{
    access::AccessError,
    credentials::fetch,
    settings::{ClientSettings, region, sdk},
};

/// Temporary credentials of a role.
#[derive(Debug)]
pub struct RoleCredentials {
    /// The access key ID.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token.
    pub token: Secret<String>,
    /// When they expire.
    pub expires: Timestamp,
}

impl RoleCredentials {
    /// Assumes the role of the settings with the credentials of the chain.
    ///
    /// # Errors
    /// [`AccessError::Credentials`].
    pub async fn assume(settings: &ClientSettings) -> Result<Self, AccessError> {
        let missing = |what: &str| AccessError::Credentials(format!("they have no {what}"));
        let keys = fetch(settings, &sdk(settings, None).await, None).await?;
        Ok(Self {
            id: keys.id,
            secret: keys.secret,
            token: keys.token.ok_or_else(|| missing("session token"))?,
            expires: keys.expires.ok_or_else(|| missing("expiration"))?,
        })
    }
}

impl ClientSettings {
    /// The region: of the settings, the environment or the profile.
    ///
    /// # Errors
    /// [`AccessError::Region`] if there is no such region.
    pub async fn region_name(&self) -> Result<String, AccessError> {
        Ok(region(&sdk(self, None).await)?.to_owned())
    }
}
