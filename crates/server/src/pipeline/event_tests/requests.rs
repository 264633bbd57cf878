//! What the sweeps of events send: the state in which operations succeed, and requests of S3.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use keywright_wire::{Level, s3::ROUTES};
use sha2::{Digest, Sha256};

/// Nouns that nothing depends on, so that they can be deleted.
pub(super) const BASE: [&str; 5] = [
    "Action=CreateUser&UserName=someone",
    "Action=CreateGroup&GroupName=some",
    "Action=CreateInstanceProfile&InstanceProfileName=some",
    ROLE,
    "Action=GenerateCredentialReport",
];

const ROLE: &str = "Action=CreateRole&RoleName=some&AssumeRolePolicyDocument={\"Version\":\
    \"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\
    \"Action\":\"sts:AssumeRole\"}}";

/// Nouns with everything that operations read or remove.
pub(super) const SETUP: &[&str] = &[
    "Action=CreateUser&UserName=someone",
    "Action=CreateGroup&GroupName=some",
    ROLE,
    "Action=CreateInstanceProfile&InstanceProfileName=some",
    "Action=CreateOpenIDConnectProvider&Url=https://idp.example.com",
    "Action=CreateLoginProfile&UserName=someone&Password=Abcdefg1",
    "Action=CreateVirtualMFADevice&VirtualMFADeviceName=phone",
    "Action=CreateAccountAlias&AccountAlias=alias",
    "Action=UpdateAccountPasswordPolicy",
    "Action=CreatePolicy&PolicyName=P&PolicyDocument={\"Version\":\"2012-10-17\",\
         \"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}",
    "Action=PutRolePolicy&RoleName=some&PolicyName=P&PolicyDocument={\"Version\":\
         \"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\
         \"Resource\":\"*\"}}",
    "Action=AttachRolePolicy&RoleName=some&PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess",
];

/// Actions whose samples do not succeed here: they name a key of another account, need a code of an
/// MFA device, what an earlier response named, or the rotation engine; or their noun is in `SETUP`.
pub(super) const NOT_CARRIED_OUT: [&str; 42] = [
    "AbandonRotation",
    "AssumeRole",
    "ChangePassword",
    "ChangeRotation",
    "ConfirmDelivery",
    "CreateLoginProfile",
    "DeactivateMFADevice",
    "DeleteAccessKey",
    "DeletePolicyVersion",
    "DeleteRotationPolicy",
    "DeleteSSHPublicKey",
    "DeleteServiceLinkedRole",
    "DeleteServiceSpecificCredential",
    "DeleteSigningCertificate",
    "EnableMFADevice",
    "EndAccessKeySessions",
    "ExplainDeniedRequest",
    "GetAccessKeyInfo",
    "GetAccessKeyLastUsed",
    "GetAccessKeyUse",
    "GetRotation",
    "GetSSHPublicKey",
    "GetServiceLinkedRoleDeletionStatus",
    "HoldRotation",
    "ListAccessKeyAttempts",
    "ListAccessKeySessions",
    "ListRotationHistory",
    "ListRotationPlaces",
    "ListRotationPolicies",
    "ListRotations",
    "PutRotationPolicy",
    "ReleaseRotation",
    "ResetServiceSpecificCredential",
    "ResumeRotation",
    "ResyncMFADevice",
    "RetrieveRotationKey",
    "RollBackRotation",
    "StartRotation",
    "UpdateAccessKey",
    "UpdateSSHPublicKey",
    "UpdateServiceSpecificCredential",
    "UpdateSigningCertificate",
];

/// Operations of S3 that read settings which no bucket has here, or change ACLs, which are
/// disabled.
pub(super) const NOT_CONFIGURED: [&str; 7] = [
    "GetBucketCors",
    "GetBucketLifecycleConfiguration",
    "GetBucketReplication",
    "GetBucketWebsite",
    "GetObjectLockConfiguration",
    "PutBucketAcl",
    "PutObjectAcl",
];

const DELETE: &str = "<Delete><Object><Key>none</Key></Object></Delete>";
const TAGGING: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
    </PublicAccessBlockConfiguration>";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":
    {"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:GetObject",
    "Resource":"arn:aws:s3:::bench/*"}}"#;
/// The only part has the content `x`.
const PARTS: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
    <ETag>9dd4e461268c8034f5c8564e155c67a6</ETag></Part></CompleteMultipartUpload>";

/// A request for an operation of S3.
pub(super) struct S3Sample {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: &'static str,
}

impl S3Sample {
    /// On this bucket and upload, with the parameters that the operation requires.
    pub(super) fn of(operation: &str, bucket: &str, upload: &str) -> Self {
        let mut routes = ROUTES.iter();
        let route = routes.find(|route| route.operation == operation).unwrap();
        let path = match (route.level, operation) {
            (Level::Service, _) => "/".to_owned(),
            (Level::Bucket, _) => format!("/{bucket}"),
            (Level::Object, "CopyObject") => format!("/{bucket}/copy"),
            (Level::Object, _) => format!("/{bucket}/k"),
        };
        let parameters = route.required.iter().map(|(name, value)| {
            let value = if *name == "uploadId" {
                Some(upload)
            } else {
                *value
            };
            format!("{name}={}", value.unwrap_or("1"))
        });
        let query = parameters.collect::<Vec<_>>().join("&");
        let header = |name, value: &str| vec![(name, value.to_owned())];
        let (headers, body) = match operation {
            "CopyObject" | "UploadPartCopy" => (header("x-amz-copy-source", "/bench/k"), ""),
            "GetObjectAttributes" => (header("x-amz-object-attributes", "ETag"), ""),
            "PutBucketAcl" | "PutObjectAcl" => {
                (header("x-amz-acl", "bucket-owner-full-control"), "")
            }
            "PutBucketPolicy" => (Vec::new(), POLICY),
            "PutPublicAccessBlock" => (Vec::new(), BLOCK),
            "PutBucketTagging" | "PutObjectTagging" => (Vec::new(), TAGGING),
            "CompleteMultipartUpload" => (Vec::new(), PARTS),
            "UploadPart" => (Vec::new(), "x"),
            "DeleteObjects" => {
                let sum = BASE64_STANDARD.encode(Sha256::digest(DELETE));
                (header("x-amz-checksum-sha256", &sum), DELETE)
            }
            _ => (Vec::new(), ""),
        };
        Self {
            method: route.method.parse().unwrap(),
            uri: format!("{path}?{query}"),
            headers,
            body,
        }
    }
}
