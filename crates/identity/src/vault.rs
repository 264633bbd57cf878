//! Secrets at rest: an authenticated cipher under data keys, which are themselves sealed by the
//! master key.
//!
//! It protects one rule: no secret is stored that the master key does not guard, and a sealed value
//! cannot be moved to another place (its purpose, key number and subject are associated data). It
//! does not decide where the master key comes from; the rim brings its 32 bytes.

use keywright_base::{Entropy, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of the master key and of every data key.
pub const KEY_BYTES: usize = 32;

const FORMAT: u8 = 1;
/// Format byte, key number, nonce.
const HEAD_BYTES: usize = 1 + 4 + NONCE_LEN;

/// A sealed value: format, key number, nonce, ciphertext and tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// From stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// For the store.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What a sealed value is for; part of the associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A data key, sealed by the master key.
    DataKey,
    /// The secret of a long-term access key.
    AccessKey,
    /// A session token.
    SessionToken,
    /// The secrets of a rotation under way.
    Rotation,
    /// The seed of a virtual MFA device.
    MfaSeed,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::DataKey => "keywright/data-key",
            Self::AccessKey => "keywright/access-key",
            Self::SessionToken => "keywright/session-token",
            Self::Rotation => "keywright/rotation",
            Self::MfaSeed => "keywright/mfa-seed",
        }
    }
}

/// A sealed value could not be opened: another key, another place, or altered bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value could not be opened: wrong master key or damaged data")]
pub struct OpenError;

/// One cipher key with its number.
struct Cipher {
    number: u32,
    key: LessSafeKey,
}

impl Cipher {
    fn new(number: u32, bytes: &[u8]) -> Result<Self, OpenError> {
        let unbound = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| OpenError)?;
        Ok(Self {
            number,
            key: LessSafeKey::new(unbound),
        })
    }

    fn seal(
        &self,
        place: (Purpose, &str),
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Sealed, OpenError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut text = plain.to_vec();
        let aad = associated(place, self.number);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut text,
            )
            .map_err(|_| OpenError)?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + text.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&text);
        Ok(Sealed(bytes.into()))
    }

    fn open(&self, place: (Purpose, &str), sealed: &[u8]) -> Result<Secret<Vec<u8>>, OpenError> {
        let (head, text) = sealed.split_at_checked(HEAD_BYTES).ok_or(OpenError)?;
        let (format, rest) = head.split_first().ok_or(OpenError)?;
        let (number, nonce) = rest.split_at_checked(4).ok_or(OpenError)?;
        if *format != FORMAT || *number != self.number.to_be_bytes() {
            return Err(OpenError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
        let mut text = text.to_vec();
        let aad = Aad::from(associated(place, self.number));
        let length = self
            .key
            .open_in_place(nonce, aad, &mut text)
            .map_err(|_| OpenError)?
            .len();
        text.truncate(length);
        Ok(Secret::new(text))
    }
}

fn associated((purpose, subject): (Purpose, &str), number: u32) -> Vec<u8> {
    let mut aad = purpose.label().as_bytes().to_vec();
    aad.push(0);
    aad.extend_from_slice(&number.to_be_bytes());
    aad.extend_from_slice(subject.as_bytes());
    aad
}

/// Seals and opens under the installation's data key.
pub struct Vault {
    data: Cipher,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// The number under which the master key seals data keys.
const MASTER_NUMBER: u32 = 0;
/// The number of the first data key.
const DATA_NUMBER: u32 = 1;

impl Vault {
    /// Makes a data key; returns the vault and the data key sealed by the master key, to be stored.
    ///
    /// # Errors
    /// [`OpenError`] when the master key has not [`KEY_BYTES`] bytes.
    pub fn create(
        master: &Secret<Vec<u8>>,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Sealed), OpenError> {
        let mut bytes = vec![0; KEY_BYTES];
        entropy.fill(&mut bytes);
        let data = Secret::new(bytes);
        let place = (Purpose::DataKey, "1");
        let sealed =
            Cipher::new(MASTER_NUMBER, master.expose())?.seal(place, data.expose(), entropy)?;
        Ok((
            Self {
                data: Cipher::new(DATA_NUMBER, data.expose())?,
            },
            sealed,
        ))
    }

    /// Opens the stored data key with the master key.
    ///
    /// # Errors
    /// [`OpenError`] with another master key than the one that sealed it.
    pub fn unlock(master: &Secret<Vec<u8>>, sealed: &Sealed) -> Result<Self, OpenError> {
        let place = (Purpose::DataKey, "1");
        let data = Cipher::new(MASTER_NUMBER, master.expose())?.open(place, sealed.as_bytes())?;
        Ok(Self {
            data: Cipher::new(DATA_NUMBER, data.expose())?,
        })
    }

    /// Seals `plain` for a purpose and a subject (an access key id, say).
    ///
    /// # Errors
    /// [`OpenError`] when the cipher refuses, which it does only for absurd lengths.
    pub fn seal(
        &self,
        place: (Purpose, &str),
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Sealed, OpenError> {
        self.data.seal(place, plain, entropy)
    }

    /// Opens what was sealed for the same purpose and subject.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open(
        &self,
        place: (Purpose, &str),
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, OpenError> {
        self.data.open(place, sealed)
    }
}

#[cfg(test)]
mod tests {
    use keywright_base::{Entropy, Secret};

    use super::{Purpose, Sealed, Vault};

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (slot, value) in buffer.iter_mut().zip(1..) {
                *slot = value;
            }
        }
    }

    fn master(byte: u8) -> Secret<Vec<u8>> {
        Secret::new(vec![byte; 32])
    }

    #[test]
    fn opens_only_in_its_place() {
        let (vault, data_key) = Vault::create(&master(7), &Counting).unwrap();
        let place = (Purpose::AccessKey, "AKIAIOSFODNN7EXAMPLE");
        let sealed = vault.seal(place, b"secret", &Counting).unwrap();
        assert!(!sealed.as_bytes().windows(6).any(|w| w == b"secret"));

        let again = Vault::unlock(&master(7), &data_key).unwrap();
        assert_eq!(
            again.open(place, sealed.as_bytes()).unwrap().expose(),
            b"secret"
        );
        let elsewhere = [
            (Purpose::AccessKey, "AKIAIOSFODNN7EXAMPLF"),
            (Purpose::SessionToken, place.1),
        ];
        for other in elsewhere {
            assert!(again.open(other, sealed.as_bytes()).is_err());
        }
        assert!(Vault::unlock(&master(8), &data_key).is_err());
    }

    #[test]
    fn altered_or_short_bytes_are_refused() {
        let (vault, _) = Vault::create(&master(7), &Counting).unwrap();
        let place = (Purpose::AccessKey, "AKIAIOSFODNN7EXAMPLE");
        let sealed = vault.seal(place, b"secret", &Counting).unwrap();
        for position in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[position] ^= 1;
            assert!(vault.open(place, &bytes).is_err(), "byte {position}");
            let short = Sealed::from_bytes(&bytes[..position]);
            assert!(vault.open(place, short.as_bytes()).is_err());
        }
    }
}
