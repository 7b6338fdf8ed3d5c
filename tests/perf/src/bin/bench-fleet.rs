//! `make bench-fleet`: 300 simulated agents, 3,000 series of requests and 5,000 log lines a second on the
//! embedded default, for a quarter of an hour, while services behind a real nginx are broken and healed.
//!
//! `RUNS` is the length in minutes; default 15. Simulated agents, nginx and the application share the
//! machine with the central: what they take is told beside it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_model::{Second, ServiceId};
use goldentime_perf::alert::outcome::{outcomes, together};
use goldentime_perf::alert::stage::{SERVICES, Stage};
use goldentime_perf::fleet::host::{GAUGES, HostShape, Told, run};
use goldentime_perf::fleet::lines::RARE;
use goldentime_perf::fleet::questions::{Waits, chart, search};
use goldentime_perf::fleet::watch::{EVERY, Watch};
use goldentime_perf::report::Report;
use goldentime_perf::series::feed::{DAY_S, Feed, Shape, store};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::process::own_cpu_time;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

/// Simulated agents, each on a host of its own.
const AGENTS: usize = 300;
/// Their services, of [`AGENTS`] / [`FLEET_SERVICES`] hosts each.
const FLEET_SERVICES: usize = 100;
/// Routes of each: with the hosts and the whole, 30 series a service.
const ENDPOINTS: usize = 26;
/// Log lines a second of all hosts together.
const LINES_PER_S: f64 = 5000.0;
/// How long one trial takes on every service, roughly: a calm minute, the page, the minute's window again.
const TRIAL_S: u32 = 140;
/// How often each chart and each search is asked for at the end.
const ASKED: u32 = 50;
/// History before the beginning, in days.
const DAYS: i64 = 30;

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let minutes: u32 = std::env::var("RUNS").ok().map_or(Ok(15), |runs| runs.parse()).context("RUNS")?;
    let length = Duration::from_secs(u64::from(minutes) * 60);
    let folder = tempfile::Builder::new().prefix("goldentime-bench-fleet-").tempdir()?;
    let now = SystemClock.now().second().0;
    prefill(&folder.path().join("central/state"), now).await.context("thirty days of history")?;

    let stage = Stage::start(folder.path(), None).await?;
    let (token, address) = (stage.central.join_token("default")?, stage.agents_address());
    let (end_all, over) = watch::channel(false);
    let mut hosts = JoinSet::new();
    for number in 0..AGENTS {
        let shape = HostShape {
            name: format!("fleet-{number:03}"),
            service: service(number % FLEET_SERVICES)?,
            endpoints: ENDPOINTS,
            lines_per_s: LINES_PER_S / AGENTS as f64,
        };
        hosts.spawn(run(address.clone(), token.clone(), shape, over.clone()));
    }
    let (own_cpu, start) = (own_cpu_time(), Instant::now());
    let mut looks = Watch::new(&folder.path().join("central/state"));
    let rounds = usize::try_from((minutes * 60 / TRIAL_S).max(1))?;
    let trials = {
        let mut all_trials = Box::pin(async {
            let trials = stage.trials(rounds * SERVICES / 2, None).await;
            sleep_until(start + length).await;
            trials
        });
        let mut every = interval(EVERY);
        loop {
            tokio::select! {
                trials = &mut all_trials => break trials,
                _ = every.tick() => looks.look(stage.central.process())?,
                ended = hosts.join_next() => {
                    let told = ended.context("no host")???;
                    anyhow::bail!("a simulated host ended before the time: {told:?}");
                }
            }
        }
    };
    // While all goes on.
    let charts = chart(&stage.central, &service(0)?, now - DAYS * DAY_S, ASKED).await?;
    let searches = searches(&stage).await?;
    let own_core_share = (own_cpu_time() - own_cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    end_all.send_replace(true);
    let mut told = Told::default();
    while let Some(host) = hosts.join_next().await {
        let host = host??;
        told.deltas += host.deltas;
        told.lines += host.lines;
        told.late += host.late;
    }
    let lost = unseen(&stage).await?;
    let logs = stage.stop().await?;
    let alerts = together(outcomes(&trials, &logs));

    let hours = length.as_secs_f64() / 3600.0;
    let mut report = Report::new("fleet", minutes);
    report
        .figure("agents", AGENTS as f64)
        .figure("series", (FLEET_SERVICES * (1 + AGENTS / FLEET_SERVICES + ENDPOINTS)) as f64)
        .figure("host_series", (AGENTS * GAUGES.len()) as f64)
        .figure("deltas_per_s", told.deltas as f64 / start.elapsed().as_secs_f64())
        .figure("lines_per_s", told.lines as f64 / start.elapsed().as_secs_f64())
        .figure("records_lost", lost)
        .figure("alert_p50_ms", alerts.ours.tipping(0.5))
        .figure("alert_p99_ms", alerts.ours.tipping(0.99))
        .figure("alerts", alerts.ours.tipping_ms.len() as f64)
        .figure("alerts_missed", alerts.ours.missed as f64)
        .figure("central_core_share", looks.core_share())
        .figure("central_rss_mib", looks.max(|reading| reading.rss_mib))
        .figure("central_rss_growth_mib", looks.growth(|reading| reading.rss_mib))
        .figure("central_descriptors_growth", looks.growth(|reading| reading.descriptors))
        .figure("disk_mib", looks.max(|reading| reading.disk_mib))
        .figure("disk_growth_mib_per_h", looks.growth(|reading| reading.disk_mib) * 3.0 / hours)
        .figure("ingest_log_mib", looks.part_mib("log"))
        .figure("log_store_mib", looks.part_mib("logs"))
        .figure("series_mib", looks.part_mib("series.db"))
        .figure("chart_30d_ms", charts.p50_ms)
        .figure("chart_30d_p99_ms", charts.p99_ms)
        .figure("search_p50_ms", searches.p50_ms)
        .figure("search_p99_ms", searches.p99_ms)
        .figure("senders_core_share", own_core_share)
        .figure("senders_late_flushes", told.late as f64);
    report.finish()?;
    Ok(())
}

fn service(number: usize) -> Result<ServiceId> {
    ServiceId::new("default", "default", &format!("service-{number}")).context("a valid name")
}

/// Thirty days of the first service of the fleet, as if it had been there all the time.
async fn prefill(state: &Path, now: i64) -> Result<()> {
    std::fs::create_dir_all(state)?;
    // A chart is drawn of the service as a whole, however many routes are beside it.
    let shape = Shape::new(0, 1, 2, 50)?;
    ensure!(shape.service == service(0)?, "history of another service");
    let mut feed = Feed::before_the_log(store(state));
    let today = Second(now).0 / DAY_S * DAY_S;
    feed.fill(&shape, today - DAYS * DAY_S, now / 10 * 10).await?;
    feed.store().close().await;
    Ok(())
}

/// A rare word, words of many lines, one that no line has, with filters and without.
async fn searches(stage: &Stage) -> Result<Waits> {
    let queries = [
        format!("q={RARE}"),
        "q=결제가".to_owned(),
        "q=inventory%20timeout&level=error".to_owned(),
        "q=unheard-of".to_owned(),
        "q=order%3D12345".to_owned(),
        "q=쿠폰&service=default/default/service-7".to_owned(),
    ];
    search(&stage.central, &queries, ASKED).await
}

/// Records that came and were not counted, by the central's own word.
async fn unseen(stage: &Stage) -> Result<f64> {
    let text = stage.central.text("/metrics").await?;
    let drops = text.lines().filter(|line| {
        line.starts_with("goldentime_drops_total") || line.starts_with("goldentime_merge_lost_records_total")
    });
    Ok(drops
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .fold(0.0, |sum, lost| sum + lost))
}
