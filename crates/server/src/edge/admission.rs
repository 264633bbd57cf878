//! Limits the number of connections.
//!
//! Invariant: neither unauthenticated clients nor a single principal can keep others out. Only a
//! request with a valid signature protects its connection, and only within limits: each principal
//! has a share, because any number of clients can use one presigned URL, and S3 never has all
//! connections, because a caller who deactivates a key must get in. When there are too many
//! connections in total or from one source, the unprotected one that has waited longest is closed.
//! So a client that sends its request gets its response, however many others hold connections open
//! and neither send nor read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use keywright_base::limits;
use keywright_identity::work::WorkOwner;
use tokio::{sync::Notify, time::Instant};

use super::files;

/// The maximum numbers of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    /// In total.
    pub total: usize,
    /// From one source.
    pub per_source: usize,
    /// Protected connections with S3 requests.
    pub transfers: usize,
    /// Protected connections of one principal, per [`ConnectionUse`].
    pub per_holder: usize,
}

impl ConnectionLimits {
    /// The limits for this number of file descriptors.
    pub(super) fn for_files(files: u64) -> Self {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let spare = files.saturating_sub(limits::FILES_RESERVED) / limits::FILES_PER_CONNECTION;
        let total = spare.clamp(1, limits::CONNECTIONS);
        let percent = |percent: usize| total * percent / 100;
        Self {
            total,
            per_source: percent(limits::CONNECTIONS_PER_SOURCE_PERCENT).max(1),
            transfers: percent(limits::TRANSFERS_PERCENT),
            per_holder: percent(limits::CONNECTIONS_PER_PRINCIPAL_PERCENT).max(1),
        }
    }
}

/// What a verified request uses its connection for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionUse {
    /// IAM, STS and the extension: protected until the response is made.
    Call,
    /// S3: protected until the response is read, as long as the client reads at the minimum rate.
    Transfer,
}

/// A source that is counted as one: an IPv4 address, or an IPv6 /64 network, because one customer
/// has all of it.
pub(super) type SourceId = u64;

/// The source of an address; `None` for addresses that many clients share.
pub(super) fn source(address: IpAddr) -> Option<SourceId> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(u64::from(u32::from(address))),
        // The prefixes of IPv6 networks in use differ from every IPv4 address.
        IpAddr::V6(address) => u64::try_from(u128::from(address) >> 64).ok(),
    }
}

/// Fewer connections than a small installation may need.
const FEW_CONNECTIONS: usize = 1000;

/// The admission of the process, which all listeners share. The first of them creates it.
#[derive(Debug, Default)]
pub(crate) struct SharedAdmission(OnceLock<Arc<ConnectionAdmission>>);

impl SharedAdmission {
    /// Returns the shared admission. The first call raises the limit of open files as far as the
    /// system allows.
    pub(super) fn get(&self) -> Arc<ConnectionAdmission> {
        Arc::clone(self.0.get_or_init(|| {
            let limits = ConnectionLimits::for_files(files::raise_limit());
            if limits.total < FEW_CONNECTIONS {
                let connections = limits.total;
                tracing::warn!(
                    connections,
                    "few connections: the hard limit of open files is low"
                );
            }
            ConnectionAdmission::new(limits)
        }))
    }
}

/// All open connections.
#[derive(Debug)]
pub(crate) struct ConnectionAdmission {
    limits: ConnectionLimits,
    table: Mutex<ConnectionTable>,
    log: RefusalLog,
}

#[derive(Debug, Default)]
struct ConnectionTable {
    /// The next number, for connection IDs and for positions in the queue.
    next: u64,
    open: HashMap<u64, OpenConnection>,
    by_source: HashMap<SourceId, usize>,
    /// The connections that may be closed, longest waiting first: from turn to ID.
    waiting: BTreeMap<u64, u64>,
    waiting_by_source: BTreeSet<(SourceId, u64)>,
    /// Protected connections with S3 requests.
    transfers: usize,
    by_holder: HashMap<(WorkOwner, ConnectionUse), usize>,
}

#[derive(Debug)]
struct OpenConnection {
    source: Option<SourceId>,
    /// Its position in the queue to be closed; `None` while it is protected.
    turn: Option<u64>,
    /// The principal that protects it, and for which use.
    protection: Option<(WorkOwner, ConnectionUse)>,
    evict: Arc<Notify>,
}

/// The permission to hold one connection.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    admission: Arc<ConnectionAdmission>,
    id: u64,
    evict: Arc<Notify>,
}

impl ConnectionAdmission {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Mutex::default(),
            log: RefusalLog::default(),
        })
    }

    /// Admits a connection; `None` if every other one is protected. Without a source, only the
    /// total limit applies.
    pub(super) fn admit(self: &Arc<Self>, source: Option<SourceId>) -> Option<ConnectionSlot> {
        let mut table = self.table();
        let of_source = source.and_then(|source| table.by_source.get(&source));
        let source_full = of_source.is_some_and(|count| *count >= self.limits.per_source);
        let full = table.open.len() >= self.limits.total;
        if source_full || full {
            let evicted = match source.filter(|_| source_full) {
                Some(source) => table.evict_of(source),
                None => table.evict_any(),
            };
            let open = table.open.len();
            let line = if evicted { MADE_ROOM } else { TURNED_AWAY };
            if !evicted {
                drop(table);
                self.log.note(line, open);
                return None;
            }
            self.log.note(line, open);
        }
        let (id, evict) = table.add(source);
        drop(table);
        Some(ConnectionSlot {
            admission: Arc::clone(self),
            id,
            evict,
        })
    }

    /// Logs that the system could not accept a connection.
    pub(super) fn not_accepted(&self, error: &std::io::Error) {
        let open = self.table().open.len();
        self.log
            .note(&format!("the system gave none: {error}"), open);
    }

    fn table(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MADE_ROOM: &str = "there are too many; the one that waited longest was closed";
const TURNED_AWAY: &str = "there are too many, all of them at work";

impl ConnectionTable {
    fn add(&mut self, source: Option<SourceId>) -> (u64, Arc<Notify>) {
        let (id, evict) = (self.next(), Arc::new(Notify::new()));
        let connection = OpenConnection {
            source,
            turn: None,
            protection: None,
            evict: Arc::clone(&evict),
        };
        self.open.insert(id, connection);
        if let Some(source) = source {
            *self.by_source.entry(source).or_default() += 1;
        }
        self.wait(id);
        (id, evict)
    }

    const fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Adds a connection to the end of the queue, unless it is already in it: unverified requests
    /// gain no time by repetition.
    fn wait(&mut self, id: u64) {
        let turn = self.next();
        if let Some(connection) = self.open.get_mut(&id)
            && connection.turn.is_none()
        {
            connection.turn = Some(turn);
            self.waiting.insert(turn, id);
            if let Some(source) = connection.source {
                self.waiting_by_source.insert((source, turn));
            }
        }
    }

    /// Removes a connection from the queue, if the limits of its principal and of S3 allow it.
    /// Otherwise it moves to the end of the queue.
    fn protect(
        &mut self,
        id: u64,
        (holder, work): (WorkOwner, ConnectionUse),
        limits: ConnectionLimits,
    ) {
        self.end_turn(id);
        let count = self.by_holder.entry((holder, work)).or_default();
        let full = *count >= limits.per_holder
            || work == ConnectionUse::Transfer && self.transfers >= limits.transfers;
        let connection = self.open.get_mut(&id);
        if let Some(connection) = connection.filter(|_| !full) {
            *count += 1;
            self.transfers += usize::from(work == ConnectionUse::Transfer);
            connection.protection = Some((holder, work));
        } else {
            if *count == 0 {
                self.by_holder.remove(&(holder, work));
            }
            self.wait(id);
        }
    }

    /// Removes a connection from the queue or ends its protection, whichever applies.
    fn end_turn(&mut self, id: u64) {
        let Some(connection) = self.open.get_mut(&id) else {
            return;
        };
        if let Some(turn) = connection.turn.take() {
            self.waiting.remove(&turn);
            if let Some(source) = connection.source {
                self.waiting_by_source.remove(&(source, turn));
            }
        }
        if let Some(protection) = connection.protection.take() {
            self.transfers -= usize::from(protection.1 == ConnectionUse::Transfer);
            if let Some(count) = self.by_holder.get_mut(&protection) {
                *count -= 1;
                if *count == 0 {
                    self.by_holder.remove(&protection);
                }
            }
        }
    }

    /// Ends a connection's protection, if it has any, and moves it to the end of the queue.
    fn release(&mut self, id: u64, ended: impl Fn(ConnectionUse) -> bool) {
        let connection = self.open.get(&id);
        let protection = connection.and_then(|connection| connection.protection);
        if protection.is_some_and(|(_, work)| ended(work)) {
            self.end_turn(id);
            self.wait(id);
        }
    }

    fn remove(&mut self, id: u64) -> Option<OpenConnection> {
        self.end_turn(id);
        let connection = self.open.remove(&id)?;
        if let Some(source) = connection.source
            && let Some(count) = self.by_source.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(connection)
    }

    fn evict_of(&mut self, source: SourceId) -> bool {
        let turns = self
            .waiting_by_source
            .range((source, 0)..=(source, u64::MAX));
        let first = turns.map(|(_, turn)| *turn).next();
        first.is_some_and(|turn| self.evict(turn))
    }

    fn evict_any(&mut self) -> bool {
        let first = self.waiting.first_key_value().map(|(turn, _)| *turn);
        first.is_some_and(|turn| self.evict(turn))
    }

    /// The connection no longer counts from here on, although its socket takes a moment to close.
    fn evict(&mut self, turn: u64) -> bool {
        let id = self.waiting.get(&turn).copied();
        let connection = id.and_then(|id| self.remove(id));
        connection.is_some_and(|connection| {
            connection.evict.notify_one();
            true
        })
    }
}

impl ConnectionSlot {
    /// Protects the connection, because it carries a request with a valid signature.
    pub(crate) fn protect(&self, holder: WorkOwner, work: ConnectionUse) {
        let limits = self.admission.limits;
        self.admission
            .table()
            .protect(self.id, (holder, work), limits);
    }

    /// Ends the protection of a connection that needed it only until the response was made.
    pub(super) fn answered(&self) {
        self.admission
            .table()
            .release(self.id, |work| work == ConnectionUse::Call);
    }

    /// Ends the protection, if there is any: the request has ended, or the client is too slow.
    pub(super) fn release(&self) {
        self.admission.table().release(self.id, |_| true);
    }

    /// Completes when the connection must make room.
    pub(super) async fn evicted(&self) {
        self.evict.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.admission.table().remove(self.id);
    }
}

/// A rate-limited log for events that unauthenticated clients can cause: one line per interval,
/// with a count.
#[derive(Debug, Default)]
struct RefusalLog(Mutex<RefusalCount>);

#[derive(Debug, Default)]
struct RefusalCount {
    since: Option<Instant>,
    unsaid: u64,
}

impl RefusalLog {
    fn note(&self, why: &str, open: usize) {
        if let Some(count) = self.count(Instant::now()) {
            tracing::warn!(count, open, "connections were refused or closed: {why}");
        }
    }

    /// Counts one event; returns the count when a line is due.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.unsaid += 1;
        let pause = Duration::from_secs(limits::REFUSAL_LOG_SECS);
        let due = log.since.is_none_or(|since| now >= since + pause);
        due.then(|| {
            log.since = Some(now);
            std::mem::take(&mut log.unsaid)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc, time::Duration};

    use futures_util::FutureExt;
    use keywright_base::{AccountId, limits};
    use keywright_identity::work::WorkOwner;
    use tokio::time::Instant;

    use super::{
        ConnectionAdmission, ConnectionLimits, ConnectionSlot, ConnectionUse, RefusalLog, source,
    };

    fn of(total: usize, per_source: usize) -> Arc<ConnectionAdmission> {
        ConnectionAdmission::new(ConnectionLimits {
            total,
            per_source,
            transfers: total,
            per_holder: total,
        })
    }

    fn owner(number: u64) -> WorkOwner {
        WorkOwner::Root(AccountId::new(number).unwrap())
    }

    fn protect(slot: &ConnectionSlot) {
        slot.protect(owner(1), ConnectionUse::Transfer);
    }

    fn admit(admission: &Arc<ConnectionAdmission>, address: &str) -> Option<ConnectionSlot> {
        admission.admit(source(address.parse().unwrap()))
    }

    fn evicted(slot: &ConnectionSlot) -> bool {
        slot.evicted().now_or_never().is_some()
    }

    #[test]
    fn limits_follow_the_file_descriptors() {
        for (files, total, per_source, transfers, per_holder) in [
            (0, 1, 1, 0, 1),
            (1024, 448, 224, 336, 112),
            (4096, 1984, 992, 1488, 496),
            (1 << 40, limits::CONNECTIONS, 5000, 7500, 2500),
        ] {
            let expected = ConnectionLimits {
                total,
                per_source,
                transfers,
                per_holder,
            };
            assert_eq!(ConnectionLimits::for_files(files), expected, "{files}");
        }
    }

    #[test]
    fn sources() {
        let source = |text: &str| source(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("127.0.0.1"), None);
        assert_eq!(source("::1"), None);
        assert_eq!(source("::ffff:127.0.0.2"), None);
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::2:0:0:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    }

    #[test]
    fn the_one_that_waited_longest_makes_room() {
        let admission = of(2, 2);
        let first = admit(&admission, "127.0.0.1").unwrap();
        let second = admit(&admission, "127.0.0.1").unwrap();
        protect(&first);
        first.release();
        // It was not protected, so this has no effect.
        second.release();
        let third = admit(&admission, "192.0.2.1").unwrap();
        assert!(evicted(&second) && !evicted(&first) && !evicted(&third));
        drop((first, second));
        // The evicted connection is not counted twice.
        let _fourth = admit(&admission, "192.0.2.1").unwrap();
        assert!(!evicted(&third));
        assert_eq!(admission.table().open.len(), 2);
    }

    #[test]
    fn a_verified_request_is_never_closed_for_another() {
        let admission = of(2, 2);
        let slots = [
            admit(&admission, "::1").unwrap(),
            admit(&admission, "::1").unwrap(),
        ];
        slots.iter().for_each(protect);
        assert!(admit(&admission, "192.0.2.1").is_none());
        slots[1].release();
        let _new = admit(&admission, "192.0.2.1").unwrap();
        assert!(evicted(&slots[1]) && !evicted(&slots[0]));
    }

    #[test]
    fn a_principal_protects_its_share_and_s3_never_all() {
        let limits = ConnectionLimits {
            total: 4,
            per_source: 4,
            transfers: 3,
            per_holder: 2,
        };
        let admission = ConnectionAdmission::new(limits);
        let slots: Vec<_> = (0..4).map(|_| admit(&admission, "::1").unwrap()).collect();
        // Four connections with one presigned URL, and then one of another principal, which has its
        // own share.
        slots.iter().for_each(protect);
        let fifth = admit(&admission, "::1").unwrap();
        assert!(evicted(&slots[2]) && !evicted(&slots[3]));
        fifth.protect(owner(2), ConnectionUse::Transfer);
        // All of S3's share is used: a third principal is answered, but not protected.
        let sixth = admit(&admission, "::1").unwrap();
        assert!(evicted(&slots[3]));
        sixth.protect(owner(3), ConnectionUse::Transfer);
        let seventh = admit(&admission, "::1").unwrap();
        assert!(evicted(&sixth));
        // Calls have a share of their own, also for a principal that has used up its share for S3.
        seventh.protect(owner(1), ConnectionUse::Call);
        assert!(admit(&admission, "::1").is_none());
        seventh.answered();
        let _eighth = admit(&admission, "::1").unwrap();
        assert!(evicted(&seventh));
        // Making the response does not end a transfer; sending all of it does, and frees its share.
        slots[0].answered();
        slots[0].release();
        let _ninth = admit(&admission, "::1").unwrap();
        assert!(!evicted(&slots[0]) && !evicted(&fifth));
        drop((slots, fifth, sixth, seventh));
        assert_eq!(admission.table().transfers, 0);
        assert!(admission.table().by_holder.is_empty());
    }

    #[test]
    fn one_source_makes_room_for_itself() {
        let admission = of(10, 2);
        let other = admit(&admission, "192.0.2.9").unwrap();
        let first = admit(&admission, "192.0.2.1").unwrap();
        let second = admit(&admission, "192.0.2.1").unwrap();
        let third = admit(&admission, "192.0.2.1").unwrap();
        assert!(evicted(&first) && !evicted(&other) && !evicted(&second));
        protect(&second);
        protect(&third);
        assert!(
            admit(&admission, "192.0.2.1").is_none(),
            "all of it are at work"
        );
        assert!(admit(&admission, "192.0.2.2").is_some());
        // Loopback addresses have no limit per source.
        let local: Vec<_> = (0..5).map(|_| admit(&admission, "127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some));
    }

    #[test]
    fn nothing_is_left_of_closed_connections() {
        let admission = of(50, 10);
        for round in 0..1000 {
            let slot = admit(&admission, &format!("192.0.2.{}", round % 200)).unwrap();
            protect(&slot);
            if round % 3 == 0 {
                slot.release();
            }
        }
        let table = admission.table();
        assert!(table.open.is_empty() && table.by_source.is_empty());
        assert!(table.waiting.is_empty() && table.waiting_by_source.is_empty());
        assert!(table.by_holder.is_empty() && table.transfers == 0);
    }

    #[test]
    fn refusals_are_logged_once_in_a_while() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        assert_eq!(log.count(start), Some(1));
        assert_eq!((0..99).filter_map(|_| log.count(start)).count(), 0);
        let later = start + Duration::from_secs(limits::REFUSAL_LOG_SECS);
        assert_eq!(log.count(later), Some(100));
    }
}
