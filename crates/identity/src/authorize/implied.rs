//! The IAM permissions that an action of the extension implies by what it does or reveals.
//!
//! Invariant: the extension cannot be used to bypass IAM. Whatever an extension action does on
//! behalf of its caller, or reveals to it, the caller must be allowed to do or read itself, on the
//! same resources. The policy crate has the table; this module turns it into targets.

use keywright_base::ROTATION_MARK;
use keywright_policy::{
    AccessRequest, ActionCatalogue, MeasuredDecision, PolicySet, ServiceAction,
    evaluate_every_within,
};

use super::{AuthTarget, Requirement};
use crate::{
    on_behalf::requested_by_service,
    state::{Account, User, UserSelector},
    view::StateView,
};

/// Everything an extension action is authorized on, its own permission first. Empty, and therefore
/// denied, if its requirement is empty or the action is not in the catalogue.
pub(super) fn with_implied(
    view: &StateView<'_>,
    action: &str,
    required: Requirement,
) -> Vec<AuthTarget> {
    let (mut own, subjects) = match required {
        Requirement::Nothing => return Vec::new(),
        Requirement::All(own) => {
            let subjects = own.iter().map(|target| subject(view, target)).collect();
            (own, subjects)
        }
        Requirement::On { own, subjects } => (own, subjects),
    };
    if own.is_empty() || ActionCatalogue::built_in().action(action).is_none() {
        return Vec::new();
    }
    own.extend(implied(action, &subjects));
    own
}

/// The actions implied by an action, on the given subjects.
fn implied(action: &str, subjects: &[AuthTarget]) -> Vec<AuthTarget> {
    let catalogue = ActionCatalogue::built_in();
    let Some(known) = catalogue.action(action) else {
        return Vec::new();
    };
    let requested = |names: &'static [&'static str]| {
        let names = names
            .iter()
            .filter_map(|name| Some((*name, catalogue.action(name)?)));
        names.flat_map(|(name, implied)| on(name, implied, subjects))
    };
    let does = requested(&known.does).map(requested_by_service);
    does.chain(requested(&known.reveals)).collect()
}

/// The actions implied by an action on a resource, for an explanation.
pub(crate) fn implied_by(view: &StateView<'_>, action: &str, resource: &str) -> Vec<AuthTarget> {
    let subjects = match resource {
        "*" => vec![AuthTarget::every_user(view, &UserSelector::Everyone)],
        arn => AuthTarget::of_explanation(view, arn, "*"),
    };
    implied(action, &subjects)
}

/// Decides a request on every resource that a target stands for, within a step limit.
pub(crate) fn decide_on_every(
    set: &PolicySet,
    request: &AccessRequest<'_>,
    target: &AuthTarget,
    steps_max: u64,
) -> MeasuredDecision {
    evaluate_every_within(set, request, &|key| target.leaves_open(key), steps_max)
}

/// An implied action on each subject of its kind.
fn on(name: &'static str, implied: &ServiceAction, subjects: &[AuthTarget]) -> Vec<AuthTarget> {
    let ask = |target: AuthTarget| {
        let mut target = target.as_action(name);
        if matches!(name, "iam:TagUser" | "iam:UntagUser") {
            target.tag_keys.push(ROTATION_MARK.to_owned());
        }
        target
    };
    let Some(kind) = kind_of_action(implied) else {
        return vec![ask(AuthTarget::everything())];
    };
    let about = subjects
        .iter()
        .filter(|subject| kind_of(&subject.resource) == kind);
    about.cloned().map(ask).collect()
}

/// The resource type of an implied action. `None` if it has none.
fn kind_of_action(action: &ServiceAction) -> Option<&'static str> {
    let kinds = ["user", "group", "policy", "bucket", "object"];
    let known = kinds.into_iter().find(|kind| action.is_on(kind));
    known.or_else(|| action.resources.first().map(|used| used.name))
}

/// The type of a subject. An unknown one counts as a user, so that it is authorized.
fn kind_of(resource: &str) -> &'static str {
    let mut parts = resource.splitn(6, ':').skip(2);
    let (service, path) = (parts.next(), parts.nth(2).unwrap_or_default());
    match (service, path) {
        (Some("s3"), path) if path.contains('/') => "object",
        (Some("s3"), _) => "bucket",
        (_, path) if path.starts_with("group/") => "group",
        (_, path) if path.starts_with("policy/") => "policy",
        _ => "user",
    }
}

/// The subject of an action's own target: the user, or all users.
fn subject(view: &StateView<'_>, target: &AuthTarget) -> AuthTarget {
    if target.resource == "*" {
        return AuthTarget::every_user(view, &UserSelector::Everyone);
    }
    AuthTarget {
        keys: Vec::new(),
        action: None,
        ..target.clone()
    }
}

impl AuthTarget {
    /// Every user that a selector can match, now or later.
    pub(crate) fn every_user(view: &StateView<'_>, selector: &UserSelector) -> Self {
        let (path, tags) = match selector {
            UserSelector::Path(path) => (path.as_str(), Vec::new()),
            UserSelector::Tags(tags) => ("/", tags.clone()),
            UserSelector::Everyone => ("/", Vec::new()),
        };
        let users = format!("arn:aws:iam::{}:user{path}", view.id());
        let listed = format!("{users}*");
        Self {
            every: true,
            resource_tags: tags,
            ..Self::new(users, listed)
        }
    }

    /// The entities that an explanation of a principal's permissions can quote: the principal, its
    /// groups and managed policies, and the resource with its policy and tags.
    pub(crate) fn of_explanation(
        view: &StateView<'_>,
        principal: &str,
        resource: &str,
    ) -> Vec<Self> {
        let mut subjects = vec![Self::principal(view, principal)];
        if let Some(user) = view.account.user_by_arn(principal) {
            subjects.extend(sources(view, user));
        }
        subjects.extend(Self::of_storage(resource));
        subjects
    }

    /// The bucket and the object in an ARN: an explanation may quote the bucket's policy and the
    /// object's tags.
    pub(crate) fn of_storage(resource: &str) -> Vec<Self> {
        let Some(path) = resource.strip_prefix("arn:aws:s3:::") else {
            return Vec::new();
        };
        let bucket = path.split('/').next().unwrap_or_default();
        let bucket = format!("arn:aws:s3:::{bucket}");
        let mut subjects = vec![Self::new(bucket.clone(), bucket)];
        if path.contains('/') {
            subjects.push(Self::new(resource, resource));
        }
        subjects
    }

    /// Whether the condition key is unknown for the resources that the target stands for.
    fn leaves_open(&self, key: &str) -> bool {
        let tag = ["aws:resourcetag/", "iam:resourcetag/"];
        let tag = tag.into_iter().find_map(|prefix| key.strip_prefix(prefix));
        let mut fixed = self.resource_tags.iter();
        tag.is_some_and(|tag| !fixed.any(|known| known.key.eq_ignore_ascii_case(tag)))
    }
}

/// The groups and customer managed policies that grant a user's permissions. AWS managed policies
/// are public.
fn sources<'a>(view: &'a StateView<'_>, user: &'a User) -> impl Iterator<Item = AuthTarget> + 'a {
    let account: &Account = view.account;
    let groups = user.groups.iter().filter_map(|id| account.group_by_id(*id));
    let grants = std::iter::once(&user.grants).chain(groups.clone().map(|group| &group.grants));
    let attached = grants
        .flat_map(|grants| &grants.attached)
        .chain(&user.boundary);
    let own = attached.filter(|arn| view.catalogue().by_arn(arn).is_none());
    let policies = own.map(|arn| AuthTarget::policy(view, arn));
    groups
        .map(|group| AuthTarget::group(view, &group.name))
        .chain(policies)
}
