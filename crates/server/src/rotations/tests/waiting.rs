//! Orders and rotations that wait: who is revoked meanwhile changes nothing, and a slow destination
//! delays nothing that does not need it.

use http::StatusCode;
use keywright_base::Secret;
use keywright_fleet::driver::{DriveOutcome, DriveStop};
use keywright_identity::{
    on_behalf::OnBehalf,
    rotations::{RotationStart, UserRef},
    state::CredentialOwner,
};
use keywright_rotation::{model::RotationId, ports::RotationJournal};

use super::{ACCOUNT, Bench, START, encoded, text};
use crate::rotations::work::ActiveRotation;

const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

impl Bench {
    /// Creates a user who may do everything; returns its key.
    async fn admin(&self) -> (String, Secret<String>) {
        let key = self.user("admin").await;
        let put = "Action=PutUserPolicy&UserName=admin&PolicyName=all&PolicyDocument=";
        self.ok(&format!("{put}{ALL}")).await;
        key
    }

    /// The form that revokes the key of an admin.
    fn revoke(id: &str) -> String {
        format!("Action=UpdateAccessKey&UserName=admin&Status=Inactive&AccessKeyId={id}")
    }
}

/// An order that waits until the rotation is free is authenticated and authorized again.
#[tokio::test]
async fn an_order_of_a_revoked_caller_is_not_carried_out() {
    let bench = Bench::new().await;
    bench.user("bob").await;
    let (id, secret) = bench.admin().await;
    let begun = text(&bench.ok(START).await, "RotationId");
    let begun = RotationId(begun);
    let work = bench.engine.take(&begun);
    let before = bench.engine.driver.journal().rotation(&begun).await;
    let before = before.unwrap().unwrap();
    let detach = "Action=DeleteUserPolicy&UserName=admin&PolicyName=all".to_owned();
    let delete = format!("Action=DeleteAccessKey&UserName=admin&AccessKeyId={id}");
    for (number, revoke) in [detach, Bench::revoke(&id), delete].iter().enumerate() {
        let put = "Action=PutUserPolicy&UserName=admin&PolicyName=all&PolicyDocument=";
        bench.ok(&format!("{put}{ALL}")).await;
        let activate = Bench::revoke(&id).replace("Inactive", "Active");
        bench.ok(&activate).await;
        let orders = [
            "RetrieveRotationKey",
            "ResumeRotation",
            "HoldRotation&Reason=x",
            "RollBackRotation&Reason=x",
            "AbandonRotation&Reason=x",
            "ChangeRotation&Reason=x&DwellSeconds=7",
        ];
        let turn = work.turn().await;
        let revoked = async {
            work.wait_orders(orders.len()).await;
            bench.ok(revoke).await;
            drop(turn);
        };
        let forms = orders.map(|order| format!("Action={order}&UserName=bob"));
        let waiting = forms.iter().map(|form| bench.ask_as((&id, &secret), form));
        let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), revoked);
        let code = if number == 0 {
            "AccessDenied"
        } else {
            "InvalidClientTokenId"
        };
        for (order, (status, body)) in orders.iter().zip(answers) {
            assert_eq!(status, StatusCode::FORBIDDEN, "{order} {revoke}: {body}");
            assert_eq!(text(&body, "Code"), code, "{order} {revoke}: {body}");
        }
    }
    let after = bench.engine.driver.journal().rotation(&begun).await;
    assert_eq!(after.unwrap(), Some(before));
}

/// The engine waits for a destination before a rotation begins.
#[tokio::test]
async fn a_rotation_of_a_revoked_caller_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let place = format!("command:cat {}", pipe.display());
    let bench = Bench::with(&[&format!("[everyone] {place}")]).await;
    bench.user("bob").await;
    let (id, secret) = bench.admin().await;
    let public = encoded("command:cat ...");
    let form = format!("{START}&Places.member.1={public}");
    let revoked = async {
        // A pipe opens when the other end does.
        let open = move || std::fs::File::options().write(true).open(pipe);
        let read = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        bench.ok(&Bench::revoke(&id)).await;
        drop(read);
    };
    let ((status, body), ()) = tokio::join!(bench.ask_as((&id, &secret), &form), revoked);
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    let listed = bench.ok("Action=ListRotations").await;
    assert!(!listed.contains("<UserName>"), "{listed}");
}

/// A leaked key is deactivated whether or not there is a slot for destinations, and other
/// rotations' slow destinations do not delay the rest.
#[tokio::test]
async fn an_incident_does_not_wait_for_slow_destinations() {
    let files = tempfile::tempdir().unwrap();
    let place = format!("dotenv:{}/{{user}}.env", files.path().display());
    let bench = Bench::with(&[&format!("[everyone] {place}")]).await;
    let (old, _) = bench.user("bob").await;
    let got = bench.ok("Action=GetUser&UserName=bob").await;
    let start = RotationStart {
        user: UserRef {
            name: "bob".to_owned(),
            id: text(&got, "UserId"),
        },
        key: None,
        places: vec![place.replace("{user}", "bob")],
        observe_secs: None,
        dwell_secs: None,
        incident: true,
        deactivate_first: true,
        override_unused: None,
    };
    let by = OnBehalf {
        account: ACCOUNT.parse().unwrap(),
        owner: CredentialOwner::Root,
        mfa: None,
    };
    let engine = &bench.engine;
    let specs = engine.specs(&by, &start.user, &start.places).unwrap();
    let rotation = engine.draft(&by, &start, &specs).await.unwrap();
    engine.driver.begin(&rotation).await.unwrap();
    let work = ActiveRotation::default();
    let _slow = engine.slots.fill().await;
    let incidents = engine.incident_slots.fill().await;
    let stop = engine.drive_stretch(&rotation.id, &work, false).await;
    assert_eq!(stop.unwrap(), DriveStop::NeedsDestinations);
    let listed = bench.ok("Action=ListAccessKeys&UserName=bob").await;
    let (_, of_old) = listed.split_once(&format!("<AccessKeyId>{old}<")).unwrap();
    assert_eq!(text(of_old, "Status"), "Inactive", "{listed}");
    drop(incidents);
    let outcome = engine.drive(&rotation.id, &work).await.unwrap();
    assert!(matches!(outcome, DriveOutcome::Wait { .. }), "{outcome:?}");
    let written = std::fs::read_to_string(files.path().join("bob.env")).unwrap();
    assert!(written.contains("AWS_ACCESS_KEY_ID"), "{written}");
}

/// That a destination is busy is not a failure of the server.
#[tokio::test]
async fn a_destination_that_is_busy_is_reported() {
    let bench = Bench::with(&["[everyone] command:sh -c 'exit 75' SECRET"]).await;
    bench.user("bob").await;
    let form = format!("{START}&Places.member.1={}", encoded("command:sh ..."));
    let expected = "Nothing was done: the rotation was not started: command:sh ...: ";
    let body = bench.rejected(&form, expected).await;
    assert!(!body.contains("SECRET"), "{body}");
}
