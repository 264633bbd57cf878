//! Tags of objects and buckets.
//!
//! The rule: shapes only, except that putting an object's tags is asked here, because the tags are
//! condition keys and stand in the body. The tags of a new bucket are read here too.

use s3s::{
    S3Response, dto,
    xml::{DeError, Deserializer},
};

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
    let tags = tags_of(input.tagging.tag_set)?;
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

/// The tags in the body of a CreateBucket request, which the protocol layer leaves out.
///
/// # Errors
/// [`Fault::MalformedXml`].
pub(super) fn of_new_bucket(body: &[u8]) -> Result<Tags, Fault> {
    if body.is_empty() {
        return Ok(Tags::new());
    }
    within(body, "CreateBucketConfiguration")
}

/// The tags in the element `Tags` of a document with that root; none without such an element.
///
/// # Errors
/// [`Fault::MalformedXml`].
pub(super) fn within(body: &[u8], root: &str) -> Result<Tags, Fault> {
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
    read.map_err(|_| Fault::MalformedXml)?;
    tags_of(found.unwrap_or_default())
}

/// The name of no element: a list of such passes over whatever is there.
const NOTHING: &str = " ";

fn tags_of(tags: dto::TagSet) -> Result<Tags, Fault> {
    let pair = |tag: dto::Tag| Some((tag.key?, tag.value?));
    let tags: Option<Tags> = tags.into_iter().map(pair).collect();
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
