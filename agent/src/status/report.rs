//! The report: everything that `status` shows, gathered from those who know it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::inputs::host::{self, HostHandle};
use crate::inputs::service::{ServiceStatus, ServicesHandle};
use crate::inputs::statsd::{self, StatsdHandle};
use crate::inputs::tail::TailHandle;
use crate::memory::Bound;
use crate::ship::flush::{FlushState, FlushStatus};
use crate::ship::ledger::Ledger;
use crate::ship::spool::Spool;
use crate::ship::uplink::{UplinkState, UplinkStatus};

/// What an agent is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Name of the host.
    pub host: String,
    /// Id given at enrolment, or by the agent to itself; empty before.
    pub agent: String,
    /// Project given by the join token, or by the configuration; empty before.
    pub project: String,
    /// Environment of its services.
    pub environment: String,
    /// What it is doing, in words: reading, or what it waits for.
    pub doing: String,
    /// When it was started.
    pub started_at: UnixNanos,
    /// When this was written, by this machine's clock.
    pub now: UnixNanos,
    /// What is read.
    pub inputs: Vec<InputReport>,
    /// The host, where it is read.
    #[serde(default)]
    pub host_input: Option<host::Status>,
    /// StatsD, where it is enabled.
    #[serde(default)]
    pub statsd: Option<StatsdReport>,
    /// Services whose saturation is read.
    #[serde(default)]
    pub services: Vec<ServiceStatus>,
    /// The uplink.
    pub uplink: UplinkStatus,
    /// The flusher.
    pub flush: FlushStatus,
    /// The spool.
    pub spool: SpoolReport,
    /// What waits, by stream.
    pub streams: Vec<StreamReport>,
    /// Events dropped since the start, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Sum of the bounds that the components declared.
    pub memory_bound_bytes: u64,
}

/// How one tailed input stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputReport {
    /// Its name.
    pub name: String,
    /// Lines a second, since the report before or since the start.
    pub lines_per_second: f64,
    /// Everything else, in the input's own words.
    pub status: serde_json::Value,
}

/// How the StatsD input stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsdReport {
    /// Metrics a second, since the report before or since the start.
    pub metrics_per_second: f64,
    /// Datagrams a second, likewise.
    pub packets_per_second: f64,
    /// Everything else.
    pub status: statsd::Status,
}

/// How full the spool is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolReport {
    /// Its file.
    pub path: PathBuf,
    /// Bytes that wait.
    pub bytes: u64,
    /// Most bytes that may wait.
    pub bytes_max: u64,
    /// Records that wait.
    pub records: u64,
    /// After a power loss lines may have been counted twice.
    pub after_unclean_boot: bool,
    /// Where a damaged spool was moved to at the start.
    pub moved_aside: Option<PathBuf>,
}

/// What waits of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Id in hexadecimal.
    pub stream: String,
    /// Kind of its records.
    pub kind: String,
    /// New records are numbered in it.
    pub current: bool,
    /// Bytes that wait.
    pub bytes: u64,
    /// By partition, the next new number.
    pub next: BTreeMap<u32, u64>,
}

/// What becomes known while the agent starts.
#[derive(Clone, Debug, Default)]
struct Progressing {
    agent: String,
    project: String,
    doing: String,
}

/// Those who know what a report says. Cheap to clone.
#[derive(Clone)]
pub struct Sources(Arc<Inner>);

struct Inner {
    host: String,
    environment: String,
    clock: SharedClock,
    started_at: UnixNanos,
    spool: Spool,
    spool_start: SpoolReport,
    flush: FlushState,
    uplink: UplinkState,
    ledger: Ledger,
    memory_bound_bytes: u64,
    progressing: Mutex<Progressing>,
    tails: Mutex<Vec<RatedTail>>,
    host_input: OnceLock<HostHandle>,
    statsd: Mutex<Option<RatedStatsd>>,
    services: OnceLock<ServicesHandle>,
}

/// An input, and what it had read at the report before.
struct RatedTail {
    handle: TailHandle,
    lines: u64,
    at: Instant,
}

/// The StatsD input, and what it had taken at the report before.
struct RatedStatsd {
    handle: StatsdHandle,
    metrics: u64,
    packets: u64,
    at: Instant,
}

/// What [`Sources`] are made from.
pub struct SourcesContext {
    /// Name of the host.
    pub host: String,
    /// Environment of its services.
    pub environment: String,
    /// This machine's clock.
    pub clock: SharedClock,
    /// The spool.
    pub spool: Spool,
    /// What was found when the spool was opened.
    pub spool_start: SpoolReport,
    /// The flusher's state.
    pub flush: FlushState,
    /// The uplink's state.
    pub uplink: UplinkState,
    /// What was dropped.
    pub ledger: Ledger,
    /// The components' bounds.
    pub bounds: Vec<Bound>,
}

impl Sources {
    /// Sources of an agent that starts now.
    #[must_use]
    pub fn new(context: SourcesContext) -> Self {
        Self(Arc::new(Inner {
            host: context.host,
            environment: context.environment,
            started_at: context.clock.now(),
            clock: context.clock,
            spool: context.spool,
            spool_start: context.spool_start,
            flush: context.flush,
            uplink: context.uplink,
            ledger: context.ledger,
            memory_bound_bytes: context.bounds.iter().map(|bound| bound.bytes).sum(),
            progressing: Mutex::default(),
            tails: Mutex::default(),
            host_input: OnceLock::new(),
            statsd: Mutex::default(),
            services: OnceLock::new(),
        }))
    }

    /// The agent is enrolled.
    pub fn set_identity(&self, agent: &str, project: &str) {
        self.progressing(|progressing| {
            agent.clone_into(&mut progressing.agent);
            project.clone_into(&mut progressing.project);
        });
    }

    /// What the agent is doing, in words.
    pub fn set_doing(&self, doing: &str) {
        self.progressing(|progressing| doing.clone_into(&mut progressing.doing));
    }

    /// Lines taken by all inputs since the start.
    #[must_use]
    pub fn lines_read(&self) -> u64 {
        let tails = self.0.tails.lock().unwrap_or_else(PoisonError::into_inner);
        tails.iter().map(|tail| tail.handle.status().lines).sum()
    }

    /// An input has begun.
    pub fn add_tail(&self, handle: TailHandle) {
        let tail = RatedTail { handle, lines: 0, at: Instant::now() };
        self.0.tails.lock().unwrap_or_else(PoisonError::into_inner).push(tail);
    }

    /// The host input has begun, which it does once.
    pub fn set_host(&self, handle: HostHandle) {
        let _ = self.0.host_input.set(handle);
    }

    /// The saturation of services is read, from one time on.
    pub fn set_services(&self, handle: ServicesHandle) {
        let _ = self.0.services.set(handle);
    }

    /// The StatsD input has begun.
    pub fn set_statsd(&self, handle: StatsdHandle) {
        let statsd = RatedStatsd { handle, metrics: 0, packets: 0, at: Instant::now() };
        *self.0.statsd.lock().unwrap_or_else(PoisonError::into_inner) = Some(statsd);
    }

    fn statsd(&self) -> Option<StatsdReport> {
        let mut statsd = self.0.statsd.lock().unwrap_or_else(PoisonError::into_inner);
        let rated = statsd.as_mut()?;
        let status = rated.handle.status();
        let seconds = rated.at.elapsed().as_secs_f64().max(0.001);
        let report = StatsdReport {
            metrics_per_second: status.taken().saturating_sub(rated.metrics) as f64 / seconds,
            packets_per_second: status.packets.saturating_sub(rated.packets) as f64 / seconds,
            status,
        };
        (rated.metrics, rated.packets, rated.at) =
            (report.status.taken(), report.status.packets, Instant::now());
        Some(report)
    }

    fn inputs(&self) -> Vec<InputReport> {
        let mut tails = self.0.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let report = tails.iter_mut().map(|tail| {
            let status = tail.handle.status();
            let seconds = tail.at.elapsed().as_secs_f64().max(0.001);
            let lines_per_second = status.lines.saturating_sub(tail.lines) as f64 / seconds;
            (tail.lines, tail.at) = (status.lines, Instant::now());
            InputReport {
                name: tail.handle.name().to_owned(),
                lines_per_second,
                // Counts and strings: nothing that JSON could not hold.
                status: serde_json::to_value(status).unwrap_or_default(),
            }
        });
        report.collect()
    }

    /// How things stand.
    pub async fn report(&self) -> Report {
        let inner = &*self.0;
        let usage = inner.spool.usage();
        let progressing = self.progressing(|progressing| progressing.clone());
        let flush = inner.flush.get();
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            host: inner.host.clone(),
            agent: progressing.agent,
            project: progressing.project,
            environment: inner.environment.clone(),
            doing: flush.held_back.clone().unwrap_or(progressing.doing),
            started_at: inner.started_at,
            now: inner.clock.now(),
            inputs: self.inputs(),
            host_input: inner.host_input.get().map(HostHandle::status),
            statsd: self.statsd(),
            services: inner.services.get().map(ServicesHandle::status).unwrap_or_default(),
            uplink: inner.uplink.get(),
            flush,
            spool: SpoolReport { bytes: usage.bytes, records: usage.records, ..inner.spool_start.clone() },
            streams: self.streams().await,
            drops: inner.ledger.by_reason().into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect(),
            resident_bytes: resident_bytes(),
            memory_bound_bytes: inner.memory_bound_bytes,
        }
    }

    /// Empty where the spool cannot be read: the report says why elsewhere.
    async fn streams(&self) -> Vec<StreamReport> {
        let streams = self.0.spool.streams().await.unwrap_or_default();
        let report = streams.into_iter().map(|stream| StreamReport {
            stream: stream.stream.to_string(),
            kind: stream.kind.as_str().to_owned(),
            current: stream.is_current,
            bytes: stream.partitions.values().map(|pending| pending.bytes).sum(),
            next: stream.partitions.iter().map(|(partition, pending)| (*partition, pending.next)).collect(),
        });
        report.collect()
    }

    /// Every change under the lock is complete before anything can panic.
    fn progressing<T>(&self, with: impl FnOnce(&mut Progressing) -> T) -> T {
        with(&mut self.0.progressing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Resident memory of this process; 0 where the kernel does not say.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kib << 10
}
