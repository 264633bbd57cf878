//! The credential report of an account.

use std::sync::Arc;

use keywright_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Account,
    entity::{Entity, RecordError, RecordReader, at},
};

/// The last credential report.
#[derive(Debug, Clone)]
pub struct CredentialReport {
    /// When it was made.
    pub generated: Timestamp,
    /// The CSV, without a trailing newline.
    pub content: Arc<str>,
}

impl Account {
    /// The last credential report.
    pub const fn report(&self) -> Option<&Arc<CredentialReport>> {
        self.report.as_ref()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReportRecord {
    generated: i64,
    content: String,
}

impl From<&CredentialReport> for ReportRecord {
    fn from(report: &CredentialReport) -> Self {
        Self {
            generated: report.generated.millis(),
            content: report.content.to_string(),
        }
    }
}

impl Entity for CredentialReport {
    const KIND: &'static str = "report";
    type Id = ();
    type Record = ReportRecord;

    fn entity_id(&self) -> Self::Id {}

    fn restore(
        record: Self::Record,
        _reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            generated: at(record.generated),
            content: record.content.into(),
        })
    }

    fn insert(account: &mut Account, report: &Arc<Self>) {
        account.report = Some(Arc::clone(report));
    }
}
