//! The central access check of S3: every request passes it before its input is parsed.
//!
//! Invariant: a request is denied unless the table names the operation and the caller's authorizer
//! allows every action that it needs. Clients can observe the order of the checks: names, bucket,
//! region, expected owner, permission, then the object's existence. Only a caller who may list the
//! bucket learns that an object does not exist.

mod decision;
mod permit;
mod permitted;
mod questions;
mod recheck;
mod source;
mod tags;
mod validation;

use std::sync::Arc;

use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
};

use keywright_base::Arn;
use keywright_objects::{
    Bucket, Object, Objects, PolicyCache, S3Fault, check_bucket_name, check_key,
};

pub(crate) use self::{
    decision::beside,
    permit::{CheckedOperation, S3Permit},
    permitted::{ListsObjects, ReadsObject},
    source::source_name,
    tags::{TagPermit, TaggedBucket},
    validation::check_region,
};
use self::{
    decision::{AccessCheck, Allowed},
    permit::AccessGrant,
    validation::{
        check_arguments, check_completion, check_headers, check_length, check_owner, check_version,
        streams,
    },
};
use super::{
    BodyBudget,
    body::DocumentLimit,
    policy::CompiledBucketPolicy,
    public_access,
    request::S3Call,
    route,
    table::{self, OperationRow, Scope},
};

/// What operations work with. The objects are visible to the access check only: an operation
/// reaches them through its permit.
pub(crate) struct S3Shared {
    objects: Objects,
    pub(crate) policies: Arc<PolicyCache<CompiledBucketPolicy>>,
    pub(crate) bodies: BodyBudget,
}

impl S3Shared {
    pub(crate) fn new(objects: Objects) -> Self {
        Self {
            objects,
            policies: Arc::default(),
            bodies: BodyBudget::default(),
        }
    }

    /// A bucket, and one of its objects, for decisions about them elsewhere. Not for operations.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub(crate) async fn resource(
        &self,
        name: &str,
        key: Option<&str>,
    ) -> Result<Option<(Arc<Bucket>, Option<Arc<Object>>)>, S3Fault> {
        let Some(bucket) = self.objects.find_bucket(name).await? else {
            return Ok(None);
        };
        let object = match key {
            Some(key) => self.objects.find(name, key).await?,
            None => None,
        };
        Ok(Some((bucket, object)))
    }
}

/// The access check as the protocol layer calls it.
pub(super) struct AccessGate(pub(super) Arc<S3Shared>);

/// The protocol layer runs access checks only if it has an authentication provider. This one knows
/// no keys: any credential that still reaches it is denied.
pub(super) struct NoKeys;

#[async_trait::async_trait]
impl S3Auth for NoKeys {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied))
    }
}

#[async_trait::async_trait]
impl S3Access for AccessGate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(call) = cx.extensions_mut().get::<Arc<S3Call>>().cloned() else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let permitted = match check_reading(cx, &call) {
            Ok(()) => decide(&self.0, &call, None).await,
            Err(fault) => Err(fault),
        };
        let grant = permitted.map_err(|fault| call.error.refuse(&fault))?;
        if !streams(&call) {
            call.body.charge(self.0.bodies.account());
            call.body.limit(DocumentLimit::of(call.operation()));
        }
        if route::has_document(call.route) || grant.bucket().is_none() {
            // The body's checksum is verified later, and CreateBucket reads parts of it that the
            // protocol layer leaves out.
            call.body.begin();
        }
        cx.extensions_mut().insert(Arc::new(grant));
        Ok(())
    }
}

/// Checks that the protocol layer reads the request as it was read here. Otherwise it would run
/// another operation, or run it on something else.
fn check_reading(cx: &S3AccessContext<'_>, call: &S3Call) -> Result<(), S3Fault> {
    let (bucket, key) = match cx.s3_path() {
        S3Path::Root => (None, None),
        S3Path::Bucket { bucket } => (Some(&**bucket), None),
        S3Path::Object { bucket, key } => (Some(&**bucket), Some(&**key)),
    };
    let same = cx.s3_op().name() == call.operation()
        && bucket == call.bucket.as_deref()
        && key == call.key.as_deref();
    if same {
        Ok(())
    } else {
        Err(S3Fault::OperationNotServed(call.operation().into()))
    }
}

/// Makes the decision. `source` is the source of a copy that an earlier decision found.
async fn decide(
    service: &S3Shared,
    call: &S3Call,
    source: Option<&Arc<Object>>,
) -> Result<AccessGrant, S3Fault> {
    let not_served = || S3Fault::OperationNotServed(call.operation().into());
    let row = table::row(call.operation()).ok_or_else(not_served)?;
    check_headers(call)?;
    check_length(call)?;
    if let Some(name) = &call.bucket {
        check_bucket_name(name)?;
    }
    if let Some(key) = &call.key {
        check_key(key)?;
    }
    let grant = match row.on {
        Scope::Everything => {
            let check = AccessCheck::begin(&call.caller, None, None, call.context(None)?);
            let action = action(row, call);
            let allowed = check.require(&action, "*", &check.context).await?;
            check.grant(Some(&allowed))
        }
        // An anonymous caller cannot own a bucket, whatever the body says.
        Scope::NewBucket if call.caller.account.is_none() => {
            return Err(S3Fault::AccessDenied("Access Denied".into()));
        }
        Scope::NewBucket => {
            AccessCheck::begin(&call.caller, None, None, call.context(None)?).grant(None)
        }
        _ => in_bucket(service, call, source, row).await?,
    };
    check_arguments(call)?;
    if call.operation() == "CompleteMultipartUpload" {
        check_completion(service, call).await?;
    }
    Ok(grant)
}

async fn in_bucket(
    service: &S3Shared,
    call: &S3Call,
    source: Option<&Arc<Object>>,
    row: &OperationRow,
) -> Result<AccessGrant, S3Fault> {
    let name = call.bucket.as_deref().unwrap_or_default();
    let bucket = find_bucket(service, name).await?;
    check_region(&call.caller, &bucket, row.operation)?;
    check_owner(call, "x-amz-expected-bucket-owner", &bucket)?;
    let mut check = open(service, call, bucket)?;
    if matches!(row.on, Scope::Keys | Scope::ObjectLater) && check.denies_strangers(&call.caller) {
        // The resources of these operations are known only from the body. Deny now what would be
        // denied anyway, so that the body need not be sent.
        return Err(S3Fault::AccessDenied("Access Denied".into()));
    }
    let allowed = match row.on {
        Scope::Bucket => {
            let (arn, action) = (Arn::s3_bucket(name), action(row, call));
            let allowed = check.require(&action, arn.as_str(), &check.context);
            Some(allowed.await?)
        }
        Scope::Key => Some(key_permitted(&check, call, row).await?),
        Scope::Object | Scope::ObjectLater => {
            let key = call.key.as_deref().unwrap_or_default();
            let later = row.on == Scope::ObjectLater;
            let found = service.objects.find(name, key).await?;
            let found = (found, call.parameter("versionId"));
            let action = (!later).then(|| action(row, call));
            let permitted = object_permitted(&check, found, (name, key), action.as_deref());
            let (object, allowed) = permitted.await?;
            if row.operation == "GetObjectAttributes" {
                let context = check.context.with_existing(&object.meta.tags);
                let arn = Arn::s3_object(name, key);
                let attributes = check.require("s3:GetObjectAttributes", arn.as_str(), &context);
                let Allowed { .. } = attributes.await?;
            }
            check.object = Some(object);
            allowed
        }
        Scope::Everything | Scope::NewBucket | Scope::Keys => None,
    };
    if matches!(row.operation, "CopyObject" | "UploadPartCopy") {
        check.source = Some(source::permitted(service, call, source, &check).await?);
    }
    Ok(check.grant(allowed.as_ref()))
}

fn open(service: &S3Shared, call: &S3Call, bucket: Arc<Bucket>) -> Result<AccessCheck, S3Fault> {
    let attached = public_access::attached(service, &bucket)?;
    let policy = attached.policy_for(call.caller.account).cloned();
    let context = call.context(Some(&bucket))?;
    Ok(AccessCheck::begin(
        &call.caller,
        Some(bucket),
        policy,
        context,
    ))
}

/// Asks for an action on a key, and for tagging it if the request sets tags.
async fn key_permitted(
    check: &AccessCheck,
    call: &S3Call,
    row: &OperationRow,
) -> Result<Allowed, S3Fault> {
    let (bucket, key) = (call.bucket.as_deref(), call.key.as_deref());
    let arn = Arn::s3_object(bucket.unwrap_or_default(), key.unwrap_or_default());
    let action = action(row, call);
    let mut allowed = check.require(&action, arn.as_str(), &check.context).await?;
    let tags = call.tagging().is_some_and(|tags| !tags.is_empty());
    if tags
        && matches!(
            row.operation,
            "PutObject" | "CopyObject" | "CreateMultipartUpload"
        )
    {
        let tagging = check.require("s3:PutObjectTagging", arn.as_str(), &check.context);
        allowed = tagging.await?;
    }
    if row.operation == "DeleteObject" {
        check_version(call.parameter("versionId"))?;
    }
    Ok(allowed)
}

/// Asks for an action on an object. A caller who may not list the bucket is not told that a key
/// does not exist.
async fn object_permitted(
    check: &AccessCheck,
    (found, version): (Option<Arc<Object>>, Option<&str>),
    (bucket, key): (&str, &str),
    action: Option<&str>,
) -> Result<(Arc<Object>, Option<Allowed>), S3Fault> {
    let mut allowed = None;
    if let Some(action) = action {
        let tags = found.as_ref().map(|object| &object.meta.tags);
        let tags = tags.filter(|tags| !tags.is_empty());
        let context = tags.map(|tags| check.context.with_existing(tags));
        let context = context.as_ref().unwrap_or(&check.context);
        let arn = Arn::s3_object(bucket, key);
        allowed = Some(check.require(action, arn.as_str(), context).await?);
    }
    check_version(version)?;
    if let Some(object) = found {
        return Ok((object, allowed));
    }
    let (arn, context) = (Arn::s3_bucket(bucket), check.context.of_bucket());
    let Allowed { .. } = check
        .require("s3:ListBucket", arn.as_str(), &context)
        .await?;
    Err(S3Fault::NoSuchKey(key.into()))
}

async fn find_bucket(service: &S3Shared, name: &str) -> Result<Arc<Bucket>, S3Fault> {
    let found = service.objects.find_bucket(name).await?;
    found.ok_or_else(|| S3Fault::NoSuchBucket(name.into()))
}

/// The full name of the action, which differs if the request names a version.
fn action(row: &OperationRow, call: &S3Call) -> String {
    let versioned = matches!(
        row.action,
        "GetObject" | "DeleteObject" | "GetObjectTagging" | "DeleteObjectTagging" | "GetObjectAcl"
    ) && call.parameter("versionId").is_some();
    let name = row.action;
    match name.strip_suffix("Tagging") {
        Some(stem) if versioned => format!("s3:{stem}VersionTagging"),
        _ if versioned => match name.strip_suffix("Acl") {
            Some(stem) => format!("s3:{stem}VersionAcl"),
            None => format!("s3:{name}Version"),
        },
        _ => ["s3:", name].concat(),
    }
}
