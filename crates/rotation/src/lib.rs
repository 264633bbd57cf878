//! Access-key rotation that never strands a consumer: plan, execute, write down, go on.
//!
//! Floor 3. The planner ([`plan`]) is pure; the executor does one idempotent step at a time through
//! the [`ports`] and journals before and after. It protects the safety property: at every moment
//! every known consumer holds a key that works, no secret in use exists only in memory, and at most
//! one key is left over, ours and scheduled to go. It knows no service, file or database by name.

mod draft;
pub mod execute;
pub mod model;
pub mod plan;
pub mod ports;

#[cfg(any(test, feature = "simulator"))]
pub mod simulator;

#[cfg(test)]
mod tests;
