//! The questions of operations that ask for their permissions themselves, because what they are
//! about is known only from the body.
//!
//! Invariant: what was allowed is asked again before the commit, if anything has changed since.

use std::sync::Arc;

use keywright_base::limits;
use keywright_objects::S3Fault;

use super::{
    decision::{AccessCheck, AccessQuestion, Allowed, DecisionState, undecided},
    permit::AccessGrant,
};
use crate::authorize::S3Context;

/// The questions of an operation that asks for its permissions itself.
#[derive(Clone)]
pub(super) struct OperationQuestions {
    grant: Arc<AccessGrant>,
    state: Arc<DecisionState>,
}

impl OperationQuestions {
    pub(super) fn begin(grant: &Arc<AccessGrant>) -> Self {
        Self {
            grant: Arc::clone(grant),
            state: Arc::new(grant.check().state()),
        }
    }

    pub(super) fn context(&self) -> &S3Context {
        &self.grant.check().context
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
            let Allowed { .. } = self.grant.check().require(action, arn, context).await?;
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
        match self.grant.check().require_shortly(action, arn, context) {
            Some(decided) => Ok(decided.map(|Allowed { .. }| self.answered(vec![question]))),
            None => Err(question),
        }
    }

    /// Asks a question, however long it takes. Must not run on a thread that answers requests.
    pub(super) fn ask_beside(
        &self,
        question: AccessQuestion,
    ) -> Result<AnsweredQuestions, S3Fault> {
        let allowed = self.grant.check().require_here(&question);
        allowed.map(|Allowed { .. }| self.answered(vec![question]))
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

/// Questions that an operation asked and that were allowed. They are asked again before its commit
/// if anything has changed since.
pub(super) struct AnsweredQuestions {
    /// The state before the first of them was asked.
    state: Arc<DecisionState>,
    questions: Vec<AccessQuestion>,
}

impl AnsweredQuestions {
    /// # Errors
    /// [`S3Fault::AccessDenied`], [`S3Fault::Throttled`].
    pub(super) async fn ask_again(&self, check: &AccessCheck) -> Result<(), S3Fault> {
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
                return check.require_beside(rest).await.map(|Allowed { .. }| ());
            };
            let Allowed { .. } = decided?;
            if number % limits::DECISIONS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}
