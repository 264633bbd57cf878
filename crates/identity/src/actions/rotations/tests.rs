//! Who may ask the engine for what, and that it is asked nothing before that is decided.

use std::sync::{Arc, Mutex, PoisonError};

use keywright_base::{Secret, Timestamp};
use keywright_wire::keywright;

use super::NEEDED;
use crate::{
    fault::Fault,
    rotations::{Asked, Rotations, Told, What},
    testing::{ACCOUNT, Bench, Keys},
};

/// An engine that writes down what it is asked, and answers something that fits.
#[derive(Default)]
struct Scribe(Mutex<Vec<String>>);

impl Scribe {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl Rotations for Scribe {
    async fn ask(&self, asked: Asked) -> Result<Told, Fault> {
        let written = format!("{:?}", asked.what);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(written);
        let rotation = keywright::Rotation {
            rotation_id: "r-1".to_owned(),
            ..Default::default()
        };
        let event = |number: i64| {
            let event = keywright::RotationEvent {
                event: format!("event {number}"),
                event_time: Timestamp::from_secs(number),
                ..Default::default()
            };
            (number, event)
        };
        Ok(match asked.what {
            What::Start(_) | What::Show(..) | What::Order(..) => Told::Rotation(Box::new(rotation)),
            What::List { .. } => Told::Rotations(vec![rotation]),
            What::Key(_) => Told::Key("AKIA".to_owned(), Secret::new("s".to_owned())),
            What::History { after, limit, .. } => {
                Told::Events((after + 1..6).take(limit).map(event).collect())
            }
            What::Places => Told::Places(vec!["person".to_owned()]),
            What::Check(places) => Told::Places(places),
            What::Troubles => Told::Troubles([].into()),
        })
    }

    fn policies_changed(&self) {}
}

fn bench() -> (Bench, Arc<Scribe>) {
    let bench = Bench::new();
    let scribe = Arc::new(Scribe::default());
    bench.identity().set_rotations(Arc::clone(&scribe) as _);
    bench.user("bob", &[]);
    (bench, scribe)
}

/// Lets a user do some actions, under a condition if one is given.
fn allow(bench: &Bench, user: &str, actions: &[&str], condition: &str) {
    let actions = actions.join("\",\"");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":["{actions}"],"Resource":"arn:aws:iam::{ACCOUNT}:user/bob"{condition}}}}}"#
    );
    let put = format!("Action=PutUserPolicy&UserName={user}&PolicyName=p&PolicyDocument={policy}");
    bench.root(&put).ok();
}

const START: &str = "Action=StartRotation&UserName=bob";

#[test]
fn without_an_engine_everything_is_refused() {
    let bench = Bench::new();
    bench.user("bob", &[]);
    for form in [
        START,
        "Action=GetRotation&UserName=bob",
        "Action=ListRotationPlaces",
        "Action=PutRotationPolicy&RotationPolicyName=p&Everyone=true",
    ] {
        assert_eq!(bench.root(form).code(), Some("ServiceFailure"), "{form}");
    }
}

#[test]
fn whoever_begins_a_rotation_needs_all_that_it_does() {
    let (bench, scribe) = bench();
    let keys = bench.user("admin", &[]);
    let own = "keywright:StartRotation";
    let all: Vec<&str> = std::iter::once(own).chain(NEEDED).collect();
    for missing in &all {
        let but_one: Vec<_> = all.iter().copied().filter(|one| one != missing).collect();
        allow(&bench, "admin", &but_one, "");
        let answer = bench.call(&keys, START);
        answer.refused(
            "AccessDenied",
            &format!(
                "User: arn:aws:iam::{ACCOUNT}:user/admin is not authorized to perform: {missing} \
                 on resource: user bob because no identity-based policy allows the {missing} action"
            ),
        );
        assert_eq!(scribe.asked(), Vec::<String>::new(), "{missing}");
    }
    allow(&bench, "admin", &all, "");
    assert_eq!(bench.call(&keys, START).value("RotationId"), "r-1");
    assert_eq!(scribe.asked().len(), 1);
}

/// A grant may be for the service only: nobody then makes keys by hand.
#[test]
fn rights_may_be_given_to_the_service_only() {
    let (bench, _) = bench();
    let keys = bench.user("admin", &[]);
    let via = r#","Condition":{"Bool":{"aws:ViaAWSService":"true"}}"#;
    allow(&bench, "admin", &NEEDED, via);
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"keywright:*","Resource":"*"}}"#;
    let put = "Action=PutUserPolicy&UserName=admin&PolicyName=own&PolicyDocument=";
    bench.root(&format!("{put}{own}")).ok();
    bench.call(&keys, START).ok();
    let by_hand = bench.call(&keys, "Action=CreateAccessKey&UserName=bob");
    assert_eq!(by_hand.code(), Some("AccessDenied"));
}

#[test]
fn each_question_reaches_the_engine_as_it_was_asked() {
    let (bench, scribe) = bench();
    for (form, expected) in [
        (START, "places: [\"person\"]"),
        (
            "Action=StartRotation&UserName=BOB&Places.member.1=dotenv:/x&ObserveSeconds=0",
            "name: \"bob\"",
        ),
        (
            "Action=StartRotation&UserName=bob&Incident=true",
            "incident: true",
        ),
        (
            "Action=GetRotation&UserName=bob&RotationId=r-12345678",
            "Some(\"r-12345678\")",
        ),
        ("Action=ListRotations&MaxItems=3", "limit: 4"),
        ("Action=ListRotations&UserName=bob&Open=true", "open: true"),
        ("Action=RetrieveRotationKey&UserName=bob", "Key("),
        ("Action=ConfirmDelivery&UserName=bob", "Confirm"),
        ("Action=ResumeRotation&UserName=bob", "Resume"),
        (
            "Action=HoldRotation&UserName=bob&Reason=why",
            "Hold(\"why\")",
        ),
        ("Action=ReleaseRotation&UserName=bob", "Release"),
        (
            "Action=RollBackRotation&UserName=bob&Reason=why",
            "RollBack(\"why\")",
        ),
        ("Action=ListRotationPlaces", "Places"),
    ] {
        bench.root(form).ok();
        let asked = scribe.asked();
        assert!(
            asked.len() == 1 && asked[0].contains(expected),
            "{form}: {asked:?}"
        );
    }
}

#[test]
fn what_is_refused_before_the_engine() {
    let (bench, scribe) = bench();
    for (form, code) in [
        ("Action=StartRotation&UserName=gone", "NoSuchEntity"),
        ("Action=GetRotation&UserName=gone", "NoSuchEntity"),
        ("Action=ListRotations&UserName=gone", "NoSuchEntity"),
        ("Action=ListRotations&Marker=x", "ValidationError"),
        (
            "Action=StartRotation&UserName=bob&Incident=true&ObserveSeconds=9",
            "InvalidInput",
        ),
        (
            "Action=StartRotation&UserName=bob&DwellSeconds=7776001",
            "ValidationError",
        ),
        ("Action=HoldRotation&UserName=bob", "ValidationError"),
    ] {
        assert_eq!(bench.root(form).code(), Some(code), "{form}");
    }
    assert_eq!(scribe.asked(), Vec::<String>::new());
}

/// To see a rotation is not to see its key.
#[test]
fn a_secret_is_told_by_its_own_action_only() {
    let (bench, _) = bench();
    let keys = bench.user("reader", &[]);
    let reads = ["keywright:GetRotation", "keywright:ListRotationHistory"];
    allow(&bench, "reader", &reads, "");
    let get = bench.call(&keys, "Action=GetRotation&UserName=bob");
    assert!(!get.ok().contains("SecretAccessKey"));
    let key = |keys: &Keys| bench.call(keys, "Action=RetrieveRotationKey&UserName=bob");
    assert_eq!(key(&keys).code(), Some("AccessDenied"));
    allow(&bench, "reader", &["keywright:RetrieveRotationKey"], "");
    assert_eq!(key(&keys).value("SecretAccessKey"), "s");
}

#[test]
fn history_comes_in_pages() {
    let (bench, _) = bench();
    let form = "Action=ListRotationHistory&UserName=bob&MaxItems=2";
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let answer = bench.root(&format!("{form}{marker}"));
        seen.extend(answer.values("Event"));
        if answer.value("IsTruncated") == "false" {
            break;
        }
        marker = format!("&Marker={}", answer.value("Marker"));
    }
    let expected: Vec<_> = (1..6).map(|number| format!("event {number}")).collect();
    assert_eq!(seen, expected);
}
