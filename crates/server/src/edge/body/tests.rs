//! Bodies under simulated time, so that deadlines of minutes take no time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use keywright_base::limits;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use keywright_s3::BodyBudget;

use super::{BodyFault, ClientBody, GatherFault, RequestBody, gather};
use crate::edge::stream::ConnectionTraffic;

/// A body of these pieces, each after these seconds; then it stalls.
fn stalling(pieces: Vec<(u64, usize)>) -> impl ClientBody + Send + 'static {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for (secs, bytes) in pieces {
            sleep_until(Instant::now() + Duration::from_secs(secs)).await;
            let piece = Bytes::from(vec![b'a'; bytes]);
            if sender.send(piece).await.is_err() {
                return;
            }
        }
        sender.closed().await;
    });
    let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(piece)), receiver))
    });
    StreamBody::new(Box::pin(frames))
}

fn request<B: ClientBody>(body: B) -> RequestBody<B> {
    RequestBody::new(body, Arc::new(ConnectionTraffic::default()))
}

async fn outcome<B: ClientBody>(body: B) -> Result<usize, GatherFault> {
    let gathered = gather(request(body), usize::MAX, &BodyBudget::default()).await;
    gathered.map(|body| body.bytes.len())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_or_trickles_is_ended() {
    let rate = usize::try_from(limits::BODY_BYTES_PER_SEC_MIN).unwrap();
    let idle = limits::BODY_IDLE_SECS;
    for (pieces, ends_after) in [
        (vec![], idle),
        // Bytes that arrive at once do not replenish more than the full budget.
        (vec![(0, 100 * rate)], idle),
        (vec![(idle - 1, 100 * rate)], 2 * idle - 1),
        // One byte per second replenishes next to nothing.
        (vec![(1, 1); 100], idle),
        // At half the minimum rate, the budget lasts twice as long and no longer.
        (vec![(1, rate / 2); 1000], 2 * idle - 1),
    ] {
        let (start, case) = (Instant::now(), format!("{:?}", pieces.first()));
        let outcome = outcome(stalling(pieces)).await;
        let slow = matches!(outcome, Err(GatherFault::Body(BodyFault::Slow)));
        assert!(slow, "{case} {outcome:?}");
        assert_eq!(start.elapsed().as_secs(), ends_after, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_that_keeps_the_rate_is_read_for_hours() {
    let rate = usize::try_from(limits::BODY_BYTES_PER_SEC_MIN).unwrap();
    let mut body = request(stalling(vec![(10, 10 * rate); 1000]));
    for _ in 0..1000 {
        body.frame().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn time_that_the_server_takes_is_not_the_clients() {
    let mut body = request(stalling(vec![(0, 1); 3]));
    for _ in 0..3 {
        sleep_until(Instant::now() + Duration::from_secs(3600)).await;
        body.frame().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_waits_for_is_known() {
    let traffic = Arc::new(ConnectionTraffic::default());
    traffic.set_answering(true);
    let mut body = RequestBody::new(stalling(vec![(1, 1)]), Arc::clone(&traffic));
    assert!(traffic.is_working());
    body.frame().await.unwrap().unwrap();
    assert!(traffic.is_working(), "it has what it waited for");
    let more = tokio::time::timeout(Duration::from_secs(1), body.frame());
    assert!(more.await.is_err());
    assert!(!traffic.is_working(), "it waits for the client");
    drop(body);
    assert!(traffic.is_working());
}

#[tokio::test]
async fn a_body_that_was_read_has_ended() {
    for text in ["", "text"] {
        let body = request(Full::new(Bytes::from(text)));
        let end = body.end();
        assert_eq!(end.reached(), text.is_empty());
        let gathered = gather(body, 4, &BodyBudget::default()).await.unwrap();
        assert_eq!(gathered.bytes, text.as_bytes());
        assert!(end.reached());
    }
}

#[tokio::test]
async fn a_body_is_gathered_up_to_its_limit() {
    let budget = BodyBudget::default();
    let full = |bytes: usize| request(Full::new(Bytes::from(vec![0; bytes])));
    assert!(gather(full(100), 100, &budget).await.is_ok());
    let outcome = gather(full(101), 100, &budget).await;
    assert!(matches!(outcome, Err(GatherFault::TooLarge)));
    // Without an announced length, the limit applies as bytes arrive.
    let pieces = (0..101).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a"))));
    let body = request(StreamBody::new(futures_util::stream::iter(pieces)));
    let outcome = gather(body, 100, &budget).await;
    assert!(matches!(outcome, Err(GatherFault::TooLarge)));
}

#[tokio::test]
async fn a_body_is_not_gathered_without_memory() {
    let budget = BodyBudget::default();
    let body = request(Full::new(Bytes::from(vec![0; limits::BODY_BYTES_FREE + 1])));
    let mut rest = budget.account();
    rest.hold(limits::BODY_BYTES_FREE + limits::BODIES_BYTES)
        .unwrap();
    let outcome = gather(body, usize::MAX, &budget).await;
    assert!(matches!(outcome, Err(GatherFault::NoMemory)));
}
