//! What the documents of an organization's policies must be.

use keywright_base::limits;
use keywright_policy::{DocumentKind, Effect, LanguageVersion, PrincipalType, Statement, validate};

use crate::{
    fault::{ConstraintReason, IamFault, OrganizationsFault},
    state::PolicyType,
};

/// Checks the document of a policy of this type.
///
/// # Errors
/// `MalformedPolicyDocumentException`, `ConstraintViolationException` for a long one.
pub(super) fn check(kind: PolicyType, text: &str) -> Result<(), IamFault> {
    if text.len() > limits::ORGANIZATION_POLICY_BYTES {
        return Err(OrganizationsFault::Constraint(ConstraintReason::PolicyContent).into());
    }
    match kind {
        PolicyType::ServiceControl => {
            let checked = validate(text, DocumentKind::Managed);
            checked
                .map(drop)
                .map_err(|violation| malformed(violation.to_string()))
        }
        PolicyType::ResourceControl => check_resource_control(text),
    }
}

fn malformed(why: impl Into<String>) -> IamFault {
    OrganizationsFault::MalformedPolicy(why.into()).into()
}

/// A resource control policy denies, to everyone, actions of services that support it.
fn check_resource_control(text: &str) -> Result<(), IamFault> {
    let document = keywright_policy::parse(text).map_err(|error| malformed(error.to_string()))?;
    if document.version != Some(LanguageVersion::V2012) {
        return Err(malformed("The version must be 2012-10-17."));
    }
    if document.statements.is_empty() {
        return Err(malformed("There is no statement."));
    }
    document.statements.iter().try_for_each(check_statement)
}

fn check_statement(statement: &Statement) -> Result<(), IamFault> {
    if statement.effect != Effect::Deny {
        return Err(malformed("The effect must be Deny."));
    }
    let principal = statement.principal.as_ref().filter(|it| !it.negated);
    let is_everyone = principal.is_some_and(|it| {
        let everyone = |(kind, name): &(PrincipalType, String)| {
            matches!(kind, PrincipalType::Everyone | PrincipalType::Aws) && name == "*"
        };
        !it.elements.is_empty() && it.elements.iter().all(everyone)
    });
    if !is_everyone {
        return Err(malformed("The principal must be \"*\"."));
    }
    let actions = statement.action.as_ref().filter(|it| !it.negated);
    let actions = actions
        .into_iter()
        .flat_map(|it| it.elements.iter().flatten());
    let named: Vec<_> = actions.collect();
    if named.is_empty() || named.iter().any(|action| !action.contains(':')) {
        return Err(malformed("Every action must name its service."));
    }
    if statement.resource.is_none() {
        return Err(malformed("A statement must have a resource."));
    }
    Ok(())
}
