//! A notifier that decides on pages and another that sends them, over one catalogue.

use std::path::Path;
use std::sync::Arc;

use goldentime_catalog::{Catalogue, Notification, SqliteCatalogue};
use goldentime_testkit::receivers::WebhookReceiver;
use tokio::sync::mpsc;

use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use super::{Delivery, Halves, News, Others};
use crate::evaluate::transition::Change;

const DECIDES: Halves = Halves { decides: true, sends: false };
const SENDS: Halves = Halves { decides: false, sends: true };

async fn open(dir: &Path) -> Arc<SqliteCatalogue> {
    Arc::new(SqliteCatalogue::open(&dir.join("catalogue.db")).await.expect("opens"))
}

async fn notifier(
    catalogue: &Arc<SqliteCatalogue>,
    owner: &str,
    yaml: &str,
    halves: Halves,
    others: Others,
) -> Running {
    Running::start_over(Arc::clone(catalogue), owner, yaml, halves, others).await
}

fn channels(receiver: &WebhookReceiver) -> String {
    format!("channels:\n- name: ops\n  webhook: {{url: '{}'}}\n", receiver.url())
}

/// What one tells the other next, but for alerts that changed.
async fn next(news: &mut mpsc::Receiver<News>) -> News {
    let told = async {
        loop {
            match news.recv().await.expect("the notifier runs") {
                News::Alert(_) => {}
                told => return told,
            }
        }
    };
    tokio::time::timeout(LIMIT, told).await.expect("told")
}

async fn pages(news: &mut mpsc::Receiver<News>) -> Vec<Notification> {
    match next(news).await {
        News::Pages(pages) => pages,
        told => panic!("{told:?}"),
    }
}

async fn delivery(news: &mut mpsc::Receiver<News>) -> Delivery {
    match next(news).await {
        News::Delivered(delivery) => delivery,
        told => panic!("{told:?}"),
    }
}

#[tokio::test]
async fn who_decides_sends_nothing_and_learns_from_who_sends_that_it_was_delivered() {
    let dir = tempfile::tempdir().expect("dir");
    let catalogue = open(dir.path()).await;
    let receiver = WebhookReceiver::start().await.expect("starts");
    let (judge, mut of_judge) = mpsc::channel(100);
    let (pager, mut of_pager) = mpsc::channel(100);
    let yaml = channels(&receiver);
    let mut decides = notifier(&catalogue, "judge", &yaml, DECIDES, Others::over(judge)).await;
    decides.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let decided = pages(&mut of_judge).await;
    assert_eq!((decided.len(), decided[0].channel.as_str()), (1, "ops"));
    assert!(decides.handle.channels().is_empty() && receiver.received().is_empty());

    let sends = notifier(&catalogue, "pager", &yaml, SENDS, Others::over(pager)).await;
    sends.handle.send(decided).await;
    let delivered = delivery(&mut of_pager).await;
    assert_eq!(delivered.alerts[0].labels["host"], "web-1");
    receiver.wait_for(1, LIMIT).await.expect("paged");

    decides.handle.delivered(delivered.clone()).await;
    let noted = async {
        while let Some(alert) = decides.live.recv().await {
            if alert.stages.delivered == Some(delivered.at) {
                return;
            }
        }
        panic!("the delivery is not noted");
    };
    tokio::time::timeout(LIMIT, noted).await.expect("noted");
    sends.drain().await;
    decides.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn pages_that_were_decided_on_while_nobody_sends_are_found_in_the_catalogue() {
    let dir = tempfile::tempdir().expect("dir");
    let catalogue = open(dir.path()).await;
    let receiver = WebhookReceiver::start().await.expect("starts");
    let (judge, mut of_judge) = mpsc::channel(100);
    let yaml = channels(&receiver);
    let decides = notifier(&catalogue, "judge", &yaml, DECIDES, Others::over(judge)).await;
    decides.tell(Change::Fired, alert_of("web-1", "slow")).await;
    drop(pages(&mut of_judge).await);
    let queued = goldentime_testkit::wait::until("the page in the queue", LIMIT, || async {
        catalogue.pending().await.ok().filter(|pending| pending.len() == 1)
    });
    queued.await.expect("queued");
    // The one that decides passes over it at its next start.
    decides.drain().await;
    let (judge, _of_judge) = mpsc::channel(100);
    let decides = notifier(&catalogue, "judge", &yaml, DECIDES, Others::over(judge)).await;
    assert_eq!(catalogue.pending().await.expect("reads").len(), 1);

    let (pager, mut of_pager) = mpsc::channel(100);
    let sends = notifier(&catalogue, "pager", &yaml, SENDS, Others::over(pager)).await;
    let delivered = delivery(&mut of_pager).await;
    assert_eq!(delivered.alerts[0].labels["host"], "web-1");
    sends.drain().await;
    decides.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_page_of_which_two_pagers_hear_is_sent_once() {
    let dir = tempfile::tempdir().expect("dir");
    let catalogue = open(dir.path()).await;
    let receiver = WebhookReceiver::start().await.expect("starts");
    let (judge, mut of_judge) = mpsc::channel(100);
    let yaml = channels(&receiver);
    let decides = notifier(&catalogue, "judge", &yaml, DECIDES, Others::over(judge)).await;
    let (first, mut of_first) = mpsc::channel(100);
    let first = notifier(&catalogue, "pager", &yaml, SENDS, Others::over(first)).await;
    let (second, mut of_second) = mpsc::channel(100);
    let second = notifier(&catalogue, "second", &yaml, SENDS, Others::over(second)).await;
    decides.tell(Change::Fired, alert_of("web-1", "slow")).await;
    let decided = pages(&mut of_judge).await;
    first.handle.send(decided.clone()).await;
    second.handle.send(decided).await;
    tokio::select! {
        _ = delivery(&mut of_first) => {}
        _ = delivery(&mut of_second) => {}
    }
    // Both have judged the page once their queues are empty.
    let idle = || async {
        let channels = first.handle.channels().into_iter().chain(second.handle.channels());
        channels.map(|channel| channel.queued).sum::<u64>().eq(&0).then_some(())
    };
    goldentime_testkit::wait::until("both to be idle", LIMIT, idle).await.expect("idle");
    for notifier in [first, second, decides] {
        notifier.drain().await;
    }
    assert_eq!(receiver.received().len(), 1);
}
