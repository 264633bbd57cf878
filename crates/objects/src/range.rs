//! Byte ranges of reads.
//!
//! Invariant: a range returned from here lies within the object. A header that is not a single byte
//! range is ignored, as S3 does. This module does no I/O.

use crate::fault::S3Fault;

/// A range of an object's bytes: `start` inclusive, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSpan {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteSpan {
    /// The whole object.
    pub const fn whole(size: u64) -> Self {
        Self {
            start: 0,
            end: size,
        }
    }

    /// The number of bytes.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of the `Content-Range` header.
    pub fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end.saturating_sub(1))
    }
}

/// Parses a `Range` header; `None` when the header must be ignored.
///
/// # Errors
/// [`S3Fault::InvalidRange`] when the range does not overlap the object.
pub(crate) fn parse(header: &str, size: u64) -> Result<Option<ByteSpan>, S3Fault> {
    let outside = || S3Fault::InvalidRange {
        requested: header.into(),
        size,
    };
    let Some((first, last)) = split(header) else {
        return Ok(None);
    };
    let span = match (first, last) {
        (Some(first), Some(last)) if first > last => return Ok(None),
        (Some(first), last) => ByteSpan {
            start: first,
            end: last.map_or(size, |last| last.saturating_add(1).min(size)),
        },
        (None, Some(suffix)) => ByteSpan {
            start: size.saturating_sub(suffix),
            end: size,
        },
        (None, None) => return Ok(None),
    };
    if span.start >= span.end {
        Err(outside())
    } else {
        Ok(Some(span))
    }
}

/// Parses `x-amz-copy-source-range`.
///
/// # Errors
/// [`S3Fault::CopyRangeForm`], [`S3Fault::CopyRangeOutside`], [`S3Fault::CopyRangeBeyond`].
pub(crate) fn parse_copy(header: &str, size: u64) -> Result<ByteSpan, S3Fault> {
    let Some((Some(first), Some(last))) = split(header) else {
        return Err(S3Fault::CopyRangeForm(header.into()));
    };
    if first > last {
        return Err(S3Fault::CopyRangeForm(header.into()));
    }
    if first >= size {
        return Err(S3Fault::CopyRangeBeyond);
    }
    if last >= size {
        return Err(S3Fault::CopyRangeOutside {
            requested: header.into(),
            size,
        });
    }
    Ok(ByteSpan {
        start: first,
        end: last.saturating_add(1),
    })
}

type RangeBounds = (Option<u64>, Option<u64>);

fn split(header: &str) -> Option<RangeBounds> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    Some((number(first)?, number(last)?))
}

/// Parses an optional number; `None` when it is malformed.
#[expect(
    clippy::option_option,
    reason = "absent and malformed are different here"
)]
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{ByteSpan, parse, parse_copy};

    #[test]
    fn headers() {
        let span = |start, end| Some(Some(ByteSpan { start, end }));
        for (header, size, expected) in [
            ("bytes=0-4", 10, span(0, 5)),
            ("bytes=5-", 10, span(5, 10)),
            ("bytes=-3", 10, span(7, 10)),
            ("bytes=-30", 10, span(0, 10)),
            ("bytes=0-99", 10, span(0, 10)),
            ("bytes=9-9", 10, span(9, 10)),
            ("bytes=0-99999999999999999999999", 10, span(0, 10)),
            ("bytes=10-", 10, None),
            ("bytes=-0", 10, None),
            ("bytes=0-", 0, None),
            ("bytes=-5", 0, None),
            ("bytes=5-4", 10, Some(None)),
            ("bytes=-", 10, Some(None)),
            ("bytes=a-b", 10, Some(None)),
            ("bytes=0-1,3-4", 10, Some(None)),
            ("lines=0-1", 10, Some(None)),
            ("", 10, Some(None)),
        ] {
            assert_eq!(parse(header, size).ok(), expected, "{header} of {size}");
        }
    }

    #[test]
    fn copy_ranges() {
        for (header, expected) in [
            ("bytes=0-9", Some(ByteSpan { start: 0, end: 10 })),
            ("bytes=0-10", None),
            ("bytes=5-", None),
            ("0-8", None),
            ("bytes=4-3", None),
        ] {
            assert_eq!(parse_copy(header, 10).ok(), expected, "{header}");
        }
    }
}
