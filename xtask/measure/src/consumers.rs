//! `cargo xtask consumers`: kills `keywright rotate USER` at random moments while programs keep
//! using the keys that it rotates.
//!
//! Each consumer reads its credentials from its file for each call, as the AWS SDKs do on startup.
//! Invariants: no call is denied, every file always holds a complete pair, no stray file is left
//! behind, and a run that is not killed finishes every rotation with one key for each user.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::Args as Arguments;
use serde_json::Value;

use crate::{
    chance::{self, Chance},
    client::Connection,
    fleet,
    installation::{Running, binaries, fresh_folder},
    load::seed,
    requests::{self, Key},
    say,
};

/// The file with the pairs of every second consumer.
const SHARED: &str = "credentials";
/// Pause between two calls of a consumer.
const PAUSE: Duration = Duration::from_millis(50);
/// Concurrent rotations.
const ROTATORS: usize = 4;
/// Longest life of a run in milliseconds. After that it only waits for the windows to end.
const LIFE_MS: u64 = 2000;
/// Undisturbed runs within which every rotation must finish.
const LAST_RUNS: usize = 5;

/// How many, and how often.
#[derive(Debug, Arguments)]
pub(crate) struct Args {
    /// How often the rotating process is killed
    #[arg(long, default_value_t = 300)]
    kills: u32,
    /// Programs that use the keys, 1 to 4999
    #[arg(long, default_value_t = 30)]
    consumers: usize,
    /// Repeats the choices (not the timing) of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// Kills rotations and checks what the consumers see.
///
/// # Errors
/// The first violation with its evidence. The files are kept.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(chance::random);
    say(&format!("seed {seed}"))?;
    let scene = Scene::new(args.consumers)?;
    let stop = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    let rotations = thread::scope(|scope| {
        let consume = |consumer| {
            let (scene, stop, calls) = (&scene, &stop, &calls);
            scope.spawn(move || scene.consume(consumer, stop, calls))
        };
        let consumers: Vec<_> = (1..=args.consumers).map(consume).collect();
        let failed = || consumers.iter().any(ScopedJoinHandle::is_finished);
        let killed = scene.kill_again_and_again(args.kills, Chance::new(seed), &failed);
        let ended = if failed() { Ok(0) } else { scene.finish() };
        stop.store(true, Ordering::Relaxed);
        for (number, consumer) in (1..).zip(consumers) {
            match consumer.join() {
                Ok(outcome) => outcome.with_context(|| format!("consumer {number}"))?,
                Err(_) => bail!("consumer {number} panicked"),
            }
        }
        killed.and(ended)
    })
    .with_context(|| format!("seed {seed}; the files are in {}", scene.files.display()))?;
    scene.check_end()?;
    say(&format!(
        "{} kills during {rotations} rotations: {} calls of {} consumers, none refused, no file \
         left over",
        args.kills,
        calls.load(Ordering::Relaxed),
        args.consumers
    ))
}

/// The server and the consumers' files.
struct Scene {
    server: Running,
    operator: Key,
    files: PathBuf,
    consumers: usize,
    journal: PathBuf,
}

impl Scene {
    fn new(consumers: usize) -> anyhow::Result<Self> {
        let seeded = seed::folder(consumers + 1)?;
        let server = Running::serve(&seeded.data)?;
        let mut keys = seeded.keys.into_iter();
        let operator = keys.next().context("no user")?;
        fleet::make_operator(&server, &operator)?;
        let files = fresh_folder("consumers-files")?;
        let mut shared = String::new();
        for (number, key) in (1..).zip(keys) {
            let (id, secret) = (&key.id, key.secret.expose());
            if in_shared_file(number) {
                shared.push_str(&format!(
                    "[{}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\n",
                    user(number)
                ));
            } else {
                let text = format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n");
                write(&files.join(format!("{}.env", user(number))), &text)?;
            }
        }
        write(&files.join(SHARED), &shared)?;
        Ok(Self {
            server,
            operator,
            files,
            consumers,
            journal: fresh_folder("consumers-journal")?,
        })
    }

    /// Uses the key in its file until stopped.
    ///
    /// # Errors
    /// A denied call, or a file without a complete pair.
    fn consume(&self, number: usize, stop: &AtomicBool, calls: &AtomicU64) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.server.address)?;
        while !stop.load(Ordering::Relaxed) {
            let key = self.read(number)?;
            let request = requests::s3(self.server.address, &key, ("GET", "/"), b"")?;
            let reply = connection.exchange(&request)?;
            ensure!(
                reply.status == 200,
                "{} was refused: {}",
                key.id,
                reply.excerpt()
            );
            calls.fetch_add(1, Ordering::Relaxed);
            pause(PAUSE);
        }
        Ok(())
    }

    /// The pair in a consumer's file.
    fn read(&self, number: usize) -> anyhow::Result<Key> {
        let user = user(number);
        let (path, id, secret) = if in_shared_file(number) {
            let names = ("aws_access_key_id", "aws_secret_access_key");
            (self.files.join(SHARED), names.0, names.1)
        } else {
            let names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
            (self.files.join(format!("{user}.env")), names.0, names.1)
        };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let section = match text.split_once(&format!("[{user}]\n")) {
            Some((_, rest)) => rest.split('[').next().unwrap_or_default(),
            None => &text,
        };
        let value = |name: &str| {
            let mut settings = section.lines().filter_map(|line| line.split_once('='));
            let (_, value) = settings.find(|(found, _)| found.trim() == name)?;
            Some(value.trim().to_owned())
        };
        let pair = value(id).zip(value(secret));
        let (id, secret) = pair.with_context(|| format!("half a pair in {}", path.display()))?;
        Ok(Key {
            id,
            secret: keywright_base::Secret::new(secret),
        })
    }

    /// Runs several rotators concurrently and kills them.
    fn kill_again_and_again(
        &self,
        kills: u32,
        mut chance: Chance,
        failed: &(impl Fn() -> bool + Sync),
    ) -> anyhow::Result<()> {
        let left = AtomicI64::new(kills.into());
        thread::scope(|scope| {
            let kill = |first| {
                let (chance, left) = (Chance::new(chance.next()), &left);
                scope.spawn(move || self.kill_some(first, chance, left, failed))
            };
            let all: Vec<_> = (1..=ROTATORS).map(kill).collect();
            for one in all {
                match one.join() {
                    Ok(outcome) => outcome?,
                    Err(_) => bail!("a rotator panicked"),
                }
            }
            Ok(())
        })
    }

    /// Starts or continues the rotation of one user after another and kills it. Each rotator has
    /// its own users.
    fn kill_some(
        &self,
        first: usize,
        mut chance: Chance,
        left: &AtomicI64,
        failed: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let users: Vec<usize> = (first..=self.consumers).step_by(ROTATORS).collect();
        while left.load(Ordering::Relaxed) > 0 && !failed() {
            let Some(number) = chance.one_of(&users) else {
                return Ok(());
            };
            let mut child = self.start(&self.rotate(*number))?;
            pause(Duration::from_millis(chance.below(LIFE_MS)));
            if child.try_wait()?.is_none() {
                left.fetch_sub(1, Ordering::Relaxed);
            }
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Finishes all open rotations. Returns how many succeeded.
    fn finish(&self) -> anyhow::Result<usize> {
        for _ in 0..LAST_RUNS {
            let rotations = self.rotations()?;
            let (over, open): (Vec<_>, Vec<_>) = rotations
                .iter()
                .partition(|rotation| ENDED.contains(&phase(rotation)));
            if open.is_empty() {
                return Ok(over.iter().filter(|one| phase(one) == "Done").count());
            }
            self.run(&["resume".into()])?;
        }
        bail!("some rotations do not end: {:?}", self.rotations()?)
    }

    /// The observation window is longer than any consumer keeps using the pair that it has read.
    fn rotate(&self, number: usize) -> Vec<String> {
        let (user, files) = (user(number), self.files.display());
        let place = match in_shared_file(number) {
            true => format!("aws-profile:{user}@{files}/{SHARED}"),
            false => format!("dotenv:{files}/{user}.env"),
        };
        let words = [
            &user,
            "--deliver",
            &place,
            "--observe",
            "2s",
            "--dwell",
            "1s",
        ];
        words.map(str::to_owned).to_vec()
    }

    fn rotations(&self) -> anyhow::Result<Vec<Value>> {
        let child = self.start(&["status", "--all", "--json"].map(str::to_owned))?;
        let done = child.wait_with_output()?;
        serde_json::from_slice(&done.stdout).context("the answer of rotate status")
    }

    /// Runs to the end. Exit code 1 means that a rotation waits or is held.
    fn run(&self, command: &[String]) -> anyhow::Result<()> {
        let done = self.start(command)?.wait_with_output()?;
        let code = done.status.code();
        let text = String::from_utf8_lossy(&done.stderr);
        ensure!(
            matches!(code, Some(0 | 1)),
            "rotate {command:?}: {code:?} {text}"
        );
        Ok(())
    }

    fn start(&self, command: &[String]) -> anyhow::Result<Child> {
        let child = Command::new(binaries()?.join("keywright"))
            .arg("rotate")
            .args(command)
            .envs(fleet::environment(&self.server, &self.operator))
            .env("KEYWRIGHT_JOURNAL", &self.journal)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(child)
    }

    /// Checks that each user has one key, the one in its file, and that there are no other files.
    fn check_end(&self) -> anyhow::Result<()> {
        let mut expected = BTreeSet::from([SHARED.to_owned()]);
        let mut connection = Connection::open(self.server.address)?;
        for number in 1..=self.consumers {
            let user = user(number);
            let request = requests::query(
                self.server.address,
                &self.operator,
                ("iam", "ListAccessKeys"),
                &[("UserName", &user)],
            )?;
            let reply = connection.exchange(&request)?;
            let text = String::from_utf8_lossy(reply.body).into_owned();
            let key = self.read(number)?.id;
            let one = text.matches("<AccessKeyId>").count() == 1 && text.contains(&key);
            ensure!(one, "{user} has {key} in its file, and in IAM: {text}");
            if !in_shared_file(number) {
                expected.insert(format!("{user}.env"));
            }
        }
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(&self.files)? {
            found.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        ensure!(
            found == expected,
            "left over: {:?}",
            found.difference(&expected)
        );
        Ok(())
    }
}

/// Phases in which a rotation is over.
const ENDED: [&str; 4] = ["Done", "RolledBack", "UserGone", "Abandoned"];

fn phase(rotation: &Value) -> &str {
    let phase = rotation.get("Phase").and_then(Value::as_str);
    phase.unwrap_or_default()
}

fn user(number: usize) -> String {
    format!("user-{number:06}")
}

/// Every second one, so that many rotations write to one file concurrently.
const fn in_shared_file(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    Ok(file.write_all(text.as_bytes())?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "paces a client, and the random moment of death is the experiment"
)]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
