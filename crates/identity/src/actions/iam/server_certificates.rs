//! Server certificates: upload with private key and chain, read, list, rename and move, delete and
//! tag.
//!
//! It protects one rule: no answer contains a private key.

use std::{ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, IdKind, UniqueId, limits};
use keywright_wire::iam;

use super::tags;
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input},
    authorize::{AuthTarget, Permit, Requirement},
    certificates::{BrokenChain, CertificateBytes, UploadedKey, check_chain},
    fault::{ExistingEntity, IamFault, InvalidInput, MissingEntity, ReachedQuota, UploadFault},
    pagination::PageRequest,
    state::{ServerCertificate, StateChange},
    view::StateView,
};

const UNREADABLE: &str =
    "Unable to parse certificate. Please ensure the certificate is in PEM format.";
const INVALID_KEY: &str = "Invalid Private Key.";

fn target(view: &StateView<'_>, name: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::server_certificate(view, name)))
}

fn found<'a>(view: &StateView<'a>, name: &str) -> Result<&'a Arc<ServerCertificate>, IamFault> {
    let certificate = view.account.server_certificate(name);
    certificate.ok_or_else(|| MissingEntity::ServerCertificate(name.to_owned()).into())
}

fn metadata(
    view: &StateView<'_>,
    certificate: &ServerCertificate,
) -> iam::ServerCertificateMetadata {
    iam::ServerCertificateMetadata {
        path: certificate.path.clone(),
        server_certificate_name: certificate.name.clone(),
        server_certificate_id: certificate.id.to_string(),
        arn: certificate.arn(view.id()).to_string(),
        upload_date: Some(certificate.uploaded),
        expiration: Some(certificate.expires),
    }
}

pub(crate) struct UploadServerCertificate;

impl Action for UploadServerCertificate {
    type Shape = iam::UploadServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let (path, name) = (input.path.as_deref(), &input.server_certificate_name);
        let path = path.unwrap_or("/");
        let arn = Arn::iam_entity(view.id(), "server-certificate", path, name).to_string();
        let tags = tags::from_wire(input.tags.as_deref());
        let upload = AuthTarget::new(&*arn, &*arn).with_request_tags(tags);
        let mut targets = vec![upload.clone()];
        if !upload.request_tags.is_empty() {
            targets.push(upload.as_action("iam:TagServerCertificate"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let name = &input.server_certificate_name;
        if view.account.server_certificate(name).is_some() {
            return Err(ExistingEntity::ServerCertificate(name.clone()).into());
        }
        let most = limits::SERVER_CERTIFICATES_PER_ACCOUNT;
        if view.account.server_certificates().len() >= most {
            return Err(ReachedQuota::Named("ServerCertificatesPerAccount", most).into());
        }
        let tags = tags::checked_exact_case(&[], input.tags.as_deref())?;
        let (certificate, chain) = checked(view, input)?;
        let expires = certificate.certificate().ok_or_else(unreadable)?.expires();
        let above: Vec<_> = chain.iter().map(CertificateBytes::to_pem).collect();
        let id = UniqueId::generate(IdKind::ServerCertificate, view.id(), view.entropy);
        let key = input.private_key.expose().as_bytes();
        let sealed = view
            .vault
            .seal(ServerCertificate::place(&id), key, view.entropy);
        let certificate = ServerCertificate {
            id,
            path: input.path.clone().unwrap_or_else(|| "/".to_owned()),
            name: name.clone(),
            body: certificate.to_pem().into(),
            chain: (!above.is_empty()).then(|| above.join("\n").into()),
            private_key: sealed.map_err(|error| IamFault::Internal(error.to_string()))?,
            uploaded: view.now(),
            expires,
            tags,
        };
        let tags = &certificate.tags;
        let output = iam::UploadServerCertificateOutput {
            server_certificate_metadata: Some(metadata(view, &certificate)),
            tags: (!tags.is_empty()).then(|| tags::to_wire(tags)),
        };
        Ok(ActionResult::change(output, StateChange::put(certificate)))
    }
}

fn unreadable() -> UploadFault {
    UploadFault::MalformedCertificate(UNREADABLE.to_owned())
}

/// The certificate, which its private key belongs to, and its chain.
fn checked(
    view: &StateView<'_>,
    input: &iam::UploadServerCertificateInput,
) -> Result<(CertificateBytes, Vec<CertificateBytes>), IamFault> {
    let bytes = CertificateBytes::from_pem(&input.certificate_body).ok_or_else(unreadable)?;
    let chain = chain(input.certificate_chain.as_deref())?;
    let invalid_key = || UploadFault::MalformedCertificate(INVALID_KEY.to_owned());
    let key = UploadedKey::from_pem(&input.private_key).ok_or_else(invalid_key)?;
    if !bytes.certificate().ok_or_else(unreadable)?.has_key(&key) {
        return Err(UploadFault::KeyPairMismatch.into());
    }
    check_chain(&bytes, &chain, view.now()).map_err(broken)?;
    Ok((bytes, chain))
}

fn chain(text: Option<&str>) -> Result<Vec<CertificateBytes>, IamFault> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let most = limits::CERTIFICATE_CHAIN_BYTES;
    if text.len() > most {
        let text = format!("The certificate chain must not be longer than {most} bytes.");
        return Err(InvalidInput::Other(text).into());
    }
    let chain = CertificateBytes::all_from_pem(text);
    Ok(chain.ok_or_else(|| broken(BrokenChain { index: 0 }))?)
}

fn broken(chain: BrokenChain) -> UploadFault {
    UploadFault::MalformedCertificate(format!(
        "Unable to validate certificate chain. The certificate chain must start with the \
         immediate signing certificate, followed by any intermediaries in order. The index within \
         the chain of the invalid certificate is: {}",
        chain.index
    ))
}

pub(crate) struct GetServerCertificate;

impl Action for GetServerCertificate {
    type Shape = iam::GetServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Page;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.server_certificate_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let certificate = found(view, &input.server_certificate_name)?;
        Ok(ActionResult::answer(iam::GetServerCertificateOutput {
            server_certificate: iam::ServerCertificate {
                server_certificate_metadata: metadata(view, certificate),
                certificate_body: certificate.body.to_string(),
                certificate_chain: certificate.chain.as_deref().map(str::to_owned),
                tags: Some(tags::to_wire(&certificate.tags)),
            },
        }))
    }
}

pub(crate) struct ListServerCertificates;

impl Action for ListServerCertificates {
    type Shape = iam::ListServerCertificates;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let (operation, marker) = ("ListServerCertificates", input.marker.as_deref());
        let page = PageRequest::of(operation, &[prefix], marker, input.max_items)?;
        let from = page
            .after()
            .map_or(Bound::Unbounded, |a| Bound::Excluded(FoldedName::new(a)));
        let rest = view.account.server_certificates();
        let rest = rest.range((from, Bound::Unbounded)).map(|(_, it)| it);
        let matching = rest.filter(|certificate| certificate.path.starts_with(prefix));
        let (listed, marker) = page.take(matching, |certificate| {
            FoldedName::new(&certificate.name).as_str().to_owned()
        });
        Ok(ActionResult::answer(iam::ListServerCertificatesOutput {
            server_certificate_metadata_list: listed
                .into_iter()
                .map(|certificate| metadata(view, certificate))
                .collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct UpdateServerCertificate;

impl Action for UpdateServerCertificate {
    type Shape = iam::UpdateServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let old = AuthTarget::server_certificate(view, &input.server_certificate_name);
        let (path, name) = (&input.new_path, &input.new_server_certificate_name);
        if path.is_none() && name.is_none() {
            return Ok(Requirement::one(old));
        }
        // As for users, AWS requires permission on the old and on the new name.
        let stored = view
            .account
            .server_certificate(&input.server_certificate_name);
        let path = path.as_deref().or(stored.map(|it| it.path.as_str()));
        let name = name.as_deref().unwrap_or(&input.server_certificate_name);
        let arn = Arn::iam_entity(view.id(), "server-certificate", path.unwrap_or("/"), name);
        let new = AuthTarget {
            resource_tags: old.resource_tags.clone(),
            ..AuthTarget::new(arn.to_string(), format!("server certificate {name}"))
        };
        Ok(Requirement::All(vec![old, new]))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut certificate =
            ServerCertificate::clone(found(view, &input.server_certificate_name)?);
        if let Some(name) = &input.new_server_certificate_name {
            let holder = view.account.server_certificate(name);
            if holder.is_some_and(|it| it.id != certificate.id || it.name != *name) {
                return Err(ExistingEntity::ServerCertificate(name.clone()).into());
            }
            certificate.name.clone_from(name);
        }
        if let Some(path) = &input.new_path {
            certificate.path.clone_from(path);
        }
        Ok(ActionResult::change((), StateChange::put(certificate)))
    }
}

pub(crate) struct DeleteServerCertificate;

impl Action for DeleteServerCertificate {
    type Shape = iam::DeleteServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.server_certificate_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let certificate = found(view, &input.server_certificate_name)?;
        let delete = StateChange::delete::<ServerCertificate>(certificate.id);
        Ok(ActionResult::change((), delete))
    }
}

pub(crate) struct TagServerCertificate;

impl Action for TagServerCertificate {
    type Shape = iam::TagServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::server_certificate(view, &input.server_certificate_name);
        let tags = tags::from_wire(Some(&input.tags));
        Ok(Requirement::one(target.with_request_tags(tags)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut certificate =
            ServerCertificate::clone(found(view, &input.server_certificate_name)?);
        if input.tags.is_empty() {
            return Err(InvalidInput::NoTags.into());
        }
        certificate.tags = tags::checked_exact_case(&certificate.tags, Some(&input.tags))?;
        Ok(ActionResult::change((), StateChange::put(certificate)))
    }
}

pub(crate) struct UntagServerCertificate;

impl Action for UntagServerCertificate {
    type Shape = iam::UntagServerCertificate;
    const ACCESS: ActionLevel = ActionLevel::Tagging;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget {
            tag_keys: input.tag_keys.clone(),
            ..AuthTarget::server_certificate(view, &input.server_certificate_name)
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let mut certificate =
            ServerCertificate::clone(found(view, &input.server_certificate_name)?);
        let tags = &mut certificate.tags;
        tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        Ok(ActionResult::change((), StateChange::put(certificate)))
    }
}

pub(crate) struct ListServerCertificateTags;

impl Action for ListServerCertificateTags {
    type Shape = iam::ListServerCertificateTags;
    const ACCESS: ActionLevel = ActionLevel::List;
    const EFFORT: Effort = Effort::Small;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        target(view, &input.server_certificate_name)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let certificate = found(view, &input.server_certificate_name)?;
        let (operation, marker) = ("ListServerCertificateTags", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&certificate.name], marker, input.max_items)?;
        let (tags, marker) = tags::listed(&certificate.tags, &page);
        Ok(ActionResult::answer(iam::ListServerCertificateTagsOutput {
            tags,
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

#[cfg(test)]
mod tests;
