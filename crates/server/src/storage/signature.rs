//! What bucket policies can say of a request's signature.

use std::borrow::Cow;

use keywright_base::Timestamp;
use keywright_policy::ContextValues;
use keywright_sigv4::{PayloadClaim, PresentedSignature, SigningMode};

/// The facts about the signature that bucket policies can test.
pub(super) struct SignatureConditions {
    version: &'static str,
    kind: &'static str,
    age_millis: Option<i64>,
    content: PayloadClaim,
}

impl SignatureConditions {
    /// The condition keys of the signature.
    pub(super) const KEYS: [&str; 4] = [
        "s3:authtype",
        "s3:signatureversion",
        "s3:signatureage",
        "s3:x-amz-content-sha256",
    ];

    /// A URL signed with Signature Version 2 has no age and covers no body.
    pub(super) const fn of_v2() -> Self {
        Self {
            version: "AWS",
            kind: "REST-QUERY-STRING",
            age_millis: None,
            content: PayloadClaim::Undeclared,
        }
    }

    pub(super) fn of(presented: &PresentedSignature, now: Timestamp) -> Self {
        let age = now.millis() - presented.date().millis();
        let (kind, age_millis) = match presented.mode() {
            SigningMode::Header => ("REST-HEADER", None),
            SigningMode::Presigned { .. } => ("REST-QUERY-STRING", Some(age.max(0))),
        };
        Self {
            version: "AWS4-HMAC-SHA256",
            kind,
            age_millis,
            // The verified value, however the URL spells it: a presigned request that declares no
            // hash is signed as if it declared an unsigned payload.
            content: presented.payload(),
        }
    }

    pub(super) fn key(&self, key: &str) -> ContextValues<'_> {
        let one = |value: Cow<'static, str>| ContextValues::One(value);
        match key {
            "s3:authtype" => one(self.kind.into()),
            "s3:signatureversion" => one(self.version.into()),
            "s3:signatureage" => self
                .age_millis
                .map_or(ContextValues::Absent, |age| one(age.to_string().into())),
            "s3:x-amz-content-sha256" => self
                .content
                .declared()
                .map_or(ContextValues::Absent, |content| one(content.into())),
            _ => ContextValues::Absent,
        }
    }
}
