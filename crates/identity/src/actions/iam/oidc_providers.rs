//! OpenID Connect providers: create, read, change, tag and delete them.
//!
//! A provider without thumbprints is trusted by public certificates only. AWS fetches a thumbprint
//! in this case; trusting whichever certificate is presented first is deliberately left out.

use keywright_base::{Arn, limits};
use keywright_wire::iam;

use super::tags;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ExistingEntity, IamFault, InvalidInput, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{OpenIdProvider, StateChange},
    view::StateView,
};

fn on_provider(view: &StateView<'_>, arn: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::open_id_provider(view, arn)))
}

fn find<'a>(view: &StateView<'a>, arn: &str) -> Result<&'a OpenIdProvider, IamFault> {
    let provider = view.account.open_id_provider(arn);
    let provider = provider.ok_or_else(|| MissingEntity::OpenIdProvider(arn.to_owned()))?;
    Ok(provider)
}

/// The provider as a copy to be changed.
fn changed(view: &StateView<'_>, arn: &str) -> Result<OpenIdProvider, IamFault> {
    Ok(find(view, arn)?.clone())
}

/// The name of a provider with this URL.
fn name_of(url: &str) -> Result<&str, IamFault> {
    let invalid = || IamFault::Validation("Invalid Open ID Connect Provider URL".to_owned());
    let name = OpenIdProvider::name_of(url).ok_or_else(invalid)?;
    let path = name.find('/').and_then(|at| name.get(at..)).unwrap_or("");
    let authority = name.strip_suffix(path).unwrap_or(name);
    // The condition keys of an issuer `https://aws` would be those of AWS.
    let distinct = name.contains(['.', ':', '/']);
    if distinct && is_authority(authority) && is_path(path) {
        Ok(name)
    } else {
        Err(invalid())
    }
}

/// Whether a text is a host name or address, perhaps with a port. What names a user is none.
fn is_authority(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let parsed = text.parse::<http::uri::Authority>();
    let complete = |it: http::uri::Authority| {
        let whole = it.host() == text || it.port_u16().is_some();
        whole && !it.host().is_empty()
    };
    text.bytes().all(plain) && parsed.is_ok_and(complete)
}

/// Whether a text is a path, without query, fragment, or parts that a client would normalize.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    let normal = |part: &str| !matches!(part, "." | "..");
    text.bytes().all(plain) && text.split('/').all(normal) && !text.contains("//")
}

/// Thumbprints in the form in which they are compared.
fn checked_thumbprints(list: &[String]) -> Result<Vec<String>, IamFault> {
    if list.len() > limits::THUMBPRINTS_PER_PROVIDER {
        return Err(InvalidInput::Other(
            "Thumbprint list must contain fewer than 5 entries.".to_owned(),
        )
        .into());
    }
    let is_hex = |text: &String| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !list.iter().all(is_hex) {
        let text = "A thumbprint must consist of 40 hexadecimal digits.";
        return Err(InvalidInput::Other(text.to_owned()).into());
    }
    Ok(list.iter().map(|text| text.to_ascii_lowercase()).collect())
}

fn check_client_ids(count: usize) -> Result<(), IamFault> {
    let most = limits::CLIENT_IDS_PER_PROVIDER;
    if count > most {
        return Err(ReachedQuota::Named("ClientIdsPerOpenIdConnectProvider", most).into());
    }
    Ok(())
}

/// Without repetitions, in order.
fn unique(list: &[String]) -> Vec<String> {
    let mut unique = Vec::with_capacity(list.len());
    for text in list {
        if !unique.contains(text) {
            unique.push(text.clone());
        }
    }
    unique
}

pub(crate) struct CreateOpenIDConnectProvider;

impl Action for CreateOpenIDConnectProvider {
    type Shape = iam::CreateOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let name = name_of(&input.url)?;
        let arn = Arn::iam(view.id(), &format!("oidc-provider/{name}")).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("iam:TagOpenIDConnectProvider"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let name = name_of(&input.url)?;
        let thumbprints = input.thumbprint_list.as_deref().unwrap_or_default();
        let thumbprints = checked_thumbprints(thumbprints)?;
        let client_ids = unique(input.client_id_list.as_deref().unwrap_or_default());
        check_client_ids(client_ids.len())?;
        if view.account.provider_of_issuer(&input.url).is_some() {
            return Err(ExistingEntity::OpenIdProvider(input.url.clone()).into());
        }
        let most = limits::OPEN_ID_PROVIDERS_PER_ACCOUNT;
        if view.account.open_id_providers().len() >= most {
            return Err(ReachedQuota::Named("OpenIdConnectProvidersPerAccount", most).into());
        }
        let provider = OpenIdProvider {
            name: name.to_owned(),
            created: view.now(),
            client_ids,
            thumbprints: unique(&thumbprints),
            tags: tags::checked_exact_case(&[], input.tags.as_deref())?,
        };
        let output = iam::CreateOpenIDConnectProviderOutput {
            open_id_connect_provider_arn: Some(provider.arn(view.id()).to_string()),
            tags: (!provider.tags.is_empty()).then(|| tags::to_wire(&provider.tags)),
        };
        Ok(ActionResult::change(output, StateChange::put(provider)))
    }
}

pub(crate) struct GetOpenIDConnectProvider;

impl Action for GetOpenIDConnectProvider {
    type Shape = iam::GetOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let provider = find(view, &input.open_id_connect_provider_arn)?;
        Ok(ActionResult::answer(iam::GetOpenIDConnectProviderOutput {
            // As on AWS without its scheme.
            url: Some(provider.name.clone()),
            client_id_list: Some(provider.client_ids.clone()),
            thumbprint_list: Some(provider.thumbprints.clone()),
            create_date: Some(provider.created),
            tags: Some(tags::to_wire(&provider.tags)),
        }))
    }
}

pub(crate) struct ListOpenIDConnectProviders;

impl Action for ListOpenIDConnectProviders {
    type Shape = iam::ListOpenIDConnectProviders;
    const ACCESS: ActionLevel = ActionLevel::List;
    // A hundred ARNs at most.
    const EFFORT: Effort = Effort::Small;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let entry = |provider: &OpenIdProvider| iam::OpenIDConnectProviderListEntry {
            arn: Some(provider.arn(view.id()).to_string()),
        };
        let providers = view.account.open_id_providers().values();
        let list = providers.map(|provider| entry(provider)).collect();
        Ok(ActionResult::answer(
            iam::ListOpenIDConnectProvidersOutput {
                open_id_connect_provider_list: Some(list),
            },
        ))
    }
}

pub(crate) struct DeleteOpenIDConnectProvider;

impl Action for DeleteOpenIDConnectProvider {
    type Shape = iam::DeleteOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let arn = &input.open_id_connect_provider_arn;
        let provider = view.account.open_id_provider(arn);
        let provider =
            provider.ok_or_else(|| MissingEntity::OpenIdProviderToDelete(arn.clone()))?;
        let delete = StateChange::delete::<OpenIdProvider>(provider.name.clone());
        Ok(ActionResult::change((), delete))
    }
}

pub(crate) struct UpdateOpenIDConnectProviderThumbprint;

impl Action for UpdateOpenIDConnectProviderThumbprint {
    type Shape = iam::UpdateOpenIDConnectProviderThumbprint;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = changed(view, &input.open_id_connect_provider_arn)?;
        provider.thumbprints = unique(&checked_thumbprints(&input.thumbprint_list)?);
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

/// `iam:AddClientIDToOpenIDConnectProvider`. As on AWS, an ID that is there already is no error.
pub(crate) struct AddClientIDToOpenIDConnectProvider;

impl Action for AddClientIDToOpenIDConnectProvider {
    type Shape = iam::AddClientIDToOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = changed(view, &input.open_id_connect_provider_arn)?;
        if !provider.client_ids.contains(&input.client_id) {
            check_client_ids(provider.client_ids.len() + 1)?;
            provider.client_ids.push(input.client_id.clone());
        }
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

/// `iam:RemoveClientIDFromOpenIDConnectProvider`. As on AWS, an ID that is not there is no error.
pub(crate) struct RemoveClientIDFromOpenIDConnectProvider;

impl Action for RemoveClientIDFromOpenIDConnectProvider {
    type Shape = iam::RemoveClientIDFromOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = changed(view, &input.open_id_connect_provider_arn)?;
        provider.client_ids.retain(|id| *id != input.client_id);
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

pub(crate) struct TagOpenIDConnectProvider;

impl Action for TagOpenIDConnectProvider {
    type Shape = iam::TagOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::open_id_provider(view, &input.open_id_connect_provider_arn);
        let tags = tags::from_wire(Some(&input.tags));
        Ok(Requirement::one(target.with_request_tags(tags)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = changed(view, &input.open_id_connect_provider_arn)?;
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        provider.tags = tags::checked_exact_case(&provider.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

pub(crate) struct UntagOpenIDConnectProvider;

impl Action for UntagOpenIDConnectProvider {
    type Shape = iam::UntagOpenIDConnectProvider;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::open_id_provider(view, &input.open_id_connect_provider_arn)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut provider = changed(view, &input.open_id_connect_provider_arn)?;
        let removed = &input.tag_keys;
        provider.tags.retain(|tag| !removed.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(provider)))
    }
}

pub(crate) struct ListOpenIDConnectProviderTags;

impl Action for ListOpenIDConnectProviderTags {
    type Shape = iam::ListOpenIDConnectProviderTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        on_provider(view, &input.open_id_connect_provider_arn)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let provider = find(view, &input.open_id_connect_provider_arn)?;
        let (operation, marker) = ("ListOpenIDConnectProviderTags", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&provider.name], marker, input.max_items)?;
        let (tags, marker) = tags::listed(&provider.tags, &page);
        Ok(ActionResult::answer(
            iam::ListOpenIDConnectProviderTagsOutput {
                tags,
                is_truncated: Some(marker.is_some()),
                marker,
            },
        ))
    }
}

#[cfg(test)]
mod tests;
