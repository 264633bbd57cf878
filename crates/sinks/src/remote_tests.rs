//! The sinks that are reached over HTTP, against servers on this machine.
//!
//! The webhook's receiver is a real server. Vault is a fake of the published API, as far as the
//! sink uses it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use keywright_base::{Clock, Secret, Timestamp};
use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkContent, SinkError},
};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    document::DocumentSink,
    json::JsonFormat,
    suite::{ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, pair},
    vault::VaultSecret,
    webhook::WebhookSink,
};
use crate::testing::{FakeService, RecordedRequest, serve};
use keywright_aws::http::address;

/// Which write is interrupted, counted from 0, and whether it takes effect.
#[derive(Clone, Default)]
pub(super) struct WriteFault(Arc<Mutex<Option<(usize, bool)>>>);

impl WriteFault {
    pub(super) fn at(&self, nth: usize, takes_effect: bool) {
        *self.0.lock().unwrap() = Some((nth, takes_effect));
    }

    /// The same responses, except for the write that is interrupted.
    pub(super) fn of(&self, answers: FakeService) -> FakeService {
        let armed = Arc::clone(&self.0);
        Arc::new(Mutex::new(move |request: &RecordedRequest| {
            let mut armed = armed.lock().unwrap();
            let reads = request.line.starts_with("GET")
                || request.json()["Action"] == "read"
                || request.query.contains("dryRun")
                || request.target().starts_with("Get")
                || request.target().starts_with("Describe");
            if !reads && let Some((left, takes_effect)) = armed.take() {
                if left > 0 {
                    *armed = Some((left - 1, takes_effect));
                } else {
                    if takes_effect {
                        let _ = (answers.lock().unwrap())(request);
                    }
                    return (0, String::new());
                }
            }
            (answers.lock().unwrap())(request)
        }))
    }
}

pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

fn key() -> Secret<String> {
    Secret::new("a shared key".to_owned())
}

async fn webhook(answers: FakeService) -> WebhookSink {
    let url = format!("http://{}/hook", serve(answers).await);
    let name = format!("webhook:{url}");
    WebhookSink::with_key(name, address(&url).unwrap(), &key(), Arc::new(FixedClock)).unwrap()
}

/// The expected header of a signed body.
fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key().expose().as_bytes());
    let mut signed = b"1800000000.".to_vec();
    signed.extend_from_slice(body);
    let tag = hmac::sign(&key, &signed);
    format!("t=1800000000,v1={}", hex::encode(tag))
}

#[tokio::test]
async fn a_webhook_keeps_the_contract_and_is_signed() {
    let held = Arc::new(Mutex::new((pair(1).id.0, pair(1).id.0)));
    let there = Arc::clone(&held);
    let sink = webhook(Arc::new(Mutex::new(move |request: &RecordedRequest| {
        assert_eq!(
            request.headers["x-keywright-signature"],
            signature(&request.body).as_str()
        );
        let sent_body: Value = serde_json::from_slice(&request.body).unwrap();
        let (now, before) = &mut *there.lock().unwrap();
        match sent_body["Action"].as_str().unwrap() {
            "commit" => {
                assert_eq!(
                    sent_body["SecretAccessKey"],
                    pair(2).secret.expose().as_str()
                );
                *now = sent_body["AccessKeyId"].as_str().unwrap().to_owned();
            }
            "restore" => now.clone_from(before),
            _ => {}
        }
        (200, json!({"AccessKeyId": now}).to_string())
    })))
    .await;
    let look = || held.lock().unwrap().0.clone().into_bytes();
    hold_to_contract(&sink, ReadBackKind::Key, &look).await;
    let put = |pair: &KeyPair| held.lock().unwrap().0.clone_from(&pair.id.0);
    hold_to_others(&sink, &look, &put).await;
}

#[tokio::test]
async fn a_webhook_with_lost_replies() {
    let held = Arc::new(Mutex::new(pair(1).id.0));
    let there = Arc::clone(&held);
    let cuts = WriteFault::default();
    let answers = Arc::new(Mutex::new(move |request: &RecordedRequest| {
        let (sent_body, mut now) = (request.json(), there.lock().unwrap());
        match sent_body["Action"].as_str().unwrap() {
            "commit" => *now = sent_body["AccessKeyId"].as_str().unwrap().to_owned(),
            "restore" => *now = pair(1).id.0,
            _ => {}
        }
        (200, json!({"AccessKeyId": *now}).to_string())
    }));
    let sink = webhook(cuts.of(answers)).await;
    let look = || held.lock().unwrap().clone().into_bytes();
    hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
}

#[tokio::test]
async fn what_a_webhook_answers() {
    for (status, body, later) in [
        (500, "x", Some(true)),
        (429, "x", Some(true)),
        (403, "x", Some(false)),
        (302, "x", Some(false)),
        (204, "", None),
    ] {
        let answers = Arc::new(Mutex::new(move |_: &RecordedRequest| {
            (status, body.to_owned())
        }));
        let sink = webhook(answers).await;
        let done = deliver(&sink, &pair(2)).await;
        let found = done
            .as_ref()
            .err()
            .map(|error| matches!(error, SinkError::Later(_)));
        assert_eq!(found, later, "{status}: {done:?}");
        assert!(!format!("{done:?} {sink:?}").contains(pair(2).secret.expose().as_str()));
    }
    let silent = webhook(Arc::new(Mutex::new(|_: &RecordedRequest| {
        (200, String::new())
    })))
    .await;
    assert_eq!(silent.read_back().await, Ok(SinkContent::Unreadable));
    for (url, good) in [
        ("https://example.org/x", true),
        ("http://127.0.0.1:1/x", true),
        ("http://example.org/x", false),
        ("https://user:word@example.org/", false),
        ("ftp://127.0.0.1/", false),
    ] {
        assert_eq!(address(url).is_ok(), good, "{url}");
    }
}

/// A fake Vault with the versions of one secret.
fn fake_vault(versions: &mut Vec<Value>, request: &RecordedRequest) -> (u16, String) {
    assert_eq!(request.headers["x-vault-token"], "t");
    let number = versions.len();
    match request.line.as_str() {
        "GET /v1/kv/metadata/team" => (200, json!({"data": {"keys": ["job", "x/"]}}).to_string()),
        "GET /v1/kv/data/team/jbo" => (404, json!({"errors": []}).to_string()),
        "GET /v1/kv/data/team/job" => match versions.last() {
            None => (404, json!({"errors": []}).to_string()),
            Some(data) => {
                let metadata = json!({"version": number});
                (
                    200,
                    json!({"data": {"data": data, "metadata": metadata}}).to_string(),
                )
            }
        },
        "POST /v1/kv/data/team/job" => {
            let sent_body: Value = serde_json::from_slice(&request.body).unwrap();
            if sent_body["options"]["cas"] != number {
                let error = "check-and-set parameter did not match the current version";
                return (400, json!({"errors": [error]}).to_string());
            }
            versions.push(sent_body["data"].clone());
            (200, json!({"data": {"version": number + 1}}).to_string())
        }
        "DELETE /v1/kv/metadata/team/job" => {
            versions.clear();
            (204, String::new())
        }
        other => (
            403,
            json!({"errors": [format!("denied: {other}")]}).to_string(),
        ),
    }
}

fn vault_sink(address: SocketAddr, place: (&str, &str)) -> DocumentSink<VaultSecret> {
    let url = format!("http://{address}/");
    let vault = VaultSecret::at(&url, "t".to_owned(), None, place).unwrap();
    DocumentSink::new(
        "vault:kv/team/job".to_owned(),
        JsonFormat::new(None).unwrap(),
        vault,
    )
}

#[tokio::test]
async fn vault_keeps_the_contract() {
    let (one, all) = (pair(1), json!({"other": "x"}));
    let mut full = all.clone();
    full["AccessKeyId"] = json!(one.id.0);
    full["SecretAccessKey"] = json!(one.secret.expose());
    for first in [None, Some(all), Some(full)] {
        let versions = Arc::new(Mutex::new(first.into_iter().collect::<Vec<_>>()));
        let there = Arc::clone(&versions);
        let answers =
            move |request: &RecordedRequest| fake_vault(&mut there.lock().unwrap(), request);
        let cuts = WriteFault::default();
        let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
        let look = || match versions.lock().unwrap().last() {
            Some(data) => data.to_string().into_bytes(),
            None => Vec::new(),
        };
        let sink = vault_sink(address, ("kv", "team/job"));
        hold_to_contract(&sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| {
            let data = json!({"AccessKeyId": pair.id.0, "SecretAccessKey": pair.secret.expose()});
            versions.lock().unwrap().push(data);
        };
        put(&pair(1));
        hold_to_others(&sink, &look, &put).await;
    }
}

#[tokio::test]
async fn vault_leaves_every_other_byte() {
    let stored = Arc::new(Mutex::new(String::new()));
    let there = Arc::clone(&stored);
    let address = serve(Arc::new(Mutex::new(move |request: &RecordedRequest| {
        if request.line.starts_with("GET") {
            let data = r#"{"n": 1e2, "a": 1, "a": 2}"#;
            let sent_body = format!(r#"{{"data":{{"data":{data},"metadata":{{"version":3}}}}}}"#);
            return (200, sent_body);
        }
        *there.lock().unwrap() = String::from_utf8(request.body.clone()).unwrap();
        (200, "{}".to_owned())
    })))
    .await;
    let sink = vault_sink(address, ("kv", "team/job"));
    deliver(&sink, &pair(2)).await.unwrap();
    let stored = stored.lock().unwrap();
    let begins = r#"{"options":{"cas":3},"data":{"n": 1e2, "a": 1, "a": 2,"AccessKeyId": "#;
    assert!(stored.starts_with(begins), "{stored}");
}

#[tokio::test]
async fn vault_does_not_overwrite_and_says_what_is_missing() {
    let rotation = RotationId("r".into());
    let mut versions = vec![json!({})];
    let mut raced = false;
    let address = serve(Arc::new(Mutex::new(move |request: &RecordedRequest| {
        if request.line.starts_with("POST") && !raced {
            raced = true;
            versions.push(json!({"somebody": "else"}));
        }
        fake_vault(&mut versions, request)
    })))
    .await;
    let sink = vault_sink(address, ("kv", "team/job"));
    let raced = deliver(&sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&raced, SinkError::Later(why) if why.contains("check-and-set")),
        "{raced}"
    );
    deliver(&sink, &pair(2)).await.unwrap();
    let near = vault_sink(address, ("kv", "team/jbo"));
    let absent = near.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.similar, ["job"]);
    let denied = vault_sink(address, ("other", "x"))
        .stage(&rotation)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&denied, SinkError::Never(why) if why.contains("denied: GET")),
        "{denied}"
    );
    let all = format!("{raced:?} {denied:?}");
    assert!(!all.contains(pair(2).secret.expose().as_str()));
}

#[test]
fn stored_values_are_distinguished() {
    let mut names = BTreeMap::new();
    for text in [
        "secretsmanager:prod/job",
        "secretsmanager:prod/job?region=eu-west-1",
        "ssm:/prod/job?profile=p&endpoint=http://127.0.0.1:1#/id,/secret",
        "vault:kv/team/job",
        "webhook:https://example.org/hook",
        "kubernetes:prod/job",
        "kubernetes:prod/job?context=a/b&restart=deployment/x,daemonset/y.z#id,secret.key",
        "github:octo/repo",
        "github:octo/repo@live site#AWS_KEY",
        "github:octo/repo#ID,SECRET",
        "gitlab:shop/site/api",
        "gitlab:shop@review/*#AWS_KEY",
        "gitlab:shop/42#ID,SECRET",
        "google-secret:p-1/job",
        "google-secret:example.org:p-1/job?location=europe-west6#/id,/secret",
        "azure-keyvault:prod/job#/id,/secret",
        "azure-keyvault:prod.vault.azure.cn/job",
        "1password:Prod/Job key#/Keys/id,/Keys/secret",
        "circleci:gh/acme/prod keys",
        "circleci:circleci/4c8d7dd2-6ab2-4be5-a4b4-8ad7a3ffb7b2/prod#AWS_KEY",
        "circleci:4c8d7dd2-6ab2-4be5-a4b4-8ad7a3ffb7b2#ID,SECRET",
        "1password:ionaiwtdvgclrixbt6ztpqcxnq/p7eflcy7f5mk7vg6zrzf5rjjyu",
    ] {
        let spec: super::SinkSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), text);
        names.insert(spec.to_string(), ());
    }
    assert_eq!(names.len(), 22);
    for (text, expected) in [
        ("secretsmanager:x?zone=y", "unknown parameter zone"),
        ("ssm:a b", "is not a valid name"),
        ("vault:kv", "is not of the form MOUNT/PATH"),
        ("vault:kv/../x", "is not of the form MOUNT/PATH"),
        ("webhook:http://example.org", "only by https"),
        ("kubernetes:prod", "is not of the form NAMESPACE/NAME"),
        ("kubernetes:Prod/x", "is not of the form NAMESPACE/NAME"),
        (
            "kubernetes:a/b?restart=pod/x",
            "is not of the form deployment/NAME",
        ),
        ("kubernetes:a/b?token=x", "expected context=… or restart=…"),
        ("kubernetes:a/b#x", "two field names"),
        ("kubernetes:a/b#x,x", "the same"),
        ("kubernetes:a/b#x,y/z", "not a valid field name"),
        ("github:repo", "is not of the form OWNER/REPO"),
        ("github:a/b@", "no environment"),
        ("github:a/b#1X", "not a valid secret name"),
        ("github:a/b#GITHUB_X", "not a valid secret name"),
        ("github:a/b#X,x", "the name of both"),
        ("google-secret:job", "is not of the form PROJECT/SECRET"),
        ("google-secret:p/a/b", "is not of the form PROJECT/SECRET"),
        (
            "google-secret:p/job?region=x",
            "is not of the form location=REGION",
        ),
        (
            "google-secret:p/job?location=a.b/c",
            "does not name a valid region",
        ),
        (
            "azure-keyvault:prod.example.org/job",
            "is not of the form VAULT/SECRET",
        ),
        ("1password:Prod", "is not of the form VAULT/ITEM"),
        ("1password:Prod/a/b", "is not of the form VAULT/ITEM"),
        ("1password:Prod/a\"b", "is not of the form VAULT/ITEM"),
        ("circleci:acme/prod", "neither of the form VCS/ORG/CONTEXT"),
        ("circleci:gh/acme/prod#1X", "not a valid variable name"),
        (
            "circleci:gh/acme/prod#KEYWRIGHT_X",
            "not a valid variable name",
        ),
        ("circleci:gh/acme/prod#X,X", "the name of both"),
        ("gitlab:42", "is a number"),
        ("gitlab:a//b", "not a valid path of a group or project"),
        ("gitlab:a/../b", "not a valid path of a group or project"),
        ("gitlab:a/b@", "not a valid variable scope"),
        ("gitlab:a/b@x?y", "not a valid variable scope"),
        ("gitlab:a/b#A-B", "not a valid variable name"),
        ("gitlab:a/b#A,A", "the name of both"),
    ] {
        let error = text.parse::<super::SinkSpec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
