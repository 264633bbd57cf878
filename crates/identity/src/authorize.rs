//! The authorizer: the only place that approves actions and turns an approval into a [`Permit`].
//!
//! Invariant: it fails closed. Denied, unknown, and an error during the decision all mean denied.
//! Error messages are AWS's (`User: … is not authorized to perform: … on resource: … because …`).

mod effective;
mod federated;
mod implied;
mod organizations;
mod permit;

use std::{marker::PhantomData, sync::Arc};

use keywright_base::{AccountId, Arn};
use keywright_policy::{AccessRequest, Decision, PoliciesInForce, Policy, PolicySet, PrincipalRef};
use keywright_wire::{Operation, OperationShape};

use self::effective::effective;
pub use self::organizations::organization_key;
pub(crate) use self::{
    effective::policies_of,
    federated::{FederatedIdentity, FederatedPermit, FederatedRequest},
    implied::{decide_on_every, implied_by, is_assuming},
    organizations::{ORGANIZATION_KEYS, resource_control, service_controlled, withhold_guardrails},
    permit::{
        LongDecision, approve_at_length, approve_shortly, approve_step, may, nobody_trusted,
        would_permit,
    },
};
use crate::{
    action::PreparedAction,
    caller::Caller,
    denials::{DenialEvidence, TargetPolicies, TargetPolicy},
    fault::IamFault,
    ledger::IamLedger,
    principal::Principal,
    state::{Account, Role, Tag},
    view::{RequestContext, StateView},
};

/// Permission to run an operation once. Not `Clone`, and only this module creates one.
#[derive(Debug)]
#[must_use]
pub(crate) struct Approval(&'static Operation);

/// Permission to run one action once. Not `Clone`, and made only from the [`Approval`] of the same
/// operation.
#[derive(Debug)]
#[must_use]
pub struct Permit<A>(PhantomData<A>);

impl<A: PreparedAction> Permit<A> {
    /// # Errors
    /// [`IamFault::Internal`] if another operation was approved.
    pub(crate) fn of(Approval(approved): Approval) -> Result<Self, IamFault> {
        if std::ptr::eq(approved, <A::Shape as OperationShape>::OPERATION) {
            return Ok(Self(PhantomData));
        }
        let name = approved.name;
        Err(IamFault::Internal(format!("the approval is for {name}")))
    }
}

/// The permissions that an action requires.
#[derive(Debug)]
pub enum Requirement {
    /// None: AWS allows this for every verified caller.
    Nothing,
    /// All of these. An empty list is denied.
    All(Vec<AuthTarget>),
    /// For an action of the extension whose own targets differ from what the action is about.
    On {
        /// All of these. An empty list is denied.
        own: Vec<AuthTarget>,
        /// The resources on which the implied actions are authorized.
        subjects: Vec<AuthTarget>,
    },
}

impl Requirement {
    /// One target.
    pub fn one(target: AuthTarget) -> Self {
        Self::All(vec![target])
    }
}

/// One resource that an action is authorized on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthTarget {
    /// The policy action if it is not the operation's own (`iam:TagUser` for CreateUser with tags).
    pub action: Option<&'static str>,
    /// The ARN that policies match, or `*`.
    pub resource: String,
    /// Whether the target means every ARN with the prefix `resource`, including those that do not
    /// exist yet.
    pub every: bool,
    /// The resource in AWS's error message, for example `user bob`.
    pub display: String,
    /// Tags of the resource, for `aws:ResourceTag/…` and `iam:ResourceTag/…`.
    pub resource_tags: Vec<Tag>,
    /// Tags in the request, for `aws:RequestTag/…` and `aws:TagKeys`.
    pub request_tags: Vec<Tag>,
    /// Tag keys to remove, for `aws:TagKeys`.
    pub tag_keys: Vec<String>,
    /// Other condition keys of the action, for example `iam:PolicyARN`.
    pub keys: Vec<(&'static str, String)>,
    /// The account that owns the resource, if it is not the caller's.
    pub owner: Option<AccountId>,
    /// The trust policy that must also allow the action, for a role to be assumed.
    pub trust: Option<TrustCheck>,
}

/// A role of any account of the installation.
#[derive(Debug, Clone)]
pub struct AssumableRole {
    /// The role's account.
    pub account: AccountId,
    /// The role as stored in that account.
    pub role: Arc<Role>,
}

impl AssumableRole {
    /// The role with this ARN.
    pub fn find(view: &StateView<'_>, arn: &str) -> Option<Self> {
        let account = account_in(arn)?;
        let role = if account == view.id() {
            Arc::clone(view.account.role_by_arn(arn)?)
        } else {
            let cell = view.ledger.account(account)?;
            Arc::clone(cell.snapshot().role_by_arn(arn)?)
        };
        Some(Self { account, role })
    }
}

/// The account that an ARN names: what belongs to it must not depend on whether it exists.
pub(crate) fn account_in(arn: &str) -> Option<AccountId> {
    Arn::parse(arn).ok()?.account().parse().ok()
}

/// The trust side of assuming a role.
#[derive(Debug, Clone)]
pub enum TrustCheck {
    /// The role's trust policy decides.
    Policy(Arc<Policy>),
    /// There is no such role, or its trust policy is unreadable.
    Nobody,
}

impl PartialEq for TrustCheck {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Policy(one), Self::Policy(other)) => Arc::ptr_eq(one, other),
            (Self::Nobody, Self::Nobody) => true,
            (Self::Policy(_), Self::Nobody) | (Self::Nobody, Self::Policy(_)) => false,
        }
    }
}

impl Eq for TrustCheck {}

impl AuthTarget {
    /// A resource by ARN, with its name in messages.
    pub fn new(resource: impl Into<String>, listed: impl Into<String>) -> Self {
        Self {
            action: None,
            resource: resource.into(),
            every: false,
            display: listed.into(),
            resource_tags: Vec::new(),
            request_tags: Vec::new(),
            tag_keys: Vec::new(),
            keys: Vec::new(),
            owner: None,
            trust: None,
        }
    }

    /// The whole account: `*`.
    pub fn everything() -> Self {
        Self::new("*", "*")
    }

    /// The root user.
    pub fn root(view: &StateView<'_>) -> Self {
        let arn = Arn::iam(view.id(), "root").to_string();
        Self::new(arn.clone(), arn)
    }

    /// A user by name, with the stored path, case and tags if it exists.
    pub fn user(view: &StateView<'_>, name: &str) -> Self {
        let listed = format!("user {name}");
        match view.account.user(name) {
            Some(user) => Self {
                resource_tags: user.tags.clone(),
                ..Self::new(user.arn(view.id()).to_string(), listed)
            },
            None => Self::new(format!("arn:aws:iam::{}:user/{name}", view.id()), listed),
        }
    }

    /// A user by name, with its permissions boundary for `iam:PermissionsBoundary`.
    pub fn bounded_user(view: &StateView<'_>, name: &str) -> Self {
        let target = Self::user(view, name);
        let user = view.account.user(name);
        match user.and_then(|user| user.boundary.as_deref()) {
            Some(arn) => target.with_key("iam:PermissionsBoundary", arn),
            None => target,
        }
    }

    /// A role by name, with the stored path, case and tags if it exists.
    pub fn role(view: &StateView<'_>, name: &str) -> Self {
        let listed = format!("role {name}");
        match view.account.role(name) {
            Some(role) => Self {
                resource_tags: role.tags.clone(),
                ..Self::new(role.arn(view.id()).to_string(), listed)
            },
            None => Self::new(format!("arn:aws:iam::{}:role/{name}", view.id()), listed),
        }
    }

    /// A role by name, with its permissions boundary for `iam:PermissionsBoundary`.
    pub fn bounded_role(view: &StateView<'_>, name: &str) -> Self {
        let target = Self::role(view, name);
        let role = view.account.role(name);
        match role.and_then(|role| role.boundary.as_deref()) {
            Some(arn) => target.with_key("iam:PermissionsBoundary", arn),
            None => target,
        }
    }

    /// A role to be assumed, whose trust policy must also allow the action.
    pub fn assumed(role: Option<&AssumableRole>, arn: &str) -> Self {
        let trust = role.and_then(|it| it.role.trust.compiled());
        Self {
            resource_tags: role.map(|it| it.role.tags.clone()).unwrap_or_default(),
            owner: account_in(arn),
            trust: Some(trust.map_or(TrustCheck::Nobody, |it| TrustCheck::Policy(Arc::clone(it)))),
            ..Self::new(arn, arn)
        }
    }

    /// An instance profile by name, with the stored path, case and tags if it exists.
    pub fn instance_profile(view: &StateView<'_>, name: &str) -> Self {
        let listed = format!("instance profile {name}");
        match view.account.instance_profile(name) {
            Some(profile) => Self {
                resource_tags: profile.tags.clone(),
                ..Self::new(profile.arn(view.id()).to_string(), listed)
            },
            None => {
                let arn = Arn::iam(view.id(), &format!("instance-profile/{name}"));
                Self::new(arn.to_string(), listed)
            }
        }
    }

    /// An OpenID Connect provider by ARN.
    pub fn open_id_provider(view: &StateView<'_>, arn: &str) -> Self {
        let provider = view.account.open_id_provider(arn);
        Self {
            resource_tags: provider.map(|it| it.tags.clone()).unwrap_or_default(),
            ..Self::new(arn, arn)
        }
    }

    /// A role that is passed to a service.
    pub fn passed_role(view: &StateView<'_>, name: &str, service: &str) -> Self {
        let target = Self::role(view, name);
        Self {
            display: target.resource.clone(),
            ..target
        }
        .with_key("iam:PassedToService", service)
        .as_action("iam:PassRole")
    }

    /// A group by name, with the stored path and case if it exists.
    pub fn group(view: &StateView<'_>, name: &str) -> Self {
        let listed = format!("group {name}");
        match view.account.group(name) {
            Some(group) => Self::new(group.arn(view.id()).to_string(), listed),
            None => Self::new(format!("arn:aws:iam::{}:group/{name}", view.id()), listed),
        }
    }

    /// A managed policy by ARN.
    pub fn policy(view: &StateView<'_>, arn: &str) -> Self {
        let parsed = Arn::parse(arn).ok();
        let stored = parsed.and_then(|arn| view.account.policy_by_arn(&arn));
        let target = Self::new(arn, format!("policy {arn}"));
        match stored {
            Some(policy) => Self {
                resource: policy.arn(view.id()).to_string(),
                resource_tags: policy.tags.clone(),
                ..target
            },
            None => target,
        }
    }

    /// A virtual MFA device by serial number.
    pub fn mfa(view: &StateView<'_>, serial: &str) -> Self {
        match view.account.device(serial) {
            Some(device) => Self {
                resource_tags: device.tags.clone(),
                ..Self::new(device.serial(view.id()).to_string(), serial)
            },
            None => Self::new(serial, serial),
        }
    }

    /// A server certificate by name, with the stored path, case and tags if it exists.
    pub fn server_certificate(view: &StateView<'_>, name: &str) -> Self {
        let listed = format!("server certificate {name}");
        match view.account.server_certificate(name) {
            Some(certificate) => Self {
                resource_tags: certificate.tags.clone(),
                ..Self::new(certificate.arn(view.id()).to_string(), listed)
            },
            None => {
                let arn = Arn::iam(view.id(), &format!("server-certificate/{name}"));
                Self::new(arn.to_string(), listed)
            }
        }
    }

    /// A SAML provider by ARN, with its tags if it exists.
    pub fn saml_provider(view: &StateView<'_>, arn: &str) -> Self {
        let provider = view.account.saml_provider(arn);
        Self {
            resource_tags: provider.map(|it| it.tags.clone()).unwrap_or_default(),
            ..Self::new(arn, arn)
        }
    }

    /// The existing entity with this ARN in the account: a user, role, instance profile, group,
    /// managed policy, MFA device, server certificate, OpenID Connect or SAML provider.
    pub fn existing(view: &StateView<'_>, arn: &str) -> Option<Self> {
        let parsed = Arn::parse(arn).ok()?;
        let (kind, path) = parsed.resource().split_once('/')?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let found = match kind {
            "user" if view.account.user(name).is_some() => Self::user(view, name),
            "role" if view.account.role(name).is_some() => Self::role(view, name),
            "instance-profile" if view.account.instance_profile(name).is_some() => {
                Self::instance_profile(view, name)
            }
            "group" if view.account.group(name).is_some() => Self::group(view, name),
            "policy" if view.account.policy_by_arn(&parsed).is_some() => Self::policy(view, arn),
            "server-certificate" if view.account.server_certificate(name).is_some() => {
                Self::server_certificate(view, name)
            }
            "saml-provider" if view.account.saml_provider(arn).is_some() => {
                Self::saml_provider(view, arn)
            }
            "mfa" if view.account.device(arn).is_some() => Self::mfa(view, arn),
            "oidc-provider" if view.account.open_id_provider(arn).is_some() => {
                Self::open_id_provider(view, arn)
            }
            _ => return None,
        };
        (found.resource == arn).then_some(found)
    }

    /// The principal with this ARN, displayed by its ARN: a user or role with its tags, or one that
    /// may not exist. A session of a role counts as the role.
    pub fn principal(view: &StateView<'_>, arn: &str) -> Self {
        let role = view.account.role_of_session(arn);
        let role = role.map(|role| Self::role(view, &role.name));
        let existing = role.or_else(|| Self::existing(view, arn));
        Self {
            display: arn.to_owned(),
            ..existing.unwrap_or_else(|| Self::new(arn, arn))
        }
    }

    /// Adds a condition key of the action.
    #[must_use]
    pub fn with_key(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.keys.push((key, value.into()));
        self
    }

    /// Sets the tags of the request.
    #[must_use]
    pub fn with_request_tags(mut self, tags: Vec<Tag>) -> Self {
        self.request_tags = tags;
        self
    }

    /// Requires another policy action than the operation's own.
    #[must_use]
    pub const fn as_action(mut self, action: &'static str) -> Self {
        self.action = Some(action);
        self
    }
}

/// A resource of another service (S3) with its resource policy.
#[derive(Debug, Clone)]
pub struct ForeignResource<'a> {
    /// Its ARN, or `*`.
    pub arn: &'a str,
    /// The account that owns it.
    pub owner: Option<AccountId>,
    /// Its resource policy.
    pub policy: Option<&'a Arc<Policy>>,
}

/// A denial by [`decide`].
#[derive(Debug)]
pub struct AccessDenied {
    /// The end of AWS's message: `because no identity-based policy allows the … action`.
    pub why: String,
    /// What led to the denial. `None` for an anonymous caller.
    pub evidence: Option<Box<DenialEvidence>>,
}

/// The outcome of [`decide`] and its cost.
#[derive(Debug)]
pub struct MeasuredOutcome {
    /// Whether the action is allowed.
    pub outcome: Result<(), AccessDenied>,
    /// Matching steps used.
    pub steps: u64,
    /// Whether it was denied because the step limit was reached.
    pub cut_short: bool,
}

/// Who makes a request, in the accounts of the installation.
#[derive(Debug, Clone, Copy)]
pub struct RequestSubject<'a> {
    /// The accounts.
    pub ledger: &'a IamLedger,
    /// The caller with its account. An anonymous one has none and can be allowed only by the
    /// resource's policy.
    pub caller: Option<(&'a Caller, &'a Account)>,
}

/// Decides an action of a service that keeps its own resources, within a step limit.
///
/// `names` returns, for a denial, the service's own condition keys that the context may have.
/// Without it, no evidence is collected.
pub fn decide(
    subject: RequestSubject<'_>,
    action: &str,
    resource: &ForeignResource<'_>,
    context: &dyn keywright_policy::ContextLookup,
    steps_max: u64,
    names: Option<impl FnOnce() -> Vec<String>>,
) -> MeasuredOutcome {
    let RequestSubject { ledger, caller } = subject;
    let set = caller.map_or_else(PolicySet::default, |(caller, account)| {
        effective(ledger, account, caller)
    });
    let principal = caller.map(|(caller, _)| caller.principal());
    let request = AccessRequest {
        principal: principal.map_or(PrincipalRef::Anonymous, Principal::reference),
        action,
        resource: resource.arn,
        owner: resource.owner,
        context,
    };
    let policy = binding(resource.policy, &request);
    let control = resource_control(ledger, resource.owner);
    let policies = PoliciesInForce {
        resource_control: control.as_deref().unwrap_or_default(),
        ..PoliciesInForce::new(&set)
    };
    let policies = match policy {
        Some(policy) => policies.with_resource(policy),
        None => policies,
    };
    let measured = policies.decide_within(&request, steps_max);
    let outcome = match measured.decision {
        Decision::Allow => Ok(()),
        Decision::Deny(reason) => {
            let evidence = names.and_then(|names| {
                let mut names = names();
                names.extend(crate::conditions::common_names(caller));
                let (caller, account) = caller?;
                let who = caller.principal().clone();
                let target = TargetPolicies {
                    own: policy.map(|it| TargetPolicy::Resource(Arc::clone(it))),
                    control: control.unwrap_or_default(),
                };
                let retained = DenialEvidence::keep(who, &request, &set, target, names);
                Some(retained.of_caller(account, caller))
            });
            Err(AccessDenied {
                why: reason.sentence(action),
                evidence: evidence.map(Box::new),
            })
        }
    };
    MeasuredOutcome {
        outcome,
        steps: measured.steps,
        cut_short: measured.cut_short,
    }
}

/// The policy of a resource, unless it does not apply. The root user of a bucket's account may
/// read, replace and delete the bucket's policy regardless of its contents, because otherwise a
/// policy that denies everyone could never be removed.
pub(crate) fn binding<'a>(
    policy: Option<&'a Arc<Policy>>,
    request: &AccessRequest<'_>,
) -> Option<&'a Arc<Policy>> {
    let owner = matches!(request.principal, PrincipalRef::Root { account, .. }
        if request.owner == Some(account));
    let freed = ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"];
    let freed = freed.iter().any(|name| {
        let action = request.action.split_once(':');
        action.is_some_and(|(service, action)| {
            service.eq_ignore_ascii_case("s3") && action.eq_ignore_ascii_case(name)
        })
    });
    policy.filter(|_| !(owner && freed))
}

/// The condition keys of every request, for services that keep their own resources.
#[must_use]
pub fn common<'a>(
    caller: Option<(&'a Caller, &'a Account)>,
    facts: &'a RequestContext,
    key: &str,
) -> keywright_policy::ContextValues<'a> {
    crate::conditions::common(caller, facts, key)
}
