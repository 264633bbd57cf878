//! Checks whether a question is valid: the action exists and can act on the resource.
//!
//! A question that no request could raise is distinguished from one that policies answer. For
//! services that are not in the catalogue, no check is made.

use keywright_base::Arn;

use crate::{AccessLevel, ActionCatalogue, ResourceType, ServiceAction, SimulationOutcome};

/// Why no request could ask this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuestion {
    /// A pattern, or not an action.
    #[error(
        "{0} is not an action: write service:Action, for example s3:GetObject, without wildcards"
    )]
    NotAnAction(String),
    /// The service has no such action.
    #[error("there is no action {action}{}", meant(nearest.as_deref()))]
    NoSuchAction {
        /// The action.
        action: String,
        /// An action with a similar name.
        nearest: Option<String>,
    },
    /// A resource that is neither an ARN nor `*`.
    #[error("{0} is not an ARN: write for example arn:aws:s3:::bucket/key, or *")]
    NotAnArn(String),
    /// The resource's type does not fit the action.
    #[error("{action} cannot be performed on {resource}, only on: {kinds}")]
    Misfit {
        /// The action.
        action: String,
        /// The resource.
        resource: String,
        /// The resource types that the action acts on.
        kinds: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

/// Checks whether a request could ask for an action on a resource.
///
/// # Errors
/// Why it could not.
pub fn check_question(action: &str, resource: &str) -> Result<(), InvalidQuestion> {
    let letters = |text: &str, more: &[char]| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        !text.is_empty() && text.chars().all(fits)
    };
    let named = action.split_once(':');
    let named = named.filter(|(service, name)| letters(service, &['-']) && letters(name, &[]));
    let (service, name) = named.ok_or_else(|| InvalidQuestion::NotAnAction(action.to_owned()))?;
    let catalogue = ActionCatalogue::built_in();
    if catalogue.knows(service) && catalogue.action(action).is_none() {
        let nearest = catalogue.nearest(service, name);
        return Err(InvalidQuestion::NoSuchAction {
            action: action.to_owned(),
            nearest: nearest.map(|nearest| format!("{service}:{nearest}")),
        });
    }
    if resource == "*" {
        return Ok(());
    }
    let arn = Arn::parse(resource).map_err(|_| InvalidQuestion::NotAnArn(resource.to_owned()))?;
    let Some(known) = catalogue.action(action) else {
        return Ok(());
    };
    let mut fits = catalogue.fits(action, resource);
    if fits && known.service == "s3" && arn.region().is_empty() && !known.resources.is_empty() {
        let key = arn.resource().contains('/');
        fits = known.is_on(if key { "object" } else { "bucket" });
    }
    if fits {
        return Ok(());
    }
    let kinds: Vec<&str> = known.resources.iter().map(|used| used.name).collect();
    Err(InvalidQuestion::Misfit {
        action: action.to_owned(),
        resource: resource.to_owned(),
        kinds: kinds.join(", "),
    })
}

/// Actions that every authenticated caller may call, even against an explicit deny.
const FREE: [&str; 3] = [
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
];

/// A decision that is the same for every request, whatever policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledAnswer {
    /// Every authenticated caller is allowed; unsigned requests are not.
    Allowed,
    /// No one may change an AWS managed policy. Reading and attaching it is subject to policies.
    AwsPolicy,
}

impl SettledAnswer {
    /// The reason, for people.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Allowed => "every caller may, whatever policies say",
            Self::AwsPolicy => "AWS managed policies cannot be changed, whatever policies say",
        }
    }
}

/// A settled denial is an implicit one, because no statement denies.
impl From<SettledAnswer> for SimulationOutcome {
    fn from(settled: SettledAnswer) -> Self {
        match settled {
            SettledAnswer::Allowed => Self::Allowed,
            SettledAnswer::AwsPolicy => Self::ImplicitDeny,
        }
    }
}

/// The settled answer for an action (in any case) on a resource; `None` if policies decide.
pub fn settled(action: &str, resource: &str) -> Option<SettledAnswer> {
    if FREE.iter().any(|free| free.eq_ignore_ascii_case(action)) {
        return Some(SettledAnswer::Allowed);
    }
    let known = ActionCatalogue::built_in().action(action)?;
    let reads = matches!(known.level, AccessLevel::List | AccessLevel::Read);
    let changes = known.service == "iam" && known.is_on("policy") && !reads;
    (changes && is_policy_of_aws(resource)).then_some(SettledAnswer::AwsPolicy)
}

/// `arn:PARTITION:iam::aws:policy/…`
fn is_policy_of_aws(resource: &str) -> bool {
    Arn::parse(resource).is_ok_and(|arn| {
        arn.service() == "iam" && arn.account() == "aws" && arn.resource().starts_with("policy/")
    })
}

impl ActionCatalogue {
    /// Whether an action can act on a resource, as AWS's simulator sees it. An action with known
    /// resource types cannot act on other types, except that buckets and objects count as one,
    /// whatever their partition and region.
    pub fn fits(&self, action: &str, resource: &str) -> bool {
        let Some(known) = self.action(action) else {
            return true;
        };
        if resource == "*" || known.resources.is_empty() {
            return true;
        }
        if known.service == "s3" && (known.is_on("bucket") || known.is_on("object")) {
            return resource.split(':').nth(2) == Some("s3");
        }
        let mut types = self.resource_types().iter();
        types.any(|kind| {
            kind.service == known.service && known.is_on(kind.name) && is_of(kind, resource)
        })
    }
}

impl ServiceAction {
    /// The requests that a request for this action implies, as far as its resource determines
    /// theirs: on the same resource, or on `*` for actions without resources.
    pub fn implied_on<'a>(&self, resource: &'a str) -> Vec<(&'static str, &'a str)> {
        let catalogue = ActionCatalogue::built_in();
        let implied = self.implied().filter_map(|name| {
            let known = catalogue.action(name)?;
            // The root user's keys belong to IAM, although none of its types covers them.
            let root = known.is_on("user") && resource.ends_with(":root");
            match known.resources.as_slice() {
                [] => Some((name, "*")),
                _ if root || catalogue.fits(name, resource) => Some((name, resource)),
                _ => None,
            }
        });
        implied.collect()
    }
}

/// Whether an ARN is of a type. Compared segment by segment; a placeholder matches anything.
fn is_of(kind: &ResourceType, resource: &str) -> bool {
    let mut wanted = kind.arn.splitn(6, ':');
    let mut found = resource.splitn(6, ':');
    (0..6).all(|_| match (wanted.next(), found.next()) {
        (Some(wanted), Some(found)) => matches(wanted, found),
        _ => false,
    })
}

/// Whether a text matches `fixed${Placeholder}fixed…`: the fixed parts occur literally and in
/// order.
fn matches(template: &str, text: &str) -> bool {
    let Some((fixed, rest)) = template.split_once("${") else {
        return template == text;
    };
    let Some(text) = text.strip_prefix(fixed) else {
        return false;
    };
    let rest = rest.split_once('}').map_or("", |(_, rest)| rest);
    if rest.is_empty() {
        return true;
    }
    let next = rest.split("${").next().unwrap_or_default();
    let mut places = text.match_indices(next);
    places.any(|(at, _)| {
        text.get(at..)
            .is_some_and(|remaining| matches(rest, remaining))
    })
}
