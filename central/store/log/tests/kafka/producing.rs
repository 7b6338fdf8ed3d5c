//! What may happen to a producer, and what may not: nothing lost, and the first time that each record
//! comes is in its order.

use std::time::Duration;

use goldentime_kafka::{KafkaFailure, Producer, ProducerLimits};
use goldentime_log::kafka::Topic;
use goldentime_log::kafka::topics;
use goldentime_runtime::TaskKind;
use goldentime_testkit::proxy::Fault;
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_testkit::wait;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use tokio::task::JoinSet;

use crate::world::{HANG_MAX, World, config, first_numbers, numbered, shared};

/// Numbered records to one partition, as fast as they are taken, until told to stop.
struct Stream {
    tasks: JoinSet<u64>,
    stop: tokio::sync::watch::Sender<bool>,
    acknowledged: tokio::sync::watch::Receiver<u64>,
}

impl Stream {
    fn start(world: &World) -> Self {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (done, acknowledged) = tokio::sync::watch::channel(0);
        let mut tasks = JoinSet::new();
        let record = world.outgoing(0, numbered(0));
        let producer = world.producer.clone();
        tasks.spawn(async move {
            let mut waiting = std::collections::VecDeque::new();
            let mut number = 0;
            while !*stopped.borrow() {
                number += 1;
                let record = goldentime_kafka::Outgoing { payload: numbered(number), ..record.clone() };
                waiting.push_back(producer.send(record).await.expect("given in"));
                if waiting.len() > 200 {
                    waiting.pop_front().expect("there").await.expect("durable");
                    done.send_modify(|acknowledged| *acknowledged += 1);
                }
            }
            for receipt in waiting {
                receipt.await.expect("durable");
                done.send_modify(|acknowledged| *acknowledged += 1);
            }
            number
        });
        Self { tasks, stop, acknowledged }
    }

    /// Waits until `more` further records were acknowledged.
    async fn goes_on(&mut self, more: u64) {
        let from = *self.acknowledged.borrow();
        let going = self.acknowledged.wait_for(|acknowledged| *acknowledged >= from + more);
        tokio::time::timeout(HANG_MAX, going).await.expect("goes on").expect("still runs");
    }

    /// Ends it, and gives how many there were.
    async fn end(mut self) -> u64 {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(HANG_MAX, self.tasks.join_next()).await.expect("acknowledged");
        ended.expect("one task").expect("nothing refused")
    }
}

async fn nothing_is_missing(world: &World, sent: u64) {
    let (numbers, repeats) = first_numbers(&world.all(0).await);
    assert!(numbers.is_sorted(), "out of order: {repeats} repeats");
    assert_eq!(numbers.len() as u64, sent, "{repeats} repeats");
}

#[tokio::test]
async fn a_broker_that_is_killed_and_restarted_loses_and_doubles_nothing() {
    let mut kafka = Kafka::start(Shape::brokers(1)).await.expect("Kafka starts");
    let world = World::of(config(&kafka, 1)).await;
    let mut stream = Stream::start(&world);
    stream.goes_on(1000).await;
    kafka.kill9_all();
    wait::until("word of the broker", HANG_MAX, || async { world.producer.trouble().now() })
        .await
        .expect("it is known that nothing goes");
    kafka.restart_all().await.expect("Kafka starts again");
    stream.goes_on(1000).await;
    let sent = stream.end().await;
    assert_eq!(world.producer.trouble().now(), None, "nothing is wrong any more");
    nothing_is_missing(&world, sent).await;
}

#[tokio::test]
async fn one_of_three_brokers_may_be_killed_and_then_all_of_them() {
    let mut kafka = Kafka::start(Shape::brokers(3)).await.expect("Kafka starts");
    let world = World::of(config(&kafka, 3)).await;
    let mut stream = Stream::start(&world);
    stream.goes_on(500).await;
    for broker in 0..3 {
        kafka.kill9(broker);
        // More than was on its way already.
        stream.goes_on(1000).await;
        kafka.restart_all().await.expect("a broker starts again");
    }
    kafka.kill9_all();
    kafka.restart_all().await.expect("all start again");
    stream.goes_on(1000).await;
    let sent = stream.end().await;
    nothing_is_missing(&world, sent).await;
}

#[tokio::test]
async fn a_link_that_is_cut_or_half_open_heals() {
    let shape = Shape { is_proxied: true, ..Shape::brokers(1) };
    let kafka = Kafka::start(shape).await.expect("Kafka starts");
    let mut config = config(&kafka, 1);
    config.connection.request_timeout = goldentime_model::units::HumanDuration::from_secs(1);
    let world = World::of(config).await;
    let mut stream = Stream::start(&world);
    for fault in [Fault::Cut, Fault::HalfOpen, Fault::Delay(Duration::from_millis(20))] {
        stream.goes_on(500).await;
        kafka.link(0).set(fault);
        if matches!(fault, Fault::Delay(_)) {
            stream.goes_on(500).await;
        } else {
            let told =
                wait::until("word of the link", HANG_MAX, || async { world.producer.trouble().now() }).await;
            told.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        }
        kafka.link(0).set(Fault::None);
    }
    stream.goes_on(500).await;
    let sent = stream.end().await;
    nothing_is_missing(&world, sent).await;
}

#[tokio::test]
async fn a_record_that_is_refused_is_not_overtaken() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    world.append(0, numbered(1)).await;
    set(&world, "max.message.bytes", "2000").await;
    // Small ones around one that is refused for now.
    let noise = noise();
    let mut receipts = vec![world.send(0, noise.clone()).await];
    let refused =
        wait::until("word of the refusal", HANG_MAX, || async { world.producer.trouble().now() }).await;
    let refused = refused.expect("it is known that nothing goes");
    assert!(refused.contains(Topic::Deltas.name(&world.config).as_ref()), "{refused}");
    for number in 2..300 {
        receipts.push(world.send(0, numbered(number)).await);
    }
    set(&world, "max.message.bytes", "2000000").await;
    for receipt in receipts {
        tokio::time::timeout(HANG_MAX, receipt).await.expect("in time").expect("durable");
    }
    let entries = world.all(0).await;
    let large = entries.iter().position(|entry| entry.record.len() == noise.len()).expect("it is there");
    let (small, _) = first_numbers(&[&entries[..large], &entries[large + 1..]].concat());
    assert_eq!(small, (1..300).collect::<Vec<u64>>());
    assert_eq!(large, 1, "behind the first, before all others");
}

/// A record that does not compress.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut digit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'0' + u8::try_from((state >> 33) % 10).expect("a digit")
    };
    (0..50_000).map(|_| digit()).collect()
}

#[tokio::test]
async fn a_record_that_is_refused_is_given_up_where_that_is_wanted_and_no_other_with_it() {
    let kafka = shared().await;
    let world = World::of(config(&kafka, 1)).await;
    set(&world, "max.message.bytes", "20000").await;
    let limits = ProducerLimits { gives_up_refused: true, ..world.config.producer_limits() };
    let (producer, handle) = Producer::new(&world.config.connection, limits);
    world.tasks.spawn(TaskKind::Station, "gives up", producer.run());
    let mut receipts = Vec::new();
    for number in 1..300 {
        // Many together are refused as well, and none of them is too large.
        let payload = if number % 100 == 0 { noise() } else { numbered(number).to_vec() };
        receipts.push((number, handle.send(world.outgoing(0, payload)).await.expect("given in")));
    }
    for (number, receipt) in receipts {
        let outcome = tokio::time::timeout(HANG_MAX, receipt).await.expect("in time");
        match outcome {
            Ok(_) => assert_ne!(number % 100, 0),
            Err(KafkaFailure::Refused { bytes, .. }) => assert_eq!((number % 100, bytes), (0, 50_000)),
            Err(other) => panic!("{number}: {other}"),
        }
    }
    let (numbers, _) = first_numbers(&world.all(0).await);
    assert_eq!(numbers, (1..300).filter(|number| number % 100 != 0).collect::<Vec<u64>>());
}

async fn set(world: &World, setting: &str, value: &str) {
    let admin: AdminClient<DefaultClientContext> =
        goldentime_kafka::client(&world.config.connection).create().expect("a client");
    let topic = Topic::Deltas.name(&world.config);
    let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(setting, value);
    let done = admin.alter_configs([&altered], &AdminOptions::new()).await.expect("asked");
    done.into_iter().for_each(|done| drop(done.expect("altered")));
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_at_once() {
    let kafka = shared().await;
    let mut config = config(&kafka, 1);
    config.record_bytes_max = goldentime_model::units::ByteSize(64 << 10);
    let world = World::of(config).await;
    let too_large = world.producer.send(world.outgoing(0, vec![0; (64 << 10) + 1])).await;
    let Err(KafkaFailure::TooLarge { bytes, bytes_max, .. }) = too_large else { panic!("{too_large:?}") };
    assert_eq!((bytes, bytes_max), ((64 << 10) + 1, 64 << 10));
    world.append(0, vec![0; 64 << 10]).await;
}

#[tokio::test]
async fn what_waits_is_bounded_and_who_sends_waits() {
    let shape = Shape { is_proxied: true, ..Shape::brokers(1) };
    let kafka = Kafka::start(shape).await.expect("Kafka starts");
    let mut config = config(&kafka, 1);
    config.record_bytes_max = goldentime_model::units::ByteSize(64 << 10);
    config.waiting_bytes_max = goldentime_model::units::ByteSize(256 << 10);
    topics::ensure(&config).await.expect("topics");
    let world = World::of(config).await;
    world.append(0, numbered(0)).await;
    kafka.link(0).set(Fault::HalfOpen);
    let mut receipts = Vec::new();
    loop {
        let record = world.outgoing(0, vec![7; 60 << 10]);
        // Long enough for whatever would be taken at once.
        match tokio::time::timeout(Duration::from_secs(1), world.producer.send(record)).await {
            Ok(receipt) => receipts.push(receipt.expect("given in")),
            Err(_) => break,
        }
    }
    assert!((3..=4).contains(&receipts.len()), "{} of 60 KiB in 256 KiB", receipts.len());
    kafka.link(0).set(Fault::None);
    for receipt in receipts {
        tokio::time::timeout(HANG_MAX, receipt).await.expect("in time").expect("durable");
    }
    world.append(0, numbered(1)).await;
}
