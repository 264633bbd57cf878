//! What each operation can do with objects: the methods of its own permit.
//!
//! The bucket and the key come from the permit. An operation that asks for its permissions itself
//! gets what it asked for here, and nothing without asking.

use s3s::dto;

use keywright_base::{AccountId, Arn, limits};
use keywright_objects::{
    BucketAsk, BucketPage, ClaimedBody, CompleteRequest, CopyRequest, ListAsk, ListPage, NewUpload,
    Object, ObjectStream, Part, PartCopySource, PartPage, PublicAccessBlock, PutRequest, S3Fault,
    Tags, Upload, UploadAsk, UploadPage, WriteIf, check_key,
};

use super::{
    decision::{AccessQuestion, beside},
    permit::{CheckedOperation, S3Permit},
    questions::{AnsweredQuestions, OperationQuestions},
};
use crate::{authorize::S3Context, policy};

// ---------------------------------------------------------------------------------------------
// Buckets

impl S3Permit<dto::ListBucketsInput> {
    pub(crate) async fn list(
        &self,
        account: AccountId,
        ask: &BucketAsk,
    ) -> Result<BucketPage, S3Fault> {
        self.objects().list_buckets(account, ask).await
    }
}

impl S3Permit<dto::DeleteBucketInput> {
    pub(crate) async fn delete(&self) -> Result<(), S3Fault> {
        self.checked_objects()
            .delete_bucket(&self.bucket()?.name)
            .await
    }
}

/// Proof that the caller may create a bucket with this region and these tags.
pub(crate) struct NewBucketPermit<'a> {
    permit: &'a S3Permit<dto::CreateBucketInput>,
    constraint: Option<&'a str>,
    tags: &'a Tags,
    answered: AnsweredQuestions,
}

impl S3Permit<dto::CreateBucketInput> {
    /// Asks whether the caller may create the bucket. The region and the tags are condition keys.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(crate) async fn allow<'a>(
        &'a self,
        constraint: Option<&'a str>,
        tags: &'a Tags,
    ) -> Result<NewBucketPermit<'a>, S3Fault> {
        let asking = self.questions();
        let arn = Arn::s3_bucket(self.bucket_name()?);
        let mut context = asking.context().clone();
        context.add("s3:locationconstraint", constraint);
        context.bucket_tags(tags);
        let mut questions = vec![AccessQuestion::new(
            "s3:CreateBucket",
            arn.as_str(),
            context,
        )];
        if !tags.is_empty() {
            let mut context = S3Context::default();
            context.bucket_tags(tags);
            questions.push(AccessQuestion::new("s3:TagResource", arn.as_str(), context));
        }
        Ok(NewBucketPermit {
            permit: self,
            constraint,
            tags,
            answered: asking.ask(questions).await?,
        })
    }
}

impl NewBucketPermit<'_> {
    pub(crate) async fn create(self, owner: AccountId, endpoint: &str) -> Result<(), S3Fault> {
        let (objects, name) = (
            self.permit.objects_for(self.answered),
            self.permit.bucket_name()?,
        );
        let created = objects.create_bucket(name, owner, endpoint, self.constraint, self.tags);
        created.await.map(drop)
    }
}

impl S3Permit<dto::PutBucketPolicyInput> {
    pub(crate) async fn set_policy(&self, text: &str) -> Result<(), S3Fault> {
        let name = &self.bucket()?.name;
        self.checked_objects().set_policy(name, Some(text)).await
    }
}

impl S3Permit<dto::DeleteBucketPolicyInput> {
    pub(crate) async fn delete_policy(&self) -> Result<(), S3Fault> {
        let name = &self.bucket()?.name;
        self.checked_objects().set_policy(name, None).await
    }
}

impl S3Permit<dto::GetBucketPolicyStatusInput> {
    /// Whether the bucket's policy is public; `None` without a policy.
    pub(crate) fn is_policy_public(&self) -> Result<Option<bool>, S3Fault> {
        let made = policy::of(self.service(), self.bucket()?)?;
        Ok(made.map(|made| made.is_public))
    }
}

impl S3Permit<dto::PutPublicAccessBlockInput> {
    pub(crate) async fn set(&self, block: PublicAccessBlock) -> Result<(), S3Fault> {
        let (objects, name) = (self.checked_objects(), &self.bucket()?.name);
        objects.set_public_access_block(name, Some(block)).await
    }
}

impl S3Permit<dto::DeletePublicAccessBlockInput> {
    pub(crate) async fn delete(&self) -> Result<(), S3Fault> {
        let (objects, name) = (self.checked_objects(), &self.bucket()?.name);
        objects.set_public_access_block(name, None).await
    }
}

impl S3Permit<dto::PutBucketTaggingInput> {
    pub(crate) async fn set_tags(&self, tags: &Tags) -> Result<(), S3Fault> {
        let name = &self.bucket()?.name;
        self.checked_objects().set_bucket_tags(name, tags).await
    }
}

impl S3Permit<dto::DeleteBucketTaggingInput> {
    pub(crate) async fn delete_tags(&self) -> Result<(), S3Fault> {
        let name = &self.bucket()?.name;
        self.checked_objects()
            .set_bucket_tags(name, &Tags::new())
            .await
    }
}

// ---------------------------------------------------------------------------------------------
// Listings

/// The operations that list the objects of a bucket.
pub(crate) trait ListsObjects: CheckedOperation {}

impl ListsObjects for dto::ListObjectsInput {}
impl ListsObjects for dto::ListObjectsV2Input {}
impl ListsObjects for dto::ListObjectVersionsInput {}

impl<O: ListsObjects> S3Permit<O> {
    pub(crate) async fn list_objects(&self, ask: &ListAsk) -> Result<ListPage, S3Fault> {
        self.objects().list(&self.bucket()?.name, ask).await
    }
}

impl S3Permit<dto::ListMultipartUploadsInput> {
    pub(crate) async fn list_uploads(&self, ask: &UploadAsk) -> Result<UploadPage, S3Fault> {
        self.objects().list_uploads(&self.bucket()?.name, ask).await
    }
}

// ---------------------------------------------------------------------------------------------
// Objects

/// The operations that return an object or its headers.
pub(crate) trait ReadsObject: CheckedOperation {}

impl ReadsObject for dto::GetObjectInput {}
impl ReadsObject for dto::HeadObjectInput {}

impl<O: ReadsObject> S3Permit<O> {
    /// Whether the caller may also read the object's tags.
    pub(crate) async fn may_read_tags(&self, tags: &Tags) -> Result<bool, S3Fault> {
        let arn = Arn::s3_object(&self.bucket()?.name, self.key()?);
        let context = self.check().context.with_existing(tags);
        let allowed = self
            .check()
            .require("s3:GetObjectTagging", arn.as_str(), &context);
        Ok(allowed.await.is_ok())
    }
}

impl S3Permit<dto::GetObjectInput> {
    pub(crate) async fn read(
        &self,
        ask: &keywright_objects::ReadAsk,
    ) -> Result<(keywright_objects::ObjectView, keywright_objects::ByteStream), S3Fault> {
        self.objects().read(self.object()?, ask).await
    }
}

impl S3Permit<dto::PutObjectInput> {
    pub(crate) async fn put(&self, put: PutRequest, body: ObjectStream) -> Result<Object, S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        self.checked_objects().put(bucket, key, put, body).await
    }
}

impl S3Permit<dto::CopyObjectInput> {
    pub(crate) async fn copy(&self, copy: CopyRequest) -> Result<Object, S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        let objects = self.checked_objects();
        objects.copy(self.source()?, bucket, key, copy).await
    }
}

impl S3Permit<dto::DeleteObjectInput> {
    pub(crate) async fn delete(&self, condition: &WriteIf) -> Result<(), S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        self.checked_objects().delete(bucket, key, condition).await
    }
}

impl S3Permit<dto::PutObjectTaggingInput> {
    /// Asks whether the caller may give the object these tags, which are condition keys, and does.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`], [`S3Fault::Tag`].
    pub(crate) async fn set_tags(&self, tags: &Tags, version: Option<&str>) -> Result<(), S3Fault> {
        let asking = self.questions();
        let mut context = asking.context().with_existing(&self.object()?.meta.tags);
        context.request_tags(tags);
        let action = match version {
            None => "s3:PutObjectTagging",
            Some(_) => "s3:PutObjectVersionTagging",
        };
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        let arn = Arn::s3_object(bucket, key);
        let question = AccessQuestion::new(action, arn.as_str(), context);
        let answered = asking.ask(vec![question]).await?;
        self.objects_for(answered).set_tags(bucket, key, tags).await
    }
}

impl S3Permit<dto::DeleteObjectTaggingInput> {
    pub(crate) async fn delete_tags(&self) -> Result<(), S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        self.checked_objects()
            .set_tags(bucket, key, &Tags::new())
            .await
    }
}

// ---------------------------------------------------------------------------------------------
// DeleteObjects

/// Proof that the caller may delete one key of DeleteObjects.
pub(crate) struct DeletionPermit {
    key: String,
    answered: AnsweredQuestions,
}

/// An entry of DeleteObjects, and the permit to delete it.
pub(crate) type DecidedDeletion = (dto::ObjectIdentifier, Result<DeletionPermit, S3Fault>);

impl S3Permit<dto::DeleteObjectsInput> {
    /// Decides on each entry: on this thread as long as all decisions together are cheap, the rest
    /// outside the threads that answer requests.
    ///
    /// # Errors
    /// [`S3Fault::Throttled`].
    pub(crate) async fn decide(
        &self,
        entries: Vec<dto::ObjectIdentifier>,
    ) -> Result<Vec<DecidedDeletion>, S3Fault> {
        let bucket = &self.bucket()?.name;
        let asking = self.questions();
        let mut decided = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            let question = match deletion(bucket, &entry, asking.context()) {
                Ok(question) => question,
                Err(fault) => {
                    decided.push((entry, Err(fault)));
                    continue;
                }
            };
            match asking.ask_shortly(question) {
                Ok(answered) => decided.push(decided_deletion(entry, answered)),
                Err(question) => {
                    let (asking, bucket) = (asking.clone(), bucket.clone());
                    let rest: Vec<_> = entries.collect();
                    let work = move || decide_beside(&asking, &bucket, (entry, question), rest);
                    let authorize = &self.caller().authorize;
                    decided.extend(beside(authorize, work).await?);
                    break;
                }
            }
            if decided.len() % limits::DECISIONS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(decided)
    }

    /// Deletes one key on a condition.
    pub(crate) async fn delete(
        &self,
        permit: DeletionPermit,
        condition: &WriteIf,
    ) -> Result<(), S3Fault> {
        let DeletionPermit { key, answered } = permit;
        let bucket = &self.bucket()?.name;
        self.objects_for(answered)
            .delete(bucket, &key, condition)
            .await
    }

    /// Deletes several keys in one commit.
    pub(crate) async fn delete_all(&self, permits: Vec<DeletionPermit>) -> Result<(), S3Fault> {
        let permits = permits.into_iter();
        let (keys, answers) = permits.map(|permit| (permit.key, permit.answered)).unzip();
        let Some(answered) = AnsweredQuestions::joined(answers) else {
            return Ok(());
        };
        let bucket = &self.bucket()?.name;
        self.objects_for(answered).delete_all(bucket, keys).await
    }
}

fn decide_beside(
    asking: &OperationQuestions,
    bucket: &str,
    (entry, question): (dto::ObjectIdentifier, AccessQuestion),
    rest: Vec<dto::ObjectIdentifier>,
) -> Vec<DecidedDeletion> {
    let first = decided_deletion(entry, asking.ask_beside(question));
    let rest = rest.into_iter().map(|entry| {
        let question = deletion(bucket, &entry, asking.context());
        let answered = question.and_then(|question| asking.ask_beside(question));
        decided_deletion(entry, answered)
    });
    [first].into_iter().chain(rest).collect()
}

/// The question whether an entry may be deleted.
fn deletion(
    bucket: &str,
    entry: &dto::ObjectIdentifier,
    context: &S3Context,
) -> Result<AccessQuestion, S3Fault> {
    check_key(&entry.key)?;
    let mut context = context.clone();
    context.add("s3:versionid", entry.version_id.as_deref());
    let action = match entry.version_id {
        None => "s3:DeleteObject",
        Some(_) => "s3:DeleteObjectVersion",
    };
    let arn = Arn::s3_object(bucket, &entry.key);
    Ok(AccessQuestion::new(action, arn.as_str(), context))
}

fn decided_deletion(
    entry: dto::ObjectIdentifier,
    answered: Result<AnsweredQuestions, S3Fault>,
) -> DecidedDeletion {
    let permit = answered.and_then(|answered| match entry.version_id.as_deref() {
        None | Some("null") => Ok(DeletionPermit {
            key: entry.key.clone(),
            answered,
        }),
        Some(other) => Err(S3Fault::NoSuchVersion {
            key: entry.key.clone(),
            version: other.into(),
        }),
    });
    (entry, permit)
}

// ---------------------------------------------------------------------------------------------
// Multipart uploads

/// The operations on an unfinished upload.
pub(crate) trait OnUpload: CheckedOperation {}

impl OnUpload for dto::UploadPartInput {}
impl OnUpload for dto::UploadPartCopyInput {}
impl OnUpload for dto::AbortMultipartUploadInput {}
impl OnUpload for dto::ListPartsInput {}

impl<O: OnUpload> S3Permit<O> {
    /// Finds an upload of the permit's key.
    pub(crate) async fn upload(&self, id: &str) -> Result<Upload, S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        self.objects().find_upload(bucket, key, id).await
    }
}

impl S3Permit<dto::CreateMultipartUploadInput> {
    pub(crate) async fn create(&self, new: NewUpload) -> Result<Upload, S3Fault> {
        let (bucket, key) = (&self.bucket()?.name, self.key()?);
        self.checked_objects().create_upload(bucket, key, new).await
    }
}

impl S3Permit<dto::UploadPartInput> {
    pub(crate) async fn put_part(
        &self,
        upload: &Upload,
        number: i32,
        claims: ClaimedBody,
        body: ObjectStream,
    ) -> Result<Part, S3Fault> {
        let objects = self.checked_objects();
        objects.put_part(upload, number, claims, body).await
    }
}

impl S3Permit<dto::UploadPartCopyInput> {
    pub(crate) async fn copy_part(
        &self,
        upload: &Upload,
        number: i32,
        source_if: keywright_objects::ReadIf,
        range: Option<&str>,
    ) -> Result<Part, S3Fault> {
        let copied = PartCopySource {
            source: self.source()?,
            source_if,
            range,
        };
        self.checked_objects()
            .copy_part(upload, number, copied)
            .await
    }
}

impl S3Permit<dto::CompleteMultipartUploadInput> {
    pub(crate) async fn complete(
        &self,
        id: &str,
        completion: &CompleteRequest,
    ) -> Result<Object, S3Fault> {
        let of = (self.bucket()?.name.as_str(), self.key()?, id);
        self.checked_objects().complete(of, completion).await
    }
}

impl S3Permit<dto::AbortMultipartUploadInput> {
    pub(crate) async fn abort(&self, upload: &Upload) -> Result<(), S3Fault> {
        self.checked_objects().abort(upload).await
    }
}

impl S3Permit<dto::ListPartsInput> {
    pub(crate) async fn list_parts(
        &self,
        upload: &Upload,
        after: i32,
        limit: usize,
    ) -> Result<PartPage, S3Fault> {
        self.objects().list_parts(upload, after, limit).await
    }
}
