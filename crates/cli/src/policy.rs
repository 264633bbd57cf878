//! `keywright policy`: advice on policies and decisions by them, from files; and what a running
//! server decides, why, and whom it allows.
//!
//! It protects one rule: what it says is what the server would decide; both ask the same crate.

mod asked;
mod shown;

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use keywright_base::{AccountId, Arn, Clock};
use keywright_policy::{
    Context as _, ContextMap, Kind, Outcome, Policies, Policy, PolicySet, Position, PrincipalRef,
    Request, Settled, Severity, Source, Values, check_question, explain, is_list_key,
    is_of_principal, lint, missing_context_keys, settled, validate,
};
use keywright_server::SystemClock;
use serde_json::{Value, json};

use self::asked::{DenialsArguments, ExplainArguments, WhoCanArguments};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Look for what is wrong with a policy, cannot work, or grants more than was meant
    Lint(LintArguments),
    /// Decide a request by policies in files, and say why
    Simulate(Box<SimulateArguments>),
    /// Ask a running server whether a principal may do something, or why it was denied, and why
    Explain(Box<ExplainArguments>),
    /// List the requests that a running server denied
    Denials(DenialsArguments),
    /// Ask a running server which principals of the account may do something, and through what
    WhoCan(WhoCanArguments),
}

/// Which policy, and of what kind.
#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// File of the policy; - reads standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,

    /// managed, inline, session, trust, or bucket:NAME
    #[arg(long, default_value = "managed", value_name = "KIND")]
    kind: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which policies, and which request.
#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// File of an identity policy of the caller; may be repeated
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,

    /// File of the caller's permissions boundary
    #[arg(long, value_name = "FILE")]
    boundary: Option<PathBuf>,

    /// File of a policy passed when the caller's session was made; may be repeated
    #[arg(long, value_name = "FILE")]
    session_policy: Vec<PathBuf>,

    /// File of the policy of the resource
    #[arg(long, value_name = "FILE")]
    resource_policy: Option<PathBuf>,

    /// The action, for example s3:GetObject
    #[arg(long, value_name = "ACTION")]
    action: String,

    /// ARN of the resource, or *
    #[arg(long, default_value = "*", value_name = "ARN")]
    resource: String,

    /// Account of the resource [default: the caller's]
    #[arg(long, value_name = "ID")]
    resource_owner: Option<AccountId>,

    /// ARN of the calling user
    #[arg(
        long,
        default_value = "arn:aws:iam::123456789012:user/someone",
        value_name = "ARN"
    )]
    caller: String,

    /// A condition key and its value, KEY=VALUE; repeat a key for a list
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Carries it out. The value is false when the answer is no: findings that are errors, a denial.
///
/// # Errors
/// Files that cannot be read, values that are not of their form.
pub(crate) fn run(command: &PolicyCommand) -> anyhow::Result<bool> {
    match command {
        PolicyCommand::Lint(arguments) => run_lint(arguments),
        PolicyCommand::Simulate(arguments) => run_simulate(arguments),
        PolicyCommand::Explain(arguments) => asked::explain(arguments),
        PolicyCommand::Denials(arguments) => asked::denials(arguments),
        PolicyCommand::WhoCan(arguments) => asked::who_can(arguments),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input as UTF-8")?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn kind(text: &str) -> anyhow::Result<Kind<'_>> {
    Ok(match text {
        "managed" => Kind::Managed,
        "inline" => Kind::Inline,
        "session" => Kind::Session,
        "trust" => Kind::Trust,
        other => match other.strip_prefix("bucket:") {
            Some(bucket) if !bucket.is_empty() => Kind::Bucket { bucket },
            _ => bail!(
                "--kind {text}: not a kind of policy\n\
                 hint: managed, inline, session, trust or bucket:NAME"
            ),
        },
    })
}

fn run_lint(arguments: &LintArguments) -> anyhow::Result<bool> {
    let text = read(&arguments.file)?;
    let findings = lint(&text, kind(&arguments.kind)?);
    let mut out = io::stdout().lock();
    if arguments.json {
        let all: Vec<_> = findings.iter().map(|f| shown::finding(&text, f)).collect();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        let name = arguments.file.display();
        for finding in &findings {
            let at = Position::of(&text, finding.span.start);
            let (severity, code) = (finding.severity.as_str(), finding.code);
            let (line, column) = (at.line, at.column);
            writeln!(
                out,
                "{name}:{line}:{column}: {severity}: {} [{code}]",
                finding.message
            )?;
            if !finding.hint.is_empty() {
                writeln!(out, "  hint: {}", finding.hint)?;
            }
        }
        if findings.is_empty() {
            writeln!(io::stderr(), "nothing to say about {name}")?;
        }
    }
    Ok(!findings
        .iter()
        .any(|finding| finding.severity == Severity::Error))
}

fn compiled(path: &Path, kind: Kind<'_>) -> anyhow::Result<Arc<Policy>> {
    let text = read(path)?;
    let name = path.display();
    let document = validate(&text, kind)
        .map_err(|violation| anyhow::anyhow!("{name}: {violation}"))
        .with_context(|| format!("cannot use {name}; keywright policy lint says more"))?;
    Ok(Arc::new(
        Policy::compile(&document).with_id(&name.to_string()),
    ))
}

/// One `--context`.
fn key_and_value(pair: &str) -> anyhow::Result<(&str, &str)> {
    match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => bail!("--context {pair}: not of the form KEY=VALUE"),
    }
}

fn context(pairs: &[String]) -> anyhow::Result<ContextMap> {
    let mut lists: Vec<(&str, Vec<String>)> = Vec::new();
    for pair in pairs {
        let (key, value) = key_and_value(pair)?;
        if is_of_principal(key) {
            bail!("--context {pair}: this follows from --caller");
        }
        match lists
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            Some((_, values)) => values.push(value.to_owned()),
            None => lists.push((key, vec![value.to_owned()])),
        }
    }
    let mut context = ContextMap::default();
    for (key, values) in lists {
        let single = values.len() == 1 && !is_list_key(key);
        let mut values = values.into_iter();
        let values = match values.next() {
            Some(only) if single => Values::one(only),
            first => Values::many(first.into_iter().chain(values)),
        };
        context.set(key, values);
    }
    Ok(context)
}

/// Refuses to read standard input twice.
fn check_files(arguments: &SimulateArguments) -> anyhow::Result<()> {
    let of_session = arguments.session_policy.iter().chain(&arguments.boundary);
    let files = arguments.policy.iter().chain(of_session);
    let files = files.chain(&arguments.resource_policy);
    if files.filter(|file| *file == Path::new("-")).count() > 1 {
        bail!("standard input (-) can be read for one policy only");
    }
    Ok(())
}

/// The policies that follow the caller.
fn of_caller(arguments: &SimulateArguments) -> anyhow::Result<PolicySet> {
    let identity = arguments.policy.iter().map(|path| {
        let policy = compiled(path, Kind::Inline)?;
        Ok((Source::Inline, policy))
    });
    let mut set = PolicySet::new(identity.collect::<anyhow::Result<_>>()?);
    if let Some(boundary) = &arguments.boundary {
        set = set.with_boundary(compiled(boundary, Kind::Inline)?);
    }
    if !arguments.session_policy.is_empty() {
        let policies = arguments.session_policy.iter();
        let policies = policies.map(|path| compiled(path, Kind::Session));
        set = set.with_session(policies.collect::<anyhow::Result<_>>()?);
    }
    Ok(set)
}

/// The context with what every request has, where nothing else was told.
fn with_what_is_known(mut context: ContextMap, owner: AccountId) -> ContextMap {
    let now = SystemClock.now();
    for (key, value) in [
        ("aws:currenttime", now.iso8601()),
        ("aws:epochtime", now.secs().to_string()),
        ("aws:principalisawsservice", "false".to_owned()),
        ("aws:resourceaccount", owner.to_string()),
        ("aws:viaawsservice", "false".to_owned()),
        ("s3:resourceaccount", owner.to_string()),
    ] {
        if context.get(key).as_slice().is_empty() {
            context.set(key, Values::one(value));
        }
    }
    context
}

fn run_simulate(arguments: &SimulateArguments) -> anyhow::Result<bool> {
    check_question(&arguments.action, &arguments.resource)?;
    check_files(arguments)?;
    let caller =
        Arn::parse(&arguments.caller).with_context(|| format!("--caller {}", arguments.caller))?;
    let account: AccountId = caller.account().parse().context("--caller: its account")?;
    let Some(name) = caller.resource().strip_prefix("user/") else {
        bail!("--caller {}: not the ARN of a user", arguments.caller);
    };
    let set = of_caller(arguments)?;
    let resource_policy = match &arguments.resource_policy {
        Some(path) => Some(compiled(path, bucket_kind(&arguments.resource))?),
        None => None,
    };
    let mut policies = Policies::new(&set);
    if let Some(policy) = &resource_policy {
        policies = policies.with_resource(policy);
    }
    let owner = arguments.resource_owner.unwrap_or(account);
    let context = with_what_is_known(context(&arguments.context)?, owner);
    let request = Request {
        principal: PrincipalRef::User {
            account,
            arn: &arguments.caller,
            id: "AIDAEXAMPLEEXAMPLEEXA",
            name: name.rsplit('/').next().unwrap_or(name),
        },
        action: &arguments.action,
        resource: &arguments.resource,
        owner: Some(owner),
        context: &context,
    };
    if let Some(settled) = settled(&arguments.action, &arguments.resource) {
        return print_settled(settled, arguments.json);
    }
    let explanation = explain(&policies, &request);
    let missing: Vec<String> = missing_context_keys(&policies, &request)
        .into_iter()
        .map(|key| key.to_string())
        .collect();
    let mut out = io::stdout().lock();
    if arguments.json {
        let mut shown = shown::explanation(&explanation);
        if let Value::Object(members) = &mut shown {
            members.insert("MissingContextKeys".to_owned(), json!(missing));
        }
        serde_json::to_writer_pretty(&mut out, &shown)?;
        writeln!(out)?;
    } else {
        write!(out, "{explanation}")?;
        if !missing.is_empty() {
            writeln!(out, "  not given: {}", missing.join(", "))?;
        }
    }
    Ok(explanation.decision.is_allowed())
}

/// Says that policies are not asked.
fn print_settled(settled: Settled, json: bool) -> anyhow::Result<bool> {
    let outcome = Outcome::from(settled);
    let allowed = outcome == Outcome::Allowed;
    let mut out = io::stdout().lock();
    if json {
        let nothing = json!({
            "Decision": outcome.as_str(), "DecidedBy": [], "Statements": [], "Needs": []
        });
        serde_json::to_writer_pretty(&mut out, &nothing)?;
        writeln!(out)?;
    } else {
        let word = if allowed { "allowed" } else { "denied" };
        writeln!(out, "{word}\n  {}", settled.why())?;
    }
    Ok(allowed)
}

/// The kind of a policy of this resource.
fn bucket_kind(resource: &str) -> Kind<'_> {
    let name = resource.strip_prefix("arn:aws:s3:::").unwrap_or_default();
    Kind::Bucket {
        bucket: name.split('/').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
