//! Limits how often the codes of a device can be tried.
//!
//! Invariants:
//!
//! - Codes cannot be guessed: an attempt counts from the moment it begins, in the console by time
//!   windows, in the API with a delay that doubles.
//! - Attempts on one path do not use up those on another. The console is counted separately from
//!   the API, each known browser separately from the others (as long as all of them together try
//!   few wrong codes), and each access key separately in the API, together with the sessions that
//!   come from it. A leaked access key, which can call GetSessionToken without any permission,
//!   therefore locks only itself and its own sessions out.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keywright_base::{AccessKeyId, Timestamp, limits};

use crate::browsers::BrowserId;

/// The origin of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CodeOrigin {
    /// Someone who knows the password, in this browser if it is a known one.
    Console(Option<BrowserId>),
    /// A request signed by this access key or by a session that comes from it; `None` for
    /// credentials that come from none, such as a console session's.
    Api(Option<AccessKeyId>),
}

/// A device during one assignment. A new assignment starts without attempts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DeviceAssignment {
    serial: String,
    since: Timestamp,
}

impl DeviceAssignment {
    pub(super) fn new(serial: &str, since: Timestamp) -> Self {
        let serial = serial.to_lowercase();
        Self { serial, since }
    }
}

/// The attempts at each device. In memory only, and only for existing devices.
#[derive(Debug, Default)]
pub(crate) struct MfaAttempts {
    console: Mutex<ConsoleWindow>,
    api: Mutex<HashMap<DeviceAssignment, Vec<ApiFailures>>>,
}

/// The attempts in the current window, including correct ones.
#[derive(Debug, Default)]
struct ConsoleWindow {
    number: i64,
    counts: HashMap<(DeviceAssignment, Option<BrowserId>), u32>,
    known: KnownBrowserHour,
}

/// The wrong attempts of all known browsers in this hour. Making more browsers known therefore does
/// not allow more guesses.
#[derive(Debug, Default)]
struct KnownBrowserHour {
    number: i64,
    counts: HashMap<DeviceAssignment, u32>,
}

impl KnownBrowserHour {
    /// Counts an attempt, unless there were too many.
    fn begin(&mut self, device: &DeviceAssignment, now: Timestamp) -> bool {
        let number = now.secs().div_euclid(HOUR_SECS);
        if self.number != number {
            *self = Self {
                number,
                counts: HashMap::new(),
            };
        }
        let count = self.counts.entry(device.clone()).or_default();
        let room = *count < limits::MFA_ATTEMPTS_KNOWN;
        *count += u32::from(room);
        room
    }

    fn undo(&mut self, device: &DeviceAssignment) {
        if let Some(count) = self.counts.get_mut(device) {
            *count = count.saturating_sub(1);
        }
    }
}

impl ConsoleWindow {
    /// Counts an attempt, unless there were too many.
    fn try_as(&mut self, device: &DeviceAssignment, browser: Option<BrowserId>) -> bool {
        let count = self.counts.entry((device.clone(), browser)).or_default();
        let room = *count < limits::MFA_ATTEMPTS;
        *count += u32::from(room);
        room
    }
}

const HOUR_SECS: i64 = 60 * 60;

/// The attempts of one access key since its last right code.
#[derive(Debug, Clone, Copy)]
struct ApiFailures {
    key: Option<AccessKeyId>,
    count: u32,
    last: Timestamp,
}

impl ApiFailures {
    /// The earliest time of the next attempt.
    fn until(self) -> Timestamp {
        let Some(doublings) = self.count.checked_sub(limits::MFA_ATTEMPTS) else {
            return self.last;
        };
        let wait = limits::MFA_WINDOW_SECS.saturating_mul(1 << doublings.min(32));
        self.last.plus_secs(wait.min(limits::MFA_WAIT_SECS_MAX))
    }

    fn forgotten(self, now: Timestamp) -> bool {
        now >= self.last.plus_secs(limits::MFA_MEMORY_SECS)
    }
}

impl MfaAttempts {
    /// Counts an attempt, unless there were too many. `exists` tells which access keys exist.
    pub(super) fn begin(
        &self,
        device: DeviceAssignment,
        origin: CodeOrigin,
        exists: impl Fn(AccessKeyId) -> bool,
        now: Timestamp,
    ) -> bool {
        match origin {
            CodeOrigin::Console(browser) => self.begin_console(device, browser, now),
            CodeOrigin::Api(key) => self.begin_api(device, key, exists, now),
        }
    }

    /// Records a correct code.
    pub(super) fn succeeded(&self, device: &DeviceAssignment, origin: CodeOrigin) {
        // The console's window counts correct codes too, the hour does not.
        if let CodeOrigin::Console(Some(_)) = origin {
            let mut window = self.console.lock().unwrap_or_else(PoisonError::into_inner);
            window.known.undo(device);
        }
        if let CodeOrigin::Api(key) = origin {
            let mut devices = self.api.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(keys) = devices.get_mut(device) {
                keys.retain(|failures| failures.key != key);
                if keys.is_empty() {
                    devices.remove(device);
                }
            }
        }
    }

    fn begin_console(
        &self,
        device: DeviceAssignment,
        browser: Option<BrowserId>,
        now: Timestamp,
    ) -> bool {
        let number = now.secs().div_euclid(limits::MFA_WINDOW_SECS);
        let mut window = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        if window.number != number {
            window.number = number;
            window.counts.clear();
        }
        if browser.is_some() {
            match window.try_as(&device, browser) {
                true if window.known.begin(&device, now) => return true,
                true => {}
                false => return false,
            }
        }
        window.try_as(&device, None)
    }

    fn begin_api(
        &self,
        device: DeviceAssignment,
        key: Option<AccessKeyId>,
        exists: impl Fn(AccessKeyId) -> bool,
        now: Timestamp,
    ) -> bool {
        let mut devices = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut devices, &device, now);
        let keys = devices.entry(device).or_default();
        keys.retain(|failures| !failures.forgotten(now));
        let same = keys.iter().position(|failures| failures.key == key);
        // A new key inherits the attempts of a deleted one, so that creating keys does not allow
        // more guesses.
        let before = same.or_else(|| {
            let deleted = |failures: &ApiFailures| failures.key.is_some_and(|key| !exists(key));
            let deleted = keys.iter().enumerate().filter(|(_, f)| deleted(f));
            let most = deleted.max_by_key(|(_, failures)| failures.count);
            most.map(|(place, _)| place)
        });
        let before = before.map(|place| keys.swap_remove(place));
        let room = before.is_none_or(|failures| now >= failures.until());
        let (count, last) = before.map_or((0, now), |failures| (failures.count, failures.last));
        let (count, last) = match room {
            true => (count.saturating_add(1), now),
            false => (count, last),
        };
        keys.push(ApiFailures { key, count, last });
        room
    }
}

fn make_room(
    devices: &mut HashMap<DeviceAssignment, Vec<ApiFailures>>,
    device: &DeviceAssignment,
    now: Timestamp,
) {
    if devices.len() < limits::MFA_DEVICES_REMEMBERED || devices.contains_key(device) {
        return;
    }
    devices.retain(|_, keys| keys.iter().any(|failures| !failures.forgotten(now)));
    if devices.len() >= limits::MFA_DEVICES_REMEMBERED {
        let last = |keys: &[ApiFailures]| keys.iter().map(|failures| failures.last).max();
        let oldest = devices.iter().min_by_key(|(_, keys)| last(keys));
        if let Some(device) = oldest.map(|(device, _)| device.clone()) {
            devices.remove(&device);
        }
    }
}

#[cfg(test)]
mod tests;
