//! Sessions for a browser: the session cookie, the session's state, temporary credentials, the
//! server's capabilities and sign-out, and a second cookie that recognizes the browser.
//!
//! Invariant: scripts never see the cookies, and only pages of this origin can make a browser send
//! them. Cookies do not depend on the port, so browsers also send them to the API, where nothing
//! reads them. `keywright_identity::console` defines what a session is and when it ends.

use http::header;
use keywright_base::{AccountId, Secret, WireError};
use keywright_identity::{
    actions::actions,
    browsers::{BROWSER_SECS, BrowserId},
    console::SESSION_SECS,
    sign_in::SignedIn,
};
use keywright_policy::ActionCatalogue;
use keywright_wire::Service;
use serde_json::{Value, json};

use super::api::{self, ApiReply, ApiRequest};

/// The names of one cookie.
#[derive(Debug, Clone, Copy)]
struct CookieKind {
    /// Over TLS. Browsers bind the `__Host-` prefix to this host and to TLS.
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
    /// The value of `Set-Cookie`.
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

    /// The values of the cookie in a request. Over TLS, only a cookie that this host set over TLS
    /// counts, because a man in the middle could plant others.
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
    note(ask, session.as_ref());
    ApiReply::json(session.map_or_else(|| json!({"state": "signed-out"}), |session| of(&session)))
}

/// `POST credentials`
pub(super) fn credentials(ask: ApiRequest<'_>) -> Result<ApiReply, WireError> {
    let (cookie, _) = signed_in(ask)?;
    let made = ask
        .pipeline
        .services
        .identity
        .console_credentials(cookie.expose());
    let made = made.ok_or_else(api::signed_out)?;
    let api = ask.api().ok_or_else(|| {
        let text = "The request does not say which host it was sent to.";
        WireError::new(400, "ValidationError", text)
    })?;
    Ok(ApiReply::json(json!({
        "endpointUrl": api.as_str(),
        "accessKeyId": made.key.to_string(),
        "secretAccessKey": made.secret.expose(),
        "sessionToken": made.token.expose(),
        "expiresAt": made.expires.iso8601(),
    })))
}

/// `POST sign-out`. The browser is still recognized afterwards.
pub(super) fn sign_out(ask: ApiRequest<'_>) -> ApiReply {
    let identity = &ask.pipeline.services.identity;
    for cookie in SESSION.values(ask) {
        note(ask, identity.signed_in(cookie.expose()).as_ref());
        identity.sign_out(cookie.expose());
    }
    ApiReply {
        body: None,
        cookies: vec![SESSION.set(ask, "", 0)],
    }
}

/// `GET capabilities`: the operations that this server serves, and the actions for policies.
pub(super) fn capabilities(ask: ApiRequest<'_>) -> Result<ApiReply, WireError> {
    signed_in(ask)?;
    let of = |service: Service| {
        let rows = actions().map(|row| row.operation);
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
        "organizations": of(Service::Organizations),
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

/// The response after a sign-in or a password change, with the new cookies.
pub(super) fn begun(ask: ApiRequest<'_>, cookie: &Secret<String>) -> Result<ApiReply, WireError> {
    let identity = &ask.pipeline.services.identity;
    let session = identity.signed_in(cookie.expose());
    let session = session.ok_or_else(api::signed_out)?;
    note(ask, Some(&session));
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

/// The browser, if it has signed in before as this user, or as root if `user` is `None`.
pub(super) fn known_browser(
    ask: ApiRequest<'_>,
    account: AccountId,
    user: Option<&str>,
) -> Option<BrowserId> {
    let note = BROWSER.values(ask).into_iter().next()?;
    let identity = &ask.pipeline.services.identity;
    identity.known_browser(note.expose(), account, user)
}

/// The session of a request, even if its password must be changed first.
pub(super) fn current(ask: ApiRequest<'_>) -> Option<(Secret<String>, SignedIn)> {
    SESSION.values(ask).into_iter().find_map(|cookie| {
        let session = ask.pipeline.services.identity.signed_in(cookie.expose())?;
        Some((cookie, session))
    })
}

/// Notes for the request's event whose session it belongs to.
pub(super) fn note(ask: ApiRequest<'_>, session: Option<&SignedIn>) {
    if let Some(session) = session {
        ask.record.note_session(session.principal.clone());
    }
}

/// The session of a request, unless its password must be changed first.
fn signed_in(ask: ApiRequest<'_>) -> Result<(Secret<String>, SignedIn), WireError> {
    let (cookie, session) = current(ask).ok_or_else(api::signed_out)?;
    note(ask, Some(&session));
    if session.must_change {
        let text = "You must change your password first.";
        return Err(WireError::new(403, "PasswordChangeRequired", text));
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
        "arn": session.principal.arn().to_string(),
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
