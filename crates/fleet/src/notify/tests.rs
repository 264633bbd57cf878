//! Notifiers against fake local servers, and the outbox against a journal on disk.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
};

use keywright_base::{Clock, Entropy, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    DeliverySummary, DigestPeriod, Notice, NoticeKind, NoticeMessage, NoticeOutbox, Notifier,
};
use crate::journal::{NewNotice, SqliteJournal};
use keywright_aws::ClientSettings;
use keywright_sinks::testing::{RecordedRequest, holds_no_more, serve};

/// 2027-01-15, 08:00 UTC.
const NOON: i64 = 1_800_000_000;

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

fn notice(user: &str, outcome: NoticeKind) -> Notice {
    let now = Timestamp::from_secs(NOON);
    let mut notice = Notice::of_account("production", outcome, "a reason", now);
    notice.account = "123456789012".to_owned();
    notice.user_name = Some(user.to_owned());
    notice.rotation_id = Some("r-1".to_owned());
    notice.old_access_key_id = Some("AKIAOLD".to_owned());
    notice.new_access_key_id = Some("AKIANEW".to_owned());
    notice.next_step = Some("Look at it".to_owned());
    notice
}

fn one(notice: &Notice) -> NoticeMessage<'_> {
    NoticeMessage {
        notices: std::slice::from_ref(notice),
        digest: false,
    }
}

/// Untrusted text in every field that others can write.
fn hostile() -> Notice {
    let text = "<!channel> <@U1> <https://evil.example|here> [here](https://evil.example) *b*\r\n\
                Bcc: all@example.org\u{202e}\u{200b}&";
    let mut notice = notice(text, NoticeKind::Held);
    notice.why = text.to_owned();
    notice.owner = Some(text.to_owned());
    notice
}

#[test]
fn what_people_read() {
    let message = notice("bob", NoticeKind::Held);
    assert_eq!(
        one(&message).text(),
        "Action needed: the rotation of bob is held\n\
         Account: production (123456789012)\n\
         User: bob\n\
         Access keys: AKIAOLD (old), AKIANEW (new)\n\
         Rotation: r-1\n\
         Reason: a reason\n\
         What to do: Look at it"
    );
    let hostile = one(&hostile()).text();
    assert!(
        !hostile.contains(['\r', '\u{202e}', '\u{200b}']),
        "{hostile}"
    );
    assert!(!hostile.contains("\nBcc"), "{hostile}");
    let mut long = message;
    long.why = "é".repeat(100_000);
    assert!(one(&long).text().len() < 4000);
}

#[test]
fn what_programs_read() {
    let message = notice("bob", NoticeKind::Held);
    let Value::Object(members) = one(&message).json() else {
        panic!("not an object");
    };
    for (name, value) in [
        ("Account", "123456789012"),
        ("UserName", "bob"),
        ("RotationId", "r-1"),
        ("Outcome", "held"),
        ("Why", "a reason"),
        ("OldAccessKeyId", "AKIAOLD"),
        ("At", "2027-01-15T08:00:00Z"),
    ] {
        assert_eq!(members[name], value, "{name}");
    }
    let digest = NoticeMessage {
        notices: std::slice::from_ref(&message),
        digest: true,
    };
    assert_eq!(digest.json()["Notices"][0]["UserName"], "bob");
}

#[test]
fn notifiers_that_are_understood() {
    for (text, label) in [
        ("command:/bin/tell --all", "command:/bin/tell"),
        (
            "webhook:https://example.org/x?token=s3cret",
            "webhook:https://example.org",
        ),
        ("webhook:env:HOOK", "webhook:env:HOOK"),
        ("slack:env:SLACK_URL", "slack:env:SLACK_URL"),
        ("teams:file:/etc/teams.url", "teams:file:/etc/teams.url"),
        (
            "smtp:mail.example.org?from=a@example.org&to=b@example.org",
            "smtp:mail.example.org:587",
        ),
        (
            "smtps:mail.example.org?from=a@example.org&to=b@x.org,c@x.org",
            "smtps:mail.example.org:465",
        ),
        (
            "smtp:[::1]:2525?tls=none&from=a%2Bb@b.c&to=d@e.f",
            "smtp:[::1]:2525",
        ),
        (
            "smtp:h:25?from=a@b.c&to=d@e.f&user=me&password=env:SMTP_PASSWORD",
            "smtp:h:25",
        ),
        (
            "sns:arn:aws:sns:eu-west-1:123456789012:keys?profile=prod",
            "sns:arn:aws:sns:eu-west-1:123456789012:keys",
        ),
    ] {
        let notifier: Notifier = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(notifier.label(), label);
        assert_eq!(format!("{notifier:?}"), label);
    }
}

#[test]
fn notifiers_that_are_rejected() {
    let url = "https://hooks.slack.com/services/T0/B0/s3cret";
    let mail = |rest: &str| format!("smtp:mail.example.org?{rest}");
    for (text, expected_text) in [
        (
            "pager:x".to_owned(),
            "starts with one of command, webhook, slack",
        ),
        (url.to_owned(), "starts with one of"),
        (
            "slack:".to_owned(),
            "is empty or contains control characters",
        ),
        (format!("slack:{url}"), "the URL is a secret"),
        (format!("teams:{url}"), "the URL is a secret"),
        ("slack:env:a b".to_owned(), "name of a variable"),
        ("slack:file:url".to_owned(), "starts with a slash"),
        ("webhook:http://example.org/".to_owned(), "only by https"),
        (
            "webhook:https://me:s3cret@example.org/".to_owned(),
            "must not contain a user name or password",
        ),
        ("command:'".to_owned(), "quote"),
        (mail("to=a@b.c"), "from is missing"),
        (mail("from=a@b.c"), "to is missing"),
        (mail("from=a@b.c&to=nobody"), "to: "),
        (
            mail("from=a@b.c&to=d@e.f%0aBcc:x@y.z"),
            "to must have one value",
        ),
        (mail("from=a@b.c&to=d@e.f&tls=off"), "tls can only be none"),
        (
            mail("from=a@b.c&to=d@e.f&tls=none"),
            "only for this machine",
        ),
        (
            mail("from=a@b.c&to=d@e.f&user=me"),
            "must be given together",
        ),
        (
            mail("from=a@b.c&to=d@e.f&user=me&password=s3cret"),
            "env:NAME",
        ),
        (mail("from=a@b.c&to=d@e.f&cc=g@h.i"), "unknown parameter cc"),
        (
            mail(&format!("from=a@b.c&to={}", vec!["d@e.f"; 51].join(","))),
            "1 to 50",
        ),
        (
            "smtp:me:s3cret@host?from=a@b.c&to=d@e.f".to_owned(),
            "not supported",
        ),
        ("sns:keys".to_owned(), "the topic's ARN"),
        (
            "sns:arn:aws:sqs:eu-west-1:123456789012:keys".to_owned(),
            "the topic's ARN",
        ),
    ] {
        let why = text.parse::<Notifier>().map(drop).unwrap_err();
        assert!(why.contains(expected_text), "{text}: {why}");
        assert!(!why.contains("s3cret"), "{text}: {why}");
    }
}

/// The requests that a fake server received, and its responses.
#[derive(Clone)]
struct Listener {
    bodies: Arc<Mutex<Vec<Value>>>,
    status: Arc<AtomicU16>,
    file: PathBuf,
}

impl Listener {
    async fn start(folder: &Path, name: &str) -> Self {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(AtomicU16::new(200));
        let (received, answer) = (Arc::clone(&bodies), Arc::clone(&status));
        let answers = Arc::new(Mutex::new(move |requested: &RecordedRequest| {
            let status = answer.load(Ordering::SeqCst);
            if status == 200 {
                received.lock().unwrap().push(requested.json());
            }
            (status, "no_service".to_owned())
        }));
        let address = serve(answers).await;
        let file = folder.join(name);
        let url = format!("http://{address}/services/s3cret\n");
        keywright_store::durable::create_new(&file, url.as_bytes()).unwrap();
        Self {
            bodies,
            status,
            file,
        }
    }

    fn notifier(&self, kind: &str) -> Notifier {
        format!("{kind}:file:{}", self.file.display())
            .parse()
            .unwrap()
    }

    fn received(&self) -> Vec<Value> {
        std::mem::take(&mut self.bodies.lock().unwrap())
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// A journal on disk with a manual clock.
struct Desk {
    folder: TempDir,
    clock: Arc<TestClock>,
    accounts: BTreeMap<&'static str, ClientSettings>,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            clock: Arc::new(TestClock(AtomicI64::new(NOON))),
            accounts: BTreeMap::new(),
        }
    }

    /// Opens the journal as another or a later process would.
    fn journal(&self) -> SqliteJournal {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        SqliteJournal::open(self.folder.path(), clock, Arc::new(Zeros)).unwrap()
    }

    fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs, Ordering::SeqCst);
    }

    async fn queue(&self, notifier: &Notifier, notices: &[Notice]) {
        let new = notices
            .iter()
            .map(|notice| self.new_notice(notifier, notice, 0));
        let journal = self.journal();
        let crowded_out = journal.queue_notices(new.collect(), Vec::new()).await;
        assert_eq!(crowded_out.unwrap(), 0);
    }

    fn new_notice(&self, notifier: &Notifier, notice: &Notice, wait_secs: i64) -> NewNotice {
        NewNotice {
            notifier: notifier.text().to_owned(),
            account: "production".to_owned(),
            subject: format!("user:{:?}", notice.user_name),
            state: format!("{:?}", notice.outcome),
            recipients: notifier.recipients(notice),
            body: serde_json::to_string(notice).unwrap(),
            not_before: self.clock.now().plus_secs(wait_secs),
        }
    }

    async fn deliver(&self, notifier: &Notifier, digest: Option<DigestPeriod>) -> DeliverySummary {
        let journal = self.journal();
        let accounts = self.accounts.iter();
        let outbox = NoticeOutbox {
            journal: &journal,
            notifiers: std::slice::from_ref(notifier),
            digest,
            accounts: accounts.map(|(name, settings)| (*name, settings)).collect(),
        };
        outbox.deliver(&*self.clock).await.unwrap().remove(0)
    }
}

#[tokio::test]
async fn a_program_gets_the_notice_and_no_secret_of_the_environment() {
    let desk = Desk::new();
    let at = |name: &str| desk.folder.path().join(name);
    let script = format!(
        "cat > {}; env > {}",
        at("notice").display(),
        at("environment").display()
    );
    let target = format!("command:sh -c {}", shell_words::quote(&script));
    let program: Notifier = target.parse().unwrap();
    desk.queue(&program, &[notice("bob", NoticeKind::Held)])
        .await;
    let sent = desk.deliver(&program, None).await;
    assert_eq!((sent.delivered, sent.why), (1, None));
    let read = |name| std::fs::read_to_string(at(name)).unwrap();
    assert!(read("notice").contains("\"bob\""));
    holds_no_more(&read("environment"));
    let fails: Notifier = "command:false".parse().unwrap();
    desk.queue(&fails, &[notice("bob", NoticeKind::Held)]).await;
    let failed = desk.deliver(&fails, None).await;
    assert_eq!(failed.why.as_deref(), Some("exit status: 1"));
}

#[tokio::test]
async fn slack_gets_text_without_mentions_or_markup() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "slack").await;
    let slack = listener.notifier("slack");
    slack.check().unwrap();
    desk.queue(&slack, &[hostile()]).await;
    assert_eq!(desk.deliver(&slack, None).await.delivered, 1);
    let sent = listener.received().remove(0);
    let text = sent["text"].as_str().unwrap();
    assert!(
        text.contains("&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|here&gt;"),
        "{text}"
    );
    assert!(!text.contains(['<', '>']), "{text}");
    assert_eq!(
        (&sent["mrkdwn"], &sent["link_names"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(sent["parse"], "none");

    listener.answer(404);
    desk.queue(&slack, &[notice("bob", NoticeKind::Held)]).await;
    let sent = desk.deliver(&slack, None).await;
    let why = sent.why.unwrap();
    assert_eq!(why, "it responded with 404 Not Found: no_service");
    std::fs::remove_file(&listener.file).unwrap();
    let why = slack.check().unwrap_err();
    assert!(
        why.starts_with("cannot read ") && !why.contains("s3cret"),
        "{why}"
    );
}

#[tokio::test]
async fn teams_gets_a_card_of_plain_text_within_its_limit() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "teams").await;
    let teams = listener.notifier("teams");
    desk.queue(&teams, &[hostile()]).await;
    assert_eq!(desk.deliver(&teams, None).await.delivered, 1);
    let sent = listener.received().remove(0);
    let attachment = &sent["attachments"][0];
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    let body = attachment["content"]["body"].as_array().unwrap();
    assert!(
        body.iter().all(|block| block["type"] == "RichTextBlock"),
        "{body:?}"
    );
    assert!(attachment["content"]["msteams"].get("entities").is_none());

    let users: Vec<_> = (0..60)
        .map(|n| notice(&format!("user-{n}"), NoticeKind::Held))
        .collect();
    desk.queue(&teams, &users).await;
    let sent = desk.deliver(&teams, Some(DigestPeriod::Round)).await;
    let cards = listener.received();
    assert_eq!(cards.len(), usize::try_from(sent.delivered).unwrap());
    assert!(cards.len() < 6, "{} messages", cards.len());
    let text = serde_json::to_string(&cards).unwrap();
    for user in users {
        let user = format!("User: {}\"", user.user_name.unwrap());
        assert_eq!(text.matches(&user).count(), 1, "{user}");
    }
    for card in cards {
        assert!(
            card.to_string().len() < 28 * 1024,
            "{}",
            card.to_string().len()
        );
    }
}

#[tokio::test]
async fn a_failed_delivery_is_retried_and_nothing_is_sent_twice() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "url").await;
    let slack = listener.notifier("slack");
    listener.answer(503);
    let held = [notice("bob", NoticeKind::Held)];
    desk.queue(&slack, &held).await;
    let sent = desk.deliver(&slack, None).await;
    assert_eq!((sent.delivered, sent.failed), (0, 1));
    assert_eq!(
        sent.why.as_deref(),
        Some("it responded with 503 Service Unavailable: no_service")
    );

    listener.answer(200);
    // No retry before the pause is over, and the same state is not queued again.
    desk.queue(&slack, &held).await;
    assert_eq!(desk.deliver(&slack, None).await.delivered, 0);
    desk.pass(60);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 1);
    desk.queue(&slack, &held).await;
    desk.pass(86_400);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 0);
    assert_eq!(listener.received().len(), 1);

    desk.queue(&slack, &[notice("bob", NoticeKind::Over)]).await;
    desk.queue(&slack, &held).await;
    assert_eq!(
        desk.deliver(&slack, None).await.delivered,
        2,
        "both states are new"
    );
}

#[tokio::test]
async fn pauses_grow_and_a_week_is_enough() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "url").await;
    let slack = listener.notifier("slack");
    listener.answer(500);
    desk.queue(&slack, &[notice("bob", NoticeKind::Held)]).await;
    let mut tries = 0;
    for _ in 0..7 * 24 {
        tries += desk.deliver(&slack, None).await.failed;
        desk.pass(3600);
    }
    assert!((28..=40).contains(&tries), "{tries}");
    desk.pass(6 * 3600);
    let sent = desk.deliver(&slack, None).await;
    assert_eq!((sent.failed, sent.given_up), (0, 1));
    desk.pass(86_400);
    assert_eq!(desk.deliver(&slack, None).await.given_up, 0);
}

#[tokio::test]
async fn a_notifier_that_is_down_costs_a_few_tries_and_the_others_nothing() {
    let desk = Desk::new();
    let down = Listener::start(desk.folder.path(), "down").await;
    let up = Listener::start(desk.folder.path(), "up").await;
    down.answer(500);
    let (slack, teams) = (down.notifier("slack"), up.notifier("teams"));
    let users: Vec<_> = (0..20)
        .map(|n| notice(&format!("user-{n}"), NoticeKind::Held))
        .collect();
    desk.queue(&slack, &users).await;
    desk.queue(&teams, &users).await;
    let sent = desk.deliver(&slack, None).await;
    assert_eq!((sent.delivered, sent.failed), (0, 3));
    assert_eq!(desk.deliver(&teams, None).await.delivered, 20);
    down.answer(200);
    assert_eq!(
        desk.deliver(&slack, None).await.delivered,
        17,
        "the untried ones"
    );
    desk.pass(60);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 3);
}

/// A clock that advances half a minute on every read.
struct HastyClock(AtomicI64);

impl Clock for HastyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.fetch_add(30, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_slow_notifier_gets_a_minute() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "url").await;
    let slack = listener.notifier("slack");
    let users: Vec<_> = (0..20)
        .map(|n| notice(&format!("user-{n}"), NoticeKind::Held))
        .collect();
    desk.queue(&slack, &users).await;
    let journal = desk.journal();
    let outbox = NoticeOutbox {
        journal: &journal,
        notifiers: std::slice::from_ref(&slack),
        digest: None,
        accounts: BTreeMap::new(),
    };
    let sent = outbox.deliver(&HastyClock(AtomicI64::new(NOON))).await;
    assert_eq!(sent.unwrap().remove(0).delivered, 1);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 19, "the rest");
}

#[tokio::test]
async fn what_one_process_delivers_another_does_not() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "url").await;
    let slack = listener.notifier("slack");
    desk.queue(&slack, &[notice("bob", NoticeKind::Held)]).await;
    // Simulates a process that is killed after the claim.
    let claimed = desk
        .journal()
        .claim_notices(slack.text(), 10, 300)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 0);
    desk.pass(300);
    assert_eq!(desk.deliver(&slack, None).await.delivered, 1);
}

#[tokio::test]
async fn a_daily_digest_waits_and_what_is_urgent_does_not() {
    let desk = Desk::new();
    let listener = Listener::start(desk.folder.path(), "url").await;
    let slack = listener.notifier("slack");
    let (over, held) = (
        notice("bob", NoticeKind::Over),
        notice("eve", NoticeKind::Held),
    );
    let new = vec![
        desk.new_notice(&slack, &over, 3600),
        desk.new_notice(&slack, &held, 0),
    ];
    desk.journal().queue_notices(new, Vec::new()).await.unwrap();
    assert_eq!(
        desk.deliver(&slack, Some(DigestPeriod::Day))
            .await
            .delivered,
        1
    );
    let text = listener.received().remove(0)["text"].to_string();
    assert!(
        text.contains("User: eve") && !text.contains("bob"),
        "{text}"
    );
    desk.pass(3600);
    assert_eq!(
        desk.deliver(&slack, Some(DigestPeriod::Day))
            .await
            .delivered,
        1
    );
    assert!(
        listener.received().remove(0)["text"]
            .to_string()
            .contains("User: bob")
    );
}

#[tokio::test]
async fn the_outbox_is_bounded_and_the_newest_stay() {
    let desk = Desk::new();
    let slack: Notifier = "slack:env:NOT_SET_ANYWHERE".parse().unwrap();
    let other: Notifier = "teams:env:NOT_SET_ANYWHERE".parse().unwrap();
    desk.queue(&other, &[notice("bob", NoticeKind::Held)]).await;
    let users = (0..10_001).map(|n| notice(&format!("user-{n}"), NoticeKind::Held));
    let mut new: Vec<_> = users.map(|one| desk.new_notice(&slack, &one, 0)).collect();
    let last = new.split_off(10_000);
    let journal = desk.journal();
    assert_eq!(journal.queue_notices(new, Vec::new()).await.unwrap(), 0);
    assert_eq!(journal.queue_notices(last, Vec::new()).await.unwrap(), 1);
    let waiting = journal
        .claim_notices(slack.text(), 20_000, 0)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 10_000);
    assert!(waiting[0].body.contains("user-1\""), "the oldest is gone");
    assert_eq!(
        journal
            .claim_notices(other.text(), 10, 0)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn owners_get_mail_if_their_tag_is_an_address() {
    let smtp: Notifier = "smtp:h?from=a@b.c&to=d@e.f".parse().unwrap();
    let slack: Notifier = "slack:env:X".parse().unwrap();
    for (owner, address) in [
        ("alice@example.org", Some("alice@example.org")),
        (" alice@example.org ", Some("alice@example.org")),
        ("team-storage", None),
        ("", None),
        ("alice@localhost", None),
        ("alice@[127.0.0.1]", None),
        ("alice@example.org, eve@example.org", None),
        ("alice@example.org\r\nBcc: eve@example.org", None),
        ("Alice <alice@example.org>", None),
        ("ålice@example.org", None),
    ] {
        let mut notice = notice("bob", NoticeKind::Held);
        notice.owner = Some(owner.to_owned());
        let mut expected = vec![None];
        expected.extend(address.map(|address| Some(address.to_owned())));
        assert_eq!(smtp.recipients(&notice), expected, "{owner:?}");
        assert_eq!(slack.recipients(&notice), [None], "{owner:?}");
    }
}
