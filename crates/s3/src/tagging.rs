//! Tags of objects and buckets.
//!
//! This module only maps shapes, with one exception: PutObjectTagging is authorized here, because
//! the tags in its body are condition keys. The tags of a new bucket are also read here.

use s3s::{
    S3Response, dto,
    xml::{DeError, Deserializer},
};

use keywright_objects::{S3Fault, Tags};

use super::{S3Shared, job::OperationContext, render::StatusOverride};

pub(super) async fn get(
    _: &S3Shared,
    job: OperationContext,
    _: dto::GetObjectTaggingInput,
) -> Result<S3Response<dto::GetObjectTaggingOutput>, S3Fault> {
    let tag_set = to_dto(&job.object()?.meta.tags);
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set,
        version_id: None,
    }))
}

pub(super) async fn put(
    service: &S3Shared,
    job: OperationContext,
    input: dto::PutObjectTaggingInput,
) -> Result<S3Response<dto::PutObjectTaggingOutput>, S3Fault> {
    let tags = tags_of(input.tagging.tag_set)?;
    let mut context = job.permit().context.with_existing(&job.object()?.meta.tags);
    context.request_tags(&tags);
    let action = match input.version_id {
        None => "s3:PutObjectTagging",
        Some(_) => "s3:PutObjectVersionTagging",
    };
    job.require_key(action, &input.key, &context).await?;
    service
        .objects
        .set_tags(&input.bucket, &input.key, &tags)
        .await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput::default()))
}

pub(super) async fn delete(
    service: &S3Shared,
    _: OperationContext,
    input: dto::DeleteObjectTaggingInput,
) -> Result<S3Response<dto::DeleteObjectTaggingOutput>, S3Fault> {
    service
        .objects
        .set_tags(&input.bucket, &input.key, &Tags::new())
        .await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput::default()))
}

pub(super) async fn get_bucket(
    _: &S3Shared,
    job: OperationContext,
    _: dto::GetBucketTaggingInput,
) -> Result<S3Response<dto::GetBucketTaggingOutput>, S3Fault> {
    let bucket = job.bucket()?;
    if bucket.tags.is_empty() {
        return Err(S3Fault::NoSuchTagSet(bucket.name.clone()));
    }
    Ok(S3Response::new(dto::GetBucketTaggingOutput {
        tag_set: to_dto(&bucket.tags),
    }))
}

pub(super) async fn put_bucket(
    service: &S3Shared,
    job: OperationContext,
    input: dto::PutBucketTaggingInput,
) -> Result<S3Response<dto::PutBucketTaggingOutput>, S3Fault> {
    let tags = tags_of(input.tagging.tag_set)?;
    service
        .objects
        .set_bucket_tags(&job.bucket()?.name, &tags)
        .await?;
    let mut response = S3Response::new(dto::PutBucketTaggingOutput::default());
    response
        .extensions
        .insert(StatusOverride(http::StatusCode::NO_CONTENT));
    Ok(response)
}

pub(super) async fn delete_bucket(
    service: &S3Shared,
    job: OperationContext,
    _: dto::DeleteBucketTaggingInput,
) -> Result<S3Response<dto::DeleteBucketTaggingOutput>, S3Fault> {
    service
        .objects
        .set_bucket_tags(&job.bucket()?.name, &Tags::new())
        .await?;
    Ok(S3Response::new(dto::DeleteBucketTaggingOutput::default()))
}

/// The tags in the body of a CreateBucket request, which the protocol layer leaves out.
///
/// # Errors
/// [`S3Fault::MalformedXml`].
pub(super) fn of_new_bucket(body: &[u8]) -> Result<Tags, S3Fault> {
    if body.is_empty() {
        return Ok(Tags::new());
    }
    within(body, "CreateBucketConfiguration")
}

/// The tags in the element `Tags` of a document with this root; empty if there is no such element.
///
/// # Errors
/// [`S3Fault::MalformedXml`].
pub(super) fn within(body: &[u8], root: &str) -> Result<Tags, S3Fault> {
    let mut found: Option<dto::TagSet> = None;
    let mut xml = Deserializer::new(body);
    let read = xml.named_element(root, |xml| {
        xml.for_each_element(|xml, name| {
            if name != b"Tags" {
                return xml.list_content::<dto::Tag>(NOTHING).map(drop);
            }
            let tags = xml.list_content("Tag")?;
            match found.replace(tags) {
                None => Ok(()),
                Some(_) => Err(DeError::DuplicateField),
            }
        })
    });
    read.map_err(|_| S3Fault::MalformedXml)?;
    tags_of(found.unwrap_or_default())
}

/// A name that no element has: reading a list of such elements skips whatever is there.
const NOTHING: &str = " ";

fn tags_of(tags: dto::TagSet) -> Result<Tags, S3Fault> {
    let pair = |tag: dto::Tag| Some((tag.key?, tag.value?));
    let tags: Option<Tags> = tags.into_iter().map(pair).collect();
    tags.ok_or(S3Fault::MalformedXml)
}

fn to_dto(tags: &Tags) -> dto::TagSet {
    tags.iter()
        .map(|(key, value)| dto::Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}
