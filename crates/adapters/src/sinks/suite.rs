//! The contract of every sink, as a test: inspect, stage, commit, read back, restore; each of them
//! twice, and cut off at each write.

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, Pair, RotationId},
    ports::{Held, Sink, SinkError},
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
#[expect(clippy::cognitive_complexity, reason = "the contract, line by line")]
pub(super) async fn hold_to_contract(sink: &dyn Sink, reads: Reads, look: Look<'_>) {
    let rotation = RotationId("r-1".to_owned());
    let new = pair(2);
    let before = look();
    let found = sink.read_back().await.unwrap();
    assert_eq!(sink.inspect().await.unwrap(), found);
    let old = Some(pair(1));

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
        sink.restore(&rotation, &backup, old.as_ref())
            .await
            .unwrap();
        assert_eq!(sink.read_back().await.unwrap(), found);
    }
    assert_eq!(look(), before, "restoring puts everything back");
    // A restore that was begun before a commit: an attempt that died in between.
    sink.commit(&rotation, &new).await.unwrap();
    sink.restore(&rotation, &backup, old.as_ref())
        .await
        .unwrap();
    assert_eq!(look(), before);
    assert!(!sink.name().contains(new.secret.expose().as_str()));
}

/// Cuts the sink off at the nth write from now on (from 0), before or after it takes effect.
pub(super) type Cut<'a> = &'a dyn Fn(usize, bool);

/// Holds a sink to the contract when its process dies at any write, or a reply is lost. Whoever
/// looks then finds the old content or the new one, unless `torn` allows for two writes; going on,
/// and going back, end as if nothing had happened. No error shows a secret.
pub(super) async fn hold_to_crashes(sink: &dyn Sink, look: Look<'_>, cut: Cut<'_>, torn: bool) {
    let rotation = RotationId("r-1".to_owned());
    let (old, new) = (pair(1), pair(2));
    let old_secret = old.secret.clone();
    let old = Some(old);
    let before = look();
    let backup = sink.stage(&rotation).await.unwrap();
    sink.commit(&rotation, &new).await.unwrap();
    let after = look();
    sink.restore(&rotation, &backup, old.as_ref())
        .await
        .unwrap();
    let check = |error: &SinkError, nth: usize| {
        let text = format!("{error:?} {error}");
        assert!(!text.contains(new.secret.expose().as_str()), "{text}");
        assert!(!text.contains(old_secret.expose().as_str()), "{text}");
        let now = look();
        assert!(torn || now == before || now == after, "torn at write {nth}");
    };
    for takes_effect in [false, true] {
        let mut writes = 0;
        for nth in 0.. {
            for goes_on in [true, false] {
                cut(nth, takes_effect);
                let cut_off = sink.commit(&rotation, &new).await;
                cut(usize::MAX, false);
                let Err(error) = cut_off else {
                    break;
                };
                writes = nth + 1;
                check(&error, nth);
                if goes_on {
                    sink.commit(&rotation, &new).await.unwrap();
                    assert_eq!(look(), after, "going on after write {nth}");
                }
                sink.restore(&rotation, &backup, old.as_ref())
                    .await
                    .unwrap();
                assert_eq!(look(), before, "going back after write {nth}");
            }
            if writes <= nth {
                break;
            }
        }
        assert!(writes > 0, "no write was cut off");
        for nth in 0.. {
            sink.commit(&rotation, &new).await.unwrap();
            cut(nth, takes_effect);
            let cut_off = sink.restore(&rotation, &backup, old.as_ref()).await;
            cut(usize::MAX, false);
            let Err(error) = cut_off else {
                assert!(nth > 0, "no write of a restore was cut off");
                break;
            };
            check(&error, nth);
            sink.restore(&rotation, &backup, old.as_ref())
                .await
                .unwrap();
            assert_eq!(look(), before, "going back again after write {nth}");
        }
        sink.restore(&rotation, &backup, old.as_ref())
            .await
            .unwrap();
        assert_eq!(look(), before);
    }
}
