//! Encryption at rest: sealed values, the ring of data keys under a master key, and the contents of
//! objects in segments.
//!
//! Three levels. The master key, which the rim brings, seals the data keys of the ring. The newest
//! data key seals secrets and the content keys of objects; older ones still open. A content key
//! encrypts one object or part, once. So no secret is stored that the master key does not guard,
//! and changing the master key re-seals keys, never contents. AES-256-GCM throughout, by ring.
//!
//! Pure: no I/O, no clock, no randomness of its own. It does not know where the master key or the
//! sealed values are kept.

mod keyring;
mod master;
mod sealed;
mod segments;

pub use keyring::{DataKey, DataVault};
pub use master::{KeyId, MasterKey};
pub use sealed::{OpenError, SealPurpose, SealedValue};
pub use segments::{
    ContentKey, SEGMENT_BYTES, SegmentReader, SegmentWriter, StoredSpan, TAG_BYTES,
};

/// Bytes of the master key, of every data key and of every content key.
pub const KEY_BYTES: usize = 32;
