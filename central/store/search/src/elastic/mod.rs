//! Elasticsearch and OpenSearch as the log store.
//!
//! Invariants:
//! - A line is a document under its identity. It belongs to the index of its own days, so that a line
//!   which is stored again replaces itself; a data stream refuses it as a repeat, and after a start
//!   what may be one is looked for first, since a rollover may lie between.
//! - A partition's position is a document of its own, moved by compare-and-set after the lines are
//!   acknowledged. A crash in between only repeats.
//! - The k-th line of a partition has the place k whenever it is stored: the order among lines of one
//!   instant is a function of the log.
//! - What the index finds are candidates; [`Query::matches`] decides, except where the index knows all.
//!
//! [`config`] is what can be set, [`client`] speaks to the nodes, [`server`] says what they can do,
//! [`layout`] what is made there, [`error`] what they answer amiss. [`document`] is a line, [`bulk`]
//! writes many, [`position`] is how far partitions have come, [`commit`] is a step of both. [`ask`] is
//! a query, [`find`] and [`count`] are the searches, [`retain`] drops what is old.

mod ask;
mod bulk;
mod client;
mod commit;
mod config;
mod count;
mod document;
mod error;
mod find;
mod layout;
mod position;
mod retain;
mod server;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::UnixNanos;
use tokio::sync::{Mutex, OnceCell, Semaphore, SemaphorePermit};

use self::client::Http;
use self::commit::Partition;
pub use self::config::{ElasticConfig, Layout};
use self::layout::{Kind, Names};
use crate::line::{LineId, NewLine};
use crate::page::{Context, Histogram, Page, PageRequest, Span};
use crate::query::Query;
use crate::store::{Dropped, LogStore, Rejects, StoreStats};

/// How much a search or histogram looks through.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimits {
    /// Lines: a search then answers with what it has, and a histogram counts a sample.
    pub lines: usize,
    /// Bytes of text, likewise.
    pub bytes: usize,
    /// Largest answer of the server that is read, in bytes: more is asked for in parts.
    pub answer_bytes: usize,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { lines: 50_000, bytes: 48 << 20, answer_bytes: 16 << 20 }
    }
}

/// A partition's slot: none before its first use, while a call has it, and after one that failed.
type Slot = Arc<Mutex<Option<Partition>>>;

/// Log lines on a search server. It is asked for the first time when it is first needed, and again after
/// a failure: a central starts, judges and pages whatever is wrong with it.
pub struct ElasticLogs {
    config: ElasticConfig,
    limits: SearchLimits,
    names: Names,
    /// The first node and the name of the lines, for errors.
    place: String,
    http: Http,
    kind: OnceCell<Kind>,
    rejects: Arc<dyn Rejects>,
    partitions: StdMutex<HashMap<u32, Slot>>,
    /// Indices of lines that were there when they were last asked for.
    indices: StdMutex<HashSet<String>>,
    bulks: Semaphore,
    turns: Semaphore,
}

impl ElasticLogs {
    /// A store on a server, which is not asked yet. `rejects` takes the lines that it will never take.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: ElasticConfig, rejects: Arc<dyn Rejects>) -> Result<Self, String> {
        Self::with_limits(config, rejects, SearchLimits::default())
    }

    /// The same with other limits of searches.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn with_limits(
        config: ElasticConfig,
        rejects: Arc<dyn Rejects>,
        limits: SearchLimits,
    ) -> Result<Self, String> {
        let names = Names::of(&config.prefix);
        let first = config.urls.first().map_or("", |url| url.trim_end_matches('/'));
        Ok(Self {
            http: Http::new(&config, limits.answer_bytes)?,
            limits,
            place: format!("{first}/{}", names.lines),
            names,
            kind: OnceCell::new(),
            rejects,
            partitions: StdMutex::default(),
            indices: StdMutex::default(),
            bulks: Semaphore::new(config.bulks_max as usize),
            turns: Semaphore::new(find::SEARCHES_MAX),
            config,
        })
    }

    /// Makes sure that everything is there, once.
    async fn session(&self) -> Result<Kind, StoreError> {
        let prepare = || layout::prepare(&self.http, &self.config, &self.names, &self.place);
        self.kind.get_or_try_init(prepare).await.copied()
    }

    /// Waits until another search may begin. The semaphore is never closed.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    fn partition(&self, partition: u32) -> Slot {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partitions.entry(partition).or_default())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.indices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, index: &str) -> bool {
        self.known().contains(index)
    }

    fn note(&self, index: &str) {
        self.known().insert(index.to_owned());
    }

    fn forget(&self, index: &str) {
        self.known().remove(index);
    }

    fn forget_all(&self) {
        self.known().clear();
    }
}

impl LogStore for ElasticLogs {
    fn name(&self) -> &'static str {
        "elasticsearch"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(async move {
            self.session().await?;
            Ok(self.load(partition).await?.position())
        })
    }

    fn commit<'a>(
        &'a self,
        lines: &'a [NewLine],
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(self.store(lines, advance))
    }

    fn search(&self, query: Query, page: PageRequest) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.find(query, page))
    }

    fn histogram(&self, query: Query, span: Span) -> BoxFuture<'_, Result<Histogram, StoreError>> {
        Box::pin(self.count(query, span))
    }

    fn context(
        &self,
        id: LineId,
        before: u32,
        after: u32,
    ) -> BoxFuture<'_, Result<Option<Context>, StoreError>> {
        Box::pin(self.around(id, before, after))
    }

    fn retain(&self, before: UnixNanos, bytes_max: u64) -> BoxFuture<'_, Result<Dropped, StoreError>> {
        Box::pin(self.drop_old(before, bytes_max))
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        Box::pin(self.measure())
    }

    /// Connections end with the last clone of their client.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
