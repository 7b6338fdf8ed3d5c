//! The log store as a follower of the log: which lines a record holds.

use std::sync::Arc;

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{LogRecord, UnixNanos};
use goldentime_search::{Identity, LogStore, NewLine};
use goldentime_wire::proto::record::Body;
use goldentime_wire::record;

use super::follower::Follower;
use super::tail::Tail;
use crate::ingest::logged::Logged;
use crate::merge::lateness::LogTime;
use crate::merge::names::Names;

/// A line may be stamped this much later than the log took it, in nanoseconds: clocks are that good.
/// What is further in the future happened when it arrived, or it would stay the newest line for long.
const FUTURE_NS_MAX: i64 = 2_000_000_000;

/// Attributes of one line together, in bytes. Further ones are let go and counted.
const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;

/// Lines that are told to those who watch without a pause.
const TELL_LINES: usize = 64;

/// What a line takes in memory beside its texts, about.
const LINE_BYTES: usize = 512;

/// Follows the log into a log store, and tells those who watch.
pub struct LogsFollower {
    /// Where lines are kept.
    pub store: Arc<dyn LogStore>,
    /// Who watches.
    pub tail: Tail,
}

/// Lines of one partition.
#[derive(Default)]
pub struct Folded {
    lines: Vec<NewLine>,
    names: Names,
}

impl Follower for LogsFollower {
    type Folded = Folded;

    fn name(&self) -> &'static str {
        "logs"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        self.store.position(partition)
    }

    fn fold(&self, folded: &mut Folded, logged: &Logged, _: LogTime) -> usize {
        let Some(Body::Logs(logs)) = &logged.record.body else { return 0 };
        let (Some(service), Ok(stream)) = (&logged.service, record::stream_id(&logged.record)) else {
            return 0;
        };
        let host = folded.names.host(&logged.record.host);
        let mut bytes = 0;
        for (index, record) in (0..).zip(&logs.records) {
            let (partition, number) = (logged.record.partition, logged.record.number);
            let record = tidy(LogRecord::from(record.clone()), logged.append_time);
            bytes += LINE_BYTES + record.message.len() + attributes_bytes(&record);
            folded.lines.push(NewLine {
                identity: Identity { stream, partition, number, index },
                service: service.clone(),
                host: Arc::clone(&host),
                record,
            });
        }
        bytes
    }

    fn commit<'a>(
        &'a self,
        folded: &'a Folded,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            let committed = self.store.commit(&folded.lines, advance).await?;
            if committed != Committed::Stale {
                for lines in folded.lines.chunks(TELL_LINES) {
                    self.tail.tell(lines);
                    // Each watcher's query is tried on each line; alerts do not wait for that.
                    tokio::task::yield_now().await;
                }
            }
            Ok(committed)
        })
    }
}

fn attributes_bytes(record: &LogRecord) -> usize {
    record.attributes.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// The record within the bounds of what is kept.
fn tidy(mut record: LogRecord, append_time: UnixNanos) -> LogRecord {
    if record.at.since(append_time) > FUTURE_NS_MAX {
        metrics::counter!("goldentime_logs_future_total").increment(1);
        record.at = append_time;
    }
    if attributes_bytes(&record) > ATTRIBUTES_BYTES_MAX {
        let (all, mut room) = (record.attributes.len(), ATTRIBUTES_BYTES_MAX);
        record.attributes.retain(|key, value| {
            let fits = key.len() + value.len() <= room;
            room -= if fits { key.len() + value.len() } else { 0 };
            fits
        });
        let dropped = (all - record.attributes.len()) as u64;
        metrics::counter!(DROPS_TOTAL, "component" => "logs", "reason" => "attributes_too_long")
            .increment(dropped);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: i64, attributes: &[(&str, usize)]) -> LogRecord {
        LogRecord {
            at: UnixNanos(at),
            level: String::new(),
            message: "m".into(),
            trace_id: String::new(),
            span_id: String::new(),
            attributes: attributes.iter().map(|(key, len)| ((*key).to_owned(), "x".repeat(*len))).collect(),
        }
    }

    #[test]
    fn a_line_from_the_future_happened_when_it_arrived() {
        let arrival = UnixNanos(1_000_000_000_000);
        assert_eq!(tidy(record(arrival.0 + FUTURE_NS_MAX, &[]), arrival).at.0, arrival.0 + FUTURE_NS_MAX);
        assert_eq!(tidy(record(arrival.0 + FUTURE_NS_MAX + 1, &[]), arrival).at, arrival);
        assert_eq!(tidy(record(1, &[]), arrival).at, UnixNanos(1), "the past is what it is");
    }

    #[test]
    fn attributes_beyond_the_limit_are_let_go_and_small_ones_stay() {
        let tidied = tidy(record(0, &[("a", 60_000), ("b", 8_000), ("c", 100)]), UnixNanos(0));
        assert_eq!(tidied.attributes.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "c"]);
    }
}
