//! Log lines that a store rejects, over intake itself.

use std::path::Path;
use std::sync::Arc;

use goldentime_central::cluster::ClusterConfig;
use goldentime_central::evaluate::openslo::RuleSet;
use goldentime_central::ingest::agents::AgentEvent;
use goldentime_central::ingest::deadletter::replays::{Progress, Wanted};
use goldentime_central::ingest::deadletter::{
    DeadLetters, Filter, Head, Kind, LetterStore, PageRequest, ReplayStore, SqliteLetters,
};
use goldentime_central::ingest::embedded::{EmbeddedLog, PartitionFeed};
use goldentime_central::ingest::registry::Registry;
use goldentime_central::ingest::start::open_authority;
use goldentime_central::ingest::{self, AgentsConfig, DeadLettersConfig};
use goldentime_log::LogConfig;
use goldentime_runtime::{Clock, Drained, SharedClock, SystemClock, Tasks};
use goldentime_search::conformance::line;
use goldentime_search::{Identity, NewLine, Rejected, Rejects};
use goldentime_testkit::ports::{free_udp, loopback};
use goldentime_testkit::wait;
use goldentime_wire::proto::record::Body;
use goldentime_wire::record::stream_id;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{PARTITIONS, SOON};

/// Intake without anything behind it: what it gives to the merge is looked at here.
struct Intake {
    feeds: Vec<PartitionFeed>,
    _agents: tokio::sync::mpsc::Receiver<AgentEvent>,
    letters: DeadLetters,
    tasks: Tasks,
    _rules: watch::Sender<Arc<RuleSet>>,
}

async fn intake(state: &Path) -> Intake {
    let (clock, tasks): (SharedClock, _) = (Arc::new(SystemClock), Tasks::new());
    let kept = DeadLettersConfig::default();
    let letters = ingest::open_dead_letters(state, &kept, Arc::clone(&clock), &tasks).await.expect("opens");
    let log = EmbeddedLog::open(state, LogConfig::default()).await.expect("opens");
    let config = AgentsConfig { listen: loopback(free_udp()), ..AgentsConfig::default() };
    let authority = open_authority(&config, state, clock.now()).expect("opens");
    let registry = Registry::open(state, &ClusterConfig::default()).await.expect("opens");
    let ingest = ingest::open(authority, registry, letters.clone(), Arc::clone(&clock)).await.expect("opens");
    let (rules_sender, rules) = watch::channel(Arc::new(RuleSet::default()));
    let none = vec![None; PARTITIONS as usize];
    let (behind, feeds) = log.start(&tasks, &none, &clock).await.expect("starts");
    let agents = ingest.start(&tasks, &config, behind, rules).await.expect("starts");
    Intake { feeds, _agents: agents, letters, tasks, _rules: rules_sender }
}

impl Intake {
    /// A log store says no to a line.
    async fn reject(&self, line: &NewLine, reason: &str) {
        let rejects = self.letters.of_lines(Arc::new(SystemClock));
        let rejected = Rejected { line: line.clone(), reason: reason.to_owned() };
        rejects.take(&[rejected]).await.expect("kept");
    }

    /// The next record of a line's partition, as the log store reads it.
    async fn logged(&mut self, line: &NewLine) -> NewLine {
        let partition = line.service.partition(PARTITIONS);
        let records = &mut self.feeds[partition as usize].records;
        let logged = timeout(SOON, records.recv()).await.expect("in time").expect("open");
        let Some(Body::Logs(logs)) = &logged.record.body else { panic!("{logged:?}") };
        let stream = stream_id(&logged.record).expect("it has one");
        NewLine {
            identity: Identity { stream, partition, number: logged.record.number, index: 0 },
            service: logged.service.clone().expect("it has one"),
            host: logged.record.host.as_str().into(),
            record: logs.records[0].clone().into(),
        }
    }
}

async fn heads(letters: &SqliteLetters) -> Vec<Head> {
    let page = PageRequest { before: None, limit: 100 };
    letters.list(Filter::default(), page).await.expect("lists").letters
}

async fn replayed(letters: &SqliteLetters, stream: u8) -> Progress {
    let wanted = Wanted::All(Filter::default());
    let asked = letters.request(&wanted, false, [stream; 16], SystemClock.now()).await.expect("asked");
    let replay = asked.new.expect("there are letters");
    let done = || async {
        let progress = letters.progress(replay).await.expect("read");
        (progress.open == 0 && progress.not_begun == 0).then_some(progress)
    };
    wait::until("the replay to end", SOON, done).await.expect("in time")
}

#[tokio::test]
async fn a_rejected_line_goes_to_the_log_store_again_and_comes_back_as_the_same_letter() {
    let state = tempfile::tempdir().expect("folder");
    let mut intake = intake(state.path()).await;
    let odd = line(1, "카드결제가 실패");
    intake.reject(&odd, "span_id is no number").await;
    // The step was killed before its position was stored: the same line is handed over again.
    intake.reject(&odd, "span_id is no number").await;
    let letters = SqliteLetters::open(&state.path().join("dead-letters.db")).await.expect("opens");
    let [head] = &heads(&letters).await[..] else { panic!("one letter") };
    assert_eq!((head.kind, head.times, head.reason.as_str()), (Kind::Line, 2, "log_store_rejected"));

    let progress = replayed(&letters, 1).await;
    assert_eq!((progress.given, progress.lines, progress.late), (1, 1, 0));
    let again = intake.logged(&odd).await;
    assert_eq!((&again.record, &again.host, &again.service), (&odd.record, &odd.host, &odd.service));
    assert!(heads(&letters).await.is_empty());

    // Nobody mended anything: the store says no once more, in other words.
    intake.reject(&again, "span_id is still no number").await;
    let [back] = &heads(&letters).await[..] else { panic!("one letter") };
    assert_eq!((&back.id, back.detail.as_str()), (&head.id, "span_id is still no number"));
    assert_eq!(replayed(&letters, 2).await.given, 1);
    assert_eq!(intake.logged(&odd).await.record, odd.record);
    assert!(heads(&letters).await.is_empty());
    let Intake { tasks, letters: open, .. } = intake;
    drop(open);
    assert_eq!(tasks.drain(SOON).await, Drained::Clean);
}
