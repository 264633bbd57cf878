//! The CircleCI sink against a fake of the API, as far as the sink uses it: values that are never
//! returned, dates, pages, contexts by name.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use keywright_base::Timestamp;
use keywright_rotation::{
    model::RotationId,
    ports::{Sink, SinkContent, SinkError},
};
use serde_json::{Value, json};

use super::{CircleCi, ContextVariables, MARK};
use crate::{
    ParsedDestination,
    remote_tests::WriteFault,
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_refusals, pair, put_back,
    },
    testing::{RecordedRequest, serve},
};

const ID: &str = "4c8d7dd2-6ab2-4be5-a4b4-8ad7a3ffb7b2";

/// The variables of one context, and when each was written; a page has three of them.
struct Fake {
    variables: BTreeMap<String, (String, String)>,
    now: i64,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, message: &str) -> (u16, String) {
    (status, json!({ "message": message }).to_string())
}

impl Fake {
    fn shared(variables: &[(&str, &str)]) -> Shared {
        let mut fake = Self {
            variables: BTreeMap::new(),
            now: 1_800_000_000,
        };
        for (name, value) in variables {
            fake.put(name, value);
        }
        Arc::new(Mutex::new(fake))
    }

    fn put(&mut self, name: &str, value: &str) {
        self.now += 7;
        let at = Timestamp::from_secs(self.now).iso8601();
        self.variables
            .insert(name.to_owned(), (value.to_owned(), at));
    }

    /// What a job would read, without our markers.
    fn look(&self) -> Vec<u8> {
        let all = self
            .variables
            .iter()
            .filter(|(name, _)| !name.starts_with(MARK));
        let all = all.map(|(name, (value, _))| format!("{name}={value}\n"));
        all.collect::<String>().into_bytes()
    }

    fn marks(&self) -> usize {
        self.variables
            .keys()
            .filter(|name| name.starts_with(MARK))
            .count()
    }

    fn entry(&self, name: &str) -> Value {
        let (_, at) = &self.variables[name];
        json!({"variable": name, "context_id": ID, "created_at": at, "updated_at": at})
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let token = request.headers.get("circle-token");
        if token.and_then(|token| token.to_str().ok()) != Some("t") {
            return reply(401, "You must log in first.");
        }
        let (method, path) = request.line.split_once(' ').unwrap();
        if (method, path) == ("GET", "/api/v2/context") {
            let items = match request.query.as_str() {
                "owner-slug=gh%2Facme" => json!([{"id": ID, "name": "prod keys"}]),
                _ => json!([]),
            };
            return (
                200,
                json!({"items": items, "next_page_token": null}).to_string(),
            );
        }
        let folder = format!("/api/v2/context/{ID}/environment-variable");
        let Some(name) = path.strip_prefix(&folder) else {
            return reply(404, "Context not found.");
        };
        let name = name.trim_start_matches('/');
        match method {
            "GET" => {
                let skip = request.query.strip_prefix("page-token=p%3D");
                let skip: usize = skip.map_or(0, |skip| skip.parse().unwrap());
                let names = self.variables.keys().skip(skip).take(3);
                let items: Vec<_> = names.map(|name| self.entry(name)).collect();
                let next = (skip + 3 < self.variables.len()).then(|| format!("p={}", skip + 3));
                (
                    200,
                    json!({"items": items, "next_page_token": next}).to_string(),
                )
            }
            "PUT" => {
                self.put(name, request.json()["value"].as_str().unwrap());
                (200, self.entry(name).to_string())
            }
            "DELETE" if self.variables.remove(name).is_some() => reply(200, "deleted"),
            _ => reply(404, "Environment variable not found."),
        }
    }
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> CircleCi {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
    let (place, names) = place
        .split_once('#')
        .map_or((place, None), |(p, n)| (p, Some(n)));
    let place = ContextVariables::new(place, names).unwrap();
    let name = format!("circleci:{place}");
    CircleCi::at(name, &place, &format!("http://{address}/"), "t".to_owned()).unwrap()
}

fn filled() -> Shared {
    let pair = pair(1);
    Fake::shared(&[
        ("AWS_ACCESS_KEY_ID", &pair.id.0),
        ("AWS_SECRET_ACCESS_KEY", pair.secret.expose()),
        ("AWS_SECRET_ACCESS_KEY_2", "of another destination"),
        // The marker of that variable.
        (
            "KEYWRIGHT_AWS_SECRET_ACCESS_KEY_2_AKIAIOSFODNN7EXAMPL9",
            "x",
        ),
        ("ZZZ", "x"),
    ])
}

fn rotation() -> RotationId {
    RotationId("r-1".to_owned())
}

#[tokio::test]
async fn variables_keep_the_contract() {
    let document = |number: u32| {
        let pair = pair(number);
        json!({"AccessKeyId": pair.id.0, "SecretAccessKey": pair.secret.expose()}).to_string()
    };
    let one = Fake::shared(&[("AWS_KEY", &document(1)), ("OTHER", "x")]);
    for (place, fake, torn) in [
        ("gh/acme/prod keys", Fake::shared(&[]), true),
        (ID, filled(), true),
        ("gh/acme/prod keys#AWS_KEY", Fake::shared(&[]), false),
        ("gh/acme/prod keys#AWS_KEY", one, false),
    ] {
        let cuts = WriteFault::default();
        let marks = fake.lock().unwrap().marks();
        let sink = sink(&fake, &cuts, place).await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&sink, ReadBackKind::Key, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), torn).await;
        assert_eq!(fake.lock().unwrap().marks(), marks, "our marks go, too");
        deliver(&sink, &pair(2)).await.unwrap();
        let fake = fake.lock().unwrap();
        assert_eq!(fake.marks(), marks + 1);
        if place.contains('#') {
            assert_eq!(fake.variables["AWS_KEY"].0, document(2));
        } else {
            assert_eq!(fake.variables["AWS_ACCESS_KEY_ID"].0, pair(2).id.0);
            assert_eq!(
                &fake.variables["AWS_SECRET_ACCESS_KEY"].0,
                pair(2).secret.expose()
            );
        }
        let marks = fake
            .variables
            .iter()
            .filter(|(name, _)| name.starts_with(MARK));
        for (name, (value, _)) in marks {
            let text = format!("{name}={value}");
            assert!(!text.contains(pair(2).secret.expose().as_str()), "{text}");
        }
    }
}

#[tokio::test]
async fn a_second_rotation_knows_the_first_ones_key() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), ID).await;
    deliver(&sink, &pair(2)).await.unwrap();
    let held = sink.inspect(&pair(2).id).await.unwrap().held;
    assert_eq!(held, SinkContent::Key(pair(2).id));
    let backup = sink.stage(&rotation()).await.unwrap();
    sink.commit(&rotation(), &backup, &pair(3)).await.unwrap();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Key(pair(3).id)));
    let pairs = keywright_rotation::ports::RotationPairs {
        new: &pair(3),
        old: Some(&pair(2)),
    };
    sink.restore(&rotation(), &backup, pairs).await.unwrap();
    sink.restore(&rotation(), &backup, pairs).await.unwrap();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Key(pair(2).id)));
    assert_eq!(fake.lock().unwrap().marks(), 2, "one of ours");
}

#[tokio::test]
async fn what_another_wrote_is_not_overwritten_or_taken_for_ours() {
    let fake = filled();
    let sink = sink(&fake, &WriteFault::default(), ID).await;
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
    assert_eq!(sink.read_back().await, Ok(SinkContent::Nothing));
    sink.commit(&rotation(), &backup, &pair(2))
        .await
        .unwrap_err();
    let error = put_back(&sink, &backup, Some(&pair(1))).await.unwrap_err();
    assert!(error.to_string().contains("another user wrote"), "{error}");
    assert_eq!(fake.lock().unwrap().look(), before);
}

#[tokio::test]
async fn the_id_is_written_last_and_half_a_write_is_no_key() {
    let fake = filled();
    let cuts = WriteFault::default();
    let sink = sink(&fake, &cuts, ID).await;
    // The marker, then the secret.
    cuts.at(2, false);
    deliver(&sink, &pair(2)).await.unwrap_err();
    let now = fake.lock().unwrap().variables.clone();
    assert_eq!(now["AWS_ACCESS_KEY_ID"].0, pair(1).id.0);
    assert_eq!(&now["AWS_SECRET_ACCESS_KEY"].0, pair(2).secret.expose());
    assert_eq!(sink.read_back().await, Ok(SinkContent::Nothing));
}

#[tokio::test]
async fn a_secret_that_nobody_knows_is_put_back_by_a_person() {
    let fake = filled();
    let cuts = WriteFault::default();
    let sink = sink(&fake, &cuts, ID).await;
    let backup = sink.stage(&rotation()).await.unwrap();
    put_back(&sink, &backup, None).await.unwrap();
    // Only the marker was written.
    cuts.at(1, false);
    deliver(&sink, &pair(2)).await.unwrap_err();
    put_back(&sink, &backup, None).await.unwrap();
    assert_eq!(fake.lock().unwrap().marks(), 1);
    deliver(&sink, &pair(2)).await.unwrap();
    let error = put_back(&sink, &backup, None).await.unwrap_err();
    let expected = "set AWS_SECRET_ACCESS_KEY and AWS_ACCESS_KEY_ID to the old key by hand";
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains(expected)),
        "{error}"
    );
    let ours = "KEYWRIGHT_AWS_SECRET_ACCESS_KEY_AKIA";
    fake.lock()
        .unwrap()
        .variables
        .retain(|name, _| !name.starts_with(ours));
    put_back(&sink, &backup, None).await.unwrap();
    assert_eq!(sink.place.caveats(true).len(), 2);
    assert!(sink.place.caveats(false)[2].contains("a person must"));
}

#[tokio::test]
async fn contents_are_reported() {
    let fake = filled();
    let absent = sink(
        &fake,
        &WriteFault::default(),
        "gh/acme/prod keys#AWS_ACCES_KEY_ID",
    )
    .await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "there is no variable AWS_ACCES_KEY_ID");
    assert_eq!(absent.similar[0], "AWS_ACCESS_KEY_ID");
    for (place, expected) in [
        ("gh/acme/prod key", "did you mean prod keys?"),
        ("gh/other/prod keys", "no context prod keys"),
        ("00000000-6ab2-4be5-a4b4-8ad7a3ffb7b2", "Context not found."),
    ] {
        let sink = sink(&fake, &WriteFault::default(), place).await;
        let error = sink.inspect(&pair(1).id).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Never(why) if why.contains(expected)),
            "{error}"
        );
    }
}

/// A variable on a page that is not read would be taken for missing.
#[tokio::test]
async fn a_listing_without_an_end_is_an_error() {
    let answers = |_: &RecordedRequest| {
        (
            200,
            json!({"items": [], "next_page_token": "again"}).to_string(),
        )
    };
    let address = serve(Arc::new(Mutex::new(answers))).await;
    let place = ContextVariables::new(ID, None).unwrap();
    let host = format!("http://{address}");
    let sink = CircleCi::at("c".to_owned(), &place, &host, "t".to_owned()).unwrap();
    let error = sink.read_back().await.unwrap_err().to_string();
    assert!(error.contains("more than 50 pages"), "{error}");
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    hold_to_refusals(|status| async move {
        let fake = filled();
        let answers = move |request: &RecordedRequest| match request.line.starts_with("PUT") {
            // Whatever the response quotes is not repeated.
            true => reply(status, &format!("no: {}", request.json()["value"])),
            false => fake.lock().unwrap().answer(request),
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = ContextVariables::new(ID, None).unwrap();
        let host = format!("http://{address}");
        let sink = CircleCi::at("c".to_owned(), &place, &host, "t".to_owned()).unwrap();
        Box::new(sink) as Box<dyn Sink>
    })
    .await;
    let place = ContextVariables::new(ID, None).unwrap();
    for host in [
        "http://circleci.example.org",
        "https://me:word@circleci.example.org",
    ] {
        assert!(
            CircleCi::at("c".to_owned(), &place, host, "t".to_owned()).is_err(),
            "{host}"
        );
    }
}
