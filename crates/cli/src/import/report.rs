//! Reads a credential report: who had which credentials, none of which can be imported.

use anyhow::{Context, bail};
use keywright_base::Timestamp;

use super::{ImportSource, KeyRequest};

/// Columns that a report must have.
const COLUMNS: [&str; 8] = [
    "user",
    "password_enabled",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "cert_1_active",
];

/// Adds the credentials in a report to the notes, and the active access keys to the requests.
///
/// # Errors
/// If it is not a credential report, with the line.
pub(super) fn read(text: &str, now: Timestamp, source: &mut ImportSource) -> anyhow::Result<()> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    if let Some(missing) = COLUMNS
        .iter()
        .find(|name| !header.iter().any(|it| it == **name))
    {
        bail!("it is not a credential report: there is no column {missing}");
    }
    for row in reader.records() {
        let row = row?;
        let field = |name: &str| {
            let at = header.iter().position(|it| it == name);
            at.and_then(|at| row.get(at)).unwrap_or_default()
        };
        let user = field("user");
        let mut had = Vec::new();
        if field("password_enabled") == "true" {
            had.push("console password".to_owned());
        }
        for number in ["1", "2"] {
            if field(&format!("access_key_{number}_active")) != "true" {
                continue;
            }
            let rotated = field(&format!("access_key_{number}_last_rotated"));
            let line = row.position().map_or(0, csv::Position::line);
            let age = age(rotated, now).with_context(|| format!("line {line}: {rotated}"))?;
            had.push(format!("access key {number}, {age}"));
            if user != ROOT {
                source.keys.push(KeyRequest {
                    user: user.to_owned(),
                    replaces: format!("access key {number}"),
                });
            }
        }
        for (column, name) in [
            ("mfa_active", "MFA device"),
            ("cert_1_active", "signing certificate"),
        ] {
            if field(column) == "true" {
                had.push(name.to_owned());
            }
        }
        if !had.is_empty() {
            let owner = if user == ROOT {
                "root user".to_owned()
            } else {
                format!("user {user}")
            };
            source.notes.push(format!("{owner}: {}", had.join("; ")));
        }
    }
    Ok(())
}

/// The name of the root user in a report.
const ROOT: &str = "<root_account>";

/// The age of a key.
fn age(rotated: &str, now: Timestamp) -> anyhow::Result<String> {
    if matches!(rotated, "N/A" | "no_information" | "not_supported") {
        return Ok("of unknown age".to_owned());
    }
    let rotated = Timestamp::parse_iso8601(rotated).context("not a date")?;
    let days = now.secs_since(rotated).max(0) / (24 * 60 * 60);
    Ok(match days {
        1 => "1 day old".to_owned(),
        days => format!("{days} days old"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
        password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
        access_key_1_last_rotated,access_key_2_active,access_key_2_last_rotated,cert_1_active";

    fn read_rows(rows: &str) -> anyhow::Result<ImportSource> {
        let now = Timestamp::parse_iso8601("2026-12-01T00:00:00Z").unwrap();
        let mut source = ImportSource::default();
        read(&format!("{HEADER}\n{rows}"), now, &mut source)?;
        Ok(source)
    }

    #[test]
    fn credentials_are_noted_with_their_age() {
        let source = read_rows(
            "<root_account>,a,d,not_supported,d,d,d,true,false,N/A,false,N/A,false\n\
             ann,a,d,true,d,d,d,false,true,2026-11-30T00:00:00+00:00,true,\
             2025-12-01T10:00:00Z,true\n\
             bob,a,d,false,d,d,d,false,false,2020-01-01T00:00:00Z,true,N/A,false\n\
             carl,a,d,false,d,d,d,false,false,N/A,false,N/A,false",
        );
        let source = source.unwrap();
        assert_eq!(
            source.notes,
            [
                "root user: MFA device",
                "user ann: console password; access key 1, 1 day old; access key 2, 364 days old; \
                 signing certificate",
                "user bob: access key 2, of unknown age",
            ]
        );
        let keys: Vec<_> = source
            .keys
            .iter()
            .map(|key| (&*key.user, &*key.replaces))
            .collect();
        let expected = [
            ("ann", "access key 1"),
            ("ann", "access key 2"),
            ("bob", "access key 2"),
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn bad_reports_are_rejected() {
        let error = read_rows("ann,a,d,true,d,d,d,false,true,yesterday,false,N/A,false");
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.starts_with("line 2: yesterday: not a date"),
            "{error}"
        );
        let error = read_rows("ann,a").unwrap_err().to_string();
        assert!(error.contains("line: 2"), "{error}");
        let now = Timestamp::from_millis(0);
        let error = read("user,arn\n", now, &mut ImportSource::default()).unwrap_err();
        assert!(
            error.to_string().contains("no column password_enabled"),
            "{error}"
        );
    }
}
