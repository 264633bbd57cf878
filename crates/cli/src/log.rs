//! The server's log on standard error. A line that cannot be written is lost, with no other effect.
//!
//! Invariant: logging never fails or blocks, whatever the state of standard error: closed, full, or
//! a pipe without a reader. Lines pass through a bounded queue to a writer thread. Lines that do
//! not fit are dropped and counted. What is logged is decided elsewhere.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Capacity of the queue in lines.
const LINES_QUEUED: usize = 4096;
/// How long the process waits on exit for queued lines.
const FLUSH: Duration = Duration::from_secs(1);

/// The queue to the writer thread. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogQueue(Arc<LogState>);

#[derive(Debug, Default)]
struct LogState {
    waiting: Mutex<PendingLines>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct PendingLines {
    lines: VecDeque<Vec<u8>>,
    /// Lines dropped because the queue was full.
    dropped: u64,
    /// Whether a line is being written.
    writing: bool,
}

impl LogQueue {
    /// Starts the writer thread and installs the subscriber.
    pub(crate) fn install() -> io::Result<Self> {
        let queue = Self::start(io::stderr())?;
        tracing_subscriber::fmt()
            .with_env_filter(log_filter())
            .with_writer(queue.clone())
            // Otherwise the subscriber reports a failed write to standard error, fails again, and
            // panics.
            .log_internal_errors(false)
            .init();
        Ok(queue)
    }

    fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self::default();
        let shared = Arc::clone(&queue.0);
        let body = move || {
            loop {
                let (line, dropped) = shared.next();
                if dropped > 0 {
                    let _ = writeln!(out, "{dropped} lines of the log were lost here");
                }
                let _ = out.write_all(&line);
                shared.written();
            }
        };
        thread::Builder::new().name("log".into()).spawn(body)?;
        Ok(queue)
    }

    /// Waits briefly until the queued lines are written.
    pub(crate) fn flush(&self) {
        let busy = |waiting: &mut PendingLines| waiting.writing || !waiting.lines.is_empty();
        let waiting = self.0.lock();
        let _ = self.0.drained.wait_timeout_while(waiting, FLUSH, busy);
    }
}

impl LogState {
    /// Waits for the next line. Also returns how many were lost before it.
    fn next(&self) -> (Vec<u8>, u64) {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.writing = true;
                return (line, std::mem::take(&mut waiting.dropped));
            }
            let woken = self.filled.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn written(&self) {
        let mut waiting = self.lock();
        waiting.writing = false;
        if waiting.lines.is_empty() {
            self.drained.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, PendingLines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The filter from `RUST_LOG`. The default is warnings, except from libraries that log every
/// rejected request as an error: the S3 protocol layer and the Kubernetes client.
fn log_filter() -> EnvFilter {
    EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,s3s=off,kube_client=off"))
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call is one line. Always succeeds.
impl Write for &LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.lines.len() < LINES_QUEUED {
            waiting.lines.push_back(line.to_vec());
            self.0.filled.notify_one();
        } else {
            waiting.dropped = waiting.dropped.saturating_add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex, mpsc},
    };

    use super::{LINES_QUEUED, LogQueue};

    /// A writer that fails on request and waits for a signal before each write.
    struct Broken {
        written: Arc<Mutex<Vec<u8>>>,
        go: mpsc::Receiver<io::Result<()>>,
    }

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().unwrap_or(Ok(()))?;
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_fails_or_hangs_costs_lines_only() {
        let (go, received) = mpsc::channel();
        let written = Arc::default();
        let queue = LogQueue::start(Broken {
            written: Arc::clone(&written),
            go: received,
        });
        let queue = queue.unwrap();
        let mut log = &queue;
        log.write_all(b"lost\n").unwrap();
        go.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        log.write_all(b"first\n").unwrap();
        go.send(Ok(())).unwrap();
        queue.flush();
        assert_eq!(*written.lock().unwrap(), b"first\n");
        // Without a reader the queue fills up, and writing still returns.
        for _ in 0..LINES_QUEUED + 10 {
            log.write_all(b"x\n").unwrap();
        }
        drop(go);
        queue.flush();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(
            text.contains(" lines of the log were lost here\n"),
            "{text}"
        );
        assert!(text.lines().count() > LINES_QUEUED);
    }
}
