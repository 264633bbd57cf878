//! `keywright keys`: asks a running server for what AWS does not report: attempts with an inactive
//! access key, and the sessions issued with a key.
//!
//! Invariant: this is an ordinary client. It signs with the user's own AWS credentials, is
//! authorized for what it requests, and has no private API. Data goes to stdout, everything else to
//! stderr. Foreign text reaches the terminal without control characters.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use keywright_aws::{PageMarkers, QueryResponse, ResponseRow};
use keywright_base::AccessKeyId;
use serde_json::{Map, Value, json};

use crate::{
    json_output,
    remote::{RemoteArguments, printable},
};

/// What to ask about a key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List attempts to use a key while it was inactive
    Attempts(KeyArguments),
    /// List the valid sessions that were issued with a key
    Sessions(KeyArguments),
}

/// About which key, and whom to ask as whom.
#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// Access key ID, for example AKIA…; the key may be deleted
    #[arg(value_name = "KEY")]
    key: AccessKeyId,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// An operation and how its response is displayed.
struct ListCommand {
    action: &'static str,
    list: &'static str,
    /// Heading and element of each column.
    columns: &'static [(&'static str, &'static str)],
    /// Elements that are numbers.
    numbers: &'static [&'static str],
    nothing: &'static str,
}

const ATTEMPTS: ListCommand = ListCommand {
    action: "ListAccessKeyAttempts",
    list: "Attempts",
    columns: &[
        ("LAST ATTEMPT", "LastAttempt"),
        ("COUNT", "Count"),
        ("SOURCE", "SourceAddress"),
        ("ACTION", "Action"),
        ("USER AGENT", "UserAgent"),
    ],
    numbers: &["Total", "Count"],
    nothing: "no attempts to use this key while it was inactive",
};

const SESSIONS: ListCommand = ListCommand {
    action: "ListAccessKeySessions",
    list: "Sessions",
    columns: &[
        ("ISSUED", "IssueTime"),
        ("EXPIRES", "Expiration"),
        ("ACCESS KEY", "AccessKeyId"),
        ("ACTION", "Action"),
        ("PRINCIPAL", "PrincipalArn"),
    ],
    numbers: &[],
    nothing: "no valid sessions were issued with this key",
};

/// Sends the request and prints the response.
///
/// # Errors
/// If there is no endpoint, there are no credentials, the server is unreachable, or it denies the
/// request.
pub(crate) fn run(command: &KeysCommand) -> anyhow::Result<()> {
    let (listing, arguments) = match command {
        KeysCommand::Attempts(arguments) => (&ATTEMPTS, arguments),
        KeysCommand::Sessions(arguments) => (&SESSIONS, arguments),
    };
    let key = ("AccessKeyId".to_owned(), arguments.key.to_string());
    let answer = whole(listing, arguments, key)?;
    if answer.rows.is_empty() && arguments.remote.is_unknown_key(arguments.key.as_str())? {
        bail!(
            "no such key: {}\nhint: check the ID; of a deleted key, only attempts and sessions \
             would be left, and there are none",
            arguments.key
        );
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        json_output::write(&mut out, &to_json(listing, &answer))?;
    } else if answer.rows.is_empty() {
        writeln!(std::io::stderr(), "{}", listing.nothing)?;
    } else {
        out.write_all(table(listing, &answer.rows).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// Joins every page of a list.
fn whole(
    listing: &ListCommand,
    arguments: &KeyArguments,
    key: (String, String),
) -> anyhow::Result<QueryResponse> {
    let mut parameters = vec![key];
    let mut markers = PageMarkers::default();
    let mut answer = arguments.remote.ask(listing.action, &parameters)?;
    let mut marker = markers.next(&mut answer)?;
    while let Some(of_next) = marker {
        parameters.truncate(1);
        parameters.push(("Marker".to_owned(), of_next));
        let mut next = arguments.remote.ask(listing.action, &parameters)?;
        marker = markers.next(&mut next)?;
        answer.rows.append(&mut next.rows);
        answer.fields = next.fields;
    }
    // The joined response has no pages.
    answer.fields.remove("IsTruncated");
    Ok(answer)
}

/// The response as JSON, with the model's names.
fn to_json(listing: &ListCommand, answer: &QueryResponse) -> Value {
    let object = |row: &ResponseRow| -> Map<String, Value> {
        let members = row.iter().map(|(name, text)| {
            let number = listing.numbers.contains(&name.as_str());
            let number = number.then(|| text.parse::<i64>().ok()).flatten();
            (
                name.clone(),
                number.map_or_else(|| json!(text), |n| json!(n)),
            )
        });
        members.collect()
    };
    let mut all = object(&answer.fields);
    let rows: Vec<_> = answer.rows.iter().map(object).collect();
    all.insert(listing.list.to_owned(), json!(rows));
    Value::Object(all)
}

/// Characters of a cell at most. JSON has all of them.
const CELL_CHARS: usize = 60;

/// A cell without control characters, cut where it would break the table.
fn shortened(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(CELL_CHARS) {
        None => text,
        Some(_) => text.chars().take(CELL_CHARS - 1).chain(['…']).collect(),
    }
}

/// A table with columns as wide as their widest cell, two spaces apart.
fn table(listing: &ListCommand, rows: &[ResponseRow]) -> String {
    let titles = listing.columns.iter().map(|(title, _)| (*title).to_owned());
    let cells = |row: &ResponseRow| -> Vec<String> {
        let cell = |(_, name): &(_, &str)| row.get(*name).map_or("-".to_owned(), |t| shortened(t));
        listing.columns.iter().map(cell).collect()
    };
    let lines: Vec<Vec<String>> = std::iter::once(titles.collect())
        .chain(rows.iter().map(cells))
        .collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..listing.columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let padded = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let padded: Vec<String> = padded.collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
