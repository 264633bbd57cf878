//! Creates access keys: an ID that encodes the account, and a 40-character secret that is sealed
//! immediately.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{AccessKeyId, AccountId, Entropy, Secret, Timestamp};

use crate::{
    state::{AccessKey, KeyMaterial, KeyStatus},
    vault::{DataVault, OpenError, SealPurpose},
};

/// Random bytes in a secret access key: 30 give exactly 40 base64 characters.
const SECRET_BYTES: usize = 30;

/// A new 40-character secret.
pub(crate) fn new_secret(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; SECRET_BYTES];
    entropy.fill(&mut bytes);
    let bytes = Secret::new(bytes);
    Secret::new(BASE64_STANDARD.encode(bytes.expose()))
}

/// A new active key and its secret, of which no other copy in clear exists.
pub(crate) fn new_key(
    account: AccountId,
    now: Timestamp,
    vault: &DataVault,
    entropy: &dyn Entropy,
) -> Result<(AccessKey, Secret<String>), OpenError> {
    let id = AccessKeyId::generate(account, entropy);
    let secret = new_secret(entropy);
    let place = (SealPurpose::AccessKey, id.as_str());
    let sealed = vault.seal(place, secret.expose().as_bytes(), entropy)?;
    let material = Arc::new(KeyMaterial::new(sealed));
    let key = AccessKey {
        id,
        status: KeyStatus::Active,
        created: now,
        replay: None,
        material,
    };
    Ok((key, secret))
}
