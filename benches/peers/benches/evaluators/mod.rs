//! The evaluators that are compared, each with the same documents and the same requests. It
//! protects one rule: who decides differently is said so and not measured on that request.
//!
//! Cedar is another language: each statement becomes a Cedar policy, each action pattern a group of
//! actions, each resource pattern and condition a clause of `when`; the user's name is filled in.

#[path = "../../../../crates/policy/benches/fixture/mod.rs"]
pub mod fixture;

mod cedar;

use std::{cell::LazyCell, hint::black_box, str::FromStr, sync::Arc};

use keywright_policy as ours;

pub const NAMES: [&str; 4] = ["keywright", "iam-rs", "scratchstack-aspen", "cedar-policy"];

/// Every evaluator; each reads its policies when it is first asked.
pub struct Evaluators {
    ours: LazyCell<(ours::PolicySet, ours::ContextMap)>,
    iam_rs: LazyCell<iam_rs::PolicyEvaluator>,
    aspen: LazyCell<scratchstack_aspen::PolicySet>,
    cedar: LazyCell<cedar::Peer>,
}

/// A decision that can be asked for again and again: whether the request is allowed; `None`: the
/// evaluator failed.
pub type Decide<'a> = Box<dyn Fn() -> Option<bool> + 'a>;

impl Evaluators {
    pub fn new() -> Self {
        Self {
            ours: LazyCell::new(ours),
            iam_rs: LazyCell::new(iam_rs),
            aspen: LazyCell::new(aspen),
            cedar: LazyCell::new(cedar::Peer::new),
        }
    }

    /// The decision of one of [`NAMES`] on a request of the fixture's table, if it is the one that
    /// the table has.
    pub fn decide(&self, evaluator: &str, row: usize) -> Option<Decide<'_>> {
        let (name, action, resource, allowed) = fixture::REQUESTS[row];
        let decide = match evaluator {
            "keywright" => self.ours(action, resource),
            "iam-rs" => self.iam_rs(action, resource),
            "scratchstack-aspen" => self.aspen(action, resource),
            "cedar-policy" => self.cedar(action, resource),
            _ => panic!("{evaluator} is not compared"),
        };
        let decision = decide();
        if decision != Some(allowed) {
            eprintln!("{name}: {evaluator} decides otherwise: {decision:?}");
            return None;
        }
        Some(decide)
    }

    fn ours(&self, action: &'static str, resource: &'static str) -> Decide<'_> {
        let principal = ours::PrincipalRef::User {
            account: "123456789012".parse().unwrap(),
            arn: "arn:aws:iam::123456789012:user/bob",
            id: "AIDACKCEVSQ6C2EXAMPLE",
            name: "bob",
        };
        let (set, context) = &*self.ours;
        let request = ours::AccessRequest::new(principal, action, resource, context);
        Box::new(move || Some(ours::evaluate(set, None, black_box(&request)).is_allowed()))
    }

    fn iam_rs(&self, action: &str, resource: &str) -> Decide<'_> {
        let arn = "arn:aws:iam::123456789012:user/bob".to_owned();
        let principal = iam_rs::Principal::Aws(iam_rs::PrincipalId::String(arn));
        let mut context = iam_rs::Context::new().with_string("aws:username", "bob");
        for (key, value) in fixture::KEYS {
            context = context.with_string(key, value);
        }
        let resource = iam_rs::Arn::parse(resource).unwrap();
        let request = iam_rs::IAMRequest::new_with_context(principal, action, resource, context);
        let evaluator = &*self.iam_rs;
        Box::new(move || {
            let result = evaluator.evaluate(black_box(&request)).ok()?;
            Some(result.decision == iam_rs::Decision::Allow)
        })
    }

    fn aspen(&self, action: &str, resource: &str) -> Decide<'_> {
        let context = aspen_context(action, resource);
        let set = &*self.aspen;
        Box::new(move || {
            let (decision, _) = set.evaluate(black_box(&context)).ok()?;
            Some(decision == scratchstack_aspen::Decision::Allow)
        })
    }

    fn cedar(&self, action: &str, resource: &str) -> Decide<'_> {
        let peer = &*self.cedar;
        let request = peer.request(action, resource);
        Box::new(move || Some(peer.allows(black_box(&request))))
    }
}

fn ours() -> (ours::PolicySet, ours::ContextMap) {
    let compile = |text: String| ours::Policy::compile(&ours::parse(&text).unwrap());
    let texts = fixture::documents().into_iter();
    let policies = texts.map(|text| (ours::PolicySource::Inline, Arc::new(compile(text))));
    let keys = fixture::KEYS.iter();
    let context = keys.fold(ours::ContextMap::default(), |map, (k, v)| map.with(k, v));
    (ours::PolicySet::new(policies.collect()), context)
}

fn iam_rs() -> iam_rs::PolicyEvaluator {
    let texts = fixture::documents().into_iter();
    let policies = texts.map(|text| iam_rs::IAMPolicy::from_json(&text).unwrap());
    iam_rs::PolicyEvaluator::with_policies(policies.collect())
}

/// The policies that the crate can read; what it cannot is said and is to its advantage.
fn aspen() -> scratchstack_aspen::PolicySet {
    let mut set = scratchstack_aspen::PolicySet::new();
    for (number, text) in fixture::documents().iter().enumerate() {
        let policy = match scratchstack_aspen::Policy::from_str(text) {
            Ok(policy) => policy,
            Err(error) => {
                eprintln!("aspen cannot read policy {number}: {error}");
                continue;
            }
        };
        let source = scratchstack_aspen::PolicySource::new_entity_attached_policy(
            format!("arn:aws:iam::aws:policy/p{number}"),
            "ANPAEXAMPLE",
            "v1",
        );
        set.add_policy(source, policy);
    }
    set
}

fn aspen_context(action: &str, resource: &str) -> scratchstack_aspen::Context {
    use scratchstack_aws_principal::{
        Principal, PrincipalIdentity, SessionData, SessionValue, User,
    };
    let user = User::new("aws", "123456789012", "/", "bob").unwrap();
    let mut data = SessionData::new();
    data.insert("aws:username", SessionValue::from("bob"));
    for (key, value) in fixture::KEYS {
        data.insert(key, SessionValue::from(value));
    }
    let (service, api) = action.split_once(':').unwrap();
    scratchstack_aspen::Context::builder()
        .service(service)
        .api(api)
        .actor(Principal::from(vec![PrincipalIdentity::from(user)]))
        .resources(vec![scratchstack_arn::Arn::from_str(resource).unwrap()])
        .session_data(data)
        .build()
        .unwrap()
}
