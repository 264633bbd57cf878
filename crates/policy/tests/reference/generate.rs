//! Generates policies and requests from a seed. Invariant: a seed yields the same case forever.
//! Values are drawn from small tables, so that statements often match requests, in odd ways too.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Caller, Case, Given, sharpen::sharpen};

/// A random source (xorshift*).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        draw.next();
        draw.next();
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap() % bound
    }

    /// True with a probability of one in `bound`.
    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, table: &[&'a str]) -> &'a str {
        table[self.below(table.len())]
    }

    /// One element, or a list of zero to three.
    fn some(&mut self, mut element: impl FnMut(&mut Self) -> Json) -> Json {
        match self.below(4) {
            0 => (0..self.below(4)).map(|_| element(self)).collect(),
            _ => element(self),
        }
    }
}

/// The case for a seed; every other one is sharpened.
pub(crate) fn case(seed: u64) -> Case {
    let mut case = drawn(&mut Draw::new(seed));
    if seed % 2 == 1 {
        sharpen(&mut case, &mut Draw::new(!seed));
    }
    case
}

fn drawn(draw: &mut Draw) -> Case {
    let callers = [
        Caller::User,
        Caller::User,
        Caller::User,
        Caller::Role,
        Caller::Role,
        Caller::Federated,
        Caller::Root,
        Caller::ServiceLinkedRole,
        Caller::Service,
        Caller::Provider,
        Caller::Anonymous,
    ];
    let caller = callers[draw.below(callers.len())];
    let trust = draw.one_in(6);
    let kind = if trust { Kind::Trust } else { Kind::Attached };
    let identities = draw.below(4);
    let levels = |draw: &mut Draw, kind| -> Vec<Vec<Json>> {
        let count = if draw.one_in(4) { 1 + draw.below(2) } else { 0 };
        let level = |draw: &mut Draw| (0..=draw.below(2)).map(|_| policy(draw, kind)).collect();
        (0..count).map(|_| level(draw)).collect()
    };
    Case {
        identity: (0..identities)
            .map(|_| policy(draw, Kind::Identity))
            .collect(),
        boundary: draw.one_in(4).then(|| policy(draw, Kind::Identity)),
        session: draw.one_in(3).then(|| {
            (0..draw.below(3))
                .map(|_| policy(draw, Kind::Identity))
                .collect()
        }),
        service_control: levels(draw, Kind::Identity),
        resource_control: levels(draw, Kind::Attached),
        attached: (trust || draw.one_in(2)).then(|| policy(draw, kind)),
        trust,
        caller,
        action: draw.pick(QUESTIONS).to_owned(),
        resource: draw.pick(TARGETS).to_owned(),
        owner: match draw.below(4) {
            0 => Some("210987654321".to_owned()),
            1 => Some("123456789012".to_owned()),
            _ => None,
        },
        context: context(draw),
    }
}

/// The policy type, which decides the form of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    Attached,
    Trust,
}

/// A policy of one to three statements.
pub(crate) fn policy(draw: &mut Draw, kind: Kind) -> Json {
    let mut policy = Map::new();
    match draw.below(5) {
        0 => {}
        1 => drop(policy.insert("Version".to_owned(), json!("2008-10-17"))),
        _ => drop(policy.insert("Version".to_owned(), json!("2012-10-17"))),
    }
    let statements = match draw.below(3) {
        0 => (0..=draw.below(3))
            .map(|_| statement(draw, kind, None))
            .collect(),
        _ => statement(draw, kind, None),
    };
    policy.insert("Statement".to_owned(), statements);
    Json::Object(policy)
}

/// A statement, with the given effect or a random one.
pub(crate) fn statement(draw: &mut Draw, kind: Kind, effect: Option<&str>) -> Json {
    let mut s = Map::new();
    let any = if draw.one_in(4) { "Deny" } else { "Allow" };
    s.insert("Effect".to_owned(), json!(effect.unwrap_or(any)));
    let not = |draw: &mut Draw, name: &str| match draw.below(6) {
        0 => format!("Not{name}"),
        _ => name.to_owned(),
    };
    if draw.below(12) > 0 {
        let name = not(draw, "Action");
        let value = draw.some(|draw| json!(draw.pick(ACTIONS)));
        s.insert(name, value);
    }
    // Trust policies have no resources and identity policies no principals, except for a few.
    let odd = draw.one_in(20);
    if (kind == Kind::Trust) == odd {
        let name = not(draw, "Resource");
        let value = draw.some(|draw| match draw.below(12) {
            0 => Json::Null,
            _ => json!(draw.pick(RESOURCES)),
        });
        // A bare null is not a resource.
        let value = if value.is_null() {
            json!([value])
        } else {
            value
        };
        s.insert(name, value);
    }
    if (kind == Kind::Identity) == draw.one_in(20) {
        let name = not(draw, "Principal");
        let value = principal(draw);
        s.insert(name, value);
    }
    if draw.one_in(2) {
        let mut conditions = Map::new();
        for _ in 0..=draw.below(2) {
            let (operator, values) = operator(draw);
            let mut keys = Map::new();
            for _ in 0..=draw.below(2) {
                let key = draw.pick(KEYS);
                let value = draw.some(|draw| json!(draw.pick(values)));
                keys.insert(key.to_owned(), value);
            }
            conditions.insert(operator, Json::Object(keys));
        }
        s.insert("Condition".to_owned(), Json::Object(conditions));
    }
    Json::Object(s)
}

fn principal(draw: &mut Draw) -> Json {
    if draw.one_in(4) {
        return json!("*");
    }
    let mut principal = Map::new();
    for _ in 0..=draw.below(2) {
        let (key, table) = match draw.below(8) {
            0 => (
                "Service",
                &["ec2.amazonaws.com", "lambda.amazonaws.com"][..],
            ),
            1 => ("Federated", &["accounts.google.com", "example.com"][..]),
            2 => ("CanonicalUser", &["79a59df900b949e55d96a1e698fbaced"][..]),
            _ => ("AWS", PRINCIPALS),
        };
        let value = draw.some(|draw| json!(draw.pick(table)));
        principal.insert(key.to_owned(), value);
    }
    Json::Object(principal)
}

/// A complete operator, and values that may suit it.
fn operator(draw: &mut Draw) -> (String, &'static [&'static str]) {
    let (name, values) = OPERATORS[draw.below(OPERATORS.len())];
    let prefix = match draw.below(5) {
        0 => "ForAllValues:",
        1 => "ForAnyValue:",
        _ => "",
    };
    let suffix = if name != "Null" && draw.one_in(4) {
        "IfExists"
    } else {
        ""
    };
    let operator = format!("{prefix}{name}{suffix}");
    let operator = if draw.one_in(8) {
        operator.to_lowercase()
    } else {
        operator
    };
    let values = if name != "Null" && draw.one_in(8) {
        TEXTS
    } else {
        values
    };
    (operator, values)
}

fn context(draw: &mut Draw) -> BTreeMap<String, Given> {
    let mut context = BTreeMap::new();
    for key in KEYS {
        let table = [TEXTS, NUMBERS, DATES, ADDRESSES, ARNS, BINARY, WORDS][draw.below(7)];
        let given = match draw.below(5) {
            0 | 1 => Given::One(draw.pick(table).to_owned()),
            2 => Given::List(
                (0..draw.below(4))
                    .map(|_| draw.pick(table).to_owned())
                    .collect(),
            ),
            _ => continue,
        };
        context.insert(key.to_lowercase(), given);
    }
    context
}

const QUESTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "S3:getobjectacl",
    "iam:GetUser",
    "sts:AssumeRole",
];
const ACTIONS: &[&str] = &[
    "*",
    "*:*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "S3:GETOBJECT",
    "s3:Get?bject*",
    "s3:*Object",
    "s3:G*",
    "s3:Put*",
    "s3:*Ob*t*",
    "iam:*",
    "iam:GetUser",
    "sts:*",
    "sts:AssumeRole",
    "s3*",
    "*:GetObject",
    "s?:GetObject",
    "s3: GetObject",
    "s3:",
    "ec2:*",
    "s3:GetObject*",
];
const TARGETS: &[&str] = &[
    "*",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/bob/x:y",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/*",
    "arn:aws:iam::123456789012:user/team/bob",
    "arn:aws-cn:s3:::b/😀",
];
const RESOURCES: &[&str] = &[
    "*",
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k",
    "arn:*:s3:::b/??",
    "arn:aws:s3:::b/${aws:username}/*",
    "arn:aws:s3:::b/${k}",
    "arn:aws:s3:::${l, 'b'}/*",
    "arn:aws:s3",
    "arn:aws:iam::*:user/*",
    "arn:aws:iam::1*",
    "arn:aws:iam::${aws:PrincipalAccount}:user/*",
    "arn:${k, 'aws'}:s3:::b/*",
    "${aws:PrincipalArn}",
    "${k}",
    "arn:aws:${l, 's3'}",
    "arn:aws:s3:${l, '::b/k'}",
    "b",
    "a:aws:s3:::b/k",
    "arn:aws:s3:::b/${*}",
    "arn:aws:s3:::*/${aws:username}*y",
    "arn:aws:s3:::*?/${aws:username}?*",
    "arn:aws:s3:::${aws:userid}",
    "arn:a*:s3:::b*",
    "arn:aws:s3:::B/K",
    "arn:aws:s3:::b/${k",
];
const PRINCIPALS: &[&str] = &[
    "*",
    "123456789012",
    "210987654321",
    "arn:aws:iam::123456789012:root",
    "arn:aws:iam::123456789012:user/team/bob",
    "AIDACKCEVSQ6C2EXAMPLE",
    "arn:aws:iam::123456789012:role/app/deploy",
    "AROACKCEVSQ6C2EXAMPLE",
    "arn:aws:sts::123456789012:assumed-role/deploy/ci",
    "arn:aws:sts::123456789012:federated-user/fred",
    "arn:aws:iam::123456789012:user/*",
    "arn:aws:iam::123456789012:user/ann",
];
const KEYS: &[&str] = &[
    "k",
    "l",
    "aws:TagKeys",
    "aws:PrincipalTag/Team",
    "aws:username",
    "aws:PrincipalType",
    "aws:PrincipalArn",
];
const TEXTS: &[&str] = &[
    "a",
    "A",
    "b",
    "bob",
    "",
    "ab",
    "a*",
    "a?",
    "*",
    "?",
    "😀",
    "a😀b",
    "aaab",
    "User",
    "AssumedRole",
    "true",
    "${aws:username}",
    "${l}",
    "${k, 'a'}",
    "${l, 'b'}",
    "${aws:TagKeys}",
    "a${*}",
    "*a*b",
    "*?😀*",
    "*${k}b*",
    "?*?",
    "${$}{k}",
    "x${aws:userid}",
    "*a?b*",
    "a${k}?*",
    "É",
    "é",
    "ΟΣ",
    "ος",
    "οσ",
    "ΟΣ'",
    "ΑΣ𐐀",
    "ασ𐐀",
    "𐐨Σ",
    "𐐀",
    "𐐨ς",
    "ΟΣ${k}",
    "${K}",
    "*${l}?*",
];
const WORDS: &[&str] = &["true", "TRUE", "false", "yes", "", "${k}", "${l, 'true'}"];
const NUMBERS: &[&str] = &[
    "0", "-0", "1", "01", "1.0", "1e0", "10", "1.5", "-2.5", "+2", "2e1", "25e-1", "x", "", "1.",
    ".5",
];
const DATES: &[&str] = &[
    "2026-01-01T00:00:00Z",
    "2026-01-01",
    "1767225600",
    "2026-01-01T01:00:00+01:00",
    "2025-12-31T23:59:59.999Z",
    "2024-02-29T12:00:00Z",
    "0",
    "soon",
    "2026-01-01T00:00:00.5Z",
    "2026-01-01T00:00:00",
];
const ADDRESSES: &[&str] = &[
    "10.0.0.1",
    "10.0.0.0/8",
    "10.9.9.9/8",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::1",
    "2001:db8::/32",
    "2001:db8::1/32",
    "::ffff:10.0.0.1",
    "10.0.0.0/33",
    "here",
    "10.0.0.1/32",
    "010.000.0.0/+8",
    "10.0.0.0/008",
    "2001:db8:::/32",
    "2001:db8::1:/128",
    ":2001:db8::1",
    "::ffff:10.0.0.0/104",
    "::ffff:a00:1",
    "2001:db8::10.0.0.1",
];
/// Values of requests for address operators.
pub(crate) const ADDRESSES_FOUND: &[&str] = &[
    "10.0.0.1",
    "10.200.0.1",
    "192.0.2.1",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    "2001:db9::1",
    "here",
    "10.000.00.1",
    "::FFFF:a00:1",
    "2001:db8:::1",
    "2001:db8::1:",
    ":2001:db8::1",
    "2001:db8::::1",
    "2001:db8::10.0.0.1",
    "::10.0.0.1",
    ":::",
];
const ARNS: &[&str] = &[
    "arn:aws:sns:eu-west-1:123456789012:x",
    "arn:aws:sns:*:*:x",
    "arn:aws:s*:*:123456789012:*",
    "*",
    "arn:aws:sns*",
    "arn:aws:iam::123456789012:user/team/bob",
    "${aws:PrincipalArn}",
    "arn:aws:iam::${aws:PrincipalAccount}:*",
    "arn:aws:sns:${k}",
    "urn:aws:sns:*:*:x",
    "arn:aws:sns",
    "arn:aws:iam::*:user/*/${aws:username}",
    "x:y",
    "${k}",
    "arn:aws:sns:eu-west-1:123456789012:x:y",
    "a*:aws:sns:*:*:x",
];
const BINARY: &[&str] = &["QQ==", "Qg==", "QR==", "Q", "QUI=", ""];
/// Every operator, and values that suit it.
pub(crate) const OPERATORS: &[(&str, &[&str])] = &[
    ("StringEquals", TEXTS),
    ("StringNotEquals", TEXTS),
    ("StringEqualsIgnoreCase", TEXTS),
    ("StringNotEqualsIgnoreCase", TEXTS),
    ("StringLike", TEXTS),
    ("StringNotLike", TEXTS),
    ("NumericEquals", NUMBERS),
    ("NumericNotEquals", NUMBERS),
    ("NumericLessThan", NUMBERS),
    ("NumericLessThanEquals", NUMBERS),
    ("NumericGreaterThan", NUMBERS),
    ("NumericGreaterThanEquals", NUMBERS),
    ("DateEquals", DATES),
    ("DateNotEquals", DATES),
    ("DateLessThan", DATES),
    ("DateLessThanEquals", DATES),
    ("DateGreaterThan", DATES),
    ("DateGreaterThanEquals", DATES),
    ("Bool", WORDS),
    ("BinaryEquals", BINARY),
    ("IpAddress", ADDRESSES),
    ("NotIpAddress", ADDRESSES),
    ("ArnEquals", ARNS),
    ("ArnLike", ARNS),
    ("ArnNotEquals", ARNS),
    ("ArnNotLike", ARNS),
    ("Null", &["true", "false"]),
];
