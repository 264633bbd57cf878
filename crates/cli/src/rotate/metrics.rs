//! The agent's Prometheus metrics: ages of keys and phases, held rotations, orphans, last success.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::Context;
use keywright_base::Clock;
use keywright_fleet::driver::RotationDriver;
use keywright_fleet::notify::DeliverySummary;
use keywright_fleet::{ConfigErrors, FleetAccount, FleetRound};
use keywright_rotation::ports::RotationJournal;
use keywright_server::SystemClock;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;

/// Serves metrics. Returns the address with the actual port. Metrics that were not published for a
/// while disappear: deleted users, finished rotations.
///
/// # Errors
/// If the address is unusable.
pub(super) fn serve(address: SocketAddr, stale: Duration) -> anyhow::Result<SocketAddr> {
    // Bind first: the exporter does not report its port.
    let taken = TcpListener::bind(address)
        .and_then(|listener| listener.local_addr())
        .with_context(|| format!("cannot serve metrics at {address}"))?;
    PrometheusBuilder::new()
        .with_http_listener(taken)
        .idle_timeout(MetricKindMask::GAUGE, Some(stale))
        .install()
        .context("cannot serve metrics")?;
    describe_gauge!(
        "keywright_key_age_seconds",
        "Age of a user's oldest active key"
    );
    describe_gauge!(
        "keywright_rotation_phase_age_seconds",
        "How long an open rotation has been in its phase"
    );
    describe_gauge!("keywright_rotations_held", "Rotations that are held");
    describe_gauge!(
        "keywright_rotation_orphans",
        "Keys whose secret was lost, not yet deleted"
    );
    describe_gauge!(
        "keywright_last_success_timestamp_seconds",
        "When a key was last replaced"
    );
    describe_gauge!(
        "keywright_last_round_timestamp_seconds",
        "When an account was last checked"
    );
    describe_counter!(
        "keywright_rotations_ended_total",
        "Rotations that are over, by outcome: Done, RolledBack, UserGone, Abandoned"
    );
    describe_counter!(
        "keywright_account_failures_total",
        "Rounds in which an account could not be processed"
    );
    describe_gauge!(
        "keywright_fleet_file_problems",
        "Errors in the fleet file that prevent rotations from beginning"
    );
    describe_counter!(
        "keywright_notifications_total",
        "Messages to notifiers, by outcome: delivered, failed, given_up"
    );
    Ok(taken)
}

/// Counts a failed round over an account.
pub(super) fn count_failure(account: &FleetAccount) {
    counter!("keywright_account_failures_total", "account" => account.name.clone()).increment(1);
}

/// Publishes the problems of the fleet file.
pub(super) fn publish_problems(problems: Option<&ConfigErrors>) {
    let count = problems.map_or(0, |problems| problems.problems().len());
    gauge!("keywright_fleet_file_problems").set(float(i64::try_from(count).unwrap_or(i64::MAX)));
}

/// Counts a notifier's messages by result.
pub(super) fn notified(sent: &DeliverySummary) {
    for (outcome, count) in [
        ("delivered", sent.delivered),
        ("failed", sent.failed),
        ("given_up", sent.given_up),
    ] {
        let notifier = sent.notifier.clone();
        counter!("keywright_notifications_total", "notifier" => notifier, "outcome" => outcome)
            .increment(count);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and 53 bits are enough"
)]
const fn float(number: i64) -> f64 {
    number as f64
}

/// Publishes the result of a round.
///
/// # Errors
/// If the journal cannot be read.
pub(super) async fn publish(
    driver: &RotationDriver,
    account: &FleetAccount,
    round: &FleetRound,
) -> anyhow::Result<()> {
    let name = account.name.clone();
    let now = SystemClock.now();
    for row in &round.survey.rows {
        let active = row.keys.iter().filter(|key| key.active);
        if let Some(oldest) = active.filter_map(|key| key.created).min() {
            let user = row.user.clone();
            gauge!("keywright_key_age_seconds", "account" => name.clone(), "user" => user)
                .set(float(now.secs_since(oldest)));
        }
    }
    let (mut held, mut orphans) = (0, 0);
    for id in driver.journal().open().await? {
        let Some(rotation) = driver.journal().rotation(&id).await? else {
            continue;
        };
        if rotation.account != round.survey.account {
            continue;
        }
        held += i64::from(rotation.held.is_some());
        orphans += i64::from(rotation.orphan.is_some());
        let phase = format!("{:?}", rotation.phase);
        gauge!(
            "keywright_rotation_phase_age_seconds",
            "account" => name.clone(), "user" => rotation.user.clone(), "phase" => phase
        )
        .set(float(now.secs_since(rotation.since)));
    }
    gauge!("keywright_rotations_held", "account" => name.clone()).set(float(held));
    gauge!("keywright_rotation_orphans", "account" => name.clone()).set(float(orphans));
    for (outcome, count) in driver.journal().ended(&round.survey.account).await? {
        counter!(
            "keywright_rotations_ended_total", "account" => name.clone(), "outcome" => outcome
        )
        .absolute(count.into());
    }
    if let Some(at) = driver.journal().last_done(&round.survey.account).await? {
        gauge!("keywright_last_success_timestamp_seconds", "account" => name.clone())
            .set(float(at.secs()));
    }
    gauge!("keywright_last_round_timestamp_seconds", "account" => name).set(float(now.secs()));
    Ok(())
}
