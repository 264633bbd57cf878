//! Settings that are the same for every bucket here. The responses are those of S3 for a bucket
//! whose settings were never changed. Terraform, scanners and consoles read all of them.
//!
//! Invariant: none of these settings can be put, so no response hides a setting.

use s3s::{S3Response, dto};

use keywright_objects::{BucketSetting, S3Fault};

use super::access::S3Permit;

/// Operations that return their default output.
macro_rules! empty {
    ($($name:ident: $input:ident => $output:ident;)*) => {
        $(
            pub(super) async fn $name(
                _: S3Permit<dto::$input>,
                _: dto::$input,
            ) -> Result<S3Response<dto::$output>, S3Fault> {
                Ok(S3Response::new(dto::$output::default()))
            }
        )*
    };
}

empty! {
    logging: GetBucketLoggingInput => GetBucketLoggingOutput;
    notification: GetBucketNotificationConfigurationInput
        => GetBucketNotificationConfigurationOutput;
    accelerate: GetBucketAccelerateConfigurationInput => GetBucketAccelerateConfigurationOutput;
}

/// Operations that return an empty list of configurations.
macro_rules! none_listed {
    ($($name:ident: $input:ident => $output:ident;)*) => {
        $(
            pub(super) async fn $name(
                _: S3Permit<dto::$input>,
                _: dto::$input,
            ) -> Result<S3Response<dto::$output>, S3Fault> {
                Ok(S3Response::new(dto::$output {
                    is_truncated: Some(false),
                    ..dto::$output::default()
                }))
            }
        )*
    };
}

none_listed! {
    analytics: ListBucketAnalyticsConfigurationsInput => ListBucketAnalyticsConfigurationsOutput;
    intelligent_tiering: ListBucketIntelligentTieringConfigurationsInput
        => ListBucketIntelligentTieringConfigurationsOutput;
    inventory: ListBucketInventoryConfigurationsInput => ListBucketInventoryConfigurationsOutput;
    metrics: ListBucketMetricsConfigurationsInput => ListBucketMetricsConfigurationsOutput;
}

/// Operations on a setting that no bucket has.
macro_rules! not_configured {
    ($($name:ident: $input:ident => $output:ident = $setting:ident;)*) => {
        $(
            pub(super) async fn $name(
                permit: S3Permit<dto::$input>,
                _: dto::$input,
            ) -> Result<S3Response<dto::$output>, S3Fault> {
                Err(S3Fault::NotConfigured(BucketSetting::$setting, permit.bucket()?.name.clone()))
            }
        )*
    };
}

not_configured! {
    cors: GetBucketCorsInput => GetBucketCorsOutput = Cors;
    lifecycle: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput
        = Lifecycle;
    website: GetBucketWebsiteInput => GetBucketWebsiteOutput = Website;
    replication: GetBucketReplicationInput => GetBucketReplicationOutput = Replication;
    object_lock: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput = ObjectLock;
}

pub(super) async fn encryption(
    _: S3Permit<dto::GetBucketEncryptionInput>,
    _: dto::GetBucketEncryptionInput,
) -> Result<S3Response<dto::GetBucketEncryptionOutput>, S3Fault> {
    let by_default = dto::ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AES256),
    };
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(false),
    };
    Ok(S3Response::new(dto::GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(dto::ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    }))
}

pub(super) async fn ownership(
    _: S3Permit<dto::GetBucketOwnershipControlsInput>,
    _: dto::GetBucketOwnershipControlsInput,
) -> Result<S3Response<dto::GetBucketOwnershipControlsOutput>, S3Fault> {
    let enforced = dto::ObjectOwnership::BUCKET_OWNER_ENFORCED;
    let rule = dto::OwnershipControlsRule {
        object_ownership: dto::ObjectOwnership::from_static(enforced),
    };
    Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput {
        ownership_controls: Some(dto::OwnershipControls { rules: vec![rule] }),
    }))
}

pub(super) async fn request_payment(
    _: S3Permit<dto::GetBucketRequestPaymentInput>,
    _: dto::GetBucketRequestPaymentInput,
) -> Result<S3Response<dto::GetBucketRequestPaymentOutput>, S3Fault> {
    let payer = dto::Payer::from_static(dto::Payer::BUCKET_OWNER);
    Ok(S3Response::new(dto::GetBucketRequestPaymentOutput {
        payer: Some(payer),
    }))
}
