//! What AWS does not offer: attempts with an inactive key, the sessions issued by a key, and ending
//! those sessions.

use keywright_base::{AccessKeyId, Timestamp};
use keywright_store::contract::{IssuedSession, KeyAttempt, SessionPage};
use keywright_wire::keywright;

use crate::actions::iam::access_keys::{owner, owner_target};
use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Input, Preparation, PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, MissingEntity},
    pagination::PageRequest,
    state::{CredentialOwner, StateChange},
    view::StateView,
};

/// The owner of the key, or the whole account if the key was deleted.
fn target(view: &StateView<'_>, key: &str) -> AuthTarget {
    owner(view, key).map_or_else(AuthTarget::everything, |owner| owner_target(view, owner))
}

/// The key, if it belongs to the caller's account.
fn own_key(view: &StateView<'_>, id: &str) -> Result<AccessKeyId, IamFault> {
    let key = id.parse::<AccessKeyId>().ok();
    key.filter(|key| key.account() == Some(view.id()))
        .ok_or_else(|| MissingEntity::AccessKey(id.to_owned()).into())
}

pub(crate) struct ListAccessKeyAttempts;

impl PreparedAction for ListAccessKeyAttempts {
    type Shape = keywright::ListAccessKeyAttempts;
    type Prepared = (Vec<KeyAttempt>, u64);
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.access_key_id)))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let key = own_key(&with.view, &input.access_key_id)?;
        with.attempts(key).await
    }

    fn run(
        _: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        (attempts, total): &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let attempt = |attempt: &KeyAttempt| keywright::AccessKeyAttempt {
            source_address: attempt.source_address.clone(),
            user_agent: Some(attempt.user_agent.clone()),
            action: attempt.action.clone(),
            last_attempt: attempt.at,
            count: i64::try_from(attempt.count).unwrap_or(i64::MAX),
        };
        Ok(ActionResult::answer(
            keywright::ListAccessKeyAttemptsOutput {
                access_key_id: input.access_key_id.clone(),
                total: i64::try_from(*total).unwrap_or(i64::MAX),
                attempts: attempts.iter().map(attempt).collect(),
            },
        ))
    }
}

pub(crate) struct GetAccessKeyUse;

impl Action for GetAccessKeyUse {
    type Shape = keywright::GetAccessKeyUse;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.access_key_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let key = own_key(view, &input.access_key_id)?;
        let any = view.usage.exact(key.as_str(), false);
        let consumer = view.usage.exact(key.as_str(), true);
        // For uses before the server recorded them to the second, the coarse record remains.
        let coarse = view.usage.last(key.as_str());
        let any = any.or_else(|| coarse.clone());
        let consumer = consumer.or(coarse.filter(|used| used.service != "sts"));
        Ok(ActionResult::answer(keywright::GetAccessKeyUseOutput {
            access_key_id: input.access_key_id.clone(),
            last_used_date: any.as_ref().map(|used| used.at),
            service_name: any.as_ref().map(|used| used.service.clone()),
            region: any.map(|used| used.region),
            consumer_last_used_date: consumer.as_ref().map(|used| used.at),
            consumer_service_name: consumer.as_ref().map(|used| used.service.clone()),
            consumer_region: consumer.map(|used| used.region),
        }))
    }
}

/// `keywright:ListAccessKeySessions`, latest expiry first.
pub(crate) struct ListAccessKeySessions;

impl ListAccessKeySessions {
    fn page(input: &Input<Self>) -> Result<PageRequest, IamFault> {
        let (key, marker) = (input.access_key_id.as_str(), input.marker.as_deref());
        PageRequest::of("ListAccessKeySessions", &[key], marker, input.max_items)
    }

    /// The sort key of a session. Several may expire at the same time, so it includes the session's
    /// key.
    fn place(session: &IssuedSession) -> String {
        format!("{}/{}", session.expires.millis(), session.key)
    }

    fn read_place(text: &str) -> Option<(Timestamp, AccessKeyId)> {
        let (expires, key) = text.split_once('/')?;
        let expires = Timestamp::from_millis(expires.parse().ok()?);
        Some((expires, key.parse().ok()?))
    }
}

impl PreparedAction for ListAccessKeySessions {
    type Shape = keywright::ListAccessKeySessions;
    type Prepared = Vec<IssuedSession>;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.access_key_id)))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let page = Self::page(input)?;
        let sessions = with.sessions(SessionPage {
            source: own_key(&with.view, &input.access_key_id)?,
            now: with.view.now(),
            after: page.after().and_then(Self::read_place),
            limit: page.items_max() + 1,
        });
        sessions.await
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        found: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let found = found.iter();
        let (sessions, marker) = Self::page(input)?.take(found, |it| Self::place(it));
        let ended = &view.account.settings().ended_sessions;
        let lasts = |session: &&IssuedSession| {
            let owner = session.owner.as_deref();
            let owner = view.account.session_owner(session.source, owner);
            let until = ended.until(session.source, owner);
            until.is_none_or(|until| session.issued > until)
        };
        let session = |session: &IssuedSession| keywright::AccessKeySession {
            access_key_id: session.key.to_string(),
            principal_arn: session.principal.clone(),
            action: session.action.clone(),
            issue_time: session.issued,
            expiration: session.expires,
        };
        Ok(ActionResult::answer(
            keywright::ListAccessKeySessionsOutput {
                access_key_id: input.access_key_id.clone(),
                sessions: sessions.into_iter().filter(lasts).map(session).collect(),
                is_truncated: marker.is_some(),
                marker,
            },
        ))
    }
}

/// `keywright:EndAccessKeySessions`: every session that a key has issued so far is refused from now
/// on. The key itself is unchanged. Also works for deleted keys.
pub(crate) struct EndAccessKeySessions;

impl Action for EndAccessKeySessions {
    type Shape = keywright::EndAccessKeySessions;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(target(view, &input.access_key_id)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (key, now) = (own_key(view, &input.access_key_id)?, view.now());
        let owner = view.account.key(key).map(|(owner, _)| owner);
        let caller = view.caller.principal().credential_owner();
        if owner == Some(CredentialOwner::Root) && caller != owner {
            return Err(IamFault::AccessDenied(
                "Only the root user can end the sessions of its own access keys.".to_owned(),
            ));
        }
        let settings = view.account.settings();
        let settings = settings.with_ended_sessions(key, owner, now);
        let output = keywright::EndAccessKeySessionsOutput {
            access_key_id: input.access_key_id.clone(),
            issued_before: now,
        };
        Ok(ActionResult::change(output, StateChange::put(settings)))
    }
}

#[cfg(test)]
mod tests;
