//! What a record says, addition by addition.

use goldentime_model::identity::HOST_SERVICE_PREFIX;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{HostName, Second, UnixNanos};
use goldentime_windows::cell::Overflow;
use goldentime_windows::{Aggregate, SecondCell};
use goldentime_wire::proto::{self, record::Body};

use super::names::Names;

/// Reads records; keeps the names that come again and again.
#[derive(Debug, Default)]
pub struct Reader {
    names: Names,
    scratch: Aggregate,
}

/// How an addition changes a cell that holds its second.
pub type Add<'a> = &'a dyn Fn(&mut SecondCell) -> Overflow;

impl Reader {
    /// A host's name.
    pub fn host(&mut self, host: &str) -> HostName {
        self.names.host(host)
    }

    /// Calls `each` with the second of every addition, with how many events it stands for, and with
    /// what it adds.
    pub fn each(
        &mut self,
        record: &proto::Record,
        host: &HostName,
        mut each: impl FnMut(Second, u64, Add<'_>),
    ) {
        match &record.body {
            Some(Body::Deltas(deltas)) => self.deltas(deltas, host, each),
            Some(Body::Samples(samples)) => {
                let is_of_host = is_host_service(&record.service);
                for sample in &samples.samples {
                    // Increases of several hosts add up; their readings are told apart.
                    let key = match sample.counter || is_of_host {
                        true => self.names.gauge(sample),
                        false => self.names.gauge_of(sample, host),
                    };
                    each(UnixNanos(sample.at_ns).second(), 1, &|cell| {
                        let before = cell.gauges.get(&key).copied().filter(|_| sample.counter);
                        cell.set_gauge(&key, before.unwrap_or(0.0) + sample.value)
                    });
                }
            }
            Some(Body::Logs(_)) | None => {}
        }
    }

    fn deltas(
        &mut self,
        deltas: &proto::Deltas,
        host: &HostName,
        mut each: impl FnMut(Second, u64, Add<'_>),
    ) {
        let Self { names, scratch } = self;
        for series in &deltas.series {
            let endpoint = names.endpoint(&series.endpoint, &series.method);
            for bucket in &series.buckets {
                scratch.counts = bucket.counts();
                scratch.latency.clear();
                if !bucket.sketch.is_empty() && scratch.latency.merge_wire(&bucket.sketch).is_err() {
                    // Checked at intake; counted there had it not been a sketch.
                    metrics::counter!(DROPS_TOTAL, "component" => "merge", "reason" => "sketch").increment(1);
                }
                let events = scratch.counts.total();
                each(Second(bucket.second), events, &|cell| cell.add(host, &endpoint, scratch));
            }
        }
    }
}

/// Whether a service stands for a host.
fn is_host_service(id: &str) -> bool {
    id.rsplit('/').next().is_some_and(|name| name.starts_with(HOST_SERVICE_PREFIX))
}

/// Calls `each` with the second of every addition of a record.
pub fn seconds_of(record: &proto::Record, mut each: impl FnMut(Second)) {
    match &record.body {
        Some(Body::Deltas(deltas)) => {
            deltas.series.iter().flat_map(|series| &series.buckets).for_each(|b| each(Second(b.second)));
        }
        Some(Body::Samples(samples)) => {
            samples.samples.iter().for_each(|sample| each(UnixNanos(sample.at_ns).second()));
        }
        Some(Body::Logs(_)) | None => {}
    }
}

/// Counts what of an addition was not told apart or not kept.
pub fn count_overflow(overflow: Overflow) {
    for (what, count) in
        [("hosts", overflow.hosts), ("endpoints", overflow.endpoints), ("gauges", overflow.gauges)]
    {
        if count > 0 {
            metrics::counter!("goldentime_merge_overflow_total", "what" => what).increment(count);
        }
    }
}
