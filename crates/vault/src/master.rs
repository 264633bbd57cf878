//! The master key: 32 bytes that the caller supplies, identified by an ID.
//!
//! The ID is four bytes of a hash of the key. Every data key that the master key sealed contains
//! it. A program with two master keys can pick the right one, and a program with the wrong key can
//! report that.

use keywright_base::{Entropy, Secret};
use ring::digest::{Context, SHA256};

use crate::{
    KEY_BYTES,
    sealed::{NumberedKey, OpenError, SealPurpose, SealedValue},
};

const ID_LABEL: &[u8] = b"keywright/master-key-id\0";

/// The number in data keys of installations created before master keys had IDs.
const UNNAMED: u32 = 0;

/// Identifies a master key. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MasterKeyId(u32);

impl MasterKeyId {
    /// The ID of the master key that sealed a data key; `None` if the key had no ID.
    pub fn of(sealed: &SealedValue) -> Option<Self> {
        let number = sealed.key_number()?;
        (number != UNNAMED).then_some(Self(number))
    }
}

impl std::fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A master key.
pub struct MasterKey {
    cipher: NumberedKey,
    unnamed: NumberedKey,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl MasterKey {
    /// Creates a master key from its bytes.
    ///
    /// # Errors
    /// [`OpenError`] if there are not [`KEY_BYTES`] bytes.
    pub fn new(bytes: Secret<Vec<u8>>) -> Result<Self, OpenError> {
        let mut context = Context::new(&SHA256);
        context.update(ID_LABEL);
        context.update(bytes.expose());
        let hash = context.finish();
        let number = hash.as_ref().first_chunk().ok_or(OpenError)?;
        // Zero means "no ID".
        let number = u32::from_be_bytes(*number).max(UNNAMED + 1);
        Ok(Self {
            unnamed: NumberedKey::new(UNNAMED, bytes.clone())?,
            cipher: NumberedKey::new(number, bytes)?,
        })
    }

    /// Generates a master key.
    ///
    /// # Errors
    /// Never in practice.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let mut bytes = vec![0; KEY_BYTES];
        entropy.fill(&mut bytes);
        Self::new(Secret::new(bytes))
    }

    /// The key's ID.
    pub const fn id(&self) -> MasterKeyId {
        MasterKeyId(self.cipher.number)
    }

    /// The key's bytes, for storage.
    pub const fn bytes(&self) -> &Secret<Vec<u8>> {
        self.cipher.bytes()
    }

    /// Seals another master key, so that this key gives access to both.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails.
    pub fn seal_other(
        &self,
        other: &Self,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let subject = other.id().to_string();
        let place = (SealPurpose::MasterKey, subject.as_str());
        self.cipher.seal(place, other.bytes().expose(), entropy)
    }

    /// Opens a master key with this ID that this key sealed.
    ///
    /// # Errors
    /// [`OpenError`] for any other value.
    pub fn open_other(&self, id: &str, sealed: &SealedValue) -> Result<Self, OpenError> {
        let bytes = self
            .cipher
            .open((SealPurpose::MasterKey, id), sealed.as_bytes())?;
        let other = Self::new(bytes)?;
        if other.id().to_string() == id {
            Ok(other)
        } else {
            Err(OpenError)
        }
    }

    pub(crate) fn seal_data_key(
        &self,
        key: &NumberedKey,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let subject = key.number.to_string();
        let place = (SealPurpose::DataKey, subject.as_str());
        self.cipher.seal(place, key.bytes().expose(), entropy)
    }

    pub(crate) fn open_data_key(
        &self,
        number: u32,
        sealed: &SealedValue,
    ) -> Result<NumberedKey, OpenError> {
        let subject = number.to_string();
        let place = (SealPurpose::DataKey, subject.as_str());
        let cipher = match sealed.key_number() {
            Some(UNNAMED) => &self.unnamed,
            _ => &self.cipher,
        };
        NumberedKey::new(number, cipher.open(place, sealed.as_bytes())?)
    }
}
