//! Access keys: ID, status, and the sealed secret with the signing keys derived from it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwapOption;
use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{AccessKeyId, Timestamp};
use keywright_sigv4::{CredentialScope, SigningKey};
use serde::{Deserialize, Serialize};

use super::entity::{RecordError, RecordReader, at};
use crate::vault::SealedValue;

/// Whether a key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// Accepted.
    Active,
    /// Refused like an unknown key; attempts are counted.
    Inactive,
}

impl KeyStatus {
    /// From the stored form.
    pub(super) const fn of(is_active: bool) -> Self {
        if is_active {
            Self::Active
        } else {
            Self::Inactive
        }
    }

    /// AWS's spelling: `Active` or `Inactive`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// The idempotency token with which a key was created. It is valid for
/// [`keywright_base::limits::IDEMPOTENCY_MINUTES`] after the key's creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// SHA-256 of the token, in hexadecimal.
    pub token_digest: String,
    /// The key or principal that sent it, so that the tokens of different callers are independent.
    pub caller: String,
}

/// A long-term access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its ID.
    pub id: AccessKeyId,
    /// Whether it is accepted.
    pub status: KeyStatus,
    /// When it was created, whole seconds.
    pub created: Timestamp,
    /// The token it was created with, if any.
    pub replay: Option<IdempotencyRecord>,
    /// The secret, shared by every snapshot that has the key.
    pub material: Arc<KeyMaterial>,
}

/// A key's sealed secret, the last signing keys derived from it, and when its use was last
/// recorded.
pub struct KeyMaterial {
    sealed: SealedValue,
    derived: [ArcSwapOption<(CredentialScope, SigningKey)>; 2],
    use_recorded: AtomicI64,
    seconds_used: [AtomicI64; 2],
}

impl KeyMaterial {
    /// From a sealed secret.
    pub fn new(sealed: SealedValue) -> Self {
        Self {
            sealed,
            derived: [ArcSwapOption::empty(), ArcSwapOption::empty()],
            use_recorded: AtomicI64::new(i64::MIN),
            seconds_used: [const { AtomicI64::new(i64::MIN) }; 2],
        }
    }

    /// The same secret, resealed.
    pub(crate) fn resealed(&self, sealed: SealedValue) -> Self {
        let recorded = self.use_recorded.load(Ordering::Relaxed);
        Self {
            use_recorded: AtomicI64::new(recorded),
            ..Self::new(sealed)
        }
    }

    /// The sealed secret, for the store.
    pub const fn sealed(&self) -> &SealedValue {
        &self.sealed
    }

    /// The signing key of a scope, if it is among the last two derived.
    pub fn cached(&self, scope: &CredentialScope) -> Option<SigningKey> {
        self.derived.iter().find_map(|slot| {
            let entry = slot.load();
            let (of, key) = &**entry.as_ref()?;
            (of == scope).then(|| key.clone())
        })
    }

    /// Caches a derived signing key, replacing the older of the two slots.
    pub fn remember(&self, scope: CredentialScope, key: SigningKey) {
        let [newest, older] = &self.derived;
        older.store(newest.swap(Some(Arc::new((scope, key)))));
    }

    /// Whether a use at `now` starts a new window of `window_secs`. If so, it counts as recorded,
    /// so that exactly one of many concurrent uses gets `true`.
    pub fn opens_window(&self, now: Timestamp, window_secs: i64) -> bool {
        let recorded = self.use_recorded.load(Ordering::Relaxed);
        let due = recorded.saturating_add(window_secs.saturating_mul(1000));
        (recorded == i64::MIN || now.millis() >= due)
            && self
                .use_recorded
                .compare_exchange(recorded, now.millis(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether this second is later than every recorded use of the key, by anyone or by a consumer.
    /// If so, it counts as recorded.
    pub(crate) fn opens_second(&self, now: Timestamp, consumer: bool) -> bool {
        let [any, by_consumer] = &self.seconds_used;
        let last = if consumer { by_consumer } else { any };
        let secs = now.secs();
        last.load(Ordering::Relaxed) < secs && last.fetch_max(secs, Ordering::Relaxed) < secs
    }

    /// Sets when the use was last recorded, when loading.
    pub fn set_use_recorded(&self, at: Timestamp) {
        self.use_recorded.store(at.millis(), Ordering::Relaxed);
    }
}

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyMaterial([redacted])")
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    id: String,
    active: bool,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<(String, String)>,
    secret: String,
}

impl From<&AccessKey> for KeyRecord {
    fn from(key: &AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            active: key.status == KeyStatus::Active,
            created: key.created.millis(),
            replay: key
                .replay
                .as_ref()
                .map(|r| (r.token_digest.clone(), r.caller.clone())),
            secret: BASE64_STANDARD.encode(key.material.sealed().as_bytes()),
        }
    }
}

impl KeyRecord {
    fn restore(self, reader: &RecordReader<'_, '_>) -> Result<AccessKey, RecordError> {
        let (id, sealed) = (reader.id(&self.id)?, reader.sealed(&self.secret)?);
        Ok(AccessKey {
            id,
            status: KeyStatus::of(self.active),
            created: at(self.created),
            replay: self.replay.map(|(token_digest, caller)| IdempotencyRecord {
                token_digest,
                caller,
            }),
            material: reader.key_material(id, sealed),
        })
    }
}

pub(super) fn restore_keys(
    keys: Vec<KeyRecord>,
    reader: &RecordReader<'_, '_>,
) -> Result<Vec<AccessKey>, RecordError> {
    keys.into_iter().map(|key| key.restore(reader)).collect()
}
