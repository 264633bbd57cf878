//! The contract of every sink, as a test: inspect, stage, commit, read back, restore; each of them
//! twice, and interrupted at each write.

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, KeyPair, RotationId},
    ports::{RotationPairs, Sink, SinkBackup, SinkContent, SinkError},
};

/// A pair that differs for each number.
pub(super) fn pair(number: u32) -> KeyPair {
    KeyPair {
        id: KeyId(format!("AKIAIOSFODNN7EXAMPL{number}")),
        secret: Secret::new(format!("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE/{number:02}")),
    }
}

/// Stages and commits.
pub(super) async fn deliver(sink: &dyn Sink, new: &KeyPair) -> Result<(), SinkError> {
    let rotation = RotationId("r-1".to_owned());
    let backup = sink.stage(&rotation).await?;
    sink.commit(&rotation, &backup, new).await
}

/// Restores what was there before `pair(2)` was written. `old` is the old pair, if it is known.
pub(super) async fn put_back(
    sink: &dyn Sink,
    backup: &SinkBackup,
    old: Option<&KeyPair>,
) -> Result<(), SinkError> {
    let new = &pair(2);
    let rotation = RotationId("r-1".to_owned());
    sink.restore(&rotation, backup, RotationPairs { new, old })
        .await
}

/// Checks that a sink handles a rejected write of `pair(2)` correctly: it retries if the status is
/// transient, and never repeats the secret. The service answers with a status, "no: " and what was
/// sent. `refusing` makes the sink for a status.
pub(super) async fn hold_to_refusals<F: Future<Output = Box<dyn Sink>>>(
    refusing: impl Fn(u16) -> F,
) {
    for (status, later) in [
        (400, false),
        (401, false),
        (403, false),
        (429, true),
        (502, true),
        (503, true),
    ] {
        let sink = refusing(status).await;
        let error = deliver(&*sink, &pair(2)).await.unwrap_err();
        let passes = matches!(error, SinkError::Later(_));
        assert_eq!(passes, later, "{status}: {error}");
        let text = format!("{error:?}");
        let repeats = text.contains(pair(2).secret.expose().as_str());
        assert!(text.contains("no: ") && !repeats, "{text}");
    }
}

/// Checks that a sink with `pair(1)` never touches another user's pair, which `put` writes: after
/// staging, after committing, and while restoring.
pub(super) async fn hold_to_others(sink: &dyn Sink, look: ObserveSink<'_>, put: &dyn Fn(&KeyPair)) {
    let rotation = RotationId("r-1".to_owned());
    let (old, new, other) = (pair(1), pair(2), pair(3));
    let backup = sink.stage(&rotation).await.unwrap();
    for written in [false, true] {
        if written {
            put(&old);
            let backup = sink.stage(&rotation).await.unwrap();
            sink.commit(&rotation, &backup, &new).await.unwrap();
        }
        put(&other);
        let theirs = look();
        for error in [
            sink.commit(&rotation, &backup, &new).await.unwrap_err(),
            put_back(sink, &backup, Some(&old)).await.unwrap_err(),
        ] {
            assert!(matches!(error, SinkError::Never(_)), "{error}");
            let (text, all) = (error.to_string(), [&old, &new, &other]);
            assert!(text.contains("othing was changed"), "{text}");
            assert!(
                all.iter()
                    .all(|pair| !text.contains(pair.secret.expose().as_str()))
            );
        }
        assert_eq!(look(), theirs, "written: {written}");
    }
}

/// What is visible of a sink from outside.
pub(super) type ObserveSink<'a> = &'a dyn Fn() -> Vec<u8>;

/// What reading back a sink returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadBackKind {
    /// The pair.
    Pair,
    /// The ID of the key.
    Key,
}

/// Checks a sink against the contract. It must hold `pair(1)` or nothing in the beginning. `look`
/// must return the same at the end as at the beginning.
#[expect(clippy::cognitive_complexity, reason = "the contract, line by line")]
pub(super) async fn hold_to_contract(sink: &dyn Sink, reads: ReadBackKind, look: ObserveSink<'_>) {
    let rotation = RotationId("r-1".to_owned());
    let new = pair(2);
    let before = look();
    let found = sink.read_back().await.unwrap();
    let inspected = sink.inspect(&pair(1).id).await.unwrap().held;
    assert!(inspected == found || inspected == SinkContent::Unreadable);
    let old = Some(pair(1));

    let backup = sink.stage(&rotation).await.unwrap();
    let again = sink.stage(&rotation).await.unwrap();
    assert!(backup == again, "staging twice finds the same");
    assert_eq!(look(), before, "staging changes nothing that consumers see");
    assert_eq!(sink.read_back().await.unwrap(), found);

    let expected = match reads {
        ReadBackKind::Pair => SinkContent::Pair(new.clone()),
        ReadBackKind::Key => SinkContent::Key(new.id.clone()),
    };
    for _ in 0..2 {
        sink.commit(&rotation, &backup, &new).await.unwrap();
        assert_eq!(sink.read_back().await.unwrap(), expected);
    }
    let after = look();
    sink.commit(&rotation, &backup, &new).await.unwrap();
    assert_eq!(look(), after, "committing twice changes nothing");

    for _ in 0..2 {
        put_back(sink, &backup, old.as_ref()).await.unwrap();
        assert_eq!(sink.read_back().await.unwrap(), found);
    }
    assert_eq!(look(), before, "restoring puts everything back");
    // A second attempt after the restore.
    let backup = sink.stage(&rotation).await.unwrap();
    sink.commit(&rotation, &backup, &new).await.unwrap();
    put_back(sink, &backup, old.as_ref()).await.unwrap();
    assert_eq!(look(), before);
    assert!(!sink.name().contains(new.secret.expose().as_str()));
}

/// Interrupts the sink at the nth write from now on (from 0), before or after it takes effect.
pub(super) type CutWrite<'a> = &'a dyn Fn(usize, bool);

/// Checks a sink against the contract when its process dies at any write, or a reply is lost. An
/// observer then sees the old content or the new one, unless `torn` allows for two writes.
/// Continuing and rolling back both end as if nothing had happened. No error shows a secret.
#[expect(clippy::cognitive_complexity, reason = "the contract, line by line")]
pub(super) async fn hold_to_crashes(
    sink: &dyn Sink,
    look: ObserveSink<'_>,
    cut: CutWrite<'_>,
    torn: bool,
) {
    let rotation = RotationId("r-1".to_owned());
    let (old, new) = (pair(1), pair(2));
    let old_secret = old.secret.clone();
    let old = Some(old);
    let before = look();
    let backup = sink.stage(&rotation).await.unwrap();
    sink.commit(&rotation, &backup, &new).await.unwrap();
    let after = look();
    put_back(sink, &backup, old.as_ref()).await.unwrap();
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
                let backup = sink.stage(&rotation).await.unwrap();
                cut(nth, takes_effect);
                let cut_off = sink.commit(&rotation, &backup, &new).await;
                cut(usize::MAX, false);
                let Err(error) = cut_off else {
                    put_back(sink, &backup, old.as_ref()).await.unwrap();
                    break;
                };
                writes = nth + 1;
                check(&error, nth);
                if goes_on {
                    sink.commit(&rotation, &backup, &new).await.unwrap();
                    assert_eq!(look(), after, "going on after write {nth}");
                }
                put_back(sink, &backup, old.as_ref()).await.unwrap();
                assert_eq!(look(), before, "going back after write {nth}");
            }
            if writes <= nth {
                break;
            }
        }
        assert!(writes > 0, "no write was cut off");
        for nth in 0.. {
            let backup = sink.stage(&rotation).await.unwrap();
            sink.commit(&rotation, &backup, &new).await.unwrap();
            cut(nth, takes_effect);
            let cut_off = put_back(sink, &backup, old.as_ref()).await;
            cut(usize::MAX, false);
            let Err(error) = cut_off else {
                assert!(nth > 0, "no write of a restore was cut off");
                break;
            };
            check(&error, nth);
            put_back(sink, &backup, old.as_ref()).await.unwrap();
            assert_eq!(look(), before, "going back again after write {nth}");
        }
        put_back(sink, &backup, old.as_ref()).await.unwrap();
        assert_eq!(look(), before);
    }
}
