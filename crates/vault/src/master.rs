//! The master key: 32 bytes that the rim brings, known by an id.
//!
//! The id is four bytes of a hash of the key. It stands in every data key that the master key
//! sealed, so that a program with two master keys knows which one to use, and one with the wrong
//! key can say so.

use keywright_base::{Entropy, Secret};
use ring::digest::{Context, SHA256};

use crate::{
    KEY_BYTES,
    sealed::{NumberedKey, OpenError, SealPurpose, SealedValue},
};

const ID_LABEL: &[u8] = b"keywright/master-key-id\0";

/// The number in data keys of installations that were made before master keys had ids.
const UNNAMED: u32 = 0;

/// Which master key; not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// The master key that sealed a data key; nothing when it has no id.
    pub fn of(sealed: &SealedValue) -> Option<Self> {
        let number = sealed.key_number()?;
        (number != UNNAMED).then_some(Self(number))
    }
}

impl std::fmt::Display for KeyId {
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
    /// From its bytes.
    ///
    /// # Errors
    /// [`OpenError`] when they are not [`KEY_BYTES`].
    pub fn new(bytes: Secret<Vec<u8>>) -> Result<Self, OpenError> {
        let mut context = Context::new(&SHA256);
        context.update(ID_LABEL);
        context.update(bytes.expose());
        let hash = context.finish();
        let number = hash.as_ref().first_chunk().ok_or(OpenError)?;
        // Zero says that there is no id.
        let number = u32::from_be_bytes(*number).max(UNNAMED + 1);
        Ok(Self {
            unnamed: NumberedKey::new(UNNAMED, bytes.clone())?,
            cipher: NumberedKey::new(number, bytes)?,
        })
    }

    /// A new one.
    ///
    /// # Errors
    /// Never in practice.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let mut bytes = vec![0; KEY_BYTES];
        entropy.fill(&mut bytes);
        Self::new(Secret::new(bytes))
    }

    /// Its id.
    pub const fn id(&self) -> KeyId {
        KeyId(self.cipher.number)
    }

    /// Its bytes, for the place where it is kept.
    pub const fn bytes(&self) -> &Secret<Vec<u8>> {
        self.cipher.bytes()
    }

    /// Seals another master key, so that whoever has this one has both.
    ///
    /// # Errors
    /// [`OpenError`] when the cipher fails.
    pub fn seal_other(
        &self,
        other: &Self,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let subject = other.id().to_string();
        let place = (SealPurpose::MasterKey, subject.as_str());
        self.cipher.seal(place, other.bytes().expose(), entropy)
    }

    /// Opens the master key of that id that this one sealed.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
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
