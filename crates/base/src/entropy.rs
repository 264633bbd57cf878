//! The source of randomness: the operating system's in production, a seeded one in tests.

/// A source of random bytes.
///
/// Outside tests and the simulator, implementations must be suitable for generating keys.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
