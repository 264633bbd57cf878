//! Denied requests of proven callers, remembered for whoever asks why. An identity that a provider
//! of the account vouches for is proven too.
//!
//! It protects two rules: a denial is explained by the very policies and context that decided it,
//! however both have changed since; and remembering costs an allowed request nothing. Memory only:
//! a restart forgets. It deliberately knows nothing of requests without a proven caller, which
//! anybody could make to push the others out.

mod quoted;
mod ring;

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use keywright_base::{AccountId, Timestamp};
use keywright_policy::{
    AccessRequest, ContextMap, ContextValues, Decision, Explanation, MissingAllow, PoliciesInForce,
    Policy, PolicyLayer, PolicyLevel, PolicySet, PolicySource, PrincipalRef, StatementRef, explain,
    mentioned_keys,
};

pub(crate) use self::quoted::QuotedEntity;
use self::ring::DenialRing;
use crate::{
    authorize::{binding, withhold_guardrails},
    caller::Caller,
    event::{Projection, RequestEvent},
    names::PolicyNames,
    principal::Principal,
    state::{Account, Grantee},
    view::ResourcePolicy,
};

/// What a denial was decided from.
#[derive(Debug, Clone)]
pub struct DenialEvidence {
    /// Who asked.
    pub who: DeniedCaller,
    /// The action.
    pub action: String,
    /// The ARN of the resource, or `*`.
    pub resource: String,
    owner: Option<AccountId>,
    context: ContextMap,
    set: PolicySet,
    names: PolicyNames,
    quoted: Vec<QuotedEntity>,
    target: TargetPolicies,
}

/// The policies on the side of a request's target.
#[derive(Debug, Clone, Default)]
pub(crate) struct TargetPolicies {
    /// Its own.
    pub(crate) own: Option<TargetPolicy>,
    /// The resource control policies of its account.
    pub(crate) control: Arc<[PolicyLevel]>,
}

/// Whose request was denied.
#[derive(Debug, Clone)]
pub enum DeniedCaller {
    /// A principal of the account.
    Principal(Principal),
    /// Someone whom an identity provider of the account vouches for.
    Federated(FederatedCaller),
}

/// Someone whom an identity provider vouches for, and who is no principal yet.
#[derive(Debug, Clone)]
pub struct FederatedCaller {
    /// The account of the provider and of the role.
    pub account: AccountId,
    /// The provider's ARN.
    pub provider_arn: Arc<str>,
}

impl From<Principal> for DeniedCaller {
    fn from(principal: Principal) -> Self {
        Self::Principal(principal)
    }
}

impl DeniedCaller {
    /// The account that the denial is remembered in.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Principal(principal) => principal.account(),
            Self::Federated(caller) => caller.account,
        }
    }

    /// The principal's ARN, or the provider's.
    pub fn arn(&self) -> &str {
        match self {
            Self::Principal(principal) => principal.arn().as_str(),
            Self::Federated(caller) => &caller.provider_arn,
        }
    }

    /// The user or role that its identity policies belong to.
    pub(crate) fn grantee(&self, account: &Account) -> Option<Grantee> {
        match self {
            Self::Principal(principal) => principal.grantee(account),
            Self::Federated(_) => None,
        }
    }

    fn reference(&self) -> PrincipalRef<'_> {
        match self {
            Self::Principal(principal) => principal.reference(),
            Self::Federated(caller) => PrincipalRef::Federated(&caller.provider_arn),
        }
    }
}

/// The policy of a request's target.
#[derive(Debug, Clone)]
pub(crate) enum TargetPolicy {
    /// Of a resource.
    Resource(Arc<Policy>),
    /// Of a role that is to be assumed.
    Trust(Arc<Policy>),
}

impl TargetPolicies {
    /// The same with another policy of the target itself.
    fn with(&self, own: Option<TargetPolicy>) -> Self {
        Self {
            own,
            control: Arc::clone(&self.control),
        }
    }
}

impl DenialEvidence {
    /// Keeps what decided a request: its policies as they are, and of its context every key that
    /// they ask for or that `names` lists.
    pub(crate) fn keep(
        who: impl Into<DeniedCaller>,
        request: &AccessRequest<'_>,
        set: &PolicySet,
        target: TargetPolicies,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        let requested = mentioned_keys(&policies(set, &target));
        let mut context = ContextMap::default();
        for name in requested.into_iter().chain(names) {
            let name = name.to_lowercase();
            match request.context.get(&name) {
                ContextValues::Absent => {}
                ContextValues::One(value) => {
                    context.set(&name, ContextValues::one(value.into_owned()))
                }
                ContextValues::Ambiguous(values) => {
                    context.set(&name, ContextValues::Ambiguous(owned(values)));
                }
                ContextValues::Claims(values) => {
                    context.set(&name, ContextValues::Claims(owned(values)));
                }
                list => {
                    let values = list.as_slice().iter().map(|value| value.to_string());
                    context.set(&name, ContextValues::many(values));
                }
            }
        }
        Self {
            who: who.into(),
            action: request.action.to_owned(),
            resource: request.resource.to_owned(),
            owner: request.owner,
            context,
            set: set.clone(),
            names: PolicyNames::default(),
            quoted: Vec::new(),
            target,
        }
    }

    /// With the caller's entities and with what its policies are called.
    pub(crate) fn of_caller(self, account: &Account, caller: &Caller) -> Self {
        Self {
            names: PolicyNames::of_caller(account, caller),
            quoted: QuotedEntity::of_caller(account, caller),
            ..self
        }
    }

    /// With a role whose trust policy decided.
    pub(crate) fn with_role(mut self, role: QuotedEntity) -> Self {
        self.quoted.push(role);
        self
    }

    /// The entities that an explanation quotes, the principal first.
    pub(crate) fn quoted(&self) -> &[QuotedEntity] {
        &self.quoted
    }

    /// The policy of the resource, if the resource was the account's.
    pub(crate) fn own_resource_policy(&self) -> Option<&Arc<Policy>> {
        match &self.target.own {
            Some(TargetPolicy::Resource(policy)) if !self.is_foreign() => Some(policy),
            _ => None,
        }
    }

    /// Whether the resource is another account's.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner.is_some_and(|owner| owner != self.who.account())
    }

    /// Why it was denied. What the policy of another account's bucket or role says is left out:
    /// between accounts no reason is given. Nor is anything said about the resource itself to
    /// whom it is not `disclosed`.
    pub fn explain(&self, disclosed: bool) -> Explanation {
        let policies = policies(&self.set, &self.target);
        let mut explanation = explain(&policies, &self.request());
        self.names.name(&mut explanation);
        withhold_guardrails(&mut explanation);
        explanation.withhold(|key| self.withholds(key, disclosed));
        if self.is_foreign() {
            let foreign = [
                PolicyLayer::Resource,
                PolicyLayer::Trust,
                PolicyLayer::ResourceControl,
            ];
            let own = |statement: &StatementRef| !foreign.contains(&statement.layer);
            explanation.statements.retain(|e| own(&e.statement));
            explanation.decided_by.retain(own);
            explanation.needs.retain_mut(|need| match need {
                MissingAllow::WithoutDeny { statement, .. } => own(statement),
                MissingAllow::Allow { nearest, .. } => {
                    nearest.retain(|near| own(&near.statement));
                    true
                }
            });
        }
        explanation
    }

    /// The same, but by these resource control policies of the target's account.
    pub(crate) fn under(&self, control: Option<Arc<[PolicyLevel]>>) -> Self {
        let mut now = self.clone();
        now.target.control = control.unwrap_or_default();
        now
    }

    /// The account that owns the target.
    pub(crate) const fn owner(&self) -> Option<AccountId> {
        self.owner
    }

    /// What would be decided by other policies, all else being as it was. `resource` is the
    /// resource as it is now; `None`: its policy is taken to be the one of then.
    pub fn decide_by(&self, set: &PolicySet, resource: Option<&ResourcePolicy>) -> Decision {
        let request = self.request();
        let caller = request.principal.account();
        let now = match (&self.target.own, resource) {
            (Some(TargetPolicy::Trust(_)), _) => return self.decide_in(set),
            (_, Some(resource)) => resource.policy_for(caller),
            (Some(TargetPolicy::Resource(then)), None) => Some(then),
            (None, None) => None,
        };
        let now = binding(now, &request);
        let now = now.map(|policy| TargetPolicy::Resource(Arc::clone(policy)));
        policies(set, &self.target.with(now)).decide(&request)
    }

    /// The same with another trust policy of the role that was to be assumed.
    pub(crate) fn decide_by_trust(&self, set: &PolicySet, trust: &Arc<Policy>) -> Decision {
        let trust = TargetPolicy::Trust(Arc::clone(trust));
        policies(set, &self.target.with(Some(trust))).decide(&self.request())
    }

    fn decide_in(&self, set: &PolicySet) -> Decision {
        policies(set, &self.target).decide(&self.request())
    }

    /// Whether it was to assume a role.
    pub(crate) const fn is_of_role(&self) -> bool {
        matches!(self.target.own, Some(TargetPolicy::Trust(_)))
    }

    /// The session policies that limited it.
    pub(crate) fn session_policies(&self) -> Option<Vec<Arc<Policy>>> {
        self.set.session.clone()
    }

    /// The context, by key in lower case. What it says about the resource is left out as in
    /// [`DenialEvidence::explain`].
    pub fn context(
        &self,
        disclosed: bool,
    ) -> impl Iterator<Item = (&str, &ContextValues<'static>)> + '_ {
        let keys = self.context.iter();
        keys.filter(move |(key, _)| !self.withholds(key, disclosed))
    }

    /// Whether a condition key, in lower case, says something about the resource that its reader
    /// may not know.
    fn withholds(&self, key: &str, disclosed: bool) -> bool {
        let name = key.split_once('/').map_or(key, |(name, _)| name);
        let account = ["aws:resourceaccount", "s3:resourceaccount"];
        TAGS.contains(&name) && (!disclosed || self.is_foreign())
            || account.contains(&name) && self.is_foreign()
    }

    /// The tags of the resource, with their keys in lower case.
    pub(crate) fn resource_tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.context.iter().filter_map(|(key, values)| {
            let (name, tag) = key.split_once('/')?;
            let of_resource = TAGS.contains(&name);
            Some((tag, values)).filter(|_| of_resource)
        });
        tags.flat_map(|(tag, values)| values.as_slice().iter().map(move |value| (tag, &**value)))
    }

    /// The policies that decided it.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let attached = self.target.own.as_ref().map(|attached| match attached {
            TargetPolicy::Resource(policy) | TargetPolicy::Trust(policy) => policy,
        });
        let control = self.target.control.iter().flatten();
        let control = control.map(|(_, policy)| policy);
        self.set.policies().chain(attached).chain(control)
    }

    fn request(&self) -> AccessRequest<'_> {
        AccessRequest {
            principal: self.who.reference(),
            action: &self.action,
            resource: &self.resource,
            owner: self.owner,
            context: &self.context,
        }
    }

    /// Its size in bytes, without its policies.
    fn bytes(&self) -> usize {
        let context = self.context.iter().map(|(key, values)| {
            let values = values.as_slice().iter();
            let values = values.map(|value| size_of::<String>() + value.len());
            ENTRY_BYTES + key.len() + values.sum::<usize>()
        });
        let names = [self.who.arn(), &self.action, &self.resource];
        let names = names.map(str::len).into_iter().sum::<usize>() + self.names.bytes();
        let quoted = self.quoted.iter().map(QuotedEntity::bytes);
        let references = self.policies().count() * size_of::<(PolicySource, Arc<Policy>)>();
        names + quoted.sum::<usize>() + references + context.sum::<usize>()
    }
}

fn owned(values: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
    let values = values.into_iter().map(|value| value.into_owned().into());
    values.collect()
}

/// What an entry of the context takes beside its texts.
const ENTRY_BYTES: usize = 128;

/// Condition keys with the tags of the resource.
const TAGS: [&str; 3] = ["aws:resourcetag", "iam:resourcetag", "s3:existingobjecttag"];

fn policies<'a>(set: &'a PolicySet, target: &'a TargetPolicies) -> PoliciesInForce<'a> {
    let policies = PoliciesInForce {
        resource_control: &target.control,
        ..PoliciesInForce::new(set)
    };
    match &target.own {
        Some(TargetPolicy::Resource(policy)) => policies.with_resource(policy),
        Some(TargetPolicy::Trust(policy)) => policies.with_trust(policy),
        None => policies,
    }
}

/// A denied request.
#[derive(Debug, Clone)]
pub struct DeniedRequest {
    /// The id that its answer carried.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub source_address: IpAddr,
    /// The message of its answer.
    pub message: String,
    /// What decided.
    pub evidence: DenialEvidence,
}

impl DeniedRequest {
    /// Its size in bytes, without its policies.
    fn bytes(&self) -> usize {
        let texts = self.request_id.len() + self.message.len();
        size_of::<Self>() + texts + self.evidence.bytes()
    }
}

/// The last denials of each account.
#[derive(Debug, Default)]
pub struct DeniedRequests {
    accounts: Mutex<HashMap<AccountId, DenialRing>>,
}

impl Projection for DeniedRequests {
    fn completed(&self, event: &RequestEvent<'_>) {
        if let Some(denial) = event.denial() {
            self.record(Arc::clone(denial));
        }
    }
}

impl DeniedRequests {
    /// Remembers a denial, and forgets older ones that there is no room for.
    fn record(&self, denial: Arc<DeniedRequest>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = accounts.entry(denial.evidence.who.account()).or_default();
        ring.record(denial);
    }

    /// The denials of an account with their numbers, newest first: those before number `before`,
    /// and of one principal if given.
    pub fn list(
        &self,
        account: AccountId,
        before: Option<u64>,
        principal: Option<&str>,
        most: usize,
    ) -> Vec<(u64, Arc<DeniedRequest>)> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let denials = accounts.get(&account).map(DenialRing::denials);
        let newest_first = denials.into_iter().flat_map(|all| all.iter().rev());
        let wanted = newest_first
            .filter(|(number, _)| before.is_none_or(|before| *number < before))
            .filter(|(_, denial)| principal.is_none_or(|arn| denial.evidence.who.arn() == arn));
        wanted.take(most).cloned().collect()
    }

    /// The denial with this request id.
    pub fn find(&self, account: AccountId, request_id: &str) -> Option<Arc<DeniedRequest>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let denials = accounts.get(&account)?.denials();
        let mut newest_first = denials.iter().rev();
        let found = newest_first.find(|(_, denial)| denial.request_id == request_id);
        found.map(|(_, denial)| Arc::clone(denial))
    }
}

#[cfg(test)]
mod tests;
