//! Every request yields exactly one event: each operation of the tables, with success, denial and
//! error, and everything that is answered before an operation is known.

mod front;
mod organizations;
mod requests;
mod unsigned;

use std::collections::BTreeSet;

use http::Method;
use keywright_identity::{
    actions::{actions, sample_name, samples},
    event::RequestOutcome,
};
use keywright_wire::Service;

use self::{
    front::{ACCOUNT, Front, Reply, SeenEvent, Signing, TestKeys},
    requests::{BASE, NOT_CARRIED_OUT, NOT_CONFIGURED, S3Sample, SETUP},
};

fn arn(of: &str) -> Option<String> {
    Some(format!("arn:aws:iam::{ACCOUNT}:{of}"))
}

/// The outcome that a reply shows.
fn outcome_of(reply: &Reply) -> RequestOutcome {
    match reply.status {
        200..=299 => RequestOutcome::Succeeded,
        status => RequestOutcome::Failed {
            status,
            code: reply.code().into(),
        },
    }
}

/// The only event of the request that was just answered.
#[track_caller]
fn only_event(front: &Front, request: &str, reply: &Reply) -> SeenEvent {
    let mut events = front.take_events();
    assert_eq!(events.len(), 1, "{request}: {events:?}");
    let event = events.remove(0);
    match (&event.outcome, outcome_of(reply)) {
        // A response to HEAD has no code.
        (RequestOutcome::Failed { status, .. }, RequestOutcome::Failed { status: sent, code })
            if code.is_empty() =>
        {
            assert_eq!(*status, sent, "{request}");
        }
        (got, expected) => assert_eq!(*got, expected, "{request}: {reply:?}"),
    }
    for secret in front.secrets() {
        assert!(!event.debug.contains(&secret), "{request}: {}", event.debug);
    }
    event
}

/// Denied although no policy was asked: the key of the sample belongs to another account.
const UNDECIDED: [&str; 1] = ["GetAccessKeyLastUsed"];

/// The samples of services that take forms.
fn forms() -> impl Iterator<Item = (&'static str, String)> {
    samples()
        .into_iter()
        .filter(|(action, _)| !action.contains(':'))
}

#[tokio::test]
async fn every_action_yields_one_event_however_it_ends() {
    let front = Front::new().await;
    let nobody = front.user("nobody").await;
    let stranger = front.root.with_wrong_secret();
    let (mut succeeded, mut undecided) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..3 {
        for (action, more) in forms() {
            if round == 2 {
                for form in SETUP {
                    front.form(&front.root, Service::Iam, form).await;
                }
                front.take_events();
            }
            let row = actions()
                .find(|row| sample_name(row.operation) == action)
                .unwrap();
            let service = row.operation.service;
            let form = format!("Action={action}&{more}");
            let of = |keys| front.form(keys, service, &form);
            let reply = of(&front.root).await;
            let event = only_event(&front, action, &reply);
            let operation = format!("{}:{action}", service.scope_name());
            assert_eq!(event.operation, operation);
            assert_eq!(event.is_read_only, !row.access.changes_state(), "{action}");
            assert_eq!(event.principal, arn("root"), "{action}");
            if event.outcome == RequestOutcome::Succeeded {
                succeeded.insert(action);
            }
            if round > 0 {
                continue;
            }
            let reply = of(&nobody).await;
            let event = only_event(&front, action, &reply);
            assert_eq!(event.operation, operation);
            assert_eq!(event.principal, arn("user/nobody"), "{action}");
            let is_denial = reply.code() == "AccessDenied";
            assert!(is_denial || !event.is_denied, "{action}");
            let is_explained = event.is_denied && !event.resources.is_empty();
            if is_denial && !is_explained {
                undecided.insert(action);
            }

            let reply = of(&stranger).await;
            let event = only_event(&front, action, &reply);
            assert_eq!((&event.operation, event.principal), (&operation, None));
            assert_eq!(reply.code(), "SignatureDoesNotMatch", "{action}");
        }
        for form in BASE {
            front.form(&front.root, Service::Iam, form).await;
        }
        front.take_events();
    }
    assert_eq!(undecided, BTreeSet::from(UNDECIDED));
    let all: BTreeSet<_> = forms().map(|(action, _)| action).collect();
    let never: BTreeSet<_> = all.difference(&succeeded).copied().collect();
    assert_eq!(never, BTreeSet::from(NOT_CARRIED_OUT));
}

#[tokio::test]
async fn every_operation_of_s3_yields_one_event_however_it_ends() {
    let front = Front::new().await;
    let nobody = front.user("nobody").await;
    let stranger = front.root.with_wrong_secret();
    let mut succeeded = BTreeSet::new();
    for operation in keywright_s3::operations() {
        let upload = front.prepare_bucket().await;
        let send = async |keys: &TestKeys, bucket: &str| {
            let sample = S3Sample::of(operation, bucket, &upload);
            let headers = sample.headers.iter();
            let headers: Vec<_> = headers.map(|(name, value)| (*name, &**value)).collect();
            let line = (&sample.method, &*sample.uri);
            front.s3(keys, line, &headers, sample.body).await
        };
        let own = match operation {
            "CreateBucket" => "fresh",
            "DeleteBucket" => "empty",
            _ => "bench",
        };
        let reply = send(&front.root, own).await;
        let event = only_event(&front, operation, &reply);
        assert_eq!(event.operation, format!("s3:{operation}"), "{reply:?}");
        assert_eq!(event.principal, arn("root"), "{operation}");
        if event.outcome == RequestOutcome::Succeeded {
            succeeded.insert(operation);
        }

        let reply = send(&front.root, "missing-bucket").await;
        let event = only_event(&front, operation, &reply);
        assert_eq!(event.operation, format!("s3:{operation}"));
        assert_eq!(event.principal, arn("root"), "{operation}");

        let reply = send(&nobody, "bench").await;
        let event = only_event(&front, operation, &reply);
        assert_eq!(event.operation, format!("s3:{operation}"));
        assert_eq!(event.principal, arn("user/nobody"), "{operation}");
        let is_denial = reply.status == 403;
        assert_eq!(
            event.is_denied,
            is_denial || operation == "DeleteObjects",
            "{operation} {reply:?}"
        );

        let reply = send(&stranger, "bench").await;
        let event = only_event(&front, operation, &reply);
        assert!(event.operation.starts_with("s3:REST."), "{event:?}");
        assert_eq!((reply.status, event.principal), (403, None));
    }
    let all = BTreeSet::from_iter(keywright_s3::operations());
    let never: BTreeSet<_> = all.difference(&succeeded).copied().collect();
    assert_eq!(never, BTreeSet::from(NOT_CONFIGURED));
}

#[tokio::test]
async fn a_url_and_nobody_at_all_call_s3_too() {
    let front = Front::new().await;
    front.prepare_bucket().await;
    let reply = front.presigned(&front.root, "/bench/k").await;
    let event = only_event(&front, "a URL", &reply);
    assert_eq!(
        (reply.status, event.operation.as_str()),
        (200, "s3:GetObject")
    );
    assert_eq!(event.principal, arn("root"));
    let resources: Vec<_> = event.resources.iter().map(|it| it.arn.as_str()).collect();
    assert_eq!(resources, ["arn:aws:s3:::bench/k"]);
    assert_eq!(event.resources[0].account.unwrap().to_string(), ACCOUNT);

    let reply = front.plain("GET /bench/k", &[], "").await;
    let event = only_event(&front, "nobody", &reply);
    assert_eq!(
        (reply.status, event.operation.as_str()),
        (403, "s3:GetObject")
    );
    // Nobody can ask why an anonymous request was denied, so no evidence is kept of it.
    assert_eq!((event.principal, event.is_denied), (None, false));
}

#[tokio::test]
async fn what_is_refused_before_it_is_read_yields_an_event_too() {
    let front = Front::new().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let large = "x".repeat(keywright_base::limits::QUERY_BODY_BYTES + 1);
    let twice = [
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.2"),
    ];
    for (line, headers, body, operation, code) in [
        ("LOCK /bench", &[][..], "", "?", "NotImplemented"),
        ("GET /", &twice[..], "", "?", "ContradictoryHeaders"),
        (
            "POST /",
            &[form],
            "Action=ListUsers&Version=2010-05-08",
            "iam:ListUsers",
            "MissingAuthenticationToken",
        ),
        (
            "POST /",
            &[form],
            "Action=%zz",
            "?",
            "MissingAuthenticationToken",
        ),
        (
            "POST /",
            &[form],
            "Action=Nonsense",
            "iam:Nonsense",
            "MissingAuthenticationToken",
        ),
        (
            "POST /",
            &[form],
            large.as_str(),
            "?",
            "MissingAuthenticationToken",
        ),
    ] {
        let reply = front.plain(line, headers, body).await;
        let events = front.take_events();
        let [event] = &events[..] else {
            panic!("{line}: {events:?}");
        };
        assert_eq!(event.operation, operation, "{line} {reply:?}");
        let RequestOutcome::Failed {
            status,
            code: found,
        } = &event.outcome
        else {
            panic!("{line}: {event:?}");
        };
        assert_eq!((*status, &**found), (reply.status, code), "{line}");
        assert_eq!(event.principal, None);
    }
    let signing = Signing::of(Service::Iam.scope_name());
    let reply = front
        .signed(&front.root, signing, (&Method::POST, "/"), &[form], &large)
        .await;
    let event = only_event(&front, "too large", &reply);
    assert_eq!((event.operation.as_str(), reply.status), ("?", 413));
    let reply = front
        .form(&front.root, Service::Iam, "Action=Nonsense")
        .await;
    let event = only_event(&front, "no such action", &reply);
    assert_eq!(
        (event.operation.as_str(), event.principal),
        ("iam:Nonsense", arn("root"))
    );
}

#[tokio::test]
async fn an_attempt_is_recorded_once_with_its_name() {
    let front = Front::new().await;
    let bob = front.user("bob").await;
    let off = format!(
        "Action=UpdateAccessKey&UserName=bob&Status=Inactive&AccessKeyId={}",
        bob.id
    );
    front.form(&front.root, Service::Iam, &off).await;
    front.take_events();
    front.s3(&bob, (&Method::GET, "/"), &[], "").await;
    front.form(&bob, Service::Iam, "Action=ListUsers").await;
    let events = front.take_events();
    let keys: Vec<_> = events
        .iter()
        .map(|event| event.inactive_key.unwrap())
        .collect();
    assert_eq!(keys, [bob.id.parse().unwrap(); 2]);
    let list = format!("Action=ListAccessKeyAttempts&AccessKeyId={}", bob.id);
    let reply = front.form(&front.root, Service::Keywright, &list).await;
    for text in ["s3:REST.GET.SERVICE", "iam:ListUsers", "<Total>2</Total>"] {
        assert!(reply.body.contains(text), "{reply:?}");
    }
}

#[tokio::test]
async fn the_console_yields_one_event_a_request() {
    let front = Front::new().await;
    let root = arn("root");
    let sign_in = |password: &str| {
        format!(r#"{{"account":"{ACCOUNT}","root":true,"password":"{password}"}}"#)
    };
    let reply = front.console("sign-in", "", &sign_in("Wrong-1")).await;
    let event = only_event(&front, "a wrong password", &reply);
    assert_eq!(
        (event.operation.as_str(), event.principal),
        ("console:SignIn", None)
    );
    assert_eq!(Some(&event.resources[0].arn), root.as_ref());
    let reply = front
        .console("sign-in", "", &sign_in(&front.root_password))
        .await;
    let event = only_event(&front, "sign-in", &reply);
    assert_eq!(
        (event.operation.as_str(), &event.principal),
        ("console:SignIn", &root)
    );
    let cookie = reply.cookie();
    for (endpoint, operation) in [
        ("session", "console:ReadSession"),
        ("capabilities", "console:ReadCapabilities"),
    ] {
        let line = format!("GET /console/api/{endpoint}");
        let reply = front.at_console(&line, &[("cookie", &cookie)], "").await;
        let event = only_event(&front, endpoint, &reply);
        assert_eq!(
            (event.operation.as_str(), &event.principal),
            (operation, &root)
        );
        assert!(event.is_read_only);
    }
    let reply = front.console("credentials", &cookie, "").await;
    let event = only_event(&front, "credentials", &reply);
    assert_eq!(
        (event.operation.as_str(), &event.principal),
        ("console:IssueCredentials", &root)
    );
    assert!(!event.debug.contains(&cookie), "{}", event.debug);
    let reply = front.console("sign-out", &cookie, "").await;
    let event = only_event(&front, "sign-out", &reply);
    assert_eq!(
        (event.operation.as_str(), &event.principal),
        ("console:SignOut", &root)
    );
    let reply = front.console("password", &cookie, "{}").await;
    let event = only_event(&front, "a session that is over", &reply);
    assert_eq!(
        (event.operation.as_str(), event.principal),
        ("console:ChangePassword", None)
    );
    for (line, operation) in [
        ("GET /console/", "console:ReadFile"),
        ("GET /console/api/none", "console:Unknown"),
        ("GET /bench", "s3:REST.GET.BUCKET"),
    ] {
        front.at_console(line, &[], "").await;
        let events = front.take_events();
        assert_eq!(events.len(), 1, "{line}");
        assert_eq!(events[0].operation, operation, "{line}");
    }
    let reply = front.at_console("DELETE /console/", &[], "").await;
    let event = front.take_events().remove(0);
    let refused = RequestOutcome::Failed {
        status: 405,
        code: "Method Not Allowed".into(),
    };
    assert_eq!((reply.status, event.outcome), (405, refused));
}

/// A password change is two requests: the browser's, and the one that is signed for the user.
#[tokio::test]
async fn a_password_change_of_a_user_is_two_events() {
    let front = Front::new().await;
    front.user("ann").await;
    for form in [
        "Action=CreateLoginProfile&UserName=ann&Password=Abcdefg1&PasswordResetRequired=true",
        "Action=AttachUserPolicy&UserName=ann&PolicyArn=arn:aws:iam::aws:policy/IAMUserChangePassword",
    ] {
        front.form(&front.root, Service::Iam, form).await;
    }
    let who = format!(r#"{{"account":"{ACCOUNT}","userName":"ann","password":"Abcdefg1"}}"#);
    let cookie = front.console("sign-in", "", &who).await.cookie();
    front.take_events();
    let body = r#"{"oldPassword":"Abcdefg1","newPassword":"Abcdefg2"}"#;
    let reply = front.console("password", &cookie, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let events = front.take_events();
    let seen: Vec<_> = events
        .iter()
        .map(|it| (&*it.operation, &it.principal))
        .collect();
    let ann = arn("user/ann");
    assert_eq!(
        seen,
        [
            ("iam:ChangePassword", &ann),
            ("console:ChangePassword", &ann)
        ]
    );
    for event in &events {
        assert_eq!(event.outcome, RequestOutcome::Succeeded);
        assert!(!event.debug.contains("Abcdefg"), "{}", event.debug);
    }
}

/// The rotation engine's requests do not come from a socket and do not count as uses.
#[tokio::test]
async fn a_request_from_inside_yields_one_event() {
    let front = Front::new().await;
    front.take_events();
    let status = front.within(&front.root, "Action=ListUsers").await;
    let events = front.take_events();
    assert_eq!((status, events.len()), (200, 1));
    assert_eq!(events[0].operation, "iam:ListUsers");
    assert_eq!(events[0].principal, arn("root"));
}
