//! Sessions of roles for SAML identities: AssumeRoleWithSAML.
//!
//! There is no caller: the request is not signed, and its assertion is all that it proves. So the
//! provider and the signature come first; the role is looked at only for an assertion that is
//! verified and names it. An assertion is used up by the session that it is issued for, not by a
//! denial, so that a corrected trust policy can be tried at once.

use std::sync::Arc;

use keywright_base::limits;
use keywright_wire::{Decode, Form, OperationShape, sts};

use super::federated_role::{RoleAssumption, owner, role_account, snapshot};
use crate::{
    Identity,
    action::{UnsignedCall, decode_fault},
    authorize::FederatedIdentity,
    fault::IamFault,
    saml::{
        AssertedSession, AssertionRejection, ParsedResponse, VerifiedAssertion, name_qualifier,
    },
    saml_metadata::IdentityProviderMetadata,
    state::{Account, SamlProvider},
};

type Input = sts::AssumeRoleWithSAMLInput;

/// `sts:AssumeRoleWithSAML`
pub(crate) async fn assume_role_with_saml(
    identity: &Identity,
    call: UnsignedCall<'_>,
) -> Result<String, IamFault> {
    let (input, response) = read(identity, call).await?;
    let account = role_account(&input.role_arn)?;
    let (state, provider, assertion) = verified(identity, call, (&input, response)).await?;
    let asserted = AssertedSession::of(&assertion, &input.principal_arn)?;
    if !asserted.names(&input.role_arn, &input.principal_arn) {
        let text = "Not authorized to perform sts:AssumeRoleWithSAML";
        return Err(IamFault::AccessDenied(text.to_owned()));
    }
    let assumption = RoleAssumption {
        ledger: &identity.ledger,
        role_arn: &input.role_arn,
        session_name: &asserted.name,
        duration_secs: input.duration_seconds,
        secs_max: asserted.secs_max,
        ends: assertion.session_ends,
        policy: input.policy.as_deref(),
        policy_arns: input.policy_arns.as_deref(),
        account: &state,
        identity: &asserted,
        session: asserted.session.clone(),
    };
    let assumed = assumption.decide(call)?.issue(identity, call)?;
    let used = (input.principal_arn.as_str(), &assertion);
    (identity.used_assertions).use_once(account, used, &*identity.clock)?;
    let session = asserted.provider();
    let qualified = format!("{account}/{}", provider.name);
    let output = sts::AssumeRoleWithSAMLOutput {
        credentials: Some(assumed.credentials),
        assumed_role_user: Some(assumed.user),
        packed_policy_size: assumed.packed_policy_size,
        subject: Some(session.subject.clone()),
        subject_type: Some(assertion.subject_type.clone()),
        issuer: Some(assertion.issuer.clone()),
        audience: Some(session.audience.clone()),
        name_qualifier: Some(name_qualifier(&assertion.issuer, &qualified)),
        source_identity: assumed.source_identity,
        ..Default::default()
    };
    let operation = <sts::AssumeRoleWithSAML as OperationShape>::OPERATION;
    Ok(keywright_wire::answer(
        operation,
        &output,
        &call.record.request_id,
    ))
}

/// Verifies a response by its provider's metadata. Returns the state in which that is still the
/// provider's.
async fn verified(
    identity: &Identity,
    call: UnsignedCall<'_>,
    (input, response): (&Input, ParsedResponse),
) -> Result<(Arc<Account>, Arc<SamlProvider>, VerifiedAssertion), IamFault> {
    let account = role_account(&input.role_arn)?;
    let no_provider = || IamFault::from(AssertionRejection::NoProvider);
    let state = snapshot(identity, account).ok_or_else(no_provider)?;
    let provider = state.saml_provider(&input.principal_arn).cloned();
    let provider = provider.ok_or_else(no_provider)?;
    if provider.requires_encryption {
        return Err(AssertionRejection::NotEncrypted.into());
    }
    let place = identity.pages.enter(owner(call)).await?;
    // Not the time at which the request began: its body and its turn may have come much later.
    let now = identity.clock.now();
    let metadata = Arc::clone(&provider.metadata);
    let verified = place.run(move || {
        let metadata = IdentityProviderMetadata::parse(&metadata);
        response.verify(&metadata.ok_or(AssertionRejection::Signature)?, now)
    });
    let assertion = verified.await??;
    // Time has passed: the provider may have been changed or deleted, and the role too.
    let state = snapshot(identity, account).ok_or_else(no_provider)?;
    let same = |now: &Arc<SamlProvider>| {
        now.id == provider.id
            && now.metadata == provider.metadata
            && now.requires_encryption == provider.requires_encryption
    };
    let still = state.saml_provider(&input.principal_arn);
    still.filter(|now| same(now)).ok_or_else(no_provider)?;
    Ok((state, provider, assertion))
}

/// Reads the input and the response in it. A long one waits for the turn of the client's address.
async fn read(
    identity: &Identity,
    call: UnsignedCall<'_>,
) -> Result<(Input, ParsedResponse), IamFault> {
    let decode = |form: &Form| {
        let input = Input::decode(form).map_err(decode_fault)?;
        let response = ParsedResponse::parse(input.saml_assertion.expose())?;
        Ok::<_, IamFault>((input, response))
    };
    if call.form.bytes() <= limits::BODY_BYTES_FREE {
        return decode(call.form);
    }
    let place = identity.pages.enter(owner(call)).await?;
    let form = call.form.clone();
    place.run(move || decode(&form)).await?
}

#[cfg(test)]
mod tests;
