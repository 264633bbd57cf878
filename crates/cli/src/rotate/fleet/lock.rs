//! Limits a journal to one fleet run at a time: `flock` on a file beside it.
//!
//! The lock is released when the process ends, in whatever way.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::Context;

const FILE: &str = "fleet.lock";
/// Size limit of the fleet's name in the lock file, in bytes.
const NAME_BYTES: u64 = 16 * 1024;
/// The pause between attempts while another fleet's run holds the lock.
const PAUSE: Duration = Duration::from_millis(500);

/// Exclusive access to a journal for a fleet run, released on drop.
#[derive(Debug)]
pub(super) struct RunLock {
    /// Locked while open.
    _file: File,
}

impl RunLock {
    /// Takes the lock. Returns `None` if another run of the same fleet holds it, since that run
    /// does the work. Waits for a run of another fleet.
    ///
    /// # Errors
    /// If the journal's folder is unusable.
    pub(super) async fn take(journal: &Path, fleet: &Path) -> anyhow::Result<Option<Self>> {
        let path = journal.join(FILE);
        let cannot = || format!("cannot lock {}", path.display());
        let fleet = std::fs::canonicalize(fleet).with_context(cannot)?;
        let name = fleet.as_os_str().as_encoded_bytes();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = options.open(&path).with_context(cannot)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
                Err(TryLockError::WouldBlock) => {}
            }
            let mut theirs = Vec::new();
            file.rewind().with_context(cannot)?;
            let mut reader = (&mut file).take(NAME_BYTES);
            reader.read_to_end(&mut theirs).with_context(cannot)?;
            if theirs == name {
                return Ok(None);
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a lock says nothing when it is free"
            )]
            tokio::time::sleep(PAUSE).await;
        }
        file.set_len(0).with_context(cannot)?;
        file.rewind().with_context(cannot)?;
        file.write_all(name).with_context(cannot)?;
        Ok(Some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path};

    use futures_util::FutureExt;

    use super::RunLock;

    async fn take(folder: &Path, name: &str) -> Option<RunLock> {
        RunLock::take(folder, &folder.join(name)).await.unwrap()
    }

    #[tokio::test]
    async fn the_same_fleet_ends_and_another_waits() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.toml", "b.toml"] {
            File::create(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink("a.toml", folder.path().join("link.toml")).unwrap();
        let first = take(folder.path(), "a.toml").await;
        assert!(first.is_some());
        assert!(take(folder.path(), "a.toml").await.is_none());
        assert!(
            take(folder.path(), "link.toml").await.is_none(),
            "the same file"
        );
        let mut other = std::pin::pin!(take(folder.path(), "b.toml"));
        assert!(other.as_mut().now_or_never().is_none(), "it waits");
        drop(first);
        let other = other.await;
        assert!(other.is_some());
        drop(other);
        assert!(take(folder.path(), "a.toml").await.is_some());
        let missing = RunLock::take(folder.path(), Path::new("/no/such/fleet")).await;
        assert!(missing.is_err());
    }
}
