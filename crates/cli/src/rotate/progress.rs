//! The progress display of a rotation.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use keywright_base::{Clock, Timestamp};
use keywright_fleet::driver::DriveEvent;
use keywright_rotation::model::Rotation;
use keywright_server::SystemClock;

use crate::remote::printable;

/// Prints completed steps, one line each. On a terminal, a status line below shows the phase, the
/// reason for waiting and the time left.
pub(super) struct ProgressDisplay {
    bar: Option<ProgressBar>,
    /// When the wait of the rotation in the status line ends.
    until: Arc<Mutex<Option<Timestamp>>>,
}

impl ProgressDisplay {
    pub(super) fn new(terminal: bool) -> Self {
        let until = Arc::new(Mutex::new(None));
        let bar = terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            let template = "{spinner} {elapsed} {msg}{left}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                let until = Arc::clone(&until);
                let left = move |_: &ProgressState, out: &mut dyn fmt::Write| {
                    let _ = out.write_str(&left(*locked(&until)));
                };
                bar.set_style(style.with_key("left", left));
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, until }
    }

    pub(super) fn note(&self, rotation: &Rotation, event: DriveEvent<'_>) {
        match event {
            DriveEvent::Step(what) => self.say(rotation, what),
            DriveEvent::Waiting { until, why } => self.wait(rotation, until, why),
        }
    }

    fn say(&self, rotation: &Rotation, what: &str) {
        let line = printable(&format!("{}: {what}", rotation.user));
        match &self.bar {
            Some(bar) => {
                bar.println(line);
                *locked(&self.until) = None;
                let message = format!("{}: {:?}", rotation.user, rotation.phase);
                bar.set_message(printable(&message));
            }
            None => {
                // A failure to print must not stop the rotation.
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
    }

    /// Only on a terminal: elsewhere the line could not be overwritten and would repeat.
    fn wait(&self, rotation: &Rotation, until: Timestamp, why: &str) {
        if let Some(bar) = &self.bar {
            *locked(&self.until) = Some(until);
            let (user, phase) = (&rotation.user, rotation.phase);
            let message = format!("{user}: {phase:?}, waiting for {why}");
            bar.set_message(printable(&message));
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The time left, as text.
fn left(until: Option<Timestamp>) -> String {
    let secs = until.map(|until| until.secs_since(SystemClock.now()));
    match secs {
        Some(secs) if secs > 0 => format!(", {} left", spoken(secs)),
        _ => String::new(),
    }
}

/// Formats seconds in their two largest units.
pub(super) fn spoken(secs: i64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{minutes} min {} s", secs % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Locks the value even if the mutex is poisoned.
fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn times_in_words() {
        for (secs, expected) in [
            (1, "1 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d 0 h"),
            (7 * 86_400 + 3 * 3600, "7 d 3 h"),
        ] {
            assert_eq!(spoken(secs), expected);
        }
    }
}
