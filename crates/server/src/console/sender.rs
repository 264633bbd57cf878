//! Whether the console's own pages sent a request.
//!
//! The rule: a page of any other origin gets nothing and changes nothing, also of one that is the
//! same site, as the API on another port of the same host is: cookies and `SameSite` do not tell
//! those apart. So the browser must say that the request comes from this very origin, scheme and
//! port included, and a POST must besides be what no form, link or frame can send.

use http::{HeaderMap, HeaderName, Method, header};

use super::api::{ApiError, ApiRequest};

/// A header of our own, which a browser lets only a script of this origin set.
const MARK: &str = "x-keywright-console";
/// What browsers say of a request's initiator; they do not let a script set it.
const FETCH_SITE: &str = "sec-fetch-site";

/// Lets a request pass that the console's own pages sent, or, to be read only, a person who typed
/// its address.
///
/// # Errors
/// What everyone else is told.
pub(super) fn check(ask: ApiRequest<'_>) -> Result<(), ApiError> {
    let headers = &ask.parts.headers;
    let post = ask.parts.method == Method::POST;
    let site = only(headers, &HeaderName::from_static(FETCH_SITE));
    // Browsers leave it out over plain HTTP to other hosts than this one.
    let site = match site {
        Ok(None | Some("same-origin")) => true,
        Ok(Some("none")) => !post,
        _ => false,
    };
    let origin = match only(headers, &header::ORIGIN) {
        Ok(Some(origin)) => ask.here().is_some_and(|here| here.as_str() == origin),
        Ok(None) => !post,
        Err(AmbiguousHeader) => false,
    };
    if site && origin && (!post || is_json_of_ours(headers)) {
        Ok(())
    } else {
        let text = "The request does not come from the console. Behind a proxy, the server must \
                    know its own address: give it --console-url.";
        Err(ApiError::new(403, "Forbidden", text))
    }
}

fn is_json_of_ours(headers: &HeaderMap) -> bool {
    let kind = only(headers, &header::CONTENT_TYPE).ok().flatten();
    let kind = kind.and_then(|kind| kind.split(';').next());
    let json = kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    json && only(headers, &HeaderName::from_static(MARK)) == Ok(Some("1"))
}

/// A header that is there twice, or is no text.
#[derive(Debug, PartialEq, Eq)]
struct AmbiguousHeader;

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, AmbiguousHeader> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| AmbiguousHeader),
        _ => Err(AmbiguousHeader),
    }
}
