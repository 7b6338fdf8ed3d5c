//! The services of one partition, within their limit, and which of them changed.

use goldentime_model::{ServiceId, StageTimes, UnixNanos};
use hashbrown::HashMap;

use super::accumulate::OpenCells;
use super::pool::Pool;
use super::progress::{Agents, Expected, Feeds};

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

impl Service {
    /// What is expected of it.
    #[must_use]
    pub const fn expected<'a>(&'a self, agents: &'a Agents) -> Expected<'a> {
        Expected { agents, feeds: &self.feeds }
    }
}

/// Every service that is known.
#[derive(Debug)]
pub struct Services {
    max: usize,
    services: Vec<Service>,
    by_id: HashMap<ServiceId, u32>,
    touched: Vec<u32>,
    pool: Pool,
}

impl Services {
    /// None, and room for at most `max`.
    #[must_use]
    pub fn with_room_for(max: usize) -> Self {
        Self { max, services: Vec::new(), by_id: HashMap::new(), touched: Vec::new(), pool: Pool::default() }
    }

    /// Bytes of all open cells.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// The open cells of a service, if it is known.
    #[must_use]
    pub fn cells(&self, id: &ServiceId) -> Option<&OpenCells> {
        self.by_id.get(id).map(|index| &self.services[*index as usize].cells)
    }

    /// All of them.
    pub fn all_mut(&mut self) -> &mut [Service] {
        &mut self.services
    }

    /// One by its index.
    pub fn at_mut(&mut self, index: u32) -> &mut Service {
        &mut self.services[index as usize]
    }

    /// The index of a service, made known at `log_time` where there is room.
    pub fn know(&mut self, id: &ServiceId, log_time: UnixNanos) -> Option<u32> {
        if let Some(index) = self.by_id.get(id) {
            return Some(*index);
        }
        if self.services.len() >= self.max {
            return None;
        }
        let index = u32::try_from(self.services.len()).ok()?;
        self.services.push(Service {
            id: id.clone(),
            cells: OpenCells::counted_in(self.pool.clone()),
            feeds: Feeds::of(id),
            watermark_ms: 0,
            last_record: log_time,
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

    /// Lists a service among the touched.
    pub fn touch(&mut self, index: u32) {
        let service = &mut self.services[index as usize];
        if !service.touched {
            service.touched = true;
            self.touched.push(index);
        }
    }

    /// The services that changed since the last call, each once.
    pub fn take_touched(&mut self, into: &mut Vec<u32>) {
        into.clear();
        std::mem::swap(into, &mut self.touched);
        for index in into.iter() {
            self.services[*index as usize].touched = false;
        }
    }
}
