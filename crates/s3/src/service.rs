//! Implements the protocol layer's trait with one function per operation.
//!
//! Invariant: every operation takes the same path. It takes its permit, without which it has
//! nothing to work with, runs, and leaves a fault for the renderer. Operations that are not
//! listed keep the protocol layer's default response; the access check denies them before.

use std::sync::Arc;

use s3s::{S3Request, S3Response, S3Result, dto};

use super::{
    access::{CheckedOperation, S3Permit, S3Shared},
    buckets, listing, multipart, objects, policy, public_access, settings, tagging,
};

pub(super) struct S3Operations(pub(super) Arc<S3Shared>);

/// Whether an operation asks for its permissions itself, as its row of the table says.
macro_rules! asks {
    (CreateBucketInput) => {
        true
    };
    (PutObjectTaggingInput) => {
        true
    };
    (DeleteObjectsInput) => {
        true
    };
    ($other:ident) => {
        false
    };
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident = $run:path;)*) => {
        $(
            impl CheckedOperation for dto::$input {
                const INPUT: &'static str = stringify!($input);
                const ASKS: bool = asks!($input);
            }
        )*

        #[async_trait::async_trait]
        impl s3s::S3 for S3Operations {
            $(
                async fn $name(
                    &self,
                    request: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    let (permit, input) = S3Permit::take(&self.0, request).await?;
                    let error = permit.error();
                    permit.check_document().map_err(|fault| error.refuse(&fault))?;
                    $run(permit, input).await.map_err(|fault| error.refuse(&fault))
                }
            )*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput = buckets::list;
    create_bucket: CreateBucketInput => CreateBucketOutput = buckets::create;
    head_bucket: HeadBucketInput => HeadBucketOutput = buckets::head;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput = buckets::delete;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput = buckets::location;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput
        = buckets::versioning;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput
        = settings::encryption;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput
        => GetBucketOwnershipControlsOutput = settings::ownership;
    get_bucket_logging: GetBucketLoggingInput => GetBucketLoggingOutput = settings::logging;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput
        => GetBucketNotificationConfigurationOutput = settings::notification;
    get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput
        => GetBucketAccelerateConfigurationOutput = settings::accelerate;
    get_bucket_request_payment: GetBucketRequestPaymentInput => GetBucketRequestPaymentOutput
        = settings::request_payment;
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput = settings::cors;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput
        => GetBucketLifecycleConfigurationOutput = settings::lifecycle;
    get_bucket_website: GetBucketWebsiteInput => GetBucketWebsiteOutput = settings::website;
    get_bucket_replication: GetBucketReplicationInput => GetBucketReplicationOutput
        = settings::replication;
    get_object_lock_configuration: GetObjectLockConfigurationInput
        => GetObjectLockConfigurationOutput = settings::object_lock;
    list_bucket_analytics_configurations: ListBucketAnalyticsConfigurationsInput
        => ListBucketAnalyticsConfigurationsOutput = settings::analytics;
    list_bucket_intelligent_tiering_configurations: ListBucketIntelligentTieringConfigurationsInput
        => ListBucketIntelligentTieringConfigurationsOutput = settings::intelligent_tiering;
    list_bucket_inventory_configurations: ListBucketInventoryConfigurationsInput
        => ListBucketInventoryConfigurationsOutput = settings::inventory;
    list_bucket_metrics_configurations: ListBucketMetricsConfigurationsInput
        => ListBucketMetricsConfigurationsOutput = settings::metrics;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput = buckets::acl;
    put_bucket_acl: PutBucketAclInput => PutBucketAclOutput = buckets::put_acl;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput = policy::get;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput = policy::put;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput = policy::delete;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput
        = public_access::status;
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput
        = public_access::get;
    put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput
        = public_access::put;
    delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput
        = public_access::delete;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput = tagging::get_bucket;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput = tagging::put_bucket;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput
        = tagging::delete_bucket;
    list_objects: ListObjectsInput => ListObjectsOutput = listing::v1;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output = listing::v2;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput
        = listing::versions;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput
        = multipart::list_uploads;
    get_object: GetObjectInput => GetObjectOutput = objects::get;
    head_object: HeadObjectInput => HeadObjectOutput = objects::head;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput
        = objects::attributes;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput = objects::acl;
    put_object_acl: PutObjectAclInput => PutObjectAclOutput = objects::put_acl;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput = tagging::get;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput = tagging::put;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput
        = tagging::delete;
    put_object: PutObjectInput => PutObjectOutput = objects::put;
    copy_object: CopyObjectInput => CopyObjectOutput = objects::copy;
    delete_object: DeleteObjectInput => DeleteObjectOutput = objects::delete;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput = objects::delete_many;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput
        = multipart::create;
    upload_part: UploadPartInput => UploadPartOutput = multipart::part;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput = multipart::part_copy;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput
        = multipart::complete;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput
        = multipart::abort;
    list_parts: ListPartsInput => ListPartsOutput = multipart::list_parts;
}
