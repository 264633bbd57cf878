//! The models' facts about operations, apart from their shapes.

use crate::{answer_text::Encode, generated, read::Decode};

/// How requests and responses look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// awsQuery: a form in, XML out.
    Query,
    /// AWS JSON 1.1: the operation in the header `X-Amz-Target`, JSON in and out.
    Json,
}

/// A service whose operations are generated from its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// AWS Identity and Access Management.
    Iam,
    /// AWS Security Token Service.
    Sts,
    /// AWS Organizations.
    Organizations,
    /// Keywright's own extension.
    Keywright,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Iam, Self::Sts, Self::Organizations, Self::Keywright];

    /// The service's name in credential scopes and policy actions.
    pub const fn scope_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::Keywright => "keywright",
        }
    }

    /// Its protocol.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Iam | Self::Sts | Self::Keywright => Protocol::Query,
            Self::Organizations => Protocol::Json,
        }
    }

    /// The XML namespace of responses; empty for a service that responds with JSON.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Organizations => "",
            Self::Keywright => "https://keywright.dev/doc/2026-11-24/",
        }
    }

    /// The only API version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Organizations => "2016-11-28",
            Self::Keywright => "2026-11-24",
        }
    }

    const fn operations(self) -> &'static [&'static Operation] {
        match self {
            Self::Iam => generated::iam::OPERATIONS,
            Self::Sts => generated::sts::OPERATIONS,
            Self::Organizations => generated::organizations::OPERATIONS,
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

/// How an operation is paginated. All fields are member names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// The marker in the request.
    pub input_token: &'static str,
    /// The page size in the request, if it can be chosen.
    pub limit_key: Option<&'static str>,
    /// The flag in the response that more results follow. Without it, the marker tells.
    pub more_results: Option<&'static str>,
    /// The marker in the response.
    pub output_token: &'static str,
    /// The lists in the response.
    pub result_keys: &'static [&'static str],
}

/// An operation of a model.
#[derive(Debug)]
pub struct Operation {
    /// The operation's service.
    pub service: Service,
    /// The operation's name, for example `CreateUser`.
    pub name: &'static str,
    /// The action in policies, for example `iam:CreateUser`.
    pub policy_action: &'static str,
    /// Whether the response has a `Result` element.
    pub has_output: bool,
    /// Whether the operation is called without a signature.
    pub unsigned: bool,
    /// The errors that the operation declares.
    pub errors: &'static [ErrorShape],
    /// How the operation is paginated.
    pub paginated: Option<Pagination>,
}

/// Associates an operation with its shapes.
pub trait OperationShape {
    /// The input.
    type Input: Decode;
    /// The output; empty if the model has none.
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
    Service::ALL
        .into_iter()
        .flat_map(|service| service.operations().iter().copied())
}
