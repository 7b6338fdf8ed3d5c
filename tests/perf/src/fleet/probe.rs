//! How long it takes from an agent's flush until its requests can be read from the window store.

use std::time::Duration;

use anyhow::{Result, ensure};
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_windows::{Detail, Tier, WindowStore, read_window};
use goldentime_wire::proto::stream_header::Class;
use rand::Rng;
use tokio::time::Instant;

use super::link::Link;
use super::traffic::{REQUESTS_PER_BUCKET, Traffic};

/// Host and service of the probe.
const NAME: &str = "probe";
/// At most so long from one record to the next, so that they meet every phase of the merge's writing.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Between two looks at the store.
const LOOK: Duration = Duration::from_millis(1);
/// What takes longer is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends small records for `length`, each once the one before can be read; gives milliseconds of each.
pub async fn run(
    address: String,
    token: String,
    windows: &dyn WindowStore,
    length: Duration,
) -> Result<Vec<f64>> {
    let service = ServiceId::new("default", "default", NAME)?;
    let stream = rand::random();
    let (mut link, replies) = Link::open(&address, &token, NAME, service.environment(), &[stream]).await?;
    let mut traffic = Traffic::new(NAME, stream, vec![service.clone()], 1, link.partitions);
    let mut records = link.records(Class::Live).await?;
    let from = SystemClock.now().second();
    let probe = async {
        let mut lags_ms = Vec::new();
        let start = Instant::now();
        while start.elapsed() < length {
            let sent = Instant::now();
            records.send(traffic.next_record(SystemClock.now())).await?;
            let wanted = REQUESTS_PER_BUCKET * (lags_ms.len() as u64 + 1);
            loop {
                let until = SystemClock.now().second().offset(1);
                let window =
                    read_window(windows, &service, Tier::OneSecond, from, until, Detail::TOTAL).await?;
                if window.total.counts.total() >= wanted {
                    break;
                }
                ensure!(sent.elapsed() < PATIENCE, "a record could not be read after {PATIENCE:?}");
                tokio::time::sleep(LOOK).await;
            }
            lags_ms.push(sent.elapsed().as_secs_f64() * 1000.0);
            link.ping().await?;
            let pause = rand::rng().random_range(Duration::ZERO..PAUSE_MAX);
            tokio::time::sleep(pause).await;
        }
        anyhow::Ok(lags_ms)
    };
    tokio::select! {
        lags = probe => lags,
        ended = replies.count() => ended.map(|()| Vec::new()),
    }
}
