//! The GitLab sink against a fake of the API, as far as the sink uses it: scopes, attributes that a
//! write leaves alone, masking rules, hidden values, pages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkContent, SinkError},
};
use serde_json::{Value, json};

use super::{ProjectVariables, open, token};
use crate::{
    remote_tests::WriteFault,
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, hold_to_refusals,
        pair, put_back,
    },
    testing::{RecordedRequest, serve},
};

/// The variables of one project or group, by key and scope.
struct Fake {
    folder: &'static str,
    variables: BTreeMap<(String, String), Value>,
    token_scopes: &'static str,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, message: &str) -> (u16, String) {
    (status, json!({ "message": message }).to_string())
}

/// GitLab's rule for masked values, which is stricter for expanded ones.
fn may_be_masked(value: &str, raw: bool) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || !raw && !c.is_ascii_alphanumeric() && !"+/=@:.~-_".contains(c)
    };
    value.len() >= 8 && !value.contains(odd)
}

impl Fake {
    fn new(folder: &'static str) -> Self {
        Self {
            folder,
            variables: BTreeMap::new(),
            token_scopes: "api",
        }
    }

    fn put(&mut self, key: &str, scope: &str, value: &str, attributes: &Value) {
        let mut variable = json!({
            "key": key, "value": value, "environment_scope": scope, "variable_type": "env_var",
            "protected": false, "masked": true, "hidden": false, "raw": false, "description": null,
        });
        for (name, value) in attributes.as_object().into_iter().flatten() {
            variable[name] = value.clone();
        }
        self.variables
            .insert((key.to_owned(), scope.to_owned()), variable);
    }

    /// Everything that is stored.
    fn look(&self) -> Vec<u8> {
        let all: Vec<_> = self.variables.values().collect();
        json!(all).to_string().into_bytes()
    }

    fn value(&self, key: &str, scope: &str) -> String {
        let variable = &self.variables[&(key.to_owned(), scope.to_owned())];
        variable["value"].as_str().unwrap().to_owned()
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let token = request.headers.get("authorization");
        if token.and_then(|token| token.to_str().ok()) != Some("Bearer t") {
            return reply(401, "401 Unauthorized");
        }
        let (method, path) = request.line.split_once(' ').unwrap();
        if path == "/api/v4/personal_access_tokens/self" {
            return (200, json!({"scopes": [self.token_scopes]}).to_string());
        }
        let path = path.strip_prefix("/api/v4").unwrap();
        let Some(path) = path.strip_prefix(self.folder) else {
            return reply(404, "404 Not Found");
        };
        match (method, path) {
            ("GET", "") => (200, json!({"id": 1}).to_string()),
            ("GET", "/variables") => self.page(&request.query),
            ("POST", "/variables") => self.create(&request.json()),
            (method, path) => {
                let key = path.strip_prefix("/variables/").unwrap();
                let scope = request.query.strip_prefix("filter%5Benvironment_scope%5D=");
                let scope = scope.expect("without a scope several variables may be meant");
                let scope = percent_encoding::percent_decode_str(scope)
                    .decode_utf8()
                    .unwrap();
                self.one(
                    method,
                    &(key.to_owned(), scope.into_owned()),
                    &request.json(),
                )
            }
        }
    }

    fn page(&self, query: &str) -> (u16, String) {
        let page = query.strip_prefix("per_page=100&page=").unwrap();
        let page: usize = page.parse().unwrap();
        let found: Vec<_> = self
            .variables
            .values()
            .skip((page - 1) * 100)
            .take(100)
            .collect();
        (200, json!(found).to_string())
    }

    fn create(&mut self, body: &Value) -> (u16, String) {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let (key, scope, value) = (text("key"), text("environment_scope"), text("value"));
        if self.variables.contains_key(&(key.clone(), scope.clone())) {
            return reply(400, "(AWS) has already been taken");
        }
        if body["masked"] == true && !may_be_masked(&value, body["raw"] == true) {
            return (
                400,
                json!({"message": {"value": ["is invalid"]}}).to_string(),
            );
        }
        self.put(&key, &scope, &value, body);
        (201, self.variables[&(key, scope)].to_string())
    }

    fn one(&mut self, method: &str, which: &(String, String), body: &Value) -> (u16, String) {
        let Some(variable) = self.variables.get_mut(which) else {
            return reply(404, "404 Variable Not Found");
        };
        match method {
            "DELETE" => {
                self.variables.remove(which);
                return (204, String::new());
            }
            "PUT" => {
                let value = body["value"].as_str().unwrap();
                let raw = variable["raw"] == true;
                if variable["masked"] == true && !may_be_masked(value, raw) {
                    return (
                        400,
                        json!({"message": {"value": ["is invalid"]}}).to_string(),
                    );
                }
                for (name, value) in body.as_object().unwrap() {
                    variable[name] = value.clone();
                }
            }
            _ => {}
        }
        let mut answer = variable.clone();
        if answer["hidden"] == true {
            answer["value"] = Value::Null;
        }
        (200, answer.to_string())
    }
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> Box<dyn Sink> {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
    let (path, names) = place
        .split_once('#')
        .map_or((place, None), |(p, n)| (p, Some(n)));
    let place = ProjectVariables::new(path, names).unwrap();
    let token = Secret::new("t".to_owned());
    open(
        format!("gitlab:{place}"),
        &place,
        &format!("http://{address}"),
        token,
    )
    .unwrap()
}

const PROJECT: &str = "/projects/shop%2Fsite%2Fapi";
const GROUP: &str = "/groups/shop";

fn shared(fake: Fake) -> Shared {
    Arc::new(Mutex::new(fake))
}

fn document(pair: &KeyPair, rest: &str) -> String {
    let (id, secret) = (&pair.id.0, pair.secret.expose());
    format!(r#"{{"AccessKeyId":"{id}","SecretAccessKey":"{secret}"{rest}}}"#)
}

fn put_two(fake: &mut Fake, scope: &str, pair: &KeyPair) {
    let attributes = json!({"protected": true, "description": "of the job", "raw": true});
    fake.put(
        "AWS_ACCESS_KEY_ID",
        scope,
        &pair.id.0,
        &json!({"masked": false}),
    );
    fake.put(
        "AWS_SECRET_ACCESS_KEY",
        scope,
        pair.secret.expose(),
        &attributes,
    );
}

#[tokio::test]
async fn two_variables_keep_the_contract_and_their_attributes() {
    for (folder, place, scope, filled) in [
        (PROJECT, "shop/site/api", "*", true),
        (PROJECT, "shop/site/api", "*", false),
        (GROUP, "shop", "*", true),
        (GROUP, "shop@review/*", "review/*", false),
        (PROJECT, "shop/site/api@live site", "live site", true),
    ] {
        let mut fake = Fake::new(folder);
        fake.put(
            "AWS_ACCESS_KEY_ID",
            "other",
            "AKIAIOSFODNN7EXAMPL9",
            &Value::Null,
        );
        if filled {
            put_two(&mut fake, scope, &pair(1));
        }
        let (fake, cuts) = (shared(fake), WriteFault::default());
        let sink = sink(&fake, &cuts, place).await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&*sink, &look, &|nth, after| cuts.at(nth, after), true).await;
        if filled {
            let put = |pair: &KeyPair| put_two(&mut fake.lock().unwrap(), scope, pair);
            hold_to_others(&*sink, &look, &put).await;
            put(&pair(1));
        }
        let before = look();
        deliver(&*sink, &pair(2)).await.unwrap();
        let fake = fake.lock().unwrap();
        assert_eq!(fake.value("AWS_ACCESS_KEY_ID", scope), pair(2).id.0);
        assert_eq!(
            &fake.value("AWS_SECRET_ACCESS_KEY", scope),
            pair(2).secret.expose()
        );
        assert_eq!(
            fake.value("AWS_ACCESS_KEY_ID", "other"),
            "AKIAIOSFODNN7EXAMPL9"
        );
        let after = String::from_utf8(fake.look()).unwrap();
        if filled {
            let back = after.replace(&pair(2).id.0, &pair(1).id.0);
            let back = back.replace(pair(2).secret.expose(), pair(1).secret.expose());
            assert_eq!(back.into_bytes(), before, "every attribute stays");
        } else {
            let made = &fake.variables[&("AWS_SECRET_ACCESS_KEY".to_owned(), scope.to_owned())];
            assert!(made["masked"] == true && made["protected"] == true && made["raw"] == true);
        }
    }
}

#[tokio::test]
async fn one_variable_keeps_the_contract_and_its_type() {
    for first in [
        None,
        Some(document(&pair(1), r#","region":"eu-1""#)),
        Some("{\"a\": 1}".to_owned()),
    ] {
        let mut fake = Fake::new(PROJECT);
        let filled = first.is_some();
        if let Some(first) = &first {
            let attributes = json!({"variable_type": "file", "masked": false, "raw": true});
            fake.put("AWS_KEY", "*", first, &attributes);
        }
        let (fake, cuts) = (shared(fake), WriteFault::default());
        let sink = sink(&fake, &cuts, "shop/site/api#AWS_KEY").await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&*sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        if filled {
            let put = |pair: &KeyPair| {
                let attributes = json!({"variable_type": "file", "masked": false, "raw": true});
                let mut fake = fake.lock().unwrap();
                fake.put("AWS_KEY", "*", &document(pair, ""), &attributes);
            };
            put(&pair(1));
            hold_to_others(&*sink, &look, &put).await;
        }
    }
}

#[tokio::test]
async fn the_id_is_written_last_and_half_a_write_is_continued() {
    let mut fake = Fake::new(PROJECT);
    put_two(&mut fake, "*", &pair(1));
    let (fake, cuts) = (shared(fake), WriteFault::default());
    let sink = sink(&fake, &cuts, "shop/site/api").await;
    let backup = sink.stage(&RotationId("r".into())).await.unwrap();
    cuts.at(1, false);
    sink.commit(&RotationId("r".into()), &backup, &pair(2))
        .await
        .unwrap_err();
    assert_eq!(
        fake.lock().unwrap().value("AWS_ACCESS_KEY_ID", "*"),
        pair(1).id.0
    );
    let secret = fake.lock().unwrap().value("AWS_SECRET_ACCESS_KEY", "*");
    assert_eq!(&secret, pair(2).secret.expose());
    sink.commit(&RotationId("r".into()), &backup, &pair(2))
        .await
        .unwrap();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Pair(pair(2))));
}

fn put_hidden(fake: &mut Fake, pair: &KeyPair) {
    let attributes = json!({"hidden": true, "raw": true});
    fake.put(
        "AWS_ACCESS_KEY_ID",
        "*",
        &pair.id.0,
        &json!({"masked": false}),
    );
    fake.put(
        "AWS_SECRET_ACCESS_KEY",
        "*",
        pair.secret.expose(),
        &attributes,
    );
}

#[tokio::test]
async fn a_hidden_secret_keeps_the_contract_by_its_id() {
    let mut fake = Fake::new(PROJECT);
    put_hidden(&mut fake, &pair(1));
    let (fake, cuts) = (shared(fake), WriteFault::default());
    let sink = sink(&fake, &cuts, "shop/site/api").await;
    let look = || {
        let fake = fake.lock().unwrap();
        let all = fake
            .variables
            .iter()
            .filter(|((key, _), _)| !key.starts_with("KEYWRIGHT_"));
        json!(all.map(|(_, value)| value).collect::<Vec<_>>())
            .to_string()
            .into_bytes()
    };
    hold_to_contract(&*sink, ReadBackKind::Key, &look).await;
    hold_to_crashes(&*sink, &look, &|nth, after| cuts.at(nth, after), true).await;
    assert_eq!(
        fake.lock().unwrap().variables.len(),
        2,
        "the mark goes, too"
    );
    let put = |pair: &KeyPair| put_hidden(&mut fake.lock().unwrap(), pair);
    hold_to_others(&*sink, &look, &put).await;
}

#[tokio::test]
async fn a_hidden_secret_that_nobody_knows_is_put_back_by_a_person() {
    for (cut, expected) in [
        (usize::MAX, "to the old key by hand, and release"),
        // The marker and the secret were written, but not the ID.
        (
            2,
            "by hand, delete the variable KEYWRIGHT_AWS_SECRET_ACCESS_KEY, and release",
        ),
    ] {
        let mut fake = Fake::new(PROJECT);
        put_hidden(&mut fake, &pair(1));
        let (fake, cuts) = (shared(fake), WriteFault::default());
        let sink = sink(&fake, &cuts, "shop/site/api").await;
        let warnings = sink.inspect(&pair(1).id).await.unwrap().warnings;
        assert!(
            warnings[0].contains("a rollback needs the old key pair"),
            "{warnings:?}"
        );
        let backup = sink.stage(&RotationId("r".into())).await.unwrap();
        put_back(&*sink, &backup, None).await.unwrap();
        cuts.at(cut, false);
        let done = sink
            .commit(&RotationId("r".into()), &backup, &pair(2))
            .await;
        assert_eq!(done.is_ok(), cut == usize::MAX);
        cuts.at(usize::MAX, false);
        let error = put_back(&*sink, &backup, None).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Never(why) if why.contains(expected)),
            "{error}"
        );
        {
            let mut fake = fake.lock().unwrap();
            fake.variables
                .retain(|(key, _), _| !key.starts_with("KEYWRIGHT_"));
            put_hidden(&mut fake, &pair(1));
        }
        put_back(&*sink, &backup, None).await.unwrap();
    }
}

#[tokio::test]
async fn contents_are_reported() {
    let mut fake = Fake::new(PROJECT);
    put_two(&mut fake, "*", &pair(1));
    for number in 0..150 {
        fake.put(&format!("A{number}"), "*", "something", &Value::Null);
    }
    fake.put("ZZ_OLD", "prod", &pair(1).id.0, &Value::Null);
    fake.put(
        "AWS_SECRET_ACCESS_KEY",
        "*",
        pair(1).secret.expose(),
        &json!({"masked": false}),
    );
    let fake = shared(fake);
    let found = sink(&fake, &WriteFault::default(), "shop/site/api").await;
    let found = found.inspect(&pair(1).id).await.unwrap();
    assert_eq!(found.held, SinkContent::Pair(pair(1)));
    assert_eq!(found.also, ["ZZ_OLD@prod"], "on the second page");
    assert!(
        found.warnings[0].contains("not masked"),
        "{:?}",
        found.warnings
    );

    let absent = sink(
        &fake,
        &WriteFault::default(),
        "shop/site/api#AWS_ACCES_KEY_ID,S",
    )
    .await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(
        absent.what,
        "there is no variable AWS_ACCES_KEY_ID and no S"
    );
    assert_eq!(absent.similar[0], "AWS_ACCESS_KEY_ID");
    let absent = sink(&fake, &WriteFault::default(), "shop/site/api@prod#ZZ_OLT").await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.similar[0], "ZZ_OLD");
}

type Preparation<'a> = &'a dyn Fn(&mut Fake);

#[tokio::test]
async fn what_is_not_touched() {
    let half = |fake: &mut Fake| {
        fake.put("AWS_ACCESS_KEY_ID", "*", &pair(1).id.0, &Value::Null);
    };
    let hidden = |fake: &mut Fake| {
        put_two(fake, "*", &pair(1));
        let attributes = json!({"hidden": true});
        fake.put("AWS_ACCESS_KEY_ID", "*", &pair(1).id.0, &attributes);
    };
    let expanded = |fake: &mut Fake| {
        put_two(fake, "*", &pair(1));
        fake.put("AWS_SECRET_ACCESS_KEY", "*", "$OTHER_SECRET", &Value::Null);
    };
    let read_only = |fake: &mut Fake| {
        put_two(fake, "*", &pair(1));
        fake.token_scopes = "read_api";
    };
    let elsewhere = |fake: &mut Fake| fake.folder = "/projects/other";
    let cases: [(Preparation<'_>, &str); 5] = [
        (&half, "an incomplete key pair is not overwritten"),
        (&hidden, "AWS_ACCESS_KEY_ID is hidden"),
        (&expanded, "the value of AWS_SECRET_ACCESS_KEY contains a $"),
        (&read_only, "the token has the scopes read_api"),
        (&elsewhere, "no such project or group"),
    ];
    for (prepare, expected) in cases {
        let mut fake = Fake::new(PROJECT);
        prepare(&mut fake);
        let fake = shared(fake);
        let before = fake.lock().unwrap().look();
        let sink = sink(&fake, &WriteFault::default(), "shop/site/api").await;
        let error = sink.inspect(&pair(1).id).await.unwrap_err();
        let SinkError::Never(why) = &error else {
            panic!("{error}");
        };
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains(pair(1).secret.expose().as_str()), "{why}");
        assert_eq!(fake.lock().unwrap().look(), before);
    }
}

#[tokio::test]
async fn an_expanded_variable_takes_no_dollar() {
    let mut fake = Fake::new(PROJECT);
    put_two(&mut fake, "*", &pair(1));
    fake.put(
        "AWS_SECRET_ACCESS_KEY",
        "*",
        pair(1).secret.expose(),
        &Value::Null,
    );
    let fake = shared(fake);
    let sink = sink(&fake, &WriteFault::default(), "shop/site/api").await;
    let odd = KeyPair {
        id: pair(2).id,
        secret: Secret::new("wJalrXUtnFEMI$K7MDENG".to_owned()),
    };
    let before = fake.lock().unwrap().look();
    let error = deliver(&*sink, &odd).await.unwrap_err().to_string();
    assert!(error.contains("which GitLab expands"), "{error}");
    assert_eq!(fake.lock().unwrap().look(), before);
}

#[tokio::test]
async fn a_value_that_changes_between_reading_and_writing_is_left_alone() {
    let mut fake = Fake::new(PROJECT);
    let attributes = json!({"masked": false});
    fake.put("AWS_KEY", "*", &document(&pair(1), ""), &attributes);
    let fake = shared(fake);
    let (there, mut reads) = (Arc::clone(&fake), 0);
    let answers = move |request: &RecordedRequest| {
        let mut fake = there.lock().unwrap();
        if request.line.ends_with("AWS_KEY") {
            reads += 1;
            if reads == 3 {
                fake.put("AWS_KEY", "*", &document(&pair(3), ""), &Value::Null);
            }
        }
        fake.answer(request)
    };
    let address = serve(Arc::new(Mutex::new(answers))).await;
    let place = ProjectVariables::new("shop/site/api", Some("AWS_KEY")).unwrap();
    let token = Secret::new("t".to_owned());
    let sink = open("g".to_owned(), &place, &format!("http://{address}"), token).unwrap();
    let error = deliver(&*sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Later(why) if why.contains("modified concurrently")),
        "{error}"
    );
    assert_eq!(
        fake.lock().unwrap().value("AWS_KEY", "*"),
        document(&pair(3), "")
    );
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    hold_to_refusals(|status| async move {
        let mut fake = Fake::new(PROJECT);
        put_two(&mut fake, "*", &pair(1));
        let answers = move |request: &RecordedRequest| match request.line.starts_with("PUT") {
            // Whatever the response quotes is not repeated.
            true => reply(status, &format!("no: {}", request.json()["value"])),
            false => fake.answer(request),
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = ProjectVariables::new("shop/site/api", None).unwrap();
        let token = Secret::new("t".to_owned());
        let api = format!("http://{address}/api/v4/");
        open("g".to_owned(), &place, &api, token).unwrap()
    })
    .await;
}

#[test]
fn the_token_of_a_job_is_refused() {
    let some = |text: &str| Some(text.to_owned());
    for (given, job, expected) in [
        (None, None, "GITLAB_TOKEN is not set"),
        (None, some("j"), "CI_JOB_TOKEN cannot"),
        (some("j"), some("j"), "CI_JOB_TOKEN cannot"),
        (some("glcbt-64_x"), None, "CI_JOB_TOKEN cannot"),
    ] {
        let error = token(given, job).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    assert!(token(some("glpat-x"), some("j")).is_ok());
    let place = ProjectVariables::new("a/b", None).unwrap();
    for api in [
        "http://gitlab.example.org/api/v4",
        "https://me:word@gitlab.example.org",
    ] {
        let token = Secret::new("t".to_owned());
        assert!(open("g".to_owned(), &place, api, token).is_err(), "{api}");
    }
}
