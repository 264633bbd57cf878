//! Names of buckets, keys and storage classes: what S3 accepts.
//!
//! Invariant: a name that passes here is safe in an ARN, an index key and a response. This module
//! does no I/O.

use keywright_base::limits;

use crate::fault::S3Fault;

/// Storage classes that are stored and returned. All objects live on one disk whatever their class;
/// classes that require a restore before reading are rejected.
const CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

/// Checks a bucket name: 3 to 63 characters of `a-z 0-9 . -`, not an IP address, no reserved prefix
/// or suffix.
///
/// # Errors
/// [`S3Fault::InvalidBucketName`].
pub fn check_bucket(name: &str) -> Result<(), S3Fault> {
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|p| name.starts_with(p))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|s| name.ends_with(s));
    if fits {
        Ok(())
    } else {
        Err(S3Fault::InvalidBucketName(name.into()))
    }
}

/// Checks the length of a key: 1 to 1,024 bytes.
///
/// # Errors
/// [`S3Fault::KeyTooLong`].
pub fn check_key(key: &str) -> Result<(), S3Fault> {
    let size = key.len();
    if size > limits::S3_KEY_BYTES {
        return Err(S3Fault::KeyTooLong {
            size,
            limit: limits::S3_KEY_BYTES,
        });
    }
    Ok(())
}

/// Checks a storage class.
///
/// # Errors
/// [`S3Fault::InvalidStorageClass`].
pub fn check_class(class: &str) -> Result<(), S3Fault> {
    if CLASSES.contains(&class) {
        Ok(())
    } else {
        Err(S3Fault::InvalidStorageClass(class.into()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bucket_names() {
        for (name, valid) in [
            ("abc", true),
            ("my-bucket.v2", true),
            ("0a0", true),
            ("ab", false),
            ("Bucket", false),
            ("a_b", false),
            ("-abc", false),
            ("abc-", false),
            ("a..b", false),
            ("192.168.5.4", false),
            ("xn--abc", false),
            ("abc-s3alias", false),
            ("aaa/bbb", false),
        ] {
            assert_eq!(super::check_bucket(name).is_ok(), valid, "{name}");
        }
        assert!(super::check_bucket(&"a".repeat(63)).is_ok());
        assert!(super::check_bucket(&"a".repeat(64)).is_err());
    }

    #[test]
    fn keys() {
        assert!(super::check_key(&"é".repeat(512)).is_ok());
        assert!(super::check_key(&"é".repeat(513)).is_err());
    }
}
