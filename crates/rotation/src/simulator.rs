//! A deterministic simulator: the real planner and the real executor in a world made of numbers.
//!
//! It protects the safety property by trying to break it: with virtual time, dying processes, lost
//! replies, lagging listings, evidence that is published late, slow propagation, throttling,
//! failing sinks, a second rotator, a person who meddles, users who are renamed or deleted and
//! consumers nobody knows of, and destinations that come and go. A seed replays its run.

mod destinations;
mod person;
mod ports;
mod run;
mod world;

pub use ports::{BLIND_SECS, CallFault, FaultScript, SharedWorld, SimIssuer, SimJournal, SimSink};
pub use run::{ACCOUNT, Dice, SimRotator, held_as, live, run, stranger};
pub use world::{CoarseUses, KeyActor, SimConsumer, SimKey, SimStore, SimWorld, USER, UserName};
