//! The request IDs of responses.
//!
//! They are random, so that they are unique, but no secrets: knowing one allows nothing.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::Entropy;
use keywright_s3::ResponseIds;

/// The number of random bytes fetched at a time. A response needs 16 or 64 of them; fetching blocks
/// saves a system call for each.
const BLOCK_BYTES: usize = 4096;

/// Generates request IDs.
pub(crate) struct RequestIds {
    entropy: Arc<dyn Entropy>,
    block: Mutex<RandomBlock>,
}

struct RandomBlock {
    bytes: Box<[u8]>,
    used: usize,
}

impl RequestIds {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        let block = RandomBlock {
            bytes: vec![0; BLOCK_BYTES].into(),
            used: BLOCK_BYTES,
        };
        Self {
            entropy,
            block: Mutex::new(block),
        }
    }

    /// A random request ID for IAM, STS and the extension: a version 4 UUID.
    pub(crate) fn uuid(&self) -> String {
        uuid(self.draw())
    }

    /// The two IDs of an S3 response.
    pub(crate) fn of_s3(&self) -> ResponseIds {
        const LETTERS: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ0123456789";
        let (request, host): ([u8; 16], [u8; 48]) = (self.draw(), self.draw());
        let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied();
        let mut request_id = String::with_capacity(request.len());
        request_id.extend(request.iter().filter_map(letter).map(char::from));
        ResponseIds {
            request_id,
            host_id: BASE64_STANDARD.encode(host),
        }
    }

    /// Returns random bytes that were never returned before.
    fn draw<const N: usize>(&self) -> [u8; N] {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        let RandomBlock { bytes, used } = &mut *block;
        if bytes.len() - *used < N {
            self.entropy.fill(bytes);
            *used = 0;
        }
        let drawn = bytes.get(*used..).and_then(<[u8]>::first_chunk::<N>);
        *used += N;
        drawn.copied().unwrap_or([0; N])
    }
}

/// Formats random bytes as a version 4 UUID. Every response has one, so it is written digit by
/// digit: `format!` took 4 % of the time of a request.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::{BLOCK_BYTES, RequestIds, uuid};
    use crate::SystemEntropy;

    #[test]
    fn no_id_is_given_twice() {
        let ids = RequestIds::new(Arc::new(SystemEntropy));
        let mut given = HashSet::new();
        for _ in 0..BLOCK_BYTES / 16 {
            let of_s3 = ids.of_s3();
            for id in [ids.uuid(), of_s3.request_id, of_s3.host_id] {
                assert!(!id.chars().all(|c| matches!(c, '0' | 'A' | '-')), "{id}");
                assert!(given.insert(id));
            }
        }
    }

    #[test]
    fn request_ids_are_random_uuids() {
        for (byte, expected) in [
            (0x00, "00000000-0000-4000-8000-000000000000"),
            (0x5a, "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"),
            (0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ] {
            assert_eq!(uuid([byte; 16]), expected);
        }
    }
}
