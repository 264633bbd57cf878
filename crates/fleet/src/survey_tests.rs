//! Reports that disagree with the listing or the journal.

use keywright_base::Timestamp;
use keywright_rotation::{
    model::{KeyId, Phase},
    ports::{IamKeyStatus, ListedKey},
};

use super::{removed_key, two_keys, with_keys};
use crate::{CredentialRow, KeyRow};

fn key(id: &str, created: i64) -> ListedKey {
    ListedKey {
        id: KeyId(id.to_owned()),
        status: IamKeyStatus::Active,
        // Listings have whole seconds, as reports do.
        created: Timestamp::from_secs(created),
    }
}

/// A report row with two keys.
fn row() -> CredentialRow {
    let key = |created, used: Option<i64>| KeyRow {
        active: true,
        created: Some(Timestamp::from_secs(created)),
        used: used.map(Timestamp::from_secs),
    };
    CredentialRow {
        user: "bob".to_owned(),
        arn: "arn:aws:iam::123456789012:user/bob".to_owned(),
        created: None,
        password: false,
        password_used: None,
        password_set: None,
        keys: [key(1_000, Some(5_000)), key(2_000, None)],
    }
}

#[test]
fn the_listing_replaces_the_report() {
    let one = with_keys(&row(), &[key("NEW", 2_000)]);
    assert_eq!(one.keys, [row().keys[1], KeyRow::default()]);
    // The order follows the listing; last-used data stays with its key.
    let both = [key("NEW", 2_000), key("OLD", 1_000)];
    let turned = with_keys(&row(), &both);
    assert_eq!(turned.keys, [row().keys[1], row().keys[0]]);
    assert_eq!(
        two_keys(&both, &turned),
        "it has two keys: NEW created 1970-01-01T00:33:20Z, active, no known use; OLD created \
         1970-01-01T00:16:40Z, active, used 1970-01-01T01:23:20Z"
    );
    let replaced = with_keys(&row(), &[key("NEWER", 3_000)]);
    assert_eq!(replaced.keys[0].created, Some(Timestamp::from_secs(3_000)));
    assert_eq!(replaced.keys[0].used, None);
    assert_eq!(with_keys(&row(), &[]).keys, [KeyRow::default(); 2]);
}

#[test]
fn a_listing_may_lag_behind_the_journal() {
    let (old, new) = (KeyId("OLD".to_owned()), KeyId("NEW".to_owned()));
    for (phase, gone) in [
        (Phase::Done, Some(&old)),
        (Phase::RolledBack, Some(&new)),
        (Phase::Observing, None),
        (Phase::Abandoned, None),
        (Phase::UserGone, None),
    ] {
        let found = removed_key(phase, old.clone(), Some(new.clone()));
        assert_eq!(found.as_ref(), gone, "{phase:?}");
    }
}
