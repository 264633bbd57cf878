//! The Google sink against a fake of the API, as far as the sink uses it: versions and their
//! states, `latest`, checksums, permissions. Its credentials are tested against a token server that
//! checks the requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use keywright_base::Clock;
use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkError},
};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};

use super::{GoogleCredentials, GoogleSecret, PERMISSIONS, SecretManager, crc32c};
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

const FOLDER: &str = "/v1/projects/p-1/secrets";

/// The secret `job` of a project.
struct Fake {
    /// Payload and state, from number 1.
    versions: Vec<(String, &'static str)>,
    permissions: Vec<&'static str>,
    /// What is returned instead of a payload's checksum.
    damage: Option<&'static str>,
    folder: &'static str,
}

type Shared = Arc<Mutex<Fake>>;

fn reply(status: u16, code: &str, message: &str) -> (u16, String) {
    let error = json!({"code": status, "message": message, "status": code});
    (status, json!({ "error": error }).to_string())
}

impl Fake {
    fn shared(versions: &[&str]) -> Shared {
        let versions = versions.iter().map(|text| ((*text).to_owned(), "ENABLED"));
        Arc::new(Mutex::new(Self {
            versions: versions.collect(),
            permissions: PERMISSIONS.to_vec(),
            damage: None,
            folder: FOLDER,
        }))
    }

    /// What consumers of `latest` get.
    fn look(&self) -> Vec<u8> {
        match self.versions.last() {
            Some((text, "ENABLED")) => text.clone().into_bytes(),
            _ => b"nothing".to_vec(),
        }
    }

    fn info(&self, number: usize) -> (u16, String) {
        let Some((_, state)) = number.checked_sub(1).and_then(|at| self.versions.get(at)) else {
            return reply(404, "NOT_FOUND", "Secret Version not found");
        };
        let name = format!("projects/123/secrets/job/versions/{number}");
        let info = json!({
            "name": name, "state": state, "etag": format!("e{number}{state}"),
            "clientSpecifiedPayloadChecksum": true,
        });
        (200, info.to_string())
    }

    fn answer(&mut self, request: &RecordedRequest) -> (u16, String) {
        let token = request.headers.get("authorization");
        if token.and_then(|token| token.to_str().ok()) != Some("Bearer t") {
            return reply(401, "UNAUTHENTICATED", "Request had invalid credentials");
        }
        let (method, path) = request.line.split_once(' ').unwrap();
        let Some(path) = path.strip_prefix(self.folder) else {
            return reply(403, "PERMISSION_DENIED", "Permission denied on resource");
        };
        if (method, path) == ("GET", "") {
            let names = ["job", "other"].map(|name| json!({"name": format!("x/secrets/{name}")}));
            return (200, json!({ "secrets": names }).to_string());
        }
        let Some(path) = path.strip_prefix("/job") else {
            return reply(404, "NOT_FOUND", "Secret not found");
        };
        match (method, path) {
            ("GET", "") => (200, json!({"name": "projects/123/secrets/job"}).to_string()),
            ("GET", "/versions/latest") => self.info(self.versions.len()),
            ("POST", ":addVersion") => self.add(&request.json()["payload"]),
            ("POST", ":testIamPermissions") => {
                assert_eq!(request.json()["permissions"], json!(PERMISSIONS));
                (200, json!({"permissions": self.permissions}).to_string())
            }
            _ => self.version(path, &request.json()),
        }
    }

    fn version(&mut self, path: &str, body: &Value) -> (u16, String) {
        let path = path.strip_prefix("/versions/").unwrap();
        let (number, verb) = path.split_once(':').unwrap_or((path, ""));
        let number: usize = number.parse().unwrap();
        let (text, state) = &mut self.versions[number - 1];
        match verb {
            "access" if *state != "ENABLED" => {
                return reply(400, "FAILED_PRECONDITION", "is in DISABLED state");
            }
            "access" => {
                let sum = self
                    .damage
                    .map_or_else(|| crc32c(text.as_bytes()), str::to_owned);
                let payload = json!({"data": STANDARD.encode(text), "dataCrc32c": sum});
                return (200, json!({ "payload": payload }).to_string());
            }
            "disable" => {
                assert_eq!(body["etag"], format!("e{number}{state}"));
                *state = "DISABLED";
            }
            _ => {}
        }
        self.info(number)
    }

    fn add(&mut self, payload: &Value) -> (u16, String) {
        let data = STANDARD.decode(payload["data"].as_str().unwrap()).unwrap();
        if payload["dataCrc32c"] != crc32c(&data) {
            return reply(400, "INVALID_ARGUMENT", "the checksum does not match");
        }
        self.versions
            .push((String::from_utf8(data).unwrap(), "ENABLED"));
        self.info(self.versions.len())
    }
}

fn noon() -> Arc<dyn Clock> {
    Arc::new(FixedClock)
}

async fn sink(fake: &Shared, cuts: &WriteFault, place: &str) -> DocumentSink<SecretManager> {
    let there = Arc::clone(fake);
    let answers = move |request: &RecordedRequest| there.lock().unwrap().answer(request);
    let address = serve(cuts.of(Arc::new(Mutex::new(answers)))).await;
    let place = GoogleSecret::parse(place).unwrap();
    let credentials = GoogleCredentials::token_for_test("t", &noon());
    let store = SecretManager::at("g", &place, &format!("http://{address}"), credentials);
    DocumentSink::new(
        "g".to_owned(),
        JsonFormat::new(None).unwrap(),
        store.unwrap(),
    )
}

fn document(pair: &KeyPair) -> String {
    let (id, secret) = (&pair.id.0, pair.secret.expose());
    format!(r#"{{"region": "eu-1", "AccessKeyId": "{id}", "SecretAccessKey": "{secret}"}}"#)
}

#[test]
fn the_checksum_is_the_one_that_is_published() {
    // RFC 3720, appendix B.4, and the usual check value.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa_u32.to_string());
    assert_eq!(crc32c(b"123456789"), 0xe306_9283_u32.to_string());
}

#[tokio::test]
async fn a_secret_keeps_the_contract() {
    for versions in [
        vec![],
        vec![r#"{"other": "x"}"#.to_owned()],
        vec![document(&pair(1))],
    ] {
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        let (fake, cuts) = (Fake::shared(&versions), WriteFault::default());
        let sink = sink(&fake, &cuts, "p-1/job").await;
        let look = || fake.lock().unwrap().look();
        hold_to_contract(&sink, ReadBackKind::Pair, &look).await;
        hold_to_crashes(&sink, &look, &|nth, after| cuts.at(nth, after), false).await;
        let put = |pair: &KeyPair| {
            let mut fake = fake.lock().unwrap();
            fake.versions.push((document(pair), "ENABLED"));
        };
        put(&pair(1));
        hold_to_others(&sink, &look, &put).await;
    }
    let fake = Fake::shared(&["{}"]);
    fake.lock().unwrap().folder = "/v1/projects/p-1/locations/europe-west6/secrets";
    let regional = sink(
        &fake,
        &WriteFault::default(),
        "p-1/job?location=europe-west6",
    )
    .await;
    deliver(&regional, &pair(2)).await.unwrap();
}

/// `latest` stays at a version that is disabled or destroyed, so disabling alone restores nothing.
#[tokio::test]
async fn a_restore_adds_what_was_there_and_disables_our_version_only() {
    let fake = Fake::shared(&[&document(&pair(3)), &document(&pair(1))]);
    let sink = sink(&fake, &WriteFault::default(), "p-1/job").await;
    let backup = sink.stage(&RotationId("r".to_owned())).await.unwrap();
    sink.commit(&RotationId("r".to_owned()), &backup, &pair(2))
        .await
        .unwrap();
    put_back(&sink, &backup, Some(&pair(1))).await.unwrap();
    let fake = fake.lock().unwrap();
    let states: Vec<_> = fake.versions.iter().map(|(_, state)| *state).collect();
    assert_eq!(states, ["ENABLED", "ENABLED", "DISABLED", "ENABLED"]);
    assert_eq!(fake.versions[3].0, document(&pair(1)));
    assert_eq!(fake.versions[2].0, document(&pair(2)));
}

#[tokio::test]
async fn a_version_that_another_user_made_of_ours_stays_enabled() {
    let fake = Fake::shared(&[&document(&pair(1))]);
    let sink = sink(&fake, &WriteFault::default(), "p-1/job").await;
    let backup = sink.stage(&RotationId("r".to_owned())).await.unwrap();
    sink.commit(&RotationId("r".to_owned()), &backup, &pair(2))
        .await
        .unwrap();
    let theirs = document(&pair(2)).replace("eu-1", "eu-2");
    let their_version = (theirs, "ENABLED");
    fake.lock().unwrap().versions.push(their_version.clone());
    put_back(&sink, &backup, Some(&pair(1))).await.unwrap();
    let fake = fake.lock().unwrap();
    assert_eq!(fake.versions[2], their_version);
    assert_eq!(
        fake.versions[3].0,
        document(&pair(1)).replace("eu-1", "eu-2")
    );
}

#[tokio::test]
async fn a_version_of_another_user_in_between_becomes_the_latest_again() {
    let fake = Fake::shared(&[&document(&pair(1))]);
    let there = Arc::clone(&fake);
    let mut raced = false;
    let answers = move |request: &RecordedRequest| {
        let mut fake = there.lock().unwrap();
        if request.line.ends_with(":addVersion") && !std::mem::replace(&mut raced, true) {
            fake.versions.push((document(&pair(3)), "ENABLED"));
        }
        fake.answer(request)
    };
    let address = serve(Arc::new(Mutex::new(answers))).await;
    let place = GoogleSecret::parse("p-1/job").unwrap();
    let credentials = GoogleCredentials::token_for_test("t", &noon());
    let store = SecretManager::at("g", &place, &format!("http://{address}"), credentials);
    let sink = DocumentSink::new(
        "g".to_owned(),
        JsonFormat::new(None).unwrap(),
        store.unwrap(),
    );
    let error = deliver(&sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Later(why) if why.contains("added concurrently")),
        "{error}"
    );
    assert_eq!(fake.lock().unwrap().look(), document(&pair(3)).into_bytes());
    assert_eq!(
        fake.lock().unwrap().versions[2],
        (document(&pair(2)), "DISABLED")
    );
}

#[tokio::test]
async fn contents_are_reported() {
    let empty = Fake::shared(&[]);
    let absent = sink(&empty, &WriteFault::default(), "p-1/job").await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "it has no version");
    let disabled = Fake::shared(&[&document(&pair(1))]);
    disabled.lock().unwrap().versions[0].1 = "DESTROYED";
    let absent = sink(&disabled, &WriteFault::default(), "p-1/job").await;
    let absent = absent.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(
        absent.what,
        "its latest version, 1, is disabled or destroyed"
    );

    let full = Fake::shared(&[&document(&pair(1))]);
    for (place, expected) in [
        ("p-1/jbo", "did you mean job?"),
        ("p-2/job", "403 Forbidden Permission denied on resource"),
    ] {
        let sink = sink(&full, &WriteFault::default(), place).await;
        let error = sink.inspect(&pair(1).id).await.unwrap_err();
        assert!(
            matches!(&error, SinkError::Never(why) if why.contains(expected)),
            "{error}"
        );
    }
    full.lock()
        .unwrap()
        .permissions
        .retain(|name| !name.ends_with("add"));
    let lacking = sink(&full, &WriteFault::default(), "p-1/job").await;
    let error = lacking.inspect(&pair(1).id).await.unwrap_err().to_string();
    assert!(
        error.contains("the caller lacks secretmanager.versions.add"),
        "{error}"
    );
    full.lock().unwrap().permissions = PERMISSIONS.to_vec();

    full.lock().unwrap().damage = Some("1");
    let damaged = sink(&full, &WriteFault::default(), "p-1/job").await;
    let error = damaged.read_back().await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Later(why) if why.contains("corrupted")),
        "{error}"
    );
}

#[tokio::test]
async fn answers_that_pass_and_that_do_not() {
    hold_to_refusals(|status| async move {
        let fake = Fake::shared(&[&document(&pair(1))]);
        let answers = move |request: &RecordedRequest| match request.line.starts_with("POST") {
            // Whatever the response quotes is not repeated.
            true => reply(
                status,
                "X",
                &format!("no: {} {}", pair(2).secret.expose(), request.json()),
            ),
            false => fake.lock().unwrap().answer(request),
        };
        let address = serve(Arc::new(Mutex::new(answers))).await;
        let place = GoogleSecret::parse("p-1/job").unwrap();
        let credentials = GoogleCredentials::token_for_test("t", &noon());
        let store = SecretManager::at("g", &place, &format!("http://{address}"), credentials);
        let sink = DocumentSink::new(
            "g".to_owned(),
            JsonFormat::new(None).unwrap(),
            store.unwrap(),
        );
        Box::new(sink) as Box<dyn Sink>
    })
    .await;
}

/// A key for this test only.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCv80gfSJj7FwN0\n\
iOAtrlxDXXAcePVEHSOfvX21ujHLVD3GG6PzA5Ha1YzIPw78SbmGv+GKjkdgg7+R\n\
8XY5K3gLDwFNGp0bze0y61+YOfzOcfSlS2TJgrNwoSxemABDpBDAX3i9vxdamxDn\n\
7UjRaFtyk7b5xoq7L3mKTG25RAEuOkhOKRuKHQwqjJ02impVyO1vOuuRsZa7y96W\n\
L7o8/OHJrI9XmDWz+ffSK4xneDHvbAvnjH7XzP+eucpEfco0HVqPkHYjvpwBsgxz\n\
ufEpHRf43PFdjHiZmhDjF45O42bAFvIUXHgn4U1nN+ofQ8jhldFNB+zoRj6yuGfM\n\
kZdYvvTvAgMBAAECggEAE95UeBfiEoR8QuYL7oygZYkBFm4AQDNMKQckUWeXpN67\n\
5QmM/22ZRE1WCuy3+/w1Q4aaaON9IuRttwS9tWH3ucP1gSfussuTq+rRTibKKePL\n\
XPkBBhJIwgCpOntOmFTIAXkmcMLJ19Tn2VC9psvye6M7h8QIOW/4eQn9X+zSd040\n\
lJtf0rNK0OshrT54YVDG30oBBMADXq8TFgZ9fNmfT4sBig2ZQQrupK2NBO2T7tI4\n\
p8crpigEuf2tcYzEZi0I3VI4BXUvSeDVv79vW7kVN79fBR+8ZjevKrOPGUzk6bDF\n\
xwI3+yFGYzytE2NTp+GBTae6vcamlsQ7sXni2mqNdQKBgQDa26yeC2K+sh3IOG24\n\
2GFo0kKmiQjE6oBoHotuR6fHOfdLOdGcsRBCMVArzRVPDvuiqHK67xgdWEBotERo\n\
jBrnMQSosrp11RBSzMkXOzeaXX/JgdN0+J6++vjP967cJeo7g9OUf/+RDfyIRrQ3\n\
XGfUhs8EOY/F0mdl3eVFY1xBMwKBgQDNz3jKkGITEkin+aCW3HnLJP2nyTLoYdcn\n\
fWGnfrY3SNW6YpwOTw+z4KxF7uRM+YNeVSjDdx36rgeF4Jv4nm4H+462tU+98hjs\n\
+/HnFg9iSO1uRWA7esn6ZGtoKK3MFRvv382Sk6dcVlvNN9TNptUUNHvmgMK9Y5mn\n\
FfeZS2t1VQKBgQC2kyudbMIjc1OFBA4Edf5NA5q2cvrtyvLz6QdIKF6+xIyYJNPI\n\
c62sipbm818jZMxnFT8g0vS7BjQ1JK0syjRnSW0pjnAefG/xowTebHgmPnmsELHm\n\
ksFbcOLAG0+0N6z/mSmYaG87Av/4b4NH675yfUOVsq9NyAiZ4lKxYAJGIQKBgBYi\n\
76IR/4p/l/MBRYWUd0EjXGkUmfYmt+aWdM94MI8ntV1Tx+c+F7lIPB9Vf5bL65ZU\n\
4IqNoFrbJxH+Q6htGfaf1wzN2aLbjFTJEI7Db6opn+gRbDVZkqns7SSJ44+k4Zle\n\
YBUY7pJe84bSL4BjJl4C+ySiys9mDBvNoBEL7KX1AoGAXeZ+r9SoHEQWkqNJ6pWh\n\
/MA7Ih+6+Qh95pHEiVQLZo3ZlYv3CF12M9WhZhmK+UZ2JZdr4AC/xve5ULCh9pmG\n\
qz63b+4pjHb9YT6q1QNyBAhJ1eCF2uW8atBmAGQ2RQQaEwdLPf1OQbpprL061rcM\n\
4NIYALJffpGIdadPGacLmKg=\n\
-----END PRIVATE KEY-----\n";

/// Parses the fields of a form.
fn fields(body: &[u8]) -> BTreeMap<String, String> {
    let body = std::str::from_utf8(body).unwrap();
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let fields = body.split('&').map(|field| field.split_once('=').unwrap());
    fields
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn checked_assertion(assertion: &str, token_url: &str) {
    let (text, signature) = assertion.rsplit_once('.').unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(text.as_bytes(), &signature).unwrap();
    let (head, claims) = text.split_once('.').unwrap();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        read(head),
        json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
    );
    let claims = read(claims);
    assert_eq!(claims["iss"], "job@p-1.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], token_url);
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(1_800_000_000), &json!(1_800_003_600))
    );
}

fn federation(sts: &str, source: &Value) -> Value {
    json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pool",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{sts}/sts"), "credential_source": source,
    })
}

#[tokio::test]
async fn a_token_of_another_issuer_is_exchanged() {
    let answers = |request: &RecordedRequest| {
        let head = |name: &str| {
            request
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        match request.line.as_str() {
            "GET /source" => {
                assert_eq!(head("x-of-job"), Some("a-header-secret"));
                (200, json!({"value": "a.b.c"}).to_string())
            }
            "POST /sts" => {
                let fields = fields(&request.body);
                assert_eq!(
                    fields["grant_type"],
                    "urn:ietf:params:oauth:grant-type:token-exchange"
                );
                assert_eq!(fields["audience"], "//iam.googleapis.com/pool");
                if fields["subject_token"] != "a.b.c" {
                    let reply = json!({"error_description": fields["subject_token"]});
                    return (400, reply.to_string());
                }
                let token = json!({"access_token": "federated", "expires_in": 3599});
                (200, token.to_string())
            }
            "POST /account" => {
                assert_eq!(head("authorization"), Some("Bearer federated"));
                let token =
                    json!({"accessToken": "of-account", "expireTime": "2030-01-01T00:00:00Z"});
                (200, token.to_string())
            }
            other => panic!("{other}"),
        }
    };
    let url = format!("http://{}", serve(Arc::new(Mutex::new(answers))).await);
    let rest = RestClient::new("g").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    crate::tests::write(file.path(), "a.b.c\n");
    let of_file = json!({"file": file.path()});
    let of_url = json!({
        "url": format!("{url}/source"), "headers": {"x-of-job": "a-header-secret"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    });
    let open =
        |file: &Value| GoogleCredentials::from_file(file.to_string().as_bytes(), &noon()).unwrap();
    let plain = open(&federation(&url, &of_file));
    assert_eq!(plain.token(&rest).await.unwrap().expose(), "federated");
    let mut impersonating = federation(&url, &of_url);
    impersonating["service_account_impersonation_url"] = json!(format!("{url}/account"));
    let impersonating = open(&impersonating);
    assert_eq!(
        impersonating.token(&rest).await.unwrap().expose(),
        "of-account"
    );
    crate::tests::write(file.path(), "another.token.of-the-job");
    let denied = open(&federation(&url, &of_file));
    let error = denied.token(&rest).await.unwrap_err().to_string();
    assert!(error.contains("400 Bad Request [...]"), "{error}");
}

fn token_server(request: &RecordedRequest) -> (u16, String) {
    let token = |name: &str| json!({"access_token": name, "expires_in": 3599}).to_string();
    match request.line.as_str() {
        "POST /account" => {
            let fields = fields(&request.body);
            assert_eq!(
                fields["grant_type"],
                "urn:ietf:params:oauth:grant-type:jwt-bearer"
            );
            let url = format!(
                "http://{}/account",
                request.headers["host"].to_str().unwrap()
            );
            checked_assertion(&fields["assertion"], &url);
            (200, token("of-account"))
        }
        "POST /user" => {
            let fields = fields(&request.body);
            assert_eq!(fields["grant_type"], "refresh_token");
            assert_eq!(fields["refresh_token"], "1//refresh");
            (200, token("of-user"))
        }
        "POST /gone" => {
            let quoted = fields(&request.body)["refresh_token"].clone();
            let reply = json!({"error": "invalid_grant", "error_description": quoted});
            (400, reply.to_string())
        }
        "GET /computeMetadata/v1/instance/service-accounts/default/token" => {
            assert_eq!(request.headers["metadata-flavor"], "Google");
            (200, token("of-machine"))
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn application_default_credentials() {
    let request_count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&request_count);
    let answers = move |request: &RecordedRequest| {
        *counted.lock().unwrap() += 1;
        token_server(request)
    };
    let address = serve(Arc::new(Mutex::new(answers))).await;
    let rest = RestClient::new("g").unwrap();
    let account = json!({
        "type": "service_account", "client_email": "job@p-1.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": KEY,
        "token_uri": format!("http://{address}/account"),
    });
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s-secret",
        "refresh_token": "1//refresh", "quota_project_id": "p-9",
    });
    let of = |file: &Value| GoogleCredentials::from_file(file.to_string().as_bytes(), &noon());
    let account = of(&account).unwrap();
    for _ in 0..3 {
        assert_eq!(account.token(&rest).await.unwrap().expose(), "of-account");
    }
    assert_eq!(
        *request_count.lock().unwrap(),
        1,
        "a token is used until it ends"
    );
    let known = of(&user)
        .unwrap()
        .at_for_test(&format!("http://{address}/user"));
    assert_eq!(known.token(&rest).await.unwrap().expose(), "of-user");
    assert_eq!(known.quota_project.as_deref(), Some("p-9"));
    let gone = of(&user)
        .unwrap()
        .at_for_test(&format!("http://{address}/gone"));
    let error = gone.token(&rest).await.unwrap_err().to_string();
    assert!(
        error.contains("400 Bad Request") && !error.contains("1//refresh"),
        "{error}"
    );
    let machine = GoogleCredentials::metadata_for_test(&address.to_string(), &noon());
    assert_eq!(machine.token(&rest).await.unwrap().expose(), "of-machine");
}

#[test]
fn files_of_credentials_that_are_refused() {
    let of = |file: &Value| GoogleCredentials::from_file(file.to_string().as_bytes(), &noon());
    for (file, expected) in [
        (
            json!({"type": "external_account"}),
            "not a Google credentials file",
        ),
        (json!({"type": "impersonated"}), "are supported"),
        (
            federation(
                "https://sts.example.org",
                &json!({"executable": {"command": "x"}}),
            ),
            "with a file or a url",
        ),
        (
            federation("http://sts.example.org", &json!({"file": "/x"})),
            "only by https",
        ),
        (
            json!({"type": "service_account"}),
            "not a Google credentials file",
        ),
        (
            json!({
                "type": "service_account", "client_email": "x", "private_key": "x",
            }),
            "not in PEM",
        ),
        (
            json!({
                "type": "service_account", "client_email": "x", "private_key": KEY,
                "token_uri": "http://example.org/token",
            }),
            "only by https",
        ),
    ] {
        let error = of(&file).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
}
