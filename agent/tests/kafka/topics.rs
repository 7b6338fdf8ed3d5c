//! Topics that are missing, that do not fit together, or that take too little.

use goldentime_log::kafka::{Topic, topics};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;

use crate::host::{Host, stop};
use crate::world::{Log, PARTITIONS, shared};

fn admin(log: &Log) -> AdminClient<DefaultClientContext> {
    goldentime_kafka::client(&log.config.connection).create().expect("a client")
}

async fn make(log: &Log, topic: Topic, partitions: i32) {
    let name = topic.name(&log.config);
    let new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1))
        .set("message.timestamp.type", "LogAppendTime");
    let made = admin(log).create_topics([&new], &AdminOptions::new()).await.expect("asked");
    made.into_iter().for_each(|made| drop(made.expect("made")));
}

async fn grow(log: &Log, topic: Topic, partitions: usize) {
    let name = topic.name(&log.config);
    let grown = NewPartitions::new(&name, partitions);
    let grown = admin(log).create_partitions([&grown], &AdminOptions::new()).await.expect("asked");
    grown.into_iter().for_each(|grown| drop(grown.expect("grown")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_missing_are_waited_for_and_nothing_read_is_lost() {
    let kafka = shared().await;
    let log = Log::of(&kafka);
    let mut host = Host::new(&log, "");
    host.write_lines(300);
    let agent = host.start();
    let told = host.trouble("missing").await;
    for topic in [Topic::Deltas, Topic::Logs] {
        assert!(told.contains(&*topic.name(&log.config)), "{told}");
    }
    for told in [told, host.advice()] {
        assert!(told.contains("start a central") && told.contains("kafka.topic_prefix"), "{told}");
    }
    assert!(host.page().contains("waiting for Kafka"), "{}", host.page());
    topics::ensure(&log.config).await.expect("made");
    let seen =
        log.until("all lines", |seen| (seen.requests, seen.lines) == (300, 300), || host.explain()).await;
    seen.is_whole();
    assert!(stop(agent).success(), "{}", host.explain());

    // An agent that knows how data is cut does not even wait: it reads, and keeps what it read.
    let admin = admin(&log);
    let names = [Topic::Deltas, Topic::Logs].map(|topic| topic.name(&log.config));
    let deleted = admin.delete_topics(&[&*names[0], &*names[1]], &AdminOptions::new()).await.expect("asked");
    deleted.into_iter().for_each(|deleted| drop(deleted.expect("deleted")));
    host.write_lines(200);
    let agent = host.start();
    host.trouble("missing").await;
    host.until("200 lines to be read", |status| status["inputs"][0]["status"]["lines"] == 200).await;
    topics::ensure(&log.config).await.expect("made again");
    log.until("200 lines", |seen| (seen.requests, seen.lines) == (200, 200), || host.explain()).await;
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_cut_differently_are_told_and_waited_for() {
    let kafka = shared().await;
    let log = Log::of(&kafka);
    make(&log, Topic::Deltas, 2).await;
    make(&log, Topic::Logs, 3).await;
    let mut host = Host::new(&log, "");
    host.write_lines(100);
    let agent = host.start();
    let told = host.trouble("both need the same number").await;
    for told in [told, host.advice()] {
        assert!(told.contains("has 2 partitions") && told.contains("has 3"), "{told}");
    }
    grow(&log, Topic::Deltas, 3).await;
    let seen =
        log.until("all lines", |seen| (seen.requests, seen.lines) == (100, 100), || host.explain()).await;
    seen.is_whole();
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_get_more_partitions_while_it_sends_are_told_until_both_have_them_and_then_taken() {
    let kafka = shared().await;
    let mut log = Log::made(&kafka).await;
    let mut host = Host::new(&log, "");
    host.write_lines(100);
    let agent = host.start();
    log.until("the first lines", |seen| (seen.requests, seen.lines) == (100, 100), || host.explain()).await;
    grow(&log, Topic::Deltas, 5).await;
    let told = host.trouble("both need the same number").await;
    assert!(told.contains("has 5 partitions") && told.contains("has 3"), "{told}");
    assert!(host.page().contains("TROUBLE"), "{}", host.page());
    grow(&log, Topic::Logs, 5).await;
    let taken = |status: &serde_json::Value| {
        let kafka = &status["uplink"]["kafka"];
        kafka["partitions"] == 5 && kafka["phase"] == "sending" && kafka["trouble"].is_null()
    };
    let status = host.until("the new partitions", taken).await;
    assert_eq!(status["drops"], serde_json::json!({}), "{status:#}");
    host.write_lines(100);
    (log.config.partitions, log.cut_for) = (5, vec![PARTITIONS]);
    let seen =
        log.until("all lines", |seen| (seen.requests, seen.lines) == (200, 200), || host.explain()).await;
    seen.is_whole();
    assert!(seen.records.iter().any(|(_, record)| record.partition >= PARTITIONS));
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_a_topic_does_not_take_is_counted_and_holds_up_nothing() {
    let kafka = shared().await;
    let log = Log::made(&kafka).await;
    let name = Topic::Logs.name(&log.config);
    let small = AlterConfig::new(ResourceSpecifier::Topic(&name))
        .set("max.message.bytes", "24576")
        .set("message.timestamp.type", "LogAppendTime");
    let altered = admin(&log).alter_configs([&small], &AdminOptions::new()).await.expect("asked");
    altered.into_iter().for_each(|altered| drop(altered.expect("altered")));

    let mut host = Host::new(&log, "");
    host.write_lines(100);
    let agent = host.start();
    log.until("the first lines", |seen| seen.lines == 100, || host.explain()).await;
    let large = "long ".repeat(6000);
    host.append(&format!(
        "{{\"service\": \"s1\", \"status\": 200, \"path\": \"/\", \"msg\": \"{large}\"}}\n"
    ));
    let counted = |status: &serde_json::Value| status["drops"]["kafka_record_too_large"].as_u64() == Some(1);
    host.until("the large line to be counted", counted).await;
    host.write_lines(100);
    let all = |seen: &crate::world::Contents| (seen.requests, seen.lines) == (201, 200);
    let seen = log.until("all others", all, || host.explain()).await;
    assert_eq!(seen.gaps.len(), 1, "who reads the topic sees that one is missing: {:?}", seen.gaps);
    assert!(host.page().contains("kafka_record_too_large"), "{}", host.page());
    assert!(stop(agent).success(), "{}", host.explain());
}
