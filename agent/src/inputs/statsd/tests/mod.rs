//! Datagrams as clients send them, from the bytes to what the shard holds.

mod input;
mod intake;
mod parser;
mod samples;

use std::collections::BTreeMap;

use goldentime_model::{Sample, UnixNanos};
use goldentime_runtime::ManualClock;

use super::Config;
use super::input::Statsd;
use super::intake::Intake;
use crate::aggregate::{Aggregator, Batch, Config as Limits, ShardHandle};
use crate::inputs::route::{Config as RouteConfig, Source};

const NOW: UnixNanos = UnixNanos(1_800_000_000_500_000_000);

fn source() -> Source {
    Source { project: "p".into(), environment: "e".into(), service: None }
}

/// An intake and the shard that it counts in.
struct Bench {
    intake: Intake,
    shard: ShardHandle,
}

impl Bench {
    fn new(config: &Config) -> Self {
        Self::with_limits(config, Limits::default())
    }

    fn with_limits(config: &Config, limits: Limits) -> Self {
        let (_, intake) = Statsd::check(config, &RouteConfig::default(), source()).expect("valid");
        let shard = Aggregator::new(limits, ManualClock::at(NOW)).open_shard("statsd");
        Self { intake, shard }
    }

    fn take(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            self.intake.take(line.as_bytes(), &[], NOW, &mut self.shard.lock()).expect("room");
        }
        self
    }

    /// A second passes and a flush comes.
    fn flush(&mut self) -> Batch {
        let mut shard = self.shard.lock();
        self.intake.tell_drops(&mut shard);
        self.intake.tick(NOW, &mut shard).expect("room");
        drop(shard);
        self.shard.drain()
    }

    /// What the lines become: requests and bad ones by service, method and endpoint.
    fn requests(&mut self, lines: &[&str]) -> BTreeMap<String, (u64, u64)> {
        let batch = self.take(lines).flush();
        let mut requests = BTreeMap::new();
        for service in &batch.services {
            for series in &service.series {
                let name = format!("{} {} {}", service.service, series.key.method, series.key.endpoint);
                let of = |count: fn(&crate::aggregate::Bucket) -> u64| series.buckets.iter().map(count).sum();
                requests.insert(name, (of(|b| b.counts.total()), of(|b| b.counts.bad())));
            }
        }
        requests
    }

    /// What the lines become: values by service, name and labels.
    fn samples(&mut self, lines: &[&str]) -> BTreeMap<String, f64> {
        let batch = self.take(lines).flush();
        let samples = batch.services.iter().flat_map(|service| {
            service.samples.iter().map(|sample| (name(service.service.service(), sample), sample.value))
        });
        samples.collect()
    }
}

fn name(service: &str, sample: &Sample) -> String {
    let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{service} {}{{{}}}", sample.name, labels.join(","))
}

/// A map as the tests expect it.
fn map<V: Copy>(pairs: &[(&str, V)]) -> BTreeMap<String, V> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}
