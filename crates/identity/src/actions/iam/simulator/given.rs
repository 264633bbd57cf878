//! The policies of a simulation, with the names that the response gives them.
//!
//! Invariant: a statement is reported by the name of the policy it came from and by positions in
//! that policy's exact text.

use std::sync::{Arc, OnceLock};

use keywright_base::Arn;
use keywright_policy::{Policy, TextPosition, parse, statement_positions};
use keywright_wire::iam;

use super::invalid;
use crate::{
    fault::{IamFault, MissingEntity},
    state::{DirectGrants, Group, Role, User},
    view::StateView,
};

/// The parameter that lists policies: the prefix of their IDs, and the parameter's name in errors.
pub(super) const POLICIES: (&str, &str) = ("PolicyInputList", "Policy input list");
/// The same for permissions boundaries.
pub(super) const BOUNDARIES: (&str, &str) = (
    "PermissionsBoundaryPolicyInputList",
    "Permissions boundary policy input list",
);

#[derive(Debug, Clone)]
pub(super) struct InputPolicy {
    /// `SourcePolicyId`.
    pub(super) id: String,
    pub(super) text: Arc<str>,
    pub(super) policy: Arc<Policy>,
    /// The positions of its statements, computed on first use.
    positions: OnceLock<Vec<(TextPosition, TextPosition)>>,
}

impl InputPolicy {
    /// Parses a policy; `None` if it is invalid.
    pub(super) fn read(id: String, text: Arc<str>) -> Option<Self> {
        let policy = Arc::new(Policy::compile(&parse(&text).ok()?));
        Some(Self {
            id,
            text,
            policy,
            positions: OnceLock::new(),
        })
    }

    /// The start and end of each statement.
    pub(super) fn positions(&self) -> &[(TextPosition, TextPosition)] {
        let positions = || statement_positions(&self.policy, &self.text);
        self.positions.get_or_init(positions)
    }
}

/// Parses a list of policies in the request.
pub(super) fn parsed(
    list: &[String],
    (prefix, name): (&str, &str),
) -> Result<Vec<InputPolicy>, IamFault> {
    let numbered = (1..).zip(list);
    let read = numbered.map(|(number, text)| {
        let given = InputPolicy::read(format!("{prefix}.{number}"), text.as_str().into());
        given.ok_or_else(|| invalid(format!("{name} item {number} has invalid content")))
    });
    read.collect()
}

/// The entity whose policies are simulated.
#[derive(Debug, Clone, Copy)]
pub(super) enum SimulatedPrincipal<'a> {
    /// A user, with the policies of its groups.
    User(&'a Arc<User>),
    Group(&'a Arc<Group>),
    Role(&'a Arc<Role>),
}

impl<'a> SimulatedPrincipal<'a> {
    /// The entity that `PolicySourceArn` names, whatever path it contains.
    ///
    /// # Errors
    /// `InvalidInput` unless it names a user, group or role of this account; `NoSuchEntity`.
    pub(super) fn find(view: &StateView<'a>, arn: &str) -> Result<Self, IamFault> {
        let (kind, account, name) = entity(arn)
            .ok_or_else(|| invalid(format!("Invalid ARN provided in the request: {arn}")))?;
        let own = view.id().to_string();
        if account != own {
            return Err(invalid(format!(
                "Invalid Policy Source Arn: caller's account {own} does not have access to \
                 policies in account {account}."
            )));
        }
        let found = match kind {
            "user" => view.account.user(name).map(Self::User),
            "group" => view.account.group(name).map(Self::Group),
            "role" => view.account.role(name).map(Self::Role),
            _ => None,
        };
        found.ok_or_else(|| MissingEntity::Simulated.into())
    }

    pub(super) fn arn(self, view: &StateView<'_>) -> String {
        match self {
            Self::User(user) => user.arn(view.id()).to_string(),
            Self::Group(group) => group.arn(view.id()).to_string(),
            Self::Role(role) => role.arn(view.id()).to_string(),
        }
    }

    /// The identity policies in effect, without the excluded ones.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if one cannot be read.
    pub(super) fn policies(
        self,
        view: &StateView<'_>,
        excluded: &[iam::PolicyIdentifier],
    ) -> Result<Vec<InputPolicy>, IamFault> {
        let mut all = Vec::new();
        match self {
            Self::User(user) => {
                add(view, ("user", &user.name, &user.grants), excluded, &mut all)?;
                let groups = user.groups.iter();
                for group in groups.filter_map(|id| view.account.group_by_id(*id)) {
                    let owner = ("group", group.name.as_str(), &group.grants);
                    add(view, owner, excluded, &mut all)?;
                }
            }
            Self::Group(group) => {
                let owner = ("group", group.name.as_str(), &group.grants);
                add(view, owner, excluded, &mut all)?;
            }
            Self::Role(role) => {
                add(view, ("role", &role.name, &role.grants), excluded, &mut all)?;
            }
        }
        Ok(all)
    }

    /// The permissions boundary, unless it is excluded.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if it cannot be read.
    pub(super) fn boundary(
        self,
        view: &StateView<'_>,
        excluded: &[iam::PolicyIdentifier],
    ) -> Result<Option<InputPolicy>, IamFault> {
        let boundary = match self {
            Self::User(user) => user.boundary.as_ref(),
            Self::Role(role) => role.boundary.as_ref(),
            Self::Group(_) => None,
        };
        boundary
            .filter(|_| !excludes_type(excluded, "permission-boundary"))
            .map(|arn| managed(view, arn))
            .transpose()
    }
}

/// Splits `arn:PARTITION:iam::ACCOUNT:KIND/…/NAME` of a user, group or role into kind, account and
/// name.
pub(super) fn entity(arn: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam", "", account, path] = parts.as_slice() else {
        return None;
    };
    let (kind, rest) = path.split_once('/')?;
    let name = rest.rsplit('/').next().filter(|name| !name.is_empty())?;
    let known = matches!(kind, "user" | "group" | "role");
    known.then_some((kind, *account, name))
}

/// Adds an owner's policies. An attached policy is added once, however many owners have it.
fn add(
    view: &StateView<'_>,
    (kind, name, grants): (&str, &str, &DirectGrants),
    excluded: &[iam::PolicyIdentifier],
    all: &mut Vec<InputPolicy>,
) -> Result<(), IamFault> {
    for inline in &grants.inline {
        if excludes_inline(excluded, (kind, name, &inline.name)) {
            continue;
        }
        let id = format!("{kind}_{name}_{}", inline.name);
        let given = InputPolicy::read(id, Arc::clone(inline.text()));
        all.push(given.ok_or_else(|| unreadable(&inline.name))?);
    }
    for arn in &grants.attached {
        if excludes_managed(excluded, arn) {
            continue;
        }
        let given = managed(view, arn)?;
        let known = |known: &InputPolicy| Arc::ptr_eq(&known.text, &given.text);
        if !all.iter().any(known) {
            all.push(given);
        }
    }
    Ok(())
}

/// A managed policy's default version, under the policy's name.
fn managed(view: &StateView<'_>, arn: &str) -> Result<InputPolicy, IamFault> {
    if let Some(policy) = view.catalogue().by_arn(arn) {
        let given = InputPolicy::read(policy.name.clone(), Arc::clone(&policy.document));
        return given.ok_or_else(|| unreadable(arn));
    }
    let parsed = Arn::parse(arn).ok();
    let policy = parsed.and_then(|arn| view.account.policy_by_arn(&arn));
    let version = policy.and_then(|policy| Some((policy, policy.default()?)));
    let given = version.and_then(|(policy, version)| {
        InputPolicy::read(policy.name.clone(), Arc::clone(version.text()))
    });
    given.ok_or_else(|| unreadable(arn))
}

fn unreadable(name: &str) -> IamFault {
    IamFault::Internal(format!("the policy {name} cannot be read"))
}

/// Whether all policies of a type are excluded: `inline`, `aws-managed`, `user-managed`, or
/// `permission-boundary`.
fn excludes_type(excluded: &[iam::PolicyIdentifier], kind: &str) -> bool {
    let mut kinds = excluded.iter().filter_map(|p| p.policy_type.as_deref());
    kinds.any(|excluded| excluded == kind)
}

/// Whether an attached policy is excluded. AWS identifies it by its ARN without the path.
fn excludes_managed(excluded: &[iam::PolicyIdentifier], arn: &str) -> bool {
    let own = if arn.starts_with("arn:aws:iam::aws:") {
        "aws-managed"
    } else {
        "user-managed"
    };
    let pathless = match (arn.split_once('/'), arn.rsplit_once('/')) {
        (Some((head, _)), Some((_, name))) => format!("{head}/{name}"),
        _ => arn.to_owned(),
    };
    let mut arns = excluded.iter().filter_map(|p| p.policy_arn.as_deref());
    excludes_type(excluded, own) || arns.any(|excluded| excluded == arn || excluded == pathless)
}

fn excludes_inline(
    excluded: &[iam::PolicyIdentifier],
    (kind, owner, name): (&str, &str, &str),
) -> bool {
    let mut named = excluded
        .iter()
        .filter_map(|policy| policy.inline_policy_identifier.as_ref());
    let this = |policy: &iam::InlinePolicyIdentifierType| {
        policy.attachment_type == kind
            && policy.attachment_name.eq_ignore_ascii_case(owner)
            && policy.policy_name.eq_ignore_ascii_case(name)
    };
    excludes_type(excluded, "inline") || named.any(this)
}
