//! Checks the credential report against those controls of the CIS AWS Foundations Benchmark that
//! are about user credentials.
//!
//! Every finding names the user, the credential and the date. This module changes nothing and
//! recommends nothing.

use keywright_base::Timestamp;
use serde::Serialize;

use super::credentials::CredentialRow;

/// Days without use after which a credential should be disabled.
const UNUSED_DAYS: i64 = 45;
/// Days after which a key should have been replaced.
const AGE_DAYS: i64 = 90;
const DAY_SECS: i64 = 86_400;

/// The name of the benchmark.
pub const BENCHMARK: &str = "CIS Amazon Web Services Foundations Benchmark";

/// A control of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CisControl {
    /// Credentials unused for 45 days or more are disabled.
    #[serde(rename = "unused-45-days")]
    Unused,
    /// A user has at most one active access key.
    #[serde(rename = "one-active-key")]
    OneActiveKey,
    /// Access keys are replaced every 90 days or less.
    #[serde(rename = "rotated-90-days")]
    Rotated,
}

impl CisControl {
    /// Every control.
    pub const ALL: [Self; 3] = [Self::Unused, Self::OneActiveKey, Self::Rotated];

    /// What the control requires.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unused => "credentials unused for 45 days or more are disabled",
            Self::OneActiveKey => "a user has at most one active access key",
            Self::Rotated => "access keys are replaced every 90 days or less",
        }
    }

    /// The control's number in each version of the benchmark still in use, newest first. Version
    /// 7.0.0 has no control about the number of active keys.
    pub const fn numbers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Unused => &[("7.0.0", "2.11"), ("5.0.0", "1.11"), ("3.0.0", "1.12")],
            Self::OneActiveKey => &[("5.0.0", "1.12"), ("3.0.0", "1.13")],
            Self::Rotated => &[("7.0.0", "2.12"), ("5.0.0", "1.13"), ("3.0.0", "1.14")],
        }
    }

    /// The numbers as text.
    pub fn numbers_text(self) -> String {
        let each = self.numbers().iter();
        let each: Vec<_> = each
            .map(|(version, number)| format!("v{version}: {number}"))
            .collect();
        each.join(", ")
    }
}

/// A user who fails a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CisFinding {
    /// The control.
    pub control: CisControl,
    /// The user.
    pub user_name: String,
    /// The ARN.
    pub arn: String,
    /// The credential and the date.
    pub detail: String,
}

/// Every finding, by control and then in the order of the report.
pub fn findings(rows: &[CredentialRow], now: Timestamp) -> Vec<CisFinding> {
    let of = |control: CisControl| {
        rows.iter().flat_map(move |row| {
            let details = match control {
                CisControl::Unused => unused(row, now),
                CisControl::OneActiveKey => two_active(row),
                CisControl::Rotated => old(row, now),
            };
            details.into_iter().map(move |detail| CisFinding {
                control,
                user_name: row.user.clone(),
                arn: row.arn.clone(),
                detail,
            })
        })
    };
    CisControl::ALL.into_iter().flat_map(of).collect()
}

fn is_older(at: Timestamp, days: i64, now: Timestamp) -> bool {
    now.secs_since(at) >= days * DAY_SECS
}

/// Credentials unused for too long. A credential that was never used counts from its creation.
fn unused(row: &CredentialRow, now: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    let password = row.password_used.max(row.password_set).or(row.created);
    if let Some(at) = password.filter(|_| row.password)
        && is_older(at, UNUSED_DAYS, now)
    {
        let used = row
            .password_used
            .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
        found.push(format!("console password, {used}"));
    }
    for (number, key) in (1..).zip(row.keys) {
        if let Some(at) = key.used.max(key.created).filter(|_| key.active)
            && is_older(at, UNUSED_DAYS, now)
        {
            let used = key
                .used
                .map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
            found.push(format!("access key {number}, {used}"));
        }
    }
    found
}

fn two_active(row: &CredentialRow) -> Vec<String> {
    let active = row.keys.iter().filter(|key| key.active);
    let created: Vec<_> = active
        .filter_map(|key| Some(key.created?.iso8601()))
        .collect();
    match created.len() {
        2 => vec![format!(
            "two active keys, created {}",
            created.join(" and ")
        )],
        _ => Vec::new(),
    }
}

fn old(row: &CredentialRow, now: Timestamp) -> Vec<String> {
    let keys = (1..).zip(row.keys).filter(|(_, key)| key.active);
    let old = keys.filter_map(|(number, key)| {
        let created = key.created.filter(|at| is_older(*at, AGE_DAYS + 1, now))?;
        Some(format!("access key {number}, created {created}"))
    });
    old.collect()
}

#[cfg(test)]
mod tests {
    use keywright_base::Timestamp;

    use super::findings;
    use crate::{CredentialRow, KeyRow};

    #[test]
    fn findings_name_user_credential_and_date() {
        let now = Timestamp::from_secs(1_795_516_757);
        let ago = |days: i64| Some(now.plus_secs(-days * 86_400));
        let key = |created: i64, used: Option<i64>| KeyRow {
            active: true,
            created: ago(created),
            used: used.and_then(ago),
        };
        let row = |user: &str, password_used: Option<i64>, keys| CredentialRow {
            user: user.to_owned(),
            arn: format!("arn:aws:iam::123456789012:user/{user}"),
            created: ago(400),
            password: password_used.is_some(),
            password_used: password_used.and_then(ago),
            password_set: ago(300),
            keys,
        };
        let none = KeyRow::default();
        let rows = [
            row("good", Some(1), [key(90, Some(1)), none]),
            row("idle", Some(45), [key(50, None), none]),
            row("two", None, [key(10, Some(1)), key(5, Some(1))]),
            row("old", None, [key(91, Some(1)), none]),
        ];
        let found = findings(&rows, now);
        let listed: Vec<_> = found
            .iter()
            .map(|f| format!("{:?} {} {}", f.control, f.user_name, f.detail))
            .collect();
        assert_eq!(
            listed,
            [
                "Unused idle console password, used 2026-10-10T10:39:17Z",
                "Unused idle access key 1, never used",
                "OneActiveKey two two active keys, created 2026-11-14T10:39:17Z and \
                 2026-11-19T10:39:17Z",
                "Rotated old access key 1, created 2026-08-25T10:39:17Z",
            ]
        );
    }
}
