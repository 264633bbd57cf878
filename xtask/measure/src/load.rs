//! `cargo xtask load`: throughput and latency of the built server, each compared in the same run
//! with a bare HTTP server that returns the same bytes, or with one flush per write.
//!
//! For a fair comparison, the same threads drive every lane in alternating slices with requests
//! that were signed in advance, and a ratio is the median over neighbouring slices. A missed target
//! is printed and is not an error.

mod at_rest;
mod clients;
mod drive;
pub(crate) mod seed;
mod table;

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context, ensure};

use self::{
    clients::{Flushing, Repeating, Rotating},
    drive::{Client, Driven, Lane, drive},
    seed::Seeded,
    table::{Figure, Report, Row, RunCondition},
};
use crate::{
    client::Connection,
    installation::{Running, binaries, fresh_folder},
    requests::{self, Key},
};

/// Connections to each server.
const CLIENTS: usize = 64;
/// Requests signed in advance per client. With many users, each is signed with another user's key.
const SIGNED: usize = 64;
/// Users of the small installation. Each client of the durable writes needs its own.
const FEW: usize = 10;
/// Resident memory to aim at with the large installation.
const MEMORY_MB: f64 = 100.0;
/// Number of timed starts.
const STARTS: usize = 5;
/// Size of a flushed record in bytes: about that of a user with two keys.
const RECORD_BYTES: usize = 700;
/// How much longer a flush takes on the slow disk. Disks of laptops and of the cloud take one to
/// ten milliseconds; those with a battery answer before anything is durable elsewhere.
const FLUSH_DELAY: Duration = Duration::from_millis(2);

/// `load`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Seconds that each server is driven with each work
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Users of the large installation; a new number is seeded first
    #[arg(long, default_value_t = 100_000)]
    users: usize,
}

/// Builds a request, signed with the given key.
type Make<'a> = &'a dyn Fn(&Running, &Key) -> anyhow::Result<Vec<u8>>;

/// A running installation.
struct Installed {
    server: Running,
    keys: Vec<Key>,
}

/// Runs every workload and prints the report.
///
/// # Errors
/// If a server fails to start or sends an unexpected response.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let each = Duration::from_secs(args.seconds);
    let mut report = Report::default();
    let many = many(args.users, &mut report)?;
    let few = install(seed::folder(FEW)?)?;
    identity(&few, &many, each, &mut report)?;
    let memory = to_mb(many.server.resident()?);
    let name = format!("resident MB after load with {} users", args.users);
    report.figures.push(Figure::below(&name, memory, MEMORY_MB));
    drop(many);
    one_work(&few, each, ("GetUser", 0.65), &get_user, &mut report)?;
    one_work(
        &few,
        each,
        ("S3 GET of 1 KiB", 0.5),
        &get_object,
        &mut report,
    )?;
    drop(few);
    at_rest::at_rest(each, &mut report)?;
    durable(each, Duration::ZERO, &mut report)?;
    durable(each, FLUSH_DELAY, &mut report)?;
    conditions(&mut report)?;
    report.print(args.json)
}

fn install(seeded: Seeded) -> anyhow::Result<Installed> {
    Ok(Installed {
        server: Running::serve(&seeded.data)?,
        keys: seeded.keys,
    })
}

/// Starts the large installation. Its startup time and memory go into the report.
fn many(users: usize, report: &mut Report) -> anyhow::Result<Installed> {
    let seeded = seed::folder(users)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Running::serve(&seeded.data)?.started.as_secs_f64());
    }
    starts.sort_unstable_by(f64::total_cmp);
    let median = starts.get(STARTS / 2).copied().unwrap_or_default();
    let installed = install(seeded)?;
    let resident = to_mb(installed.server.resident()?);
    let name = format!("seconds to start with {users} users");
    report.figures.push(Figure::below(&name, median, 1.0));
    let name = format!("resident MB after the start with {users} users");
    report
        .figures
        .push(Figure::below(&name, resident, MEMORY_MB));
    Ok(installed)
}

fn to_mb(bytes: u64) -> f64 {
    Duration::from_micros(bytes).as_secs_f64()
}

/// GetCallerIdentity with few and with many users, compared with the bare server.
fn identity(
    few: &Installed,
    many: &Installed,
    each: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let bare = bare(few, &who_am_i)?;
    let lanes = vec![
        lane(few, &few.server, &who_am_i)?,
        lane(many, &many.server, &who_am_i)?,
        lane(few, &bare, &who_am_i)?,
    ];
    let [by_few, by_many, by_bare] = driven(drive(lanes, each)?)?;
    let (users_few, users_many) = (few.keys.len(), many.keys.len());
    let (ratio_few, ratio_many) = (by_few.ratio_to(&by_bare), by_many.ratio_to(&by_bare));
    let work = |users| format!("GetCallerIdentity, {users} users");
    let row = |work: &str, driven| Row::new(work, CLIENTS, driven);
    report
        .rows
        .push(row(&work(users_few), &by_few).beside(ratio_few));
    report
        .rows
        .push(row(&work(users_many), &by_many).beside(ratio_many));
    report
        .rows
        .push(row("  bare hyper, the same bytes", &by_bare));
    let name = "GetCallerIdentity to bare hyper";
    report.figures.push(Figure::at_least(name, ratio_few, 0.7));
    let name = format!("GetCallerIdentity with {users_many} users to {users_few}");
    let ratio = by_many.ratio_to(&by_few);
    report.figures.push(Figure::at_least(&name, ratio, 0.95));
    Ok(())
}

/// One workload compared with the bare server, and the ratio to aim at.
fn one_work(
    on: &Installed,
    each: Duration,
    (name, target): (&str, f64),
    make: Make<'_>,
    report: &mut Report,
) -> anyhow::Result<()> {
    if name.starts_with("S3") {
        put_object(on)?;
    }
    let bare = bare(on, make)?;
    let lanes = vec![lane(on, &on.server, make)?, lane(on, &bare, make)?];
    let [by_server, by_bare] = driven(drive(lanes, each)?)?;
    let (row, ratio) = (
        Row::new(name, CLIENTS, &by_server),
        by_server.ratio_to(&by_bare),
    );
    report.rows.push(row.beside(ratio));
    let row = Row::new("  bare hyper, the same bytes", CLIENTS, &by_bare);
    report.rows.push(row);
    let name = format!("{name} to bare hyper");
    report.figures.push(Figure::at_least(&name, ratio, target));
    Ok(())
}

/// Durable writes compared with one flush each, on a disk whose flushes are delayed.
fn durable(each: Duration, delay: Duration, report: &mut Report) -> anyhow::Result<()> {
    let seeded = seed::folder(CLIENTS)?;
    let (disk, server) = if delay.is_zero() {
        (String::new(), Running::serve(&seeded.data)?)
    } else {
        let disk = format!(", flushes +{} ms", delay.as_millis());
        match Running::serve_on_slow_disk(&seeded.data, delay) {
            Ok(server) => (disk, server),
            Err(error) => {
                let why = format!("not measured: {error:#}");
                let condition = RunCondition::new("durable writes with slow flushes", why);
                report.conditions.push(condition);
                return Ok(());
            }
        }
    };
    let on = Installed {
        server,
        keys: seeded.keys,
    };
    let mut clients: Vec<Box<dyn Client>> = Vec::new();
    for key in &on.keys {
        clients.push(Box::new(Rotating::new(on.server.address, key.clone())?));
    }
    let flushed = fresh_folder("flushed")?.join("records");
    let flushing: Box<dyn Client> = Box::new(Flushing::new(&flushed, RECORD_BYTES, delay)?);
    let lanes = vec![
        Lane {
            server: Some(&on.server),
            clients,
        },
        Lane {
            server: None,
            clients: vec![flushing],
        },
    ];
    let [by_server, by_flush] = driven(drive(lanes, each)?)?;
    let ratio = by_server.ratio_to(&by_flush);
    let work = format!("create, delete access keys{disk}");
    let row = Row::new(&work, CLIENTS, &by_server);
    report.rows.push(row.beside(ratio));
    let row = Row::new("  write and flush of as many bytes each", 1, &by_flush);
    report.rows.push(row);
    let name = format!("durable writes at 64 clients to one flush each{disk}");
    report.figures.push(Figure::at_least(&name, ratio, 20.0));
    let flush = format!(
        "{} µs, p99 {} µs",
        by_flush.percentile(50),
        by_flush.percentile(99)
    );
    let name = if delay.is_zero() {
        "flush"
    } else {
        "delayed flush"
    };
    report.conditions.push(RunCondition::new(name, flush));
    Ok(())
}

/// What the ratios depend on: a slow processor or a fast flush makes those of durable writes small.
fn conditions(report: &mut Report) -> anyhow::Result<()> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches(['\t', ':', ' ']));
    let count = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<_> = load.split(' ').take(2).collect();
    let profile = binaries()?;
    let profile = profile.file_name().unwrap_or_default().to_string_lossy();
    report.conditions.extend([
        RunCondition::new("processor", format!("{count} × {model}")),
        RunCondition::new("load average at the end", load.join(" ")),
        RunCondition::new("profile", profile),
    ]);
    Ok(())
}

fn driven<const N: usize>(lanes: Vec<Driven>) -> anyhow::Result<[Driven; N]> {
    let lanes = lanes.try_into();
    lanes.map_err(|_| anyhow::anyhow!("not as many lanes as servers"))
}

/// Clients of `to` that send requests signed with an installation's keys.
fn lane<'a>(on: &Installed, to: &'a Running, make: Make<'_>) -> anyhow::Result<Lane<'a>> {
    let mut clients: Vec<Box<dyn Client>> = Vec::new();
    // Spread the clients over all keys.
    let stride = (on.keys.len() / (CLIENTS * SIGNED)).max(1);
    let mut keys = on.keys.iter().step_by(stride).cycle();
    for _ in 0..CLIENTS {
        let signed = keys.by_ref().take(SIGNED).map(|key| make(&on.server, key));
        let signed = signed.collect::<Result<Vec<_>, _>>()?;
        let connection = Connection::open(to.address)?;
        clients.push(Box::new(Repeating::new(connection, Arc::new(signed))));
    }
    Ok(Lane {
        server: Some(to),
        clients,
    })
}

/// A bare server that returns the server's current response.
fn bare(on: &Installed, make: Make<'_>) -> anyhow::Result<Running> {
    let key = on.keys.first().context("no keys")?;
    let mut connection = Connection::open(on.server.address)?;
    let reply = connection.exchange(&make(&on.server, key)?)?;
    ensure!(reply.status == 200, "not answered: {}", reply.excerpt());
    let path = fresh_folder("recorded")?.join("answer");
    fs::File::create(&path)?;
    let recorded = [reply.head, reply.body].concat();
    keywright_store::durable::replace(&path, &recorded)?;
    Running::bare(&path)
}

fn who_am_i(server: &Running, key: &Key) -> anyhow::Result<Vec<u8>> {
    requests::query(server.address, key, ("sts", "GetCallerIdentity"), &[])
}

fn get_user(server: &Running, key: &Key) -> anyhow::Result<Vec<u8>> {
    requests::query(server.address, key, ("iam", "GetUser"), &[])
}

fn get_object(server: &Running, key: &Key) -> anyhow::Result<Vec<u8>> {
    requests::s3(server.address, key, ("GET", "/measured/object"), b"")
}

fn put_object(on: &Installed) -> anyhow::Result<()> {
    let key = on.keys.first().context("no keys")?;
    on.server.put(key, "/measured", b"")?;
    on.server.put(key, "/measured/object", &[b'o'; 1024])
}
