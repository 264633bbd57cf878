//! What an authorized action can do before it runs.

use std::sync::Arc;

use keywright_base::{AccessKeyId, AccountId, Secret, limits};
use keywright_policy::{ContextLookup, ContextValues, Policy};
use keywright_store::contract::{IssuedSession, KeyAttempt, SessionPage, StoreError};

use crate::{
    authorize::{self, AccessDenied, ForeignResource, RequestSubject, decide, organization_key},
    denials::DenialEvidence,
    event::RequestRecord,
    fault::IamFault,
    on_behalf::OnBehalf,
    rotations::{PermissionCheck, RotationCaller, RotationEngine},
    service::Identity,
    state::Account,
    usage::KeyUsage,
    view::{ResourcePolicy, StateView},
    work::WorkOwner,
};

/// The services available to [`PreparedAction::prepare`](super::PreparedAction::prepare).
pub struct Preparation<'a> {
    pub(super) identity: &'a Arc<Identity>,
    /// The record of the request.
    pub(super) record: &'a Arc<RequestRecord>,
    /// The state on which the request was authorized.
    pub(super) snapshot: &'a Arc<Account>,
    /// The view of that state.
    pub view: StateView<'a>,
    /// Repeats the authorization of the request.
    pub(super) permission: &'a dyn PermissionCheck,
}

impl std::fmt::Debug for Preparation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Preparation({:?})", self.view)
    }
}

impl<'a> Preparation<'a> {
    /// The Argon2id hash of a new password.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if the queue is full or the wait takes too long.
    pub async fn hash(&self, password: &Secret<String>) -> Result<String, IamFault> {
        let passwords = &self.identity.passwords;
        passwords.hash(self.owner(), password.clone()).await
    }

    /// Returns each of these hashes with whether a password matches it.
    ///
    /// # Errors
    /// As [`Preparation::hash`].
    pub async fn matches(
        &self,
        password: &Secret<String>,
        hashes: Vec<String>,
    ) -> Result<Vec<(String, bool)>, IamFault> {
        let passwords = &self.identity.passwords;
        let matches = passwords.matches(self.owner(), password.clone(), hashes);
        matches.await
    }

    /// The attempts with an inactive key, latest first, and their total.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if the store fails.
    pub async fn attempts(&self, key: AccessKeyId) -> Result<(Vec<KeyAttempt>, u64), IamFault> {
        self.identity.usage.attempts(key).await.map_err(failed)
    }

    /// A page of the sessions issued by a key, latest expiry first.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if the store fails.
    pub async fn sessions(&self, page: SessionPage) -> Result<Vec<IssuedSession>, IamFault> {
        self.identity.store.sessions(page).await.map_err(failed)
    }

    /// The account that has this alias.
    pub fn alias_holder(&self, alias: &str) -> Option<AccountId> {
        self.identity.ledger.alias_holder(alias)
    }

    /// The owner and policy of another service's resource, or `None` if there is no such resource.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if they cannot be determined.
    pub async fn resource(&self, arn: &str) -> Result<Option<ResourcePolicy>, IamFault> {
        match self.identity.resources.get() {
            Some(resources) => resources(arn.to_owned()).await.map_err(IamFault::Internal),
            None => Ok(None),
        }
    }

    /// As [`Preparation::resource`], for a response that quotes the resource's policy: a policy
    /// that denies the caller permission to read it also denies the request. `then` is the policy
    /// that a past request was decided by. Tags that the caller may not read are left out.
    ///
    /// # Errors
    /// [`IamFault::AccessDenied`], or as [`Preparation::resource`].
    pub async fn quotable_resource(
        &self,
        arn: &str,
        then: Option<&DenialEvidence>,
    ) -> Result<QuotableResource, IamFault> {
        let mut found = self.resource(arn).await?;
        let then_tags: Vec<_> = then.into_iter().flat_map(|it| it.resource_tags()).collect();
        let then = then.and_then(DenialEvidence::own_resource_policy);
        let mut questions: Vec<_> = then
            .map(|then| (Some(then), then_tags))
            .into_iter()
            .collect();
        // Resources of other accounts are refused later, with a different message.
        let own = found.as_ref().filter(|it| it.owner == self.view.id());
        questions.extend(own.map(|it| {
            let tags = it
                .tags
                .iter()
                .flatten()
                .map(|(key, value)| (&**key, &**value));
            (it.policy_for(Some(self.view.id())), tags.collect())
        }));
        let mut disclosed = true;
        for (policy, tags) in &questions {
            check_readable(&self.view, arn, *policy)?;
            disclosed &= may_read_tags(&self.view, arn, (*policy, tags));
        }
        if let Some(resource) = found.as_mut().filter(|_| !disclosed) {
            resource.tags = None;
        }
        Ok(QuotableResource {
            resource: found,
            disclosed,
        })
    }

    /// Computes from the account's state outside the request threads, in the caller's turn.
    ///
    /// # Errors
    /// [`IamFault::Throttled`] if the queue is full or the wait takes too long.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Account) -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let snapshot = Arc::clone(self.snapshot);
        let place = self.identity.heavy.enter(self.owner()).await?;
        place.run(move || work(&snapshot)).await
    }

    /// As [`Preparation::compute`], with a view of the newest durable state.
    ///
    /// # Errors
    /// As [`Preparation::compute`].
    pub async fn compute_on_view<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StateView<'_>) -> T + Send + 'static,
    ) -> Result<T, IamFault> {
        let (identity, record) = (Arc::clone(self.identity), Arc::clone(self.record));
        let cell = identity.ledger.account(self.view.id());
        let cell = cell.ok_or_else(|| IamFault::Internal("the account is gone".to_owned()))?;
        let place = self.identity.heavy.enter(self.owner()).await?;
        let work = move || {
            let snapshot = cell.snapshot().clone();
            let caller = super::verified_caller(&record)?;
            Ok(work(&identity.view(&snapshot, (&record, caller))))
        };
        place.run(work).await?
    }

    /// Last uses, for long-running work.
    pub fn usage(&self) -> &Arc<KeyUsage> {
        &self.identity.usage
    }

    /// The identity under which the rotation engine acts for the caller.
    ///
    /// # Errors
    /// As [`OnBehalf::of`].
    pub fn rotation_caller(&self) -> Result<RotationCaller<'a>, IamFault> {
        let principal = OnBehalf::of(self.view.caller)?;
        Ok(RotationCaller::new(principal, self.permission))
    }

    /// The rotation engine.
    ///
    /// # Errors
    /// [`IamFault::Internal`] if there is none.
    pub fn engine(&self) -> Result<&'a dyn RotationEngine, IamFault> {
        self.view.engine()
    }

    const fn owner(&self) -> WorkOwner {
        WorkOwner::of(self.view.caller)
    }
}

/// A resource that a response may quote.
#[derive(Debug)]
pub struct QuotableResource {
    /// The resource, if it exists.
    pub resource: Option<ResourcePolicy>,
    /// Whether the caller may read the tags of its object.
    pub disclosed: bool,
}

/// The action that reads a bucket's policy.
const READ_POLICY: &str = "s3:GetBucketPolicy";
/// The action that reads an object's tags.
const READ_TAGS: &str = "s3:GetObjectTagging";

fn check_readable(
    view: &StateView<'_>,
    arn: &str,
    policy: Option<&Arc<Policy>>,
) -> Result<(), IamFault> {
    let bucket = arn.split('/').next().unwrap_or(arn);
    ask(view, (READ_POLICY, bucket), (policy, &[])).map_err(|denied| {
        let (user, why) = (view.caller.arn(), denied.why);
        IamFault::AccessDenied(format!(
            "User: {user} is not authorized to perform: {READ_POLICY} on resource: {bucket} {why}"
        ))
    })
}

/// Whether the caller may read the tags of an object. A bucket has none of this kind.
fn may_read_tags(view: &StateView<'_>, arn: &str, with: QuotedPolicy<'_>) -> bool {
    !arn.contains('/') || ask(view, (READ_TAGS, arn), with).is_ok()
}

/// The policy of a resource of the caller's account, and the tags of its object.
type QuotedPolicy<'a> = (Option<&'a Arc<Policy>>, &'a [(&'a str, &'a str)]);

fn ask(
    view: &StateView<'_>,
    (action, arn): (&str, &str),
    (policy, tags): QuotedPolicy<'_>,
) -> Result<(), AccessDenied> {
    let question = ForeignResource {
        arn,
        owner: Some(view.id()),
        policy,
    };
    let context = CallerContext { view, tags };
    let caller = RequestSubject {
        ledger: view.ledger,
        caller: Some((view.caller, view.account)),
    };
    let names = None::<fn() -> Vec<String>>;
    let steps_max = limits::DECISION_STEPS;
    decide(caller, action, &question, &context, steps_max, names).outcome
}

/// The condition keys that follow from the caller, the request and the object.
struct CallerContext<'a> {
    view: &'a StateView<'a>,
    tags: &'a [(&'a str, &'a str)],
}

impl ContextLookup for CallerContext<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        let view = self.view;
        if let Some((name, tag)) = key.split_once('/')
            && name.eq_ignore_ascii_case("s3:ExistingObjectTag")
        {
            return ContextValues::of_tag(self.tags.iter().copied(), tag);
        }
        // Only resources of the caller's account are decided here.
        let organization = organization_key(view.ledger, Some(view.account), Some(view.id()), key);
        let common = || authorize::common(Some((view.caller, view.account)), view.context, key);
        organization.unwrap_or_else(common)
    }
}

fn failed(error: StoreError) -> IamFault {
    IamFault::Internal(error.to_string())
}
