//! Why a principal may or may not do something, and who may: from the very policies that are in
//! effect now.
//!
//! It protects two rules: an explanation asks the same compiled policies as a decision does, those
//! of buckets included; and nobody learns here what a bucket's policy of another account says.

mod implied;
mod told;

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use keywright_base::{Arn, FoldedName, limits};
use keywright_policy::{
    Decision, Effect, Examined, Explanation, Lack, Layer, Need as PolicyNeed,
    Outcome as PolicyOutcome, Policies, Policy, PolicySet, PrincipalRef, Request, Settled,
    StatementRef, Tested, check_question, explain, explanation_steps, is_of_principal, settled,
};
use keywright_wire::keywright;

use self::{implied::Implied, told::Told};
use crate::{
    action::{Access, Action, Done, Effort, Input, Outcome},
    authorize::{Permit, Required, Target, binding, policies_of},
    fault::{Fault, Missing},
    names::Names,
    pagination::Page,
    state::{Selector, User},
    view::{Need, View},
};

/// Users that one page of [`ListAuthorizedPrincipals`] looks at.
const USERS_PER_PAGE: i32 = 500;

/// Explains a request of a user. One that another implies is denied also if it is not allowed for
/// all that it is about.
fn of_user(
    view: &View<'_>,
    user: &User,
    (action, resource): (&str, &str),
    (context, implied, steps): (&Told<'_>, Option<&Implied>, &mut StepsLeft),
) -> Result<Explanation, Fault> {
    let set = policies_of(view.account, user);
    let arn = user.arn(view.id());
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
        context,
    };
    let mut explanation = explained(view, &set, &request, steps)?;
    if let Some(implied) = implied
        && explanation.decision.is_allowed()
        && let Some(denied) = implied.denied_for_some(view, user, &request)
    {
        explanation.decision = denied;
        explanation.decided_by.clear();
    }
    Names::of(view.account, user).name(&mut explanation);
    Ok(explanation)
}

/// The steps of matching that an answer may still take.
struct StepsLeft(u64);

impl StepsLeft {
    const fn new() -> Self {
        Self(limits::PAGE_STEPS)
    }

    fn take(&mut self, steps: u64) -> Result<(), Fault> {
        let left = self.0.checked_sub(steps).ok_or_else(|| {
            Fault::Validation(format!(
                "The explanation is too large: {steps} steps of matching policies with the values \
                 of the request, at most {}",
                limits::PAGE_STEPS
            ))
        });
        self.0 = left?;
        Ok(())
    }
}

/// Explains a request by the policies of the principal and of the resource.
fn explained(
    view: &View<'_>,
    set: &PolicySet,
    request: &Request<'_>,
    steps: &mut StepsLeft,
) -> Result<Explanation, Fault> {
    let own = Policies::new(set);
    let policies = match binding(policy(view), request) {
        Some(policy) => own.with_resource(policy),
        None => own,
    };
    steps.take(explanation_steps(&policies, request))?;
    Ok(explain(&policies, request))
}

/// The policy of the resource that is asked about.
fn policy<'a>(view: &View<'a>) -> Option<&'a Arc<Policy>> {
    let attached = view.gathered.attached.as_ref();
    attached.and_then(|attached| attached.policy.as_ref())
}

/// Explains a request of the root user.
fn of_root(
    view: &View<'_>,
    (action, resource): (&str, &str),
    (context, steps): (&Told<'_>, &mut StepsLeft),
) -> Result<Explanation, Fault> {
    let set = PolicySet::default();
    let arn = Arn::iam(view.id(), "root");
    let request = Request {
        principal: PrincipalRef::Root {
            account: view.id(),
            arn: arn.as_str(),
        },
        action,
        resource,
        owner: Some(view.id()),
        context,
    };
    explained(view, &set, &request, steps)
}

/// Refuses what no request could ask, and a resource of another account, whose policy is not ours
/// to tell.
fn check(view: &View<'_>, action: &str, resource: &str) -> Result<(), Fault> {
    check_question(action, resource).map_err(|fault| Fault::Validation(fault.to_string()))?;
    match &view.gathered.attached {
        Some(attached) if attached.owner != view.id() => Err(Fault::Validation(format!(
            "{resource} belongs to another account, which alone can ask what its policy says"
        ))),
        _ => Ok(()),
    }
}

/// The condition keys on which the answer turns and of which nothing was told: those that a
/// statement about the action asks for.
fn not_given(explanation: &Explanation, told: &Told<'_>) -> Vec<String> {
    let about = explanation.statements.iter();
    let about = about.filter(|examined| !examined.lacks.contains(&Lack::Action));
    let lacked = about.flat_map(|examined| &examined.lacks);
    let mut keys = BTreeSet::new();
    let mut variables = Vec::new();
    let mut tested = Vec::new();
    for lack in lacked {
        match lack {
            Lack::Condition(lacked) => tested.push(lacked),
            Lack::Resource { variables: all, .. } => variables.extend(all),
            _ => {}
        }
    }
    for need in &explanation.needs {
        if let PolicyNeed::WithoutDeny { conditions, .. } = need {
            tested.extend(conditions);
        }
    }
    for tested in tested {
        variables.extend(&tested.variables);
        if told.is_open(tested) {
            keys.insert(tested.key.clone());
        }
    }
    let unknown = variables.into_iter().filter(|v| v.value.is_none());
    keys.extend(
        unknown
            .filter(|variable| told.leaves_open(&variable.key))
            .map(|variable| variable.key.clone()),
    );
    keys.into_iter().collect()
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

/// `keywright:ExplainAuthorization`
pub(crate) struct ExplainAuthorization;

impl Action for ExplainAuthorization {
    type Shape = keywright::ExplainAuthorization;
    const ACCESS: Access = Access::Read;
    const EFFORT: Effort = Effort::Long;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let (principal, resource) = (&input.principal_arn, &input.resource_arn);
        Ok(Required::On {
            own: vec![Target::principal(view, principal)],
            subjects: Target::of_explanation(view, principal, resource),
        })
    }

    fn needs(_: &View<'_>, input: &Input<Self>) -> Result<Vec<Need>, Fault> {
        Ok(vec![Need::Attached(input.resource_arn.clone())])
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let asked = (&*input.action_name, &*input.resource_arn);
        check(view, asked.0, asked.1)?;
        let user = principal(view, &input.principal_arn)?;
        if let Some(settled) = settled(asked.0, asked.1) {
            return Ok(Done::answer(settled_answer(settled)));
        }
        let entries = input.context_entries.as_deref().unwrap_or_default();
        let mut keys = entries.iter().map(|entry| &entry.context_key_name);
        if let Some(key) = keys.find(|key| is_of_principal(key)) {
            let text = format!("{key} follows from the principal and cannot be told");
            return Err(Fault::Validation(text));
        }
        let (explanation, text) = in_words(view, user.map(|user| &**user), asked, entries)?;
        let (statements, is_truncated) = statements(&explanation);
        Ok(Done::answer(keywright::ExplainAuthorizationOutput {
            decision: word(&explanation.decision),
            explanation: text,
            statements,
            is_truncated,
        }))
    }
}

/// The answer that no policy has a part in.
fn settled_answer(settled: Settled) -> keywright::ExplainAuthorizationOutput {
    let outcome = PolicyOutcome::from(settled);
    let word = match outcome {
        PolicyOutcome::Allowed => "allowed",
        PolicyOutcome::ExplicitDeny | PolicyOutcome::ImplicitDeny => "denied",
    };
    keywright::ExplainAuthorizationOutput {
        decision: outcome.as_str().to_owned(),
        explanation: format!("{word}\n  {}\n", settled.why()),
        statements: Vec::new(),
        is_truncated: false,
    }
}

/// An explanation and its text. What an action of the extension implies is asked after it; the
/// first that is denied is the answer.
fn in_words(
    view: &View<'_>,
    user: Option<&User>,
    asked: (&str, &str),
    entries: &[keywright::ContextEntry],
) -> Result<(Explanation, String), Fault> {
    let mut steps = StepsLeft::new();
    let mut said = |asked: (&str, &str), entries: &[_], implied: Option<&Implied>| {
        let told = Told::new(view, user, asked, entries);
        let explanation = match user {
            Some(user) => of_user(view, user, asked, (&told, implied, &mut steps))?,
            None => of_root(view, asked, (&told, &mut steps))?,
        };
        let mut text = explanation.to_string();
        let open = not_given(&explanation, &told);
        if !open.is_empty() {
            text.push_str(&format!("  not given: {}\n", open.join(", ")));
        }
        Ok::<_, Fault>((explanation, text))
    };
    let own = said(asked, entries, None)?;
    if user.is_none() || !own.0.decision.is_allowed() {
        return Ok(own);
    }
    for implied in implied::questions(view, asked, entries) {
        let (explanation, mut text) = said(implied.asked(), &implied.entries, Some(&implied))?;
        if !explanation.decision.is_allowed() {
            let (action, resource) = implied.asked();
            let line = format!("  {} also takes {action} on {resource}\n", asked.0);
            text.push_str(&line);
            return Ok((explanation, text));
        }
    }
    Ok(own)
}

/// The user that an ARN names; nobody for the root user.
fn principal<'a>(view: &View<'a>, arn: &str) -> Result<Option<&'a Arc<User>>, Fault> {
    if arn == Arn::iam(view.id(), "root").as_str() {
        return Ok(None);
    }
    let Some(name) = arn.strip_prefix(Arn::iam(view.id(), "user/").as_str()) else {
        return Err(Fault::Validation(format!(
            "PrincipalArn {arn} is neither the root user nor a user of account {}",
            view.id()
        )));
    };
    let name = name.rsplit('/').next().unwrap_or(name);
    let user = view.account.user_by_arn(arn);
    let user = user.ok_or_else(|| Missing::User(name.to_owned()))?;
    Ok(Some(user))
}

/// `keywright:ListAuthorizedPrincipals`: who may, through what, and under which conditions.
pub(crate) struct ListAuthorizedPrincipals;

/// Whether a user, or the root user, may, or might if the conditions held; also all that an action
/// of the extension implies.
fn authorized(
    view: &View<'_>,
    user: Option<&User>,
    asked: (&str, &str),
    steps: &mut StepsLeft,
) -> Result<Option<keywright::AuthorizedPrincipal>, Fault> {
    let Some(mut found) = authorized_alone(view, user, asked, (None, steps))? else {
        return Ok(None);
    };
    if user.is_some() {
        for implied in implied::questions(view, asked, &[]) {
            let also = authorized_alone(view, user, implied.asked(), (Some(&implied), steps))?;
            let Some(also) = also else { return Ok(None) };
            let both = found.condition.into_iter().chain(also.condition);
            let mut conditions: Vec<String> = both.collect();
            conditions.dedup();
            found.condition = (!conditions.is_empty()).then(|| conditions.join("; "));
        }
    }
    Ok(Some(found))
}

/// The same for one action, whatever it implies.
fn authorized_alone(
    view: &View<'_>,
    user: Option<&User>,
    asked: (&str, &str),
    (implied, steps): (Option<&Implied>, &mut StepsLeft),
) -> Result<Option<keywright::AuthorizedPrincipal>, Fault> {
    let root = || Arn::iam(view.id(), "root");
    let arn = user
        .map_or_else(root, |user| user.arn(view.id()))
        .to_string();
    if let Some(settled) = settled(asked.0, asked.1) {
        let allowed = settled == Settled::Allowed;
        return Ok(allowed.then(|| keywright::AuthorizedPrincipal {
            principal_arn: arn,
            through: settled.why().to_owned(),
            condition: None,
        }));
    }
    let entries = implied.map_or(&[][..], |implied| &implied.entries);
    let told = Told::new(view, user, asked, entries);
    let explanation = match user {
        Some(user) => of_user(view, user, asked, (&told, implied, steps))?,
        None => of_root(view, asked, (&told, steps))?,
    };
    let through = authorized_through(view, user, (&explanation, &told));
    Ok(
        through.map(|(through, conditions)| keywright::AuthorizedPrincipal {
            principal_arn: arn,
            through: through.join("; "),
            condition: (!conditions.is_empty()).then(|| conditions.join("; ")),
        }),
    )
}

/// What lets someone do what an explanation is about, and under which conditions.
fn authorized_through(
    view: &View<'_>,
    user: Option<&User>,
    (explanation, told): (&Explanation, &Told<'_>),
) -> Option<(Vec<String>, Vec<String>)> {
    let open = |examined: &Examined| lacks_open_only(examined, told);
    let (mut through, mut conditions) = (Vec::new(), Vec::new());
    for need in &explanation.needs {
        match need {
            PolicyNeed::WithoutDeny {
                statement,
                conditions: holding,
                ..
            } => {
                if !holding.iter().any(|tested| told.is_open(tested)) {
                    return None;
                }
                conditions.push(unless(statement, holding.iter()));
            }
            PolicyNeed::Allow { layer, .. } => {
                let near = nearly(view, user?, (explanation, told), *layer)?;
                through.push(near.statement.to_string());
                conditions.extend(tests(near).map(Tested::asked));
            }
        }
    }
    if !explanation.decision.is_allowed() && explanation.needs.is_empty() {
        return None;
    }
    let statements = explanation.statements.iter();
    if user.is_none() {
        through.push("the root user needs no policy".to_owned());
    } else if through.is_empty() {
        let applying = statements
            .clone()
            .filter(|e| e.effect == Effect::Allow && e.applies());
        through.extend(applying.map(|examined| examined.statement.to_string()));
    }
    let might_deny = statements.filter(|e| e.effect == Effect::Deny && !e.applies() && open(e));
    conditions.extend(might_deny.map(|examined| unless(&examined.statement, tests(examined))));
    Some((through, conditions))
}

/// The Allow that could serve a silent layer if a request met its conditions: the one with fewest.
/// For the identity policies, a policy of the resource that names the user serves as well.
fn nearly<'a>(
    view: &View<'_>,
    user: &User,
    (explanation, told): (&'a Explanation, &Told<'_>),
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
        .filter(|e| e.effect == Effect::Allow && serves(&e.statement) && lacks_open_only(e, told));
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
fn lacks_open_only(examined: &Examined, told: &Told<'_>) -> bool {
    let mut lacks = examined.lacks.iter();
    lacks.all(|lack| matches!(lack, Lack::Condition(tested) if told.is_open(tested)))
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
    const EFFORT: Effort = Effort::Long;

    fn required(view: &View<'_>, input: &Input<Self>) -> Result<Required, Fault> {
        let mut subjects = vec![Target::every_user(view, &Selector::Everyone)];
        subjects.extend(Target::of_storage(&input.resource_arn));
        Ok(Required::On {
            own: vec![Target::everything()],
            subjects,
        })
    }

    fn needs(_: &View<'_>, input: &Input<Self>) -> Result<Vec<Need>, Fault> {
        Ok(vec![Need::Attached(input.resource_arn.clone())])
    }

    fn run(view: &View<'_>, _: Permit<Self>, input: &Input<Self>) -> Outcome<Self> {
        let asked = (&*input.action_name, &*input.resource_arn);
        check(view, asked.0, asked.1)?;
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
        let key = |user: &&Arc<User>| user.name.to_ascii_lowercase();
        let (users, mut marker) = page.take(users, key);
        let (mut principals, mut steps) = (Vec::new(), StepsLeft::new());
        if page.after().is_none() {
            principals.extend(authorized(view, None, asked, &mut steps)?);
        }
        let mut last = None;
        for user in users {
            match (authorized(view, Some(user), asked, &mut steps), last) {
                (Ok(found), _) => principals.extend(found),
                (Err(fault), None) => return Err(fault),
                // The page ends before whoever takes too many steps.
                (Err(_), Some(last)) => {
                    marker = Some(page.marker(&key(&last)));
                    break;
                }
            }
            last = Some(user);
        }
        Ok(Done::answer(keywright::ListAuthorizedPrincipalsOutput {
            principals,
            is_truncated: marker.is_some(),
            marker,
        }))
    }
}

#[cfg(test)]
mod tests;
