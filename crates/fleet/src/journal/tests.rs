//! The journal's contract, its sealing and its hash chain.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use keywright_base::{Clock, Entropy, Secret, Timestamp};
use keywright_rotation::{
    model::{KeyId, Phase, Rotation, RotationId, RotationOrigin, RotationRules, RotationSecrets},
    ports::{JournalError, RotationJournal},
};

use keywright_vault::{DataVault, MasterKey};

use super::{HistoryFilter, RotationFilter, SqliteJournal};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

struct Counting;

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for (slot, value) in buffer.iter_mut().zip(1..) {
            *slot = value;
        }
    }
}

fn open(folder: &Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(folder, Arc::new(Noon), Arc::new(Counting))
}

fn rotation(id: &str, user_id: &str) -> Rotation {
    Rotation {
        id: RotationId(id.to_owned()),
        generation: 1,
        access: "{}".to_owned(),
        origin: RotationOrigin::default(),
        account: "123456789012".to_owned(),
        user: "RotateKeyUser".to_owned(),
        user_id: user_id.to_owned(),
        arn: String::new(),
        old: KeyId("AKIAIOSFODNN7EXAMPLE".to_owned()),
        rules: RotationRules::SAFE,
        calendar: None,
        incident: None,
        phase: Phase::Planned,
        since: Noon.now(),
        pre_image: Vec::new(),
        new: None,
        orphan: None,
        verified: false,
        blind_secs: 0,
        used_before: None,
        used_last: None,
        last_known: None,
        checked: None,
        retrieved: None,
        adopted: None,
        override_unused: None,
        reactivated: false,
        deliveries: Vec::new(),
        held: None,
        not_before: Timestamp::default(),
        why_back: None,
        missing: None,
        secrets: RotationSecrets {
            new: Some(Secret::new("the-new-secret".to_owned())),
            old: Some(Secret::new("the-old-secret".to_owned())),
            backups: vec![None, Some(Secret::new(b"the-old-file".to_vec()))],
        },
    }
}

fn next(rotation: &Rotation, phase: Phase) -> Rotation {
    let mut next = rotation.clone();
    next.generation += 1;
    next.phase = phase;
    next
}

#[tokio::test]
async fn a_rotation_survives_a_restart_with_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let first = rotation("r-1", "AIDA1");
    {
        let journal = open(folder.path()).unwrap();
        journal.begin(&first).await.unwrap();
        journal
            .advance(&next(&first, Phase::Created), "created")
            .await
            .unwrap();
    }
    let journal = open(folder.path()).unwrap();
    let found = journal.rotation(&first.id).await.unwrap().unwrap();
    assert_eq!(found, next(&first, Phase::Created));
    assert_eq!(
        journal.open().await.unwrap(),
        std::slice::from_ref(&first.id)
    );
    let open = journal.open_of("123456789012", "AIDA1").await.unwrap();
    assert_eq!(open.unwrap().id, first.id);
    assert!(
        journal
            .open_of("123456789012", "AIDA2")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn of_two_who_go_on_one_wins_and_a_user_has_one_open_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()).unwrap(), open(folder.path()).unwrap());
    let first = rotation("r-1", "AIDA1");
    one.begin(&first).await.unwrap();
    let again = two.begin(&rotation("r-2", "AIDA1")).await;
    assert_eq!(again, Err(JournalError::Open(first.id.clone())));
    two.begin(&rotation("r-3", "AIDA2")).await.unwrap();

    let step = next(&first, Phase::Creating);
    let (a, b) = tokio::join!(one.advance(&step, "a"), two.advance(&step, "b"));
    assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|ok| **ok).count(), 1);
    assert!(a.is_ok() || a == Err(JournalError::Conflict));
    assert!(b.is_ok() || b == Err(JournalError::Conflict));

    two.advance(&next(&step, Phase::Done), "done")
        .await
        .unwrap();
    one.begin(&rotation("r-2", "AIDA1")).await.unwrap();
    let over = one
        .advance(&next(&next(&step, Phase::Done), Phase::Planned), "x")
        .await;
    assert_eq!(over, Err(JournalError::Conflict), "what is over stays over");
}

#[tokio::test]
async fn secrets_are_sealed_and_go_when_the_rotation_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    let first = rotation("r-1", "AIDA1");
    journal.begin(&first).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for secret in [
            b"the-new-secret".as_slice(),
            b"the-old-secret",
            b"the-old-file",
        ] {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{}", path.display());
        }
    }
    assert_eq!(journal.last_done("123456789012").await, Ok(None));
    journal
        .advance(&next(&first, Phase::Done), "done")
        .await
        .unwrap();
    let done = journal.last_done("123456789012").await;
    assert_eq!(done, Ok(Some(Noon.now())));
    assert_eq!(journal.last_done("000000000000").await, Ok(None));
    let found = journal.rotation(&first.id).await.unwrap().unwrap();
    assert_eq!(found.secrets, RotationSecrets::default());
    assert!(journal.open().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_key_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let key = folder.path().join("rotations.key");
    std::fs::remove_file(&key).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("restore it from your backup"), "{error}");
    assert!(!key.exists());
}

fn vault() -> Arc<DataVault> {
    let master = MasterKey::new(Secret::new(vec![3; 32])).unwrap();
    Arc::new(DataVault::create(&master, &Counting).unwrap().0)
}

fn open_of_server(folder: &Path, vault: &Arc<DataVault>) -> Result<SqliteJournal, JournalError> {
    let vault = Arc::clone(vault);
    SqliteJournal::open_sealed_by(vault, folder, Arc::new(Noon), Arc::new(Counting))
}

/// A server's journal used to have an unencrypted key file of its own beside it.
#[tokio::test]
async fn a_servers_vault_takes_over_what_a_key_file_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("rotations.key");
    open(folder.path())
        .unwrap()
        .begin(&rotation("r-1", "AIDA1"))
        .await
        .unwrap();
    assert!(key.exists());

    let vault = vault();
    for _ in 0..2 {
        let journal = open_of_server(folder.path(), &vault).unwrap();
        let found = journal.rotation(&RotationId("r-1".to_owned())).await;
        let secrets = found.unwrap().unwrap().secrets;
        assert_eq!(secrets.new.unwrap().expose(), "the-new-secret");
        assert!(!key.exists());
    }
    // Killed after the transaction, before the file was removed.
    keywright_store::durable::create_new(&key, &[0; 32]).unwrap();
    drop(open_of_server(folder.path(), &vault).unwrap());
    assert!(!key.exists());
}

#[tokio::test]
async fn secrets_are_sealed_again_by_a_new_data_key() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let journal = open_of_server(folder.path(), &vault).unwrap();
    journal.begin(&rotation("r-1", "AIDA1")).await.unwrap();
    vault.add(vault.next_key(&Counting).unwrap());
    journal.reseal().await.unwrap();
    vault.remove(1);
    let found = journal.rotation(&RotationId("r-1".to_owned())).await;
    assert!(found.unwrap().unwrap().secrets.old.is_some());
}

#[tokio::test]
async fn history_is_only_appended_to_and_a_change_shows() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    assert_eq!(journal.check_history().await.unwrap().events, 0);
    let first = rotation("r-1", "AIDA1");
    journal.begin(&first).await.unwrap();
    journal.begin(&rotation("r-2", "AIDA2")).await.unwrap();
    let step = next(&first, Phase::Creating);
    journal
        .advance(&step, "requesting the new key")
        .await
        .unwrap();
    let head = journal.check_history().await.unwrap();
    assert_eq!(head.events, 3);
    let of_first = journal.history(Some(&first.id), 10).await.unwrap();
    let listed: Vec<_> = of_first
        .iter()
        .map(|event| (event.generation, &*event.text))
        .collect();
    assert_eq!(listed, [(1, "planned"), (2, "requesting the new key")]);
    assert_eq!(journal.history(None, 2).await.unwrap().len(), 2);
    assert_eq!(of_first.last().unwrap().hash, head.hash);

    let raw = rusqlite::Connection::open(folder.path().join("rotations.db")).unwrap();
    assert!(raw.execute("UPDATE event SET text = 'x'", []).is_err());
    assert!(raw.execute("DELETE FROM event", []).is_err());
    raw.execute_batch("DROP TRIGGER event_is_final").unwrap();
    raw.execute("UPDATE event SET text = 'x' WHERE number = 2", [])
        .unwrap();
    let error = journal.check_history().await.unwrap_err().to_string();
    assert!(error.contains("changed at event 2"), "{error}");
}

#[tokio::test]
async fn a_newer_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let raw = rusqlite::Connection::open(folder.path().join("rotations.db")).unwrap();
    raw.execute_batch("PRAGMA user_version = 99").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("newer"), "{error}");
}

#[tokio::test]
async fn pages_are_of_one_account_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    for (id, user) in [("r-1", "AIDA1"), ("r-2", "AIDA2"), ("r-3", "AIDA3")] {
        journal.begin(&rotation(id, user)).await.unwrap();
    }
    let foreign = Rotation {
        account: "210987654321".to_owned(),
        ..rotation("r-4", "AIDA1")
    };
    journal.begin(&foreign).await.unwrap();
    let over = next(&rotation("r-2", "AIDA2"), Phase::Done);
    journal.advance(&over, "over").await.unwrap();
    journal.begin(&rotation("r-5", "AIDA2")).await.unwrap();
    let id = |id: Option<&str>| id.map(|id| RotationId(id.to_owned()));
    for (user, one, open, after, limit, expected) in [
        (None, None, false, None, 9, "r-5 r-3 r-2 r-1"),
        (None, None, false, None, 2, "r-5 r-3"),
        (None, None, false, Some("r-3"), 9, "r-2 r-1"),
        (None, None, false, Some("r-3"), 1, "r-2"),
        (None, None, true, None, 9, "r-5 r-3 r-1"),
        (Some("AIDA2"), None, false, None, 9, "r-5 r-2"),
        (Some("AIDA2"), None, true, None, 9, "r-5"),
        (Some("AIDA2"), Some("r-2"), false, None, 9, "r-2"),
        (Some("AIDA1"), Some("r-2"), false, None, 9, ""),
        (None, Some("r-4"), false, None, 9, ""),
    ] {
        let which = RotationFilter {
            account: "123456789012".to_owned(),
            user_id: user.map(str::to_owned),
            id: id(one),
            open,
            after: id(after),
        };
        let found = journal.page(which.clone(), limit).await.unwrap();
        let found: Vec<_> = found.iter().map(|one| one.id.0.as_str()).collect();
        assert_eq!(found.join(" "), expected, "{which:?} {limit}");
    }
}

#[tokio::test]
async fn a_users_past_comes_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    journal.begin(&rotation("r-1", "AIDA1")).await.unwrap();
    journal.begin(&rotation("r-2", "AIDA2")).await.unwrap();
    let over = next(&rotation("r-1", "AIDA1"), Phase::Done);
    journal.advance(&over, "over").await.unwrap();
    journal.begin(&rotation("r-3", "AIDA1")).await.unwrap();
    let past = |rotation: Option<&str>, after| HistoryFilter {
        account: "123456789012".to_owned(),
        user_id: "AIDA1".to_owned(),
        rotation: rotation.map(|id| RotationId(id.to_owned())),
        after,
    };
    for (of, limit, expected) in [
        (past(None, 0), 9, vec![1, 3, 4]),
        (past(None, 0), 2, vec![1, 3]),
        (past(None, 3), 9, vec![4]),
        (past(Some("r-1"), 0), 9, vec![1, 3]),
        (past(Some("r-2"), 0), 9, vec![]),
    ] {
        let events = journal.events(of.clone(), limit).await.unwrap();
        let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, expected, "{of:?} {limit}");
    }
}

#[tokio::test]
async fn a_rotation_is_found_by_the_name_that_its_user_has_now() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    let first = rotation("r-1", "AIDA1");
    journal.begin(&first).await.unwrap();
    let renamed = Rotation {
        user: "Renamed".to_owned(),
        ..next(&first, Phase::Observing)
    };
    journal.advance(&renamed, "renamed").await.unwrap();
    for (name, count) in [("RotateKeyUser", 0), ("Renamed", 1)] {
        let found = journal.rotations(Some(("123456789012", name)), 9).await;
        assert_eq!(found.unwrap().len(), count, "{name}");
    }
}

#[tokio::test]
async fn rotations_that_are_over_are_counted_by_how_they_ended() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    for (id, user, end) in [
        ("r-1", "AIDA1", Some(Phase::Done)),
        ("r-2", "AIDA2", Some(Phase::UserGone)),
        ("r-3", "AIDA3", Some(Phase::Done)),
        ("r-4", "AIDA4", None),
    ] {
        journal.begin(&rotation(id, user)).await.unwrap();
        let moved = next(&rotation(id, user), end.unwrap_or(Phase::Dwelling));
        journal.advance(&moved, "moved").await.unwrap();
    }
    let ended = journal.ended("123456789012").await.unwrap();
    assert_eq!(ended, [("Done".to_owned(), 2), ("UserGone".to_owned(), 1)]);
    assert_eq!(journal.ended("210987654321").await.unwrap(), []);
}

/// Rows of an older version stay readable.
#[test]
fn a_rotation_of_before_is_read() {
    let mut body = serde_json::to_value(rotation("r-1", "AIDA1")).unwrap();
    body.as_object_mut().unwrap().remove("origin");
    body.as_object_mut().unwrap().remove("missing");
    let read: Rotation = serde_json::from_value(body).unwrap();
    assert_eq!(read.origin, RotationOrigin::default());
}
