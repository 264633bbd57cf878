//! The end of a process that waited for files and services.
//!
//! It protects one rule: a thread that waits for a file system that does not answer, which nothing
//! can stop, does not keep the process from ending.

use std::time::{Duration, Instant};

use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

/// How long threads may go on after all that was to be done is done.
const THREADS_END: Duration = Duration::from_secs(5);

/// Carries out a command that waits for services and files, on two threads.
///
/// # Errors
/// Those of the work.
pub(crate) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(work);
    end(runtime);
    done
}

/// Begins to listen for SIGTERM and SIGINT. Returns a future that waits for one of them.
///
/// # Errors
/// If the system refuses to deliver them.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ends a runtime; false when threads of it still wait, which end with the process.
pub(crate) fn end(runtime: Runtime) -> bool {
    end_within(runtime, THREADS_END)
}

#[expect(clippy::disallowed_methods, reason = "a measured duration")]
fn end_within(runtime: Runtime, most: Duration) -> bool {
    let began = Instant::now();
    runtime.shutdown_timeout(most);
    began.elapsed() < most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_ever_does_not_keep_it_from_ending() {
        let runtime = || tokio::runtime::Builder::new_multi_thread().build().unwrap();
        assert!(end_within(runtime(), THREADS_END));
        let stuck = runtime();
        let (release, waiting) = std::sync::mpsc::channel::<()>();
        let (entered, began) = std::sync::mpsc::channel();
        stuck.spawn_blocking(move || {
            let _ = entered.send(());
            waiting.recv()
        });
        began.recv().unwrap();
        assert!(!end_within(stuck, Duration::from_millis(50)));
        drop(release);
    }
}
