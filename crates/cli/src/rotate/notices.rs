//! Notices about a fleet's rounds: queued in the journal, then delivered.
//!
//! Invariant: a failure here is logged and counted and never stops rotations.

use std::io::{self, Write};

use keywright_fleet::driver::RotationDriver;
use keywright_fleet::notify::NoticeOutbox;
use keywright_fleet::{
    ConfigErrors, FleetAccount, FleetConfig, FleetRound, announce, announce_failure,
};
use keywright_server::SystemClock;

use super::metrics;
use crate::remote::printable;

/// Queues the notices of a round, or that the round failed.
pub(super) async fn queue(
    driver: &RotationDriver,
    principal: (&FleetConfig, &FleetAccount),
    (round, problems): (&anyhow::Result<FleetRound>, Option<&ConfigErrors>),
) {
    let queued = match round {
        Ok(round) => announce(driver, principal, (round, problems), &SystemClock).await,
        Err(error) => {
            let why = format!("{error:#}");
            announce_failure(driver, principal, &why, &SystemClock).await
        }
    };
    match queued {
        Ok(0) => {}
        Ok(count) => say(&format!(
            "{count} notices were dropped: too many are waiting for delivery"
        )),
        Err(error) => say(&format!(
            "cannot queue notices of {}: {error}",
            principal.1.name
        )),
    }
}

/// Delivers queued notices.
pub(super) async fn deliver(driver: &RotationDriver, config: &FleetConfig) {
    let outbox = NoticeOutbox {
        journal: driver.journal(),
        notifiers: &config.notify,
        digest: config.digest,
        accounts: config
            .accounts
            .iter()
            .map(|a| (a.name.as_str(), &a.access))
            .collect(),
    };
    let sent = match outbox.deliver(&SystemClock).await {
        Ok(sent) => sent,
        Err(error) => return say(&format!("cannot deliver notices: {error}")),
    };
    for one in sent {
        metrics::notified(&one);
        if let Some(why) = &one.why {
            say(&format!(
                "{}: cannot deliver notices, retrying later: {why}",
                one.notifier
            ));
        }
        if one.given_up > 0 {
            say(&format!(
                "{}: gave up on {} notices",
                one.notifier, one.given_up
            ));
        }
    }
}

/// Reports the notifiers that cannot read what they need.
pub(super) fn check(config: &FleetConfig) {
    for notifier in &config.notify {
        if let Err(why) = notifier.check() {
            let label = notifier.label();
            say(&format!(
                "{label}: cannot notify yet: {why}; its notices stay in the journal"
            ));
        }
    }
}

fn say(line: &str) {
    // A failure to print must not keep keys from being rotated.
    let _ = writeln!(io::stderr(), "{}", printable(line));
}
