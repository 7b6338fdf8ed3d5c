//! Datagrams of StatsD, one after another, and a second that passes at each zero byte: whatever is counted
//! can be shipped.
#![no_main]

use goldentime_agent::aggregate::{Aggregator, Config as Limits};
use goldentime_agent::inputs::route::{Config as RouteConfig, Source};
use goldentime_agent::inputs::statsd::{Config, Statsd};
use goldentime_model::UnixNanos;
use goldentime_model::identity::check_name;
use goldentime_runtime::ManualClock;

const NOW: UnixNanos = UnixNanos(1_800_000_000_500_000_000);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let source = Source { project: "p".into(), environment: "e".into(), service: None };
    let (_, mut intake) =
        Statsd::check(&Config::default(), &RouteConfig::default(), source).expect("the default is valid");
    let handle = Aggregator::new(Limits::default(), ManualClock::at(NOW)).open_shard("statsd");
    for second in bytes.split(|byte| *byte == 0) {
        let mut shard = handle.lock();
        for line in second.split(|byte| *byte == b'\n') {
            if intake.take(line, b"ci-0123", NOW, &mut shard).is_err() {
                intake.give_up(line, &mut shard);
            }
        }
        intake.tell_drops(&mut shard);
        let _ = intake.tick(NOW, &mut shard);
        drop(shard);
        for of in handle.drain().services {
            check_name(of.service.service()).expect("a name that the central takes");
            assert!(of.samples.iter().all(|sample| sample.value.is_finite() && !sample.name.is_empty()));
        }
    }
});
