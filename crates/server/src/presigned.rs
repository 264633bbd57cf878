//! The query of a presigned URL: removes its credentials, and turns parameters that stand for
//! headers into headers.
//!
//! Invariant: a signed parameter has the same effect as the header it stands for. None is dropped
//! except checksums of an empty body. What stays in the query belongs to S3, or is not understood
//! and rejected there; of a URL signed with Signature Version 2, only what that signature covers
//! stays. SDKs for JavaScript put metadata, tags, checksums and conditions into the query (recorded
//! 2026-02).

use http::{HeaderMap, HeaderName, HeaderValue, Uri, request::Parts};
use keywright_base::WireError;
use keywright_objects::{S3Fault, UnknownElement};
use keywright_sigv4::PresentedV2;

/// The parameters of Signature Version 4, in the case in which they are read.
const V4: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Other headers that may be in the query.
const CONDITIONS: [&str; 4] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// Checksums of an empty body. SDKs for JavaScript sign one into the URL of every upload, because
/// they have no body yet. S3 ignores checksums in the query (reported 2025-01 and 2026-09). Here,
/// all others are verified, because they were set on purpose.
const OF_NOTHING: [(&str, &[u8]); 5] = [
    ("x-amz-checksum-crc32", b"AAAAAA=="),
    ("x-amz-checksum-crc32c", b"AAAAAA=="),
    ("x-amz-checksum-crc64nvme", b"AAAAAAAAAAA="),
    ("x-amz-checksum-sha1", b"2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
    (
        "x-amz-checksum-sha256",
        b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
];

/// The signature version of a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PresignVersion {
    V2,
    V4,
}

/// What happens to a parameter.
enum ParameterUse {
    Dropped,
    Header,
    Query,
    /// The signature does not cover it.
    Refused,
}

/// Removes the credentials and turns parameters that stand for headers into headers.
///
/// # Errors
/// The response for a header that is given twice with different values, and for a parameter that
/// the signature does not cover.
pub(crate) fn unfold(parts: &mut Parts, version: PresignVersion) -> Result<(), Box<WireError>> {
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name, version), decoded(value, version));
        let name = String::from_utf8_lossy(&name);
        match fate(&name, version) {
            ParameterUse::Dropped => {}
            ParameterUse::Header if is_of_nothing(&name, &value) => {}
            ParameterUse::Header => insert(&mut parts.headers, &name, &value, version)?,
            ParameterUse::Query => rest.push(pair),
            ParameterUse::Refused => {
                let fault = S3Fault::NotUnderstood(UnknownElement::Parameter, name.into_owned());
                return Err(Box::new(fault.wire()));
            }
        }
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    let uri = format!("{}{mark}{}", parts.uri.path(), rest.join("&"));
    let unfit = |_| {
        let fault = S3Fault::Internal("a URI without credentials is no URI".into());
        Box::new(fault.wire())
    };
    parts.uri = uri.parse::<Uri>().map_err(unfit)?;
    Ok(())
}

fn fate(name: &str, version: PresignVersion) -> ParameterUse {
    let lower = name.to_ascii_lowercase();
    let credential = V4.iter().any(|known| known.eq_ignore_ascii_case(name));
    match version {
        PresignVersion::V4 if credential => {
            if V4.contains(&name) {
                ParameterUse::Dropped
            } else {
                ParameterUse::Query
            }
        }
        PresignVersion::V2 if lower == "x-amz-security-token" => ParameterUse::Dropped,
        PresignVersion::V2 if matches!(name, "AWSAccessKeyId" | "Signature" | "Expires") => {
            ParameterUse::Dropped
        }
        PresignVersion::V2 if matches!(&*lower, "content-type" | "content-md5") => {
            ParameterUse::Header
        }
        _ if lower.starts_with("x-amz-") && !credential => ParameterUse::Header,
        PresignVersion::V4 if CONDITIONS.contains(&&*lower) => ParameterUse::Header,
        PresignVersion::V2 if !PresentedV2::covers(name) => ParameterUse::Refused,
        _ => ParameterUse::Query,
    }
}

fn is_of_nothing(name: &str, value: &[u8]) -> bool {
    let mut known = OF_NOTHING.iter();
    known.any(|(header, sum)| header.eq_ignore_ascii_case(name) && *sum == value)
}

/// Decodes a name or value. `+` is a space only in Version 4, which signs it as one.
fn decoded(raw: &str, version: PresignVersion) -> Vec<u8> {
    let spaced = match version {
        PresignVersion::V2 => raw.to_owned(),
        PresignVersion::V4 => raw.replace('+', " "),
    };
    percent_encoding::percent_decode_str(&spaced).collect()
}

fn insert(
    headers: &mut HeaderMap,
    name: &str,
    value: &[u8],
    version: PresignVersion,
) -> Result<(), Box<WireError>> {
    let unfit = || {
        let fault = S3Fault::NotUnderstood(UnknownElement::Parameter, name.to_owned());
        Box::new(fault.wire())
    };
    let key = HeaderName::try_from(name).map_err(|_| unfit())?;
    let value = HeaderValue::from_bytes(value).map_err(|_| unfit())?;
    let present = headers.get(&key);
    // Version 2 signs the value of this header as it was sent.
    let sent =
        version == PresignVersion::V2 && matches!(key.as_str(), "content-type" | "content-md5");
    match present {
        None => {
            headers.insert(key, value);
            Ok(())
        }
        Some(present) if sent || *present == value => Ok(()),
        Some(_) => Err(Box::new(
            S3Fault::InvalidArgument {
                message: "A header and a query parameter of one name have different values.".into(),
                name: "query",
                value: None,
            }
            .wire(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Request};

    use super::{PresignVersion, unfold};

    type Unfolded = Option<(String, Vec<(String, String)>)>;

    fn of(version: PresignVersion, uri: &str, headers: &[(&str, &str)]) -> Unfolded {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        unfold(&mut parts, version).ok()?;
        let text = |headers: &HeaderMap| {
            let pairs = headers.iter();
            let pairs = pairs.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()));
            pairs.collect()
        };
        Some((parts.uri.to_string(), text(&parts.headers)))
    }

    #[test]
    fn parameters_that_stand_for_headers_become_headers() {
        use PresignVersion::{V2, V4};
        let v4 = "/b/k?X-Amz-Algorithm=a&X-Amz-Signature=s";
        let v2 = "/b/k?AWSAccessKeyId=a&Signature=s&Expires=1";
        let sent = |name: &'static str, value: &'static str| [(name, value)];
        for (version, query, sent, uri, headers) in [
            (V4, "", &[][..], Some("/b/k"), &[][..]),
            (
                V4,
                "&x-amz-meta-a=b%20c+d&X-Amz-Tagging=a%3D1&x-id=PutObject&If-None-Match=*",
                &[],
                Some("/b/k?x-id=PutObject"),
                &[
                    ("x-amz-meta-a", "b c d"),
                    ("x-amz-tagging", "a=1"),
                    ("if-none-match", "*"),
                ],
            ),
            // Not read as a credential in this case, so it stays in the query and is rejected
            // later.
            (V4, "&x-amz-date=1", &[], Some("/b/k?x-amz-date=1"), &[]),
            (V4, "&Expires=1", &[], Some("/b/k?Expires=1"), &[]),
            (V4, "&x-amz-acl=a%0Ab", &[], None, &[]),
            (V4, "&x-amz-acl=a&x-amz-acl=b", &[], None, &[]),
            (
                V4,
                "&x-amz-acl=private",
                &sent("x-amz-acl", "private"),
                Some("/b/k"),
                &[("x-amz-acl", "private")],
            ),
            (
                V4,
                "&x-amz-acl=private",
                &sent("x-amz-acl", "public-read"),
                None,
                &[],
            ),
            (
                V2,
                "&x-amz-meta-a=b+c&content-type=text%2Fplain&versionId=null",
                &[],
                Some("/b/k?versionId=null"),
                &[("x-amz-meta-a", "b+c"), ("content-type", "text/plain")],
            ),
            (V2, "&x-amz-security-token=t", &[], Some("/b/k"), &[]),
            (V2, "&encryption", &[], None, &[]),
            (V2, "&if-match=a", &[], None, &[]),
            (V2, "&list-type=2", &[], None, &[]),
        ] {
            let given = if version == V4 { v4 } else { v2 };
            let got = of(version, &format!("{given}{query}"), sent);
            let owned = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
            let expected = uri.map(|uri| (uri.to_owned(), headers.iter().map(owned).collect()));
            assert_eq!(got, expected, "{query}");
        }
    }

    #[test]
    fn a_checksum_of_nothing_is_no_header() {
        for (query, headers) in [
            (
                "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32",
                vec![("x-amz-sdk-checksum-algorithm", "CRC32")],
            ),
            (
                "X-Amz-Checksum-Sha256=47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D",
                vec![],
            ),
            (
                "x-amz-checksum-crc32=AAAAAQ%3D%3D",
                vec![("x-amz-checksum-crc32", "AAAAAQ==")],
            ),
        ] {
            let (uri, got) = of(PresignVersion::V4, &format!("/b/k?{query}"), &[]).unwrap();
            let got: Vec<_> = got.iter().map(|(n, v)| (&**n, &**v)).collect();
            assert_eq!((&*uri, got), ("/b/k", headers), "{query}");
        }
    }
}
