//! The encryption of objects: each has its own content key, sealed by the vault for its bucket, key
//! and blob.
//!
//! Invariant: bytes stored for one object are never returned as another's. An attacker who can
//! write to the blob folder but has no key can destroy objects, not modify or swap them. The index
//! is not protected: an attacker who can write to it can create rows in the format of versions
//! before encryption.

use bytes::Bytes;

use keywright_base::Entropy;
use keywright_vault::{ContentKey, DataVault, OpenError, SealPurpose, SealedValue, SegmentReader};

use crate::{
    Objects,
    blobs::BlobId,
    fault::S3Fault,
    object::{BlobPiece, InlineBytes, Object, ObjectContent},
};

/// Content that was ingested, with the key that it is encrypted with.
pub(crate) enum TakenContent {
    Inline {
        stored: Bytes,
        key: ContentKey,
    },
    Blob {
        blob: BlobId,
        size: u64,
        key: ContentKey,
    },
}

impl TakenContent {
    /// Encrypts a small content.
    pub(crate) fn small(text: &[u8], entropy: &dyn Entropy) -> Result<Self, OpenError> {
        let key = ContentKey::generate(entropy);
        let mut writer = key.writer()?;
        writer.push(text)?;
        let stored = writer.finish()?.into();
        Ok(Self::Inline { stored, key })
    }
}

/// The context that a content key is sealed for. Neither a bucket name nor the first word contains
/// a slash.
fn subject(blob: Option<BlobId>, (bucket, key): (&str, &str)) -> String {
    let blob = blob.map(|blob| hex::encode(blob.0));
    let blob = blob.as_deref().unwrap_or("inline");
    [blob, bucket, key].join("/")
}

/// Returns a reader for a piece of the object with this bucket and key; `None` for clear text from
/// earlier versions.
pub(crate) fn reader(
    vault: &DataVault,
    piece: &BlobPiece,
    name: (&str, &str),
) -> Result<Option<SegmentReader>, OpenError> {
    let subject = subject(Some(piece.blob), name);
    let open = |key| SegmentReader::open(vault, &subject, key, piece.size);
    piece.key.as_ref().map(open).transpose()
}

impl Objects {
    /// Seals a content's key for the object that it belongs to.
    pub(crate) fn sealed(
        &self,
        taken: TakenContent,
        bucket: &str,
        key: &str,
    ) -> Result<ObjectContent, S3Fault> {
        let (blob, content_key) = match &taken {
            TakenContent::Inline { key, .. } => (None, key),
            TakenContent::Blob { blob, key, .. } => (Some(*blob), key),
        };
        let subject = subject(blob, (bucket, key));
        let sealed = Some(content_key.seal(&self.vault, &subject, &*self.entropy)?);
        Ok(match taken {
            TakenContent::Inline { stored, .. } => ObjectContent::Inline(InlineBytes {
                stored,
                key: sealed,
            }),
            TakenContent::Blob { blob, size, .. } => ObjectContent::Blobs(vec![BlobPiece {
                blob,
                size,
                key: sealed,
            }]),
        })
    }

    /// The text of a small object.
    pub(crate) fn inline_text(
        &self,
        object: &Object,
        inline: &InlineBytes,
    ) -> Result<Bytes, S3Fault> {
        let Some(key) = &inline.key else {
            return Ok(inline.stored.clone());
        };
        let subject = subject(None, (&object.bucket, &object.key));
        let reader = SegmentReader::open(&self.vault, &subject, key, object.size)?;
        let span = reader.span(0, object.size, 1);
        let mut text = inline.stored.to_vec();
        reader.decrypt(span, &mut text)?;
        Ok(text.into())
    }

    /// Seals the keys of the same content again under the vault's newest key. The content must be
    /// encrypted.
    pub(crate) fn renewed(
        &self,
        content: &ObjectContent,
        name: (&str, &str),
    ) -> Result<ObjectContent, S3Fault> {
        let renew = |blob, key: &Option<SealedValue>| {
            let place = subject(blob, name);
            let place = (SealPurpose::ObjectKey, place.as_str());
            let key = key.as_ref().ok_or(OpenError)?;
            self.vault.reseal(place, key, &*self.entropy).map(Some)
        };
        Ok(match content {
            ObjectContent::Inline(inline) => ObjectContent::Inline(InlineBytes {
                key: renew(None, &inline.key)?,
                stored: inline.stored.clone(),
            }),
            ObjectContent::Blobs(pieces) => {
                let renewed = pieces.iter().map(|piece| {
                    Ok::<_, OpenError>(BlobPiece {
                        key: renew(Some(piece.blob), &piece.key)?,
                        ..piece.clone()
                    })
                });
                ObjectContent::Blobs(renewed.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// How a content relates to the vault's newest key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ContentProtection {
    /// Sealed by the newest key.
    Current,
    /// Sealed by an older key.
    Older,
    /// Clear text from an earlier version.
    Clear,
}

impl ObjectContent {
    pub(crate) fn protection(&self, vault: &DataVault) -> ContentProtection {
        let of = |key: &Option<SealedValue>| match key {
            None => ContentProtection::Clear,
            Some(key) if vault.is_current(key) => ContentProtection::Current,
            Some(_) => ContentProtection::Older,
        };
        match self {
            Self::Inline(inline) => of(&inline.key),
            Self::Blobs(pieces) => {
                let pieces = pieces.iter().map(|piece| of(&piece.key));
                pieces.max().unwrap_or(ContentProtection::Current)
            }
        }
    }
}
