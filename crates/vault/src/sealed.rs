//! A sealed value, which opens only with its key, purpose and subject.
//!
//! Invariant: a sealed value cannot be moved to another place, because purpose, key number and
//! subject are associated data. Two formats can be read. Format 1 used the key itself with a random
//! nonce, which is sound for about 2^32 values per key. Format 2, the one that is written, derives
//! a key for each value from a random salt (HKDF-SHA-256), so that nonces do not repeat however
//! many objects there are.

use keywright_base::{Entropy, Secret};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk},
};

use crate::KEY_BYTES;

const FORMAT_DIRECT: u8 = 1;
const FORMAT_DERIVED: u8 = 2;
const SALT_BYTES: usize = 16;
const DERIVE_LABEL: &[u8] = b"keywright/sealed/2";

/// A sealed value: format, key number, salt (format 2 only), nonce, ciphertext and tag.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedValue(Box<[u8]>);

impl SealedValue {
    /// Wraps stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of the key that sealed the value, not authenticated; `None` if the value is
    /// truncated.
    pub fn key_number(&self) -> Option<u32> {
        let (_, rest) = self.0.split_first()?;
        rest.first_chunk().map(|number| u32::from_be_bytes(*number))
    }
}

impl std::fmt::Debug for SealedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The purpose of a sealed value; part of the associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealPurpose {
    /// A master key, sealed by its predecessor or successor.
    MasterKey,
    /// A data key, sealed by the master key.
    DataKey,
    /// The secret of a long-term access key.
    AccessKey,
    /// A session token.
    SessionToken,
    /// The secrets of a rotation in progress.
    Rotation,
    /// The seed of a virtual MFA device.
    MfaSeed,
    /// The private key of a server certificate.
    ServerCertificate,
    /// A private key of a SAML provider.
    SamlKey,
    /// The content key of an object or part.
    ObjectKey,
    /// The cookie of a browser that has signed in to the console.
    Browser,
}

impl SealPurpose {
    const fn label(self) -> &'static str {
        match self {
            Self::MasterKey => "keywright/master-key",
            Self::DataKey => "keywright/data-key",
            Self::AccessKey => "keywright/access-key",
            Self::SessionToken => "keywright/session-token",
            Self::Rotation => "keywright/rotation",
            Self::MfaSeed => "keywright/mfa-seed",
            Self::ServerCertificate => "keywright/server-certificate",
            Self::SamlKey => "keywright/saml-key",
            Self::ObjectKey => "keywright/object-key",
            Self::Browser => "keywright/browser",
        }
    }
}

/// A sealed value could not be opened: wrong key, wrong place, or altered bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value could not be opened: wrong master key or damaged data")]
pub struct OpenError;

/// A key with its number.
pub(crate) struct NumberedKey {
    pub(crate) number: u32,
    bytes: Secret<Vec<u8>>,
    direct: LessSafeKey,
    derive: Prk,
}

impl NumberedKey {
    pub(crate) fn new(number: u32, bytes: Secret<Vec<u8>>) -> Result<Self, OpenError> {
        Ok(Self {
            number,
            direct: aes(bytes.expose())?,
            derive: Prk::new_less_safe(HKDF_SHA256, bytes.expose()),
            bytes,
        })
    }

    pub(crate) const fn bytes(&self) -> &Secret<Vec<u8>> {
        &self.bytes
    }

    pub(crate) fn seal(
        &self,
        place: (SealPurpose, &str),
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        let mut random = [0; SALT_BYTES + NONCE_LEN];
        entropy.fill(&mut random);
        let (salt, nonce) = random.split_at(SALT_BYTES);
        let mut bytes = vec![FORMAT_DERIVED];
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&random);
        let start = bytes.len();
        bytes.extend_from_slice(plain);
        let text = bytes.get_mut(start..).ok_or(OpenError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
        let aad = Aad::from(associated(place, self.number));
        let tag = self
            .derived(salt)?
            .seal_in_place_separate_tag(nonce, aad, text)
            .map_err(|_| OpenError)?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(SealedValue(bytes.into()))
    }

    pub(crate) fn open(
        &self,
        place: (SealPurpose, &str),
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, OpenError> {
        let (format, rest) = sealed.split_first().ok_or(OpenError)?;
        let (number, rest) = rest.split_first_chunk::<4>().ok_or(OpenError)?;
        if *number != self.number.to_be_bytes() {
            return Err(OpenError);
        }
        match *format {
            FORMAT_DIRECT => open_with(&self.direct, associated(place, self.number), rest),
            FORMAT_DERIVED => {
                let (salt, rest) = rest.split_at_checked(SALT_BYTES).ok_or(OpenError)?;
                open_with(&self.derived(salt)?, associated(place, self.number), rest)
            }
            _ => Err(OpenError),
        }
    }

    fn derived(&self, salt: &[u8]) -> Result<LessSafeKey, OpenError> {
        let info = [DERIVE_LABEL, salt];
        let expanded = self.derive.expand(&info, &AES_256_GCM);
        let key = expanded.map_err(|_| OpenError)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    }
}

/// Creates an AES-256-GCM key from these bytes.
pub(crate) fn aes(bytes: &[u8]) -> Result<LessSafeKey, OpenError> {
    if bytes.len() != KEY_BYTES {
        return Err(OpenError);
    }
    let unbound = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| OpenError)?;
    Ok(LessSafeKey::new(unbound))
}

/// Opens the nonce, ciphertext and tag in `rest`.
fn open_with(key: &LessSafeKey, aad: Vec<u8>, rest: &[u8]) -> Result<Secret<Vec<u8>>, OpenError> {
    let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(OpenError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
    let mut text = text.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut text);
    let length = plain.map_err(|_| OpenError)?.len();
    text.truncate(length);
    Ok(Secret::new(text))
}

fn associated((purpose, subject): (SealPurpose, &str), number: u32) -> Vec<u8> {
    let label = purpose.label().as_bytes();
    let mut aad = Vec::with_capacity(label.len() + 1 + 4 + subject.len());
    aad.extend_from_slice(label);
    aad.push(0);
    aad.extend_from_slice(&number.to_be_bytes());
    aad.extend_from_slice(subject.as_bytes());
    aad
}
