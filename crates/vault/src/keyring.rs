//! The installation's data keys: the newest seals, all of them open.
//!
//! The rule: a value says by number which key sealed it, so keys can be added and, once nothing
//! says their number any more, dropped while the server answers.

use std::sync::{Arc, PoisonError, RwLock};

use keywright_base::{Entropy, Secret};

use crate::{
    KEY_BYTES,
    master::MasterKey,
    sealed::{NumberedKey, OpenError, SealPurpose, SealedValue},
};

/// The number of the first data key.
const FIRST: u32 = 1;

/// Seals and opens under the installation's data keys.
pub struct DataVault {
    /// Ascending by number.
    keys: RwLock<Arc<[Arc<NumberedKey>]>>,
}

impl std::fmt::Debug for DataVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// A data key that is not part of the ring yet.
pub struct DataKey(NumberedKey);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.0.number)
    }
}

impl DataKey {
    fn generate(number: u32, entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let mut bytes = vec![0; KEY_BYTES];
        entropy.fill(&mut bytes);
        NumberedKey::new(number, Secret::new(bytes)).map(Self)
    }

    /// Its number in the ring.
    pub const fn number(&self) -> u32 {
        self.0.number
    }

    /// Sealed by a master key, to be stored.
    ///
    /// # Errors
    /// [`OpenError`] when the cipher fails.
    pub fn seal(
        &self,
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        master.seal_data_key(&self.0, entropy)
    }
}

impl DataVault {
    /// Makes the first data key; returns the vault and that key sealed by the master key, to be
    /// stored under the number 1.
    ///
    /// # Errors
    /// [`OpenError`] when the cipher fails.
    pub fn create(
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(Self, SealedValue), OpenError> {
        let key = DataKey::generate(FIRST, entropy)?;
        let sealed = key.seal(master, entropy)?;
        Ok((Self::of(vec![Arc::new(key.0)]), sealed))
    }

    /// Opens the stored data keys, each with its number, with a master key.
    ///
    /// # Errors
    /// [`OpenError`] with another master key than the one that sealed them, or without any key.
    pub fn unlock(master: &MasterKey, stored: &[(u32, SealedValue)]) -> Result<Self, OpenError> {
        let open = |(number, sealed): &(u32, SealedValue)| master.open_data_key(*number, sealed);
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| open(key).map(Arc::new)).collect();
        let mut keys = keys?;
        keys.sort_by_key(|key| key.number);
        if keys.is_empty() {
            return Err(OpenError);
        }
        Ok(Self::of(keys))
    }

    fn of(keys: Vec<Arc<NumberedKey>>) -> Self {
        Self {
            keys: RwLock::new(keys.into()),
        }
    }

    fn keys(&self) -> Arc<[Arc<NumberedKey>]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of the key that seals.
    pub fn newest(&self) -> u32 {
        self.keys().last().map_or(0, |key| key.number)
    }

    /// The numbers of all keys, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.keys().iter().map(|key| key.number).collect()
    }

    /// Whether a value is sealed by the newest key.
    pub fn is_current(&self, sealed: &SealedValue) -> bool {
        sealed.key_number() == Some(self.newest())
    }

    /// Every data key of the ring sealed by a master key, to be stored.
    ///
    /// # Errors
    /// [`OpenError`] when the cipher fails.
    pub fn sealed_by(
        &self,
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<(u32, SealedValue)>, OpenError> {
        let keys = self.keys();
        let seal = |key: &Arc<NumberedKey>| Ok((key.number, master.seal_data_key(key, entropy)?));
        keys.iter().map(seal).collect()
    }

    /// Makes the key that may follow the newest. It seals nothing before [`Vault::add`], which is
    /// for when it is stored.
    ///
    /// # Errors
    /// [`OpenError`] when there are no numbers left.
    pub fn next_key(&self, entropy: &dyn Entropy) -> Result<DataKey, OpenError> {
        let number = self.newest().checked_add(1).ok_or(OpenError)?;
        DataKey::generate(number, entropy)
    }

    /// Takes a key into the ring; if it is the newest, it seals from now on.
    pub fn add(&self, key: DataKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let others = keys.iter().filter(|other| other.number != key.0.number);
        let mut next: Vec<_> = others.map(Arc::clone).collect();
        next.push(Arc::new(key.0));
        next.sort_by_key(|key| key.number);
        *keys = next.into();
    }

    /// Drops a key that is not the newest: what it sealed opens no more.
    pub fn remove(&self, number: u32) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let newest = keys.last().map_or(0, |key| key.number);
        let rest = keys
            .iter()
            .filter(|key| key.number != number || key.number == newest);
        *keys = rest.map(Arc::clone).collect();
    }

    /// Seals `plain` for a purpose and a subject (an access key id, say).
    ///
    /// # Errors
    /// [`OpenError`] when the cipher fails, which it does only for absurd lengths.
    pub fn seal(
        &self,
        place: (SealPurpose, &str),
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let keys = self.keys();
        let newest = keys.last().ok_or(OpenError)?;
        newest.seal(place, plain, entropy)
    }

    /// Opens what was sealed for the same purpose and subject.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open(
        &self,
        place: (SealPurpose, &str),
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, OpenError> {
        let number = sealed.get(1..5).and_then(|number| number.first_chunk());
        let number = u32::from_be_bytes(*number.ok_or(OpenError)?);
        let keys = self.keys();
        let key = keys.iter().rfind(|key| key.number == number);
        key.ok_or(OpenError)?.open(place, sealed)
    }

    /// Seals again, by the newest key, what another one sealed.
    ///
    /// # Errors
    /// [`OpenError`] when it does not open.
    pub fn reseal(
        &self,
        place: (SealPurpose, &str),
        sealed: &SealedValue,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let plain = self.open(place, sealed.as_bytes())?;
        self.seal(place, plain.expose(), entropy)
    }
}

#[cfg(test)]
mod tests;
