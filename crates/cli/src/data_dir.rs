//! The data folder: master key, database, objects, and the root credentials and console password
//! of the first start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use keywright_base::{Entropy, Secret};
use keywright_identity::service::RootCredentials;
use keywright_store::durable;
use keywright_vault::KEY_BYTES;

/// The folder and what lies in it.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Opens the folder, and makes it if it is not there.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        if !path.is_dir() {
            durable::create_dir(&path)
                .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        }
        Ok(Self(path))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("keywright.db")
    }

    /// The folder of the objects' bytes.
    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.0.join("root.credentials")
    }

    /// The console password that was made for root.
    pub(crate) fn root_password(&self) -> PathBuf {
        self.0.join("root.password")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The master key; a new one only where there is no database that an older one may have sealed.
    pub(crate) fn master_key(&self, entropy: &dyn Entropy) -> anyhow::Result<Secret<Vec<u8>>> {
        let path = self.0.join("master.key");
        match fs::read(&path) {
            Ok(bytes) => {
                ensure!(
                    bytes.len() == KEY_BYTES,
                    "{} is not a master key",
                    path.display()
                );
                Ok(Secret::new(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let database = self.database();
                ensure!(
                    !database.exists(),
                    "{} is missing, and without it the secrets in {} cannot be opened\n\
                     hint: restore it from your backup",
                    path.display(),
                    database.display()
                );
                let mut bytes = vec![0; KEY_BYTES];
                entropy.fill(&mut bytes);
                durable::create_new(&path, &bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Ok(Secret::new(bytes))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the root credentials as an AWS credentials file with the profile `keywright-root`.
    /// It replaces the file of a first start that did not get as far as its account.
    pub(crate) fn write_credentials(&self, root: &RootCredentials) -> io::Result<()> {
        let text = Secret::new(format!(
            "[keywright-root]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            root.key,
            root.secret.expose()
        ));
        durable::replace(&self.credentials(), text.expose().as_bytes())
    }

    /// Writes the console password of root: the password and a line end, nothing else.
    pub(crate) fn write_root_password(&self, password: &Secret<String>) -> io::Result<()> {
        let text = Secret::new(format!("{}\n", password.expose()));
        durable::replace(&self.root_password(), text.expose().as_bytes())
    }
}
