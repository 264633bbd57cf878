//! `cargo xtask fleet`: rotates the one key of each of many users with `keywright rotate apply`
//! against the built server. Each user's destination is a file.
//!
//! Observation window and dwell are zero, so the figures measure the work itself. A second run
//! keeps the journal in memory, which shows the cost of its flushes. Every file must then hold a
//! new key. Finally one key is created, deactivated and deleted repeatedly, to measure how soon it
//! is accepted and rejected.

mod gaps;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::Args as Arguments;
use serde_json::{Value, json};

use self::gaps::Both;
use crate::{
    client::{Connection, instant},
    installation::{Running, binaries, fresh_folder},
    load::seed,
    requests::{Key, query},
};

/// Interval between samples of the command's memory.
const LOOK: Duration = Duration::from_millis(20);
/// A folder in which a file costs no flush.
const MEMORY: &str = "/dev/shm";

/// The user that rotates the others.
const OPERATOR: &str = "user-000000";
/// The user whose second key is created and deleted.
const USER: &str = "user-000001";

/// How many, and how.
#[derive(Debug, Arguments)]
pub(crate) struct Args {
    /// Users, 2 to 5000; the first rotates the others
    #[arg(long, default_value_t = 5000)]
    users: usize,

    /// Rotations at a time
    #[arg(long, default_value_t = 8)]
    at_once: usize,

    /// Keys that are made and deactivated to see how soon that shows
    #[arg(long, default_value_t = 1000)]
    keys: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The resources used by a command.
struct Took {
    seconds: f64,
    peak_bytes: u64,
    answer: Value,
}

/// Measures and prints.
///
/// # Errors
/// If something fails, or a file does not hold a new key.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let disk = fresh_folder("fleet-journal")?;
    let on_disk = fleet(args, &disk)?;
    let in_memory = match Path::new(MEMORY).is_dir() {
        true => {
            let folder = PathBuf::from(MEMORY).join(format!("keywright-{}", std::process::id()));
            let measured = fleet(args, &folder);
            fs::remove_dir_all(&folder)?;
            Some(measured?)
        }
        false => None,
    };
    print(args, &on_disk, in_memory.as_ref())
}

/// Figures of the survey and of the rotations.
struct Measured {
    plan: Took,
    apply: Took,
    gaps: Both,
}

fn fleet(args: &Args, journal: &Path) -> anyhow::Result<Measured> {
    let seeded = seed::folder(args.users)?;
    let server = Running::serve(&seeded.data)?;
    let files = fresh_folder("fleet-files")?;
    let declared = files.join("fleet.toml");
    let text = format!(
        "at_once = {}\n[[account]]\nname = 'measured'\n[[account.rule]]\nusers = ['{OPERATOR}']\n\
         skip = true\n[[account.rule]]\neveryone = true\nmax_age = '0s'\nobserve = '0s'\n\
         dwell = '0s'\ncreate = true\noverride_unused = 'nobody uses these keys'\n\
         deliver = ['dotenv:{}/{{user}}.env']\n",
        args.at_once,
        files.display()
    );
    fs::File::create(&declared)?.write_all(text.as_bytes())?;
    let operator = seeded.keys.first().context("no user")?;
    make_operator(&server, operator)?;
    let plan = keywright(&server, operator, journal, ("plan", &declared))?;
    let apply = keywright(&server, operator, journal, ("apply", &declared))?;
    let rotated = args.users - 1;
    let did = apply.answer.pointer("/0/Did").and_then(Value::as_array);
    let did = did.context("no answer")?;
    let is_done = |did: &&Value| did.get("Why").is_some_and(|why| why == "Done");
    let other = did.iter().find(|did| !is_done(did));
    let done = did.iter().filter(is_done).count();
    ensure!(
        done == rotated,
        "{done} of {rotated} rotations are done; another: {}",
        other.map_or_else(String::new, Value::to_string)
    );
    let delivered = fs::read_dir(&files)?.count() - 1;
    ensure!(
        delivered == rotated,
        "{delivered} of {rotated} files are there"
    );
    let gaps = Both::measure(&server, operator, USER, args.keys)?;
    Ok(Measured { plan, apply, gaps })
}

/// The environment in which `keywright rotate` acts as the operator.
pub(crate) fn environment(server: &Running, operator: &Key) -> [(&'static str, String); 4] {
    [
        ("AWS_ENDPOINT_URL", format!("http://{}", server.address)),
        ("AWS_ACCESS_KEY_ID", operator.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", operator.secret.expose().clone()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// Grants the first user full access; it already has IAMFullAccess.
pub(crate) fn make_operator(server: &Running, key: &Key) -> anyhow::Result<()> {
    let parameters = [
        ("UserName", OPERATOR),
        ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ];
    let request = query(
        server.address,
        key,
        ("iam", "AttachUserPolicy"),
        &parameters,
    )?;
    let mut connection = Connection::open(server.address)?;
    let reply = connection.exchange(&request)?;
    ensure!(reply.status == 200, "AttachUserPolicy: {}", reply.excerpt());
    Ok(())
}

fn keywright(
    server: &Running,
    operator: &Key,
    journal: &Path,
    (command, declared): (&str, &Path),
) -> anyhow::Result<Took> {
    let begun = instant();
    let mut child = Command::new(binaries()?.join("keywright"))
        .args(["rotate", command])
        .arg(declared)
        .arg("--json")
        .envs(environment(server, operator))
        .env("KEYWRIGHT_JOURNAL", journal)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut out = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut out, &mut text).map(|_| text)
    });
    let peak_bytes = watch(&mut child)?;
    let seconds = begun.elapsed().as_secs_f64();
    let text = reader.join().ok().context("the reader failed")??;
    let answer = serde_json::from_str(&text);
    let answer = answer.with_context(|| format!("rotate {command}: {text:.300}"))?;
    Ok(Took {
        seconds,
        peak_bytes,
        answer,
    })
}

/// Waits for the process to exit. Returns its peak resident memory.
fn watch(child: &mut Child) -> anyhow::Result<u64> {
    let mut peak = 0;
    loop {
        if let Ok(status) = fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) * 1024);
        }
        match child.try_wait()? {
            Some(status) if status.code().is_some_and(|code| code <= 1) => return Ok(peak),
            Some(status) => bail!("it ended with {status}"),
            None => {}
        }
        #[expect(clippy::disallowed_methods, reason = "between two looks at its memory")]
        std::thread::sleep(LOOK);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn figures(users: usize, measured: &Measured) -> Value {
    let calls = |took: &Took| took.answer.pointer("/0/Calls").and_then(Value::as_f64);
    let looked = calls(&measured.plan).unwrap_or_default();
    let rotated = calls(&measured.apply).unwrap_or_default() - looked;
    let users = (users - 1) as f64;
    json!({
        "rotated": users,
        "plan_seconds": measured.plan.seconds,
        "plan_calls": looked,
        "apply_seconds": measured.apply.seconds,
        "rotations_per_minute": users / measured.apply.seconds * 60.0,
        "calls_per_rotation": rotated / users,
        "peak_mib": measured.apply.peak_bytes as f64 / 1048576.0,
    })
}

fn print(args: &Args, disk: &Measured, memory: Option<&Measured>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let gaps = &disk.gaps;
    let disk = figures(args.users, disk);
    let memory = memory.map(|measured| figures(args.users, measured));
    if args.json {
        let all = json!({
            "journal_on_disk": disk,
            "journal_in_memory": memory,
            "gaps": gaps.json(),
        });
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
        return Ok(());
    }
    let excerpt = |figures: &Value, name: &str| {
        let number = figures.get(name).and_then(Value::as_f64);
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1}"))
    };
    writeln!(
        out,
        "{:<28}{:>18}{:>18}",
        "", "journal on disk", "in memory"
    )?;
    for name in [
        "rotated",
        "plan_seconds",
        "plan_calls",
        "apply_seconds",
        "rotations_per_minute",
        "calls_per_rotation",
        "peak_mib",
    ] {
        let other = memory
            .as_ref()
            .map_or_else(|| "-".to_owned(), |memory| excerpt(memory, name));
        writeln!(out, "{name:<28}{:>18}{other:>18}", excerpt(&disk, name))?;
    }
    out.write_all(gaps.table().as_bytes())?;
    Ok(())
}
