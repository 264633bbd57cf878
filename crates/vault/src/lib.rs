//! Encryption at rest: sealed values, the key ring of data keys under a master key, and object
//! content encrypted in segments.
//!
//! There are three levels. The master key, which the caller supplies, seals the data keys of the
//! key ring. The newest data key seals secrets and the content keys of objects; older data keys
//! still open what they sealed. A content key encrypts one object or part, once. So the master key
//! protects every stored secret, and changing it re-seals keys but never content. All encryption is
//! AES-256-GCM, by ring.
//!
//! Pure: no I/O, no clock, no randomness of its own. Where the master key and the sealed values are
//! stored is up to the caller.

mod keyring;
mod master;
mod sealed;
mod segments;

pub use keyring::{DataKey, DataVault};
pub use master::{MasterKey, MasterKeyId};
pub use sealed::{OpenError, SealPurpose, SealedValue};
pub use segments::{
    ContentKey, SEGMENT_BYTES, SegmentReader, SegmentWriter, StoredSpan, TAG_BYTES,
};

/// Length of the master key, of every data key and of every content key, in bytes.
pub const KEY_BYTES: usize = 32;
