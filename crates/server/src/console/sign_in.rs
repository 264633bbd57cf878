//! Signs in with a password and, if the user has an MFA device, its code; changes a password.
//!
//! Invariants: whichever of account, user, password or code is wrong, the response is the same. A
//! user's password is changed by a request that is signed, authorized and run like any other.
//! [`super::lockout`] limits the attempts.

use http::{Request, header, request::Parts};
use keywright_base::{Secret, WireError};
use keywright_identity::{
    IamFault,
    browsers::BrowserId,
    session_token::TemporaryCredentials,
    sign_in::{SignInError, SignInRequest},
};
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use keywright_wire::Service;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    api::{self, ApiReply, ApiRequest, read},
    lockout, session,
};
use crate::{query, request::HOME_REGION};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignIn {
    account: String,
    user_name: Option<String>,
    #[serde(default)]
    root: bool,
    password: String,
    mfa_code: Option<String>,
}

/// `POST sign-in`. A user with an MFA device sends two requests, the second with everything again
/// and the code. Between the two, nothing is stored except that an attempt was admitted.
pub(super) async fn sign_in(ask: ApiRequest<'_>) -> Result<ApiReply, WireError> {
    let SignIn {
        account,
        user_name,
        root,
        password,
        mfa_code,
    } = read(ask)?;
    let (password, code) = (Secret::new(password), mfa_code.map(Secret::new));
    let (account, user) = (account.trim(), user_name.as_deref().map(str::trim));
    if root == user.is_some() {
        let text = "Give either a user name or root.";
        return Err(WireError::new(400, "ValidationError", text));
    }
    let identity = &ask.pipeline.services.identity;
    let known = identity.account_named(account);
    let id = known.map(|id| id.to_string());
    if let Some(arn) = known.and_then(|account| identity.claimed_arn(account, user)) {
        ask.record.note_resource(arn.as_str(), known);
    }
    let browser = known.and_then(|id| session::known_browser(ask, id, user));
    let attempt = SignInAttempt::begin(ask, (id.as_deref().unwrap_or(account), user), browser)?;
    let claim = SignInRequest {
        account: known,
        user,
        password,
        code,
        source: ask.peer.address,
        browser,
    };
    let cookie = match identity.sign_in(claim).await {
        Ok(cookie) => cookie,
        Err(denied) => {
            match denied {
                SignInError::MfaRequired => attempt.half_way(ask),
                SignInError::Failed(IamFault::Throttled) => attempt.tried_nothing(ask),
                _ => {}
            }
            return Err(refusal(denied));
        }
    };
    attempt.succeeded(ask);
    if let Some((before, _)) = session::current(ask) {
        identity.sign_out(before.expose());
    }
    session::begun(ask, &cookie)
}

fn refusal(denied: SignInError) -> WireError {
    match denied {
        SignInError::Wrong => WireError::new(
            401,
            "AuthenticationFailed",
            "Your authentication information is incorrect. Please try again.",
        ),
        SignInError::MfaRequired => WireError::new(
            401,
            "MfaRequired",
            "Enter a code of your MFA device to go on.",
        ),
        SignInError::Expired => WireError::new(
            401,
            "PasswordExpired",
            "Your password has expired. Ask your administrator to set a new one.",
        ),
        SignInError::Failed(fault) => failed(&fault),
    }
}

fn failed(fault: &IamFault) -> WireError {
    if let IamFault::Internal(why) = fault {
        tracing::error!(%why, "a request of the console failed");
    }
    api::of_action(fault.wire())
}

/// An attempt that was admitted. It counts as failed until it succeeds.
///
/// Failed attempts lock out only the one who makes them: they count for one name from one address,
/// or from one browser that has signed in with that name before.
struct SignInAttempt {
    name: lockout::LockoutKey,
    /// `None` for a known browser: others at its address do not lock it out, and it can try only
    /// names with which it has signed in.
    source: Option<lockout::LockoutKey>,
}

impl SignInAttempt {
    fn begin(
        ask: ApiRequest<'_>,
        (account, user): (&str, Option<&str>),
        browser: Option<BrowserId>,
    ) -> Result<Self, WireError> {
        let name = lockout::name(account, user);
        let (console, now) = (&ask.pipeline.console, ask.pipeline.services.clock.now());
        if let Some(browser) = browser {
            let name = lockout::name_from(name, &browser);
            console.browsers.begin(name, now).map_err(api::too_many)?;
            return Ok(Self { name, source: None });
        }
        let source = lockout::source(ask.peer.address);
        let name = lockout::name_from(name, &source);
        console.sources.begin(source, now).map_err(api::too_many)?;
        if let Err(secs) = console.names.begin(name, now) {
            // This attempt tried nothing.
            console.sources.undo(source, now);
            return Err(api::too_many(secs));
        }
        let source = Some(source);
        Ok(Self { name, source })
    }

    /// The password was right, the code is missing. The attempt still counts for the name,
    /// otherwise its codes could be guessed without limit. It no longer counts for the address,
    /// which has guessed nothing.
    fn half_way(self, ask: ApiRequest<'_>) {
        if let Some(source) = self.source {
            let console = &ask.pipeline.console;
            console
                .sources
                .undo(source, ask.pipeline.services.clock.now());
        }
    }

    /// Neither the password nor a code was checked.
    fn tried_nothing(self, ask: ApiRequest<'_>) {
        let (console, now) = (&ask.pipeline.console, ask.pipeline.services.clock.now());
        match self.source {
            None => console.browsers.undo(self.name, now),
            Some(source) => {
                console.names.undo(self.name, now);
                console.sources.undo(source, now);
            }
        }
    }

    /// Forgets all failures of the name. For the address, only this attempt is undone; otherwise
    /// one valid account would be enough to try the passwords of all others.
    fn succeeded(self, ask: ApiRequest<'_>) {
        let console = &ask.pipeline.console;
        match self.source {
            None => console.browsers.reset(self.name),
            Some(source) => {
                console.names.reset(self.name);
                console
                    .sources
                    .undo(source, ask.pipeline.services.clock.now());
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordChange {
    old_password: String,
    new_password: String,
}

/// `POST password`
pub(super) async fn change_password(ask: ApiRequest<'_>) -> Result<ApiReply, WireError> {
    let (cookie, who) = session::current(ask).ok_or_else(api::signed_out)?;
    session::note(ask, Some(&who));
    let wanted: PasswordChange = read(ask)?;
    let (old, new) = (
        Secret::new(wanted.old_password),
        Secret::new(wanted.new_password),
    );
    let identity = &ask.pipeline.services.identity;
    let (account, user) = (who.account.to_string(), who.user.as_deref());
    let browser = session::known_browser(ask, who.account, user);
    let attempt = SignInAttempt::begin(ask, (&account, user), browser)?;
    if who.user.is_none() {
        let changed = identity.change_root_password(who.account, old, new).await;
        changed.map_err(|fault| failed(&fault))?;
    } else {
        let credentials = identity.console_credentials(cookie.expose());
        let credentials = credentials.ok_or_else(api::signed_out)?;
        change_own(ask, &credentials, &old, &new).await?;
    }
    attempt.succeeded(ask);
    let cookie = identity.password_changed(cookie.expose());
    session::begun(ask, &cookie.ok_or_else(api::signed_out)?)
}

/// Calls ChangePassword as the user.
async fn change_own(
    ask: ApiRequest<'_>,
    credentials: &TemporaryCredentials,
    old: &Secret<String>,
    new: &Secret<String>,
) -> Result<(), WireError> {
    let encoded =
        |text: &Secret<String>| utf8_percent_encode(text.expose(), NON_ALPHANUMERIC).to_string();
    let body = Secret::new(format!(
        "Action=ChangePassword&Version={}&OldPassword={}&NewPassword={}",
        Service::Iam.version(),
        encoded(old),
        encoded(new),
    ));
    let parts = signed(ask, credentials, body.expose())?;
    let services = &ask.pipeline.services;
    let (request, body) = ((parts, ask.peer), body.expose().as_bytes());
    let changed = query::carry_out(services, Service::Iam, request, body).await;
    changed.map(drop).map_err(api::of_action)
}

/// The head of a signed request. The client's facts are those of the browser's request.
fn signed(
    ask: ApiRequest<'_>,
    credentials: &TemporaryCredentials,
    body: &str,
) -> Result<Parts, WireError> {
    let unsigned = |_| WireError::new(500, "ServiceFailure", "The request could not be signed.");
    let request = Request::post("/").header(header::HOST, "console").body(());
    let (mut parts, ()) = request.map_err(|_| unsigned(()))?.into_parts();
    if let Some(agent) = ask.parts.headers.get(header::USER_AGENT) {
        parts.headers.insert(header::USER_AGENT, agent.clone());
    }
    let credentials = SigningCredentials {
        access_key_id: credentials.key.as_str(),
        secret: &credentials.secret,
        session_token: Some(&credentials.token),
    };
    let target = SigningTarget {
        region: HOME_REGION,
        service: Service::Iam.scope_name(),
    };
    let payload = PayloadClaim::Sha256(Sha256::digest(body.as_bytes()).into());
    let now = ask.pipeline.services.clock.now();
    sign(&mut parts, &credentials, &target, payload, now).map_err(|_| unsigned(()))?;
    Ok(parts)
}
