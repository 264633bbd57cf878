//! The draft of an account to which an import is added, operation by operation.
//!
//! Invariant: an entity whose creation fails leaves nothing in the draft.

use std::{fmt, sync::Arc};

use keywright_base::limits;
use keywright_wire::{
    Form,
    keywright::{self, values::import_outcome_type as outcome},
};

use crate::{
    action::{Action, ActionEntry, ActionRequest, decode_fault, served},
    authorize::{Approval, approve_step},
    fault::{IamFault, ReachedQuota},
    state::{Account, StateChange},
    view::StateView,
};

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityKind {
    Policy,
    Group,
    User,
    Role,
    InstanceProfile,
}

impl EntityKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Group => "group",
            Self::User => "user",
            Self::Role => "role",
            Self::InstanceProfile => "instance-profile",
        }
    }

    /// Whether an account has one with this name.
    pub(super) fn is_in(self, account: &Account, name: &str) -> bool {
        self.put(account, name).is_some()
    }

    /// The change that adds the one with this name to another version of the account.
    fn put(self, account: &Account, name: &str) -> Option<StateChange> {
        Some(match self {
            Self::Policy => StateChange::put_shared(account.policy(name)?.clone()),
            Self::Group => StateChange::put_shared(account.group(name)?.clone()),
            Self::User => StateChange::put_shared(account.user(name)?.clone()),
            Self::Role => StateChange::put_shared(account.role(name)?.clone()),
            Self::InstanceProfile => {
                StateChange::put_shared(account.instance_profile(name)?.clone())
            }
        })
    }
}

/// Why an operation of an import failed.
#[derive(Debug)]
pub(super) struct StepFault {
    pub(super) operation: &'static str,
    pub(super) fault: IamFault,
}

impl fmt::Display for StepFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.fault.wire();
        write!(f, "{}: {}: {}", self.operation, error.code, error.text())
    }
}

/// What becomes of an entity.
#[derive(Debug)]
pub(super) enum EntityOutcome {
    /// It is created.
    Created,
    /// There is one with this name, which stays as it is.
    Exists,
    /// This server cannot have it, and nothing depends on it.
    Skipped(String),
    /// IAM rejects it.
    Rejected(StepFault),
}

/// An entity of the document, and what becomes of it.
#[derive(Debug)]
pub(super) struct ImportEntry {
    pub(super) kind: EntityKind,
    pub(super) name: String,
    pub(super) outcome: EntityOutcome,
}

impl ImportEntry {
    pub(super) fn to_wire(&self) -> keywright::ImportedEntity {
        let (outcome, reason) = match &self.outcome {
            EntityOutcome::Created => (outcome::CREATED, None),
            EntityOutcome::Exists => (outcome::EXISTS, None),
            EntityOutcome::Skipped(reason) => (outcome::SKIPPED, Some(reason.clone())),
            EntityOutcome::Rejected(fault) => (outcome::REJECTED, Some(fault.to_string())),
        };
        keywright::ImportedEntity {
            entity_type: self.kind.name().to_owned(),
            entity_name: self.name.clone(),
            outcome: outcome.to_owned(),
            reason,
        }
    }
}

/// An account with what has been imported so far.
pub(super) struct ImportDraft<'a> {
    view: &'a StateView<'a>,
    pub(super) account: Account,
    entries: Vec<ImportEntry>,
    operations_left: usize,
    is_exhausted: bool,
    steps_left: u64,
}

impl<'a> ImportDraft<'a> {
    pub(super) fn new(view: &'a StateView<'a>) -> Self {
        Self {
            view,
            account: view.account.draft(),
            entries: Vec::new(),
            operations_left: limits::IMPORT_OPERATIONS,
            is_exhausted: false,
            steps_left: limits::IMPORT_STEPS,
        }
    }

    /// The ID of the account.
    pub(super) const fn view(&self) -> &'a StateView<'a> {
        self.view
    }

    /// Adds an entity by some operations, or leaves the draft as it is. Returns whether it was
    /// added.
    pub(super) fn add_entity(
        &mut self,
        (kind, name): (EntityKind, &str),
        create: impl FnOnce(&mut Self) -> Result<(), StepFault>,
    ) -> bool {
        let before = self.account.clone();
        let created = create(self);
        if created.is_err() {
            self.account = before;
        }
        self.note(kind, name, created)
    }

    /// Notes what became of an entity. Returns whether it was created.
    pub(super) fn note(
        &mut self,
        kind: EntityKind,
        name: &str,
        created: Result<(), StepFault>,
    ) -> bool {
        // An entity that only the draft has is in the document twice, which is an error of it.
        let existed = kind.is_in(self.view.account, name);
        let outcome = match created {
            Ok(()) => EntityOutcome::Created,
            Err(StepFault {
                fault: IamFault::EntityAlreadyExists(_),
                ..
            }) if existed => EntityOutcome::Exists,
            Err(fault) => EntityOutcome::Rejected(fault),
        };
        let is_created = matches!(outcome, EntityOutcome::Created);
        self.push(kind, name, outcome);
        is_created
    }

    /// Notes that an entity is left out.
    pub(super) fn skip(&mut self, kind: EntityKind, name: &str, reason: &str) {
        self.push(kind, name, EntityOutcome::Skipped(reason.to_owned()));
    }

    fn push(&mut self, kind: EntityKind, name: &str, outcome: EntityOutcome) {
        self.entries.push(ImportEntry {
            kind,
            name: name.to_owned(),
            outcome,
        });
    }

    /// Whether the import needs more operations than it may have.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Runs an operation of IAM on the draft.
    pub(super) fn run<A: Action>(&mut self, parameters: &Parameters) -> Result<(), StepFault> {
        self.attempt::<A>(parameters, |draft, approval, request| {
            let changes = request.run(&draft.view_of_draft(), approval)?.changes;
            let next = draft.account.apply(&changes);
            draft.account = next;
            Ok(())
        })
    }

    /// Authorizes an operation of IAM whose effect the draft gets otherwise.
    pub(super) fn authorize<A: Action>(
        &mut self,
        parameters: &Parameters,
    ) -> Result<(), StepFault> {
        self.attempt::<A>(parameters, |_, _, _| Ok(()))
    }

    fn attempt<A: Action>(
        &mut self,
        parameters: &Parameters,
        act: impl FnOnce(&mut Self, Approval, &dyn ActionRequest) -> Result<(), IamFault>,
    ) -> Result<(), StepFault> {
        let entry = served::<A>();
        let outcome = self.approve(&entry, parameters);
        let outcome = outcome.and_then(|(approval, request)| act(self, approval, &*request));
        let operation = entry.operation.name;
        outcome.map_err(|fault| StepFault { operation, fault })
    }

    fn approve(
        &mut self,
        entry: &ActionEntry,
        parameters: &Parameters,
    ) -> Result<(Approval, Arc<dyn ActionRequest>), IamFault> {
        let Some(left) = self.operations_left.checked_sub(1) else {
            self.is_exhausted = true;
            let most = limits::IMPORT_OPERATIONS;
            return Err(ReachedQuota::Named("OperationsPerImport", most).into());
        };
        self.operations_left = left;
        let form = Form::of(parameters.0.clone());
        let form = form.map_err(|error| IamFault::MalformedInput(error.to_string()))?;
        let request = entry.decode(&form).map_err(decode_fault)?;
        let mut steps_left = self.steps_left;
        let approval = approve_step(&self.view_of_draft(), &*request, &mut steps_left);
        self.steps_left = steps_left;
        Ok((approval?, request))
    }

    fn view_of_draft(&self) -> StateView<'_> {
        StateView {
            account: &self.account,
            ..*self.view
        }
    }

    /// The changes that create the new entities, each once and complete.
    pub(super) fn changes(&self) -> Vec<StateChange> {
        let created = self.entries.iter().filter(|entry| match entry.outcome {
            EntityOutcome::Created => true,
            EntityOutcome::Exists | EntityOutcome::Skipped(_) | EntityOutcome::Rejected(_) => false,
        });
        let changes = created.filter_map(|entry| entry.kind.put(&self.account, &entry.name));
        changes.collect()
    }

    pub(super) fn into_entries(self) -> Vec<ImportEntry> {
        self.entries
    }
}

/// The parameters of an operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Adds a parameter.
    #[must_use]
    pub(super) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter if it has a value.
    #[must_use]
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}
