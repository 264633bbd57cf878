//! An alias names one account, even when several processes assign aliases at the same time.

use std::thread;

use keywright_base::AccountId;
use keywright_store::contract::LeaseRequest;

use super::{LEASE_SECS, NAME};
use crate::testing::{TestInstallation, TestKeys};

const ROUNDS: usize = 10;

#[test]
fn of_two_accounts_at_two_processes_exactly_one_gets_an_alias() {
    let one = TestInstallation::new();
    let account: AccountId = "210987654321".parse().unwrap();
    let created = one.identity().create_account(account, |_| Ok(()));
    let created = one.block_on(created).unwrap();
    let other_root = TestKeys {
        id: created.key.to_string(),
        secret: created.secret,
        token: None,
    };
    let two = one.second();
    for round in 0..ROUNDS {
        let create = format!("Action=CreateAccountAlias&AccountAlias=alias{round}");
        let results = thread::scope(|scope| {
            let first = scope.spawn(|| one.root(&create));
            let second = scope.spawn(|| two.call(&other_root, &create));
            [first, second].map(|racer| racer.join().unwrap())
        });
        let won = results.iter().filter(|result| result.is_success()).count();
        let codes: Vec<_> = results.iter().filter_map(|result| result.code()).collect();
        assert_eq!((won, codes), (1, vec!["EntityAlreadyExists"]), "{round}");
    }
}

#[test]
fn the_lock_of_a_process_that_stopped_expires() {
    let one = TestInstallation::new();
    let stopped = one.identity().store().acquire_lease(LeaseRequest {
        name: NAME.to_owned(),
        holder: [9; 16],
        now: one.now(),
        expires: one.now().plus_secs(LEASE_SECS),
    });
    assert!(one.block_on(stopped).unwrap().is_some());
    one.pass(LEASE_SECS);
    one.root("Action=CreateAccountAlias&AccountAlias=mine").ok();
    // Each action releases the lock.
    one.second()
        .root("Action=CreateAccountAlias&AccountAlias=other")
        .ok();
}
