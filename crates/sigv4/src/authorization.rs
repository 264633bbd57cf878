//! Extracts the parts of a signature from the header or the query string, and determines which of
//! the two a request uses.
//!
//! Invariant: exactly one signature. A request with two signatures, or with a repeated part, is
//! rejected instead of choosing one. The values of the parts are checked elsewhere.

use std::borrow::Cow;

use http::{HeaderValue, header, request::Parts};

use crate::{
    ALGORITHM, MissingParams, SignatureFault, SignatureForm, SigningDialect,
    query::{QueryString, decode},
};

/// The parts of a signature as sent.
#[derive(Debug)]
pub(crate) struct SignatureClaim {
    pub(crate) form: SignatureForm,
    pub(crate) credential: String,
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
    pub(crate) date: String,
    pub(crate) session_token: Option<String>,
    /// `X-Amz-Expires`, in query form only.
    pub(crate) expires: Option<String>,
}

impl SignatureClaim {
    /// Reads the request's only signature.
    ///
    /// # Errors
    /// [`SignatureFault`]s about the mechanism, the algorithm and missing parts.
    pub(crate) fn read(
        parts: &Parts,
        query: &QueryString,
        dialect: SigningDialect,
    ) -> Result<Self, SignatureFault> {
        let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (header, second) = (headers.next(), headers.next());
        let in_query = query.value("X-Amz-Algorithm");
        match (header, in_query) {
            (Some(_), Some(_)) => Err(SignatureFault::TwoMechanisms),
            (Some(_), None) if second.is_some() => Err(SignatureFault::TwoMechanisms),
            (Some(header), None) => {
                let text = text(header);
                Self::from_header(parts, text.trim())
            }
            (None, Some(algorithm)) => Self::from_query(query, algorithm, dialect),
            (None, None) => Err(without_algorithm(query, dialect)),
        }
    }

    fn from_header(parts: &Parts, text: &str) -> Result<Self, SignatureFault> {
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        check_algorithm(algorithm, SignatureForm::Header)?;
        let [mut credential, mut signed_headers, mut signature] = [None, None, None];
        for pair in rest.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(SignatureFault::NotAPair {
                    pair: pair.to_owned(),
                    header: text.to_owned(),
                });
            };
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(repeated(SignatureForm::Header, name));
            }
        }
        let date = date_header(parts)?;
        let missing = MissingParams {
            credential: credential.is_none(),
            signature: signature.is_none(),
            signed_headers: signed_headers.is_none(),
            date: date.is_none(),
        };
        let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
            (credential, signed_headers, signature, date)
        else {
            return Err(SignatureFault::HeaderParams(missing));
        };
        Ok(Self {
            form: SignatureForm::Header,
            credential: credential.to_owned(),
            signed_headers: signed_headers.to_owned(),
            signature: signature.to_owned(),
            date,
            session_token: single_header(parts, "x-amz-security-token")?,
            expires: None,
        })
    }

    fn from_query(
        query: &QueryString,
        algorithm: &str,
        dialect: SigningDialect,
    ) -> Result<Self, SignatureFault> {
        check_algorithm(algorithm, SignatureForm::Query)?;
        if let Some(name) = query.repeated() {
            return Err(repeated(SignatureForm::Query, name));
        }
        let text = |name| {
            let value = query.value(name).filter(|value| !value.is_empty());
            value
                .map(decode)
                .transpose()
                .map_err(SignatureFault::QueryEscape)
        };
        let credential = text("X-Amz-Credential")?;
        let signature = text("X-Amz-Signature")?;
        let signed_headers = text("X-Amz-SignedHeaders")?;
        let date = text("X-Amz-Date")?;
        let expires = text("X-Amz-Expires")?;
        let missing = MissingParams {
            credential: credential.is_none(),
            signature: signature.is_none(),
            signed_headers: signed_headers.is_none(),
            date: date.is_none(),
        };
        let no_expires = dialect == SigningDialect::S3 && expires.is_none();
        let (Some(credential), Some(signed_headers), Some(signature), Some(date), false) =
            (credential, signed_headers, signature, date, no_expires)
        else {
            return Err(SignatureFault::QueryParams {
                missing,
                expires: no_expires,
            });
        };
        Ok(Self {
            form: SignatureForm::Query,
            credential,
            signed_headers,
            signature,
            date,
            session_token: text("X-Amz-Security-Token")?,
            expires,
        })
    }
}

/// The fault for a request with neither an `Authorization` header nor `X-Amz-Algorithm`.
fn without_algorithm(query: &QueryString, dialect: SigningDialect) -> SignatureFault {
    if query.value("AWSAccessKeyId").is_some() || query.value("SignatureVersion").is_some() {
        return SignatureFault::SignatureV2;
    }
    if dialect == SigningDialect::S3 && query.value("X-Amz-Signature").is_some() {
        return SignatureFault::QueryParams {
            missing: MissingParams::default(),
            expires: query.value("X-Amz-Expires").is_none(),
        };
    }
    SignatureFault::Missing
}

fn check_algorithm(name: &str, form: SignatureForm) -> Result<(), SignatureFault> {
    match name {
        ALGORITHM => Ok(()),
        "AWS" if form == SignatureForm::Header => Err(SignatureFault::SignatureV2),
        _ => Err(SignatureFault::Algorithm {
            form,
            name: name.to_owned(),
        }),
    }
}

/// `X-Amz-Date`, falling back to `Date`.
fn date_header(parts: &Parts) -> Result<Option<String>, SignatureFault> {
    match single_header(parts, "x-amz-date")? {
        Some(date) => Ok(Some(date)),
        None => single_header(parts, "date"),
    }
}

/// The value of a header that must not be repeated.
fn single_header(parts: &Parts, name: &str) -> Result<Option<String>, SignatureFault> {
    let mut values = parts.headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(repeated(SignatureForm::Header, name));
    }
    Ok(first.map(|value| text(value).trim_ascii().to_owned()))
}

/// A header's text, with invalid UTF-8 replaced by U+FFFD. ASCII values, which is nearly all of
/// them, skip the UTF-8 check.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value.as_bytes()),
    }
}

fn repeated(form: SignatureForm, name: &str) -> SignatureFault {
    SignatureFault::Repeated {
        form,
        name: name.to_owned(),
    }
}
