//! Access-key rotation that never strands a consumer: plan, execute, journal, continue.
//!
//! Floor 3. The planner ([`plan`]) is pure; the executor carries out one idempotent step at a time
//! through the [`ports`] and journals before and after. Safety property: at every moment every
//! known consumer holds a working key, no secret in use exists only in memory, and at most one key
//! is left over, which is ours and scheduled for removal. This crate knows no service, file or
//! database by name.

mod draft;
pub mod execute;
pub mod model;
pub mod plan;
pub mod ports;

#[cfg(any(test, feature = "simulator"))]
pub mod simulator;

#[cfg(test)]
mod tests;
