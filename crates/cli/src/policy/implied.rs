//! The permissions that an action of Keywright's extension service also requires, checked after the
//! action itself.
//!
//! It mirrors the server: requests that the rotation service makes for the caller come from the
//! service, and a request about all users and roles is checked for every one of the account.

use keywright_base::{AccountId, ROTATION_MARK};
use keywright_identity::on_behalf::SERVICE_CONTEXT;
use keywright_policy::{
    AccessRequest, ActionCatalogue, ContextMap, ContextValues, Explanation, PoliciesInForce,
    evaluate_every, explain, is_list_key,
};

/// A request implied by another.
pub(super) struct ImpliedRequest {
    pub(super) action: &'static str,
    /// An ARN, or the common prefix of the ARNs of all users or all roles.
    resource: String,
    every: bool,
    context: ContextMap,
}

impl ImpliedRequest {
    /// The requests implied by a request, in order.
    pub(super) fn all(request: &AccessRequest<'_>, context: &ContextMap) -> Vec<Self> {
        let Some(known) = ActionCatalogue::built_in().action(request.action) else {
            return Vec::new();
        };
        let on: Vec<(&'static str, String, bool)> =
            match (request.resource, request.principal.account()) {
                ("*", Some(account)) => {
                    let about = known.implied().flat_map(|name| of_account(name, account));
                    about.collect()
                }
                (resource, _) => {
                    let about = known.implied_on(resource).into_iter();
                    about
                        .map(|(name, on)| (name, on.to_owned(), false))
                        .collect()
                }
            };
        let requests = on.into_iter().map(|(action, resource, every)| Self {
            action,
            resource,
            every,
            context: if known.does.contains(&action) {
                of_service(action, context)
            } else {
                context.clone()
            },
        });
        requests.collect()
    }

    /// The resource's name in messages.
    pub(super) fn about(&self) -> String {
        let more = if self.every { "*" } else { "" };
        format!("{}{more}", self.resource)
    }

    /// Decides the request. Access allowed for one user but not for all is denied.
    pub(super) fn explain(
        &self,
        policies: &PoliciesInForce<'_>,
        request: &AccessRequest<'_>,
    ) -> Explanation {
        let about = self.about();
        let one = AccessRequest {
            action: self.action,
            resource: &about,
            context: &self.context,
            ..*request
        };
        let mut explanation = explain(policies, &one);
        if self.every && explanation.decision.is_allowed() {
            let every = AccessRequest {
                resource: &self.resource,
                ..one
            };
            let decision = evaluate_every(policies.principal, &every, &follows_from_resource);
            if !decision.is_allowed() {
                explanation.decision = decision;
                explanation.decided_by.clear();
            }
        }
        explanation
    }
}

/// An implied action on all users and roles of an account, or on `*` if it has no resources.
fn of_account(name: &'static str, account: AccountId) -> Vec<(&'static str, String, bool)> {
    let Some(implied) = ActionCatalogue::built_in().action(name) else {
        return Vec::new();
    };
    if implied.resources.is_empty() {
        return vec![(name, "*".to_owned(), false)];
    }
    let kinds = ["user", "role"].into_iter();
    kinds
        .filter(|kind| implied.is_on(kind))
        .map(|kind| (name, format!("arn:aws:iam::{account}:{kind}/"), true))
        .collect()
}

/// Whether a condition key differs from user to user.
fn follows_from_resource(key: &str) -> bool {
    key.starts_with("aws:resourcetag/") || key.starts_with("iam:resourcetag/")
}

/// The context of a request made by the rotation service.
fn of_service(action: &str, context: &ContextMap) -> ContextMap {
    let mut context = context.clone();
    for (key, value) in SERVICE_CONTEXT {
        let values = if is_list_key(key) {
            ContextValues::many([value])
        } else {
            ContextValues::one(value)
        };
        context.set(key, values);
    }
    if matches!(action, "iam:TagUser" | "iam:UntagUser") {
        context.set(
            "aws:TagKeys",
            ContextValues::many([ROTATION_MARK.to_owned()]),
        );
    }
    context
}
