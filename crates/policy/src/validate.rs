//! The checks that AWS makes when a policy is stored. Invariant: an invalid document gets AWS's own
//! message, and the first of them in AWS's order.
//!
//! Only the text is checked. Whether principals exist, and how large a policy may be, is up to the
//! caller.

mod bucket;
mod resource;
mod trust;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    condition::{ConditionOperator, OperatorTest},
    document::{self, LanguageVersion, PolicyDocument, Statement, SyntaxError},
    json,
    literal::{Decimal, IpNetwork, date},
    resource::RequestResource,
};

/// The kind of policy that a document is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind<'a> {
    /// A managed policy; its version must be 2012-10-17.
    Managed,
    /// An inline policy of a user, group or role.
    Inline,
    /// A policy passed when a session is created. STS checks only Base64 literals; it accepts any
    /// other literal of the wrong type, which then matches nothing.
    Session,
    /// A role's trust policy.
    Trust,
    /// An S3 bucket policy.
    Bucket {
        /// The bucket's name.
        bucket: &'a str,
    },
}

/// Why a policy is rejected. The text is AWS's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The document does not conform to the grammar; the cause says where.
    #[error("Syntax errors in policy.")]
    Syntax(#[source] SyntaxError),
    /// A trust policy that is not JSON.
    #[error("This policy contains invalid Json")]
    TrustJson(#[source] SyntaxError),
    /// A bucket policy that is not JSON.
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    BucketJson(#[source] SyntaxError),
    /// A bucket policy that does not conform to the grammar.
    #[error("Invalid policy syntax.")]
    BucketSyntax(#[source] SyntaxError),
    /// A managed policy with a different version.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    OldVersion,
    /// An `Effect` in the wrong case, a literal of the wrong type, or an ARN with `::` and too few
    /// segments.
    #[error("The policy failed legacy parsing")]
    Legacy,
    /// A duplicate `Sid`.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    RepeatedSid,
    /// A `Sid` with characters other than letters and digits.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
         expression [0-9A-Za-z]*"
    )]
    SidCharacters,
    /// A statement without actions.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// A statement without resources.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// A resource without a colon.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    NotAnArn(String),
    /// An unknown partition.
    #[error("Partition \"{partition}\" is not valid for resource \"{arn}\".")]
    Partition {
        /// The partition.
        partition: String,
        /// The resource, extended to six segments.
        arn: String,
    },
    /// A resource whose service is missing or has wildcards.
    #[error("Resource vendor must be fully qualified and cannot contain regexes.")]
    ResourceVendor,
    /// An IAM resource with a region.
    #[error("IAM resource {0} cannot contain region information.")]
    IamRegion(String),
    /// An S3 resource with a region.
    #[error("Resource {0} can not contain region information.")]
    Region(String),
    /// An IAM resource of an unknown type.
    #[error(
        "IAM resource path must either be \"*\", root, or start with user/, federated-user/, \
         role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, \
         oidc-provider/, report/, access-report/."
    )]
    IamPath,
    /// An action without a service.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    ActionVendor,
    /// An action with more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    ActionColons,
    /// An action whose service has characters other than letters, digits, hyphens and periods.
    #[error("Vendor {0} is not valid")]
    Vendor(String),
    /// A principal in an identity-based policy.
    #[error("Policy document should not specify a principal.")]
    Principal,
    /// An element that this kind of policy must not have.
    #[error("Has prohibited field {0}")]
    Prohibited(&'static str),
    /// An element that this kind of policy must have.
    #[error("Missing required field {0}")]
    Missing(&'static str),
    /// A trust policy with actions other than those of STS.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    TrustAction,
    /// A principal that cannot exist.
    #[error("Invalid principal in policy: \"{kind}\":\"{value}\"")]
    TrustPrincipal {
        /// `AWS`, `SERVICE`, `FEDERATED` or `CANONICALUSER`.
        kind: String,
        /// The principal as written.
        value: String,
    },
    /// A bucket policy with an unknown version.
    #[error("The policy must contain a valid version string")]
    BucketVersion,
    /// A bucket policy without statements.
    #[error("Could not parse the policy: Statement is empty!")]
    BucketEmpty,
    /// A bucket policy with an unknown member.
    #[error("Unknown field {0}")]
    BucketField(String),
    /// A bucket policy with an invalid effect.
    #[error("Invalid effect: {0}")]
    BucketEffect(String),
    /// A bucket policy with an unknown condition operator.
    #[error("Invalid Condition type : {0}")]
    BucketOperator(String),
    /// A bucket policy with a condition key that S3 does not know.
    #[error("Policy has an invalid condition key")]
    BucketConditionKey,
    /// A bucket policy with a condition key that an action of the statement never has.
    #[error("Conditions do not apply to combination of actions and resources in statement")]
    BucketConditions,
    /// A bucket policy with an invalid address.
    #[error("Invalid IP address in Conditions")]
    BucketAddress,
    /// A bucket policy with a principal that cannot exist.
    #[error("Invalid principal in policy")]
    BucketPrincipal,
    /// A bucket policy with an Allow for everyone except some.
    #[error("Allow with NotPrincipal is not allowed.")]
    AllowNotPrincipal,
    /// A bucket policy with an action that S3 does not have.
    #[error("Policy has invalid action")]
    BucketAction,
    /// A bucket policy with a resource outside the bucket.
    #[error("Policy has invalid resource")]
    BucketResource,
    /// An object action on a bucket, or a bucket action on an object.
    #[error("Action does not apply to any resource(s) in statement")]
    ActionResource,
}

/// Checks a policy before it is stored.
///
/// # Errors
/// The first [`Violation`] in AWS's order. The caller chooses the error code:
/// `MalformedPolicyDocument` for IAM and STS, `MalformedPolicy` for S3.
pub fn validate(text: &str, kind: DocumentKind<'_>) -> Result<PolicyDocument, Violation> {
    match kind {
        DocumentKind::Bucket { bucket } => return bucket::validate(text, bucket),
        DocumentKind::Trust => json::read(text).map(drop).map_err(Violation::TrustJson)?,
        DocumentKind::Managed | DocumentKind::Inline | DocumentKind::Session => {}
    }
    let parsed = json::read(text)
        .and_then(document::document)
        .map_err(Violation::Syntax)?;
    let document = parsed.document;
    if kind == DocumentKind::Managed && document.version != Some(LanguageVersion::V2012) {
        return Err(Violation::OldVersion);
    }
    let unread = !literals_are_readable(&document, kind);
    if parsed.misspelt_effect.is_some() || unread {
        return Err(Violation::Legacy);
    }
    let resources = resource::check(&document)?;
    sids(&document)?;
    if kind == DocumentKind::Trust {
        return trust::check(&document).map(|()| document);
    }
    if document.statements.iter().any(has_no_actions) {
        return Err(Violation::NoActions);
    }
    if let Some(violation) = resources {
        return Err(violation);
    }
    if document.statements.iter().any(has_no_resources) {
        return Err(Violation::NoResources);
    }
    actions(&document)?;
    if document.statements.iter().any(|s| s.principal.is_some()) {
        return Err(Violation::Principal);
    }
    Ok(document)
}

fn has_no_actions(statement: &Statement) -> bool {
    statement
        .action
        .as_ref()
        .is_none_or(|clause| clause.elements.is_empty())
}

fn has_no_resources(statement: &Statement) -> bool {
    statement
        .resource
        .as_ref()
        .is_none_or(|clause| clause.elements.is_empty())
}

/// Whether every literal is of its operator's type; an ARN may contain a variable. In a session
/// policy only Base64 is checked.
fn literals_are_readable(document: &PolicyDocument, kind: DocumentKind<'_>) -> bool {
    let clauses = document.statements.iter().flat_map(|s| &s.conditions);
    clauses.into_iter().all(|clause| {
        let test = ConditionOperator::parse(&clause.operator).map(|operator| operator.test);
        clause.values.iter().all(|value| match test {
            Some(OperatorTest::Binary) => STANDARD.decode(value).is_ok(),
            _ if kind == DocumentKind::Session => true,
            Some(OperatorTest::Numeric(_)) => Decimal::parse(value).is_some(),
            Some(OperatorTest::Date(_)) => date(value).is_some(),
            // An IPv6 network with host bits contains nothing.
            Some(OperatorTest::Ip) => {
                IpNetwork::parse(value).is_some_and(|network| network.is_aligned())
            }
            Some(OperatorTest::Arn) => {
                value.contains(['*', '$']) || RequestResource::parse(value).is_some()
            }
            _ => true,
        })
    })
}

/// Checks that Sids are alphanumeric and, except for empty ones, unique.
fn sids(document: &PolicyDocument) -> Result<(), Violation> {
    let sids = document.statements.iter().filter_map(|s| s.sid.as_deref());
    let mut seen = std::collections::HashSet::new();
    for sid in sids.filter(|sid| !sid.is_empty()) {
        if !seen.insert(sid) {
            return Err(Violation::RepeatedSid);
        }
    }
    if seen
        .iter()
        .any(|sid| !sid.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err(Violation::SidCharacters);
    }
    Ok(())
}

/// Checks that actions are `*`, or a service and a name separated by one colon.
fn actions(document: &PolicyDocument) -> Result<(), Violation> {
    let clauses = document.statements.iter().filter_map(|s| s.action.as_ref());
    for action in clauses.flat_map(|clause| clause.elements.iter().flatten()) {
        let Some((vendor, name)) = action.split_once(':') else {
            if action == "*" {
                continue;
            }
            return Err(Violation::ActionVendor);
        };
        if name.contains(':') {
            return Err(Violation::ActionColons);
        }
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        let every = vendor == "*" && name == "*";
        if !every && (vendor.is_empty() || !vendor.bytes().all(known)) {
            return Err(Violation::Vendor(vendor.to_owned()));
        }
    }
    Ok(())
}
