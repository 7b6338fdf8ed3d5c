//! Topics are made as they must be, and refused when they are not.

use goldentime_log::kafka::{KafkaLogConfig, Topic, TopicsError, topics};
use goldentime_testkit::servers::kafka::Kafka;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::world::{config, shared};

async fn make(config: &KafkaLogConfig, topic: Topic, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        goldentime_kafka::client(&config.connection).create().expect("a client");
    let name = topic.name(config);
    let new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |new, (setting, value)| new.set(setting, value));
    let made = admin.create_topics([&new], &AdminOptions::new()).await.expect("asked");
    made.into_iter().for_each(|made| drop(made.expect("made")));
}

async fn wrong(config: &KafkaLogConfig) -> Vec<String> {
    match topics::ensure(config).await {
        Err(TopicsError::Wrong(wrong)) => wrong,
        other => panic!("{other:?}"),
    }
}

fn config_of(kafka: &Kafka) -> KafkaLogConfig {
    config(kafka, 1)
}

#[tokio::test]
async fn topics_are_made_once_and_found_again() {
    let kafka = shared().await;
    let config = config_of(&kafka);
    for _ in 0..2 {
        topics::ensure(&config).await.expect("made, then found");
    }
    let looking = KafkaLogConfig { create_topics: false, ..config.clone() };
    topics::ensure(&looking).await.expect("found");
    let next = KafkaLogConfig { generation: 2, partitions: 3, ..config };
    topics::ensure(&next).await.expect("another generation has partitions of its own");
}

#[tokio::test]
async fn topics_that_may_not_be_made_are_named_with_how_to_make_them() {
    let kafka = shared().await;
    let config = KafkaLogConfig { create_topics: false, ..config_of(&kafka) };
    let wrong = wrong(&config).await;
    assert_eq!(wrong.len(), Topic::ALL.len());
    let deltas = Topic::Deltas.name(&config);
    assert!(wrong[0].contains(&format!("--create --topic {deltas} --partitions 2")), "{}", wrong[0]);
    assert!(wrong[0].contains("--config message.timestamp.type=LogAppendTime"), "{}", wrong[0]);
}

#[tokio::test]
async fn every_wrong_setting_is_told_with_what_to_do() {
    let kafka = shared().await;
    let config = config_of(&kafka);
    let settings = [
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "60000"),
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "1000"),
    ];
    make(&config, Topic::Deltas, 5, &settings).await;
    make(&config, Topic::Checkpoints, 2, &[("cleanup.policy", "delete")]).await;
    let wrong = wrong(&config).await;
    let (deltas, checkpoints) = (Topic::Deltas.name(&config), Topic::Checkpoints.name(&config));
    let expected = [
        (&deltas, "has 5 partitions, and `partitions` says 2"),
        (&deltas, "message.timestamp.type=CreateTime, wanted is LogAppendTime"),
        (&deltas, "retention.ms=60000, wanted is at least 86400000"),
        (&deltas, "cleanup.policy=compact, wanted is delete"),
        (&deltas, "max.message.bytes=1000, wanted is at least"),
        (&checkpoints, "cleanup.policy=delete, wanted is compact"),
        (&checkpoints, "message.timestamp.type=CreateTime"),
        (&checkpoints, "max.message.bytes="),
    ];
    for (topic, text) in expected {
        let told = wrong.iter().any(|wrong| wrong.contains(topic.as_ref()) && wrong.contains(text));
        assert!(told, "{topic}: {text}: {wrong:#?}");
    }
    assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
    let command =
        format!("--alter --entity-type topics --entity-name {deltas} --add-config retention.ms=86400000");
    assert!(wrong.iter().any(|wrong| wrong.contains(&command)), "{wrong:#?}");
}

#[tokio::test]
async fn more_replicas_than_brokers_are_told_as_such() {
    let kafka = shared().await;
    let config = KafkaLogConfig { replication: 3, ..config_of(&kafka) };
    let wrong = wrong(&config).await;
    assert!(wrong[0].contains("fewer brokers than `replication` says"), "{wrong:#?}");
}

#[tokio::test]
async fn a_kafka_that_is_not_there_is_told_in_time() {
    let mut config = KafkaLogConfig::default();
    let nobody = goldentime_testkit::ports::loopback(goldentime_testkit::ports::free_tcp());
    config.connection.brokers = vec![nobody.to_string()];
    config.connection.request_timeout = goldentime_model::units::HumanDuration::from_secs(1);
    let failed = topics::ensure(&config).await.expect_err("nobody answers").to_string();
    assert!(failed.contains("cannot look at the topics") && failed.contains(&nobody.to_string()), "{failed}");
}
