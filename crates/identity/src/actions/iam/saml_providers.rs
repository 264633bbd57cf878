//! SAML identity providers: create, read, list, update, delete, tag.
//!
//! What they vouch for is decided in `crate::saml`.

use std::sync::Arc;

use keywright_base::{Arn, Secret, Timestamp, limits};
use keywright_wire::iam::{self, values::assertion_encryption_mode_type as mode};

use super::{signing_certificates::new_id, tags};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    certificates::UploadedKey,
    fault::{ExistingEntity, IamFault, InvalidInput, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    saml_metadata::IdentityProviderMetadata,
    state::{SamlPrivateKey, SamlProvider, StateChange},
    view::StateView,
};

/// Years for which AWS says that a provider is valid.
const VALID_YEARS: i64 = 100;
/// Seconds of a hundred years with twenty-four or twenty-five leap days.
const VALID_SECS: i64 = 36_525 * 24 * 60 * 60;

fn target(view: &StateView<'_>, arn: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::saml_provider(view, arn)))
}

fn found<'a>(view: &StateView<'a>, arn: &str) -> Result<&'a Arc<SamlProvider>, IamFault> {
    let provider = view.account.saml_provider(arn);
    provider.ok_or_else(|| MissingEntity::SamlProvider(arn.to_owned()).into())
}

/// The same day and time a hundred years later (AWS's reference of `get-saml-provider`).
fn valid_until(created: Timestamp) -> Timestamp {
    let text = created.iso8601();
    let later = text.split_once('-').and_then(|(year, rest)| {
        let year: i64 = year.parse().ok()?;
        Timestamp::parse_iso8601(&format!("{}-{rest}", year + VALID_YEARS)).ok()
    });
    later.unwrap_or_else(|| created.plus_secs(VALID_SECS))
}

fn invalid(text: impl Into<String>) -> IamFault {
    InvalidInput::Other(text.into()).into()
}

fn checked_metadata(document: &str) -> Result<Arc<str>, IamFault> {
    let most = limits::SAML_METADATA_BYTES;
    if document.len() > most {
        let text = format!("The metadata document must not be longer than {most} bytes.");
        return Err(invalid(text));
    }
    if IdentityProviderMetadata::parse(document).is_none() {
        return Err(invalid("Could not parse metadata"));
    }
    Ok(document.into())
}

fn new_key(view: &StateView<'_>, key: &Secret<String>) -> Result<SamlPrivateKey, IamFault> {
    if UploadedKey::from_pem(key).is_none() {
        return Err(invalid("Invalid Private Key."));
    }
    let id = new_id(view.entropy);
    let place = SamlPrivateKey::place(&id);
    let sealed = view
        .vault
        .seal(place, key.expose().as_bytes(), view.entropy);
    Ok(SamlPrivateKey {
        added: view.now(),
        sealed: sealed.map_err(|error| IamFault::Internal(error.to_string()))?,
        id,
    })
}

/// Adds a key, and sets whether assertions must be encrypted, which needs a key.
fn set_encryption(
    view: &StateView<'_>,
    provider: &mut SamlProvider,
    (mode, add): (Option<&str>, Option<&Secret<String>>),
) -> Result<(), IamFault> {
    if let Some(key) = add {
        let most = limits::SAML_PRIVATE_KEYS;
        if provider.private_keys.len() >= most {
            return Err(ReachedQuota::Named("PrivateKeysPerSAMLProvider", most).into());
        }
        provider.private_keys.push(new_key(view, key)?);
    }
    if let Some(mode) = mode {
        provider.requires_encryption = mode == mode::REQUIRED;
    }
    if provider.requires_encryption && provider.private_keys.is_empty() {
        return Err(invalid(
            "The assertion encryption mode Required needs a private key.",
        ));
    }
    Ok(())
}

pub(crate) struct CreateSAMLProvider;

impl Action for CreateSAMLProvider {
    type Shape = iam::CreateSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let arn = Arn::iam(view.id(), &format!("saml-provider/{}", input.name)).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("iam:TagSAMLProvider"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let name = &input.name;
        if view.account.saml_providers().contains_key(name) {
            return Err(ExistingEntity::SamlProvider(name.clone()).into());
        }
        let most = limits::SAML_PROVIDERS_PER_ACCOUNT;
        if view.account.saml_providers().len() >= most {
            return Err(ReachedQuota::Named("SAMLProvidersPerAccount", most).into());
        }
        let mut provider = SamlProvider {
            name: name.clone(),
            id: new_id(view.entropy),
            metadata: checked_metadata(&input.saml_metadata_document)?,
            requires_encryption: false,
            private_keys: Vec::new(),
            created: view.now(),
            tags: tags::checked_exact_case(&[], input.tags.as_deref())?,
        };
        let mode = input.assertion_encryption_mode.as_deref();
        set_encryption(view, &mut provider, (mode, input.add_private_key.as_ref()))?;
        let tags = &provider.tags;
        let output = iam::CreateSAMLProviderOutput {
            saml_provider_arn: Some(provider.arn(view.id()).to_string()),
            tags: (!tags.is_empty()).then(|| tags::to_wire(tags)),
        };
        Ok(ActionResult::change(output, StateChange::put(provider)))
    }
}

pub(crate) struct GetSAMLProvider;

impl Action for GetSAMLProvider {
    type Shape = iam::GetSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Page;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.saml_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let provider = found(view, &input.saml_provider_arn)?;
        let mode = match provider.requires_encryption {
            true => mode::REQUIRED,
            false => mode::ALLOWED,
        };
        let key = |key: &SamlPrivateKey| iam::SAMLPrivateKey {
            key_id: Some(key.id.clone()),
            timestamp: Some(key.added),
        };
        Ok(ActionResult::answer(iam::GetSAMLProviderOutput {
            saml_provider_uuid: Some(provider.id.clone()),
            saml_metadata_document: Some(provider.metadata.to_string()),
            create_date: Some(provider.created),
            valid_until: Some(valid_until(provider.created)),
            tags: Some(tags::to_wire(&provider.tags)),
            assertion_encryption_mode: Some(mode.to_owned()),
            private_key_list: Some(provider.private_keys.iter().map(key).collect()),
        }))
    }
}

pub(crate) struct ListSAMLProviders;

impl Action for ListSAMLProviders {
    type Shape = iam::ListSAMLProviders;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let listed = |provider: &Arc<SamlProvider>| iam::SAMLProviderListEntry {
            arn: Some(provider.arn(view.id()).to_string()),
            valid_until: Some(valid_until(provider.created)),
            create_date: Some(provider.created),
        };
        let providers = view.account.saml_providers().values();
        Ok(ActionResult::answer(iam::ListSAMLProvidersOutput {
            saml_provider_list: Some(providers.map(listed).collect()),
        }))
    }
}

pub(crate) struct UpdateSAMLProvider;

impl Action for UpdateSAMLProvider {
    type Shape = iam::UpdateSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.saml_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let arn = &input.saml_provider_arn;
        let mut provider = SamlProvider::clone(found(view, arn)?);
        if let Some(document) = &input.saml_metadata_document {
            provider.metadata = checked_metadata(document)?;
        }
        if let Some(id) = &input.remove_private_key {
            let position = provider.private_keys.iter().position(|key| key.id == *id);
            let position = position.ok_or_else(|| MissingEntity::SamlPrivateKey(id.clone()))?;
            provider.private_keys.remove(position);
        }
        let mode = input.assertion_encryption_mode.as_deref();
        set_encryption(view, &mut provider, (mode, input.add_private_key.as_ref()))?;
        let output = iam::UpdateSAMLProviderOutput {
            saml_provider_arn: Some(provider.arn(view.id()).to_string()),
        };
        Ok(ActionResult::change(output, StateChange::put(provider)))
    }
}

/// `iam:DeleteSAMLProvider`; roles that trust it stay as they are.
pub(crate) struct DeleteSAMLProvider;

impl Action for DeleteSAMLProvider {
    type Shape = iam::DeleteSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.saml_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let provider = found(view, &input.saml_provider_arn)?;
        let delete = StateChange::delete::<SamlProvider>(provider.name.clone());
        Ok(ActionResult::change((), delete))
    }
}

pub(crate) struct TagSAMLProvider;

impl Action for TagSAMLProvider {
    type Shape = iam::TagSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::saml_provider(view, &input.saml_provider_arn);
        let tags = tags::from_wire(Some(&input.tags));
        Ok(Requirement::one(target.with_request_tags(tags)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = SamlProvider::clone(found(view, &input.saml_provider_arn)?);
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        provider.tags = tags::checked_exact_case(&provider.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

pub(crate) struct UntagSAMLProvider;

impl Action for UntagSAMLProvider {
    type Shape = iam::UntagSAMLProvider;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::saml_provider(view, &input.saml_provider_arn)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = SamlProvider::clone(found(view, &input.saml_provider_arn)?);
        let tags = &mut provider.tags;
        tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

pub(crate) struct ListSAMLProviderTags;

impl Action for ListSAMLProviderTags {
    type Shape = iam::ListSAMLProviderTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.saml_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let provider = found(view, &input.saml_provider_arn)?;
        let (operation, marker) = ("ListSAMLProviderTags", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&provider.name], marker, input.max_items)?;
        let (tags, marker) = tags::listed(&provider.tags, &page);
        Ok(ActionResult::answer(iam::ListSAMLProviderTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

#[cfg(test)]
mod tests;
