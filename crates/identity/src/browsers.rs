//! Browsers that have signed in to the console before.
//!
//! Invariant: a browser is known only for users who have signed in with it, with the password and,
//! if the user has MFA devices, with a code of a device that the user still has.
//!
//! A known browser carries a cookie that only this installation can create or read; the server
//! stores nothing. Known browsers have a count of sign-in attempts of their own, so that failures
//! elsewhere do not lock them out. Being known never replaces signing in.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::{AccountId, Secret, UniqueId, limits};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::{
    Identity,
    console::login,
    state::{Account, CredentialOwner},
    vault::SealPurpose,
};

/// Seconds for which a browser stays known after its last sign-in.
pub const BROWSER_SECS: i64 = 180 * 24 * 60 * 60;
/// Random bytes in a browser's ID.
const ID_BYTES: usize = 16;
/// Bytes of a password hash's digest in a cookie.
const MARK_BYTES: usize = 12;

/// Identifies a browser.
pub type BrowserId = [u8; ID_BYTES];

/// The contents of the cookie, sealed.
#[derive(Serialize, Deserialize)]
struct DeviceCookie {
    id: BrowserId,
    /// The users who have signed in with it, most recent last.
    users: Vec<KnownUser>,
}

#[derive(Serialize, Deserialize)]
struct KnownUser {
    account: String,
    /// The unique ID; `None` for root.
    user: Option<String>,
    /// Identifies the password and MFA devices that it signed in with.
    mark: String,
    /// The time of the sign-in, in milliseconds.
    at: i64,
}

impl Identity {
    /// The browser that presents a cookie, if it is known for this user, or for root without a
    /// name.
    pub fn known_browser(
        &self,
        note: &str,
        account: AccountId,
        user: Option<&str>,
    ) -> Option<BrowserId> {
        let note = self.open_note(note)?;
        let state = self.ledger.account(account)?.snapshot().clone();
        let user = match user {
            Some(name) => Some(state.user(name)?.id),
            None => None,
        };
        let mark = mark_of(&login(&state, user)?.hash, &state, user);
        let (account, user) = (account.to_string(), user.map(|user| user.to_string()));
        let known = note.users.iter().any(|known| {
            known.is_of(&account, user.as_deref())
                && known.mark == mark
                && self.clock.now().millis() < known.at.saturating_add(BROWSER_SECS * 1000)
        });
        known.then_some(note.id)
    }

    /// The cookie for a browser that has just signed in with this console session, continuing the
    /// one that it presented.
    pub fn remember_browser(&self, before: Option<&str>, cookie: &str) -> Option<Secret<String>> {
        let (_, session, state) = self.session(cookie)?;
        let has_devices = state.devices_of(owner(session.user)).next().is_some();
        if has_devices && !session.mfa {
            // The session began before there was a device, so it only required the password.
            return None;
        }
        let mut note = match before.and_then(|note| self.open_note(note)) {
            Some(note) => note,
            None => {
                let mut id = [0; ID_BYTES];
                self.entropy.fill(&mut id);
                let users = Vec::new();
                DeviceCookie { id, users }
            }
        };
        let account = session.account.to_string();
        let user = session.user.map(|user| user.to_string());
        let same = |known: &KnownUser| known.is_of(&account, user.as_deref());
        note.users.retain(|known| !same(known));
        let surplus = (note.users.len() + 1).saturating_sub(limits::USERS_PER_BROWSER);
        note.users.drain(..surplus);
        note.users.push(KnownUser {
            account,
            user,
            mark: mark_of(&session.password, &state, session.user),
            at: self.clock.now().millis(),
        });
        let plain = serde_json::to_vec(&note).ok()?;
        let sealed = self.vault.seal(PLACE, &plain, &*self.entropy).ok()?;
        Some(Secret::new(
            BASE64_URL_SAFE_NO_PAD.encode(sealed.as_bytes()),
        ))
    }

    fn open_note(&self, text: &str) -> Option<DeviceCookie> {
        if text.len() > limits::BROWSER_COOKIE_BYTES {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.vault.open(PLACE, &sealed).ok()?;
        serde_json::from_slice(plain.expose()).ok()
    }
}

const PLACE: (SealPurpose, &str) = (SealPurpose::Browser, "console");

impl KnownUser {
    fn is_of(&self, account: &str, user: Option<&str>) -> bool {
        self.account == account && self.user.as_deref() == user
    }
}

fn owner(user: Option<UniqueId>) -> CredentialOwner {
    user.map_or(CredentialOwner::Root, CredentialOwner::User)
}

/// Identifies a password together with a set of MFA devices.
fn mark_of(hash: &str, account: &Account, user: Option<UniqueId>) -> String {
    let devices = account.devices_of(owner(user));
    let mut assigned: Vec<_> = devices
        .filter_map(|device| {
            let since = device.enabled.as_ref()?.since.millis();
            Some(format!("\n{} {since}", device.serial(account.id())))
        })
        .collect();
    assigned.sort_unstable();
    let text = format!("{hash}{}", assigned.concat());
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let start = hash.as_ref().iter().take(MARK_BYTES).copied();
    BASE64_URL_SAFE_NO_PAD.encode(start.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
