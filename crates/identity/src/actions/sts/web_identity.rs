//! Sessions of roles for web identities: AssumeRoleWithWebIdentity.
//!
//! There is no caller: the request is not signed, and its token is all that it proves. The order of
//! checks keeps those who have no valid token from learning anything about roles, and from causing
//! more than the few fetches that `web_identity::provider_keys` allows for a registered provider:
//!
//! 1. The token is read, and rejected if it cannot be valid at this time. Nothing is looked up.
//! 2. Its issuer must be a provider of the role's account.
//! 3. The provider's keys are used. Whether they are fetched does not depend on the role, so that
//!    neither the answer nor the time it takes says whether a role exists.
//! 4. The signature is verified. Only then the audience, the role with its trust policy and all
//!    other parameters are considered, on the newest state.

use std::sync::Arc;

use keywright_base::{AccountId, limits};
use keywright_wire::{Decode, Form, OperationShape, sts};

use super::federated_role::{RoleAssumption, owner, role_account, snapshot};
use crate::{
    Identity,
    action::{UnsignedCall, decode_fault},
    fault::IamFault,
    state::{Account, OpenIdProvider},
    web_identity::{
        FederatedClaims, KeyLookup, ParsedToken, ProviderRequest, RequestedSession, TokenRejection,
        VerifiedToken, check_times,
    },
};

type Input = sts::AssumeRoleWithWebIdentityInput;

/// `sts:AssumeRoleWithWebIdentity`
pub(crate) async fn assume_role_with_web_identity(
    identity: &Identity,
    call: UnsignedCall<'_>,
) -> Result<String, IamFault> {
    let input = read(identity, call).await?;
    let account = role_account(&input.role_arn)?;
    let token = ParsedToken::parse(input.web_identity_token.expose())?;
    check_times(&token, call.record.context.now)?;
    let issuer = token.issuer()?.to_owned();
    let (token, by) = verified(identity, account, token, call).await?;
    // Time has passed: whatever was looked up before is looked up again.
    let state = snapshot(identity, account).ok_or_else(|| no_provider(&issuer))?;
    let provider = provider(&state, &issuer)?;
    if ProviderRequest::of(provider) != by {
        // The keys were fetched with a thumbprint that may have been withdrawn. SDKs try again.
        return Err(TokenRejection::Unreachable.into());
    }
    let claims = FederatedClaims::of(&token, account, provider)?;
    let assumption = RoleAssumption {
        ledger: &identity.ledger,
        role_arn: &input.role_arn,
        session_name: &input.role_session_name,
        duration_secs: input.duration_seconds,
        secs_max: None,
        ends: None,
        policy: input.policy.as_deref(),
        policy_arns: input.policy_arns.as_deref(),
        account: &state,
        identity: &claims,
        session: RequestedSession::of(&token)?,
    };
    let assumed = assumption.decide(call)?.issue(identity, call)?;
    let output = sts::AssumeRoleWithWebIdentityOutput {
        credentials: Some(assumed.credentials),
        subject_from_web_identity_token: Some(claims.provider.subject),
        assumed_role_user: Some(assumed.user),
        packed_policy_size: assumed.packed_policy_size,
        provider: Some(claims.provider.arn),
        audience: Some(claims.provider.audience),
        source_identity: assumed.source_identity,
        ..Default::default()
    };
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

/// Verifies the signature with a key of the provider, as it was registered then.
async fn verified(
    identity: &Identity,
    account: AccountId,
    token: ParsedToken,
    call: UnsignedCall<'_>,
) -> Result<(VerifiedToken, ProviderRequest), IamFault> {
    let issuer = token.issuer()?;
    let state = snapshot(identity, account).ok_or_else(|| no_provider(issuer))?;
    let provider = provider(&state, issuer)?;
    let lookup = KeyLookup {
        account,
        provider,
        key_id: token.key_id(),
    };
    let keys = identity.provider_keys.find(lookup).await?;
    let place = identity.pages.enter(owner(call)).await?;
    let verified = place.run(move || keys.verify(token)).await??;
    Ok((verified, ProviderRequest::of(provider)))
}

#[cfg(test)]
mod tests;
