//! Tasks with a kind, and the order in which a program ends.
//!
//! Only **sources** are told to stop. Everything downstream ends when its input channel drains, so
//! that nothing that was taken in is lost on the way. After the drain's time limit whatever still
//! runs is aborted, named and counted.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task is, which says what its end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// Takes data in from outside. Must watch [`Tasks::stopping`] and end soon after.
    Source,
    /// A station on the data's way. Must end when its input channel closes, and not before.
    Station,
    /// Serves one peer. Ends with its peer, or when stopping; its failure is the peer's matter.
    Connection,
    /// Periodic upkeep without data of its own. Dropped at once when stopping.
    Upkeep,
}

impl TaskKind {
    /// Whether the whole program cannot go on without a task of this kind.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        matches!(self, Self::Source | Self::Station)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Station => "station",
            Self::Connection => "connection",
            Self::Upkeep => "upkeep",
        }
    }
}

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// Every task ended by itself.
    Clean,
    /// The time limit passed and these were still running.
    TimedOut(Vec<&'static str>),
}

/// The tasks of a program. Cheap to clone; all clones speak of the same tasks.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stopping: CancellationToken,
    aborting: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<Vec<&'static str>>,
    failure: Mutex<Option<&'static str>>,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the program begins to stop. Sources select on it; stations do not.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Begins to stop: sources and upkeep end, the rest drains.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// The essential task whose unexpected end began the stop, if that is what happened.
    #[must_use]
    pub fn failed_task(&self) -> Option<&'static str> {
        *lock(&self.0.failure)
    }

    /// Runs `future` as a task. An essential task that panics, or a source that ends before it was
    /// told to, begins an orderly stop of the whole program.
    pub fn spawn<F>(&self, kind: TaskKind, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        lock(&inner.running).push(name);
        metrics::gauge!("goldentime_tasks", "kind" => kind.as_str(), "task" => name).increment(1.0);
        let task = async move {
            let mut watch = Watch { inner, kind, name, finished: false };
            let (stopping, aborting) = (watch.inner.stopping.clone(), watch.inner.aborting.clone());
            tokio::select! {
                () = future => watch.finished = true,
                () = stopping.cancelled(), if kind == TaskKind::Upkeep => watch.finished = true,
                () = aborting.cancelled() => watch.finished = true,
            }
        };
        #[allow(
            clippy::let_underscore_future,
            reason = "the tracker holds the task; `Watch` reports its end"
        )]
        let _ = self.0.tracker.spawn(task);
    }

    /// Stops, and waits up to `limit` for everything to drain; then aborts the rest by name.
    pub async fn drain(&self, limit: Duration) -> Drained {
        self.stop();
        self.0.tracker.close();
        if tokio::time::timeout(limit, self.0.tracker.wait()).await.is_ok() {
            return Drained::Clean;
        }
        let left = lock(&self.0.running).clone();
        tracing::error!(tasks = ?left, limit_s = limit.as_secs_f64(), "did not drain in time; aborting");
        self.0.aborting.cancel();
        self.0.tracker.wait().await;
        Drained::TimedOut(left)
    }
}

/// Notes the end of a task however it ends, a panic included.
struct Watch {
    inner: Arc<Inner>,
    kind: TaskKind,
    name: &'static str,
    finished: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        metrics::gauge!("goldentime_tasks", "kind" => self.kind.as_str(), "task" => self.name).decrement(1.0);
        let mut running = lock(&self.inner.running);
        if let Some(at) = running.iter().position(|name| *name == self.name) {
            running.swap_remove(at);
        }
        drop(running);
        let panicked = !self.finished;
        let ended_early = self.kind == TaskKind::Source && !self.inner.stopping.is_cancelled();
        if panicked {
            metrics::counter!("goldentime_task_panics_total", "task" => self.name).increment(1);
        }
        if (panicked && self.kind.is_essential()) || ended_early {
            tracing::error!(task = self.name, panicked, "an essential task ended; stopping");
            lock(&self.inner.failure).get_or_insert(self.name);
            self.inner.stopping.cancel();
        }
    }
}

/// The data behind these locks is a list of names: a panic while holding one leaves it usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn what_a_source_took_in_reaches_the_last_station_before_the_end() {
        let tasks = Tasks::new();
        let (tx, mut rx) = mpsc::channel(100);
        let (done_tx, mut done_rx) = mpsc::channel(1);
        let stopping = tasks.stopping();
        tasks.spawn(TaskKind::Source, "numbers", async move {
            let mut n = 0_u32;
            while !stopping.is_cancelled() && tx.send(n).await.is_ok() {
                n += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        tasks.spawn(TaskKind::Station, "count", async move {
            let mut seen = 0_u32;
            while let Some(n) = rx.recv().await {
                assert_eq!(n, seen);
                seen += 1;
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            done_tx.send(seen).await.expect("the test waits");
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(tasks.drain(Duration::from_secs(5)).await, Drained::Clean);
        assert!(done_rx.recv().await.expect("counted") >= 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_station_that_hangs_is_aborted_and_named() {
        let tasks = Tasks::new();
        tasks.spawn(TaskKind::Station, "stuck", std::future::pending());
        assert_eq!(tasks.drain(Duration::from_secs(1)).await, Drained::TimedOut(vec!["stuck"]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_station_that_panics_stops_the_program() {
        let tasks = Tasks::new();
        tasks.spawn(TaskKind::Station, "fragile", async { panic!("as the test wants") });
        tasks.stopping().cancelled().await;
        assert_eq!(tasks.failed_task(), Some("fragile"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_panics_stops_nothing() {
        let tasks = Tasks::new();
        tasks.spawn(TaskKind::Connection, "peer", async { panic!("as the test wants") });
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!tasks.stopping().is_cancelled());
    }
}
