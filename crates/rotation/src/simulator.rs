//! A deterministic simulator: the real planner and executor in a simulated world.
//!
//! It tests the safety property by trying to break it: virtual time, crashing processes, lost
//! replies, lagging listings, late evidence, slow propagation, throttling, failing sinks, a second
//! rotator, a person who interferes, renamed and deleted users, unknown consumers, destinations
//! that are added and removed, and leaks that are found while a rotation is held. A seed replays
//! its run.

mod alarm;
mod destinations;
mod person;
mod ports;
mod run;
mod world;

pub use ports::{BLIND_SECS, CallFault, FaultScript, SharedWorld, SimIssuer, SimJournal, SimSink};
pub use run::{ACCOUNT, Dice, SimRotator, held_as, live, run, stranger};
pub use world::{CoarseUses, KeyActor, SimConsumer, SimKey, SimStore, SimWorld, USER, UserName};
