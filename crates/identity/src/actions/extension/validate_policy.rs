//! Findings about the text of a policy that is being written.
//!
//! Invariant: an error here is exactly what is refused when the policy is stored, because both use
//! the policy crate.
//!
//! It reads no state: a policy may name entities that do not exist.

use keywright_base::limits;
use keywright_policy::{
    DocumentKind, LintFinding, Severity, TextPosition, TextSpan, lint, size_without_whitespace,
};
use keywright_wire::keywright::{
    self,
    values::{policy_finding_type_type as finding_type, policy_kind_type as kind_type},
};

use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::IamFault,
    view::StateView,
};

pub(crate) struct ValidatePolicy;

impl Action for ValidatePolicy {
    type Shape = keywright::ValidatePolicy;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(_: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let text = &input.policy_document;
        let kind = kind(input)?;
        let size = size_without_whitespace(text);
        if size > limits::BUCKET_POLICY_BYTES {
            return Ok(ActionResult::answer(keywright::ValidatePolicyOutput {
                findings: vec![oversized(text, size)],
            }));
        }
        let findings = lint(text, kind);
        let listed = findings.iter().take(limits::POLICY_FINDINGS);
        Ok(ActionResult::answer(keywright::ValidatePolicyOutput {
            findings: listed.map(|finding| show(text, finding)).collect(),
        }))
    }
}

fn kind(input: &Input<ValidatePolicy>) -> Result<DocumentKind<'_>, IamFault> {
    let bucket = input.bucket_name.as_deref();
    match (input.policy_type.as_str(), bucket) {
        (kind_type::BUCKET, Some(bucket)) => return Ok(DocumentKind::Bucket { bucket }),
        (kind_type::BUCKET, None) => {
            let text = "BucketName is required for the PolicyType bucket";
            return Err(IamFault::Validation(text.to_owned()));
        }
        (_, Some(_)) => {
            let text = "BucketName belongs to the PolicyType bucket only";
            return Err(IamFault::Validation(text.to_owned()));
        }
        _ => {}
    }
    match input.policy_type.as_str() {
        kind_type::MANAGED => Ok(DocumentKind::Managed),
        kind_type::INLINE => Ok(DocumentKind::Inline),
        kind_type::SESSION => Ok(DocumentKind::Session),
        kind_type::TRUST => Ok(DocumentKind::Trust),
        other => Err(IamFault::Validation(format!("unknown PolicyType {other}"))),
    }
}

/// The only finding for a text beyond any policy size limit, which is not parsed.
fn oversized(text: &str, size: usize) -> keywright::PolicyFinding {
    let finding = LintFinding {
        severity: Severity::Error,
        code: "refused",
        message: format!("the policy has {size} characters, white space not counted"),
        hint: format!(
            "no policy may have more than {}",
            limits::BUCKET_POLICY_BYTES
        ),
        statement: None,
        span: TextSpan {
            start: 0,
            end: text.len(),
        },
    };
    show(text, &finding)
}

/// Access Analyzer's name for the severity of a finding.
const fn finding_type(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => finding_type::ERROR,
        Severity::Risk => finding_type::SECURITY_WARNING,
        Severity::Warning => finding_type::WARNING,
    }
}

/// Lines and columns count from 1, in characters. Offsets count from 0, also in characters, so that
/// editors need not convert from bytes.
fn show(text: &str, finding: &LintFinding) -> keywright::PolicyFinding {
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let characters = |byte: usize| {
        let before = text.get(..byte).unwrap_or(text);
        number(before.chars().count())
    };
    let start = TextPosition::of(text, finding.span.start);
    keywright::PolicyFinding {
        finding_type: finding_type(finding.severity).to_owned(),
        issue_code: finding.code.to_owned(),
        message: finding.message.clone(),
        hint: Some(finding.hint.clone()).filter(|hint| !hint.is_empty()),
        start_line: number(start.line),
        start_column: number(start.column),
        start_offset: characters(finding.span.start),
        end_offset: characters(finding.span.end),
    }
}

#[cfg(test)]
mod tests;
