//! Sessions of roles for web identities: AssumeRoleWithWebIdentity.
//!
//! There is no caller: the request is not signed, and its token is all that it proves. The order of
//! checks keeps those who have no valid token from learning or causing anything:
//!
//! 1. The token is read, and rejected if it cannot be valid at this time. Nothing is looked up.
//! 2. Its issuer must be a provider of the role's account.
//! 3. The provider's keys are used; they are only fetched for a role that trusts the provider. If
//!    they are at hand, a role that does not exist is answered like one that does.
//! 4. The signature is verified. Only then the audience, the trust policy and all other parameters
//!    are considered, on the newest state.

use std::sync::Arc;

use keywright_base::{AccountId, Arn, limits};
use keywright_policy::{PrincipalClause, PrincipalType};
use keywright_wire::{Decode, Form, OperationShape, sts};

use super::issue::{
    SessionIssuer, SessionRequest, check_tags, packed_size, session_policies, user_of,
};
use crate::{
    Identity,
    action::{UnsignedCall, decode_fault},
    authorize::{AuthTarget, FederatedPermit, FederatedRequest, TrustCheck, not_trusted},
    caller::SessionAttributes,
    fault::IamFault,
    principal::Principal,
    state::{Account, OpenIdProvider, Role},
    web_identity::{
        FederatedClaims, KeyLookup, ParsedToken, RequestedSession, TokenRejection, VerifiedToken,
        check_times,
    },
    work::WorkOwner,
};

type Input = sts::AssumeRoleWithWebIdentityInput;

/// Seconds that a session lasts when the request does not say.
const SESSION_SECS: i32 = 3600;

/// `sts:AssumeRoleWithWebIdentity`
pub(crate) async fn assume_role_with_web_identity(
    identity: &Identity,
    call: UnsignedCall<'_>,
) -> Result<String, IamFault> {
    let input = read(identity, call).await?;
    let account = role_account(&input)?;
    let token = ParsedToken::parse(input.web_identity_token.expose())?;
    check_times(&token, call.record.context.now)?;
    let issuer = token.issuer()?.to_owned();
    let token = verified(identity, (account, &input.role_arn), token, call).await?;
    // Time has passed: whatever was looked up before is looked up again.
    let state = snapshot(identity, account).ok_or_else(|| no_provider(&issuer))?;
    let provider = provider(&state, &issuer)?;
    let assumption = RoleAssumption {
        input: &input,
        account: &state,
        claims: FederatedClaims::of(&token, account, provider)?,
        session: RequestedSession::of(&token)?,
    };
    let role = state.role_by_arn(&input.role_arn).ok_or_else(not_trusted)?;
    let permit = assumption.permit(role, call)?;
    let output = assumption.assume(role, permit, identity, call)?;
    let operation = <sts::AssumeRoleWithWebIdentity as OperationShape>::OPERATION;
    Ok(keywright_wire::answer(
        operation,
        &output,
        &call.record.request_id,
    ))
}

/// Decodes the input. A long one waits for the turn of the client's address.
async fn read(identity: &Identity, call: UnsignedCall<'_>) -> Result<Input, IamFault> {
    let decode = |form: &Form| Input::decode(form).map_err(decode_fault);
    let input = if call.form.bytes() <= limits::BODY_BYTES_FREE {
        decode(call.form)?
    } else {
        let place = identity.pages.enter(owner(call)).await?;
        let form = call.form.clone();
        place.run(move || decode(&form)).await??
    };
    if input.provider_id.is_some() {
        // It names providers of OAuth access tokens, which only they themselves can verify.
        return Err(IamFault::NotServed(
            "AssumeRoleWithWebIdentity with a ProviderId",
        ));
    }
    Ok(input)
}

fn owner(call: UnsignedCall<'_>) -> WorkOwner {
    WorkOwner::address(call.record.context.source_address)
}

/// The account of the role.
fn role_account(input: &Input) -> Result<AccountId, IamFault> {
    let arn = Arn::parse(&input.role_arn).ok();
    let arn = arn.filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
    let account = arn.and_then(|arn| arn.account().parse().ok());
    account.ok_or_else(|| IamFault::Validation("Request ARN is invalid".to_owned()))
}

fn snapshot(identity: &Identity, account: AccountId) -> Option<Arc<Account>> {
    Some(identity.ledger.account(account)?.snapshot().clone())
}

/// The provider with this issuer. An account that does not exist has none.
fn provider<'a>(account: &'a Account, issuer: &str) -> Result<&'a Arc<OpenIdProvider>, IamFault> {
    let provider = account.provider_of_issuer(issuer);
    provider.ok_or_else(|| no_provider(issuer))
}

fn no_provider(issuer: &str) -> IamFault {
    // As long as the URL of a provider may be.
    let issuer = issuer.chars().take(255).collect();
    TokenRejection::NoProvider(issuer).into()
}

/// Verifies the signature with a key of the provider.
async fn verified(
    identity: &Identity,
    (account, role_arn): (AccountId, &str),
    token: ParsedToken,
    call: UnsignedCall<'_>,
) -> Result<VerifiedToken, IamFault> {
    let issuer = token.issuer()?;
    let state = snapshot(identity, account).ok_or_else(|| no_provider(issuer))?;
    let provider = provider(&state, issuer)?;
    let role = state.role_by_arn(role_arn);
    let arn = provider.arn(account);
    let lookup = KeyLookup {
        account,
        provider,
        key_id: token.key_id(),
        may_fetch: role.is_some_and(|role| names_provider(role, arn.as_str())),
    };
    let keys = match identity.provider_keys.find(lookup).await {
        // Whoever names a role that is none learns only this, and causes nothing.
        Err(_) if !lookup.may_fetch => return Err(not_trusted()),
        keys => keys?,
    };
    let place = identity.pages.enter(owner(call)).await?;
    let verified = place.run(move || keys.verify(token)).await?;
    verified.map_err(IamFault::from)
}

/// Whether the trust policy of a role names a provider at all. What it says of it is decided later.
fn names_provider(role: &Role, arn: &str) -> bool {
    let Some(policy) = role.trust.compiled() else {
        return false;
    };
    let of_provider = |clause: &PrincipalClause| {
        let mut elements = clause.elements.iter();
        elements.any(|(kind, name)| match kind {
            PrincipalType::Everyone => true,
            PrincipalType::Federated => name == arn,
            PrincipalType::Aws | PrincipalType::Service | PrincipalType::CanonicalUser => false,
        })
    };
    let mut statements = policy.document().statements.iter();
    statements.any(|it| it.principal.as_ref().is_some_and(of_provider))
}

/// A request whose token was verified.
struct RoleAssumption<'a> {
    input: &'a Input,
    account: &'a Account,
    claims: FederatedClaims,
    session: RequestedSession,
}

impl RoleAssumption<'_> {
    /// Decides whether the role may be assumed with the session's tags and source identity.
    fn permit(&self, role: &Role, call: UnsignedCall<'_>) -> Result<FederatedPermit, IamFault> {
        let target = self.target(role);
        let mut targets = vec![target.clone()];
        if !target.request_tags.is_empty() {
            targets.push(target.clone().as_action("sts:TagSession"));
        }
        if self.session.source_identity.is_some() {
            targets.push(target.as_action("sts:SetSourceIdentity"));
        }
        let request = FederatedRequest {
            claims: &self.claims,
            account: self.account.id(),
            record: call.record,
        };
        request.permit(&targets)
    }

    fn target(&self, role: &Role) -> AuthTarget {
        let trust = role.trust.compiled();
        let mut target = AuthTarget {
            resource_tags: role.tags.clone(),
            owner: Some(self.account.id()),
            trust: Some(trust.map_or(TrustCheck::Nobody, |it| TrustCheck::Policy(Arc::clone(it)))),
            ..AuthTarget::new(&*self.input.role_arn, &*self.input.role_arn)
        }
        .with_key("sts:RoleSessionName", &self.input.role_session_name)
        .with_request_tags(self.session.tags.clone());
        if let Some(identity) = &self.session.source_identity {
            target = target.with_key("sts:SourceIdentity", identity);
        }
        if let Some(secs) = self.input.duration_seconds {
            target = target.with_key("sts:DurationSeconds", secs.to_string());
        }
        for key in &self.session.transitive_keys {
            target = target.with_key("sts:TransitiveTagKeys", key);
        }
        target
    }

    /// Creates the session.
    fn assume(
        self,
        role: &Role,
        _: FederatedPermit,
        identity: &Identity,
        call: UnsignedCall<'_>,
    ) -> Result<sts::AssumeRoleWithWebIdentityOutput, IamFault> {
        let secs = self.duration(role)?;
        let name = &self.input.role_session_name;
        let principal = Principal::role_session(self.account.id(), role, name);
        let provider = self.claims.provider.clone();
        let attributes = self.attributes()?;
        let packed_policy_size = packed_size(&attributes)?;
        let source_identity = attributes.source_identity.clone();
        let request = SessionRequest {
            principal: &principal,
            action: "sts:AssumeRoleWithWebIdentity",
            secs,
            mfa: None,
            attributes: Some(attributes),
        };
        let (_, credentials) = request.issue(SessionIssuer {
            now: call.record.context.now.truncate_to_secs(),
            vault: &identity.vault,
            entropy: &*identity.entropy,
            source: None,
        })?;
        let (assumed_role_id, arn) = user_of(&principal);
        Ok(sts::AssumeRoleWithWebIdentityOutput {
            credentials: Some(credentials),
            subject_from_web_identity_token: Some(provider.subject),
            assumed_role_user: Some(sts::AssumedRoleUser {
                assumed_role_id,
                arn,
            }),
            packed_policy_size,
            provider: Some(provider.arn),
            audience: Some(provider.audience),
            source_identity,
            ..Default::default()
        })
    }

    fn duration(&self, role: &Role) -> Result<i32, IamFault> {
        let secs = self.input.duration_seconds.unwrap_or(SESSION_SECS);
        if secs > role.max_session_secs {
            return Err(IamFault::Validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                    .to_owned(),
            ));
        }
        Ok(secs)
    }

    /// The policies, tags and source identity of the session.
    fn attributes(self) -> Result<SessionAttributes, IamFault> {
        let (policy, arns) = (&self.input.policy, &self.input.policy_arns);
        let limits = session_policies(self.account, policy.as_deref(), arns.as_deref())?;
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
            provider: Some(self.claims.provider),
            ..limits
        })
    }
}

#[cfg(test)]
mod tests;
