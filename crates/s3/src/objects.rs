//! Operations on objects.
//!
//! This module only maps shapes; `keywright_objects` implements the semantics. An object's body is
//! passed on as a stream and never buffered here.

use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode};
use s3s::{S3Response, dto};

use keywright_base::{Arn, limits};
use keywright_objects::{
    ByteSpan, Checksum, ChecksumAlgorithm, CopyRequest, Object, ObjectStream, ObjectView,
    PutRequest, ReadAsk, S3Fault, StoredHeaders, Tags, WriteIf, parse_tagging,
};

use super::{
    S3Context, S3Shared, acl as acls, buckets,
    convert::{ChecksumFields, etag, kind, owner, sse, text, timestamp, with_sums},
    headers,
    job::{OperationContext, S3Permit},
    metadata,
    render::{ObjectBody, StatusOverride, WireError},
    xml::{self, XmlElements},
};

pub(super) async fn put(
    service: &S3Shared,
    job: OperationContext,
    input: dto::PutObjectInput,
) -> Result<S3Response<dto::PutObjectOutput>, S3Fault> {
    let sent = job.headers();
    let put = PutRequest {
        meta: headers::meta(sent)?,
        claims: headers::claims(sent, job.caller().trailers.as_ref(), input.content_length)?,
        condition: headers::write_if(sent)?,
    };
    let body = body_of(input.body);
    let object = service
        .objects
        .put(&input.bucket, &input.key, put, body)
        .await?;
    Ok(S3Response::new(
        with_sums!(dto::PutObjectOutput, ChecksumFields::of(Some(&object.checksum)), {
            checksum_type: Some(kind(object.checksum.kind)),
            e_tag: Some(etag(&object.etag)),
            server_side_encryption: sse(),
            ..dto::PutObjectOutput::default()
        }),
    ))
}

/// A request's body as the object store reads it.
pub(super) fn body_of(body: Option<dto::StreamingBlob>) -> ObjectStream {
    match body {
        Some(body) => body.boxed(),
        None => futures_util::stream::empty().boxed(),
    }
}

/// The fields that GetObject and HeadObject have in common.
macro_rules! described {
    ($type:ident, $view:expr, $sums:expr, { $($fields:tt)* }) => {{
        let view: &ObjectView = $view;
        let sums: ChecksumFields = $sums;
        let object = &view.object;
        let stored = &object.meta.headers;
        let listed = sums.is_any();
        let size = object.size;
        with_sums!(dto::$type, sums, {
            accept_ranges: Some("bytes".into()),
            checksum_type: listed.then(|| kind(object.checksum.kind)),
            cache_control: stored.cache_control.clone(),
            content_disposition: stored.content_disposition.clone(),
            content_encoding: stored.content_encoding.clone(),
            content_language: stored.content_language.clone(),
            content_length: i64::try_from(view.span.len()).ok(),
            content_range: view.partial.then(|| view.span.content_range(size)),
            content_type: stored.content_type.clone(),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            parts_count: view.parts.and_then(|parts| i32::try_from(parts).ok()),
            server_side_encryption: sse(),
            storage_class: class(object.meta.class()),
            website_redirect_location: stored.redirect.clone(),
            $($fields)*
            ..dto::$type::default()
        })
    }};
}

pub(super) async fn get(
    service: &S3Shared,
    job: OperationContext,
    input: dto::GetObjectInput,
) -> Result<S3Response<dto::GetObjectOutput>, S3Fault> {
    let overrides = overridden(&input);
    if overrides && job.caller().account.is_none() {
        return Err(S3Fault::InvalidRequest(
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    let ask = ask(service, &job, input.part_number);
    let (view, reading) = service.objects.read(job.object()?, &ask).await?;
    let sums = sums(&view, ask.part, input.checksum_mode.as_ref());
    let tag_count = tag_count(&job, &view).await;
    let output = described!(GetObjectOutput, &view, sums, {
        body: Some(dto::StreamingBlob::wrap(reading)),
        tag_count,
    });
    let mut response = S3Response::new(output);
    response.extensions.insert(status(&view));
    response.extensions.insert(ObjectBody);
    response
        .headers
        .extend(metadata::write(&view.object.meta.headers.user));
    if input.response_expires.is_none() {
        response.headers.extend(expires(&view.object.meta.headers));
    }
    Ok(response)
}

pub(super) async fn head(
    service: &S3Shared,
    job: OperationContext,
    input: dto::HeadObjectInput,
) -> Result<S3Response<dto::HeadObjectOutput>, S3Fault> {
    let view = ask(service, &job, input.part_number).view(job.object()?)?;
    let sums = sums(&view, input.part_number, input.checksum_mode.as_ref());
    let mut output = described!(HeadObjectOutput, &view, sums, {});
    let replace = |field: &mut Option<String>, value: Option<String>| {
        if value.is_some() {
            *field = value;
        }
    };
    replace(&mut output.content_type, input.response_content_type);
    replace(
        &mut output.content_language,
        input.response_content_language,
    );
    replace(&mut output.cache_control, input.response_cache_control);
    replace(
        &mut output.content_disposition,
        input.response_content_disposition,
    );
    replace(
        &mut output.content_encoding,
        input.response_content_encoding,
    );
    output.expires.clone_from(&input.response_expires);
    let mut response = S3Response::new(output);
    if let Some(count) = tag_count(&job, &view).await {
        response.headers.insert("x-amz-tagging-count", count.into());
    }
    response.extensions.insert(status(&view));
    response.extensions.insert(ObjectBody);
    response
        .headers
        .extend(metadata::write(&view.object.meta.headers.user));
    if input.response_expires.is_none() {
        response.headers.extend(expires(&view.object.meta.headers));
    }
    Ok(response)
}

fn overridden(input: &dto::GetObjectInput) -> bool {
    input.response_cache_control.is_some()
        || input.response_content_disposition.is_some()
        || input.response_content_encoding.is_some()
        || input.response_content_language.is_some()
        || input.response_content_type.is_some()
        || input.response_expires.is_some()
}

fn ask(service: &S3Shared, job: &OperationContext, part: Option<i32>) -> ReadAsk {
    ReadAsk {
        conditions: headers::read_if(job.headers(), "", service.objects.now()),
        range: text(job.headers(), "range").map(str::to_owned),
        part,
    }
}

/// The checksum to return, if it was requested and covers exactly what is returned: the whole
/// object, also when it is read as a range or as its only part, or one part of it.
fn sums(view: &ObjectView, part: Option<i32>, mode: Option<&dto::ChecksumMode>) -> ChecksumFields {
    let enabled = dto::ChecksumMode::ENABLED;
    if !mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case(enabled)) {
        return ChecksumFields::default();
    }
    let object = &view.object;
    if !object.multipart || part.is_none() {
        let whole = view.span == ByteSpan::whole(object.size);
        return ChecksumFields::of(whole.then_some(&object.checksum));
    }
    let value = part.and_then(|part| part_sums(object).get(usize::try_from(part - 1).ok()?));
    let checksum = value.map(|value| Checksum {
        value: value.clone(),
        ..object.checksum.clone()
    });
    ChecksumFields::of(checksum.as_ref())
}

/// The checksums of an object's parts; empty if they are unknown.
fn part_sums(object: &Object) -> &[String] {
    object
        .assembly
        .as_ref()
        .map_or(&[], |by| by.sums.as_slice())
}

/// The number of tags, if the caller may read them.
async fn tag_count(job: &OperationContext, view: &ObjectView) -> Option<i32> {
    let tags = &view.object.meta.tags;
    if tags.is_empty() {
        return None;
    }
    let context = job.permit().context.with_existing(tags);
    job.require_key("s3:GetObjectTagging", &view.object.key, &context)
        .await
        .ok()?;
    i32::try_from(tags.len()).ok()
}

fn status(view: &ObjectView) -> StatusOverride {
    StatusOverride(if view.partial {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    })
}

fn expires(stored: &StoredHeaders) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_bytes(stored.expires.as_ref()?.as_bytes()).ok()?;
    Some((http::header::EXPIRES, value))
}

fn class(class: &str) -> Option<dto::StorageClass> {
    (class != "STANDARD").then(|| dto::StorageClass::from(class.to_owned()))
}

pub(super) async fn attributes(
    service: &S3Shared,
    job: OperationContext,
    input: dto::GetObjectAttributesInput,
) -> Result<S3Response<dto::GetObjectAttributesOutput>, S3Fault> {
    let object = job.object()?;
    headers::read_if(job.headers(), "", service.objects.now()).check(&object)?;
    // The protocol layer does not split the list in this header.
    let requested = |name: &str| {
        let mut lists = input
            .object_attributes
            .iter()
            .map(dto::ObjectAttributes::as_str);
        lists.any(|list| list.split(',').any(|requested| requested.trim() == name))
    };
    let mut elements = XmlElements::default();
    if requested("ETag") {
        // Without quotes in this document (recorded 2026-02).
        elements.text("ETag", &object.etag);
    }
    if requested("Checksum") {
        elements.within("Checksum", |sum| {
            let checksum = &object.checksum;
            sum.text(&element(checksum.algorithm), bare(&checksum.value));
            sum.text("ChecksumType", checksum.kind.name());
        });
    }
    if requested("ObjectParts") && object.multipart {
        let limit = headers::page(input.max_parts, "max-parts")?;
        let after = input.part_number_marker.unwrap_or_default();
        elements.within("ObjectParts", |parts| {
            write_parts(parts, &object, (after, limit))
        });
    }
    if requested("StorageClass") {
        elements.text("StorageClass", object.meta.class());
    }
    if requested("ObjectSize") {
        elements.text("ObjectSize", object.size);
    }
    let mut response = S3Response::new(dto::GetObjectAttributesOutput {
        last_modified: Some(timestamp(object.modified)),
        ..dto::GetObjectAttributesOutput::default()
    });
    let document = elements.document("GetObjectAttributesResponse", xml::S3);
    response.extensions.insert(document);
    Ok(response)
}

/// The element name of a checksum, for example `ChecksumCRC32`.
fn element(algorithm: ChecksumAlgorithm) -> String {
    format!("Checksum{}", algorithm.name())
}

/// A checksum without the suffix of a composite one, which is the number of parts.
fn bare(value: &str) -> &str {
    value.split_once('-').map_or(value, |(value, _)| value)
}

/// Writes a page of an object's parts. Parts are listed only if the upload named a checksum
/// algorithm.
fn write_parts(elements: &mut XmlElements, object: &Object, (after, limit): (i32, usize)) {
    let sizes = object.part_sizes();
    elements.text("PartsCount", sizes.len());
    let sums = part_sums(object);
    if sums.is_empty() {
        return;
    }
    let parts = (1_i32..).zip(sizes.iter().zip(sums));
    let mut parts = parts.filter(|(number, _)| *number > after);
    let page: Vec<_> = parts.by_ref().take(limit).collect();
    elements.text("PartNumberMarker", after);
    elements.text(
        "NextPartNumberMarker",
        page.last().map_or(0, |(number, _)| *number),
    );
    elements.text("MaxParts", limit);
    elements.text("IsTruncated", parts.next().is_some());
    for (number, (size, sum)) in page {
        elements.within("Part", |part| {
            part.text("PartNumber", number);
            part.text("Size", size);
            part.text(&element(object.checksum.algorithm), sum);
        });
    }
}

pub(super) async fn acl(
    _: &S3Shared,
    job: OperationContext,
    _: dto::GetObjectAclInput,
) -> Result<S3Response<dto::GetObjectAclOutput>, S3Fault> {
    let owner = owner(job.bucket()?.owner);
    Ok(S3Response::new(dto::GetObjectAclOutput {
        grants: Some(buckets::owner_grants(&owner)),
        owner: Some(owner),
        request_charged: None,
    }))
}

pub(super) async fn put_acl(
    _: &S3Shared,
    job: OperationContext,
    input: dto::PutObjectAclInput,
) -> Result<S3Response<dto::PutObjectAclOutput>, S3Fault> {
    let body = input.access_control_policy.as_ref();
    Err(acls::put_object(job.headers(), body))
}

pub(super) async fn copy(
    service: &S3Shared,
    job: OperationContext,
    input: dto::CopyObjectInput,
) -> Result<S3Response<dto::CopyObjectOutput>, S3Fault> {
    let sent = job.headers();
    let directive = |name: &'static str| directive(text(sent, name), name);
    let stored = headers::stored(sent)?;
    let tags = text(sent, "x-amz-tagging").map_or(Ok(Tags::new()), parse_tagging)?;
    let algorithm = text(sent, "x-amz-checksum-algorithm")
        .map(ChecksumAlgorithm::parse)
        .transpose()?;
    let copy = CopyRequest {
        source_if: headers::read_if(sent, "x-amz-copy-source-", service.objects.now()),
        condition: headers::write_if(sent)?,
        redirect: stored.redirect.clone(),
        headers: directive("x-amz-metadata-directive")?.then_some(stored),
        tags: directive("x-amz-tagging-directive")?.then_some(tags),
        storage_class: text(sent, "x-amz-storage-class").map(str::to_owned),
        algorithm,
    };
    let object = service
        .objects
        .copy(job.source()?, &input.bucket, &input.key, copy)
        .await?;
    let result = with_sums!(dto::CopyObjectResult, ChecksumFields::of(Some(&object.checksum)), {
        checksum_type: Some(kind(object.checksum.kind)),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(object.modified)),
    });
    Ok(S3Response::new(dto::CopyObjectOutput {
        copy_object_result: Some(result),
        server_side_encryption: sse(),
        ..dto::CopyObjectOutput::default()
    }))
}

/// Whether a directive says `REPLACE`.
fn directive(value: Option<&str>, name: &'static str) -> Result<bool, S3Fault> {
    match value {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(S3Fault::InvalidArgument {
            message: "Unknown directive.".into(),
            name,
            value: Some(other.into()),
        }),
    }
}

pub(super) async fn delete(
    service: &S3Shared,
    job: OperationContext,
    input: dto::DeleteObjectInput,
) -> Result<S3Response<dto::DeleteObjectOutput>, S3Fault> {
    let condition = delete_if(text(job.headers(), "if-match"));
    service
        .objects
        .delete(&input.bucket, &input.key, &condition)
        .await?;
    Ok(S3Response::new(dto::DeleteObjectOutput::default()))
}

fn delete_if(tag: Option<&str>) -> WriteIf {
    match tag.map(|tag| tag.trim().trim_matches('"')) {
        None => WriteIf::Always,
        Some("*") => WriteIf::Present,
        Some(tag) => WriteIf::Matches(tag.into()),
    }
}

pub(super) async fn delete_many(
    service: &S3Shared,
    job: OperationContext,
    input: dto::DeleteObjectsInput,
) -> Result<S3Response<dto::DeleteObjectsOutput>, S3Fault> {
    let named = input.delete.objects;
    if named.is_empty() || named.len() > limits::S3_PAGE {
        return Err(S3Fault::MalformedXml);
    }
    let mut errors = Vec::new();
    let mut keys = Vec::new();
    for (entry, permitted) in permit_deletions(&job, named).await? {
        let condition = entry.e_tag.as_ref().map(dto::ETag::value);
        let result = match permitted {
            Ok(()) if condition.is_some() => {
                let condition = delete_if(condition);
                service
                    .objects
                    .delete(&input.bucket, &entry.key, &condition)
                    .await
                    .map(|()| false)
            }
            other => other.map(|()| true),
        };
        match result {
            Ok(together) => keys.push((entry.key, together)),
            Err(fault) => errors.push(entry_error(entry, &fault)),
        }
    }
    let together = keys
        .iter()
        .filter(|(_, together)| *together)
        .map(|(key, _)| key.clone());
    service
        .objects
        .delete_all(&input.bucket, together.collect())
        .await?;
    let quiet = input.delete.quiet == Some(true);
    let deleted = keys.into_iter().map(|(key, _)| dto::DeletedObject {
        key: Some(key),
        ..dto::DeletedObject::default()
    });
    Ok(S3Response::new(dto::DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: Some(errors),
        request_charged: None,
    }))
}

/// An entry of a DeleteObjects request, and whether it may be deleted.
type DeletionEntry = (dto::ObjectIdentifier, Result<(), S3Fault>);

/// Decides on each entry: on this thread as long as the decisions are cheap, the rest outside the
/// threads that answer requests.
async fn permit_deletions(
    job: &OperationContext,
    entries: Vec<dto::ObjectIdentifier>,
) -> Result<Vec<DeletionEntry>, S3Fault> {
    let mut decided = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter();
    while let Some(entry) = entries.as_slice().first() {
        let Some(permitted) = deletable(job.permit(), entry, S3Permit::require_shortly) else {
            let permit = job.shared_permit();
            let rest: Vec<_> = entries.collect();
            decided.extend(job.beside(move || decide_all(&permit, rest)).await?);
            break;
        };
        decided.extend(entries.next().map(|entry| (entry, permitted)));
        if decided.len() % limits::DECISIONS_IN_A_ROW == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(decided)
}

fn decide_all(permit: &S3Permit, entries: Vec<dto::ObjectIdentifier>) -> Vec<DeletionEntry> {
    let decide = |entry| {
        let ask = |permit: &S3Permit, action: &str, arn: &str, context: &S3Context| {
            Some(permit.require_beside(action, arn, context))
        };
        let permitted = deletable(permit, &entry, ask).unwrap_or(Err(S3Fault::Throttled));
        (entry, permitted)
    };
    entries.into_iter().map(decide).collect()
}

/// Whether an entry may be deleted; `None` if `ask` does not decide that on this thread.
fn deletable(
    permit: &S3Permit,
    entry: &dto::ObjectIdentifier,
    ask: impl FnOnce(&S3Permit, &str, &str, &S3Context) -> Option<Result<(), S3Fault>>,
) -> Option<Result<(), S3Fault>> {
    if let Err(fault) = keywright_objects::check_key(&entry.key) {
        return Some(Err(fault));
    }
    let mut context = permit.context.clone();
    context.add("s3:versionid", entry.version_id.as_deref());
    let action = match entry.version_id {
        None => "s3:DeleteObject",
        Some(_) => "s3:DeleteObjectVersion",
    };
    let bucket = permit.bucket.as_ref().map_or("", |bucket| &bucket.name);
    let arn = Arn::s3_object(bucket, &entry.key);
    let permitted = ask(permit, action, arn.as_str(), &context)?;
    Some(permitted.and_then(|()| match entry.version_id.as_deref() {
        None | Some("null") => Ok(()),
        Some(other) => Err(S3Fault::NoSuchVersion {
            key: entry.key.clone(),
            version: other.into(),
        }),
    }))
}

fn entry_error(entry: dto::ObjectIdentifier, fault: &S3Fault) -> dto::Error {
    let error = WireError::from(fault);
    dto::Error {
        code: Some(error.code),
        key: Some(entry.key),
        message: Some(error.message),
        version_id: entry.version_id,
    }
}
