//! The bytes of objects on local disk: one file per blob, encrypted as it is written.
//!
//! Invariant: no clear text is written here. A blob gets its final name only when all its bytes and
//! its name are durable. A file here is never garbage because this process does not know it:
//! several processes may share the folder, and what may be deleted is in the index's journal
//! (`garbage`). This file does not know what an object is, and every function in it blocks.
//!
//! A reader of several blobs pins them by the first one, and pinned blobs are not deleted.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keywright_base::Entropy;
use keywright_store::contract::BlobName;
use keywright_vault::{ContentKey, SegmentWriter};

use crate::reservations::ReservedBlob;

/// The name of a blob: random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobId(pub(crate) BlobName);

/// The folder that holds the blobs.
pub(crate) struct BlobFolder {
    root: PathBuf,
    /// The number of readers by the first blob that they read.
    pins: Mutex<HashMap<BlobId, usize>>,
}

/// A blob that is being written. Dropping it unfinished removes it.
pub(crate) struct BlobDraft {
    file: File,
    key: ContentKey,
    writer: SegmentWriter,
    blob: ReservedBlob,
}

/// Keeps the blobs of an object readable until it is dropped.
pub(crate) struct BlobPin {
    blobs: Arc<BlobFolder>,
    first: BlobId,
}

impl BlobFolder {
    /// Opens the folder and creates its layout.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        make_folder(&root)?;
        make_folder(&root.join(DRAFTS))?;
        for shard in shards() {
            make_folder(&root.join(shard))?;
        }
        sync_folder(&root)?;
        Ok(Self {
            root,
            pins: Mutex::default(),
        })
    }

    /// The blobs that have a file, finished or not. Files with other names are ignored.
    pub(crate) fn files(&self) -> io::Result<HashSet<BlobId>> {
        let mut found = HashSet::new();
        for folder in shards().chain([DRAFTS.to_owned()]) {
            for entry in fs::read_dir(self.root.join(folder))? {
                found.extend(blob_of(&entry?.path()));
            }
        }
        Ok(found)
    }

    /// Starts a new blob.
    pub(crate) fn draft(&self, blob: ReservedBlob, entropy: &dyn Entropy) -> io::Result<BlobDraft> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.draft_path(blob.id()))?;
        let key = ContentKey::generate(entropy);
        Ok(BlobDraft {
            file,
            writer: key.writer().map_err(io::Error::other)?,
            key,
            blob,
        })
    }

    /// Makes a draft durable under its final name; also returns the key that it is encrypted with.
    pub(crate) fn finish(&self, mut draft: BlobDraft) -> io::Result<(ReservedBlob, ContentKey)> {
        let rest = draft.writer.finish().map_err(io::Error::other)?;
        draft.file.write_all(&rest)?;
        draft.file.sync_all()?;
        let id = draft.blob.id();
        let path = self.path(id);
        fs::rename(self.draft_path(id), &path)?;
        if let Some(shard) = path.parent() {
            sync_folder(shard)?;
        }
        Ok((draft.blob, draft.key))
    }

    pub(crate) fn read(&self, id: BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Pins the blobs of one object and opens the first of them. `NotFound` means that they have
    /// been removed: look up the object again.
    pub(crate) fn pin(self: &Arc<Self>, first: BlobId) -> io::Result<(BlobPin, File)> {
        *self.pins().entry(first).or_default() += 1;
        let pin = BlobPin {
            blobs: Arc::clone(self),
            first,
        };
        let file = self.read(first)?;
        Ok((pin, file))
    }

    /// Deletes the blobs of one object unless they are pinned. Returns whether none of them exists
    /// any more.
    pub(crate) fn delete(&self, ids: &[BlobId]) -> io::Result<bool> {
        let Some((first, rest)) = ids.split_first() else {
            return Ok(true);
        };
        {
            let pins = self.pins();
            if pins.contains_key(first) {
                return Ok(false);
            }
            // Under the lock, so that a reader has either pinned the blob before or does not find
            // it.
            self.unlink(*first)?;
        }
        rest.iter().try_for_each(|id| self.unlink(*id))?;
        Ok(true)
    }

    /// Removes a blob's file, finished or not.
    pub(crate) fn unlink(&self, id: BlobId) -> io::Result<()> {
        for path in [self.draft_path(id), self.path(id)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = hex::encode(id.0);
        let shard = name.get(..2).unwrap_or_default();
        self.root.join(shard).join(&name)
    }

    fn draft_path(&self, id: BlobId) -> PathBuf {
        self.root.join(DRAFTS).join(hex::encode(id.0))
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<BlobId, usize>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of unfinished blobs.
const DRAFTS: &str = "tmp";

impl BlobDraft {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.push(bytes).map_err(io::Error::other)?;
        let file = &mut self.file;
        self.writer.ready(|segments| file.write_all(segments))
    }
}

impl Drop for BlobPin {
    fn drop(&mut self) {
        let mut pins = self.blobs.pins();
        if let Some(readers) = pins.get_mut(&self.first) {
            *readers = readers.saturating_sub(1);
            if *readers == 0 {
                pins.remove(&self.first);
            }
        }
    }
}

/// The names of the folders of finished blobs.
fn shards() -> impl Iterator<Item = String> {
    (0..=u8::MAX).map(|shard| hex::encode([shard]))
}

fn blob_of(path: &Path) -> Option<BlobId> {
    let mut raw = [0; 16];
    hex::decode_to_slice(path.file_name()?.to_str()?, &mut raw).ok()?;
    Some(BlobId(raw))
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
