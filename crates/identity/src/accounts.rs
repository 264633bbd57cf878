//! Makes the accounts that organizations have requested.
//!
//! Invariant: a request that was committed is carried out, also after a restart: whoever opens the
//! installation finishes what is in progress. Each step can be repeated.

use arc_swap::ArcSwapOption;
use keywright_base::{AccountId, Arn, IdKind, Timestamp, UniqueId};
use keywright_store::contract::StoreError;

use crate::{
    ledger::LedgerError,
    service::Identity,
    state::{
        Account, AccountCreation, CreationOutcome, DirectGrants, MemberAccount, OrganizationLink,
        Role, RootUser, StateChange, TrustPolicy,
    },
};

/// The name of the role in a new account, unless the request names another one.
pub(crate) const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

/// The maximum session duration of that role.
const SESSION_SECS: i32 = 3600;

impl Identity {
    /// Finishes the requests for accounts of every organization.
    pub(crate) async fn finish_all_creations(&self) {
        for management in self.ledger.ids() {
            self.finish_account_creations(management).await;
        }
    }

    /// Makes the accounts that an organization has requested. What fails remains in progress, for
    /// the next request or start.
    pub(crate) async fn finish_account_creations(&self, management: AccountId) {
        let Some(cell) = self.ledger.account(management) else {
            return;
        };
        let snapshot = cell.snapshot().clone();
        let creations = snapshot.organization().creations().values();
        let open = creations.filter(|it| it.outcome == CreationOutcome::InProgress);
        for creation in open {
            if let Err(error) = self.finish_creation(management, creation).await {
                tracing::error!(%error, account = %creation.account, "an account was not made");
            }
        }
    }

    async fn finish_creation(
        &self,
        management: AccountId,
        creation: &AccountCreation,
    ) -> Result<(), LedgerError> {
        let now = self.clock.now().truncate_to_secs();
        let changes = self.first_changes(management, creation, now);
        let created = self.ledger.create(creation.account, now, &changes).await;
        let is_made = match created {
            Ok(()) => true,
            Err(LedgerError::Store(StoreError::Conflict { .. })) => {
                // An earlier attempt made it, or another process took the ID.
                self.ledger.refresh().await?;
                let cell = self.ledger.account(creation.account);
                cell.is_some_and(|cell| cell.snapshot().management() == Some(management))
            }
            Err(error) => return Err(error),
        };
        let Some(cell) = self.ledger.account(management) else {
            return Ok(());
        };
        let id = &creation.id;
        let ended = |account: &Account| Ok::<_, ()>(((), ending(account, id, (is_made, now))));
        self.ledger.write(&cell, ended).await.map(drop)
    }

    /// What a new account consists of: a root user without credentials, and the role by which the
    /// management account gets in.
    fn first_changes(
        &self,
        management: AccountId,
        creation: &AccountCreation,
        now: Timestamp,
    ) -> Vec<StateChange> {
        let root = Arn::iam(management, "root");
        let trust = format!(
            concat!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","#,
                r#""Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}]}}"#
            ),
            root
        );
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let role = Role {
            id: UniqueId::generate(IdKind::Role, creation.account, &*self.entropy),
            path: "/".to_owned(),
            name: creation.role.clone(),
            description: None,
            created: now,
            max_session_secs: SESSION_SECS,
            trust: TrustPolicy::new(trust.into()),
            tags: Vec::new(),
            grants: DirectGrants {
                attached: vec![admin.into()],
                ..DirectGrants::default()
            },
            boundary: None,
            effective: ArcSwapOption::empty(),
        };
        let root = RootUser {
            created: now,
            keys: Vec::new(),
            login: None,
        };
        vec![
            StateChange::put(root),
            StateChange::put(OrganizationLink { management }),
            StateChange::put(role),
        ]
    }
}

/// The changes that end a request, if it is still in progress.
fn ending(account: &Account, id: &str, (is_made, now): (bool, Timestamp)) -> Vec<StateChange> {
    let creation = account.organization().creations().get(id);
    let creation = creation.filter(|it| it.outcome == CreationOutcome::InProgress);
    let Some(creation) = creation else {
        return Vec::new();
    };
    let mut ended = AccountCreation::clone(creation);
    ended.completed = Some(now);
    ended.outcome = if is_made {
        CreationOutcome::Succeeded
    } else {
        CreationOutcome::Failed
    };
    let mut changes = vec![StateChange::put(ended)];
    if !is_made {
        changes.push(StateChange::delete::<MemberAccount>(creation.account));
    }
    changes
}
