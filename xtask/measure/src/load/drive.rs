//! Drives several servers in turn from the same threads: a slice of one, a slice of the next, and
//! around again, so that a noisy machine hurts all alike.
//!
//! A client is a thread with one kept-alive connection to each server and its own requests. What a
//! client does with its connection is a [`Client`]; nothing here knows what is asked.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{client::instant, installation::Running};

/// How long one server is driven before it is the next one's turn.
const SLICE: Duration = Duration::from_millis(250);

/// One client of one server.
pub(super) trait Client: Send {
    /// Does what is timed, once: one request and its answer.
    ///
    /// # Errors
    /// Any answer but the one wanted; it ends the run.
    fn step(&mut self) -> anyhow::Result<()>;

    /// Steps before the first slice, so that connections and caches are warm.
    fn warm_up_steps(&self) -> usize;
}

/// A server and its clients.
pub(super) struct Lane<'a> {
    /// The process whose processor time is counted, if it is one.
    pub(super) server: Option<&'a Running>,
    /// All lanes have as many, or fewer; a lane with one is driven by one thread.
    pub(super) clients: Vec<Box<dyn Client>>,
}

/// What a lane did.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// Steps a second, by slice.
    pub(super) rates: Vec<f64>,
    /// Microseconds of every step, ascending.
    pub(super) micros: Vec<u32>,
    /// Processor time of the server.
    pub(super) processor: Duration,
}

/// Drives every lane for about `each`.
///
/// # Errors
/// The first that a client met.
pub(super) fn drive(lanes: Vec<Lane<'_>>, each: Duration) -> anyhow::Result<Vec<Driven>> {
    let servers: Vec<Option<&Running>> = lanes.iter().map(|lane| lane.server).collect();
    let threads = lanes.iter().map(|lane| lane.clients.len()).max();
    let threads = threads.context("nothing to drive")?;
    let slices = usize::try_from(each.as_millis() / SLICE.as_millis())?.max(1);
    let meeting = Meeting {
        barrier: Barrier::new(threads + 1),
        failed: AtomicBool::new(false),
    };
    let mut crews: Vec<Crew> = (0..threads).map(|_| Crew::new(servers.len())).collect();
    for (lane, line) in lanes.into_iter().enumerate() {
        for (crew, client) in crews.iter_mut().zip(line.clients) {
            if let Some(place) = crew.places.get_mut(lane) {
                *place = Some(client);
            }
        }
    }
    thread::scope(|scope| {
        let crews: Vec<_> = crews
            .into_iter()
            .map(|crew| scope.spawn(|| crew.work(&meeting, slices)))
            .collect();
        let processor = watch(&meeting, &servers, slices)?;
        let mut driven: Vec<Driven> = processor.into_iter().map(Driven::of).collect();
        for crew in crews {
            let Ok(done) = crew.join() else {
                bail!("a client panicked");
            };
            for (lane, logs) in driven.iter_mut().zip(done?) {
                lane.add(logs);
            }
        }
        for lane in &mut driven {
            lane.micros.sort_unstable();
        }
        Ok(driven)
    })
}

/// Where the threads wait for each other before and after each slice.
struct Meeting {
    barrier: Barrier,
    failed: AtomicBool,
}

/// The main thread's part: reads the servers' processor time between the slices.
fn watch(
    meeting: &Meeting,
    servers: &[Option<&Running>],
    slices: usize,
) -> anyhow::Result<Vec<Duration>> {
    let time = |server: &Option<&Running>| match server {
        Some(server) => server.processor(),
        None => Ok(Duration::ZERO),
    };
    let mut total = vec![Duration::ZERO; servers.len()];
    meeting.barrier.wait();
    for _ in 0..slices {
        for (server, total) in servers.iter().zip(&mut total) {
            let before = time(server);
            meeting.barrier.wait();
            meeting.barrier.wait();
            // Only now, so that no thread waits for ever.
            *total += time(server)?.saturating_sub(before?);
        }
    }
    Ok(total)
}

/// One thread's clients: one for each lane, or none.
struct Crew {
    places: Vec<Option<Box<dyn Client>>>,
}

/// What one client did in its slices: the microseconds of each step.
type Logs = Vec<Vec<u32>>;

impl Crew {
    fn new(lanes: usize) -> Self {
        Self {
            places: (0..lanes).map(|_| None).collect(),
        }
    }

    /// Keeps coming to the meetings whatever happens, so that nobody waits for ever.
    fn work(mut self, meeting: &Meeting, slices: usize) -> anyhow::Result<Vec<Logs>> {
        let mut outcome = Ok(());
        let mut note = |done: anyhow::Result<()>| {
            if done.is_err() {
                meeting.failed.store(true, Ordering::Relaxed);
                outcome = std::mem::replace(&mut outcome, Ok(())).and(done);
            }
        };
        for client in self.places.iter_mut().flatten() {
            note((0..client.warm_up_steps()).try_for_each(|_| client.step()));
        }
        let mut logs: Vec<Logs> = self.places.iter().map(|_| Vec::new()).collect();
        meeting.barrier.wait();
        for _ in 0..slices {
            for (place, log) in self.places.iter_mut().zip(&mut logs) {
                let mut micros = Vec::new();
                meeting.barrier.wait();
                let end = instant() + SLICE;
                if let Some(client) = place
                    && !meeting.failed.load(Ordering::Relaxed)
                {
                    note(slice(&mut **client, end, &mut micros));
                }
                meeting.barrier.wait();
                log.push(micros);
            }
        }
        outcome.map(|()| logs)
    }
}

/// Steps until the slice is over; the one that was under way then does not count.
fn slice(client: &mut dyn Client, end: Instant, micros: &mut Vec<u32>) -> anyhow::Result<()> {
    let mut start = instant();
    loop {
        client.step()?;
        let now = instant();
        if now > end {
            return Ok(());
        }
        micros.push(u32::try_from((now - start).as_micros()).unwrap_or(u32::MAX));
        start = now;
    }
}

impl Driven {
    fn of(processor: Duration) -> Self {
        Self {
            processor,
            ..Self::default()
        }
    }

    /// A step that was a slice of its own.
    pub(super) fn step(&mut self, took: Duration, processor: Duration) {
        self.rates.push(1.0 / took.as_secs_f64());
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.micros.push(micros);
        self.micros.sort_unstable();
        self.processor += processor;
    }

    fn add(&mut self, logs: Logs) {
        self.rates.resize(logs.len(), 0.0);
        for (rate, log) in self.rates.iter_mut().zip(logs) {
            *rate += f64::from(u32::try_from(log.len()).unwrap_or(u32::MAX)) / SLICE.as_secs_f64();
            self.micros.extend(log);
        }
    }

    /// Steps a second: the median slice.
    pub(super) fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The median of the slices' ratios to the neighbouring slices of another lane.
    pub(super) fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.rates.iter().zip(&other.rates);
        median(ratios.map(|(mine, theirs)| mine / theirs).collect())
    }

    /// Microseconds that this share of the steps stayed within.
    pub(super) fn percentile(&self, percent: usize) -> u32 {
        let at = self.micros.len().saturating_sub(1) * percent / 100;
        self.micros.get(at).copied().unwrap_or_default()
    }

    /// Microseconds of the server's processor time for one step.
    pub(super) fn processor_micros(&self) -> f64 {
        // The steps that did not count cost too; they are one a client and slice.
        let steps = u32::try_from(self.micros.len().max(1)).unwrap_or(u32::MAX);
        self.processor.as_secs_f64() * 1e6 / f64::from(steps)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Driven, median};

    #[test]
    fn figures_of_a_lane() {
        let mut mine = Driven::default();
        mine.add(vec![vec![10, 20], vec![30], vec![40]]);
        mine.add(vec![vec![50], vec![60, 70, 80], vec![90]]);
        assert_eq!(mine.rates, [12.0, 16.0, 8.0]);
        assert_eq!((mine.rate() * 10.0).round(), 120.0);
        assert_eq!((mine.percentile(0), mine.percentile(100)), (10, 90));
        let mut other = Driven::default();
        other.add(vec![vec![1; 6], vec![1; 2], vec![1; 4]]);
        assert_eq!(mine.ratio_to(&other), median(vec![0.5, 2.0, 0.5]));
    }
}
