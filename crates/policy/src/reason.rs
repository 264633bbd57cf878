//! Why a request was denied, in AWS's words. The text is wire format and is written only here.

use std::sync::Arc;

/// The policy type, as a layer of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyLayer {
    /// Identity-based policies: the principal's own and its groups'.
    Identity,
    /// The resource's policy, for example a bucket policy.
    Resource,
    /// The principal's permissions boundary.
    Boundary,
    /// Policies passed when a session was created.
    Session,
    /// A role's trust policy.
    Trust,
    /// Service control policies of the principal's organization.
    ServiceControl,
    /// Resource control policies of the resource's organization.
    ResourceControl,
}

impl PolicyLayer {
    /// Whether statements of this layer name principals.
    pub(crate) const fn names_principals(self) -> bool {
        matches!(self, Self::Resource | Self::Trust | Self::ResourceControl)
    }

    /// The layer's name after "because no".
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Trust => "role trust policy",
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
        }
    }

    /// The layer's name after "with an explicit deny in".
    const fn denying(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Resource => "a resource-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::Trust => "the role trust policy",
            Self::ServiceControl => "a service control policy",
            Self::ResourceControl => "a resource control policy",
        }
    }
}

/// The source of a policy of the principal or its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// A managed policy, identified by its ARN.
    Managed(Arc<str>),
    /// An inline policy, which AWS does not name.
    Inline,
}

/// The cause of a denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialCause {
    /// A statement denies. The source is known for identity-based and organization policies.
    Explicit(PolicyLayer, Option<PolicySource>),
    /// Nothing in this layer allows.
    Silent(PolicyLayer),
    /// The request is malformed: its action or resource has no known form.
    Unintelligible,
    /// A policy could not be read, or not evaluated within the step limit of a decision.
    Unreadable,
}

/// Why a request was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialReason {
    /// The cause.
    pub cause: DenialCause,
    /// Whether caller and resource are in different accounts, in which case AWS gives no reason.
    pub cross_account: bool,
}

impl DenialReason {
    /// The sentence that AWS appends to "User: … is not authorized to perform: … on resource: …".
    /// Has no leading space; empty if AWS gives no reason.
    pub fn sentence(&self, action: &str) -> String {
        if self.cross_account {
            return String::new();
        }
        match &self.cause {
            DenialCause::Explicit(layer, Some(PolicySource::Managed(arn))) => {
                format!("with an explicit deny in {}: {arn}", layer.denying())
            }
            DenialCause::Explicit(layer, _) => {
                format!("with an explicit deny in {}", layer.denying())
            }
            DenialCause::Silent(layer) => {
                format!("because no {} allows the {action} action", layer.noun())
            }
            DenialCause::Unintelligible | DenialCause::Unreadable => String::new(),
        }
    }

    /// Whether a statement denied, as opposed to none allowing.
    pub const fn is_explicit(&self) -> bool {
        matches!(self.cause, DenialCause::Explicit(..))
    }
}
