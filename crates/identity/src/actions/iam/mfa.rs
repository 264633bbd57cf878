//! Virtual MFA devices: create, enable, resynchronize, list, tag, deactivate, delete.
//!
//! Invariants:
//!
//! - Enabling a device takes two consecutive codes of it.
//! - A principal who already has a device can add or remove their own only with credentials that
//!   were obtained with an MFA code. Root's access key is the exception, as the way back when its
//!   device is lost.
//!
//! When root itself names `root` it means the root user, never a user of that name.

use std::sync::Arc;

use keywright_base::{Arn, Timestamp, limits};
use keywright_wire::iam::{self, values::assignment_status_type as status};

use super::{
    tags,
    users::{brief, root, target_of},
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{DeleteBlocker, ExistingEntity, IamFault, MissingEntity, ReachedQuota},
    mfa::{self, CodeCheck},
    pagination::PageRequest,
    principal::Principal,
    state::{CredentialOwner, MfaAssignment, MfaDevice, StateChange},
    view::{CredentialSubject, StateView},
};

/// The name of the root user where a user name is expected.
const ROOT: &str = "root";

/// The subject of an action on devices.
fn subject(view: &StateView<'_>, name: Option<&str>) -> Result<CredentialSubject, IamFault> {
    match (name, view.caller.principal()) {
        (Some(ROOT), Principal::Root { .. }) => Ok(CredentialSubject::Root),
        _ => view.subject(name),
    }
}

fn target(view: &StateView<'_>, name: Option<&str>) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(target_of(view, &subject(view, name)?)))
}

/// The subject of an action on devices, if it exists.
fn bearer(view: &StateView<'_>, name: Option<&str>) -> Result<CredentialOwner, IamFault> {
    Ok(match subject(view, name)? {
        CredentialSubject::Root => CredentialOwner::Root,
        CredentialSubject::User(name) => CredentialOwner::User(view.user(&name)?.id),
    })
}

/// The name of a device's owner in responses.
fn bearer_name(view: &StateView<'_>, bearer: CredentialOwner) -> String {
    match bearer {
        CredentialOwner::Root => ROOT.to_owned(),
        CredentialOwner::User(id) => {
            let user = view.account.user_by_id(id);
            user.map(|user| user.name.clone()).unwrap_or_default()
        }
    }
}

fn device<'a>(view: &StateView<'a>, serial: &str) -> Result<&'a Arc<MfaDevice>, IamFault> {
    let device = view.account.device(serial);
    device.ok_or_else(|| MissingEntity::MfaDevice(serial.to_owned()).into())
}

/// The device with this serial number, if it is enabled for this owner.
fn device_of<'a>(
    view: &StateView<'a>,
    serial: &str,
    bearer: CredentialOwner,
) -> Result<(&'a MfaDevice, &'a MfaAssignment), IamFault> {
    let device = device(view, serial)?;
    let enabled = device.enabled.as_ref();
    let enabled = enabled.filter(|enabled| enabled.owner == bearer);
    let enabled = enabled.ok_or_else(|| MissingEntity::MfaDevice(serial.to_owned()))?;
    Ok((device, enabled))
}

fn put(device: MfaDevice) -> StateChange {
    StateChange::put(device)
}

const WITHOUT_CODE: &str = "You have an MFA device: adding and removing your own devices \
     needs credentials that an MFA code was given for.";

/// Refuses a caller who has a device and would add or remove one of their own without using it.
fn obey_own_device(view: &StateView<'_>, bearer: CredentialOwner) -> Result<(), IamFault> {
    let caller = view.caller.principal().credential_owner();
    let session = view.caller.session();
    let with_code = session.is_some_and(|session| session.mfa.is_some());
    let way_back = caller == Some(CredentialOwner::Root) && session.is_none();
    let has_one = view.account.devices_of(bearer).next().is_some();
    if caller == Some(bearer) && has_one && !with_code && !way_back {
        return Err(IamFault::AccessDenied(WITHOUT_CODE.to_owned()));
    }
    Ok(())
}

/// `iam:CreateVirtualMFADevice`, the only response that contains the seed.
pub(crate) struct CreateVirtualMFADevice;

impl Action for CreateVirtualMFADevice {
    type Shape = iam::CreateVirtualMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "mfa", path, &input.virtual_mfa_device_name);
        let arn = arn.to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags.clone());
        let mut targets = vec![create];
        if !tags.is_empty() {
            let tag = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
            targets.push(tag.as_action("iam:TagMFADevice"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let seed = mfa::new_seed(view.entropy);
        let path = input.path.as_deref().unwrap_or("/");
        let name = &input.virtual_mfa_device_name;
        let serial = Arn::iam_entity(view.id(), "mfa", path, name).to_string();
        if serial.len() > limits::MFA_SERIAL_CHARS {
            return Err(too_long());
        }
        if view.account.device(&serial).is_some() {
            return Err(ExistingEntity::MfaDevice.into());
        }
        if view.account.devices().len() >= limits::MFA_DEVICES_PER_ACCOUNT {
            let quota = limits::MFA_DEVICES_PER_ACCOUNT;
            return Err(ReachedQuota::Named("VirtualMFADevicesPerAccount", quota).into());
        }
        let tags = tags::checked_exact_case(&[], input.tags.as_deref())?;
        let base32 = mfa::base32(&seed);
        let id = view.id().to_string();
        let alias = view.account.settings().alias.as_deref();
        let qr_code = mfa::qr_code(&base32, name, alias.unwrap_or(&id))?;
        let sealed = mfa::seal(view.vault, &serial, &seed, view.entropy);
        let device = MfaDevice {
            path: path.to_owned(),
            name: name.clone(),
            tags,
            seed: sealed.map_err(|error| IamFault::Internal(error.to_string()))?,
            last_used_step: 0,
            enabled: None,
        };
        let output = iam::CreateVirtualMFADeviceOutput {
            virtual_mfa_device: iam::VirtualMFADevice {
                serial_number: serial,
                base32_string_seed: Some(base32),
                qr_code_png: Some(qr_code),
                tags: (!device.tags.is_empty()).then(|| tags::to_wire(&device.tags)),
                ..iam::VirtualMFADevice::default()
            },
        };
        Ok(ActionResult::change(output, put(device)))
    }
}

fn too_long() -> IamFault {
    IamFault::Validation(format!(
        "1 validation error detected: Value at 'serialNumber' failed to satisfy constraint: \
         Member must have length less than or equal to {}",
        limits::MFA_SERIAL_CHARS
    ))
}

pub(crate) struct EnableMFADevice;

impl Action for EnableMFADevice {
    type Shape = iam::EnableMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let bearer = bearer(view, Some(&input.user_name))?;
        let device = device(view, &input.serial_number)?;
        if device.enabled.is_some() {
            return Err(ExistingEntity::MfaDeviceInUse.into());
        }
        obey_own_device(view, bearer)?;
        if view.account.devices_of(bearer).count() >= limits::MFA_DEVICES_PER_USER {
            return Err(
                ReachedQuota::Named("MFADevicesPerUser", limits::MFA_DEVICES_PER_USER).into(),
            );
        }
        let codes = [&*input.authentication_code1, &input.authentication_code2];
        let serial = device.serial(view.id());
        // Not counted as an attempt: guessing the codes of an unassigned device gains nothing.
        let (drift, last_used_step) =
            CodeCheck::from(view).synchronise(device, serial.as_str(), codes)?;
        let enabled = MfaAssignment {
            owner: bearer,
            since: view.now(),
            drift,
        };
        let device = MfaDevice {
            last_used_step,
            enabled: Some(enabled),
            ..MfaDevice::clone(device)
        };
        Ok(ActionResult::change((), put(device)))
    }
}

pub(crate) struct ResyncMFADevice;

impl Action for ResyncMFADevice {
    type Shape = iam::ResyncMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, Some(&input.user_name))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let bearer = bearer(view, Some(&input.user_name))?;
        let (device, enabled) = device_of(view, &input.serial_number, bearer)?;
        let codes = [&*input.authentication_code1, &input.authentication_code2];
        let serial = device.serial(view.id());
        let trial = CodeCheck::from(view);
        if !trial.begin(serial.as_str(), enabled) {
            return Err(IamFault::InvalidAuthenticationCode);
        }
        let (drift, last_used_step) = trial.synchronise(device, serial.as_str(), codes)?;
        trial.succeeded(serial.as_str(), enabled);
        let device = MfaDevice {
            last_used_step,
            enabled: Some(MfaAssignment {
                drift,
                ..enabled.clone()
            }),
            ..device.clone()
        };
        Ok(ActionResult::change((), put(device)))
    }
}

pub(crate) struct DeactivateMFADevice;

impl Action for DeactivateMFADevice {
    type Shape = iam::DeactivateMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let bearer = bearer(view, input.user_name.as_deref())?;
        let (device, _) = device_of(view, &input.serial_number, bearer)?;
        obey_own_device(view, bearer)?;
        let device = MfaDevice {
            enabled: None,
            ..device.clone()
        };
        Ok(ActionResult::change((), put(device)))
    }
}

pub(crate) struct DeleteVirtualMFADevice;

impl Action for DeleteVirtualMFADevice {
    type Shape = iam::DeleteVirtualMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::mfa(
            view,
            &input.serial_number,
        )))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let device = device(view, &input.serial_number)?;
        if device.enabled.is_some() {
            return Err(DeleteBlocker::MfaDeviceAssigned.into());
        }
        Ok(ActionResult::change(
            (),
            StateChange::delete::<MfaDevice>(device.place()),
        ))
    }
}

pub(crate) struct ListMFADevices;

impl Action for ListMFADevices {
    type Shape = iam::ListMFADevices;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let bearer = bearer(view, input.user_name.as_deref())?;
        let user_name = bearer_name(view, bearer);
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListMFADevices", &[&user_name], marker, input.max_items)?;
        let devices = view.account.devices_of(bearer);
        let (devices, marker) = page.cut(devices, |device| device.place().as_str().to_owned());
        let listed = |device: &Arc<MfaDevice>| iam::MFADevice {
            user_name: user_name.clone(),
            serial_number: device.serial(view.id()).to_string(),
            enable_date: since(device).unwrap_or_default(),
        };
        Ok(ActionResult::answer(iam::ListMFADevicesOutput {
            mfa_devices: devices.into_iter().map(listed).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

fn since(device: &MfaDevice) -> Option<Timestamp> {
    device.enabled.as_ref().map(|enabled| enabled.since)
}

/// `iam:ListVirtualMFADevices`, without seeds and tags, as AWS.
pub(crate) struct ListVirtualMFADevices;

impl Action for ListVirtualMFADevices {
    type Shape = iam::ListVirtualMFADevices;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        let arn = Arn::iam(view.id(), "mfa/").to_string();
        Ok(Requirement::one(AuthTarget::new(&*arn, &*arn)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let wanted = input.assignment_status.as_deref().unwrap_or(status::ANY);
        let marker = input.marker.as_deref();
        let page = PageRequest::of("ListVirtualMFADevices", &[wanted], marker, input.max_items)?;
        let matching = view.account.devices().values().filter(|device| {
            let assigned = device.enabled.is_some();
            match wanted {
                status::ASSIGNED => assigned,
                status::UNASSIGNED => !assigned,
                _ => true,
            }
        });
        let (devices, marker) = page.cut(matching, |device| device.place().as_str().to_owned());
        let listed = |device: &Arc<MfaDevice>| iam::VirtualMFADevice {
            serial_number: device.serial(view.id()).to_string(),
            user: device.bearer().and_then(|bearer| owner(view, bearer)),
            enable_date: since(device),
            ..iam::VirtualMFADevice::default()
        };
        Ok(ActionResult::answer(iam::ListVirtualMFADevicesOutput {
            virtual_mfa_devices: devices.into_iter().map(listed).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

fn owner(view: &StateView<'_>, bearer: CredentialOwner) -> Option<iam::User> {
    Some(match bearer {
        CredentialOwner::Root => root(view, view.account.root()),
        CredentialOwner::User(id) => brief(view, view.account.user_by_id(id)?),
    })
}

/// `iam:GetMFADevice`; without a user name it finds the device's owner.
pub(crate) struct GetMFADevice;

impl Action for GetMFADevice {
    type Shape = iam::GetMFADevice;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        if let Some(name) = &input.user_name {
            return target(view, Some(name));
        }
        let device = view.account.device(&input.serial_number);
        let subject = match device.and_then(|device| device.bearer()) {
            Some(CredentialOwner::Root) => CredentialSubject::Root,
            Some(bearer @ CredentialOwner::User(_)) => {
                CredentialSubject::User(bearer_name(view, bearer))
            }
            None => view.subject(None)?,
        };
        Ok(Requirement::one(target_of(view, &subject)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let device = match &input.user_name {
            Some(name) => {
                let bearer = bearer(view, Some(name))?;
                device_of(view, &input.serial_number, bearer)?.0
            }
            None => device(view, &input.serial_number)?,
        };
        Ok(ActionResult::answer(iam::GetMFADeviceOutput {
            user_name: device.bearer().map(|bearer| bearer_name(view, bearer)),
            serial_number: device.serial(view.id()).to_string(),
            enable_date: since(device),
            certifications: None,
        }))
    }
}

#[cfg(test)]
mod tests;
