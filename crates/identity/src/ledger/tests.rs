//! Several ledgers on one store, and commits that fail.

use std::{convert::Infallible, sync::Arc, thread};

use keywright_base::{AccountId, Timestamp};
use keywright_store::{
    SqliteStore,
    contract::{Store, StoreError},
    faulty::{ContractPart, FaultMoment, FaultyStore},
};

use super::{AccountCell, IamLedger, LedgerError};
use crate::{
    state::{Account, AccountSettings, StateChange},
    testing::{TestInstallation, TestKeys},
};

const ROUNDS: usize = 20;

fn deactivate(user: &str, keys: &TestKeys) -> String {
    let id = &keys.id;
    format!("Action=UpdateAccessKey&UserName={user}&AccessKeyId={id}&Status=Inactive")
}

#[test]
fn each_sees_what_the_other_wrote_once_it_has_refreshed() {
    let one = TestInstallation::new();
    let two = one.second();
    let keys = one.user("alice", &["ReadOnlyAccess"]);
    assert!(
        !two.call(&keys, "Action=ListUsers").is_success(),
        "not known yet"
    );
    two.refresh();
    two.call(&keys, "Action=ListUsers").ok();
    two.root("Action=CreateUser&UserName=bob").ok();
    one.refresh();
    for installation in [&one, &two] {
        assert_eq!(
            installation.root("Action=ListUsers").values("UserName"),
            ["alice", "bob"]
        );
    }
    // A refresh without changes changes nothing.
    one.refresh();
    let cell = one
        .identity()
        .ledger()
        .account(crate::testing::ACCOUNT.parse().unwrap())
        .unwrap();
    let before = cell.snapshot().clone();
    one.refresh();
    assert!(Arc::ptr_eq(&before, &cell.snapshot()));
}

#[test]
fn a_revocation_by_one_holds_at_the_other() {
    let one = TestInstallation::new();
    let keys = one.user("alice", &["ReadOnlyAccess"]);
    let two = one.second();
    // The second ledger has derived and cached the signing key.
    two.call(&keys, "Action=ListUsers").ok();
    one.root(&deactivate("alice", &keys)).ok();
    two.refresh();
    assert_eq!(
        two.call(&keys, "Action=ListUsers").code(),
        Some("InvalidClientTokenId")
    );
    let policy = "Action=DetachUserPolicy&UserName=carol\
                  &PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess";
    let keys = one.user("carol", &["ReadOnlyAccess"]);
    two.refresh();
    two.call(&keys, "Action=ListUsers").ok();
    one.root(policy).ok();
    two.refresh();
    assert_eq!(
        two.call(&keys, "Action=ListUsers").code(),
        Some("AccessDenied")
    );
}

/// A write that conflicts is authorized again, on the other ledger's commit.
#[test]
fn a_write_that_was_overtaken_is_authorized_again() {
    let one = TestInstallation::new();
    let keys = one.user("alice", &["IAMFullAccess"]);
    let two = one.second();
    two.call(&keys, "Action=CreateUser&UserName=first").ok();
    one.root(&deactivate("alice", &keys)).ok();
    let denied = two.call(&keys, "Action=CreateUser&UserName=second");
    assert_eq!(denied.code(), Some("InvalidClientTokenId"));
    // The commit that it conflicted with is visible now, without a refresh.
    two.root("Action=GetUser&UserName=alice").ok();
    assert_eq!(
        two.call(&keys, "Action=ListUsers").code(),
        Some("InvalidClientTokenId")
    );
}

#[test]
fn of_two_that_create_one_user_exactly_one_succeeds() {
    let one = TestInstallation::new();
    let two = one.second();
    for round in 0..ROUNDS {
        let create = format!("Action=CreateUser&UserName=same{round}");
        let results = thread::scope(|scope| {
            let racers = [&one, &two].map(|racer| scope.spawn(|| racer.root(&create)));
            racers.map(|racer| racer.join().unwrap())
        });
        let won = results.iter().filter(|result| result.is_success()).count();
        let codes: Vec<_> = results.iter().filter_map(|result| result.code()).collect();
        assert_eq!((won, codes), (1, vec!["EntityAlreadyExists"]), "{round}");
    }
}

/// A writer that is overtaken too often gets `Throttling`, which every SDK repeats. The loop ends when the
/// other writer does, if not before.
fn create_as_a_client_would(installation: &TestInstallation, create: &str) {
    loop {
        let response = installation.root(create);
        if response.code() != Some("Throttling") {
            response.ok();
            return;
        }
    }
}

#[test]
fn no_update_of_either_is_lost() {
    let one = TestInstallation::new();
    let two = one.second();
    thread::scope(|scope| {
        for (name, installation) in [("one", &one), ("two", &two)] {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let create = format!("Action=CreateUser&UserName={name}-{round}");
                    create_as_a_client_would(installation, &create);
                }
            });
        }
    });
    for installation in [&one, &two] {
        installation.refresh();
        let listed = installation.root("Action=ListUsers").values("UserName");
        assert_eq!(listed.len(), 2 * ROUNDS);
    }
}

#[test]
fn an_account_of_another_writer_becomes_known() {
    let one = TestInstallation::new();
    let two = one.second();
    let account: AccountId = "210987654321".parse().unwrap();
    let create = |bench: &TestInstallation| {
        let creating = bench.identity().create_account(account, |_| Ok(()));
        bench.block_on(creating)
    };
    let made = create(&one).unwrap();
    let root = TestKeys {
        id: made.key.to_string(),
        secret: made.secret,
        token: None,
    };
    assert!(!two.call(&root, "Action=GetCallerIdentity").is_success());
    create(&two).unwrap_err();
    two.refresh();
    assert_eq!(
        two.call(&root, "Action=GetCallerIdentity").value("Account"),
        account.to_string()
    );
    let ids = |bench: &TestInstallation| bench.identity().ledger().ids();
    assert_eq!(ids(&one), ids(&two));
}

/// A reload preserves the recorded use of keys, so that last use stays as coarse as AWS's.
#[test]
fn a_reload_opens_no_new_window_of_last_use() {
    let one = TestInstallation::new();
    let keys = one.user("alice", &["ReadOnlyAccess"]);
    let two = one.second();
    two.call(&keys, "Action=ListUsers").ok();
    let used =
        |bench: &TestInstallation| bench.identity().usage().last(&keys.id).map(|use_| use_.at);
    let first = used(&two).unwrap();
    one.root("Action=TagUser&UserName=alice&Tags.member.1.Key=a&Tags.member.1.Value=b")
        .ok();
    two.refresh();
    two.pass(60);
    two.call(&keys, "Action=ListUsers").ok();
    assert_eq!(used(&two), Some(first));
}

fn appended(account: &Account, letter: char) -> Result<((), Vec<StateChange>), Infallible> {
    let mut settings = AccountSettings::clone(account.settings());
    settings.alias.get_or_insert_default().push(letter);
    Ok(((), vec![StateChange::put(settings)]))
}

/// A ledger with one account over a store that fails on demand.
struct FaultyLedger {
    store: Arc<FaultyStore>,
    ledger: IamLedger,
    cell: Arc<AccountCell>,
    _folder: tempfile::TempDir,
}

impl FaultyLedger {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inner = SqliteStore::open(&folder.path().join("db")).unwrap();
        let store = Arc::new(FaultyStore::new(Arc::new(inner)));
        let ledger = IamLedger::load(Arc::clone(&store) as Arc<dyn Store>).unwrap();
        let id = AccountId::new(1).unwrap();
        ledger.create(id, Timestamp::default(), &[]).await.unwrap();
        let cell = ledger.account(id).unwrap();
        Self {
            store,
            ledger,
            cell,
            _folder: folder,
        }
    }

    /// Appends a letter to the account's alias.
    async fn append(&self, letter: char) -> Result<(), LedgerError> {
        let compute = |account: &Account| appended(account, letter);
        let Ok(()) = self.ledger.write(&self.cell, compute).await?;
        Ok(())
    }

    fn alias(&self) -> Option<String> {
        self.cell.snapshot().settings().alias.clone()
    }
}

/// When the first commit fails, and what is stored after the second one, which was computed from
/// the first and queued behind it.
#[tokio::test]
async fn a_write_behind_a_failed_one_is_computed_again() {
    for (moment, expected) in [(FaultMoment::Before, "b"), (FaultMoment::After, "ab")] {
        let faulty = FaultyLedger::new().await;
        faulty.store.fail_write(ContractPart::Ledger, 1, moment);
        let (first, second) = tokio::join!(faulty.append('a'), faulty.append('b'));
        let unknown = matches!(first, Err(LedgerError::Store(StoreError::Unavailable(_))));
        assert!(unknown, "an unknown outcome is not repeated: {first:?}");
        second.unwrap();
        assert_eq!(faulty.alias().as_deref(), Some(expected), "{moment:?}");
    }
}

/// The second of two writes was computed from the first, so its base has the same number as the
/// other ledger's version. Accepting it would undo that version.
#[tokio::test]
async fn a_write_behind_a_conflict_is_computed_again() {
    let faulty = FaultyLedger::new().await;
    let other = IamLedger::load(Arc::clone(&faulty.store) as Arc<dyn Store>).unwrap();
    let cell = other.account(faulty.cell.snapshot().id()).unwrap();
    other
        .write(&cell, |account| appended(account, 'x'))
        .await
        .unwrap()
        .unwrap();
    let (first, second) = tokio::join!(faulty.append('a'), faulty.append('b'));
    first.unwrap();
    second.unwrap();
    let mut letters: Vec<_> = faulty.alias().unwrap().chars().collect();
    letters.sort_unstable();
    assert_eq!(letters, ['a', 'b', 'x']);
}

/// A refresh that finds a commit of another ledger while one of its own is in progress.
#[tokio::test]
async fn a_refresh_waits_for_the_own_commit_that_conflicts() {
    let faulty = FaultyLedger::new().await;
    let inner = Arc::clone(&faulty.store) as Arc<dyn Store>;
    let other = IamLedger::load(inner).unwrap();
    let cell = other.account(faulty.cell.snapshot().id()).unwrap();
    other
        .write(&cell, |account| appended(account, 'a'))
        .await
        .unwrap()
        .unwrap();
    faulty.store.hold();
    let (own, refreshed, ()) = tokio::join!(faulty.append('b'), faulty.ledger.refresh(), async {
        faulty.store.held(1).await;
        faulty.store.release();
    });
    own.unwrap();
    refreshed.unwrap();
    assert!(faulty.alias().unwrap().starts_with('a'));
    other.refresh().await.unwrap();
    assert_eq!(cell.snapshot().settings().alias.as_deref(), Some("ab"));
}

#[tokio::test]
async fn a_refresh_that_failed_is_made_up_for() {
    let faulty = FaultyLedger::new().await;
    let other = IamLedger::load(Arc::clone(&faulty.store) as Arc<dyn Store>).unwrap();
    faulty.append('a').await.unwrap();
    faulty.store.outage(true);
    assert!(other.refresh().await.is_err());
    faulty.store.outage(false);
    other.refresh().await.unwrap();
    let cell = other.account(faulty.cell.snapshot().id()).unwrap();
    assert_eq!(cell.snapshot().settings().alias.as_deref(), Some("a"));
}
