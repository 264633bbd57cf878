//! Sessions as a browser sees them: the cookie, whose session it is, temporary credentials, what
//! this server can do, and the end; and the second cookie, by which a browser is known again.
//!
//! It protects one rule: scripts never see the cookies, and nobody but this origin's pages makes a
//! browser send them. Cookies do not know ports, so browsers send them to the API's as well;
//! nothing there reads them. What a session is, and when it ends, is in
//! `keywright_identity::console`.

use http::header;
use keywright_base::{AccountId, Secret};
use keywright_identity::{
    actions::ACTIONS,
    browsers::{BROWSER_SECS, BrowserId},
    console::SESSION_SECS,
    sign_in::SignedIn,
};
use keywright_policy::ActionCatalogue;
use keywright_wire::Service;
use serde_json::{Value, json};

use super::api::{ApiError, ApiReply, ApiRequest};

/// A cookie of ours by its name.
#[derive(Debug, Clone, Copy)]
struct CookieKind {
    /// Over TLS, where browsers hold it to this host and to TLS.
    secure: &'static str,
    /// Over plain HTTP.
    plain: &'static str,
}

const SESSION: CookieKind = CookieKind {
    secure: "__Host-keywright",
    plain: "keywright",
};
const BROWSER: CookieKind = CookieKind {
    secure: "__Host-keywright-browser",
    plain: "keywright-browser",
};

impl CookieKind {
    /// `Set-Cookie`.
    fn set(self, ask: ApiRequest<'_>, value: &str, secs: i64) -> String {
        const FLAGS: &str = "HttpOnly; SameSite=Strict";
        if ask.is_secure() {
            let name = self.secure;
            format!("{name}={value}; Path=/; Max-Age={secs}; Secure; {FLAGS}")
        } else {
            let name = self.plain;
            format!("{name}={value}; Path=/console; Max-Age={secs}; {FLAGS}")
        }
    }

    /// The values that a request brings. Over TLS only those that were set over TLS by this host:
    /// others can be planted by anyone on the way.
    fn values(self, ask: ApiRequest<'_>) -> Vec<Secret<String>> {
        let name = if ask.is_secure() {
            self.secure
        } else {
            self.plain
        };
        let headers = ask.parts.headers.get_all(header::COOKIE).iter();
        let texts = headers.filter_map(|value| value.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';'));
        let values = pairs.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
        values.map(|value| Secret::new(value.to_owned())).collect()
    }
}

/// `GET session`
pub(super) fn show(ask: ApiRequest<'_>) -> ApiReply {
    let session = current(ask).map(|(_, session)| session);
    ApiReply::json(session.map_or_else(|| json!({"state": "signed-out"}), |session| of(&session)))
}

/// `POST credentials`
pub(super) fn credentials(ask: ApiRequest<'_>) -> Result<ApiReply, ApiError> {
    let (cookie, _) = signed_in(ask)?;
    let made = ask.pipeline.identity.console_credentials(cookie.expose());
    let made = made.ok_or_else(ApiError::signed_out)?;
    let api = ask.api().ok_or_else(|| {
        let text = "The request does not say which host it was sent to.";
        ApiError::new(400, "ValidationError", text)
    })?;
    Ok(ApiReply::json(json!({
        "endpointUrl": api.as_str(),
        "accessKeyId": made.key.to_string(),
        "secretAccessKey": made.secret.expose(),
        "sessionToken": made.token.expose(),
        "expiresAt": made.expires.iso8601(),
    })))
}

/// `POST sign-out`; the browser stays known.
pub(super) fn sign_out(ask: ApiRequest<'_>) -> ApiReply {
    for cookie in SESSION.values(ask) {
        ask.pipeline.identity.sign_out(cookie.expose());
    }
    ApiReply {
        body: None,
        cookies: vec![SESSION.set(ask, "", 0)],
    }
}

/// `GET capabilities`: the operations that this server serves, and the actions that policies name.
pub(super) fn capabilities(ask: ApiRequest<'_>) -> Result<ApiReply, ApiError> {
    signed_in(ask)?;
    let of = |service: Service| {
        let rows = ACTIONS.iter().map(|row| row.operation);
        let mut names: Vec<_> = rows
            .filter(|operation| operation.service == service)
            .map(|operation| operation.name)
            .collect();
        names.sort_unstable();
        names
    };
    Ok(ApiReply::json(json!({
        "iam": of(Service::Iam),
        "sts": of(Service::Sts),
        "keywright": of(Service::Keywright),
        "s3": keywright_s3::operations(),
        "actions": policy_actions(),
    })))
}

fn policy_actions() -> Vec<String> {
    let all = ActionCatalogue::built_in().actions();
    all.map(|action| format!("{}:{}", action.service, action.name))
        .collect()
}

/// The answer to whoever just signed in or changed the password, with the new cookies.
pub(super) fn begun(ask: ApiRequest<'_>, cookie: &Secret<String>) -> Result<ApiReply, ApiError> {
    let identity = &ask.pipeline.identity;
    let session = identity.signed_in(cookie.expose());
    let session = session.ok_or_else(ApiError::signed_out)?;
    let mut cookies = vec![SESSION.set(ask, cookie.expose(), SESSION_SECS)];
    let before = BROWSER.values(ask).into_iter().next();
    let before = before.as_ref().map(|note| note.expose().as_str());
    if let Some(note) = identity.remember_browser(before, cookie.expose()) {
        cookies.push(BROWSER.set(ask, note.expose(), BROWSER_SECS));
    }
    Ok(ApiReply {
        body: Some(of(&session)),
        cookies,
    })
}

/// The browser, if it has signed in before as this user, or as root without a name.
pub(super) fn known_browser(
    ask: ApiRequest<'_>,
    account: AccountId,
    user: Option<&str>,
) -> Option<BrowserId> {
    let note = BROWSER.values(ask).into_iter().next()?;
    let identity = &ask.pipeline.identity;
    identity.known_browser(note.expose(), account, user)
}

/// The session of a request, whatever it may do.
pub(super) fn current(ask: ApiRequest<'_>) -> Option<(Secret<String>, SignedIn)> {
    SESSION.values(ask).into_iter().find_map(|cookie| {
        let session = ask.pipeline.identity.signed_in(cookie.expose())?;
        Some((cookie, session))
    })
}

/// The session of a request, if it need not change its password first.
fn signed_in(ask: ApiRequest<'_>) -> Result<(Secret<String>, SignedIn), ApiError> {
    let (cookie, session) = current(ask).ok_or_else(ApiError::signed_out)?;
    if session.must_change {
        let text = "You must change your password first.";
        return Err(ApiError::new(403, "PasswordChangeRequired", text));
    }
    Ok((cookie, session))
}

fn of(session: &SignedIn) -> Value {
    if session.must_change {
        return json!({
            "state": "password-change",
            "accountId": session.account.to_string(),
            "userName": session.user,
        });
    }
    let mut listed = json!({
        "state": "signed-in",
        "accountId": session.account.to_string(),
        "arn": session.arn.to_string(),
        "expiresAt": session.expires.iso8601(),
    });
    let optional = [
        ("accountAlias", &session.alias),
        ("userName", &session.user),
    ];
    if let Some(fields) = listed.as_object_mut() {
        if session.mfa {
            fields.insert("mfa".to_owned(), true.into());
        }
        for (name, value) in optional {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
    listed
}
