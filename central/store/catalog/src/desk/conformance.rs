//! What every backend of the desk must do, run against a fresh one for each case.

use std::future::Future;
use std::sync::Arc;

use goldentime_model::{MatchOp, Matcher, Second, UnixNanos};

use super::{AlertEvent, Desk, EventKind, Silence};
use crate::conformance::{notification, record};
use crate::store::BoxFuture;
use crate::{Catalogue, Outcome};

/// A desk over the same rows as a catalogue.
pub struct Both {
    /// Alerts and pages.
    pub catalogue: Arc<dyn Catalogue>,
    /// What people decide of them.
    pub desk: Arc<dyn Desk>,
}

type Case = fn(Both) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 6] = [
    ("a silence is read back as it was written", |b| Box::pin(silence_round_trip(b))),
    ("of two edits of a silence the later one stays", |b| Box::pin(later_edit_stays(b))),
    ("an acknowledgement is in force until it is taken back", |b| Box::pin(acknowledged(b))),
    ("an acknowledgement ends with its alert", |b| Box::pin(ends_with_alert(b))),
    ("an episode's history has who did what, and what was told", |b| Box::pin(history(b))),
    ("pruning keeps what is in force", |b| Box::pin(pruning(b))),
];

/// Runs every case, each over what `fresh` makes.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Both>,
{
    for (name, case) in CASES {
        eprintln!("desk: {name}");
        case(fresh().await).await;
    }
}

fn silence(id: &str, from_s: i64, until_s: i64) -> Silence {
    let matcher = |name: &str, op, value: &str| Matcher { name: name.into(), op, value: value.into() };
    Silence {
        id: id.into(),
        matchers: vec![
            matcher("service", MatchOp::Equal, "주문"),
            matcher("host", MatchOp::NotRegex, "web-.*"),
        ],
        starts_at: Second(from_s).start(),
        ends_at: Second(until_s).start(),
        created_by: "kim".into(),
        comment: "배포".into(),
        edited_at: Second(from_s).start(),
    }
}

fn event(id: &str, kind: EventKind, at_s: i64, by: &str) -> AlertEvent {
    let episode = episode(1);
    AlertEvent {
        id: id.into(),
        episode,
        at: Second(at_s).start(),
        by: by.into(),
        kind,
        text: "보고 있습니다".into(),
    }
}

fn episode(n: i64) -> String {
    record(n, goldentime_model::AlertStatus::Firing).alert.episode
}

async fn fire(b: &Both, n: i64, status: goldentime_model::AlertStatus) {
    b.catalogue.record_alert(record(n, status)).await.expect("records");
}

async fn silence_round_trip(b: Both) {
    assert!(b.desk.put_silence(silence("a", 10, 20)).await.expect("keeps"));
    assert!(b.desk.put_silence(silence("b", 10, 30)).await.expect("keeps"));
    let all = b.desk.silences(UnixNanos(0)).await.expect("reads");
    assert_eq!(all, [silence("b", 10, 30), silence("a", 10, 20)]);
    assert_eq!(b.desk.silences(Second(20).start()).await.expect("reads"), [silence("b", 10, 30)]);
    assert_eq!(b.desk.silence("a".into()).await.expect("reads"), Some(silence("a", 10, 20)));
    assert_eq!(b.desk.silence("c".into()).await.expect("reads"), None);
}

async fn later_edit_stays(b: Both) {
    let later =
        Silence { ends_at: Second(40).start(), edited_at: Second(12).start(), ..silence("a", 10, 20) };
    assert!(b.desk.put_silence(later.clone()).await.expect("keeps"));
    assert!(!b.desk.put_silence(silence("a", 10, 20)).await.expect("answers"));
    assert!(!b.desk.put_silence(later.clone()).await.expect("answers"), "a repeat changes nothing");
    assert_eq!(b.desk.silences(UnixNanos(0)).await.expect("reads"), [later]);
}

async fn acknowledged(b: Both) {
    fire(&b, 1, goldentime_model::AlertStatus::Firing).await;
    let by = |all: Vec<super::Acknowledgement>| all.into_iter().map(|ack| ack.by).collect::<Vec<_>>();
    b.desk.note(event("1", EventKind::Acknowledged, 10, "kim")).await.expect("notes");
    b.desk.note(event("2", EventKind::Acknowledged, 11, "lee")).await.expect("notes");
    b.desk.note(event("1", EventKind::Acknowledged, 10, "kim")).await.expect("a repeat");
    assert_eq!(by(b.desk.acknowledgements().await.expect("reads")), ["lee"]);
    b.desk.note(event("3", EventKind::Unacknowledged, 9, "kim")).await.expect("notes");
    assert_eq!(by(b.desk.acknowledgements().await.expect("reads")), ["lee"], "that was before");
    b.desk.note(event("4", EventKind::Noted, 12, "kim")).await.expect("notes");
    b.desk.note(event("5", EventKind::Unacknowledged, 13, "kim")).await.expect("notes");
    assert_eq!(b.desk.acknowledgements().await.expect("reads"), []);
}

async fn ends_with_alert(b: Both) {
    fire(&b, 1, goldentime_model::AlertStatus::Firing).await;
    b.desk.note(event("1", EventKind::Acknowledged, 10, "kim")).await.expect("notes");
    fire(&b, 1, goldentime_model::AlertStatus::Resolved).await;
    assert_eq!(b.desk.acknowledgements().await.expect("reads"), []);
}

async fn history(b: Both) {
    fire(&b, 1, goldentime_model::AlertStatus::Firing).await;
    let page = notification(1);
    b.catalogue.finish(page, 1, Outcome::Delivered, Second(5).start()).await.expect("notes");
    b.desk.note(event("2", EventKind::Noted, 12, "lee")).await.expect("notes");
    b.desk.note(event("1", EventKind::Acknowledged, 10, "kim")).await.expect("notes");
    let events = b.desk.events(episode(1)).await.expect("reads");
    assert_eq!(
        events,
        [event("1", EventKind::Acknowledged, 10, "kim"), event("2", EventKind::Noted, 12, "lee")]
    );
    let told = b.desk.told(episode(1)).await.expect("reads");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].what.as_str(), told[0].channel.as_str(), told[0].at),
        ("fired", "ops", Second(5).start())
    );
    let record = b.desk.alert(episode(1)).await.expect("reads").expect("there");
    assert_eq!(record.alert.episode, episode(1));
    assert_eq!(b.desk.alert("none".into()).await.expect("reads"), None);
}

async fn pruning(b: Both) {
    fire(&b, 1, goldentime_model::AlertStatus::Firing).await;
    b.desk.note(event("1", EventKind::Acknowledged, 10, "kim")).await.expect("notes");
    let gone = AlertEvent { episode: "gone".into(), ..event("2", EventKind::Acknowledged, 10, "kim") };
    b.desk.note(gone).await.expect("notes");
    b.desk.put_silence(silence("a", 10, 20)).await.expect("keeps");
    b.desk.put_silence(silence("b", 10, 200)).await.expect("keeps");
    assert_eq!(b.desk.prune_desk(Second(5).start()).await.expect("prunes"), 0);
    assert_eq!(
        b.desk.prune_desk(Second(100).start()).await.expect("prunes"),
        3,
        "silence, event, acknowledgement"
    );
    assert_eq!(b.desk.silences(UnixNanos(0)).await.expect("reads").len(), 1);
    assert_eq!(b.desk.events(episode(1)).await.expect("reads").len(), 1);
    assert_eq!(b.desk.acknowledgements().await.expect("reads").len(), 1);
}
