//! The disk reserve: allocated blocks that only IAM writes and deletions may use, so that a full
//! disk cannot keep a leaked key active.
//!
//! Invariant: object bodies are admitted only while the whole reserve is held and there is headroom
//! beside it. Writes that must succeed on a full disk take slices of the reserve, which is refilled
//! once there is space. The reserve does not know who writes what.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};

const FILE: &str = "disk.reserve";
/// The size of the reserve: twice what a checkpoint of the longest write-ahead log can add to the
/// database.
pub const RESERVE_BYTES: u64 = 32 * MIB;
/// Free space beside the reserve below which bodies are rejected. Uploads in progress may write
/// this much before the disk is measured again.
pub const HEADROOM_BYTES: u64 = 16 * MIB;
/// The amount released or taken back at a time. Small, because any process can take what is
/// released.
const SLICE_BYTES: u64 = 4 * MIB;
/// Free space below which the database writer conserves blocks.
const TIGHT_BYTES: u64 = 8 * MIB;
/// Bytes of bodies between two measurements of the disk.
const LOOK_BYTES: u64 = 4 * MIB;
const MIB: u64 = 1024 * 1024;

/// The disk is too full for object bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk is full up to its reserve")]
pub struct DiskFull;

/// The reserve of one data folder.
#[derive(Debug)]
pub struct DiskReserve {
    path: PathBuf,
    /// A folder on the measured file system.
    folder: File,
    held: Mutex<HeldBlocks>,
    /// The bytes held, readable without waiting for a refill.
    held_bytes: AtomicU64,
    measured: Mutex<MeasuredSpace>,
    /// Whether bodies are being rejected, to log each change only once.
    rejecting: AtomicBool,
}

#[derive(Debug)]
struct HeldBlocks {
    /// `None` while the disk is too full even for an empty file.
    file: Option<File>,
    bytes: u64,
}

/// The free space at the last measurement, and the bytes admitted since.
#[derive(Debug, Default)]
struct MeasuredSpace {
    free: u64,
    admitted: u64,
}

impl DiskReserve {
    /// Opens the reserve of a data folder, creating it if it is missing, and fills it as far as the
    /// disk allows. Blocking.
    ///
    /// # Errors
    /// When the folder or the file cannot be used. A full disk is not an error.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let file = match open_private(&path) {
            Err(error) if is_full(&error) => None,
            other => Some(other?),
        };
        let bytes = file.as_ref().map_or(Ok(0), blocks_of)?;
        let reserve = Self {
            path,
            folder: File::open(folder)?,
            held: Mutex::new(HeldBlocks { file, bytes }),
            held_bytes: AtomicU64::new(bytes),
            measured: Mutex::default(),
            rejecting: AtomicBool::new(false),
        };
        reserve.refill();
        Ok(reserve)
    }

    /// Admits a request that will store `announced` bytes, if it announces a length. Measures the
    /// disk.
    ///
    /// # Errors
    /// [`DiskFull`].
    pub fn admit(&self, announced: u64) -> Result<(), DiskFull> {
        let mut measured = self.measured();
        self.measure(&mut measured);
        self.judge(&measured, announced)
    }

    /// Counts bytes of a body as they arrive. Measures the disk every few megabytes.
    ///
    /// # Errors
    /// [`DiskFull`].
    pub fn charge(&self, bytes: u64) -> Result<(), DiskFull> {
        let mut measured = self.measured();
        measured.admitted = measured.admitted.saturating_add(bytes);
        if measured.admitted > LOOK_BYTES {
            self.measure(&mut measured);
            measured.admitted = bytes;
        }
        self.judge(&measured, 0)
    }

    /// Whether so little space is free that a database writer must conserve blocks.
    pub fn is_tight(&self) -> bool {
        self.free() < TIGHT_BYTES
    }

    /// Releases a slice of the reserve for a write that needs it now. Returns false when nothing is
    /// left.
    pub fn release_slice(&self) -> bool {
        let mut held = self.held();
        let HeldBlocks {
            file: Some(file),
            bytes,
        } = &mut *held
        else {
            return false;
        };
        let left = bytes.saturating_sub(SLICE_BYTES);
        // Journaling file systems free the blocks only once the change is on disk.
        if *bytes == 0 || file.set_len(left).and_then(|()| file.sync_all()).is_err() {
            return false;
        }
        *bytes = left;
        self.held_bytes.store(left, Ordering::Relaxed);
        tracing::warn!(
            left,
            "the disk is full; a slice of its reserve was released"
        );
        true
    }

    /// Releases slices until this many bytes are free or nothing is left.
    pub fn make_room(&self, bytes: u64) {
        while self.free() < bytes && self.release_slice() {}
    }

    /// Takes back what was released, as far as the disk has space to spare.
    pub fn refill(&self) {
        let mut held = self.held();
        while held.bytes < RESERVE_BYTES && self.free() >= SLICE_BYTES + TIGHT_BYTES {
            let at = held.bytes;
            let Ok(file) = held
                .file
                .take()
                .map_or_else(|| open_private(&self.path), Ok)
            else {
                break;
            };
            let taken = allocate(&file, at, SLICE_BYTES);
            if taken.is_err() {
                // Whether a part was allocated does not matter, since it is cut off here.
                let _ = file.set_len(at);
            }
            held.file = Some(file);
            match taken {
                Ok(()) => {
                    held.bytes += SLICE_BYTES;
                    self.held_bytes.store(held.bytes, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::debug!(%error, "the disk reserve was not filled");
                    break;
                }
            }
        }
        drop(held);
        let mut measured = self.measured();
        self.measure(&mut measured);
        let _ = self.judge(&measured, 0);
    }

    fn judge(&self, measured: &MeasuredSpace, announced: u64) -> Result<(), DiskFull> {
        let held = self.held_bytes.load(Ordering::Relaxed);
        let needed = HEADROOM_BYTES.saturating_add(measured.admitted);
        let low = held < RESERVE_BYTES || measured.free < needed;
        if self.rejecting.swap(low, Ordering::Relaxed) != low {
            let (free, reserve) = (measured.free, held);
            if low {
                tracing::warn!(free, reserve, "the disk is full: uploads get SlowDown");
            } else {
                tracing::warn!(
                    free,
                    reserve,
                    "the disk has space again: uploads are accepted"
                );
            }
        }
        if low || measured.free < needed.saturating_add(announced) {
            Err(DiskFull)
        } else {
            Ok(())
        }
    }

    fn measure(&self, measured: &mut MeasuredSpace) {
        *measured = MeasuredSpace {
            free: self.free(),
            admitted: 0,
        };
    }

    /// Returns the bytes that an unprivileged process can still write. A disk that cannot be
    /// measured counts as full.
    fn free(&self) -> u64 {
        match fstatvfs(&self.folder) {
            // A file system without a size, for example an unlimited tmpfs.
            Ok(found) if found.f_blocks == 0 => u64::MAX,
            Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
            Err(error) => {
                tracing::error!(%error, "the free space of the disk cannot be measured");
                0
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HeldBlocks> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measured(&self) -> MutexGuard<'_, MeasuredSpace> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error means that the disk, or the user's disk quota, is full.
pub fn is_full(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Allocates blocks for a range of a file, so that writing there cannot fail for lack of space. The
/// file grows to the end of the range.
///
/// # Errors
/// Disk errors; [`is_full`] tells whether the disk is full.
pub(crate) fn allocate(file: &File, at: u64, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), at, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => fill(file, at, bytes),
        other => Ok(other?),
    }
}

/// For file systems that cannot preallocate: writes incompressible data.
fn fill(file: &File, at: u64, bytes: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut state = at | 1;
    let mut block = vec![0_u8; 64 * 1024];
    let mut done = 0;
    while done < bytes {
        for word in block.chunks_exact_mut(8) {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all_at(&block, at + done)?;
        done += 64 * 1024;
    }
    file.sync_all()
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The bytes allocated to a file. A sparse copy, from a backup, has none.
fn blocks_of(file: &File) -> io::Result<u64> {
    let found = file.metadata()?;
    if found.blocks().saturating_mul(512) >= found.len() && found.len() <= RESERVE_BYTES {
        return Ok(found.len());
    }
    file.set_len(0)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::{DiskFull, DiskReserve, FILE, HEADROOM_BYTES, RESERVE_BYTES, SLICE_BYTES};

    fn blocks(folder: &tempfile::TempDir) -> u64 {
        fs::metadata(folder.path().join(FILE)).unwrap().blocks() * 512
    }

    #[test]
    fn what_is_held_is_real_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = DiskReserve::open(folder.path()).unwrap();
        assert!(blocks(&folder) >= RESERVE_BYTES);
        assert_eq!(reserve.admit(1), Ok(()));
        assert!(reserve.release_slice());
        assert!(blocks(&folder) <= RESERVE_BYTES - SLICE_BYTES + 4096);
        assert_eq!(reserve.admit(1), Err(DiskFull), "the reserve is not whole");
        reserve.refill();
        assert!(blocks(&folder) >= RESERVE_BYTES);
        assert_eq!(reserve.admit(1), Ok(()));
        while reserve.release_slice() {}
        assert!(blocks(&folder) <= 4096);
    }

    #[test]
    fn bodies_leave_the_headroom() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = DiskReserve::open(folder.path()).unwrap();
        assert_eq!(reserve.admit(reserve.free()), Err(DiskFull));
        reserve.measured().free = HEADROOM_BYTES + 10;
        assert_eq!(reserve.charge(10), Ok(()));
        assert_eq!(reserve.charge(1), Err(DiskFull));
    }

    #[test]
    fn a_copy_with_holes_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join(FILE)).unwrap();
        file.set_len(RESERVE_BYTES).unwrap();
        let _reserve = DiskReserve::open(folder.path()).unwrap();
        assert!(blocks(&folder) >= RESERVE_BYTES);
    }

    #[test]
    fn file_systems_that_cannot_reserve_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join(FILE)).unwrap();
        super::fill(&file, 0, SLICE_BYTES).unwrap();
        assert!(blocks(&folder) >= SLICE_BYTES);
    }
}
