//! Decides what the caller of an S3 request may do.
//!
//! Invariant: an action on a bucket or object is decided from the caller's newest policies at the
//! moment it is asked for. Without a caller only a bucket policy can allow anything.

use std::{any::Any, borrow::Cow, sync::Arc};

use keywright_base::{WireError, limits};
use keywright_identity::{
    Identity,
    authorize::{self, ForeignResource, MeasuredOutcome, RequestSubject},
    caller::Caller,
    event::RequestRecord,
    state::Account,
    stored_principals::PrincipalLookup,
};
use keywright_policy::{ContextValues, is_key, is_list_key};
use keywright_s3::{self as s3, CallerBusy, S3Authorizer, S3Context, S3Denial, S3Resource};
use keywright_sigv4::SignatureFault;

use super::{
    budget::{AccountState, BudgetQuestion, StepBudget},
    signature::SignatureConditions,
};
use crate::payload::wire_error;

/// Decides for the caller of one request, or for an anonymous one.
pub(super) struct CallerAuthorizer {
    pub(super) identity: Arc<Identity>,
    pub(super) record: Arc<RequestRecord>,
    pub(super) signature: Option<SignatureConditions>,
    pub(super) budget: StepBudget,
}

/// The condition keys of one authorization question.
struct S3Conditions<'a> {
    decider: &'a CallerAuthorizer,
    account: Option<&'a Account>,
    resource: &'a S3Resource<'a>,
    s3: &'a S3Context,
}

impl keywright_policy::ContextLookup for S3Conditions<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        if let Some(found) = s3_values(self.s3, key) {
            return found;
        }
        if key.eq_ignore_ascii_case("aws:resourceaccount") {
            let owner = self.resource.owner.map(|owner| owner.to_string());
            return owner.map_or(ContextValues::Absent, |owner| {
                ContextValues::One(owner.into())
            });
        }
        if key == "s3:tlsversion" {
            return ContextValues::optional(self.decider.record.context.tls_version);
        }
        if key.starts_with("s3:") {
            let signature = self.decider.signature.as_ref();
            return signature.map_or(ContextValues::Absent, |signature| signature.key(key));
        }
        let ledger = self.decider.identity.ledger();
        let owner = self.resource.owner;
        if let Some(found) = authorize::organization_key(ledger, self.account, owner, key) {
            return found;
        }
        let caller = self.decider.record.caller().zip(self.account);
        authorize::common(caller, &self.decider.record.context, key)
    }
}

/// The values of a key that only S3 knows. A tag key may occur several times, in different
/// spellings.
pub(super) fn s3_values<'a>(known: &'a S3Context, key: &str) -> Option<ContextValues<'a>> {
    let known = known.keys.iter();
    let same: Vec<_> = known.filter(|(name, _)| is_key(name, key)).collect();
    let values = || {
        same.iter()
            .flat_map(|(_, values)| values.iter().map(String::as_str))
    };
    Some(match same.as_slice() {
        [] => return None,
        all if is_list_key(key) || all.iter().any(|(_, values)| values.len() != 1) => {
            ContextValues::many(values())
        }
        _ if values().all(|value| Some(value) == values().next()) => {
            ContextValues::optional(values().next())
        }
        _ => ContextValues::Ambiguous(values().map(Cow::Borrowed).collect()),
    })
}

impl S3Conditions<'_> {
    /// The S3 condition keys that may have a value.
    fn names(&self) -> Vec<String> {
        let own = self.s3.keys.iter().map(|(name, _)| name.clone());
        let signature = SignatureConditions::KEYS.map(str::to_owned);
        let tls = "s3:tlsversion".to_owned();
        own.chain(signature).chain([tls]).collect()
    }
}

impl S3Authorizer for CallerAuthorizer {
    fn check_caller(&self) -> Result<(), Box<WireError>> {
        let Some(caller) = self.record.caller() else {
            return Ok(());
        };
        let cell = self.identity.ledger().account(caller.account());
        let account = cell.map(|cell| cell.snapshot().clone());
        let unknown = || SignatureFault::UnknownKey {
            access_key_id: caller.key().to_string(),
        };
        let account = account.ok_or_else(|| Box::new(wire_error(&unknown())))?;
        let authenticator = self.identity.authenticator();
        let checked = authenticator.check_again(&account, caller, self.record.context.now);
        checked.map_err(|failure| {
            self.record.note_failure(&failure);
            Box::new(wire_error(&failure.fault))
        })
    }

    fn check(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Result<(), S3Denial> {
        let question = BudgetQuestion {
            action,
            resource,
            context,
        };
        let state = self.state()?;
        let left = self.budget.left();
        let decided = self.decide(state.account.as_deref(), question, left);
        if decided.outcome.is_ok() {
            self.budget.remember(state, question, decided.steps);
        }
        self.with_message(question, decided.outcome)
    }

    fn check_shortly(
        &self,
        action: &str,
        resource: &S3Resource<'_>,
        context: &S3Context,
    ) -> Option<Result<(), S3Denial>> {
        let question = BudgetQuestion {
            action,
            resource,
            context,
        };
        let state = match self.state() {
            Ok(state) => state,
            Err(denial) => return Some(Err(denial)),
        };
        if self.budget.has_allowed(&state, question) {
            return Some(Ok(()));
        }
        let steps_max = self.budget.left_shortly();
        if steps_max == 0 {
            return None;
        }
        let decided = self.decide(state.account.as_deref(), question, steps_max);
        self.budget.take_shortly(decided.steps);
        (!decided.cut_short).then(|| self.with_message(question, decided.outcome))
    }

    fn account_state(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        // An account that is gone fails the check of the caller.
        Some(self.state().ok()?.account? as _)
    }

    fn organizations_version(&self) -> u64 {
        self.identity.ledger().organizations_version()
    }

    fn run_beside(&self, work: s3::CpuWork) -> s3::WorkFuture<'_> {
        let (caller, address) = (self.record.caller(), self.record.context.source_address);
        Box::pin(async move {
            let done = self.identity.run_beside(caller, address, work).await;
            done.map_err(|_| CallerBusy)
        })
    }

    fn refuse(&self, action: &str, resource: &S3Resource<'_>, why: &str) -> S3Denial {
        match self.record.caller() {
            Some(caller) if resource.owner == Some(caller.account()) => {
                denial(caller, action, resource.arn, why)
            }
            _ => plain(),
        }
    }

    fn principal_to_stored_id(&self, principal: &str) -> Option<String> {
        PrincipalLookup::new(self.identity.ledger()).to_stored(principal)
    }

    fn stored_id_to_arn(&self, retained: &str) -> Option<String> {
        stored_id_to_arn(&self.identity, retained)
    }
}

fn plain() -> S3Denial {
    S3Denial {
        message: "Access Denied".to_owned(),
    }
}

/// The ARN of the user or role that a policy stores under this ID.
pub(crate) fn stored_id_to_arn(identity: &Identity, retained: &str) -> Option<String> {
    PrincipalLookup::new(identity.ledger()).stored_to_arn(retained)
}

impl CallerAuthorizer {
    /// The caller's account in its current state.
    fn state(&self) -> Result<AccountState, S3Denial> {
        let ledger = self.identity.ledger();
        let organizations_version = ledger.organizations_version();
        let account = match self.record.caller() {
            None => None,
            Some(caller) => {
                let cell = ledger.account(caller.account());
                Some(cell.ok_or_else(plain)?.snapshot().clone())
            }
        };
        Ok(AccountState {
            account,
            organizations_version,
        })
    }

    /// Decides within `left` steps and deducts the steps from the request's budget.
    fn decide(
        &self,
        account: Option<&Account>,
        question: BudgetQuestion<'_>,
        left: u64,
    ) -> MeasuredOutcome {
        let BudgetQuestion {
            action,
            resource,
            context,
        } = question;
        let conditions = S3Conditions {
            decider: self,
            account,
            resource,
            s3: context,
        };
        let foreign = ForeignResource {
            arn: resource.arn,
            owner: resource.owner,
            policy: resource.policy,
        };
        self.record.note_resource(resource.arn, resource.owner);
        let subject = RequestSubject {
            ledger: self.identity.ledger(),
            caller: self.record.caller().zip(account),
        };
        // Only the first denial of a request is recorded.
        let first = !self.record.is_denied();
        let names = first.then_some(|| conditions.names());
        let steps_max = left.min(limits::DECISION_STEPS);
        let decided = authorize::decide(subject, action, &foreign, &conditions, steps_max, names);
        self.budget.take(decided.steps);
        decided
    }

    /// The outcome with S3's message.
    fn with_message(
        &self,
        question: BudgetQuestion<'_>,
        outcome: Result<(), authorize::AccessDenied>,
    ) -> Result<(), S3Denial> {
        outcome.map_err(|denied| {
            let denial = match self.record.caller() {
                Some(caller) if !denied.why.is_empty() => {
                    denial(caller, question.action, question.resource.arn, &denied.why)
                }
                _ => plain(),
            };
            if let Some(evidence) = denied.evidence {
                self.record.note_denial(&denial.message, *evidence);
            }
            denial
        })
    }
}

/// S3's message for a denial. An action on the whole account names no resource.
fn denial(caller: &Caller, action: &str, resource: &str, why: &str) -> S3Denial {
    let arn = caller.arn();
    let on = match resource {
        "*" => String::new(),
        arn => format!(" on resource: \"{arn}\""),
    };
    S3Denial {
        message: format!("User: {arn} is not authorized to perform: {action}{on} {why}"),
    }
}
