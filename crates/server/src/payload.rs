//! Verifies the body of an S3 request against its signature while it is streamed.
//!
//! Invariant: the body ends successfully only if it is what the signature covers, so that no other
//! body is ever committed. This module stores no data and does not compute S3's own checksums.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use keywright_sigv4::{
    ChunkDecoder, ChunkFault, PayloadClaim, PresentedSignature, SignatureFault, SigningDialect,
    SigningKey,
};
use sha2::{Digest, Sha256};

use keywright_base::WireError;
use keywright_s3::{BodyError, BodyTrailers};

/// A body that is verified while it is read.
pub(crate) struct CheckedBody<B> {
    body: B,
    check: BodyCheck,
}

/// What remains to be verified.
enum BodyCheck {
    /// No signature covers the body, or nothing is left to verify.
    Nothing,
    /// The hash that was declared and signed.
    Hash(Box<PresentedSignature>, Sha256),
    /// aws-chunked framing, which is decoded.
    Chunks(Box<ChunkedBody>),
    /// The body has ended, successfully or not.
    Over,
}

struct ChunkedBody {
    decoder: ChunkDecoder,
    input: Bytes,
    trailers: BodyTrailers,
}

impl<B> CheckedBody<B> {
    /// A body that no signature covers.
    pub(crate) const fn unsigned(body: B) -> Self {
        let check = BodyCheck::Nothing;
        Self { body, check }
    }

    /// The body of a verified request, and where its trailing headers will be stored.
    ///
    /// # Errors
    /// A [`SignatureFault`] if the declared framing does not match the headers.
    pub(crate) fn signed(
        body: B,
        proof: (&keywright_sigv4::Verified, &SigningKey),
        presented: PresentedSignature,
        headers: &HeaderMap,
    ) -> Result<(Self, Option<BodyTrailers>), SignatureFault> {
        let (check, trailers) = match presented.payload() {
            PayloadClaim::Sha256(_) => (BodyCheck::Hash(Box::new(presented), Sha256::new()), None),
            payload if payload.is_streaming() => {
                let decoder = ChunkDecoder::new(proof.0, &presented, proof.1, headers)?;
                let trailers = BodyTrailers::default();
                let chunks = ChunkedBody {
                    decoder,
                    input: Bytes::new(),
                    trailers: trailers.clone(),
                };
                (BodyCheck::Chunks(Box::new(chunks)), Some(trailers))
            }
            _ => (BodyCheck::Nothing, None),
        };
        Ok((Self { body, check }, trailers))
    }
}

impl BodyCheck {
    /// The data of a received piece to pass on; `None` if all of it was framing.
    fn piece(&mut self, piece: Bytes) -> Result<Option<Bytes>, SignatureFault> {
        match self {
            Self::Hash(_, hash) => {
                hash.update(&piece);
                Ok(Some(piece))
            }
            Self::Chunks(chunks) => {
                chunks.input = piece;
                Ok(chunks.next()?)
            }
            Self::Nothing => Ok(Some(piece)),
            Self::Over => Ok(None),
        }
    }

    /// Verifies the complete body.
    fn end(self) -> Result<(), SignatureFault> {
        match self {
            Self::Hash(presented, hash) => presented.check_body(&hash.finalize().into()),
            Self::Chunks(chunks) => {
                let finished = chunks.decoder.finish()?;
                let trailers = headers(finished.trailers)?;
                // Cannot fail: the cell belongs to this body, and a body ends once.
                let _ = chunks.trailers.0.set(trailers);
                Ok(())
            }
            Self::Nothing | Self::Over => Ok(()),
        }
    }
}

impl ChunkedBody {
    fn next(&mut self) -> Result<Option<Bytes>, ChunkFault> {
        self.decoder.decode(&mut self.input)
    }
}

fn headers(trailers: Vec<(String, String)>) -> Result<HeaderMap, ChunkFault> {
    let mut headers = HeaderMap::new();
    for (name, value) in trailers {
        let name = HeaderName::try_from(name).map_err(|_| ChunkFault::Trailer)?;
        let value = HeaderValue::try_from(value).map_err(|_| ChunkFault::Trailer)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The body error for a failed verification.
fn refusal(fault: &SignatureFault) -> BodyError {
    Box::new(wire_error(fault))
}

/// An authentication fault in the form of S3.
pub(crate) fn wire_error(fault: &SignatureFault) -> WireError {
    fault.wire(SigningDialect::S3)
}

impl<B> CheckedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    /// The next data that is buffered from the last piece.
    fn held(&mut self) -> Result<Option<Bytes>, SignatureFault> {
        match &mut self.check {
            BodyCheck::Chunks(chunks) => Ok(chunks.next()?),
            _ => Ok(None),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if matches!(self.check, BodyCheck::Over) {
            return Poll::Ready(None);
        }
        loop {
            if let Some(data) = self.held().map_err(|fault| refusal(&fault))? {
                return Poll::Ready(Some(Ok(data)));
            }
            match ready!(pin!(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    if let Some(data) = self.check.piece(piece).map_err(|fault| refusal(&fault))? {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let check = std::mem::replace(&mut self.check, BodyCheck::Over);
                    let verdict = check.end().err();
                    return Poll::Ready(verdict.map(|fault| Err(refusal(&fault))));
                }
            }
        }
    }
}

impl<B> HttpBody for CheckedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = ready!(self.poll(cx));
        if matches!(polled, Some(Err(_))) {
            self.check = BodyCheck::Over;
        }
        Poll::Ready(polled.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self.check {
            BodyCheck::Nothing => self.body.is_end_stream(),
            BodyCheck::Hash(..) | BodyCheck::Chunks(_) => false,
            BodyCheck::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.check {
            BodyCheck::Chunks(_) => SizeHint::default(),
            _ => self.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests;
