//! The two stores of AWS against fakes of their published API, as far as the sinks use it: versions
//! and their labels, tokens, encrypted parameters. `e2e/test_moto.py` also runs them against moto's
//! server.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkError},
};
use serde_json::{Value, json};

use super::{SecretsManager, SsmParameter};
use crate::{
    document::DocumentSink,
    json::JsonFormat,
    remote_tests::{FixedClock, WriteFault},
    suite::{ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, pair},
    testing::{RecordedRequest, serve},
};
use keywright_aws::JsonService;

type Answer = (u16, String);

fn refused(code: &str) -> Answer {
    (400, json!({"__type": code, "message": "no"}).to_string())
}

fn done(answer: &Value) -> Answer {
    (200, answer.to_string())
}

/// Checks that a request is signed for the service, and what it is signed for.
fn check_signed(request: &RecordedRequest, service: &str) {
    let authorization = request.headers["authorization"].to_str().unwrap();
    let scope = format!("/eu-west-1/{service}/aws4_request, SignedHeaders=");
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential="));
    assert!(authorization.contains(&scope), "{authorization}");
    assert!(authorization.contains("x-amz-target"), "{authorization}");
    assert_eq!(
        request.headers["content-type"],
        "application/x-amz-json-1.1"
    );
}

/// One secret: its versions, and which of them has the label AWSCURRENT.
#[derive(Default)]
struct Versions {
    texts: BTreeMap<String, String>,
    current: String,
    previous: String,
}

impl Versions {
    fn of(text: &str) -> Self {
        Self {
            texts: BTreeMap::from([("made-by-a-person".to_owned(), text.to_owned())]),
            current: "made-by-a-person".to_owned(),
            previous: String::new(),
        }
    }

    fn move_current(&mut self, to: &str) {
        self.previous = std::mem::replace(&mut self.current, to.to_owned());
    }

    fn answer(&mut self, request: &RecordedRequest) -> Answer {
        check_signed(request, "secretsmanager");
        let body = request.json();
        if request.target() == "ListSecrets" {
            let names = ["other", "job"].map(|name| json!({"Name": name}));
            return done(&json!({"SecretList": names}));
        }
        if body["SecretId"] != "job" {
            return refused("ResourceNotFoundException");
        }
        match request.target() {
            "GetSecretValue" => match self.texts.get(&self.current) {
                Some(text) => done(&json!({"SecretString": text, "VersionId": self.current})),
                None => refused("ResourceNotFoundException"),
            },
            "PutSecretValue" => self.put(&body),
            "DescribeSecret" => {
                let mut stages = serde_json::Map::new();
                for (version, label) in [
                    (&self.previous, "AWSPREVIOUS"),
                    (&self.current, "AWSCURRENT"),
                ] {
                    if !version.is_empty() {
                        stages.insert(version.clone(), json!([label]));
                    }
                }
                done(&json!({"VersionIdsToStages": stages}))
            }
            "UpdateSecretVersionStage" => {
                if body["VersionStage"] == "KEYWRIGHT" {
                    assert!(body.get("MoveToVersionId").is_none());
                    return done(&json!({"Name": "job"}));
                }
                assert_eq!(body["VersionStage"], "AWSCURRENT");
                let to = body["MoveToVersionId"].as_str().unwrap();
                if body["RemoveFromVersionId"] != self.current.as_str() {
                    return refused("InvalidParameterException");
                }
                if !self.texts.contains_key(to) {
                    return refused("ResourceNotFoundException");
                }
                self.move_current(to);
                done(&json!({"Name": "job"}))
            }
            other => panic!("{other}"),
        }
    }

    /// A known token creates no new version, and its content cannot change.
    fn put(&mut self, body: &Value) -> Answer {
        let token = body["ClientRequestToken"].as_str().unwrap().to_owned();
        assert!((32..=64).contains(&token.len()), "{token}");
        let text = body["SecretString"].as_str().unwrap().to_owned();
        match self.texts.get(&token) {
            Some(there) if *there == text => {}
            Some(_) => return refused("ResourceExistsException"),
            None => {
                assert_eq!(body["VersionStages"], json!(["KEYWRIGHT"]));
                self.texts.insert(token.clone(), text);
            }
        }
        done(&json!({"VersionId": token}))
    }
}

/// One parameter: its type and its versions. A deleted one has none.
#[derive(Default)]
struct Parameter {
    kind: String,
    values: Vec<String>,
    /// What another user writes before the next write.
    between: Option<String>,
}

impl Parameter {
    fn of(value: Option<String>) -> Self {
        Self {
            kind: "String".to_owned(),
            values: value.into_iter().collect(),
            between: None,
        }
    }

    fn answer(&mut self, request: &RecordedRequest) -> Answer {
        check_signed(request, "ssm");
        let body = request.json();
        if request.target() == "DescribeParameters" {
            return done(&json!({"Parameters": []}));
        }
        let name = body["Name"].as_str().unwrap();
        let (name, version) = name.split_once(':').unwrap_or((name, ""));
        assert_eq!(name, "/job");
        let version = version.parse().unwrap_or(self.values.len());
        match request.target() {
            "GetParameter" | "DeleteParameter" if self.values.is_empty() => {
                refused("ParameterNotFound")
            }
            "GetParameter" => {
                assert_eq!(body["WithDecryption"], true);
                let value = &self.values[version - 1];
                let listed = json!({"Type": self.kind, "Value": value, "Version": version});
                done(&json!({"Parameter": listed}))
            }
            "PutParameter" => {
                self.values.extend(self.between.take());
                match (self.values.is_empty(), body["Overwrite"].as_bool().unwrap()) {
                    (false, false) => return refused("ParameterAlreadyExists"),
                    (true, _) => self.kind = body["Type"].as_str().unwrap().to_owned(),
                    (false, true) => assert_eq!(body["Type"], self.kind.as_str()),
                }
                self.values.push(body["Value"].as_str().unwrap().to_owned());
                done(&json!({"Version": self.values.len()}))
            }
            "DeleteParameter" => {
                self.values.clear();
                done(&json!({}))
            }
            other => panic!("{other}"),
        }
    }
}

fn service(names: (&'static str, &'static str), at: SocketAddr) -> JsonService {
    JsonService::at(
        names,
        format!("http://{at}"),
        &pair(9),
        Arc::new(FixedClock),
    )
    .unwrap()
}

fn manager(at: SocketAddr, name: &str) -> DocumentSink<SecretsManager> {
    let service = service(("secretsmanager", "secretsmanager"), at);
    let store = SecretsManager(service, name.to_owned());
    DocumentSink::new(
        format!("secretsmanager:{name}"),
        JsonFormat::new(None).unwrap(),
        store,
    )
}

fn ssm(at: SocketAddr) -> DocumentSink<SsmParameter> {
    let store = SsmParameter(service(("ssm", "AmazonSSM"), at), "/job".to_owned());
    DocumentSink::new("ssm:/job".to_owned(), JsonFormat::new(None).unwrap(), store)
}

/// What a store may hold before: a pair and more, or something else only.
fn documents() -> [String; 2] {
    let one = pair(1);
    let (id, secret) = (&one.id.0, one.secret.expose());
    [
        json!({"AccessKeyId": id, "SecretAccessKey": secret, "host": "db"}).to_string(),
        json!({"host": "db"}).to_string(),
    ]
}

#[tokio::test]
async fn secrets_manager_keeps_the_contract() {
    for text in documents() {
        let secret = Arc::new(Mutex::new(Versions::of(&text)));
        let there = Arc::clone(&secret);
        let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
        let cuts = WriteFault::default();
        let at = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
        let look = || {
            let secret = secret.lock().unwrap();
            secret.texts[&secret.current].clone().into_bytes()
        };
        let sink = manager(at, "job");
        hold_to_contract(&sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| {
            let mut secret = secret.lock().unwrap();
            secret.texts.insert("a-persons".to_owned(), held_by(pair));
            secret.move_current("a-persons");
        };
        put(&pair(1));
        hold_to_others(&sink, &look, &put).await;
    }
}

#[tokio::test]
async fn parameter_store_keeps_the_contract() {
    for text in documents().into_iter().map(Some).chain([None]) {
        let held = Arc::new(Mutex::new(Parameter::of(text)));
        let there = Arc::clone(&held);
        let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
        let cuts = WriteFault::default();
        let at = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
        let look = || {
            let held = held.lock().unwrap();
            held.values.last().cloned().unwrap_or_default().into_bytes()
        };
        let sink = ssm(at);
        hold_to_contract(&sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| held.lock().unwrap().values.push(held_by(pair));
        put(&pair(1));
        hold_to_others(&sink, &look, &put).await;
    }
}

fn held_by(pair: &KeyPair) -> String {
    json!({"AccessKeyId": pair.id.0, "SecretAccessKey": pair.secret.expose()}).to_string()
}

/// Another user can write between our read and our write.
#[tokio::test]
async fn what_another_writes_at_the_same_moment_stays() {
    let rotation = RotationId("r".into());
    let held = Arc::new(Mutex::new(Parameter::of(Some(held_by(&pair(1))))));
    let there = Arc::clone(&held);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let sink = ssm(serve(Arc::new(Mutex::new(answers))).await);
    let backup = sink.stage(&rotation).await.unwrap();
    held.lock().unwrap().between = Some(held_by(&pair(3)));
    let late = sink.commit(&rotation, &backup, &pair(2)).await.unwrap_err();
    assert!(matches!(late, SinkError::Later(_)), "{late}");
    assert_eq!(held.lock().unwrap().values.last(), Some(&held_by(&pair(3))));
    let held_now = sink.commit(&rotation, &backup, &pair(2)).await.unwrap_err();
    assert!(matches!(held_now, SinkError::Never(_)), "{held_now}");

    let secret = Arc::new(Mutex::new(Versions::of(&held_by(&pair(1)))));
    let there = Arc::clone(&secret);
    let answers = move |request: &RecordedRequest| {
        let mut secret = there.lock().unwrap();
        if request.target() == "PutSecretValue" {
            secret.texts.insert("x".to_owned(), held_by(&pair(3)));
            secret.move_current("x");
        }
        secret.answer(request)
    };
    let sink = manager(serve(Arc::new(Mutex::new(answers))).await, "job");
    let backup = sink.stage(&rotation).await.unwrap();
    let late = sink.commit(&rotation, &backup, &pair(2)).await.unwrap_err();
    assert!(matches!(late, SinkError::Later(_)), "{late}");
    assert_eq!(secret.lock().unwrap().current, "x");
}

#[tokio::test]
async fn what_the_stores_answer() {
    let rotation = RotationId("r".into());
    for (status, code, later) in [
        (500, "InternalServiceError", true),
        (400, "ThrottlingException", true),
        (400, "AccessDeniedException", false),
        (400, "ParameterNotFound", false),
    ] {
        let at = serve(Arc::new(Mutex::new(
            move |request: &RecordedRequest| match request.target() {
                "GetParameter" => done(&json!({"Parameter": {"Value": "{}", "Version": 1}})),
                _ => (status, json!({"__type": format!("x#{code}")}).to_string()),
            },
        )))
        .await;
        let error = deliver(&ssm(at), &pair(2)).await.unwrap_err();
        assert_eq!(
            matches!(error, SinkError::Later(_)),
            later,
            "{code}: {error}"
        );
        assert!(error.to_string().contains(code), "{error}");
        assert!(!format!("{error:?}").contains(pair(2).secret.expose().as_str()));
    }
    let answers = |request: &RecordedRequest| Versions::of("{}").answer(request);
    let at = serve(Arc::new(Mutex::new(answers))).await;
    let none = manager(at, "none").stage(&rotation).await.err().unwrap();
    assert!(
        none.to_string().contains("there is no secret none"),
        "{none}"
    );
    let near = manager(at, "jbo").stage(&rotation).await.err().unwrap();
    let near = near.to_string();
    assert!(
        near.ends_with("with the value {}; did you mean job?"),
        "{near}"
    );
}

/// In the same folder the last part of a name is compared, elsewhere the full name. A listing ends
/// after a few pages, or where it is not allowed.
#[tokio::test]
async fn parameters_that_were_perhaps_meant() {
    const ALL: [&str; 3] = ["/app/prod/key", "/app/prod/other", "flat"];
    let pages = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&pages);
    let answers = move |request: &RecordedRequest| {
        check_signed(request, "ssm");
        let body = request.json();
        if request.target() == "GetParameter" {
            return refused("ParameterNotFound");
        }
        assert_eq!(
            (request.target(), &body["MaxResults"]),
            ("DescribeParameters", &json!(50))
        );
        *counted.lock().unwrap() += 1;
        let folder = body.pointer("/ParameterFilters/0/Values/0");
        let folder = folder.map(|folder| folder.as_str().unwrap());
        if folder == Some("/secret") {
            return refused("AccessDeniedException");
        }
        let beside = |name: &&&str| name.rsplit_once('/').map(|(folder, _)| folder) == folder;
        let names = ALL.iter().filter(|name| folder.is_none() || beside(name));
        let names: Vec<_> = names.map(|name| json!({"Name": name})).collect();
        done(&json!({"Parameters": names, "NextToken": "more"}))
    };
    let at = serve(Arc::new(Mutex::new(answers))).await;
    for (name, similar, pages_read) in [
        ("/app/prod/kye", vec!["/app/prod/key"], 5),
        (
            "arn:aws:ssm:eu-west-1:1:parameter/app/prod/kye",
            vec!["/app/prod/key"],
            5,
        ),
        ("/ap/prod/other", vec!["/app/prod/other"], 10),
        ("falt", vec!["flat"], 5),
        ("/secret/zzzzzzzz", vec![], 6),
    ] {
        *pages.lock().unwrap() = 0;
        let store = SsmParameter(service(("ssm", "AmazonSSM"), at), name.to_owned());
        let sink = DocumentSink::new(format!("ssm:{name}"), JsonFormat::new(None).unwrap(), store);
        let absent = sink.inspect(&pair(1).id).await.unwrap().absent.unwrap();
        let first = absent.similar.iter().map(String::as_str).take(1);
        assert_eq!(first.collect::<Vec<_>>(), similar, "{name}");
        assert_eq!(*pages.lock().unwrap(), pages_read, "{name}");
    }
}
