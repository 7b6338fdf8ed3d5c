//! Judges a letter again: whether what is in it would be taken now, and as what.

use std::sync::{Arc, Mutex, PoisonError};

use goldentime_log::Entry;
use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::{Record, Stamps};
use goldentime_wire::record::{STREAM_BYTES, sift};
use goldentime_wire::{RECORD_VERSION, frame};

use super::letter::{Kind, Letter};
use super::lines;
use crate::ingest::raw::fold::{Fold, Raw, Said};
use crate::ingest::registry::Standing;
use crate::ingest::validity::{Refusal, check};
use crate::merge::contents::seconds_of;
use crate::merge::lateness::LATE_S;

/// Who speaks in a replayed record. No agent is called so: what is replayed says nothing of how far an agent has
/// come, or that it is there.
pub const SPEAKER: &str = "dead-letters";

/// What letters are judged by. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    /// Partitions of the log.
    partitions: u32,
    /// How records of the raw topic are read, where that is known.
    raw: Option<Arc<Mutex<Fold>>>,
}

/// What a letter holds, ready for the log but for its place in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admitted {
    /// What is judged.
    pub judged: Option<Record>,
    /// Log lines.
    pub lines: Option<Record>,
    /// The newest second that it counts something in; none for log lines.
    pub newest: Option<Second>,
}

impl Admitted {
    /// Whether all of it is of seconds that are not judged any more at `now`.
    #[must_use]
    pub fn is_late(&self, now: UnixNanos) -> bool {
        self.newest.is_some_and(|newest| newest < now.second().offset(-LATE_S))
    }

    /// The partition of all of it.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.judged.as_ref().or(self.lines.as_ref()).map_or(0, |record| record.partition)
    }

    fn add(&mut self, record: Record) {
        seconds_of(&record, |second| self.newest = self.newest.max(Some(second)));
        match record.body {
            Some(Body::Logs(_)) => self.lines = Some(record),
            _ => self.judged = Some(record),
        }
    }
}

impl Admission {
    /// Into a log of so many partitions; what came of the raw topic as `raw` reads it.
    #[must_use]
    pub const fn new(partitions: u32, raw: Option<Arc<Mutex<Fold>>>) -> Self {
        Self { partitions, raw }
    }

    /// Judges a letter as intake would judge it now. Without a `sender`, whose the record is was judged before.
    pub fn admit(&self, letter: &Letter, sender: Option<&Standing>) -> Result<Admitted, Refusal> {
        if letter.is_cut {
            let detail = format!(
                "only the first {} bytes of this record were kept; the rest is gone",
                letter.record.len()
            );
            return Err(Refusal::new("cut", detail));
        }
        let mut admitted = Admitted::default();
        match letter.head.kind {
            Kind::Line => {
                let line = lines::record(&letter.record, &letter.head.host);
                let line = line.map_err(|error| Refusal::new("json", error.to_string()))?;
                admitted.add(self.checked(line, None)?);
            }
            Kind::Record => {
                let record = frame::decode::<Record>(letter.record.clone());
                let record = record.map_err(|error| Refusal::new("protobuf", error.to_string()))?;
                let project = sender.map(|sender| project(letter, sender)).transpose()?;
                admitted.add(self.checked(record, project)?);
            }
            Kind::Raw => {
                for record in self.read_raw(letter)? {
                    admitted.add(self.checked(record, None)?);
                }
            }
        }
        Ok(admitted)
    }

    /// What a record of the raw topic comes to now. A line that was shipped when it was refused is not shipped again.
    fn read_raw(&self, letter: &Letter) -> Result<Vec<Record>, Refusal> {
        let Some(raw) = &self.raw else {
            let detail = "`cluster.raw` is not set on the central that replays; it has to be the same on all";
            return Err(Refusal::new("raw_not_read", detail));
        };
        let entry =
            Entry { partition: 0, offset: 1, append_time: letter.head.at, record: letter.record.clone() };
        // Whoever panicked over a line has left nothing of it behind.
        let mut fold = raw.lock().unwrap_or_else(PoisonError::into_inner);
        let folded = fold.fold(&[Raw { key: letter.key.clone(), entry }]);
        drop(fold);
        if let Some(refused) = folded.refused.into_iter().next() {
            return Err(Refusal::new(refused.reason, refused.detail));
        }
        let is_new = |said: &Said| !(letter.is_shipped && matches!(said.content.body, Body::Logs(_)));
        let records: Vec<_> = folded.contents.into_iter().filter(is_new).map(said).collect();
        if records.is_empty() {
            return Err(Refusal::new("empty", "it is read now, and there is nothing in it to count"));
        }
        Ok(records)
    }

    /// The record as it may go into the log.
    fn checked(&self, mut record: Record, project: Option<&str>) -> Result<Record, Refusal> {
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
        record.partition =
            record.service.parse().map_or(0, |service: ServiceId| service.partition(self.partitions));
        record.progress_ms = 0;
        record.flush_complete = false;
        let service = check(&record, self.partitions, project)?;
        if service.is_none() || record.body.is_none() {
            let detail = "it only says how far its agent had come; there is nothing to count";
            return Err(Refusal::new("empty", detail));
        }
        Ok(record)
    }
}

fn said(Said { service, host, content }: Said) -> Record {
    let stamps = Stamps {
        occurred_ns: content.occurred.map_or(0, |occurred| occurred.at.0.max(0)),
        occurred_is_coarse: content.occurred.is_some_and(|occurred| occurred.is_coarse),
        ..Stamps::default()
    };
    Record {
        version: RECORD_VERSION,
        service: service.to_string(),
        host: host.to_string(),
        stamps: Some(stamps),
        body: Some(content.body),
        ..Record::default()
    }
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
    use goldentime_model::config::{Source, decode, yaml};
    use goldentime_runtime::ManualClock;
    use goldentime_wire::proto::{LogRecord, Logs};

    use super::super::letter::testing::letter;
    use super::*;
    use crate::ingest::raw::RawConfig;

    const PARTITIONS: u32 = 4;

    fn admit(letter: &Letter, sender: &Standing) -> Result<Admitted, Refusal> {
        Admission::new(PARTITIONS, None).admit(letter, Some(sender))
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
        admit(letter, sender).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn a_letter_gets_a_place_of_its_own_and_says_nothing_of_its_agent() {
        let good = Standing::Good("shop".into());
        // Its stream, number and partition are all wrong.
        let admitted = admit(&of(&lines(&["a"])), &good).expect("taken");
        let record = admitted.lines.expect("log lines");
        let service: ServiceId = record.service.parse().expect("a service");
        assert_eq!(record.partition, service.partition(PARTITIONS));
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
        let admitted = admit(&of(&lines(&["a", &long, "b"])), &good).expect("taken");
        let Some(Body::Logs(logs)) = admitted.lines.expect("log lines").body else { panic!("it has logs") };
        let left: Vec<_> = logs.records.iter().map(|log| log.message.as_str()).collect();
        assert_eq!(left, ["a", "b"]);
    }

    /// How a raw topic is read.
    fn raw(inputs: &str) -> Option<Arc<Mutex<Fold>>> {
        let source = Source { name: "raw".into(), text: format!("inputs:\n{inputs}").as_str().into() };
        let config: RawConfig =
            decode(&yaml::parse(&Arc::new(source)).expect("YAML")).expect("a configuration");
        let fold = Fold::new(&config, ManualClock::at(UnixNanos(0))).expect("inputs");
        Some(Arc::new(Mutex::new(fold)))
    }

    #[test]
    fn what_came_of_the_raw_topic_is_read_as_it_is_configured_now_and_its_line_shipped_once() {
        let input = "- {name: a, match: {key: shop}, service: api, ship_logs: true, line_field: log, \
            format: {type: regex, pattern: '^(?P<method>[A-Z]+) (?P<path>/[^ ]*) (?P<status>[0-9]+)$'}}\n";
        let admission = Admission::new(PARTITIONS, raw(input));
        let admit = |letter: &Letter| admission.admit(letter, Some(&Standing::Unknown));
        let of = |record: &[u8]| Letter { key: "shop".into(), ..letter(Kind::Raw, record) };
        let good = of(br#"{"log":"GET /orders/7 503","hostname":"web-9"}"#);
        let admitted = admit(&good).expect("taken");
        let (judged, lines) = (admitted.judged.expect("counted"), admitted.lines.expect("shipped"));
        assert_eq!((judged.service.as_str(), judged.host.as_str()), ("default/default/api", "web-9"));
        assert_eq!((judged.agent.as_str(), judged.partition), (SPEAKER, lines.partition));
        assert!(matches!(judged.body, Some(Body::Deltas(_))) && matches!(lines.body, Some(Body::Logs(_))));
        let shipped = admit(&Letter { is_shipped: true, ..good.clone() }).expect("taken");
        assert!(shipped.judged.is_some() && shipped.lines.is_none());
        let refused = |letter: &Letter| admit(letter).expect_err("refused").reason;
        assert_eq!(refused(&Letter { key: "bank".into(), ..good.clone() }), "raw_no_input");
        assert_eq!(refused(&of(br#"{"log":"?"}"#)), "unparsed_format");
        assert_eq!(refused(&of(br#"{"log":""}"#)), "empty");
        let unread = Admission::new(PARTITIONS, None).admit(&good, None).expect_err("refused");
        assert_eq!(unread.reason, "raw_not_read");
    }
}
