//! Tags of objects and buckets.
//!
//! This module only maps shapes, with one exception: PutObjectTagging is authorized here, because
//! the tags in its body are condition keys. The tags of a new bucket are also read here.

use s3s::{
    S3Response, dto,
    xml::{DeError, Deserializer},
};

use keywright_objects::{S3Fault, Tags};

use super::{access::S3Permit, render::StatusOverride};

pub(super) async fn get(
    permit: S3Permit<dto::GetObjectTaggingInput>,
    _: dto::GetObjectTaggingInput,
) -> Result<S3Response<dto::GetObjectTaggingOutput>, S3Fault> {
    let tag_set = to_dto(&permit.object()?.meta.tags);
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set,
        version_id: None,
    }))
}

pub(super) async fn put(
    permit: S3Permit<dto::PutObjectTaggingInput>,
    input: dto::PutObjectTaggingInput,
) -> Result<S3Response<dto::PutObjectTaggingOutput>, S3Fault> {
    let tags = tags_of(input.tagging.tag_set)?;
    permit.set_tags(&tags, input.version_id.as_deref()).await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput::default()))
}

pub(super) async fn delete(
    permit: S3Permit<dto::DeleteObjectTaggingInput>,
    _: dto::DeleteObjectTaggingInput,
) -> Result<S3Response<dto::DeleteObjectTaggingOutput>, S3Fault> {
    permit.delete_tags().await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput::default()))
}

pub(super) async fn get_bucket(
    permit: S3Permit<dto::GetBucketTaggingInput>,
    _: dto::GetBucketTaggingInput,
) -> Result<S3Response<dto::GetBucketTaggingOutput>, S3Fault> {
    let bucket = permit.bucket()?;
    if bucket.tags.is_empty() {
        return Err(S3Fault::NoSuchTagSet(bucket.name.clone()));
    }
    Ok(S3Response::new(dto::GetBucketTaggingOutput {
        tag_set: to_dto(&bucket.tags),
    }))
}

pub(super) async fn put_bucket(
    permit: S3Permit<dto::PutBucketTaggingInput>,
    input: dto::PutBucketTaggingInput,
) -> Result<S3Response<dto::PutBucketTaggingOutput>, S3Fault> {
    let tags = tags_of(input.tagging.tag_set)?;
    permit.set_tags(&tags).await?;
    let mut response = S3Response::new(dto::PutBucketTaggingOutput::default());
    response
        .extensions
        .insert(StatusOverride(http::StatusCode::NO_CONTENT));
    Ok(response)
}

pub(super) async fn delete_bucket(
    permit: S3Permit<dto::DeleteBucketTaggingInput>,
    _: dto::DeleteBucketTaggingInput,
) -> Result<S3Response<dto::DeleteBucketTaggingOutput>, S3Fault> {
    permit.delete_tags().await?;
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
