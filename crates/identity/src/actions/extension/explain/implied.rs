//! What an extension action implies, evaluated after the action itself, so that explanations and
//! the list of authorized principals agree with the authorizer and name what is missing.

use keywright_base::limits;
use keywright_policy::AccessRequest;
use keywright_wire::keywright;

use crate::{
    authorize::{AuthTarget, decide_on_every, implied_by, policies_of, service_controlled},
    state::Grantee,
    view::StateView,
};

/// A question that follows from another.
pub(super) struct ImpliedQuestion {
    pub(super) action: &'static str,
    target: AuthTarget,
    /// The supplied context, plus what the rotation service adds to its own requests.
    pub(super) entries: Vec<keywright::ContextEntry>,
}

/// The questions implied by one.
pub(super) fn questions(
    view: &StateView<'_>,
    (action, resource): (&str, &str),
    payload: &[keywright::ContextEntry],
) -> Vec<ImpliedQuestion> {
    let entry = |key: &str, value: &str| keywright::ContextEntry {
        context_key_name: key.to_owned(),
        context_key_value: value.to_owned(),
    };
    let implied = implied_by(view, action, resource).into_iter();
    let questions = implied.filter_map(|target| {
        let keys = target.keys.iter().map(|(key, value)| entry(key, value));
        let tags = target.tag_keys.iter().map(|key| entry("aws:TagKeys", key));
        let mut entries: Vec<_> = keys.chain(tags).collect();
        let known = |name: &str| {
            let mut keys = target.keys.iter();
            keys.any(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let more = payload
            .iter()
            .filter(|entry| !known(&entry.context_key_name));
        entries.extend(more.cloned());
        Some(ImpliedQuestion {
            action: target.action?,
            target,
            entries,
        })
    });
    questions.collect()
}

impl ImpliedQuestion {
    /// The subject of the question: one resource, or the wildcard for all users together.
    pub(super) fn action_and_resource(&self) -> (&str, &str) {
        let resource = if self.target.every {
            &self.target.display
        } else {
            &self.target.resource
        };
        (self.action, resource)
    }

    /// Why it is not allowed for everything it covers, although it appears allowed for one
    /// resource.
    pub(super) fn denied_for_some(
        &self,
        view: &StateView<'_>,
        user: &Grantee,
        request: &AccessRequest<'_>,
    ) -> Option<keywright_policy::Decision> {
        let request = AccessRequest {
            action: self.action,
            resource: &self.target.resource,
            ..*request
        };
        let set = policies_of(view.account, user);
        let set = service_controlled(view.ledger, view.account, set);
        if !self.target.every {
            return None;
        }
        let steps_max = limits::DECISION_STEPS;
        let decision = decide_on_every(&set, &request, &self.target, steps_max).decision;
        (!decision.is_allowed()).then_some(decision)
    }
}
