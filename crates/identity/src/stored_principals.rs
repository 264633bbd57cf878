//! How resource and trust policies store principals.
//!
//! A user or role of this installation is stored by its unique ID and displayed by its ARN, so that
//! a grant follows a rename and ends when the entity is deleted.

use keywright_base::{Arn, IdKind, UniqueId};

use crate::{ledger::IamLedger, state::Account};

/// The accounts in which principals are looked up.
#[derive(Debug, Clone, Copy)]
pub struct PrincipalLookup<'a> {
    ledger: &'a IamLedger,
    /// The newest state of one account, which its snapshot may not reflect yet.
    newest: Option<&'a Account>,
}

impl<'a> PrincipalLookup<'a> {
    /// Looks up in the durable snapshots of all accounts.
    pub const fn new(ledger: &'a IamLedger) -> Self {
        Self {
            ledger,
            newest: None,
        }
    }

    /// As [`PrincipalLookup::new`], with one account in the given state.
    pub(crate) const fn with(ledger: &'a IamLedger, newest: &'a Account) -> Self {
        Self {
            ledger,
            newest: Some(newest),
        }
    }

    /// The form in which a policy stores a principal: a user or role as its unique ID, everything
    /// else unchanged, such as a principal of another installation. `None` if the account exists
    /// here but has no such user or role.
    pub fn to_stored(self, principal: &str) -> Option<String> {
        let as_named = || Some(principal.to_owned());
        if let Ok(id) = principal.parse::<UniqueId>() {
            return self.to_arn(id).and_then(|_| as_named());
        }
        let Ok(arn) = Arn::parse(principal) else {
            return as_named();
        };
        let known = arn.account().parse().ok();
        let found = known.and_then(|account| {
            self.in_account(account, |account| match arn.resource().split_once('/') {
                Some(("user", _)) => account.user_by_arn(principal).map(|user| user.id),
                Some(("role", _)) => account.role_by_arn(principal).map(|role| role.id),
                _ => None,
            })
        });
        let is_entity = matches!(arn.resource().split_once('/'), Some(("user" | "role", _)));
        match found {
            Some(id) if arn.service() == "iam" && is_entity => id.map(|id| id.to_string()),
            _ => as_named(),
        }
    }

    /// The ARN of the user or role that a policy stores in this form. `None` for other texts, and
    /// if the entity was deleted.
    pub fn stored_to_arn(self, stored: &str) -> Option<String> {
        self.to_arn(stored.parse().ok()?)
    }

    fn to_arn(self, id: UniqueId) -> Option<String> {
        let found = self.in_account(id.account()?, |account| match id.kind()? {
            IdKind::User => Some(account.user_by_id(id)?.arn(account.id()).to_string()),
            IdKind::Role => Some(account.role_by_id(id)?.arn(account.id()).to_string()),
            IdKind::Group
            | IdKind::Policy
            | IdKind::InstanceProfile
            | IdKind::SshPublicKey
            | IdKind::ServerCertificate
            | IdKind::ServiceCredential => None,
        });
        found?
    }

    fn in_account<T>(
        self,
        id: keywright_base::AccountId,
        find: impl FnOnce(&Account) -> T,
    ) -> Option<T> {
        match self.newest {
            Some(account) if account.id() == id => Some(find(account)),
            _ => Some(find(&self.ledger.account(id)?.snapshot())),
        }
    }
}
