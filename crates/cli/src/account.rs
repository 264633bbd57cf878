//! `keywright account`: the accounts of a running server, through AWS Organizations.
//!
//! Invariant: this is an ordinary client of `CreateAccount`, `ListAccounts` and `CloseAccount`. It
//! signs with the user's own AWS credentials and is authorized for what it requests. Whoever calls
//! it belongs to the management account.

use std::io::{self, Write};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use keywright_aws::CallError;
use serde_json::{Value, json};

use crate::{
    json_output,
    remote::{RemoteArguments, printable},
};

/// What to do about accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Create an account in the organization; creates the organization if there is none
    ///
    /// Its root user has no credentials. Enter the account by assuming its role from the management
    /// account.
    Create(CreateArguments),
    /// List the accounts of the organization
    List(ListArguments),
    /// Close an account: its credentials stop working at once, and it cannot be reopened
    Close(CloseArguments),
}

/// Which account to create.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// Name of the account
    #[arg(value_name = "NAME")]
    name: String,

    /// E-mail address of its owner, which no other account may have
    #[arg(long, value_name = "ADDRESS")]
    email: String,

    /// Role that the management account may assume in it
    #[arg(
        long,
        value_name = "NAME",
        default_value = "OrganizationAccountAccessRole"
    )]
    role_name: String,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How to list.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Which account to close.
#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    /// Account ID, for example 123456789012
    #[arg(value_name = "ACCOUNT")]
    account: String,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Close it without asking for confirmation
    #[arg(long)]
    yes: bool,
}

/// Runs a command. Returns false if a person says no.
///
/// # Errors
/// With a message for the user.
pub(crate) fn run(command: &AccountCommand) -> anyhow::Result<bool> {
    match command {
        AccountCommand::Create(arguments) => create(arguments).map(|()| true),
        AccountCommand::List(arguments) => list(arguments).map(|()| true),
        AccountCommand::Close(arguments) => close(arguments),
    }
}

/// Whether a request failed because there is no organization.
fn is_unorganized(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CallError::Refused { code, .. })
        if code == "AWSOrganizationsNotInUseException")
}

/// A member of a response as text; empty if it is missing.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn create(arguments: &CreateArguments) -> anyhow::Result<()> {
    let remote = &arguments.remote;
    let input = json!({
        "AccountName": arguments.name,
        "Email": arguments.email,
        "RoleName": arguments.role_name,
    });
    let requested = match remote.organizations("CreateAccount", &input) {
        Err(error) if is_unorganized(&error) => {
            let made = remote.organizations("CreateOrganization", &json!({}))?;
            let organization = made.get("Organization").map_or("", |it| text(it, "Id"));
            writeln!(
                io::stderr(),
                "created organization {}",
                printable(organization)
            )?;
            remote.organizations("CreateAccount", &input)
        }
        other => other,
    }?;
    let status = requested.get("CreateAccountStatus").unwrap_or(&Value::Null);
    let id = json!({ "CreateAccountRequestId": text(status, "Id") });
    let found = remote.organizations("DescribeCreateAccountStatus", &id)?;
    let status = found.get("CreateAccountStatus").unwrap_or(&Value::Null);
    let account = match text(status, "State") {
        "SUCCEEDED" => text(status, "AccountId"),
        "FAILED" => bail!(
            "the account was not created: {}",
            printable(text(status, "FailureReason"))
        ),
        _ => bail!(
            "the account is not created yet\nhint: it is finished when the server starts again"
        ),
    };
    let role = format!("arn:aws:iam::{account}:role/{}", arguments.role_name);
    let mut out = io::stdout().lock();
    if arguments.json {
        return Ok(json_output::write(
            &mut out,
            &json!({ "AccountId": account, "RoleArn": role }),
        )?);
    }
    writeln!(out, "{}", printable(account))?;
    let mut talk = io::stderr().lock();
    let role = printable(&role);
    writeln!(
        talk,
        "hint: to enter it: aws sts assume-role --role-session-name NAME --role-arn {role}"
    )?;
    Ok(())
}

/// Every account, page by page.
fn accounts(remote: &RemoteArguments) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut input = json!({});
    loop {
        let page = remote.organizations("ListAccounts", &input)?;
        let listed = page.get("Accounts").and_then(Value::as_array);
        let listed = listed.context("the answer has no accounts")?;
        all.extend(listed.iter().cloned());
        match page.get("NextToken") {
            // A token without accounts would never end.
            Some(token) if !listed.is_empty() => input = json!({ "NextToken": token }),
            _ => return Ok(all),
        }
    }
}

fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let accounts = match accounts(&arguments.remote) {
        Err(error) if is_unorganized(&error) => {
            bail!("{error}\nhint: keywright account create begins an organization")
        }
        other => other?,
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        return Ok(json_output::write(&mut out, &accounts)?);
    }
    let columns = ["Id", "Status", "Name", "Email"];
    let heading = columns.map(str::to_uppercase);
    let rows = accounts
        .iter()
        .map(|it| columns.map(|name| printable(text(it, name))));
    for [id, status, name, email] in std::iter::once(heading).chain(rows) {
        writeln!(out, "{id:<14}{status:<11}{name:<24}{email}")?;
    }
    Ok(())
}

fn close(arguments: &CloseArguments) -> anyhow::Result<bool> {
    let account = &arguments.account;
    if !arguments.yes {
        let mut talk = io::stderr().lock();
        write!(
            talk,
            "Close account {account} for good? Type its ID to confirm: "
        )?;
        talk.flush()?;
        let mut typed = String::new();
        io::stdin().read_line(&mut typed)?;
        if typed.trim() != account {
            writeln!(talk, "Nothing was closed.")?;
            return Ok(false);
        }
    }
    let input = json!({ "AccountId": account });
    arguments.remote.organizations("CloseAccount", &input)?;
    writeln!(io::stdout(), "Closed account {account}.")?;
    Ok(true)
}
