//! Shared by all operations that create sessions: MFA, session policies and tags, and the
//! credentials.

use keywright_base::{AccountId, Entropy, Secret, Timestamp};
use keywright_policy::{DocumentKind, validate};
use keywright_store::contract::IssuedSession;
use keywright_wire::sts;

use crate::{
    caller::SessionAttributes,
    catalogue::PolicyCatalogue,
    fault::{IamFault, InvalidInput},
    mfa::{CodeCheck, CodeOutcome},
    principal::Principal,
    session_token::{SessionSource, SessionToken, ValidityPeriod},
    state::{Account, CredentialOwner, MfaDevice, SessionPolicy, Tag},
    vault::DataVault,
    view::StateView,
};

/// The default duration of a user's session, in seconds.
pub(super) const SESSION_SECS: i32 = 43_200;
/// The maximum duration of a root session, in seconds.
pub(super) const ROOT_SESSION_SECS: i32 = 3600;
/// The maximum number of managed policies in a request for a session.
const SESSION_POLICIES: usize = 10;
/// The maximum size of the session policies and their ARNs together, in characters, white space
/// included.
const SESSION_POLICY_CHARS: usize = 2048;
/// The maximum size of the policies, tags and source identity in a session token.
const PACKED_BYTES: usize = 16 * 1024;

pub(super) fn denied(text: &str) -> IamFault {
    IamFault::AccessDenied(text.to_owned())
}

/// A session to be created for a permitted request.
pub(super) struct SessionRequest<'a> {
    /// The principal that the session is for.
    pub(super) principal: &'a Principal,
    /// The policy action that creates it.
    pub(super) action: &'static str,
    pub(super) secs: i32,
    /// When an MFA code was given.
    pub(super) mfa: Option<Timestamp>,
    pub(super) attributes: Option<SessionAttributes>,
}

/// What sessions are issued with.
pub(super) struct SessionIssuer<'a> {
    pub(super) now: Timestamp,
    pub(super) vault: &'a DataVault,
    pub(super) entropy: &'a dyn Entropy,
    /// The long-term key that the session comes from. Web identities have none.
    pub(super) source: Option<SessionSource>,
}

impl<'a> From<&StateView<'a>> for SessionIssuer<'a> {
    fn from(view: &StateView<'a>) -> Self {
        Self {
            now: view.now(),
            vault: view.vault,
            entropy: view.entropy,
            source: source(view),
        }
    }
}

impl SessionRequest<'_> {
    /// Creates the session. It is recorded for the long-term key that it comes from, if any.
    pub(super) fn issue<'a>(
        self,
        issuer: impl Into<SessionIssuer<'a>>,
    ) -> Result<(Option<IssuedSession>, sts::Credentials), IamFault> {
        let SessionIssuer {
            now: issued,
            vault,
            entropy,
            source,
        } = issuer.into();
        let validity = ValidityPeriod {
            issued,
            expires: issued.plus_secs(i64::from(self.secs)),
        };
        let mut token = SessionToken::new(self.principal, validity, entropy).with_mfa(self.mfa);
        if let Some(source) = source {
            token = token.minted_by(source);
        }
        if let Some(attributes) = &self.attributes {
            token = token.with_attributes(attributes);
        }
        let issued = token
            .issue(self.principal.account(), vault, entropy)
            .ok_or_else(|| IamFault::Internal("a session token could not be sealed".to_owned()))?;
        let session = source.map(|source| IssuedSession {
            key: issued.key,
            source: source.key,
            owner: source.owner.map(CredentialOwner::to_text),
            principal: self.principal.arn().to_string(),
            action: self.action.to_owned(),
            issued: validity.issued,
            expires: validity.expires,
        });
        let credentials = sts::Credentials {
            access_key_id: issued.key.to_string(),
            secret_access_key: issued.secret,
            session_token: issued.token,
            expiration: issued.expires,
        };
        Ok((session, credentials))
    }
}

/// The long-term key that the caller's credentials come from, directly or through other sessions.
fn source(view: &StateView<'_>) -> Option<SessionSource> {
    match view.caller.session() {
        None => Some(SessionSource {
            key: view.caller.key(),
            owner: view.caller.principal().credential_owner(),
        }),
        Some(session) => Some(SessionSource {
            key: session.source?,
            owner: session.source_owner,
        }),
    }
}

/// The state of the caller's MFA device after the code in the request; `None` if the request names
/// no device.
pub(super) fn second_factor(
    view: &StateView<'_>,
    (serial, code): (Option<&str>, Option<&str>),
) -> Result<Option<MfaDevice>, IamFault> {
    let (serial, code) = match (serial, code) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, Secret::new(code.to_owned())),
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
    let device = device.filter(|device| caller.is_some() && device.bearer() == caller);
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

/// The session policies of a request. `account` is the account that the session belongs to.
pub(super) fn session_policies(
    account: &Account,
    inline: Option<&str>,
    managed: Option<&[sts::PolicyDescriptorType]>,
) -> Result<SessionAttributes, IamFault> {
    let arns = managed.unwrap_or_default().iter().enumerate();
    let arns = arns.map(|(position, policy)| {
        policy.arn.clone().ok_or_else(|| {
            IamFault::Validation(format!(
                "1 validation error detected: Value null at 'policyArns.{}.member.arn' failed to \
                 satisfy constraint: Member must not be null",
                position + 1
            ))
        })
    });
    let arns = arns.collect::<Result<Vec<String>, _>>()?;
    if arns.len() > SESSION_POLICIES {
        return Err(IamFault::Validation(format!(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: \
             Member must have length less than or equal to {SESSION_POLICIES}"
        )));
    }
    let chars = |text: &str| text.chars().count();
    let total = inline.map_or(0, chars) + arns.iter().map(|arn| chars(arn)).sum::<usize>();
    if total > SESSION_POLICY_CHARS {
        return Err(IamFault::PackedPolicyTooLarge(format!(
            "Packed policy consumes {}% of allotted space, please use smaller policy.",
            (total * 100).div_ceil(SESSION_POLICY_CHARS)
        )));
    }
    for arn in &arns {
        let parsed = keywright_base::Arn::parse(arn);
        let parsed = parsed.map_err(|_| IamFault::Validation(format!("{arn} is invalid")))?;
        let known = PolicyCatalogue::built_in().by_arn(arn).is_some()
            || account.policy_by_arn(&parsed).is_some();
        if !known {
            return Err(IamFault::MalformedPolicyDocument(format!(
                "The policy {arn} does not exist in account {}.",
                account.id()
            )));
        }
    }
    if let Some(text) = inline {
        validate(text, DocumentKind::Session)
            .map_err(|violation| IamFault::MalformedPolicyDocument(violation.to_string()))?;
    }
    Ok(SessionAttributes {
        policy: inline.map(SessionPolicy::new),
        policy_arns: arns,
        ..SessionAttributes::default()
    })
}

/// The session tags in a request.
pub(super) fn requested_tags(tags: Option<&[sts::Tag]>) -> Vec<Tag> {
    let tag = |tag: &sts::Tag| Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    tags.unwrap_or_default().iter().map(tag).collect()
}

/// Checks the tags in a request.
///
/// # Errors
/// `InvalidParameterValue` with AWS's texts.
pub(super) fn check_tags(tags: &[Tag]) -> Result<(), IamFault> {
    for (position, tag) in tags.iter().enumerate() {
        let again = |other: &Tag| other.key.eq_ignore_ascii_case(&tag.key);
        if tags.iter().skip(position + 1).any(again) {
            let wire = IamFault::from(InvalidInput::DuplicateTagKeysAnyCase).wire();
            return Err(IamFault::InvalidParameterValue(wire.text().to_owned()));
        }
        let prefix = tag.key.as_bytes().get(..4);
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"aws:")) {
            let wire = IamFault::from(InvalidInput::ReservedTagKey).wire();
            return Err(IamFault::InvalidParameterValue(wire.text().to_owned()));
        }
    }
    Ok(())
}

/// How much of the space for policies and tags a session uses, in percent. `None` if it has none.
///
/// # Errors
/// `PackedPolicyTooLarge` if it exceeds that space.
pub(super) fn packed_size(attributes: &SessionAttributes) -> Result<Option<i32>, IamFault> {
    let inline = attributes.policy.as_ref().map(SessionPolicy::text);
    let managed = attributes.policy_arns.iter().map(String::as_str);
    let policies: usize = inline.into_iter().chain(managed).map(str::len).sum();
    let tags = attributes.tags.iter();
    let tags: usize = tags.map(|tag| tag.key.len() + tag.value.len()).sum();
    let bytes = policies + tags;
    let percent = (bytes * 100).div_ceil(PACKED_BYTES);
    if percent > 100 {
        return Err(IamFault::PackedPolicyTooLarge(format!(
            "Packed size of session tags consumes {percent}% of allotted space."
        )));
    }
    Ok((bytes > 0).then(|| i32::try_from(percent).unwrap_or(100)))
}

/// The assumed-role or federated user in a response: its ID and ARN.
pub(super) fn user_of(principal: &Principal) -> (String, String) {
    (
        principal.user_id().into_owned(),
        principal.arn().to_string(),
    )
}

/// The state of an account that may not be the caller's.
pub(super) fn account_of(view: &StateView<'_>, id: AccountId) -> Option<std::sync::Arc<Account>> {
    Some(std::sync::Arc::clone(&view.ledger.account(id)?.snapshot()))
}
