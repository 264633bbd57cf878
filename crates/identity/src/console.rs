//! Who is signed in to the console.
//!
//! It protects two rules. A session lasts no longer than the password it began with: it ends after
//! [`SESSION_SECS`], after [`IDLE_SECS`] without use, at sign-out, and as soon as the password is
//! changed by anyone else or taken away. And whatever temporary credentials a session was given end
//! with it. Sessions are in memory only, under the hash of their cookie: a restart signs everyone
//! out. Passwords are checked in [`crate::sign_in`]; cookies are the server's business.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::{AccountId, Entropy, Secret, Timestamp, UniqueId, limits};
use ring::digest;

use crate::state::{Account, LoginProfile};

/// Seconds that a session lasts at most.
pub const SESSION_SECS: i64 = 12 * 60 * 60;
/// Seconds that a session lasts without being used.
pub const IDLE_SECS: i64 = 60 * 60;
/// Random bytes of a cookie.
const COOKIE_BYTES: usize = 32;

/// What a session is known by on the server: the hash of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Of the value of a cookie, whatever a client sent.
    pub fn of(cookie: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, cookie.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(hash.as_ref());
        Self(id)
    }

    /// As a session token writes it.
    pub(crate) fn to_text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// As [`SessionId::to_text`] wrote it.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsoleSession {
    pub account: AccountId,
    /// `None` for root.
    pub user: Option<UniqueId>,
    /// The hash of the password that it began with.
    pub password: String,
    /// Whether it may do nothing but change the password.
    pub must_change: bool,
    /// Whether it began with a multi-factor code.
    pub mfa: bool,
    pub began: Timestamp,
    pub used: Timestamp,
}

impl ConsoleSession {
    /// The first instant at which it is over, however much it is used.
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

/// Every session.
#[derive(Default)]
pub(crate) struct ConsoleSessions(Mutex<HashMap<SessionId, ConsoleSession>>);

impl std::fmt::Debug for ConsoleSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.all().len())
    }
}

impl ConsoleSessions {
    /// Begins a session; gives the cookie, which is nowhere else. Makes room where there is none:
    /// of the same principal's sessions, or else of all, the one unused for longest goes.
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

    /// The account of a session that is not over.
    pub(crate) fn account(&self, id: SessionId, now: Timestamp) -> Option<AccountId> {
        let all = self.all();
        let session = all.get(&id).filter(|session| !session.over(now))?;
        Some(session.account)
    }

    /// A session that is not over and whose password still is the one it began with.
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

    /// Notes that a session was used.
    pub(crate) fn touch(&self, id: SessionId, now: Timestamp) {
        if let Some(session) = self.all().get_mut(&id) {
            session.used = session.used.max(now);
        }
    }

    /// Ends a session.
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
