//! Brokers that are killed, and brokers that want to know who comes.

use goldentime_testkit::servers::kafka::{Kafka, PASSWORD, Shape, USER};

use crate::host::{Host, kill9, stop, write_secret};
use crate::world::{Log, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_under_load_and_restarted_loses_and_doubles_nothing() {
    let mut kafka = Kafka::start(Shape::brokers(1)).await.expect("Kafka starts");
    let log = Log::made(&kafka).await;
    let mut host = Host::new(&log, "");
    host.write_lines(500);
    let agent = host.start();
    for round in 1..=2 {
        let before = host.lines;
        log.until("lines before the kill", |seen| seen.requests >= before, || host.explain()).await;
        host.write_lines(2000);
        kafka.kill9_all();
        host.until("word of the broker", |status| status["uplink"]["kafka"]["trouble"].is_string()).await;
        // More than waits in memory: the spool keeps it.
        for _ in 0..40 {
            host.write_lines(500);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let lines = host.lines;
        host.until("all to be read", |status| status["inputs"][0]["status"]["lines"] == lines).await;
        if round == 2 {
            // A restart while nothing goes: what waits is sent under its old numbers.
            break;
        }
        kafka.restart_all().await.expect("Kafka starts again");
    }
    kill9(agent);
    let agent = host.start();
    host.write_lines(100);
    kafka.restart_all().await.expect("Kafka starts again");
    let lines = host.lines;
    let all = |seen: &crate::world::Contents| (seen.requests, seen.lines) == (lines, lines);
    let seen = log.until("every line", all, || host.explain()).await;
    seen.is_whole();
    host.until("the trouble to be over", |status| status["uplink"]["kafka"]["trouble"].is_null()).await;
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_broker_that_is_away_and_the_next_start_sends_what_was_left() {
    let mut kafka = Kafka::start(Shape::brokers(1)).await.expect("Kafka starts");
    let log = Log::made(&kafka).await;
    let mut host = Host::new(&log, "");
    host.write_lines(100);
    let agent = host.start();
    log.until("the first lines", |seen| seen.requests == 100, || host.explain()).await;
    kafka.kill9_all();
    host.write_lines(100);
    host.until("word of the broker", |status| status["uplink"]["kafka"]["trouble"].is_string()).await;
    host.until("all to be read", |status| status["inputs"][0]["status"]["lines"] == 200).await;
    let broker = &log.config.connection.brokers[0];
    for told in [host.page(), host.advice()] {
        assert!(told.contains("onnection refused") && told.contains(broker), "{told}");
    }
    assert!(stop(agent).success(), "{}", host.explain());
    kafka.restart_all().await.expect("Kafka starts again");
    let agent = host.start();
    let seen =
        log.until("every line", |seen| (seen.requests, seen.lines) == (200, 200), || host.explain()).await;
    seen.is_whole();
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_shows_itself_by_password_over_tls_and_is_told_when_it_is_refused() {
    let kafka = Kafka::start(Shape { is_secured: true, ..Shape::brokers(1) }).await.expect("Kafka starts");
    let log = Log::made(&kafka).await;
    let brokers = kafka.secure_addresses().join("', '");
    let config = |password: &std::path::Path| {
        format!(
            "kafka:\n  topic_prefix: {}\n  connection:\n    brokers: ['{brokers}']\n    tls: {{ca_file: {}}}\n    sasl: \
             {{mechanism: scram-sha-256, username: {USER}, password: {{file: {}}}}}\n",
            log.config.topic_prefix,
            kafka.authority_file().display(),
            password.display(),
        )
    };
    let secrets = tempfile::tempdir().expect("folder");
    let (right, wrong) = (secrets.path().join("right"), secrets.path().join("wrong"));
    write_secret(&right, PASSWORD);
    write_secret(&wrong, "wr0ng-and-long");

    let host = Host::with(&config(&wrong));
    let agent = host.start();
    let told = host.trouble("uthentication failed").await;
    assert!(!told.contains("wr0ng"), "{told}");
    assert!(host.page().contains("TROUBLE") && !host.page().contains("wr0ng"), "{}", host.page());
    let advice = host.advice();
    assert!(advice.contains("uthentication failed") && !advice.contains("wr0ng"), "{advice}");
    assert!(stop(agent).success(), "{}", host.explain());

    let mut host = Host::with(&config(&right));
    host.write_lines(100);
    let checked = host.ask(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && text.contains(".logs, 3 partitions each"), "{text}");
    let agent = host.start();
    let seen =
        log.until("all lines", |seen| (seen.requests, seen.lines) == (100, 100), || host.explain()).await;
    seen.is_whole();
    assert!(stop(agent).success(), "{}", host.explain());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_by_check_at_its_place() {
    let kafka = shared().await;
    let host = Host::new(&Log::of(&kafka), "");
    let file = host.path("agent.yaml");
    let text = std::fs::read_to_string(&file).expect("written");
    let text = text.replace("  connection:\n", "  connection:\n    tls: {ca_file: /nowhere/ca.pem}\n");
    std::fs::write(&file, text).expect("written");
    let checked = host.ask(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(2), "{text}");
    assert!(text.contains("kafka.connection") && text.contains("ssl.ca.location"), "{text}");
}
