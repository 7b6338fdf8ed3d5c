//! The merge of one partition: a function of its log.

use goldentime_model::{HostName, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::{CellKey, Checkpoint, SecondCell, Tier};
use goldentime_wire::proto::{self, record::Body};
use goldentime_wire::record::stream_id;

use super::contents::{Reader, count_overflow, seconds_of};
use super::dedupe::{Seen, StreamTable};
use super::feed::BySecond;
use super::lateness::{LogTime, Pass, Place};
use super::outcome::{Applied, Events, drop_events};
use super::progress::{AgentRef, Agents};
use super::services::{Service, Services};
use crate::ingest::logged::Logged;

/// Every event is counted in one cell of each.
const TIERS: [Tier; 2] = [Tier::OneSecond, Tier::TenSeconds];

/// Merge state of one partition. Does no I/O: cells whose stored base is needed are opened by its
/// driver first ([`Partition::cells_of`]).
pub struct Partition {
    generation: u32,
    number: u32,
    streams: StreamTable,
    log_time: LogTime,
    offset: u64,
    watermark: Second,
    reader: Reader,
    /// Events of the record that is being applied, as far as they are judged.
    judged: BySecond,
    /// What is known of each service.
    pub services: Services,
    /// Who feeds the partition.
    pub agents: Agents,
}

impl Partition {
    /// An empty partition that goes on from a checkpoint, if there is one.
    #[must_use]
    pub fn new(number: u32, generation: u32, services_max: usize, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            generation,
            number,
            streams: checkpoint.map_or_else(StreamTable::default, |from| StreamTable::restore(&from.table)),
            log_time: LogTime::restore(checkpoint.map_or(UnixNanos(0), |from| from.log_time)),
            offset: checkpoint.map_or(0, |from| from.offset),
            watermark: checkpoint.map_or(Second(0), |from| from.watermark),
            reader: Reader::default(),
            judged: BySecond::default(),
            services: Services::with_room_for(services_max),
            agents: Agents::default(),
        }
    }

    /// Last offset applied.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Running maximum of log time.
    #[must_use]
    pub const fn log_time(&self) -> LogTime {
        self.log_time
    }

    /// From where the merge can go on, once every dirty cell is written.
    #[must_use]
    pub fn checkpoint(&mut self) -> Checkpoint {
        self.streams.expire(self.log_time.now());
        Checkpoint {
            partition: self.number,
            offset: self.offset,
            log_time: self.log_time.now(),
            generation: self.generation,
            table: self.streams.snapshot(),
            watermark: self.watermark,
            learned: Vec::new(),
        }
    }

    /// The index of a service, made known where there is room.
    pub fn know(&mut self, id: &ServiceId) -> Option<u32> {
        self.services.know(id, self.log_time.now())
    }

    /// One service by its index.
    pub fn service_mut(&mut self, index: u32) -> (&Agents, &mut Service) {
        (&self.agents, self.services.at_mut(index))
    }

    /// Calls `each` with the cells that a pass of a record at `log_time` adds to and that are not open.
    pub fn cells_of(
        &self,
        logged: &Logged,
        log_time: LogTime,
        pass: Pass,
        mut each: impl FnMut(Tier, Second),
    ) {
        let Some(open) = logged.service.as_ref().map(|id| self.services.cells(id)) else { return };
        seconds_of(&logged.record, |second| {
            let second = log_time.place(second).second();
            for tier in TIERS {
                let start = tier.bucket_of(second);
                if log_time.takes(pass, tier, start) && !open.is_some_and(|cells| cells.is_open(tier, start))
                {
                    each(tier, start);
                }
            }
        });
    }

    /// Opens a cell on its stored base.
    pub fn open(&mut self, key: CellKey, base: Option<(u64, SecondCell)>, pass: Pass) {
        if let Some(index) = self.know(&key.service) {
            let cells = &mut self.services.at_mut(index).cells;
            if !cells.is_open(key.tier, key.start) {
                cells.open(key.tier, key.start, base, pass);
            }
        }
    }

    /// Applies one record; `now` is the central's clock and becomes its `merged` stage.
    pub fn apply(&mut self, logged: &Logged, now: UnixNanos) -> Applied {
        if logged.offset <= self.offset {
            return Applied::Behind;
        }
        self.offset = logged.offset;
        self.log_time.advance(logged.append_time);
        let record = &logged.record;
        let Ok(stream) = stream_id(record) else { return Applied::Repeat };
        match self.streams.take(stream, record.number, self.log_time.now()) {
            Seen::Repeat => return Applied::Repeat,
            Seen::Fresh { lost: 0 } => {}
            Seen::Fresh { lost } => {
                metrics::counter!("goldentime_merge_lost_records_total").increment(lost);
                tracing::warn!(
                    partition = self.number,
                    agent = record.agent,
                    host = record.host,
                    number = record.number,
                    lost,
                    "records of this agent are missing in the log; its windows are a lower bound here"
                );
            }
        }
        let host = self.reader.host(&record.host);
        // Who says how far it has come for others says nothing of a host.
        let counted_on = logged.service.as_ref().map(|_| &host);
        let agent = self.agents.heard(&record.agent, counted_on, now);
        let progress_ms = self.progress_of(record);
        let outcome = match &logged.service {
            Some(id) => match self.know(id) {
                Some(index) => self.apply_to(index, logged, &host, agent, progress_ms, now),
                None => Applied::NoRoom,
            },
            None => Applied::Merged,
        };
        let speaks_of_requests = matches!(record.body, Some(Body::Deltas(_)) | None);
        if record.flush_complete
            && speaks_of_requests
            && let (Some(agent), Some(ms)) = (agent, progress_ms)
        {
            self.agents.flushed(agent, ms, self.log_time.now());
        }
        outcome
    }

    fn apply_to(
        &mut self,
        index: u32,
        logged: &Logged,
        host: &HostName,
        agent: Option<AgentRef>,
        progress_ms: Option<i64>,
        now: UnixNanos,
    ) -> Applied {
        let log_time = self.log_time;
        let Self { services, reader, judged, watermark, agents, .. } = self;
        judged.clear();
        services.touch(index);
        let service = services.at_mut(index);
        let (mut events, mut newest, mut late_in_part) = (Events::default(), None, false);
        reader.each(&logged.record, host, |second, count, add| {
            let place = log_time.place(second);
            let second = place.second();
            let kept = log_time.is_kept(Tier::TenSeconds, Tier::TenSeconds.bucket_of(second));
            match place {
                Place::Own(_) => {}
                Place::Clamped(_) => events.clamped += count,
                Place::Late(_) if kept => events.late += count,
                Place::Late(_) => events.too_late += count,
            }
            if !matches!(place, Place::Late(_)) {
                events.live += count;
                newest = newest.max(Some(second));
                judged.add(second, count);
            }
            for tier in TIERS {
                let start = tier.bucket_of(second);
                if log_time.takes(Pass::Live, tier, start) {
                    let overflow = service.cells.add((tier, start), logged.offset, Pass::Live, add);
                    if tier == Tier::OneSecond {
                        count_overflow(overflow);
                    }
                }
                late_in_part |= log_time.takes(Pass::Late, tier, start);
            }
        });
        events.tell();
        service.last_record = log_time.now();
        if let Some(newest) = newest {
            *watermark = (*watermark).max(newest);
            service.watermark_ms = service.watermark_ms.max(newest.start().as_millis());
        }
        if let Some(progress_ms) = progress_ms {
            service.watermark_ms = service.watermark_ms.max(progress_ms);
            if let Some(agent) = agent {
                service.feeds.take(agents, agent, judged, progress_ms);
            }
        }
        // What is wholly late tips no rule, so a page must not show its stages.
        if let Some(stamps) = &logged.record.stamps
            && (events.live > 0 || events.late + events.too_late == 0)
        {
            service.stages = StageTimes { merged: Some(now), ..stamps.stage_times(logged.received) };
        }
        if late_in_part { Applied::LateInPart } else { Applied::Merged }
    }

    /// Adds what of a record belongs into cells that were not judged any more at `log_time`, as far as
    /// they are open. Records come here in the order of their offsets, after [`Partition::apply`].
    pub fn apply_late(&mut self, logged: &Logged, log_time: LogTime) {
        let Some(index) = logged.service.as_ref().and_then(|id| self.know(id)) else { return };
        let host = self.reader.host(&logged.record.host);
        let cells = &mut self.services.at_mut(index).cells;
        let mut not_opened = 0;
        self.reader.each(&logged.record, &host, |second, count, add| {
            let second = log_time.place(second).second();
            let mut finest = true;
            for tier in TIERS {
                let start = tier.bucket_of(second);
                if !log_time.takes(Pass::Late, tier, start) {
                    continue;
                }
                if !cells.is_open(tier, start) {
                    not_opened += count;
                    break;
                }
                let overflow = cells.add((tier, start), logged.offset, Pass::Late, add);
                if std::mem::take(&mut finest) {
                    count_overflow(overflow);
                }
            }
        });
        drop_events("late_not_opened", not_opened);
    }

    /// A record's progress, brought back to the present where its agent's clock is ahead.
    fn progress_of(&self, record: &proto::Record) -> Option<i64> {
        let present_ms = self.log_time.now().as_millis();
        let limit_ms = present_ms.saturating_add(super::lateness::FUTURE_S_MAX * 1000);
        if record.progress_ms > limit_ms {
            metrics::counter!("goldentime_merge_clamped_total", "what" => "progress").increment(1);
            return Some(present_ms);
        }
        (record.progress_ms > 0).then_some(record.progress_ms)
    }
}
