//! `keywright policy lint`: reports errors in a policy, statements without effect, and overly broad
//! grants.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::bail;
use clap::Args;
use keywright_policy::{DocumentKind, LintFinding, Severity, TextPosition, lint};

use super::{output, read};
use crate::{json_output, remote::printable};

/// Which policy, and of what kind.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintArguments {
    /// Policy file, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,

    /// Kind of policy: managed, inline, session, trust or bucket:NAME
    #[arg(long, default_value = "managed", value_name = "KIND")]
    kind: String,

    /// Exit with 1 on any finding, not only on errors
    #[arg(long)]
    strict: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit codes: 0 no errors (with --strict: no findings), 1 errors (with --strict: any finding) or an
unreadable file, 2 usage. Findings are errors (AWS rejects the policy), risks or warnings.";

/// Runs the command. Returns false if there are errors among the findings, or if a strict caller
/// gets any.
///
/// # Errors
/// Unreadable files and unknown kinds.
pub(super) fn run(arguments: &LintArguments) -> anyhow::Result<bool> {
    let text = read(&arguments.file)?;
    let findings = lint(&text, kind(&arguments.kind)?);
    let mut out = io::stdout().lock();
    if arguments.json {
        let all: Vec<_> = findings.iter().map(|f| output::finding(&text, f)).collect();
        json_output::write(&mut out, &all)?;
    } else {
        let name = printable(&arguments.file.display().to_string());
        for finding in &findings {
            let at = TextPosition::of(&text, finding.span.start);
            let (severity, code) = (finding.severity.as_str(), finding.code);
            let (line, column) = (at.line, at.column);
            writeln!(
                out,
                "{name}:{line}:{column}: {severity}: {} [{code}]",
                printable(&finding.message)
            )?;
            if !finding.hint.is_empty() {
                writeln!(out, "  hint: {}", printable(&finding.hint))?;
            }
        }
        if findings.is_empty() {
            writeln!(io::stderr(), "no findings in {name}")?;
        }
    }
    let fails = |finding: &LintFinding| arguments.strict || finding.severity == Severity::Error;
    Ok(!findings.iter().any(fails))
}

pub(super) fn kind(text: &str) -> anyhow::Result<DocumentKind<'_>> {
    Ok(match text {
        "managed" => DocumentKind::Managed,
        "inline" => DocumentKind::Inline,
        "session" => DocumentKind::Session,
        "trust" => DocumentKind::Trust,
        other => match other.strip_prefix("bucket:") {
            Some(bucket) if !bucket.is_empty() => DocumentKind::Bucket { bucket },
            _ => bail!(
                "--kind {text}: unknown kind of policy\n\
                 hint: use managed, inline, session, trust or bucket:NAME"
            ),
        },
    })
}
