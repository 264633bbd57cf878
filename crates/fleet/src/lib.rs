//! A fleet: the rules that decide which users of which accounts are rotated, when, and to which
//! destinations.
//!
//! - [`FleetConfig`] is the parsed and checked fleet file.
//! - [`credentials`] fetches an account's credential report.
//! - [`choose`] decides what to do about a user. It is pure.
//! - [`survey`] applies both to an account, and [`round`] carries out the result.
//! - [`cis`] reports findings for an auditor.
//!
//! Only the rotation engine changes keys.

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
