//! An access check in progress, and the questions that it asks.
//!
//! Invariant: [`Allowed`] exists only after the caller's authorizer has allowed a question.

use std::{any::Any, sync::Arc};

use tokio::sync::oneshot;

use keywright_base::AccountId;
use keywright_objects::{Bucket, Object, S3Fault};

use crate::{
    authorize::{CallerBusy, S3Authorizer, S3Caller, S3Context, S3Denial, S3Resource},
    policy::BucketPolicy,
};

/// Proof that a question was allowed. Only [`AccessCheck`] creates it.
#[must_use]
pub(super) struct Allowed(());

/// An access check in progress: what was looked up, and whom to ask.
pub(super) struct AccessCheck {
    pub(super) bucket: Option<Arc<Bucket>>,
    pub(super) object: Option<Arc<Object>>,
    pub(super) source: Option<Arc<Object>>,
    pub(super) context: S3Context,
    authorize: Arc<dyn S3Authorizer>,
    policy: Option<Arc<BucketPolicy>>,
}

impl AccessCheck {
    /// A check for which nothing has been looked up yet.
    pub(super) fn begin(
        caller: &S3Caller,
        bucket: Option<Arc<Bucket>>,
        policy: Option<Arc<BucketPolicy>>,
        context: S3Context,
    ) -> Self {
        let authorize = Arc::clone(&caller.authorize);
        Self {
            bucket,
            object: None,
            source: None,
            context,
            authorize,
            policy,
        }
    }

    /// Asks whether the caller may do an action on a resource of the bucket. The decision is made
    /// on this thread if it is cheap, otherwise outside the threads that answer requests.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn require(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Result<Allowed, S3Fault> {
        if let Some(decided) = self.require_shortly(action, arn, context) {
            return decided;
        }
        self.require_beside(vec![AccessQuestion::new(action, arn, context.clone())])
            .await
    }

    /// Like `require`, for several questions outside the threads that answer requests.
    pub(super) async fn require_beside(
        &self,
        questions: Vec<AccessQuestion>,
    ) -> Result<Allowed, S3Fault> {
        let (authorize, policy) = (Arc::clone(&self.authorize), self.policy.clone());
        let owner = self.owner();
        let work = move || {
            let mut allowed = Err(undecided());
            for question in &questions {
                allowed = Ok(question.decide(&*authorize, owner, policy.as_ref())?);
            }
            allowed
        };
        beside(&self.authorize, work).await?
    }

    /// Like `require`; `None` if the decision is too expensive for this thread.
    pub(super) fn require_shortly(
        &self,
        action: &str,
        arn: &str,
        context: &S3Context,
    ) -> Option<Result<Allowed, S3Fault>> {
        let resource = S3Resource {
            arn,
            owner: self.owner(),
            policy: self.policy.as_ref(),
        };
        let decided = self.authorize.check_shortly(action, &resource, context)?;
        Some(decided.map(|()| Allowed(())).map_err(denied))
    }

    /// Like `require`, however long it takes. Must not run on a thread that answers requests.
    pub(super) fn require_here(&self, question: &AccessQuestion) -> Result<Allowed, S3Fault> {
        question.decide(&*self.authorize, self.owner(), self.policy.as_ref())
    }

    /// Whether nothing here can be allowed to a caller without credentials.
    pub(super) fn denies_strangers(&self, caller: &S3Caller) -> bool {
        let policy = self.policy.as_ref();
        caller.account.is_none() && !policy.is_some_and(|policy| policy.may_allow_anonymous())
    }

    fn owner(&self) -> Option<AccountId> {
        self.bucket.as_ref().map(|bucket| bucket.owner)
    }

    /// What decisions depend on besides the question; the same allocations while nothing changed.
    pub(super) fn state(&self) -> DecisionState {
        DecisionState {
            organizations_version: self.authorize.organizations_version(),
            account: self.authorize.account_state(),
            policy: self.policy.clone(),
        }
    }
}

/// A question about one resource of a bucket.
#[derive(Clone)]
pub(super) struct AccessQuestion {
    pub(super) action: String,
    pub(super) arn: String,
    pub(super) context: S3Context,
}

impl AccessQuestion {
    pub(super) fn new(action: &str, arn: &str, context: S3Context) -> Self {
        Self {
            action: action.to_owned(),
            arn: arn.to_owned(),
            context,
        }
    }

    fn decide(
        &self,
        authorize: &dyn S3Authorizer,
        owner: Option<AccountId>,
        policy: Option<&Arc<BucketPolicy>>,
    ) -> Result<Allowed, S3Fault> {
        let resource = S3Resource {
            arn: &self.arn,
            owner,
            policy,
        };
        let decided = authorize.check(&self.action, &resource, &self.context);
        decided.map(|()| Allowed(())).map_err(denied)
    }
}

/// The state that decisions depend on.
pub(super) struct DecisionState {
    organizations_version: u64,
    account: Option<Arc<dyn Any + Send + Sync>>,
    policy: Option<Arc<BucketPolicy>>,
}

impl DecisionState {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (account, policy) = (
            (&self.account, &other.account),
            (&self.policy, &other.policy),
        );
        let same_account = match account {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        let same_policy = match policy {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_account && same_policy && self.organizations_version == other.organizations_version
    }
}

/// The fault of an operation that would run without a decision, which only a bug can cause.
pub(super) fn undecided() -> S3Fault {
    S3Fault::Internal("an operation was not authorized".into())
}

fn denied(denial: S3Denial) -> S3Fault {
    S3Fault::AccessDenied(denial.message)
}

/// Runs work for a caller outside the threads that answer requests.
///
/// # Errors
/// [`S3Fault::Throttled`].
pub(crate) async fn beside<T: Send + 'static>(
    authorize: &Arc<dyn S3Authorizer>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, S3Fault> {
    let (sender, result) = oneshot::channel();
    let work = move || drop(sender.send(work()));
    let done = authorize.run_beside(Box::new(work)).await;
    done.map_err(|CallerBusy| S3Fault::Throttled)?;
    let cut_off = |_| S3Fault::Internal("work beside the request was cut off".into());
    result.await.map_err(cut_off)
}
