//! An account's credential report: every user and what is known of its keys, in two calls.
//!
//! Invariant: "no information" stays unknown and is never read as "not used". The report may be
//! four hours old and contains no key IDs, so confirm by listing before acting on it.

use keywright_base::Timestamp;
use serde::Deserialize;

use keywright_aws::{AccountClient, CallError, QueryService, printable};

/// How often to poll for the report.
const POLLS: u32 = 60;
/// Seconds between two polls.
const POLL_SECS: u64 = 2;

/// One row: a user, or the root user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The user name; `<root_account>` for the root user.
    pub user: String,
    /// The ARN, including the path.
    pub arn: String,
    /// When the user was created.
    pub created: Option<Timestamp>,
    /// Whether the user has a console password.
    pub password: bool,
    /// When the password was last used.
    pub password_used: Option<Timestamp>,
    /// When the password was last set.
    pub password_set: Option<Timestamp>,
    /// The two access key slots.
    pub keys: [KeyRow; 2],
}

/// An access key slot, possibly empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyRow {
    /// Whether it is active.
    pub active: bool,
    /// When it was created. `None` for an empty slot.
    pub created: Option<Timestamp>,
    /// When it was last used. `None` if never.
    pub used: Option<Timestamp>,
}

impl CredentialRow {
    /// The path, with leading and trailing slash; `/` for the root user.
    pub fn path(&self) -> &str {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or_default();
        let path = resource.strip_prefix("user").unwrap_or("/");
        let end = path.rfind('/').map_or(0, |at| at + 1);
        match path.get(..end) {
            Some(path) if !path.is_empty() => path,
            _ => "/",
        }
    }

    /// Whether this is the root user.
    pub fn is_root(&self) -> bool {
        self.user == "<root_account>"
    }
}

/// The columns we read, by AWS's names.
#[derive(Deserialize)]
struct ReportColumns {
    user: String,
    arn: String,
    user_creation_time: String,
    password_enabled: String,
    password_last_used: String,
    password_last_changed: String,
    access_key_1_active: String,
    access_key_1_last_rotated: String,
    access_key_1_last_used_date: String,
    access_key_2_active: String,
    access_key_2_last_rotated: String,
    access_key_2_last_used_date: String,
}

/// Parses a time. AWS's placeholders for "none" give `None`.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text).ok()
}

impl From<ReportColumns> for CredentialRow {
    fn from(columns: ReportColumns) -> Self {
        let key = |active: &str, created: &str, used: &str| KeyRow {
            active: active == "true",
            created: time(created),
            used: time(used),
        };
        Self {
            keys: [
                key(
                    &columns.access_key_1_active,
                    &columns.access_key_1_last_rotated,
                    &columns.access_key_1_last_used_date,
                ),
                key(
                    &columns.access_key_2_active,
                    &columns.access_key_2_last_rotated,
                    &columns.access_key_2_last_used_date,
                ),
            ],
            created: time(&columns.user_creation_time),
            password: columns.password_enabled == "true",
            password_used: time(&columns.password_last_used),
            password_set: time(&columns.password_last_changed),
            user: columns.user,
            arn: columns.arn,
        }
    }
}

/// Fetches the report and the time it was generated, generating one if there is none.
///
/// # Errors
/// [`CallError`]; also if the report is not ready in time or cannot be parsed.
pub async fn credentials(
    access: &AccountClient,
) -> Result<(Vec<CredentialRow>, Timestamp), CallError> {
    let unreadable = |why: String| CallError::Impossible(format!("the credential report: {why}"));
    for _ in 0..POLLS {
        let made = access
            .read(QueryService::Iam, "GenerateCredentialReport", &[])
            .await?;
        if made
            .fields
            .get("State")
            .is_some_and(|state| state == "COMPLETE")
        {
            let mut got = access
                .read(QueryService::Iam, "GetCredentialReport", &[])
                .await?;
            let content = got.fields.remove("Content").unwrap_or_default();
            let at = got.fields.get("GeneratedTime").and_then(|text| time(text));
            let at = at.ok_or_else(|| unreadable("it has no date".to_owned()))?;
            return Ok((parse(&content).map_err(unreadable)?, at));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the service is making the report"
        )]
        tokio::time::sleep(std::time::Duration::from_secs(POLL_SECS)).await;
    }
    Err(unreadable("it was not generated in time".to_owned()))
}

/// Parses the report's content: CSV in Base64.
fn parse(content: &str) -> Result<Vec<CredentialRow>, String> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let content: String = content.split_whitespace().collect();
    let bytes = BASE64_STANDARD
        .decode(content)
        .map_err(|error| error.to_string())?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let rows = reader.deserialize::<ReportColumns>();
    let rows = rows.map(|row| {
        let columns = row.map_err(|error| error.to_string())?;
        for name in [&columns.user, &columns.arn] {
            if *name != printable(name) {
                return Err(format!("impossible user {}", printable(name)));
            }
        }
        Ok(columns.into())
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::parse;

    const REPORT: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
        password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
        access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
        access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
        cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated\n\
        <root_account>,arn:aws:iam::123456789012:root,2026-01-01T00:00:00+00:00,not_supported,\
        no_information,not_supported,not_supported,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,\
        N/A,false,N/A,false,N/A\n\
        bob,arn:aws:iam::123456789012:user/service/jobs/bob,2026-01-02T00:00:00+00:00,true,\
        no_information,2026-01-03T00:00:00+00:00,N/A,false,true,2026-01-04T00:00:00+00:00,\
        2026-02-01T10:00:00+00:00,us-east-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n";

    #[test]
    fn a_report_is_read() {
        let rows = parse(&BASE64_STANDARD.encode(REPORT)).unwrap();
        let [root, bob] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert!(root.is_root() && root.path() == "/");
        assert_eq!((bob.user.as_str(), bob.path()), ("bob", "/service/jobs/"));
        assert!(bob.password && bob.password_used.is_none());
        let [first, second] = bob.keys;
        assert!(first.active && !second.active && second.created.is_none());
        assert_eq!(first.used.unwrap().iso8601(), "2026-02-01T10:00:00Z");
        for bad in ["%", "dXNlcgpib2IK"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
