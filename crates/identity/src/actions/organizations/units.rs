//! Organizational units: create, describe, rename, delete, list.

use std::sync::Arc;

use keywright_base::limits;
use keywright_wire::organizations;

use super::{ManagedOrganization, new_id, node_target, organization::full_access, page, tags};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    fault::{ConstraintReason, IamFault, OrganizationsFault},
    state::{OrganizationalUnit, StateChange, TargetNode},
    view::StateView,
};

fn to_wire(
    managed: &ManagedOrganization<'_>,
    unit: &OrganizationalUnit,
) -> organizations::OrganizationalUnit {
    let organization = &managed.organization.id;
    let above = managed.state.ancestry(&unit.parent).join("/");
    organizations::OrganizationalUnit {
        arn: Some(managed.names().arn("ou", &unit.id)),
        name: Some(unit.name.clone()),
        path: Some(format!("{organization}/{above}/{}/", unit.id)),
        id: Some(unit.id.clone()),
    }
}

fn found<'a>(
    managed: &ManagedOrganization<'a>,
    id: &str,
) -> Result<&'a Arc<OrganizationalUnit>, IamFault> {
    let unit = managed.state.units().get(id);
    unit.ok_or_else(|| OrganizationsFault::UnitNotFound.into())
}

/// Rejects a name that another unit of the same parent has.
fn check_name(
    managed: &ManagedOrganization<'_>,
    parent: &str,
    (name, own): (&str, Option<&str>),
) -> Result<(), IamFault> {
    let mut units = managed.state.units().values();
    let same = |unit: &Arc<OrganizationalUnit>| {
        unit.parent == parent && unit.name == name && own != Some(&*unit.id)
    };
    if units.any(same) {
        return Err(OrganizationsFault::DuplicateUnit.into());
    }
    Ok(())
}

pub(crate) struct CreateOrganizationalUnit;

impl Action for CreateOrganizationalUnit {
    type Shape = organizations::CreateOrganizationalUnit;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let tags = tags::from_wire(input.tags.as_deref());
        let create = node_target(view, &input.parent_id).with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("organizations:TagResource"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let parent = &input.parent_id;
        if !managed.has_parent(parent) {
            return Err(OrganizationsFault::ParentNotFound.into());
        }
        let limit = |reason| IamFault::from(OrganizationsFault::Constraint(reason));
        if managed.state.units().len() >= limits::UNITS_PER_ORGANIZATION {
            return Err(limit(ConstraintReason::UnitNumber));
        }
        if managed.state.ancestry(parent).len() > limits::UNIT_DEPTH {
            return Err(limit(ConstraintReason::UnitDepth));
        }
        check_name(&managed, parent, (&input.name, None))?;
        let root = managed.organization.root_id.trim_start_matches("r-");
        let unit = OrganizationalUnit {
            id: new_id(&format!("ou-{root}-"), 8, view.entropy),
            name: input.name.clone(),
            parent: parent.clone(),
            node: TargetNode {
                tags: tags::checked(&[], input.tags.as_deref())?,
                ..full_access(&managed.organization.enabled)
            },
        };
        let output = organizations::CreateOrganizationalUnitOutput {
            organizational_unit: Some(to_wire(&managed, &unit)),
        };
        Ok(ActionResult::change(output, StateChange::put(unit)))
    }
}

fn unit_target(view: &StateView<'_>, id: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(node_target(view, id)))
}

pub(crate) struct DescribeOrganizationalUnit;

impl Action for DescribeOrganizationalUnit {
    type Shape = organizations::DescribeOrganizationalUnit;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        unit_target(view, &input.organizational_unit_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let unit = found(&managed, &input.organizational_unit_id)?;
        Ok(ActionResult::answer(
            organizations::DescribeOrganizationalUnitOutput {
                organizational_unit: Some(to_wire(&managed, unit)),
            },
        ))
    }
}

pub(crate) struct UpdateOrganizationalUnit;

impl Action for UpdateOrganizationalUnit {
    type Shape = organizations::UpdateOrganizationalUnit;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        unit_target(view, &input.organizational_unit_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let unit = found(&managed, &input.organizational_unit_id)?;
        let mut unit = OrganizationalUnit::clone(unit);
        if let Some(name) = &input.name {
            check_name(&managed, &unit.parent, (name, Some(&unit.id)))?;
            unit.name.clone_from(name);
        }
        let output = organizations::UpdateOrganizationalUnitOutput {
            organizational_unit: Some(to_wire(&managed, &unit)),
        };
        Ok(ActionResult::change(output, StateChange::put(unit)))
    }
}

pub(crate) struct DeleteOrganizationalUnit;

impl Action for DeleteOrganizationalUnit {
    type Shape = organizations::DeleteOrganizationalUnit;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        unit_target(view, &input.organizational_unit_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let unit = found(&managed, &input.organizational_unit_id)?;
        let units = managed.state.units().values().map(|it| &it.parent);
        let members = managed.state.members().values().map(|it| &it.parent);
        if units.chain(members).any(|parent| *parent == unit.id) {
            return Err(OrganizationsFault::UnitNotEmpty.into());
        }
        let change = StateChange::delete::<OrganizationalUnit>(unit.id.clone());
        Ok(ActionResult::change((), change))
    }
}

pub(crate) struct ListOrganizationalUnitsForParent;

impl Action for ListOrganizationalUnitsForParent {
    type Shape = organizations::ListOrganizationalUnitsForParent;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        unit_target(view, &input.parent_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let parent = &input.parent_id;
        if !managed.has_parent(parent) {
            return Err(OrganizationsFault::ParentNotFound.into());
        }
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListOrganizationalUnitsForParent", &[parent], place)?;
        let units = managed.state.units().values();
        let units = units.filter(|unit| unit.parent == *parent);
        let (units, next_token) = page.cut(units, |unit| unit.id.clone());
        let units = units.into_iter().map(|unit| to_wire(&managed, unit));
        Ok(ActionResult::answer(
            organizations::ListOrganizationalUnitsForParentOutput {
                organizational_units: Some(units.collect()),
                next_token,
            },
        ))
    }
}
