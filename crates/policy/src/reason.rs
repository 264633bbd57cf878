//! Why a request was denied, in AWS's words. It protects one rule: the text is wire format, written
//! here once.

use std::sync::Arc;

/// Where a policy stands in the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyLayer {
    /// Identity-based policies: the principal's own and its groups'.
    Identity,
    /// The resource's policy, for example a bucket policy.
    Resource,
    /// The principal's permissions boundary.
    Boundary,
    /// Policies passed when a session was made.
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

    /// The layer after "because no".
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

    /// The layer after "with an explicit deny in".
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

/// Where a policy of the principal or of its organization comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// A managed policy, by its ARN.
    Managed(Arc<str>),
    /// An inline policy, which AWS does not name.
    Inline,
}

/// What denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialCause {
    /// A statement says Deny. The source is known for identity-based and organization policies.
    Explicit(PolicyLayer, Option<PolicySource>),
    /// Nothing in this layer says Allow.
    Silent(PolicyLayer),
    /// The request itself could not be understood: its action or resource has no known form.
    Unintelligible,
    /// A policy that should have been evaluated could not be read, or not within the steps that
    /// one decision may take.
    Unreadable,
}

/// Why a request was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialReason {
    /// What denied.
    pub cause: DenialCause,
    /// Whether caller and resource are in different accounts; AWS then gives no reason.
    pub cross_account: bool,
}

impl DenialReason {
    /// What AWS appends to "User: … is not authorized to perform: … on resource: …": without a
    /// leading space, and empty when AWS gives no reason.
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

    /// Whether a statement said Deny, rather than none Allow.
    pub const fn is_explicit(&self) -> bool {
        matches!(self.cause, DenialCause::Explicit(..))
    }
}
