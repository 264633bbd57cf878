//! Service-linked roles: create and delete them.
//!
//! The services are listed in `data/service_linked_roles.txt`. None of them runs here, so no role
//! is ever in use and every deletion succeeds.

use std::sync::{Arc, LazyLock};

use keywright_base::{Arn, Entropy, IdKind, UniqueId, limits};
use keywright_wire::iam::{self, values::deletion_task_status_type as status};

use super::roles::{MAX_SESSION_SECS, check_quota, in_profile};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput, MissingEntity},
    state::{DeletionTask, DirectGrants, Role, StateChange, TrustPolicy},
    view::StateView,
};

/// A service that has a service-linked role.
struct LinkedService {
    /// For example `ecs.amazonaws.com`.
    principal: &'static str,
    role_name: &'static str,
    policy: &'static str,
    allows_suffix: bool,
    description: Option<&'static str>,
}

static SERVICES: LazyLock<Vec<LinkedService>> = LazyLock::new(|| {
    let text = include_str!("../../../data/service_linked_roles.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(LinkedService::parse).collect()
});

impl LinkedService {
    /// Parses a line of the data. `None` for an empty one.
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(5, '|').map(str::trim);
        let (principal, role_name) = (fields.next()?, fields.next()?);
        Some(Self {
            principal,
            role_name,
            policy: fields.next()?,
            allows_suffix: fields.next()? == "suffix",
            description: fields.next().filter(|text| !text.is_empty()),
        })
    }

    fn find(principal: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|it| it.principal == principal)
    }

    /// The name of the role, with the suffix if there is one.
    fn role_name(&self, suffix: Option<&str>) -> String {
        let name = self.role_name;
        suffix.map_or_else(|| name.to_owned(), |suffix| format!("{name}_{suffix}"))
    }

    fn trust(&self) -> String {
        let service = self.principal;
        let principal = format!(r#"{{"Service":["{service}"]}}"#);
        let statement = r#""Effect":"Allow","Action":["sts:AssumeRole"]"#;
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{{statement},"Principal":{principal}}}]}}"#
        )
    }
}

/// The path of the service-linked roles of a service.
fn path(principal: &str) -> String {
    format!("/aws-service-role/{principal}/")
}

/// The custom suffix in the name of a service's role, if it has one. `None` if no service-linked
/// role that is known here has this path and name.
pub(in crate::actions) fn custom_suffix<'a>(
    principal: &str,
    role_name: &'a str,
) -> Option<Option<&'a str>> {
    let service = LinkedService::find(principal)?;
    match role_name.strip_prefix(service.role_name)? {
        "" => Some(None),
        suffix => suffix.strip_prefix('_').map(Some),
    }
}

pub(crate) struct CreateServiceLinkedRole;

impl Action for CreateServiceLinkedRole {
    type Shape = iam::CreateServiceLinkedRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let (principal, suffix) = (&input.aws_service_name, input.custom_suffix.as_deref());
        let name = LinkedService::find(principal).map(|service| service.role_name(suffix));
        let name = name.unwrap_or_else(|| "*".to_owned());
        let arn = Arn::iam_entity(view.id(), "role", &path(principal), &name).to_string();
        let target = AuthTarget::new(&*arn, &*arn);
        Ok(Requirement::one(
            target.with_key("iam:AWSServiceName", principal),
        ))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (principal, suffix) = (&input.aws_service_name, input.custom_suffix.as_deref());
        let invalid = |text: String| IamFault::from(InvalidInput::Other(text));
        let Some(service) = LinkedService::find(principal) else {
            return Err(invalid(format!(
                "{principal} has no service-linked role that is known here"
            )));
        };
        if suffix.is_some() && !service.allows_suffix {
            return Err(invalid(format!(
                "Custom suffix is not allowed for {principal}"
            )));
        }
        let name = service.role_name(suffix);
        if name.len() > limits::ROLE_NAME_CHARS {
            return Err(invalid(format!(
                "The role name {name} is longer than {} characters, please use a shorter suffix.",
                limits::ROLE_NAME_CHARS
            )));
        }
        if view.account.role(&name).is_some() {
            return Err(invalid(format!(
                "Service role name {name} has been taken in this account, please try a different \
                 suffix."
            )));
        }
        check_quota(view)?;
        let policy = format!(
            "arn:aws:iam::aws:policy/aws-service-role/{}",
            service.policy
        );
        let description = input.description.as_deref().or(service.description);
        let role = Role {
            id: UniqueId::generate(IdKind::Role, view.id(), view.entropy),
            path: path(principal),
            name,
            description: description.map(str::to_owned),
            created: view.now(),
            max_session_secs: MAX_SESSION_SECS,
            trust: TrustPolicy::new(service.trust().into()),
            tags: Vec::new(),
            grants: DirectGrants {
                attached: vec![policy.into()],
                ..DirectGrants::default()
            },
            boundary: None,
            effective: arc_swap::ArcSwapOption::empty(),
        };
        let output = iam::CreateServiceLinkedRoleOutput {
            role: Some(in_profile(view, &role)),
        };
        Ok(ActionResult::change(output, StateChange::put(role)))
    }
}

pub(crate) struct DeleteServiceLinkedRole;

impl Action for DeleteServiceLinkedRole {
    type Shape = iam::DeleteServiceLinkedRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::role(view, &input.role_name);
        Ok(Requirement::one(target))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let role = view.role(&input.role_name)?;
        if !role.is_service_linked() {
            return Err(MissingEntity::Role(input.role_name.clone()).into());
        }
        let place = role.path.trim_matches('/');
        let id = format!("task/{place}/{}/{}", role.name, uuid(view.entropy));
        let task = DeletionTask {
            id: id.clone(),
            role_arn: role.arn(view.id()).to_string(),
            deleted: view.now(),
        };
        let output = iam::DeleteServiceLinkedRoleOutput {
            deletion_task_id: id,
        };
        let mut done = ActionResult::change(output, StateChange::delete::<Role>(role.id));
        done.changes.extend(forgotten(view));
        done.changes.push(StateChange::put(task));
        done.forget.push(role.id.to_string());
        Ok(done)
    }
}

/// Drops the oldest deletion task if there is no room for another.
fn forgotten(view: &StateView<'_>) -> Option<StateChange> {
    let tasks = view.account.deletion_tasks();
    if tasks.len() < limits::DELETION_TASKS_PER_ACCOUNT {
        return None;
    }
    let oldest: &Arc<DeletionTask> = tasks.values().min_by_key(|task| task.deleted)?;
    Some(StateChange::delete::<DeletionTask>(oldest.id.clone()))
}

/// A random version 4 UUID.
fn uuid(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf000 << 64) & !(0xc000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let hex = format!("{number:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    let groups = groups.map(|range| hex.get(range).unwrap_or_default());
    groups.join("-")
}

pub(crate) struct GetServiceLinkedRoleDeletionStatus;

impl Action for GetServiceLinkedRoleDeletionStatus {
    type Shape = iam::GetServiceLinkedRoleDeletionStatus;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let id = &input.deletion_task_id;
        let known = view.account.deletion_task(id);
        let arn = known.map_or_else(
            || {
                let named = id.strip_prefix("task/").and_then(|it| it.rsplit_once('/'));
                let role = named.map_or(id.as_str(), |(role, _)| role);
                Arn::iam(view.id(), &format!("role/{role}")).to_string()
            },
            |task| task.role_arn.clone(),
        );
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = &input.deletion_task_id;
        let known = view.account.deletion_task(id);
        known.ok_or_else(|| MissingEntity::DeletionTask(id.clone()))?;
        Ok(ActionResult::answer(
            iam::GetServiceLinkedRoleDeletionStatusOutput {
                status: status::SUCCEEDED.to_owned(),
                reason: None,
            },
        ))
    }
}

#[cfg(test)]
mod tests;
