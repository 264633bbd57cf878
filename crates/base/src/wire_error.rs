//! An error as a client sees it, whichever protocol carries it.
//!
//! A fault becomes a [`WireError`] in the crate that knows AWS's text for it. The error becomes
//! bytes in one place for each protocol: `keywright_wire::error_answer` (awsQuery),
//! `keywright_s3::error_response` (S3) and the console's back end (JSON). Request IDs belong to the
//! response, not to the error.

use std::borrow::Cow;

/// The status, code and message of an error response. Codes and messages are wire format: SDKs and
/// tools match on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, for example `NoSuchEntity`.
    pub code: Cow<'static, str>,
    /// The message; a few of AWS's errors have none.
    pub message: Option<Cow<'static, str>>,
    /// Elements after the message, in order. Only S3 has them.
    pub extra: Vec<(&'static str, String)>,
    /// Headers of the response, by lower-case name.
    pub headers: Vec<(&'static str, String)>,
    /// The seconds after which the client may try again, if it is told.
    pub retry_after_secs: Option<i64>,
}

impl WireError {
    /// An error with a code and a message only.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::silent(status, code)
        }
    }

    /// An error without a message.
    pub fn silent(status: u16, code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: code.into(),
            message: None,
            extra: Vec::new(),
            headers: Vec::new(),
            retry_after_secs: None,
        }
    }

    /// Adds an element after the message.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.extra.push((name, value.to_string()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The message; empty if there is none.
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.text())
    }
}

impl std::error::Error for WireError {}

/// The code of the error that a response carries, as an extension of the response: whoever renders
/// an error leaves it for the request's event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(pub Cow<'static, str>);

impl From<&WireError> for ErrorCode {
    fn from(error: &WireError) -> Self {
        Self(error.code.clone())
    }
}
