//! Why an operation of S3 is not served: a column of docs/coverage.md. A test demands a reason for
//! every operation that is not served, and for no other.

/// A reason, and the operations that it holds for.
pub(crate) struct UnservedOperation {
    reason: &'static str,
    pub(crate) operations: &'static [&'static str],
}

pub(crate) const UNSERVED: &[UnservedOperation] = &[
    UnservedOperation {
        reason: "Every object has one version; versioning is not served yet",
        operations: &["PutBucketVersioning"],
    },
    UnservedOperation {
        reason: "Objects cannot be locked or held",
        operations: &[
            "GetObjectLegalHold",
            "GetObjectRetention",
            "PutObjectLegalHold",
            "PutObjectLockConfiguration",
            "PutObjectRetention",
        ],
    },
    UnservedOperation {
        reason: "Every object is encrypted with a key of its own; there is nothing to choose",
        operations: &[
            "DeleteBucketEncryption",
            "PutBucketEncryption",
            "UpdateObjectEncryption",
        ],
    },
    UnservedOperation {
        reason: "The setting cannot be changed; reading it returns what a new bucket has",
        operations: &[
            "DeleteBucketCors",
            "DeleteBucketLifecycle",
            "DeleteBucketOwnershipControls",
            "DeleteBucketReplication",
            "DeleteBucketWebsite",
            "PutBucketAccelerateConfiguration",
            "PutBucketCors",
            "PutBucketLifecycleConfiguration",
            "PutBucketLogging",
            "PutBucketNotificationConfiguration",
            "PutBucketOwnershipControls",
            "PutBucketReplication",
            "PutBucketRequestPayment",
            "PutBucketWebsite",
        ],
    },
    UnservedOperation {
        reason: "Access by tags of buckets cannot be turned on",
        operations: &["GetBucketAbac", "PutBucketAbac"],
    },
    UnservedOperation {
        reason: "Analytics, inventories, metrics and tiering are services of AWS",
        operations: &[
            "DeleteBucketAnalyticsConfiguration",
            "DeleteBucketIntelligentTieringConfiguration",
            "DeleteBucketInventoryConfiguration",
            "DeleteBucketMetricsConfiguration",
            "GetBucketAnalyticsConfiguration",
            "GetBucketIntelligentTieringConfiguration",
            "GetBucketInventoryConfiguration",
            "GetBucketMetricsConfiguration",
            "PutBucketAnalyticsConfiguration",
            "PutBucketIntelligentTieringConfiguration",
            "PutBucketInventoryConfiguration",
            "PutBucketMetricsConfiguration",
        ],
    },
    UnservedOperation {
        reason: "Metadata tables and annotations are services of AWS",
        operations: &[
            "CreateBucketMetadataConfiguration",
            "CreateBucketMetadataTableConfiguration",
            "DeleteBucketMetadataConfiguration",
            "DeleteBucketMetadataTableConfiguration",
            "DeleteObjectAnnotation",
            "GetBucketMetadataConfiguration",
            "GetBucketMetadataTableConfiguration",
            "GetObjectAnnotation",
            "ListObjectAnnotations",
            "PutObjectAnnotation",
            "UpdateBucketMetadataAnnotationTableConfiguration",
            "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration",
        ],
    },
    UnservedOperation {
        reason: "There are no directory buckets",
        operations: &["CreateSession", "ListDirectoryBuckets", "RenameObject"],
    },
    UnservedOperation {
        reason: "No object is archived, so none has to be restored",
        operations: &["RestoreObject"],
    },
    UnservedOperation {
        reason: "AWS no longer offers it to new customers",
        operations: &["GetObjectTorrent", "SelectObjectContent"],
    },
];

/// Why an operation is not served.
pub fn unserved_reason(operation: &str) -> Option<&'static str> {
    let mut rows = UNSERVED.iter();
    let row = rows.find(|row| row.operations.contains(&operation))?;
    Some(row.reason)
}
