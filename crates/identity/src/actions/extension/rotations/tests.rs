//! Who may request what from the engine, and that the engine is not called before authorization.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use keywright_base::{AccountId, Secret, Timestamp};
use keywright_wire::keywright;

use crate::{
    fault::IamFault,
    rotations::{
        HistoryQuery, RetrievedKey, RotationCaller, RotationEngine, RotationOrder, RotationQuery,
        RotationStart, UserRef,
    },
    state::User,
    testing::{ACCOUNT, TestInstallation, TestKeys},
};

/// The destinations that the operator allows; `json:/ops` for the user of that name.
const PLACES: [&str; 3] = ["person", "dotenv:/x/{user}.env", "json:/ops"];

/// An engine that records its requests and returns a matching response.
#[derive(Default)]
struct Scribe(Mutex<Vec<String>>);

impl Scribe {
    fn write(&self, requested: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(requested);
    }

    fn requested(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn rotation() -> keywright::Rotation {
    keywright::Rotation {
        rotation_id: "r-1".to_owned(),
        ..Default::default()
    }
}

#[async_trait::async_trait]
impl RotationEngine for Scribe {
    async fn start(
        &self,
        _: &RotationCaller<'_>,
        start: RotationStart,
    ) -> Result<keywright::Rotation, IamFault> {
        self.write(format!("Start({start:?})"));
        Ok(rotation())
    }

    async fn order(
        &self,
        _: &RotationCaller<'_>,
        user: &UserRef,
        order: RotationOrder,
    ) -> Result<keywright::Rotation, IamFault> {
        self.write(format!("Order({user:?}, {order:?})"));
        Ok(rotation())
    }

    async fn retrieve_key(
        &self,
        _: &RotationCaller<'_>,
        user: &UserRef,
    ) -> Result<RetrievedKey, IamFault> {
        self.write(format!("Key({user:?})"));
        Ok(RetrievedKey {
            id: "AKIA".to_owned(),
            secret: Secret::new("s".to_owned()),
        })
    }

    async fn rotation(
        &self,
        _: AccountId,
        user: UserRef,
        id: Option<String>,
    ) -> Result<keywright::Rotation, IamFault> {
        self.write(format!("Show({user:?}, {id:?})"));
        Ok(rotation())
    }

    async fn rotations(&self, query: RotationQuery) -> Result<Vec<keywright::Rotation>, IamFault> {
        self.write(format!("{query:?}"));
        Ok(vec![rotation()])
    }

    async fn history(
        &self,
        query: HistoryQuery,
    ) -> Result<Vec<(i64, keywright::RotationEvent)>, IamFault> {
        self.write(format!("{query:?}"));
        let event = |number: i64| {
            let event = keywright::RotationEvent {
                event: format!("event {number}"),
                event_time: Timestamp::from_secs(number),
                ..Default::default()
            };
            (number, event)
        };
        let numbers = query.after + 1..6;
        Ok(numbers.take(query.limit).map(event).collect())
    }

    fn destinations(&self) -> Vec<String> {
        self.write("Places".to_owned());
        PLACES.map(str::to_owned).to_vec()
    }

    fn check_destinations(&self, _: &[String]) -> Result<(), IamFault> {
        Ok(())
    }

    fn policy_failures(&self, _: AccountId) -> HashMap<String, String> {
        HashMap::new()
    }

    fn policies_changed(&self) {}

    fn destination(&self, place: &str, user: Option<&str>) -> Option<String> {
        let own = user.map(|user| format!("dotenv:/x/{user}.env"));
        let template = "dotenv:/x/{user}.env".to_owned();
        (Some(place) == own.as_deref() || place == template).then_some(template)
    }

    fn accepts(&self, place: &str, user: &User) -> bool {
        place != "json:/ops" || user.name == "ops"
    }
}

/// The actions that a rotation performs, and is authorized for, on behalf of the principal who
/// started it.
fn needed() -> Vec<&'static str> {
    let catalogue = keywright_policy::ActionCatalogue::built_in();
    catalogue
        .action("keywright:StartRotation")
        .unwrap()
        .does
        .clone()
}

fn bench() -> (TestInstallation, Arc<Scribe>) {
    let bench = TestInstallation::new();
    let scribe = Arc::new(Scribe::default());
    bench.identity().set_rotations(Arc::clone(&scribe) as _);
    bench.user("bob", &[]);
    (bench, scribe)
}

/// Allows a user some actions, optionally under a condition.
fn allow(bench: &TestInstallation, user: &str, actions: &[&str], condition: &str) {
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
    let bench = TestInstallation::new();
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
fn starting_a_rotation_takes_the_rights_of_all_it_does() {
    let (bench, scribe) = bench();
    let keys = bench.user("admin", &[]);
    let own = "keywright:StartRotation";
    let all: Vec<&str> = std::iter::once(own).chain(needed()).collect();
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
        assert_eq!(scribe.requested(), Vec::<String>::new(), "{missing}");
    }
    allow(&bench, "admin", &all, "");
    assert_eq!(bench.call(&keys, START).value("RotationId"), "r-1");
    assert_eq!(scribe.requested().len(), 1);
}

/// The engine ends sessions for an incident, and for nothing else.
#[test]
fn an_incident_also_takes_the_right_to_end_sessions() {
    let (bench, _) = bench();
    let keys = bench.user("admin", &[]);
    let own = ["keywright:StartRotation", "keywright:ChangeRotation"];
    let ends = "keywright:EndAccessKeySessions";
    let but_that: Vec<&str> = own.into_iter().chain(needed()).collect();
    let all: Vec<&str> = but_that.iter().copied().chain([ends]).collect();
    for form in [START, "Action=ChangeRotation&UserName=bob&Reason=why"] {
        let incident = format!("{form}&Incident=true&DeactivateFirst=true");
        allow(&bench, "admin", &but_that, "");
        bench.call(&keys, form).ok();
        let refused = bench.call(&keys, &incident);
        assert_eq!(refused.code(), Some("AccessDenied"), "{form}");
        let says = refused.error().message.clone().unwrap();
        assert!(says.contains(ends), "{says}");
        allow(&bench, "admin", &all, "");
        bench.call(&keys, &incident).ok();
        let alone = bench.call(&keys, &format!("{form}&DeactivateFirst=true"));
        assert_eq!(alone.code(), Some("InvalidInput"), "{form}");
    }
}

/// Adding a destination reveals the new key to it; removing one does not.
#[test]
fn another_destination_also_takes_the_right_to_create_keys() {
    let (bench, scribe) = bench();
    let keys = bench.user("admin", &[]);
    let creates = "iam:CreateAccessKey";
    let own = ["keywright:ChangeRotation"];
    let all: Vec<&str> = own.into_iter().chain(needed()).collect();
    let but_that: Vec<&str> = all.iter().copied().filter(|one| *one != creates).collect();
    let change = "Action=ChangeRotation&UserName=bob&Reason=why";
    let add = format!("{change}&AddPlaces.member.1=person");
    allow(&bench, "admin", &but_that, "");
    bench.call(&keys, change).ok();
    let remove = format!("{change}&RemovePlaces.member.1=person");
    bench.call(&keys, &remove).ok();
    assert_eq!(scribe.requested().len(), 2);
    let refused = bench.call(&keys, &add);
    assert_eq!(refused.code(), Some("AccessDenied"));
    let says = refused.error().message.clone().unwrap();
    assert!(says.contains(creates), "{says}");
    assert_eq!(scribe.requested(), Vec::<String>::new());
    allow(&bench, "admin", &all, "");
    bench.call(&keys, &add).ok();
}

/// A grant may be limited to the rotation service, so that it does not allow creating keys by hand.
#[test]
fn rights_may_be_given_to_the_service_only() {
    let (bench, _) = bench();
    let keys = bench.user("admin", &[]);
    let via = r#","Condition":{"Bool":{"aws:ViaAWSService":"true"}}"#;
    allow(&bench, "admin", &needed(), via);
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"keywright:*","Resource":"*"}}"#;
    let put = "Action=PutUserPolicy&UserName=admin&PolicyName=own&PolicyDocument=";
    bench.root(&format!("{put}{own}")).ok();
    bench.call(&keys, START).ok();
    let by_hand = bench.call(&keys, "Action=CreateAccessKey&UserName=bob");
    assert_eq!(by_hand.code(), Some("AccessDenied"));
}

#[test]
fn each_question_reaches_the_engine_unchanged() {
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
        (
            "Action=ChangeRotation&UserName=bob&Reason=why&AddPlaces.member.1=dotenv:/x",
            "add_places: [\"dotenv:/x\"]",
        ),
        (
            "Action=ChangeRotation&UserName=bob&Reason=why&RemovePlaces.member.1=person",
            "remove_places: [\"person\"]",
        ),
        ("Action=ListRotationPlaces", "Places"),
    ] {
        bench.root(form).ok();
        let requested = scribe.requested();
        assert!(
            requested.len() == 1 && requested[0].contains(expected),
            "{form}: {requested:?}"
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
        (
            "Action=ChangeRotation&UserName=bob&AddPlaces.member.1=person",
            "ValidationError",
        ),
    ] {
        assert_eq!(bench.root(form).code(), Some(code), "{form}");
    }
    assert_eq!(scribe.requested(), Vec::<String>::new());
}

/// Seeing a rotation does not reveal its key, and retrieving the key requires permission to create
/// one.
#[test]
fn a_secret_is_revealed_by_its_own_action_only() {
    let (bench, _) = bench();
    let keys = bench.user("reader", &[]);
    let iam = [
        "iam:GetUser",
        "iam:ListAccessKeys",
        "iam:GetAccessKeyLastUsed",
    ];
    let reads = ["keywright:GetRotation", "keywright:ListRotationHistory"];
    allow(&bench, "reader", &[&reads[..], &iam].concat(), "");
    let get = bench.call(&keys, "Action=GetRotation&UserName=bob");
    assert!(!get.ok().contains("SecretAccessKey"));
    let key = |keys: &TestKeys| bench.call(keys, "Action=RetrieveRotationKey&UserName=bob");
    assert_eq!(key(&keys).code(), Some("AccessDenied"));
    allow(&bench, "reader", &["keywright:RetrieveRotationKey"], "");
    let refused = key(&keys).error().message.clone().unwrap();
    assert!(
        refused.contains("perform: iam:CreateAccessKey on resource: user bob"),
        "{refused}"
    );
    let both = ["keywright:RetrieveRotationKey", "iam:CreateAccessKey"];
    let via = r#","Condition":{"Bool":{"aws:ViaAWSService":"true"}}"#;
    allow(&bench, "reader", &both[1..], via);
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"keywright:*","Resource":"*"}}"#;
    let put = "Action=PutUserPolicy&UserName=reader&PolicyName=own&PolicyDocument=";
    bench.root(&format!("{put}{own}")).ok();
    assert_eq!(
        key(&keys).code(),
        Some("AccessDenied"),
        "the service's rights give no secret"
    );
    allow(&bench, "reader", &both, "");
    assert_eq!(key(&keys).value("SecretAccessKey"), "s");
}

/// An order requires the permissions for its effects, no matter who started the rotation.
#[test]
fn an_order_takes_the_rights_of_what_it_does() {
    let (bench, scribe) = bench();
    let keys = bench.user("clerk", &[]);
    let catalogue = keywright_policy::ActionCatalogue::built_in();
    for (order, changes) in [
        (
            "ConfirmDelivery",
            &["iam:UpdateAccessKey", "iam:DeleteAccessKey"][..],
        ),
        ("HoldRotation", &["iam:UpdateAccessKey"]),
        (
            "ReleaseRotation",
            &["iam:CreateAccessKey", "iam:UpdateAccessKey"],
        ),
        (
            "ResumeRotation",
            &["iam:CreateAccessKey", "iam:UpdateAccessKey"],
        ),
        (
            "RollBackRotation",
            &["iam:UpdateAccessKey", "iam:DeleteAccessKey"],
        ),
    ] {
        let reason = match order {
            "HoldRotation" | "RollBackRotation" => "&Reason=r",
            _ => "",
        };
        let form = format!("Action={order}&UserName=bob{reason}");
        let own = format!("keywright:{order}");
        let does = &catalogue.action(&own).unwrap().does;
        for missing in changes {
            let rest = does.iter().copied().filter(|one| one != missing);
            let rest: Vec<_> = std::iter::once(&*own).chain(rest).collect();
            allow(&bench, "clerk", &rest, "");
            let refused = bench.call(&keys, &form).error().message.clone().unwrap();
            assert!(refused.contains(missing), "{order}: {refused}");
            assert_eq!(scribe.requested(), Vec::<String>::new(), "{order}");
        }
        let all: Vec<_> = std::iter::once(&*own).chain(does.iter().copied()).collect();
        allow(&bench, "clerk", &all, "");
        bench.call(&keys, &form).ok();
        assert_eq!(scribe.requested().len(), 1, "{order}");
    }
}

/// A policy can limit where new keys go, however the caller spells the destination.
#[test]
fn destinations_are_a_condition_key() {
    let (bench, scribe) = bench();
    let keys = bench.user("admin", &[]);
    let rest: Vec<_> = needed();
    let put = |name: &str, statement: &str| {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        let form = "Action=PutUserPolicy&UserName=admin";
        let form = format!("{form}&PolicyName={name}&PolicyDocument={policy}");
        bench.root(&form).ok();
    };
    allow(&bench, "admin", &rest, "");
    put(
        "own",
        r#"{"Effect":"Allow","Action":"keywright:StartRotation","Resource":"*","Condition":{"StringEquals":{"keywright:Destination":["dotenv:/x/{user}.env","person"]}}}"#,
    );
    for (places, allowed) in [
        ("", true),
        ("&Places.member.1=person", true),
        ("&Places.member.1=dotenv:/x/bob.env", true),
        (
            "&Places.member.1=dotenv:/x/{user}.env&Places.member.2=person",
            true,
        ),
        ("&Places.member.1=command:sh", false),
        ("&Places.member.1=person&Places.member.2=command:sh", false),
    ] {
        let answer = bench.call(&keys, &format!("{START}{places}"));
        assert_eq!(answer.is_success(), allowed, "{places}");
        assert_eq!(!scribe.requested().is_empty(), allowed, "{places}");
    }
    put(
        "no",
        r#"{"Effect":"Deny","Action":"keywright:*","Resource":"*","Condition":{"StringEquals":{"keywright:Destination":"dotenv:/x/{user}.env"}}}"#,
    );
    let spelt = bench.call(&keys, &format!("{START}&Places.member.1=dotenv:/x/bob.env"));
    assert_eq!(spelt.code(), Some("AccessDenied"));
    bench.call(&keys, START).ok();
    put(
        "own",
        r#"{"Effect":"Allow","Action":"keywright:ChangeRotation","Resource":"*","Condition":{"StringEquals":{"keywright:Destination":["dotenv:/x/{user}.env","person"]}}}"#,
    );
    scribe.requested();
    for (places, allowed) in [
        ("AddPlaces.member.1=person", true),
        ("RemovePlaces.member.1=person", true),
        ("AddPlaces.member.1=dotenv:/x/bob.env", false),
        ("RemovePlaces.member.1=dotenv:/x/bob.env", false),
        ("AddPlaces.member.1=command:sh", false),
        ("RemovePlaces.member.1=command:sh", false),
        (
            "AddPlaces.member.1=person&RemovePlaces.member.1=command:sh",
            false,
        ),
    ] {
        let form = format!("Action=ChangeRotation&UserName=bob&Reason=why&{places}");
        let answer = bench.call(&keys, &form);
        assert_eq!(answer.is_success(), allowed, "{places}");
        assert_eq!(!scribe.requested().is_empty(), allowed, "{places}");
    }
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

/// Destinations for users whose keys the caller may not rotate are not listed.
#[test]
fn the_places_of_users_that_the_caller_may_rotate_are_listed() {
    let (bench, _) = bench();
    bench.user("ops", &[]);
    let keys = bench.user("admin", &[]);
    let listed = |keys: &TestKeys| {
        let answer = bench.call(keys, "Action=ListRotationPlaces");
        PLACES.map(|place| answer.ok().contains(place))
    };
    assert_eq!(listed(&bench.root), [true; 3]);
    let own = "keywright:StartRotation";
    let rotate: Vec<&str> = std::iter::once(own).chain(needed()).collect();
    let list = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"keywright:ListRotationPlaces","Resource":"*"}}"#;
    let put = format!("Action=PutUserPolicy&UserName=admin&PolicyName=l&PolicyDocument={list}");
    bench.root(&put).ok();
    assert_eq!(listed(&keys), [true, false, false], "of nobody");
    allow(&bench, "admin", &rotate, "");
    assert_eq!(listed(&keys), [true, true, false], "of bob");
    allow(&bench, "admin", &rotate[..rotate.len() - 1], "");
    assert_eq!(listed(&keys), [true, false, false], "one permission short");
    let here = r#","Condition":{"StringLike":{"keywright:Destination":["person"]}}"#;
    allow(&bench, "admin", &[own], here);
    assert_eq!(
        listed(&keys),
        [true, false, false],
        "to no such destination"
    );
    let denied = bench.root("Action=ListDeniedRequests");
    assert!(
        denied.values("ActionName").is_empty(),
        "no rotation was requested"
    );
}
