//! Signing in to the console with a password and, for users with an MFA device, one of its codes;
//! and what a signed-in session obtains: temporary credentials, or a new password.
//!
//! Invariants:
//!
//! - An account, user or console access that does not exist is refused with the same response as a
//!   wrong password or code, after the same amount of work.
//! - A session that must first change its password gets nothing else.
//! - The console has no private API: it uses signed requests, including ChangePassword. The
//!   exception is root's own password, which no IAM operation can change and which is set here.
//!
//! The server limits how often sign-in may be tried.

use std::{net::IpAddr, sync::Arc};

use keywright_base::{AccountId, Arn, Entropy, Secret, Timestamp, UniqueId, limits};

use crate::{
    IamFault, Identity,
    browsers::BrowserId,
    console::{ConsoleSession, SessionId, login},
    ledger::AccountCell,
    mfa::{CodeCheck, CodeOrigin, CodeOutcome},
    password_rules,
    principal::Principal,
    service::OpenFault,
    session_token::{SessionToken, TemporaryCredentials, ValidityPeriod},
    state::{Account, AccountSettings, CredentialOwner, LoginProfile, RootUser, StateChange},
    work::WorkOwner,
};

/// Characters in a password generated for root.
const ROOT_PASSWORD_CHARS: usize = 24;

/// Why a sign-in failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInError {
    /// Account, user, password or code is wrong; the client does not learn which.
    Wrong,
    /// The password is correct, and an MFA code is required too.
    MfaRequired,
    /// The password is correct but has expired, and only an administrator can set a new one.
    Expired,
    /// An internal failure.
    Failed(IamFault),
}

/// A session as reported to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// The account's alias.
    pub alias: Option<String>,
    /// The user's name; `None` for root.
    pub user: Option<String>,
    /// Who it is.
    pub principal: Principal,
    /// Whether the password must be changed before anything else.
    pub must_change: bool,
    /// Whether an MFA code was given.
    pub mfa: bool,
    /// When it ends at the latest.
    pub expires: Timestamp,
}

/// The credentials given at sign-in.
#[derive(Debug)]
pub struct SignInRequest<'a> {
    /// The account; `None` for one that does not exist.
    pub account: Option<AccountId>,
    /// The user's name; `None` for root.
    pub user: Option<&'a str>,
    /// The password.
    pub password: Secret<String>,
    /// The code of an MFA device.
    pub code: Option<Secret<String>>,
    /// Where the request comes from.
    pub source: IpAddr,
    /// The browser, if it is known for this user.
    pub browser: Option<BrowserId>,
}

impl Identity {
    /// The account with this ID or alias.
    pub fn account_named(&self, name: &str) -> Option<AccountId> {
        let by_id = name.parse::<AccountId>().ok();
        let known = by_id.filter(|id| self.ledger.account(*id).is_some());
        known.or_else(|| self.ledger.alias_holder(name))
    }

    /// The ARN of the user, or of root, that someone claims to be, if it exists.
    pub fn claimed_arn(&self, account: AccountId, user: Option<&str>) -> Option<Arn> {
        let account = self.ledger.account(account)?.snapshot().clone();
        match user {
            Some(name) => Some(account.user(name)?.arn(account.id())),
            None => Some(Arn::iam(account.id(), "root")),
        }
    }

    /// Begins a session and returns its cookie.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(&self, claim: SignInRequest<'_>) -> Result<Secret<String>, SignInError> {
        let cell = claim
            .account
            .and_then(|account| self.ledger.account(account));
        let account = cell.as_ref().map(|cell| cell.snapshot().clone());
        let known = account.as_deref().and_then(|a| known(a, claim.user));
        let hash = known.map_or(NOBODY, |(_, login)| login.hash.as_str());
        let owner = WorkOwner::address(claim.source);
        let matches = self
            .passwords
            .matches(owner, claim.password, vec![hash.to_owned()]);
        let matches = matches.await.map_err(SignInError::Failed)?;
        let right = matches.iter().any(|(_, same)| *same);
        let (Some(cell), Some(account), Some((user, login)), true) = (cell, &account, known, right)
        else {
            return Err(SignInError::Wrong);
        };
        let now = self.clock.now();
        let bearer = user.map_or(CredentialOwner::Root, CredentialOwner::User);
        let mfa = account.devices_of(bearer).next().is_some();
        if mfa {
            let code = claim.code.ok_or(SignInError::MfaRequired)?;
            let origin = CodeOrigin::Console(claim.browser);
            self.spend_code(&cell, bearer, (&code, origin)).await?;
        }
        let expiry = PasswordExpiry::of(account.settings(), login, user, now);
        if expiry == PasswordExpiry::Hard {
            return Err(SignInError::Expired);
        }
        let session = ConsoleSession {
            account: account.id(),
            user,
            password: login.hash.clone(),
            must_change: login.reset_required || expiry == PasswordExpiry::Soft,
            mfa,
            began: now,
            used: now,
        };
        Ok(self.sessions.begin(session, &*self.entropy))
    }

    /// Uses up the code of any of the user's devices.
    async fn spend_code(
        &self,
        cell: &Arc<AccountCell>,
        bearer: CredentialOwner,
        (code, origin): (&Secret<String>, CodeOrigin),
    ) -> Result<(), SignInError> {
        let now = self.clock.now();
        let compute = |account: &Account| {
            let trial = CodeCheck {
                vault: &self.vault,
                attempts: &self.mfa_attempts,
                account,
                origin,
                now,
            };
            for device in account.devices_of(bearer) {
                let serial = device.serial(account.id());
                let tried = trial.code(device, serial.as_str(), code);
                let tried =
                    tried.map_err(|e| SignInError::Failed(IamFault::Internal(e.to_string())))?;
                if let CodeOutcome::Right(device) = tried {
                    return Ok(((), vec![StateChange::put(device)]));
                }
            }
            Err(SignInError::Wrong)
        };
        let written = self.ledger.write(cell, compute).await;
        written.map_err(|error| SignInError::Failed(error.into()))?
    }

    /// The session of a cookie.
    pub fn signed_in(&self, cookie: &str) -> Option<SignedIn> {
        let (_, session, account) = self.session(cookie)?;
        let user = match session.user {
            Some(id) => Some(account.user_by_id(id)?),
            None => None,
        };
        let owner = session
            .user
            .map_or(CredentialOwner::Root, CredentialOwner::User);
        Some(SignedIn {
            account: account.id(),
            alias: account.settings().alias.clone(),
            user: user.map(|user| user.name.clone()),
            principal: Principal::of_owner(&account, owner)?,
            must_change: session.must_change,
            mfa: session.mfa,
            expires: session.expires(),
        })
    }

    /// Ends a session, and with it the credentials issued to it.
    pub fn sign_out(&self, cookie: &str) {
        self.sessions.end(SessionId::of(cookie));
    }

    /// Temporary credentials of a session, which are refused once it ends; `None` if there is no
    /// session.
    ///
    /// Also for a session that must change its password, because ChangePassword is signed with
    /// them. The server never hands those out.
    pub fn console_credentials(&self, cookie: &str) -> Option<TemporaryCredentials> {
        let (id, session, account) = self.session(cookie)?;
        let now = self.clock.now();
        let owner = session
            .user
            .map_or(CredentialOwner::Root, CredentialOwner::User);
        let principal = Principal::of_owner(&account, owner)?;
        let validity = ValidityPeriod {
            issued: now.truncate_to_secs(),
            expires: now
                .truncate_to_secs()
                .plus_secs(limits::CONSOLE_CREDENTIALS_SECS),
        };
        let credentials = SessionToken::new(&principal, validity, &*self.entropy)
            .of_console(id)
            .with_mfa(session.mfa.then_some(session.began))
            .issue(account.id(), &self.vault, &*self.entropy)?;
        self.sessions.touch(id, now);
        Some(credentials)
    }

    /// Continues a session that has just changed its own password, under a new cookie. The
    /// principal's other sessions have ended.
    pub fn password_changed(&self, cookie: &str) -> Option<Secret<String>> {
        let session = self.sessions.end(SessionId::of(cookie))?;
        let account = self.ledger.account(session.account)?.snapshot().clone();
        let login = login(&account, session.user)?;
        let session = ConsoleSession {
            password: login.hash.clone(),
            must_change: false,
            used: self.clock.now(),
            ..session
        };
        Some(self.sessions.begin(session, &*self.entropy))
    }

    /// Changes root's own console password. It is subject to AWS's default rules, whatever the
    /// account's password policy says.
    ///
    /// # Errors
    /// `AccessDenied` if the old password is wrong, `PasswordPolicyViolation`.
    pub async fn change_root_password(
        &self,
        account: AccountId,
        old: Secret<String>,
        new: Secret<String>,
    ) -> Result<(), IamFault> {
        let gone = || IamFault::Internal("the account is gone".to_owned());
        let cell = self.ledger.account(account).ok_or_else(gone)?;
        let before = cell.snapshot().root().login.clone().ok_or_else(gone)?;
        let same = old == new;
        let owner = WorkOwner::Root(account);
        let checked = self
            .passwords
            .matches(owner, old, vec![before.hash.clone()]);
        if same || !checked.await?.iter().any(|(_, same)| *same) {
            return Err(IamFault::AccessDenied(OLD_PASSWORD.to_owned()));
        }
        if !password_rules::accepts(&AccountSettings::default(), new.expose()) {
            return Err(IamFault::PasswordPolicyViolation(VIOLATION.to_owned()));
        }
        let hash = self.passwords.hash(owner, new).await?;
        let changed = self.clock.now().truncate_to_secs();
        let written = self.ledger.write(&cell, |account| {
            let root = account.root();
            let now = root
                .login
                .as_ref()
                .filter(|login| login.hash == before.hash);
            let now = now.ok_or_else(|| IamFault::AccessDenied(OLD_PASSWORD.to_owned()))?;
            let login = LoginProfile {
                changed,
                reset_required: false,
                hash: hash.clone(),
                ..now.clone()
            };
            Ok::<_, IamFault>(((), vec![with_login(root, login)]))
        });
        written.await?
    }

    /// Gives root a console password if it has none. `keep` stores it. It runs before the password
    /// takes effect, so that there is never one that no one knows.
    ///
    /// # Errors
    /// [`OpenFault`] if the store or `keep` fails.
    pub async fn ensure_root_password(
        &self,
        account: AccountId,
        keep: impl FnOnce(&Secret<String>) -> std::io::Result<()>,
    ) -> Result<(), OpenFault> {
        let cell = self.ledger.account(account);
        if cell.is_none_or(|cell| cell.snapshot().root().login.is_some()) {
            return Ok(());
        }
        self.make_root_password(account, keep, false).await
    }

    /// Gives root a new console password, like [`Identity::ensure_root_password`]. Its console
    /// sessions end; its access keys and MFA devices stay.
    ///
    /// # Errors
    /// [`OpenFault`] if the store or `keep` fails.
    pub async fn reset_root_password(
        &self,
        account: AccountId,
        keep: impl FnOnce(&Secret<String>) -> std::io::Result<()>,
    ) -> Result<(), OpenFault> {
        self.make_root_password(account, keep, true).await
    }

    /// Generates a password, which takes effect if root has none or it is to be reset.
    async fn make_root_password(
        &self,
        account: AccountId,
        keep: impl FnOnce(&Secret<String>) -> std::io::Result<()>,
        reset: bool,
    ) -> Result<(), OpenFault> {
        let Some(cell) = self.ledger.account(account) else {
            return Ok(());
        };
        let password = new_password(&*self.entropy);
        let hash = self
            .passwords
            .hash(WorkOwner::Installation, password.clone())
            .await;
        let hash = hash.map_err(|_| OpenFault::Password)?;
        keep(&password).map_err(OpenFault::Credentials)?;
        let now = self.clock.now().truncate_to_secs();
        let compute = |account: &Account| {
            let root = account.root();
            let created = root.login.as_ref().map(|login| login.created);
            let login = LoginProfile {
                created: created.unwrap_or(now),
                changed: now,
                reset_required: false,
                hash: hash.clone(),
                earlier: Vec::new(),
            };
            // Another request may have set one in the meantime.
            let change = (reset || created.is_none()).then(|| with_login(root, login));
            Ok::<_, std::convert::Infallible>(((), change.into_iter().collect()))
        };
        match self.ledger.write(&cell, compute).await? {
            Ok(()) => Ok(()),
            Err(never) => match never {},
        }
    }

    pub(crate) fn session(
        &self,
        cookie: &str,
    ) -> Option<(SessionId, ConsoleSession, Arc<Account>)> {
        let (id, now) = (SessionId::of(cookie), self.clock.now());
        let account = self.sessions.account(id, now)?;
        let account = self.ledger.account(account)?.snapshot().clone();
        let session = self.sessions.find(id, &account, now)?;
        Some((id, session, account))
    }
}

pub(crate) const OLD_PASSWORD: &str = "The old password was incorrect.";
pub(crate) const VIOLATION: &str = "Password does not conform to the account password policy.";

/// What a password is compared with if the user does not exist: a hash that matches no password and
/// is as costly as any other.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$a2V5d3JpZ2h0LW5vYm9keQ\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The named principal, if it has console access.
fn known<'a>(
    account: &'a Account,
    user: Option<&str>,
) -> Option<(Option<UniqueId>, &'a LoginProfile)> {
    match user {
        Some(name) => {
            let user = account.user(name)?;
            Some((Some(user.id), user.login.as_ref()?))
        }
        None => Some((None, account.root().login.as_ref()?)),
    }
}

/// Whether and how a password has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PasswordExpiry {
    /// It has not.
    Not,
    /// It must be changed.
    Soft,
    /// An administrator must set a new one.
    Hard,
}

impl PasswordExpiry {
    /// By the account's password policy, which does not apply to root.
    fn of(
        settings: &AccountSettings,
        login: &LoginProfile,
        user: Option<UniqueId>,
        now: Timestamp,
    ) -> Self {
        let policy = settings.password_policy.as_ref();
        let expires = user.and_then(|_| login.expires(policy));
        match expires {
            Some(expires) if now >= expires => {
                if policy.and_then(|policy| policy.hard_expiry) == Some(true) {
                    Self::Hard
                } else {
                    Self::Soft
                }
            }
            _ => Self::Not,
        }
    }
}

fn with_login(root: &RootUser, login: LoginProfile) -> StateChange {
    StateChange::put(RootUser {
        login: Some(login),
        ..root.clone()
    })
}

/// A password that satisfies the default rules: in turn a capital letter, a small letter and a
/// digit, without look-alikes; 88 random bits.
fn new_password(entropy: &dyn Entropy) -> Secret<String> {
    const SETS: [&[u8]; 3] = [b"ABCDEFGHKLMNPRTW", b"abcdefghkmnprtwx", b"23456789"];
    let mut bytes = [0; ROOT_PASSWORD_CHARS];
    entropy.fill(&mut bytes);
    let sets = SETS.iter().cycle();
    let letter = |(byte, set): (&u8, &&[u8])| set.get(usize::from(*byte) % set.len()).copied();
    let letters = bytes.iter().zip(sets).filter_map(letter);
    Secret::new(letters.map(char::from).collect())
}

#[cfg(test)]
mod tests;
