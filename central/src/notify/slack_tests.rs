//! Slack's answers over a real HTTP server: too many, broken, refused, moved.

use std::path::Path;

use goldentime_testkit::receivers::{Answer, WebhookReceiver};

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

async fn posting(dir: &Path, receiver: &WebhookReceiver) -> Running {
    let yaml =
        format!("retry_initial: 20ms\nchannels:\n- name: slack\n  slack: {{url: '{}'}}\n", receiver.url());
    let notifier = Running::start(dir, &yaml).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    notifier
}

async fn receiver(answers: impl IntoIterator<Item = Answer>) -> WebhookReceiver {
    let receiver = WebhookReceiver::start().await.expect("starts");
    receiver.then(answers);
    receiver
}

#[tokio::test]
async fn too_many_requests_and_a_broken_server_are_tried_again_until_the_message_is_taken() {
    let dir = tempfile::tempdir().expect("dir");
    let receiver = receiver([Answer::RetryAfter(1), Answer::Status(500), Answer::Status(503)]).await;
    let notifier = posting(dir.path(), &receiver).await;
    let posts = receiver.wait_for(4, LIMIT).await.expect("tried again");
    assert!(posts[3].accepted && posts.iter().all(|post| post.body == posts[0].body));
    let delivered = goldentime_testkit::wait::until("delivered", LIMIT, || async {
        notifier.handle.channels().into_iter().find(|health| health.delivered == 1)
    });
    let health = delivered.await.expect("taken");
    assert_eq!((health.failed, health.dead_letters, health.state.as_str()), (3, 0, "ok"));
    notifier.stop().await;
}

#[tokio::test]
async fn what_slack_refuses_is_not_tried_again_and_shows_in_the_channels_health() {
    let dir = tempfile::tempdir().expect("dir");
    let receiver = receiver([Answer::Status(404)]).await;
    let notifier = posting(dir.path(), &receiver).await;
    let health = notifier.given_up().await;
    assert_eq!((health.failed, health.state.as_str()), (1, "failing"));
    let error = health.last_error.expect("told");
    assert!(error.contains("404") && error.contains("check the channel's address"), "{error}");
    assert_eq!(receiver.received().len(), 1);
    notifier.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let dir = tempfile::tempdir().expect("dir");
    let elsewhere = receiver([]).await;
    let receiver = receiver([Answer::Redirect(elsewhere.url())]).await;
    let notifier = posting(dir.path(), &receiver).await;
    let error = notifier.given_up().await.last_error.expect("told");
    assert!(error.contains("302"), "{error}");
    assert!(elsewhere.received().is_empty(), "a page must not wander");
    notifier.stop().await;
}
