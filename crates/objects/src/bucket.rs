//! Buckets: create, find, list, delete, and their policy, tags and Block Public Access settings.
//!
//! Invariant: a change to a bucket is committed against the row it was computed from. The caller
//! has been authorized before. Names are unique across the installation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use keywright_base::{AccountId, Timestamp, limits, region};
use keywright_store::contract::{BucketRow, FailedPrecondition, IndexWrite, ListRange, StoreError};

use crate::{BlobRefs, CommitError, Objects, fault::S3Fault, names, row, tags::Tags};

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The account that owns it and everything in it.
    pub owner: AccountId,
    /// Its region, for example `us-east-1`.
    pub region: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its policy, exactly as it was put.
    pub policy: Option<Arc<str>>,
    /// Its tags.
    pub tags: Tags,
    /// Its Block Public Access settings, if it has any.
    pub public_access_block: Option<PublicAccessBlock>,
}

/// A bucket as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBucket {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// When it was created.
    pub created: Timestamp,
}

/// The Block Public Access settings. Those about ACLs have no effect, because ACLs are disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// `BlockPublicAcls`
    pub block_public_acls: bool,
    /// `IgnorePublicAcls`
    pub ignore_public_acls: bool,
    /// `BlockPublicPolicy`: public policies are rejected.
    pub block_public_policy: bool,
    /// `RestrictPublicBuckets`: a public policy applies to the bucket's own account only.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All settings enabled, as in a new bucket.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

impl Bucket {
    /// Whether the bucket rejects a public policy.
    pub fn blocks_public_policy(&self) -> bool {
        let block = self.public_access_block;
        block.is_some_and(|block| block.block_public_policy)
    }

    /// Whether a public policy applies to the bucket's own account only.
    pub fn restricts_public_policy(&self) -> bool {
        let block = self.public_access_block;
        block.is_some_and(|block| block.restrict_public_buckets)
    }
}

/// Which buckets of an account to list.
#[derive(Debug, Clone, Default)]
pub struct BucketAsk {
    /// Only names with this prefix.
    pub prefix: String,
    /// Only names after this one.
    pub after: String,
    /// Only buckets in this region.
    pub region: Option<String>,
    /// The maximum number of buckets, 1 to 10,000.
    pub limit: usize,
}

/// A page of buckets.
#[derive(Debug, Clone, Default)]
pub struct BucketPage {
    /// The buckets, ordered by name.
    pub buckets: Vec<ListedBucket>,
    /// Where the next page starts, to pass as `after`; `None` on the last page.
    pub next: Option<String>,
}

/// The canonical user ID of an account, which identifies owners in listings: 64 hexadecimal digits.
pub fn canonical_id(account: AccountId) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(format!("canonical user {account}")))
}

/// How often a change is recomputed because the bucket changed meanwhile.
const ATTEMPTS: usize = 8;
const HOME: &str = "us-east-1";
/// The region of the location constraint `EU`.
const EU: &str = "eu-west-1";

impl Objects {
    /// Creates a bucket with its tags. `endpoint` is the region that the request was signed for.
    ///
    /// # Errors
    /// [`S3Fault::InvalidBucketName`], [`S3Fault::Tag`], the location faults,
    /// [`S3Fault::BucketOwnedByYou`] (in us-east-1 it succeeds instead and changes nothing, unless
    /// tags were given), [`S3Fault::BucketExists`], [`S3Fault::TooManyBuckets`].
    pub async fn create_bucket(
        &self,
        name: &str,
        owner: AccountId,
        endpoint: &str,
        constraint: Option<&str>,
        tags: &Tags,
    ) -> Result<Bucket, S3Fault> {
        names::check_bucket(name)?;
        crate::check_new_bucket_tags(tags)?;
        let bucket = Bucket {
            name: name.into(),
            owner,
            region: location(endpoint, constraint)?,
            created: self.clock.now(),
            policy: None,
            tags: tags.clone(),
            public_access_block: Some(PublicAccessBlock::ALL),
        };
        let range = ListRange {
            limit: limits::S3_BUCKETS,
            bodies: row::NAMES,
            ..ListRange::default()
        };
        if self.index.buckets(owner, range).await?.len() >= limits::S3_BUCKETS
            && self.find_bucket(name).await?.is_none()
        {
            return Err(S3Fault::TooManyBuckets {
                limit: limits::S3_BUCKETS,
            });
        }
        self.room.admit_row()?;
        let write = IndexWrite::CreateBucket(row::of_bucket(&bucket)?);
        match self
            .commit(name, vec![write], BlobRefs::Nothing, None)
            .await
        {
            Ok(_) => Ok(bucket),
            Err(CommitError::Store(StoreError::Precondition(
                FailedPrecondition::BucketExists(found),
            ))) => taken(bucket, &row::bucket(&found)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the bucket with this name.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub async fn find_bucket(&self, name: &str) -> Result<Option<Arc<Bucket>>, S3Fault> {
        let stamp = self.index.bucket_stamp(name);
        if let Some(hot) = stamp.and_then(|stamp| self.hot.buckets.find((name, ""), stamp)) {
            return Ok(Some(hot));
        }
        let Some(row) = self.index.bucket(name).await? else {
            return Ok(None);
        };
        let bucket = Arc::new(row::bucket(&row)?);
        if let Some(stamp) = stamp {
            self.hot.buckets.add(&bucket, stamp);
        }
        Ok(Some(bucket))
    }

    /// Returns a page of an account's buckets, ordered by name.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub async fn list_buckets(
        &self,
        owner: AccountId,
        ask: &BucketAsk,
    ) -> Result<BucketPage, S3Fault> {
        let mut page = BucketPage::default();
        let mut after = ask.after.clone();
        loop {
            let range = ListRange {
                prefix: ask.prefix.clone(),
                after: after.clone().into_bytes(),
                inclusive: false,
                limit: limits::S3_PAGE,
                bodies: row::BUCKET_HEADS,
            };
            let rows = self.index.buckets(owner, range).await?;
            let last = rows.len() < limits::S3_PAGE;
            for row in rows {
                let bucket = row::listed_bucket(row)?;
                after.clone_from(&bucket.name);
                if ask
                    .region
                    .as_ref()
                    .is_some_and(|region| *region != bucket.region)
                {
                    continue;
                }
                if page.buckets.len() == ask.limit {
                    page.next = page.buckets.last().map(|bucket| bucket.name.clone());
                    return Ok(page);
                }
                page.buckets.push(bucket);
            }
            if last {
                return Ok(page);
            }
        }
    }

    /// Deletes a bucket that has no objects, together with its unfinished uploads and their parts.
    ///
    /// # Errors
    /// [`S3Fault::BucketNotEmpty`], [`S3Fault::NoSuchBucket`].
    pub async fn delete_bucket(&self, name: &str) -> Result<(), S3Fault> {
        let range = ListRange {
            limit: limits::S3_PAGE,
            bodies: row::NAMES,
            ..ListRange::default()
        };
        // Uploads begin and end meanwhile, and a bucket with more than a page of them takes more
        // rounds.
        let mut rounds = 0;
        while rounds < ATTEMPTS {
            let one = ListRange {
                limit: 1,
                bodies: row::NAMES,
                ..ListRange::default()
            };
            if !self.index.objects(name, one).await?.is_empty() {
                return Err(S3Fault::BucketNotEmpty(name.into()));
            }
            let uploads = self.index.uploads(name, range.clone()).await?;
            let all = uploads.len() < limits::S3_PAGE;
            let ends = uploads
                .into_iter()
                .map(|row| IndexWrite::DeleteUpload(row.upload));
            let bucket = all.then(|| IndexWrite::DeleteBucket(name.into()));
            let batch = ends.chain(bucket).collect();
            match self.commit(name, batch, BlobRefs::Nothing, None).await {
                Ok(_) if all => return Ok(()),
                Ok(_) => {}
                Err(CommitError::Store(StoreError::Precondition(
                    FailedPrecondition::BucketNotEmpty | FailedPrecondition::NoSuchUpload,
                ))) => {
                    rounds += 1;
                }
                Err(error) => return Err(missing(error, name)),
            }
        }
        Err(S3Fault::BucketNotEmpty(name.into()))
    }

    /// Replaces or removes a bucket's policy. The text has been validated before.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchBucket`].
    pub async fn set_policy(&self, bucket: &str, policy: Option<&str>) -> Result<(), S3Fault> {
        self.change(bucket, |bucket| bucket.policy = policy.map(Arc::from))
            .await
    }

    /// Replaces a bucket's tags; an empty set removes them.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchBucket`], [`S3Fault::Tag`].
    pub async fn set_bucket_tags(&self, bucket: &str, tags: &Tags) -> Result<(), S3Fault> {
        crate::check_bucket_tags(tags)?;
        self.change(bucket, |bucket| bucket.tags.clone_from(tags))
            .await
    }

    /// Adds tags to a bucket, replacing those with the same key, and removes others by key.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchBucket`], [`S3Fault::Tag`].
    pub async fn change_bucket_tags(
        &self,
        bucket: &str,
        set: &Tags,
        removed: &[String],
    ) -> Result<(), S3Fault> {
        self.try_change(bucket, |bucket| {
            let stays = |key: &String| !removed.contains(key) && set.iter().all(|(k, _)| k != key);
            bucket.tags.retain(|(key, _)| stays(key));
            bucket.tags.extend(set.iter().cloned());
            crate::check_bucket_tags(&bucket.tags)?;
            Ok(())
        })
        .await
    }

    /// Replaces or removes a bucket's Block Public Access settings.
    ///
    /// # Errors
    /// [`S3Fault::NoSuchBucket`].
    pub async fn set_public_access_block(
        &self,
        bucket: &str,
        block: Option<PublicAccessBlock>,
    ) -> Result<(), S3Fault> {
        self.change(bucket, |bucket| bucket.public_access_block = block)
            .await
    }

    async fn change(&self, name: &str, change: impl Fn(&mut Bucket)) -> Result<(), S3Fault> {
        let change = |bucket: &mut Bucket| {
            change(bucket);
            Ok(())
        };
        self.try_change(name, change).await
    }

    async fn try_change(
        &self,
        name: &str,
        change: impl Fn(&mut Bucket) -> Result<(), S3Fault>,
    ) -> Result<(), S3Fault> {
        for _ in 0..ATTEMPTS {
            let found = self.index.bucket(name).await?;
            let was: BucketRow = found.ok_or_else(|| S3Fault::NoSuchBucket(name.into()))?;
            let mut bucket = row::bucket(&was)?;
            change(&mut bucket)?;
            let write = IndexWrite::UpdateBucket {
                row: row::of_bucket(&bucket)?,
                was: was.body,
            };
            match self
                .commit(name, vec![write], BlobRefs::Nothing, None)
                .await
            {
                Ok(_) => return Ok(()),
                Err(CommitError::Store(StoreError::Precondition(
                    FailedPrecondition::BucketExists(_),
                ))) => {}
                Err(error) => return Err(missing(error, name)),
            }
        }
        Err(S3Fault::Internal(format!("bucket {name} kept changing")))
    }
}

/// Maps the failure of a batch whose only precondition is that the bucket exists.
pub(crate) fn missing(error: CommitError, bucket: &str) -> S3Fault {
    match error {
        CommitError::Store(StoreError::Precondition(FailedPrecondition::NoSuchBucket)) => {
            S3Fault::NoSuchBucket(bucket.into())
        }
        other => other.into(),
    }
}

fn taken(wanted: Bucket, found: &Bucket) -> Result<Bucket, S3Fault> {
    if found.owner != wanted.owner {
        Err(S3Fault::BucketExists(wanted.name))
    } else if found.region == HOME && wanted.region == HOME && wanted.tags.is_empty() {
        Ok(found.clone())
    } else {
        Err(S3Fault::BucketOwnedByYou(wanted.name))
    }
}

/// The region of a new bucket. The us-east-1 endpoint is the global one and creates buckets in any
/// region; every other endpoint creates them in its own region and requires a matching constraint.
fn location(endpoint: &str, constraint: Option<&str>) -> Result<String, S3Fault> {
    if region(endpoint).is_none() {
        return Err(S3Fault::WrongRegion {
            signed: endpoint.into(),
            region: HOME.into(),
        });
    }
    let constraint = match constraint {
        Some("EU") if matches!(endpoint, HOME | EU) => Some(EU),
        other => other.filter(|constraint| !constraint.is_empty()),
    };
    match constraint {
        None if endpoint == HOME => Ok(HOME.into()),
        None => Err(S3Fault::IllegalLocation("unspecified".into())),
        Some(given) if endpoint != HOME && given != endpoint => {
            Err(S3Fault::IllegalLocation(given.into()))
        }
        Some(given) if given == HOME || region(given).is_none() => {
            Err(S3Fault::InvalidLocation(given.into()))
        }
        Some(given) => Ok(given.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::location;
    use crate::fault::S3Fault;

    #[test]
    fn locations() {
        for (endpoint, constraint, expected) in [
            ("us-east-1", None, "us-east-1"),
            ("us-east-1", Some("eu-west-1"), "eu-west-1"),
            ("us-east-1", Some("EU"), "eu-west-1"),
            ("eu-west-1", Some("EU"), "eu-west-1"),
            ("us-east-1", Some("us-east-1"), "InvalidLocation"),
            ("us-east-1", Some("bar"), "InvalidLocation"),
            ("ap-south-1", Some("ap-south-1"), "ap-south-1"),
            ("ap-south-1", None, "IllegalLocation unspecified"),
            ("ap-south-1", Some(""), "IllegalLocation unspecified"),
            ("ap-south-1", Some("EU"), "IllegalLocation EU"),
            ("ap-south-1", Some("us-east-1"), "IllegalLocation us-east-1"),
            ("aws-global", None, "WrongRegion"),
        ] {
            let got = match location(endpoint, constraint) {
                Ok(region) => region,
                Err(S3Fault::IllegalLocation(given)) => format!("IllegalLocation {given}"),
                Err(S3Fault::InvalidLocation(_)) => "InvalidLocation".into(),
                Err(_) => "WrongRegion".into(),
            };
            assert_eq!(got, expected, "{endpoint} {constraint:?}");
        }
    }
}
