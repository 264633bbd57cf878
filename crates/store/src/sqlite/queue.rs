//! A bounded queue between callers and the engine's threads.
//!
//! Invariant: items are popped in the order they were pushed. After [`JobQueue::close`] the
//! remaining items are still served, and no new ones are accepted. A full queue blocks the caller;
//! it never drops an item.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

pub(super) struct JobQueue<T> {
    state: Mutex<QueueState<T>>,
    capacity: usize,
    filled: Condvar,
    freed: Condvar,
}

struct QueueState<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> JobQueue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = QueueState {
            items: VecDeque::with_capacity(capacity),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            capacity,
            filled: Condvar::new(),
            freed: Condvar::new(),
        }
    }

    /// Appends an item; blocks while the queue is full. After [`JobQueue::close`] the item is
    /// dropped.
    pub(super) fn push(&self, item: T) {
        let mut state = self.lock();
        while state.items.len() >= self.capacity && !state.closed {
            state = self
                .freed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            state.items.push_back(item);
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Appends an item unless the queue is full or closed.
    pub(super) fn offer(&self, item: T) {
        let mut state = self.lock();
        if state.items.len() < self.capacity && !state.closed {
            state.items.push_back(item);
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Returns the next item, waiting for one. `None` once the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                drop(state);
                self.freed.notify_one();
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the next item if there is one now.
    pub(super) fn try_pop(&self) -> Option<T> {
        let item = self.lock().items.pop_front();
        if item.is_some() {
            self.freed.notify_one();
        }
        item
    }

    /// Rejects new items; queued items are still served.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.freed.notify_all();
    }

    // No caller's code runs under the lock, so the state is consistent even if the lock is
    // poisoned.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the thread that serves a queue. However the thread ends, the queued items are dropped,
/// so callers get an answer instead of waiting forever.
pub(super) struct QueueGuard<'a, T>(pub(super) &'a JobQueue<T>);

impl<T> Drop for QueueGuard<'_, T> {
    fn drop(&mut self) {
        self.0.close();
        while self.0.try_pop().is_some() {}
    }
}
