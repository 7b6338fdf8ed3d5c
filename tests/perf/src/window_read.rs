//! What reading a 60-second window with three quantiles costs.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use goldentime_model::{HostName, Outcome, Second, ServiceId};
use goldentime_testkit::oracle::quantile;
use goldentime_windows::{
    Aggregate, CellKey, Detail, EndpointKey, MemoryWindows, SecondCell, StoredCell, Tier, WindowStore,
    WindowsConfig, read_window,
};
use rand::Rng;

/// Hosts of the service that is read.
const HOSTS: usize = 20;
/// Its routes.
const ENDPOINTS: usize = 50;
/// Requests of each route and second.
const REQUESTS: usize = 20;
/// Seconds that are kept; the window is the last [`WINDOW_S`] of them.
const SECONDS: i64 = 300;
const WINDOW_S: i64 = 60;
/// Reads that are timed.
const READS: usize = 2000;

/// Milliseconds of one read.
pub struct Reads {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// Reads the embedded store.
pub async fn measure_embedded() -> Result<Reads> {
    let folder = tempfile::tempdir()?;
    let store = MemoryWindows::open(&folder.path().join("windows.db"), &WindowsConfig::default()).await?;
    measure(&store, Second(1_800_000_000)).await
}

/// Fills a store with a plausible service from `start` on and reads it again and again.
pub async fn measure(store: &dyn WindowStore, start: Second) -> Result<Reads> {
    let service = ServiceId::new("default", "default", "window-read")?;
    for offset in 0..SECONDS {
        let key = CellKey { service: service.clone(), tier: Tier::OneSecond, start: start.offset(offset) };
        let blob = cell().encode();
        let number = u64::try_from(offset)? + 1;
        store.put(vec![StoredCell { key, partition: 0, offset: number, blob }]).await?;
    }
    let (from, until) = (start.offset(SECONDS - WINDOW_S), start.offset(SECONDS));
    let mut times = Vec::with_capacity(READS);
    let mut quantiles = [0.0; 3];
    for _ in 0..READS {
        let began = Instant::now();
        let window = read_window(store, &service, Tier::OneSecond, from, until, Detail::TOTAL).await?;
        anyhow::ensure!(
            window.total.latency.quantiles(&[0.5, 0.95, 0.99], &mut quantiles),
            "an empty window"
        );
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(Reads { p50_ms: quantile(&times, 0.5)?, p99_ms: quantile(&times, 0.99)? })
}

fn cell() -> SecondCell {
    let mut rng = rand::rng();
    let mut cell = SecondCell::default();
    let hosts: Vec<HostName> = (0..HOSTS).map(|host| Arc::from(format!("web-{host}"))).collect();
    for endpoint in 0..ENDPOINTS {
        let key =
            EndpointKey { endpoint: format!("/resource-{endpoint}/{{id}}").into(), method: "GET".into() };
        let mut delta = Aggregate::default();
        for _ in 0..REQUESTS {
            let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            delta.counts.add_outcome(Outcome::Ok, 1);
            delta.latency.insert(0.02 * (0.8 * normal).exp());
        }
        // A service of this size overflows nothing.
        let _ = cell.add(&hosts[endpoint % HOSTS], &key, &delta);
    }
    cell
}
