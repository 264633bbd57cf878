//! S3 Control: its requests are recognised, so that none is taken for one of S3.
//!
//! The rule: of its operations only the tags of buckets are answered, which Terraform reads there
//! first; to change them it falls back on S3 when the method is not allowed.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};

use keywright_base::{AccountId, Arn};
use keywright_objects::{Fault, check_bucket_name};

use super::{
    Body, Caller, Ids, S3, WireError, access,
    convert::text,
    render::{error_elements, with_ids},
    xml::{CONTROL, Document, Elements},
};

/// A request of S3 Control, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control;

/// The version that begins every path of it.
const VERSION: &str = "v20180820";
const ACCOUNT: &str = "x-amz-account-id";

/// Whether a request is for S3 Control. Its clients put the account before the host's name and into
/// a header; in paths the version's name is no bucket's.
pub(crate) fn is_control(headers: &HeaderMap, path: &str, host_bucket: Option<&str>) -> bool {
    let ours = path.trim_start_matches('/').split('/').next() == Some(VERSION);
    let account = |label: &str| label.parse::<AccountId>().is_ok();
    headers.contains_key(ACCOUNT) || ours && host_bucket.is_none_or(account)
}

/// Answers a request.
pub(super) async fn answer(s3: &S3, request: Parts, ids: &Ids) -> Response<Body> {
    let (status, text) = match tags(s3, &request).await {
        Ok(Document(text)) => (StatusCode::OK, text),
        Err(fault) => {
            let error = WireError::from(&fault);
            let status = StatusCode::from_u16(error.status);
            (
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                wrapped(&error, ids),
            )
        }
    };
    let body = Full::new(Bytes::from(text));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    with_ids(response, ids)
}

/// S3 Control's errors lie within another element.
fn wrapped(error: &WireError, ids: &Ids) -> String {
    let mut elements = Elements::default();
    elements.within("Error", |inner| error_elements(inner, error));
    elements.text("RequestId", &ids.request_id);
    elements.text("HostId", &ids.host_id);
    elements.document("ErrorResponse", CONTROL).0
}

async fn tags(s3: &S3, request: &Parts) -> Result<Document, Fault> {
    let denied = || Fault::AccessDenied("Access Denied".into());
    let caller = request.extensions.get::<Caller>().ok_or_else(denied)?;
    let account = caller.account.ok_or_else(denied)?;
    let path = percent_encoding::percent_decode_str(request.uri.path()).decode_utf8_lossy();
    let resource = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(VERSION));
    let resource = resource.and_then(|path| path.strip_prefix("/tags/"));
    let not_served = || Fault::OperationNotServed(format!("{} {path}", request.method));
    let resource = resource.ok_or_else(not_served)?;
    if request.method != Method::GET {
        return Err(Fault::MethodNotAllowed {
            method: request.method.to_string(),
            resource: "BUCKET",
        });
    }
    let query = request.uri.query();
    if !matches!(query, None | Some("" | "x-id=ListTagsForResource")) {
        return Err(not_served());
    }
    let name = resource
        .strip_prefix("arn:aws:s3:::")
        .ok_or_else(not_served)?;
    check_bucket_name(name)?;
    let named = text(&request.headers, ACCOUNT).and_then(|id| id.parse::<AccountId>().ok());
    let bucket = access::find_bucket(&s3.service, name).await?;
    access::check_region(caller, &bucket, "ListTagsForResource")?;
    if named.is_some_and(|named| named != bucket.owner) || bucket.owner != account {
        return Err(denied());
    }
    let permit = access::open_plain(&s3.service, caller, bucket)?;
    let arn = Arn::s3_bucket(name);
    permit.require("s3:ListTagsForResource", arn.as_str(), &permit.context)?;
    let mut elements = Elements::default();
    elements.within("Tags", |list| {
        for (key, value) in permit.bucket.iter().flat_map(|bucket| &bucket.tags) {
            list.within("Tag", |tag| {
                tag.text("Key", key);
                tag.text("Value", value);
            });
        }
    });
    Ok(elements.document("ListTagsForResourceResult", CONTROL))
}
