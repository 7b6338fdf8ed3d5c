//! Who takes care: repeats, escalation and acknowledgement through the real path.

use goldentime_catalog::EventKind;
use goldentime_testkit::receivers::WebhookReceiver;

use super::decisions::DecisionError;
use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::Change;

/// Intervals shorter than the configuration allows.
fn yaml(route: &str, ops: &WebhookReceiver, boss: &WebhookReceiver) -> String {
    format!(
        "group_interval: 0\nchannels:\n- name: ops\n  webhook: {{url: '{}'}}\n- name: boss\n  webhook: {{url: '{}'}}\n\
         route: {{receiver: ops, {route}}}\n",
        ops.url(),
        boss.url()
    )
}

async fn two() -> (WebhookReceiver, WebhookReceiver, tempfile::TempDir) {
    let start = WebhookReceiver::start;
    (start().await.expect("starts"), start().await.expect("starts"), tempfile::tempdir().expect("dir"))
}

#[tokio::test]
async fn what_fires_on_is_told_again_until_somebody_acknowledges_it() {
    let (ops, boss, dir) = two().await;
    let notifier = Running::start(dir.path(), &yaml("repeat_interval: 1s", &ops, &boss)).await;
    let alert = alert_of("web-1", "slow");
    notifier.tell(Change::Fired, alert.clone()).await;
    let pages = ops.wait_for(3, LIMIT).await.expect("told again");
    let ids: Vec<_> = pages.iter().map(|page| page.headers["goldentime-notification"].clone()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "each repeat is news: {ids:?}");
    assert_eq!(pages[2].body["alerts"][0]["goldentime"]["episode"], alert.episode);
    let decisions = notifier.handle.decisions();
    decisions.note(&alert.episode, EventKind::Acknowledged, "kim", "on it").await.expect("acknowledged");
    assert_eq!(decisions.acknowledged(&alert.episode).expect("in force").by, "kim");
    let before = ops.received().len();
    // Another alert repeats on, so time goes by.
    notifier.tell(Change::Fired, alert_of("db-1", "slow")).await;
    let of_other = || async {
        let received = ops.received();
        let others =
            received.iter().skip(before).filter(|page| page.body["alerts"][0]["labels"]["host"] == "db-1");
        (others.count() >= 3).then_some(())
    };
    goldentime_testkit::wait::until("repeats of the other", LIMIT, of_other).await.expect("repeated");
    let of_first =
        |page: &&goldentime_testkit::receivers::Received| page.body["alerts"][0]["labels"]["host"] == "web-1";
    let received = ops.received();
    // One may have been on its way.
    assert!(received.iter().skip(before).filter(of_first).count() <= 1);
    notifier.stop().await;
}

#[tokio::test]
async fn what_nobody_acknowledges_is_told_to_others_once_and_its_end_as_well() {
    let (ops, boss, dir) = two().await;
    let yaml = yaml("escalate: {after: 1s, receiver: boss}", &ops, &boss);
    let first = Running::start(dir.path(), &yaml).await;
    let (cared_for, left) = (alert_of("web-1", "slow"), alert_of("web-2", "slow"));
    first.tell(Change::Fired, cared_for.clone()).await;
    ops.wait_for(1, LIMIT).await.expect("told");
    let recorded = goldentime_testkit::wait::until("the alert in the catalogue", LIMIT, || async {
        first.handle.decisions().note(&cared_for.episode, EventKind::Acknowledged, "kim", "").await.ok()
    });
    recorded.await.expect("acknowledged");
    first.tell(Change::Fired, left.clone()).await;
    let pages = boss.wait_for(1, LIMIT).await.expect("escalated");
    assert_eq!(pages[0].body["alerts"][0]["goldentime"]["episode"], left.episode);
    first.stop().await;
    let second = Running::start(dir.path(), &yaml).await;
    second.tell(Change::Resolved, left).await;
    let pages = boss.wait_for(2, LIMIT).await.expect("its end");
    assert_eq!(pages[1].body["status"], "resolved");
    second.tell(Change::Resolved, cared_for).await;
    ops.wait_for(4, LIMIT).await.expect("both ends");
    second.stop().await;
    assert_eq!(boss.received().len(), 2, "once, though it was looked for again after the restart");
}

#[tokio::test]
async fn an_episodes_story_has_what_was_told_and_who_did_what() {
    let (ops, boss, dir) = two().await;
    let notifier = Running::start(dir.path(), &yaml("", &ops, &boss)).await;
    let alert = alert_of("web-1", "slow");
    notifier.tell(Change::Fired, alert.clone()).await;
    let decisions = notifier.handle.decisions();
    let told = goldentime_testkit::wait::until("the page in the catalogue", LIMIT, || async {
        decisions.story(&alert.episode).await.ok().flatten().filter(|story| !story.told.is_empty())
    });
    told.await.expect("told");
    for (kind, text) in [
        (EventKind::Acknowledged, ""),
        (EventKind::Noted, "디스크가 찼습니다"),
        (EventKind::Unacknowledged, ""),
    ] {
        decisions.note(&alert.episode, kind, "kim", text).await.expect("noted");
    }
    assert!(decisions.acknowledged(&alert.episode).is_none());
    let refused = decisions.note("none", EventKind::Acknowledged, "kim", "").await;
    assert!(matches!(refused, Err(DecisionError::Unknown(_))));
    let empty = decisions.note(&alert.episode, EventKind::Noted, "kim", "").await;
    assert!(matches!(empty, Err(DecisionError::Invalid(_))), "a note without a text");
    notifier.tell(Change::Resolved, alert.clone()).await;
    let over = goldentime_testkit::wait::until("its end in the catalogue", LIMIT, || async {
        let story = decisions.story(&alert.episode).await.ok().flatten()?;
        (story.record.alert.ends_at.is_some() && story.told.len() == 2).then_some(story)
    });
    let story = over.await.expect("over");
    let told: Vec<_> = story.told.iter().map(|told| (told.what.as_str(), told.channel.as_str())).collect();
    assert_eq!(told, [("fired", "ops"), ("resolved", "ops")]);
    let events: Vec<_> = story.events.iter().map(|event| (event.kind, event.text.as_str())).collect();
    assert_eq!(
        events,
        [
            (EventKind::Acknowledged, ""),
            (EventKind::Noted, "디스크가 찼습니다"),
            (EventKind::Unacknowledged, "")
        ]
    );
    let late = decisions.note(&alert.episode, EventKind::Acknowledged, "kim", "").await;
    assert!(matches!(late, Err(DecisionError::Invalid(_))), "it is over");
    decisions
        .note(&alert.episode, EventKind::Noted, "kim", "it was the disk")
        .await
        .expect("a note afterwards");
    notifier.stop().await;
}
