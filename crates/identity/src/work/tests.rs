//! Turns, limits and cancellation of heavy work, without a clock: slots are granted by hand.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{WorkLimits, WorkOwner, WorkPermit, WorkQueue};
use crate::fault::IamFault;

const LIMITS: WorkLimits = WorkLimits {
    permits: 1,
    waiting_each: 3,
    waiting: 5,
    wait: Duration::from_secs(3600),
};

fn owner(number: u8) -> WorkOwner {
    WorkOwner::Address([192, 0, 2, number].into())
}

type Entering<'a> = Pin<Box<dyn Future<Output = Result<WorkPermit, IamFault>> + 'a>>;

fn poll(entering: &mut Entering<'_>) -> Poll<Result<WorkPermit, IamFault>> {
    let mut context = Context::from_waker(Waker::noop());
    entering.as_mut().poll(&mut context)
}

/// A waiter that has queued and not been granted a slot.
#[track_caller]
fn wait(queue: &WorkQueue, number: u8) -> Entering<'_> {
    let mut entering: Entering<'_> = Box::pin(queue.enter(owner(number)));
    assert!(poll(&mut entering).is_pending());
    entering
}

#[track_caller]
fn admitted(entering: &mut Entering<'_>) -> WorkPermit {
    match poll(entering) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn places_go_round_from_owner_to_owner() {
    let queue = WorkQueue::new(LIMITS);
    let mut place = queue.enter(owner(1)).await.unwrap();
    let waiting = [1, 1, 1, 2, 3].map(|number| (number, wait(&queue, number)));
    let mut waiting = Vec::from(waiting);
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(place);
        let ready = waiting.iter_mut().enumerate().find_map(|(at, (_, one))| {
            let Poll::Ready(entered) = poll(one) else {
                return None;
            };
            Some((at, entered.unwrap()))
        });
        let (at, entered) = ready.unwrap();
        order.push(waiting.remove(at).0);
        // Never two at once.
        assert!(waiting.iter_mut().all(|(_, one)| poll(one).is_pending()));
        place = entered;
    }
    assert_eq!(order, [1, 2, 3, 1, 1]);
}

#[tokio::test]
async fn lines_are_bounded_each_and_altogether() {
    let queue = WorkQueue::new(LIMITS);
    let place = queue.enter(owner(1)).await.unwrap();
    let mut mine = [(); 3].map(|()| wait(&queue, 1));
    assert_eq!(
        queue.enter(owner(1)).await.unwrap_err(),
        IamFault::Throttled
    );
    let others = [2, 3].map(|number| wait(&queue, number));
    assert_eq!(
        queue.enter(owner(4)).await.unwrap_err(),
        IamFault::Throttled
    );
    // A waiter that leaves makes room, and does not use up a turn.
    drop(others);
    let mut fourth = wait(&queue, 4);
    drop(place);
    let first = admitted(&mut mine[0]);
    drop(first);
    drop(admitted(&mut fourth));
    drop(mine);
    let state = queue.state();
    assert_eq!((state.free, state.waiting, state.lines.len()), (1, 0, 0));
}

#[tokio::test]
async fn a_place_given_to_who_went_away_is_passed_on() {
    let queue = WorkQueue::new(LIMITS);
    let place = queue.enter(owner(1)).await.unwrap();
    let (first, mut second) = (wait(&queue, 2), wait(&queue, 3));
    // The slot is in the channel when its receiver is dropped.
    drop(place);
    drop(first);
    drop(admitted(&mut second));
    assert_eq!(queue.state().free, 1);
}

#[tokio::test]
async fn a_wait_ends() {
    let queue = WorkQueue::new(WorkLimits {
        wait: Duration::ZERO,
        ..LIMITS
    });
    let place = queue.enter(owner(1)).await.unwrap();
    let waited = pin!(queue.enter(owner(2))).await;
    assert_eq!(waited.unwrap_err(), IamFault::Throttled);
    drop(place);
    let state = queue.state();
    assert_eq!((state.free, state.waiting), (1, 0));
}

#[tokio::test]
async fn work_keeps_its_place_when_nobody_waits_for_it_any_more() {
    let queue = WorkQueue::new(LIMITS);
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let place = queue.enter(owner(1)).await.unwrap();
    let mut running = Box::pin(place.run(move || finished.recv()));
    let mut context = Context::from_waker(Waker::noop());
    // This is the runtime's only thread, and it is not blocked.
    assert!(running.as_mut().poll(&mut context).is_pending());
    drop(running);
    let mut next = wait(&queue, 2);
    assert!(poll(&mut next).is_pending());
    finish.send(()).unwrap();
    drop(next.await.unwrap());
}

#[test]
fn a_network_of_64_bits_is_one_owner() {
    let of = |text: &str| WorkOwner::address(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::2:3"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
