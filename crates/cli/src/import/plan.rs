//! The plan of an import: what becomes of each entity, as the server computed it.
//!
//! Invariant: names and reasons reach the terminal without control characters.

use std::{fmt, io::Write};

use keywright_aws::{QueryResponse, ResponseRow};
use serde_json::{Value, json};

use super::{ImportSource, entities};
use crate::{json_output, remote::printable};

/// What becomes of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Exists,
    Skipped,
    Rejected,
}

impl Outcome {
    /// As the server calls it. What this version does not know counts as rejected.
    fn parse(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            "exists" => Self::Exists,
            "skipped" => Self::Skipped,
            _ => Self::Rejected,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "create",
            Self::Exists => "exists",
            Self::Skipped => "skip",
            Self::Rejected => "reject",
        })
    }
}

/// An entity, and what becomes of it.
#[derive(Debug)]
struct PlannedEntity {
    outcome: Outcome,
    kind: String,
    name: String,
    reason: Option<String>,
}

impl PlannedEntity {
    fn of(row: &ResponseRow) -> Self {
        let field = |name: &str| row.get(name).cloned().unwrap_or_default();
        Self {
            outcome: Outcome::parse(&field("Outcome")),
            kind: field("EntityType"),
            name: field("EntityName"),
            reason: row.get("Reason").cloned(),
        }
    }

    fn to_json(&self) -> Value {
        let mut entity = json!({
            "EntityType": self.kind,
            "EntityName": self.name,
            "Outcome": self.outcome.to_string(),
        });
        if let (Some(reason), Some(members)) = (&self.reason, entity.as_object_mut()) {
            members.insert("Reason".to_owned(), json!(reason));
        }
        entity
    }
}

/// What becomes of everything in an import.
#[derive(Debug)]
pub(super) struct ImportPlan {
    account: String,
    entities: Vec<PlannedEntity>,
}

impl ImportPlan {
    pub(super) fn of(response: &QueryResponse, account: &str) -> Self {
        Self {
            account: account.to_owned(),
            entities: response.rows.iter().map(PlannedEntity::of).collect(),
        }
    }

    /// The number of entities with an outcome.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        let with = self.entities.iter().filter(|it| it.outcome == outcome);
        with.count()
    }

    /// Prints the plan, and what is not part of an import.
    pub(super) fn print(&self, source: &ImportSource, as_json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if as_json {
            let entities: Vec<_> = self.entities.iter().map(PlannedEntity::to_json).collect();
            let plan = json!({
                "Account": self.account,
                "Entities": entities,
                "NotImported": source.notes,
            });
            json_output::write(&mut out, &plan)?;
            return Ok(());
        }
        for entity in &self.entities {
            let (kind, name) = (printable(&entity.kind), printable(&entity.name));
            write!(out, "{:<6}  {kind:<16}  {name}", entity.outcome)?;
            match &entity.reason {
                Some(reason) => writeln!(out, ": {}", printable(reason))?,
                None => writeln!(out)?,
            }
        }
        if !source.notes.is_empty() {
            writeln!(out, "\nnot imported:")?;
        }
        for note in &source.notes {
            writeln!(out, "  {}", printable(note))?;
        }
        out.flush()?;
        self.print_summary()
    }

    fn print_summary(&self) -> anyhow::Result<()> {
        let mut talk = anstream::stderr().lock();
        let counts = [
            (Outcome::Created, "to create"),
            (Outcome::Exists, "existing"),
            (Outcome::Skipped, "skipped"),
            (Outcome::Rejected, "rejected"),
        ];
        let counts = counts.into_iter().filter_map(|(outcome, name)| {
            let count = self.count(outcome);
            (count > 0).then(|| format!("{count} {name}"))
        });
        let counts: Vec<_> = counts.collect();
        let total = entities(self.entities.len());
        let listed = if counts.is_empty() {
            String::new()
        } else {
            format!(": {}", counts.join(", "))
        };
        writeln!(
            talk,
            "{total} for account {}{listed}",
            printable(&self.account)
        )?;
        Ok(())
    }
}
