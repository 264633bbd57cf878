//! The operation of a request, as far as it is known.
//!
//! A name that a client made up is shortened and never taken for one of ours.

use std::sync::OnceLock;

use http::Method;
use keywright_wire::{Form, Operation, Service};

use crate::{action::ActionEntry, actions::ServedOperation};

/// Characters that are recorded of a name that a client made up.
const CLAIMED_CHARS: usize = 64;

/// The operation of a request. `Display` writes `iam:CreateUser`.
#[derive(Debug)]
pub enum EventOperation {
    /// One of IAM, STS or the extension.
    Action(&'static ActionEntry),
    /// One of STS that needs no signature.
    Unsigned(&'static Operation),
    /// A form for IAM, STS or the extension that names no served operation.
    Claimed {
        /// The service.
        service: Service,
        /// The name in the form, shortened.
        name: Option<String>,
    },
    /// One of S3.
    S3(S3Operation),
    /// One of the console's back end.
    Console(ConsoleOperation),
    /// The request was refused before its operation was read.
    Unread,
}

impl EventOperation {
    /// A form that names no served operation.
    pub fn claimed(service: Service, form: &Form) -> Self {
        let name = form.action();
        Self::Claimed {
            service,
            name: name.map(|name| name.chars().take(CLAIMED_CHARS).collect()),
        }
    }

    /// Whether it only reads. `false` for one that is not understood.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Action(entry) => !entry.access.changes_state(),
            Self::S3(operation) => operation.is_read_only(),
            Self::Console(operation) => operation.is_read_only(),
            // Each one served issues a session.
            Self::Unsigned(_) | Self::Claimed { .. } | Self::Unread => false,
        }
    }

    /// The name under which an attempt with an inactive key is recorded. For S3 it is that of S3's
    /// access log, because such a request is rejected before it is routed.
    pub(crate) fn attempt_name(&self) -> String {
        match self {
            Self::S3(operation) => operation.log_name(),
            Self::Action(_)
            | Self::Unsigned(_)
            | Self::Claimed { .. }
            | Self::Console(_)
            | Self::Unread => self.to_string(),
        }
    }
}

impl From<ServedOperation> for EventOperation {
    fn from(operation: ServedOperation) -> Self {
        match operation {
            ServedOperation::Action(entry) => Self::Action(entry),
            ServedOperation::Unsigned(operation) => Self::Unsigned(operation),
        }
    }
}

impl std::fmt::Display for EventOperation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Action(ActionEntry { operation, .. }) | Self::Unsigned(operation) => {
                write!(f, "{}:{}", operation.service.scope_name(), operation.name)
            }
            Self::Claimed { service, name } => {
                let name = name.as_deref().unwrap_or("?");
                write!(f, "{}:{name}", service.scope_name())
            }
            Self::S3(operation) => match operation.routed.get() {
                Some(name) => write!(f, "s3:{name}"),
                None => f.write_str(&operation.log_name()),
            },
            Self::Console(operation) => write!(f, "console:{operation:?}"),
            Self::Unread => f.write_str("?"),
        }
    }
}

/// An operation of S3. Its name is known once the request was authenticated and routed.
#[derive(Debug)]
pub struct S3Operation {
    method: Method,
    resource: &'static str,
    routed: OnceLock<&'static str>,
}

impl S3Operation {
    /// What the head of a request shows of its operation.
    pub fn of(method: &Method, path: &str) -> Self {
        let path = path.trim_start_matches('/');
        let resource = match path.split_once('/') {
            None if path.is_empty() => "SERVICE",
            None | Some((_, "")) => "BUCKET",
            Some(_) => "OBJECT",
        };
        Self {
            method: method.clone(),
            resource,
            routed: OnceLock::new(),
        }
    }

    /// Notes the operation to which the request was routed.
    pub fn route(&self, name: &'static str) {
        // A request is routed once.
        let _ = self.routed.set(name);
    }

    /// What S3's access log calls it, as far as the head shows it: `s3:REST.GET.OBJECT`.
    pub fn log_name(&self) -> String {
        format!("s3:REST.{}.{}", self.method, self.resource)
    }

    pub(super) fn is_post(&self) -> bool {
        self.method == Method::POST
    }

    /// Every operation that is served reads with GET or HEAD and with nothing else.
    fn is_read_only(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// An operation of the console's back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleOperation {
    /// Signs in with a password.
    SignIn,
    /// Signs out.
    SignOut,
    /// Changes a password, of root itself or by a signed ChangePassword, which has its own event.
    ChangePassword,
    /// Issues temporary credentials to the session.
    IssueCredentials,
    /// Reads the state of the session.
    ReadSession,
    /// Reads what the server serves.
    ReadCapabilities,
    /// Reads one of the console's files.
    ReadFile,
    /// There is no such endpoint.
    Unknown,
}

impl ConsoleOperation {
    const fn is_read_only(self) -> bool {
        match self {
            Self::ReadSession | Self::ReadCapabilities | Self::ReadFile => true,
            Self::SignIn
            | Self::SignOut
            | Self::ChangePassword
            | Self::IssueCredentials
            | Self::Unknown => false,
        }
    }
}
