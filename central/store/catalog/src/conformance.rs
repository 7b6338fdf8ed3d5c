//! What every backend must do, run against a fresh catalogue for each case.
//!
//! A backend's test calls [`run`] with a way to make an empty catalogue; a case that fails panics with
//! its name, as a test does.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, Second, Severity, StageTimes, UnixNanos};

use crate::store::BoxFuture;
use crate::{AlertRecord, Catalogue, Claim, Claimed, HistoryQuery, Notification, Outcome, PageKey, PageKind};

type Shared = Arc<dyn Catalogue>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 11] = [
    ("an alert is read back as it was written", |c| Box::pin(alert_round_trip(c))),
    ("a resolved episode never fires again", |c| Box::pin(resolved_stays(c))),
    ("history goes backwards in time and in pages", |c| Box::pin(history_pages(c))),
    ("a queued notification stays until it has ended", |c| Box::pin(queue_keeps(c))),
    ("queueing what has ended does not bring it back", |c| Box::pin(ended_stays(c))),
    ("a page is leased to one owner", |c| Box::pin(one_owner(c))),
    ("of two who ask at the same instant one is given the page", |c| Box::pin(one_of_two(c))),
    ("a lease that ended goes to who asks", |c| Box::pin(lease_ends(c))),
    ("a page that was delivered is never given again", |c| Box::pin(delivered_once(c))),
    ("dead letters say why", |c| Box::pin(dead_letters(c))),
    ("pruning forgets only what has ended", |c| Box::pin(pruning(c))),
];

/// Runs every case, each over what `fresh` makes.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Shared>,
{
    for (name, case) in CASES {
        eprintln!("catalogue: {name}");
        case(fresh().await).await;
    }
}

/// An alert of the suite's own rule.
fn alert(n: i64, status: AlertStatus) -> Alert {
    let labels = Labels::from([("alertname".into(), "slow".into()), ("service".into(), format!("s{n}"))]);
    let fingerprint = Fingerprint::of(&labels);
    Alert {
        fingerprint,
        episode: Alert::episode_id("slow", fingerprint, Second(n)),
        status,
        severity: Severity::Critical,
        labels,
        annotations: Labels::from([("summary".into(), "주문이 느립니다".into())]),
        first_breach: Second(n),
        starts_at: Second(n).start(),
        ends_at: (status == AlertStatus::Resolved).then(|| Second(n + 5).start()),
        stages: StageTimes { evaluated: Some(Second(n).start()), ..StageTimes::default() },
    }
}

pub(crate) fn record(n: i64, status: AlertStatus) -> AlertRecord {
    AlertRecord {
        alert: alert(n, status),
        targets: vec!["ops".into()],
        tell_resolve: true,
        told: false,
        expires_at: None,
    }
}

pub(crate) fn notification(n: i64) -> Notification {
    let alert = alert(n, AlertStatus::Firing);
    Notification {
        id: format!("n{n}"),
        channel: "ops".into(),
        group_key: "{}:{alertname=\"slow\"}".into(),
        group_labels: Labels::from([("alertname".into(), "slow".into())]),
        pages: vec![PageKey { episode: alert.episode.clone(), kind: PageKind::Fired }],
        alerts: vec![alert],
        created_at: Second(n).start(),
        attempts: 0,
        recovered: false,
    }
}

fn claim(owner: &str, now_s: i64) -> Claim {
    let pages = notification(1).pages;
    let (now, lease_until) = (Second(now_s).start(), Second(now_s + 30).start());
    Claim { pages, channel: "ops".into(), owner: owner.into(), now, lease_until }
}

async fn alert_round_trip(c: Shared) {
    let written = record(1, AlertStatus::Firing);
    assert!(c.record_alert(written.clone()).await.expect("records"));
    assert_eq!(c.active_alerts().await.expect("reads"), [written]);
}

async fn resolved_stays(c: Shared) {
    c.record_alert(record(1, AlertStatus::Firing)).await.expect("records");
    assert!(c.record_alert(record(1, AlertStatus::Resolved)).await.expect("records"));
    assert!(!c.record_alert(record(1, AlertStatus::Firing)).await.expect("answers"));
    assert_eq!(c.active_alerts().await.expect("reads"), []);
    let history = c.history(HistoryQuery { before: None, limit: 10 }).await.expect("reads");
    assert_eq!(history, [alert(1, AlertStatus::Resolved)]);
}

async fn history_pages(c: Shared) {
    for n in [2, 1, 3] {
        c.record_alert(record(n, AlertStatus::Resolved)).await.expect("records");
    }
    let page = |before| c.history(HistoryQuery { before, limit: 2 });
    let starts = |alerts: Vec<Alert>| alerts.iter().map(|a| a.first_breach.0).collect::<Vec<_>>();
    assert_eq!(starts(page(None).await.expect("reads")), [3, 2]);
    assert_eq!(starts(page(Some(Second(2).start())).await.expect("reads")), [1]);
}

async fn queue_keeps(c: Shared) {
    c.enqueue(vec![notification(2), notification(1)]).await.expect("queues");
    let reason = "503 Service Unavailable".to_owned();
    c.finish(notification(1), 3, Outcome::Retrying { reason }, Second(9).start()).await.expect("notes");
    let pending = c.pending().await.expect("reads");
    assert_eq!(pending.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["n1", "n2"]);
    assert_eq!((pending[0].attempts, pending[0].recovered), (3, true));
    assert_eq!(pending[0].alerts, notification(1).alerts);
    c.finish(notification(1), 4, Outcome::Delivered, Second(9).start()).await.expect("notes");
    assert_eq!(c.pending().await.expect("reads").len(), 1);
}

async fn ended_stays(c: Shared) {
    c.finish(notification(1), 1, Outcome::Delivered, Second(9).start()).await.expect("notes");
    c.enqueue(vec![notification(1)]).await.expect("answers");
    let reason = "late news".to_owned();
    c.finish(notification(1), 2, Outcome::Retrying { reason }, Second(9).start()).await.expect("answers");
    assert_eq!(c.pending().await.expect("reads"), []);
}

async fn one_owner(c: Shared) {
    let pages = notification(1).pages;
    assert_eq!(c.claim(claim("a", 100)).await.expect("claims").given, pages);
    let refused = c.claim(claim("b", 110)).await.expect("claims");
    assert_eq!(refused, Claimed { given: Vec::new(), elsewhere: true }, "the other may yet fail");
    assert_eq!(c.claim(claim("a", 110)).await.expect("claims").given, pages, "the owner renews its lease");
    let elsewhere = Claim { channel: "mail".into(), ..claim("b", 110) };
    assert_eq!(c.claim(elsewhere).await.expect("claims").given, pages, "each channel has its own claim");
}

async fn one_of_two(c: Shared) {
    for now_s in [100, 200, 300] {
        let (a, b) = join(c.claim(claim("a", now_s)), c.claim(claim("b", now_s))).await;
        assert_eq!(a.expect("claims").given.len() + b.expect("claims").given.len(), 1);
    }
}

async fn lease_ends(c: Shared) {
    c.claim(claim("a", 100)).await.expect("claims");
    assert_eq!(c.claim(claim("b", 130)).await.expect("claims").given, notification(1).pages);
    assert_eq!(c.claim(claim("a", 131)).await.expect("claims").given, [], "its lease was taken over");
}

async fn delivered_once(c: Shared) {
    c.claim(claim("a", 100)).await.expect("claims");
    c.finish(notification(1), 1, Outcome::Delivered, Second(101).start()).await.expect("notes");
    assert_eq!(c.claim(claim("a", 102)).await.expect("claims").given, []);
    let refused = c.claim(claim("b", 9_999)).await.expect("claims");
    assert_eq!(refused, Claimed::default(), "it was sent, and there is nothing to wait for");
}

async fn dead_letters(c: Shared) {
    let reason = "410 Gone".to_owned();
    c.enqueue(vec![notification(1)]).await.expect("queues");
    c.finish(notification(1), 7, Outcome::Dead { reason }, Second(9).start()).await.expect("notes");
    let dead = c.dead_letters(10).await.expect("reads");
    assert_eq!((dead.len(), dead[0].attempts, dead[0].reason.as_str()), (1, 7, "410 Gone"));
    assert_eq!((dead[0].ended_at, dead[0].notification.id.as_str()), (Second(9).start(), "n1"));
    assert_eq!(c.pending().await.expect("reads"), []);
}

async fn pruning(c: Shared) {
    c.record_alert(record(1, AlertStatus::Firing)).await.expect("records");
    c.record_alert(record(2, AlertStatus::Resolved)).await.expect("records");
    c.enqueue(vec![notification(1), notification(2)]).await.expect("queues");
    c.finish(notification(2), 1, Outcome::Delivered, Second(9).start()).await.expect("notes");
    assert_eq!(c.prune(UnixNanos(0)).await.expect("prunes"), 0);
    assert_eq!(c.prune(Second(1_000).start()).await.expect("prunes"), 3, "alert, notification, claim");
    assert_eq!(c.active_alerts().await.expect("reads").len(), 1);
    assert_eq!(c.pending().await.expect("reads").len(), 1);
}
