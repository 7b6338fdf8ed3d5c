//! What must not fail silently: a channel, and the notifier itself.

use goldentime_testkit::receivers::{Answer, WebhookReceiver};

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

#[tokio::test]
async fn a_channel_that_takes_no_pages_is_told_over_the_others_and_so_is_its_return() {
    let dir = tempfile::tempdir().expect("dir");
    let (good, bad) =
        (WebhookReceiver::start().await.expect("starts"), WebhookReceiver::start().await.expect("starts"));
    bad.always(Some(Answer::Status(503)));
    let yaml = format!(
        "retry_initial: 20ms\nretry_max: 100ms\nattempts_max: 100\nchannel_failing_after: 1s\nchannels:\n\
         - {{name: good, webhook: {{url: '{}'}}}}\n- {{name: bad, webhook: {{url: '{}'}}}}\n",
        good.url(),
        bad.url()
    );
    let notifier = Running::start(dir.path(), &yaml).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let pages = good.wait_for(2, LIMIT).await.expect("told");
    let told = &pages[1].body["alerts"][0];
    assert_eq!(
        (&told["labels"]["alertname"], &told["labels"]["channel"]),
        (&"ChannelFailing".into(), &"bad".into())
    );
    assert!(told["annotations"]["summary"].as_str().is_some_and(|text| text.contains("503")), "{told:#}");
    bad.always(None);
    let pages = good.wait_for(3, LIMIT).await.expect("its return");
    assert_eq!((&pages[2].body["status"], &pages[2].body["receiver"]), (&"resolved".into(), &"good".into()));
    notifier.stop().await;
    let of_bad = bad.received();
    assert!(of_bad.iter().all(|page| page.body["alerts"][0]["labels"]["alertname"] == "slow-orders"));
}

#[tokio::test]
async fn an_outside_service_is_told_again_and_again_that_pages_are_decided_on() {
    let dir = tempfile::tempdir().expect("dir");
    let outside = WebhookReceiver::start().await.expect("starts");
    outside.then([Answer::Status(500)]);
    let yaml = format!("heartbeat: {{url: '{}beat', every: 100ms}}\n", outside.url());
    let notifier = Running::start(dir.path(), &yaml).await;
    let beats = outside.wait_for(3, LIMIT).await.expect("told again");
    assert_eq!((beats[2].path.as_str(), &beats[2].body["central"]), ("/beat", &"embedded".into()));
    notifier.stop().await;
}
