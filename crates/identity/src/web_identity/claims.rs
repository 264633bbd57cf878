//! What a verified token says of who it is for: audience, subject, and condition keys.

use std::borrow::Cow;

use keywright_base::{AccountId, Timestamp, limits};
use keywright_policy::ContextValues;
use serde_json::{Map, Value};

use super::{key_set::VerifiedToken, rejection::TokenRejection, token::ParsedToken};
use crate::{authorize::FederatedIdentity, caller::SessionProvider, state::OpenIdProvider};

/// Checks when a token is valid. This needs no key, so that it is done before one is fetched.
///
/// # Errors
/// [`TokenRejection`].
pub(crate) fn check_times(token: &ParsedToken, now: Timestamp) -> Result<(), TokenRejection> {
    let leeway = limits::TOKEN_LEEWAY_SECS;
    let now = now.secs();
    let expires = time(&token.claims, "exp")?;
    let expires = expires.ok_or(TokenRejection::MissingClaim("exp"))?;
    if expires.saturating_add(leeway) <= now {
        return Err(TokenRejection::Expired { now, expires });
    }
    for name in ["nbf", "iat"] {
        let from = time(&token.claims, name)?;
        if from.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err(TokenRejection::NotYetValid);
        }
    }
    Ok(())
}

/// A claim that is a number of seconds. Fractions are cut off.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from float saturates, and both ends of the range are handled as times"
)]
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenRejection> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let secs = value.as_i64().or_else(|| Some(value.as_f64()? as i64));
    secs.map(Some).ok_or(TokenRejection::MissingClaim(name))
}

/// Who a token is about, and for whom it was issued.
#[derive(Debug)]
pub(crate) struct FederatedClaims {
    /// The provider, audience, subject and methods of authentication.
    pub(crate) provider: SessionProvider,
    /// The condition keys in lower case.
    keys: Vec<(String, ContextValues<'static>)>,
}

impl FederatedClaims {
    /// Reads the claims of a token of this provider.
    ///
    /// # Errors
    /// [`TokenRejection::Audience`], [`TokenRejection::MissingClaim`],
    /// [`TokenRejection::Subject`].
    pub(crate) fn of(
        token: &VerifiedToken,
        account: AccountId,
        provider: &OpenIdProvider,
    ) -> Result<Self, TokenRejection> {
        let claims = token.claims();
        let audience = audience(claims, &provider.client_ids)?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|text| !text.is_empty());
        let subject = subject.ok_or(TokenRejection::MissingClaim("sub"))?;
        if subject.chars().count() > limits::TOKEN_SUBJECT_CHARS {
            return Err(TokenRejection::Subject);
        }
        let session = SessionProvider {
            arn: provider.arn(account).to_string(),
            audience,
            subject: subject.to_owned(),
            methods: methods(claims)?,
            saml: None,
        };
        let mut this = Self {
            keys: Vec::new(),
            provider: session,
        };
        let audience = ContextValues::one(this.provider.audience.clone());
        this.set(&provider.name, "aud", audience)?;
        for (name, value) in claims {
            this.add(&provider.name, name, value)?;
        }
        Ok(this)
    }

    fn add(&mut self, prefix: &str, claim: &str, value: &Value) -> Result<(), TokenRejection> {
        let name = match claim {
            // The audience that the provider is registered for takes its place.
            "aud" => "oaud",
            _ => claim,
        };
        let value = match value {
            Value::Null => ContextValues::Absent,
            // `8443:sub` would be a key of another provider, at this port. So nothing is allowed by
            // such a claim, and everything is denied by it.
            _ if claim.contains(':') => UNREADABLE,
            Value::String(text) if claim == "amr" => listed(vec![text.clone()]),
            Value::String(text) => ContextValues::one(text.clone()),
            Value::Bool(flag) => ContextValues::one(flag.to_string()),
            Value::Number(number) => ContextValues::one(number.to_string()),
            Value::Array(_) => texts(Some(value)).map_or(UNREADABLE, listed),
            Value::Object(_) => UNREADABLE,
        };
        self.set(prefix, name, value)
    }

    /// Sets a key. Policies compare names in any case, so claims whose names differ only in case
    /// reject the token, whatever their values are.
    fn set(
        &mut self,
        prefix: &str,
        name: &str,
        value: ContextValues<'static>,
    ) -> Result<(), TokenRejection> {
        let key = format!("{prefix}:{name}").to_lowercase();
        if self.keys.iter().any(|(known, _)| *known == key) {
            return Err(TokenRejection::AmbiguousClaims);
        }
        self.keys.push((key, value));
        Ok(())
    }
}

impl FederatedIdentity for FederatedClaims {
    fn provider(&self) -> &SessionProvider {
        &self.provider
    }

    fn action(&self) -> &'static str {
        "sts:AssumeRoleWithWebIdentity"
    }

    fn key(&self, key: &str) -> ContextValues<'_> {
        let found = self.keys.iter().find(|(known, _)| known == key);
        found.map_or(ContextValues::Absent, |(_, values)| values.clone())
    }
}

fn listed(values: Vec<String>) -> ContextValues<'static> {
    ContextValues::Claims(values.into_iter().map(Cow::Owned).collect())
}

/// How the subject was authenticated. The session's requests have it too, so it must be readable,
/// and its size is limited.
fn methods(claims: &Map<String, Value>) -> Result<Vec<String>, TokenRejection> {
    let Some(value) = claims.get("amr").filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let fits = |texts: &Vec<String>| {
        let mut texts_fit = texts.iter();
        texts.len() <= limits::TOKEN_METHODS
            && texts_fit.all(|text| text.chars().count() <= limits::TOKEN_METHOD_CHARS)
    };
    let methods = texts(Some(value)).filter(fits);
    methods.ok_or(TokenRejection::Claim("amr"))
}

/// A claim that is neither a text nor a list of texts, or that no condition key can name: no Allow
/// can rely on it, and every Deny that tests it applies.
const UNREADABLE: ContextValues<'static> = ContextValues::Ambiguous(Vec::new());

/// The client ID that a token is for. As on AWS, the authorized party takes the place of the
/// audiences if there is one.
fn audience(claims: &Map<String, Value>, client_ids: &[String]) -> Result<String, TokenRejection> {
    let party = claims.get("azp").filter(|azp| !azp.is_null());
    let name = if party.is_some() { "azp" } else { "aud" };
    let named = texts(party.or_else(|| claims.get("aud")));
    let named = named.ok_or(TokenRejection::MissingClaim(name))?;
    let known = named.into_iter().find(|text| client_ids.contains(text));
    known.ok_or(TokenRejection::Audience)
}

/// A text, or a list of nothing but texts.
fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}
