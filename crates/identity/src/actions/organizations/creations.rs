//! New accounts: the request, and where it stands.
//!
//! The request is committed first, together with the account's membership, so that the account is
//! limited by the organization's policies from its first moment. `crate::accounts` then makes the
//! account, again after a restart if it must.

use keywright_base::{AccountId, Secret, limits};
use keywright_wire::organizations::{
    self,
    values::{create_account_failure_reason, create_account_state},
};

use super::{ManagedOrganization, new_id, organization::full_access, page, tags};
use crate::{
    accounts::ACCESS_ROLE,
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AuthTarget, Permit, Requirement},
    fault::{ConstraintReason, IamFault, OrganizationsFault},
    state::{AccountCreation, CreationOutcome, MemberAccount, StateChange, TargetNode},
    view::StateView,
};

/// How often an account ID is drawn before giving up: almost all are free.
const DRAWS: usize = 16;

fn to_wire(creation: &AccountCreation) -> organizations::CreateAccountStatus {
    let (state, failure) = match creation.outcome {
        CreationOutcome::InProgress => (create_account_state::IN_PROGRESS, None),
        CreationOutcome::Succeeded => (create_account_state::SUCCEEDED, None),
        CreationOutcome::EmailTaken => {
            let reason = create_account_failure_reason::EMAIL_ALREADY_EXISTS;
            (create_account_state::FAILED, Some(reason))
        }
        CreationOutcome::Failed => {
            let reason = create_account_failure_reason::INTERNAL_FAILURE;
            (create_account_state::FAILED, Some(reason))
        }
    };
    let succeeded = creation.outcome == CreationOutcome::Succeeded;
    organizations::CreateAccountStatus {
        id: Some(creation.id.clone()),
        account_name: Some(Secret::new(creation.name.clone())),
        state: Some(state.to_owned()),
        requested_timestamp: Some(creation.requested),
        completed_timestamp: creation.completed,
        account_id: succeeded.then(|| creation.account.to_string()),
        gov_cloud_account_id: None,
        failure_reason: failure.map(str::to_owned),
    }
}

/// An account ID that nobody has.
fn free_account_id(view: &StateView<'_>) -> Result<AccountId, IamFault> {
    let mut drawn = (0..DRAWS).map(|_| AccountId::generate(view.entropy));
    let members = view.account.organization().members();
    let free = |id: &AccountId| view.ledger.account(*id).is_none() && !members.contains_key(id);
    let found = drawn.find(free);
    found.ok_or_else(|| IamFault::Internal("no account ID is free".to_owned()))
}

/// Deletes the oldest ended request if there are too many.
fn forgotten(managed: &ManagedOrganization<'_>) -> Option<StateChange> {
    let creations = managed.state.creations();
    if creations.len() < limits::ACCOUNT_CREATIONS {
        return None;
    }
    let ended = creations.values().filter(|it| it.completed.is_some());
    let oldest = ended.min_by_key(|it| it.completed)?;
    Some(StateChange::delete::<AccountCreation>(oldest.id.clone()))
}

pub(crate) struct CreateAccount;

impl Action for CreateAccount {
    type Shape = organizations::CreateAccount;
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn required(_: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let tags = tags::from_wire(input.tags.as_deref());
        let create = AuthTarget::everything().with_request_tags(tags);
        let mut targets = vec![create.clone()];
        if !create.request_tags.is_empty() {
            targets.push(create.as_action("organizations:TagResource"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let members = managed.state.members();
        if members.len() >= limits::ACCOUNTS_PER_ORGANIZATION {
            return Err(OrganizationsFault::Constraint(ConstraintReason::AccountNumber).into());
        }
        let email = input.email.expose();
        let is_taken = members
            .values()
            .any(|it| it.email.eq_ignore_ascii_case(email));
        let name = input.account_name.expose();
        let mut creation = AccountCreation {
            id: new_id("car-", 32, view.entropy),
            account: free_account_id(view)?,
            name: name.clone(),
            role: input
                .role_name
                .clone()
                .unwrap_or_else(|| ACCESS_ROLE.to_owned()),
            requested: view.now(),
            completed: None,
            outcome: CreationOutcome::InProgress,
        };
        let member = MemberAccount {
            id: creation.account,
            name: name.clone(),
            email: email.clone(),
            parent: managed.organization.root_id.clone(),
            joined: view.now(),
            created_here: true,
            closed: None,
            node: TargetNode {
                tags: tags::checked(&[], input.tags.as_deref())?,
                ..full_access(&managed.organization.enabled)
            },
        };
        // As on AWS, a request that will fail is answered like one that is in progress.
        let output = organizations::CreateAccountOutput {
            create_account_status: Some(to_wire(&creation)),
        };
        let mut changes: Vec<_> = forgotten(&managed).into_iter().collect();
        if is_taken {
            creation.outcome = CreationOutcome::EmailTaken;
            creation.completed = Some(view.now());
        } else {
            changes.push(StateChange::put(member));
        }
        changes.push(StateChange::put(creation));
        Ok(ActionResult {
            changes,
            account_requested: !is_taken,
            ..ActionResult::answer(output)
        })
    }
}

pub(crate) struct DescribeCreateAccountStatus;

impl Action for DescribeCreateAccountStatus {
    type Shape = organizations::DescribeCreateAccountStatus;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let creation = managed
            .state
            .creations()
            .get(&input.create_account_request_id);
        let creation = creation.ok_or(OrganizationsFault::CreationNotFound)?;
        Ok(ActionResult::answer(
            organizations::DescribeCreateAccountStatusOutput {
                create_account_status: Some(to_wire(creation)),
            },
        ))
    }
}

pub(crate) struct ListCreateAccountStatus;

impl Action for ListCreateAccountStatus {
    type Shape = organizations::ListCreateAccountStatus;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let managed = ManagedOrganization::of(view)?;
        let states = input.states.as_deref().unwrap_or_default();
        let filter: Vec<_> = states.iter().map(String::as_str).collect();
        let place = (input.next_token.as_deref(), input.max_results);
        let page = page("ListCreateAccountStatus", &filter, place)?;
        let creations = managed.state.creations().values().map(|it| to_wire(it));
        let wanted = creations.filter(|it| {
            let state = it.state.as_deref().unwrap_or_default();
            filter.is_empty() || filter.contains(&state)
        });
        let (statuses, next_token) = page.cut(wanted, |it| it.id.clone().unwrap_or_default());
        Ok(ActionResult::answer(
            organizations::ListCreateAccountStatusOutput {
                create_account_statuses: Some(statuses),
                next_token,
            },
        ))
    }
}
