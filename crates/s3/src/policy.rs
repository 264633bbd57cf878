//! Bucket policies: validated, stored as they were put but for their users, whom they keep by
//! unique id, and compiled once a text.
//!
//! The rule: a text that does not compile never allows anything: it is refused when it is put, and
//! a request that meets one fails. What policies mean is the policy crate's.

use std::sync::Arc;

use keywright_base::limits;
use keywright_objects::{Bucket, Fault};
use keywright_policy::{
    Kind, PrincipalType, SyntaxError, Violation, is_public, parse, rename_principals, validate,
};
use s3s::{S3Response, dto};

use super::{Service, job::Job, public_access};

/// A compiled bucket policy.
pub type BucketPolicy = keywright_policy::Policy;

/// What is made of the text of a bucket's policy, once.
pub(super) struct Made {
    pub(super) policy: Arc<BucketPolicy>,
    /// Whether it is public, as Block Public Access has it.
    pub(super) is_public: bool,
}

/// The compiled policy of a bucket. It is not validated again: what was taken once stays in force,
/// whatever rules came later.
///
/// # Errors
/// [`Fault::Internal`] when the stored text does not compile.
pub(super) fn of(service: &Service, bucket: &Bucket) -> Result<Option<Arc<Made>>, Fault> {
    let made = service.policies.of(bucket, |text| {
        let policy = compile(bucket, text)?;
        Ok(Made {
            is_public: is_public(policy.document()),
            policy: Arc::new(policy),
        })
    });
    made.map_err(|fault| unreadable(bucket, &fault))
}

/// The policy of a bucket with its principals called otherwise, for explanations.
///
/// # Errors
/// [`Fault::Internal`] when the stored text does not compile.
pub(super) fn shown(
    bucket: &Bucket,
    name: impl Fn(&str) -> Option<String>,
) -> Result<Option<Arc<BucketPolicy>>, Fault> {
    let Some(text) = &bucket.policy else {
        return Ok(None);
    };
    let compiled = rename_principals(text, name).and_then(|text| compile(bucket, &text));
    let policy = compiled.map_err(|fault| unreadable(bucket, &fault))?;
    Ok(Some(Arc::new(policy)))
}

fn compile(bucket: &Bucket, text: &str) -> Result<BucketPolicy, SyntaxError> {
    let document = parse(text)?;
    Ok(BucketPolicy::compile(&document).with_id(&bucket.name))
}

fn unreadable(bucket: &Bucket, fault: &SyntaxError) -> Fault {
    Fault::Internal(format!("policy of {}: {fault}", bucket.name))
}

pub(super) async fn get(
    _: &Service,
    job: Job,
    _: dto::GetBucketPolicyInput,
) -> Result<S3Response<dto::GetBucketPolicyOutput>, Fault> {
    let bucket = job.bucket()?;
    let policy = bucket.policy.as_deref();
    let policy = policy.ok_or_else(|| Fault::NoSuchBucketPolicy(bucket.name.clone()))?;
    let authorize = &job.caller().authorize;
    let policy = rename_principals(policy, |kept| authorize.shown(kept))
        .map_err(|fault| unreadable(bucket, &fault))?;
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
    let policy = checked(&job, &bucket.name, &input.policy)?;
    service
        .objects
        .set_policy(&bucket.name, Some(&policy))
        .await?;
    Ok(S3Response::new(dto::PutBucketPolicyOutput::default()))
}

/// The policy as it is kept. What S3 would not store is refused, what names someone who does not
/// exist, and what is public where that is blocked.
fn checked(job: &Job, bucket: &str, text: &str) -> Result<String, Fault> {
    let limit = limits::BUCKET_POLICY_BYTES;
    if text.len() > limit {
        return Err(Fault::PolicyTooLarge { limit });
    }
    let malformed = |violation: Violation| Fault::MalformedPolicy(violation.to_string());
    let document = validate(text, Kind::Bucket { bucket }).map_err(malformed)?;
    let principals = document.statements.iter().flat_map(|s| &s.principal);
    let mut names = principals.flat_map(|principal| &principal.elements);
    let authorize = &job.caller().authorize;
    if names.any(|(kind, name)| *kind == PrincipalType::Aws && authorize.kept(name).is_none()) {
        return Err(malformed(Violation::BucketPrincipal));
    }
    public_access::check(job, &document)?;
    rename_principals(text, |name| authorize.kept(name))
        .map_err(|fault| malformed(Violation::BucketJson(fault)))
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
