//! Entity tags and checksums: always MD5, plus one of S3's five checksum algorithms.
//!
//! Invariant: a stored checksum was computed here from the bytes, never copied from the client.
//! CRCs of parts are combined into the object's without reading the bytes again. This module does
//! no I/O.

use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

use crate::fault::{ChecksumFault, S3Fault};

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 as in zip and Ethernet.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME, S3's default.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// How the checksum of a multipart object is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumType {
    /// Over the object's bytes.
    FullObject,
    /// Over the parts' checksums, followed by `-` and the number of parts.
    Composite,
}

/// A stored checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Base64; composite checksums end in `-` and the number of parts.
    pub value: String,
    /// How it was computed.
    pub kind: ChecksumType,
}

impl ChecksumAlgorithm {
    /// All algorithms, in S3's order.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// S3's name for it, for example `CRC64NVME`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The lower-case name, as used in some messages.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// The header that carries its value.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Parses an algorithm name, ignoring case.
    ///
    /// # Errors
    /// [`ChecksumFault::UnknownAlgorithm`].
    pub fn parse(name: &str) -> Result<Self, ChecksumFault> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or(ChecksumFault::UnknownAlgorithm)
    }

    /// Checks that a text is a base64 value of this algorithm's length.
    ///
    /// # Errors
    /// [`ChecksumFault::Malformed`].
    pub fn check_form(self, value: &str) -> Result<(), ChecksumFault> {
        match STANDARD.decode(value) {
            Ok(bytes) if bytes.len() == self.size() => Ok(()),
            _ => Err(ChecksumFault::Malformed(self)),
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(crate) const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl ChecksumType {
    /// S3's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// Parses the name of a checksum type.
    ///
    /// # Errors
    /// [`S3Fault::InvalidArgument`].
    pub fn parse(name: &str) -> Result<Self, S3Fault> {
        match name {
            "FULL_OBJECT" => Ok(Self::FullObject),
            "COMPOSITE" => Ok(Self::Composite),
            _ => Err(S3Fault::InvalidArgument {
                message: "Value for x-amz-checksum-type header is invalid.".into(),
                name: "x-amz-checksum-type",
                value: Some(name.into()),
            }),
        }
    }

    /// Checks that an algorithm supports this type, or returns the algorithm's default type.
    ///
    /// # Errors
    /// [`ChecksumFault::Incompatible`].
    pub fn of(
        algorithm: ChecksumAlgorithm,
        requested: Option<Self>,
    ) -> Result<Self, ChecksumFault> {
        let allowed: &[Self] = match algorithm {
            ChecksumAlgorithm::Crc64Nvme => &[Self::FullObject],
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => {
                &[Self::Composite, Self::FullObject]
            }
            ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => &[Self::Composite],
        };
        match (requested, allowed.first()) {
            (Some(kind), _) if allowed.contains(&kind) => Ok(kind),
            (None, Some(kind)) => Ok(*kind),
            (requested, _) => Err(ChecksumFault::Incompatible {
                kind: requested.unwrap_or(Self::FullObject),
                algorithm,
            }),
        }
    }
}

/// A digest in progress: MD5 and one checksum.
pub(crate) struct BodyHasher {
    md5: Md5,
    algorithm: ChecksumAlgorithm,
    sum: RunningChecksum,
    /// CRC64NVME beside another algorithm: if an upload named none, its parts may come with any
    /// algorithm, and the object gets this one. It costs little compared to MD5.
    crc64: Option<Box<crc_fast::Digest>>,
}

enum RunningChecksum {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
}

/// A finished digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyDigests {
    /// MD5 of the bytes.
    pub(crate) md5: [u8; 16],
    /// The checksum algorithm.
    pub(crate) algorithm: ChecksumAlgorithm,
    /// The checksum, raw.
    pub(crate) sum: Vec<u8>,
    /// The CRC64NVME, raw.
    pub(crate) crc64: Vec<u8>,
}

impl BodyHasher {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        let sum = match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => RunningChecksum::Crc(Box::new(crc_fast::Digest::new(crc))),
            (ChecksumAlgorithm::Sha1, None) => RunningChecksum::Sha1(Sha1::new()),
            (_, None) => RunningChecksum::Sha256(Sha256::new()),
        };
        Self {
            md5: Md5::new(),
            algorithm,
            sum,
            crc64: (algorithm != ChecksumAlgorithm::Crc64Nvme)
                .then(|| Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        match &mut self.sum {
            RunningChecksum::Crc(crc) => crc.update(bytes),
            RunningChecksum::Sha1(sha) => sha.update(bytes),
            RunningChecksum::Sha256(sha) => sha.update(bytes),
        }
        if let Some(crc64) = &mut self.crc64 {
            crc64.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> BodyDigests {
        let sum = match self.sum {
            RunningChecksum::Crc(crc) => crc_bytes(self.algorithm, crc.finalize()),
            RunningChecksum::Sha1(sha) => sha.finalize().to_vec(),
            RunningChecksum::Sha256(sha) => sha.finalize().to_vec(),
        };
        let crc64 = self
            .crc64
            .map(|crc64| crc_bytes(ChecksumAlgorithm::Crc64Nvme, crc64.finalize()));
        BodyDigests {
            md5: self.md5.finalize().into(),
            algorithm: self.algorithm,
            crc64: crc64.unwrap_or_else(|| sum.clone()),
            sum,
        }
    }
}

impl BodyDigests {
    /// The CRC64NVME in base64.
    pub(crate) fn crc64(&self) -> String {
        STANDARD.encode(&self.crc64)
    }

    /// The entity tag of an object uploaded in one request.
    pub(crate) fn etag(&self) -> String {
        hex::encode(self.md5)
    }

    /// The checksum of the whole body.
    pub(crate) fn checksum(&self) -> Checksum {
        Checksum {
            algorithm: self.algorithm,
            value: STANDARD.encode(&self.sum),
            kind: ChecksumType::FullObject,
        }
    }
}

/// The entity tag of an object assembled from parts with these entity tags.
pub(crate) fn multipart_etag<'a>(parts: impl Iterator<Item = &'a str>) -> Result<String, S3Fault> {
    let mut md5 = Md5::new();
    let mut count = 0_usize;
    for etag in parts {
        let raw = hex::decode(etag).map_err(|_| S3Fault::Internal(format!("part etag {etag}")))?;
        md5.update(&raw);
        count = count.saturating_add(1);
    }
    Ok(format!("{}-{count}", hex::encode(md5.finalize())))
}

/// The checksum of an object assembled from parts with these checksums (base64) and sizes.
pub(crate) fn multipart_checksum(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumType,
    parts: &[(&str, u64)],
) -> Result<Checksum, S3Fault> {
    let decoded: Result<Vec<_>, _> = parts
        .iter()
        .map(|(value, size)| STANDARD.decode(value).map(|raw| (raw, *size)))
        .collect();
    let decoded = decoded.map_err(|_| S3Fault::Internal("part checksum".into()))?;
    let value = match (kind, algorithm.crc()) {
        (ChecksumType::FullObject, Some(crc)) => STANDARD.encode(combine(algorithm, crc, &decoded)),
        _ => composite(algorithm, &decoded),
    };
    Ok(Checksum {
        algorithm,
        value,
        kind,
    })
}

fn combine(algorithm: ChecksumAlgorithm, crc: CrcAlgorithm, parts: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let number = |raw: &[u8]| {
        raw.iter()
            .fold(0_u64, |acc, byte| (acc << 8) | u64::from(*byte))
    };
    let mut parts = parts.iter();
    let first = parts.next().map_or(0, |(raw, _)| number(raw));
    let whole = parts.fold(first, |acc, (raw, size)| {
        checksum_combine(crc, acc, number(raw), *size)
    });
    crc_bytes(algorithm, whole)
}

fn composite(algorithm: ChecksumAlgorithm, parts: &[(Vec<u8>, u64)]) -> String {
    let mut hasher = BodyHasher::new(algorithm);
    for (raw, _) in parts {
        hasher.update(raw);
    }
    format!("{}-{}", STANDARD.encode(hasher.finish().sum), parts.len())
}

fn crc_bytes(algorithm: ChecksumAlgorithm, crc: u64) -> Vec<u8> {
    let bytes = crc.to_be_bytes();
    bytes
        .into_iter()
        .skip(8 - algorithm.size().min(8))
        .collect()
}

/// Parses a `Content-MD5` header into its 16 bytes.
///
/// # Errors
/// [`S3Fault::InvalidMd5`].
pub(crate) fn parse_md5(header: &str) -> Result<[u8; 16], S3Fault> {
    STANDARD
        .decode(header)
        .ok()
        .and_then(|raw| raw.try_into().ok())
        .ok_or_else(|| S3Fault::InvalidMd5(header.into()))
}

/// The base64 of an MD5, as `BadDigest` shows it.
pub(crate) fn base64(raw: &[u8]) -> String {
    STANDARD.encode(raw)
}

#[cfg(test)]
mod tests {
    use super::{BodyHasher, ChecksumAlgorithm, ChecksumType, multipart_checksum, multipart_etag};

    fn digests(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> super::BodyDigests {
        let mut hasher = BodyHasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn known_values() {
        for (algorithm, expected) in [
            (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
            (ChecksumAlgorithm::Crc32c, "4waSgw=="),
            (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                ChecksumAlgorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ] {
            let got = digests(algorithm, b"123456789").checksum();
            assert_eq!(got.value, expected, "{algorithm:?}");
            assert!(algorithm.check_form(&got.value).is_ok());
        }
        assert_eq!(
            digests(ChecksumAlgorithm::Crc32, b"").etag(),
            "d41d8cd98f00b204e9800998ecf8427e"
        );
    }

    #[test]
    fn full_object_checksums_of_parts_are_those_of_the_bytes() {
        let bytes: Vec<u8> = (0..100_000_u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32c,
            ChecksumAlgorithm::Crc64Nvme,
        ] {
            for cut in [0, 1, 17, 50_000, 100_000] {
                let (a, b) = bytes.split_at(cut);
                let (x, y) = (
                    digests(algorithm, a).checksum(),
                    digests(algorithm, b).checksum(),
                );
                let parts = [
                    (x.value.as_str(), a.len() as u64),
                    (&y.value, b.len() as u64),
                ];
                let whole =
                    multipart_checksum(algorithm, ChecksumType::FullObject, &parts).unwrap();
                assert_eq!(
                    whole,
                    digests(algorithm, &bytes).checksum(),
                    "{algorithm:?} {cut}"
                );
            }
        }
    }

    #[test]
    fn every_body_has_a_crc64_beside_its_checksum() {
        for algorithm in ChecksumAlgorithm::ALL {
            let got = digests(algorithm, b"123456789");
            assert_eq!(got.crc64(), "rosUhgp5mIg=", "{algorithm:?}");
        }
    }

    #[test]
    fn composite_values_count_their_parts() {
        let part = digests(ChecksumAlgorithm::Sha256, b"x").checksum();
        let parts = [(part.value.as_str(), 1), (part.value.as_str(), 1)];
        let whole =
            multipart_checksum(ChecksumAlgorithm::Sha256, ChecksumType::Composite, &parts).unwrap();
        assert!(whole.value.ends_with("-2"));
        let etag = multipart_etag(["d41d8cd98f00b204e9800998ecf8427e"].into_iter()).unwrap();
        assert_eq!(etag, "59adb24ef3cdbe0297f05b395827453f-1");
    }

    #[test]
    fn kinds_and_algorithms() {
        use ChecksumAlgorithm::{Crc32, Crc64Nvme, Sha1};
        use ChecksumType::{Composite, FullObject};
        for (algorithm, requested, kind) in [
            (Crc32, None, Some(Composite)),
            (Crc32, Some(FullObject), Some(FullObject)),
            (Crc64Nvme, None, Some(FullObject)),
            (Crc64Nvme, Some(Composite), None),
            (Sha1, None, Some(Composite)),
            (Sha1, Some(FullObject), None),
        ] {
            assert_eq!(
                ChecksumType::of(algorithm, requested).ok(),
                kind,
                "{algorithm:?} {requested:?}"
            );
        }
    }
}
