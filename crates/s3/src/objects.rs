//! Operations on objects.
//!
//! This module only maps shapes; `keywright_objects` implements the semantics. An object's body is
//! passed on as a stream and never buffered here.

use std::borrow::Cow;

use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode};
use s3s::{S3Response, dto};

use keywright_base::limits;
use keywright_objects::{
    ByteSpan, Checksum, ChecksumAlgorithm, CopyRequest, Object, ObjectStream, ObjectView,
    PutRequest, ReadAsk, S3Fault, StoredHeaders, Tags, WriteIf, parse_tagging,
};

use super::{
    access::{ReadsObject, S3Permit},
    acl as acls, buckets,
    convert::{ChecksumFields, etag, kind, owner, sse, text, timestamp, with_sums},
    headers, metadata,
    render::{ObjectBody, StatusOverride},
    xml::{self, XmlElements},
};

pub(super) async fn put(
    permit: S3Permit<dto::PutObjectInput>,
    input: dto::PutObjectInput,
) -> Result<S3Response<dto::PutObjectOutput>, S3Fault> {
    let sent = permit.headers();
    let put = PutRequest {
        meta: headers::meta(sent)?,
        claims: headers::claims(
            sent,
            permit.caller().trailers.as_ref(),
            input.content_length,
        )?,
        condition: headers::write_if(sent)?,
    };
    let body = body_of(input.body);
    let object = permit.put(put, body).await?;
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
    permit: S3Permit<dto::GetObjectInput>,
    input: dto::GetObjectInput,
) -> Result<S3Response<dto::GetObjectOutput>, S3Fault> {
    let overrides = overridden(&input);
    if overrides && permit.caller().account.is_none() {
        return Err(S3Fault::InvalidRequest(
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    let ask = ask(&permit, input.part_number);
    let (view, reading) = permit.read(&ask).await?;
    let sums = sums(&view, ask.part, input.checksum_mode.as_ref());
    let tag_count = tag_count(&permit, &view).await;
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
    permit: S3Permit<dto::HeadObjectInput>,
    input: dto::HeadObjectInput,
) -> Result<S3Response<dto::HeadObjectOutput>, S3Fault> {
    let view = ask(&permit, input.part_number).view(permit.object()?)?;
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
    if let Some(count) = tag_count(&permit, &view).await {
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

fn ask<O: ReadsObject>(permit: &S3Permit<O>, part: Option<i32>) -> ReadAsk {
    ReadAsk {
        conditions: headers::read_if(permit.headers(), headers::READ_IF, permit.now()),
        range: text(permit.headers(), "range").map(str::to_owned),
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
async fn tag_count<O: ReadsObject>(permit: &S3Permit<O>, view: &ObjectView) -> Option<i32> {
    let tags = &view.object.meta.tags;
    if tags.is_empty() {
        return None;
    }
    let counted = permit.may_read_tags(tags).await.ok()?;
    i32::try_from(tags.len()).ok().filter(|_| counted)
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
    permit: S3Permit<dto::GetObjectAttributesInput>,
    input: dto::GetObjectAttributesInput,
) -> Result<S3Response<dto::GetObjectAttributesOutput>, S3Fault> {
    let object = permit.object()?;
    headers::read_if(permit.headers(), headers::READ_IF, permit.now()).check(&object)?;
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
    permit: S3Permit<dto::GetObjectAclInput>,
    _: dto::GetObjectAclInput,
) -> Result<S3Response<dto::GetObjectAclOutput>, S3Fault> {
    let owner = owner(permit.bucket()?.owner);
    Ok(S3Response::new(dto::GetObjectAclOutput {
        grants: Some(buckets::owner_grants(&owner)),
        owner: Some(owner),
        request_charged: None,
    }))
}

pub(super) async fn put_acl(
    permit: S3Permit<dto::PutObjectAclInput>,
    input: dto::PutObjectAclInput,
) -> Result<S3Response<dto::PutObjectAclOutput>, S3Fault> {
    let body = input.access_control_policy.as_ref();
    Err(acls::put_object(permit.headers(), body))
}

pub(super) async fn copy(
    permit: S3Permit<dto::CopyObjectInput>,
    _: dto::CopyObjectInput,
) -> Result<S3Response<dto::CopyObjectOutput>, S3Fault> {
    let sent = permit.headers();
    let directive = |name: &'static str| directive(text(sent, name), name);
    let stored = headers::stored(sent)?;
    let tags = text(sent, "x-amz-tagging").map_or(Ok(Tags::new()), parse_tagging)?;
    let algorithm = text(sent, "x-amz-checksum-algorithm")
        .map(ChecksumAlgorithm::parse)
        .transpose()?;
    let copy = CopyRequest {
        source_if: headers::read_if(sent, headers::COPY_SOURCE_IF, permit.now()),
        condition: headers::write_if(sent)?,
        redirect: stored.redirect.clone(),
        headers: directive("x-amz-metadata-directive")?.then_some(stored),
        tags: directive("x-amz-tagging-directive")?.then_some(tags),
        storage_class: text(sent, "x-amz-storage-class").map(str::to_owned),
        algorithm,
    };
    let object = permit.copy(copy).await?;
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
    permit: S3Permit<dto::DeleteObjectInput>,
    _: dto::DeleteObjectInput,
) -> Result<S3Response<dto::DeleteObjectOutput>, S3Fault> {
    let condition = delete_if(text(permit.headers(), "if-match"));
    permit.delete(&condition).await?;
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
    permit: S3Permit<dto::DeleteObjectsInput>,
    input: dto::DeleteObjectsInput,
) -> Result<S3Response<dto::DeleteObjectsOutput>, S3Fault> {
    let named = input.delete.objects;
    if named.is_empty() || named.len() > limits::S3_PAGE {
        return Err(S3Fault::MalformedXml);
    }
    let (mut errors, mut deleted, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, allowed) in permit.decide(named).await? {
        let condition = entry.e_tag.as_ref().map(dto::ETag::value);
        let result = match (allowed, condition) {
            (Ok(allowed), Some(tag)) => permit.delete(allowed, &delete_if(Some(tag))).await,
            (Ok(allowed), None) => {
                together.push(allowed);
                Ok(())
            }
            (Err(fault), _) => Err(fault),
        };
        match result {
            Ok(()) => deleted.push(entry.key),
            Err(fault) => errors.push(entry_error(entry, &fault)),
        }
    }
    permit.delete_all(together).await?;
    let quiet = input.delete.quiet == Some(true);
    let deleted = deleted.into_iter().map(|key| dto::DeletedObject {
        key: Some(key),
        ..dto::DeletedObject::default()
    });
    Ok(S3Response::new(dto::DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: Some(errors),
        request_charged: None,
    }))
}

fn entry_error(entry: dto::ObjectIdentifier, fault: &S3Fault) -> dto::Error {
    let error = fault.wire();
    dto::Error {
        code: Some(error.code.into_owned()),
        key: Some(entry.key),
        message: error.message.map(Cow::into_owned),
        version_id: entry.version_id,
    }
}
