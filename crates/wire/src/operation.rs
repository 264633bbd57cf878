//! What the models say of an operation, beside its shapes.

use crate::{generated, read::Decode, xml::Encode};

/// A service that speaks awsQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// AWS Identity and Access Management.
    Iam,
    /// AWS Security Token Service.
    Sts,
    /// Keywright's own extension.
    Keywright,
}

impl Service {
    /// The service's name in credential scopes and policy actions.
    pub const fn scope_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Keywright => "keywright",
        }
    }

    /// The XML namespace of answers.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Keywright => "https://keywright.dev/doc/2026-11-24/",
        }
    }

    /// The one API version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Keywright => "2026-11-24",
        }
    }

    const fn operations(self) -> &'static [&'static Operation] {
        match self {
            Self::Iam => generated::iam::OPERATIONS,
            Self::Sts => generated::sts::OPERATIONS,
            Self::Keywright => generated::keywright::OPERATIONS,
        }
    }
}

/// An error that an operation declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorShape {
    /// The code on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// How an operation is paginated; names of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// The marker in the request.
    pub input_token: &'static str,
    /// The page size in the request.
    pub limit_key: &'static str,
    /// Whether there is more, in the answer.
    pub more_results: &'static str,
    /// The marker in the answer.
    pub output_token: &'static str,
    /// The lists in the answer.
    pub result_keys: &'static [&'static str],
}

/// An operation of a model.
#[derive(Debug)]
pub struct Operation {
    /// Its service.
    pub service: Service,
    /// Its name, for example `CreateUser`.
    pub name: &'static str,
    /// Its action in policies, for example `iam:CreateUser`.
    pub policy_action: &'static str,
    /// Whether the answer has a `Result` element.
    pub has_output: bool,
    /// Whether it is called without a signature.
    pub unsigned: bool,
    /// The errors it declares.
    pub errors: &'static [ErrorShape],
    /// How it is paginated.
    pub paginated: Option<Pagination>,
}

/// Ties an operation to its shapes.
pub trait OperationShape {
    /// The input.
    type Input: Decode;
    /// The output; empty where the model has none.
    type Output: Encode;
    /// The operation.
    const OPERATION: &'static Operation;
}

/// The operation that a request names. Names are case-sensitive.
pub fn operation(service: Service, version: &str, action: &str) -> Option<&'static Operation> {
    if version != service.version() {
        return None;
    }
    let all = service.operations();
    all.iter()
        .find(|operation| operation.name == action)
        .copied()
}

/// Every operation of the models.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    [Service::Iam, Service::Sts, Service::Keywright]
        .into_iter()
        .flat_map(|service| service.operations().iter().copied())
}
