//! Decides one request many times: `instructions REQUEST TIMES`, for a tool that counts
//! instructions (`cargo xtask instructions`); `instructions list` names the requests. It protects
//! one rule: what is counted is the decision alone, over the same documents and requests as the
//! other benches measure.

mod fixture;

use std::{hint::black_box, io::Write, sync::Arc};

use keywright_policy::{
    ContextMap, Policy, PolicySet, PrincipalRef, Request, Source, evaluate, parse,
};

#[expect(clippy::unwrap_used, reason = "a broken fixture may fail loudly")]
fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if name == "list" {
        let mut out = std::io::stdout().lock();
        for (name, ..) in fixture::REQUESTS {
            writeln!(out, "{name}").unwrap();
        }
        return;
    }
    // `cargo bench` calls every bench without a number.
    let times = words.next().and_then(|times| times.parse::<u32>().ok());
    let Some(times) = times else { return };
    let compile = |text: &String| Arc::new(Policy::compile(&parse(text).unwrap()));
    let texts = fixture::documents();
    let sourced = texts.iter().map(|text| (Source::Inline, compile(text)));
    let set = PolicySet::new(sourced.collect());
    let keys = fixture::KEYS.iter();
    let context = keys.fold(ContextMap::default(), |map, (key, value)| {
        map.with(key, value)
    });
    let principal = PrincipalRef::User {
        account: "123456789012".parse().unwrap(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    };
    let mut requests = fixture::REQUESTS.iter();
    let (_, action, resource, allowed) = requests.find(|row| row.0 == name).unwrap();
    let request = Request::new(principal, action, resource, &context);
    for _ in 0..times {
        let decision = evaluate(&set, None, black_box(&request));
        assert_eq!(decision.is_allowed(), *allowed);
    }
}
