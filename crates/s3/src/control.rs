//! S3 Control. Its requests are recognized so that none of them is mistaken for an S3 request.
//!
//! Only the operations on the tags of buckets are served, because Terraform tries them first. A
//! change is authorized with the tags of the request, and again when it is committed.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts,
};
use http_body_util::{BodyExt, Full};

use keywright_base::{AccountId, ErrorCode, WireError, limits};
use keywright_objects::{
    ApprovalFuture, CheckFuture, ChecksumAlgorithm, CommitCheck, S3Fault, Tags, UnknownElement,
    check_bucket_name, check_bucket_tags, check_document,
};

use super::{
    ResponseIds, S3Body, S3Caller, S3Context,
    access::{self, S3Shared, TagPermit, TaggedBucket, beside},
    authorize::CpuWork,
    body, context,
    convert::text,
    headers,
    render::{error_elements, slow_down, with_ids},
    tagging,
    xml::{CONTROL, XmlBody, XmlElements},
};

/// Who calls S3 Control, and the headers.
pub(super) struct TagCall {
    pub(super) caller: S3Caller,
    pub(super) headers: HeaderMap,
}

impl TagCall {
    /// The operation of a request with this method. `None` if it is not served.
    pub(super) fn operation(method: &Method) -> Option<&'static str> {
        match *method {
            Method::GET => Some("ListTagsForResource"),
            Method::POST => Some("TagResource"),
            Method::DELETE => Some("UntagResource"),
            _ => None,
        }
    }
}

/// The version with which every path of S3 Control begins.
const VERSION: &str = "v20180820";
const ACCOUNT: &str = "x-amz-account-id";

/// Whether a request is for S3 Control. Its clients put the account in front of the host name and
/// into a header. In a path, the name of the version is never taken for a bucket.
pub(super) fn is_control(headers: &HeaderMap, path: &str, host_bucket: Option<&str>) -> bool {
    let ours = path.trim_start_matches('/').split('/').next() == Some(VERSION);
    let account = |label: &str| label.parse::<AccountId>().is_ok();
    headers.contains_key(ACCOUNT) || ours && host_bucket.is_none_or(account)
}

pub(super) async fn answer(
    service: &Arc<S3Shared>,
    call: TagCall,
    (head, body): (&Parts, S3Body),
    ids: &ResponseIds,
) -> Response<S3Body> {
    let mut failure = None;
    let (status, text) = match run(service, call, head, body).await {
        Ok(Some(XmlBody(text))) => (StatusCode::OK, text),
        Ok(None) => (StatusCode::NO_CONTENT, String::new()),
        Err(error) => {
            failure = Some(ErrorCode::from(&*error));
            let status = StatusCode::from_u16(error.status);
            (
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                wrapped(&error, ids),
            )
        }
    };
    let written = !text.is_empty();
    let body = Full::new(Bytes::from(text));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    if let Some(code) = failure {
        response.extensions_mut().insert(code);
    }
    if written {
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
    }
    with_ids(response, ids)
}

/// Writes an error, which S3 Control nests in another element.
fn wrapped(error: &WireError, ids: &ResponseIds) -> String {
    let mut elements = XmlElements::default();
    elements.within("Error", |inner| error_elements(inner, error));
    elements.text("RequestId", &ids.request_id);
    elements.text("HostId", &ids.host_id);
    elements.document("ErrorResponse", CONTROL).0
}

async fn run(
    service: &Arc<S3Shared>,
    call: TagCall,
    head: &Parts,
    body: S3Body,
) -> Result<Option<XmlBody>, Box<WireError>> {
    let wire = |fault: S3Fault| Box::new(fault.wire());
    let mut request = TagRequest::read(call, head).map_err(wire)?;
    if let TagOperation::Set(_) = request.operation {
        let body = gather(service, body).await?;
        request.operation = TagOperation::Set(request.read_tags(&body).map_err(wire)?);
    }
    request.run(service).await.map_err(wire)
}

/// Reads a body to its end, where the signature is verified.
async fn gather(service: &S3Shared, mut body: S3Body) -> Result<Vec<u8>, Box<WireError>> {
    let wire = |fault: S3Fault| Box::new(fault.wire());
    let (mut bytes, mut held) = (Vec::new(), service.bodies.account());
    let mut document = body::DocumentLimit::of("TagResource");
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.downcast::<WireError>() {
            Ok(error) => error,
            Err(_) => wire(S3Fault::IncompleteBody {
                announced: 0,
                seen: 0,
            }),
        })?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        document.pass(&piece).map_err(wire)?;
        if held.hold(piece.len()).is_err() {
            return Err(Box::new(slow_down()));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// An operation on a bucket's tags.
#[derive(Debug, Clone)]
enum TagOperation {
    List,
    /// Adds tags and replaces those with the same keys.
    Set(Tags),
    Remove(Vec<String>),
}

/// A request about the tags of a bucket.
struct TagRequest {
    call: TagCall,
    bucket: String,
    operation: TagOperation,
}

impl TagRequest {
    fn read(call: TagCall, head: &Parts) -> Result<Self, S3Fault> {
        let denied = || S3Fault::AccessDenied("Access Denied".into());
        call.caller.account.ok_or_else(denied)?;
        let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy();
        let not_served = || S3Fault::OperationNotServed(format!("{} {path}", head.method));
        let resource = path.strip_prefix('/').and_then(|path| {
            let path = path.strip_prefix(VERSION)?;
            path.strip_prefix("/tags/")
        });
        let resource = resource.ok_or_else(not_served)?;
        let name = TagCall::operation(&head.method).ok_or_else(not_served)?;
        let operation = match head.method {
            Method::GET => TagOperation::List,
            Method::POST => TagOperation::Set(Tags::new()),
            _ => TagOperation::Remove(Vec::new()),
        };
        let operation = with_query(&head.uri, name, operation)?;
        check_headers(&call.headers)?;
        let bucket = resource.strip_prefix("arn:aws:s3:::");
        let bucket = bucket.ok_or_else(not_served)?;
        check_bucket_name(bucket)?;
        Ok(Self {
            bucket: bucket.to_owned(),
            call,
            operation,
        })
    }

    fn read_tags(&self, body: &[u8]) -> Result<Tags, S3Fault> {
        let claims = headers::claims(&self.call.headers, self.call.caller.trailers.as_ref(), None)?;
        check_document(body, claims)?;
        let tags = tagging::within(body, "TagResourceRequest")?;
        if tags.is_empty() {
            return Err(S3Fault::MalformedXml);
        }
        check_bucket_tags(&tags)?;
        Ok(tags)
    }

    async fn run(self, service: &Arc<S3Shared>) -> Result<Option<XmlBody>, S3Fault> {
        let permit = self.permitted(service).await?;
        let change = match &self.operation {
            TagOperation::List => return Ok(Some(listed(permit.tags()))),
            TagOperation::Set(tags) => (tags.clone(), Vec::new()),
            TagOperation::Remove(keys) => (Tags::new(), keys.clone()),
        };
        let again = Arc::new(ControlRecheck {
            service: Arc::clone(service),
            request: self,
        });
        permit
            .change(service, (&change.0, &change.1), again)
            .await?;
        Ok(None)
    }

    /// Finds the bucket and asks whether the caller may do this to its tags.
    async fn permitted(&self, service: &S3Shared) -> Result<TagPermit, S3Fault> {
        let found = TaggedBucket::find(service, &self.bucket).await?;
        let mut keys = S3Context::default();
        let (operation, action) = match &self.operation {
            TagOperation::List => ("ListTagsForResource", "s3:ListTagsForResource"),
            TagOperation::Set(tags) => {
                keys.bucket_tags(tags);
                ("TagResource", "s3:TagResource")
            }
            TagOperation::Remove(removed) => {
                keys.tag_keys(removed);
                ("UntagResource", "s3:UntagResource")
            }
        };
        let (caller, bucket) = (&self.call.caller, found.bucket());
        access::check_region(caller, bucket, operation)?;
        let named = text(&self.call.headers, ACCOUNT).and_then(|id| id.parse::<AccountId>().ok());
        let foreign = named.is_some_and(|named| named != bucket.owner);
        if foreign || caller.account != Some(bucket.owner) {
            return Err(S3Fault::AccessDenied("Access Denied".into()));
        }
        found.allow(service, caller, action, keys).await
    }
}

/// The same decision with what is in force when the change is committed.
struct ControlRecheck {
    service: Arc<S3Shared>,
    request: TagRequest,
}

impl CommitCheck for ControlRecheck {
    fn check(&self) -> ApprovalFuture<'_> {
        Box::pin(async {
            if self.request.call.caller.authorize.check_caller().is_err() {
                return Err(S3Fault::AccessDenied("Access Denied".into()));
            }
            let permit = self.request.permitted(&self.service).await?;
            Ok(permit.approve())
        })
    }

    fn run_beside(&self, work: CpuWork) -> CheckFuture<'_> {
        Box::pin(beside(&self.request.call.caller.authorize, work))
    }
}

/// Completes the operation with its query parameters; any other parameter is `NotImplemented`.
fn with_query(uri: &Uri, name: &str, mut operation: TagOperation) -> Result<TagOperation, S3Fault> {
    for (parameter, value) in context::pairs(uri)? {
        match (&mut operation, parameter.as_str()) {
            (_, "x-id") if value == name => {}
            (TagOperation::Remove(keys), "tagKeys") if keys.len() < limits::HEADERS => {
                keys.push(value);
            }
            _ => return Err(S3Fault::NotUnderstood(UnknownElement::Parameter, parameter)),
        }
    }
    match operation {
        TagOperation::Remove(keys) if keys.is_empty() => Err(S3Fault::InvalidRequest(
            "At least one tag key must be specified.",
        )),
        operation => Ok(operation),
    }
}

/// The headers that the operations on tags understand.
const UNDERSTOOD: [&str; 9] = [
    ACCOUNT,
    "x-amz-api-version",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-user-agent",
];

fn check_headers(headers: &HeaderMap) -> Result<(), S3Fault> {
    let names = headers.keys().map(HeaderName::as_str);
    let mut amazon = names.filter(|name| name.starts_with("x-amz-"));
    let sums = |name: &str| {
        ChecksumAlgorithm::ALL
            .iter()
            .any(|sum| sum.header() == name)
    };
    let known = |name: &&str| UNDERSTOOD.contains(name) || sums(name);
    match amazon.find(|name| !known(name)) {
        Some(name) => Err(S3Fault::NotUnderstood(
            UnknownElement::Header,
            name.to_owned(),
        )),
        None => Ok(()),
    }
}

fn listed(tags: &Tags) -> XmlBody {
    let mut elements = XmlElements::default();
    elements.within("Tags", |list| {
        for (key, value) in tags {
            list.within("Tag", |tag| {
                tag.text("Key", key);
                tag.text("Value", value);
            });
        }
    });
    elements.document("ListTagsForResourceResult", CONTROL)
}
