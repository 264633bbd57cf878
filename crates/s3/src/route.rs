//! Closed routing: determines a request's operation before the protocol layer reads it.
//!
//! Invariant: a sub-resource, query parameter or `x-amz-*` header that is not understood is
//! `NotImplemented`, and nothing happens. S3's model says what belongs to an operation; this module
//! lists which of that is understood, so a newer model does not enable anything by itself. Headers
//! outside `x-amz-*` that have no meaning are ignored, as in S3.

use http::HeaderMap;

use keywright_objects::{ChecksumAlgorithm, S3Fault, UnknownElement};
use keywright_wire::{Level, Route};

use super::{render::RenderedRequest, table};

/// Headers of S3's model that are applied, or rejected by the operation that they are sent to.
const UNDERSTOOD: [&str; 44] = [
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-max-parts",
    "x-amz-meta-",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-object-ownership",
    "x-amz-optional-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-website-redirect-location",
];

/// Headers that SDKs may send with every operation and that have no effect here: the SDK for C++
/// sends the model's version, the one for Java offers to accept an MD5 after the body.
const TRANSPORT: [&str; 5] = [
    "x-amz-api-version",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// The only accepted value of `x-amz-api-version`.
const API_VERSION: &str = "2006-03-01";

/// Determines the operation of a request from which the credentials have been removed.
///
/// # Errors
/// [`S3Fault::NotUnderstood`], [`S3Fault::NotOverridable`], [`S3Fault::OperationNotServed`],
/// [`S3Fault::MethodNotAllowed`].
pub(super) fn route(
    request: &RenderedRequest,
    level: Level,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<&'static Route, S3Fault> {
    let place = (request.method.as_str(), level);
    let found = Route::of(place, query, |name| headers.contains_key(name));
    let Some(route) = found else {
        return Err(match query.iter().find(|(name, _)| name != OPERATION) {
            Some((name, _)) => S3Fault::NotUnderstood(UnknownElement::Parameter, name.clone()),
            None => S3Fault::MethodNotAllowed {
                method: request.method.to_string(),
                resource: request.resource,
            },
        });
    };
    check_query(route, query)?;
    if table::row(route.operation).is_none() {
        return Err(S3Fault::OperationNotServed(route.operation.to_owned()));
    }
    check_headers(route, headers)?;
    Ok(route)
}

/// The parameter with which SDKs name the operation.
const OPERATION: &str = "x-id";

fn check_query(route: &Route, query: &[(String, String)]) -> Result<(), S3Fault> {
    let unknown = query.iter().find(|(name, value)| match name.as_str() {
        OPERATION => value != route.operation,
        name => !route.has_parameter(name),
    });
    match unknown {
        Some((name, value)) if name.starts_with("response-") && overrides(route) => {
            Err(S3Fault::NotOverridable {
                parameter: name.clone(),
                value: value.clone(),
            })
        }
        Some((name, _)) => Err(S3Fault::NotUnderstood(
            UnknownElement::Parameter,
            name.clone(),
        )),
        None => Ok(()),
    }
}

/// Whether an operation's parameters may override headers of its response.
fn overrides(route: &Route) -> bool {
    route.has_parameter("response-content-type")
}

fn check_headers(route: &Route, headers: &HeaderMap) -> Result<(), S3Fault> {
    let known = |name: &str| {
        let own = UNDERSTOOD.contains(&name) || name.starts_with("x-amz-meta-");
        TRANSPORT.contains(&name)
            || own && route.has_header(name)
            || checks_body(route)
                && ChecksumAlgorithm::ALL
                    .iter()
                    .any(|sum| sum.header() == name)
    };
    let amazon = headers.iter().filter_map(|(name, value)| {
        let other = name == "x-amz-api-version" && value != API_VERSION;
        let name = name.as_str();
        name.starts_with("x-amz-").then_some((name, other))
    });
    let mut unknown = amazon.filter(|(name, other)| *other || !known(name));
    match unknown.next().map(|(name, _)| name) {
        Some(name) => Err(S3Fault::NotUnderstood(
            UnknownElement::Header,
            name.to_owned(),
        )),
        None => Ok(()),
    }
}

/// Whether an operation's body may come with a checksum.
fn checks_body(route: &Route) -> bool {
    route.has_header("x-amz-sdk-checksum-algorithm")
}

/// Whether an operation's body is a document, which is parsed and verified against its checksum.
pub(super) fn has_document(route: &Route) -> bool {
    checks_body(route) && !matches!(route.operation, "PutObject" | "UploadPart")
}

/// Checks parameters that are 32-bit integers; the protocol layer would report another error.
///
/// # Errors
/// [`S3Fault::InvalidArgument`].
pub(super) fn check_integers(query: &[(String, String)]) -> Result<(), S3Fault> {
    let mut wrong = query
        .iter()
        .filter(|(_, value)| value.parse::<i32>().is_err());
    let found = wrong.find_map(|(name, value)| {
        let name = *INTEGERS.iter().find(|known| *known == name)?;
        Some((name, value))
    });
    let Some((name, value)) = found else {
        return Ok(());
    };
    let message = match name {
        "partNumber" => "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
        "part-number-marker" => {
            format!("Argument {name} must be an integer between 0 and 2147483647")
        }
        "max-buckets" => format!("Argument {name} must be an integer between 1 and 10000"),
        _ => format!("Provided {name} not an integer or within integer range"),
    };
    Err(S3Fault::InvalidArgument {
        message,
        name,
        value: Some(value.clone()),
    })
}

const INTEGERS: [&str; 6] = [
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
];
