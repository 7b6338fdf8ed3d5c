//! Judges a letter again: whether what is in it would be taken now, and as what.

use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_wire::frame;
use goldentime_wire::proto::Record;
use goldentime_wire::proto::record::Body;
use goldentime_wire::record::{STREAM_BYTES, sift};

use super::letter::{Kind, Letter};
use super::lines;
use crate::ingest::registry::Standing;
use crate::ingest::validity::{Refusal, check};
use crate::merge::contents::seconds_of;
use crate::merge::lateness::LATE_S;

/// Who speaks in a replayed record. No agent is called so: what is replayed says nothing of how far an agent has
/// come, or that it is there.
pub const SPEAKER: &str = "dead-letters";

/// What a letter holds, ready for the log but for its place in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The record.
    pub record: Record,
    /// Its service.
    pub service: ServiceId,
    /// The newest second that it counts something in; none for log lines.
    pub newest: Option<Second>,
}

impl Admitted {
    /// Whether all of it is of seconds that are not judged any more at `now`.
    #[must_use]
    pub fn is_late(&self, now: UnixNanos) -> bool {
        self.newest.is_some_and(|newest| newest < now.second().offset(-LATE_S))
    }
}

/// Judges a letter as intake would judge it now, in a log of so many partitions. Without a `sender`, whose the
/// record is was judged before.
pub fn admit(letter: &Letter, sender: Option<&Standing>, partitions: u32) -> Result<Admitted, Refusal> {
    if letter.is_cut {
        let detail = "an earlier version kept only the first 64 KiB of this record; the rest is gone";
        return Err(Refusal::new("cut", detail));
    }
    let (mut record, project) = match letter.head.kind {
        Kind::Line => {
            let line = lines::record(&letter.record, &letter.head.host);
            (line.map_err(|error| Refusal::new("json", error.to_string()))?, None)
        }
        Kind::Record => {
            let record = frame::decode::<Record>(letter.record.clone());
            let record = record.map_err(|error| Refusal::new("protobuf", error.to_string()))?;
            (record, sender.map(|sender| project(letter, sender)).transpose()?)
        }
    };
    let bad = sift(&mut record).into_iter().next();
    if let (Some((_, invalid)), Some(Body::Logs(logs))) = (bad, &record.body)
        && logs.records.is_empty()
    {
        return Err(Refusal::new(invalid.reason.as_str(), invalid.detail));
    }
    // A place of its own is given to it later; until then one that is no reason to refuse it.
    SPEAKER.clone_into(&mut record.agent);
    record.stream = vec![0; STREAM_BYTES].into();
    record.number = 1;
    record.partition = record.service.parse().map_or(0, |service: ServiceId| service.partition(partitions));
    record.progress_ms = 0;
    record.flush_complete = false;
    let service = check(&record, partitions, project)?;
    let (Some(service), Some(_)) = (service, &record.body) else {
        return Err(Refusal::new(
            "empty",
            "it only says how far its agent had come; there is nothing to count",
        ));
    };
    let mut newest = None;
    seconds_of(&record, |second| newest = newest.max(Some(second)));
    Ok(Admitted { record, service, newest })
}

fn project<'a>(letter: &'a Letter, sender: &'a Standing) -> Result<&'a str, Refusal> {
    let agent = &letter.head.agent;
    match sender {
        Standing::Good(project) => Ok(project),
        Standing::Unknown if !letter.project.is_empty() => Ok(&letter.project),
        Standing::Unknown => {
            Err(Refusal::new("agent_unknown", format!("no agent {agent} was ever enrolled")))
        }
        Standing::Revoked => Err(Refusal::new(
            "agent_revoked",
            format!(
                "the agent {agent} was revoked; `goldentime-central agents restore {agent}` lets it in again"
            ),
        )),
    }
}
