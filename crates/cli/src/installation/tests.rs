//! A change of the master key that is interrupted after each of its steps.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use keywright_base::{AccountId, Clock, Entropy, Secret};
use keywright_objects::{PutRequest, ReadAsk, Tags};
use keywright_server::{SystemClock, SystemEntropy};
use keywright_vault::MasterKey;

use super::Installation;
use crate::{
    data_dir::DataDir,
    master_key::{KeyChange, KeyLocation, KeySource},
};

const TEXT: &[u8] = b"clear text";

/// The steps of a change, in order.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Step {
    Written,
    Committed,
    SealedAgain,
    Settled,
}

async fn open(data: &DataDir, source: &KeySource) -> anyhow::Result<Installation> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    Installation::open(data.clone(), source, &clock, &entropy).await
}

async fn fill(installation: &Installation) {
    let account: AccountId = "111122223333".parse().unwrap();
    let identity = &installation.identity;
    identity.create_account(account, |_| Ok(())).await.unwrap();
    let objects = &installation.objects;
    let tags = Tags::new();
    let bucket = objects.create_bucket("bucket", account, "us-east-1", None, &tags);
    bucket.await.unwrap();
    for (key, times) in [("small", 1), ("large", 10_000)] {
        let body = stream::iter([Ok(TEXT.repeat(times).into())]).boxed();
        let put = objects.put("bucket", key, PutRequest::default(), body);
        put.await.unwrap();
    }
}

async fn check(installation: &Installation) {
    for (key, times) in [("small", 1), ("large", 10_000)] {
        let found = installation.objects.find("bucket", key).await.unwrap();
        let ask = ReadAsk::default();
        let read = installation.objects.read(found.unwrap(), &ask);
        let (_, reading) = read.await.unwrap();
        let chunks = reading.map_ok(|chunk| chunk.to_vec()).try_concat();
        assert_eq!(chunks.await.unwrap(), TEXT.repeat(times));
    }
}

fn key(byte: u8) -> MasterKey {
    MasterKey::new(Secret::new(vec![byte; 32])).unwrap()
}

fn source(folder: &std::path::Path, byte: u8) -> KeySource {
    let path = folder.join(format!("key-{byte}"));
    keywright_store::durable::replace(&path, &[byte; 32]).unwrap();
    KeySource::File(path)
}

#[tokio::test]
async fn a_start_with_either_key_ends_a_change_from_every_step() {
    use Step::{Committed, SealedAgain, Settled, Written};
    for step in [Written, Committed, SealedAgain, Settled] {
        for (home, with) in [
            (KeyLocation::Elsewhere, 1),
            (KeyLocation::Elsewhere, 2),
            (KeyLocation::Folder, 1),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::open(folder.path().join("data")).unwrap();
            let old = source(folder.path(), 1);
            let installation = open(&data, &old).await.unwrap();
            fill(&installation).await;
            let change = KeyChange {
                from: key(1),
                to: key(2),
                home: home.clone(),
            };
            data.write_change(&change.to_bytes(&SystemEntropy).unwrap())
                .unwrap();
            if step >= Committed {
                let keyring = installation.identity.keyring();
                keyring
                    .change_master(&change.to, SystemClock.now())
                    .await
                    .unwrap();
            }
            if step >= SealedAgain {
                installation.reseal().await.unwrap();
            }
            if step >= Settled {
                home.settle(&data, &change).unwrap();
            }
            drop(installation);

            let again = open(&data, &source(folder.path(), with)).await.unwrap();
            check(&again).await;
            assert!(again.finish_change().await.unwrap(), "{step:?}");
            assert!(!again.finish_change().await.unwrap());
            check(&again).await;
            assert!(!again.identity.is_stale());
            drop(again);

            assert!(
                open(&data, &old).await.is_err(),
                "{step:?}: the old key opens nothing"
            );
            let after = match home {
                KeyLocation::Folder => KeySource::Folder,
                _ => source(folder.path(), 2),
            };
            let after = open(&data, &after).await.unwrap();
            assert!(!after.objects.opened_stale());
            check(&after).await;
        }
    }
}
