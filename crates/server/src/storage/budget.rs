//! The cost limit for the decisions of one request, and the expensive decisions that can be reused.
//!
//! Invariants: the steps of all decisions of a request are bounded together, and a decision is
//! reused only if everything it depends on is unchanged.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use keywright_base::{AccountId, limits};
use keywright_identity::state::Account;

use keywright_s3::{BucketPolicy, S3Context, S3Resource};

/// The steps that the decisions of a request may still take.
pub(super) struct StepBudget {
    all: AtomicU64,
    /// The part that may be spent on the threads that answer requests.
    short: AtomicU64,
    /// Expensive decisions that allowed something. The same question is asked again before a write
    /// is committed, while other requests wait for the bucket.
    allowed: Mutex<Vec<BudgetedDecision>>,
}

/// Everything that a decision depends on, besides the request.
struct BudgetedDecision {
    account: Option<Arc<Account>>,
    /// Of the organizations that limit the caller or the resource.
    organizations_version: u64,
    policy: Option<Arc<BucketPolicy>>,
    action: String,
    arn: String,
    owner: Option<AccountId>,
    context: S3Context,
}

/// The state from which the caller of a request is decided.
#[derive(Debug, Clone)]
pub(super) struct AccountState {
    /// The caller's account, if there is a caller.
    pub(super) account: Option<Arc<Account>>,
    /// Read before the account and before anything of an organization.
    pub(super) organizations_version: u64,
}

/// The number of expensive decisions that a request remembers.
const LONG_DECISIONS: usize = 8;

impl Default for StepBudget {
    fn default() -> Self {
        Self {
            all: AtomicU64::new(limits::REQUEST_STEPS),
            short: AtomicU64::new(limits::SHORT_REQUEST_STEPS),
            allowed: Mutex::default(),
        }
    }
}

impl StepBudget {
    /// The steps that the request may still take.
    pub(super) fn left(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// The steps that a decision may take on a thread that answers requests.
    pub(super) fn left_shortly(&self) -> u64 {
        let left = self.short.load(Ordering::Relaxed);
        left.min(limits::SHORT_DECISION_STEPS)
    }

    pub(super) fn take(&self, steps: u64) {
        take(&self.all, steps);
    }

    pub(super) fn take_shortly(&self, steps: u64) {
        take(&self.short, steps);
    }

    /// Remembers an allowed decision if it was expensive.
    pub(super) fn remember(&self, state: AccountState, question: BudgetQuestion<'_>, steps: u64) {
        let mut allowed = self.allowed();
        if steps <= limits::SHORT_DECISION_STEPS || allowed.len() >= LONG_DECISIONS {
            return;
        }
        allowed.push(BudgetedDecision {
            account: state.account,
            organizations_version: state.organizations_version,
            policy: question.resource.policy.cloned(),
            action: question.action.to_owned(),
            arn: question.resource.arn.to_owned(),
            owner: question.resource.owner,
            context: question.context.clone(),
        });
    }

    /// Whether the same question was allowed before, on the same state.
    pub(super) fn has_allowed(&self, state: &AccountState, question: BudgetQuestion<'_>) -> bool {
        self.allowed().iter().any(|long| long.is(state, question))
    }

    fn allowed(&self) -> MutexGuard<'_, Vec<BudgetedDecision>> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(from: &AtomicU64, steps: u64) {
    let take = |left: u64| Some(left.saturating_sub(steps));
    let _ = from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
}

/// Whether both are the same allocation, or both are `None`.
fn is_same<T>(before: Option<&Arc<T>>, now: Option<&Arc<T>>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => Arc::ptr_eq(before, now),
        (None, None) => true,
        _ => false,
    }
}

impl BudgetedDecision {
    /// Whether it is the same question on the same state.
    fn is(&self, state: &AccountState, question: BudgetQuestion<'_>) -> bool {
        is_same(self.account.as_ref(), state.account.as_ref())
            && self.organizations_version == state.organizations_version
            && is_same(self.policy.as_ref(), question.resource.policy)
            && self.action == question.action
            && self.arn == question.resource.arn
            && self.owner == question.resource.owner
            && self.context == *question.context
    }
}

/// An authorization question.
#[derive(Clone, Copy)]
pub(super) struct BudgetQuestion<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a S3Resource<'a>,
    pub(super) context: &'a S3Context,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Arc<BucketPolicy> {
        let text = r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": "*"}]}"#;
        Arc::new(BucketPolicy::compile(
            &keywright_policy::parse(text).unwrap(),
        ))
    }

    fn none_of(organizations_version: u64) -> AccountState {
        AccountState {
            account: None,
            organizations_version,
        }
    }

    #[test]
    fn a_long_decision_stands_for_the_same_state_only() {
        let (now, later) = (policy(), policy());
        let (none, mut other) = (S3Context::default(), S3Context::default());
        other.keys.push(("s3:prefix".into(), vec!["a".into()]));
        let owner = Some("111122223333".parse().unwrap());
        let resource = |arn, policy, owner| S3Resource { arn, owner, policy };
        let requested = resource("arn:aws:s3:::b/k", Some(&now), owner);
        let budget = StepBudget::default();
        let put = BudgetQuestion {
            action: "s3:PutObject",
            resource: &requested,
            context: &none,
        };
        budget.remember(none_of(1), put, limits::SHORT_DECISION_STEPS);
        assert!(!budget.has_allowed(&none_of(1), put), "it was short");
        budget.remember(none_of(1), put, limits::SHORT_DECISION_STEPS + 1);
        assert!(budget.has_allowed(&none_of(1), put));
        assert!(
            !budget.has_allowed(&none_of(2), put),
            "an organization changed"
        );
        for (action, resource, context) in [
            ("s3:GetObject", requested, &none),
            (
                "s3:PutObject",
                resource("arn:aws:s3:::b/l", Some(&now), owner),
                &none,
            ),
            (
                "s3:PutObject",
                resource("arn:aws:s3:::b/k", Some(&later), owner),
                &none,
            ),
            (
                "s3:PutObject",
                resource("arn:aws:s3:::b/k", None, owner),
                &none,
            ),
            (
                "s3:PutObject",
                resource("arn:aws:s3:::b/k", Some(&now), None),
                &none,
            ),
            ("s3:PutObject", requested, &other),
        ] {
            let question = BudgetQuestion {
                action,
                resource: &resource,
                context,
            };
            assert!(!budget.has_allowed(&none_of(1), question));
        }
    }

    #[test]
    fn all_decisions_share_one_budget() {
        let budget = StepBudget::default();
        assert_eq!(budget.left_shortly(), limits::SHORT_DECISION_STEPS);
        for _ in 0..limits::SHORT_REQUEST_STEPS / limits::SHORT_DECISION_STEPS {
            budget.take_shortly(limits::SHORT_DECISION_STEPS);
        }
        assert_eq!(budget.left_shortly(), 0);
        budget.take(limits::REQUEST_STEPS - 1);
        assert_eq!(budget.left(), 1);
        budget.take(limits::DECISION_STEPS);
        assert_eq!(budget.left(), 0);
    }
}
