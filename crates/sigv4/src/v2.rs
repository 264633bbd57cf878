//! Signature Version 2 in the query string, which S3 still accepts: parsing and verification.
//!
//! Invariant: [`PresentedV2`] holds only what this signature covers. Code that acts on any other
//! query parameter must know that it is unsigned ([`PresentedV2::covers`]). Version 2 in the
//! `Authorization` header is rejected elsewhere. Key lookup is up to the caller.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, request::Parts};
use keywright_base::{Secret, Timestamp, limits};
use ring::hmac;

use crate::{
    SignatureFault, SignatureForm, SignatureMismatch, Verified, canonical,
    query::{decode, parameter_names},
};

/// The parameters that are part of the signed resource, from AWS's guide and its SDKs.
const RESOURCE: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// What a URL presents. These are claims; none is proven before [`PresentedV2::verify`].
#[derive(Debug)]
pub struct PresentedV2 {
    access_key_id: String,
    signature: String,
    session_token: Option<Secret<String>>,
    string_to_sign: Secret<Vec<u8>>,
}

impl PresentedV2 {
    /// Parses what `parts` presents; `None` if it has no such signature. `bucket` is the bucket in
    /// the host name, which is part of the signed resource.
    ///
    /// # Errors
    /// [`SignatureFault::TwoMechanisms`], and faults for invalid escapes, missing or repeated
    /// parts, and expiry.
    pub fn parse(
        parts: &Parts,
        now: Timestamp,
        bucket: Option<&str>,
    ) -> Result<Option<Self>, SignatureFault> {
        let raw = parts.uri.query().unwrap_or_default();
        let mut names = parameter_names(&parts.uri);
        if !names.any(|name| matches!(&*name, "AWSAccessKeyId" | "Signature")) {
            return Ok(None);
        }
        canonical::check_escapes(parts.uri.path()).map_err(SignatureFault::PathEscape)?;
        canonical::check_escapes(raw).map_err(SignatureFault::QueryEscape)?;
        let pairs = DecodedPairs::read(raw)?;
        pairs.check_values()?;
        let authorization = parts.headers.contains_key(http::header::AUTHORIZATION);
        if authorization || pairs.one("X-Amz-Algorithm")?.is_some() {
            return Err(SignatureFault::TwoMechanisms);
        }
        let (Some(access_key_id), Some(signature), Some(expires)) = (
            pairs.one("AWSAccessKeyId")?,
            pairs.one("Signature")?,
            pairs.one("Expires")?,
        ) else {
            return Err(SignatureFault::QueryV2Params);
        };
        check_expiry(expires, now)?;
        let amazon = amazon_headers(&parts.headers, &pairs)?;
        let token = amazon
            .iter()
            .find(|(name, _)| name == "x-amz-security-token");
        let token = token.map(|(_, value)| Secret::new(value.clone()));
        let mut text = Vec::with_capacity(256);
        push_line(&mut text, parts.method.as_str());
        for name in ["content-md5", "content-type"] {
            push_line(&mut text, &pairs.header(&parts.headers, name)?);
        }
        push_line(&mut text, expires);
        for (name, value) in &amazon {
            push_line(&mut text, &format!("{name}:{value}"));
        }
        if let Some(bucket) = bucket {
            text.push(b'/');
            text.extend_from_slice(bucket.as_bytes());
        }
        text.extend_from_slice(parts.uri.path().as_bytes());
        pairs.push_resource(&mut text);
        Ok(Some(Self {
            access_key_id: access_key_id.to_owned(),
            signature: signature.to_owned(),
            session_token: token,
            string_to_sign: Secret::new(text),
        }))
    }

    /// Whether the signature covers the query parameter `name`.
    pub fn covers(name: &str) -> bool {
        RESOURCE.contains(&name)
    }

    /// The access key ID as sent. It may be malformed.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token, if any.
    pub const fn session_token(&self) -> Option<&Secret<String>> {
        self.session_token.as_ref()
    }

    /// Verifies the signature with the secret of [`PresentedV2::access_key_id`]. Constant time.
    ///
    /// # Errors
    /// [`SignatureMismatch`] if it does not match.
    pub fn verify(&self, secret: &Secret<String>) -> Result<Verified, SignatureMismatch> {
        let key = hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            secret.expose().as_bytes(),
        );
        let given = STANDARD.decode(&self.signature).unwrap_or_default();
        if hmac::verify(&key, self.string_to_sign.expose(), &given).is_ok() {
            return Ok(Verified::by_v2());
        }
        Err(SignatureMismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: self.signature.clone(),
            string_to_sign: self.string_to_sign.expose().clone(),
            canonical_request: Vec::new(),
        })
    }
}

/// The decoded query, in its original order.
struct DecodedPairs(Vec<(String, Option<String>)>);

impl DecodedPairs {
    fn read(raw: &str) -> Result<Self, SignatureFault> {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.take(limits::HEADERS + 1).map(|pair| {
            let (name, value) = match pair.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (pair, None),
            };
            let value = value.map(decode).transpose();
            Ok((decode(name)?, value?))
        });
        let pairs: Result<Vec<_>, _> = pairs.collect();
        let pairs = pairs.map_err(SignatureFault::QueryEscape)?;
        if pairs.len() > limits::HEADERS {
            return Err(SignatureFault::QueryV2Params);
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that must not be repeated; `None` if empty.
    fn one(&self, name: &str) -> Result<Option<&str>, SignatureFault> {
        self.only(name, |known| known == name)
    }

    fn only(&self, name: &str, is: impl Fn(&str) -> bool) -> Result<Option<&str>, SignatureFault> {
        let mut given = self.0.iter().filter(|(known, _)| is(known));
        let (first, second) = (given.next(), given.next());
        if second.is_some() {
            return Err(SignatureFault::Repeated {
                form: SignatureForm::Query,
                name: name.to_owned(),
            });
        }
        let value = first.and_then(|(_, value)| value.as_deref());
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// A header, or its query parameter if the header was not sent.
    fn header(&self, headers: &HeaderMap, name: &str) -> Result<String, SignatureFault> {
        match joined(headers, name) {
            Some(value) => Ok(value),
            None => {
                let given = self.only(name, |known| known.eq_ignore_ascii_case(name))?;
                Ok(given.unwrap_or_default().to_owned())
            }
        }
    }

    /// Refuses a value that can be read as two parameters. Values are signed decoded, so
    /// `response-content-type=a%26acl` and `response-content-type=a&acl` have the same signature. A
    /// `&` followed by anything else is safe: it names no parameter that the signature covers.
    fn check_values(&self) -> Result<(), SignatureFault> {
        let signed = self.0.iter().filter(|(name, _)| PresentedV2::covers(name));
        let values = signed.filter_map(|(_, value)| value.as_deref());
        let names = values.flat_map(|value| value.split('&').skip(1));
        let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
        match names.find(|name| PresentedV2::covers(name)) {
            Some(name) => Err(SignatureFault::Repeated {
                form: SignatureForm::Query,
                name: name.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn push_resource(&self, out: &mut Vec<u8>) {
        let mut signed: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| PresentedV2::covers(name))
            .collect();
        signed.sort_by(|a, b| a.0.cmp(&b.0));
        for (at, (name, value)) in signed.into_iter().enumerate() {
            out.push(if at == 0 { b'?' } else { b'&' });
            out.extend_from_slice(name.as_bytes());
            if let Some(value) = value {
                out.push(b'=');
                out.extend_from_slice(value.as_bytes());
            }
        }
    }
}

/// The `x-amz-*` headers, and the query parameters that replace them, by name.
fn amazon_headers(
    headers: &HeaderMap,
    pairs: &DecodedPairs,
) -> Result<Vec<(String, String)>, SignatureFault> {
    let names = headers.keys().map(|name| name.as_str().to_owned());
    let mut found: Vec<_> = names
        .filter(|name| name.starts_with("x-amz-"))
        .map(|name| {
            let value = joined(headers, &name).unwrap_or_default();
            (name, value)
        })
        .collect();
    for (name, value) in &pairs.0 {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") {
            continue;
        }
        if found.iter().any(|(known, _)| *known == name) {
            let form = SignatureForm::Query;
            return Err(SignatureFault::Repeated { form, name });
        }
        found.push((name, value.clone().unwrap_or_default()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The values of a header, joined with commas.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes().trim_ascii()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

fn check_expiry(expires: &str, now: Timestamp) -> Result<(), SignatureFault> {
    let digits = expires.len() <= 12 && expires.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = expires.parse().ok().filter(|_| digits);
    let Some(seconds) = seconds else {
        return Err(SignatureFault::ExpiresV2Form(expires.to_owned()));
    };
    let expired_at = Timestamp::from_secs(seconds);
    if now >= expired_at {
        return Err(SignatureFault::ExpiredV2 { expired_at, now });
    }
    Ok(())
}
