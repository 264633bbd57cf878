//! The key ring, and values sealed by earlier versions.

use std::sync::atomic::{AtomicU8, Ordering};

use keywright_base::{Entropy, Secret};

use super::DataVault;
use crate::{MasterKey, MasterKeyId, SealPurpose, SealedValue};

/// Returns different bytes on every call.
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

fn master(byte: u8) -> MasterKey {
    MasterKey::new(Secret::new(vec![byte; 32])).unwrap()
}

fn entropy() -> Counting {
    Counting::default()
}

const PLACE: (SealPurpose, &str) = (SealPurpose::AccessKey, "AKIAIOSFODNN7EXAMPLE");

#[test]
fn opens_only_in_its_place() {
    let (vault, data_key) = DataVault::create(&master(7), &entropy()).unwrap();
    let sealed = vault.seal(PLACE, b"secret", &entropy()).unwrap();
    assert!(!sealed.as_bytes().windows(6).any(|w| w == b"secret"));

    let again = DataVault::unlock(&master(7), &[(1, data_key.clone())]).unwrap();
    let opened = again.open(PLACE, sealed.as_bytes()).unwrap();
    assert_eq!(opened.expose(), b"secret");
    let elsewhere = [
        (SealPurpose::AccessKey, "AKIAIOSFODNN7EXAMPLF"),
        (SealPurpose::SessionToken, PLACE.1),
    ];
    for other in elsewhere {
        assert!(again.open(other, sealed.as_bytes()).is_err());
    }
    assert!(DataVault::unlock(&master(8), &[(1, data_key.clone())]).is_err());
    assert!(DataVault::unlock(&master(7), &[(2, data_key)]).is_err());
    assert!(DataVault::unlock(&master(7), &[]).is_err());
}

#[test]
fn altered_or_short_bytes_are_refused() {
    let (vault, _) = DataVault::create(&master(7), &entropy()).unwrap();
    let sealed = vault.seal(PLACE, b"secret", &entropy()).unwrap();
    for position in 0..sealed.as_bytes().len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[position] ^= 1;
        assert!(vault.open(PLACE, &bytes).is_err(), "byte {position}");
        let short = &sealed.as_bytes()[..position];
        assert!(vault.open(PLACE, short).is_err());
    }
}

#[test]
fn no_two_values_are_sealed_alike() {
    let (vault, _) = DataVault::create(&master(7), &entropy()).unwrap();
    let entropy = entropy();
    let [a, b] = [(), ()].map(|()| vault.seal(PLACE, b"secret", &entropy).unwrap());
    assert_ne!(a.as_bytes()[5..], b.as_bytes()[5..]);
}

/// Written by another implementation (Python's `cryptography`) in format 1, as found in
/// `keywright.db` and `rotations.db` of installations older than this crate.
#[test]
fn values_of_earlier_versions_open() {
    let from = |text: &str| SealedValue::from_bytes(&hex::decode(text).unwrap());
    let data_key = from(
        "01000000000102030405060708090a0b0cba7eeb9a6fece524ec34091298a9ac50\
         c5f74224a75d25ff67bb9783b146593e30228606443c04952e540d84ae594773",
    );
    let vault = DataVault::unlock(&master(7), &[(1, data_key.clone())]).unwrap();
    assert_eq!(MasterKeyId::of(&data_key), None);
    let key = from(
        "010000000115161718191a1b1c1d1e1f2049d0431e7c6033646fa88cfc5e4e35be36c7a01a\
         0a066f02ce6b5daf2f7f9d5db996a48cd1b6c6a9ef25342793d89ed055a637da93ceaf45",
    );
    let opened = vault.open(PLACE, key.as_bytes()).unwrap();
    assert_eq!(opened.expose(), b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let rotation = from(
        "010000000115161718191a1b1c1d1e1f2045b84c17791a5c3272cce593780d1aab41ed9038\
         21052f30d75a50b31c55fa3fa3868975d7edbf6acd8fc765326691da98aea0",
    );
    let place = (SealPurpose::Rotation, "r-1");
    let opened = vault.open(place, rotation.as_bytes()).unwrap();
    assert!(opened.expose().starts_with(b"{\"new\":"));

    // Re-sealing uses the new format and the same key.
    let resealed = vault.reseal(PLACE, &key, &entropy()).unwrap();
    assert_eq!((key.as_bytes()[0], resealed.as_bytes()[0]), (1, 2));
    assert_eq!(resealed.key_number(), Some(1));
    assert!(vault.open(PLACE, resealed.as_bytes()).is_ok());
}

#[test]
fn a_new_data_key_seals_and_the_old_one_opens_until_it_is_dropped() {
    let entropy = entropy();
    let (old_master, new_master) = (master(7), master(8));
    let (vault, _) = DataVault::create(&old_master, &entropy).unwrap();
    let before = vault.seal(PLACE, b"before", &entropy).unwrap();
    let next = vault.next_key(&entropy).unwrap();
    let mut stored = vault.sealed_by(&new_master, &entropy).unwrap();
    stored.push((next.number(), next.seal(&new_master, &entropy).unwrap()));
    vault.add(next);
    assert!(!vault.is_current(&before));
    let after = vault.seal(PLACE, b"after", &entropy).unwrap();
    assert!(vault.is_current(&after));

    let restarted = DataVault::unlock(&new_master, &stored).unwrap();
    assert_eq!(MasterKeyId::of(&stored[0].1), Some(new_master.id()));
    assert!(DataVault::unlock(&old_master, &stored).is_err());
    for vault in [&vault, &restarted] {
        assert!(vault.open(PLACE, before.as_bytes()).is_ok());
        assert!(vault.open(PLACE, after.as_bytes()).is_ok());
        let resealed = vault.reseal(PLACE, &before, &entropy).unwrap();
        vault.remove(1);
        assert!(vault.open(PLACE, before.as_bytes()).is_err());
        assert!(vault.open(PLACE, resealed.as_bytes()).is_ok());
        vault.remove(2);
        assert_eq!(vault.numbers(), [2], "the newest stays");
    }
}

#[test]
fn each_master_key_of_a_change_opens_the_other() {
    let (old, new) = (master(7), master(8));
    let id = new.id().to_string();
    let sealed = old.seal_other(&new, &entropy()).unwrap();
    assert_eq!(old.open_other(&id, &sealed).unwrap().id(), new.id());
    assert!(new.open_other(&id, &sealed).is_err());
    assert!(old.open_other(&old.id().to_string(), &sealed).is_err());
    assert!(MasterKey::new(Secret::new(vec![1; 31])).is_err());
}
