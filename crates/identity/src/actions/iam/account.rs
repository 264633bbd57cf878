//! The account as a whole: its alias, and the summary of its usage and quotas.
//!
//! Invariant: an alias is unique within the installation. CreateAccountAlias therefore runs
//! exclusively and checks the aliases of other accounts, including those still being committed.

use std::collections::BTreeMap;

use keywright_base::{AccountId, limits};
use keywright_wire::iam::{
    self,
    values::{global_endpoint_token_version as token_version, summary_key_type as key},
};

use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation,
        PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ExistingEntity, IamFault, MissingEntity},
    pagination::PageRequest,
    state::{Account, AccountSettings, CredentialOwner, StateChange},
    view::StateView,
};

/// `iam:CreateAccountAlias`; replaces an existing alias.
pub(crate) struct CreateAccountAlias;

/// Digits of an account ID, which an alias must not look like.
const ACCOUNT_ID_DIGITS: usize = 12;

impl PreparedAction for CreateAccountAlias {
    type Shape = iam::CreateAccountAlias;
    type Prepared = Option<AccountId>;
    const ACCESS: ActionLevel = ActionLevel::Write;
    const ALONE: bool = true;

    fn required(_: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let alias = &input.account_alias;
        if alias.len() == ACCOUNT_ID_DIGITS && alias.bytes().all(|byte| byte.is_ascii_digit()) {
            let text = "The account alias must not be a 12-digit number.";
            return Err(IamFault::Validation(text.to_owned()));
        }
        Ok(Requirement::one(AuthTarget::everything()))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        Ok(with.alias_holder(&input.account_alias))
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        holder: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let alias = &input.account_alias;
        let own = view.account.settings().alias.as_ref() == Some(alias);
        if own || holder.is_some_and(|holder| holder != view.id()) {
            return Err(ExistingEntity::AccountAlias(alias.clone()).into());
        }
        Ok(ActionResult::change((), put(view, Some(alias.clone()))))
    }
}

pub(crate) struct DeleteAccountAlias;

impl Action for DeleteAccountAlias {
    type Shape = iam::DeleteAccountAlias;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.account.settings().alias.as_ref() != Some(&input.account_alias) {
            return Err(MissingEntity::AccountAlias(input.account_alias.clone()).into());
        }
        Ok(ActionResult::change((), put(view, None)))
    }
}

pub(crate) struct ListAccountAliases;

impl Action for ListAccountAliases {
    type Shape = iam::ListAccountAliases;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListAccountAliases", &[], marker, input.max_items)?;
        let alias = view.account.settings().alias.clone();
        let (account_aliases, marker) = page.cut(alias, Clone::clone);
        Ok(ActionResult::answer(iam::ListAccountAliasesOutput {
            account_aliases,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct GetAccountSummary;

impl Action for GetAccountSummary {
    type Shape = iam::GetAccountSummary;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let counted = counts(view.account).into_iter().chain(quotas());
        let number =
            |(key, n): (&str, usize)| (key.to_owned(), i32::try_from(n).unwrap_or(i32::MAX));
        let summary: BTreeMap<_, _> = counted.map(number).collect();
        Ok(ActionResult::answer(iam::GetAccountSummaryOutput {
            summary_map: Some(summary),
        }))
    }
}

/// What there is.
fn counts(account: &Account) -> [(&'static str, usize); 15] {
    let root = account.root();
    let devices = account.devices();
    let mut roots_certificates = account.signing_certificates_of(CredentialOwner::Root);
    let assigned = devices.values().filter(|device| device.enabled.is_some());
    [
        (key::USERS, account.users().len()),
        (key::GROUPS, account.groups().len()),
        (key::POLICIES, account.policies().len()),
        (key::POLICY_VERSIONS_IN_USE, account.policies_in_use()),
        (
            key::ACCOUNT_ACCESS_KEYS_PRESENT,
            usize::from(!root.keys.is_empty()),
        ),
        (
            key::ACCOUNT_PASSWORD_PRESENT,
            usize::from(root.login.is_some()),
        ),
        (
            key::ACCOUNT_MFA_ENABLED,
            usize::from(account.devices_of(CredentialOwner::Root).next().is_some()),
        ),
        (
            key::ACCOUNT_SIGNING_CERTIFICATES_PRESENT,
            usize::from(roots_certificates.next().is_some()),
        ),
        (key::MFA_DEVICES, devices.len()),
        (key::MFA_DEVICES_IN_USE, assigned.count()),
        (key::ROLES, account.roles().len()),
        (key::INSTANCE_PROFILES, account.instance_profiles().len()),
        (
            key::PROVIDERS,
            account.saml_providers().len() + account.open_id_providers().len(),
        ),
        (
            key::SERVER_CERTIFICATES,
            account.server_certificates().len(),
        ),
        (
            key::GLOBAL_ENDPOINT_TOKEN_VERSION,
            if account.settings().v2_tokens { 2 } else { 1 },
        ),
    ]
}

/// How much there may be.
const fn quotas() -> [(&'static str, usize); 19] {
    [
        (key::USERS_QUOTA, limits::USERS_PER_ACCOUNT),
        (key::GROUPS_QUOTA, limits::GROUPS_PER_ACCOUNT),
        (key::GROUPS_PER_USER_QUOTA, limits::GROUPS_PER_USER),
        (key::POLICIES_QUOTA, limits::POLICIES_PER_ACCOUNT),
        (key::POLICY_SIZE_QUOTA, limits::POLICY_SIZE),
        (key::USER_POLICY_SIZE_QUOTA, limits::USER_POLICY_SIZE),
        (key::GROUP_POLICY_SIZE_QUOTA, limits::GROUP_POLICY_SIZE),
        (key::VERSIONS_PER_POLICY_QUOTA, limits::VERSIONS_PER_POLICY),
        (
            key::ACCESS_KEYS_PER_USER_QUOTA,
            limits::ACCESS_KEYS_PER_USER,
        ),
        (
            key::ATTACHED_POLICIES_PER_USER_QUOTA,
            limits::ATTACHED_POLICIES_PER_USER,
        ),
        (
            key::ATTACHED_POLICIES_PER_GROUP_QUOTA,
            limits::ATTACHED_POLICIES_PER_GROUP,
        ),
        (
            key::ATTACHED_POLICIES_PER_ROLE_QUOTA,
            limits::ATTACHED_POLICIES_PER_ROLE,
        ),
        (key::POLICY_VERSIONS_IN_USE_QUOTA, 10_000),
        (key::ROLES_QUOTA, limits::ROLES_PER_ACCOUNT),
        (key::ROLE_POLICY_SIZE_QUOTA, limits::ROLE_POLICY_SIZE),
        (
            key::ASSUME_ROLE_POLICY_SIZE_QUOTA,
            limits::TRUST_POLICY_SIZE,
        ),
        (
            key::INSTANCE_PROFILES_QUOTA,
            limits::INSTANCE_PROFILES_PER_ACCOUNT,
        ),
        (
            key::SERVER_CERTIFICATES_QUOTA,
            limits::SERVER_CERTIFICATES_PER_ACCOUNT,
        ),
        (
            key::SIGNING_CERTIFICATES_PER_USER_QUOTA,
            limits::SIGNING_CERTIFICATES_PER_USER,
        ),
    ]
}

/// `iam:SetSecurityTokenServicePreferences`; tokens of Keywright have one form, valid in all
/// regions, so the preference is only remembered.
pub(crate) struct SetSecurityTokenServicePreferences;

impl Action for SetSecurityTokenServicePreferences {
    type Shape = iam::SetSecurityTokenServicePreferences;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let settings = AccountSettings {
            v2_tokens: input.global_endpoint_token_version == token_version::V2_TOKEN,
            ..AccountSettings::clone(view.account.settings())
        };
        Ok(ActionResult::change((), StateChange::put(settings)))
    }
}

fn put(view: &StateView<'_>, alias: Option<String>) -> StateChange {
    StateChange::put(AccountSettings {
        alias,
        ..AccountSettings::clone(view.account.settings())
    })
}

#[cfg(test)]
mod tests;
