//! Words everyone uses: ARNs, identifiers, secrets, the clock and entropy seams, and every limit.
//!
//! Floor 0. It protects one rule: a fact about AWS's vocabulary is written once, here. It has no
//! I/O, no clock and no randomness of its own; [`Clock`] and [`Entropy`] are seams that the rim
//! fills.

mod arn;
mod entropy;
mod ids;
pub mod limits;
mod names;
mod regions;
mod secret;
mod time;

pub use arn::{Arn, ArnError};
pub use entropy::Entropy;
pub use ids::{AccessKeyId, AccountId, IdError, IdKind, UniqueId};
pub use names::{FoldedName, ROTATION_MARK};
pub use regions::{REGIONS, Region, region};
pub use secret::Secret;
pub use time::{Clock, Timestamp, TimestampError};
