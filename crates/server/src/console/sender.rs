//! Checks that the console's own pages sent a request.
//!
//! Invariant: a page of any other origin reads nothing and changes nothing, even if it is
//! same-site, as the API on another port of the same host is: cookies and `SameSite` do not
//! distinguish those. So the browser must state that the request comes from this exact origin,
//! including scheme and port, and a POST must also have a form that no HTML form, link or frame can
//! send. A name of another origin can lead to this machine (DNS rebinding), so a console that only
//! this machine reaches answers to a name only if the operator configures it.

use http::{HeaderMap, HeaderName, Method, header};
use keywright_base::WireError;

use super::api::ApiRequest;

/// A header of our own, which a browser lets only scripts of this origin set.
const MARK: &str = "x-keywright-console";
/// The header in which browsers report the initiator of a request; scripts cannot set it.
const FETCH_SITE: &str = "sec-fetch-site";

/// Accepts a request that the console's own pages sent, or a read that a person made by typing the
/// URL.
///
/// # Errors
/// The error for every other request.
pub(super) fn check(ask: ApiRequest<'_>) -> Result<(), WireError> {
    check_host(ask)?;
    let headers = &ask.parts.headers;
    let post = ask.parts.method == Method::POST;
    let site = only(headers, &HeaderName::from_static(FETCH_SITE));
    // Over plain HTTP, browsers leave the header out unless the host is the local machine.
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
        Err(WireError::new(403, "Forbidden", text))
    }
}

fn check_host(ask: ApiRequest<'_>) -> Result<(), WireError> {
    if !ask.listener.is_local || ask.pipeline.console.urls.console.is_some() {
        return Ok(());
    }
    let text = match ask.here() {
        Some(here) if here.is_unnamed() => return Ok(()),
        Some(here) => format!(
            "The console is not configured to be reached as {here}. To use this name, start the \
             server with --console-url {here}.",
            here = here.as_str()
        ),
        None => "The request does not name the host that it is for.".to_owned(),
    };
    Err(WireError::new(403, "Forbidden", text))
}

fn is_json_of_ours(headers: &HeaderMap) -> bool {
    let kind = only(headers, &header::CONTENT_TYPE).ok().flatten();
    let kind = kind.and_then(|kind| kind.split(';').next());
    let json = kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    json && only(headers, &HeaderName::from_static(MARK)) == Ok(Some("1"))
}

/// A header that occurs twice or is not text.
#[derive(Debug, PartialEq, Eq)]
struct AmbiguousHeader;

/// The only value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, AmbiguousHeader> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| AmbiguousHeader),
        _ => Err(AmbiguousHeader),
    }
}
