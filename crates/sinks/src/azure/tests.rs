//! The Azure sink against a fake of the API, as far as the sink uses it: versions with their
//! attributes, disabled versions, reserved names, listings in pages. Its credentials are tested
//! against token servers that check the requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use keywright_base::Clock;
use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkError},
};
use serde_json::{Value, json};

use super::{AzureCredentials, AzureSecret, KeyVault};
use crate::{
    document::{DocumentSink, StorePlace},
    json::JsonFormat,
    remote_tests::{FixedClock, WriteFault},
    rest::RestClient,
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, hold_to_refusals,
        pair, put_back,
    },
    testing::{RecordedRequest, serve},
};

const RESOURCE: &str = "https://vault.azure.net";

/// The secret `job` of a vault; a page of its versions has two of them.
struct Fake {
    versions: Vec<Value>,
    created: i64,
    /// Whether the name is that of a deleted secret.
    is_reserved: bool,
    host: String,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, code: &str, inner: &str) -> (u16, String) {
    let error = json!({"code": code, "message": "as it is", "innererror": {"code": inner}});
    (status, json!({ "error": error }).to_string())
}

impl Fake {
    fn shared(document: Option<&str>) -> Shared {
        let mut fake = Self {
            versions: Vec::new(),
            created: 1_800_000_000,
            is_reserved: false,
            host: String::new(),
        };
        if let Some(document) = document {
            fake.put(document);
        }
        Arc::new(Mutex::new(fake))
    }

    /// Sets the secret as a user would, with every attribute that can be set.
    fn put(&mut self, value: &str) {
        self.set(&json!({
            "value": value, "contentType": "text/x-keys", "tags": {"team": "storage"},
            "attributes": {"enabled": true, "exp": 1_900_000_000, "nbf": 1_700_000_000},
        }));
    }

    /// An attribute that the request omits is not set.
    fn set(&mut self, body: &Value) {
        self.created += 7;
        let id = format!("https://v/secrets/job/{:032x}", self.created.reverse_bits());
        let mut version =
            json!({"id": id, "value": body["value"], "attributes": {"enabled": true}});
        for name in ["contentType", "tags"] {
            if let Some(value) = body.get(name) {
                version[name] = value.clone();
            }
        }
        for (name, value) in body["attributes"].as_object().into_iter().flatten() {
            version["attributes"][name] = value.clone();
        }
        version["attributes"]["created"] = json!(self.created);
        version["attributes"]["recoveryLevel"] = json!("Recoverable");
        self.versions.push(version);
    }

    /// What consumers get: the value and all attributes.
    fn look(&self) -> Vec<u8> {
        match self.versions.last() {
            Some(last) if last["attributes"]["enabled"] == true => {
                let mut last = last.clone();
                last["id"] = Value::Null;
                last["attributes"]["created"] = Value::Null;
                last.to_string().into_bytes()
            }
            _ => b"nothing".to_vec(),
        }
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let token = request.headers.get("authorization");
        if token.and_then(|token| token.to_str().ok()) != Some("Bearer t") {
            return reply(401, "Unauthorized", "");
        }
        assert!(
            request.query.contains("api-version=7.4"),
            "{}",
            request.query
        );
        let (method, path) = request.line.split_once(' ').unwrap();
        match (method, path) {
            ("GET", "/secrets") => {
                let names =
                    ["job", "other"].map(|name| json!({"id": format!("https://v/secrets/{name}")}));
                (200, json!({ "value": names }).to_string())
            }
            ("GET", "/deletedsecrets/job") if self.is_reserved => (200, "{}".to_owned()),
            ("GET", "/secrets/job/versions") => self.page(&request.query),
            ("PUT", "/secrets/job") if self.is_reserved => {
                reply(409, "Conflict", "ObjectIsDeletedButRecoverable")
            }
            ("PUT", "/secrets/job") => {
                self.set(&request.json());
                (200, self.versions.last().unwrap().to_string())
            }
            (method, path) => {
                let Some(path) = path.strip_prefix("/secrets/job") else {
                    return reply(404, "SecretNotFound", "");
                };
                self.version(method, path.trim_start_matches('/'), &request.json())
            }
        }
    }

    fn version(&mut self, method: &str, name: &str, body: &Value) -> (u16, String) {
        let of = |it: &&mut Value| it["id"].as_str().unwrap().ends_with(name);
        let Some(version) = self.versions.iter_mut().rev().find(of) else {
            return reply(404, "SecretNotFound", "");
        };
        if method == "PATCH" {
            version["attributes"]["enabled"] = body["attributes"]["enabled"].clone();
            let mut answer = version.clone();
            answer.as_object_mut().unwrap().remove("value");
            return (200, answer.to_string());
        }
        match version["attributes"]["enabled"] == true {
            true => (200, version.to_string()),
            false => reply(403, "Forbidden", "SecretDisabled"),
        }
    }

    /// The service lists the versions in any order.
    fn page(&self, query: &str) -> (u16, String) {
        let skip = query
            .split_once("skip=")
            .map_or(0, |(_, skip)| skip.parse().unwrap());
        let answer = self.versions.iter().skip(skip).take(2).map(|it| {
            let mut it = it.clone();
            it.as_object_mut().unwrap().remove("value");
            it
        });
        let answer: Vec<_> = answer.collect();
        let next = (skip + 2 < self.versions.len()).then(|| {
            let skip = skip + 2;
            format!(
                "{}/secrets/job/versions?api-version=7.4&skip={skip}",
                self.host
            )
        });
        (200, json!({"value": answer, "nextLink": next}).to_string())
    }
}

fn noon() -> Arc<dyn Clock> {
    Arc::new(FixedClock)
}

/// Credentials of a managed identity, from a token server at this URL.
fn machine(url: &str) -> AzureCredentials {
    let found = AzureCredentials::find(&|_| None, "https://login.example.org", RESOURCE, &noon());
    found.unwrap().imds_at(&format!("{url}/imds"))
}

fn with_token(
    answers: impl FnMut(&RecordedRequest) -> (u16, String) + Send + 'static,
) -> crate::testing::FakeService {
    let mut answers = answers;
    Arc::new(Mutex::new(move |request: &RecordedRequest| {
        match request.line.as_str() {
            "GET /imds" => {
                assert_eq!(request.headers["metadata"], "true");
                let token = json!({"access_token": "t", "expires_in": "3599"});
                (200, token.to_string())
            }
            _ => answers(request),
        }
    }))
}

async fn sink_of(
    answers: crate::testing::FakeService,
    secret: &str,
) -> (DocumentSink<KeyVault>, String) {
    let url = format!("http://{}", serve(answers).await);
    let store = KeyVault::at("k", secret, &url, machine(&url)).unwrap();
    (
        DocumentSink::new("k".to_owned(), JsonFormat::new(None).unwrap(), store),
        url,
    )
}

async fn sink(fake: &Shared, cuts: &WriteFault, secret: &str) -> DocumentSink<KeyVault> {
    let there = Arc::clone(fake);
    let answers =
        with_token(move |request: &RecordedRequest| there.lock().unwrap().answer(request));
    let (sink, url) = sink_of(cuts.of(answers), secret).await;
    fake.lock().unwrap().host = url;
    sink
}

fn document(pair: &KeyPair) -> String {
    let (id, secret) = (&pair.id.0, pair.secret.expose());
    format!(r#"{{"region": "eu-1", "AccessKeyId": "{id}", "SecretAccessKey": "{secret}"}}"#)
}

#[tokio::test]
async fn a_secret_keeps_the_contract_and_its_attributes() {
    for first in [
        None,
        Some("{\"other\": \"x\"}".to_owned()),
        Some(document(&pair(1))),
    ] {
        let (fake, cuts) = (Fake::shared(first.as_deref()), WriteFault::default());
        let sink = sink(&fake, &cuts, "job").await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| fake.lock().unwrap().put(&document(pair));
        put(&pair(1));
        hold_to_others(&sink, &look, &put).await;
        put(&pair(1));
        let before = look();
        deliver(&sink, &pair(2)).await.unwrap();
        let after = String::from_utf8(look()).unwrap();
        let back = after.replace(&pair(2).id.0, &pair(1).id.0);
        let back = back.replace(pair(2).secret.expose(), pair(1).secret.expose());
        assert_eq!(
            back.into_bytes(),
            before,
            "content type, tags and dates stay"
        );
    }
}

#[tokio::test]
async fn a_restore_disables_our_version_only_and_deletes_nothing() {
    let fake = Fake::shared(Some(&document(&pair(1))));
    let sink = sink(&fake, &WriteFault::default(), "job").await;
    let backup = sink.stage(&RotationId("r".to_owned())).await.unwrap();
    sink.commit(&RotationId("r".to_owned()), &backup, &pair(2))
        .await
        .unwrap();
    put_back(&sink, &backup, Some(&pair(1))).await.unwrap();
    let fake = fake.lock().unwrap();
    let enabled = fake
        .versions
        .iter()
        .map(|it| it["attributes"]["enabled"] == true);
    assert_eq!(enabled.collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn a_version_of_another_user_in_between_becomes_the_current_one_again() {
    let fake = Fake::shared(Some(&document(&pair(1))));
    let there = Arc::clone(&fake);
    let mut raced = false;
    let answers = with_token(move |request: &RecordedRequest| {
        let mut fake = there.lock().unwrap();
        if request.line.starts_with("PUT") && !std::mem::replace(&mut raced, true) {
            fake.put(&document(&pair(3)));
        }
        fake.answer(request)
    });
    let (sink, url) = sink_of(answers, "job").await;
    fake.lock().unwrap().host = url;
    let error = deliver(&sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Later(why) if why.contains("modified concurrently")),
        "{error}"
    );
    let now = fake.lock().unwrap();
    assert_eq!(now.versions.last().unwrap()["value"], document(&pair(3)));
    assert_eq!(
        now.versions.last().unwrap()["tags"],
        json!({"team": "storage"})
    );
}

#[tokio::test]
async fn a_listing_is_not_followed_to_another_address() {
    let fake = Fake::shared(Some(&document(&pair(1))));
    let sink = sink(&fake, &WriteFault::default(), "job").await;
    fake.lock().unwrap().put(&document(&pair(1)));
    fake.lock().unwrap().put(&document(&pair(1)));
    fake.lock().unwrap().host = "https://elsewhere.example.org".to_owned();
    let error = deliver(&sink, &pair(2)).await.unwrap_err().to_string();
    assert!(error.contains("continues at another host"), "{error}");
}

/// A version on a page that is not read could be another user's.
#[tokio::test]
async fn a_listing_without_an_end_is_an_error() {
    let fake = Fake::shared(Some(&document(&pair(1))));
    let (there, host) = (Arc::clone(&fake), Arc::new(Mutex::new(String::new())));
    let next = Arc::clone(&host);
    let answers = with_token(
        move |request: &RecordedRequest| match request.line.as_str() {
            "GET /secrets/job/versions" => {
                let next = format!(
                    "{}/secrets/job/versions?api-version=7.4",
                    next.lock().unwrap()
                );
                (200, json!({"value": [], "nextLink": next}).to_string())
            }
            _ => there.lock().unwrap().answer(request),
        },
    );
    let (sink, url) = sink_of(answers, "job").await;
    *host.lock().unwrap() = url;
    let error = deliver(&sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Later(why) if why.contains("more than 40 pages")),
        "{error}"
    );
    // The write itself was made, and the next attempt finds it.
    deliver(&sink, &pair(2)).await.unwrap();
}

#[tokio::test]
async fn contents_are_reported() {
    let fake = Fake::shared(Some(&document(&pair(1))));
    let near = sink(&fake, &WriteFault::default(), "jbo").await;
    let absent = near.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(
        (absent.what.as_str(), &absent.similar[..]),
        ("it does not exist", &["job".to_owned()][..])
    );
    fake.lock().unwrap().versions[0]["attributes"]["enabled"] = json!(false);
    let disabled = sink(&fake, &WriteFault::default(), "job").await;
    let absent = disabled.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "its current version is disabled");

    let fake = Fake::shared(None);
    fake.lock().unwrap().is_reserved = true;
    let reserved = sink(&fake, &WriteFault::default(), "job").await;
    for error in [
        reserved.inspect(&pair(1).id).await.unwrap_err(),
        deliver(&reserved, &pair(2)).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, SinkError::Never(why) if why.contains("deleted secret")),
            "{error}"
        );
    }

    let fake = Fake::shared(Some(&document(&pair(1))));
    fake.lock().unwrap().versions[0]["managed"] = json!(true);
    let managed = sink(&fake, &WriteFault::default(), "job").await;
    let error = managed
        .stage(&RotationId("r".to_owned()))
        .await
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("belongs to a certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    hold_to_refusals(|status| async move {
        let fake = Fake::shared(Some(&document(&pair(1))));
        let answers =
            with_token(
                move |request: &RecordedRequest| match request.line.starts_with("PUT") {
                    // Whatever the response quotes is not repeated.
                    true => {
                        let quoted = format!("no: {} {}", pair(2).secret.expose(), request.json());
                        (status, json!({"error": {"message": quoted}}).to_string())
                    }
                    false => fake.lock().unwrap().answer(request),
                },
            );
        let (sink, _) = sink_of(answers, "job").await;
        Box::new(sink) as Box<dyn Sink>
    })
    .await;
}

/// Parses the fields of a form or a query.
fn fields(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let fields = text.split('&').map(|field| field.split_once('=').unwrap());
    fields
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn token_server(request: &RecordedRequest) -> (u16, String) {
    let token = |name: &str| json!({"access_token": name, "expires_in": 3599}).to_string();
    match request.line.as_str() {
        "POST /tenant-1/oauth2/v2.0/token" => {
            let fields = fields(std::str::from_utf8(&request.body).unwrap());
            assert_eq!(fields["scope"], "https://vault.azure.net/.default");
            assert_eq!(fields["grant_type"], "client_credentials");
            assert_eq!(fields["client_id"], "client-1");
            match fields.get("client_secret").map(String::as_str) {
                Some("s e/c+r~et") => (200, token("of-secret")),
                Some(other) => (401, json!({"error_description": other}).to_string()),
                None => {
                    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                    assert_eq!(fields["client_assertion_type"], kind);
                    assert_eq!(fields["client_assertion"], "a.b.c");
                    (200, token("of-workload"))
                }
            }
        }
        "GET /identity" => {
            assert_eq!(request.headers["x-identity-header"], "h");
            assert_eq!(fields(&request.query)["resource"], RESOURCE);
            (200, token("of-service"))
        }
        "GET /imds" => {
            let query = fields(&request.query);
            assert_eq!(request.headers["metadata"], "true");
            assert_eq!(
                (query["resource"].as_str(), query["client_id"].as_str()),
                (RESOURCE, "client-1")
            );
            (200, token("of-machine"))
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn tokens_of_a_client_a_workload_and_a_machine() {
    let url = format!("http://{}", serve(Arc::new(Mutex::new(token_server))).await);
    let file = tempfile::NamedTempFile::new().unwrap();
    crate::tests::write(file.path(), "a.b.c\n");
    let file = file.path().to_str().unwrap();
    let client = [
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
    ];
    let rest = RestClient::new("k").unwrap();
    let identity = format!("{url}/identity");
    for (more, expected) in [
        (vec![("AZURE_CLIENT_SECRET", "s e/c+r~et")], Ok("of-secret")),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", file)],
            Ok("of-workload"),
        ),
        (
            vec![("IDENTITY_ENDPOINT", &identity), ("IDENTITY_HEADER", "h")],
            Ok("of-service"),
        ),
        (vec![], Ok("of-machine")),
        (
            vec![("AZURE_CLIENT_SECRET", "a-wrong-secret")],
            Err("401 Unauthorized [...]"),
        ),
        (
            vec![("AZURE_FEDERATED_TOKEN_FILE", "/none/such")],
            Err("/none/such"),
        ),
    ] {
        let all: BTreeMap<&str, &str> = client.into_iter().chain(more).collect();
        let variable = |name: &str| all.get(name).map(|value| (*value).to_owned());
        let found = AzureCredentials::find(&variable, &url, RESOURCE, &noon()).unwrap();
        let token = found.imds_at(&format!("{url}/imds")).token(&rest).await;
        match expected {
            Ok(name) => assert_eq!(token.unwrap().expose(), name),
            Err(expected_text) => {
                let error = token.unwrap_err().to_string();
                assert!(
                    error.contains(expected_text) && !error.contains("a-wrong-secret"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn variables_that_are_refused() {
    for (variables, expected_text) in [
        (
            vec![("AZURE_CLIENT_SECRET", "x")],
            "require AZURE_TENANT_ID",
        ),
        (
            vec![("AZURE_AUTHORITY_HOST", "http://login.example.org")],
            "only by https",
        ),
        (vec![("AZURE_TENANT_ID", "a/b")], "is not a valid tenant"),
    ] {
        let all: BTreeMap<&str, &str> = variables.into_iter().collect();
        let variable = |name: &str| all.get(name).map(|value| (*value).to_owned());
        let error =
            AzureCredentials::find(&variable, "https://login.example.org", RESOURCE, &noon());
        let error = error.err().unwrap();
        assert!(error.contains(expected_text), "{error}");
    }
}

#[test]
fn vaults_of_every_cloud_and_of_no_other_host() {
    for (text, suffix) in [
        ("prod/job", Some("vault.azure.net")),
        ("prod.vault.azure.cn/job", Some("vault.azure.cn")),
        (
            "prod.vault.usgovcloudapi.net/job",
            Some("vault.usgovcloudapi.net"),
        ),
        ("prod.example.org/job", None),
        ("prod/job/x", None),
        ("prod", None),
        ("prod/jo_b", None),
    ] {
        let place = AzureSecret::parse(text).ok();
        assert_eq!(
            place
                .and_then(|place| place.cloud())
                .map(|cloud| cloud.suffix),
            suffix,
            "{text}"
        );
    }
}
