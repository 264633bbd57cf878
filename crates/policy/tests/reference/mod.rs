//! A slow, obvious evaluator of AWS policies. It is written from AWS's documentation and shares
//! nothing with the crate, not even the parser, so an error would have to be made twice to stay
//! hidden.
//!
//! It takes policies as JSON values and evaluates everything every time. It supports only those
//! forms of numbers, dates and addresses that the generator produces.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

pub(crate) mod generate;
mod matching;
mod operators;
mod principals;
mod sharpen;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use self::matching::{action_listed, resource_listed};
use self::principals::{How, Who};
pub(crate) use self::principals::{arn, role_arn};

/// The value of a key in a request.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    One(String),
    List(Vec<String>),
}

/// Policies and a request.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) identity: Vec<Json>,
    pub(crate) boundary: Option<Json>,
    pub(crate) session: Option<Vec<Json>>,
    /// Level by level.
    pub(crate) service_control: Vec<Vec<Json>>,
    pub(crate) resource_control: Vec<Vec<Json>>,
    /// A resource policy or, if `trust` is set, a trust policy.
    pub(crate) attached: Option<Json>,
    pub(crate) trust: bool,
    pub(crate) caller: Caller,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) owner: Option<String>,
    /// Keys are in lower case.
    pub(crate) context: BTreeMap<String, Given>,
}

/// Prints the case for debugging, one policy per line.
impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut lines = |name: &str, policies: Vec<&Json>| {
            policies
                .into_iter()
                .try_for_each(|policy| writeln!(f, "{name}: {policy}"))
        };
        lines("identity", self.identity.iter().collect())?;
        lines("boundary", self.boundary.iter().collect())?;
        lines("session", self.session.iter().flatten().collect())?;
        lines("attached", self.attached.iter().collect())?;
        for level in &self.service_control {
            lines("service control", level.iter().collect())?;
        }
        for level in &self.resource_control {
            lines("resource control", level.iter().collect())?;
        }
        let Self {
            caller,
            action,
            resource,
            owner,
            context,
            ..
        } = self;
        write!(
            f,
            "{caller:?} (owner {owner:?}, trust {}) {action} on {resource} with {context:?}",
            self.trust
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Root,
    User,
    Role,
    ServiceLinkedRole,
    Federated,
    Service,
    Provider,
    Anonymous,
}

/// `Ok` if allowed, or else the reason: `explicit LAYER` or `silent LAYER`.
pub(crate) fn decide(case: &Case) -> Result<(), String> {
    let who = Who::of(case.caller);
    let keys = Keys {
        own: who.keys(),
        given: &case.context,
    };
    let ask = Ask {
        case,
        who: &who,
        keys: &keys,
    };
    // An explicit deny anywhere wins.
    for (name, policies) in ask.layers() {
        if policies.iter().any(|policy| ask.denies(policy, name)) {
            return Err(format!("explicit {name}"));
        }
    }
    // Every level of both organizations must allow.
    let resource_control = &case.resource_control;
    if ask.controlled() && !ask.every_level(resource_control, "resource control") {
        return Err("silent resource control".to_owned());
    }
    if ask.organized() && !ask.every_level(&case.service_control, "service control") {
        return Err("silent service control".to_owned());
    }
    let attached = ask.attached();
    let each = case.attached.iter();
    let by_resource = each.filter_map(|p| ask.allows(p, attached)).max();
    let cross = match (&who.account, &case.owner) {
        (None, _) => true,
        (Some(own), Some(owner)) => own != owner,
        (Some(_), None) => false,
    };
    if (cross || case.trust) && by_resource.is_none() {
        return Err(format!("silent {attached}"));
    }
    if who.account.is_none() || case.caller == Caller::Root {
        return Ok(());
    }
    match by_resource.filter(|_| !cross) {
        Some(How::Directly) => Ok(()),
        Some(How::ByRoleOrIssuer) => ask.limits(),
        Some(How::ByAccount) | None if ask.any(&case.identity, "identity") => ask.limits(),
        Some(How::ByAccount) | None => Err("silent identity".to_owned()),
    }
}

/// A condition as the reference sees it: the operator in lower case, the form of the request's
/// values, and whether the condition holds.
pub(crate) type Seen = (String, &'static str, bool);

/// Every condition of every policy of a case.
pub(crate) fn conditions(case: &Case) -> Vec<Seen> {
    let own = Who::of(case.caller).keys();
    let given = &case.context;
    let keys = &Keys { own, given };
    let levels = case.service_control.iter().chain(&case.resource_control);
    let limits = case.boundary.iter().chain(case.session.iter().flatten());
    let policies = case.identity.iter().chain(limits).chain(&case.attached);
    let mut seen = Vec::new();
    for policy in policies.chain(levels.flatten()) {
        let variables = policy["Version"] == "2012-10-17";
        for statement in statements(policy) {
            for (operator, tested) in statement["Condition"].as_object().into_iter().flatten() {
                for (key, values) in tested.as_object().unwrap() {
                    let effect = statement["Effect"].as_str().unwrap();
                    let values = list(values);
                    let holds = operators::holds(effect, operator, key, &values, variables, keys);
                    let given = match keys.get(key) {
                        None => "absent",
                        Some(Given::One(_)) => "one",
                        Some(Given::List(_)) => "list",
                    };
                    seen.push((operator.to_lowercase(), given, holds));
                }
            }
        }
    }
    seen
}

impl Ask<'_> {
    /// The layers that apply, with their policies.
    fn layers(&self) -> Vec<(&'static str, Vec<&Json>)> {
        let case = self.case;
        let mut layers: Vec<(&str, Vec<&Json>)> = Vec::new();
        if self.controlled() {
            let policies = case.resource_control.iter().flatten();
            layers.push(("resource control", policies.collect()));
        }
        if self.organized() {
            let policies = case.service_control.iter().flatten();
            layers.push(("service control", policies.collect()));
        }
        if case.caller != Caller::Root {
            layers.push(("identity", case.identity.iter().collect()));
            layers.push(("boundary", case.boundary.iter().collect()));
            layers.push(("session", case.session.iter().flatten().collect()));
        }
        layers.push((self.attached(), case.attached.iter().collect()));
        layers
    }

    const fn attached(&self) -> &'static str {
        if self.case.trust { "trust" } else { "resource" }
    }

    /// Whether resource control policies apply.
    fn controlled(&self) -> bool {
        let service = service(&self.case.action);
        !self.who.service_linked && RESOURCE_CONTROLLED.contains(&&*service)
    }

    /// Whether service control policies apply.
    const fn organized(&self) -> bool {
        !self.who.service_linked && self.who.account.is_some()
    }

    fn every_level(&self, levels: &[Vec<Json>], name: &str) -> bool {
        levels.iter().all(|level| self.any(level, name))
    }

    fn any(&self, policies: &[Json], name: &str) -> bool {
        policies.iter().any(|p| self.allows(p, name).is_some())
    }

    /// Boundary and session policies must allow, if there are any.
    fn limits(&self) -> Result<(), String> {
        if let Some(boundary) = &self.case.boundary
            && self.allows(boundary, "boundary").is_none()
        {
            return Err("silent boundary".to_owned());
        }
        let session = match &self.case.session {
            Some(policies) => self.any(policies, "session"),
            // A federated user's session without policies has no permissions.
            None => self.case.caller != Caller::Federated,
        };
        if session {
            Ok(())
        } else {
            Err("silent session".to_owned())
        }
    }
}

fn service(action: &str) -> String {
    action.split(':').next().unwrap().to_lowercase()
}

/// The services with resource control policies, among those that the generator uses.
const RESOURCE_CONTROLLED: [&str; 2] = ["s3", "sts"];

/// The keys of a request. Those that follow from the caller take precedence.
pub(crate) struct Keys<'a> {
    /// `None`: the caller is known to lack the key.
    own: BTreeMap<&'static str, Option<String>>,
    given: &'a BTreeMap<String, Given>,
}

impl Keys<'_> {
    /// The value of a key in any case. An empty list counts as no value.
    pub(crate) fn get(&self, key: &str) -> Option<Given> {
        let key = key.to_lowercase();
        if let Some(own) = self.own.get(key.as_str()) {
            return own.clone().map(Given::One);
        }
        match self.given.get(&key) {
            Some(Given::List(values)) if values.is_empty() => None,
            other => other.cloned(),
        }
    }
}

struct Ask<'a> {
    case: &'a Case,
    who: &'a Who,
    keys: &'a Keys<'a>,
}

impl Ask<'_> {
    fn denies(&self, policy: &Json, layer: &str) -> bool {
        statements(policy).iter().any(|s| {
            s["Effect"] == "Deny"
                && self.about_caller_for_deny(s, layer)
                && self.about_action(s)
                && self.about_resource(s, policy, layer)
                && self.conditions(s, policy)
        })
    }

    /// The strongest way in which a statement allows.
    fn allows(&self, policy: &Json, layer: &str) -> Option<How> {
        let applying = statements(policy).into_iter().filter(|s| {
            s["Effect"] == "Allow"
                && self.about_action(s)
                && self.about_resource(s, policy, layer)
                && self.conditions(s, policy)
        });
        applying
            .filter_map(|s| self.how_named_for_allow(&s, layer))
            .max()
    }

    fn how_named_for_allow(&self, s: &Json, layer: &str) -> Option<How> {
        if !names_principals(layer) {
            let named = s.get("Principal").or(s.get("NotPrincipal")).is_some();
            return (!named).then_some(How::Directly);
        }
        // An Allow with NotPrincipal grants nothing here, because no store accepts one.
        self.who.how_named(s.get("Principal")?)
    }

    fn about_caller_for_deny(&self, s: &Json, layer: &str) -> bool {
        if !names_principals(layer) {
            return true;
        }
        match (s.get("Principal"), s.get("NotPrincipal")) {
            (Some(principal), _) => {
                // A canonical user cannot be resolved, so it might be the caller.
                principal
                    .get("CanonicalUser")
                    .is_some_and(|u| !list(u).is_empty())
                    || self.who.how_named(principal).is_some()
            }
            // Callers with a permissions boundary are never exempt.
            (None, Some(spared)) => {
                let entity = !matches!(
                    self.case.caller,
                    Caller::Root | Caller::Service | Caller::Provider | Caller::Anonymous
                );
                entity && self.case.boundary.is_some() || !self.who.spared(spared)
            }
            (None, None) => true,
        }
    }

    fn about_action(&self, s: &Json) -> bool {
        match (s.get("Action"), s.get("NotAction")) {
            (Some(actions), _) => {
                action_listed(&list(actions), &self.case.action, s["Effect"] == "Deny")
            }
            (None, Some(others)) => !action_listed(&list(others), &self.case.action, true),
            (None, None) => s["Effect"] == "Deny",
        }
    }

    fn about_resource(&self, s: &Json, policy: &Json, layer: &str) -> bool {
        let variables = policy["Version"] == "2012-10-17";
        let listed = |elements: &Json| {
            let elements = list(elements);
            let each = elements
                .iter()
                .map(|element| resource_listed(element, &self.case.resource, variables, self.keys));
            each.collect::<Vec<_>>()
        };
        match (s.get("Resource"), s.get("NotResource")) {
            (Some(resources), _) => listed(resources).contains(&Some(true)),
            (None, Some(others)) => {
                // Not an ARN: its meaning is unknown, so an Allow does not apply.
                let malformed = |e: &String| !matching::is_arn_pattern(e, variables, self.keys);
                let unknown = list(others).iter().any(malformed) && s["Effect"] == "Allow";
                // If a variable has no value, the statement does not apply.
                let listed = listed(others);
                !unknown && !listed.contains(&None) && !listed.contains(&Some(true))
            }
            (None, None) => s["Effect"] == "Deny" || layer == "trust",
        }
    }

    fn conditions(&self, s: &Json, policy: &Json) -> bool {
        let variables = policy["Version"] == "2012-10-17";
        let operators = s["Condition"].as_object().into_iter().flatten();
        operators.into_iter().all(|(operator, keys)| {
            keys.as_object().unwrap().iter().all(|(key, values)| {
                let effect = s["Effect"].as_str().unwrap();
                operators::holds(effect, operator, key, &list(values), variables, self.keys)
            })
        })
    }
}

fn names_principals(layer: &str) -> bool {
    matches!(layer, "resource" | "trust" | "resource control")
}

fn statements(policy: &Json) -> Vec<Json> {
    match &policy["Statement"] {
        Json::Array(statements) => statements.clone(),
        statement => vec![statement.clone()],
    }
}

/// One text or a list of texts. Numbers and booleans stay as written, nulls are dropped.
fn list(value: &Json) -> Vec<String> {
    let elements = match value {
        Json::Array(elements) => elements.clone(),
        element => vec![element.clone()],
    };
    let text = |element: &Json| match element {
        Json::String(text) => Some(text.clone()),
        Json::Null => None,
        other => Some(other.to_string()),
    };
    elements.iter().filter_map(text).collect()
}
