//! Traffic: [`Wrk`] for as much as the machine gives, [`Steady`] for a given rate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::process::{Process, Program, find};

/// A running `wrk`.
pub struct Wrk(Process);

impl Wrk {
    /// Loads `url` over `connections` for `length`.
    pub fn start(folder: &Path, url: &str, connections: u32, length: Duration) -> Result<Self> {
        let program = Program::new("wrk", find("wrk")?, folder).args([
            "-t1".to_owned(),
            format!("-c{connections}"),
            format!("-d{}s", length.as_secs().max(1)),
            url.to_owned(),
        ]);
        program.start().map(Self)
    }

    /// Waits for its end and gives what it printed.
    pub async fn finish(mut self, limit: Duration) -> Result<String> {
        self.0.ended(limit).await?;
        Ok(self.0.output())
    }
}

/// How long a client waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Requests at a steady rate until dropped, whatever the answers.
pub struct Steady {
    sent: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Steady {
    /// Sends `per_second` requests over the URLs in turn. Requests do not wait for one another, up to
    /// 512 under way: a slow server gets the same rate as a fast one.
    #[must_use]
    pub fn start(urls: Vec<String>, per_second: f64) -> Self {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let client = crate::http_client();
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut under_way = JoinSet::new();
            for url in urls.iter().cycle() {
                ticks.tick().await;
                while under_way.try_join_next().is_some() {}
                if under_way.len() >= 512 {
                    under_way.join_next().await;
                }
                let request = client.get(url).timeout(ANSWER_MAX);
                counter.fetch_add(1, Ordering::Relaxed);
                under_way.spawn(async move {
                    if let Ok(answer) = request.send().await {
                        let _ = answer.bytes().await;
                    }
                });
            }
        });
        Self { sent, _tasks: tasks }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}
