//! Operations on objects.
//!
//! The rule: shapes only; what they mean is the domain's. A body is handed on as a stream and never
//! gathered here.

use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode};
use s3s::{S3Response, dto};

use keywright_base::limits;
use keywright_objects::{
    Algorithm, Body, Copy, Fault, Headers, Put, ReadAsk, Tags, View, WriteIf, parse_tagging,
};

use super::{
    Service, buckets,
    convert::{Sums, etag, kind, owner, sse, text, timestamp, with_sums},
    headers,
    job::Job,
    render::{Status, WireError},
};

pub(super) async fn put(
    service: &Service,
    job: Job,
    input: dto::PutObjectInput,
) -> Result<S3Response<dto::PutObjectOutput>, Fault> {
    let sent = job.headers();
    let put = Put {
        meta: headers::meta(sent, input.metadata)?,
        claims: headers::claims(sent, job.caller().trailers.as_ref(), input.content_length)?,
        condition: headers::write_if(sent)?,
    };
    let body = body_of(input.body);
    let object = service
        .objects
        .put(&input.bucket, &input.key, put, body)
        .await?;
    Ok(S3Response::new(
        with_sums!(dto::PutObjectOutput, Sums::of(Some(&object.checksum)), {
            checksum_type: Some(kind(object.checksum.kind)),
            e_tag: Some(etag(&object.etag)),
            server_side_encryption: sse(),
            ..dto::PutObjectOutput::default()
        }),
    ))
}

/// A request's body as the domain takes it.
pub(super) fn body_of(body: Option<dto::StreamingBlob>) -> Body {
    match body {
        Some(body) => body.boxed(),
        None => futures_util::stream::empty().boxed(),
    }
}

/// The fields that reading and heading have in common.
macro_rules! described {
    ($type:ident, $view:expr, $sums:expr, { $($fields:tt)* }) => {{
        let view: &View = $view;
        let sums: Sums = $sums;
        let object = &view.object;
        let stored = &object.meta.headers;
        let shown = sums.shown();
        let size = object.size;
        with_sums!(dto::$type, sums, {
            accept_ranges: Some("bytes".into()),
            checksum_type: shown.then(|| kind(object.checksum.kind)),
            cache_control: stored.cache_control.clone(),
            content_disposition: stored.content_disposition.clone(),
            content_encoding: stored.content_encoding.clone(),
            content_language: stored.content_language.clone(),
            content_length: i64::try_from(view.span.len()).ok(),
            content_range: view.partial.then(|| view.span.content_range(size)),
            content_type: stored.content_type.clone(),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            metadata: metadata(stored),
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
    service: &Service,
    job: Job,
    input: dto::GetObjectInput,
) -> Result<S3Response<dto::GetObjectOutput>, Fault> {
    let overrides = overridden(&input);
    if overrides && job.caller().account.is_none() {
        return Err(Fault::InvalidArgument {
            message: "Request specific response headers cannot be used for anonymous GET requests."
                .into(),
            name: "response-content-type",
            value: None,
        });
    }
    let ask = ask(&job, input.part_number);
    let (view, reading) = service.objects.read(job.object()?, &ask).await?;
    let sums = sums(&view, input.checksum_mode.as_ref());
    let tag_count = tag_count(&job, &view);
    let output = described!(GetObjectOutput, &view, sums, {
        body: Some(dto::StreamingBlob::wrap(reading)),
        tag_count,
    });
    let mut response = S3Response::new(output);
    response.extensions.insert(status(&view));
    if input.response_expires.is_none() {
        response.headers.extend(expires(&view.object.meta.headers));
    }
    Ok(response)
}

pub(super) async fn head(
    _: &Service,
    job: Job,
    input: dto::HeadObjectInput,
) -> Result<S3Response<dto::HeadObjectOutput>, Fault> {
    let view = ask(&job, input.part_number).view(job.object()?)?;
    let sums = sums(&view, input.checksum_mode.as_ref());
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
    response.extensions.insert(status(&view));
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

fn ask(job: &Job, part: Option<i32>) -> ReadAsk {
    ReadAsk {
        conditions: headers::read_if(job.headers(), ""),
        range: text(job.headers(), "range").map(str::to_owned),
        part,
    }
}

/// The checksum, when it was asked for and is that of what is given.
fn sums(view: &View, mode: Option<&dto::ChecksumMode>) -> Sums {
    let asked = mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED);
    Sums::of((asked && !view.partial).then_some(&view.object.checksum))
}

/// The number of tags, for callers that may read them.
fn tag_count(job: &Job, view: &View) -> Option<i32> {
    let tags = &view.object.meta.tags;
    if tags.is_empty() {
        return None;
    }
    let context = job.permit().context.with_existing(tags);
    job.require_key("s3:GetObjectTagging", &view.object.key, &context)
        .ok()?;
    i32::try_from(tags.len()).ok()
}

fn status(view: &View) -> Status {
    Status(if view.partial {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    })
}

fn expires(stored: &Headers) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(stored.expires.as_ref()?).ok()?;
    Some((http::header::EXPIRES, value))
}

fn metadata(stored: &Headers) -> Option<dto::Metadata> {
    let user = &stored.user;
    (!user.is_empty()).then(|| user.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn class(class: &str) -> Option<dto::StorageClass> {
    (class != "STANDARD").then(|| dto::StorageClass::from(class.to_owned()))
}

pub(super) async fn attributes(
    _: &Service,
    job: Job,
    input: dto::GetObjectAttributesInput,
) -> Result<S3Response<dto::GetObjectAttributesOutput>, Fault> {
    let object = job.object()?;
    headers::read_if(job.headers(), "").check(&object)?;
    // The protocol layer does not split the header's list.
    let asked = |name: &str| {
        let mut lists = input
            .object_attributes
            .iter()
            .map(dto::ObjectAttributes::as_str);
        lists.any(|list| list.split(',').any(|asked| asked.trim() == name))
    };
    let parts = object.part_sizes().len();
    let checksum = with_sums!(dto::Checksum, Sums::of(Some(&object.checksum)), {
        checksum_type: Some(kind(object.checksum.kind)),
    });
    let parts = dto::GetObjectAttributesParts {
        total_parts_count: i32::try_from(parts).ok(),
        ..dto::GetObjectAttributesParts::default()
    };
    let class = dto::StorageClass::from(object.meta.class().to_owned());
    Ok(S3Response::new(dto::GetObjectAttributesOutput {
        checksum: asked("Checksum").then_some(checksum),
        e_tag: asked("ETag").then(|| etag(&object.etag)),
        last_modified: Some(timestamp(object.modified)),
        object_parts: (asked("ObjectParts") && object.multipart).then_some(parts),
        object_size: i64::try_from(object.size)
            .ok()
            .filter(|_| asked("ObjectSize")),
        storage_class: asked("StorageClass").then_some(class),
        ..dto::GetObjectAttributesOutput::default()
    }))
}

pub(super) async fn acl(
    _: &Service,
    job: Job,
    _: dto::GetObjectAclInput,
) -> Result<S3Response<dto::GetObjectAclOutput>, Fault> {
    let owner = owner(job.bucket()?.owner);
    Ok(S3Response::new(dto::GetObjectAclOutput {
        grants: Some(buckets::owner_grants(&owner)),
        owner: Some(owner),
        request_charged: None,
    }))
}

pub(super) async fn put_acl(
    _: &Service,
    _: Job,
    input: dto::PutObjectAclInput,
) -> Result<S3Response<dto::PutObjectAclOutput>, Fault> {
    if input.acl.is_none() {
        return Err(Fault::AclsDisabled);
    }
    Ok(S3Response::new(dto::PutObjectAclOutput::default()))
}

pub(super) async fn copy(
    service: &Service,
    job: Job,
    input: dto::CopyObjectInput,
) -> Result<S3Response<dto::CopyObjectOutput>, Fault> {
    let sent = job.headers();
    let directive = |name: &'static str| directive(text(sent, name), name);
    let stored = headers::stored(sent, input.metadata);
    let tags = text(sent, "x-amz-tagging").map_or(Ok(Tags::new()), parse_tagging)?;
    let algorithm = text(sent, "x-amz-checksum-algorithm")
        .map(Algorithm::parse)
        .transpose()?;
    let copy = Copy {
        source_if: headers::read_if(sent, "x-amz-copy-source-"),
        condition: headers::write_if(sent)?,
        headers: directive("x-amz-metadata-directive")?.then_some(stored),
        tags: directive("x-amz-tagging-directive")?.then_some(tags),
        storage_class: text(sent, "x-amz-storage-class").map(str::to_owned),
        algorithm,
    };
    let object = service
        .objects
        .copy(job.source()?, &input.bucket, &input.key, copy)
        .await?;
    let result = with_sums!(dto::CopyObjectResult, Sums::of(Some(&object.checksum)), {
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
fn directive(value: Option<&str>, name: &'static str) -> Result<bool, Fault> {
    match value {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Fault::InvalidArgument {
            message: "Unknown directive.".into(),
            name,
            value: Some(other.into()),
        }),
    }
}

pub(super) async fn delete(
    service: &Service,
    job: Job,
    input: dto::DeleteObjectInput,
) -> Result<S3Response<dto::DeleteObjectOutput>, Fault> {
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
    service: &Service,
    job: Job,
    input: dto::DeleteObjectsInput,
) -> Result<S3Response<dto::DeleteObjectsOutput>, Fault> {
    let named = input.delete.objects;
    if named.is_empty() || named.len() > limits::S3_PAGE {
        return Err(Fault::MalformedXml);
    }
    let mut errors = Vec::new();
    let mut keys = Vec::new();
    for entry in named {
        let condition = entry.e_tag.as_ref().map(dto::ETag::value);
        let result = match deletable(&job, &entry) {
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

fn deletable(job: &Job, entry: &dto::ObjectIdentifier) -> Result<(), Fault> {
    keywright_objects::check_key(&entry.key)?;
    let mut context = job.permit().context.clone();
    context.add("s3:versionid", entry.version_id.as_deref());
    let action = match entry.version_id {
        None => "s3:DeleteObject",
        Some(_) => "s3:DeleteObjectVersion",
    };
    job.require_key(action, &entry.key, &context)?;
    match entry.version_id.as_deref() {
        None | Some("null") => Ok(()),
        Some(other) => Err(Fault::NoSuchVersion {
            key: entry.key.clone(),
            version: other.into(),
        }),
    }
}

fn entry_error(entry: dto::ObjectIdentifier, fault: &Fault) -> dto::Error {
    let error = WireError::from(fault);
    dto::Error {
        code: Some(error.code),
        key: Some(entry.key),
        message: Some(error.message),
        version_id: entry.version_id,
    }
}
