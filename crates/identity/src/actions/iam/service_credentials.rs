//! Service-specific credentials of users: create, list, reset, change status, delete.
//!
//! The secret half is answered once and stored as a digest. No service of this server accepts these
//! credentials: none of the services that they are for is here.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use data_encoding::HEXLOWER;
use keywright_base::{Entropy, IdKind, Secret, UniqueId, limits};
use keywright_wire::iam::{self, values::status_type};
use ring::digest::{SHA256, digest};

use super::{
    credential_holder::{CredentialHolder, settable_status},
    users::target_of,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, MissingEntity, ReachedQuota},
    pagination::PageRequest,
    state::{CredentialOwner, KeyStatus, ServiceCredential, StateChange},
    view::StateView,
};

const SERVICE_KEY: &str = "iam:ServiceSpecificCredentialServiceName";
const AGE_KEY: &str = "iam:ServiceSpecificCredentialAgeDays";
/// Random bytes of a password: 44 characters of base 64.
const PASSWORD_BYTES: usize = 32;
/// What AWS's long-term API keys begin with.
const API_KEY_PREFIX: &str = "ABSK";
const DAY_SECS: i64 = 24 * 60 * 60;

/// What a service takes for a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialForm {
    /// A user name and a password, which do not expire.
    Password,
    /// One key that contains both, and may expire.
    ApiKey,
}

/// AWS's services with credentials of their own (API Reference of CreateServiceSpecificCredential,
/// 2026).
const SERVICES: [(&str, CredentialForm); 4] = [
    ("bedrock.amazonaws.com", CredentialForm::ApiKey),
    ("cassandra.amazonaws.com", CredentialForm::Password),
    ("codecommit.amazonaws.com", CredentialForm::Password),
    ("logs.amazonaws.com", CredentialForm::ApiKey),
];

fn form_of(service: &str) -> Result<CredentialForm, IamFault> {
    let known = SERVICES.iter().find(|(name, _)| *name == service);
    let missing = || MissingEntity::CredentialService(service.to_owned()).into();
    known.map(|(_, form)| *form).ok_or_else(missing)
}

/// The credential with this id of whom an action is about.
fn credential_of<'a>(
    view: &StateView<'a>,
    user: Option<&str>,
    id: &str,
) -> Result<(&'a ServiceCredential, String), IamFault> {
    let holder = CredentialHolder::of(view, user)?;
    let missing = || IamFault::from(MissingEntity::ServiceCredential(id.to_owned()));
    let CredentialOwner::User(user) = holder.owner else {
        return Err(missing());
    };
    let mut credentials = view.account.service_credentials_of(user);
    let credential = credentials.find(|credential| credential.id.as_str() == id);
    Ok((credential.ok_or_else(missing)?, holder.name))
}

/// Whom an action is about, with the service of the credential as a condition key.
fn target(view: &StateView<'_>, user: Option<&str>, id: &str) -> Result<Requirement, IamFault> {
    let target = target_of(view, &view.subject(user)?);
    let id = id.parse().ok();
    let credential = id.and_then(|id| view.account.service_credential(id));
    Ok(Requirement::one(match credential {
        Some(credential) => target.with_key(SERVICE_KEY, &credential.service),
        None => target,
    }))
}

/// A new secret, and its digest.
fn new_secret(
    form: CredentialForm,
    alias: &str,
    entropy: &dyn Entropy,
) -> (Secret<String>, String) {
    let mut bytes = [0; PASSWORD_BYTES];
    entropy.fill(&mut bytes);
    let password = Secret::new(BASE64_STANDARD.encode(bytes));
    let secret = match form {
        CredentialForm::Password => password,
        CredentialForm::ApiKey => {
            let both = Secret::new(format!("{alias}:{}", password.expose()));
            Secret::new(format!(
                "{API_KEY_PREFIX}{}",
                BASE64_STANDARD.encode(both.expose())
            ))
        }
    };
    let digest = HEXLOWER.encode(digest(&SHA256, secret.expose().as_bytes()).as_ref());
    (secret, digest)
}

/// The first of `NAME-at-ACCOUNT`, `NAME+1-at-ACCOUNT`, … that none of the account's credentials
/// for the service has.
fn new_alias(view: &StateView<'_>, service: &str, user: &str) -> String {
    let account = view.id();
    let is_taken = |alias: &String| {
        let mut all = view.account.service_credentials();
        all.any(|it| it.service == service && it.alias == *alias)
    };
    let first = format!("{user}-at-{account}");
    if !is_taken(&first) {
        return first;
    }
    let mut others = (1_u32..).map(|number| format!("{user}+{number}-at-{account}"));
    others.find(|alias| !is_taken(alias)).unwrap_or(first)
}

fn status(view: &StateView<'_>, credential: &ServiceCredential) -> String {
    let is_over = credential
        .expires
        .is_some_and(|expires| expires <= view.now());
    let status = if is_over {
        status_type::EXPIRED
    } else {
        credential.status.as_str()
    };
    status.to_owned()
}

fn to_wire(
    view: &StateView<'_>,
    user: &str,
    credential: &ServiceCredential,
    secret: Secret<String>,
) -> Result<iam::ServiceSpecificCredential, IamFault> {
    let common = iam::ServiceSpecificCredential {
        create_date: credential.created,
        expiration_date: credential.expires,
        service_name: credential.service.clone(),
        service_specific_credential_id: credential.id.to_string(),
        user_name: user.to_owned(),
        status: status(view, credential),
        ..iam::ServiceSpecificCredential::default()
    };
    let alias = Some(credential.alias.clone());
    Ok(match form_of(&credential.service)? {
        CredentialForm::Password => iam::ServiceSpecificCredential {
            service_user_name: alias,
            service_password: Some(secret),
            ..common
        },
        CredentialForm::ApiKey => iam::ServiceSpecificCredential {
            service_credential_alias: alias,
            service_credential_secret: Some(secret),
            ..common
        },
    })
}

pub(crate) struct CreateServiceSpecificCredential;

impl Action for CreateServiceSpecificCredential {
    type Shape = iam::CreateServiceSpecificCredential;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let target = AuthTarget::user(view, &input.user_name);
        let target = target.with_key(SERVICE_KEY, &input.service_name);
        Ok(Requirement::one(match input.credential_age_days {
            Some(days) => target.with_key(AGE_KEY, days.to_string()),
            None => target,
        }))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let user = view.user(&input.user_name)?;
        let (service, days) = (&input.service_name, input.credential_age_days);
        let form = form_of(service)?;
        if form == CredentialForm::Password && days.is_some() {
            return Err(IamFault::Validation(format!(
                "CredentialAgeDays is not supported for service {service}"
            )));
        }
        let most = limits::SERVICE_CREDENTIALS_PER_SERVICE;
        let credentials = view.account.service_credentials_of(user.id);
        if credentials.filter(|it| it.service == *service).count() >= most {
            let quota = "ServiceSpecificCredentialsPerUser";
            return Err(ReachedQuota::Named(quota, most).into());
        }
        let alias = new_alias(view, service, &user.name);
        let (secret, secret_digest) = new_secret(form, &alias, view.entropy);
        let credential = ServiceCredential {
            id: UniqueId::generate(IdKind::ServiceCredential, view.id(), view.entropy),
            user: user.id,
            service: service.clone(),
            alias,
            secret_digest,
            status: KeyStatus::Active,
            created: view.now(),
            expires: days.map(|days| view.now().plus_secs(i64::from(days) * DAY_SECS)),
        };
        let output = iam::CreateServiceSpecificCredentialOutput {
            service_specific_credential: Some(to_wire(view, &user.name, &credential, secret)?),
        };
        Ok(ActionResult::change(output, StateChange::put(credential)))
    }
}

pub(crate) struct ListServiceSpecificCredentials;

impl Action for ListServiceSpecificCredentials {
    type Shape = iam::ListServiceSpecificCredentials;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        if input.all_users == Some(true) {
            return Ok(Requirement::one(AuthTarget::everything()));
        }
        let subject = view.subject(input.user_name.as_deref())?;
        Ok(Requirement::one(target_of(view, &subject)))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let service = input.service_name.as_deref();
        let all: Vec<&Arc<ServiceCredential>>;
        let holder;
        if input.all_users == Some(true) {
            holder = String::new();
            all = view.account.service_credentials().collect();
        } else {
            let found = CredentialHolder::of(view, input.user_name.as_deref())?;
            all = match found.owner {
                CredentialOwner::User(user) => view.account.service_credentials_of(user).collect(),
                CredentialOwner::Root => Vec::new(),
            };
            holder = found.name;
        }
        if let Some(service) = service {
            form_of(service)?;
        }
        let (operation, marker) = ("ListServiceSpecificCredentials", input.marker.as_deref());
        let filter = [&*holder, service.unwrap_or_default()];
        let page = PageRequest::of(operation, &filter, marker, input.max_items)?;
        let matching = all.into_iter();
        let matching = matching.filter(|it| service.is_none_or(|service| it.service == service));
        let (listed, marker) = page.cut(matching, |it| it.id.to_string());
        let listed = listed.into_iter().map(|it| listed_to_wire(view, it));
        Ok(ActionResult::answer(
            iam::ListServiceSpecificCredentialsOutput {
                service_specific_credentials: Some(listed.collect::<Result<_, _>>()?),
                is_truncated: Some(marker.is_some()),
                marker,
            },
        ))
    }
}

fn listed_to_wire(
    view: &StateView<'_>,
    credential: &ServiceCredential,
) -> Result<iam::ServiceSpecificCredentialMetadata, IamFault> {
    let user = view.account.user_by_id(credential.user);
    let alias = Some(credential.alias.clone());
    let (service_user_name, service_credential_alias) = match form_of(&credential.service)? {
        CredentialForm::Password => (alias, None),
        CredentialForm::ApiKey => (None, alias),
    };
    Ok(iam::ServiceSpecificCredentialMetadata {
        user_name: user.map(|user| user.name.clone()).unwrap_or_default(),
        status: status(view, credential),
        service_user_name,
        service_credential_alias,
        create_date: credential.created,
        expiration_date: credential.expires,
        service_specific_credential_id: credential.id.to_string(),
        service_name: credential.service.clone(),
    })
}

/// `iam:ResetServiceSpecificCredential`; the old secret is void from then on.
pub(crate) struct ResetServiceSpecificCredential;

impl Action for ResetServiceSpecificCredential {
    type Shape = iam::ResetServiceSpecificCredential;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let user = input.user_name.as_deref();
        target(view, user, &input.service_specific_credential_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (user, id) = (
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        );
        let (credential, user) = credential_of(view, user, id)?;
        let form = form_of(&credential.service)?;
        let (secret, secret_digest) = new_secret(form, &credential.alias, view.entropy);
        let credential = ServiceCredential {
            secret_digest,
            ..credential.clone()
        };
        let output = iam::ResetServiceSpecificCredentialOutput {
            service_specific_credential: Some(to_wire(view, &user, &credential, secret)?),
        };
        Ok(ActionResult::change(output, StateChange::put(credential)))
    }
}

pub(crate) struct UpdateServiceSpecificCredential;

impl Action for UpdateServiceSpecificCredential {
    type Shape = iam::UpdateServiceSpecificCredential;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let user = input.user_name.as_deref();
        target(view, user, &input.service_specific_credential_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (user, id) = (
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        );
        let (credential, _) = credential_of(view, user, id)?;
        let given = &input.status;
        let refused = || {
            let text =
                format!("The status {given} cannot be set on a service-specific credential.");
            IamFault::Validation(text)
        };
        let credential = ServiceCredential {
            status: settable_status(given).ok_or_else(refused)?,
            ..credential.clone()
        };
        Ok(ActionResult::change((), StateChange::put(credential)))
    }
}

pub(crate) struct DeleteServiceSpecificCredential;

impl Action for DeleteServiceSpecificCredential {
    type Shape = iam::DeleteServiceSpecificCredential;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let user = input.user_name.as_deref();
        target(view, user, &input.service_specific_credential_id)
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let (user, id) = (
            input.user_name.as_deref(),
            &input.service_specific_credential_id,
        );
        let (credential, _) = credential_of(view, user, id)?;
        let delete = StateChange::delete::<ServiceCredential>(credential.id);
        Ok(ActionResult::change((), delete))
    }
}

#[cfg(test)]
mod tests;
