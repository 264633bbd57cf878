//! Durable state: the contract, the embedded engine, and the test suite that every engine passes.
//!
//! Floor 2. Invariant: nothing is acknowledged before it is durable. This crate does not interpret
//! the bodies of records, buckets and objects, and never sees an unsealed secret.

pub mod contract;
pub mod durable;
#[cfg(any(test, feature = "suite"))]
pub mod faulty;
pub mod reserve;
pub mod sqlite;
pub mod stamps;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

pub use reserve::DiskReserve;
pub use sqlite::SqliteStore;
