//! The action that each operation needs, and its resource.
//!
//! Invariant: an operation that is not in this table is denied. Source: AWS's Service Authorization
//! Reference. Conditions and lookups are in `access.rs`.

/// One served operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct OperationRow {
    /// The operation's name in the protocol layer.
    pub(super) operation: &'static str,
    /// The action, without the prefix `s3:`.
    pub(super) action: &'static str,
    /// The resource of the action.
    pub(super) on: Scope,
}

/// The resource of an action, and who authorizes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// `*`.
    Everything,
    /// A bucket that need not exist. The operation authorizes, because its body holds condition
    /// keys.
    NewBucket,
    /// The bucket.
    Bucket,
    /// Keys of an existing bucket. The operation authorizes each key.
    Keys,
    /// The key, which need not exist.
    Key,
    /// The object, which is looked up.
    Object,
    /// The object, which is looked up. The operation authorizes, because its body holds condition
    /// keys.
    ObjectLater,
}

pub(super) fn row(operation: &str) -> Option<&'static OperationRow> {
    TABLE.iter().find(|row| row.operation == operation)
}

const fn r(operation: &'static str, action: &'static str, on: Scope) -> OperationRow {
    OperationRow {
        operation,
        action,
        on,
    }
}

use Scope::{Bucket, Everything, Key, Keys, NewBucket, Object, ObjectLater};

/// Every operation that is served.
pub(super) const TABLE: &[OperationRow] = &[
    r("ListBuckets", "ListAllMyBuckets", Everything),
    r("CreateBucket", "CreateBucket", NewBucket),
    r("HeadBucket", "ListBucket", Bucket),
    r("DeleteBucket", "DeleteBucket", Bucket),
    r("GetBucketLocation", "GetBucketLocation", Bucket),
    r("GetBucketVersioning", "GetBucketVersioning", Bucket),
    r("GetBucketEncryption", "GetEncryptionConfiguration", Bucket),
    r(
        "GetBucketOwnershipControls",
        "GetBucketOwnershipControls",
        Bucket,
    ),
    r("GetBucketLogging", "GetBucketLogging", Bucket),
    r(
        "GetBucketNotificationConfiguration",
        "GetBucketNotification",
        Bucket,
    ),
    r(
        "GetBucketAccelerateConfiguration",
        "GetAccelerateConfiguration",
        Bucket,
    ),
    r("GetBucketRequestPayment", "GetBucketRequestPayment", Bucket),
    r("GetBucketCors", "GetBucketCORS", Bucket),
    r(
        "GetBucketLifecycleConfiguration",
        "GetLifecycleConfiguration",
        Bucket,
    ),
    r("GetBucketWebsite", "GetBucketWebsite", Bucket),
    r(
        "GetBucketReplication",
        "GetReplicationConfiguration",
        Bucket,
    ),
    r(
        "GetObjectLockConfiguration",
        "GetBucketObjectLockConfiguration",
        Bucket,
    ),
    r(
        "ListBucketAnalyticsConfigurations",
        "GetAnalyticsConfiguration",
        Bucket,
    ),
    r(
        "ListBucketIntelligentTieringConfigurations",
        "GetIntelligentTieringConfiguration",
        Bucket,
    ),
    r(
        "ListBucketInventoryConfigurations",
        "GetInventoryConfiguration",
        Bucket,
    ),
    r(
        "ListBucketMetricsConfigurations",
        "GetMetricsConfiguration",
        Bucket,
    ),
    r("GetBucketAcl", "GetBucketAcl", Bucket),
    r("PutBucketAcl", "PutBucketAcl", Bucket),
    r("GetBucketPolicy", "GetBucketPolicy", Bucket),
    r("PutBucketPolicy", "PutBucketPolicy", Bucket),
    r("DeleteBucketPolicy", "DeleteBucketPolicy", Bucket),
    r("GetBucketPolicyStatus", "GetBucketPolicyStatus", Bucket),
    r("GetPublicAccessBlock", "GetBucketPublicAccessBlock", Bucket),
    r("PutPublicAccessBlock", "PutBucketPublicAccessBlock", Bucket),
    r(
        "DeletePublicAccessBlock",
        "PutBucketPublicAccessBlock",
        Bucket,
    ),
    r("GetBucketTagging", "GetBucketTagging", Bucket),
    r("PutBucketTagging", "PutBucketTagging", Bucket),
    r("DeleteBucketTagging", "PutBucketTagging", Bucket),
    r("ListObjects", "ListBucket", Bucket),
    r("ListObjectsV2", "ListBucket", Bucket),
    r("ListObjectVersions", "ListBucketVersions", Bucket),
    r("ListMultipartUploads", "ListBucketMultipartUploads", Bucket),
    r("GetObject", "GetObject", Object),
    r("HeadObject", "GetObject", Object),
    r("GetObjectAttributes", "GetObject", Object),
    r("GetObjectAcl", "GetObjectAcl", Object),
    r("PutObjectAcl", "PutObjectAcl", Object),
    r("GetObjectTagging", "GetObjectTagging", Object),
    r("PutObjectTagging", "PutObjectTagging", ObjectLater),
    r("DeleteObjectTagging", "DeleteObjectTagging", Object),
    r("PutObject", "PutObject", Key),
    r("CopyObject", "PutObject", Key),
    r("DeleteObject", "DeleteObject", Key),
    r("DeleteObjects", "DeleteObject", Keys),
    r("CreateMultipartUpload", "PutObject", Key),
    r("UploadPart", "PutObject", Key),
    r("UploadPartCopy", "PutObject", Key),
    r("CompleteMultipartUpload", "PutObject", Key),
    r("AbortMultipartUpload", "AbortMultipartUpload", Key),
    r("ListParts", "ListMultipartUploadParts", Key),
];

#[cfg(test)]
mod tests {
    use keywright_policy::ActionCatalogue;

    use super::{Scope, TABLE};

    #[test]
    fn each_operation_once() {
        for row in TABLE {
            let same = TABLE
                .iter()
                .filter(|other| other.operation == row.operation);
            assert_eq!(same.count(), 1, "{}", row.operation);
        }
    }
    /// The published action table has each action, with the resource type that is used here.
    #[test]
    fn actions_are_as_published() {
        for row in TABLE {
            let known = ActionCatalogue::built_in().action(&format!("s3:{}", row.action));
            let known = known.unwrap_or_else(|| panic!("no action {}", row.action));
            match row.on {
                Scope::Everything => assert!(known.resources.is_empty(), "{row:?}"),
                Scope::NewBucket | Scope::Bucket => assert!(known.is_on("bucket"), "{row:?}"),
                Scope::Keys | Scope::Key | Scope::Object | Scope::ObjectLater => {
                    assert!(known.is_on("object"), "{row:?}");
                }
            }
        }
    }
}
