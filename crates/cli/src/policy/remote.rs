//! `keywright policy explain`, `denials` and `who-can`: decisions of a running server.
//!
//! Invariant: it shows what the server returns and adds nothing. Untrusted text (user agents,
//! names) reaches the terminal without control characters.

use std::io::{self, Write};

use clap::Args;
use keywright_aws::{PageMarkers, QueryResponse, ResponseRow};
use keywright_policy::ActionCatalogue;
use serde_json::{Map, Value, json};

use super::simulate::key_and_value;
use crate::{
    json_output,
    remote::{RemoteArguments, printable},
};

/// Which request to explain.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Name of a user, root, or an ARN
    #[arg(value_name = "PRINCIPAL", required_unless_present = "request_id")]
    principal: Option<String>,

    /// Action, for example s3:GetObject
    #[arg(value_name = "ACTION", required_unless_present = "request_id")]
    action: Option<String>,

    /// ARN of the resource
    #[arg(default_value = "*", value_name = "RESOURCE")]
    resource: String,

    /// Condition key and its value; repeat a key to give it several values
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,

    /// ID of a denied request to explain instead; the exit code says whether it would be allowed
    /// now
    #[arg(long, value_name = "ID", conflicts_with_all = ["principal", "action", "context"])]
    request_id: Option<String>,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which denials.
#[derive(Debug, Args)]
pub(crate) struct DenialsArguments {
    /// List only requests of this principal: the name of a user, root, or an ARN
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What somebody may.
#[derive(Debug, Args)]
pub(crate) struct WhoCanArguments {
    /// Action, for example s3:GetObject
    #[arg(value_name = "ACTION")]
    action: String,

    /// ARN of the resource
    #[arg(default_value = "*", value_name = "RESOURCE")]
    resource: String,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A request parameter.
fn parameter(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A response field; empty if missing.
fn field<'a>(row: &'a ResponseRow, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

/// The lines of an explanation without indentation.
fn lines(answer: &QueryResponse) -> Vec<&str> {
    let lines = field(&answer.fields, "Explanation").lines();
    lines.map(str::trim).collect()
}

/// The rows that have a field of this name.
fn rows_with<'a>(answer: &'a QueryResponse, name: &str) -> Vec<&'a ResponseRow> {
    let rows = answer.rows.iter();
    rows.filter(|row| row.contains_key(name)).collect()
}

/// Explains a decision. Returns whether the request is allowed; for a past request, whether it is
/// allowed now.
pub(super) fn explain(arguments: &ExplainArguments) -> anyhow::Result<bool> {
    if let Some(id) = &arguments.request_id {
        return explain_denied(arguments, id);
    }
    let principal = arguments.principal.as_deref().unwrap_or_default();
    let principal = arguments.remote.principal_arn(principal)?;
    let mut parameters = vec![
        parameter("PrincipalArn", &principal),
        parameter(
            "ActionName",
            arguments.action.as_deref().unwrap_or_default(),
        ),
        parameter("ResourceArn", &arguments.resource),
    ];
    for (number, pair) in (1..).zip(&arguments.context) {
        let (key, value) = key_and_value(pair)?;
        let place = format!("ContextEntries.member.{number}");
        parameters.push(parameter(&format!("{place}.ContextKeyName"), key));
        parameters.push(parameter(&format!("{place}.ContextKeyValue"), value));
    }
    let answer = arguments.remote.ask("ExplainAuthorization", &parameters)?;
    let decision = field(&answer.fields, "Decision");
    let mut out = io::stdout().lock();
    if arguments.json {
        let listed = json!({
            "Decision": decision,
            "Explanation": lines(&answer),
            "Statements": statements(&answer),
            "IsTruncated": field(&answer.fields, "IsTruncated") == "true",
        });
        json_output::write(&mut out, &listed)?;
    } else {
        print(&mut out, &answer)?;
        let action = arguments.action.as_deref().unwrap_or_default();
        let known = ActionCatalogue::built_in().action(action);
        let on_something = known.is_none_or(|action| !action.resources.is_empty());
        if decision != "allowed" && arguments.resource == "*" && on_something {
            let mut talk = io::stderr().lock();
            writeln!(
                talk,
                "hint: this applies to all resources (*); specify one to ask about it"
            )?;
        }
    }
    Ok(decision == "allowed")
}

/// The fields of a denied request's record besides its ID.
const RECORD: [&str; 6] = [
    "Time",
    "PrincipalArn",
    "ActionName",
    "ResourceArn",
    "SourceAddress",
    "Message",
];

fn explain_denied(arguments: &ExplainArguments, id: &str) -> anyhow::Result<bool> {
    let requested = [parameter("RequestId", id)];
    let answer = arguments.remote.ask("ExplainDeniedRequest", &requested)?;
    let of = |name: &str| field(&answer.fields, name);
    let now = of("DecisionNow");
    let mut out = io::stdout().lock();
    if arguments.json {
        let record = RECORD
            .iter()
            .map(|&name| (name.to_owned(), json!(of(name))));
        let mut record: Map<String, Value> = record.collect();
        record.insert("RequestId".to_owned(), json!(id));
        let listed = json!({
            "DeniedRequest": record,
            "Decision": of("Decision"),
            "DecisionNow": now,
            "Explanation": lines(&answer),
            "ContextEntries": rows_with(&answer, "ContextKeyName"),
            "Statements": statements(&answer),
            "IsTruncated": of("IsTruncated") == "true",
        });
        json_output::write(&mut out, &listed)?;
        return Ok(now == "allowed");
    }
    let (time, message) = (printable(of("Time")), printable(of("Message")));
    writeln!(
        out,
        "{time} from {}: {message}",
        printable(of("SourceAddress"))
    )?;
    print(&mut out, &answer)?;
    writeln!(out, "now: {}", printable(now))?;
    let (action, resource) = (printable(of("ActionName")), printable(of("ResourceArn")));
    let resource = if resource == "*" {
        String::new()
    } else {
        format!(" {resource}")
    };
    let mut talk = io::stderr().lock();
    writeln!(
        talk,
        "hint: to list who may: keywright policy who-can {action}{resource}"
    )?;
    Ok(now == "allowed")
}

/// The statements, with real booleans.
fn statements(answer: &QueryResponse) -> Vec<Value> {
    let rows = rows_with(answer, "Statement").into_iter();
    let listed = rows.map(|row| {
        let mut listed = json!({
            "Statement": field(row, "Statement"),
            "Policy": field(row, "Policy"),
            "Effect": field(row, "Effect"),
            "Applies": field(row, "Applies") == "true",
        });
        if let (Value::Object(members), Some(lacks)) = (&mut listed, row.get("Lacks")) {
            members.insert("Lacks".to_owned(), json!(lacks));
        }
        listed
    });
    listed.collect()
}

/// Prints the explanation, with the mismatches of every statement about the action.
fn print(out: &mut impl Write, answer: &QueryResponse) -> io::Result<()> {
    for line in field(&answer.fields, "Explanation").lines() {
        writeln!(out, "{}", printable(line))?;
    }
    let rows = rows_with(answer, "Statement");
    let other = |row: &&&ResponseRow| field(row, "Lacks").starts_with("the action");
    let others = rows.iter().filter(other).count();
    if !rows.is_empty() {
        writeln!(out, "statements:")?;
    }
    for row in rows.iter().filter(|row| !other(row)) {
        let of = |name: &str| printable(field(row, name));
        let reported = match row.get("Lacks") {
            Some(lacks) => format!("lacks {}", printable(lacks)),
            None => "applies".to_owned(),
        };
        let (effect, number, policy) = (of("Effect"), of("Statement"), of("Policy"));
        writeln!(
            out,
            "  {effect}, statement {number} of {policy}: {reported}"
        )?;
    }
    if others > 0 {
        writeln!(out, "  {others} about other actions")?;
    }
    if field(&answer.fields, "IsTruncated") == "true" {
        writeln!(out, "  and more, not listed")?;
    }
    Ok(())
}

/// Every page of a list.
fn pages(
    remote: &RemoteArguments,
    action: &'static str,
    requested: &[(String, String)],
) -> anyhow::Result<Vec<ResponseRow>> {
    let mut rows: Vec<ResponseRow> = Vec::new();
    let (mut marker, mut markers) = (None::<String>, PageMarkers::default());
    loop {
        let mut parameters = requested.to_vec();
        parameters.extend(marker.map(|marker| parameter("Marker", &marker)));
        let mut answer = remote.ask(action, &parameters)?;
        marker = markers.next(&mut answer)?;
        rows.extend(answer.rows);
        if marker.is_none() {
            return Ok(rows);
        }
    }
}

/// Lists denials, newest first.
pub(super) fn denials(arguments: &DenialsArguments) -> anyhow::Result<bool> {
    let principal = arguments.principal.as_ref();
    let arn = principal.map(|principal| arguments.remote.principal_arn(principal));
    let mut requested: Vec<_> = arn
        .transpose()?
        .map(|arn| parameter("PrincipalArn", &arn))
        .into_iter()
        .collect();
    requested.push(parameter("MaxItems", "1000"));
    let rows = pages(&arguments.remote, "ListDeniedRequests", &requested)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        json_output::write(&mut out, &rows)?;
        return Ok(true);
    }
    for row in &rows {
        let of = |name: &str| printable(field(row, name));
        let (time, id, message) = (of("Time"), of("RequestId"), of("Message"));
        writeln!(out, "{time} {id}\n  {message}")?;
    }
    if rows.is_empty() {
        writeln!(io::stderr(), "no requests denied since the server started")?;
    } else {
        writeln!(
            io::stderr(),
            "hint: to see why: keywright policy explain --request-id ID"
        )?;
    }
    Ok(true)
}

/// Lists the principals with access. Returns false if there are none.
pub(super) fn who_can(arguments: &WhoCanArguments) -> anyhow::Result<bool> {
    let requested = [
        parameter("ActionName", &arguments.action),
        parameter("ResourceArn", &arguments.resource),
    ];
    let rows = pages(&arguments.remote, "ListAuthorizedPrincipals", &requested)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        json_output::write(&mut out, &rows)?;
        return Ok(!rows.is_empty());
    }
    for row in &rows {
        let of = |name: &str| row.get(name).map(|text| printable(text));
        let principal = of("PrincipalArn").unwrap_or_default();
        let through = of("Through").unwrap_or_default();
        writeln!(out, "{principal}\n  through {through}")?;
        if let Some(condition) = of("Condition") {
            writeln!(out, "  only if {condition}")?;
        }
    }
    if rows.is_empty() {
        writeln!(io::stderr(), "no principal may")?;
    }
    Ok(!rows.is_empty())
}
