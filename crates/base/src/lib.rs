//! Shared vocabulary: ARNs, identifiers, secrets, time, randomness, and every limit.
//!
//! Floor 0. AWS's basic facts are defined here, once. The crate has no I/O, no clock and no
//! randomness of its own: the caller supplies [`Clock`] and [`Entropy`].

mod arn;
mod entropy;
mod ids;
pub mod limits;
mod names;
mod regions;
mod secret;
mod time;
mod wire_error;

pub use arn::{Arn, ArnError};
pub use entropy::Entropy;
pub use ids::{AccessKeyId, AccountId, IdError, IdKind, UniqueId};
pub use names::{FoldedName, ROTATION_MARK};
pub use regions::{REGIONS, Region, region};
pub use secret::Secret;
pub use time::{Clock, Timestamp, TimestampError};
pub use wire_error::{ErrorCode, WireError};
