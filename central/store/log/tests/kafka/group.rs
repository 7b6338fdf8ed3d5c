//! Centrals share partitions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use goldentime_kafka::KafkaFailure;
use goldentime_log::kafka::{Group, GroupEvent, GroupHandle, KafkaLogConfig, Tenure, Topic};
use goldentime_model::units::HumanDuration;
use goldentime_testkit::proxy::Fault;
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_testkit::wait;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{HANG_MAX, World, config, numbered, shared};

/// What members have applied: offsets of each partition in the order in which they came.
type Applied = Arc<Mutex<HashMap<u32, Vec<u64>>>>;

/// A member that applies what comes, and commits it.
struct Member {
    run: JoinSet<Result<(), KafkaFailure>>,
    own: JoinSet<()>,
    stop: CancellationToken,
    handle: GroupHandle,
    held: Arc<Mutex<HashMap<u32, Tenure>>>,
    lost: Arc<Mutex<Vec<u32>>>,
    missing: Arc<Mutex<u64>>,
}

impl Member {
    fn join(config: &KafkaLogConfig, name: &str, applied: &Applied) -> Self {
        let (group, handle, events) = Group::new(config, Topic::Deltas, name).expect("a member");
        let stop = CancellationToken::new();
        let mut run = JoinSet::new();
        run.spawn(group.run(stop.clone()));
        let member = Self {
            run,
            own: JoinSet::new(),
            stop,
            handle: handle.clone(),
            held: Arc::default(),
            lost: Arc::default(),
            missing: Arc::default(),
        };
        let (held, lost, missing) =
            (Arc::clone(&member.held), Arc::clone(&member.lost), Arc::clone(&member.missing));
        let applied = Arc::clone(applied);
        let mut own = JoinSet::new();
        own.spawn(async move { follow(events, handle, applied, held, lost, missing).await });
        Self { own, ..member }
    }

    fn partitions(&self) -> Vec<u32> {
        let mut held: Vec<u32> = self.held.lock().expect("held").keys().copied().collect();
        held.sort_unstable();
        held
    }

    async fn has(&self, count: usize) {
        let has = || async { (self.partitions().len() == count).then_some(()) };
        wait::until(&format!("a member with {count} partitions"), HANG_MAX, has).await.expect("assigned");
    }

    /// Ends it as a stop does.
    async fn leave(mut self) {
        self.stop.cancel();
        self.run.join_next().await.expect("it ran").expect("no panic").expect("a clean end");
        self.own.join_next().await;
    }
}

async fn follow(
    mut events: mpsc::Receiver<GroupEvent>,
    handle: GroupHandle,
    applied: Applied,
    held: Arc<Mutex<HashMap<u32, Tenure>>>,
    lost: Arc<Mutex<Vec<u32>>>,
    missing: Arc<Mutex<u64>>,
) {
    let mut readers: HashMap<u32, JoinSet<()>> = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            GroupEvent::Assigned(assigned) => {
                let (partition, from) = (assigned.partition, assigned.committed + 1);
                held.lock().expect("held").insert(partition, assigned.tenure.clone());
                let mut feed = assigned.start(from);
                let (applied, handle, missing) = (Arc::clone(&applied), handle.clone(), Arc::clone(&missing));
                readers.entry(partition).or_default().spawn(async move {
                    while let Some(batch) = feed.next().await {
                        *missing.lock().expect("missing") += batch.lost;
                        let Some(last) = batch.entries.last().map(|last| last.offset) else { continue };
                        let offsets = batch.entries.iter().map(|entry| entry.offset);
                        applied.lock().expect("applied").entry(partition).or_default().extend(offsets);
                        // Whoever is not the owner any more is told with the next event.
                        let _ = handle.commit(&[(partition, last)]).await;
                    }
                });
            }
            GroupEvent::Revoked(revoked) => {
                if let Some(mut reader) = readers.remove(&revoked.partition) {
                    while reader.join_next().await.is_some() {}
                }
                held.lock().expect("held").remove(&revoked.partition);
                revoked.done();
            }
            GroupEvent::Lost { partition } => {
                readers.remove(&partition);
                held.lock().expect("held").remove(&partition);
                lost.lock().expect("lost").push(partition);
            }
        }
    }
}

async fn applied_all(applied: &Applied, each: u64) {
    let done = || async {
        let applied = applied.lock().expect("applied");
        let is_done = |offsets: &Vec<u64>| offsets.last() == Some(&each);
        (applied.len() == 2 && applied.values().all(is_done)).then_some(())
    };
    wait::until(&format!("{each} records of each partition"), HANG_MAX, done).await.expect("applied");
}

async fn append_each(world: &World, count: u64) {
    let mut receipts = Vec::new();
    for number in 0..count {
        for partition in 0..2 {
            receipts.push(world.send(partition, numbered(number)).await);
        }
    }
    for receipt in receipts {
        receipt.await.expect("durable");
    }
}

#[tokio::test]
async fn partitions_change_hands_and_each_record_is_applied_once() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    let applied = Applied::default();
    let first = Member::join(&world.config, "first", &applied);
    first.has(2).await;
    append_each(&world, 200).await;
    let second = Member::join(&world.config, "second", &applied);
    append_each(&world, 200).await;
    second.has(1).await;
    first.has(1).await;
    assert_ne!(first.partitions(), second.partitions());
    append_each(&world, 200).await;
    applied_all(&applied, 600).await;
    let theirs = second.partitions()[0];
    let stale = first.handle.commit(&[(theirs, 600)]).await;
    assert!(matches!(stale, Err(KafkaFailure::Stale)), "{stale:?}");
    // Gone for good: its partition comes over once its session is over.
    second.leave().await;
    append_each(&world, 100).await;
    first.has(2).await;
    applied_all(&applied, 700).await;
    first.leave().await;
    for (partition, offsets) in applied.lock().expect("applied").iter() {
        assert_eq!(*offsets, (1..=700).collect::<Vec<u64>>(), "partition {partition}");
    }
}

#[tokio::test]
async fn a_member_that_is_soon_back_under_its_name_keeps_its_partitions() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    let applied = Applied::default();
    let first = Member::join(&world.config, "first", &applied);
    let second = Member::join(&world.config, "second", &applied);
    first.has(1).await;
    second.has(1).await;
    append_each(&world, 50).await;
    applied_all(&applied, 50).await;
    let own = first.partitions();
    let epoch = first.held.lock().expect("held")[&own[0]].epoch();
    second.leave().await;
    append_each(&world, 50).await;
    let second = Member::join(&world.config, "second", &applied);
    applied_all(&applied, 100).await;
    assert_eq!(first.partitions(), own);
    assert_eq!(first.held.lock().expect("held")[&own[0]].epoch(), epoch, "it was never taken away");
    first.leave().await;
    second.leave().await;
    for offsets in applied.lock().expect("applied").values() {
        assert_eq!(*offsets, (1..=100).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn who_sleeps_longer_than_its_session_knows_that_it_is_not_the_owner() {
    let kafka = Kafka::start(Shape { is_proxied: true, ..Shape::brokers(1) }).await.expect("Kafka starts");
    let mut config = config(&kafka, 1);
    config.connection.request_timeout = HumanDuration::from_secs(1);
    let world = World::of(config).await;
    let applied = Applied::default();
    let member = Member::join(&world.config, "first", &applied);
    member.has(2).await;
    let tenure = member.held.lock().expect("held")[&0].clone();
    assert!(tenure.is_current());
    kafka.link(0).set(Fault::HalfOpen);
    let stale = || async { (!tenure.is_current()).then_some(()) };
    wait::until("a tenure that is over", HANG_MAX, stale).await.expect("it knows");
    assert!(member.lost.lock().expect("lost").is_empty(), "nobody could tell it so");
    kafka.link(0).set(Fault::None);
    let again = || async {
        let held = member.held.lock().expect("held").get(&0)?.clone();
        held.is_current().then_some(held)
    };
    wait::until("to be a member again", HANG_MAX, again).await.expect("it goes on");
    append_each(&world, 10).await;
    applied_all(&applied, 10).await;
    member.leave().await;
}

#[tokio::test]
async fn two_centrals_of_one_name_are_told_apart() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    let applied = Applied::default();
    let mut first = Member::join(&world.config, "twin", &applied);
    first.has(2).await;
    let second = Member::join(&world.config, "twin", &applied);
    second.has(2).await;
    let ended = tokio::time::timeout(HANG_MAX, first.run.join_next()).await.expect("in time");
    let failure = ended.expect("it ran").expect("no panic").expect_err("there is another one");
    let KafkaFailure::Fenced { member, .. } = failure else { panic!("{failure}") };
    assert_eq!(member, "twin");
    second.leave().await;
}

#[tokio::test]
async fn what_the_log_dropped_before_it_was_read_is_a_loss() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    append_each(&world, 40).await;
    let admin: AdminClient<DefaultClientContext> =
        goldentime_kafka::client(&world.config.connection).create().expect("a client");
    let mut before = TopicPartitionList::new();
    let topic = Topic::Deltas.name(&world.config);
    before.add_partition_offset(&topic, 0, Offset::Offset(15)).expect("valid");
    admin.delete_records(&before, &AdminOptions::new()).await.expect("deleted");
    let applied = Applied::default();
    let member = Member::join(&world.config, "first", &applied);
    applied_all(&applied, 40).await;
    assert_eq!(*member.missing.lock().expect("missing"), 15);
    member.leave().await;
}
