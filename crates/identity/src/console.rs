//! The sessions of the console.
//!
//! Invariants:
//!
//! - A session lasts no longer than the password it began with: it ends after [`SESSION_SECS`],
//!   after [`IDLE_SECS`] without use, at sign-out, and as soon as anyone else changes or deletes
//!   the password.
//! - All temporary credentials issued to a session end with it.
//!
//! Sessions are in memory only, under the hash of their cookie, so a restart signs everyone out.
//! Passwords are checked in [`crate::sign_in`]; the server handles cookies.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::{AccountId, Entropy, Secret, Timestamp, UniqueId, limits};
use ring::digest;

use crate::state::{Account, LoginProfile};

/// The maximum duration of a session, in seconds.
pub const SESSION_SECS: i64 = 12 * 60 * 60;
/// Seconds after which an unused session ends.
pub const IDLE_SECS: i64 = 60 * 60;
/// Random bytes in a cookie.
const COOKIE_BYTES: usize = 32;

/// Identifies a session on the server: the hash of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Hashes a cookie's value, which may be anything a client sent.
    pub fn of(cookie: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, cookie.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(hash.as_ref());
        Self(id)
    }

    /// Its form in a session token.
    pub(crate) fn to_text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Parses the output of [`SessionId::to_text`].
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsoleSession {
    pub account: AccountId,
    /// `None` for root.
    pub user: Option<UniqueId>,
    /// The hash of the password that it began with.
    pub password: String,
    /// Whether the session may only change the password.
    pub must_change: bool,
    /// Whether it began with an MFA code.
    pub mfa: bool,
    pub began: Timestamp,
    pub used: Timestamp,
}

impl ConsoleSession {
    /// The instant at which it ends, however much it is used.
    pub(crate) const fn expires(&self) -> Timestamp {
        self.began.plus_secs(SESSION_SECS)
    }

    fn over(&self, now: Timestamp) -> bool {
        now >= self.expires() || now >= self.used.plus_secs(IDLE_SECS)
    }

    /// Whether the password is still the one that it began with.
    fn holds(&self, account: &Account) -> bool {
        login(account, self.user).is_some_and(|login| login.hash == self.password)
    }
}

/// The console access of a user, or of root for `None`.
pub(crate) fn login(account: &Account, user: Option<UniqueId>) -> Option<&LoginProfile> {
    match user {
        Some(id) => account.user_by_id(id)?.login.as_ref(),
        None => account.root().login.as_ref(),
    }
}

#[derive(Default)]
pub(crate) struct ConsoleSessions(Mutex<HashMap<SessionId, ConsoleSession>>);

impl std::fmt::Debug for ConsoleSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.all().len())
    }
}

impl ConsoleSessions {
    /// Begins a session and returns its cookie, which is stored nowhere. If there is no room,
    /// removes the least recently used session of the same principal, or else of all.
    pub(crate) fn begin(&self, session: ConsoleSession, entropy: &dyn Entropy) -> Secret<String> {
        let mut bytes = [0; COOKIE_BYTES];
        entropy.fill(&mut bytes);
        let bytes = Secret::new(bytes);
        let cookie = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.expose()));
        let mut all = self.all();
        all.retain(|_, other| !other.over(session.used));
        let same =
            |other: &ConsoleSession| (other.account, other.user) == (session.account, session.user);
        if all.values().filter(|other| same(other)).count() >= limits::CONSOLE_SESSIONS_EACH {
            drop_oldest(&mut all, same);
        }
        if all.len() >= limits::CONSOLE_SESSIONS {
            drop_oldest(&mut all, |_| true);
        }
        all.insert(SessionId::of(cookie.expose()), session);
        cookie
    }

    /// The account of a session that has not ended.
    pub(crate) fn account(&self, id: SessionId, now: Timestamp) -> Option<AccountId> {
        let all = self.all();
        let session = all.get(&id).filter(|session| !session.over(now))?;
        Some(session.account)
    }

    /// A session that has not ended and whose password has not changed.
    pub(crate) fn find(
        &self,
        id: SessionId,
        account: &Account,
        now: Timestamp,
    ) -> Option<ConsoleSession> {
        let mut all = self.all();
        let session = all.get(&id)?;
        if session.account != account.id() {
            return None;
        }
        if session.over(now) || !session.holds(account) {
            all.remove(&id);
            return None;
        }
        Some(session.clone())
    }

    /// Records that a session was used.
    pub(crate) fn touch(&self, id: SessionId, now: Timestamp) {
        if let Some(session) = self.all().get_mut(&id) {
            session.used = session.used.max(now);
        }
    }

    pub(crate) fn end(&self, id: SessionId) -> Option<ConsoleSession> {
        self.all().remove(&id)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, ConsoleSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_oldest(
    all: &mut HashMap<SessionId, ConsoleSession>,
    which: impl Fn(&ConsoleSession) -> bool,
) {
    let among = all.iter().filter(|(_, session)| which(session));
    let oldest = among.min_by_key(|(_, session)| session.used);
    if let Some(id) = oldest.map(|(id, _)| *id) {
        all.remove(&id);
    }
}

#[cfg(test)]
mod tests;
