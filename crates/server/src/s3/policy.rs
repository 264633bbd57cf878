//! Bucket policies: stored as they were put, validated before, compiled once a text.
//!
//! The rule: a text that does not compile never allows anything: it is refused when it is put, and
//! a request that meets one fails. What policies mean is the policy crate's.

use std::sync::Arc;

use keywright_objects::{Bucket, Fault};
use keywright_policy::{Kind, PrincipalType, Violation, validate};
use s3s::{S3Response, dto};

use super::{Service, job::Job, public_access};

/// A compiled bucket policy.
pub type BucketPolicy = keywright_policy::Policy;

/// The compiled policy of a bucket. It is not validated again: what was taken once stays in force,
/// whatever rules came later.
///
/// # Errors
/// [`Fault::Internal`] when the stored text does not compile.
pub(super) fn of(service: &Service, bucket: &Bucket) -> Result<Option<Arc<BucketPolicy>>, Fault> {
    let compile = |text: &str| {
        let document = keywright_policy::parse(text)?;
        Ok(BucketPolicy::compile(&document).with_id(&bucket.name))
    };
    let compiled = service.policies.of(bucket, compile);
    compiled.map_err(|fault: keywright_policy::SyntaxError| {
        Fault::Internal(format!("policy of {}: {fault}", bucket.name))
    })
}

pub(super) async fn get(
    _: &Service,
    job: Job,
    _: dto::GetBucketPolicyInput,
) -> Result<S3Response<dto::GetBucketPolicyOutput>, Fault> {
    let bucket = job.bucket()?;
    let policy = bucket.policy.as_deref().map(str::to_owned);
    let policy = policy.ok_or_else(|| Fault::NoSuchBucketPolicy(bucket.name.clone()))?;
    let mut response = S3Response::new(dto::GetBucketPolicyOutput {
        policy: Some(policy),
    });
    let json = http::HeaderValue::from_static("application/json");
    response.headers.insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

pub(super) async fn put(
    service: &Service,
    job: Job,
    input: dto::PutBucketPolicyInput,
) -> Result<S3Response<dto::PutBucketPolicyOutput>, Fault> {
    let bucket = job.bucket()?;
    check(&job, &bucket.name, &input.policy)?;
    service
        .objects
        .set_policy(&bucket.name, Some(&input.policy))
        .await?;
    Ok(S3Response::new(dto::PutBucketPolicyOutput::default()))
}

/// Refuses what S3 would not store, what names someone who does not exist, and what is public where
/// that is blocked.
fn check(job: &Job, bucket: &str, text: &str) -> Result<(), Fault> {
    let document = validate(text, Kind::Bucket { bucket })
        .map_err(|violation| Fault::MalformedPolicy(violation.to_string()))?;
    let principals = document.statements.iter().flat_map(|s| &s.principal);
    let mut names = principals.flat_map(|principal| &principal.elements);
    let authorize = &job.caller().authorize;
    if names.all(|(kind, name)| *kind != PrincipalType::Aws || authorize.may_exist(name)) {
        return public_access::check(job, &document);
    }
    let violation = Violation::BucketPrincipal.to_string();
    Err(Fault::MalformedPolicy(violation))
}

pub(super) async fn delete(
    service: &Service,
    job: Job,
    _: dto::DeleteBucketPolicyInput,
) -> Result<S3Response<dto::DeleteBucketPolicyOutput>, Fault> {
    service
        .objects
        .set_policy(&job.bucket()?.name, None)
        .await?;
    Ok(S3Response::new(dto::DeleteBucketPolicyOutput::default()))
}
