//! The bytes of objects on local disk: one file per blob, encrypted as it is written.
//!
//! Invariant: no clear text is written here. A blob gets its final name only when all its bytes and
//! its name are durable, and is removed only when nothing refers to it. At worst, a crash leaves
//! files that nothing refers to; the next start sweeps them. This file does not know what an object
//! is, and every function in it blocks.
//!
//! A reader of several blobs pins them by the first one; removal of pinned blobs waits for the last
//! pin.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keywright_base::Entropy;
use keywright_vault::{ContentKey, SegmentWriter};

/// The name of a blob: random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobId(pub(crate) [u8; 16]);

/// The folder that holds the blobs.
pub(crate) struct BlobFolder {
    root: PathBuf,
    pub(crate) entropy: Arc<dyn Entropy>,
    pins: Mutex<HashMap<BlobId, PinnedBlob>>,
}

#[derive(Default)]
struct PinnedBlob {
    readers: usize,
    pending_delete: Vec<BlobId>,
}

/// A blob that is being written. Dropping it unfinished removes it.
pub(crate) struct BlobDraft {
    file: File,
    key: ContentKey,
    writer: SegmentWriter,
    id: BlobId,
    place: UnfinishedFile,
}

/// A file that is removed when it is dropped before it has its final name.
struct UnfinishedFile {
    path: PathBuf,
    done: bool,
}

/// Keeps the blobs of an object readable until it is dropped.
pub(crate) struct BlobPin {
    blobs: Arc<BlobFolder>,
    first: BlobId,
}

impl BlobFolder {
    /// Opens the folder, creates its layout, and removes unfinished files left by a crash.
    pub(crate) fn open(root: PathBuf, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        make_folder(&root)?;
        let drafts = root.join("tmp");
        make_folder(&drafts)?;
        for entry in fs::read_dir(&drafts)? {
            fs::remove_file(entry?.path())?;
        }
        for shard in 0..=u8::MAX {
            make_folder(&root.join(hex::encode([shard])))?;
        }
        sync_folder(&root)?;
        Ok(Self {
            root,
            entropy,
            pins: Mutex::default(),
        })
    }

    /// Removes every blob that is not in `used`; returns how many it removed.
    pub(crate) fn sweep(&self, used: &HashSet<BlobId>) -> io::Result<usize> {
        let mut swept = 0;
        for shard in 0..=u8::MAX {
            for entry in fs::read_dir(self.root.join(hex::encode([shard])))? {
                let path = entry?.path();
                if !blob_of(&path).is_some_and(|id| used.contains(&id)) {
                    fs::remove_file(path)?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Starts a new blob.
    pub(crate) fn draft(&self) -> io::Result<BlobDraft> {
        let mut raw = [0; 16];
        self.entropy.fill(&mut raw);
        let id = BlobId(raw);
        let path = self.root.join("tmp").join(hex::encode(raw));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let key = ContentKey::generate(&*self.entropy);
        Ok(BlobDraft {
            file,
            writer: key.writer().map_err(io::Error::other)?,
            key,
            id,
            place: UnfinishedFile { path, done: false },
        })
    }

    /// Makes a draft durable under its final name; also returns the key that it is encrypted with.
    pub(crate) fn finish(&self, mut draft: BlobDraft) -> io::Result<(BlobId, ContentKey)> {
        let rest = draft.writer.finish().map_err(io::Error::other)?;
        draft.file.write_all(&rest)?;
        draft.file.sync_all()?;
        let path = self.path(draft.id);
        fs::rename(&draft.place.path, &path)?;
        draft.place.done = true;
        if let Some(shard) = path.parent() {
            sync_folder(shard)?;
        }
        Ok((draft.id, draft.key))
    }

    pub(crate) fn read(&self, id: BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Pins the blobs of one object and opens the first of them. `NotFound` means that they have
    /// been removed: look up the object again.
    pub(crate) fn pin(self: &Arc<Self>, first: BlobId) -> io::Result<(BlobPin, File)> {
        self.pins().entry(first).or_default().readers += 1;
        let pin = BlobPin {
            blobs: Arc::clone(self),
            first,
        };
        let file = self.read(first)?;
        Ok((pin, file))
    }

    /// Removes the blobs of one object, or leaves the removal to the last pin. A failed removal is
    /// logged; the next start sweeps.
    pub(crate) fn remove(&self, ids: &[BlobId]) {
        let Some((first, rest)) = ids.split_first() else {
            return;
        };
        {
            let mut pins = self.pins();
            if let Some(pinned) = pins.get_mut(first) {
                pinned.pending_delete.extend_from_slice(ids);
                return;
            }
            // Under the lock, so that a reader has either pinned the blob before or does not find
            // it.
            self.unlink(*first);
        }
        for id in rest {
            self.unlink(*id);
        }
    }

    fn unlink(&self, id: BlobId) {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a blob could not be removed");
            }
            _ => {}
        }
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = hex::encode(id.0);
        let shard = name.get(..2).unwrap_or_default();
        self.root.join(shard).join(&name)
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<BlobId, PinnedBlob>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobDraft {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.push(bytes).map_err(io::Error::other)?;
        let file = &mut self.file;
        self.writer.ready(|segments| file.write_all(segments))
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for BlobPin {
    fn drop(&mut self) {
        let pending_delete = {
            let mut pins = self.blobs.pins();
            let Some(pinned) = pins.get_mut(&self.first) else {
                return;
            };
            pinned.readers = pinned.readers.saturating_sub(1);
            if pinned.readers > 0 {
                return;
            }
            pins.remove(&self.first)
                .map(|pinned| pinned.pending_delete)
                .unwrap_or_default()
        };
        for id in pending_delete {
            self.blobs.unlink(id);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, io::Read, sync::Arc};

    use super::BlobFolder;
    use crate::testing::SeededEntropy;

    #[test]
    fn only_finished_blobs_exist_and_only_used_ones_survive_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            || BlobFolder::open(folder.path().into(), Arc::new(SeededEntropy::default())).unwrap();
        let blobs = open();
        let mut retained = blobs.draft().unwrap();
        retained.write(b"kept").unwrap();
        let (retained, _) = blobs.finish(retained).unwrap();
        let (stray, _) = blobs.finish(blobs.draft().unwrap()).unwrap();
        std::mem::forget(blobs.draft().unwrap());
        let blobs = open();
        assert_eq!(
            std::fs::read_dir(folder.path().join("tmp"))
                .unwrap()
                .count(),
            0
        );
        assert_eq!(blobs.sweep(&HashSet::from([retained])).unwrap(), 1);
        assert!(blobs.read(stray).is_err());
        let mut stored = Vec::new();
        blobs
            .read(retained)
            .unwrap()
            .read_to_end(&mut stored)
            .unwrap();
        assert_eq!(stored.len(), 4 + 16, "a text and its tag");
        assert!(!stored.starts_with(b"kept"));
    }

    #[test]
    fn a_removal_waits_for_the_last_pin() {
        let folder = tempfile::tempdir().unwrap();
        let blobs =
            BlobFolder::open(folder.path().into(), Arc::new(SeededEntropy::default())).unwrap();
        let blobs = Arc::new(blobs);
        let [a, b] = [(), ()].map(|()| blobs.finish(blobs.draft().unwrap()).unwrap().0);
        let (one, _) = blobs.pin(a).unwrap();
        let (two, _) = blobs.pin(a).unwrap();
        blobs.remove(&[a, b]);
        drop(one);
        assert!(blobs.read(b).is_ok());
        drop(two);
        assert!(blobs.read(a).is_err() && blobs.read(b).is_err());
        assert!(blobs.pin(a).is_err());
    }
}
