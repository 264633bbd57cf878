//! New access keys in place of those that cannot be imported, in a file as the console of AWS
//! offers it for download, with a column more.
//!
//! Invariants:
//!
//! - The file is new and readable by its owner only.
//! - A key is on disk before the next one is created, so an interruption loses at most one, which
//!   its user still has in the list of keys.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use keywright_aws::{AccountClient, IamIssuer};
use keywright_base::{Entropy, Secret};
use keywright_rotation::ports::{Issuer, IssuerError};
use keywright_server::SystemEntropy;
use keywright_store::durable;

use super::KeyRequest;
use crate::remote::printable;

/// The file of new keys.
#[derive(Debug)]
pub(super) struct KeyFile {
    file: File,
    path: PathBuf,
}

impl KeyFile {
    /// Creates the file with its header.
    ///
    /// # Errors
    /// If it exists, or cannot be written.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let cannot = || format!("cannot create {name}");
        let file = durable::create_private(path).with_context(cannot)?;
        let path = path.to_owned();
        let mut created = Self { file, path };
        let header = [
            "User name",
            "Access key ID",
            "Secret access key",
            "Replaces",
        ];
        created.append(header).with_context(cannot)?;
        Ok(created)
    }

    /// Removes the file, which has no keys yet. A failure leaves it.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Creates a key for each request and writes it. Users who have keys already, and those who do
    /// not exist, get none. Returns how many were created.
    ///
    /// # Errors
    /// If a key cannot be created or written. The keys before it are in the file.
    pub(super) async fn fill(
        mut self,
        client: AccountClient,
        requests: &[KeyRequest],
    ) -> anyhow::Result<usize> {
        let iam = IamIssuer(Arc::new(client));
        let (mut known, mut without) = (HashSet::new(), HashSet::new());
        let mut count = 0;
        for request in requests {
            let user = request.user.as_str();
            if known.insert(user) && may_get_keys(&iam, user).await? {
                without.insert(user);
            }
            if !without.contains(user) {
                continue;
            }
            let cannot = || format!("cannot create an access key for user {}", printable(user));
            let (pair, _) = iam.create(user, &token()).await.with_context(cannot)?;
            let row = [user, &pair.id.0, pair.secret.expose(), &request.replaces];
            self.append(row).context("cannot write the file of keys")?;
            count += 1;
        }
        Ok(count)
    }

    fn append(&mut self, row: [&str; 4]) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(row)?;
        let line = Secret::new(writer.into_inner()?);
        self.file.write_all(line.expose())?;
        self.file.sync_data()?;
        Ok(())
    }
}

/// Whether a user exists and has no access keys. Says so if not.
async fn may_get_keys(iam: &IamIssuer, user: &str) -> anyhow::Result<bool> {
    let reason = match iam.keys(user).await {
        Ok(listing) if listing.keys.is_empty() => return Ok(true),
        Ok(_) => "has access keys already",
        Err(IssuerError::NoSuchUser(_)) => "does not exist",
        Err(error) => return Err(error.into()),
    };
    let mut talk = anstream::stderr().lock();
    writeln!(
        talk,
        "no new access key for user {}, who {reason}",
        printable(user)
    )?;
    Ok(false)
}

/// A token that makes one creation repeatable.
fn token() -> String {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    hex::encode(bytes)
}
