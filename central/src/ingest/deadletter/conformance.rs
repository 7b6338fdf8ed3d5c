//! The suite that every place of dead letters passes: what is kept is found, and a replay gives each letter one place.

use std::sync::Arc;

use goldentime_log::kafka::LoggedAs;
use goldentime_model::UnixNanos;
use goldentime_model::units::{ByteSize, HumanDuration};
use goldentime_runtime::{ManualClock, SharedClock};
use goldentime_testkit::servers::postgres::{Postgres, USER};

use super::post::Posted;
use super::postgres::PostgresLetters;
use super::replays::{Decision, Placed, Progress, Wanted};
use super::topic::testing::Topic;
use super::*;
use crate::ingest::validity::Refusal;

const HOUR_NS: i64 = 3600 * 1_000_000_000;
const STREAM: [u8; 16] = [7; 16];

/// A place of letters, and who keeps them there.
trait Backend {
    fn letters(&self) -> Arc<dyn ReplayStore>;
    async fn keep(&mut self, letter: DeadLetter);
    /// Drops what is too old or too much.
    async fn retain(&mut self, now: UnixNanos);
}

struct InFile {
    letters: DeadLetters,
    writer: Writer,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

fn bounds() -> DeadLettersConfig {
    DeadLettersConfig { retention: HumanDuration::from_secs(3600), bytes_max: ByteSize::mib(16) }
}

impl InFile {
    async fn open() -> Self {
        let (folder, clock) = (tempfile::tempdir().expect("folder"), ManualClock::at(UnixNanos(0)));
        let shared = Arc::clone(&clock) as SharedClock;
        let (letters, writer) = DeadLetters::open(folder.path(), &bounds(), shared).await.expect("opens");
        Self { letters, writer, clock, _folder: folder }
    }
}

impl Backend for InFile {
    fn letters(&self) -> Arc<dyn ReplayStore> {
        self.letters.replays()
    }

    async fn keep(&mut self, letter: DeadLetter) {
        self.writer.take(Posted { letter, kept: None, _settled: None, _room: None }).await;
    }

    async fn retain(&mut self, now: UnixNanos) {
        self.clock.set(now);
        self.writer.retain().await.expect("retained");
    }
}

impl Backend for Topic {
    fn letters(&self) -> Arc<dyn ReplayStore> {
        Arc::new(self.store.clone())
    }

    async fn keep(&mut self, letter: DeadLetter) {
        self.append(letter.into());
        self.read().await;
    }

    async fn retain(&mut self, now: UnixNanos) {
        Self::retain(self, now, &bounds()).await;
    }
}

fn letter(number: u8, reason: &'static str) -> DeadLetter {
    DeadLetter {
        at: UnixNanos(i64::from(number)),
        kind: Kind::Record,
        agent: format!("a{}", number % 2),
        host: "web-1".into(),
        project: "shop".into(),
        service: "shop/prod/api".into(),
        reason,
        detail: format!("detail\0{number}"),
        record: vec![number; 10].into(),
        place: 0,
        logged_as: None,
    }
}

fn line(number: u8, logged_as: LoggedAs) -> DeadLetter {
    let (agent, project) = (String::new(), String::new());
    let logged_as = Some(logged_as);
    DeadLetter { kind: Kind::Line, agent, project, logged_as, ..letter(number, "log_store_rejected") }
}

async fn heads(letters: &dyn ReplayStore, filter: Filter) -> Vec<Head> {
    let page = PageRequest { before: None, limit: 1000 };
    letters.list(filter, page).await.expect("lists").letters
}

fn replayed_too() -> Filter {
    Filter { with_replayed: true, ..Filter::default() }
}

async fn ids(letters: &dyn ReplayStore) -> Vec<LetterId> {
    heads(letters, replayed_too()).await.into_iter().map(|head| head.id).collect()
}

const fn admitted(is_line: bool) -> Decision {
    Decision::Admitted { partition: 3, is_judged: !is_line, is_line, is_late: !is_line }
}

/// Asks for all, takes it up and decides about all alike.
async fn decide_all(letters: &dyn ReplayStore, stream: u8, decision: &Decision) -> (i64, Vec<Placed>) {
    let now = UnixNanos(50);
    let asked =
        letters.request(&Wanted::All(Filter::default()), false, [stream; 16], now).await.expect("asked");
    let replay = asked.new.expect("there are letters");
    assert_eq!(letters.next(now).await.expect("looks").expect("open").id, replay);
    let waiting = letters.waiting(replay, 100).await.expect("reads");
    let decisions: Vec<_> = waiting.into_iter().map(|(letter, _)| (letter, decision.clone())).collect();
    letters.decide(replay, &decisions).await.expect("decided");
    (replay, letters.placed(replay, 100).await.expect("reads"))
}

async fn what_is_kept_is_found_newest_first(mut backend: impl Backend) {
    let letters = backend.letters();
    for number in 1..=5 {
        backend.keep(letter(number, if number == 2 { "time" } else { "name" })).await;
    }
    let all = heads(&*letters, Filter::default()).await;
    let numbers: Vec<_> = all.iter().map(|head| head.at.0).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    let of = |reason: Option<&str>, agent: Option<&str>, since: Option<i64>| Filter {
        reason: reason.map(str::to_owned),
        agent: agent.map(str::to_owned),
        since: since.map(UnixNanos),
        with_replayed: false,
    };
    let count = async |filter| heads(&*letters, filter).await.len();
    assert_eq!(count(of(Some("time"), None, None)).await, 1);
    assert_eq!(count(of(None, Some("a1"), Some(2))).await, 2);
    assert_eq!(count(of(None, Some("web-1"), None)).await, 5);
    assert_eq!(count(of(Some("na\0me"), None, None)).await, 0);
    let first = letters.list(Filter::default(), PageRequest { before: None, limit: 3 }).await.expect("lists");
    let rest = PageRequest { before: first.next, limit: 3 };
    let rest = letters.list(Filter::default(), rest).await.expect("lists");
    assert_eq!((rest.letters.len(), rest.next), (2, None));
    let read = letters.read(all[0].id.clone()).await.expect("reads").expect("is there");
    assert_eq!((&read.record[..], read.project.as_str(), read.is_cut), (&[5; 10][..], "shop", false));
    assert_eq!((read.head.service.as_str(), read.head.bytes), ("shop/prod/api", 10));
    for id in ["", "-1", "0", "1@2", "x", "99999999999999999999", "123456"] {
        assert_eq!(letters.read(LetterId(id.into())).await.expect("no error"), None, "{id}");
    }
    let counts = letters.summary(Filter::default()).await.expect("counts");
    let counts: Vec<_> =
        counts.iter().map(|of| (of.reason.as_str(), of.letters, of.senders, of.bytes)).collect();
    assert_eq!(counts, [("name", 4, 2, 40), ("time", 1, 1, 10)]);
}

async fn the_very_same_is_one_letter(mut backend: impl Backend) {
    let letters = backend.letters();
    backend.keep(letter(1, "name")).await;
    backend.keep(DeadLetter { at: UnixNanos(9), agent: "a7".into(), ..letter(1, "name") }).await;
    backend.keep(DeadLetter { place: 1, ..letter(1, "name") }).await;
    let found = heads(&*letters, Filter::default()).await;
    let times: Vec<_> = found.iter().map(|head| (head.times, head.at.0, head.last_at.0)).collect();
    assert_eq!(times, [(1, 1, 1), (2, 1, 9)]);
    assert_eq!(found[1].agent, "a1");
}

async fn a_letter_is_asked_for_once(mut backend: impl Backend) {
    let letters = backend.letters();
    for number in 1..=3 {
        backend.keep(letter(number, "name")).await;
    }
    let ids = ids(&*letters).await;
    let some = Wanted::Ids(vec![ids[0].clone(), ids[0].clone(), LetterId("x".into())]);
    let asked = letters.request(&some, false, STREAM, UnixNanos(1)).await.expect("asked");
    assert_eq!((asked.letters, &asked.missing), (1, &vec![LetterId("x".into())]));
    let all = Wanted::All(Filter::default());
    let more = letters.request(&all, false, [8; 16], UnixNanos(1)).await.expect("asked");
    assert_eq!((more.letters, more.under_way, more.replays.len()), (2, 1, 2));
    let (first, second) = (asked.new.expect("new"), more.new.expect("new"));
    assert_eq!(
        letters.progress(second).await.expect("known"),
        Progress { not_begun: 1, ahead: 1, open: 2, ..Progress::default() }
    );
    assert!(!letters.withdraw(second).await.expect("asked"), "one is before it");
    assert!(letters.withdraw(first).await.expect("asked"));
    assert_eq!(letters.next(UnixNanos(5)).await.expect("looks").expect("open").id, second);
    assert!(!letters.withdraw(second).await.expect("asked"), "it was taken up");
    let none = letters.request(&all, false, [9; 16], UnixNanos(1)).await.expect("asked");
    assert_eq!((none.letters, none.under_way), (1, 2));
}

async fn each_letter_has_one_place_whoever_decides(mut backend: impl Backend) {
    let letters = backend.letters();
    for number in 1..=4 {
        backend.keep(letter(number, "name")).await;
    }
    let (replay, placed) = decide_all(&*letters, 1, &admitted(false)).await;
    let numbers: Vec<_> = placed.iter().map(|place| (place.partition, place.number)).collect();
    assert_eq!(numbers, [(3, Some(1)), (3, Some(2)), (3, Some(3)), (3, Some(4))]);
    // Somebody who slept decides once more.
    let again: Vec<_> = placed.iter().map(|place| (place.letter, admitted(false))).collect();
    letters.decide(replay, &again).await.expect("decided");
    assert_eq!(letters.placed(replay, 100).await.expect("reads"), placed);
    letters.given(replay, &placed[..3], UnixNanos(60)).await.expect("noted");
    let refusal = || Decision::Refused(Refusal::new("version", "still too n\0ew"));
    letters.decide(replay, &[(placed[3].letter, refusal())]).await.expect("decided");
    // What was given is given.
    letters.decide(replay, &[(placed[0].letter, refusal())]).await.expect("decided");
    let progress = letters.progress(replay).await.expect("known");
    assert_eq!(progress, Progress { given: 3, late: 3, refused: 1, ..Progress::default() });
    letters.end(replay, UnixNanos(70)).await.expect("ended");
    assert_eq!(letters.next(UnixNanos(80)).await.expect("looks"), None);
    let left = heads(&*letters, Filter::default()).await;
    assert_eq!((left.len(), left[0].reason.as_str(), left[0].at.0), (1, "version", 4));
    assert_eq!(letters.refused(replay, 5).await.expect("reads").len(), 1);
    let all = ids(&*letters).await;
    assert_eq!(heads(&*letters, replayed_too()).await[3].replayed_at, Some(UnixNanos(60)));
    let named = Wanted::Ids(all.clone());
    let asked = letters.request(&named, false, [2; 16], UnixNanos(90)).await.expect("asked");
    assert_eq!((asked.letters, asked.replayed.len()), (1, 3));
    let asked = letters.request(&named, true, [3; 16], UnixNanos(90)).await.expect("asked");
    assert_eq!((asked.letters, asked.under_way), (3, 1));
}

async fn a_line_that_comes_back_is_the_letter_that_it_was(mut backend: impl Backend) {
    let letters = backend.letters();
    let logged = LoggedAs { stream: [1; 16], partition: 3, number: 4 };
    backend.keep(line(1, logged)).await;
    let (replay, placed) = decide_all(&*letters, 2, &admitted(true)).await;
    let open = letters.next(UnixNanos(51)).await.expect("looks").expect("open");
    let number = placed[0].line_number.expect("a line");
    let again = LoggedAs { stream: open.lines, partition: 3, number };
    letters.given(replay, &placed, UnixNanos(60)).await.expect("noted");
    letters.end(replay, UnixNanos(61)).await.expect("ended");
    assert!(heads(&*letters, Filter::default()).await.is_empty());
    let back = DeadLetter { detail: "still not".into(), record: vec![9].into(), ..line(2, again) };
    backend.keep(back.clone()).await;
    let found = heads(&*letters, replayed_too()).await;
    assert_eq!((found.len(), found[0].detail.as_str(), found[0].replayed_at), (1, "still not", None));
    assert_eq!(letters.progress(replay).await.expect("known").refused, 1);
    // The log may tell of it before its receipt is noted.
    let (replay, placed) = decide_all(&*letters, 4, &admitted(true)).await;
    let open = letters.next(UnixNanos(71)).await.expect("looks").expect("open");
    let again = LoggedAs { stream: open.lines, partition: 3, number: placed[0].line_number.expect("a line") };
    backend.keep(DeadLetter { detail: "never".into(), ..line(3, again) }).await;
    letters.given(replay, &placed, UnixNanos(80)).await.expect("noted");
    let found = heads(&*letters, Filter::default()).await;
    assert_eq!((found.len(), found[0].detail.as_str()), (1, "never"));
}

async fn letters_go_by_age_and_the_oldest_for_want_of_room(mut backend: impl Backend) {
    let letters = backend.letters();
    let sized = |number: u8, at: i64, bytes: usize| {
        let mut record = vec![0; bytes];
        record[0] = number;
        DeadLetter { at: UnixNanos(at), record: record.into(), ..letter(number, "name") }
    };
    backend.retain(UnixNanos(10 * HOUR_NS)).await;
    for number in 1..=20 {
        backend.keep(sized(number, 10 * HOUR_NS, 900 << 10)).await;
        if number % 5 == 0 {
            backend.retain(UnixNanos(10 * HOUR_NS)).await;
        }
    }
    // Sixteen at a time make room.
    assert_eq!(heads(&*letters, Filter::default()).await.len(), 4);
    backend.keep(sized(21, 11 * HOUR_NS + 5, 10)).await;
    let last = ids(&*letters).await[0].clone();
    backend.retain(UnixNanos(11 * HOUR_NS + 1)).await;
    assert_eq!(ids(&*letters).await, std::slice::from_ref(&last));
    backend.retain(UnixNanos(20 * HOUR_NS)).await;
    assert!(ids(&*letters).await.is_empty());
    backend.keep(sized(22, 20 * HOUR_NS, 10)).await;
    assert_ne!(ids(&*letters).await, [last], "no id is used again");
}

async fn suite<B: Backend>(open: impl AsyncFn() -> B) {
    what_is_kept_is_found_newest_first(open().await).await;
    the_very_same_is_one_letter(open().await).await;
    a_letter_is_asked_for_once(open().await).await;
    each_letter_has_one_place_whoever_decides(open().await).await;
    a_line_that_comes_back_is_the_letter_that_it_was(open().await).await;
    letters_go_by_age_and_the_oldest_for_want_of_room(open().await).await;
}

async fn topic(server: &Postgres) -> Topic {
    let database = server.create_database().await.expect("a database");
    Topic::over(PostgresLetters::new(goldentime_postgres::PostgresConfig {
        host: "127.0.0.1".into(),
        port: server.address().port(),
        database,
        user: USER.into(),
        password_file: Some(server.password_file()),
        tls: goldentime_postgres::Tls::Off,
        ..Default::default()
    }))
}

#[tokio::test]
async fn letters_in_a_file_pass_the_suite() {
    suite(InFile::open).await;
}

#[tokio::test]
async fn letters_of_a_cluster_pass_the_suite() {
    let server = Postgres::start().await.expect("PostgreSQL starts");
    suite(async || topic(&server).await).await;
}

#[tokio::test]
async fn judged_records_and_log_lines_of_a_replay_have_numbers_of_their_own_without_gaps() {
    let server = Postgres::start().await.expect("PostgreSQL starts");
    let mut topic = topic(&server).await;
    for number in 1..=4 {
        topic.append(letter(number, "name").into());
    }
    topic.read().await;
    let all = Wanted::All(Filter::default());
    let asked = topic.store.request(&all, false, STREAM, UnixNanos(1)).await.expect("asked");
    let replay = asked.new.expect("there are letters");
    let open = topic.store.next(UnixNanos(2)).await.expect("looks").expect("open");
    assert!(open.stream == STREAM && open.lines != STREAM);
    let waiting = topic.store.waiting(replay, 10).await.expect("reads");
    let parts = [(true, false), (false, true), (true, true), (false, true)];
    let decisions = waiting.iter().zip(parts).map(|((letter, _), (is_judged, is_line))| {
        (*letter, Decision::Admitted { partition: 3, is_judged, is_line, is_late: false })
    });
    topic.store.decide(replay, &decisions.collect::<Vec<_>>()).await.expect("decided");
    let placed = topic.store.placed(replay, 10).await.expect("reads");
    let numbers: Vec<_> = placed.iter().map(|place| (place.number, place.line_number)).collect();
    assert_eq!(numbers, [(Some(1), None), (None, Some(1)), (Some(2), Some(2)), (None, Some(3))]);
}

#[tokio::test]
async fn a_topic_that_is_read_again_from_anywhere_changes_nothing() {
    let server = Postgres::start().await.expect("PostgreSQL starts");
    let mut topic = topic(&server).await;
    for number in [1, 2, 1, 3, 1] {
        topic.append(letter(number, "name").into());
    }
    topic.read().await;
    let before = heads(&topic.store, Filter::default()).await;
    assert_eq!(before.iter().map(|head| head.times).collect::<Vec<_>>(), [1, 1, 3]);
    for from in 0..5 {
        topic.read_from(from).await;
        assert_eq!(heads(&topic.store, Filter::default()).await, before, "from {from}");
    }
    // A line that came back and was given since does not come back by its old letter.
    let (_, placed) = decide_all(&topic.store, 5, &admitted(true)).await;
    let open = topic.store.next(UnixNanos(71)).await.expect("looks").expect("open");
    let number = placed[0].line_number.expect("a line");
    topic.append(line(9, LoggedAs { stream: open.lines, partition: 3, number }).into());
    topic.read().await;
    topic.store.given(open.id, &placed, UnixNanos(80)).await.expect("noted");
    topic.store.end(open.id, UnixNanos(81)).await.expect("ended");
    let (replay, placed) = decide_all(&topic.store, 6, &admitted(true)).await;
    topic.store.given(replay, &placed, UnixNanos(90)).await.expect("noted");
    assert!(heads(&topic.store, Filter::default()).await.is_empty());
    topic.read_from(0).await;
    assert!(heads(&topic.store, Filter::default()).await.is_empty());
}
