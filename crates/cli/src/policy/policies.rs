//! Reads the policies of a simulation from files.
//!
//! Invariant: each is validated as it would be when stored, so nothing is decided by a policy that
//! could not be in force.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use keywright_policy::{
    DocumentKind, PoliciesInForce, Policy, PolicyDocument, PolicyLayer, PolicyLevel, PolicySet,
    PolicySource, parse, validate,
};
use serde_json::Value;

use super::{
    read,
    simulate::{ControlLevel, SimulateArguments},
};

/// All policies given.
pub(super) struct GivenPolicies {
    set: PolicySet,
    attached: Option<(PolicyLayer, Arc<Policy>)>,
    resource_control: Vec<PolicyLevel>,
}

impl GivenPolicies {
    /// Reads the files.
    ///
    /// # Errors
    /// Unreadable files, and policies that could not be stored.
    pub(super) fn read(arguments: &SimulateArguments) -> anyhow::Result<Self> {
        let trust = arguments.trust_policy.as_deref();
        let attached = match (&arguments.resource_policy, trust) {
            (Some(path), _) => {
                let policy = compiled(path, bucket_kind(&arguments.resource))?;
                Some((PolicyLayer::Resource, policy))
            }
            (None, Some(path)) => Some((PolicyLayer::Trust, compiled(path, DocumentKind::Trust)?)),
            (None, None) => None,
        };
        let service_control = levels(&arguments.service_control_policy, |path| {
            compiled(path, DocumentKind::Managed)
        })?;
        Ok(Self {
            set: of_caller(arguments)?.with_service_control(service_control),
            attached,
            resource_control: levels(&arguments.resource_control_policy, resource_control)?,
        })
    }

    /// The policies in the form that the evaluator takes.
    pub(super) fn policies(&self) -> PoliciesInForce<'_> {
        let attached = self.attached.as_ref();
        PoliciesInForce {
            resource: attached.map(|(layer, policy)| (*layer, &**policy)),
            resource_control: &self.resource_control,
            ..PoliciesInForce::new(&self.set)
        }
    }
}

/// The caller's policies.
fn of_caller(arguments: &SimulateArguments) -> anyhow::Result<PolicySet> {
    let identity = arguments.policy.iter().map(|path| {
        let policy = compiled(path, DocumentKind::Inline)?;
        Ok((PolicySource::Inline, policy))
    });
    let mut set = PolicySet::new(identity.collect::<anyhow::Result<_>>()?);
    if let Some(boundary) = &arguments.boundary {
        set = set.with_boundary(compiled(boundary, DocumentKind::Inline)?);
    }
    if !arguments.session_policy.is_empty() {
        let policies = arguments.session_policy.iter();
        let policies = policies.map(|path| compiled(path, DocumentKind::Session));
        set = set.with_session(policies.collect::<anyhow::Result<_>>()?);
    }
    Ok(set)
}

/// An organization's policies, level by level.
fn levels(
    given: &[ControlLevel],
    read: impl Fn(&Path) -> anyhow::Result<Arc<Policy>>,
) -> anyhow::Result<Vec<PolicyLevel>> {
    let level = |level: &ControlLevel| {
        let policies = level
            .0
            .iter()
            .map(|path| Ok((PolicySource::Inline, read(path)?)));
        policies.collect()
    };
    given.iter().map(level).collect()
}

fn compiled(path: &Path, kind: DocumentKind<'_>) -> anyhow::Result<Arc<Policy>> {
    let document = valid(path, &read(path)?, kind)?;
    Ok(named(path, &document))
}

fn valid(path: &Path, text: &str, kind: DocumentKind<'_>) -> anyhow::Result<PolicyDocument> {
    let name = path.display();
    validate(text, kind)
        .map_err(|violation| anyhow::anyhow!("{name}: {violation}"))
        .with_context(|| format!("invalid policy {name}; run keywright policy lint for details"))
}

fn named(path: &Path, document: &PolicyDocument) -> Arc<Policy> {
    let name = path.display().to_string();
    Arc::new(Policy::compile(document).with_id(&name))
}

/// A resource control policy: a managed policy whose statements apply to every principal.
fn resource_control(path: &Path) -> anyhow::Result<Arc<Policy>> {
    let (name, text) = (path.display(), read(path)?);
    let document = parse(&text).with_context(|| format!("invalid policy {name}"))?;
    let for_everyone = document.statements.iter().all(|statement| {
        let principal = statement.principal.as_ref();
        principal.is_some_and(|principal| {
            let mut names = principal.elements.iter();
            !principal.negated && names.len() == 1 && names.all(|(_, name)| name == "*")
        })
    });
    if !for_everyone {
        bail!(
            "invalid policy {name}: every statement of a resource control policy must have \
             \"Principal\": \"*\""
        );
    }
    valid(path, &without_principals(&text)?, DocumentKind::Managed)?;
    Ok(named(path, &document))
}

/// The policy without its principals, for validation as a policy that has none.
fn without_principals(text: &str) -> anyhow::Result<String> {
    let mut policy: Value = serde_json::from_str(text)?;
    let statements = match policy.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.as_mut_slice(),
        Some(statement) => std::slice::from_mut(statement),
        None => &mut [],
    };
    for statement in statements.iter_mut().filter_map(Value::as_object_mut) {
        statement.remove("Principal");
    }
    Ok(policy.to_string())
}

/// The document kind of this resource's policy.
fn bucket_kind(resource: &str) -> DocumentKind<'_> {
    let name = resource.strip_prefix("arn:aws:s3:::").unwrap_or_default();
    DocumentKind::Bucket {
        bucket: name.split('/').next().unwrap_or_default(),
    }
}
