//! Decodes aws-chunked bodies incrementally and checks every signature.
//!
//! Invariants: memory is bounded, because data is passed on as it arrives and only a chunk's header
//! or a trailer line is buffered. No data is authenticated before its chunk ends: **do not commit
//! what [`ChunkDecoder::decode`] returns until [`ChunkDecoder::finish`] returns `Ok`.** The
//! trailing checksum is not computed here; [`FinishedBody`] carries it.
//!
//! Format: `SIZE-IN-HEX[;chunk-signature=HEX]` CRLF, the data, CRLF; a last chunk of size 0 without
//! data; for each trailer `name:value` CRLF, plus `x-amz-trailer-signature:HEX` CRLF if signed;
//! CRLF.

use bytes::{Buf, Bytes};
use keywright_base::limits;
use ring::digest;

use crate::{
    CredentialScope, PayloadClaim, PresentedSignature, SigningKey, Verified,
    key::{bytes32, push_hex, sha256},
    verify::push_preamble,
};

/// The minimum size of a signed chunk other than the last, in bytes. S3's limit.
const CHUNK_BYTES_MIN: u64 = 8192;

/// What is wrong with an aws-chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkFault {
    /// The body ends early, or its length differs from the declared length.
    Incomplete,
    /// A chunk header is malformed, or data follows the end.
    Malformed,
    /// The signature of a chunk or of the trailer is wrong.
    Signature,
    /// A chunk other than the last is too small.
    TooSmall {
        /// The chunk's number, from 1.
        chunk: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// A trailer is malformed or was not announced, or an announced trailer is missing.
    Trailer,
    /// `x-amz-decoded-content-length` is missing or not a number.
    DecodedLength,
    /// The body is larger than S3 accepts in one request.
    TooLarge {
        /// `x-amz-decoded-content-length`, in bytes.
        size: u64,
    },
}

/// The result of a complete, authenticated aws-chunked body.
#[derive(Debug, PartialEq, Eq)]
pub struct FinishedBody {
    /// The trailers, for example `x-amz-checksum-crc32`, as pairs of lower-case name and value.
    pub trailers: Vec<(String, String)>,
    /// The length of the decoded data, in bytes.
    pub length: u64,
}

#[derive(Debug)]
struct ChunkSigner {
    key: SigningKey,
    amz_date: String,
    scope: CredentialScope,
    previous: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecodeState {
    Head,
    Data { left: u64 },
    DataEnd,
    Trailers,
    Done,
}

/// Decodes one body.
pub struct ChunkDecoder {
    signer: Option<ChunkSigner>,
    trailer_allowed: bool,
    announced: Vec<String>,
    trailers: Vec<(String, String)>,
    trailer_text: Vec<u8>,
    trailer_bytes: usize,
    trailer_signed: bool,
    state: DecodeState,
    line: Vec<u8>,
    hash: digest::Context,
    claimed: String,
    chunks: u64,
    small: Option<(u64, u64)>,
    expected: u64,
    decoded: u64,
}

impl std::fmt::Debug for ChunkDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkDecoder")
            .field("state", &self.state)
            .field("decoded", &self.decoded)
            .finish_non_exhaustive()
    }
}

impl ChunkDecoder {
    /// Creates a decoder for the body of a verified request with a streaming [`PayloadClaim`].
    ///
    /// `headers` are the request's headers: `x-amz-decoded-content-length` is required, and
    /// `x-amz-trailer` announces the trailers.
    ///
    /// # Errors
    /// [`ChunkFault::DecodedLength`]; [`ChunkFault::TooLarge`]; [`ChunkFault::Trailer`] if the
    /// announced trailers do not fit the mode; [`ChunkFault::Malformed`] if the request does not
    /// declare a streaming payload.
    pub fn new(
        _proof: &Verified,
        presented: &PresentedSignature,
        key: &SigningKey,
        headers: &http::HeaderMap,
    ) -> Result<Self, ChunkFault> {
        let (signed, trailer_allowed) = match presented.payload {
            PayloadClaim::Streaming => (true, false),
            PayloadClaim::StreamingTrailer => (true, true),
            PayloadClaim::StreamingUnsignedTrailer => (false, true),
            PayloadClaim::Undeclared | PayloadClaim::Sha256(_) | PayloadClaim::Unsigned => {
                return Err(ChunkFault::Malformed);
            }
        };
        let announced = announced(headers)?;
        if !trailer_allowed && !announced.is_empty() {
            return Err(ChunkFault::Trailer);
        }
        Ok(Self {
            signer: signed.then(|| ChunkSigner {
                key: key.clone(),
                amz_date: presented.amz_date.clone(),
                scope: presented.scope,
                previous: presented.signature.clone(),
            }),
            trailer_allowed,
            announced,
            trailers: Vec::new(),
            trailer_text: Vec::new(),
            trailer_bytes: 0,
            trailer_signed: false,
            state: DecodeState::Head,
            line: Vec::new(),
            hash: digest::Context::new(&digest::SHA256),
            claimed: String::new(),
            chunks: 0,
            small: None,
            expected: decoded_length(headers)?,
            decoded: 0,
        })
    }

    /// The declared length of the decoded data, in bytes.
    pub const fn expected_length(&self) -> u64 {
        self.expected
    }

    /// Consumes `input` and returns the next decoded data, or `None` once `input` is used up. The
    /// data shares `input`'s memory; it is not copied.
    ///
    /// # Errors
    /// [`ChunkFault`]. Drop the decoder and everything it returned.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkFault> {
        while !input.is_empty() {
            match self.state {
                DecodeState::Data { left } => {
                    let data = self.data(input, left);
                    self.state_after_data(left, &data)?;
                    return Ok(Some(data));
                }
                DecodeState::Done => return Err(ChunkFault::Malformed),
                DecodeState::Head | DecodeState::DataEnd | DecodeState::Trailers => {
                    self.line(input)?
                }
            }
        }
        Ok(None)
    }

    /// Finishes the body.
    ///
    /// # Errors
    /// [`ChunkFault::Incomplete`] if the body has not ended or is shorter than declared,
    /// [`ChunkFault::Trailer`] if an announced trailer is missing.
    pub fn finish(self) -> Result<FinishedBody, ChunkFault> {
        if self.state != DecodeState::Done || self.decoded != self.expected {
            return Err(ChunkFault::Incomplete);
        }
        let came = |name: &String| self.trailers.iter().any(|(given, _)| given == name);
        if !self.announced.iter().all(came) {
            return Err(ChunkFault::Trailer);
        }
        Ok(FinishedBody {
            trailers: self.trailers,
            length: self.decoded,
        })
    }

    fn data(&mut self, input: &mut Bytes, left: u64) -> Bytes {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let data = input.split_to(take);
        if self.signer.is_some() {
            self.hash.update(&data);
        }
        data
    }

    fn state_after_data(&mut self, left: u64, data: &Bytes) -> Result<(), ChunkFault> {
        let taken = u64::try_from(data.len()).map_err(|_| ChunkFault::Malformed)?;
        self.decoded = self.decoded.saturating_add(taken);
        self.state = match left.saturating_sub(taken) {
            0 => DecodeState::DataEnd,
            left => DecodeState::Data { left },
        };
        if self.state == DecodeState::DataEnd {
            self.check_chunk()?;
        }
        Ok(())
    }

    /// Consumes input up to the end of a line, and processes the line once it is complete.
    fn line(&mut self, input: &mut Bytes) -> Result<(), ChunkFault> {
        let end = memchr::memchr(b'\n', input);
        let take = end.map_or(input.len(), |at| at.saturating_add(1));
        if self.line.len().saturating_add(take) > self.line_limit() {
            return Err(self.malformed());
        }
        self.line
            .extend_from_slice(input.get(..take).unwrap_or_default());
        input.advance(take);
        if end.is_none() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let text = line
            .strip_suffix(b"\r\n")
            .and_then(|line| str::from_utf8(line).ok())
            .ok_or_else(|| self.malformed())?;
        match self.state {
            DecodeState::Head => self.head(text),
            DecodeState::Trailers => self.trailer(text),
            DecodeState::DataEnd if text.is_empty() => {
                self.state = DecodeState::Head;
                Ok(())
            }
            DecodeState::DataEnd | DecodeState::Data { .. } | DecodeState::Done => {
                Err(ChunkFault::Malformed)
            }
        }
    }

    const fn line_limit(&self) -> usize {
        match self.state {
            DecodeState::Trailers => limits::TRAILER_BYTES,
            DecodeState::DataEnd => 2,
            DecodeState::Head | DecodeState::Data { .. } | DecodeState::Done => {
                limits::CHUNK_HEAD_BYTES
            }
        }
    }

    const fn malformed(&self) -> ChunkFault {
        match self.state {
            DecodeState::Trailers => ChunkFault::Trailer,
            _ => ChunkFault::Malformed,
        }
    }

    fn head(&mut self, text: &str) -> Result<(), ChunkFault> {
        let (size, signature) = match (text.split_once(";chunk-signature="), &self.signer) {
            (Some((size, signature)), Some(_)) => (size, signature),
            (None, None) => (text, ""),
            (Some(_), None) | (None, Some(_)) => return Err(ChunkFault::Malformed),
        };
        let hex = !size.is_empty() && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| hex);
        let size = size.ok_or(ChunkFault::Malformed)?;
        signature.clone_into(&mut self.claimed);
        self.chunks = self.chunks.saturating_add(1);
        if size == 0 {
            self.check_chunk()?;
            self.state = DecodeState::Trailers;
            return Ok(());
        }
        if size > self.expected.saturating_sub(self.decoded) {
            return Err(ChunkFault::Incomplete);
        }
        if let Some((chunk, size)) = self.small {
            return Err(ChunkFault::TooSmall { chunk, size });
        }
        if self.signer.is_some() && size < CHUNK_BYTES_MIN {
            self.small = Some((self.chunks, size));
        }
        self.state = DecodeState::Data { left: size };
        Ok(())
    }

    /// At the end of a chunk, checks its signature, which covers the previous signature and the
    /// hash of the chunk's data.
    fn check_chunk(&mut self) -> Result<(), ChunkFault> {
        let Some(signer) = &mut self.signer else {
            return Ok(());
        };
        let fresh = digest::Context::new(&digest::SHA256);
        let hash = std::mem::replace(&mut self.hash, fresh).finish();
        let mut text = Vec::with_capacity(384);
        signer.push_start(&mut text, "AWS4-HMAC-SHA256-PAYLOAD");
        push_hex(&mut text, &sha256(b""));
        text.push(b'\n');
        push_hex(&mut text, &bytes32(hash.as_ref()));
        signer.check(&text, &self.claimed)
    }

    fn trailer(&mut self, text: &str) -> Result<(), ChunkFault> {
        self.trailer_bytes = self.trailer_bytes.saturating_add(text.len());
        if text.is_empty() {
            let unsigned = self.signer.is_some() && self.trailer_allowed && !self.trailer_signed;
            self.state = DecodeState::Done;
            return if unsigned {
                Err(ChunkFault::Signature)
            } else {
                Ok(())
            };
        }
        let (name, value) = text.split_once(':').ok_or(ChunkFault::Trailer)?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        let late = self.trailer_signed || self.trailer_bytes > limits::TRAILER_BYTES;
        if !self.trailer_allowed || late {
            return Err(ChunkFault::Trailer);
        }
        if name == "x-amz-trailer-signature" {
            return self.check_trailer(value);
        }
        let known = self.announced.contains(&name);
        if !known || self.trailers.iter().any(|(given, _)| *given == name) {
            return Err(ChunkFault::Trailer);
        }
        self.trailer_text
            .extend_from_slice(format!("{name}:{value}\n").as_bytes());
        self.trailers.push((name, value.to_owned()));
        Ok(())
    }

    fn check_trailer(&mut self, claimed: &str) -> Result<(), ChunkFault> {
        let signer = self.signer.as_mut().ok_or(ChunkFault::Trailer)?;
        let mut text = Vec::with_capacity(320);
        signer.push_start(&mut text, "AWS4-HMAC-SHA256-TRAILER");
        push_hex(&mut text, &sha256(&self.trailer_text));
        signer.check(&text, claimed)?;
        self.trailer_signed = true;
        Ok(())
    }
}

impl ChunkSigner {
    /// Appends the algorithm, date, scope and previous signature, one per line.
    fn push_start(&self, out: &mut Vec<u8>, algorithm: &str) {
        push_preamble(out, algorithm, &self.amz_date, &self.scope);
        out.extend_from_slice(self.previous.as_bytes());
        out.push(b'\n');
    }

    fn check(&mut self, text: &[u8], claimed: &str) -> Result<(), ChunkFault> {
        if !self.key.verifies(text, claimed) {
            return Err(ChunkFault::Signature);
        }
        claimed.clone_into(&mut self.previous);
        Ok(())
    }
}

fn decoded_length(headers: &http::HeaderMap) -> Result<u64, ChunkFault> {
    let mut values = headers.get_all("x-amz-decoded-content-length").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ChunkFault::DecodedLength);
    };
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = value.to_str().ok().filter(digits);
    let size: u64 = text
        .and_then(|text| text.parse().ok())
        .ok_or(ChunkFault::DecodedLength)?;
    if size > limits::S3_PUT_BYTES_MAX {
        return Err(ChunkFault::TooLarge { size });
    }
    Ok(size)
}

/// The names in `x-amz-trailer`, in lower case.
fn announced(headers: &http::HeaderMap) -> Result<Vec<String>, ChunkFault> {
    let mut names = Vec::new();
    for value in headers.get_all("x-amz-trailer") {
        let value = value.to_str().map_err(|_| ChunkFault::Trailer)?;
        let given = value
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase());
        names.extend(given.filter(|name| !name.is_empty()));
    }
    if names.len() > limits::TRAILERS {
        return Err(ChunkFault::Trailer);
    }
    Ok(names)
}
