//! The 1Password sink against a fake of a Connect server, as far as the sink uses it: names and
//! IDs, sections, patches as the server interprets them, versions.

use std::sync::{Arc, Mutex};

use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkError},
};
use serde_json::{Value, json};

use super::{ConnectItem, VaultItem};
use crate::{
    document::{DocumentSink, StorePlace},
    json::JsonFormat,
    remote_tests::WriteFault,
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, hold_to_refusals,
        pair,
    },
    testing::{RecordedRequest, serve},
};

const VAULT: &str = "ionaiwtdvgclrixbt6ztpqcxnq";
const ITEM: &str = "p7eflcy7f5mk7vg6zrzf5rjjyu";

/// A vault with one item.
struct Fake {
    item: Value,
    fields_made: usize,
    may_write: bool,
    twins: bool,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, message: &str) -> (u16, String) {
    (
        status,
        json!({"status": status, "message": message}).to_string(),
    )
}

impl Fake {
    fn shared(fields: &Value) -> Shared {
        let item = json!({
            "id": ITEM, "title": "Job key", "vault": {"id": VAULT}, "category": "API_CREDENTIAL",
            "version": 4, "tags": ["aws"], "urls": [{"href": "https://example.org"}],
            "sections": [{"id": "s1", "label": "Keys"}, {"id": "s2"}], "fields": fields,
        });
        Arc::new(Mutex::new(Self {
            item,
            fields_made: 0,
            may_write: true,
            twins: false,
        }))
    }

    /// The whole item, except for its version.
    fn look(&self) -> Vec<u8> {
        let mut item = self.item.clone();
        item["version"] = Value::Null;
        item.to_string().into_bytes()
    }

    fn field(&mut self, label: &str) -> &mut Value {
        let fields = self.item["fields"].as_array_mut().unwrap();
        fields.iter_mut().find(|it| it["label"] == label).unwrap()
    }

    fn save(&mut self) {
        let version = self.item["version"].as_u64().unwrap();
        self.item["version"] = json!(version + 1);
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let token = request.headers.get("authorization");
        if token.and_then(|token| token.to_str().ok()) != Some("Bearer t") {
            return reply(401, "Invalid token signature");
        }
        let (method, path) = request.line.split_once(' ').unwrap();
        let query = percent_encoding::percent_decode_str(&request.query)
            .decode_utf8()
            .unwrap();
        let items = format!("/v1/vaults/{VAULT}/items");
        match (method, path.strip_prefix("/v1").unwrap()) {
            ("GET", "/vaults") => {
                let answer = matches!(&*query, "" | "filter=name eq \"Prod\"");
                let found = if answer {
                    json!([{"id": VAULT, "name": "Prod"}])
                } else {
                    json!([])
                };
                (200, found.to_string())
            }
            ("GET", _) if path == items => {
                let one = json!({"id": ITEM, "title": "Job key"});
                let found = match &*query {
                    "" | "filter=title eq \"Job key\"" if self.twins => json!([one, one]),
                    "" | "filter=title eq \"Job key\"" => json!([one]),
                    _ => json!([]),
                };
                (200, found.to_string())
            }
            ("GET", _) if path == format!("{items}/{ITEM}") => (200, self.item.to_string()),
            ("PATCH", _) if path == format!("{items}/{ITEM}") => self.patch(&request.json()),
            _ => reply(404, "not found"),
        }
    }

    fn patch(&mut self, body: &Value) -> (u16, String) {
        if !self.may_write {
            return reply(403, "token does not have permission to write");
        }
        let ops = body.as_array().unwrap();
        for op in ops {
            let (what, path) = (op["op"].as_str().unwrap(), op["path"].as_str().unwrap());
            let fields = self.item["fields"].as_array_mut().unwrap();
            if (what, path) == ("add", "/fields") {
                self.fields_made += 1;
                let mut field = op["value"].clone();
                field["id"] = json!(format!("made{}", self.fields_made));
                fields.push(field);
                continue;
            }
            let path = path.strip_prefix("/fields/").unwrap();
            let (id, rest) = path.split_once('/').unwrap_or((path, ""));
            let at = fields.iter().position(|field| field["id"] == id).unwrap();
            match (what, rest) {
                ("remove", "") => drop(fields.remove(at)),
                ("replace", "value") => {
                    assert!(
                        fields[at].get("value").is_some(),
                        "RFC 6902: it must be there"
                    );
                    fields[at]["value"] = op["value"].clone();
                }
                ("add", "value") => fields[at]["value"] = op["value"].clone(),
                other => panic!("{other:?}"),
            }
        }
        if !ops.is_empty() {
            self.save();
        }
        (200, self.item.to_string())
    }
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> DocumentSink<ConnectItem> {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
    let (place, pointers) = place
        .split_once('#')
        .map_or((place, None), |(p, n)| (p, Some(n)));
    let place = VaultItem::parse(place).unwrap();
    let connect = ConnectItem::at("o", &place, &format!("http://{address}/"), "t".to_owned());
    DocumentSink::new(
        "o".to_owned(),
        JsonFormat::new(pointers).unwrap(),
        connect.unwrap(),
    )
}

/// An item's fields: the pair, in a section or outside, and others that stay.
fn fields(pair: Option<&KeyPair>, section: Option<&str>) -> Value {
    let mut fields = vec![
        json!({"id": "notesPlain", "type": "STRING", "purpose": "NOTES", "label": "notes"}),
        json!({"id": "f1", "type": "STRING", "label": "twin", "value": "1"}),
        json!({"id": "f2", "type": "STRING", "label": "twin", "value": "2"}),
        json!({"id": "f3", "type": "OTP", "label": "code", "value": "o", "section": {"id": "s2"}}),
    ];
    if let Some(pair) = pair {
        let mut id = json!({"id": "f4", "type": "STRING", "label": "AccessKeyId"});
        id["value"] = json!(pair.id.0);
        let mut secret = json!({"id": "f5", "type": "CONCEALED", "label": "SecretAccessKey"});
        secret["value"] = json!(pair.secret.expose());
        for mut field in [id, secret] {
            if let Some(section) = section {
                field["section"] = json!({ "id": section });
            }
            fields.push(field);
        }
    }
    json!(fields)
}

#[tokio::test]
async fn an_item_keeps_the_contract_and_its_other_fields() {
    let by_ids = format!("{VAULT}/{ITEM}");
    for (place, held, section) in [
        ("Prod/Job key", None, None),
        (
            "Prod/Job key#/Keys/AccessKeyId,/Keys/SecretAccessKey",
            None,
            None,
        ),
        (by_ids.as_str(), Some(pair(1)), None),
        (
            "Prod/Job key#/Keys/AccessKeyId,/Keys/SecretAccessKey",
            Some(pair(1)),
            Some("s1"),
        ),
    ] {
        let fake = Fake::shared(&fields(held.as_ref(), section));
        let cuts = WriteFault::default();
        let sink = sink(&fake, &cuts, place).await;
        let look = || fake.lock().unwrap().look();
        // Recreated fields have other IDs.
        let stored = || String::from_utf8(look()).unwrap();
        let plain = || {
            let mut text = stored();
            for number in 0..200 {
                text = text.replace(&format!("\"made{number}\""), "\"made\"");
            }
            text.into_bytes()
        };
        hold_to_contract(&sink, ReadBackKind::Pair, &plain).await;
        hold_to_crashes(&sink, &plain, &|nth, after| cuts.at(nth, after), false).await;
        if held.is_some() {
            let put = |pair: &KeyPair| {
                let mut fake = fake.lock().unwrap();
                fake.field("AccessKeyId")["value"] = json!(pair.id.0);
                fake.field("SecretAccessKey")["value"] = json!(pair.secret.expose());
                fake.save();
            };
            put(&pair(1));
            hold_to_others(&sink, &plain, &put).await;
        }
    }
}

#[tokio::test]
async fn contents_are_reported() {
    let mut all = fields(Some(&pair(1)), None);
    all.as_array_mut()
        .unwrap()
        .push(json!({"id": "f9", "type": "STRING", "label": "old", "value": pair(1).id.0}));
    let fake = Fake::shared(&all);
    let found = sink(&fake, &WriteFault::default(), "Prod/Job key").await;
    let found = found.inspect(&pair(1).id).await.unwrap();
    assert_eq!(found.also, ["/old"]);
    let absent = sink(&fake, &WriteFault::default(), "Prod/Job key#/AccesKeyId,/S").await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.similar, ["AccessKeyId"]);
    for (place, expected) in [
        (
            "Prd/Job key",
            "no vault Prd, or the token is not allowed to see it; did you mean Prod?",
        ),
        ("Prod/Job kye", "did you mean Job key?"),
        ("Prod/Job key#/twin,/S", "twin is defined twice"),
        (
            "Prod/Job key#/AccessKeyId,/S",
            "an incomplete key pair is not overwritten",
        ),
    ] {
        let sink = sink(&fake, &WriteFault::default(), place).await;
        let error = sink.inspect(&pair(1).id).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Never(why) if why.contains(expected)),
            "{error}"
        );
    }
    let elsewhere = sink(
        &fake,
        &WriteFault::default(),
        "Prod/Job key#/None/A,/None/B",
    )
    .await;
    let error = deliver(&elsewhere, &pair(2)).await.unwrap_err().to_string();
    assert!(error.contains("the item has no section None"), "{error}");
    fake.lock().unwrap().twins = true;
    let twins = sink(&fake, &WriteFault::default(), "Prod/Job key").await;
    let error = twins.inspect(&pair(1).id).await.unwrap_err().to_string();
    assert!(error.contains("use an ID instead"), "{error}");
    fake.lock().unwrap().twins = false;
    fake.lock().unwrap().may_write = false;
    let denied = sink(&fake, &WriteFault::default(), "Prod/Job key").await;
    let error = denied.inspect(&pair(1).id).await.unwrap_err().to_string();
    assert!(
        error.contains("403 Forbidden"),
        "known before anything is written: {error}"
    );
    fake.lock().unwrap().item["state"] = json!("ARCHIVED");
    let error = denied
        .stage(&RotationId("r".to_owned()))
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("archived"), "{error}");
}

#[tokio::test]
async fn a_version_that_another_user_saved_is_not_overwritten() {
    for (at, method) in [(2, "GET"), (1, "PATCH")] {
        let fake = Fake::shared(&fields(Some(&pair(1)), None));
        let there = Arc::clone(&fake);
        let (mut count, item) = (0, format!("/v1/vaults/{VAULT}/items/{ITEM}"));
        let answers = move |request: &RecordedRequest| {
            let mut fake = there.lock().unwrap();
            if request.line == format!("{method} {item}") {
                count += 1;
                if count == at + usize::from(method == "GET") {
                    fake.field("notes")["value"] = json!("theirs");
                    fake.save();
                }
            }
            fake.answer(request)
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = VaultItem::parse(&format!("{VAULT}/{ITEM}")).unwrap();
        let connect = ConnectItem::at("o", &place, &format!("http://{address}"), "t".to_owned());
        let sink = DocumentSink::new(
            "o".to_owned(),
            JsonFormat::new(None).unwrap(),
            connect.unwrap(),
        );
        let error = deliver(&sink, &pair(2)).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Later(why) if why.contains("modified concurrently")),
            "{error}"
        );
        assert_eq!(fake.lock().unwrap().field("notes")["value"], "theirs");
        let held = fake.lock().unwrap().field("AccessKeyId")["value"].clone();
        assert_eq!(held == pair(2).id.0, method == "PATCH");
    }
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    hold_to_refusals(|status| async move {
        let fake = Fake::shared(&fields(Some(&pair(1)), None));
        let answers = move |request: &RecordedRequest| match request.line.starts_with("PATCH") {
            // Whatever the response quotes is not repeated.
            true => reply(status, &format!("no: {}", request.json())),
            false => fake.lock().unwrap().answer(request),
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = VaultItem::parse("Prod/Job key").unwrap();
        let connect = ConnectItem::at("o", &place, &format!("http://{address}"), "t".to_owned());
        let sink = DocumentSink::new(
            "o".to_owned(),
            JsonFormat::new(None).unwrap(),
            connect.unwrap(),
        );
        Box::new(sink) as Box<dyn Sink>
    })
    .await;
    let place = VaultItem::parse("a/b").unwrap();
    for host in [
        "http://connect.example.org:8080",
        "https://me:word@connect.example.org",
    ] {
        assert!(
            ConnectItem::at("o", &place, host, "t".to_owned()).is_err(),
            "{host}"
        );
    }
}
