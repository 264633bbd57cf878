//! Sessions as a browser sees them: the cookie, whose session it is, temporary credentials, what
//! this server can do, and the end.
//!
//! It protects one rule: scripts never see the cookie, and nobody but this origin's pages makes a
//! browser send it. What a session is, and when it ends, is in `keywright_identity::console`.

use http::{header, request::Parts};
use keywright_base::Secret;
use keywright_identity::{actions::ACTIONS, console::SESSION_SECS, sign_in::SignedIn};
use keywright_policy::Catalogue;
use keywright_wire::Service;
use serde_json::{Value, json};

use super::api::{Ask, Refused, Reply};
use crate::s3;

/// The cookie's name over TLS, where browsers hold it to this host and to TLS.
const SECURE: &str = "__Host-keywright";
/// Its name over plain HTTP.
const PLAIN: &str = "keywright";

/// `GET session`
pub(super) fn show(ask: Ask<'_>) -> Reply {
    let session = current(ask).map(|(_, session)| session);
    Reply::json(session.map_or_else(|| json!({"state": "signed-out"}), |session| of(&session)))
}

/// `POST credentials`
pub(super) fn credentials(ask: Ask<'_>) -> Result<Reply, Refused> {
    let (cookie, _) = signed_in(ask)?;
    let made = ask.pipeline.identity.console_credentials(cookie.expose());
    let made = made.ok_or_else(Refused::signed_out)?;
    Ok(Reply::json(json!({
        "accessKeyId": made.key.to_string(),
        "secretAccessKey": made.secret.expose(),
        "sessionToken": made.token.expose(),
        "expiresAt": made.expires.iso8601(),
    })))
}

/// `POST sign-out`
pub(super) fn sign_out(ask: Ask<'_>) -> Reply {
    for cookie in cookies(ask.parts) {
        ask.pipeline.identity.sign_out(cookie.expose());
    }
    let gone = |name, path, secure| format!("{name}=; Path={path}; Max-Age=0{secure}{FLAGS}");
    let cookie = if secure(ask) {
        gone(SECURE, "/", "; Secure")
    } else {
        gone(PLAIN, "/console", "")
    };
    Reply {
        body: None,
        cookie: Some(cookie),
    }
}

/// `GET capabilities`: the operations that this server serves, and the actions that policies name.
pub(super) fn capabilities(ask: Ask<'_>) -> Result<Reply, Refused> {
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
    Ok(Reply::json(json!({
        "iam": of(Service::Iam),
        "sts": of(Service::Sts),
        "keywright": of(Service::Keywright),
        "s3": s3::operations(),
        "actions": policy_actions(),
    })))
}

fn policy_actions() -> Vec<String> {
    let all = Catalogue::built_in().actions();
    all.map(|action| format!("{}:{}", action.service, action.name))
        .collect()
}

/// The answer to whoever just signed in or changed the password, with the new cookie.
pub(super) fn begun(ask: Ask<'_>, cookie: &Secret<String>) -> Result<Reply, Refused> {
    let session = ask.pipeline.identity.signed_in(cookie.expose());
    let session = session.ok_or_else(Refused::signed_out)?;
    let value = cookie.expose();
    let cookie = if secure(ask) {
        format!("{SECURE}={value}; Path=/; Max-Age={SESSION_SECS}; Secure{FLAGS}")
    } else {
        format!("{PLAIN}={value}; Path=/console; Max-Age={SESSION_SECS}{FLAGS}")
    };
    Ok(Reply {
        body: Some(of(&session)),
        cookie: Some(cookie),
    })
}

const FLAGS: &str = "; HttpOnly; SameSite=Strict";

/// The session of a request, whatever it may do.
pub(super) fn current(ask: Ask<'_>) -> Option<(Secret<String>, SignedIn)> {
    cookies(ask.parts).into_iter().find_map(|cookie| {
        let session = ask.pipeline.identity.signed_in(cookie.expose())?;
        Some((cookie, session))
    })
}

/// The session of a request, if it need not change its password first.
fn signed_in(ask: Ask<'_>) -> Result<(Secret<String>, SignedIn), Refused> {
    let (cookie, session) = current(ask).ok_or_else(Refused::signed_out)?;
    if session.must_change {
        let text = "You must change your password first.";
        return Err(Refused::new(403, "PasswordChangeRequired", text));
    }
    Ok((cookie, session))
}

/// Whether the browser speaks TLS, to this server or to a proxy before it.
fn secure(ask: Ask<'_>) -> bool {
    let origin = ask.parts.headers.get(header::ORIGIN);
    ask.peer.secure || origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

/// The values of our cookies, the one of TLS first.
fn cookies(parts: &Parts) -> Vec<Secret<String>> {
    let headers = parts.headers.get_all(header::COOKIE).iter();
    let texts: Vec<_> = headers.filter_map(|value| value.to_str().ok()).collect();
    let named = |name: &'static str| {
        let pairs = texts.iter().flat_map(|text| text.split(';'));
        pairs.filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let values = named(SECURE).chain(named(PLAIN));
    values.map(|value| Secret::new(value.to_owned())).collect()
}

fn of(session: &SignedIn) -> Value {
    if session.must_change {
        return json!({
            "state": "password-change",
            "accountId": session.account.to_string(),
            "userName": session.user,
        });
    }
    let mut shown = json!({
        "state": "signed-in",
        "accountId": session.account.to_string(),
        "arn": session.arn.to_string(),
        "expiresAt": session.expires.iso8601(),
    });
    let optional = [
        ("accountAlias", &session.alias),
        ("userName", &session.user),
    ];
    if let Some(fields) = shown.as_object_mut() {
        if session.mfa {
            fields.insert("mfa".to_owned(), true.into());
        }
        for (name, value) in optional {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
    shown
}
