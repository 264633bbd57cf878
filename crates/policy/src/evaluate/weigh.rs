//! Which policies have a say, in which order, and what their grants come to. It protects one rule:
//! a decision and its explanation ask the same policies and weigh them in the same way.

use std::sync::Arc;

use super::{Level, Policies, Request};
use crate::{
    policy::{Policy, Query},
    principal::{Grant, PrincipalRef},
    reason::{Cause, Layer, Source},
};

/// What each layer grants, once nothing denies.
pub(crate) struct Grants {
    /// How many levels grant, and the last of them.
    resource_control: (usize, Option<usize>),
    service_control: (usize, Option<usize>),
    identity: bool,
    boundary: bool,
    session: bool,
    attached: Grant,
}

impl Grants {
    /// Before any policy was asked. A root user needs none.
    pub(crate) const fn new(query: &Query<'_>) -> Self {
        let root = matches!(query.env.principal, PrincipalRef::Root { .. });
        Self {
            resource_control: (0, None),
            service_control: (0, None),
            identity: root,
            boundary: root,
            session: root,
            attached: Grant::None,
        }
    }

    /// Takes in what one policy grants.
    pub(crate) fn add(&mut self, asked: &Asked<'_>, grant: Grant) {
        if grant == Grant::None {
            return;
        }
        match asked.layer {
            Layer::ResourceControl => reach(&mut self.resource_control, asked.level),
            Layer::ServiceControl => reach(&mut self.service_control, asked.level),
            Layer::Identity => self.identity = true,
            Layer::Boundary => self.boundary = true,
            Layer::Session => self.session = true,
            Layer::Resource | Layer::Trust => self.attached = self.attached.max(grant),
        }
    }

    /// Takes a layer that stayed silent for one that grants as little as it could.
    pub(crate) fn raise(&mut self, layer: Layer) {
        match layer {
            Layer::ResourceControl => self.resource_control.0 = usize::MAX,
            Layer::ServiceControl => self.service_control.0 = usize::MAX,
            Layer::Identity => self.identity = true,
            Layer::Boundary => self.boundary = true,
            Layer::Session => self.session = true,
            Layer::Resource | Layer::Trust => self.attached = Grant::Account,
        }
    }
}

/// Counts a level that grants; levels are asked one after the other.
fn reach((count, last): &mut (usize, Option<usize>), level: usize) {
    if *last != Some(level) {
        *count += 1;
        *last = Some(level);
    }
}

/// A policy that is asked, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) layer: Layer,
    /// The organization's level.
    pub(crate) level: usize,
    /// Its place in the layer or level.
    pub(crate) position: usize,
    pub(crate) source: Option<&'a Source>,
    pub(crate) policy: &'a Policy,
}

/// Shows every policy that has a say in a request to `ask`, in AWS's order.
pub(crate) fn walk<'a>(
    policies: &Policies<'a>,
    query: &Query<'_>,
    mut ask: impl FnMut(&Asked<'a>) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let caller = query.env.principal;
    let set = policies.principal;
    if !policies.resource_control.is_empty() && binds_resource_control(query) {
        for_levels(policies.resource_control, Layer::ResourceControl, &mut ask)?;
    }
    if binds_service_control(caller) {
        for_levels(&set.service_control, Layer::ServiceControl, &mut ask)?;
    }
    if !matches!(caller, PrincipalRef::Root { .. }) {
        for_level(&set.identity, Layer::Identity, 0, &mut ask)?;
        let limits = set.boundary.iter().map(|p| (Layer::Boundary, 0, p));
        let session = set.session.iter().flatten().enumerate();
        for (layer, position, policy) in limits.chain(session.map(|(n, p)| (Layer::Session, n, p)))
        {
            ask(&Asked {
                layer,
                level: 0,
                position,
                source: None,
                policy,
            })?;
        }
    }
    match policies.resource {
        Some((layer, policy)) => ask(&Asked {
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
    levels: &'a [Level],
    layer: Layer,
    ask: &mut impl FnMut(&Asked<'a>) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let mut levels = levels.iter().enumerate();
    levels.try_for_each(|(level, policies)| for_level(policies, layer, level, ask))
}

fn for_level<'a>(
    policies: &'a [(Source, Arc<Policy>)],
    layer: Layer,
    level: usize,
    ask: &mut impl FnMut(&Asked<'a>) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let mut policies = policies.iter().enumerate();
    policies.try_for_each(|(position, (source, policy))| {
        ask(&Asked {
            layer,
            level,
            position,
            source: Some(source),
            policy,
        })
    })
}

/// Every policy, whether or not it has a say.
pub(crate) fn all<'a>(policies: &Policies<'a>) -> impl Iterator<Item = &'a Policy> {
    let set = policies.principal;
    let levels = policies.resource_control.iter().chain(&set.service_control);
    let sourced = levels.flatten().chain(&set.identity).map(|(_, p)| p);
    let limits = set.boundary.iter().chain(set.session.iter().flatten());
    let attached = policies.resource.map(|(_, policy)| policy);
    sourced.chain(limits).map(|p| &**p).chain(attached)
}

/// Whether resource control policies have a say.
fn binds_resource_control(query: &Query<'_>) -> bool {
    RESOURCE_CONTROLLED.contains(&query.action.service())
        && !query.env.principal.is_service_linked()
}

/// Whether service control policies have a say.
fn binds_service_control(caller: &PrincipalRef<'_>) -> bool {
    caller.account().is_some() && !caller.is_service_linked()
}

/// Weighs the grants against each other.
pub(crate) fn conclude(
    policies: &Policies<'_>,
    grants: &Grants,
    query: &Query<'_>,
    request: &Request<'_>,
) -> Result<(), Cause> {
    let set = policies.principal;
    let attached = policies.resource.map(|(layer, _)| layer);
    let caller = &request.principal;
    if grants.resource_control.0 < policies.resource_control.len() && binds_resource_control(query)
    {
        return Err(Cause::Silent(Layer::ResourceControl));
    }
    if grants.service_control.0 < set.service_control.len() && binds_service_control(caller) {
        return Err(Cause::Silent(Layer::ServiceControl));
    }
    let required = request.cross_account() || attached == Some(Layer::Trust);
    if required && grants.attached == Grant::None {
        return Err(Cause::Silent(attached.unwrap_or(Layer::Resource)));
    }
    let vouched = match request.principal {
        // They have no policies of their own.
        PrincipalRef::Anonymous | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
            return Ok(());
        }
        _ if request.cross_account() => Grant::None,
        _ => grants.attached,
    };
    if vouched == Grant::Direct {
        return Ok(());
    }
    // A federated session made without policies has no permissions from its user.
    let federated = matches!(request.principal, PrincipalRef::FederatedUser { .. });
    let session = match &set.session {
        Some(_) => grants.session,
        None => !federated || grants.session,
    };
    if vouched < Grant::Limited && !grants.identity {
        return Err(Cause::Silent(Layer::Identity));
    }
    if !grants.boundary && set.boundary.is_some() {
        return Err(Cause::Silent(Layer::Boundary));
    }
    if !session {
        return Err(Cause::Silent(Layer::Session));
    }
    Ok(())
}

/// The services whose requests resource control policies bind (Service Authorization Reference).
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
