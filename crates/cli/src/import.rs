//! `keywright import`: creates the users, groups, roles, policies and instance profiles of another
//! account or of MinIO on a running server.
//!
//! It computes what to create, and the server creates all of it or nothing. This is an ordinary
//! client: it signs with the user's own AWS credentials, and each entity needs the permission of
//! IAM that creating it by hand would need.
//!
//! Invariants:
//!
//! - Input is limited in size before it is read.
//! - A plan comes first. Nothing is created if something would be left out that the user did not
//!   accept to be left out.

mod details;
mod minio;
mod new_keys;
mod plan;
mod report;

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use keywright_aws::{AccountClient, CallError, QueryService};
use keywright_base::Clock;
use keywright_identity::import_document::ImportDocument;
use keywright_server::SystemClock;

use self::{
    details::AccountMove,
    new_keys::KeyFile,
    plan::{ImportPlan, Outcome},
};
use crate::remote::{RemoteArguments, counted};

/// Bytes of a file to import.
const FILE_BYTES: u64 = 128 * 1024 * 1024;
/// How often an import is repeated because the account changed in the meantime.
const TRIES: usize = 5;

/// Create users, groups, roles and policies from another account or from MinIO
///
/// The file is the output of `aws iam get-account-authorization-details` or of `keywright export`,
/// or the archive of `mc admin cluster iam export`. Everything in it is created in one step, or
/// nothing. What exists is left as it is.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// File to import, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print what would be created, what exists, and what cannot be imported and why, and stop
    #[arg(long)]
    dry_run: bool,

    /// Leave out what cannot be imported, and everything that depends on it
    #[arg(long)]
    allow_incomplete: bool,

    /// Replace the ID of the old account in policies by that of the new one: in each ARN in
    /// Principal, NotPrincipal, Resource, NotResource and Condition, and where it is a whole value
    /// there
    #[arg(long)]
    rewrite_account: bool,

    /// Credential report of the old account (CSV), to list who had which credentials
    #[arg(long, value_name = "FILE")]
    credential_report: Option<PathBuf>,

    /// Create a new access key for each that was active, and write them to this file (CSV)
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    new_keys: Option<PathBuf>,

    #[command(flatten)]
    remote: RemoteArguments,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a file has to import.
#[derive(Debug, Default)]
struct ImportSource {
    document: ImportDocument,
    /// The account it is from, if it is from one.
    account: Option<String>,
    /// How many values in documents name that account, although they move to another one.
    mentions: usize,
    /// What cannot be imported.
    notes: Vec<String>,
    /// The access keys to create again.
    keys: Vec<KeyRequest>,
}

/// An access key to create for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyRequest {
    user: String,
    /// The key that it replaces.
    replaces: String,
}

/// Imports a file. Returns whether everything in it was, or could be, imported.
///
/// # Errors
/// If the file cannot be read, the server is unreachable, or it denies the request.
pub(crate) fn run(arguments: &ImportArguments) -> anyhow::Result<bool> {
    let bytes = read_file(&arguments.file)?;
    arguments
        .remote
        .with_client(async |client| imported(arguments, bytes, client).await)
}

async fn imported(
    arguments: &ImportArguments,
    bytes: Vec<u8>,
    client: AccountClient,
) -> anyhow::Result<bool> {
    let account = client.identity().account.clone();
    let source = source(arguments, &bytes, &account)?;
    let document = encoded(&source.document)?;
    let parameters = [("Document", document.as_str()), ("DryRun", "true")];
    let planned = client.read(QueryService::Keywright, "ImportAccount", &parameters);
    let plan = ImportPlan::of(&planned.await?, &account);
    plan.print(&source, arguments.json)?;
    hints(arguments, &plan, &source, &account)?;
    let is_complete = plan.count(Outcome::Rejected) == 0;
    if arguments.dry_run {
        return Ok(is_complete);
    }
    if !is_complete && !arguments.allow_incomplete {
        return Ok(false);
    }
    let keys = arguments.new_keys.as_deref();
    if keys.is_some() && source.keys.is_empty() {
        bail!(
            "nothing says who had access keys\n\
             hint: give --credential-report, or leave out --new-keys"
        );
    }
    // Before anything is created: it may not be possible.
    let keys = keys.map(KeyFile::create).transpose()?;
    let done = match create(&client, &document, arguments.allow_incomplete).await {
        Ok(done) => done,
        Err(error) => {
            if let Some(keys) = keys {
                keys.discard();
            }
            return Err(error);
        }
    };
    let mut talk = anstream::stderr().lock();
    let created = done.count(Outcome::Created);
    writeln!(talk, "imported {}", entities(created))?;
    if let Some(keys) = keys {
        let count = keys.fill(client, &source.keys).await?;
        writeln!(talk, "created {}", counted(count, "access key"))?;
    }
    Ok(true)
}

/// Sends the import, again if the account changed while it was computed.
async fn create(
    client: &AccountClient,
    document: &str,
    allow_incomplete: bool,
) -> anyhow::Result<ImportPlan> {
    let allow_incomplete = allow_incomplete.to_string();
    let parameters = [
        ("Document", document),
        ("AllowIncomplete", allow_incomplete.as_str()),
    ];
    let mut tries = 1;
    loop {
        let sent = client.send(QueryService::Keywright, "ImportAccount", &parameters);
        match sent.await {
            Ok(response) => return Ok(ImportPlan::of(&response, &client.identity().account)),
            Err(CallError::Refused { code, .. })
                if code == "ConcurrentModification" && tries < TRIES =>
            {
                tries += 1;
            }
            Err(error @ CallError::Unknown { .. }) => {
                let error = anyhow::Error::from(error);
                return Err(error.context(
                    "it is unknown whether the import was carried out\n\
                     hint: run the command again with --dry-run; what was imported exists",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a file has to import into an account.
fn source(
    arguments: &ImportArguments,
    bytes: &[u8],
    account: &str,
) -> anyhow::Result<ImportSource> {
    let file = || format!("cannot import {}", arguments.file.display());
    let mut source = if bytes.starts_with(minio::MAGIC) {
        minio::read(bytes, account).with_context(file)?
    } else {
        of_account(arguments, bytes, account).with_context(file)?
    };
    if let Some(path) = &arguments.credential_report {
        let report = read_file(path)?;
        let cannot = || format!("cannot read {}", path.display());
        let report = String::from_utf8(report).with_context(cannot)?;
        report::read(&report, SystemClock.now(), &mut source).with_context(cannot)?;
    }
    Ok(source)
}

fn of_account(
    arguments: &ImportArguments,
    bytes: &[u8],
    account: &str,
) -> anyhow::Result<ImportSource> {
    let text = std::str::from_utf8(bytes).context("it is neither UTF-8 nor a zip archive")?;
    let details = details::read(text)?;
    let way = AccountMove {
        from: details::account_of(&details)?,
        to: account.to_owned(),
        replaces: arguments.rewrite_account,
    };
    let moved = way.document(&details)?;
    Ok(ImportSource {
        document: moved.document,
        account: way.from,
        mentions: moved.mentions,
        ..ImportSource::default()
    })
}

fn encoded(document: &ImportDocument) -> anyhow::Result<String> {
    const CHARACTERS: usize = 1_000_000;
    let encoded = document.encode()?;
    if encoded.len() > CHARACTERS {
        bail!(
            "this is too much for one import: {} characters compressed, of {CHARACTERS}",
            encoded.len()
        );
    }
    Ok(encoded)
}

/// The next steps after a plan.
fn hints(
    arguments: &ImportArguments,
    plan: &ImportPlan,
    source: &ImportSource,
    account: &str,
) -> anyhow::Result<()> {
    let mut talk = anstream::stderr().lock();
    if source.mentions > 0 && !arguments.rewrite_account {
        let from = source.account.as_deref().unwrap_or_default();
        writeln!(
            talk,
            "hint: {} in policies name{} the account {from}; --rewrite-account replaces it by \
             {account}",
            counted(source.mentions, "value"),
            if source.mentions == 1 { "s" } else { "" },
        )?;
    }
    let rejected = plan.count(Outcome::Rejected);
    if rejected > 0 && !arguments.allow_incomplete {
        let done = if arguments.dry_run {
            ""
        } else {
            "nothing was imported\n"
        };
        writeln!(
            talk,
            "{done}hint: correct the file, or leave out {} with --allow-incomplete",
            entities(rejected)
        )?;
    }
    Ok(())
}

fn entities(count: usize) -> String {
    match count {
        1 => "1 entity".to_owned(),
        count => format!("{count} entities"),
    }
}

/// Reads a file of limited size.
fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).with_context(cannot)?)
    };
    let read = source.take(FILE_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(cannot)?;
    if bytes.len() as u64 > FILE_BYTES {
        bail!("{} has more than {FILE_BYTES} bytes", path.display());
    }
    Ok(bytes)
}
