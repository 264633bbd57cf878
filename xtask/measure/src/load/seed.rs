//! Data folders with many users. They are created once with the identity crate and stored beside
//! the binaries; a run works on a copy.
//!
//! Every user has one access key, one tag and two attached policies. An account holds at most 5,000
//! users, as on AWS, so more users need several accounts.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use keywright_base::{
    AccessKeyId, AccountId, Clock, Entropy, IdKind, Secret, Timestamp, UniqueId, limits,
};
use keywright_identity::{
    Identity,
    service::IdentityParts,
    state::{AccessKey, DirectGrants, KeyMaterial, KeyStatus, StateChange, Tag, User},
    vault::{DataVault, KEY_BYTES, SealPurpose},
};
use keywright_server::{SystemClock, SystemEntropy};
use keywright_store::{contract::Store, durable, sqlite::SqliteStore};

use crate::{
    installation::{binaries, fresh_folder},
    requests::Key,
};

/// Part of the folder's name. Change it to create all seeds again.
const FORM: u32 = 1;
const POLICIES: [&str; 2] = [
    "arn:aws:iam::aws:policy/IAMFullAccess",
    "arn:aws:iam::aws:policy/AmazonS3FullAccess",
];
/// One line per user: key ID, space, secret.
const KEYS: &str = "seed.keys";

/// A data folder and its users' keys.
pub(crate) struct Seeded {
    /// The folder.
    pub(crate) data: PathBuf,
    /// One key per user.
    pub(crate) keys: Vec<Key>,
}

/// A fresh copy of the data folder with this number of users.
///
/// # Errors
/// If it cannot be created.
pub(crate) fn folder(users: usize) -> anyhow::Result<Seeded> {
    let name = format!("seed-{FORM}-{users}");
    let seeded = binaries()?.join("measure").join(&name);
    if !seeded.exists() {
        let unfinished = fresh_folder(&format!("{name}.unfinished"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        runtime.block_on(make(&unfinished, users))?;
        drop(runtime);
        fs::rename(&unfinished, &seeded)?;
    }
    let data = fresh_folder(&format!("data-{users}"))?;
    for entry in fs::read_dir(&seeded)? {
        let entry = entry?;
        fs::copy(entry.path(), data.join(entry.file_name()))?;
    }
    let keys = fs::read_to_string(seeded.join(KEYS))?;
    let key = |line: &str| {
        let (id, secret) = line.split_once(' ')?;
        Some(Key {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
        })
    };
    let keys: Option<Vec<Key>> = keys.lines().map(key).collect();
    Ok(Seeded {
        data,
        keys: keys.context("a damaged seed; remove its folder")?,
    })
}

async fn make(folder: &Path, users: usize) -> anyhow::Result<()> {
    let mut master = vec![0; KEY_BYTES];
    SystemEntropy.fill(&mut master);
    durable::create_new(&folder.join("master.key"), &master)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("keywright.db"))?);
    let identity = Identity::open(IdentityParts {
        store: Arc::clone(&store),
        master_key: Secret::new(master),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        projections: Vec::new(),
    });
    let identity = identity.await?;
    let mut lines = String::new();
    let mut first = 0;
    while first < users {
        let end = users.min(first + limits::USERS_PER_ACCOUNT);
        let number = first / limits::USERS_PER_ACCOUNT;
        let account = AccountId::new(100_000_000_000 + u64::try_from(number)?)?;
        let keep = |_: &_| Ok(());
        identity.create_account(account, keep).await?;
        let cell = identity.ledger().account(account).context("no account")?;
        let mut changes = Vec::new();
        for number in first..end {
            let (user, secret) = user(account, number, identity.vault())?;
            let id = user.keys.first().context("no key")?.id;
            lines.push_str(&format!("{id} {}\n", secret.expose()));
            changes.push(StateChange::put_user(user));
        }
        let compute = |_: &_| Ok::<_, std::convert::Infallible>(((), changes.clone()));
        match identity.ledger().write(&cell, compute).await? {
            Ok(()) => first = end,
        }
    }
    durable::create_new(&folder.join(KEYS), lines.as_bytes())?;
    Ok(())
}

fn user(
    account: AccountId,
    number: usize,
    vault: &DataVault,
) -> anyhow::Result<(User, Secret<String>)> {
    let created = now();
    let id = AccessKeyId::generate(account, &SystemEntropy);
    let secret = Secret::new(format!("load/{id}/{number:014}"));
    let place = (SealPurpose::AccessKey, id.as_str());
    let sealed = vault.seal(place, secret.expose().as_bytes(), &SystemEntropy)?;
    let key = AccessKey {
        id,
        status: KeyStatus::Active,
        created,
        replay: None,
        material: Arc::new(KeyMaterial::new(sealed)),
    };
    let tag = Tag {
        key: "team".to_owned(),
        value: format!("team-{}", number % 100),
    };
    let user = User {
        id: UniqueId::generate(IdKind::User, account, &SystemEntropy),
        path: "/".to_owned(),
        name: format!("user-{number:06}"),
        created,
        tags: vec![tag],
        keys: vec![key],
        login: None,
        grants: DirectGrants {
            inline: Vec::new(),
            attached: POLICIES.map(Arc::from).to_vec(),
        },
        boundary: None,
        groups: Vec::new(),
        effective: None.into(),
    };
    Ok((user, secret))
}

fn now() -> Timestamp {
    SystemClock.now().truncate_to_secs()
}
