//! How far the readers of one database have come, for metrics and status.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;

/// What all readers of one database say. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    name: &'static str,
    partitions: Arc<Mutex<Vec<PartitionHealth>>>,
}

/// What the reader of one partition says.
#[derive(Clone, Debug, Default)]
struct PartitionHealth {
    /// Last offset that is committed, and its log time.
    committed: (u64, UnixNanos),
    /// Last offset in the log.
    log_end: u64,
    rows: u64,
    lost: u64,
    failures: u64,
    error: Option<String>,
}

/// The readers of one database together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records of the log that are not in the database yet.
    pub behind_records: u64,
    /// Log time up to which everything is, where something is not.
    pub behind_since: Option<UnixNanos>,
    /// Rows written since the start.
    pub rows: u64,
    /// Records that the log dropped before they were read, since the start.
    pub lost: u64,
    /// Attempts to write that failed, since the start.
    pub failures: u64,
    /// What the database says while it does not take anything.
    pub error: Option<String>,
}

impl PartitionHealth {
    const fn behind(&self) -> u64 {
        self.log_end.saturating_sub(self.committed.0)
    }
}

impl Health {
    /// Nothing is known yet of `partitions` readers of the database `name`.
    #[must_use]
    pub fn new(name: &'static str, partitions: u32) -> Self {
        let partitions = vec![PartitionHealth::default(); partitions as usize];
        Self { name, partitions: Arc::new(Mutex::new(partitions)) }
    }

    /// The database's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// All partitions together.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut all = Summary::default();
        for partition in self.lock().iter() {
            all.behind_records += partition.behind();
            let since = Some(partition.committed.1).filter(|at| at.0 > 0 && partition.behind() > 0);
            all.behind_since = match (all.behind_since, since) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            all.rows += partition.rows;
            all.lost += partition.lost;
            all.failures += partition.failures;
            if all.error.is_none() {
                all.error.clone_from(&partition.error);
            }
        }
        all
    }

    /// The database answers: what it has of a partition reaches `offset`, which the log took at
    /// `log_time`.
    pub(super) fn stands(&self, partition: u32, offset: u64, log_time: UnixNanos) {
        self.change(partition, |health| {
            health.committed = (offset, log_time);
            health.error = None;
        });
    }

    /// The log of a partition ends at `offset`.
    pub(super) fn log_ends(&self, partition: u32, offset: u64) {
        self.change(partition, |health| {
            health.log_end = offset;
            let labels = [("store", self.name.to_owned()), ("partition", partition.to_string())];
            metrics::gauge!("goldentime_persist_lag_records", &labels).set(health.behind() as f64);
        });
    }

    /// Nobody reads the partition here any more. What was counted stays.
    pub(super) fn forget(&self, partition: u32) {
        self.change(partition, |health| {
            (health.committed, health.log_end, health.error) = ((0, UnixNanos(0)), 0, None);
        });
    }

    /// A step was committed.
    pub(super) fn committed(&self, partition: u32, rows: u64, seconds: f64) {
        metrics::counter!("goldentime_persist_rows_total", "store" => self.name).increment(rows);
        metrics::histogram!("goldentime_persist_commit_seconds", "store" => self.name).record(seconds);
        self.change(partition, |health| health.rows += rows);
    }

    /// The database refused, or does not answer.
    pub(super) fn failed(&self, partition: u32, error: String) {
        metrics::counter!("goldentime_persist_failures_total", "store" => self.name).increment(1);
        self.change(partition, |health| {
            health.failures += 1;
            health.error = Some(error);
        });
    }

    /// Records are gone from the log before they were read, or never came into it.
    pub(super) fn lost(&self, partition: u32, reason: &'static str, records: u64) {
        metrics::counter!(DROPS_TOTAL, "component" => self.name, "reason" => reason).increment(records);
        self.change(partition, |health| health.lost += records);
    }

    fn change(&self, partition: u32, change: impl FnOnce(&mut PartitionHealth)) {
        if let Some(health) = self.lock().get_mut(partition as usize) {
            change(health);
        }
    }

    /// Numbers and texts: a panic while holding the lock leaves them usable.
    fn lock(&self) -> MutexGuard<'_, Vec<PartitionHealth>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
