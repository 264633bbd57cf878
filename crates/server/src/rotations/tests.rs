//! The engine in the server: its requests are signed, verified and authorized like all others.

mod waiting;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use keywright_base::{AccountId, Clock, Entropy, Secret, Timestamp};
use keywright_fleet::journal::SqliteJournal;
use keywright_identity::{Identity, service, vault::KEY_BYTES};
use keywright_objects::{Objects, memory::MemoryIndex};
use keywright_rotation::{
    model::{Phase, Rotation, RotationId},
    ports::RotationJournal,
};
use keywright_s3::S3;
use keywright_sigv4::{PayloadClaim, SigningCredentials, SigningTarget, sign};
use keywright_store::sqlite::SqliteStore;
use keywright_wire::operations;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{AllowedDestinations, EngineParts, ServerRotations};
use crate::{
    Pipeline, ServerParts, SystemEntropy, TrustedProxies,
    console::{Console, ConsoleBundle, PublicUrls},
    request::PeerInfo,
};

const ACCOUNT: &str = "123456789012";

/// A clock that changes only by hand.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    pipeline: Arc<Pipeline>,
    engine: Arc<ServerRotations>,
    root: (String, Secret<String>),
    clock: Arc<Hands>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With destinations that the operator allows.
    async fn with(places: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_795_507_200_000)));
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let entropy = || Arc::new(SystemEntropy) as Arc<dyn Entropy>;
        let store = SqliteStore::open(&folder.path().join("state.db")).unwrap();
        let parts = service::IdentityParts {
            store: Arc::new(store),
            master_key: Secret::new(vec![7; KEY_BYTES]),
            clock: time(),
            entropy: entropy(),
            projections: Vec::new(),
        };
        let identity = Identity::open(parts).await.unwrap();
        let account: AccountId = ACCOUNT.parse().unwrap();
        let root = identity.create_account(account, |_| Ok(())).await.unwrap();
        let memory = Arc::new(MemoryIndex::default());
        let (files, vault) = (folder.path().join("objects"), Arc::clone(identity.vault()));
        let objects = Objects::open(files, memory, vault, time(), entropy());
        let console = Console::new(ConsoleBundle::new(Vec::new(), ""), PublicUrls::default());
        let front = ServerParts {
            s3: S3::new(objects.unwrap()),
            console,
            proxies: TrustedProxies::default(),
        };
        let pipeline = Arc::new(Pipeline::new(identity, front, time(), entropy()));
        let parts = EngineParts {
            journal: SqliteJournal::open(folder.path(), time(), entropy()).unwrap(),
            places: AllowedDestinations::new(places.iter().map(ToString::to_string).collect())
                .unwrap(),
            clock: time(),
            entropy: entropy(),
        };
        let engine = ServerRotations::start(&pipeline, parts).await.unwrap();
        Self {
            pipeline,
            engine,
            root: (root.key.to_string(), root.secret),
            clock,
            _folder: folder,
        }
    }

    /// Sends a form as root; returns status and body.
    async fn ask(&self, form: &str) -> (StatusCode, String) {
        let (id, secret) = &self.root;
        self.ask_as((id, secret), form).await
    }

    async fn ask_as(
        &self,
        (id, secret): (&str, &Secret<String>),
        form: &str,
    ) -> (StatusCode, String) {
        let name = form.split(['=', '&']).nth(1).unwrap();
        let operation = operations()
            .find(|operation| operation.name == name)
            .unwrap();
        let service = operation.service;
        let form = format!("{form}&Version={}", service.version());
        let request = Request::post("/").header("host", "127.0.0.1").body(());
        let (mut parts, ()) = request.unwrap().into_parts();
        let credentials = SigningCredentials {
            access_key_id: id,
            secret,
            session_token: None,
        };
        let target = SigningTarget {
            region: "us-east-1",
            service: service.scope_name(),
        };
        let payload = PayloadClaim::Sha256(Sha256::digest(&form).into());
        sign(&mut parts, &credentials, &target, payload, self.clock.now()).unwrap();
        let peer = PeerInfo {
            address: "192.0.2.7".parse().unwrap(),
            secure: false,
            tls_version: None,
        };
        let request = Request::from_parts(parts, form);
        let (parts, body) = self
            .pipeline
            .answer_within(request, peer)
            .await
            .into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ok(&self, form: &str) -> String {
        let (status, body) = self.ask(form).await;
        assert_eq!(status, StatusCode::OK, "{form}: {body}");
        body
    }

    /// Sends a form that is rejected for this reason.
    async fn rejected(&self, form: &str, expected_text: &str) -> String {
        let (status, body) = self.ask(form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{form}: {body}");
        assert!(body.contains(expected_text), "{form}: {body}");
        body
    }

    /// Deletes a user, after its keys and its policy.
    async fn delete_user(&self, name: &str) {
        let listed = self
            .ok(&format!("Action=ListAccessKeys&UserName={name}"))
            .await;
        for rest in listed.split("<AccessKeyId>").skip(1) {
            let key = rest.split('<').next().unwrap();
            let form = format!("Action=DeleteAccessKey&UserName={name}&AccessKeyId={key}");
            self.ok(&form).await;
        }
        let policies = format!("Action=ListUserPolicies&UserName={name}");
        if self.ok(&policies).await.contains("<member>all</member>") {
            let form = format!("Action=DeleteUserPolicy&UserName={name}&PolicyName=all");
            self.ok(&form).await;
        }
        self.ok(&format!("Action=DeleteUser&UserName={name}")).await;
    }

    /// Drives a rotation now, as the engine does by itself after a while; returns it.
    async fn look(&self, id: &str) -> Rotation {
        let id = RotationId(id.to_owned());
        let work = self.engine.take(&id);
        let before = work.idle_count();
        work.wake();
        work.wait_idle(before).await;
        let found = self.engine.driver.journal().rotation(&id).await;
        found.unwrap().unwrap()
    }

    /// Creates a user with a key; returns the key.
    async fn user(&self, name: &str) -> (String, Secret<String>) {
        self.ok(&format!("Action=CreateUser&UserName={name}")).await;
        let made = self
            .ok(&format!("Action=CreateAccessKey&UserName={name}"))
            .await;
        let secret = Secret::new(text(&made, "SecretAccessKey"));
        (text(&made, "AccessKeyId"), secret)
    }
}

fn text(xml: &str, element: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{element}>")).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

const START: &str = "Action=StartRotation&UserName=bob&ObserveSeconds=0&DwellSeconds=0\
                     &OverrideUnused=a+test";

#[tokio::test]
async fn a_rotation_goes_to_its_end() {
    let bench = Bench::new().await;
    let (old, _) = bench.user("bob").await;
    let begun = bench.ok(START).await;
    assert_eq!(text(&begun, "Phase"), "Distributing");
    let key = bench.ok("Action=RetrieveRotationKey&UserName=bob").await;
    let done = bench.ok("Action=ConfirmDelivery&UserName=bob").await;
    assert_eq!(text(&done, "Phase"), "Done", "{done}");
    let listed = bench.ok("Action=ListAccessKeys&UserName=bob").await;
    assert!(!listed.contains(&old));
    assert_eq!(text(&listed, "AccessKeyId"), text(&key, "AccessKeyId"));
    bench.engine.stop().await;
}

/// No consumer has the new key: neither a person's confirmation nor the engine's own calls are
/// evidence, and the key stays retrievable until the old one is deleted.
#[tokio::test]
async fn the_old_key_goes_only_when_a_consumer_uses_the_new_one() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    bench.ok(START.split("&Override").next().unwrap()).await;
    let (status, body) = bench.ask("Action=ConfirmDelivery&UserName=bob").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(body.contains("neither retrieved nor used"), "{body}");
    let key = bench.ok("Action=RetrieveRotationKey&UserName=bob").await;
    let (new, secret) = (text(&key, "AccessKeyId"), text(&key, "SecretAccessKey"));
    let used = format!("Action=GetAccessKeyLastUsed&AccessKeyId={new}");
    assert!(
        bench.ok(&used).await.contains("<ServiceName>N/A<"),
        "the engine verified it"
    );
    let waits = bench.ok("Action=ConfirmDelivery&UserName=bob").await;
    assert_eq!(text(&waits, "Phase"), "Dwelling");
    let expected = format!("the next check whether a consumer has used {new};");
    assert!(text(&waits, "WaitingFor").starts_with(&expected), "{waits}");
    assert_eq!(text(&waits, "CanRetrieveKey"), "true");
    bench.ok("Action=RetrieveRotationKey&UserName=bob").await;
    let secret = Secret::new(secret);
    // A person's own check is not a program that needs the key.
    bench
        .ask_as((&new, &secret), "Action=GetCallerIdentity")
        .await;
    let still = bench.ok("Action=ResumeRotation&UserName=bob").await;
    assert!(text(&still, "WaitingFor").starts_with(&expected), "{still}");
    bench.ask_as((&new, &secret), "Action=ListUsers").await;
    let done = bench.ok("Action=ResumeRotation&UserName=bob").await;
    assert_eq!(text(&done, "Phase"), "Done", "{done}");
    assert_eq!(text(&done, "NewKeyFirstUsedService"), "iam");
}

#[tokio::test]
async fn an_open_rotation_is_shortened_and_abandoned() {
    let bench = Bench::new().await;
    let (old, _) = bench.user("bob").await;
    bench.ok("Action=StartRotation&UserName=bob").await;
    bench.ok("Action=RetrieveRotationKey&UserName=bob").await;
    let watched = bench.ok("Action=ConfirmDelivery&UserName=bob").await;
    assert_eq!(text(&watched, "Phase"), "Observing");
    let change = "Action=ChangeRotation&UserName=bob&Incident=true&Reason=it+leaked";
    let inactive = bench.ok(change).await;
    assert_eq!(text(&inactive, "Phase"), "Dwelling", "{inactive}");
    let listed = bench.ok("Action=ListAccessKeys&UserName=bob").await;
    assert!(listed.contains("<Status>Inactive<"), "{listed}");
    let ended = bench
        .ok("Action=AbandonRotation&UserName=bob&Reason=enough")
        .await;
    assert_eq!(text(&ended, "Phase"), "Abandoned");
    assert!(
        text(&ended, "EndedBecause").starts_with("enough; remaining keys: "),
        "{ended}"
    );
    let keys = bench.ok("Action=ListAccessKeys&UserName=bob").await;
    assert!(keys.contains(&old), "nothing is deleted");
    let supplied = bench.ok("Action=ListRotationHistory&UserName=bob").await;
    let expected = "observe from 86400 s to 0 s, sessions created with the old key will be ended; \
                    it leaked";
    assert!(supplied.contains(expected), "{supplied}");
    assert!(supplied.contains("has minted are ended"), "{supplied}");
    let (status, _) = bench
        .ask("Action=AbandonRotation&UserName=bob&Reason=again")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

const CHANGE: &str = "Action=ChangeRotation&UserName=bob&Reason=it+moved";

/// An added destination is delivered and read back before the rotation continues; a removed one is
/// not waited for and stays as it is. Callers see public names only.
#[tokio::test]
async fn destinations_of_an_open_rotation_are_changed() {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().display().to_string();
    let jobs = format!("[everyone] dotenv:{folder}/{{user}}.env?after=/bin/true SECRET");
    let other = format!("[user=eve] dotenv:{folder}/eve.env");
    let bench = Bench::with(&[&jobs, &other]).await;
    bench.user("bob").await;
    let begun = bench.ok(START).await;
    assert_eq!(text(&begun, "Phase"), "Distributing");
    let public = format!("dotenv:{folder}/bob.env?after=/bin/true ...");
    let add = format!("{CHANGE}&AddPlaces.member.1={}", encoded(&public));

    let for_eve = format!("dotenv:{folder}/eve.env");
    let unknown = format!("dotenv:{folder}/who.env");
    for (form, expected_text) in [
        (
            format!("{CHANGE}&AddPlaces.member.1={}", encoded(&for_eve)),
            "for user bob",
        ),
        (
            format!("{CHANGE}&AddPlaces.member.1={}", encoded(&unknown)),
            "does not allow the place",
        ),
        (
            format!("{CHANGE}&RemovePlaces.member.1={}", encoded(&public)),
            "has no destination",
        ),
        (
            format!("{CHANGE}&RemovePlaces.member.1=person"),
            "no destination would be left",
        ),
    ] {
        bench.rejected(&form, expected_text).await;
    }
    let file = files.path().join("bob.env");
    let foreign = "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7FOREIGN\nAWS_SECRET_ACCESS_KEY=s\n";
    let mut written = std::fs::File::create(&file).unwrap();
    written.write_all(foreign.as_bytes()).unwrap();
    let refused = bench.rejected(&add, "it holds AKIAIOSFODNN7FOREIGN").await;
    assert!(!refused.contains("SECRET"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), foreign);

    std::fs::remove_file(&file).unwrap();
    let added = bench.ok(&add).await;
    let new = text(&added, "NewAccessKeyId");
    assert!(std::fs::read_to_string(&file).unwrap().contains(&new));
    assert!(added.contains("<Stage>ReadBack</Stage>"), "{added}");
    assert_eq!(
        text(&added, "Phase"),
        "Distributing",
        "a person is waited for"
    );

    let remove = format!("{CHANGE}&RemovePlaces.member.1=person");
    let done = bench.ok(&remove).await;
    assert_eq!(text(&done, "Phase"), "Done", "{done}");
    assert!(done.contains("<Removed>true</Removed>"), "{done}");
    let (status, _) = bench.ask("Action=RetrieveRotationKey&UserName=bob").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let sent_json = bench.ok("Action=ListRotationHistory&UserName=bob").await;
    assert!(
        sent_json.contains(&format!("changed: {public} was added; it moved")),
        "{sent_json}"
    );
    assert!(
        sent_json.contains("changed: person was removed: it may hold the old or the new key"),
        "{sent_json}"
    );
    assert!(!sent_json.contains("SECRET"), "{sent_json}");
}

/// A form value, percent-encoded.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The principal it acted for is gone, so no request can be made.
#[tokio::test]
async fn what_acts_for_nobody_can_be_abandoned() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    let (id, secret) = bench.user("admin").await;
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = "Action=PutUserPolicy&UserName=admin&PolicyName=all&PolicyDocument=";
    bench.ok(&format!("{put}{all}")).await;
    let (status, begun) = bench.ask_as((&id, &secret), START).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    bench.delete_user("admin").await;
    let ended = bench
        .ok("Action=AbandonRotation&UserName=bob&Reason=enough")
        .await;
    assert_eq!(text(&ended, "Phase"), "Abandoned", "{ended}");
    assert!(
        text(&ended, "EndedBecause").contains("not checked"),
        "{ended}"
    );
}

/// Denials of the engine's requests are recorded like all others, with the address they come from.
#[tokio::test]
async fn the_engines_own_requests_are_decided_like_all() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    let (id, secret) = bench.user("admin").await;
    let allow = |effect: &str, action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}}}"#
        )
    };
    let put = "Action=PutUserPolicy&UserName=admin";
    let all = allow("Allow", "*");
    bench
        .ok(&format!("{put}&PolicyName=all&PolicyDocument={all}"))
        .await;
    let (status, begun) = bench.ask_as((&id, &secret), START).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let none = allow("Deny", "iam:UpdateAccessKey");
    bench
        .ok(&format!("{put}&PolicyName=none&PolicyDocument={none}"))
        .await;
    bench.ok("Action=RetrieveRotationKey&UserName=bob").await;
    let held = bench.ok("Action=ConfirmDelivery&UserName=bob").await;
    let why = text(&held, "HeldReason");
    assert!(why.contains("iam:UpdateAccessKey"), "{held}");
    assert_eq!(text(&held, "HeldCode"), "PermissionMissing");
    let denied = bench.ok("Action=ListDeniedRequests").await;
    assert_eq!(text(&denied, "ActionName"), "iam:UpdateAccessKey");
    assert_eq!(text(&denied, "SourceAddress"), "127.0.0.1");
    assert!(text(&denied, "PrincipalArn").ends_with("user/admin"));
}

/// A policy is listed with what prevents it from working, until it is put again.
#[tokio::test]
async fn a_policy_tells_what_is_in_its_way() {
    let bench = Bench::new().await;
    // Only the rounds of this test run.
    bench.engine.stop().await;
    bench.user("bob").await;
    let (id, secret) = bench.user("admin").await;
    let may = |actions: &str| {
        let statement = format!(r#"{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}"#);
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        format!("Action=PutUserPolicy&UserName=admin&PolicyName=some&PolicyDocument={policy}")
    };
    let put = "Action=PutRotationPolicy&RotationPolicyName=all&Everyone=true&MaxAgeDays=0";
    let account: AccountId = ACCOUNT.parse().unwrap();
    bench.ok(&may(r#""keywright:*""#)).await;
    let (status, body) = bench.ask_as((&id, &secret), put).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    for (actions, trouble) in [
        (r#""keywright:*""#, "iam:GenerateCredentialReport"),
        (
            r#""keywright:*","iam:*CredentialReport""#,
            "admin: not allowed to call iam:ListAccessKeys",
        ),
    ] {
        bench.ok(&may(r#""*""#)).await;
        let (status, body) = bench.ask_as((&id, &secret), put).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert!(
            !bench
                .ok("Action=ListRotationPolicies")
                .await
                .contains("<Trouble>")
        );
        // The permission is taken away later.
        bench.ok(&may(actions)).await;
        bench.engine.look_at_account(account).await;
        let listed = bench.ok("Action=ListRotationPolicies").await;
        assert!(text(&listed, "Trouble").contains(trouble), "{listed}");
    }
    bench.ok(&may(r#""*""#)).await;
    bench.engine.look_at_account(account).await;
    let listed = bench.ok("Action=ListRotationPolicies").await;
    assert!(!listed.contains("<Trouble>"), "{listed}");
    let listed = bench.ok("Action=ListRotations").await;
    assert!(listed.contains("<UserName>bob<"), "{listed}");
}

/// Neither a caller nor a policy sends a key to a destination of other users.
#[tokio::test]
async fn a_place_is_for_its_users_only() {
    let bench = Bench::with(&["[path=/jobs/] json:/nowhere/{user}.json"]).await;
    bench.engine.stop().await;
    bench.user("bob").await;
    let place = "Places.member.1=json:/nowhere/{user}.json";
    let expected = "does not allow the place json:/nowhere/{user}.json for user bob";
    let (status, body) = bench.ask(&format!("{START}&{place}")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains(expected), "{body}");
    let put = "Action=PutRotationPolicy&RotationPolicyName=all&Everyone=true&MaxAgeDays=0";
    bench.ok(&format!("{put}&{place}")).await;
    bench.engine.look_at_account(ACCOUNT.parse().unwrap()).await;
    let listed = bench.ok("Action=ListRotationPolicies").await;
    assert!(text(&listed, "Trouble").contains(expected), "{listed}");
    let begun = bench.ok("Action=ListRotations").await;
    assert!(!begun.contains("<UserName>"), "{begun}");
}

/// A caller who may rotate a key does not see a token that the operator gave to a program.
#[tokio::test]
async fn rotations_show_public_names_only() {
    let bench = Bench::with(&[
        "[everyone] command:true --token=SECRET {user}",
        "[everyone] webhook:http://127.0.0.1:1/hook?token=SECRET",
    ])
    .await;
    let mut answers = vec![bench.ok("Action=ListRotationPlaces").await];
    assert!(answers[0].contains("command:true ..."), "{}", answers[0]);
    for (user, place) in [
        ("bob", "command:true ..."),
        ("eve", "webhook:http://127.0.0.1:1/hook?..."),
    ] {
        bench.user(user).await;
        let place = utf8_percent_encode(place, NON_ALPHANUMERIC);
        let start = format!("Action=StartRotation&UserName={user}&Places.member.1={place}");
        answers.push(bench.ask(&start).await.1);
        let get = format!("Action=GetRotation&UserName={user}");
        let got = bench.ask(&get).await.1;
        let history = format!("Action=ListRotationHistory&UserName={user}");
        answers.extend([got, bench.ask(&history).await.1]);
        let hold = format!("Action=HoldRotation&Reason=x&UserName={user}");
        answers.push(bench.ask(&hold).await.1);
        let whole = utf8_percent_encode("command:true --token=SECRET {user}", NON_ALPHANUMERIC);
        let put = "Action=PutRotationPolicy&RotationPolicyName=all&Everyone=true&MaxAgeDays=0";
        let (status, _) = bench.ask(&format!("{put}&Places.member.1={whole}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        answers.push(bench.ok(&format!("{put}&Places.member.1={place}")).await);
        bench.engine.look_at_account(ACCOUNT.parse().unwrap()).await;
        answers.push(bench.ok("Action=ListRotationPolicies").await);
        answers.push(bench.ok("Action=ListRotations").await);
    }
    for answer in &answers {
        assert!(!answer.contains("SECRET"), "{answer}");
    }
    let all = answers.concat();
    assert!(all.contains("<Place>command:true ...</Place>"), "{all}");
    bench.engine.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_from_the_journal() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    bench.ok(START).await;
    bench.engine.stop().await;
    // As in the next process; requests still go to the first engine.
    let parts = EngineParts {
        journal: bench.engine.driver.journal().clone(),
        places: AllowedDestinations::default(),
        clock: Arc::clone(&bench.clock) as _,
        entropy: Arc::new(SystemEntropy),
    };
    let next = ServerRotations::start(&bench.pipeline, parts)
        .await
        .unwrap();
    let open = next.driver.journal().page(Default::default(), 10).await;
    assert_eq!(open.unwrap(), []);
    let which = keywright_fleet::journal::RotationFilter {
        account: ACCOUNT.to_owned(),
        open: true,
        ..Default::default()
    };
    let open = next.driver.journal().page(which, 10).await.unwrap();
    let work = next.take(&open[0].id);
    work.wait_idle(0).await;
    let before = work.idle_count();
    let journal = next.driver.journal();
    let now = bench.clock.now();
    let retrieved = keywright_rotation::execute::retrieve(journal, &open[0].id, "a test", now);
    retrieved.await.unwrap();
    next.driver.confirm(&open[0].id).await.unwrap();
    work.wake();
    work.wait_idle(before).await;
    let over = next.driver.journal().rotation(&open[0].id).await;
    assert!(over.unwrap().unwrap().phase.is_over());
}

#[tokio::test]
async fn a_user_who_is_renamed_is_followed() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    bench.ok(START).await;
    bench
        .ok("Action=UpdateUser&UserName=bob&NewUserName=robert")
        .await;
    bench.ok("Action=RetrieveRotationKey&UserName=robert").await;
    let done = bench.ok("Action=ConfirmDelivery&UserName=robert").await;
    let id = text(&done, "RotationId");
    let over = bench.look(&id).await;
    assert_eq!((over.phase, over.user.as_str()), (Phase::Done, "robert"));
    let supplied = bench.ok("Action=ListRotationHistory&UserName=robert").await;
    assert!(
        supplied.contains("user bob was renamed to robert"),
        "{supplied}"
    );
}

/// Orders name the user, so no order could end it: it must end by itself.
#[tokio::test]
async fn a_rotation_of_a_deleted_user_ends_by_itself() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    let id = text(&bench.ok(START).await, "RotationId");
    bench.delete_user("bob").await;
    let over = bench.look(&id).await;
    assert_eq!((over.phase, over.held), (Phase::UserGone, None));
    let listed = bench.ok("Action=ListRotations").await;
    assert_eq!(text(&listed, "Phase"), "UserGone");
    assert_eq!(text(&listed, "IsOver"), "true");
}

/// Also if the principal it acts for was deleted together with the user, and if a person had held
/// it.
#[tokio::test]
async fn a_rotation_that_acts_for_nobody_ends_when_its_user_was_deleted() {
    for held in [false, true] {
        let bench = Bench::new().await;
        bench.user("bob").await;
        let (id, secret) = bench.user("admin").await;
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let put = "Action=PutUserPolicy&UserName=admin&PolicyName=all&PolicyDocument=";
        bench.ok(&format!("{put}{all}")).await;
        let (status, begun) = bench.ask_as((&id, &secret), START).await;
        assert_eq!(status, StatusCode::OK, "{begun}");
        if held {
            let hold = "Action=HoldRotation&UserName=bob&Reason=a+freeze";
            bench.ok(hold).await;
        }
        bench.delete_user("admin").await;
        let open = bench.look(&text(&begun, "RotationId")).await;
        assert!(!open.phase.is_over(), "bob is there");
        bench.delete_user("bob").await;
        let over = bench.look(&text(&begun, "RotationId")).await;
        assert_eq!((over.phase, over.held), (Phase::UserGone, None), "{held}");
    }
}

/// A request from inside this process gets no further than one from a socket.
#[tokio::test]
async fn nothing_unsigned_gets_in_from_within() {
    let bench = Bench::new().await;
    let peer = PeerInfo {
        address: "127.0.0.1".parse().unwrap(),
        secure: true,
        tls_version: None,
    };
    for uri in ["/", "/console/", "/bucket/key"] {
        let body = "Action=ListUsers&Version=2010-05-08".to_owned();
        let request = Request::post(uri).body(body).unwrap();
        let answer = bench.pipeline.answer_within(request, peer).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{uri}");
    }
}

/// The models mark the operations that need no signature; every other one is denied.
#[tokio::test]
async fn only_unsigned_operations_are_reached_without_a_signature() {
    let bench = Bench::new().await;
    bench.engine.stop().await;
    let peer = PeerInfo {
        address: "192.0.2.7".parse().unwrap(),
        secure: false,
        tls_version: None,
    };
    let mut reached = Vec::new();
    for operation in operations() {
        let version = operation.service.version();
        let form = format!("Action={}&Version={version}", operation.name);
        let request =
            Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        let answer = bench
            .pipeline
            .answer_within(request.body(form).unwrap(), peer);
        let (parts, body) = answer.await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        if body.contains("<Code>MissingAuthenticationToken<") {
            assert_eq!(parts.status, StatusCode::FORBIDDEN);
            continue;
        }
        reached.push((operation.name, parts.status));
    }
    let expected = [
        // Their parameters are missing.
        ("AssumeRoleWithSAML", StatusCode::BAD_REQUEST),
        ("AssumeRoleWithWebIdentity", StatusCode::BAD_REQUEST),
    ];
    assert_eq!(reached, expected);
}
