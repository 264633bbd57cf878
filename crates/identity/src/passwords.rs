//! Password hashing: Argon2id with the crate's recommended parameters (19 MiB, two passes), off the
//! async threads, with a limit on concurrent hashes.
//!
//! Invariant: the memory in use is that of the hashes running at the same time, however many
//! passwords are checked, and it is returned to the system afterwards.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use keywright_base::{Entropy, Secret};

use crate::{
    fault::IamFault,
    work::{WorkLimits, WorkOwner, WorkQueue},
};

/// Bytes in a salt.
const SALT_BYTES: usize = 16;
/// The minimum allocation, in blocks of 1 KiB. Only those that a hash uses become resident. The
/// allocator maps anything above 32 MiB separately and returns it when freed; smaller blocks would
/// stay in its per-thread arenas (glibc, `M_MMAP_THRESHOLD`).
const MAPPED_BLOCKS: usize = 33 * 1024;

pub(crate) struct PasswordHasher {
    entropy: Arc<dyn Entropy>,
    queue: WorkQueue,
    memory: Arc<HashMemory>,
}

impl PasswordHasher {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            queue: WorkQueue::new(WorkLimits::of_passwords()),
            memory: Arc::default(),
        }
    }

    /// The Argon2id PHC string of a password.
    pub(crate) async fn hash(
        &self,
        owner: WorkOwner,
        password: Secret<String>,
    ) -> Result<String, IamFault> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        self.aside(owner, move |blocks| {
            let hash = hashed(&password, &salt, blocks);
            hash.map(|hash| hash.to_string())
                .map_err(|error| IamFault::Internal(error.to_string()))
        })
        .await?
    }

    /// Each hash with whether it matches the password. An unreadable hash does not.
    pub(crate) async fn matches(
        &self,
        owner: WorkOwner,
        password: Secret<String>,
        hashes: Vec<String>,
    ) -> Result<Vec<(String, bool)>, IamFault> {
        self.aside(owner, move |blocks| {
            let matches = |hash: String| {
                let same = PasswordHash::new(&hash)
                    .is_ok_and(|hash| is_of(&password, &hash, blocks).unwrap_or(false));
                (hash, same)
            };
            hashes.into_iter().map(matches).collect()
        })
        .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        owner: WorkOwner,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let place = self.queue.enter(owner).await?;
        let memory = Arc::clone(&self.memory);
        place.run(move || memory.with_memory(work)).await
    }
}

/// The memory of one hash, reused by the next.
#[derive(Default)]
struct HashMemory(Mutex<Option<Vec<Block>>>);

impl HashMemory {
    /// Runs `work` with the retained memory, or with new memory if other hashes are running.
    fn with_memory<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let idle = self.idle().take();
        let mut blocks = idle.unwrap_or_else(|| Vec::with_capacity(MAPPED_BLOCKS));
        let done = work(&mut blocks);
        *self.idle() = Some(blocks);
        done
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hashed(
    password: &Secret<String>,
    salt: &[u8],
    blocks: &mut Vec<Block>,
) -> argon2::password_hash::Result<PasswordHash> {
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let (algorithm, version, params) = Default::default();
    let parts = (algorithm, version, &params);
    compute(parts, (password, salt), &mut output, blocks)?;
    Ok(PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(&output)?),
    })
}

/// Whether a hash is of a password. An error if nothing can be compared with the hash.
fn is_of(
    password: &Secret<String>,
    hash: &PasswordHash,
    blocks: &mut Vec<Block>,
) -> argon2::password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Ok(false);
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash.version.map(Version::try_from).transpose()?;
    let params = Params::try_from(hash)?;
    let mut output = [0; Output::MAX_LENGTH];
    let Some(output) = output.get_mut(..expected.len()) else {
        return Ok(false);
    };
    let parts = (algorithm, version.unwrap_or_default(), &params);
    compute(parts, (password, salt), output, blocks)?;
    // In constant time.
    Ok(Output::new(output)? == *expected)
}

fn compute(
    (algorithm, version, params): (Algorithm, Version, &Params),
    (password, salt): (&Secret<String>, &[u8]),
    output: &mut [u8],
    blocks: &mut Vec<Block>,
) -> Result<(), argon2::Error> {
    let argon2 = Argon2::new(algorithm, version, params.clone());
    if blocks.len() < params.block_count() {
        blocks.resize(params.block_count(), Block::new());
    }
    let password = password.expose().as_bytes();
    argon2.hash_password_into_with_memory(password, salt, output, blocks)
}

#[cfg(test)]
mod tests {
    use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
    use keywright_base::Secret;

    use super::{HashMemory, hashed, is_of};

    /// The reference are the library's own allocating functions.
    #[test]
    fn hashes_are_the_librarys() {
        let memory = HashMemory::default();
        let (salt, right) = ([7; 16], Secret::new("right".to_owned()));
        let reference = Argon2::default().hash_password_with_salt(b"right", &salt);
        let reference = reference.unwrap();
        for round in 0..3 {
            // From the second round on, the memory contains what the last hash left.
            let made = memory.with_memory(|blocks| hashed(&right, &salt, blocks));
            assert_eq!(made.unwrap().to_string(), reference.to_string(), "{round}");
            for (text, expected) in [("right", true), ("wrong", false), ("", false)] {
                let password = Secret::new(text.to_owned());
                let same = memory.with_memory(|blocks| is_of(&password, &reference, blocks));
                assert_eq!(same.unwrap(), expected, "{text}");
                let theirs = Argon2::default().verify_password(text.as_bytes(), &reference);
                assert_eq!(theirs.is_ok(), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_hash_of_other_parameters_is_checked_with_them() {
        let memory = HashMemory::default();
        let params = argon2::Params::new(64, 1, 1, Some(20)).unwrap();
        let other = Argon2::new(argon2::Algorithm::Argon2i, argon2::Version::V0x10, params);
        let hash = other.hash_password_with_salt(b"text", &[1; 12]).unwrap();
        let hash = PasswordHash::new(&hash.to_string()).unwrap();
        for (text, expected) in [("text", true), ("Text", false)] {
            let password = Secret::new(text.to_owned());
            let same = memory.with_memory(|blocks| is_of(&password, &hash, blocks));
            assert_eq!(same.unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn memory_is_used_again() {
        let memory = HashMemory::default();
        let address = |blocks: &mut Vec<argon2::Block>| blocks.as_ptr();
        let first = memory.with_memory(address);
        assert_eq!(memory.with_memory(address), first);
        // Concurrent hashes have memory of their own, and one allocation is retained.
        let (inner, outer) = memory.with_memory(|outer| {
            let outer = outer.as_ptr();
            (memory.with_memory(address), outer)
        });
        assert_ne!(inner, outer);
        assert_eq!(memory.with_memory(address), outer);
    }
}
