//! Between the messages and the contracts of `goldentime-model`.

use goldentime_model::{Counts, LogRecord, Sample, SampleKind, StageTimes, UnixNanos};

use crate::proto;

impl proto::Bucket {
    /// The requests that it counts.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts {
            ok: self.ok,
            client_error: self.client_error,
            server_error: self.server_error,
            timeout: self.timeout,
        }
    }

    /// A bucket of `counts` without durations.
    #[must_use]
    pub fn of_counts(second: goldentime_model::Second, counts: &Counts) -> Self {
        Self {
            second: second.0,
            ok: counts.ok,
            client_error: counts.client_error,
            server_error: counts.server_error,
            timeout: counts.timeout,
            ..Self::default()
        }
    }
}

impl proto::Stamps {
    /// The stages passed on the agent, and `received` by the central.
    #[must_use]
    pub fn stage_times(&self, received: Option<UnixNanos>) -> StageTimes {
        let known = |nanos: i64| (nanos != 0).then_some(UnixNanos(nanos));
        StageTimes {
            occurred: known(self.occurred_ns),
            flushed: known(self.flushed_ns),
            received,
            occurred_is_coarse: self.occurred_is_coarse,
            ..StageTimes::default()
        }
    }
}

impl From<Sample> for proto::Sample {
    fn from(sample: Sample) -> Self {
        Self {
            name: sample.name,
            labels: sample.labels,
            counter: sample.kind == SampleKind::Counter,
            value: sample.value,
            unit: sample.unit,
            at_ns: sample.at.0,
        }
    }
}

impl From<proto::Sample> for Sample {
    fn from(sample: proto::Sample) -> Self {
        Self {
            name: sample.name,
            labels: sample.labels,
            kind: if sample.counter { SampleKind::Counter } else { SampleKind::Gauge },
            value: sample.value,
            unit: sample.unit,
            at: UnixNanos(sample.at_ns),
        }
    }
}

impl From<LogRecord> for proto::LogRecord {
    fn from(record: LogRecord) -> Self {
        Self {
            at_ns: record.at.0,
            level: record.level,
            message: record.message,
            trace_id: record.trace_id,
            span_id: record.span_id,
            attributes: record.attributes,
        }
    }
}

impl From<proto::LogRecord> for LogRecord {
    fn from(record: proto::LogRecord) -> Self {
        Self {
            at: UnixNanos(record.at_ns),
            level: record.level,
            message: record.message,
            trace_id: record.trace_id,
            span_id: record.span_id,
            attributes: record.attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goldentime_model::{Labels, Second};

    #[test]
    fn a_sample_comes_back_as_it_went() {
        let sample = Sample {
            name: "system.cpu.utilization".into(),
            labels: Labels::from([("mode".into(), "steal".into())]),
            kind: SampleKind::Gauge,
            value: 0.25,
            unit: "1".into(),
            at: UnixNanos(17),
        };
        assert_eq!(Sample::from(proto::Sample::from(sample.clone())), sample);
    }

    #[test]
    fn a_log_record_comes_back_as_it_went() {
        let record = LogRecord {
            at: UnixNanos(17),
            level: "error".into(),
            message: "카드결제 실패".into(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            span_id: String::new(),
            attributes: Labels::from([("code".into(), "E-17".into())]),
        };
        assert_eq!(LogRecord::from(proto::LogRecord::from(record.clone())), record);
    }

    #[test]
    fn counts_survive_a_bucket() {
        let counts = Counts { ok: 1, client_error: 2, server_error: 3, timeout: 4 };
        assert_eq!(proto::Bucket::of_counts(Second(9), &counts).counts(), counts);
    }

    #[test]
    fn a_stage_that_was_not_stamped_is_unknown() {
        let stages = proto::Stamps { flushed_ns: 5, ..Default::default() }.stage_times(Some(UnixNanos(9)));
        assert_eq!((stages.occurred, stages.flushed), (None, Some(UnixNanos(5))));
        assert_eq!(stages.received, Some(UnixNanos(9)));
    }
}
