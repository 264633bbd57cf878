//! STS: who am I, session tokens, whose key is this.

use keywright_base::{AccessKeyId, Secret, Timestamp};
use keywright_store::contract::IssuedSession;
use keywright_wire::sts;

use crate::{
    action::{Action, ActionEntry, ActionLevel, ActionOutcome, ActionResult, Input, served},
    authenticate::{SessionToken, ValidityPeriod},
    authorize::{Permit, Requirement},
    fault::IamFault,
    mfa::{CodeCheck, CodeOutcome},
    principal::Principal,
    state::{MfaDevice, StateChange},
    view::StateView,
};

/// Every action of STS that this server serves.
pub(super) static ACTIONS: &[ActionEntry] = &[
    served::<GetCallerIdentity>(),
    served::<GetSessionToken>(),
    served::<GetAccessKeyInfo>(),
];

/// `sts:GetCallerIdentity`; needs no permission, and an explicit deny is ignored, as on AWS.
pub(crate) struct GetCallerIdentity;

impl Action for GetCallerIdentity {
    type Shape = sts::GetCallerIdentity;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        Ok(ActionResult::answer(sts::GetCallerIdentityOutput {
            user_id: Some(view.caller.user_id().into_owned()),
            account: Some(view.id().to_string()),
            arn: Some(view.caller.arn().to_string()),
        }))
    }
}

/// `sts:GetAccessKeyInfo`; answers from the id alone.
pub(crate) struct GetAccessKeyInfo;

impl Action for GetAccessKeyInfo {
    type Shape = sts::GetAccessKeyInfo;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    fn run(_: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let id = input.access_key_id.parse::<AccessKeyId>().ok();
        let account = id.and_then(|id| id.account()).ok_or_else(|| {
            IamFault::Validation(format!("Invalid Access Key ID: {}", input.access_key_id))
        })?;
        let account = Some(account.to_string());
        Ok(ActionResult::answer(sts::GetAccessKeyInfoOutput {
            account,
        }))
    }
}

/// `sts:GetSessionToken`; needs no permission, but a long-term key.
pub(crate) struct GetSessionToken;

/// Seconds that a session lasts when the request does not say.
const SESSION_SECS: i32 = 43_200;
/// Seconds that a session of root lasts at most.
const ROOT_SESSION_SECS: i32 = 3600;

impl Action for GetSessionToken {
    type Shape = sts::GetSessionToken;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::Nothing)
    }

    /// A code that is accepted is spent.
    fn writes(input: &Input<Self>) -> bool {
        input.serial_number.is_some()
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        if view.caller.session().is_some() {
            return Err(denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }
        let device = second_factor(view, input)?;
        let validity = validity(view, input.duration_seconds);
        let (session, credentials) = issue(view, validity, device.is_some())?;
        let output = sts::GetSessionTokenOutput {
            credentials: Some(credentials),
            ..Default::default()
        };
        let changes = device.map(|device| StateChange::put(device));
        Ok(ActionResult {
            session: Some(session),
            changes: changes.into_iter().collect(),
            ..ActionResult::answer(output)
        })
    }
}

fn denied(text: &str) -> IamFault {
    IamFault::AccessDenied(text.to_owned())
}

/// The caller's device whose code was given, as it is from now on; `None` if none was named.
fn second_factor(
    view: &StateView<'_>,
    input: &Input<GetSessionToken>,
) -> Result<Option<MfaDevice>, IamFault> {
    let (serial, code) = match (&input.serial_number, &input.token_code) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, Secret::new(code.clone())),
        _ => {
            return Err(denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one \
                 time pass code.",
            ));
        }
    };
    let unable = || {
        denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
             MFA serial number is valid and associated with this user.",
        )
    };
    let caller = view.caller.principal().credential_owner();
    let device = view.account.device(serial);
    let device = device.filter(|device| device.bearer() == Some(caller));
    let device = device.ok_or_else(unable)?;
    let serial = device.serial(view.id());
    let tried = CodeCheck::from(view).code(device, serial.as_str(), &code);
    match tried.map_err(|error| IamFault::Internal(error.to_string()))? {
        CodeOutcome::Right(device) => Ok(Some(device)),
        CodeOutcome::Wrong => Err(denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        )),
        CodeOutcome::Refused => Err(unable()),
    }
}

fn validity(view: &StateView<'_>, requested: Option<i32>) -> ValidityPeriod {
    let secs = requested.unwrap_or(SESSION_SECS);
    let secs = match view.caller.principal() {
        Principal::Root { .. } => secs.min(ROOT_SESSION_SECS),
        Principal::User { .. } => secs,
    };
    let issued: Timestamp = view.now();
    ValidityPeriod {
        issued,
        expires: issued.plus_secs(i64::from(secs)),
    }
}

fn issue(
    view: &StateView<'_>,
    validity: ValidityPeriod,
    mfa: bool,
) -> Result<(IssuedSession, sts::Credentials), IamFault> {
    let issued = SessionToken::new(view.caller.principal(), validity, view.entropy)
        .with_mfa(mfa.then_some(validity.issued))
        .minted_by(view.caller.key())
        .issue(view.id(), view.vault, view.entropy)
        .ok_or_else(|| IamFault::Internal("a session token could not be sealed".to_owned()))?;
    let session = IssuedSession {
        key: issued.key,
        source: view.caller.key(),
        principal: view.caller.arn().to_string(),
        action: "sts:GetSessionToken".to_owned(),
        issued: validity.issued,
        expires: validity.expires,
    };
    let credentials = sts::Credentials {
        access_key_id: issued.key.to_string(),
        secret_access_key: issued.secret,
        session_token: issued.token,
        expiration: issued.expires,
    };
    Ok((session, credentials))
}
