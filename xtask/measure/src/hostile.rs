//! `cargo xtask hostile`: measures how long root waits for GetUser while another user sends the
//! most expensive requests, or those with the longest responses, over many connections.
//!
//! A missed target is printed and is not an error.

mod kinds;

use std::{
    collections::BTreeMap,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{bail, ensure};

use crate::{
    client::{Connection, instant},
    installation::{Running, fresh_folder, root},
    requests::{self, Key},
};

/// Target for the 99th percentile of GetUser in milliseconds.
const TARGET_MS: f64 = 50.0;

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

/// Runs every kind of request and prints the measurements.
///
/// # Errors
/// If the server fails to start, or root gets no response.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let data = fresh_folder("hostile")?.join("data");
    let server = Running::serve(&data)?;
    let root = root(&data)?;
    let kinds = kinds::prepare(&server, &root)?;
    let each = Duration::from_secs(args.seconds);
    let nothing = ("nothing else", None);
    let kinds = kinds
        .into_iter()
        .map(|(name, request)| (name, Some(request)));
    for (name, hostile) in std::iter::once(nothing).chain(kinds) {
        let (micros, answers) = beside(&server, &root, (hostile, args.in_flight), each)?;
        print(name, micros, &answers)?;
    }
    Ok(())
}

fn print(name: &str, mut micros: Vec<Duration>, answers: &Answers) -> anyhow::Result<()> {
    micros.sort_unstable();
    let at = |percent: usize| {
        let at = micros.len().saturating_sub(1) * percent / 100;
        micros.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let (p50, p99, worst) = (at(50), at(99), at(100));
    let reached = if p99 < TARGET_MS { "reached" } else { "missed" };
    writeln!(
        std::io::stdout(),
        "GetUser beside {name}: {} answers, p50 {p50:.2} ms, p99 {p99:.2} ms (< {TARGET_MS} ms: \
         {reached}), longest {worst:.2} ms; the others: {answers:?}",
        micros.len()
    )?;
    Ok(())
}

/// Number of responses to hostile requests, by status.
type Answers = BTreeMap<u16, usize>;

/// Sends one GetUser after another while others send the hostile request.
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
        ensure!(reply.status == 200, "not answered: {}", reply.excerpt());
        pause();
    }
    Ok(all)
}

/// Root is one client among many, so it must not saturate a processor by itself.
#[expect(clippy::disallowed_methods, reason = "paces a client")]
fn pause() {
    thread::sleep(Duration::from_millis(1));
}
