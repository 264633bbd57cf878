//! Sessions of roles: AssumeRole.

use keywright_wire::sts;

use super::issue::{
    SessionRequest, account_of, check_tags, denied, packed_size, requested_tags, second_factor,
    session_policies, user_of,
};
use crate::{
    action::{Action, ActionLevel, ActionOutcome, ActionResult, Input},
    authorize::{AssumableRole, AuthTarget, Permit, Requirement},
    caller::SessionAttributes,
    fault::IamFault,
    principal::Principal,
    state::{StateChange, Tag},
    view::StateView,
};

/// The default duration of a session in seconds, and the maximum with role chaining.
const SESSION_SECS: i32 = 3600;

pub(crate) struct AssumeRole;

impl AssumeRole {
    /// The tags of the session: those in the request, and the transitive ones of the caller's
    /// session.
    fn tags(view: &StateView<'_>, input: &Input<Self>) -> Vec<Tag> {
        let mut tags = requested_tags(input.tags.as_deref());
        tags.extend(inherited_tags(view));
        tags
    }

    /// The permission on the role, which both sides must grant.
    fn target(view: &StateView<'_>, input: &Input<Self>) -> AuthTarget {
        let role = AssumableRole::find(view, &input.role_arn);
        let tags = Self::tags(view, input);
        let mut target = AuthTarget::assumed(role.as_ref(), &input.role_arn)
            .with_key("sts:RoleSessionName", &input.role_session_name)
            .with_request_tags(tags);
        let optional = [
            ("sts:ExternalId", &input.external_id),
            ("sts:SourceIdentity", &input.source_identity),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                target = target.with_key(key, value);
            }
        }
        if let Some(secs) = input.duration_seconds {
            target = target.with_key("sts:DurationSeconds", secs.to_string());
        }
        for key in input.transitive_tag_keys.iter().flatten() {
            target = target.with_key("sts:TransitiveTagKeys", key);
        }
        // The code is verified before the session is created, so that a wrong one is refused.
        if input.serial_number.is_some() && input.token_code.is_some() {
            target = target
                .with_key("aws:MultiFactorAuthPresent", "true")
                .with_key("aws:MultiFactorAuthAge", "0");
        }
        target
    }
}

/// The tags of the caller's session that its sessions inherit.
fn inherited_tags(view: &StateView<'_>) -> Vec<Tag> {
    let session = view.caller.attributes();
    let Some(session) = session else {
        return Vec::new();
    };
    let transitive = |tag: &&Tag| {
        let mut keys = session.transitive_keys.iter();
        keys.any(|key| key.eq_ignore_ascii_case(&tag.key))
    };
    session.tags.iter().filter(transitive).cloned().collect()
}

impl Action for AssumeRole {
    type Shape = sts::AssumeRole;
    const ACCESS: ActionLevel = ActionLevel::Write;

    /// Accepting a code uses it up.
    fn writes(input: &Input<Self>) -> bool {
        input.serial_number.is_some()
    }

    fn required(view: &StateView<'_>, input: &Input<Self>) -> Result<Requirement, IamFault> {
        if keywright_base::Arn::parse(&input.role_arn).is_err() {
            return Err(IamFault::Validation(format!(
                "{} is invalid",
                input.role_arn
            )));
        }
        if matches!(view.caller.principal(), Principal::Root { .. }) {
            return Err(denied("Roles may not be assumed by root accounts."));
        }
        // On AWS, federated users can call no STS operation except GetCallerIdentity, whatever
        // their policies say.
        if matches!(view.caller.principal(), Principal::FederatedUser(_)) {
            return Err(denied(&format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                view.caller.arn(),
                input.role_arn
            )));
        }
        let target = Self::target(view, input);
        let mut targets = vec![target.clone()];
        if !target.request_tags.is_empty() {
            targets.push(target.clone().as_action("sts:TagSession"));
        }
        // As on AWS: also if the caller's session has one, which the new session inherits.
        let before = view.caller.attributes();
        let inherited = before.and_then(|before| before.source_identity.as_ref());
        if inherited.or(input.source_identity.as_ref()).is_some() {
            targets.push(target.as_action("sts:SetSourceIdentity"));
        }
        Ok(Requirement::All(targets))
    }

    fn run(view: &StateView<'_>, _: Permit<Self>, input: &Input<Self>) -> ActionOutcome<Self> {
        let code = (input.serial_number.as_deref(), input.token_code.as_deref());
        let device = second_factor(view, code)?;
        // The permit was issued for this state of the role's account, or a newer one.
        let found = AssumableRole::find(view, &input.role_arn);
        let found = found.ok_or_else(|| denied("The role was deleted meanwhile."))?;
        let secs = duration(view, input, found.role.max_session_secs)?;
        let attributes = attributes(view, input, &found)?;
        let packed_policy_size = packed_size(&attributes)?;
        let name = &input.role_session_name;
        let principal = Principal::role_session(found.account, &found.role, name);
        let source_identity = attributes.source_identity.clone();
        let request = SessionRequest {
            principal: &principal,
            action: "sts:AssumeRole",
            secs,
            // As on AWS: a code given for AssumeRole does not count in requests of the session.
            mfa: None,
            attributes: Some(attributes),
        };
        let (session, credentials) = request.issue(view)?;
        let (assumed_role_id, arn) = user_of(&principal);
        let output = sts::AssumeRoleOutput {
            credentials: Some(credentials),
            assumed_role_user: Some(sts::AssumedRoleUser {
                assumed_role_id,
                arn,
            }),
            packed_policy_size,
            source_identity,
            ..Default::default()
        };
        let changes = device.map(StateChange::put);
        Ok(ActionResult {
            session,
            changes: changes.into_iter().collect(),
            ..ActionResult::answer(output)
        })
    }
}

fn duration(
    view: &StateView<'_>,
    input: &Input<AssumeRole>,
    role_max: i32,
) -> Result<i32, IamFault> {
    let secs = input.duration_seconds.unwrap_or(SESSION_SECS);
    if secs > role_max {
        return Err(IamFault::Validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                .to_owned(),
        ));
    }
    let chained = matches!(view.caller.principal(), Principal::RoleSession(_));
    if chained && secs > SESSION_SECS {
        return Err(IamFault::Validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining."
                .to_owned(),
        ));
    }
    Ok(secs)
}

/// The policies, tags and source identity of the session.
fn attributes(
    view: &StateView<'_>,
    input: &Input<AssumeRole>,
    found: &AssumableRole,
) -> Result<SessionAttributes, IamFault> {
    let other = (found.account != view.id())
        .then(|| account_of(view, found.account))
        .flatten();
    let account = other.as_deref().unwrap_or(view.account);
    let limits = session_policies(
        account,
        input.policy.as_deref(),
        input.policy_arns.as_deref(),
    )?;
    let requested = requested_tags(input.tags.as_deref());
    check_tags(&requested)?;
    let transitive = input.transitive_tag_keys.clone().unwrap_or_default();
    let names = |tag: &Tag, key: &str| tag.key.eq_ignore_ascii_case(key);
    for key in &transitive {
        if !requested.iter().any(|tag| names(tag, key)) {
            return Err(IamFault::InvalidParameterValue(
                "The specified transitive tag key must be included in the requested tags."
                    .to_owned(),
            ));
        }
    }
    let inherited = inherited_tags(view);
    let overrides = |tag: &Tag| inherited.iter().any(|other| names(other, &tag.key));
    if requested.iter().any(overrides) {
        return Err(IamFault::InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a \
             transitive tag key from the calling session."
                .to_owned(),
        ));
    }
    let before = view.caller.attributes();
    let earlier = before.and_then(|before| before.source_identity.clone());
    let source_identity = match (earlier, &input.source_identity) {
        (Some(earlier), Some(new)) if earlier != *new => {
            return Err(denied(
                "The source identity of the calling session cannot be changed.",
            ));
        }
        (Some(earlier), _) => Some(earlier),
        (None, new) => new.clone(),
    };
    let inherited_keys = inherited.iter().map(|tag| tag.key.clone());
    Ok(SessionAttributes {
        transitive_keys: transitive.into_iter().chain(inherited_keys).collect(),
        tags: requested.into_iter().chain(inherited.clone()).collect(),
        source_identity,
        ..limits
    })
}
