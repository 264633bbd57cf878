//! The results of a run, as text and as JSON.

use std::io::Write;

use serde::Serialize;

use super::drive::Driven;

/// The results.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// One row per workload, in order.
    pub(super) rows: Vec<Row>,
    /// Figures that are not rates.
    pub(super) figures: Vec<Figure>,
    /// What the figures depend on besides the server.
    pub(super) conditions: Vec<RunCondition>,
}

/// A property of the machine or the build.
#[derive(Debug, Serialize)]
pub(super) struct RunCondition {
    name: &'static str,
    value: String,
}

impl RunCondition {
    pub(super) fn new(name: &'static str, value: impl ToString) -> Self {
        let value = value.to_string();
        Self { name, value }
    }
}

/// A workload on a server.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    work: String,
    clients: usize,
    rate: f64,
    p50_us: u32,
    p99_us: u32,
    /// Ratio to the bare server, or for durable writes to one flush each.
    ratio: Option<f64>,
    /// The server's processor time per request.
    server_us: Option<f64>,
}

/// A figure with its upper or lower target.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    name: String,
    value: f64,
    target: String,
    reached: bool,
}

impl Row {
    pub(super) fn new(work: &str, clients: usize, driven: &Driven) -> Self {
        let server_us = driven.processor_micros();
        Self {
            work: work.to_owned(),
            clients,
            rate: driven.rate(),
            p50_us: driven.percentile(50),
            p99_us: driven.percentile(99),
            ratio: None,
            server_us: (server_us > 0.0).then_some(server_us),
        }
    }

    pub(super) fn beside(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }
}

impl Figure {
    pub(super) fn at_least(name: &str, value: f64, least: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            target: format!(">= {least}"),
            reached: value >= least,
        }
    }

    pub(super) fn below(name: &str, value: f64, most: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            target: format!("< {most}"),
            reached: value < most,
        }
    }
}

impl Report {
    /// Prints to standard output.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            serde_json::to_writer_pretty(&mut out, self)?;
            writeln!(out)?;
            return Ok(());
        }
        writeln!(
            out,
            "{:<44} {:>7} {:>9} {:>8} {:>8} {:>7} {:>10}",
            "work", "clients", "rate/s", "p50 µs", "p99 µs", "ratio", "server µs"
        )?;
        let excerpt = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        for row in &self.rows {
            writeln!(
                out,
                "{:<44} {:>7} {:>9.0} {:>8} {:>8} {:>7} {:>10}",
                row.work,
                row.clients,
                row.rate,
                row.p50_us,
                row.p99_us,
                excerpt(row.ratio, 2),
                excerpt(row.server_us, 1),
            )?;
        }
        writeln!(out)?;
        for figure in &self.figures {
            let (name, value, target) = (&figure.name, figure.value, &figure.target);
            let verdict = if figure.reached { "reached" } else { "MISSED" };
            writeln!(out, "{name:<60} {value:>9.2}  {target:<8} {verdict}")?;
        }
        writeln!(out)?;
        for RunCondition { name, value } in &self.conditions {
            writeln!(out, "{name}: {value}")?;
        }
        Ok(())
    }
}
