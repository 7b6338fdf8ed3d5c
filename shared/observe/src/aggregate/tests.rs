use goldentime_model::naming::OVERFLOW;
use goldentime_model::{LogRecord, Outcome, Second, ServiceId, UnixNanos};
use goldentime_runtime::ManualClock;

use super::{Aggregator, Config, Full, Observation, PositionKey, PositionUpdate, Watch, WatchTable};

const NOW: UnixNanos = UnixNanos(1_800_000_000_500_000_000);

fn service(name: &str) -> ServiceId {
    ServiceId::new("p", "e", name).expect("valid")
}

fn aggregator(config: Config) -> Aggregator {
    Aggregator::new(config, ManualClock::at(NOW))
}

fn ok(at: UnixNanos) -> Observation {
    Observation { duration_s: Some(0.01), outcome: Outcome::Ok, at, at_is_coarse: false, weight: 1 }
}

#[test]
fn what_is_observed_is_drained_once_with_its_position() {
    let aggregator = aggregator(Config::default());
    let shard = aggregator.open_shard("nginx");
    let key = PositionKey { input: "nginx".into(), source: "8:1".into() };
    {
        let mut guard = shard.lock();
        let series = guard.intern(&service("shop"), "/cart", "GET");
        for second in [0, -1, 0, -1, -3] {
            guard.observe(series, &ok(NOW.saturating_add(second * 1_000_000_000))).expect("room");
        }
        guard.set_position(&key, b"one");
        guard.set_position(&key, b"two");
    }
    let batch = shard.drain();
    assert_eq!(batch.services.len(), 1);
    let delta = &batch.services[0].series[0];
    let mut by_second: Vec<_> =
        delta.buckets.iter().map(|b| (b.second, b.counts.ok, b.sketch.count())).collect();
    by_second.sort_unstable();
    let now = NOW.second();
    assert_eq!(by_second, [(now.offset(-3), 1, 1), (now.offset(-1), 2, 2), (now, 2, 2)]);
    assert_eq!(batch.positions, [(key, PositionUpdate::Set(b"two".to_vec()))]);
    assert!(shard.drain().is_empty());
}

#[test]
fn many_different_durations_are_all_counted() {
    let aggregator = aggregator(Config::default());
    let shard = aggregator.open_shard("nginx");
    let mut guard = shard.lock();
    let series = guard.intern(&service("shop"), "/cart", "GET");
    for n in 1..=2000 {
        guard
            .observe(series, &Observation { duration_s: Some(f64::from(n) * 0.0007), ..ok(NOW) })
            .expect("room");
    }
    drop(guard);
    assert_eq!(shard.drain().services[0].series[0].buckets[0].sketch.count(), 2000);
}

#[test]
fn a_series_stays_valid_over_a_drain() {
    let aggregator = aggregator(Config::default());
    let shard = aggregator.open_shard("nginx");
    let series = shard.lock().intern(&service("shop"), "/cart", "GET");
    shard.lock().observe(series, &ok(NOW)).expect("room");
    assert_eq!(shard.drain().services[0].series[0].buckets[0].counts.ok, 1);
    shard.lock().observe(series, &ok(NOW)).expect("room");
    assert_eq!(shard.drain().services[0].series[0].buckets[0].counts.ok, 1);
}

#[test]
fn runaway_endpoints_go_to_other_and_are_counted() {
    let aggregator = aggregator(Config { endpoints_per_service_max: 2, ..Config::default() });
    let shard = aggregator.open_shard("nginx");
    {
        let mut guard = shard.lock();
        for n in 0..5 {
            let series = guard.intern(&service("shop"), &format!("/{n}"), "GET");
            guard.observe(series, &ok(NOW)).expect("room");
        }
    }
    let batch = shard.drain();
    let other =
        batch.services[0].series.iter().find(|delta| &*delta.key.endpoint == OVERFLOW).expect("overflow");
    assert_eq!(other.buckets[0].counts.ok, 3);
    assert_eq!(batch.drops["endpoint_overflow"], 3);
}

#[test]
fn runaway_services_go_to_the_other_service_and_are_counted() {
    let aggregator = aggregator(Config { services_max: 1, ..Config::default() });
    let shard = aggregator.open_shard("nginx");
    let series = shard.lock().intern(&service("a"), "/", "GET");
    let other = shard.lock().intern(&service("b"), "/", "GET");
    assert_eq!(shard.lock().intern(&service("c"), "/", "GET"), other);
    assert_ne!(series, other);
    shard.lock().observe(other, &ok(NOW)).expect("room");
    let batch = shard.drain();
    assert_eq!(batch.services[0].service, service(OVERFLOW));
    assert_eq!(batch.drops["service_overflow"], 2);
}

#[test]
fn a_full_shard_says_so_wakes_the_flusher_and_takes_nothing() {
    let aggregator = aggregator(Config { buckets_max: 64, ..Config::default() });
    let shard = aggregator.open_shard("nginx");
    let mut guard = shard.lock();
    let series = guard.intern(&service("shop"), "/", "GET");
    let mut taken = 0;
    let full = (0..100).find_map(|second| {
        let result = guard.observe(series, &ok(NOW.saturating_add(-second * 1_000_000_000)));
        taken += usize::from(result.is_ok());
        result.err()
    });
    drop(guard);
    assert_eq!((full, taken), (Some(Full), 64));
    assert!(aggregator.signal().take().is_full());
    assert_eq!(shard.drain().services[0].series[0].buckets.len(), 64);
    shard.lock().observe(series, &ok(NOW)).expect("room again");
}

#[tokio::test]
async fn only_what_a_rule_watches_takes_the_express_lane() {
    let aggregator = aggregator(Config::default());
    let shard = aggregator.open_shard("nginx");
    let watch = Watch { watched: true, slow_s: Some(0.2), errors: false };
    aggregator.set_watch(WatchTable::new(Watch::NONE, [(service("shop"), watch)]));
    let shop = shard.lock().intern(&service("shop"), "/", "GET");
    let quiet = shard.lock().intern(&service("quiet"), "/", "GET");
    let slow = Observation { duration_s: Some(0.3), ..ok(NOW) };
    let failed = Observation { outcome: Outcome::ServerError, ..ok(NOW) };

    shard.lock().observe(quiet, &slow).expect("room");
    let pending = aggregator.signal().take();
    assert!(pending.is_dirty() && !pending.is_soon());
    shard.lock().observe(shop, &failed).expect("room");
    let pending = aggregator.signal().take();
    assert!(pending.is_soon() && !pending.is_express(), "no rule watches errors");
    shard.lock().observe(shop, &slow).expect("room");
    aggregator.signal().sooner().await;
    assert!(aggregator.signal().take().is_express());
    let batch = shard.drain();
    let shop = batch.services.iter().find(|batch| batch.service == service("shop")).expect("observed");
    assert!(shop.occurred.expect("observed").is_urgent);
}

#[test]
fn the_clock_offset_is_applied_before_bucketing_and_the_far_future_clamped() {
    let aggregator = aggregator(Config::default());
    aggregator.set_clock_offset(-600_000_000_000);
    let shard = aggregator.open_shard("nginx");
    let series = shard.lock().intern(&service("shop"), "/", "GET");
    shard.lock().observe(series, &ok(NOW)).expect("room");
    shard.lock().observe(series, &ok(NOW.saturating_add(60_000_000_000))).expect("room");
    shard.lock().progress(NOW);
    let batch = shard.drain();
    let corrected = NOW.second().offset(-600);
    let seconds: Vec<Second> = batch.services[0].series[0].buckets.iter().map(|b| b.second).collect();
    assert_eq!(seconds, [corrected, corrected.offset(2)]);
    assert_eq!(batch.drops["clock_ahead_clamped"], 1);
    assert_eq!(batch.progress.expect("said").second(), corrected);
}

#[test]
fn logs_are_bounded_by_bytes() {
    let aggregator =
        aggregator(Config { log_bytes_max: "2KiB".parse().expect("valid"), ..Config::default() });
    let shard = aggregator.open_shard("nginx");
    let record = LogRecord {
        at: NOW,
        level: "info".into(),
        message: "x".repeat(500),
        trace_id: String::new(),
        span_id: String::new(),
        attributes: std::collections::BTreeMap::new(),
    };
    let taken = (0..10).filter(|_| shard.lock().log(&service("shop"), record.clone()).is_ok()).count();
    assert!((1..4).contains(&taken), "{taken}");
    assert!(aggregator.signal().take().is_full());
    assert_eq!(shard.drain().services[0].logs.len(), taken);
}
