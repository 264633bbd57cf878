//! Statements out of any patterns, keys and values: no decision may panic or take long, its
//! explanation agrees with it, a Deny never allows, an Allow never denies, and wildcards mean what
//! the textbook says.
//!
//! Every input parses, so that the time goes to the evaluator: its lines are the fields of one
//! statement and of one request.
#![no_main]

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{
    ContextMap, PoliciesInForce, Policy, PolicySet, PrincipalRef, AccessRequest, PolicySource, ContextValues, explain, parse,
    simulate,
};
use libfuzzer_sys::fuzz_target;

const PREFIXES: [&str; 3] = ["", "ForAllValues:", "ForAnyValue:"];
const OPERATORS: [&str; 14] = [
    "StringLike",
    "StringNotLike",
    "StringEquals",
    "StringNotEqualsIgnoreCase",
    "NumericLessThan",
    "NumericNotEquals",
    "DateGreaterThanEquals",
    "DateNotEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
];

/// The fields of an input, a line each; lists are separated by tabs.
struct Fields<'a> {
    /// Bits: who calls, and the form of the statement.
    shape: &'a [u8],
    asked: [&'a str; 2],
    action: &'a str,
    resource: &'a str,
    principal: &'a str,
    key: &'a str,
    wanted: Vec<&'a str>,
    found: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut next = || lines.next();
        Some(Self {
            shape: next()?.as_bytes(),
            asked: [next()?, next()?],
            action: next()?,
            resource: next()?,
            principal: next()?,
            key: next()?,
            wanted: next()?.split('\t').collect(),
            found: next()?.split('\t').collect(),
        })
    }

    fn shape(&self, at: usize, choices: usize) -> usize {
        self.shape.get(at).map_or(0, |byte| usize::from(*byte) % choices)
    }

    fn operator(&self) -> String {
        let prefix = PREFIXES[self.shape(0, 3)];
        let suffix = ["", "IfExists"][self.shape(1, 2)];
        format!("{prefix}{}{suffix}", OPERATORS[self.shape(2, 14)])
    }

    fn statement(&self, effect: &str, principal: bool) -> String {
        let not = |at| ["", "Not"][self.shape(at, 2)];
        let wanted: Vec<String> = self.wanted.iter().map(|text| quoted(text)).collect();
        let principal = match principal {
            true => format!(r#""Principal": {{"AWS": {}}}, "#, quoted(self.principal)),
            false => String::new(),
        };
        format!(
            r#"{{"Effect": "{effect}", {principal}"{}Action": {}, "{}Resource": {},
            "Condition": {{"{}": {{{}: [{}]}}}}}}"#,
            not(3),
            quoted(self.action),
            not(4),
            quoted(self.resource),
            self.operator(),
            quoted(self.key),
            wanted.join(", "),
        )
    }

    fn caller(&self) -> PrincipalRef<'a> {
        let account = account();
        match self.shape(5, 4) {
            0 => bob(),
            1 => PrincipalRef::AssumedRole {
                account,
                arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci",
                role_arn: "arn:aws:iam::123456789012:role/deploy",
                role_id: "AROACKCEVSQ6C2EXAMPLE",
                session: "ci",
            },
            2 => PrincipalRef::FederatedUser {
                account,
                arn: "arn:aws:sts::123456789012:federated-user/fred",
                name: "fred",
                issuer_arn: "arn:aws:iam::123456789012:user/bob",
                issuer_id: "AIDACKCEVSQ6C2EXAMPLE",
            },
            _ => PrincipalRef::Anonymous,
        }
    }

    fn context(&self) -> ContextMap {
        let mut context = ContextMap::default();
        let found: Vec<String> = self.found.iter().map(|&text| text.to_owned()).collect();
        context.set(self.key, match found.as_slice() {
            [one] => ContextValues::one(one.clone()),
            _ => ContextValues::many(found),
        });
        context
    }
}

fn account() -> AccountId {
    AccountId::new(123_456_789_012).expect("twelve digits")
}

fn bob() -> PrincipalRef<'static> {
    PrincipalRef::User {
        account: account(),
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

fn policy(statements: &[String]) -> Arc<Policy> {
    let joined = statements.join(", ");
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{joined}]}}"#);
    Arc::new(Policy::compile(&parse(&text).expect("every input parses")))
}

/// Whether the policies allow; the explanation and the simulation must say the same.
fn allows(policies: &PoliciesInForce<'_>, request: &AccessRequest<'_>) -> bool {
    let decision = policies.decide(request);
    let explanation = explain(policies, request);
    assert_eq!(explanation.decision, decision);
    let _ = explanation.to_string();
    let allowed = decision.is_allowed();
    assert_eq!(simulate(policies, request).outcome.as_str() == "allowed", allowed);
    allowed
}

/// The textbook's table, a row for each unit of the pattern.
fn textbook(pattern: &str, text: &str) -> bool {
    let text: Vec<u16> = text.encode_utf16().collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for unit in pattern.encode_utf16() {
        let before = row.clone();
        let many = unit == u16::from(b'*');
        row[0] = many && before[0];
        for at in 0..text.len() {
            let same = unit == u16::from(b'?') || unit == text[at];
            row[at + 1] = if many { before[at + 1] || row[at] } else { before[at] && same };
        }
    }
    row[text.len()]
}

const EVERYTHING: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;

fuzz_target!(|text: &str| {
    let Some(fields) = Fields::of(text) else {
        return;
    };
    let context = fields.context();
    let [action, resource] = fields.asked;
    let request = AccessRequest::new(fields.caller(), action, resource, &context);
    let identity = |statements: &[String]| {
        PolicySet::new(vec![(PolicySource::Inline, policy(statements))])
    };
    let allow = fields.statement("Allow", false);
    let deny = fields.statement("Deny", false);
    let everything = EVERYTHING.to_owned();
    let before = allows(&PoliciesInForce::new(&identity(&[allow.clone()])), &request);
    let denied = identity(&[allow.clone(), deny.clone()]);
    assert!(!allows(&PoliciesInForce::new(&denied), &request), "a Deny of what is allowed allows");
    let more = identity(&[allow.clone(), everything]);
    assert!(!before || allows(&PoliciesInForce::new(&more), &request), "an Allow denies");
    // In every layer at once, and as a policy of the resource.
    let own = policy(&[allow]);
    let attached = policy(&[fields.statement("Allow", true), fields.statement("Deny", true)]);
    let level = || vec![vec![(PolicySource::Inline, Arc::clone(&own))]];
    let control = level();
    let set = PolicySet::new(vec![(PolicySource::Inline, Arc::clone(&own))])
        .with_boundary(Arc::clone(&own))
        .with_session(vec![Arc::clone(&own)])
        .with_service_control(level());
    for policies in [
        PoliciesInForce::new(&set).with_resource(&attached),
        PoliciesInForce::new(&set).with_trust(&attached),
        PoliciesInForce { resource_control: &control, ..PoliciesInForce::new(&set) },
    ] {
        allows(&policies, &request);
    }
    // Wildcards alone, as far as the textbook's way is quick enough.
    if let ([pattern, ..], [value]) = (fields.wanted.as_slice(), fields.found.as_slice())
        && !pattern.contains("${")
        && pattern.len() * value.len() <= 65_536
    {
        let like = format!(
            r#"{{"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {{"StringLike": {{"k": {}}}}}}}"#,
            quoted(pattern)
        );
        let context = ContextMap::default().with("k", value);
        let request = AccessRequest { context: &context, action: "a:b", resource: "*", ..request };
        let request = AccessRequest { principal: bob(), ..request };
        let set = identity(&[like]);
        let found = allows(&PoliciesInForce::new(&set), &request);
        assert_eq!(found, textbook(pattern, value), "{pattern:?} on {value:?}");
    }
});
