//! A change of the master key over a real store, interrupted after each of its commits.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use keywright_base::{AccountId, Clock, Entropy, Secret, Timestamp};
use keywright_store::sqlite::{self, SqliteStore};

use super::{KeyringError, RETENTION_SECS, opens};
use crate::{
    Identity,
    authenticate::open_secret,
    service::{IdentityParts, OpenFault},
    vault::MasterKey,
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let first = self.0.fetch_add(1, Ordering::Relaxed);
        for (slot, value) in buffer.iter_mut().zip(first..) {
            *slot = value;
        }
    }
}

const ACCOUNT: &str = "123456789012";

async fn open(path: &Path, byte: u8) -> Result<Arc<Identity>, OpenFault> {
    let parts = IdentityParts {
        store: Arc::new(SqliteStore::open(path).unwrap()),
        master_key: Secret::new(vec![byte; 32]),
        clock: Arc::new(Noon),
        entropy: Arc::new(Counting(AtomicU8::new(byte))),
        projections: Vec::new(),
    };
    Identity::open(parts).await
}

fn master(byte: u8) -> MasterKey {
    MasterKey::new(Secret::new(vec![byte; 32])).unwrap()
}

/// The secret of root's key, from the in-memory state.
fn secret(identity: &Identity) -> Option<String> {
    let account = identity.ledger().account(ACCOUNT.parse().unwrap()).unwrap();
    let snapshot = account.snapshot();
    let key = snapshot.root().keys.first().unwrap();
    let opened = open_secret(identity.vault(), key).ok()?;
    Some(opened.expose().clone())
}

#[tokio::test]
async fn a_change_of_the_master_key_reaches_every_secret_whenever_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let identity = open(&path, 7).await.unwrap();
    let account: AccountId = ACCOUNT.parse().unwrap();
    let root = identity.create_account(account, |_| Ok(())).await.unwrap();
    let wanted = Some(root.secret.expose().clone());
    assert!(!identity.is_stale());

    // Stopped after the commit that changes the ring.
    identity
        .keyring()
        .change_master(&master(8), Noon.now())
        .await
        .unwrap();
    assert_eq!(secret(&identity), wanted);
    drop(identity);
    let stored = sqlite::records(&path, AccountId::INSTALLATION).unwrap();
    assert!(opens(&stored, &master(8)) && !opens(&stored, &master(7)));
    let refused = open(&path, 7).await.unwrap_err();
    assert!(matches!(
        refused,
        OpenFault::Keyring(KeyringError::WrongMasterKey { .. })
    ));
    let text = refused.to_string();
    assert!(text.contains(&master(8).id().to_string()), "{text}");

    // What was not resealed is readable until the next start finds it.
    let identity = open(&path, 8).await.unwrap();
    assert!(identity.is_stale());
    assert_eq!(secret(&identity), wanted);
    assert_eq!(identity.reseal().await.unwrap(), 1);
    assert_eq!(identity.reseal().await.unwrap(), 0);
    assert!(!identity.is_stale());
    drop(identity);

    // The old data key stays as long as a session token may need it.
    let identity = open(&path, 8).await.unwrap();
    let keyring = identity.keyring();
    assert!(
        keyring
            .expired(Noon.now().plus_secs(RETENTION_SECS - 1))
            .unwrap()
            .is_empty()
    );
    let expired = keyring
        .expired(Noon.now().plus_secs(RETENTION_SECS))
        .unwrap();
    assert_eq!(expired, [1]);
    keyring.forget(&expired).await.unwrap();
    assert_eq!(
        (secret(&identity), identity.vault().numbers()),
        (wanted.clone(), vec![2])
    );
    drop(identity);
    let identity = open(&path, 8).await.unwrap();
    assert_eq!(secret(&identity), wanted);
}
