//! The credential report: one CSV row for root and for each user.
//!
//! Invariant: the format that auditors' tools parse: AWS's columns in AWS's order, LF between rows,
//! none after the last.
//!
//! A report stays the same for four hours, whatever changes in the meantime. It is computed from
//! one snapshot within the request, so the state is never `STARTED` or `INPROGRESS`.

use std::{borrow::Cow, sync::Arc};

use keywright_base::{Timestamp, limits};
use keywright_wire::iam::{self, values::report_format_type, values::report_state_type};

use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation,
        PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement},
    fault::IamFault,
    state::{
        AccessKey, Account, CredentialOwner, CredentialReport, KeyStatus, LoginProfile, StateChange,
    },
    usage::KeyUsage,
    view::StateView,
};

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,\
    access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,\
    access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
    access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
/// Bytes of a typical row, to reserve.
const ROW_BYTES: usize = 400;

const NOT_APPLICABLE: &str = "N/A";
const NO_INFORMATION: &str = "no_information";
const NOT_SUPPORTED: &str = "not_supported";
const STARTED: &str = "No report exists. Starting a new report generation task";

/// `iam:GenerateCredentialReport`; AWS classes it as a read, but it stores a report.
pub(crate) struct GenerateCredentialReport;

impl PreparedAction for GenerateCredentialReport {
    type Shape = iam::GenerateCredentialReport;
    type Prepared = Option<Arc<str>>;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn writes(_: &Input<Self>) -> bool {
        true
    }

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        _: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let report = with.view.account.report();
        if report.is_some_and(|report| is_fresh(report, with.view.now())) {
            return Ok(None);
        }
        let usage = Arc::clone(with.usage());
        let content = with.compute(move |account| content(account, &usage).into());
        content.await.map(Some)
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        _: &Input<Self>,
        content: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let report = view.account.report();
        if report.is_some_and(|report| is_fresh(report, view.now())) {
            return Ok(ActionResult::answer(iam::GenerateCredentialReportOutput {
                state: Some(report_state_type::COMPLETE.to_owned()),
                description: None,
            }));
        }
        let content = content
            .as_ref()
            .ok_or_else(|| IamFault::Internal("no report was made".to_owned()))?;
        let report = CredentialReport {
            generated: view.now(),
            content: Arc::clone(content),
        };
        let output = iam::GenerateCredentialReportOutput {
            state: Some(report_state_type::STARTED.to_owned()),
            description: Some(STARTED.to_owned()),
        };
        Ok(ActionResult::change(output, StateChange::put(report)))
    }
}

pub(crate) struct GetCredentialReport;

impl Action for GetCredentialReport {
    type Shape = iam::GetCredentialReport;
    const ACCESS: ActionLevel = ActionLevel::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let report = view.account.report().ok_or(IamFault::ReportNotPresent)?;
        if !is_fresh(report, view.now()) {
            return Err(IamFault::ReportExpired);
        }
        Ok(ActionResult::answer(iam::GetCredentialReportOutput {
            content: Some(report.content.as_bytes().to_vec()),
            report_format: Some(report_format_type::TEXT_CSV.to_owned()),
            generated_time: Some(report.generated),
        }))
    }
}

fn is_fresh(report: &CredentialReport, now: Timestamp) -> bool {
    now.secs_since(report.generated) < limits::CREDENTIAL_REPORT_HOURS * 60 * 60
}

/// The data that a report is computed from.
#[derive(Clone, Copy)]
struct ReportSources<'a> {
    account: &'a Account,
    usage: &'a KeyUsage,
}

/// The report's text.
pub(crate) fn content(account: &Account, usage: &KeyUsage) -> String {
    let from = ReportSources { account, usage };
    let users = account.users();
    let mut csv = String::with_capacity((users.len() + 2) * ROW_BYTES);
    csv.push_str(HEADER);
    push_row(&mut csv, root_row(from));
    for user in users.values() {
        let subject = user.id.as_str();
        let policy = from.account.settings().password_policy.as_ref();
        let next = user.login.as_ref().and_then(|login| login.expires(policy));
        let mut row = vec![
            Cow::from(&user.name),
            user.arn(from.account.id()).to_string().into(),
            date(user.created),
        ];
        row.extend(password(from, subject, user.login.as_ref()));
        row.push(next.map_or(NOT_APPLICABLE.into(), date));
        row.push(mfa_active(from, CredentialOwner::User(user.id)));
        keys(from, &user.keys, &mut row);
        certificates(from, CredentialOwner::User(user.id), &mut row);
        push_row(&mut csv, row);
    }
    csv
}

fn root_row<'a>(from: ReportSources<'a>) -> Vec<Cow<'a, str>> {
    let root = from.account.root();
    let mut row = vec![
        Cow::from("<root_account>"),
        format!("arn:aws:iam::{}:root", from.account.id()).into(),
        date(root.created),
    ];
    row.extend(password(
        from,
        &from.account.id().to_string(),
        root.login.as_ref(),
    ));
    row.push(NOT_SUPPORTED.into());
    row.push(mfa_active(from, CredentialOwner::Root));
    keys(from, &root.keys, &mut row);
    certificates(from, CredentialOwner::Root, &mut row);
    row
}

/// Whether there is a password, when it was last used and when it was last changed.
fn password<'a>(
    from: ReportSources<'_>,
    subject: &str,
    login: Option<&LoginProfile>,
) -> [Cow<'a, str>; 3] {
    let Some(login) = login else {
        return ["false".into(), NOT_APPLICABLE.into(), NOT_APPLICABLE.into()];
    };
    let used = from.usage.last(subject);
    let used = used.map_or(NO_INFORMATION.into(), |used| date(used.at));
    ["true".into(), used, date(login.changed)]
}

fn mfa_active<'a>(from: ReportSources<'_>, bearer: CredentialOwner) -> Cow<'a, str> {
    let has_one = from.account.devices_of(bearer).next().is_some();
    has_one.to_string().into()
}

/// Two slots for keys, active ones first.
fn keys(from: ReportSources<'_>, keys: &[AccessKey], row: &mut Vec<Cow<'_, str>>) {
    let mut keys: Vec<_> = keys.iter().collect();
    keys.sort_by_key(|key| (key.status == KeyStatus::Inactive, key.id));
    for slot in 0..limits::ACCESS_KEYS_PER_USER {
        match keys.get(slot) {
            Some(key) => row.extend(key_columns(from, key)),
            None => {
                row.push("false".into());
                row.extend(std::iter::repeat_n(Cow::from(NOT_APPLICABLE), 4));
            }
        }
    }
}

/// Two slots for signing certificates.
fn certificates(from: ReportSources<'_>, owner: CredentialOwner, row: &mut Vec<Cow<'_, str>>) {
    let mut certificates = from.account.signing_certificates_of(owner);
    for _ in 0..limits::SIGNING_CERTIFICATES_PER_USER {
        let (active, uploaded) = match certificates.next() {
            Some(certificate) => (
                certificate.status == KeyStatus::Active,
                date(certificate.uploaded),
            ),
            None => (false, NOT_APPLICABLE.into()),
        };
        row.push(active.to_string().into());
        row.push(uploaded);
    }
}

fn key_columns<'a>(from: ReportSources<'_>, key: &AccessKey) -> [Cow<'a, str>; 5] {
    let active = (key.status == KeyStatus::Active).to_string();
    let used = from.usage.last(key.id.as_str());
    let (at, region, service) = used.map_or_else(
        || {
            (
                NOT_APPLICABLE.into(),
                NOT_APPLICABLE.into(),
                NOT_APPLICABLE.into(),
            )
        },
        |used| (date(used.at), used.region.into(), used.service.into()),
    );
    [active.into(), date(key.created), at, region, service]
}

fn date<'a>(at: Timestamp) -> Cow<'a, str> {
    at.iso8601().into()
}

/// A line feed and the row; fields are quoted as RFC 4180 requires.
fn push_row(csv: &mut String, row: Vec<Cow<'_, str>>) {
    let mut separator = '\n';
    for field in row {
        csv.push(separator);
        separator = ',';
        if field.contains([',', '"', '\n', '\r']) {
            csv.push('"');
            csv.push_str(&field.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(&field);
        }
    }
}

#[cfg(test)]
mod tests;
