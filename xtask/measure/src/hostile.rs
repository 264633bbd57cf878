//! `cargo xtask hostile`: how long root waits for GetUser while a user who may only read asks for
//! the most work that one request can ask for, from many connections at the same time.
//!
//! It judges nothing: a missed target is printed, not an error.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::{
    client::{Connection, instant},
    installation::{Running, fresh_folder, root},
    requests::{self, Key},
};

/// Milliseconds that 99 of 100 GetUser may take.
const TARGET_MS: f64 = 50.0;
/// Patterns and values of a simulation that is refused: 197 kB, as it was found.
const REFUSED: Size = Size {
    patterns: 5000,
    values: 2000,
    value_bytes: 10,
};
/// Of one that is carried out, with about as many steps as a page may take.
const CARRIED_OUT: Size = Size {
    patterns: 400,
    values: 400,
    value_bytes: 90,
};

/// `hostile`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds for each kind of request
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Requests in flight
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
}

/// How large a simulation is.
#[derive(Clone, Copy)]
struct Size {
    patterns: usize,
    values: usize,
    value_bytes: usize,
}

/// Runs both kinds and prints what was measured.
///
/// # Errors
/// When the server does not start or root is not answered.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let data = fresh_folder("hostile")?.join("data");
    let server = Running::serve(&data)?;
    let root = root(&data)?;
    let reader = reader(&server, &root)?;
    let each = Duration::from_secs(args.seconds);
    let mut out = std::io::stdout();
    for (name, size) in [
        ("nothing else", None),
        ("simulations that are too large", Some(REFUSED)),
        ("the largest simulations", Some(CARRIED_OUT)),
    ] {
        let hostile = size.map(|size| simulation(&server, &reader, size));
        let hostile = hostile.transpose()?;
        let (mut micros, answers) = beside(&server, &root, (hostile, args.in_flight), each)?;
        micros.sort_unstable();
        let at = |percent: usize| {
            let at = micros.len().saturating_sub(1) * percent / 100;
            micros.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        let (p50, p99, worst) = (at(50), at(99), at(100));
        let reached = if p99 < TARGET_MS { "reached" } else { "missed" };
        writeln!(
            out,
            "GetUser beside {name}: {} answers, p50 {p50:.2} ms, p99 {p99:.2} ms (< {TARGET_MS} \
             ms: {reached}), longest {worst:.2} ms; the others: {answers:?}",
            micros.len()
        )?;
    }
    Ok(())
}

/// Answers to hostile requests, by status.
type Answers = BTreeMap<u16, usize>;

/// Asks for GetUser, one after another, while others send the hostile request.
fn beside(
    server: &Running,
    root: &Key,
    (hostile, in_flight): (Option<Vec<u8>>, usize),
    each: Duration,
) -> anyhow::Result<(Vec<Duration>, Answers)> {
    let stop = AtomicBool::new(false);
    let attack = |request: &[u8]| {
        let mut answers = Answers::new();
        let mut connection = Connection::open(server.address)?;
        while !stop.load(Ordering::Relaxed) {
            let status = connection.exchange(request)?.status;
            *answers.entry(status).or_default() += 1;
        }
        anyhow::Ok(answers)
    };
    thread::scope(|scope| {
        let attackers = hostile.iter().cycle().take(in_flight);
        let attackers: Vec<_> = attackers
            .map(|request| scope.spawn(|| attack(request)))
            .collect();
        let micros = get_user(server, root, each);
        stop.store(true, Ordering::Relaxed);
        let mut all = Answers::new();
        for attacker in attackers {
            let Ok(answers) = attacker.join() else {
                bail!("a client panicked");
            };
            for (status, count) in answers? {
                *all.entry(status).or_default() += count;
            }
        }
        Ok((micros?, all))
    })
}

fn get_user(server: &Running, root: &Key, each: Duration) -> anyhow::Result<Vec<Duration>> {
    let request = requests::query(server.address, root, ("iam", "GetUser"), &[])?;
    let mut connection = Connection::open(server.address)?;
    let (begin, mut all) = (instant(), Vec::new());
    while begin.elapsed() < each {
        let start = instant();
        let reply = connection.exchange(&request)?;
        all.push(start.elapsed());
        ensure!(reply.status == 200, "not answered: {}", reply.shown());
        pause();
    }
    Ok(all)
}

/// Root is one client among many, not one that fills a processor by itself.
#[expect(clippy::disallowed_methods, reason = "paces a client")]
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

/// A user who may read everything.
fn reader(server: &Running, root: &Key) -> anyhow::Result<Key> {
    let mut connection = Connection::open(server.address)?;
    let mut key = None;
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    for (action, more) in [
        ("CreateUser", None),
        ("AttachUserPolicy", Some(("PolicyArn", policy))),
        ("CreateAccessKey", None),
    ] {
        let mut parameters = vec![("UserName", "reader")];
        parameters.extend(more);
        let request = requests::query(server.address, root, ("iam", action), &parameters)?;
        let reply = connection.exchange(&request)?;
        ensure!(reply.status == 200, "not answered: {}", reply.shown());
        let (id, secret) = (
            reply.element("AccessKeyId"),
            reply.element("SecretAccessKey"),
        );
        key = id.zip(secret).map(|(id, secret)| Key {
            id: id.to_owned(),
            secret: keywright_base::Secret::new(secret.to_owned()),
        });
    }
    key.context("no access key")
}

/// A simulation in which every value is compared with every pattern.
fn simulation(server: &Running, key: &Key, size: Size) -> anyhow::Result<Vec<u8>> {
    let patterns = (0..size.patterns).map(|number| format!("\"*a?b*z{number}*\""));
    let patterns: Vec<_> = patterns.collect();
    let policy = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"*\",\
         \"Resource\":\"*\",\"Condition\":{{\"ForAnyValue:StringLike\":{{\"aws:TagKeys\":[{}]\
         }}}}}}}}",
        patterns.join(",")
    );
    let value = "aab".repeat(size.value_bytes / 3);
    let entry = "ContextEntries.member.1.ContextKey";
    let values = (1..=size.values).map(|at| format!("{entry}Values.member.{at}"));
    let values: Vec<_> = values.collect();
    let (name, kind) = (format!("{entry}Name"), format!("{entry}Type"));
    let mut parameters = vec![
        ("PolicyInputList.member.1", &*policy),
        ("ActionNames.member.1", "s3:GetObject"),
        (&*name, "aws:TagKeys"),
        (&*kind, "stringList"),
    ];
    parameters.extend(values.iter().map(|name| (&**name, &*value)));
    let action = ("iam", "SimulateCustomPolicy");
    requests::query(server.address, key, action, &parameters)
}
