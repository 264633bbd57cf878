//! Durable state: the contract, the embedded engine, and the suite that every engine passes.
//!
//! Floor 2. It protects one rule: nothing is acknowledged before it is durable. It does not know
//! what a record, a bucket's or an object's body means, and it never sees an unsealed secret.

pub mod contract;
pub mod durable;
#[cfg(any(test, feature = "suite"))]
pub mod faulty;
pub mod reserve;
pub mod sqlite;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

pub use reserve::DiskReserve;
pub use sqlite::SqliteStore;
