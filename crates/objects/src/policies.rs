//! A cache of compiled bucket policies.
//!
//! Invariant: a compiled policy is used only for exactly the text it was compiled from. That text
//! is read with the bucket on every request, so a policy change applies from the next request on.
//! What compiling means is up to the caller.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::bucket::Bucket;

/// A cache of compiled policies, by bucket.
#[derive(Debug)]
pub struct PolicyCache<P> {
    compiled: RwLock<HashMap<String, CachedPolicy<P>>>,
}

/// A policy text and its compiled form.
type CachedPolicy<P> = (Arc<str>, Arc<P>);

/// The capacity of the cache; a full cache is cleared.
const LIMIT: usize = 1024;

impl<P> Default for PolicyCache<P> {
    fn default() -> Self {
        Self {
            compiled: RwLock::default(),
        }
    }
}

impl<P> PolicyCache<P> {
    /// Returns the compiled policy of a bucket; `None` if it has no policy.
    ///
    /// # Errors
    /// The error of `compile`.
    pub fn of<E>(
        &self,
        bucket: &Bucket,
        compile: impl FnOnce(&str) -> Result<P, E>,
    ) -> Result<Option<Arc<P>>, E> {
        let Some(text) = &bucket.policy else {
            return Ok(None);
        };
        let read = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, policy)) = read.get(&bucket.name)
            && known == text
        {
            return Ok(Some(Arc::clone(policy)));
        }
        drop(read);
        let policy = Arc::new(compile(text)?);
        let mut write = self
            .compiled
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if write.len() >= LIMIT {
            write.clear();
        }
        write.insert(bucket.name.clone(), (Arc::clone(text), Arc::clone(&policy)));
        Ok(Some(policy))
    }
}

#[cfg(test)]
mod tests {
    use super::PolicyCache;
    use crate::testing;

    #[test]
    fn a_text_is_compiled_once_and_a_change_at_once() {
        let policies = PolicyCache::default();
        let mut count = 0;
        for (text, expected) in [
            (Some("a"), 1),
            (Some("a"), 1),
            (Some("b"), 2),
            (None, 2),
            (Some("b"), 2),
        ] {
            let bucket = testing::bucket(text);
            let got = policies.of(&bucket, |text| {
                count += 1;
                Ok::<_, ()>(text.to_owned())
            });
            assert_eq!(got.unwrap().as_deref().map(String::as_str), text);
            assert_eq!(count, expected);
        }
    }
}
