//! `cargo xtask simulate`: runs the rotation simulator with more seeds than the tests do.
//!
//! The properties are checked by the simulator. A failing seed is printed with its trace; replay it
//! with `--from SEED --seeds 1`.

use anyhow::bail;
use keywright_rotation::simulator;

/// How many seeds, and from which.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seeds to run
    #[arg(long, default_value_t = 1_000_000)]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,
}

/// Distributes the seeds over the processors and runs them.
///
/// # Errors
/// The first seed of each share that strands a consumer or does not terminate.
#[expect(clippy::print_stdout, reason = "a chore's result")]
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let share = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let worker = |first: u64| {
            move || {
                let seeds = (args.from + first..args.from + args.seeds).step_by(share as usize);
                seeds.map(simulator::run).find_map(Result::err)
            }
        };
        let workers: Vec<_> = (0..share).map(|first| scope.spawn(worker(first))).collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .filter_map(|seeds| seeds.unwrap_or_else(|_| Some("a seed panicked".to_owned())))
            .collect()
    });
    if let Some(failure) = failures.first() {
        bail!("{failure}");
    }
    println!("{} seeds, nobody was stranded", args.seeds);
    Ok(())
}
