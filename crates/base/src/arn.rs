//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use std::fmt;

use crate::AccountId;

/// A concrete ARN. Wildcards are not interpreted here; ARN patterns belong to the `policy` crate.
///
/// Stores the whole text and the positions of its first five colons, by which the accessors slice
/// it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: Box<str>,
}

/// The text is not an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ARN: six segments separated by colons are expected, the first of them 'arn'")]
pub struct ArnError;

impl Arn {
    /// Parses an ARN: the prefix `arn`, and a non-empty partition, service and resource.
    ///
    /// # Errors
    /// [`ArnError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut segments = text.splitn(6, ':');
        let fixed = [segments.next(), segments.next(), segments.next()];
        let [Some("arn"), Some(partition), Some(service)] = fixed else {
            return Err(ArnError);
        };
        let resource = segments.nth(2).unwrap_or_default();
        if partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(ArnError);
        }
        Ok(Self { text: text.into() })
    }

    /// An IAM ARN in an account: `arn:aws:iam::ACCOUNT:RESOURCE`.
    pub fn iam(account: AccountId, resource: &str) -> Self {
        Self {
            text: format!("arn:aws:iam::{account}:{resource}").into(),
        }
    }

    /// The ARN of an IAM entity: kind `user`, path `/team/` and name `bob` give `user/team/bob`.
    pub fn iam_entity(account: AccountId, kind: &str, path: &str, name: &str) -> Self {
        Self {
            text: format!("arn:aws:iam::{account}:{kind}{path}{name}").into(),
        }
    }

    /// An STS ARN in an account: `arn:aws:sts::ACCOUNT:RESOURCE`.
    pub fn sts(account: AccountId, resource: &str) -> Self {
        Self {
            text: format!("arn:aws:sts::{account}:{resource}").into(),
        }
    }

    /// The ARN of an S3 bucket: `arn:aws:s3:::BUCKET`.
    pub fn s3_bucket(bucket: &str) -> Self {
        Self {
            text: format!("arn:aws:s3:::{bucket}").into(),
        }
    }

    /// The ARN of an S3 object: `arn:aws:s3:::BUCKET/KEY`.
    pub fn s3_object(bucket: &str, key: &str) -> Self {
        Self {
            text: format!("arn:aws:s3:::{bucket}/{key}").into(),
        }
    }

    /// The whole text.
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, for example `aws`.
    pub fn partition(&self) -> &str {
        self.segment(1)
    }

    /// The service namespace, for example `iam`.
    pub fn service(&self) -> &str {
        self.segment(2)
    }

    /// The region; often empty.
    pub fn region(&self) -> &str {
        self.segment(3)
    }

    /// The account field as written: 12 digits, empty, or `aws` for AWS managed policies.
    pub fn account(&self) -> &str {
        self.segment(4)
    }

    /// Everything after the fifth colon.
    pub fn resource(&self) -> &str {
        self.segment(5)
    }

    fn segment(&self, index: usize) -> &str {
        self.text.splitn(6, ':').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Arn;

    #[test]
    fn parts() {
        let arn = Arn::parse("arn:aws:iam::123456789012:user/team/bob").unwrap();
        let parts = [
            arn.partition(),
            arn.service(),
            arn.region(),
            arn.account(),
            arn.resource(),
        ];
        assert_eq!(parts, ["aws", "iam", "", "123456789012", "user/team/bob"]);
        assert_eq!(
            Arn::parse("arn:aws:s3:::b/k:with:colons")
                .unwrap()
                .resource(),
            "b/k:with:colons"
        );
    }

    #[test]
    fn what_is_not_an_arn() {
        for text in [
            "",
            "arn",
            "arn:aws:s3",
            "ARN:aws:s3:::b",
            "arn::s3:::b",
            "arn:aws:s3:::",
        ] {
            assert!(Arn::parse(text).is_err(), "{text}");
        }
    }
}
