//! Operations on buckets.
//!
//! This module only maps shapes; `keywright_objects` implements the semantics. The access check has
//! run before, except for CreateBucket: it is authorized here because the region and the tags are
//! in its body.

use s3s::{S3Response, dto};

use keywright_base::{AccountId, Arn, Timestamp, limits, region};
use keywright_objects::{BucketAsk, S3Fault, canonical_id, check_new_bucket_tags};

use super::{
    access::S3Permit,
    acl as acls,
    convert::{arn_header, owner, parse_token, text, token},
    tagging,
    xml::{self, XmlElements},
};

const HOME: &str = "us-east-1";

pub(super) async fn list(
    permit: S3Permit<dto::ListBucketsInput>,
    input: dto::ListBucketsInput,
) -> Result<S3Response<dto::ListBucketsOutput>, S3Fault> {
    let account = permit.account()?;
    let page = permit.list(account, &ask(&input)?).await?;
    let mut elements = XmlElements::default();
    elements.within("Owner", |inner| inner.text("ID", canonical_id(account)));
    elements.within("Buckets", |list| {
        for bucket in &page.buckets {
            list.within("Bucket", |one| {
                one.text("Name", &bucket.name);
                one.text("CreationDate", date(bucket.created));
                one.text("BucketRegion", &bucket.region);
                one.text("BucketArn", Arn::s3_bucket(&bucket.name));
            });
        }
    });
    elements.maybe("ContinuationToken", page.next.as_deref().map(token));
    elements.maybe("Prefix", input.prefix);
    let mut response = S3Response::new(dto::ListBucketsOutput::default());
    let document = elements.document("ListAllMyBucketsResult", xml::S3);
    response.extensions.insert(document);
    Ok(response)
}

/// A date as documents have it.
fn date(at: Timestamp) -> String {
    at.truncate_to_secs().iso8601().replace('Z', ".000Z")
}

fn ask(input: &dto::ListBucketsInput) -> Result<BucketAsk, S3Fault> {
    let invalid = |message: String, name, value| S3Fault::InvalidArgument {
        message,
        name,
        value,
    };
    if let Some(code) = &input.bucket_region
        && region(code).is_none()
    {
        let message = format!("Argument value {code} is not a valid AWS Region");
        return Err(invalid(message, "bucket-region", None));
    }
    let limit = match input.max_buckets {
        None => limits::S3_BUCKETS,
        Some(requested) => usize::try_from(requested)
            .ok()
            .filter(|limit| (1..=limits::S3_BUCKETS).contains(limit))
            .ok_or_else(|| {
                let message = "Argument max-buckets must be an integer between 1 and 10000";
                invalid(message.into(), "max-buckets", Some(requested.to_string()))
            })?,
    };
    let after = match &input.continuation_token {
        None => String::new(),
        Some(token) => parse_token(token).ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            invalid(message.into(), "continuation-token", None)
        })?,
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    Ok(BucketAsk {
        prefix,
        after,
        region: input.bucket_region.clone(),
        limit,
    })
}

pub(super) async fn create(
    permit: S3Permit<dto::CreateBucketInput>,
    input: dto::CreateBucketInput,
) -> Result<S3Response<dto::CreateBucketOutput>, S3Fault> {
    let wanted = input
        .create_bucket_configuration
        .and_then(|wanted| wanted.location_constraint);
    let constraint = wanted.as_ref().map(dto::BucketLocationConstraint::as_str);
    let tags = tagging::of_new_bucket(&permit.body())?;
    // Validated before authorization, so that the condition keys are few and distinct.
    check_new_bucket_tags(&tags)?;
    let allowed = permit.allow(constraint, &tags).await?;
    acls::of_new_bucket(permit.headers())?;
    if let Some(ownership) = &input.object_ownership {
        check_ownership(ownership.as_str())?;
    }
    let endpoint = permit.caller().region.as_deref().unwrap_or(HOME);
    let account = permit.account()?;
    let namespace = text(permit.headers(), "x-amz-bucket-namespace");
    check_namespace(namespace, &input.bucket, account)?;
    allowed.create(account, endpoint).await?;
    let location = Some(format!("/{}", input.bucket));
    let mut response = S3Response::new(dto::CreateBucketOutput { location });
    response.headers.extend(arn_header(&input.bucket));
    Ok(response)
}

/// The name of a bucket in an account's own namespace ends in the account, its region and `-an`.
fn check_namespace(namespace: Option<&str>, name: &str, account: AccountId) -> Result<(), S3Fault> {
    let ours = || {
        let (_, rest) = name
            .strip_suffix("-an")?
            .split_once(&format!("-{account}-"))?;
        region(rest)
    };
    match namespace {
        None | Some("global") => Ok(()),
        Some("account-regional") if ours().is_some() => Ok(()),
        Some(_) => Err(S3Fault::InvalidNamespace(name.to_owned())),
    }
}

/// Buckets are owner-enforced; the other ownership settings exist but are not served.
fn check_ownership(ownership: &str) -> Result<(), S3Fault> {
    match ownership {
        "BucketOwnerEnforced" => Ok(()),
        "BucketOwnerPreferred" | "ObjectWriter" => {
            Err(S3Fault::HeaderNotServed("x-amz-object-ownership"))
        }
        other => Err(S3Fault::InvalidArgument {
            message: format!("Invalid x-amz-object-ownership header: {other}"),
            name: "x-amz-object-ownership",
            value: None,
        }),
    }
}

pub(super) async fn head(
    permit: S3Permit<dto::HeadBucketInput>,
    _: dto::HeadBucketInput,
) -> Result<S3Response<dto::HeadBucketOutput>, S3Fault> {
    let bucket = permit.bucket()?;
    let mut response = S3Response::new(dto::HeadBucketOutput {
        bucket_region: Some(bucket.region.clone()),
        ..dto::HeadBucketOutput::default()
    });
    response.headers.extend(arn_header(&bucket.name));
    Ok(response)
}

pub(super) async fn delete(
    permit: S3Permit<dto::DeleteBucketInput>,
    _: dto::DeleteBucketInput,
) -> Result<S3Response<dto::DeleteBucketOutput>, S3Fault> {
    permit.delete().await?;
    Ok(S3Response::new(dto::DeleteBucketOutput::default()))
}

pub(super) async fn location(
    permit: S3Permit<dto::GetBucketLocationInput>,
    _: dto::GetBucketLocationInput,
) -> Result<S3Response<dto::GetBucketLocationOutput>, S3Fault> {
    let region = Some(permit.bucket()?.region.clone()).filter(|region| region != HOME);
    let location_constraint = region.map(dto::BucketLocationConstraint::from);
    Ok(S3Response::new(dto::GetBucketLocationOutput {
        location_constraint,
    }))
}

pub(super) async fn versioning(
    _: S3Permit<dto::GetBucketVersioningInput>,
    _: dto::GetBucketVersioningInput,
) -> Result<S3Response<dto::GetBucketVersioningOutput>, S3Fault> {
    Ok(S3Response::new(dto::GetBucketVersioningOutput::default()))
}

pub(super) async fn acl(
    permit: S3Permit<dto::GetBucketAclInput>,
    _: dto::GetBucketAclInput,
) -> Result<S3Response<dto::GetBucketAclOutput>, S3Fault> {
    let owner = owner(permit.bucket()?.owner);
    let grants = Some(owner_grants(&owner));
    Ok(S3Response::new(dto::GetBucketAclOutput {
        grants,
        owner: Some(owner),
    }))
}

/// The ACL of an owner-enforced bucket: full control for the owner.
pub(super) fn owner_grants(owner: &dto::Owner) -> Vec<dto::Grant> {
    let grantee = dto::Grantee {
        display_name: None,
        email_address: None,
        id: owner.id.clone(),
        type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
        uri: None,
    };
    let permission = Some(dto::Permission::from_static(dto::Permission::FULL_CONTROL));
    vec![dto::Grant {
        grantee: Some(grantee),
        permission,
    }]
}

pub(super) async fn put_acl(
    permit: S3Permit<dto::PutBucketAclInput>,
    input: dto::PutBucketAclInput,
) -> Result<S3Response<dto::PutBucketAclOutput>, S3Fault> {
    let body = input.access_control_policy.as_ref();
    Err(acls::put_bucket(permit.headers(), body))
}
