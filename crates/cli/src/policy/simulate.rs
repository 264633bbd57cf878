//! `keywright policy simulate`: decides a request from policies in files and explains the decision.
//!
//! Invariant: the answer is what a server with these policies would decide, including the
//! permissions that the action implies.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::Args;
use keywright_base::{AccountId, Arn, Clock};
use keywright_policy::{
    AccessRequest, ContextLookup as _, ContextMap, ContextValues, Explanation, PoliciesInForce,
    SettledAnswer, SimulationOutcome, check_question, explain, is_list_key, is_of_principal,
    missing_context_keys, settled,
};
use keywright_server::SystemClock;
use serde_json::{Value, json};

use crate::{
    json_output,
    remote::{printable, printable_lines},
};

use super::{caller::SupposedCaller, implied::ImpliedRequest, output, policies::GivenPolicies};

/// Which policies, and which request.
#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// File with an identity policy of the caller, or of a session's role or user; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<PathBuf>,

    /// File with the caller's permissions boundary
    #[arg(long, value_name = "FILE")]
    pub(super) boundary: Option<PathBuf>,

    /// File with a session policy of the caller; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) session_policy: Vec<PathBuf>,

    /// File with the resource's policy
    #[arg(long, value_name = "FILE")]
    pub(super) resource_policy: Option<PathBuf>,

    /// File with the trust policy of the role given as the resource, for sts:AssumeRole and related
    /// actions
    #[arg(long, value_name = "FILE", conflicts_with = "resource_policy")]
    pub(super) trust_policy: Option<PathBuf>,

    /// Files with the service control policies of one level of the caller's organization, separated
    /// by commas; repeat for each level, from the organization's root to the account. Every level
    /// must allow the request. Omit for the management account
    #[arg(long, value_name = "FILE[,FILE]", value_parser = control_level)]
    pub(super) service_control_policy: Vec<ControlLevel>,

    /// Files with the resource control policies of one level of the organization of the resource's
    /// account; repeat for each level, as with --service-control-policy
    #[arg(long, value_name = "FILE[,FILE]", value_parser = control_level)]
    pub(super) resource_control_policy: Vec<ControlLevel>,

    /// Action, for example s3:GetObject
    #[arg(long, value_name = "ACTION")]
    pub(super) action: String,

    /// ARN of the resource, or *
    #[arg(long, default_value = "*", value_name = "ARN")]
    pub(super) resource: String,

    /// Account that owns the resource [default: the one in its ARN, else the caller's]
    #[arg(long, value_name = "ID")]
    resource_owner: Option<AccountId>,

    /// Caller: ARN of a user, a root user, a role (for a session of it), or an assumed-role or
    /// federated-user session; a service such as ec2.amazonaws.com; an identity provider; or
    /// anonymous. A role's path is known only from the ARN of the role itself
    #[arg(
        long,
        default_value = "arn:aws:iam::123456789012:user/someone",
        value_name = "CALLER"
    )]
    caller: String,

    /// Condition key and its value; repeat a key to give it several values
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The files of one level of an organization.
#[derive(Debug, Clone)]
pub(super) struct ControlLevel(pub(super) Vec<PathBuf>);

fn control_level(text: &str) -> Result<ControlLevel, String> {
    let files: Vec<PathBuf> = text.split(',').map(PathBuf::from).collect();
    if files.iter().any(|file| file.as_os_str().is_empty()) {
        return Err("a file name is empty".to_owned());
    }
    Ok(ControlLevel(files))
}

/// An explanation and its context.
struct SimulationReport {
    explanation: Explanation,
    /// Condition keys that were not given.
    missing: Vec<String>,
    /// The denied permission that the action also requires: an action and its resource.
    also_takes: Option<(&'static str, String)>,
}

/// Runs the command. Returns false if the request is denied.
///
/// # Errors
/// Unreadable files and malformed values.
pub(super) fn run(arguments: &SimulateArguments) -> anyhow::Result<bool> {
    check_question(&arguments.action, &arguments.resource)?;
    check_files(arguments)?;
    check_trust(arguments)?;
    let caller = SupposedCaller::parse(&arguments.caller)?;
    check_caller(arguments, &caller)?;
    let principal = caller.principal();
    let given = GivenPolicies::read(arguments)?;
    let owner = arguments.resource_owner;
    let owner = owner
        .or_else(|| account_of(&arguments.resource))
        .or(principal.account());
    let mut context = context(&arguments.context)?;
    caller.say(&mut context);
    let context = with_what_is_known(context, owner);
    match settled(&arguments.action, &arguments.resource) {
        // Unsigned requests prove no identity, and AWS services do not call these operations.
        Some(SettledAnswer::Allowed) if !caller.has_policies() => {}
        Some(settled) => return print_settled(settled, arguments.json),
        None => {}
    }
    let request = AccessRequest {
        principal,
        action: &arguments.action,
        resource: &arguments.resource,
        owner,
        context: &context,
    };
    let answer = answer(&given.policies(), &request, &context);
    print_answer(&answer, arguments)?;
    Ok(answer.explanation.decision.is_allowed())
}

/// The decision. For an action that implies others, the first one that is denied.
fn answer(
    policies: &PoliciesInForce<'_>,
    request: &AccessRequest<'_>,
    context: &ContextMap,
) -> SimulationReport {
    let explanation = explain(policies, request);
    let missing = missing_context_keys(policies, request);
    let own = SimulationReport {
        explanation,
        missing,
        also_takes: None,
    };
    if !own.explanation.decision.is_allowed() {
        return own;
    }
    for implied in ImpliedRequest::all(request, context) {
        let explanation = implied.explain(policies, request);
        if !explanation.decision.is_allowed() {
            return SimulationReport {
                explanation,
                missing: own.missing,
                also_takes: Some((implied.action, implied.about())),
            };
        }
    }
    own
}

fn print_answer(answer: &SimulationReport, arguments: &SimulateArguments) -> anyhow::Result<()> {
    let SimulationReport {
        explanation,
        missing,
        also_takes,
    } = answer;
    let mut out = io::stdout().lock();
    if arguments.json {
        let mut listed = output::explanation(explanation);
        if let Value::Object(members) = &mut listed {
            members.insert("MissingContextKeys".to_owned(), json!(missing));
            if let Some((action, resource)) = also_takes {
                let taken = json!({"ActionName": action, "ResourceArn": resource});
                members.insert("AlsoTakes".to_owned(), taken);
            }
        }
        json_output::write(&mut out, &listed)?;
        return Ok(());
    }
    write!(out, "{}", printable_lines(&explanation.to_string()))?;
    if let Some((action, resource)) = also_takes {
        let own = printable(&arguments.action);
        let (action, resource) = (printable(action), printable(&resource.to_string()));
        writeln!(out, "  {own} also requires {action} on {resource}")?;
    }
    if !missing.is_empty() {
        writeln!(out, "  not given: {}", printable(&missing.join(", ")))?;
    }
    Ok(())
}

/// Prints an answer that does not depend on policies.
fn print_settled(settled: SettledAnswer, json: bool) -> anyhow::Result<bool> {
    let outcome = SimulationOutcome::from(settled);
    let allowed = outcome == SimulationOutcome::Allowed;
    let mut out = io::stdout().lock();
    if json {
        let nothing = json!({
            "Decision": outcome.as_str(), "DecidedBy": [], "Statements": [], "Needs": []
        });
        json_output::write(&mut out, &nothing)?;
    } else {
        let word = if allowed { "allowed" } else { "denied" };
        writeln!(out, "{word}\n  {}", settled.why())?;
    }
    Ok(allowed)
}

/// Rejects arguments that would read standard input twice.
fn check_files(arguments: &SimulateArguments) -> anyhow::Result<()> {
    let levels = arguments.service_control_policy.iter();
    let levels = levels.chain(&arguments.resource_control_policy);
    let lists = arguments.policy.iter().chain(&arguments.session_policy);
    let single = arguments.boundary.iter().chain(&arguments.resource_policy);
    let single = single.chain(&arguments.trust_policy);
    let files = levels.flat_map(|level| &level.0).chain(lists).chain(single);
    if files.filter(|file| *file == Path::new("-")).count() > 1 {
        bail!("only one policy can be read from standard input (-)");
    }
    Ok(())
}

/// The actions that a trust policy decides.
const OF_TRUST: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// Rejects a trust policy for any other action.
fn check_trust(arguments: &SimulateArguments) -> anyhow::Result<()> {
    let action = &arguments.action;
    let decides = OF_TRUST.iter().any(|of| of.eq_ignore_ascii_case(action));
    if arguments.trust_policy.is_some() && !decides {
        bail!(
            "--trust-policy: a role's trust policy does not decide {action}\nhint: it decides {}",
            OF_TRUST.join(", ")
        );
    }
    Ok(())
}

/// Rejects policies that the caller cannot have.
fn check_caller(arguments: &SimulateArguments, caller: &SupposedCaller) -> anyhow::Result<()> {
    let root = matches!(caller, SupposedCaller::Root { .. });
    let given = [
        ("--policy", !arguments.policy.is_empty()),
        ("--boundary", arguments.boundary.is_some()),
        ("--session-policy", !arguments.session_policy.is_empty()),
        (
            "--service-control-policy",
            !arguments.service_control_policy.is_empty() && !root,
        ),
    ];
    let given = given.into_iter().find(|(_, given)| *given);
    let bound_by = if root {
        "service control policies and the resource's policy"
    } else {
        "the resource's policy, a role's trust policy and resource control policies"
    };
    match given {
        Some((flag, _)) if root || !caller.has_policies() => bail!(
            "{flag}: {} cannot have such policies\nhint: it is limited by {bound_by}",
            arguments.caller
        ),
        _ => Ok(()),
    }
}

/// The account in an ARN.
fn account_of(resource: &str) -> Option<AccountId> {
    Arn::parse(resource).ok()?.account().parse().ok()
}

/// Parses one `--context`.
pub(super) fn key_and_value(pair: &str) -> anyhow::Result<(&str, &str)> {
    match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => bail!("--context {pair}: expected KEY=VALUE"),
    }
}

pub(super) fn context(pairs: &[String]) -> anyhow::Result<ContextMap> {
    let mut lists: Vec<(&str, Vec<String>)> = Vec::new();
    for pair in pairs {
        let (key, value) = key_and_value(pair)?;
        if is_of_principal(key) {
            bail!("--context {pair}: this key is set by --caller");
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
            Some(only) if single => ContextValues::one(only),
            first => ContextValues::many(first.into_iter().chain(values)),
        };
        context.set(key, values);
    }
    Ok(context)
}

/// Adds the condition keys that every request has, unless they were given.
fn with_what_is_known(mut context: ContextMap, owner: Option<AccountId>) -> ContextMap {
    let now = SystemClock.now();
    let known = [
        ("aws:currenttime", now.iso8601()),
        ("aws:epochtime", now.secs().to_string()),
        ("aws:principalisawsservice", "false".to_owned()),
        ("aws:viaawsservice", "false".to_owned()),
    ];
    let owner = owner.map(|owner| owner.to_string());
    let owned = owner.iter().flat_map(|owner| {
        ["aws:resourceaccount", "s3:resourceaccount"].map(|key| (key, owner.clone()))
    });
    for (key, value) in known.into_iter().chain(owned) {
        if context.get(key).as_slice().is_empty() {
            context.set(key, ContextValues::one(value));
        }
    }
    context
}
