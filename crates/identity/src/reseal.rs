//! Reseals IAM's stored secrets with the vault's newest data key.
//!
//! Invariant: a batch is an ordinary change of an account, computed from its newest state, so
//! requests continue meanwhile and none of their changes are lost. It can be interrupted at any
//! point and started again.

use std::sync::Arc;

use keywright_base::Entropy;

use crate::{
    ledger::LedgerError,
    mfa,
    service::Identity,
    state::{
        AccessKey, Account, MfaDevice, RootUser, SamlPrivateKey, SamlProvider, ServerCertificate,
        StateChange, User,
    },
    vault::{DataVault, OpenError, SealPurpose, SealedValue},
};

/// Owners of secrets in one commit: a few milliseconds in which the account's other writes wait.
const BATCH: usize = 256;

/// Why some secrets were not resealed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResealError {
    /// A change was not committed.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// A stored secret cannot be opened.
    #[error("{0}")]
    Sealed(#[from] OpenError),
}

impl Identity {
    /// Whether a stored secret is sealed with a data key other than the newest.
    pub fn is_stale(&self) -> bool {
        let accounts = self.ledger.ids().into_iter();
        let mut cells = accounts.filter_map(|id| self.ledger.account(id));
        cells.any(|cell| !stale(&cell.snapshot(), &self.vault, 1).is_empty())
    }

    /// Reseals every stored secret that was sealed with an older data key. Returns the number of
    /// owners of such secrets.
    ///
    /// # Errors
    /// [`ResealError`]; what was resealed before stays so.
    pub async fn reseal(&self) -> Result<u64, ResealError> {
        let mut total = 0;
        for id in self.ledger.ids() {
            let Some(cell) = self.ledger.account(id) else {
                continue;
            };
            loop {
                let compute = |account: &Account| {
                    let changes = stale(account, &self.vault, BATCH).into_iter();
                    let changes =
                        changes.map(|old| old.renewed(account, &self.vault, &*self.entropy));
                    let changes: Vec<StateChange> = changes.collect::<Result<_, _>>()?;
                    Ok::<_, OpenError>((changes.len(), changes))
                };
                let count = self.ledger.write(&cell, compute).await??;
                if count == 0 {
                    break;
                }
                total += count as u64;
            }
        }
        Ok(total)
    }
}

/// An owner of secrets.
enum SecretOwner {
    Root(Arc<RootUser>),
    User(Arc<User>),
    Device(Arc<MfaDevice>),
    Certificate(Arc<ServerCertificate>),
    Provider(Arc<SamlProvider>),
}

/// Owners of secrets sealed with an older key, at most `limit`.
fn stale(account: &Account, vault: &DataVault, limit: usize) -> Vec<SecretOwner> {
    let old = |sealed: &SealedValue| !vault.is_current(sealed);
    let keys = |keys: &[AccessKey]| keys.iter().any(|key| old(key.material.sealed()));
    let root = keys(&account.root().keys).then(|| SecretOwner::Root(Arc::clone(account.root())));
    let users = account.users().values().filter(|user| keys(&user.keys));
    let devices = account
        .devices()
        .values()
        .filter(|device| old(&device.seed));
    let certificates = account.server_certificates().values();
    let certificates = certificates.filter(|certificate| old(&certificate.private_key));
    let providers = account.saml_providers().values();
    let providers = providers.filter(|it| it.private_keys.iter().any(|key| old(&key.sealed)));
    root.into_iter()
        .chain(users.map(|user| SecretOwner::User(Arc::clone(user))))
        .chain(devices.map(|device| SecretOwner::Device(Arc::clone(device))))
        .chain(certificates.map(|it| SecretOwner::Certificate(Arc::clone(it))))
        .chain(providers.map(|it| SecretOwner::Provider(Arc::clone(it))))
        .take(limit)
        .collect()
}

impl SecretOwner {
    fn renewed(
        self,
        account: &Account,
        vault: &DataVault,
        entropy: &dyn Entropy,
    ) -> Result<StateChange, OpenError> {
        Ok(match self {
            Self::Root(root) => StateChange::put(RootUser {
                keys: renewed_keys(&root.keys, vault, entropy)?,
                ..(*root).clone()
            }),
            Self::User(user) => {
                let mut user = (*user).clone();
                user.keys = renewed_keys(&user.keys, vault, entropy)?;
                StateChange::put(user)
            }
            Self::Certificate(certificate) => {
                let place = ServerCertificate::place(&certificate.id);
                StateChange::put(ServerCertificate {
                    private_key: vault.reseal(place, &certificate.private_key, entropy)?,
                    ..(*certificate).clone()
                })
            }
            Self::Provider(provider) => {
                let mut provider = (*provider).clone();
                for key in &mut provider.private_keys {
                    let place = SamlPrivateKey::place(&key.id);
                    key.sealed = vault.reseal(place, &key.sealed, entropy)?;
                }
                StateChange::put(provider)
            }
            Self::Device(device) => {
                let serial = device.serial(account.id());
                let place = mfa::place(serial.as_str());
                StateChange::put(MfaDevice {
                    seed: vault.reseal(place, &device.seed, entropy)?,
                    ..(*device).clone()
                })
            }
        })
    }
}

fn renewed_keys(
    keys: &[AccessKey],
    vault: &DataVault,
    entropy: &dyn Entropy,
) -> Result<Vec<AccessKey>, OpenError> {
    let renew = |key: &AccessKey| {
        let place = (SealPurpose::AccessKey, key.id.as_str());
        let sealed = vault.reseal(place, key.material.sealed(), entropy)?;
        Ok(AccessKey {
            material: Arc::new(key.material.resealed(sealed)),
            ..key.clone()
        })
    };
    keys.iter().map(renew).collect()
}

#[cfg(test)]
mod tests;
