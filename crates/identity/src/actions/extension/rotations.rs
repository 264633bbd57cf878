//! Rotations of users' access keys: start, inspect, deliver by hand, hold, roll back.
//!
//! The engine carries them out, in [`PreparedAction::prepare`]. It acts for the principal who
//! started the rotation. Starting one therefore requires every permission that the rotation will
//! need, and an order requires every permission that it leads to (listed in the policy crate's
//! table): a rotation that could not finish is refused at once.
//!
//! Invariant: only RetrieveRotationKey returns a secret, and it is an action of its own.

use keywright_base::limits;
use keywright_wire::keywright;

use crate::{
    action::{
        Action, ActionLevel, ActionOutcome, ActionResult, Effort, Input, Preparation,
        PreparedAction,
    },
    authorize::{AuthTarget, Permit, Requirement, would_permit},
    fault::{IamFault, InvalidInput},
    on_behalf::requested_by_service,
    pagination::PageRequest,
    rotations::{
        HistoryQuery, RetrievedKey, RotationChange, RotationOrder, RotationQuery, RotationStart,
        UserRef,
    },
    state::{User, UserSelector},
    view::StateView,
};

/// The destination if the request names none.
pub(super) const PERSON: &str = "person";

/// A target of the operation itself for each destination, so that a policy can restrict
/// destinations.
pub(super) fn to_each(
    view: &StateView<'_>,
    target: &AuthTarget,
    (places, user): (&[String], Option<&str>),
) -> Vec<AuthTarget> {
    let each = places.iter().map(|place| {
        let name = destination(view, place, user);
        target.clone().with_key("keywright:Destination", name)
    });
    each.collect()
}

/// The name of a destination as callers see it.
pub(super) fn destination(view: &StateView<'_>, place: &str, user: Option<&str>) -> String {
    let engine = view.rotations;
    let known = engine.and_then(|engine| engine.destination(place, user));
    known.unwrap_or_else(|| place.to_owned())
}

/// The destinations of a request that may omit them.
pub(super) fn places(given: Option<&Vec<String>>) -> Vec<String> {
    given.cloned().unwrap_or_else(|| vec![PERSON.to_owned()])
}

fn user_target(view: &StateView<'_>, name: &str) -> Result<Requirement, IamFault> {
    Ok(Requirement::one(AuthTarget::user(view, name)))
}

fn user_ref(view: &StateView<'_>, name: &str) -> Result<UserRef, IamFault> {
    Ok(UserRef::of(view.user(name)?))
}

fn check_incident(incident: bool, first: bool, observe_secs: Option<i32>) -> Result<(), IamFault> {
    let text = if incident && observe_secs.is_some_and(|secs| secs > 0) {
        "An incident does not wait until the key is unused: omit ObserveSeconds."
    } else if first && !incident {
        "DeactivateFirst requires Incident."
    } else {
        return Ok(());
    };
    Err(InvalidInput::Other(text.to_owned()).into())
}

/// The permission that an incident needs in addition to those of every rotation: the engine ends
/// the key's sessions.
fn ends_sessions(user: &AuthTarget, incident: Option<bool>) -> Option<AuthTarget> {
    let target = user.clone().as_action("keywright:EndAccessKeySessions");
    incident
        .unwrap_or(false)
        .then(|| requested_by_service(target))
}

pub(crate) struct StartRotation;

impl PreparedAction for StartRotation {
    type Shape = keywright::StartRotation;
    type Prepared = keywright::Rotation;
    const ACCESS: ActionLevel = ActionLevel::Write;

    /// The state that changes belongs to the engine.
    fn writes(_: &Input<Self>) -> bool {
        false
    }

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let user = AuthTarget::user(view, &input.user_name);
        let places = places(input.places.as_ref());
        let mut own = to_each(view, &user, (&places, Some(&input.user_name)));
        own.extend(ends_sessions(&user, input.incident));
        Ok(Requirement::On {
            own,
            subjects: vec![user],
        })
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let incident = input.incident.unwrap_or(false);
        let deactivate_first = input.deactivate_first.unwrap_or(false);
        check_incident(incident, deactivate_first, input.observe_seconds)?;
        let start = RotationStart {
            user: user_ref(&with.view, &input.user_name)?,
            key: input.access_key_id.clone(),
            places: places(input.places.as_ref()),
            observe_secs: input.observe_seconds.map(i64::from),
            dwell_secs: input.dwell_seconds.map(i64::from),
            incident,
            deactivate_first,
            override_unused: input.override_unused.clone(),
        };
        with.engine()?.start(&with.rotation_caller()?, start).await
    }

    fn run(
        _: &StateView<'_>,
        _: Permit<Self>,
        _: &Input<Self>,
        rotation: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let rotation = rotation.clone();
        Ok(ActionResult::answer(keywright::StartRotationOutput {
            rotation,
        }))
    }
}

pub(crate) struct GetRotation;

impl PreparedAction for GetRotation {
    type Shape = keywright::GetRotation;
    type Prepared = keywright::Rotation;
    const ACCESS: ActionLevel = ActionLevel::Read;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        user_target(view, &input.user_name)
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let user = user_ref(&with.view, &input.user_name)?;
        let (account, id) = (with.view.id(), input.rotation_id.clone());
        with.engine()?.rotation(account, user, id).await
    }

    fn run(
        _: &StateView<'_>,
        _: Permit<Self>,
        _: &Input<Self>,
        rotation: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let rotation = rotation.clone();
        Ok(ActionResult::answer(keywright::GetRotationOutput {
            rotation,
        }))
    }
}

pub(crate) struct ListRotations;

impl ListRotations {
    fn page(input: &Input<Self>) -> Result<PageRequest, IamFault> {
        let open = input.open.unwrap_or(false).to_string();
        let user = input.user_name.as_deref().unwrap_or_default();
        let marker = input.marker.as_deref();
        PageRequest::of("ListRotations", &[user, &open], marker, input.max_items)
    }
}

impl PreparedAction for ListRotations {
    type Shape = keywright::ListRotations;
    type Prepared = Vec<keywright::Rotation>;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        let user = input.user_name.as_deref();
        Ok(Requirement::one(
            user.map_or_else(AuthTarget::everything, |name| AuthTarget::user(view, name)),
        ))
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let user = input.user_name.as_deref();
        let page = Self::page(input)?;
        let query = RotationQuery {
            account: with.view.id(),
            user: user.map(|name| user_ref(&with.view, name)).transpose()?,
            open: input.open.unwrap_or(false),
            after: page.after().map(str::to_owned),
            limit: page.items_max() + 1,
        };
        with.engine()?.rotations(query).await
    }

    fn run(
        _: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        found: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let found = found.iter().cloned();
        let (rotations, marker) = Self::page(input)?.take(found, |one| one.rotation_id.clone());
        Ok(ActionResult::answer(keywright::ListRotationsOutput {
            rotations,
            is_truncated: marker.is_some(),
            marker,
        }))
    }
}

/// `keywright:RetrieveRotationKey`: the only action that returns a rotation's secret.
pub(crate) struct RetrieveRotationKey;

impl PreparedAction for RetrieveRotationKey {
    type Shape = keywright::RetrieveRotationKey;
    type Prepared = RetrievedKey;
    // The secret lets the caller act as the user, so read-only grants must not include this.
    const ACCESS: ActionLevel = ActionLevel::Write;

    fn writes(_: &Input<Self>) -> bool {
        false
    }

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        user_target(view, &input.user_name)
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let user = user_ref(&with.view, &input.user_name)?;
        let caller = with.rotation_caller()?;
        with.engine()?.retrieve_key(&caller, &user).await
    }

    fn run(
        view: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        key: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        Ok(ActionResult::answer(keywright::RetrieveRotationKeyOutput {
            user_name: view.user(&input.user_name)?.name.clone(),
            access_key_id: key.id.clone(),
            secret_access_key: key.secret.clone(),
        }))
    }
}

/// The actions that give an order to a user's open rotation.
macro_rules! orders {
    ($($action:ident -> $answer:ident: $order:expr, $own:expr;)*) => {$(
        #[doc = concat!("`keywright:", stringify!($action), "`")]
        pub(crate) struct $action;

        impl PreparedAction for $action {
            type Shape = keywright::$action;
            type Prepared = keywright::Rotation;
            const ACCESS: ActionLevel = ActionLevel::Write;

            fn writes(_: &Input<Self>) -> bool {
                false
            }

            fn required(
                view: &StateView<'_>,
                input: &Input<Self>,
            ) -> Result<Requirement, IamFault> {
                let user = AuthTarget::user(view, &input.user_name);
                let own: fn(&StateView<'_>, &AuthTarget, &Input<Self>) -> Vec<AuthTarget> = $own;
                Ok(Requirement::On {
                    own: own(view, &user, input),
                    subjects: vec![user],
                })
            }

            async fn prepare(
                with: &Preparation<'_>,
                _: &Permit<Self>,
                input: &Input<Self>,
            ) -> Result<Self::Prepared, IamFault> {
                let order: fn(&Input<Self>) -> Result<RotationOrder, IamFault> = $order;
                let user = user_ref(&with.view, &input.user_name)?;
                let (caller, order) = (with.rotation_caller()?, order(input)?);
                with.engine()?.order(&caller, &user, order).await
            }

            fn run(
                _: &StateView<'_>,
                _: Permit<Self>,
                _: &Input<Self>,
                rotation: &Self::Prepared,
            ) -> ActionOutcome<Self> {
                let rotation = rotation.clone();
                Ok(ActionResult::answer(keywright::$answer { rotation }))
            }
        }
    )*};
}

orders! {
    AbandonRotation -> AbandonRotationOutput:
        |input| Ok(RotationOrder::Abandon(input.reason.clone())), on_the_user;
    ChangeRotation -> ChangeRotationOutput: |input| change(input).map(RotationOrder::Change),
        change_targets;
    ConfirmDelivery -> ConfirmDeliveryOutput: |_| Ok(RotationOrder::Confirm), on_the_user;
    ResumeRotation -> ResumeRotationOutput: |_| Ok(RotationOrder::Resume), on_the_user;
    HoldRotation -> HoldRotationOutput:
        |input| Ok(RotationOrder::Hold(input.reason.clone())), on_the_user;
    ReleaseRotation -> ReleaseRotationOutput: |_| Ok(RotationOrder::Release), on_the_user;
    RollBackRotation -> RollBackRotationOutput:
        |input| Ok(RotationOrder::RollBack(input.reason.clone())), on_the_user;
}

/// For an order that needs only the permissions of every rotation.
fn on_the_user<I>(_: &StateView<'_>, user: &AuthTarget, _: &I) -> Vec<AuthTarget> {
    vec![user.clone()]
}

/// A change of destinations is authorized for each of them, as starting a rotation is. An added
/// destination receives the new key, so adding one also requires permission to create keys for the
/// user.
fn change_targets(
    view: &StateView<'_>,
    user: &AuthTarget,
    input: &Input<ChangeRotation>,
) -> Vec<AuthTarget> {
    let (added, removed) = (&input.add_places, &input.remove_places);
    let places: Vec<String> = added.iter().chain(removed).flatten().cloned().collect();
    let mut own = match places.is_empty() {
        true => vec![user.clone()],
        false => to_each(view, user, (&places, Some(&input.user_name))),
    };
    own.extend(ends_sessions(user, input.incident));
    let creates = || requested_by_service(user.clone().as_action("iam:CreateAccessKey"));
    own.extend(added.is_some().then(creates));
    own
}

fn change(input: &Input<ChangeRotation>) -> Result<RotationChange, IamFault> {
    let incident = input.incident.unwrap_or(false);
    let deactivate_first = input.deactivate_first.unwrap_or(false);
    check_incident(incident, deactivate_first, input.observe_seconds)?;
    Ok(RotationChange {
        observe_secs: input.observe_seconds.map(i64::from),
        dwell_secs: input.dwell_seconds.map(i64::from),
        incident,
        deactivate_first,
        override_unused: input.override_unused.clone(),
        add_places: input.add_places.clone().unwrap_or_default(),
        remove_places: input.remove_places.clone().unwrap_or_default(),
        why: input.reason.clone(),
    })
}

pub(crate) struct ListRotationHistory;

impl ListRotationHistory {
    fn page(input: &Input<Self>) -> Result<PageRequest, IamFault> {
        let id = input.rotation_id.as_deref().unwrap_or_default();
        let filter = [input.user_name.as_str(), id];
        let marker = input.marker.as_deref();
        PageRequest::of("ListRotationHistory", &filter, marker, input.max_items)
    }
}

impl PreparedAction for ListRotationHistory {
    type Shape = keywright::ListRotationHistory;
    type Prepared = Vec<(i64, keywright::RotationEvent)>;
    const ACCESS: ActionLevel = ActionLevel::List;

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        user_target(view, &input.user_name)
    }

    async fn prepare(
        with: &Preparation<'_>,
        _: &Permit<Self>,
        input: &Input<Self>,
    ) -> Result<Self::Prepared, IamFault> {
        let page = Self::page(input)?;
        let after = page.after().and_then(|number| number.parse().ok());
        let query = HistoryQuery {
            account: with.view.id(),
            user: user_ref(&with.view, &input.user_name)?,
            rotation: input.rotation_id.clone(),
            after: after.unwrap_or(0),
            limit: page.items_max() + 1,
        };
        with.engine()?.history(query).await
    }

    fn run(
        _: &StateView<'_>,
        _: Permit<Self>,
        input: &Input<Self>,
        found: &Self::Prepared,
    ) -> ActionOutcome<Self> {
        let found = found.iter().cloned();
        let (events, marker) = Self::page(input)?.take(found, |(number, _)| number.to_string());
        Ok(ActionResult::answer(keywright::ListRotationHistoryOutput {
            events: events.into_iter().map(|(_, event)| event).collect(),
            is_truncated: marker.is_some(),
            marker,
        }))
    }
}

/// `keywright:ListRotationPlaces`: the destinations for users whose keys the caller may rotate.
pub(crate) struct ListRotationPlaces;

impl Action for ListRotationPlaces {
    type Shape = keywright::ListRotationPlaces;
    const ACCESS: ActionLevel = ActionLevel::List;
    // It evaluates every user of each destination.
    const EFFORT: Effort = Effort::Long;

    fn required(_: &StateView<'_>, _: &Input<Self>) -> Result<Requirement, IamFault> {
        Ok(Requirement::one(AuthTarget::everything()))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, _: &Input<Self>) -> ActionOutcome<Self> {
        let mut steps_left = limits::PAGE_STEPS;
        let offered = view.engine()?.destinations();
        let usable = offered
            .into_iter()
            .filter(|place| place == PERSON || is_usable(view, place, &mut steps_left));
        Ok(ActionResult::answer(keywright::ListRotationPlacesOutput {
            places: usable.collect(),
        }))
    }
}

/// Whether the caller may start a rotation to a destination: for every user, including future ones,
/// or for a user whose keys may go there.
fn is_usable(view: &StateView<'_>, place: &str, steps_left: &mut u64) -> bool {
    let mut may_start = |user: AuthTarget| {
        let own = user.clone().with_key("keywright:Destination", place);
        let required = Requirement::On {
            own: vec![own],
            subjects: vec![user],
        };
        would_permit(view, ("keywright:StartRotation", required), steps_left)
    };
    if may_start(AuthTarget::every_user(view, &UserSelector::Everyone)) {
        return true;
    }
    let engine = view.rotations;
    let accepts = |user: &User| engine.is_some_and(|engine| engine.accepts(place, user));
    let mut users = view.account.users().values();
    users.any(|user| accepts(user) && may_start(AuthTarget::user(view, &user.name)))
}

#[cfg(test)]
mod tests;
