//! Operations on multipart uploads.
//!
//! This module only maps shapes; `keywright_objects` implements the semantics. An upload is found
//! by ID, bucket and key together, so that permission for one key never reaches the upload of
//! another.

use s3s::{S3Response, dto};

use keywright_base::{AccountId, Arn};
use keywright_objects::{
    ChecksumAlgorithm, ChecksumType, CompleteRequest, ListedUpload, NamedPart, NewUpload, Part,
    S3Fault, Upload, UploadAsk,
};

use super::{
    access::S3Permit,
    convert::{ChecksumFields, etag, kind, owner, sse, text, timestamp, with_sums},
    headers,
    listing::NameEncoding,
    objects::body_of,
};

pub(super) async fn create(
    permit: S3Permit<dto::CreateMultipartUploadInput>,
    input: dto::CreateMultipartUploadInput,
) -> Result<S3Response<dto::CreateMultipartUploadOutput>, S3Fault> {
    let sent = permit.headers();
    let meta = headers::meta(sent)?;
    let algorithm = text(sent, "x-amz-checksum-algorithm")
        .map(ChecksumAlgorithm::parse)
        .transpose()?;
    let requested = text(sent, "x-amz-checksum-type")
        .map(ChecksumType::parse)
        .transpose()?;
    let new = NewUpload {
        meta,
        algorithm,
        kind: requested,
        initiator: permit.caller().identity.clone(),
    };
    let upload = permit.create(new).await?;
    Ok(S3Response::new(dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id),
        checksum_algorithm: upload.algorithm.map(algorithm_dto),
        checksum_type: upload.kind.map(kind),
        server_side_encryption: sse(),
        ..dto::CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn part(
    permit: S3Permit<dto::UploadPartInput>,
    input: dto::UploadPartInput,
) -> Result<S3Response<dto::UploadPartOutput>, S3Fault> {
    let trailers = permit.caller().trailers.as_ref();
    let claims = headers::claims(permit.headers(), trailers, input.content_length)?;
    let upload = permit.upload(&input.upload_id).await?;
    let body = body_of(input.body);
    let part = permit
        .put_part(&upload, input.part_number, claims, body)
        .await?;
    let sums = if part.claimed {
        ChecksumFields::of(Some(&part.checksum))
    } else {
        part_sums(&upload, &part)
    };
    Ok(S3Response::new(with_sums!(dto::UploadPartOutput, sums, {
        e_tag: Some(etag(&part.etag)),
        server_side_encryption: sse(),
        ..dto::UploadPartOutput::default()
    })))
}

pub(super) async fn part_copy(
    permit: S3Permit<dto::UploadPartCopyInput>,
    input: dto::UploadPartCopyInput,
) -> Result<S3Response<dto::UploadPartCopyOutput>, S3Fault> {
    let upload = permit.upload(&input.upload_id).await?;
    let source_if = headers::read_if(permit.headers(), headers::COPY_SOURCE_IF, permit.now());
    let range = input.copy_source_range.as_deref();
    let copied = permit.copy_part(&upload, input.part_number, source_if, range);
    let part = copied.await?;
    let result = with_sums!(dto::CopyPartResult, part_sums(&upload, &part), {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
    });
    Ok(S3Response::new(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        server_side_encryption: sse(),
        ..dto::UploadPartCopyOutput::default()
    }))
}

pub(super) async fn complete(
    permit: S3Permit<dto::CompleteMultipartUploadInput>,
    input: dto::CompleteMultipartUploadInput,
) -> Result<S3Response<dto::CompleteMultipartUploadOutput>, S3Fault> {
    let sent = permit.headers();
    let named = input.multipart_upload.unwrap_or_default();
    let parts = named.parts.unwrap_or_default().into_iter().map(named_part);
    let completion = CompleteRequest {
        parts: parts.collect::<Result<_, _>>()?,
        condition: headers::write_if(sent)?,
        size: input
            .mpu_object_size
            .and_then(|size| u64::try_from(size).ok()),
        kind: text(sent, "x-amz-checksum-type")
            .map(ChecksumType::parse)
            .transpose()?,
        checksum: headers::checksum(sent)?,
    };
    let object = permit.complete(&input.upload_id, &completion).await?;
    let host = text(sent, "host").unwrap_or_default();
    let location = format!("http://{host}/{}/{}", input.bucket, input.key);
    let sums = ChecksumFields::of(Some(&object.checksum));
    Ok(S3Response::new(
        with_sums!(dto::CompleteMultipartUploadOutput, sums, {
            bucket: Some(input.bucket),
            key: Some(input.key),
            location: Some(location),
            checksum_type: Some(kind(object.checksum.kind)),
            e_tag: Some(etag(&object.etag)),
            server_side_encryption: sse(),
            ..dto::CompleteMultipartUploadOutput::default()
        }),
    ))
}

fn named_part(part: dto::CompletedPart) -> Result<NamedPart, S3Fault> {
    let sums = [
        (ChecksumAlgorithm::Crc32, part.checksum_crc32),
        (ChecksumAlgorithm::Crc32c, part.checksum_crc32c),
        (ChecksumAlgorithm::Crc64Nvme, part.checksum_crc64nvme),
        (ChecksumAlgorithm::Sha1, part.checksum_sha1),
        (ChecksumAlgorithm::Sha256, part.checksum_sha256),
    ];
    let checksum = sums
        .into_iter()
        .find_map(|(algorithm, value)| Some((algorithm, value?)));
    Ok(NamedPart {
        number: part.part_number.ok_or(S3Fault::MalformedXml)?,
        etag: part.e_tag.ok_or(S3Fault::MalformedXml)?.into_value(),
        checksum,
    })
}

pub(super) async fn abort(
    permit: S3Permit<dto::AbortMultipartUploadInput>,
    input: dto::AbortMultipartUploadInput,
) -> Result<S3Response<dto::AbortMultipartUploadOutput>, S3Fault> {
    let upload = permit.upload(&input.upload_id).await?;
    permit.abort(&upload).await?;
    Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
}

pub(super) async fn list_parts(
    permit: S3Permit<dto::ListPartsInput>,
    input: dto::ListPartsInput,
) -> Result<S3Response<dto::ListPartsOutput>, S3Fault> {
    let limit = headers::page(input.max_parts, "max-parts")?;
    let after = input.part_number_marker.unwrap_or_default();
    let upload = permit.upload(&input.upload_id).await?;
    let page = permit.list_parts(&upload, after, limit).await?;
    let parts = page.parts.iter().map(|part| {
        with_sums!(dto::Part, part_sums(&upload, part), {
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
            part_number: Some(part.number),
            size: i64::try_from(part.size()).ok(),
        })
    });
    let account = permit.bucket()?.owner;
    Ok(S3Response::new(dto::ListPartsOutput {
        parts: (!page.parts.is_empty()).then(|| parts.collect()),
        next_part_number_marker: Some(page.parts.last().map_or(0, |part| part.number)),
        part_number_marker: Some(after),
        is_truncated: Some(page.truncated),
        max_parts: i32::try_from(limit).ok(),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        checksum_algorithm: upload.algorithm.map(algorithm_dto),
        checksum_type: upload.kind.map(kind),
        owner: Some(owner(account)),
        initiator: Some(initiator(upload.initiator.as_deref(), account)),
        storage_class: Some(dto::StorageClass::from(upload.meta.class().to_owned())),
        ..dto::ListPartsOutput::default()
    }))
}

pub(super) async fn list_uploads(
    permit: S3Permit<dto::ListMultipartUploadsInput>,
    input: dto::ListMultipartUploadsInput,
) -> Result<S3Response<dto::ListMultipartUploadsOutput>, S3Fault> {
    let encoding = NameEncoding::of(input.encoding_type.as_ref())?;
    let limit = headers::page(input.max_uploads, "max-uploads")?;
    let key_marker = input.key_marker.unwrap_or_default();
    let id_marker = input.upload_id_marker.filter(|_| !key_marker.is_empty());
    let ask = UploadAsk {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.unwrap_or_default(),
        key_marker,
        id_marker: id_marker.unwrap_or_default(),
        limit,
    };
    let page = permit.list_uploads(&ask).await?;
    let account = permit.bucket()?.owner;
    let uploads = page
        .uploads
        .iter()
        .map(|upload| listed_upload(upload, account, encoding));
    let (last_key, last_id) = &page.last;
    Ok(S3Response::new(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: encoding.prefixes(&page.prefixes),
        delimiter: (!ask.delimiter.is_empty()).then(|| encoding.text(&ask.delimiter)),
        encoding_type: encoding.to_dto(),
        is_truncated: Some(page.truncated),
        key_marker: Some(encoding.text(&ask.key_marker)),
        upload_id_marker: Some(ask.id_marker),
        max_uploads: i32::try_from(limit).ok(),
        next_key_marker: Some(encoding.text(last_key)),
        next_upload_id_marker: Some(last_id.clone()),
        prefix: encoding.maybe(input.prefix.as_deref()),
        request_charged: None,
        uploads: (!page.uploads.is_empty()).then(|| uploads.collect()),
    }))
}

fn listed_upload(
    upload: &ListedUpload,
    account: AccountId,
    encoding: NameEncoding,
) -> dto::MultipartUpload {
    dto::MultipartUpload {
        checksum_algorithm: upload.algorithm.map(algorithm_dto),
        checksum_type: upload.kind.map(kind),
        initiated: Some(timestamp(upload.started)),
        initiator: Some(initiator(upload.initiator.as_deref(), account)),
        key: Some(encoding.text(&upload.key)),
        owner: Some(owner(account)),
        storage_class: Some(dto::StorageClass::from(upload.class().to_owned())),
        upload_id: Some(upload.id.clone()),
    }
}

/// A part's checksum, for uploads that were created with an algorithm.
fn part_sums(upload: &Upload, part: &Part) -> ChecksumFields {
    ChecksumFields::of(upload.algorithm.map(|_| &part.checksum))
}

fn algorithm_dto(algorithm: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from(algorithm.name().to_owned())
}

/// The initiator of an upload: a user or a session by its ARN, an account by its canonical ID.
fn initiator(arn: Option<&str>, account: AccountId) -> dto::Initiator {
    let arn = arn.and_then(|arn| Arn::parse(arn).ok());
    if let Some(arn) = arn.as_ref().filter(|arn| arn.resource() != "root") {
        let (kind, name) = arn.resource().split_once('/').unwrap_or_default();
        // A user's path is not part of its name.
        let name = match kind {
            "user" => name.rsplit('/').next().unwrap_or_default(),
            _ => name,
        };
        return dto::Initiator {
            display_name: Some(name.to_owned()),
            id: Some(arn.to_string()),
        };
    }
    let named = arn.and_then(|arn| arn.account().parse().ok());
    let account = named.unwrap_or(account);
    dto::Initiator {
        display_name: Some(account.to_string()),
        id: owner(account).id,
    }
}
