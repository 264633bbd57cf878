//! The rules for trust policies, and the valid forms of principals. Invariant: a principal is a
//! complete identity, never a pattern.

use super::Violation;
use crate::document::{ElementClause, PolicyDocument, PrincipalType, Statement};

/// Makes the checks that only apply to trust policies.
pub(super) fn check(document: &PolicyDocument) -> Result<(), Violation> {
    for statement in &document.statements {
        statement_is_of_trust(statement)?;
    }
    Ok(())
}

fn statement_is_of_trust(statement: &Statement) -> Result<(), Violation> {
    match &statement.resource {
        Some(ElementClause { negated: true, .. }) => {
            return Err(Violation::Prohibited("NotResource"));
        }
        Some(_) => return Err(Violation::Prohibited("Resource")),
        None => {}
    }
    let principal = match &statement.principal {
        Some(clause) if clause.negated => return Err(Violation::Prohibited("NotPrincipal")),
        Some(clause) if !clause.elements.is_empty() => clause,
        _ => return Err(Violation::Missing("Principal")),
    };
    let action = match &statement.action {
        Some(clause) if !clause.elements.is_empty() => clause,
        _ => return Err(Violation::Missing("Action")),
    };
    if action.negated || !action.elements.iter().flatten().all(|a| is_of_sts(a)) {
        return Err(Violation::TrustAction);
    }
    match principal
        .elements
        .iter()
        .find(|(kind, value)| !is_principal(*kind, value))
    {
        Some((kind, value)) => {
            let kind = kind.key().to_uppercase();
            Err(Violation::TrustPrincipal {
                kind,
                value: value.clone(),
            })
        }
        None => Ok(()),
    }
}

fn is_of_sts(action: &str) -> bool {
    let vendor_and_name = action.split_once(':');
    vendor_and_name.is_some_and(|(vendor, name)| {
        vendor.eq_ignore_ascii_case("sts") && !name.is_empty() && !name.contains(':')
    })
}

/// Whether a principal is in a valid form.
pub(super) fn is_principal(kind: PrincipalType, value: &str) -> bool {
    let plain = !value.is_empty() && !value.contains(['*', '?', ' ']);
    match kind {
        PrincipalType::Everyone => true,
        PrincipalType::Aws => value == "*" || (plain && is_aws(value)),
        PrincipalType::Service => plain && value.contains('.'),
        PrincipalType::Federated => plain,
        PrincipalType::CanonicalUser => {
            value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
        }
    }
}

/// Whether a value is an account, a unique ID, or the ARN of a root user, user, role or session.
fn is_aws(value: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let segments: Vec<&str> = value.splitn(6, ':').collect();
    match segments.as_slice() {
        ["arn", _, "iam", "", account, path] => {
            let named = |prefix| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| !rest.is_empty())
            };
            is_account(account) && (*path == "root" || named("user/") || named("role/"))
        }
        ["arn", _, "sts", "", account, path] => {
            let named = |prefix| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| !rest.is_empty())
            };
            is_account(account) && (named("assumed-role/") || named("federated-user/"))
        }
        [id] => is_account(id) || value.parse::<keywright_base::UniqueId>().is_ok(),
        _ => false,
    }
}
