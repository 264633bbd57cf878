//! STS: who am I, session tokens, whose key is this.

use keywright_base::{AccessKeyId, Timestamp};
use keywright_store::contract::Session;
use keywright_wire::sts;

use crate::{
    action::{Access, Action, Done, Input, Outcome},
    authenticate::{SessionToken, Validity},
    authorize::{Permit, Required},
    caller::Principal,
    fault::Fault,
    secrets,
    view::View,
};

/// `sts:GetCallerIdentity`; needs no permission, and an explicit deny is ignored, as on AWS.
pub(crate) struct GetCallerIdentity;

impl Action for GetCallerIdentity {
    type Shape = sts::GetCallerIdentity;
    const ACCESS: Access = Access::Read;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::Nothing)
    }

    fn run(view: &View<'_>, _: Permit<Self>, _: &Input<Self>) -> Outcome<Self> {
        Ok(Done::answer(sts::GetCallerIdentityOutput {
            user_id: Some(view.caller.user_id()),
            account: Some(view.id().to_string()),
            arn: Some(view.caller.arn().to_string()),
        }))
    }
}

/// `sts:GetAccessKeyInfo`; answers from the id alone.
pub(crate) struct GetAccessKeyInfo;

impl Action for GetAccessKeyInfo {
    type Shape = sts::GetAccessKeyInfo;
    const ACCESS: Access = Access::Read;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::Nothing)
    }

    fn run(_: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let id = input.access_key_id.parse::<AccessKeyId>().ok();
        let account = id.and_then(|id| id.account()).ok_or_else(|| {
            Fault::Validation(format!("Invalid Access Key ID: {}", input.access_key_id))
        })?;
        let account = Some(account.to_string());
        Ok(Done::answer(sts::GetAccessKeyInfoOutput { account }))
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
    const ACCESS: Access = Access::Read;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::Nothing)
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let denied = |text: &str| Fault::AccessDenied(text.to_owned());
        if view.caller.session().is_some() {
            return Err(denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }
        if input.serial_number.is_some() || input.token_code.is_some() {
            return Err(denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify \
                 your MFA serial number is valid and associated with this user.",
            ));
        }
        let validity = validity(view, input.duration_seconds);
        let (session, credentials) = issue(view, validity)?;
        let output = sts::GetSessionTokenOutput {
            credentials: Some(credentials),
            ..Default::default()
        };
        Ok(Done {
            session: Some(session),
            ..Done::answer(output)
        })
    }
}

fn validity(view: &View<'_>, asked: Option<i32>) -> Validity {
    let secs = asked.unwrap_or(SESSION_SECS);
    let secs = match view.caller.principal() {
        Principal::Root => secs.min(ROOT_SESSION_SECS),
        Principal::User { .. } => secs,
    };
    let issued: Timestamp = view.now();
    Validity {
        issued,
        expires: issued.plus_secs(i64::from(secs)),
    }
}

fn issue(view: &View<'_>, validity: Validity) -> Result<(Session, sts::Credentials), Fault> {
    let key = AccessKeyId::generate_temporary(view.id(), view.entropy);
    let secret = secrets::new_secret(view.entropy);
    let token = SessionToken::new(&secret, view.caller.principal(), validity)
        .seal(view.vault, key, view.entropy)
        .ok_or_else(|| Fault::Internal("a session token could not be sealed".to_owned()))?;
    let session = Session {
        key,
        source: view.caller.key(),
        principal: view.caller.arn().to_string(),
        action: "sts:GetSessionToken".to_owned(),
        issued: validity.issued,
        expires: validity.expires,
    };
    let credentials = sts::Credentials {
        access_key_id: key.to_string(),
        secret_access_key: secret,
        session_token: token,
        expiration: validity.expires,
    };
    Ok((session, credentials))
}
