//! The notifier through its real path: real receivers, a real catalogue.

use std::sync::Arc;

use goldentime_catalog::{Catalogue, HistoryQuery};
use goldentime_model::Alert;
use goldentime_testkit::receivers::{Answer, WebhookReceiver};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

fn hook(name: &str, receiver: &WebhookReceiver, extra: &str) -> String {
    format!("- name: {name}\n  timeout: 1s\n  webhook: {{url: '{}'{extra}}}\n", receiver.url())
}

#[tokio::test]
async fn a_page_has_alertmanagers_shape_and_its_stages_and_a_signature() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    let channels = hook("ops", &receiver, ", signing_secret: s3cret, headers: {x-team: shop}");
    let mut notifier = Running::start(dir.path(), &format!("channels:\n{channels}")).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let page = &receiver.wait_for(1, LIMIT).await.expect("paged")[0];
    let (body, alert) = (&page.body, &page.body["alerts"][0]);
    assert_eq!(
        (&body["version"], &body["status"], &body["receiver"]),
        (&"4".into(), &"firing".into(), &"ops".into())
    );
    assert_eq!(body["groupLabels"]["service"], "order-api");
    assert_eq!(body["commonLabels"]["host"], "web-1");
    assert_eq!(
        (&alert["startsAt"], &alert["endsAt"]),
        (&"1970-01-01T00:00:07Z".into(), &"0001-01-01T00:00:00Z".into())
    );
    assert!(alert["generatorURL"].as_str().is_some_and(|url| url.starts_with("http")));
    assert!(alert["goldentime"]["stages"]["dispatched"].is_string());
    assert_eq!(page.headers["x-team"], "shop");
    assert!(page.headers["goldentime-signature"].to_str().expect("text").starts_with("t="));
    let delivered = async {
        while let Some(alert) = notifier.live.recv().await {
            if alert.stages.delivered.is_some() {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, delivered).await.expect("the delivery is told to the live page");
    notifier.stop().await;
}

#[tokio::test]
async fn a_hanging_channel_delays_no_other() {
    let dir = tempfile::tempdir().expect("dir");
    let (good, bad) =
        (WebhookReceiver::start().await.expect("up"), WebhookReceiver::start().await.expect("up"));
    bad.always(Some(Answer::Hang));
    let patient = hook("bad", &bad, "").replace("timeout: 1s", "timeout: 5s");
    let yaml = format!("group_interval: 0\nchannels:\n{patient}{}", hook("good", &good, ""));
    let notifier = Running::start(dir.path(), &yaml).await;
    for n in 0..5 {
        notifier.tell(Change::Fired, alert_of(&format!("web-{n}"), "slow")).await;
    }
    good.wait_for(5, LIMIT).await.expect("paged");
    assert_eq!(bad.received().len(), 1, "the other channel still waits for its first answer");
    notifier.stop().await;
}

#[tokio::test]
async fn a_failed_page_is_tried_again_under_the_same_id_and_retry_after_is_obeyed() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    receiver.then([Answer::Status(503), Answer::RetryAfter(1)]);
    let yaml = format!("retry_initial: 20ms\nchannels:\n{}", hook("ops", &receiver, ""));
    let notifier = Running::start(dir.path(), &yaml).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let pages = receiver.wait_for(3, LIMIT).await.expect("tried again");
    assert!(pages[2].accepted);
    assert_eq!(pages[0].headers["goldentime-notification"], pages[2].headers["goldentime-notification"]);
    notifier.stop().await;
}

#[tokio::test]
async fn what_a_channel_refuses_for_good_is_a_dead_letter_with_its_reason() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    receiver.always(Some(Answer::Status(410)));
    let notifier = Running::start(dir.path(), &format!("channels:\n{}", hook("ops", &receiver, ""))).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let catalogue = Arc::clone(&notifier.catalogue);
    let dead = goldentime_testkit::wait::until("a dead letter", LIMIT, || async {
        catalogue.dead_letters(10).await.ok()?.pop()
    });
    assert!(dead.await.expect("given up").reason.contains("410 Gone"));
    assert_eq!(notifier.handle.channels()[0].dead_letters, 1);
    notifier.stop().await;
}

#[tokio::test]
async fn an_alert_that_fires_again_within_the_debounce_is_told_only_if_it_stays() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    let yaml = format!("debounce: 1s\nchannels:\n{}", hook("ops", &receiver, ""));
    let notifier = Running::start(dir.path(), &yaml).await;
    let again = |n: i64| Alert { episode: format!("again-{n}"), ..alert_of("web-1", "slow") };
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    notifier.tell(Change::Resolved, alert_of("web-1", "slow")).await;
    let resolved = &receiver.wait_for(2, LIMIT).await.expect("page and resolve")[1];
    assert_eq!(resolved.body["status"], "resolved");
    notifier.tell(Change::Fired, again(1)).await;
    notifier.tell(Change::Resolved, again(1)).await;
    notifier.tell(Change::Fired, again(2)).await;
    let pages = receiver.wait_for(3, LIMIT).await.expect("what stays is told");
    assert_eq!(pages[2].body["alerts"][0]["goldentime"]["episode"], "again-2");
    let history = notifier.catalogue.history(HistoryQuery { before: None, limit: 10 }).await.expect("reads");
    assert!(history.iter().any(|alert| alert.episode == "again-1"), "what was not told is in the history");
    notifier.stop().await;
}

#[tokio::test]
async fn a_locked_catalogue_keeps_no_page_back() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    let notifier = Running::start(dir.path(), &format!("channels:\n{}", hook("ops", &receiver, ""))).await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("catalogue.db"));
    let mut raw = SqliteConnection::connect_with(&options).await.expect("connects");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut raw).await.expect("locks");
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("paged while the catalogue is still locked");
    let history = notifier.catalogue.history(HistoryQuery { before: None, limit: 10 }).await.expect("reads");
    assert!(history.is_empty(), "nothing can be written yet: {history:?}");
    sqlx::query("COMMIT").execute(&mut raw).await.expect("unlocks");
    notifier.stop().await;
}

#[tokio::test]
async fn a_page_that_was_not_delivered_is_sent_after_a_restart_and_one_that_was_is_not() {
    let (dir, receiver) =
        (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
    let yaml = format!("group_interval: 0\nchannels:\n{}", hook("ops", &receiver, ""));
    let first = Running::start(dir.path(), &yaml).await;
    first.tell(Change::Fired, alert_of("web-1", "delivered")).await;
    receiver.wait_for(1, LIMIT).await.expect("paged");
    receiver.always(Some(Answer::Status(503)));
    first.tell(Change::Fired, alert_of("web-2", "not delivered")).await;
    receiver.wait_for(2, LIMIT).await.expect("tried");
    first.stop().await;
    receiver.always(None);
    let before = receiver.received().len();
    let second = Running::start(dir.path(), &yaml).await;
    let pages = receiver.wait_for(before + 1, LIMIT).await.expect("sent after the restart");
    assert_eq!(second.handle.active().len(), 2);
    // Firing again under the same episodes, as a replay does, tells nothing new.
    second.tell(Change::Fired, alert_of("web-1", "replayed")).await;
    second.tell(Change::Fired, alert_of("web-2", "replayed")).await;
    second.stop().await;
    assert_eq!(receiver.received().len(), before + 1);
    let news = &pages[before].body["alerts"][0];
    assert_eq!(news["labels"]["host"], "web-2");
}
