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

#[cfg(test)]
mod tests {
    use goldentime_wire::RECORD_VERSION;
    use goldentime_wire::proto::{LogRecord, Logs};

    use super::super::letter::{Head, LetterId};
    use super::*;

    const PARTITIONS: u32 = 4;

    fn letter(kind: Kind, record: &[u8]) -> Letter {
        let head = Head {
            id: LetterId("1".into()),
            at: UnixNanos(0),
            agent: "a1".into(),
            host: "web-1".into(),
            kind,
            reason: "partition".into(),
            detail: String::new(),
            bytes: record.len() as u64,
            times: 1,
            replayed_at: None,
        };
        Letter { head, project: "shop".into(), record: record.to_vec().into(), is_cut: false }
    }

    fn of(record: &Record) -> Letter {
        letter(Kind::Record, &frame::body(record))
    }

    fn lines(messages: &[&str]) -> Record {
        let log = |message: &&str| LogRecord { message: (*message).into(), ..LogRecord::default() };
        Record {
            version: RECORD_VERSION,
            service: "shop/prod/api".into(),
            host: "web-1".into(),
            agent: "a1".into(),
            progress_ms: 7,
            flush_complete: true,
            body: Some(Body::Logs(Logs { records: messages.iter().map(log).collect() })),
            ..Record::default()
        }
    }

    fn reason(letter: &Letter, sender: &Standing) -> Option<&'static str> {
        admit(letter, Some(sender), PARTITIONS).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn a_letter_gets_a_place_of_its_own_and_says_nothing_of_its_agent() {
        let good = Standing::Good("shop".into());
        // Its stream, number and partition are all wrong.
        let admitted = admit(&of(&lines(&["a"])), Some(&good), PARTITIONS).expect("taken");
        let record = &admitted.record;
        assert_eq!(record.partition, admitted.service.partition(PARTITIONS));
        let told = (record.agent.as_str(), record.progress_ms, record.flush_complete);
        assert_eq!(told, (SPEAKER, 0, false));
    }

    #[test]
    fn whoever_may_not_speak_does_not_by_a_letter_either() {
        let letter = of(&lines(&["a"]));
        assert_eq!(reason(&letter, &Standing::Good("bank".into())), Some("project"));
        assert_eq!(reason(&letter, &Standing::Revoked), Some("agent_revoked"));
        assert_eq!(reason(&letter, &Standing::Unknown), None, "the letter says whose it was");
        let nobodys = Letter { project: String::new(), ..letter };
        assert_eq!(reason(&nobodys, &Standing::Unknown), Some("agent_unknown"));
    }

    #[test]
    fn what_is_not_whole_or_holds_nothing_is_refused() {
        let good = Standing::Good("shop".into());
        let bare = Record { body: None, ..lines(&[]) };
        assert_eq!(reason(&of(&bare), &good), Some("empty"));
        assert_eq!(reason(&Letter { is_cut: true, ..of(&lines(&["a"])) }, &good), Some("cut"));
        assert_eq!(reason(&letter(Kind::Record, &[0xff; 9]), &good), Some("protobuf"));
        assert_eq!(reason(&letter(Kind::Line, b"{}"), &good), Some("json"));
        let long = "x".repeat(goldentime_wire::limits::MESSAGE_BYTES_MAX + 1);
        assert_eq!(reason(&of(&lines(&[&long])), &good), Some("too_long"));
    }

    #[test]
    fn lines_that_have_letters_of_their_own_cost_none_of_their_neighbours() {
        let long = "x".repeat(goldentime_wire::limits::MESSAGE_BYTES_MAX + 1);
        let good = Standing::Good("shop".into());
        let admitted = admit(&of(&lines(&["a", &long, "b"])), Some(&good), PARTITIONS).expect("taken");
        let Some(Body::Logs(logs)) = admitted.record.body else { panic!("it has logs") };
        let left: Vec<_> = logs.records.iter().map(|log| log.message.as_str()).collect();
        assert_eq!(left, ["a", "b"]);
    }
}
