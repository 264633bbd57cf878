//! Why a principal may or may not do something, and who may: from the very policies that are in
//! effect now.
//!
//! It protects one rule: an explanation asks the same compiled policies as a decision does. It
//! knows identity policies and boundaries; policies of buckets are S3's, and are not asked here.

use std::{borrow::Cow, ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, limits};
use keywright_policy::{
    Context, Decision, Examined, Explanation, Lack, Need, Outcome as PolicyOutcome, Policies,
    PolicySet, PrincipalRef, Request, Values, explain,
};
use keywright_wire::keywright;

use crate::{
    action::{Access, Action, Done, Input, Outcome},
    authorize::{Permit, Required, Target, policies_of},
    fault::{Fault, Missing},
    pagination::Page,
    state::{Tag, User},
    view::View,
};

/// Users that one page of [`ListAuthorizedPrincipals`] looks at.
const USERS_PER_PAGE: i32 = 500;

/// A request that nobody made: what is told of it, and what is known of its caller.
struct Told<'a> {
    entries: &'a [keywright::ContextEntry],
    tags: &'a [Tag],
    now: keywright_base::Timestamp,
}

impl Context for Told<'_> {
    fn get(&self, key: &str) -> Values<'_> {
        let named = self.entries.iter();
        let named = named.filter(|entry| entry.context_key_name.eq_ignore_ascii_case(key));
        let mut values = named.map(|entry| Cow::Borrowed(entry.context_key_value.as_str()));
        if let Some(first) = values.next() {
            let rest: Vec<_> = values.collect();
            return if rest.is_empty() {
                Values::One(first)
            } else {
                Values::Many(std::iter::once(first).chain(rest).collect())
            };
        }
        match key {
            "aws:currenttime" => Values::One(self.now.iso8601().into()),
            "aws:epochtime" => Values::One(self.now.secs().to_string().into()),
            _ => match key.strip_prefix("aws:principaltag/") {
                Some(tag) => {
                    let mut tags = self.tags.iter();
                    let tag = tags.find(|known| known.key.eq_ignore_ascii_case(tag));
                    Values::optional(tag.map(|tag| tag.value.as_str()))
                }
                None => Values::Absent,
            },
        }
    }
}

/// Explains a request of a user.
fn of_user(
    view: &View<'_>,
    user: &User,
    (action, resource): (&str, &str),
    entries: &[keywright::ContextEntry],
) -> Explanation {
    let set = policies_of(view.account, user);
    let arn = user.arn(view.id());
    let context = Told {
        entries,
        tags: &user.tags,
        now: view.now(),
    };
    let request = Request {
        principal: PrincipalRef::User {
            account: view.id(),
            arn: arn.as_str(),
            id: user.id.as_str(),
            name: &user.name,
        },
        action,
        resource,
        owner: Some(view.id()),
        context: &context,
    };
    explain(&Policies::new(&set), &request)
}

/// Explains a request of the root user.
fn of_root(view: &View<'_>, (action, resource): (&str, &str)) -> Explanation {
    let set = PolicySet::default();
    let arn = Arn::iam(view.id(), "root");
    let context = Told {
        entries: &[],
        tags: &[],
        now: view.now(),
    };
    let request = Request {
        principal: PrincipalRef::Root {
            account: view.id(),
            arn: arn.as_str(),
        },
        action,
        resource,
        owner: Some(view.id()),
        context: &context,
    };
    explain(&Policies::new(&set), &request)
}

/// A decision in the words of the simulator.
pub(super) fn word(decision: &Decision) -> String {
    PolicyOutcome::from(decision).as_str().to_owned()
}

/// Every statement that was examined and what it lacked, and whether some are left out.
pub(super) fn statements(explanation: &Explanation) -> (Vec<keywright::ExaminedStatement>, bool) {
    let all = &explanation.statements;
    let shown = all
        .iter()
        .take(limits::EXAMINED_STATEMENTS)
        .map(|examined| {
            let statement = &examined.statement;
            let sid = statement.sid.as_ref().map(|sid| format!(" ({sid})"));
            let place = || (statement.policy + 1).to_string();
            let policy = statement.id.clone().unwrap_or_else(place);
            let lacks: Vec<_> = examined.lacks.iter().map(ToString::to_string).collect();
            keywright::ExaminedStatement {
                statement: format!("{}{}", statement.index + 1, sid.unwrap_or_default()),
                policy: format!("{} {policy}", statement.layer),
                effect: examined.effect.to_string(),
                applies: examined.applies(),
                lacks: (!lacks.is_empty()).then(|| lacks.join(", ")),
            }
        });
    (shown.collect(), all.len() > limits::EXAMINED_STATEMENTS)
}

/// Refuses what is a pattern, or no action at all: nobody could be allowed it.
fn check_action(name: &str) -> Result<(), Fault> {
    let letters = |text: &str, more: &[char]| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        !text.is_empty() && text.chars().all(fits)
    };
    match name.split_once(':') {
        Some((service, action)) if letters(service, &['-']) && letters(action, &[]) => Ok(()),
        _ => Err(Fault::Validation(format!(
            "ActionName {name} is not an action: write service:Action, for example s3:GetObject, \
             without wildcards"
        ))),
    }
}

/// `keywright:ExplainAuthorization`
pub(crate) struct ExplainAuthorization;

impl Action for ExplainAuthorization {
    type Shape = keywright::ExplainAuthorization;
    const ACCESS: Access = Access::Read;

    fn required(_: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let arn = &input.principal_arn;
        Ok(Required::one(Target::new(arn, arn)))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        check_action(&input.action_name)?;
        let asked = (&*input.action_name, &*input.resource_arn);
        let arn = input.principal_arn.as_str();
        let explanation = if arn == Arn::iam(view.id(), "root").as_str() {
            of_root(view, asked)
        } else {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            let user = view.account.user(name);
            let user = user.filter(|user| user.arn(view.id()).as_str() == arn);
            let user = user.ok_or_else(|| Missing::User(name.to_owned()))?;
            let entries = input.context_entries.as_deref().unwrap_or_default();
            of_user(view, user, asked, entries)
        };
        let (statements, is_truncated) = statements(&explanation);
        Ok(Done::answer(keywright::ExplainAuthorizationOutput {
            decision: word(&explanation.decision),
            explanation: explanation.to_string(),
            statements,
            is_truncated,
        }))
    }
}

/// `keywright:ListAuthorizedPrincipals`: who may, through what, and under which conditions.
pub(crate) struct ListAuthorizedPrincipals;

/// Who may, or might if the conditions held.
fn authorized(
    view: &View<'_>,
    user: &User,
    asked: (&str, &str),
) -> Option<keywright::AuthorizedPrincipal> {
    let explanation = of_user(view, user, asked, &[]);
    let principal = |through: String, condition: Option<String>| keywright::AuthorizedPrincipal {
        principal_arn: user.arn(view.id()).to_string(),
        through,
        condition,
    };
    if explanation.decision.is_allowed() {
        let by = explanation.decided_by.iter().map(ToString::to_string);
        return Some(principal(by.collect::<Vec<_>>().join("; "), None));
    }
    // Denied for want of conditions alone: somebody whose request fulfils them may.
    let (mut through, mut conditions) = (Vec::new(), Vec::new());
    for need in &explanation.needs {
        let Need::Allow { nearest, .. } = need else {
            return None;
        };
        let near = nearest.iter().find(|near| lacks_conditions_only(near))?;
        through.push(near.statement.to_string());
        conditions.extend(near.lacks.iter().map(ToString::to_string));
    }
    (!through.is_empty()).then(|| principal(through.join("; "), Some(conditions.join("; "))))
}

fn lacks_conditions_only(examined: &Examined) -> bool {
    let mut lacks = examined.lacks.iter();
    lacks.all(|lack| matches!(lack, Lack::Condition { .. }))
}

impl Action for ListAuthorizedPrincipals {
    type Shape = keywright::ListAuthorizedPrincipals;
    const ACCESS: Access = Access::List;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::everything()))
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        check_action(&input.action_name)?;
        let asked = (&*input.action_name, &*input.resource_arn);
        let filter = [asked.0, asked.1];
        let marker = input.marker.as_deref();
        let page = Page::of(
            "ListAuthorizedPrincipals",
            &filter,
            marker,
            Some(USERS_PER_PAGE),
        )?;
        let from = page.after().map_or(Bound::Unbounded, |after| {
            Bound::Excluded(FoldedName::new(after))
        });
        let users = view.account.users().range((from, Bound::Unbounded));
        let users = users.map(|(_, user)| user);
        let (users, marker) = page.take(users, |user: &&Arc<User>| user.name.to_ascii_lowercase());
        let mut principals = Vec::new();
        if page.after().is_none() && of_root(view, asked).decision.is_allowed() {
            principals.push(keywright::AuthorizedPrincipal {
                principal_arn: Arn::iam(view.id(), "root").to_string(),
                through: "the root user needs no policy".to_owned(),
                condition: None,
            });
        }
        principals.extend(
            users
                .into_iter()
                .filter_map(|user| authorized(view, user, asked)),
        );
        Ok(Done::answer(keywright::ListAuthorizedPrincipalsOutput {
            principals,
            is_truncated: marker.is_some(),
            marker,
        }))
    }
}

#[cfg(test)]
mod tests;
