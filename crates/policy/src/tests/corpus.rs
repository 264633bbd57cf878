//! Runs every case of `corpus/policy`. The meaning of the policy language is written as data, one
//! case per file, not as test code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    AccessRequest, ContextMap, ContextValues, Decision, DocumentKind, PoliciesInForce, Policy,
    PolicyLevel, PolicySet, PolicySource, PrincipalRef, evaluate, is_public, parse,
    rename_principals, size_without_whitespace, validate,
};
use serde_json::{Value, json};

const ACTION: &str = "s3:GetObject";
const OBJECT: &str = "arn:aws:s3:::b/k";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/policy")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert!(!names.is_empty(), "{}", folder.display());
    names
}

fn read(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let read = serde_json::from_str(&text);
    let value: Value = read.unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    assert!(value["rule"].is_string(), "{}: no rule", file.display());
    value
}

/// The cases of a folder, by rule: the location of each, and the case. All cases in a rule's folder
/// state the same rule.
fn cases(folder: &str) -> Vec<(String, Value)> {
    let root = corpus().join(folder);
    let mut cases = Vec::new();
    for rule in names(&root) {
        let of_rule = names(&root.join(&rule)).into_iter().map(|name| {
            let case = read(&root.join(&rule).join(&name));
            (format!("{folder}/{rule}/{name}"), case)
        });
        let of_rule: Vec<_> = of_rule.collect();
        let stated: BTreeSet<_> = of_rule
            .iter()
            .map(|(_, case)| case["rule"].as_str())
            .collect();
        assert_eq!(stated.len(), 1, "{folder}/{rule}: {stated:?}");
        cases.extend(of_rule);
    }
    cases
}

/// Checks that every case of a folder gives the result in its field `expected`.
fn all(folder: &str, expected: &str, actual: impl Fn(&Value) -> Value) {
    let wrong = cases(folder).into_iter().filter_map(|(place, case)| {
        let actual = actual(&case);
        let right = case.get(expected) == Some(&actual);
        (!right).then(|| format!("{place}: {case}\n  gave {actual}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_file_is_forgotten() {
    let run = [
        "README.md",
        "actions",
        "callers",
        "conditions",
        "evaluation",
        "operators",
        "principals",
        "public",
        "resources",
        "validation",
        "wildcards",
    ];
    assert_eq!(names(&corpus()), run);
}

const BOB_ID: &str = "AIDACKCEVSQ6C2EXAMPLE";
const DEPLOY_ID: &str = "AROACKCEVSQ6C2EXAMPLE";

/// A policy of one statement as it is stored: with unique IDs in place of ARNs.
fn stored(version: &Value, statement: Value) -> Arc<Policy> {
    let written = policy_text(version, statement);
    let text = rename_principals(&written, |arn| {
        let id = match arn {
            "arn:aws:iam::123456789012:user/team/bob" => BOB_ID,
            "arn:aws:iam::123456789012:role/app/deploy" => DEPLOY_ID,
            _ => return None,
        };
        Some(id.to_owned())
    });
    Arc::new(Policy::compile(&parse(&text.unwrap()).unwrap()))
}

fn caller(name: &str) -> PrincipalRef<'static> {
    let account = "123456789012".parse().unwrap();
    match name {
        "bob" => PrincipalRef::User {
            account,
            arn: "arn:aws:iam::123456789012:user/team/bob",
            id: BOB_ID,
            name: "bob",
        },
        "root" => PrincipalRef::Root {
            account,
            arn: "arn:aws:iam::123456789012:root",
        },
        "session" => PrincipalRef::AssumedRole {
            account,
            arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci",
            role_arn: "arn:aws:iam::123456789012:role/app/deploy",
            role_id: DEPLOY_ID,
            session: "ci",
        },
        "linked" => PrincipalRef::AssumedRole {
            account,
            arn: "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForX/x",
            role_arn: "arn:aws:iam::123456789012:role/aws-service-role/x.aws/AWSServiceRoleForX",
            role_id: "AROACKCEVSQ6C2EXAMPL2",
            session: "x",
        },
        "federated" => PrincipalRef::FederatedUser {
            account,
            arn: "arn:aws:sts::123456789012:federated-user/fred",
            name: "fred",
            issuer_arn: "arn:aws:iam::123456789012:user/team/bob",
            issuer_id: BOB_ID,
        },
        "service" => PrincipalRef::Service("ec2.amazonaws.com"),
        "provider" => PrincipalRef::Federated("accounts.google.com"),
        "anonymous" => PrincipalRef::Anonymous,
        other => panic!("no caller is called {other}"),
    }
}

/// A policy of one or two statements.
fn policy(version: &Value, statement: Value) -> Arc<Policy> {
    Arc::new(Policy::compile(
        &parse(&policy_text(version, statement)).unwrap(),
    ))
}

/// Members that are null are omitted.
fn policy_text(version: &Value, statement: Value) -> String {
    let mut document = json!({"Version": version, "Statement": statement});
    for level in ["/Statement", "/Statement/0", "/Statement/1", ""] {
        let found = document.pointer_mut(level).and_then(Value::as_object_mut);
        if let Some(members) = found {
            members.retain(|_, value| !value.is_null());
        }
    }
    document.to_string()
}

fn version(case: &Value) -> Value {
    case.get("version").cloned().unwrap_or(json!("2012-10-17"))
}

fn context(case: &Value) -> ContextMap {
    let mut map = ContextMap::default();
    for (key, value) in case["context"].as_object().into_iter().flatten() {
        let owned = |value: &Value| value.as_str().unwrap().to_owned();
        match value {
            Value::Array(values) => map.set(key, ContextValues::many(values.iter().map(owned))),
            value => map.set(key, ContextValues::one(owned(value))),
        }
    }
    map
}

fn identity(policy: Arc<Policy>) -> PolicySet {
    PolicySet::new(vec![(PolicySource::Inline, policy)])
}

/// `condition` is in a statement that allows everything, or denies it if `effect` says so;
/// `context` is the request's; `version` is the policy's. `holds`: whether bob is allowed, or
/// denied.
fn holds(case: &Value) -> Value {
    let denies = case["effect"] == "Deny";
    let effect = if denies { "Deny" } else { "Allow" };
    let statement = json!({
        "Effect": effect, "Action": "*", "Resource": "*", "Condition": case["condition"],
    });
    let mut policies = vec![policy(&version(case), statement)];
    if denies {
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        policies.push(policy(&version(case), all));
    }
    let set = PolicySet::new(
        policies
            .into_iter()
            .map(|p| (PolicySource::Inline, p))
            .collect(),
    );
    let context = context(case);
    let request = AccessRequest::new(caller("bob"), ACTION, OBJECT, &context);
    (evaluate(&set, None, &request).is_allowed() != denies).into()
}

#[test]
fn conditions() {
    all("conditions", "holds", holds);
}

/// `condition` is in a bucket policy's Deny next to an Allow of everything, for a `caller`.
/// `holds`: whether the caller is denied.
#[test]
fn callers() {
    all("callers", "holds", |case| {
        let everyone = json!({
            "Effect": "Allow", "Principal": "*", "Action": ACTION, "Resource": OBJECT,
        });
        let mut denied = everyone.clone();
        denied["Effect"] = json!("Deny");
        denied["Condition"] = case["condition"].clone();
        let document = json!({"Version": "2012-10-17", "Statement": [everyone, denied]});
        let attached = Policy::compile(&parse(&document.to_string()).unwrap());
        let caller = caller(case["caller"].as_str().unwrap());
        let mut request = AccessRequest::new(caller, ACTION, OBJECT, &());
        request.owner = Some("123456789012".parse().unwrap());
        (!evaluate(&PolicySet::default(), Some(&attached), &request).is_allowed()).into()
    });
}

/// The rows of one table of `operators`.
fn of_operators(file: &str) -> Vec<Value> {
    let table = read(&corpus().join("operators").join(file));
    table["rows"].as_array().unwrap().clone()
}

/// `operators.json`: an `operator`, a value of the `policy`, a request's value that is `in` it and
/// one that is `out`. `forms.json`: `prefix`, `suffix`, which of the two values are `given` (null:
/// none), and whether the condition holds under a `positive` and under a `negated` operator.
#[test]
fn operators() {
    let operators = of_operators("operators.json");
    let mut wrong = Vec::new();
    for (operator, form) in operators
        .iter()
        .flat_map(|o| of_operators("forms.json").into_iter().map(move |f| (o, f)))
    {
        let word = |value: &Value| operator[value.as_str().unwrap()].clone();
        let given = match &form["given"] {
            Value::Null => json!({}),
            Value::Array(words) => json!({"k": words.iter().map(word).collect::<Vec<_>>()}),
            value => json!({"k": word(value)}),
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (prefix, suffix) = (text(&form["prefix"]), text(&form["suffix"]));
        let name = format!("{prefix}{}{suffix}", text(&operator["operator"]));
        let column = match operator["negated"].as_bool().unwrap() {
            true => "negated",
            false => "positive",
        };
        let case = json!({"condition": {name: {"k": operator["policy"]}}, "context": given});
        if holds(&case) != form[column] {
            wrong.push(format!("{case} should give {}", form[column]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No row can be removed unnoticed: the tables cover every operator, and every prefix with every
/// suffix, each with an absent key, one value and several values.
#[test]
fn operators_are_complete() {
    let distinct = |rows: Vec<Value>, columns: &[&str]| {
        let of = |row: &Value| columns.iter().map(|c| row[c].to_string()).collect();
        let rows = rows.iter().map(of);
        rows.collect::<BTreeSet<Vec<_>>>().len()
    };
    let operators = of_operators("operators.json");
    assert_eq!(distinct(operators, &["operator"]), 26);
    let forms = of_operators("forms.json");
    assert_eq!(distinct(forms.clone(), &["prefix", "suffix"]), 6);
    let columns = ["prefix", "suffix", "given"];
    assert_eq!((distinct(forms.clone(), &columns), forms.len()), (42, 42));
}

fn unsigned_is_allowed(policy: &Arc<Policy>) -> bool {
    let none = PolicySet::default();
    let request = AccessRequest {
        owner: Some("123456789012".parse().unwrap()),
        ..AccessRequest::new(PrincipalRef::Anonymous, ACTION, OBJECT, &())
    };
    let decision = PoliciesInForce::new(&none)
        .with_resource(policy)
        .decide(&request);
    decision == Decision::Allow
}

/// Whatever a limit compares, an unsigned request does not meet it.
#[test]
fn no_unsigned_request_is_within_a_limit() {
    let keys = [
        "aws:userid",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:SourceArn",
    ];
    let operators = [
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "ArnEquals",
        "ArnLike",
        "StringNotEquals",
        "StringNotLike",
        "ArnNotLike",
    ];
    let values = [
        "anonymous",
        "ANONYMOUS",
        "anonymous:*",
        "*",
        "?nonymous",
        "",
        "null",
        "arn:*",
    ];
    let prefixes = ["", "ForAnyValue:", "ForAllValues:"];
    for (key, operator, value) in keys.iter().flat_map(|key| {
        let pairs = operators
            .iter()
            .flat_map(|operator| values.iter().map(move |v| (operator, v)));
        pairs.map(move |(operator, value)| (key, operator, value))
    }) {
        for (prefix, suffix) in prefixes
            .iter()
            .flat_map(|prefix| [(prefix, ""), (prefix, "IfExists")])
        {
            let condition = json!({ format!("{prefix}{operator}{suffix}"): { *key: value } });
            let all = json!({
                "Effect": "Allow", "Principal": "*", "Action": ACTION, "Resource": OBJECT,
            });
            let (mut limited, mut deny) = (all.clone(), all.clone());
            limited["Condition"] = condition.clone();
            deny["Effect"] = "Deny".into();
            deny["Condition"] = condition;
            for statements in [json!([limited]), json!([all, deny])] {
                let policy = policy(&json!("2012-10-17"), statements);
                let public = is_public(policy.document());
                assert!(
                    public || !unsigned_is_allowed(&policy),
                    "{:?}",
                    policy.document()
                );
            }
        }
    }
}

/// The `principal` and `condition` of a bucket policy's statement with `effect` (default Allow),
/// and how a `deny` of the same differs. `public`: whether Block Public Access would reject the
/// policy.
/// `others`: conditions of more such statements.
#[test]
fn public() {
    all("public", "public", |case| {
        let effect = case["effect"].as_str().unwrap_or("Allow");
        let statement = json!({
            "Effect": effect, "Principal": case["principal"], "Action": ACTION, "Resource": OBJECT,
            "Condition": case["condition"],
        });
        let mut deny = statement.clone();
        deny["Effect"] = "Deny".into();
        for (element, value) in case["deny"].as_object().into_iter().flatten() {
            deny[element.as_str()] = value.clone();
        }
        let mut statements = vec![statement.clone()];
        if !case["deny"].is_null() {
            statements.push(deny);
        }
        for condition in case["others"].as_array().into_iter().flatten() {
            let mut other = statement.clone();
            other["Condition"] = condition.clone();
            statements.push(other);
        }
        let policy = policy(&version(case), Value::Array(statements));
        let public = is_public(policy.document());
        if !public && unsigned_is_allowed(&policy) {
            return json!("allows an unsigned request, though it is not public");
        }
        public.into()
    });
}

/// `pattern` under StringLike against `text`. `matches`: whether the condition holds.
#[test]
fn wildcards() {
    all("wildcards", "matches", |case| {
        let condition = json!({"StringLike": {"k": case["pattern"]}});
        holds(&json!({"condition": condition, "context": {"k": case["text"]}}))
    });
}

/// `resource` or `not_resource` of an Allow, for a request `on` an ARN. `matches`: whether bob is
/// allowed.
#[test]
fn resources() {
    all("resources", "matches", |case| {
        let statement = json!({
            "Effect": "Allow", "Action": "*",
            "Resource": case["resource"], "NotResource": case["not_resource"],
        });
        let set = identity(policy(&version(case), statement));
        let request = AccessRequest::new(caller("bob"), ACTION, case["on"].as_str().unwrap(), &());
        evaluate(&set, None, &request).is_allowed().into()
    });
}

/// `action` or `not_action` of an Allow, for the action `asked`. `matches`: whether bob is allowed.
#[test]
fn actions() {
    all("actions", "matches", |case| {
        let statement = json!({
            "Effect": "Allow", "Resource": "*",
            "Action": case["action"], "NotAction": case["not_action"],
        });
        let set = identity(policy(&version(case), statement));
        let requested = case["asked"].as_str().unwrap();
        evaluate(
            &set,
            None,
            &AccessRequest::new(caller("bob"), requested, OBJECT, &()),
        )
        .is_allowed()
        .into()
    });
}

/// `principal` or `not_principal` of a resource policy's statement with `effect` (default Allow).
/// `identity`: the caller has an identity policy that allows everything, and with `boundary` also a
/// permissions boundary that does. `allows`: whether the caller is allowed.
#[test]
fn principals() {
    all("principals", "allows", |case| {
        let statement = json!({
            "Effect": case["effect"].as_str().unwrap_or("Allow"), "Action": "*", "Resource": "*",
            "Principal": case["principal"], "NotPrincipal": case["not_principal"],
        });
        let attached = policy(&version(case), statement);
        let mut set = if case["identity"] == true {
            identity(stance("Allow"))
        } else {
            PolicySet::default()
        };
        set.boundary = (case["boundary"] == true).then(|| stance("Everything"));
        let caller = caller(case["caller"].as_str().unwrap());
        let request = AccessRequest::new(caller, ACTION, OBJECT, &());
        evaluate(&set, Some(&attached), &request)
            .is_allowed()
            .into()
    });
}

/// A policy that allows, denies, or is about something else.
fn stance(word: &str) -> Arc<Policy> {
    let (effect, action) = match word {
        "silent" => ("Allow", "ec2:*"),
        "Everything" => ("Allow", "*"),
        effect => (effect, "s3:*"),
    };
    let statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
    policy(&json!("2012-10-17"), statement)
}

fn stances(words: &Value) -> Vec<Arc<Policy>> {
    words
        .as_array()
        .into_iter()
        .flatten()
        .map(|word| stance(word.as_str().unwrap()))
        .collect()
}

/// The given policies, each as a managed policy.
fn sources(words: &Value) -> Vec<(PolicySource, Arc<Policy>)> {
    let named = stances(words).into_iter().enumerate().map(|(n, policy)| {
        let arn = format!("arn:aws:iam::123456789012:policy/p{n}");
        (PolicySource::Managed(arn.into()), policy)
    });
    named.collect()
}

/// The given policies, with a principal as resource control policies require.
fn control(words: &Value) -> Vec<(PolicySource, Arc<Policy>)> {
    let with_principal = |(source, word): ((PolicySource, Arc<Policy>), &Value)| {
        let silent = word == "silent";
        let statement = json!({
            "Effect": if silent { "Allow" } else { word.as_str().unwrap() },
            "Principal": "*",
            "Action": if silent { "ec2:*" } else { "*" },
            "Resource": "*",
        });
        (source.0, policy(&json!("2012-10-17"), statement))
    };
    let words_of = words.as_array().into_iter().flatten();
    sources(words)
        .into_iter()
        .zip(words_of)
        .map(with_principal)
        .collect()
}

fn levels(case: &Value, level: fn(&Value) -> PolicyLevel) -> Vec<PolicyLevel> {
    case.as_array().into_iter().flatten().map(level).collect()
}

/// The policies of each layer (`Allow`, `Deny`, `silent`, `Everything`): `identity` are inline,
/// `managed` are attached; `resource` or `trust` is a statement about the action; `service_control`
/// and `resource_control` are lists of levels. `owner`: the resource's account. `denied`: what AWS
/// appends to the denial; null if allowed.
#[test]
fn evaluation() {
    all("evaluation", "denied", |case| evaluated(case, policy));
}

/// The same with resource and trust policies as they are stored: each form of a principal counts.
#[test]
fn evaluation_of_stored_policies() {
    all("evaluation", "denied", |case| evaluated(case, stored));
}

fn evaluated(case: &Value, attached_policy: fn(&Value, Value) -> Arc<Policy>) -> Value {
    let action = case["action"].as_str().unwrap_or(ACTION);
    let inline = stances(&case["identity"]).into_iter();
    let inline = inline.map(|policy| (PolicySource::Inline, policy));
    let mut set = PolicySet::new(
        sources(&case["managed"])
            .into_iter()
            .chain(inline)
            .collect(),
    );
    set.boundary = case["boundary"].as_str().map(stance);
    set.session = case["session"]
        .is_array()
        .then(|| stances(&case["session"]));
    set.service_control = levels(&case["service_control"], sources).into();
    let attached = |name: &str, on: Value| {
        let mut statement = case[name].clone();
        statement["Action"] = json!(action);
        statement["Resource"] = on;
        case[name]
            .is_object()
            .then(|| attached_policy(&json!("2012-10-17"), statement))
    };
    let caller = caller(case["caller"].as_str().unwrap_or("bob"));
    let owner = case["owner"].as_str().map(|owner| owner.parse().unwrap());
    let request = AccessRequest {
        owner,
        ..AccessRequest::new(caller, action, OBJECT, &())
    };
    let resource = attached("resource", json!("*"));
    let trust = attached("trust", Value::Null);
    let resource_control = levels(&case["resource_control"], control);
    let mut policies = PoliciesInForce {
        resource_control: &resource_control,
        ..PoliciesInForce::new(&set)
    };
    if let Some(policy) = &resource {
        policies = policies.with_resource(policy);
    }
    if let Some(policy) = &trust {
        policies = policies.with_trust(policy);
    }
    match policies.decide(&request) {
        Decision::Allow => Value::Null,
        Decision::Deny(reason) => reason.sentence(action).into(),
    }
}

/// `document` (a text, or JSON) stored as `kind`; the bucket is `b`. `message`: AWS's message; null
/// if stored.
#[test]
fn validation() {
    all("validation", "message", |case| {
        let text = match &case["document"] {
            Value::String(text) => text.clone(),
            document => document.to_string(),
        };
        let kind = match case["kind"].as_str().unwrap() {
            "managed" => DocumentKind::Managed,
            "inline" => DocumentKind::Inline,
            "session" => DocumentKind::Session,
            "trust" => DocumentKind::Trust,
            _ => DocumentKind::Bucket { bucket: "b" },
        };
        match validate(&text, kind) {
            Ok(_) => Value::Null,
            Err(violation) => violation.to_string().into(),
        }
    });
}

#[test]
fn white_space_counts_only_in_strings() {
    for (text, size) in [
        ("", 0),
        (" {\n\t\"a b\" : \"c\\\" d\" }\r\n", 15),
        ("\"\\\\\" x", 5),
        ("\"é 😀\"", 5),
    ] {
        assert_eq!(size_without_whitespace(text), size, "{text}");
    }
}
