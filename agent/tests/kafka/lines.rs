//! Lines of a log: each arrives, and is counted once.

use std::time::Duration;

use goldentime_log::kafka::Topic;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::host::{Host, kill9, stop};
use crate::world::{HANG_MAX, Log, PARTITIONS, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_arrives_once_and_a_clean_stop_leaves_nothing_to_repeat() {
    let kafka = shared().await;
    let log = Log::made(&kafka).await;
    let mut host = Host::new(&log, "  project: shop\n");
    host.write_lines(2000);
    let agent = host.start();
    log.until("2000 lines", |seen| (seen.requests, seen.lines) == (2000, 2000), || host.explain()).await;
    let settled = |status: &serde_json::Value| {
        let uplink = &status["uplink"];
        uplink["kafka"]["in_flight"] == 0
            && uplink["acknowledged"].as_u64().is_some_and(|records| records > 0)
    };
    let status = host.until("everything to be acknowledged", settled).await;
    assert_eq!(status["uplink"]["kafka"]["phase"], "sending", "{status:#}");
    assert_eq!(status["uplink"]["kafka"]["partitions"], PARTITIONS);
    assert_eq!((&status["project"], &status["doing"]), (&"shop".into(), &"reading".into()));
    let page = host.page();
    for told in
        ["uplink to Kafka", ".deltas and ", "3 partitions each", "clock not corrected", "nothing dropped"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    let metrics = String::from_utf8(host.ask(&["status", "--metrics"]).stdout).expect("text");
    assert!(metrics.contains("goldentime_agent_kafka_troubled 0"), "{metrics}");

    // What is written last is flushed by the stop itself.
    host.write_lines(500);
    host.until("the last lines to be read", |status| status["inputs"][0]["status"]["lines"] == 2500).await;
    assert!(stop(agent).success(), "{}", host.explain());
    let id = std::fs::read_to_string(host.path("state/agent-id")).expect("kept");
    host.write_lines(500);
    let agent = host.start();
    let seen = log.until("3000 lines", |seen| (seen.requests, seen.lines) == (3000, 3000), || host.explain());
    let seen = seen.await;
    seen.is_whole();
    assert_eq!(seen.repeats, 0);
    assert!(seen.records.iter().all(|(_, record)| record.agent == id.trim() && record.host == "web-1"));
    let fed = |partition| seen.records.iter().any(|(_, record)| record.partition == partition);
    assert!((0..PARTITIONS).all(fed));
    assert!(seen.records.iter().any(|(topic, record)| *topic == Topic::Deltas && record.body.is_none()));
    keys_are_services(&log).await;
    assert!(stop(agent).success(), "{}", host.explain());
}

/// Reads the topics as any other program would.
async fn keys_are_services(log: &Log) {
    let mut client = goldentime_kafka::client(&log.config.connection);
    let consumer: BaseConsumer = client.set("group.id", "keys").create().expect("a client");
    let mut from = TopicPartitionList::new();
    for topic in [Topic::Deltas, Topic::Logs] {
        let name = topic.name(&log.config);
        from.add_partition_offset(&name, 0, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&from).expect("assigned");
    let looked = tokio::task::spawn_blocking(move || {
        let mut read = 0;
        while let Some(message) = consumer.poll(if read == 0 { HANG_MAX } else { Duration::from_secs(1) }) {
            let message = message.expect("read");
            let record: goldentime_wire::proto::Record =
                prost::Message::decode(message.payload().unwrap_or_default()).expect("a record");
            assert_eq!(message.key().unwrap_or_default(), record.service.as_bytes());
            read += 1;
        }
        read
    });
    assert!(looked.await.expect("every key is a service") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_killed_in_mid_flow_repeats_perhaps_and_loses_nothing() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let kafka = shared().await;
    let log = Log::made(&kafka).await;
    let mut host = Host::new(&log, "");
    host.write_lines(100);
    let mut agent = host.start();
    log.until("the first lines", |seen| seen.requests == 100, || host.explain()).await;
    for _ in 0..8 {
        for _ in 0..random.random_range(1..60) {
            host.write_lines(random.random_range(1..100));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        kill9(agent);
        host.write_lines(random.random_range(0..200));
        agent = host.start();
    }
    let lines = host.lines;
    let all = |seen: &crate::world::Contents| seen.requests >= lines && seen.lines >= lines;
    log.until("every line", all, || host.explain()).await;
    host.write_lines(1);
    let more = |seen: &crate::world::Contents| seen.requests > lines && seen.lines > lines;
    let seen = log.until("one more", more, || host.explain()).await;
    assert_eq!((seen.requests, seen.lines), (host.lines, host.lines), "seed {seed}");
    seen.is_whole();
    assert!(stop(agent).success(), "{}", host.explain());
}
