//! Signing in: equal work for unknown users, root's first password, sessions in memory only.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr},
};

use argon2::password_hash::phc::PasswordHash;
use keywright_base::Secret;

use super::{NOBODY, SignInError, SignInRequest, new_password};
use crate::{
    password_rules,
    state::AccountSettings,
    testing::{ACCOUNT, TestEntropy, TestInstallation},
    work::WorkOwner,
};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "Correct-horse-7";

#[test]
fn nobodys_hash_costs_what_every_other_costs() {
    let bench = TestInstallation::new();
    let passwords = &bench.identity().passwords;
    let hashing = passwords.hash(WorkOwner::Installation, Secret::new(String::new()));
    let made = bench.block_on(hashing).unwrap();
    let cost = |hash: &str| {
        let hash = PasswordHash::new(hash).unwrap();
        let (salt, output) = (hash.salt.unwrap(), hash.hash.unwrap());
        let lengths = (salt.as_ref().len(), output.as_bytes().len());
        (hash.algorithm, hash.version, hash.params.clone(), lengths)
    };
    assert_eq!(cost(NOBODY), cost(&made));
}

#[test]
fn made_passwords_keep_the_default_rules_and_do_not_repeat() {
    let seed = TestEntropy::default();
    let made: HashSet<_> = (0..100)
        .map(|_| new_password(&seed).expose().clone())
        .collect();
    assert_eq!(made.len(), 100);
    for password in made {
        assert_eq!(password.len(), 24);
        assert!(password_rules::accepts(
            &AccountSettings::default(),
            &password
        ));
    }
}

#[test]
fn a_password_for_root_is_made_once_and_stored_first() {
    let mut bench = TestInstallation::new();
    let account = ACCOUNT.parse().unwrap();
    let ensure = |bench: &TestInstallation, retained: Option<&mut Vec<String>>| {
        let keep = |password: &Secret<String>| match retained {
            Some(retained) => {
                retained.push(password.expose().clone());
                Ok(())
            }
            None => Err(std::io::Error::other("the disk is full")),
        };
        bench.block_on(bench.identity().ensure_root_password(account, keep))
    };
    assert!(ensure(&bench, None).is_err());
    let mut retained = Vec::new();
    ensure(&bench, Some(&mut retained)).unwrap();
    ensure(&bench, Some(&mut retained)).unwrap();
    bench.reopen();
    ensure(&bench, Some(&mut retained)).unwrap();
    let [password] = retained.as_slice() else {
        panic!("made {} passwords", retained.len());
    };
    let signing_in = |password: &str| {
        let password = Secret::new(password.to_owned());
        let claim = SignInRequest {
            account: Some(account),
            user: None,
            password,
            code: None,
            source: SOURCE,
            browser: None,
        };
        bench.block_on(bench.identity().sign_in(claim))
    };
    assert!(signing_in(password).is_ok());
    assert_eq!(signing_in(PASSWORD).unwrap_err(), SignInError::Wrong);
}

#[test]
fn roots_password_can_be_reset_and_the_old_one_ends() {
    let bench = TestInstallation::new();
    let account = ACCOUNT.parse().unwrap();
    let mut passwords = Vec::new();
    let mut keep = |password: &Secret<String>| {
        passwords.push(password.expose().clone());
        Ok(())
    };
    let identity = bench.identity();
    bench
        .block_on(identity.ensure_root_password(account, &mut keep))
        .unwrap();
    let fails = |_: &Secret<String>| Err(std::io::Error::other("the disk is full"));
    assert!(
        bench
            .block_on(identity.reset_root_password(account, fails))
            .is_err()
    );
    bench
        .block_on(identity.reset_root_password(account, &mut keep))
        .unwrap();
    let [old, new] = passwords.as_slice() else {
        panic!("made {} passwords", passwords.len());
    };
    let sign_in = |password: &str| {
        let request = SignInRequest {
            account: Some(account),
            user: None,
            password: Secret::new(password.to_owned()),
            code: None,
            source: SOURCE,
            browser: None,
        };
        bench.block_on(identity.sign_in(request))
    };
    assert_eq!(sign_in(old).unwrap_err(), SignInError::Wrong);
    assert!(sign_in(new).is_ok());
}

#[test]
fn a_restart_signs_everyone_out() {
    let mut bench = TestInstallation::new();
    bench.user("ann", &[]);
    let form = format!("Action=CreateLoginProfile&UserName=ann&Password={PASSWORD}");
    bench.root(&form).ok();
    let claim = SignInRequest {
        account: ACCOUNT.parse().ok(),
        user: Some("ann"),
        password: Secret::new(PASSWORD.to_owned()),
        code: None,
        source: SOURCE,
        browser: None,
    };
    let cookie = bench.block_on(bench.identity().sign_in(claim)).unwrap();
    assert!(bench.identity().signed_in(cookie.expose()).is_some());
    bench.reopen();
    assert_eq!(bench.identity().signed_in(cookie.expose()), None);
}
