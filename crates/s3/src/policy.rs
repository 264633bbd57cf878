//! Bucket policies. A policy is validated, stored as it was put except that users are stored by
//! their unique ID, and compiled once per text.
//!
//! Invariant: a policy that does not compile never allows anything. It is rejected when it is put,
//! and a request to a bucket with such a policy fails. `keywright_policy` evaluates policies.

use std::sync::Arc;

use keywright_base::limits;
use keywright_objects::{Bucket, S3Fault};
use keywright_policy::{
    DocumentKind, PrincipalType, SyntaxError, Violation, is_public, parse, rename_principals,
    validate,
};
use s3s::{S3Response, dto};

use super::{
    access::{S3Permit, S3Shared},
    public_access,
};

/// A compiled bucket policy.
pub type BucketPolicy = keywright_policy::Policy;

/// What is computed from the text of a bucket's policy, once.
pub(super) struct CompiledBucketPolicy {
    pub(super) policy: Arc<BucketPolicy>,
    /// Whether the policy is public in the sense of Block Public Access.
    pub(super) is_public: bool,
}

/// The compiled policy of a bucket. It is not validated again: a policy that was accepted stays in
/// force even if validation becomes stricter.
///
/// # Errors
/// [`S3Fault::Internal`] if the stored text does not compile.
pub(super) fn of(
    service: &S3Shared,
    bucket: &Bucket,
) -> Result<Option<Arc<CompiledBucketPolicy>>, S3Fault> {
    let made = service.policies.of(bucket, |text| {
        let policy = compile(bucket, text)?;
        Ok(CompiledBucketPolicy {
            is_public: is_public(policy.document()),
            policy: Arc::new(policy),
        })
    });
    made.map_err(|fault| unreadable(bucket, &fault))
}

/// The policy of a bucket with its principals renamed, for explanations.
///
/// # Errors
/// [`S3Fault::Internal`] if the stored text does not compile.
pub(super) fn with_arns(
    bucket: &Bucket,
    name: impl Fn(&str) -> Option<String>,
) -> Result<Option<Arc<BucketPolicy>>, S3Fault> {
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

fn unreadable(bucket: &Bucket, fault: &SyntaxError) -> S3Fault {
    S3Fault::Internal(format!("policy of {}: {fault}", bucket.name))
}

pub(super) async fn get(
    permit: S3Permit<dto::GetBucketPolicyInput>,
    _: dto::GetBucketPolicyInput,
) -> Result<S3Response<dto::GetBucketPolicyOutput>, S3Fault> {
    let bucket = permit.bucket()?;
    let policy = bucket.policy.as_deref();
    let policy = policy.ok_or_else(|| S3Fault::NoSuchBucketPolicy(bucket.name.clone()))?;
    let authorize = &permit.caller().authorize;
    let policy = rename_principals(policy, |retained| authorize.stored_id_to_arn(retained))
        .map_err(|fault| unreadable(bucket, &fault))?;
    let mut response = S3Response::new(dto::GetBucketPolicyOutput {
        policy: Some(policy),
    });
    let json = http::HeaderValue::from_static("application/json");
    response.headers.insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

pub(super) async fn put(
    permit: S3Permit<dto::PutBucketPolicyInput>,
    input: dto::PutBucketPolicyInput,
) -> Result<S3Response<dto::PutBucketPolicyOutput>, S3Fault> {
    let bucket = permit.bucket()?;
    let policy = checked(&permit, &bucket.name, &input.policy)?;
    permit.set_policy(&policy).await?;
    Ok(S3Response::new(dto::PutBucketPolicyOutput::default()))
}

/// The policy in the form in which it is stored. A policy is rejected if S3 would not accept it, if
/// it names a principal that does not exist, or if it is public and the bucket blocks public
/// policies.
fn checked(
    permit: &S3Permit<dto::PutBucketPolicyInput>,
    bucket: &str,
    text: &str,
) -> Result<String, S3Fault> {
    let limit = limits::BUCKET_POLICY_BYTES;
    if text.len() > limit {
        return Err(S3Fault::PolicyTooLarge { limit });
    }
    let malformed = |violation: Violation| S3Fault::MalformedPolicy(violation.to_string());
    let document = validate(text, DocumentKind::Bucket { bucket }).map_err(malformed)?;
    let principals = document.statements.iter().flat_map(|s| &s.principal);
    let mut names = principals.flat_map(|principal| &principal.elements);
    let authorize = &permit.caller().authorize;
    if names.any(|(kind, name)| {
        *kind == PrincipalType::Aws && authorize.principal_to_stored_id(name).is_none()
    }) {
        return Err(malformed(Violation::BucketPrincipal));
    }
    public_access::check(permit, &document)?;
    rename_principals(text, |name| authorize.principal_to_stored_id(name))
        .map_err(|fault| malformed(Violation::BucketJson(fault)))
}

pub(super) async fn delete(
    permit: S3Permit<dto::DeleteBucketPolicyInput>,
    _: dto::DeleteBucketPolicyInput,
) -> Result<S3Response<dto::DeleteBucketPolicyOutput>, S3Fault> {
    permit.delete_policy().await?;
    Ok(S3Response::new(dto::DeleteBucketPolicyOutput::default()))
}
