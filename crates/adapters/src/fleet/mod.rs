//! A fleet: which users of which accounts are rotated when, by which rules, into which sinks.
//!
//! [`Config`] is what a person declares, [`credentials`] what an account's credential report says,
//! [`choose`] the pure decision between the two, [`round`] carries it out, and [`cis`] is the
//! report for an auditor. No key is changed but by the engine.

pub mod cis;
mod config;
mod credentials;
mod run;
mod select;

pub use self::{
    config::{Account, Config, ConfigError, Duration, Rule},
    credentials::{CredentialRow, KeyRow, credentials},
    run::{Carry, Did, Round, Survey, begin_due, new_id, round, survey},
    select::{Choice, Due, Verdict, choose, is_open},
};
