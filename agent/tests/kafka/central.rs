//! Records go to Kafka, and a central beside it corrects the clock.

use crate::common::Central;
use crate::host::{Host, stop};
use crate::world::{Log, PARTITIONS, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_central_beside_kafka_corrects_the_clock_gets_no_record_and_is_told_goodbye() {
    let kafka = shared().await;
    let log = Log::made(&kafka).await;
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(folder.path());
    // It is cut otherwise than the topics, and minutes ahead.
    assert_ne!(crate::common::PARTITIONS, PARTITIONS);
    central.state().clock_offset_ns = 300_000_000_000;
    let more = format!("central:\n  address: {}\n  join_token: {}\n", central.address, central.token);
    let mut host = Host::new(&log, &more);
    host.write_lines(200);
    let agent = host.start();
    let seen =
        log.until("all lines", |seen| (seen.requests, seen.lines) == (200, 200), || host.explain()).await;
    seen.is_whole();
    let status =
        host.until("a corrected clock", |status| status["uplink"]["clock_offset_ms"].is_number()).await;
    let offset_ms = status["uplink"]["clock_offset_ms"].as_f64().expect("a number");
    assert!((offset_ms - 300_000.0).abs() < 1000.0, "{offset_ms}");
    assert_eq!((&status["project"], &status["uplink"]["phase"]), (&"shop".into(), &"connected".into()));
    let of_the_project = |service: &str| service.is_empty() || service.starts_with("shop/prod/");
    assert!(seen.records.iter().all(|(_, record)| of_the_project(&record.service)));
    let page = host.page();
    assert!(page.contains("control connection to") && page.contains("clock corrected by"), "{page}");

    central.cut();
    central.until("a second session", |state| state.hellos.len() >= 2).await;
    host.write_lines(50);
    log.until("50 more", |seen| (seen.requests, seen.lines) == (250, 250), || host.explain()).await;
    assert!(stop(agent).success(), "{}", host.explain());
    central.until_or("the goodbye", |state| state.goodbyes == 1, || host.explain()).await;
    let state = central.state();
    assert!(state.received.is_empty() && state.hellos.iter().all(|hello| hello.streams.is_empty()));
}
