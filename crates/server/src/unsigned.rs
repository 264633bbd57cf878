//! The headers of a signed S3 request that are used even if its signature does not cover them.
//!
//! Invariant: no other unsigned header has any effect. S3 lets a client leave every header unsigned
//! that does not begin with `x-amz-`. So these headers are the complete list of what a man in the
//! middle, or anyone who holds a presigned URL, can choose. All others are removed before the
//! request is interpreted.

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use keywright_sigv4::PresentedSignature;

/// The list, as in ARCHITECTURE.md.
const OBEYED: [&str; 19] = [
    // How the body is transferred.
    "content-length",
    "transfer-encoding",
    "expect",
    "content-md5",
    // What is stored with an object.
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    // Which part of an object, and on which condition.
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    // Condition keys. Policies must not rely on them, because they may be unsigned.
    "referer",
    "user-agent",
    // The date of a signature in the `Authorization` header if there is no `x-amz-date`, and the
    // declared hash of a presigned request's body, which its signature covers by other means.
    "date",
    "x-amz-content-sha256",
];

/// Removes the headers that are neither signed nor in the list.
pub(crate) fn drop_unsigned(headers: &mut HeaderMap, presented: &PresentedSignature) {
    let signed = |name: &HeaderName| {
        let mut names = presented.signed_headers().split(';');
        names.any(|signed| signed == name.as_str())
    };
    let obeyed = |name: &HeaderName| OBEYED.contains(&name.as_str()) || signed(name);
    // Never signed, and not needed any more.
    headers.remove(AUTHORIZATION);
    let others: Vec<_> = headers
        .keys()
        .filter(|name| !obeyed(name))
        .cloned()
        .collect();
    for name in others {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header::HeaderValue};
    use keywright_base::Timestamp;
    use keywright_sigv4::{PresentedSignature, ServiceRules, SignatureFault, SigningDialect};

    use super::{OBEYED, drop_unsigned};

    const RULES: ServiceRules = ServiceRules {
        dialect: SigningDialect::S3,
        service: "s3",
        home_region: "us-east-1",
    };

    /// A presigned URL that signs `host` and the headers `signed`, sent with the headers `sent`.
    fn presented(
        signed: &str,
        sent: &[&str],
    ) -> (
        http::request::Parts,
        Result<PresentedSignature, SignatureFault>,
    ) {
        let uri = format!(
            "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261124%2Fus-east-1\
             %2Fs3%2Faws4_request&X-Amz-Date=20261124T080000Z&X-Amz-Expires=60\
             &X-Amz-SignedHeaders=host{signed}&X-Amz-Signature=0"
        );
        let mut request = Request::put(uri).header("host", "localhost");
        for name in sent {
            request = request.header(*name, HeaderValue::from_static("1"));
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let now = Timestamp::parse_amz_date("20261124T080001Z").unwrap();
        let presented = PresentedSignature::parse(&parts, now, &RULES);
        (parts, presented)
    }

    #[test]
    fn what_is_not_signed_is_dropped_unless_it_is_in_the_list() {
        let others = [
            "origin",
            "cookie",
            "x-keywright-idempotency-token",
            "x-forwarded-for",
        ];
        let plain = OBEYED.iter().filter(|name| !name.starts_with("x-amz-"));
        let sent: Vec<&str> = plain.chain(&others).copied().collect();
        let (mut parts, presented) = presented(";x-forwarded-for", &sent);
        drop_unsigned(&mut parts.headers, &presented.unwrap());
        for name in &sent {
            let expected = !others.contains(name) || *name == "x-forwarded-for";
            assert_eq!(parts.headers.contains_key(*name), expected, "{name}");
        }
        assert!(parts.headers.contains_key("host"));
    }

    #[test]
    fn every_header_of_amazon_must_be_signed() {
        for name in [
            "x-amz-acl",
            "x-amz-copy-source",
            "x-amz-date",
            "x-amz-decoded-content-length",
            "x-amz-meta-a",
            "x-amz-security-token",
            "x-amz-tagging",
            "x-amz-trailer",
            "x-amz-unheard-of",
        ] {
            let (_, unsigned) = presented("", &[name]);
            let expected = SignatureFault::HeadersNotSigned(vec![name.to_owned()]);
            assert_eq!(unsigned.unwrap_err(), expected);
            assert!(
                presented(&format!("%3B{name}"), &[name]).1.is_ok(),
                "{name}"
            );
        }
    }
}
