//! A fleet: which users of which accounts are rotated when, by which rules, into which sinks.
//!
//! [`Config`] is what a person declares, checked before anything is done; [`credentials`] what an
//! account's credential report says; [`choose`] the pure decision between the two; [`survey`] looks
//! at an account with both, [`round`] carries it out, and [`cis`] is the report for an auditor. No
//! key is changed but by the engine.

mod calendar;
mod check;
pub mod cis;
mod config;
mod credentials;
pub mod driver;
pub mod journal;
mod matching;
mod notices;
pub mod notify;
mod parse;
mod problem;
mod reader;
mod run;
mod select;
mod survey;

pub use self::{
    calendar::{ClosedUntil, FreezePeriod, RotationCalendar, TimeWindow, TimeZoneName},
    config::{ConfigDuration, FleetAccount, FleetConfig, FleetRule},
    credentials::{CredentialRow, KeyRow, credentials},
    matching::{FleetSurvey, survey_fleet},
    notices::{announce, announce_failure},
    problem::{ConfigErrors, FilePosition, FileProblem},
    run::{DriveReport, DriveRotation, FleetRound, begin_due, draft, new_id, round},
    select::{DueKey, RotationNeed, SurveyTime, UserSelection, choose},
    survey::{AccountSurvey, survey},
};
