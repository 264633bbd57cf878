//! Which policies apply, in which order, and how their grants combine. Invariant: a decision and
//! its explanation evaluate the same policies and combine them in the same way.

use std::sync::Arc;

use super::{AccessRequest, PoliciesInForce, PolicyLevel};
use crate::{
    policy::{Policy, PolicyQuery},
    principal::{GrantStrength, PrincipalRef},
    reason::{DenialCause, PolicyLayer, PolicySource},
};

/// What each layer grants, if nothing denies.
pub(crate) struct LayerGrants {
    /// The number of levels that grant, and the last of them.
    resource_control: (usize, Option<usize>),
    service_control: (usize, Option<usize>),
    identity: bool,
    boundary: bool,
    session: bool,
    attached: GrantStrength,
}

impl LayerGrants {
    /// The state before any policy is evaluated. A root user needs no grant.
    pub(crate) const fn new(query: &PolicyQuery<'_>) -> Self {
        let root = matches!(query.env.principal, PrincipalRef::Root { .. });
        Self {
            resource_control: (0, None),
            service_control: (0, None),
            identity: root,
            boundary: root,
            session: root,
            attached: GrantStrength::None,
        }
    }

    /// Adds the grant of one policy.
    pub(crate) fn add(&mut self, consulted: &ConsultedPolicy<'_>, grant: GrantStrength) {
        if grant == GrantStrength::None {
            return;
        }
        match consulted.layer {
            PolicyLayer::ResourceControl => reach(&mut self.resource_control, consulted.level),
            PolicyLayer::ServiceControl => reach(&mut self.service_control, consulted.level),
            PolicyLayer::Identity => self.identity = true,
            PolicyLayer::Boundary => self.boundary = true,
            PolicyLayer::Session => self.session = true,
            PolicyLayer::Resource | PolicyLayer::Trust => self.attached = self.attached.max(grant),
        }
    }

    /// Treats a silent layer as granting, in the weakest possible way.
    pub(crate) fn raise(&mut self, layer: PolicyLayer) {
        match layer {
            PolicyLayer::ResourceControl => self.resource_control.0 = usize::MAX,
            PolicyLayer::ServiceControl => self.service_control.0 = usize::MAX,
            PolicyLayer::Identity => self.identity = true,
            PolicyLayer::Boundary => self.boundary = true,
            PolicyLayer::Session => self.session = true,
            PolicyLayer::Resource | PolicyLayer::Trust => self.attached = GrantStrength::Account,
        }
    }
}

/// Counts a level that grants. Levels are evaluated in order.
fn reach((count, last): &mut (usize, Option<usize>), level: usize) {
    if *last != Some(level) {
        *count += 1;
        *last = Some(level);
    }
}

/// A policy to evaluate, and its position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsultedPolicy<'a> {
    pub(crate) layer: PolicyLayer,
    /// The organization's level.
    pub(crate) level: usize,
    /// The index in the layer or level.
    pub(crate) position: usize,
    pub(crate) source: Option<&'a PolicySource>,
    pub(crate) policy: &'a Policy,
}

/// Passes every policy that applies to a request to `ask`, in AWS's order.
pub(crate) fn walk<'a>(
    policies: &PoliciesInForce<'a>,
    query: &PolicyQuery<'_>,
    mut ask: impl FnMut(&ConsultedPolicy<'a>) -> Result<(), DenialCause>,
) -> Result<(), DenialCause> {
    let caller = query.env.principal;
    let set = policies.principal;
    if !policies.resource_control.is_empty() && binds_resource_control(query) {
        for_levels(
            policies.resource_control,
            PolicyLayer::ResourceControl,
            &mut ask,
        )?;
    }
    if binds_service_control(caller) {
        for_levels(&set.service_control, PolicyLayer::ServiceControl, &mut ask)?;
    }
    if !matches!(caller, PrincipalRef::Root { .. }) {
        for_level(&set.identity, PolicyLayer::Identity, 0, &mut ask)?;
        let limits = set.boundary.iter().map(|p| (PolicyLayer::Boundary, 0, p));
        let session = set.session.iter().flatten().enumerate();
        for (layer, position, policy) in
            limits.chain(session.map(|(n, p)| (PolicyLayer::Session, n, p)))
        {
            ask(&ConsultedPolicy {
                layer,
                level: 0,
                position,
                source: None,
                policy,
            })?;
        }
    }
    match policies.resource {
        Some((layer, policy)) => ask(&ConsultedPolicy {
            layer,
            level: 0,
            position: 0,
            source: None,
            policy,
        }),
        None => Ok(()),
    }
}

fn for_levels<'a>(
    levels: &'a [PolicyLevel],
    layer: PolicyLayer,
    ask: &mut impl FnMut(&ConsultedPolicy<'a>) -> Result<(), DenialCause>,
) -> Result<(), DenialCause> {
    let mut levels = levels.iter().enumerate();
    levels.try_for_each(|(level, policies)| for_level(policies, layer, level, ask))
}

fn for_level<'a>(
    policies: &'a [(PolicySource, Arc<Policy>)],
    layer: PolicyLayer,
    level: usize,
    ask: &mut impl FnMut(&ConsultedPolicy<'a>) -> Result<(), DenialCause>,
) -> Result<(), DenialCause> {
    let mut policies = policies.iter().enumerate();
    policies.try_for_each(|(position, (source, policy))| {
        ask(&ConsultedPolicy {
            layer,
            level,
            position,
            source: Some(source),
            policy,
        })
    })
}

/// Every policy, whether or not it applies.
pub(crate) fn all<'a>(policies: &PoliciesInForce<'a>) -> impl Iterator<Item = &'a Policy> {
    let set = policies.principal;
    let levels = policies
        .resource_control
        .iter()
        .chain(&*set.service_control);
    let sourced = levels.flatten().chain(&set.identity).map(|(_, p)| p);
    let limits = set.boundary.iter().chain(set.session.iter().flatten());
    let attached = policies.resource.map(|(_, policy)| policy);
    sourced.chain(limits).map(|p| &**p).chain(attached)
}

/// Whether resource control policies apply.
fn binds_resource_control(query: &PolicyQuery<'_>) -> bool {
    RESOURCE_CONTROLLED.contains(&query.action.service())
        && !query.env.principal.is_service_linked()
}

/// Whether service control policies apply.
fn binds_service_control(caller: &PrincipalRef<'_>) -> bool {
    caller.account().is_some() && !caller.is_service_linked()
}

/// Combines the grants into a decision.
pub(crate) fn conclude(
    policies: &PoliciesInForce<'_>,
    grants: &LayerGrants,
    query: &PolicyQuery<'_>,
    request: &AccessRequest<'_>,
) -> Result<(), DenialCause> {
    let set = policies.principal;
    let attached = policies.resource.map(|(layer, _)| layer);
    let caller = &request.principal;
    if grants.resource_control.0 < policies.resource_control.len() && binds_resource_control(query)
    {
        return Err(DenialCause::Silent(PolicyLayer::ResourceControl));
    }
    if grants.service_control.0 < set.service_control.len() && binds_service_control(caller) {
        return Err(DenialCause::Silent(PolicyLayer::ServiceControl));
    }
    let required = request.cross_account() || attached == Some(PolicyLayer::Trust);
    if required && grants.attached == GrantStrength::None {
        return Err(DenialCause::Silent(
            attached.unwrap_or(PolicyLayer::Resource),
        ));
    }
    let vouched = match request.principal {
        // These callers have no policies of their own.
        PrincipalRef::Anonymous | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
            return Ok(());
        }
        _ if request.cross_account() => GrantStrength::None,
        _ => grants.attached,
    };
    if vouched == GrantStrength::Direct {
        return Ok(());
    }
    // A federated user's session created without policies gets no permissions from its user.
    let federated = matches!(request.principal, PrincipalRef::FederatedUser { .. });
    let session = match &set.session {
        Some(_) => grants.session,
        None => !federated || grants.session,
    };
    if vouched < GrantStrength::Limited && !grants.identity {
        return Err(DenialCause::Silent(PolicyLayer::Identity));
    }
    if !grants.boundary && set.boundary.is_some() {
        return Err(DenialCause::Silent(PolicyLayer::Boundary));
    }
    if !session {
        return Err(DenialCause::Silent(PolicyLayer::Session));
    }
    Ok(())
}

/// The services that support resource control policies (Service Authorization Reference).
const RESOURCE_CONTROLLED: &[&str] = &[
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];
