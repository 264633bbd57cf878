//! The source of randomness as a seam: the rim brings the operating system's, tests bring a seed.

/// A source of random bytes.
///
/// Implementations must be suitable for key material unless they are for tests or the simulator.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
