//! The merge of one partition: a function of its log.

use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::cell::Overflow;
use goldentime_windows::{Aggregate, Checkpoint, SecondCell, Tier};
use goldentime_wire::proto::{self, record::Body};
use goldentime_wire::record::stream_id;
use hashbrown::HashMap;

use super::accumulate::{OpenCells, bucket_start};
use super::dedupe::{Seen, StreamTable};
use super::lateness::{LogTime, Place};
use super::names::Names;
use super::progress::{AgentRef, Agents, Expected, Feeds};
use crate::ingest::logged::Logged;

/// State of one service.
#[derive(Debug)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its open cells.
    pub cells: OpenCells,
    /// The agents that feed it.
    pub feeds: Feeds,
    /// Event time that its window ends at, in milliseconds.
    pub watermark_ms: i64,
    /// Log time of its last record.
    pub last_record: UnixNanos,
    /// Stages of the newest record since it was last judged.
    pub stages: StageTimes,
    /// Listed among the touched.
    touched: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was added to its windows, or noted as progress.
    Merged,
    /// Its number was applied before.
    Repeat,
    /// Its offset was applied before.
    Behind,
    /// It is of a new service, and there is no room for one more.
    NoRoom,
}

/// Merge state of one partition. Does no I/O: cells whose stored base is needed are opened by its
/// driver first ([`Partition::cells_of`]).
pub struct Partition {
    generation: u32,
    number: u32,
    services_max: usize,
    streams: StreamTable,
    log_time: LogTime,
    offset: u64,
    watermark: Second,
    services: Vec<Service>,
    by_id: HashMap<ServiceId, u32>,
    touched: Vec<u32>,
    names: Names,
    scratch: Aggregate,
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
            services_max,
            streams: checkpoint.map_or_else(StreamTable::default, |from| StreamTable::restore(&from.table)),
            log_time: LogTime::restore(checkpoint.map_or(UnixNanos(0), |from| from.log_time)),
            offset: checkpoint.map_or(0, |from| from.offset),
            watermark: checkpoint.map_or(Second(0), |from| from.watermark),
            services: Vec::new(),
            by_id: HashMap::new(),
            touched: Vec::new(),
            names: Names::default(),
            scratch: Aggregate::default(),
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
        }
    }

    /// Every service that is known.
    pub fn services_mut(&mut self) -> (&Agents, &mut [Service]) {
        (&self.agents, &mut self.services)
    }

    /// One service by its index.
    pub fn service_mut(&mut self, index: u32) -> (&Agents, &mut Service) {
        (&self.agents, &mut self.services[index as usize])
    }

    /// The index of a service, made known where there is room.
    pub fn know(&mut self, id: &ServiceId) -> Option<u32> {
        if let Some(index) = self.by_id.get(id) {
            return Some(*index);
        }
        if self.services.len() >= self.services_max {
            return None;
        }
        let index = u32::try_from(self.services.len()).ok()?;
        self.services.push(Service {
            id: id.clone(),
            cells: OpenCells::default(),
            feeds: Feeds::of(id),
            watermark_ms: 0,
            last_record: self.log_time.now(),
            stages: StageTimes::default(),
            touched: false,
        });
        self.by_id.insert(id.clone(), index);
        Some(index)
    }

    /// Forgets services without open cells whose last record is older than `before` by log time,
    /// unless `keep` says otherwise; gives the forgotten ones.
    pub fn forget(&mut self, before: UnixNanos, mut keep: impl FnMut(&ServiceId) -> bool) -> Vec<ServiceId> {
        let mut forgotten = Vec::new();
        let mut index = 0;
        while index < self.services.len() {
            let service = &self.services[index];
            if service.last_record >= before
                || !service.cells.is_empty()
                || service.touched
                || keep(&service.id)
            {
                index += 1;
                continue;
            }
            let gone = self.services.swap_remove(index);
            self.by_id.remove(&gone.id);
            if let Some(moved) = self.services.get(index) {
                self.by_id.insert(moved.id.clone(), index as u32);
            }
            forgotten.push(gone.id);
        }
        if !forgotten.is_empty() {
            self.touched.clear();
            let still = self.services.iter().enumerate().filter(|(_, service)| service.touched);
            self.touched.extend(still.map(|(index, _)| index as u32));
        }
        forgotten
    }

    /// The services that changed since the last call, each once.
    pub fn take_touched(&mut self, into: &mut Vec<u32>) {
        into.clear();
        std::mem::swap(into, &mut self.touched);
        for index in into.iter() {
            self.services[*index as usize].touched = false;
        }
    }

    /// Calls `each` with the cells that a record would add to and that are not open.
    pub fn cells_of(&self, logged: &Logged, mut each: impl FnMut(Tier, Second)) {
        let Some(id) = &logged.service else { return };
        let mut log_time = self.log_time;
        log_time.advance(logged.append_time);
        let open = self.by_id.get(id).map(|index| &self.services[*index as usize].cells);
        let mut need = |second: Second| {
            let (Place::Own(second) | Place::Clamped(second)) = log_time.place(second) else { return };
            for tier in [Tier::OneSecond, Tier::TenSeconds] {
                let start = bucket_start(tier, second);
                if !open.is_some_and(|cells| cells.is_open(tier, start)) {
                    each(tier, start);
                }
            }
        };
        match &logged.record.body {
            Some(Body::Deltas(deltas)) => {
                deltas.series.iter().flat_map(|series| &series.buckets).for_each(|b| need(Second(b.second)));
            }
            Some(Body::Samples(samples)) => {
                samples.samples.iter().for_each(|sample| need(UnixNanos(sample.at_ns).second()));
            }
            Some(Body::Logs(_)) | None => {}
        }
    }

    /// Opens a cell on its stored base.
    pub fn open(&mut self, id: &ServiceId, tier: Tier, start: Second, base: Option<(u64, SecondCell)>) {
        if let Some(index) = self.know(id) {
            let cells = &mut self.services[index as usize].cells;
            if !cells.is_open(tier, start) {
                cells.open(tier, start, base);
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
        let host = self.names.host(&record.host);
        let agent = self.agents.heard(&record.agent, &host, now);
        let progress_ms = self.progress_of(record);
        let outcome = match &logged.service {
            Some(id) => match self.know(id) {
                Some(index) => {
                    self.apply_to(index, logged, &host, agent, progress_ms, now);
                    Applied::Merged
                }
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
        host: &Arc<str>,
        agent: Option<AgentRef>,
        progress_ms: Option<i64>,
        now: UnixNanos,
    ) {
        let (offset, log_time) = (logged.offset, self.log_time);
        let Self { services, names, scratch, watermark, touched, agents, .. } = self;
        let service = &mut services[index as usize];
        let mut adding = Adding { service, log_time, offset, events: 0, late: 0, newest: None };
        match &logged.record.body {
            Some(Body::Deltas(deltas)) => adding.deltas(deltas, host, names, scratch),
            Some(Body::Samples(samples)) => adding.samples(samples, names),
            Some(Body::Logs(_)) | None => {}
        }
        let Adding { events, late, newest, .. } = adding;
        if late > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => "merge", "reason" => "late").increment(late);
        }
        service.last_record = log_time.now();
        if let Some(newest) = newest {
            *watermark = (*watermark).max(newest);
            service.watermark_ms = service.watermark_ms.max(newest.start().as_millis());
        }
        if let Some(progress_ms) = progress_ms {
            service.watermark_ms = service.watermark_ms.max(progress_ms);
            if let Some(agent) = agent {
                service.feeds.take(agents, agent, events, progress_ms);
            }
        }
        if let Some(stamps) = &logged.record.stamps {
            service.stages = StageTimes { merged: Some(now), ..stamps.stage_times(logged.received) };
        }
        if !service.touched {
            service.touched = true;
            touched.push(index);
        }
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

impl Service {
    /// What is expected of it.
    #[must_use]
    pub const fn expected<'a>(&'a self, agents: &'a Agents) -> Expected<'a> {
        Expected { agents, feeds: &self.feeds }
    }
}

/// One record on its way into one service's cells.
struct Adding<'a> {
    service: &'a mut Service,
    log_time: LogTime,
    offset: u64,
    events: u64,
    late: u64,
    newest: Option<Second>,
}

impl Adding<'_> {
    fn deltas(
        &mut self,
        deltas: &proto::Deltas,
        host: &Arc<str>,
        names: &mut Names,
        scratch: &mut Aggregate,
    ) {
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
                self.add(Second(bucket.second), events, |cell| cell.add(host, &endpoint, scratch));
            }
        }
    }

    fn samples(&mut self, samples: &proto::Samples, names: &mut Names) {
        for sample in &samples.samples {
            let key = names.gauge(sample);
            self.add(UnixNanos(sample.at_ns).second(), 1, |cell| {
                let before = if sample.counter { cell.gauges.get(&key).copied().unwrap_or(0.0) } else { 0.0 };
                cell.set_gauge(&key, before + sample.value)
            });
        }
    }

    fn add(&mut self, second: Second, events: u64, add: impl FnMut(&mut SecondCell) -> Overflow) {
        let second = match self.log_time.place(second) {
            Place::Own(second) => second,
            Place::Clamped(second) => {
                metrics::counter!("goldentime_merge_clamped_total", "what" => "event").increment(events);
                second
            }
            Place::Late => {
                self.late += events;
                return;
            }
        };
        let (_, overflow) = self.service.cells.add(second, self.offset, add);
        count_overflow(overflow);
        self.events = self.events.saturating_add(events);
        self.newest = self.newest.max(Some(second));
    }
}

fn count_overflow(overflow: Overflow) {
    for (what, count) in
        [("hosts", overflow.hosts), ("endpoints", overflow.endpoints), ("gauges", overflow.gauges)]
    {
        if count > 0 {
            metrics::counter!("goldentime_merge_overflow_total", "what" => what).increment(count);
        }
    }
}
