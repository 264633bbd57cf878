//! Session tokens of IMDSv2. A token says when it expires and is authenticated with a key of this
//! process, so that none is stored and none outlives the process.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::{Entropy, Timestamp};
use ring::hmac;

/// The longest life of a token in seconds, as on EC2.
const SECS_MAX: i64 = 21_600;
const EXPIRY_BYTES: usize = 8;

pub(super) struct SessionTokens(hmac::Key);

impl SessionTokens {
    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// A token for so many seconds, as the request's header has them. `None` if they are out of
    /// range.
    pub(super) fn issue(&self, seconds: &str, now: Timestamp) -> Option<String> {
        let seconds: i64 = seconds.parse().ok()?;
        if !(1..=SECS_MAX).contains(&seconds) {
            return None;
        }
        let mut token = now.plus_secs(seconds).millis().to_be_bytes().to_vec();
        let tag = hmac::sign(&self.0, &token);
        token.extend_from_slice(tag.as_ref());
        Some(BASE64_URL_SAFE_NO_PAD.encode(token))
    }

    /// Whether a token is one of this process and has not expired.
    pub(super) fn accepts(&self, token: &str, now: Timestamp) -> bool {
        let Ok(token) = BASE64_URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let Some((expiry, tag)) = token.split_first_chunk::<EXPIRY_BYTES>() else {
            return false;
        };
        hmac::verify(&self.0, expiry, tag).is_ok() && now.millis() < i64::from_be_bytes(*expiry)
    }
}
