//! The IAM permissions that an action of the extension implies by what it does or reveals.
//!
//! Invariant: the extension cannot be used to bypass IAM. Whatever an extension action does on
//! behalf of its caller, or reveals to it, the caller must be allowed to do or read itself, on the
//! same resources. The policy crate has the table; this module turns it into targets.

use std::sync::Arc;

use keywright_base::ROTATION_MARK;
use keywright_policy::{
    AccessRequest, ActionCatalogue, MeasuredDecision, PolicySet, ServiceAction,
    evaluate_every_within,
};

use super::{AuthTarget, Requirement};
use crate::{
    denials::{DenialEvidence, QuotedEntity},
    on_behalf::requested_by_service,
    state::{Grantee, UserSelector},
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
            let subjects = own
                .iter()
                .flat_map(|target| subjects(view, target))
                .collect();
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
        "*" => AuthTarget::every_principal(view).into(),
        arn => AuthTarget::of_explanation(view, arn, (action, "*")),
    };
    implied(action, &subjects)
}

/// Decides a request on every resource that a target covers, within a step limit.
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
    // Some actions apply to groups as well as to users and roles.
    let is_about = |subject: &&AuthTarget| match kind_of(&subject.resource) {
        principal @ ("user" | "role") => implied.is_on(principal),
        other => other == kind,
    };
    let about = subjects.iter().filter(is_about);
    about.cloned().map(ask).collect()
}

/// The resource type of an implied action. `None` if it has none.
fn kind_of_action(action: &ServiceAction) -> Option<&'static str> {
    let kinds = ["user", "role", "group", "policy", "bucket", "object"];
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
        (Some("iam"), path) if path.starts_with("role/") => "role",
        (_, path) if path.starts_with("group/") => "group",
        (_, path) if path.starts_with("policy/") => "policy",
        _ => "user",
    }
}

/// The subjects of an action's own target: the user or role, or all of them.
fn subjects(view: &StateView<'_>, target: &AuthTarget) -> Vec<AuthTarget> {
    if target.resource == "*" {
        return AuthTarget::every_principal(view).into();
    }
    vec![AuthTarget {
        keys: Vec::new(),
        action: None,
        ..target.clone()
    }]
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

    /// Every user and every role, including future ones.
    pub(crate) fn every_principal(view: &StateView<'_>) -> [Self; 2] {
        let roles = format!("arn:aws:iam::{}:role/", view.id());
        let listed = format!("{roles}*");
        let every_role = Self {
            every: true,
            ..Self::new(roles, listed)
        };
        [Self::every_user(view, &UserSelector::Everyone), every_role]
    }

    /// The entities that an explanation of a principal's permissions can quote: the principal, its
    /// groups and managed policies, and the resource with its policy and tags. If the action is to
    /// assume a role, it quotes the role's trust policy.
    pub(crate) fn of_explanation(
        view: &StateView<'_>,
        principal: &str,
        (action, resource): (&str, &str),
    ) -> Vec<Self> {
        let mut subjects = vec![Self::principal(view, principal)];
        let account = view.account;
        let user = account.user_by_arn(principal).map(Arc::clone);
        let role = || {
            let session = account.role_of_session(principal);
            session.or_else(|| account.role_by_arn(principal))
        };
        let grantee = user
            .map(Grantee::User)
            .or_else(|| Some(Grantee::Role(Arc::clone(role()?))));
        if let Some(grantee) = grantee {
            let sources = QuotedEntity::sources(account, &grantee);
            subjects.extend(sources.iter().map(Self::quoted));
        }
        if is_assuming(action)
            && let Some(role) = account.role_by_arn(resource)
        {
            subjects.push(Self::role(view, &role.name));
        }
        subjects.extend(Self::of_storage(resource));
        subjects
    }

    /// What the explanation of a denial quotes: the entities as they were then and, where the
    /// decision by the current policies depends on them, as they are now.
    pub(crate) fn of_denial(view: &StateView<'_>, evidence: &DenialEvidence) -> Vec<Self> {
        let mut quoted = evidence.quoted().to_vec();
        if let Some(grantee) = evidence.who.grantee(view.account) {
            quoted.push(QuotedEntity::new(grantee.arn(view.id()), grantee.tags()));
            quoted.extend(QuotedEntity::sources(view.account, &grantee));
        }
        let mut subjects = Vec::new();
        for entity in &quoted {
            for subject in Self::then_and_now(view, entity) {
                if !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
        }
        subjects.extend(Self::of_storage(&evidence.resource));
        subjects
    }

    /// An entity as it was, and as it is if there is one with its ARN.
    pub(crate) fn then_and_now(view: &StateView<'_>, entity: &QuotedEntity) -> Vec<Self> {
        let then = Self::quoted(entity);
        let now = Self::existing(view, &entity.arn).map(|now| Self {
            display: then.display.clone(),
            ..now
        });
        let now = now.filter(|now| *now != then);
        std::iter::once(then).chain(now).collect()
    }

    fn quoted(entity: &QuotedEntity) -> Self {
        let arn = &entity.arn;
        let name = arn.rsplit('/').next().unwrap_or(arn);
        let listed = match kind_of(arn) {
            "group" => format!("group {name}"),
            "policy" => format!("policy {arn}"),
            _ => arn.clone(),
        };
        Self {
            resource_tags: entity.tags.clone(),
            ..Self::new(arn, listed)
        }
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

    /// Whether the condition key is unknown for the resources that the target covers.
    fn leaves_open(&self, key: &str) -> bool {
        let tag = ["aws:resourcetag/", "iam:resourcetag/"];
        let tag = tag.into_iter().find_map(|prefix| key.strip_prefix(prefix));
        let mut fixed = self.resource_tags.iter();
        tag.is_some_and(|tag| !fixed.any(|known| known.key.eq_ignore_ascii_case(tag)))
    }
}

/// Whether the trust policy of a role decides an action.
pub(crate) fn is_assuming(action: &str) -> bool {
    let actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    actions.iter().any(|it| it.eq_ignore_ascii_case(action))
}
