//! Decides one request many times, for a tool that counts instructions (`cargo xtask
//! instructions`): `instructions REQUEST TIMES`. `instructions list` names the requests. Only the
//! decision is counted, on the same documents and requests as in the other benchmarks.

mod fixture;

use std::{hint::black_box, io::Write, sync::Arc};

use keywright_policy::{
    AccessRequest, ContextMap, Policy, PolicySet, PolicySource, PrincipalRef, evaluate, parse,
};

/// The number of statements in a policy; the request's action matches one of them.
const STATEMENTS: [usize; 3] = [10, 100, 1000];
const OF_MANY: &str = " statements";

#[expect(clippy::unwrap_used, reason = "a broken fixture may fail loudly")]
fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if name == "list" {
        let mut out = std::io::stdout().lock();
        for (name, ..) in fixture::REQUESTS {
            writeln!(out, "{name}").unwrap();
        }
        for count in STATEMENTS {
            writeln!(out, "{count}{OF_MANY}").unwrap();
        }
        return;
    }
    // `cargo bench` runs every benchmark without a number.
    let times = words.next().and_then(|times| times.parse::<u32>().ok());
    let Some(times) = times else { return };
    let compile = |text: &String| Arc::new(Policy::compile(&parse(text).unwrap()));
    let count = name.strip_suffix(OF_MANY);
    let count = count.map(|count| count.parse().unwrap());
    let texts = match count {
        Some(count) => vec![fixture::many(count, fixture::SHAPES[0].1).to_string()],
        None => fixture::documents(),
    };
    let sourced = texts
        .iter()
        .map(|text| (PolicySource::Inline, compile(text)));
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
    let (action, resource, allowed) = match count {
        Some(_) => (fixture::OF_MANY.0, fixture::OF_MANY.1, true),
        None => {
            let mut requests = fixture::REQUESTS.iter();
            let row = requests.find(|row| row.0 == name).unwrap();
            (row.1, row.2, row.3)
        }
    };
    let request = AccessRequest::new(principal, action, resource, &context);
    for _ in 0..times {
        let decision = evaluate(&set, None, black_box(&request));
        assert_eq!(decision.is_allowed(), allowed);
    }
}
