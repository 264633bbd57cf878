//! The installation's data keys. The newest one seals; all of them open.
//!
//! Every sealed value names the number of its key. So keys can be added while the server runs, and
//! removed once no value refers to them.

use std::sync::{Arc, PoisonError, RwLock};

use keywright_base::{Entropy, Secret};

use crate::{
    KEY_BYTES,
    master::MasterKey,
    sealed::{NumberedKey, OpenError, SealPurpose, SealedValue},
};

/// The number of the first data key.
const FIRST: u32 = 1;

/// Seals and opens values with the installation's data keys.
pub struct DataVault {
    /// Ascending by number.
    keys: RwLock<Arc<[Arc<NumberedKey>]>>,
}

impl std::fmt::Debug for DataVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// A data key that is not in the ring yet.
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

    /// The key's number in the ring.
    pub const fn number(&self) -> u32 {
        self.0.number
    }

    /// Seals the key with a master key, for storage.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails.
    pub fn seal(
        &self,
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        master.seal_data_key(&self.0, entropy)
    }
}

impl DataVault {
    /// Creates the first data key. Returns the vault and the key sealed by the master key, which
    /// must be stored under number 1.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails.
    pub fn create(
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(Self, SealedValue), OpenError> {
        let key = DataKey::generate(FIRST, entropy)?;
        let sealed = key.seal(master, entropy)?;
        Ok((Self::of(vec![Arc::new(key.0)]), sealed))
    }

    /// Opens the stored, numbered data keys with a master key.
    ///
    /// # Errors
    /// [`OpenError`] if a different master key sealed them, or if there are none.
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

    /// The number of the key that seals new values.
    pub fn newest(&self) -> u32 {
        self.keys().last().map_or(0, |key| key.number)
    }

    /// The numbers of all keys, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.keys().iter().map(|key| key.number).collect()
    }

    /// Whether the newest key sealed this value.
    pub fn is_current(&self, sealed: &SealedValue) -> bool {
        sealed.key_number() == Some(self.newest())
    }

    /// Seals every data key of the ring with a master key, for storage.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails.
    pub fn sealed_by(
        &self,
        master: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<(u32, SealedValue)>, OpenError> {
        let keys = self.keys();
        let seal = |key: &Arc<NumberedKey>| Ok((key.number, master.seal_data_key(key, entropy)?));
        keys.iter().map(seal).collect()
    }

    /// Creates the successor of the newest key. Store it, then call [`DataVault::add`]; until then
    /// it seals nothing.
    ///
    /// # Errors
    /// [`OpenError`] if there are no numbers left.
    pub fn next_key(&self, entropy: &dyn Entropy) -> Result<DataKey, OpenError> {
        let number = self.newest().checked_add(1).ok_or(OpenError)?;
        DataKey::generate(number, entropy)
    }

    /// Adds a key to the ring. If it is the newest, it seals from now on.
    pub fn add(&self, key: DataKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let others = keys.iter().filter(|other| other.number != key.0.number);
        let mut next: Vec<_> = others.map(Arc::clone).collect();
        next.push(Arc::new(key.0));
        next.sort_by_key(|key| key.number);
        *keys = next.into();
    }

    /// Removes a key other than the newest. Values that it sealed can no longer be opened.
    pub fn remove(&self, number: u32) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let newest = keys.last().map_or(0, |key| key.number);
        let rest = keys
            .iter()
            .filter(|key| key.number != number || key.number == newest);
        *keys = rest.map(Arc::clone).collect();
    }

    /// Seals `plain` for a purpose and a subject, for example an access key ID.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails, which happens only for absurd lengths.
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

    /// Opens a value that was sealed for the same purpose and subject.
    ///
    /// # Errors
    /// [`OpenError`] for any other value.
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

    /// Re-seals with the newest key a value that another key sealed.
    ///
    /// # Errors
    /// [`OpenError`] if the value cannot be opened.
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
