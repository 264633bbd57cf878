//! The proof that the access check allowed an operation.
//!
//! Invariant: an operation runs only with a [`S3Permit`] of its own, and only the access check
//! creates one. The compiler enforces it: the fields are private to this module, constructors are
//! visible in `access` only, and everything that an operation can do with objects is a method of
//! its permit (`permitted.rs`). What a permit was decided on, the bucket, the key and the source of
//! a copy, comes with it and is never taken from the parsed input.

use std::{any::Any, marker::PhantomData, sync::Arc};

use http::HeaderMap;
use tokio::sync::oneshot;

use keywright_base::{AccountId, Arn, Timestamp};
use keywright_objects::{
    Bucket, ClaimedValue, CommitProof, Object, Objects, S3Fault, check_document,
};

use super::{S3Shared, recheck::CommitRecheck};
use crate::{
    authorize::{CallerBusy, S3Authorizer, S3Caller, S3Context, S3Denial, S3Resource},
    headers,
    policy::BucketPolicy,
    render::ErrorSlot,
    request::S3Call,
    route,
};

/// An operation of S3, named by the type of its input.
pub(crate) trait S3Operation {
    /// The name of that type: the operation's, followed by `Input`.
    const INPUT: &'static str;
    /// Whether the operation asks for its permissions itself, because they depend on its body. Its
    /// permit has no method that works without a question.
    const ASKS: bool;
}

/// Proof that a question was allowed. Only [`AccessCheck`] creates it.
#[must_use]
pub(super) struct Allowed(());

/// An access check in progress: what was looked up, and whom to ask.
pub(super) struct AccessCheck {
    pub(super) bucket: Option<Bucket>,
    pub(super) object: Option<Object>,
    pub(super) source: Option<Object>,
    pub(super) context: S3Context,
    authorize: Arc<dyn S3Authorizer>,
    policy: Option<Arc<BucketPolicy>>,
}

impl AccessCheck {
    /// A check for which nothing has been looked up yet.
    pub(super) fn begin(
        caller: &S3Caller,
        bucket: Option<Bucket>,
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
    async fn require_beside(&self, questions: Vec<AccessQuestion>) -> Result<Allowed, S3Fault> {
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
    fn require_shortly(
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

    /// Whether nothing here can be allowed to a caller without credentials.
    pub(super) fn denies_strangers(&self, caller: &S3Caller) -> bool {
        let policy = self.policy.as_ref();
        caller.account.is_none() && !policy.is_some_and(|policy| policy.may_allow_anonymous())
    }

    /// Ends the check. Without an allowed question the operation has to ask itself.
    pub(super) const fn grant(self, allowed: Option<&Allowed>) -> AccessGrant {
        AccessGrant {
            decided: allowed.is_some(),
            check: self,
        }
    }

    fn owner(&self) -> Option<AccountId> {
        self.bucket.as_ref().map(|bucket| bucket.owner)
    }

    /// What decisions depend on besides the question; the same allocations while nothing changed.
    fn state(&self) -> DecisionState {
        DecisionState {
            account: self.authorize.account_state(),
            policy: self.policy.clone(),
        }
    }
}

/// The outcome of a passed access check, before it is known for which operation it is used.
pub(super) struct AccessGrant {
    check: AccessCheck,
    /// Whether the operation itself was allowed.
    decided: bool,
}

impl AccessGrant {
    pub(super) const fn bucket(&self) -> Option<&Bucket> {
        self.check.bucket.as_ref()
    }

    pub(super) const fn source(&self) -> Option<&Object> {
        self.check.source.as_ref()
    }

    /// Approves a commit, unless the operation had to ask questions that are not allowed any more.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn prove_commit(
        self,
        answered: Option<&AnsweredQuestions>,
    ) -> Result<CommitPermit, S3Fault> {
        match answered {
            Some(answered) => answered.ask_again(&self.check).await?,
            None if self.decided => {}
            None => return Err(undecided()),
        }
        Ok(CommitPermit(()))
    }
}

/// Proof that the access check was passed again, right before a commit.
pub(super) struct CommitPermit(());

impl CommitProof for CommitPermit {}

impl From<Allowed> for CommitPermit {
    fn from(Allowed(()): Allowed) -> Self {
        Self(())
    }
}

fn undecided() -> S3Fault {
    S3Fault::Internal("an operation was not authorized".into())
}

/// A question about one resource of a bucket.
#[derive(Clone)]
pub(super) struct AccessQuestion {
    action: String,
    arn: String,
    context: S3Context,
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
struct DecisionState {
    account: Option<Arc<dyn Any + Send + Sync>>,
    policy: Option<Arc<BucketPolicy>>,
}

impl DecisionState {
    fn is_same(&self, other: &Self) -> bool {
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
        same_account && same_policy
    }
}

/// Questions that an operation asked and that were allowed. They are asked again before its commit
/// if anything has changed since.
pub(super) struct AnsweredQuestions {
    /// The state before the first of them was asked.
    state: Arc<DecisionState>,
    questions: Vec<AccessQuestion>,
}

impl AnsweredQuestions {
    async fn ask_again(&self, check: &AccessCheck) -> Result<(), S3Fault> {
        if self.questions.is_empty() {
            return Err(undecided());
        }
        if self.state.is_same(&check.state()) {
            return Ok(());
        }
        for (number, question) in self.questions.iter().enumerate() {
            let AccessQuestion {
                action,
                arn,
                context,
            } = question;
            let Some(decided) = check.require_shortly(action, arn, context) else {
                let rest = self.questions.iter().skip(number).cloned().collect();
                return check.require_beside(rest).await.map(|Allowed(())| ());
            };
            let Allowed(()) = decided?;
            if number % keywright_base::limits::DECISIONS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// Proof that the access check allowed an operation on the resource of this request, or let in one
/// that asks for its permissions itself ([`S3Operation::ASKS`]).
pub(crate) struct S3Permit<O> {
    service: Arc<S3Shared>,
    call: Arc<S3Call>,
    grant: Arc<AccessGrant>,
    operation: PhantomData<fn() -> O>,
}

impl<O: S3Operation> S3Permit<O> {
    /// Takes the permit out of a request; without one for this operation the request is denied.
    pub(crate) async fn take(
        service: &Arc<S3Shared>,
        request: s3s::S3Request<O>,
    ) -> s3s::S3Result<(Self, O)> {
        let mut extensions = request.extensions;
        let call = extensions.remove::<Arc<S3Call>>();
        let (Some(call), Some(grant)) = (call, extensions.remove::<Arc<AccessGrant>>()) else {
            return Err(s3s::S3Error::new(s3s::S3ErrorCode::AccessDenied));
        };
        let named = O::INPUT.strip_suffix("Input") == Some(call.operation());
        if !named || !(grant.decided || O::ASKS) {
            return Err(call.error.refuse(&undecided()));
        }
        let mut permit = Self {
            service: Arc::clone(service),
            call,
            grant,
            operation: PhantomData,
        };
        // The protocol layer has read this body, which may have taken long enough for permissions
        // to change.
        if permit.call.waited_for_body() {
            let again = permit.recheck(None).decide().await;
            let again = again.map_err(|fault| permit.call.error.refuse(&fault))?;
            permit.grant = Arc::new(again);
        }
        Ok((permit, request.input))
    }

    /// The service, for what needs no permission.
    pub(crate) fn service(&self) -> &S3Shared {
        &self.service
    }

    pub(crate) fn error(&self) -> ErrorSlot {
        self.call.error.clone()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.call.headers
    }

    pub(crate) fn caller(&self) -> &S3Caller {
        &self.call.caller
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.service.objects.now()
    }

    /// The request's body, if it was captured. It passed verification.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.call.body.take()
    }

    /// Verifies the checksums of a body that was parsed.
    ///
    /// # Errors
    /// As for a put; [`S3Fault::InvalidRequest`] for DeleteObjects without a checksum.
    pub(crate) fn check_document(&self) -> Result<(), S3Fault> {
        let route = self.call.route;
        if !route::has_document(route) {
            return Ok(());
        }
        let claims = headers::claims(&self.call.headers, self.call.caller.trailers.as_ref(), None)?;
        let claimed = claims.md5.is_some() || !matches!(claims.value, ClaimedValue::None);
        if !claimed && route.operation == "DeleteObjects" {
            return Err(S3Fault::InvalidRequest(
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            ));
        }
        check_document(&self.call.body.copy(), claims)
    }

    /// The caller's account, for operations that need one.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`] for an anonymous caller.
    pub(crate) fn account(&self) -> Result<AccountId, S3Fault> {
        let account = self.call.caller.account;
        account.ok_or_else(|| S3Fault::AccessDenied("Access Denied".into()))
    }

    /// The denial of an action on the bucket that no policy denies.
    pub(crate) fn refuse(&self, action: &str, why: &str) -> Result<S3Fault, S3Fault> {
        let bucket = self.bucket()?;
        let arn = Arn::s3_bucket(&bucket.name);
        let resource = S3Resource {
            arn: arn.as_str(),
            owner: Some(bucket.owner),
            policy: None,
        };
        let denial = self.call.caller.authorize.refuse(action, &resource, why);
        Ok(S3Fault::AccessDenied(denial.message))
    }

    /// The name of the bucket that the permit is for, which need not exist.
    pub(super) fn bucket_name(&self) -> Result<&str, S3Fault> {
        let name = self.call.bucket.as_deref();
        name.ok_or_else(|| S3Fault::Internal("no bucket permitted".into()))
    }

    /// The bucket that the permit is for.
    pub(crate) fn bucket(&self) -> Result<&Bucket, S3Fault> {
        let bucket = self.grant.check.bucket.as_ref();
        bucket.ok_or_else(|| S3Fault::Internal("no bucket permitted".into()))
    }

    /// The key that the permit is for.
    pub(crate) fn key(&self) -> Result<&str, S3Fault> {
        let key = self.call.key.as_deref();
        key.ok_or_else(|| S3Fault::Internal("no key permitted".into()))
    }

    /// The object that the permit is for.
    pub(crate) fn object(&self) -> Result<Object, S3Fault> {
        let object = self.grant.check.object.clone();
        object.ok_or_else(|| S3Fault::Internal("no object permitted".into()))
    }

    /// The source of a copy that the permit is for.
    pub(super) fn source(&self) -> Result<Object, S3Fault> {
        let source = self.grant.check.source.clone();
        source.ok_or_else(|| S3Fault::Internal("no source permitted".into()))
    }

    pub(super) fn check(&self) -> &AccessCheck {
        &self.grant.check
    }

    /// Objects to read from.
    pub(super) fn objects(&self) -> &Objects {
        &self.service.objects
    }

    /// Objects to write to: whatever is committed passes the whole access check again.
    pub(super) fn checked_objects(&self) -> Objects {
        let again = self.recheck(None);
        self.service.objects.checked_by(Arc::new(again))
    }

    /// The same for an operation that asked for its permissions itself.
    pub(super) fn objects_for(&self, answered: AnsweredQuestions) -> Objects {
        let again = self.recheck(Some(answered));
        self.service.objects.checked_by(Arc::new(again))
    }

    fn recheck(&self, answered: Option<AnsweredQuestions>) -> CommitRecheck {
        CommitRecheck {
            service: Arc::clone(&self.service),
            call: Arc::clone(&self.call),
            source: self.grant.source().cloned(),
            answered,
        }
    }

    /// Begins to ask for the permissions of an operation.
    pub(super) fn questions(&self) -> OperationQuestions {
        OperationQuestions {
            grant: Arc::clone(&self.grant),
            state: Arc::new(self.grant.check.state()),
        }
    }
}

/// The questions of an operation that asks for its permissions itself.
#[derive(Clone)]
pub(super) struct OperationQuestions {
    grant: Arc<AccessGrant>,
    state: Arc<DecisionState>,
}

impl OperationQuestions {
    pub(super) fn context(&self) -> &S3Context {
        &self.grant.check.context
    }

    /// Asks all questions, in order.
    ///
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn ask(
        &self,
        questions: Vec<AccessQuestion>,
    ) -> Result<AnsweredQuestions, S3Fault> {
        for question in &questions {
            let AccessQuestion {
                action,
                arn,
                context,
            } = question;
            let Allowed(()) = self.grant.check.require(action, arn, context).await?;
        }
        Ok(self.answered(questions))
    }

    /// Asks a question; gives it back if the decision is too expensive for this thread.
    pub(super) fn ask_shortly(
        &self,
        question: AccessQuestion,
    ) -> Result<Result<AnsweredQuestions, S3Fault>, AccessQuestion> {
        let AccessQuestion {
            action,
            arn,
            context,
        } = &question;
        match self.grant.check.require_shortly(action, arn, context) {
            Some(decided) => Ok(decided.map(|Allowed(())| self.answered(vec![question]))),
            None => Err(question),
        }
    }

    /// Asks a question, however long it takes. Must not run on a thread that answers requests.
    pub(super) fn ask_beside(
        &self,
        question: AccessQuestion,
    ) -> Result<AnsweredQuestions, S3Fault> {
        let check = &self.grant.check;
        let decided = question.decide(&*check.authorize, check.owner(), check.policy.as_ref());
        decided.map(|Allowed(())| self.answered(vec![question]))
    }

    fn answered(&self, questions: Vec<AccessQuestion>) -> AnsweredQuestions {
        AnsweredQuestions {
            state: Arc::clone(&self.state),
            questions,
        }
    }
}

impl AnsweredQuestions {
    /// All questions of several answers, which must come from the same [`OperationQuestions`].
    pub(super) fn joined(answers: Vec<Self>) -> Option<Self> {
        let mut answers = answers.into_iter();
        let mut joined = answers.next()?;
        joined
            .questions
            .extend(answers.flat_map(|answered| answered.questions));
        Some(joined)
    }
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
