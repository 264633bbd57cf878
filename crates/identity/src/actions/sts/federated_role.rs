//! Assuming a role by what an identity provider says: shared by tokens and assertions.
//!
//! Nothing is issued without a decision by the role's trust policy ([`DecidedAssumption`]).

use std::sync::Arc;

use keywright_base::{AccountId, Arn, Timestamp};
use keywright_wire::sts;

use super::issue::{
    SessionIssuer, SessionRequest, check_tags, packed_size, session_policies, user_of,
};
use crate::{
    Identity,
    action::UnsignedCall,
    authorize::{AuthTarget, FederatedIdentity, FederatedPermit, FederatedRequest, TrustCheck},
    caller::SessionAttributes,
    fault::IamFault,
    ledger::IamLedger,
    principal::Principal,
    state::{Account, Role},
    web_identity::RequestedSession,
    work::WorkOwner,
};

/// Seconds that a session lasts when the request does not say.
const SESSION_SECS: i32 = 3600;

/// The account of a role by its ARN.
pub(super) fn role_account(arn: &str) -> Result<AccountId, IamFault> {
    let arn = Arn::parse(arn).ok();
    let arn = arn.filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
    let account = arn.and_then(|arn| arn.account().parse().ok());
    account.ok_or_else(|| IamFault::Validation("Request ARN is invalid".to_owned()))
}

pub(super) fn snapshot(identity: &Identity, account: AccountId) -> Option<Arc<Account>> {
    Some(identity.ledger.account(account)?.snapshot().clone())
}

/// Whose turn it is when something takes long.
pub(super) fn owner(call: UnsignedCall<'_>) -> WorkOwner {
    WorkOwner::address(call.record.context.source_address)
}

/// A request of an identity that its provider vouches for.
pub(super) struct RoleAssumption<'a> {
    pub(super) ledger: &'a IamLedger,
    pub(super) role_arn: &'a str,
    pub(super) session_name: &'a str,
    pub(super) duration_secs: Option<i32>,
    /// Seconds that the session lasts at most, if its identity says so.
    pub(super) secs_max: Option<i32>,
    /// When the session must end at the latest.
    pub(super) ends: Option<Timestamp>,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: Option<&'a [sts::PolicyDescriptorType]>,
    /// The account of the role and of the provider.
    pub(super) account: &'a Account,
    pub(super) identity: &'a dyn FederatedIdentity,
    pub(super) session: RequestedSession,
}

/// A role that may be assumed.
pub(super) struct DecidedAssumption<'a> {
    assumption: RoleAssumption<'a>,
    role: Arc<Role>,
    permit: FederatedPermit,
}

/// A session that was issued.
pub(super) struct AssumedRole {
    pub(super) credentials: sts::Credentials,
    pub(super) user: sts::AssumedRoleUser,
    pub(super) packed_policy_size: Option<i32>,
    pub(super) source_identity: Option<String>,
}

impl<'a> RoleAssumption<'a> {
    /// Decides whether the role may be assumed with the session's tags and source identity. Nobody
    /// may assume one that does not exist.
    ///
    /// # Errors
    /// [`IamFault::AccessDenied`].
    pub(super) fn decide(self, call: UnsignedCall<'_>) -> Result<DecidedAssumption<'a>, IamFault> {
        let role = self.account.role_by_arn(self.role_arn);
        let target = self.target(role);
        let mut targets = vec![target.clone()];
        if !target.request_tags.is_empty() {
            targets.push(target.clone().as_action("sts:TagSession"));
        }
        if self.session.source_identity.is_some() {
            targets.push(target.as_action("sts:SetSourceIdentity"));
        }
        let request = FederatedRequest {
            ledger: self.ledger,
            identity: self.identity,
            account: self.account.id(),
            record: call.record,
        };
        let permit = request.permit(&targets)?;
        let role = role.ok_or_else(|| IamFault::Internal("no role was permitted".to_owned()))?;
        Ok(DecidedAssumption {
            role: Arc::clone(role),
            assumption: self,
            permit,
        })
    }

    fn target(&self, role: Option<&Arc<Role>>) -> AuthTarget {
        let trust = role.and_then(|role| role.trust.compiled());
        let mut target = AuthTarget {
            resource_tags: role.map(|role| role.tags.clone()).unwrap_or_default(),
            owner: Some(self.account.id()),
            trust: Some(trust.map_or(TrustCheck::Nobody, |it| TrustCheck::Policy(Arc::clone(it)))),
            ..AuthTarget::new(self.role_arn, self.role_arn)
        }
        .with_key("sts:RoleSessionName", self.session_name)
        .with_request_tags(self.session.tags.clone());
        if let Some(identity) = &self.session.source_identity {
            target = target.with_key("sts:SourceIdentity", identity);
        }
        if let Some(secs) = self.duration_secs {
            target = target.with_key("sts:DurationSeconds", secs.to_string());
        }
        for key in &self.session.transitive_keys {
            target = target.with_key("sts:TransitiveTagKeys", key);
        }
        target
    }

    /// How long the session lasts: as long as requested, but no longer than its identity may, and
    /// not beyond its end.
    fn secs(&self, role: &Role, now: Timestamp) -> Result<i32, IamFault> {
        let secs = self.duration_secs.unwrap_or(SESSION_SECS);
        if secs > role.max_session_secs {
            return Err(IamFault::Validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                    .to_owned(),
            ));
        }
        let left = self.ends.map(|end| end.secs_since(now));
        let left = left.and_then(|secs| i32::try_from(secs).ok());
        let shortest = [Some(secs), self.secs_max, left]
            .into_iter()
            .flatten()
            .min();
        Ok(shortest.unwrap_or(secs))
    }

    /// The policies, tags and source identity of the session.
    fn attributes(self) -> Result<SessionAttributes, IamFault> {
        let limits = session_policies(self.account, self.policy, self.policy_arns)?;
        let RequestedSession {
            tags,
            transitive_keys,
            source_identity,
        } = self.session;
        check_tags(&tags)?;
        let is_tag = |key: &String| tags.iter().any(|tag| tag.key.eq_ignore_ascii_case(key));
        if !transitive_keys.iter().all(is_tag) {
            return Err(IamFault::InvalidParameterValue(
                "The specified transitive tag key must be included in the requested tags."
                    .to_owned(),
            ));
        }
        Ok(SessionAttributes {
            tags,
            transitive_keys,
            source_identity,
            provider: Some(self.identity.provider().clone()),
            ..limits
        })
    }
}

impl DecidedAssumption<'_> {
    /// Issues the session.
    ///
    /// # Errors
    /// Those of the session's duration, policies and tags.
    pub(super) fn issue(
        self,
        identity: &Identity,
        call: UnsignedCall<'_>,
    ) -> Result<AssumedRole, IamFault> {
        let Self {
            assumption,
            role,
            permit: FederatedPermit { .. },
        } = self;
        let now = call.record.context.now.truncate_to_secs();
        let secs = assumption.secs(&role, now)?;
        let (name, action) = (assumption.session_name, assumption.identity.action());
        let principal = Principal::role_session(assumption.account.id(), &role, name);
        let attributes = assumption.attributes()?;
        let packed_policy_size = packed_size(&attributes)?;
        let source_identity = attributes.source_identity.clone();
        let request = SessionRequest {
            principal: &principal,
            action,
            secs,
            mfa: None,
            attributes: Some(attributes),
        };
        let (_, credentials) = request.issue(SessionIssuer {
            now,
            vault: &identity.vault,
            entropy: &*identity.entropy,
            source: None,
        })?;
        let (assumed_role_id, arn) = user_of(&principal);
        Ok(AssumedRole {
            credentials,
            user: sts::AssumedRoleUser {
                assumed_role_id,
                arn,
            },
            packed_policy_size,
            source_identity,
        })
    }
}
