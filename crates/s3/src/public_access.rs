//! Block Public Access: its settings and their effect on a bucket's policy.
//!
//! Invariant: while a bucket blocks public policies, none is stored. While it restricts them, a
//! public policy that already exists applies to the bucket's own account only. `keywright_policy`
//! decides which policies are public.

use std::sync::Arc;

use s3s::{S3Response, dto};

use keywright_identity::view::ResourcePolicy;
use keywright_objects::{Bucket, PublicAccessBlock, S3Fault};
use keywright_policy::{PolicyDocument, is_public};

use super::{
    access::{S3Permit, S3Shared},
    policy,
};

/// Denies a public policy if the bucket's settings block it.
///
/// # Errors
/// [`S3Fault::AccessDenied`].
pub(super) fn check(
    permit: &S3Permit<dto::PutBucketPolicyInput>,
    policy: &PolicyDocument,
) -> Result<(), S3Fault> {
    let blocked = permit.bucket()?.blocks_public_policy() && is_public(policy);
    if !blocked {
        return Ok(());
    }
    let why = "because public policies are prevented by the BlockPublicPolicy setting in S3 Block \
               Public Access.";
    Err(permit.refuse("s3:PutBucketPolicy", why)?)
}

/// A bucket's owner and policy, without the tags of an object.
///
/// # Errors
/// As [`policy::of`].
pub(super) fn attached(service: &S3Shared, bucket: &Bucket) -> Result<ResourcePolicy, S3Fault> {
    let made = policy::of(service, bucket)?;
    let public = made.as_ref().is_some_and(|made| made.is_public);
    Ok(ResourcePolicy {
        owner: bucket.owner,
        tags: None,
        restricted: bucket.restricts_public_policy() && public,
        policy: made.map(|made| Arc::clone(&made.policy)),
    })
}

pub(super) async fn status(
    permit: S3Permit<dto::GetBucketPolicyStatusInput>,
    _: dto::GetBucketPolicyStatusInput,
) -> Result<S3Response<dto::GetBucketPolicyStatusOutput>, S3Fault> {
    let is_public = permit.is_policy_public()?;
    let name = &permit.bucket()?.name;
    let is_public = is_public.ok_or_else(|| S3Fault::NoSuchBucketPolicy(name.clone()))?;
    let status = dto::PolicyStatus {
        is_public: Some(is_public),
    };
    Ok(S3Response::new(dto::GetBucketPolicyStatusOutput {
        policy_status: Some(status),
    }))
}

pub(super) async fn get(
    permit: S3Permit<dto::GetPublicAccessBlockInput>,
    _: dto::GetPublicAccessBlockInput,
) -> Result<S3Response<dto::GetPublicAccessBlockOutput>, S3Fault> {
    let bucket = permit.bucket()?;
    let block = bucket.public_access_block;
    let block = block.ok_or_else(|| S3Fault::NoSuchPublicAccessBlock(bucket.name.clone()))?;
    let block = dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls),
        block_public_policy: Some(block.block_public_policy),
        ignore_public_acls: Some(block.ignore_public_acls),
        restrict_public_buckets: Some(block.restrict_public_buckets),
    };
    Ok(S3Response::new(dto::GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(block),
    }))
}

/// Replaces all four settings; a setting that is not given is turned off.
pub(super) async fn put(
    permit: S3Permit<dto::PutPublicAccessBlockInput>,
    input: dto::PutPublicAccessBlockInput,
) -> Result<S3Response<dto::PutPublicAccessBlockOutput>, S3Fault> {
    let requested = input.public_access_block_configuration;
    let given = [
        requested.block_public_acls,
        requested.ignore_public_acls,
        requested.block_public_policy,
        requested.restrict_public_buckets,
    ];
    if given.iter().all(Option::is_none) {
        return Err(S3Fault::InvalidRequest(
            "Must specify at least one configuration.",
        ));
    }
    let block = PublicAccessBlock {
        block_public_acls: requested.block_public_acls.unwrap_or_default(),
        ignore_public_acls: requested.ignore_public_acls.unwrap_or_default(),
        block_public_policy: requested.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: requested.restrict_public_buckets.unwrap_or_default(),
    };
    permit.set(block).await?;
    Ok(S3Response::new(dto::PutPublicAccessBlockOutput::default()))
}

pub(super) async fn delete(
    permit: S3Permit<dto::DeletePublicAccessBlockInput>,
    _: dto::DeletePublicAccessBlockInput,
) -> Result<S3Response<dto::DeletePublicAccessBlockOutput>, S3Fault> {
    permit.delete().await?;
    Ok(S3Response::new(
        dto::DeletePublicAccessBlockOutput::default(),
    ))
}
