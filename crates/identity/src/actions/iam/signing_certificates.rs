//! X.509 signing certificates of users and of root: upload, list, change status, delete.

use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use keywright_base::{Entropy, limits};
use keywright_wire::iam;
use ring::digest::{SHA256, digest};

use super::{
    credential_holder::{CredentialHolder, settable_status},
    users::subject_target,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{Permit, Requirement},
    certificates::CertificateBytes,
    fault::{IamFault, InvalidInput, MissingEntity, ReachedQuota, UploadFault},
    pagination::PageRequest,
    state::{KeyStatus, SigningCertificate, StateChange},
    view::StateView,
};

/// Random bytes of an id: 32 symbols of base 32.
const ID_BYTES: usize = 20;

/// A new id without a prefix, as certificates and SAML providers have.
pub(super) fn new_id(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; ID_BYTES];
    entropy.fill(&mut bytes);
    BASE32_NOPAD.encode(&bytes)
}

/// A certificate of whom an action is about, by the id given.
fn certificate_of<'a>(
    view: &StateView<'a>,
    user: Option<&str>,
    id: &str,
) -> Result<&'a SigningCertificate, IamFault> {
    let holder = CredentialHolder::of(view, user)?;
    let mut certificates = view.account.signing_certificates_of(holder.owner);
    let found = certificates.find(|certificate| certificate.id == id);
    let found = found.ok_or_else(|| MissingEntity::SigningCertificate(id.to_owned()))?;
    Ok(&**found)
}

fn to_wire(user: &str, certificate: &SigningCertificate) -> iam::SigningCertificate {
    iam::SigningCertificate {
        user_name: user.to_owned(),
        certificate_id: certificate.id.clone(),
        certificate_body: certificate.body.clone(),
        status: certificate.status.as_str().to_owned(),
        upload_date: Some(certificate.uploaded),
    }
}

/// Bytes of a malformed certificate that an error repeats; no private key is as short.
const QUOTED_BYTES: usize = 32;

/// A certificate that can be uploaded.
fn checked(view: &StateView<'_>, body: &str) -> Result<CertificateBytes, UploadFault> {
    // AWS repeats the body, which may be a private key by mistake.
    let quoted = if body.len() <= QUOTED_BYTES {
        body
    } else {
        "body"
    };
    let malformed =
        || UploadFault::MalformedCertificate(format!("Certificate {quoted} is malformed."));
    let bytes = CertificateBytes::from_pem(body).ok_or_else(malformed)?;
    let certificate = bytes.certificate().ok_or_else(malformed)?;
    if !certificate.is_valid_at(view.now()) {
        return Err(UploadFault::InvalidCertificate);
    }
    Ok(bytes)
}

pub(crate) struct UploadSigningCertificate;

impl Action for UploadSigningCertificate {
    type Shape = iam::UploadSigningCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let holder = CredentialHolder::of(view, input.user_name.as_deref())?;
        let bytes = checked(view, &input.certificate_body)?;
        let digest = HEXLOWER.encode(digest(&SHA256, bytes.der()).as_ref());
        if view
            .account
            .signing_certificates()
            .any(|it| it.digest == digest)
        {
            return Err(UploadFault::DuplicateCertificate.into());
        }
        let most = limits::SIGNING_CERTIFICATES_PER_USER;
        if view.account.signing_certificates_of(holder.owner).count() >= most {
            return Err(ReachedQuota::Named("CertificatesPerUser", most).into());
        }
        let certificate = SigningCertificate {
            id: new_id(view.entropy),
            owner: holder.owner,
            body: bytes.to_pem(),
            digest,
            status: KeyStatus::Active,
            uploaded: view.now(),
        };
        let output = iam::UploadSigningCertificateOutput {
            certificate: to_wire(&holder.name, &certificate),
        };
        Ok(ActionResult::change(output, StateChange::put(certificate)))
    }
}

pub(crate) struct ListSigningCertificates;

impl Action for ListSigningCertificates {
    type Shape = iam::ListSigningCertificates;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let holder = CredentialHolder::of(view, input.user_name.as_deref())?;
        let (operation, marker) = ("ListSigningCertificates", input.marker.as_deref());
        let page = PageRequest::of(operation, &[&holder.name], marker, input.max_items)?;
        let all = view.account.signing_certificates_of(holder.owner);
        let (certificates, marker) = page.cut(all, |certificate| certificate.id.clone());
        let listed = |certificate: &Arc<SigningCertificate>| to_wire(&holder.name, certificate);
        Ok(ActionResult::answer(iam::ListSigningCertificatesOutput {
            certificates: certificates.into_iter().map(listed).collect(),
            is_truncated: Some(marker.is_some()),
            marker,
        }))
    }
}

pub(crate) struct UpdateSigningCertificate;

impl Action for UpdateSigningCertificate {
    type Shape = iam::UpdateSigningCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (user, id) = (input.user_name.as_deref(), &input.certificate_id);
        let mut certificate = certificate_of(view, user, id)?.clone();
        let status = &input.status;
        certificate.status = settable_status(status).ok_or_else(|| {
            let text = format!("The status {status} cannot be set on a signing certificate.");
            InvalidInput::Other(text)
        })?;
        Ok(ActionResult::change((), StateChange::put(certificate)))
    }
}

pub(crate) struct DeleteSigningCertificate;

impl Action for DeleteSigningCertificate {
    type Shape = iam::DeleteSigningCertificate;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        subject_target(view, input.user_name.as_deref())
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (user, id) = (input.user_name.as_deref(), &input.certificate_id);
        let certificate = certificate_of(view, user, id)?;
        let delete = StateChange::delete::<SigningCertificate>(certificate.id.clone());
        Ok(ActionResult::change((), delete))
    }
}

#[cfg(test)]
mod tests;
