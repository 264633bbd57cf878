//! The contract of every sink, as a test: stage, commit, read back, restore; each of them twice.

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Held, Sink},
};

/// A pair that no other call makes.
pub(super) fn pair(number: u32) -> Pair {
    Pair {
        id: KeyId(format!("AKIAIOSFODNN7EXAMPL{number}")),
        secret: Secret::new(format!("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE/{number:02}")),
    }
}

/// What one can see of a sink from outside.
pub(super) type Look<'a> = &'a dyn Fn() -> Vec<u8>;

/// How a sink answers when it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// With the pair.
    Pair,
    /// With the key's id.
    Key,
}

/// Holds a sink to the contract. It must hold `pair(1)`, or nothing, in the beginning; `look` must
/// show the same at the end as at the beginning.
pub(super) async fn hold_to_contract(sink: &dyn Sink, reads: Reads, look: Look<'_>) {
    let rotation = RotationId("r-1".to_owned());
    let new = pair(2);
    let before = look();
    let found = sink.read_back().await.unwrap();

    let backup = sink.stage(&rotation).await.unwrap();
    let again = sink.stage(&rotation).await.unwrap();
    assert!(backup == again, "staging twice finds the same");
    assert_eq!(look(), before, "staging changes nothing that consumers see");
    assert_eq!(sink.read_back().await.unwrap(), found);

    let expected = match reads {
        Reads::Pair => Held::Pair(new.clone()),
        Reads::Key => Held::Key(new.id.clone()),
    };
    for _ in 0..2 {
        sink.commit(&rotation, &new).await.unwrap();
        assert_eq!(sink.read_back().await.unwrap(), expected);
    }
    let after = look();
    sink.commit(&rotation, &new).await.unwrap();
    assert_eq!(look(), after, "committing twice changes nothing");

    for _ in 0..2 {
        sink.restore(&rotation, &backup).await.unwrap();
        assert_eq!(sink.read_back().await.unwrap(), found);
    }
    assert_eq!(look(), before, "restoring puts everything back");
    // A restore that was begun before a commit: an attempt that died in between.
    sink.commit(&rotation, &new).await.unwrap();
    sink.restore(&rotation, &backup).await.unwrap();
    assert_eq!(look(), before);
    assert!(!sink.name().contains(new.secret.expose().as_str()));
}
