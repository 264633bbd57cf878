//! ImportAccount: creates users, groups, roles, policies and instance profiles of a document in one
//! commit, or computes what it would create.
//!
//! Invariants:
//!
//! - An import consists of operations of IAM, each validated, authorized and run as if the caller
//!   had called it, on the state that the earlier ones lead to. So it cannot do what IAM would not.
//! - It never changes what exists, and an entity is created with everything that the document says
//!   of it, or not at all: without a boundary or a denial it would have more permissions.
//! - It is computed outside the request threads, and committed only if the account is unchanged.

mod draft;
mod entities;

use keywright_wire::keywright;

use self::draft::{EntityOutcome, ImportDraft, ImportEntry};
use crate::{
    action::{ActionLevel, ActionOutcome, ActionResult, Input, Preparation, PreparedAction},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{IamFault, InvalidInput},
    import_document::ImportDocument,
    state::StateChange,
    view::StateView,
};

pub(crate) struct ImportAccount;

/// A computed import.
pub(crate) struct PreparedImport {
    /// The version of the account that it was computed on.
    version: u64,
    entries: Vec<ImportEntry>,
    changes: Vec<StateChange>,
}

impl PreparedAction for ImportAccount {
    type Shape = keywright::ImportAccount;
    type Prepared = PreparedImport;
    const ACCESS: ActionLevel = ActionLevel::PermissionsManagement;

    /// The permissions for what the document contains are decided by the draft, one by one.
    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::On {
            own: vec![AuthTarget::everything()],
            subjects: Vec::new(),
        })
    }

    fn writes(input: &Input<Self>) -> bool {
        !input.dry_run.unwrap_or(false)
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<PreparedImport, IamFault> {
        let text = input.document.clone();
        let computed = with.compute_on_view(move |view| computed(view, &text));
        computed.await?
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        prepared: &PreparedImport,
    ) -> ActionOutcome<Self> {
        let output = keywright::ImportAccountOutput {
            entities: prepared.entries.iter().map(ImportEntry::to_wire).collect(),
        };
        if !Self::writes(input) {
            return Ok(ActionResult::answer(output));
        }
        check_complete(&prepared.entries, input.allow_incomplete.unwrap_or(false))?;
        if view.account.version() != prepared.version {
            return Err(IamFault::ConcurrentModification);
        }
        Ok(ActionResult {
            changes: prepared.changes.clone(),
            ..ActionResult::answer(output)
        })
    }
}

fn computed(view: &StateView<'_>, text: &str) -> Result<PreparedImport, IamFault> {
    if !view.caller.may_call_iam() {
        return Err(IamFault::Revoked);
    }
    let document = ImportDocument::decode(text);
    let document = document.map_err(|error| InvalidInput::Other(error.to_string()))?;
    let mut draft = ImportDraft::new(view);
    draft.add(&document)?;
    Ok(PreparedImport {
        version: view.account.version(),
        changes: draft.changes(),
        entries: draft.into_entries(),
    })
}

/// Rejects an import that lacks a permission, whatever the caller accepts, and one that would leave
/// out something else that the caller does not accept to be left out.
fn check_complete(entries: &[ImportEntry], allow_incomplete: bool) -> Result<(), IamFault> {
    let rejections = entries.iter().filter_map(|entry| match &entry.outcome {
        EntityOutcome::Rejected(rejection) => Some((entry, rejection)),
        EntityOutcome::Created | EntityOutcome::Exists | EntityOutcome::Skipped(_) => None,
    });
    let mut denials = rejections.clone().map(|(_, rejection)| &rejection.fault);
    if let Some(denied) = denials.find(|fault| matches!(fault, IamFault::AccessDenied(_))) {
        return Err(denied.clone());
    }
    let count = rejections.clone().count();
    let mut rejections = rejections;
    match rejections.next() {
        Some((entry, rejection)) if !allow_incomplete => {
            let (kind, name) = (entry.kind.name(), &entry.name);
            Err(InvalidInput::Other(format!(
                "{count} of {} entities cannot be imported, so nothing was. The first is the \
                 {kind} {name}: {rejection}",
                entries.len()
            ))
            .into())
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
