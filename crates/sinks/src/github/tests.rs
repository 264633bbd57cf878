//! The GitHub sink against a fake of the API, as far as the sink uses it: secrets that are sealed
//! to the repository's key and never returned, variables, dates in whole seconds, error responses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_box::{SecretKey, aead::OsRng};
use keywright_base::Timestamp;
use keywright_rotation::{
    model::RotationId,
    ports::{Sink, SinkContent, SinkError},
};
use serde_json::{Value, json};

use super::{GithubSink, RepositorySecrets};
use crate::{
    ParsedDestination,
    remote_tests::WriteFault,
    suite::{ReadBackKind, deliver, hold_to_contract, hold_to_crashes, pair, put_back},
    testing::{RecordedRequest, serve},
};

/// A repository, or one of its environments.
struct Fake {
    key: SecretKey,
    /// What a workflow would read, and when it was written.
    secrets: BTreeMap<String, (String, String)>,
    variables: BTreeMap<String, String>,
    now: i64,
    folder: &'static str,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, message: &str) -> (u16, String) {
    (
        status,
        json!({"message": message, "documentation_url": "https://docs"}).to_string(),
    )
}

const REPOSITORY: &str = "/repos/octo/repo/actions";

impl Fake {
    fn new(secrets: &[(&str, &str)]) -> Self {
        let mut fake = Self {
            key: SecretKey::generate(&mut OsRng),
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            now: 1_800_000_000,
            folder: REPOSITORY,
        };
        for (name, value) in secrets {
            fake.put(name, value);
        }
        fake
    }

    fn put(&mut self, name: &str, value: &str) -> bool {
        self.now += 7;
        let at = Timestamp::from_secs(self.now).iso8601();
        self.secrets
            .insert(name.to_owned(), (value.to_owned(), at))
            .is_none()
    }

    /// What a workflow would read.
    fn look(&self) -> Vec<u8> {
        let values = self
            .secrets
            .iter()
            .map(|(name, (value, _))| format!("{name}={value}\n"));
        values.collect::<String>().into_bytes()
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let head = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if head("authorization") != Some("Bearer t") {
            return reply(401, "Bad credentials");
        }
        assert_eq!(head("x-github-api-version"), Some("2022-11-28"));
        assert_eq!(head("accept"), Some("application/vnd.github+json"));
        assert!(
            head("user-agent").is_some(),
            "GitHub refuses those who do not say who they are"
        );
        let (method, path) = request.line.split_once(' ').unwrap();
        let Some(path) = path.strip_prefix(self.folder) else {
            return reply(404, "Not Found");
        };
        let words: Vec<&str> = path.split('/').skip(1).collect();
        match (method, words.as_slice()) {
            ("GET", ["secrets", "public-key"]) => {
                let key = STANDARD.encode(self.key.public_key().as_bytes());
                (200, json!({"key_id": "k1", "key": key}).to_string())
            }
            ("GET", ["secrets"]) => {
                let names = self.secrets.keys().map(|name| json!({"name": name}));
                let names: Vec<_> = names.collect();
                (200, json!({"secrets": names}).to_string())
            }
            ("GET", ["secrets", name]) => match self.secrets.get(*name) {
                None => reply(404, "Not Found"),
                Some((_, at)) => {
                    let listed = json!({"name": name, "created_at": at, "updated_at": at});
                    (200, listed.to_string())
                }
            },
            ("PUT", ["secrets", name]) => self.put_sealed(name, &request.json()),
            ("DELETE", ["secrets", name]) => match self.secrets.remove(*name) {
                None => reply(404, "Not Found"),
                Some(_) => (204, String::new()),
            },
            ("POST", ["variables"]) => {
                let (name, value) = variable(&request.json());
                if self.variables.contains_key(&name) {
                    return reply(409, "Already exists - Variable already exists");
                }
                self.variables.insert(name, value);
                (201, "{}".to_owned())
            }
            (method, ["variables", name]) => self.variable(method, name, request),
            _ => reply(404, "Not Found"),
        }
    }

    fn put_sealed(&mut self, name: &str, body: &Value) -> (u16, String) {
        let sealed = body["encrypted_value"].as_str().unwrap_or_default();
        let sealed = STANDARD.decode(sealed).unwrap_or_default();
        let opened = self.key.unseal(&sealed).ok();
        match opened.filter(|_| body["key_id"] == "k1") {
            None => reply(422, "Bad request - Could not decrypt the value"),
            Some(value) => {
                let fresh = self.put(name, &String::from_utf8(value).unwrap());
                (if fresh { 201 } else { 204 }, String::new())
            }
        }
    }

    fn variable(&mut self, method: &str, name: &str, request: &RecordedRequest) -> (u16, String) {
        let Some(value) = self.variables.get_mut(name) else {
            return reply(404, "Not Found");
        };
        match method {
            "GET" => return (200, json!({"name": name, "value": value}).to_string()),
            "PATCH" => *value = variable(&request.json()).1,
            "DELETE" => drop(self.variables.remove(name)),
            _ => return reply(404, "Not Found"),
        }
        (204, String::new())
    }
}

fn variable(body: &Value) -> (String, String) {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("name"), text("value"))
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> GithubSink {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
    let (place, names) = place
        .split_once('#')
        .map_or((place, None), |(p, n)| (p, Some(n)));
    let place = RepositorySecrets::new(place, names).unwrap();
    let name = format!("github:{place}");
    GithubSink::at(name, &place, &format!("http://{address}/"), "t".to_owned()).unwrap()
}

fn rotation() -> RotationId {
    RotationId("r-1".to_owned())
}

fn two(number: u32) -> [(String, String); 2] {
    let pair = pair(number);
    [
        ("AWS_ACCESS_KEY_ID".to_owned(), pair.id.0),
        (
            "AWS_SECRET_ACCESS_KEY".to_owned(),
            pair.secret.expose().clone(),
        ),
    ]
}

fn filled() -> Shared {
    let both = two(1);
    let both: Vec<_> = both
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Arc::new(Mutex::new(Fake::new(&both)))
}

#[tokio::test]
async fn secrets_keep_the_contract() {
    let document = |number: u32| {
        let pair = pair(number);
        json!({"AccessKeyId": pair.id.0, "SecretAccessKey": pair.secret.expose()}).to_string()
    };
    let one = Arc::new(Mutex::new(Fake::new(&[
        ("AWS_KEY", &document(1)),
        ("OTHER", "x"),
    ])));
    let nothing = || Arc::new(Mutex::new(Fake::new(&[])));
    let environment = nothing();
    environment.lock().unwrap().folder = "/repos/octo/repo/environments/live%20site";
    for (place, fake, torn) in [
        ("octo/repo", nothing(), true),
        ("octo/repo", filled(), true),
        ("octo/repo#AWS_KEY", nothing(), false),
        ("octo/repo#aws_key", one, false),
        ("octo/repo@live site#AWS_KEY", environment, false),
    ] {
        let cuts = WriteFault::default();
        let sink = sink(&fake, &cuts, place).await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&sink, ReadBackKind::Key, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), torn).await;
        assert!(
            fake.lock().unwrap().variables.is_empty(),
            "the variable goes, too"
        );
        deliver(&sink, &pair(2)).await.unwrap();
        let fake = fake.lock().unwrap();
        if place.contains('#') {
            assert_eq!(fake.secrets["AWS_KEY"].0, document(2));
        } else {
            for (name, value) in two(2) {
                assert_eq!(fake.secrets[&name].0, value);
            }
        }
        for value in fake.variables.values() {
            assert!(!value.contains(pair(2).secret.expose().as_str()), "{value}");
        }
    }
}

#[tokio::test]
async fn the_id_is_written_last() {
    let fake = filled();
    let cuts = WriteFault::default();
    let sink = sink(&fake, &cuts, "octo/repo").await;
    // The variable, then the first secret.
    cuts.at(2, false);
    deliver(&sink, &pair(2)).await.unwrap_err();
    let now = fake.lock().unwrap().secrets.clone();
    assert_eq!(now["AWS_ACCESS_KEY_ID"].0, pair(1).id.0);
    assert_eq!(&now["AWS_SECRET_ACCESS_KEY"].0, pair(2).secret.expose());
    assert_eq!(
        sink.read_back().await,
        Ok(SinkContent::Nothing),
        "half a write is no key"
    );
}

#[tokio::test]
async fn what_others_wrote_is_not_taken_for_ours() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), "octo/repo").await;
    assert_eq!(sink.read_back().await, Ok(SinkContent::Nothing));
    deliver(&sink, &pair(2)).await.unwrap();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Key(pair(2).id)));
    fake.lock()
        .unwrap()
        .put("AWS_SECRET_ACCESS_KEY", "somebody else's");
    assert_eq!(sink.read_back().await, Ok(SinkContent::Nothing));
}

#[tokio::test]
async fn what_another_wrote_is_not_overwritten() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), "octo/repo").await;
    let theirs = |fake: &Shared| {
        let mut fake = fake.lock().unwrap();
        fake.put("AWS_ACCESS_KEY_ID", &pair(3).id.0);
        fake.put("AWS_SECRET_ACCESS_KEY", "theirs");
        fake.look()
    };
    let backup = sink.stage(&rotation()).await.unwrap();
    let before = theirs(&fake);
    let error = sink.commit(&rotation(), &backup, &pair(2)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("nothing was changed"), "{error}");
    put_back(&sink, &backup, Some(&pair(1))).await.unwrap();
    assert_eq!(fake.lock().unwrap().look(), before);

    deliver(&sink, &pair(2)).await.unwrap();
    let before = theirs(&fake);
    sink.commit(&rotation(), &backup, &pair(2))
        .await
        .unwrap_err();
    let error = put_back(&sink, &backup, Some(&pair(1))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("another user wrote"), "{error}");
    assert_eq!(fake.lock().unwrap().look(), before);
}

#[tokio::test]
async fn a_missing_secret_is_reported_as_one_to_create() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), "octo/repo#AWS_ACCES_KEY_ID").await;
    let absent = sink.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "there is no secret AWS_ACCES_KEY_ID");
    assert_eq!(absent.similar[0], "AWS_ACCESS_KEY_ID");
}

#[tokio::test]
async fn a_secret_that_nobody_knows_is_put_back_by_a_person() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), "octo/repo").await;
    let backup = sink.stage(&rotation()).await.unwrap();
    put_back(&sink, &backup, None).await.unwrap();
    deliver(&sink, &pair(2)).await.unwrap();
    let error = put_back(&sink, &backup, None).await.unwrap_err();
    let expected = "set AWS_SECRET_ACCESS_KEY and AWS_ACCESS_KEY_ID to the old key by hand, delete the \
                variable KEYWRIGHT_AWS_SECRET_ACCESS_KEY";
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains(expected)),
        "{error}"
    );
    {
        let mut fake = fake.lock().unwrap();
        for (name, value) in two(1) {
            fake.put(&name, &value);
        }
    }
    assert!(
        put_back(&sink, &backup, None).await.is_err(),
        "not said so yet"
    );
    fake.lock().unwrap().variables.clear();
    put_back(&sink, &backup, None).await.unwrap();
    let known = RepositorySecrets::new("octo/repo", None)
        .unwrap()
        .caveats(true);
    let unknown = RepositorySecrets::new("octo/repo", Some("X"))
        .unwrap()
        .caveats(false);
    assert!(
        known.len() == 2 && known[1].contains("written separately"),
        "{known:?}"
    );
    assert!(
        unknown.len() == 2 && unknown[1].contains("a person must"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    for (status, later) in [
        (401, false),
        (403, false),
        (404, false),
        (409, true),
        (422, false),
        (429, true),
        (500, true),
        (502, true),
    ] {
        let fake = filled();
        let there = Arc::clone(&fake);
        let answers = move |request: &RecordedRequest| match request.line.starts_with("PUT") {
            true => reply(status, "no"),
            false => there.lock().unwrap().answer(request),
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = RepositorySecrets::new("octo/repo", None).unwrap();
        let api = format!("http://{address}");
        let sink = GithubSink::at("g".to_owned(), &place, &api, "t".to_owned()).unwrap();
        let error = deliver(&sink, &pair(2)).await.unwrap_err();
        assert_eq!(
            matches!(error, SinkError::Later(_)),
            later,
            "{status}: {error}"
        );
        assert!(!format!("{error:?}").contains(pair(2).secret.expose().as_str()));
    }
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), "other/repo").await;
    let error = sink.inspect(&pair(1).id).await.unwrap_err();
    assert!(error.to_string().contains("no such repository"), "{error}");
    let place = RepositorySecrets::new("octo/repo", None).unwrap();
    for api in [
        "http://github.example.org",
        "https://me:word@github.example.org",
    ] {
        assert!(
            GithubSink::at("g".to_owned(), &place, api, "t".to_owned()).is_err(),
            "{api}"
        );
    }
}
