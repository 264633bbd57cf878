//! Why a principal may or may not do something, and who may: from the very policies that are in
//! effect now.
//!
//! It protects two rules: an explanation asks the same compiled policies as a decision does, those
//! of buckets included; and nobody learns here what a bucket's policy of another account says.

use std::{borrow::Cow, ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, limits};
use keywright_policy::{
    Context, Decision, Effect, Examined, Explanation, Found, Lack, Layer, Need as PolicyNeed,
    Outcome as PolicyOutcome, Policies, Policy, PolicySet, PrincipalRef, Request, StatementRef,
    Tested, Values, explain,
};
use keywright_wire::keywright;

use crate::{
    action::{Access, Action, Done, Input, Outcome},
    authorize::{Permit, Required, Target, binding, policies_of},
    fault::{Fault, Missing},
    pagination::Page,
    state::{Tag, User},
    view::{Need, View},
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
    explained(view, &set, &request)
}

/// Explains a request by the policies of the principal and of the resource.
fn explained(view: &View<'_>, set: &PolicySet, request: &Request<'_>) -> Explanation {
    match binding(policy(view), request) {
        Some(policy) => explain(&Policies::new(set).with_resource(policy), request),
        None => explain(&Policies::new(set), request),
    }
}

/// The policy of the resource that is asked about.
fn policy<'a>(view: &View<'a>) -> Option<&'a Arc<Policy>> {
    let attached = view.gathered.attached.as_ref();
    attached.and_then(|attached| attached.policy.as_ref())
}

/// Refuses a resource of another account, whose policy is not ours to tell.
fn check_owner(view: &View<'_>, arn: &str) -> Result<(), Fault> {
    match &view.gathered.attached {
        Some(attached) if attached.owner != view.id() => Err(Fault::Validation(format!(
            "ResourceArn {arn} belongs to another account, which alone can ask what its policy says"
        ))),
        _ => Ok(()),
    }
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
    explained(view, &set, &request)
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

    fn needs(_: &View<'_>, input: &Input<Self>) -> Result<Vec<Need>, Fault> {
        Ok(vec![Need::Attached(input.resource_arn.clone())])
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        check_action(&input.action_name)?;
        check_owner(view, &input.resource_arn)?;
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
    let (mut through, mut conditions) = (Vec::new(), Vec::new());
    for need in &explanation.needs {
        match need {
            PolicyNeed::WithoutDeny {
                statement,
                conditions: holding,
            } => {
                if !holding.iter().any(is_open) {
                    return None;
                }
                conditions.push(unless(statement, holding.iter()));
            }
            PolicyNeed::Allow { layer, .. } => {
                let near = nearly(view, user, &explanation, *layer)?;
                through.push(near.statement.to_string());
                conditions.extend(tests(near).map(Tested::asked));
            }
        }
    }
    if !explanation.decision.is_allowed() && explanation.needs.is_empty() {
        return None;
    }
    let statements = explanation.statements.iter();
    if through.is_empty() {
        let applying = statements
            .clone()
            .filter(|e| e.effect == Effect::Allow && e.applies());
        through.extend(applying.map(|examined| examined.statement.to_string()));
    }
    let might_deny =
        statements.filter(|e| e.effect == Effect::Deny && !e.applies() && lacks_open_only(e));
    conditions.extend(might_deny.map(|examined| unless(&examined.statement, tests(examined))));
    Some(keywright::AuthorizedPrincipal {
        principal_arn: user.arn(view.id()).to_string(),
        through: through.join("; "),
        condition: (!conditions.is_empty()).then(|| conditions.join("; ")),
    })
}

/// The Allow that could serve a silent layer if a request met its conditions: the one with fewest.
/// For the identity policies, a policy of the resource that names the user serves as well.
fn nearly<'a>(
    view: &View<'_>,
    user: &User,
    explanation: &'a Explanation,
    layer: Layer,
) -> Option<&'a Examined> {
    let serves = |statement: &StatementRef| {
        statement.layer == layer
            || layer == Layer::Identity
                && statement.layer == Layer::Resource
                && names(view, user, statement.index)
    };
    let allows = explanation
        .statements
        .iter()
        .filter(|e| e.effect == Effect::Allow && serves(&e.statement) && lacks_open_only(e));
    allows.min_by_key(|examined| examined.lacks.len())
}

/// Whether a statement of the resource's policy names the user or everyone, not only the account.
fn names(view: &View<'_>, user: &User, statement: usize) -> bool {
    let written = policy(view).and_then(|policy| policy.document().statements.get(statement));
    let principal = written.and_then(|statement| statement.principal.as_ref());
    let arn = user.arn(view.id());
    principal.is_some_and(|principal| {
        let mut names = principal.elements.iter();
        names.any(|(_, name)| name == "*" || name == arn.as_str() || name == user.id.as_str())
    })
}

/// Whether a statement would apply to a request that says the right things.
fn lacks_open_only(examined: &Examined) -> bool {
    let mut lacks = examined.lacks.iter();
    lacks.all(|lack| matches!(lack, Lack::Condition(tested) if is_open(tested)))
}

/// Whether a request could say otherwise: nothing is known of the key. What tags a principal does
/// not have is known.
fn is_open(tested: &Tested) -> bool {
    let key = tested.key.to_ascii_lowercase();
    tested.found == Found::Absent && !key.starts_with("aws:principaltag/")
}

/// The conditions that a statement lacks.
fn tests(examined: &Examined) -> impl Iterator<Item = &Tested> {
    examined.lacks.iter().filter_map(|lack| match lack {
        Lack::Condition(tested) => Some(tested),
        _ => None,
    })
}

/// How a request escapes a Deny.
fn unless<'a>(deny: &StatementRef, tests: impl Iterator<Item = &'a Tested>) -> String {
    let asked: Vec<String> = tests.map(Tested::asked).collect();
    format!("not ({}), which {deny} denies", asked.join(" and "))
}

impl Action for ListAuthorizedPrincipals {
    type Shape = keywright::ListAuthorizedPrincipals;
    const ACCESS: Access = Access::List;

    fn required(_: &View<'_>, _: &Input<Self>) -> Result<Required, Fault> {
        Ok(Required::one(Target::everything()))
    }

    fn needs(_: &View<'_>, input: &Input<Self>) -> Result<Vec<Need>, Fault> {
        Ok(vec![Need::Attached(input.resource_arn.clone())])
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        check_action(&input.action_name)?;
        check_owner(view, &input.resource_arn)?;
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
