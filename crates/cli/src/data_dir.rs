//! The data folder: master key, database, objects, and the root credentials and console password
//! from the first start.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use keywright_base::{AccountId, Entropy, Secret};
use keywright_fleet::journal::SqliteJournal;
use keywright_identity::service::RootCredentials;
use keywright_store::durable;
use keywright_vault::KEY_BYTES;

const MASTER_KEY: &str = "master.key";
const DATABASE: &str = "keywright.db";
const ROTATIONS: &str = "rotations.db";
const CREDENTIALS: &str = "root.credentials";
const ROOT_PASSWORD: &str = "root.password";

/// Files that only their owner may read.
const PRIVATE: [&str; 5] = [MASTER_KEY, DATABASE, ROTATIONS, CREDENTIALS, ROOT_PASSWORD];
/// How many folders deep the files of objects lie.
const SHARD_DEPTH: u32 = 2;
/// Bytes to read of a key file at most. Keys are shorter in every encoding.
const KEY_FILE_BYTES: u64 = 4096;

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Opens the folder and creates it if it does not exist. Rejects a folder in which others can
    /// write or read secrets: the secrets may have been read or replaced already, which no chmod
    /// would undo.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        if !path.is_dir() {
            durable::create_dir(&path)
                .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        }
        let metadata = path.metadata();
        let metadata = metadata.with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            metadata.mode() & 0o022 == 0,
            "others can write in the data folder {} (mode {:04o})\n\
             hint: chmod 700 {}, or use a folder in it, which is made where it is not there",
            path.display(),
            metadata.mode() & 0o7777,
            path.display()
        );
        for file in PRIVATE.map(|name| path.join(name)) {
            match file.metadata() {
                Ok(metadata) => check_private(&file, &metadata)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", file.display()));
                }
            }
        }
        Ok(Self(path))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    /// The folder of object data.
    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.0.join(CREDENTIALS)
    }

    /// The file with root's generated console password.
    pub(crate) fn root_password(&self) -> PathBuf {
        self.0.join(ROOT_PASSWORD)
    }

    /// The file with a new console password of another account's root.
    pub(crate) fn root_password_of(&self, account: AccountId) -> PathBuf {
        self.0.join(format!("root-{account}.password"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The master key, encrypted by a key service.
    fn wrapped(&self) -> PathBuf {
        self.0.join("master.key.wrapped")
    }

    /// The file of a master key change in progress.
    fn change(&self) -> PathBuf {
        self.0.join("master-key.change")
    }

    pub(crate) fn wrapped_key(&self) -> anyhow::Result<Option<String>> {
        let bytes = read(&self.wrapped())?;
        let text = bytes.map(String::from_utf8).transpose();
        text.with_context(|| format!("{} is damaged", self.wrapped().display()))
    }

    pub(crate) fn write_wrapped_key(&self, wrapped: &str) -> anyhow::Result<()> {
        replace(&self.wrapped(), wrapped.as_bytes())
    }

    pub(crate) fn remove_wrapped_key(&self) -> anyhow::Result<()> {
        self.remove(&self.wrapped())
    }

    pub(crate) fn write_master_key(&self, key: &Secret<Vec<u8>>) -> anyhow::Result<()> {
        replace(&self.0.join(MASTER_KEY), key.expose())
    }

    pub(crate) fn remove_master_key(&self) -> anyhow::Result<()> {
        self.remove(&self.0.join(MASTER_KEY))
    }

    pub(crate) fn read_change(&self) -> anyhow::Result<Option<Vec<u8>>> {
        read(&self.change())
    }

    pub(crate) fn write_change(&self, change: &[u8]) -> anyhow::Result<()> {
        replace(&self.change(), change)
    }

    pub(crate) fn remove_change(&self) -> anyhow::Result<()> {
        self.remove(&self.change())
    }

    /// Removes a file durably. A missing file is not an error.
    pub(crate) fn remove(&self, path: &Path) -> anyhow::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.with_context(|| format!("cannot remove {}", path.display()))?,
        }
        durable::sync_dir(&self.0).with_context(|| format!("cannot sync {}", self.0.display()))
    }

    /// Reads the master key in the folder. Creates one only if there is no database that an older
    /// key may have sealed.
    pub(crate) fn master_key(
        &self,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<Option<Secret<Vec<u8>>>> {
        let path = self.0.join(MASTER_KEY);
        match fs::read(&path) {
            Ok(bytes) => Ok((bytes.len() == KEY_BYTES).then(|| Secret::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let database = self.database();
                ensure!(
                    !database.exists(),
                    "{} is missing, and without it the secrets in {} cannot be opened\n\
                     hint: restore it from your backup, or say with --master-key where it is",
                    path.display(),
                    database.display()
                );
                let mut bytes = vec![0; KEY_BYTES];
                entropy.fill(&mut bytes);
                durable::create_new(&path, &bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Ok(Some(Secret::new(bytes)))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Rejects a folder in which objects, rotations or root's password are left of an installation
    /// whose database is missing or empty, as in a copy without `keywright.db-wal`. Opening it
    /// would create another account and remove the objects, which nothing refers to.
    ///
    /// # Errors
    /// With a message for the operator. Nothing was changed.
    pub(crate) fn check_nothing_left(&self) -> anyhow::Result<()> {
        let left = if has_files(&self.objects(), SHARD_DEPTH)? {
            self.objects()
        } else if SqliteJournal::has_rotations(&self.0)? {
            self.0.join(ROTATIONS)
        } else if self.root_password().exists() {
            self.root_password()
        } else {
            return Ok(());
        };
        bail!(
            "there is no account in the database {}, but {} is left of one\n\
             hint: this is an incomplete copy, for example one without keywright.db-wal: restore \
             the whole backup (docs/backup.md). For a new installation, use another --data-dir",
            self.database().display(),
            left.display()
        );
    }

    /// Writes the root credentials as an AWS credentials file with the profile `keywright-root`.
    /// Replaces the file of an earlier first start that failed before it created the account.
    pub(crate) fn write_credentials(&self, root: &RootCredentials) -> io::Result<()> {
        let text = Secret::new(format!(
            "[keywright-root]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            root.key,
            root.secret.expose()
        ));
        durable::replace(&self.credentials(), text.expose().as_bytes())
    }

    /// Writes root's console password.
    pub(crate) fn write_root_password(&self, password: &Secret<String>) -> io::Result<()> {
        Self::write_password(&self.root_password(), password)
    }

    /// Writes a password to a file: the password and a newline, nothing else.
    pub(crate) fn write_password(path: &Path, password: &Secret<String>) -> io::Result<()> {
        let text = Secret::new(format!("{}\n", password.expose()));
        durable::replace(path, text.expose().as_bytes())
    }
}

/// Whether a folder contains a file, at most this many folders deep.
fn has_files(folder: &Path, depth: u32) -> anyhow::Result<bool> {
    let at = || format!("cannot read {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.with_context(at)?,
    };
    for entry in entries {
        let entry = entry.with_context(at)?;
        let kind = entry.file_type().with_context(at)?;
        if !kind.is_dir() || (depth > 1 && has_files(&entry.path(), depth - 1)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Rejects a file that anyone but its owner can read or write.
fn check_private(path: &Path, metadata: &fs::Metadata) -> anyhow::Result<()> {
    ensure!(
        metadata.mode() & 0o077 == 0,
        "others can read or write {} (mode {:04o}), which is secret\nhint: chmod 600 {}",
        path.display(),
        metadata.mode() & 0o7777,
        path.display()
    );
    Ok(())
}

/// Reads a short file that only its owner can read.
///
/// # Errors
/// With a message for the operator.
pub(crate) fn read_private(path: &Path) -> anyhow::Result<Secret<Vec<u8>>> {
    let at = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(at)?;
    check_private(path, &file.metadata().with_context(at)?)?;
    let mut bytes = Vec::new();
    file.take(KEY_FILE_BYTES)
        .read_to_end(&mut bytes)
        .with_context(at)?;
    Ok(Secret::new(bytes))
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    durable::replace(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        path::Path,
    };

    use keywright_store::durable;

    use super::{DataDir, PRIVATE};

    fn opened(path: &Path) -> Result<(), String> {
        let data = DataDir::open(path.to_owned());
        data.map(drop).map_err(|error| error.to_string())
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_in_which_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, good) in [
            (0o700, true),
            (0o755, true),
            (0o770, false),
            (0o777, false),
            (0o1777, false),
        ] {
            set(folder.path(), mode);
            match opened(folder.path()) {
                Ok(()) => assert!(good, "{mode:o}"),
                Err(error) => {
                    assert!(!good, "{error}");
                    let hint = format!("hint: chmod 700 {}", folder.path().display());
                    assert!(error.contains(&hint), "{error}");
                }
            }
        }
        let made = folder.path().join("data");
        opened(&made).unwrap();
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_secret_file_that_others_can_read_or_write_is_refused() {
        for name in PRIVATE {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            durable::replace(&file, &[7; 32]).unwrap();
            opened(folder.path()).unwrap();
            for mode in [0o640, 0o604, 0o620] {
                set(&file, mode);
                let error = opened(folder.path()).unwrap_err();
                let hint = format!("hint: chmod 600 {}", file.display());
                assert!(error.contains(&hint), "{error}");
            }
        }
    }
}
