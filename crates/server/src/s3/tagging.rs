//! Tags of objects and buckets.
//!
//! The rule: shapes only, except that putting an object's tags is asked here, because the tags are
//! condition keys and stand in the body.

use s3s::{S3Response, dto};

use keywright_objects::{Fault, Tags};

use super::{Service, job::Job, render::Status};

pub(super) async fn get(
    _: &Service,
    job: Job,
    _: dto::GetObjectTaggingInput,
) -> Result<S3Response<dto::GetObjectTaggingOutput>, Fault> {
    let tag_set = shown(&job.object()?.meta.tags);
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set,
        version_id: None,
    }))
}

pub(super) async fn put(
    service: &Service,
    job: Job,
    input: dto::PutObjectTaggingInput,
) -> Result<S3Response<dto::PutObjectTaggingOutput>, Fault> {
    let tags = tags_of(input.tagging)?;
    let mut context = job.permit().context.with_existing(&job.object()?.meta.tags);
    context.request_tags(&tags);
    let action = match input.version_id {
        None => "s3:PutObjectTagging",
        Some(_) => "s3:PutObjectVersionTagging",
    };
    job.require_key(action, &input.key, &context)?;
    service
        .objects
        .set_tags(&input.bucket, &input.key, &tags)
        .await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput::default()))
}

pub(super) async fn delete(
    service: &Service,
    _: Job,
    input: dto::DeleteObjectTaggingInput,
) -> Result<S3Response<dto::DeleteObjectTaggingOutput>, Fault> {
    service
        .objects
        .set_tags(&input.bucket, &input.key, &Tags::new())
        .await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput::default()))
}

pub(super) async fn get_bucket(
    _: &Service,
    job: Job,
    _: dto::GetBucketTaggingInput,
) -> Result<S3Response<dto::GetBucketTaggingOutput>, Fault> {
    let bucket = job.bucket()?;
    if bucket.tags.is_empty() {
        return Err(Fault::NoSuchTagSet(bucket.name.clone()));
    }
    Ok(S3Response::new(dto::GetBucketTaggingOutput {
        tag_set: shown(&bucket.tags),
    }))
}

pub(super) async fn put_bucket(
    service: &Service,
    job: Job,
    input: dto::PutBucketTaggingInput,
) -> Result<S3Response<dto::PutBucketTaggingOutput>, Fault> {
    let tags = tags_of(input.tagging)?;
    service
        .objects
        .set_bucket_tags(&job.bucket()?.name, &tags)
        .await?;
    let mut response = S3Response::new(dto::PutBucketTaggingOutput::default());
    response
        .extensions
        .insert(Status(http::StatusCode::NO_CONTENT));
    Ok(response)
}

pub(super) async fn delete_bucket(
    service: &Service,
    job: Job,
    _: dto::DeleteBucketTaggingInput,
) -> Result<S3Response<dto::DeleteBucketTaggingOutput>, Fault> {
    service
        .objects
        .set_bucket_tags(&job.bucket()?.name, &Tags::new())
        .await?;
    Ok(S3Response::new(dto::DeleteBucketTaggingOutput::default()))
}

fn tags_of(tagging: dto::Tagging) -> Result<Tags, Fault> {
    let pair = |tag: dto::Tag| Some((tag.key?, tag.value?));
    let tags: Option<Tags> = tagging.tag_set.into_iter().map(pair).collect();
    tags.ok_or(Fault::MalformedXml)
}

fn shown(tags: &Tags) -> dto::TagSet {
    tags.iter()
        .map(|(key, value)| dto::Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}
