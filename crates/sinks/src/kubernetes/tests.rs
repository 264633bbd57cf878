//! The Kubernetes sink against a fake of the API, as far as the sink uses it: bearer tokens, merge
//! patches, `resourceVersion`, `dryRun`, rollouts.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex},
};

use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkContent, SinkError},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ClusterSecret, KubernetesSink, kubeconfig::ClusterAccess};
use crate::{
    remote_tests::{FixedClock, WriteFault},
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, pair, put_back,
    },
    testing::{FakeService, RecordedRequest, serve},
    tests::write,
};

const SECRET: &str = "/api/v1/namespaces/prod/secrets/job";
const APP: &str = "/apis/apps/v1/namespaces/prod/deployments/app";

/// How the paths of listings end.
const KINDS: [&str; 3] = ["/secrets", "/deployments", "/namespaces"];

/// A fake cluster.
struct Fake {
    objects: BTreeMap<String, Value>,
    versions: u64,
    token: String,
    /// Paths that may not be changed.
    forbidden: Vec<&'static str>,
    /// Another user writes before the next change.
    raced: bool,
    /// Rollouts wait until the test completes them.
    slow: bool,
}

type Shared = Arc<Mutex<Fake>>;

fn status(code: u16, reason: &str, message: &str) -> (u16, String) {
    let sent_body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, sent_body.to_string())
}

/// A merge patch (RFC 7386).
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let members = into.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

impl Fake {
    fn new(data: Option<Value>) -> Shared {
        let mut fake = Self {
            objects: BTreeMap::new(),
            versions: 6,
            token: "t".to_owned(),
            forbidden: Vec::new(),
            raced: false,
            slow: false,
        };
        if let Some(data) = data {
            let data: BTreeMap<_, _> = data.as_object().unwrap().clone().into_iter().collect();
            fake.store(SECRET, json!({"metadata": {"name": "job"}, "data": data}));
        }
        fake.store(
            APP,
            json!({
                "metadata": {"name": "app", "generation": 1},
                "spec": {"replicas": 1, "template": {"metadata": {}}},
                "status": {
                    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
                    "availableReplicas": 1,
                },
            }),
        );
        Arc::new(Mutex::new(fake))
    }

    fn store(&mut self, path: &str, mut object: Value) {
        self.versions += 1;
        object["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        self.objects.insert(path.to_owned(), object);
    }

    fn roll(&mut self) {
        let app = self.objects.get_mut(APP).unwrap();
        app["status"]["observedGeneration"] = app["metadata"]["generation"].clone();
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let bearer = request.headers.get("authorization");
        if bearer.is_none_or(|bearer| *bearer != format!("Bearer {}", self.token)) {
            return status(401, "Unauthorized", "Unauthorized");
        }
        let (method, path) = request.line.split_once(' ').unwrap();
        if method == "GET" {
            return match self.objects.get(path) {
                Some(object) => (200, object.to_string()),
                None if KINDS.iter().any(|kind| path.ends_with(kind)) => self.list(path, request),
                None => status(404, "NotFound", "not found"),
            };
        }
        if self.forbidden.iter().any(|part| path.contains(part)) {
            let why = format!("{path} is forbidden: User \"x\" cannot {method}");
            return status(403, "Forbidden", &why);
        }
        let dry = request.query.contains("dryRun=All");
        if self.raced && !dry {
            self.raced = false;
            let object = self.objects[SECRET].clone();
            self.store(SECRET, object);
        }
        self.change(method, path, request, dry)
    }

    /// Lists the names of a kind, and nothing else.
    fn list(&self, path: &str, request: &RecordedRequest) -> (u16, String) {
        let accept = request.headers["accept"].to_str().unwrap();
        assert!(accept.contains("as=PartialObjectMetadataList"), "{accept}");
        assert_eq!(request.query.trim_start_matches('&'), "limit=500");
        if self.forbidden.contains(&"list") {
            return status(403, "Forbidden", "cannot list");
        }
        let folder = format!("{path}/");
        let names = self
            .objects
            .keys()
            .filter_map(|it| it.strip_prefix(&folder));
        let names = names.filter(|name| !name.contains('/'));
        let items: Vec<_> = names
            .map(|name| json!({"metadata": {"name": name}}))
            .collect();
        (200, json!({"items": items}).to_string())
    }

    fn change(
        &mut self,
        method: &str,
        path: &str,
        request: &RecordedRequest,
        dry: bool,
    ) -> (u16, String) {
        let sent_body = request.json();
        let media = &request.headers["content-type"];
        if method == "POST" {
            assert_eq!(media, "application/json");
            let name = sent_body["metadata"]["name"].as_str().unwrap();
            let path = format!("{path}/{name}");
            if self.objects.contains_key(&path) {
                return status(409, "AlreadyExists", "it already exists");
            }
            if !path.starts_with("/api/v1/namespaces/prod/") {
                return status(404, "NotFound", "namespaces not found");
            }
            if !dry {
                self.store(&path, sent_body.clone());
            }
            return (201, sent_body.to_string());
        }
        let Some(mut object) = self.objects.get(path).cloned() else {
            return status(404, "NotFound", "not found");
        };
        let version = object["metadata"]["resourceVersion"].clone();
        let wanted = match method {
            "DELETE" => sent_body.pointer("/preconditions/resourceVersion"),
            _ => sent_body.pointer("/metadata/resourceVersion"),
        };
        if wanted.is_some_and(|wanted| *wanted != version) {
            return status(409, "Conflict", "the object has been modified");
        }
        if method == "DELETE" {
            self.objects.remove(path);
            return status(200, "", "");
        }
        assert_eq!(
            (method, media.to_str().unwrap()),
            ("PATCH", "application/merge-patch+json")
        );
        let before = object.clone();
        merge(&mut object, &sent_body);
        if !dry && before != object {
            if before["spec"] != object["spec"] {
                let generation = object["metadata"]["generation"].as_u64().unwrap() + 1;
                object["metadata"]["generation"] = json!(generation);
                if !self.slow {
                    object["status"]["observedGeneration"] = json!(generation);
                }
            }
            self.store(path, object.clone());
        }
        (200, object.to_string())
    }
}

/// A sink, and the folder with its kubeconfig.
struct Opened {
    sink: KubernetesSink,
    folder: TempDir,
}

impl Deref for Opened {
    type Target = KubernetesSink;

    fn deref(&self) -> &KubernetesSink {
        &self.sink
    }
}

/// A kubeconfig with one cluster and one user.
fn kubeconfig(folder: &Path, server: &str, user: &str) -> ClusterAccess {
    let path = folder.join("config");
    let text = format!(
        "current-context: x\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    );
    write(&path, &text);
    ClusterAccess::Files {
        paths: vec![path],
        context: None,
    }
}

async fn open(answers: FakeService, place: &str, user: &str) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let server = format!("http://{}", serve(answers).await);
    let access = kubeconfig(folder.path(), &server, user);
    let place = ClusterSecret::new(place, None).unwrap();
    let name = format!("kubernetes:{place}");
    let sink = KubernetesSink::at(name, &place, access, Arc::new(FixedClock));
    Opened { sink, folder }
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> Opened {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    open(cuts.of(Arc::new(Mutex::new(answers))), place, "token: t").await
}

const RESTARTING: &str = "prod/job?restart=deployment/app";

fn encoded(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn filled() -> Value {
    let one = pair(1);
    json!({
        "AWS_ACCESS_KEY_ID": encoded(&one.id.0),
        "AWS_SECRET_ACCESS_KEY": encoded(one.secret.expose()),
        "binary": "//79",
    })
}

fn rotation() -> RotationId {
    RotationId("r-1".to_owned())
}

#[tokio::test]
async fn a_secret_keeps_the_contract_with_its_other_fields() {
    for data in [
        None,
        Some(json!({})),
        Some(json!({"binary": "//79"})),
        Some(filled()),
    ] {
        let fake = Fake::new(data);
        let cuts = WriteFault::default();
        let sink = sink(&fake, &cuts, RESTARTING).await;
        // What consumers read: the fields, and whether there is a Secret at all.
        let look = || {
            let fake = fake.lock().unwrap();
            let data = fake
                .objects
                .get(SECRET)
                .map(|object| object["data"].to_string());
            data.unwrap_or_default().into_bytes()
        };
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&*sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| {
            let data = json!({
                "AWS_ACCESS_KEY_ID": encoded(&pair.id.0),
                "AWS_SECRET_ACCESS_KEY": encoded(pair.secret.expose()),
                "another": encoded(&pair.id.0),
            });
            let object = json!({"metadata": {"name": "job"}, "data": data});
            fake.lock().unwrap().store(SECRET, object);
        };
        put(&pair(1));
        hold_to_others(&*sink, &look, &put).await;
        let also = sink.inspect(&pair(3).id).await.unwrap().also;
        assert_eq!(also, ["another"]);
    }
}

#[tokio::test]
async fn missing_objects_are_reported() {
    let names = json!({"AWS_ACCES_KEY_ID": encoded("x"), "OTHER": encoded("y")});
    for (data, what) in [
        (None, Some(("there is no Secret job", 0))),
        (Some(names), Some(("there is no AWS_ACCESS_KEY_ID and", 1))),
        (Some(json!({})), None),
        (Some(filled()), None),
    ] {
        let sink = sink(&Fake::new(data), &WriteFault::default(), "prod/job").await;
        let absent = sink.inspect(&pair(1).id).await.unwrap().absent;
        assert_eq!(absent.is_some(), what.is_some(), "{absent:?}");
        if let (Some(absent), Some((what, similar))) = (absent, what) {
            assert!(absent.what.starts_with(what), "{absent:?}");
            assert_eq!(absent.similar.len(), similar, "{absent:?}");
        }
    }
    for (value, expected) in [
        (encoded(&pair(1).id.0), "an incomplete key pair"),
        ("//79".to_owned(), "is not text"),
    ] {
        let half = json!({"AWS_ACCESS_KEY_ID": value});
        let sink = sink(&Fake::new(Some(half)), &WriteFault::default(), "prod/job").await;
        let error = sink.inspect(&pair(1).id).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// The name of the Secret, the workload or the namespace may be misspelt.
#[tokio::test]
async fn what_was_perhaps_meant_is_named() {
    let fake = Fake::new(Some(filled()));
    fake.lock().unwrap().store(
        "/api/v1/namespaces/prod",
        json!({"metadata": {"name": "prod"}}),
    );
    let look = async |place: &str| {
        let sink = sink(&fake, &WriteFault::default(), place).await;
        sink.inspect(&pair(1).id).await
    };
    let absent = look("prod/jobs").await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "there is no Secret jobs");
    assert_eq!(absent.similar, ["job"]);
    for (place, expected_text) in [
        (
            "prod/job?restart=deployment/apps",
            "there is no deployment/apps; did you mean app?",
        ),
        ("prud/job", "there is no namespace prud; did you mean prod?"),
    ] {
        let error = look(place).await.unwrap_err().to_string();
        assert!(error.ends_with(expected_text), "{error}");
    }
    fake.lock().unwrap().forbidden.push("list");
    let absent = look("prod/jobs").await.unwrap().absent.unwrap();
    assert!(
        absent.similar.is_empty(),
        "whoever may not list them gets none"
    );
}

#[tokio::test]
async fn a_version_written_by_others_is_not_overwritten() {
    let fake = Fake::new(Some(filled()));
    let sink = sink(&fake, &WriteFault::default(), "prod/job").await;
    fake.lock().unwrap().raced = true;
    let raced = deliver(&*sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&raced, SinkError::Later(why) if why.contains("409")),
        "{raced}"
    );
    assert_eq!(sink.read_back().await, Ok(SinkContent::Pair(pair(1))));
    deliver(&*sink, &pair(2)).await.unwrap();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Pair(pair(2))));
}

#[tokio::test]
async fn a_workload_is_restarted_once_for_each_key_and_waited_for() {
    let fake = Fake::new(Some(filled()));
    let sink = sink(&fake, &WriteFault::default(), RESTARTING).await;
    fake.lock().unwrap().slow = true;
    let backup = sink.stage(&rotation()).await.unwrap();
    assert_eq!(
        sink.read_back().await,
        Ok(SinkContent::Pair(pair(1))),
        "nothing was restarted yet"
    );
    for _ in 0..2 {
        deliver(&*sink, &pair(2)).await.unwrap();
        let app = fake.lock().unwrap().objects[APP].clone();
        assert_eq!(app["metadata"]["generation"], 2, "once");
        let annotations = &app["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(
            annotations["kubectl.kubernetes.io/restartedAt"],
            "2027-01-15T08:00:00Z"
        );
        assert_eq!(annotations["keywright-access-key-id"], pair(2).id.0);
        let early = sink.read_back().await.unwrap_err();
        let expected = "deployment/app: the cluster has not seen the restart yet";
        assert!(
            matches!(&early, SinkError::Later(why) if why.contains(expected)),
            "{early}"
        );
    }
    fake.lock().unwrap().roll();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Pair(pair(2))));
    // When rolling back, the workloads are restarted and waited for again.
    put_back(&*sink, &backup, None).await.unwrap();
    assert!(matches!(sink.read_back().await, Err(SinkError::Later(_))));
    fake.lock().unwrap().roll();
    assert_eq!(sink.read_back().await, Ok(SinkContent::Pair(pair(1))));
}

#[tokio::test]
async fn what_cannot_be_done_is_known_before_anything_is_changed() {
    type Spoil = fn(&mut Fake);
    let rows: [(&str, Spoil, &str); 7] = [
        (
            RESTARTING,
            |fake| fake.forbidden.push("secrets"),
            "403 Forbidden",
        ),
        (
            RESTARTING,
            |fake| fake.forbidden.push("deployments"),
            "cannot PATCH",
        ),
        (RESTARTING, |fake| fake.token.push('x'), "401 Unauthorized"),
        (
            RESTARTING,
            |fake| drop(fake.objects.remove(APP)),
            "there is no deployment/app",
        ),
        (
            RESTARTING,
            |fake| fake.objects.get_mut(APP).unwrap()["spec"]["paused"] = json!(true),
            "is paused",
        ),
        (
            "prod/job",
            |fake| fake.objects.get_mut(SECRET).unwrap()["immutable"] = json!(true),
            "it is immutable",
        ),
        ("nowhere/job", |_| {}, "there is no namespace nowhere"),
    ];
    for (place, spoil, expected) in rows {
        let fake = Fake::new(Some(filled()));
        spoil(&mut fake.lock().unwrap());
        let before = fake.lock().unwrap().objects.clone();
        let sink = sink(&fake, &WriteFault::default(), place).await;
        let inspected = sink.inspect(&pair(1).id).await.unwrap_err();
        let staged = sink.stage(&rotation()).await.unwrap_err();
        assert_eq!(inspected, staged);
        assert!(
            matches!(&staged, SinkError::Never(why) if why.contains(expected)),
            "{staged}"
        );
        assert_eq!(fake.lock().unwrap().objects, before);
    }
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    let secret = pair(2).secret;
    for (code, later) in [
        (429, true),
        (500, true),
        (503, true),
        (422, false),
        (400, false),
    ] {
        let answers = move |request: &RecordedRequest| match request.line.starts_with("PATCH") {
            false => (
                200,
                json!({"metadata": {"resourceVersion": "1"}}).to_string(),
            ),
            // This response quotes what was sent.
            true => status(code, "Refused", &String::from_utf8_lossy(&request.body)),
        };
        let sink = open(Arc::new(Mutex::new(answers)), "prod/job", "").await;
        let error = deliver(&*sink, &pair(2)).await.unwrap_err();
        assert_eq!(
            matches!(error, SinkError::Later(_)),
            later,
            "{code}: {error}"
        );
        let text = format!("{error:?}");
        assert!(!text.contains(&encoded(secret.expose())), "{text}");
    }
}

#[tokio::test]
async fn credentials_that_have_run_out_are_read_again() {
    let fake = Fake::new(Some(filled()));
    let there = Arc::clone(&fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let sink = open(
        Arc::new(Mutex::new(answers)),
        "prod/job",
        "tokenFile: token",
    )
    .await;
    let token = sink.folder.path().join("token");
    write(&token, "t\n");
    assert!(sink.read_back().await.is_ok());
    fake.lock().unwrap().token = "t2".to_owned();
    assert!(sink.read_back().await.is_err());
    write(&token, "t2\n");
    assert!(sink.read_back().await.is_ok());
}
