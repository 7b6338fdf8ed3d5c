//! Shares a topic's partitions among centrals, and brings what follows a place in those that are ours.
//!
//! A central joins under a name of its own (static membership): one that is back within the session's six
//! seconds keeps its partitions, and nobody else notices. Partitions change hands one by one
//! (cooperative rebalancing); those that stay go on being read meanwhile.
//!
//! [`event`] is what its owner is told, [`feed`] brings a partition's entries, [`tenure`] tells a central
//! that slept whether a partition is still its own, [`commits`] keeps what was applied, [`rebalance`]
//! hears from librdkafka.

mod commits;
mod event;
mod feed;
mod rebalance;
mod tenure;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use goldentime_kafka::brokers::{self, LOOK_EVERY};
use goldentime_kafka::{Context, KafkaFailure, Topic, Trouble, client, repeats};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::KafkaLogConfig;
use super::reader::watermarks;
use super::{number, place};
use commits::Commits;
pub use event::{Assigned, GroupEvent, Revoked};
use feed::Beside;
pub use feed::{Batch, Feed, Headers};
use rebalance::{Change, GroupContext};
pub use tenure::Tenure;

/// A member that is not heard for this long loses its partitions.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long its owner may take to say from where an assigned partition is to be read.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long its owner may take to bring home the state of a revoked partition.
const REVOKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the client may take to end.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// How often the broker is asked whether we are still a member.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);
/// Events that wait.
const EVENTS_MAX: usize = 64;

/// A member that was fenced joins anew after this long.
const REJOIN_AFTER: Duration = Duration::from_secs(2);
/// A member that is fenced this often within [`FENCED_WITHIN`] shares its name with another process.
const FENCED_MAX: usize = 3;
const FENCED_WITHIN: Duration = Duration::from_secs(60);

/// A central in the group. It joins as often as it has to.
pub struct Group {
    config: KafkaLogConfig,
    topic: Topic,
    member: String,
    commits: Arc<Commits>,
    offsets: Offsets,
    beside: Beside,
    epochs: Arc<AtomicU64>,
    events: mpsc::Sender<GroupEvent>,
    next: Option<Membership>,
}

/// Who commits offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offsets {
    /// The owner through its [`GroupHandle`]. What is committed also tells that we are a member.
    Owner,
    /// Transactions, which hold them. Nothing else may commit: it would set back what they did.
    Transactions,
}

/// One membership, from joining the group to leaving it or being put out.
struct Membership {
    shared: Arc<Shared>,
    changes: mpsc::Receiver<Change>,
    /// What librdkafka waits for an answer to.
    pending: Option<Change>,
    events: mpsc::Sender<GroupEvent>,
    trouble: Trouble,
}

/// Commits what was applied. Cheap to clone.
#[derive(Clone)]
pub struct GroupHandle {
    commits: Arc<Commits>,
}

type Client = StreamConsumer<GroupContext>;

struct Shared {
    consumer: Arc<Client>,
    topic: Arc<str>,
    commits: Arc<Commits>,
    offsets: Offsets,
    beside: Beside,
    held: StdMutex<BTreeMap<u32, Tenure>>,
    epochs: Arc<AtomicU64>,
    timeout: Duration,
    group: String,
    member: String,
}

impl Group {
    /// A member named `member` that will share `topic`. Its owner takes the events as they come: a
    /// rebalance waits for it.
    pub fn new(
        config: &KafkaLogConfig,
        topic: Topic,
        member: &str,
    ) -> Result<(Self, GroupHandle, mpsc::Receiver<GroupEvent>), KafkaFailure> {
        Self::with(config, topic, member, Offsets::Owner, Beside::Nothing)
    }

    /// The same with the headers of the entries in each batch.
    pub fn with_headers(
        config: &KafkaLogConfig,
        topic: Topic,
        member: &str,
    ) -> Result<(Self, GroupHandle, mpsc::Receiver<GroupEvent>), KafkaFailure> {
        Self::with(config, topic, member, Offsets::Owner, Beside::Headers)
    }

    /// The same for an owner whose offsets are committed by transactions: [`GroupHandle::sign`] says in whose
    /// name. Tenures are not confirmed then: who is not the owner any more is put out by its successor's
    /// transactions. Batches have the keys of their entries.
    pub fn transactional(
        config: &KafkaLogConfig,
        topic: Topic,
        member: &str,
    ) -> Result<(Self, GroupHandle, mpsc::Receiver<GroupEvent>), KafkaFailure> {
        Self::with(config, topic, member, Offsets::Transactions, Beside::Keys)
    }

    fn with(
        config: &KafkaLogConfig,
        topic: Topic,
        member: &str,
        offsets: Offsets,
        beside: Beside,
    ) -> Result<(Self, GroupHandle, mpsc::Receiver<GroupEvent>), KafkaFailure> {
        let topic_name = topic.name(config);
        let (events, told) = mpsc::channel(EVENTS_MAX);
        let commits = Arc::new(Commits::new(topic_name, &config.group));
        let mut group = Self {
            config: config.clone(),
            topic,
            member: member.to_owned(),
            commits: Arc::clone(&commits),
            offsets,
            beside,
            epochs: Arc::default(),
            events,
            next: None,
        };
        // What cannot be used is told at once.
        group.next = Some(group.membership()?);
        Ok((group, GroupHandle { commits }, told))
    }

    fn membership(&self) -> Result<Membership, KafkaFailure> {
        let (config, member) = (&self.config, &self.member);
        let trouble = Trouble::default();
        let ahead_kib = (config.ahead_bytes_max.get() / 1024).max(1).to_string();
        let mut client = client(&config.connection);
        client
            .set("group.id", &config.group)
            .set("group.instance.id", member)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_TIMEOUT.as_millis().to_string())
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", "60000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", &ahead_kib)
            .set("fetch.queue.backoff.ms", "20")
            .set("allow.auto.create.topics", "false");
        let (context, changes) = GroupContext::new(Context::new("group", trouble.clone()));
        let consumer = Client::from_config_and_context(&client, context)
            .map_err(|error| KafkaFailure::of("join a group", "", &error))?;
        let consumer = Arc::new(consumer);
        self.commits.go_over(&consumer);
        let shared = Arc::new(Shared {
            consumer,
            topic: self.topic.name(config),
            commits: Arc::clone(&self.commits),
            offsets: self.offsets,
            beside: self.beside,
            held: StdMutex::default(),
            epochs: Arc::clone(&self.epochs),
            timeout: config.connection.request_timeout.get(),
            group: config.group.clone(),
            member: member.clone(),
        });
        Ok(Membership { shared, changes, pending: None, events: self.events.clone(), trouble })
    }

    /// Takes part until told to stop; then gives its owner the time to bring home what it has. Its
    /// partitions wait for its return until the session ends.
    ///
    /// A member that was away for longer than its session, such as while Kafka was, may be fenced by its own
    /// return: a commit that was under its former id is refused for good. So it joins anew, unless that
    /// happens again and again: then another process has its name.
    pub async fn run(mut self, stopping: CancellationToken) -> Result<(), KafkaFailure> {
        let mut fenced: Vec<Instant> = Vec::new();
        loop {
            let membership = match self.next.take() {
                Some(first) => first,
                None => self.membership()?,
            };
            let failure = match membership.run(&stopping).await {
                Ok(()) => return Ok(()),
                Err(failure @ KafkaFailure::Fenced { .. }) => failure,
                Err(failure) => return Err(failure),
            };
            fenced.retain(|at| at.elapsed() < FENCED_WITHIN);
            fenced.push(Instant::now());
            if fenced.len() >= FENCED_MAX {
                return Err(failure);
            }
            metrics::counter!("goldentime_kafka_members_fenced_total").increment(1);
            tracing::warn!(error = %failure, "put out of the group; joining anew");
            tokio::select! {
                () = tokio::time::sleep(REJOIN_AFTER) => {}
                () = stopping.cancelled() => return Ok(()),
            }
        }
    }
}

impl Membership {
    async fn run(mut self, stopping: &CancellationToken) -> Result<(), KafkaFailure> {
        let shared = Arc::clone(&self.shared);
        let rights = format!("Read and Describe on topic {}, Read on group {}", shared.topic, shared.group);
        let subscribed = shared.consumer.subscribe(&[&shared.topic]);
        subscribed.map_err(|error| KafkaFailure::of("join a group", &rights, &error))?;
        let trouble = self.trouble.clone();
        let ended = tokio::select! {
            failure = listen(&shared, &rights, &trouble) => Err(failure),
            () = self.rebalance() => Ok(()),
            () = shared.commits.confirm_every(CONFIRM_EVERY, &shared.held) => Ok(()),
            () = stopping.cancelled() => Ok(()),
        };
        let held: Vec<u32> = shared.held().keys().copied().collect();
        if ended.is_ok() {
            self.revoke(&held).await;
        } else {
            self.lose(&held).await;
        }
        self.answer_all();
        drop(self);
        leave(shared).await;
        ended
    }

    async fn rebalance(&mut self) {
        while let Some(change) = self.changes.recv().await {
            self.pending = Some(change.clone());
            match change {
                Change::Assigned(partitions) => self.assign(&partitions).await,
                Change::Revoked(partitions) => {
                    self.revoke(&partitions).await;
                    self.give_back(&partitions);
                }
                Change::Lost(partitions) => {
                    self.lose(&partitions).await;
                    self.give_back(&partitions);
                }
            }
            self.pending = None;
        }
    }

    /// Answers what librdkafka still waits for: without it the client never ends.
    fn answer_all(&mut self) {
        self.shared.consumer.context().close();
        while let Some(change) = self.pending.take().or_else(|| self.changes.try_recv().ok()) {
            match change {
                Change::Assigned(_) => {
                    if let Err(error) = self.shared.consumer.incremental_assign(&TopicPartitionList::new()) {
                        tracing::debug!(%error, "an assignment was not declined");
                    }
                }
                Change::Revoked(partitions) | Change::Lost(partitions) => self.give_back(&partitions),
            }
        }
    }

    /// Tells the owner of new partitions, and reads them from where it says.
    async fn assign(&self, partitions: &[u32]) {
        let shared = &self.shared;
        let committed = self.committed(partitions).await;
        let mut starts = Vec::new();
        for &partition in partitions {
            let Some(queue) = shared.consumer.split_partition_queue(&shared.topic, number(partition)) else {
                continue;
            };
            let tenure = Tenure::begin(shared.epochs.fetch_add(1, Ordering::Relaxed) + 1);
            shared.held().insert(partition, tenure.clone());
            let committed = committed.get(&partition).copied().unwrap_or(0);
            if shared.offsets == Offsets::Owner {
                shared.commits.begin(partition, committed).await;
            }
            let (from, start) = oneshot::channel();
            let bounds = shared.bounds(partition);
            let feed = Feed::new(queue, partition, tenure.clone(), bounds, shared.beside);
            let assigned = Assigned { partition, committed, tenure, start: from, feed };
            if self.events.send(GroupEvent::Assigned(Box::new(assigned))).await.is_err() {
                return;
            }
            starts.push((partition, committed, start));
        }
        let mut list = TopicPartitionList::new();
        let until = Instant::now() + START_WITHIN;
        for (partition, committed, start) in starts {
            let from = match tokio::time::timeout_at(until, start).await {
                Ok(Ok(from)) => from,
                Ok(Err(_)) | Err(_) => {
                    tracing::error!(partition, "nobody reads an assigned partition");
                    committed + 1
                }
            };
            let offset = Offset::Offset(place(from));
            if let Err(error) = list.add_partition_offset(&shared.topic, number(partition), offset) {
                tracing::error!(partition, %error, "an offset that Kafka does not know");
            }
        }
        if let Err(error) = shared.consumer.incremental_assign(&list) {
            tracing::error!(%error, "partitions were not assigned; they will be lost");
        }
    }

    /// What was committed of partitions; asks until it is told, since to begin at the wrong place would
    /// be worse.
    async fn committed(&self, partitions: &[u32]) -> HashMap<u32, u64> {
        loop {
            match self.shared.committed(partitions).await {
                Ok(committed) => return committed,
                Err(failure) => {
                    let failure = failure.with_trouble(self.trouble.now());
                    tracing::warn!(error = %failure, "cannot learn what was committed; asking again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// Gives the owner the time to bring home what it has of these, and to commit it.
    async fn revoke(&self, partitions: &[u32]) {
        let mut waiting = Vec::new();
        for &partition in partitions {
            let Some(tenure) = self.shared.held().get(&partition).cloned() else { continue };
            tenure.leave();
            let (done, home) = oneshot::channel();
            if self.events.send(GroupEvent::Revoked(Revoked { partition, done })).await.is_ok() {
                waiting.push((partition, home));
            }
        }
        let until = Instant::now() + REVOKE_WITHIN;
        for (partition, home) in waiting {
            // An error is the end of what the owner held, which is what is waited for.
            if tokio::time::timeout_at(until, home).await.is_err() {
                tracing::warn!(partition, "a revoked partition was not brought home in time");
            }
        }
        self.end(partitions).await;
    }

    /// Tells the owner that somebody else has these by now.
    async fn lose(&self, partitions: &[u32]) {
        self.end(partitions).await;
        for &partition in partitions {
            // Without an owner nobody has to be told.
            let _ = self.events.send(GroupEvent::Lost { partition }).await;
        }
    }

    async fn end(&self, partitions: &[u32]) {
        for partition in partitions {
            if let Some(tenure) = self.shared.held().remove(partition) {
                tenure.end();
            }
            self.shared.commits.end(*partition).await;
        }
    }

    fn give_back(&self, partitions: &[u32]) {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition(&self.shared.topic, number(partition));
        }
        if let Err(error) = self.shared.consumer.incremental_unassign(&list) {
            tracing::warn!(%error, "partitions were not given back");
        }
    }
}

/// Serves librdkafka until it says that it cannot go on.
async fn listen(shared: &Shared, rights: &str, trouble: &Trouble) -> KafkaFailure {
    loop {
        // No record comes here: each partition has a queue of its own before it is assigned.
        let heard = tokio::time::timeout(LOOK_EVERY, shared.consumer.recv()).await;
        brokers::remember(shared.consumer.client());
        let Ok(Err(error)) = heard else { continue };
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return KafkaFailure::Fenced { group: shared.group.clone(), member: shared.member.clone() };
        }
        let failure = KafkaFailure::of("take part in a group", rights, &error).with_trouble(trouble.now());
        repeats::warn("group", &format!("the group's client goes on: {failure}"));
    }
}

/// Ends the client without a word to the group: nobody misses a static member before its session ends.
async fn leave(shared: Arc<Shared>) {
    let consumer = Arc::downgrade(&shared.consumer);
    // Feeds that are read to their end are the last to hold it.
    let dropped = tokio::task::spawn_blocking(move || drop(shared));
    let gone = async {
        let _ = dropped.await;
        while consumer.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(LEAVE_WITHIN, gone).await.is_err() {
        tracing::warn!("a group's client goes on until the last feed of its partitions is dropped");
    }
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Tenure>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn committed(&self, partitions: &[u32]) -> Result<HashMap<u32, u64>, KafkaFailure> {
        let (consumer, limit) = (Arc::clone(&self.consumer), self.timeout);
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition(&self.topic, number(partition));
        }
        let asked = tokio::task::spawn_blocking(move || consumer.committed_offsets(list, limit)).await;
        let rights = format!("Read on group {}", self.group);
        let asked = asked.map_err(|_| KafkaFailure::Stopped)?;
        let told = asked.map_err(|error| KafkaFailure::of("ask for what was committed", &rights, &error))?;
        let known = told.elements();
        let known = known.iter().filter_map(|element| match element.offset() {
            // Kafka's next one is the last one here.
            Offset::Offset(next) => {
                Some((u32::try_from(element.partition()).ok()?, u64::try_from(next).ok()?))
            }
            _ => None,
        });
        Ok(known.collect())
    }

    /// Asks where a partition begins now.
    fn bounds(self: &Arc<Self>, partition: u32) -> feed::First {
        let shared = Arc::downgrade(self);
        Box::new(move || {
            let shared = shared.upgrade();
            Box::pin(async move {
                let shared = shared?;
                let asked = watermarks(&shared.consumer, &shared.topic, partition, shared.timeout);
                Some(asked.await.ok()?.0 + 1)
            })
        })
    }
}

impl GroupHandle {
    /// Notes that everything up to these offsets was applied and is kept: a later start goes on behind
    /// them. `Stale` when a partition is not ours any more; then nothing is noted.
    pub async fn commit(&self, offsets: &[(u32, u64)]) -> Result<(), KafkaFailure> {
        self.commits.commit(offsets).await
    }

    /// What a transaction needs to commit that everything of a partition up to an offset was applied, in this
    /// member's name. None while it is no member.
    #[must_use]
    pub fn sign(&self, partition: u32, offset: u64) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> {
        self.commits.sign(partition, offset)
    }

    /// The last offset that a partition has now; places without a record count as well.
    pub async fn end(&self, partition: u32) -> Result<u64, KafkaFailure> {
        self.commits.end_of(partition).await
    }

    /// Last offset of a partition that was committed, 0 for none. Waits for a transaction that is being ended.
    pub async fn committed(&self, partition: u32) -> Result<u64, KafkaFailure> {
        self.commits.ask(partition).await
    }
}
