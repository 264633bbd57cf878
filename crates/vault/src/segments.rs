//! The content of an object or part, encrypted in segments, so that a range can be read without the
//! rest.
//!
//! Invariant: decryption returns what was encrypted, at the same position. Each segment of
//! [`SEGMENT_BYTES`] carries a tag. Its nonce encodes its index and whether it is the last (the
//! STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár), so segments cannot be altered,
//! reordered or removed, and the end cannot be moved. Nonces are counters, so a content key must
//! encrypt one content only, once.

use keywright_base::{Entropy, Secret};
use ring::aead::{Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce};

use crate::{
    KEY_BYTES,
    keyring::DataVault,
    sealed::{OpenError, SealPurpose, SealedValue, aes},
};

/// Plaintext bytes of a segment.
pub const SEGMENT_BYTES: usize = 64 * 1024;
const SEGMENT: u64 = SEGMENT_BYTES as u64;
/// Overhead of each segment, in bytes.
pub const TAG_BYTES: usize = MAX_TAG_LEN;
const STORED_BYTES: usize = SEGMENT_BYTES + TAG_BYTES;
const STORED: u64 = STORED_BYTES as u64;

/// The key of one content.
pub struct ContentKey(Secret<Vec<u8>>);

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey([redacted])")
    }
}

impl ContentKey {
    /// Generates a content key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = vec![0; KEY_BYTES];
        entropy.fill(&mut bytes);
        Self(Secret::new(bytes))
    }

    /// Seals the key for the object with this subject.
    ///
    /// # Errors
    /// [`OpenError`] if the cipher fails.
    pub fn seal(
        &self,
        vault: &DataVault,
        subject: &str,
        entropy: &dyn Entropy,
    ) -> Result<SealedValue, OpenError> {
        vault.seal((SealPurpose::ObjectKey, subject), self.0.expose(), entropy)
    }

    /// Starts encryption. Use it only on a key that was just generated.
    ///
    /// # Errors
    /// Never in practice.
    pub fn writer(&self) -> Result<SegmentWriter, OpenError> {
        Ok(SegmentWriter {
            key: aes(self.0.expose())?,
            buffer: Vec::new(),
            sealed: 0,
            index: 0,
        })
    }
}

/// Encrypts a content from start to end.
pub struct SegmentWriter {
    key: LessSafeKey,
    /// Sealed segments, followed by the plaintext of the current segment.
    buffer: Vec<u8>,
    sealed: usize,
    index: u32,
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentWriter(segment {})", self.index)
    }
}

impl SegmentWriter {
    /// Appends to the content.
    ///
    /// # Errors
    /// [`OpenError`] beyond 2^32 segments.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), OpenError> {
        while !bytes.is_empty() {
            let filled = self.buffer.len() - self.sealed;
            if filled == SEGMENT_BYTES {
                // More data follows, so this is not the last segment.
                self.seal(false)?;
                continue;
            }
            let room = bytes.len().min(SEGMENT_BYTES - filled);
            let (now, later) = bytes.split_at(room);
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Removes and returns the segments that are ready to be stored.
    pub fn ready(
        &mut self,
        store: impl FnOnce(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let stored = store(self.buffer.get(..self.sealed).unwrap_or_default());
        self.buffer.drain(..self.sealed);
        self.sealed = 0;
        stored
    }

    /// Returns the last segments to be stored.
    ///
    /// # Errors
    /// [`OpenError`] beyond 2^32 segments.
    pub fn finish(mut self) -> Result<Vec<u8>, OpenError> {
        self.seal(true)?;
        Ok(self.buffer)
    }

    fn seal(&mut self, last: bool) -> Result<(), OpenError> {
        let text = self.buffer.get_mut(self.sealed..).ok_or(OpenError)?;
        let nonce = nonce(self.index, last);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), text)
            .map_err(|_| OpenError)?;
        self.buffer.extend_from_slice(tag.as_ref());
        self.sealed = self.buffer.len();
        if !last {
            self.index = self.index.checked_add(1).ok_or(OpenError)?;
        }
        Ok(())
    }
}

fn nonce(index: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let [.., a, b, c, d, end] = &mut bytes;
    [*a, *b, *c, *d] = index.to_be_bytes();
    *end = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Decrypts any range of segments of a content.
pub struct SegmentReader {
    key: LessSafeKey,
    size: u64,
}

impl std::fmt::Debug for SegmentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentReader({} bytes)", self.size)
    }
}

/// A run of whole segments in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSpan {
    /// Offset in storage.
    pub at: u64,
    /// Length in storage, in bytes.
    pub bytes: usize,
    /// Offset of the plaintext in the content.
    pub text_at: u64,
}

impl SegmentReader {
    /// Opens a content of `size` bytes with the key that was sealed for this subject.
    ///
    /// # Errors
    /// [`OpenError`] if the key cannot be opened.
    pub fn open(
        vault: &DataVault,
        subject: &str,
        sealed: &SealedValue,
        size: u64,
    ) -> Result<Self, OpenError> {
        let key = vault.open((SealPurpose::ObjectKey, subject), sealed.as_bytes())?;
        Ok(Self {
            key: aes(key.expose())?,
            size,
        })
    }

    const fn last(&self) -> u64 {
        self.size.saturating_sub(1) / SEGMENT
    }

    /// The size of the whole content in storage. Any other size means damage.
    pub const fn stored_size(&self) -> u64 {
        self.size + (self.last() + 1) * TAG_BYTES as u64
    }

    /// The segments that hold the content from `at` on: at most `segments` of them, and none past
    /// `end`.
    pub fn span(&self, at: u64, end: u64, segments: u32) -> StoredSpan {
        let first = at / SEGMENT;
        let behind = (end.saturating_sub(1) / SEGMENT).min(self.last()) + 1;
        let behind = behind.min(first + u64::from(segments));
        let stop = (behind * STORED).min(self.stored_size());
        StoredSpan {
            at: first * STORED,
            bytes: usize::try_from(stop.saturating_sub(first * STORED)).unwrap_or(usize::MAX),
            text_at: first * SEGMENT,
        }
    }

    /// Decrypts the stored bytes of a span in place and leaves the plaintext.
    ///
    /// # Errors
    /// [`OpenError`] if they were altered.
    pub fn decrypt(&self, span: StoredSpan, stored: &mut Vec<u8>) -> Result<(), OpenError> {
        if stored.len() != span.bytes {
            return Err(OpenError);
        }
        let mut index = span.text_at / SEGMENT;
        let (mut from, mut text) = (0, 0);
        while from < span.bytes {
            let end = (from + STORED_BYTES).min(span.bytes);
            // Moves the plaintext down over the tags of earlier segments.
            let within = stored.get_mut(text..end).ok_or(OpenError)?;
            let number = u32::try_from(index).map_err(|_| OpenError)?;
            let nonce = nonce(number, index == self.last());
            let plain = self
                .key
                .open_within(nonce, Aad::empty(), within, from - text..);
            text += plain.map_err(|_| OpenError)?.len();
            from = end;
            index += 1;
        }
        stored.truncate(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
