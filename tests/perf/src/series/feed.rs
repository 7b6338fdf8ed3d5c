//! What a central writes: steps of the log, with latencies as services have them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use goldentime_follower::{Advance, Committed, Mark};
use goldentime_model::{HostName, Outcome, Second, ServiceId};
use goldentime_series::{Keep, Rows, SeriesStore, SqliteSeries, SqliteSettings, Tended};
use goldentime_windows::{Aggregate, EndpointKey};
use rand::Rng;

/// Seconds of a day.
pub const DAY_S: i64 = 24 * 3600;
/// Seconds that are written at once where there are days to write.
const FILL_STEP_S: i64 = 600;

/// The retention that stores have by default, and room for all.
pub const KEEP: Keep =
    Keep { seconds: [2 * DAY_S, 8 * DAY_S, 31 * DAY_S], bytes_max: 1 << 40, series_max: 200_000 };

/// A store with the retention that it has by default and room for all.
#[must_use]
pub fn store(folder: &Path) -> Arc<dyn SeriesStore> {
    let path = folder.join("series.db");
    Arc::new(SqliteSeries::new(SqliteSettings { path, keep: KEEP, busy_timeout: Duration::from_secs(5) }))
}

/// A service with as many hosts and routes.
pub struct Shape {
    /// Its id.
    pub service: ServiceId,
    /// Its hosts.
    pub hosts: Vec<HostName>,
    /// Its routes.
    pub endpoints: Vec<EndpointKey>,
    /// Requests of each route in ten seconds.
    pub requests: usize,
}

impl Shape {
    /// The service of this number.
    pub fn new(number: usize, hosts: usize, endpoints: usize, requests: usize) -> Result<Self> {
        let endpoint = |endpoint: usize| EndpointKey {
            endpoint: format!("/resource-{endpoint}/{{id}}").into(),
            method: "GET".into(),
        };
        Ok(Self {
            service: ServiceId::new("default", "default", &format!("service-{number}"))?,
            hosts: (0..hosts).map(|host| format!("web-{host}").into()).collect(),
            endpoints: (0..endpoints).map(endpoint).collect(),
            requests,
        })
    }

    /// Series that its rows belong to.
    #[must_use]
    pub fn series(&self) -> usize {
        1 + self.hosts.len() + self.endpoints.len()
    }

    /// Adds the ten seconds that begin at `at`, or a share of them.
    pub fn add(&self, rows: &mut Rows, at: i64, share: usize, rng: &mut impl Rng) {
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            let mut delta = Aggregate::default();
            for _ in 0..self.requests / share {
                let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                delta.latency.insert(0.02 * (0.6 * normal).exp());
                let outcome = if rng.random::<f64>() < 0.01 { Outcome::ServerError } else { Outcome::Ok };
                delta.counts.add_outcome(outcome, 1);
            }
            // A service of this size overflows nothing.
            let host = &self.hosts[number % self.hosts.len()];
            let _ = rows.cell(&self.service, Second(at)).add(host, endpoint, &delta);
        }
    }
}

/// Commits steps one after the other.
pub struct Feed {
    store: Arc<dyn SeriesStore>,
    generation: u32,
    offset: u64,
}

impl Feed {
    /// From the beginning.
    #[must_use]
    pub fn new(store: Arc<dyn SeriesStore>) -> Self {
        Self { store, generation: 1, offset: 0 }
    }

    /// As it was before the log that a central begins with: that log is then read from its beginning.
    #[must_use]
    pub fn before_the_log(store: Arc<dyn SeriesStore>) -> Self {
        Self { store, generation: 0, offset: 0 }
    }

    /// Writes all rows of `shape` from one second to another, and rolls them up on the way.
    pub async fn fill(&mut self, shape: &Shape, from: i64, until: i64) -> Result<()> {
        let mut rng = rand::rng();
        for step in (from..until).step_by(usize::try_from(FILL_STEP_S)?) {
            let mut rows = Rows::default();
            let end = until.min(step + FILL_STEP_S);
            (step..end).step_by(10).for_each(|at| shape.add(&mut rows, at, 1, &mut rng));
            self.commit(&rows, end).await?;
            self.tend(end).await?;
        }
        Ok(())
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn SeriesStore {
        &*self.store
    }

    /// Commits one step at log time `at`; gives the rows written.
    pub async fn commit(&mut self, rows: &Rows, at: i64) -> Result<u64> {
        let mark = |offset| Mark { generation: self.generation, offset };
        let advance = Advance {
            from: (self.offset > 0).then(|| mark(self.offset)),
            to: mark(self.offset + 1),
            log_time: Second(at).start(),
            ..Advance::default()
        };
        let committed = self.store.commit(rows, &advance).await?;
        self.offset += 1;
        match committed {
            Committed::Done { rows, dropped } => {
                ensure!(dropped == 0, "{dropped} requests were dropped");
                Ok(rows)
            }
            Committed::Stale => anyhow::bail!("somebody else writes to the store"),
        }
    }

    /// Upkeep until nothing is left to do.
    pub async fn tend(&self, at: i64) -> Result<()> {
        while self.store.tend(Second(at).start()).await? == Tended::More {}
        Ok(())
    }
}
