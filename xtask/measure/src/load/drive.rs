//! Drives several servers alternately from the same threads, one slice each in rotation, so that
//! noise on the machine affects all of them alike.
//!
//! A client is a thread with one keep-alive connection to each server and its own requests.
//! [`Client`] defines what it does; nothing here knows the requests.

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

/// Length of a slice.
const SLICE: Duration = Duration::from_millis(250);

/// A client of one server.
pub(super) trait Client: Send {
    /// Performs one timed step: a request and its response.
    ///
    /// # Errors
    /// Any unexpected response, which ends the run.
    fn step(&mut self) -> anyhow::Result<()>;

    /// Untimed steps before the first slice, to warm up connections and caches.
    fn warm_up_steps(&self) -> usize;
}

/// A server and its clients.
pub(super) struct Lane<'a> {
    /// The process whose processor time is measured, if there is one.
    pub(super) server: Option<&'a Running>,
    /// Lanes may have different numbers of clients. A lane with one is driven by one thread.
    pub(super) clients: Vec<Box<dyn Client>>,
}

/// The measurements of a lane.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// Steps per second, by slice.
    pub(super) rates: Vec<f64>,
    /// The duration of every step in microseconds, ascending.
    pub(super) micros: Vec<u32>,
    /// Processor time of the server.
    pub(super) processor: Duration,
}

/// Drives every lane for about `each`.
///
/// # Errors
/// The first client error.
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

/// The barriers before and after each slice.
struct Meeting {
    barrier: Barrier,
    failed: AtomicBool,
}

/// The main thread: samples the servers' processor time between slices.
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
            // Return the error only here, after the barrier, so that no thread waits forever.
            *total += time(server)?.saturating_sub(before?);
        }
    }
    Ok(total)
}

/// The clients of one thread: at most one per lane.
struct Crew {
    places: Vec<Option<Box<dyn Client>>>,
}

/// One client's step durations in microseconds, by slice.
type Logs = Vec<Vec<u32>>;

impl Crew {
    fn new(lanes: usize) -> Self {
        Self {
            places: (0..lanes).map(|_| None).collect(),
        }
    }

    /// Reaches every barrier even after an error, so that no thread waits forever.
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

/// Runs steps until the slice is over. The step in progress at that time does not count.
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

    /// Records a step that was a slice of its own.
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

    /// Steps per second in the median slice.
    pub(super) fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The median ratio to the neighbouring slices of another lane.
    pub(super) fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.rates.iter().zip(&other.rates);
        median(ratios.map(|(mine, theirs)| mine / theirs).collect())
    }

    /// The given percentile of the step duration in microseconds.
    pub(super) fn percentile(&self, percent: usize) -> u32 {
        let at = self.micros.len().saturating_sub(1) * percent / 100;
        self.micros.get(at).copied().unwrap_or_default()
    }

    /// Microseconds of the server's processor time per step.
    pub(super) fn processor_micros(&self) -> f64 {
        // Includes the cost of uncounted steps: one per client and slice.
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
