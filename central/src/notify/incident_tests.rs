//! Services that keep incidents, and those that take a page by a template, over a real HTTP server.

use goldentime_catalog::EventKind;
use goldentime_testkit::receivers::{Answer, WebhookReceiver};
use serde_json::json;

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

#[tokio::test]
async fn pagerduty_is_told_that_an_alert_fires_is_taken_care_of_and_over() {
    let dir = tempfile::tempdir().expect("dir");
    let (pager, hook) =
        (WebhookReceiver::start().await.expect("starts"), WebhookReceiver::start().await.expect("starts"));
    // Too many events at once are sent again, under the same key.
    pager.then([Answer::RetryAfter(1), Answer::Status(202)]);
    let yaml = format!(
        "retry_initial: 20ms\nchannels:\n- {{name: pd, pagerduty: {{routing_key: k3y, url: '{}'}}}}\n\
         - {{name: hook, webhook: {{url: '{}'}}}}\n",
        pager.url(),
        hook.url()
    );
    let notifier = Running::start(dir.path(), &yaml).await;
    let alert = alert_of("web-1", "slow");
    notifier.tell(Change::Fired, alert.clone()).await;
    pager.wait_for(2, LIMIT).await.expect("triggered");
    let decisions = notifier.handle.decisions();
    let noted = goldentime_testkit::wait::until("the alert in the catalogue", LIMIT, || async {
        decisions.note(&alert.episode, EventKind::Acknowledged, "kim", "").await.ok()
    });
    noted.await.expect("acknowledged");
    pager.wait_for(3, LIMIT).await.expect("acknowledged there too");
    notifier.tell(Change::Resolved, alert.clone()).await;
    let events = pager.wait_for(4, LIMIT).await.expect("resolved");
    let actions: Vec<_> = events.iter().map(|event| event.body["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
    for event in &events {
        assert_eq!(event.path, "/v2/enqueue");
        assert_eq!(
            (&event.body["dedup_key"], &event.body["routing_key"]),
            (&json!(alert.episode), &json!("k3y"))
        );
    }
    notifier.stop().await;
    assert_eq!(hook.received().len(), 2, "a webhook keeps no incidents: it hears of no acknowledgement");
}

#[tokio::test]
async fn a_service_that_answers_200_to_what_it_refuses_is_asked_again() {
    let dir = tempfile::tempdir().expect("dir");
    let service = WebhookReceiver::start().await.expect("starts");
    service.then([
        Answer::Says(json!({"success": false, "error": "busy"})),
        Answer::Says(json!({"success": true})),
    ]);
    let yaml = format!(
        "retry_initial: 20ms\nchannels:\n- name: work\n  http: {{url: '{}v1/messages.send', preset: kakaowork, \
         values: {{conversation_id: '7'}}, headers: {{authorization: Bearer t0ken}}, signing_secret: s3cret}}\n",
        service.url()
    );
    let notifier = Running::start(dir.path(), &yaml).await;
    notifier.tell(Change::Fired, alert_of("web-1", "느립니다")).await;
    let asked = service.wait_for(2, LIMIT).await.expect("asked again");
    assert_eq!(
        (asked[1].path.as_str(), &asked[1].body["conversation_id"]),
        ("/v1/messages.send", &json!("7"))
    );
    assert_eq!(asked[1].headers["authorization"], "Bearer t0ken");
    assert!(asked[1].headers.contains_key("goldentime-signature"));
    let delivered = goldentime_testkit::wait::until("delivered", LIMIT, || async {
        notifier.handle.channels().into_iter().find(|health| health.delivered == 1)
    });
    let health = delivered.await.expect("taken");
    assert!(health.last_error.is_some_and(|error| error.contains("/success") && error.contains("busy")));
    notifier.stop().await;
}
