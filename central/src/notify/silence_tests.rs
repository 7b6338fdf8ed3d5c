//! What keeps people from being told, through the real path: silences, inhibition, time intervals, and what becomes of
//! it over a restart and between centrals.

use std::sync::Arc;

use goldentime_catalog::{Desk, Silence};
use goldentime_model::{Alert, Fingerprint, Matcher, UnixNanos};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::receivers::WebhookReceiver;
use tokio::sync::mpsc;

use super::decisions::{DecisionError, Wanted};
use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use super::{Halves, News, Others};
use crate::evaluate::transition::Change;

const HOUR_NS: i64 = 3600 * 1_000_000_000;

fn hook(receiver: &WebhookReceiver) -> String {
    format!("group_interval: 0\nchannels:\n- name: ops\n  webhook: {{url: '{}'}}\n", receiver.url())
}

fn wanted(matchers: &str) -> Wanted {
    let now = SystemClock.now();
    Wanted {
        id: None,
        matchers: Matcher::parse_all(matchers).expect("matchers"),
        starts_at: now,
        ends_at: now.saturating_add(HOUR_NS),
        by: "kim".into(),
        comment: "deploy".into(),
    }
}

async fn silence(notifier: &Running, matchers: &str) -> Silence {
    notifier.handle.decisions().silence(wanted(matchers)).await.expect("silenced")
}

/// Hosts of the pages so far, those that ended with a minus.
fn told(receiver: &WebhookReceiver) -> Vec<String> {
    let received = receiver.received();
    let news = received.iter().map(|page| {
        let alert = &page.body["alerts"][0];
        let sign = if alert["status"] == "resolved" { "-" } else { "" };
        format!("{sign}{}", alert["labels"]["host"].as_str().unwrap_or_default())
    });
    news.collect()
}

async fn receiver_and_dir() -> (WebhookReceiver, tempfile::TempDir) {
    (WebhookReceiver::start().await.expect("starts"), tempfile::tempdir().expect("dir"))
}

fn of_severity(host: &str, severity: &str) -> Alert {
    let mut alert = alert_of(host, "slow");
    alert.labels.insert("severity".into(), severity.into());
    alert.fingerprint = Fingerprint::of(&alert.labels);
    alert.episode = format!("{host}-{severity}");
    alert
}

#[tokio::test]
async fn what_is_silenced_is_told_to_nobody_until_the_silence_is_ended_and_it_still_fires() {
    let (receiver, dir) = receiver_and_dir().await;
    let notifier = Running::start(dir.path(), &hook(&receiver)).await;
    let kept = silence(&notifier, r#"host=~"web-[12]""#).await;
    for host in ["web-1", "web-2", "web-3"] {
        notifier.tell(Change::Fired, alert_of(host, "slow")).await;
    }
    notifier.tell(Change::Resolved, alert_of("web-2", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("what is not silenced is told");
    notifier.handle.decisions().expire(&kept.id).await.expect("ended");
    receiver.wait_for(2, LIMIT).await.expect("what still fires is told");
    notifier.tell(Change::Resolved, alert_of("web-1", "slow")).await;
    receiver.wait_for(3, LIMIT).await.expect("and its end");
    assert_eq!(told(&receiver), ["web-3", "web-1", "-web-1"], "what came and went in silence is not told");
    notifier.stop().await;
}

#[tokio::test]
async fn the_end_of_what_was_told_is_told_in_silence_too() {
    let (receiver, dir) = receiver_and_dir().await;
    let notifier = Running::start(dir.path(), &hook(&receiver)).await;
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("told");
    silence(&notifier, r#"host="web-1""#).await;
    notifier.tell(Change::Resolved, alert_of("web-1", "slow")).await;
    receiver.wait_for(2, LIMIT).await.expect("its end");
    assert_eq!(told(&receiver), ["web-1", "-web-1"]);
    notifier.stop().await;
}

#[tokio::test]
async fn a_silence_and_what_it_keeps_back_outlast_a_restart() {
    let (receiver, dir) = receiver_and_dir().await;
    let first = Running::start(dir.path(), &hook(&receiver)).await;
    let kept = silence(&first, r#"host="web-1""#).await;
    first.tell(Change::Fired, alert_of("web-1", "slow")).await;
    first.tell(Change::Fired, alert_of("web-2", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("what is not silenced is told");
    first.stop().await;
    let second = Running::start(dir.path(), &hook(&receiver)).await;
    second.tell(Change::Fired, alert_of("web-3", "slow")).await;
    receiver.wait_for(2, LIMIT).await.expect("told");
    assert_eq!(told(&receiver), ["web-2", "web-3"]);
    second.handle.decisions().expire(&kept.id).await.expect("ended");
    receiver.wait_for(3, LIMIT).await.expect("told");
    assert_eq!(told(&receiver)[2], "web-1");
    second.stop().await;
}

#[tokio::test]
async fn a_silence_that_another_process_keeps_is_found_in_the_catalogue() {
    let (receiver, dir) = receiver_and_dir().await;
    let notifier = Running::start(dir.path(), &hook(&receiver)).await;
    let now = SystemClock.now();
    let kept = Silence {
        id: "by the command line".into(),
        matchers: Matcher::parse_all(r#"host="web-1""#).expect("matchers"),
        starts_at: now,
        ends_at: now.saturating_add(HOUR_NS),
        created_by: "kim".into(),
        comment: "deploy".into(),
        edited_at: now,
    };
    notifier.catalogue.put_silence(kept).await.expect("kept");
    let decisions = notifier.handle.decisions();
    let known = goldentime_testkit::wait::until("the silence", LIMIT, || async {
        (!decisions.silenced_by(&alert_of("web-1", "slow").labels).is_empty()).then_some(())
    });
    known.await.expect("found");
    notifier.tell(Change::Fired, alert_of("web-1", "slow")).await;
    notifier.tell(Change::Fired, alert_of("web-2", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("told");
    assert_eq!(told(&receiver), ["web-2"]);
    notifier.stop().await;
}

#[tokio::test]
async fn a_silence_that_is_made_on_one_central_is_in_force_on_another() {
    let (receiver, dir) = receiver_and_dir().await;
    let first = Running::start(dir.path(), &hook(&receiver)).await;
    let catalogue = Arc::clone(&first.catalogue);
    let (api, mut of_api) = mpsc::channel(100);
    let second =
        Running::start_over(catalogue, "api", &hook(&receiver), Halves::NONE, Others::over(api)).await;
    silence(&second, r#"host="web-1""#).await;
    let said = loop {
        if let News::Silence(said) = of_api.recv().await.expect("told") {
            break *said;
        }
    };
    first.handle.decisions().heard_silence(said);
    first.tell(Change::Fired, alert_of("web-1", "slow")).await;
    first.tell(Change::Fired, alert_of("web-2", "slow")).await;
    receiver.wait_for(1, LIMIT).await.expect("told");
    assert_eq!(told(&receiver), ["web-2"]);
    second.drain().await;
    first.stop().await;
}

#[tokio::test]
async fn an_edit_keeps_a_silences_id_unless_it_means_other_alerts() {
    let (receiver, dir) = receiver_and_dir().await;
    let notifier = Running::start(dir.path(), &hook(&receiver)).await;
    let decisions = notifier.handle.decisions();
    let kept = silence(&notifier, "host=web-1").await;
    let id = Some(kept.id.clone());
    let longer =
        Wanted { id: id.clone(), ends_at: kept.ends_at.saturating_add(HOUR_NS), ..wanted("host=web-1") };
    let longer = decisions.silence(longer).await.expect("edited");
    assert_eq!((&longer.id, longer.starts_at), (&kept.id, kept.starts_at));
    let other = decisions.silence(Wanted { id, ..wanted("host=web-2") }).await.expect("edited");
    assert_ne!(other.id, kept.id);
    let now = SystemClock.now();
    let in_force: Vec<_> =
        decisions.silences(now).await.expect("reads").into_iter().map(|one| one.id).collect();
    assert_eq!(in_force, std::slice::from_ref(&other.id), "the first has ended");
    for (matchers, ends_at) in [("{}", None), ("host!=web-1", None), ("host=web-1", Some(UnixNanos(1)))] {
        let asked = wanted(matchers);
        let asked = Wanted { ends_at: ends_at.unwrap_or(asked.ends_at), ..asked };
        let refused = decisions.silence(asked).await.expect_err("refused");
        assert!(matches!(refused, DecisionError::Invalid(_)), "{matchers}: {refused}");
    }
    assert!(matches!(decisions.expire("none").await, Err(DecisionError::Unknown(_))));
    notifier.stop().await;
}

#[tokio::test]
async fn what_is_inhibited_is_told_when_its_source_is_over_and_it_still_fires() {
    let (receiver, dir) = receiver_and_dir().await;
    let rules = "inhibit_rules: [{source_matchers: [severity=page], target_matchers: [severity=ticket], equal: [host]}]\n";
    let notifier = Running::start(dir.path(), &format!("{rules}{}", hook(&receiver))).await;
    notifier.tell(Change::Fired, of_severity("web-1", "page")).await;
    notifier.tell(Change::Fired, of_severity("web-1", "ticket")).await;
    notifier.tell(Change::Fired, of_severity("web-2", "ticket")).await;
    receiver.wait_for(2, LIMIT).await.expect("told");
    assert_eq!(told(&receiver), ["web-1", "web-2"]);
    notifier.tell(Change::Resolved, of_severity("web-1", "page")).await;
    let pages = receiver.wait_for(4, LIMIT).await.expect("told");
    let mut last: Vec<_> =
        pages[2..].iter().map(|page| page.body["alerts"][0]["labels"]["severity"].clone()).collect();
    last.sort_by_key(ToString::to_string);
    assert_eq!(last, ["page", "ticket"], "the end of the one, and the other");
    notifier.stop().await;
}

#[tokio::test]
async fn a_route_is_muted_at_its_times_and_the_others_are_not() {
    let receiver = WebhookReceiver::start().await.expect("starts");
    let (chat, dir) = receiver_and_dir().await;
    let yaml = format!(
        "{}- name: chat\n  webhook: {{url: '{}'}}\ntime_intervals: [{{name: always, time_intervals: [{{}}]}}]\nroute:\n  \
         receiver: ops\n  routes:\n  - {{matchers: [host=~web-.*], receiver: chat, mute_time_intervals: [always], continue: true}}\n  \
         - {{matchers: [host=web-2], receiver: ops}}\n",
        hook(&receiver),
        chat.url()
    );
    let notifier = Running::start(dir.path(), &yaml).await;
    for host in ["web-1", "web-2", "db-1"] {
        notifier.tell(Change::Fired, alert_of(host, "slow")).await;
    }
    receiver.wait_for(2, LIMIT).await.expect("told");
    notifier.stop().await;
    assert_eq!(told(&receiver), ["web-2", "db-1"]);
    assert!(chat.received().is_empty());
}
