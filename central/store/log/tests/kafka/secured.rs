//! Passwords, TLS and rights.

use goldentime_kafka::{KafkaSasl, KafkaTls, SaslMechanism};
use goldentime_log::kafka::{KafkaLogConfig, Topic, topics};
use goldentime_model::config::Secret;
use goldentime_model::units::HumanDuration;
use goldentime_testkit::servers::kafka::{Kafka, PASSWORD, STRANGER, Shape, USER};
use goldentime_testkit::wait;

use crate::world::{HANG_MAX, World, config, numbered};

fn secured(kafka: &Kafka, mechanism: SaslMechanism, user: &str, password: &str) -> KafkaLogConfig {
    let mut config = config(kafka, 1);
    config.connection.brokers = kafka.secure_addresses();
    config.connection.tls = Some(KafkaTls { ca_file: Some(kafka.authority_file()), ..KafkaTls::default() });
    let (username, password) = (user.to_owned(), Secret::new(password));
    config.connection.sasl = Some(KafkaSasl { mechanism, username, password });
    config.connection.request_timeout = HumanDuration::from_secs(5);
    config
}

#[tokio::test]
async fn users_come_in_by_password_over_tls_and_are_told_what_they_lack() {
    let kafka = Kafka::start(Shape { is_secured: true, ..Shape::brokers(1) }).await.expect("Kafka starts");
    for mechanism in [SaslMechanism::ScramSha256, SaslMechanism::Plain] {
        let world = World::of(secured(&kafka, mechanism, USER, PASSWORD)).await;
        world.append(0, numbered(1)).await;
        assert_eq!(world.all(0).await.len(), 1);
    }

    let wrong = secured(&kafka, SaslMechanism::ScramSha256, USER, "wr0ng-and-long");
    let failed = topics::ensure(&wrong).await.expect_err("a wrong password").to_string();
    assert!(failed.to_lowercase().contains("authentication failed"), "{failed}");
    assert!(!failed.contains("wr0ng"), "{failed}");

    let mut unknown = secured(&kafka, SaslMechanism::ScramSha256, USER, PASSWORD);
    unknown.connection.tls = Some(KafkaTls::default());
    let failed = topics::ensure(&unknown).await.expect_err("an unknown authority").to_string();
    assert!(failed.contains("certificate"), "{failed}");

    let mut unreadable = secured(&kafka, SaslMechanism::ScramSha256, USER, PASSWORD);
    unreadable.connection.tls =
        Some(KafkaTls { ca_file: Some("/nowhere/ca.pem".into()), ..KafkaTls::default() });
    let failed = topics::ensure(&unreadable).await.expect_err("no such file").to_string();
    assert!(failed.contains("ssl.ca.location"), "{failed}");

    let stranger = secured(&kafka, SaslMechanism::ScramSha256, STRANGER, PASSWORD);
    let failed = topics::ensure(&stranger).await.expect_err("no rights").to_string();
    assert!(failed.contains("lacks the right") && failed.contains("Create on the cluster"), "{failed}");

    // The topics are there, and this user may not write to them.
    let world = World::of(secured(&kafka, SaslMechanism::ScramSha256, USER, PASSWORD)).await;
    let mut theirs = world.config.clone();
    theirs.connection = stranger.connection;
    let (producer, handle) = goldentime_kafka::Producer::new(&theirs.connection, theirs.producer_limits());
    world.tasks.spawn(goldentime_runtime::TaskKind::Station, "stranger", producer.run());
    let _waiting = handle.send(world.outgoing(0, numbered(2))).await.expect("given in");
    let told = || async { handle.trouble().now().filter(|told| told.contains("lacks the right")) };
    let told = wait::until("word of the missing right", HANG_MAX, told).await.expect("told");
    assert!(told.contains("Write") && told.contains(Topic::Deltas.name(&theirs).as_ref()), "{told}");
}
