//! Listing objects: prefix, delimiter, markers, pages.
//!
//! Invariant: the pages together are the complete listing, with each key and each common prefix
//! once, in byte order. A common prefix costs one lookup, however many keys it covers.

use keywright_base::{Timestamp, limits};
use keywright_store::contract::{ListRange, VersionId};

use crate::{Objects, digest::Checksum, fault::S3Fault, object::displayed_class, row};

/// Which objects to list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Only keys with this prefix.
    pub prefix: String,
    /// Groups keys up to the first occurrence of this after the prefix; empty groups nothing.
    pub delimiter: String,
    /// Only keys and common prefixes after this one.
    pub after: String,
    /// The maximum number of keys and common prefixes.
    pub limit: usize,
}

/// An object as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: VersionId,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Its checksum.
    pub checksum: Checksum,
    pub(crate) storage_class: String,
}

impl ListedObject {
    /// The storage class.
    pub fn class(&self) -> &str {
        displayed_class(&self.storage_class)
    }
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The objects, ordered by key.
    pub objects: Vec<ListedObject>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// Where the next page starts, to pass as `after`; `None` on the last page.
    pub next: Option<String>,
}

/// Rows fetched at once, so that a page with a delimiter does not fetch a thousand rows per prefix.
const BATCH: usize = 200;

impl Objects {
    /// Returns a page of a bucket's objects.
    ///
    /// # Errors
    /// [`S3Fault::Internal`].
    pub async fn list(&self, bucket: &str, ask: &ListRequest) -> Result<ListPage, S3Fault> {
        let mut listing = ListPage::default();
        let mut roller = PrefixRoller::new(&ask.prefix, &ask.delimiter, &ask.after, ask.limit);
        let mut cursor = Some((ask.after.clone().into_bytes(), false));
        while let Some((after, inclusive)) = cursor.take() {
            let limit = ask.limit.saturating_add(1).min(BATCH);
            let range = ListRange {
                prefix: ask.prefix.clone(),
                after,
                inclusive,
                limit,
                bodies: row::OBJECT_HEADS,
            };
            if ask.limit == 0 {
                break;
            }
            let rows = self.index.objects(bucket, range).await?;
            if rows.len() == limit {
                cursor = rows.last().map(|row| roller.resume(&row.key));
            }
            for row in rows {
                match roller.offer(&row.key) {
                    RollStep::Emit => listing.objects.push(row::listed_object(row)?),
                    RollStep::Rolled => {}
                    RollStep::Full => {
                        listing.next = Some(roller.last);
                        listing.prefixes = roller.prefixes;
                        return Ok(listing);
                    }
                }
            }
        }
        listing.prefixes = roller.prefixes;
        Ok(listing)
    }
}

/// Takes names in ascending order and decides how each is listed.
pub(crate) struct PrefixRoller<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    after: &'a str,
    limit: usize,
    count: usize,
    pub(crate) prefixes: Vec<String>,
    pub(crate) last: String,
}

pub(crate) enum RollStep {
    /// The name is listed.
    Emit,
    /// The name is covered by a common prefix.
    Rolled,
    /// The page was full before this name.
    Full,
}

impl<'a> PrefixRoller<'a> {
    pub(crate) fn new(prefix: &'a str, delimiter: &'a str, after: &'a str, limit: usize) -> Self {
        let limit = limit.min(limits::S3_PAGE);
        let (prefixes, last) = (Vec::new(), String::new());
        Self {
            prefix,
            delimiter,
            after,
            limit,
            count: 0,
            prefixes,
            last,
        }
    }

    pub(crate) fn offer(&mut self, name: &str) -> RollStep {
        let common = self.common(name);
        if let Some(common) = common
            && (self.prefixes.last().is_some_and(|last| last == common)
                || self.after.starts_with(common))
        {
            return RollStep::Rolled;
        }
        if self.count >= self.limit {
            return RollStep::Full;
        }
        self.count += 1;
        if let Some(common) = common {
            self.prefixes.push(common.into());
            self.last = common.into();
            return RollStep::Rolled;
        }
        self.last = name.into();
        RollStep::Emit
    }

    /// Where to continue after a batch that ended with this name: past its common prefix, if it has
    /// one.
    pub(crate) fn resume(&self, name: &str) -> (Vec<u8>, bool) {
        let mut bytes = match self.common(name) {
            Some(common) => common.as_bytes().to_vec(),
            None => return (name.as_bytes().to_vec(), false),
        };
        // UTF-8 never contains byte 0xff, so the last byte always has a successor.
        if let Some(last) = bytes.last_mut() {
            *last = last.saturating_add(1);
        }
        (bytes, true)
    }

    fn common<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = name.strip_prefix(self.prefix)?;
        let end = self.prefix.len() + rest.find(self.delimiter)? + self.delimiter.len();
        name.get(..end)
    }
}
