//! Lists objects, with both versions of the operation, and object versions.
//!
//! This module handles shapes, markers and encoding only; `keywright_objects` selects the objects.

use s3s::{S3Response, dto};

use keywright_objects::{ListAsk, ListPage, S3Fault};

use super::{
    access::{ListsObjects, S3Permit},
    convert::{etag, kind, owner, parse_token, region_header, timestamp, token, url_encode},
    headers,
};

/// How names are written: as they are, or percent-encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameEncoding(bool);

impl NameEncoding {
    /// The encoding that a request asks for.
    ///
    /// # Errors
    /// [`S3Fault::InvalidArgument`] for anything but `url`.
    pub(super) fn of(requested: Option<&dto::EncodingType>) -> Result<Self, S3Fault> {
        match requested.map(dto::EncodingType::as_str) {
            None => Ok(Self(false)),
            Some(dto::EncodingType::URL) => Ok(Self(true)),
            Some(other) => Err(S3Fault::InvalidArgument {
                message: "Invalid Encoding Method specified in Request".into(),
                name: "encoding-type",
                value: Some(other.into()),
            }),
        }
    }

    pub(super) fn text(self, name: &str) -> String {
        if self.0 {
            url_encode(name)
        } else {
            name.into()
        }
    }

    pub(super) fn maybe(self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.text(name))
    }

    pub(super) fn to_dto(self) -> Option<dto::EncodingType> {
        self.0
            .then(|| dto::EncodingType::from_static(dto::EncodingType::URL))
    }

    pub(super) fn prefixes(self, prefixes: &[String]) -> Option<dto::CommonPrefixList> {
        let list = prefixes.iter().map(|prefix| dto::CommonPrefix {
            prefix: Some(self.text(prefix)),
        });
        (!prefixes.is_empty()).then(|| list.collect())
    }
}

pub(super) async fn v1(
    permit: S3Permit<dto::ListObjectsInput>,
    input: dto::ListObjectsInput,
) -> Result<S3Response<dto::ListObjectsOutput>, S3Fault> {
    let encoding = NameEncoding::of(input.encoding_type.as_ref())?;
    let limit = headers::page(input.max_keys, "maxKeys")?;
    let ask = ListAsk {
        prefix: input.prefix.unwrap_or_default(),
        delimiter: input.delimiter.unwrap_or_default(),
        after: input.marker.unwrap_or_default(),
        limit,
    };
    let listing = permit.list_objects(&ask).await?;
    let next = listing
        .next
        .as_deref()
        .filter(|_| !ask.delimiter.is_empty());
    let region = region_header(permit.bucket()?);
    let mut response = S3Response::new(dto::ListObjectsOutput {
        is_truncated: Some(listing.next.is_some()),
        next_marker: encoding.maybe(next),
        contents: contents(&permit, &listing, encoding, true)?,
        common_prefixes: encoding.prefixes(&listing.prefixes),
        name: Some(input.bucket),
        prefix: Some(encoding.text(&ask.prefix)),
        marker: Some(encoding.text(&ask.after)),
        max_keys: i32::try_from(limit).ok(),
        delimiter: delimiter(&ask, encoding),
        encoding_type: encoding.to_dto(),
        request_charged: None,
    });
    response.headers.extend(region);
    Ok(response)
}

pub(super) async fn v2(
    permit: S3Permit<dto::ListObjectsV2Input>,
    input: dto::ListObjectsV2Input,
) -> Result<S3Response<dto::ListObjectsV2Output>, S3Fault> {
    let encoding = NameEncoding::of(input.encoding_type.as_ref())?;
    let limit = headers::page(input.max_keys, "maxKeys")?;
    let after = match &input.continuation_token {
        Some(given) => {
            let known = parse_token(given).filter(|_| !given.is_empty());
            known.ok_or_else(wrong_token)?
        }
        None => input.start_after.clone().unwrap_or_default(),
    };
    let ask = ListAsk {
        prefix: input.prefix.unwrap_or_default(),
        delimiter: input.delimiter.unwrap_or_default(),
        after,
        limit,
    };
    let listing = permit.list_objects(&ask).await?;
    let count = listing.objects.len() + listing.prefixes.len();
    let region = region_header(permit.bucket()?);
    let start_after = input
        .start_after
        .filter(|_| input.continuation_token.is_none());
    let mut response = S3Response::new(dto::ListObjectsV2Output {
        contents: contents(&permit, &listing, encoding, input.fetch_owner == Some(true))?,
        common_prefixes: encoding.prefixes(&listing.prefixes),
        name: Some(input.bucket),
        prefix: Some(encoding.text(&ask.prefix)),
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next.as_deref().map(token),
        delimiter: delimiter(&ask, encoding),
        encoding_type: encoding.to_dto(),
        start_after: encoding.maybe(start_after.as_deref()),
        request_charged: None,
    });
    response.headers.extend(region);
    Ok(response)
}

/// The object versions of a bucket that was never versioned: each object has one version.
pub(super) async fn versions(
    permit: S3Permit<dto::ListObjectVersionsInput>,
    input: dto::ListObjectVersionsInput,
) -> Result<S3Response<dto::ListObjectVersionsOutput>, S3Fault> {
    let encoding = NameEncoding::of(input.encoding_type.as_ref())?;
    let limit = headers::page(input.max_keys, "maxKeys")?;
    let key_marker = input.key_marker.unwrap_or_default();
    let version_marker = input.version_id_marker.unwrap_or_default();
    if !version_marker.is_empty() && key_marker.is_empty() {
        return Err(S3Fault::InvalidArgument {
            message: "A version-id marker cannot be specified without a key marker.".into(),
            name: "version-id-marker",
            value: Some(version_marker),
        });
    }
    let ask = ListAsk {
        prefix: input.prefix.unwrap_or_default(),
        delimiter: input.delimiter.unwrap_or_default(),
        after: key_marker,
        limit,
    };
    let listing = permit.list_objects(&ask).await?;
    let account = permit.bucket()?.owner;
    let versions = listing.objects.iter().map(|object| dto::ObjectVersion {
        checksum_algorithm: Some(vec![dto::ChecksumAlgorithm::from(
            object.checksum.algorithm.name().to_owned(),
        )]),
        checksum_type: Some(kind(object.checksum.kind)),
        e_tag: Some(etag(&object.etag)),
        is_latest: Some(true),
        key: Some(encoding.text(&object.key)),
        last_modified: Some(timestamp(object.modified)),
        owner: Some(owner(account)),
        restore_status: None,
        size: i64::try_from(object.size).ok(),
        storage_class: Some(dto::ObjectVersionStorageClass::from(
            object.class().to_owned(),
        )),
        version_id: Some(object.version.as_str().to_owned()),
    });
    let next = listing.next.as_deref();
    // A page that ends with a common prefix has no version to continue from.
    let last = listing.objects.last();
    let last_version = last.filter(|last| Some(&*last.key) == next);
    let mut response = S3Response::new(dto::ListObjectVersionsOutput {
        common_prefixes: encoding.prefixes(&listing.prefixes),
        delete_markers: None,
        delimiter: delimiter(&ask, encoding),
        encoding_type: encoding.to_dto(),
        is_truncated: Some(next.is_some()),
        key_marker: Some(encoding.text(&ask.after)),
        max_keys: i32::try_from(limit).ok(),
        name: Some(input.bucket),
        next_key_marker: encoding.maybe(next),
        next_version_id_marker: last_version.map(|last| last.version.as_str().to_owned()),
        prefix: Some(encoding.text(&ask.prefix)),
        request_charged: None,
        version_id_marker: Some(version_marker),
        versions: (!listing.objects.is_empty()).then(|| versions.collect()),
    });
    response.headers.extend(region_header(permit.bucket()?));
    Ok(response)
}

fn wrong_token() -> S3Fault {
    S3Fault::InvalidArgument {
        message: "The continuation token provided is incorrect".into(),
        name: "continuation-token",
        value: None,
    }
}

fn delimiter(ask: &ListAsk, encoding: NameEncoding) -> Option<String> {
    (!ask.delimiter.is_empty()).then(|| encoding.text(&ask.delimiter))
}

fn contents<O: ListsObjects>(
    permit: &S3Permit<O>,
    listing: &ListPage,
    encoding: NameEncoding,
    with_owner: bool,
) -> Result<Option<dto::ObjectList>, S3Fault> {
    let account = permit.bucket()?.owner;
    let list = listing.objects.iter().map(|object| dto::Object {
        checksum_algorithm: Some(vec![dto::ChecksumAlgorithm::from(
            object.checksum.algorithm.name().to_owned(),
        )]),
        checksum_type: Some(kind(object.checksum.kind)),
        e_tag: Some(etag(&object.etag)),
        key: Some(encoding.text(&object.key)),
        last_modified: Some(timestamp(object.modified)),
        owner: with_owner.then(|| owner(account)),
        restore_status: None,
        size: i64::try_from(object.size).ok(),
        storage_class: Some(dto::ObjectStorageClass::from(object.class().to_owned())),
    });
    Ok((!listing.objects.is_empty()).then(|| list.collect()))
}
