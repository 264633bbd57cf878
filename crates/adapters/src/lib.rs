//! What a rotation works with: IAM of Keywright or of AWS as issuer and evidence, the journal on
//! disk, and the places that keep keys.
//!
//! Floor 4. It protects one rule: what is not known is said to be unknown. A lost reply, a refusal
//! and a service that cannot be reached are told apart here, and nowhere else.

pub mod aws;
pub mod driver;
pub mod environment;
pub mod fleet;
pub mod http;
pub mod journal;
pub mod key_services;
pub mod notify;
pub mod sinks;
