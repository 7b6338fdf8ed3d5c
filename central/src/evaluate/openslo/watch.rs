//! Loads the rules anew when a file of their folder changes.
//!
//! The file system's own notice comes within milliseconds; a comparison every few seconds sees what
//! it misses (network file systems, mounts replaced as a whole, a folder that is made later).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use goldentime_model::UnixNanos;
use goldentime_model::config::load::{source, yaml_files};
use goldentime_model::config::{Fault, Faults, Place, Source};
use goldentime_model::metric_names::{RULES, RULES_RELOAD_TOTAL, RULES_STALE};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};

use super::rule_set::{RuleSet, read_dir};
use super::starter::{self, StarterRule};

/// How long after a change the folder must rest, so that a copy of many files is read once.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Longest wait for that rest while changes go on.
const DEBOUNCE_MAX: Duration = Duration::from_secs(2);
/// How often the files are compared without a notice.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The rules in force, for those who use and show them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RulesHandle {
    dir: Arc<Path>,
    rules: watch::Receiver<Arc<RuleSet>>,
    refused: watch::Receiver<Option<Arc<Refused>>>,
}

/// Why the newest files are not in force.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When they were read.
    pub at: UnixNanos,
    /// Everything that is wrong with them.
    pub faults: Faults,
}

impl RulesHandle {
    /// The rules in force: those of the last folder that was right as a whole.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        self.rules.borrow().clone()
    }

    /// Wakes with each new set of rules; the present one counts as seen.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<RuleSet>> {
        let mut rules = self.rules.clone();
        rules.mark_unchanged();
        rules
    }

    /// Why the newest files are not in force; `None` when they are.
    #[must_use]
    pub fn refused(&self) -> Option<Arc<Refused>> {
        self.refused.borrow().clone()
    }

    /// What is wrong with the rules, for whoever watches the central: why the newest files are not in
    /// force, or that nothing is watched at all. `None` when all is well.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let refused = self.refused().map(|refused| refused.faults.to_string());
        let current = self.current();
        refused.or_else(|| current.rules.is_empty().then(|| no_rules(&self.dir, current.files)))
    }

    /// Wakes when files are refused, and when they are right again.
    #[must_use]
    pub fn refusals(&self) -> watch::Receiver<Option<Arc<Refused>>> {
        self.refused.clone()
    }
}

/// A file's name, size and time of change.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Watches a folder of SLO files.
pub struct RulesWatch {
    dir: PathBuf,
    /// Rules that come with the program and are switched on.
    starter: Arc<[Arc<Source>]>,
    clock: SharedClock,
    /// The texts that were read last, right or not, so that only a change is compiled again.
    seen: Option<Vec<Arc<Source>>>,
    /// The files as they were then, so that only a change is read again.
    stamps: Vec<Stamp>,
    rules: watch::Sender<Arc<RuleSet>>,
    refused: watch::Sender<Option<Arc<Refused>>>,
}

impl RulesWatch {
    /// Loads the folder, and the starter rules that it does not replace, and goes on watching it until
    /// `tasks` stop.
    ///
    /// Files that are wrong at the start are refused as later ones are: the central runs on without
    /// rules, [`RulesHandle::refused`] says why, and it is not ready. Stopping instead would also
    /// stop the collecting of data.
    pub async fn start(
        dir: PathBuf,
        starter: &[StarterRule],
        clock: SharedClock,
        tasks: &Tasks,
    ) -> RulesHandle {
        let starter = starter::sources(starter).into();
        let (rules, rules_seen) = watch::channel(Arc::new(RuleSet::default()));
        let (refused, refused_seen) = watch::channel(None);
        let shown: Arc<Path> = dir.as_path().into();
        let mut watch = Self { dir, starter, clock, seen: None, stamps: Vec::new(), rules, refused };
        watch.reload(Trigger::Notice).await;
        tasks.spawn(TaskKind::Upkeep, "rules-watch", watch.run());
        RulesHandle { dir: shown, rules: rules_seen, refused: refused_seen }
    }

    async fn run(mut self) {
        // One waiting notice is enough: it only says that something changed.
        let (notice, mut notices) = mpsc::channel(1);
        let mut watcher = None;
        loop {
            if watcher.is_none() {
                watcher = watch_dir(&self.dir, notice.clone());
            }
            let trigger = match tokio::time::timeout(POLL_INTERVAL, notices.recv()).await {
                Ok(_) => {
                    rest(&mut notices).await;
                    Trigger::Notice
                }
                Err(_) => Trigger::Poll,
            };
            self.reload(trigger).await;
        }
    }

    async fn reload(&mut self, trigger: Trigger) {
        let (dir, starter) = (self.dir.clone(), Arc::clone(&self.starter));
        let (seen, stamps) = (self.seen.take(), std::mem::take(&mut self.stamps));
        let had_files = self.rules.borrow().files > 0;
        let read =
            tokio::task::spawn_blocking(move || read(&dir, &starter, trigger, seen, stamps, had_files));
        match read.await {
            Ok(Ok(Reading { texts, stamps, set })) => {
                (self.seen, self.stamps) = (Some(texts), stamps);
                match set {
                    Some(Ok(set)) => self.accept(set),
                    Some(Err(faults)) => self.refuse(faults),
                    None => {}
                }
            }
            Ok(Err(faults)) => self.refuse(faults),
            Err(error) => tracing::error!(%error, "reading the SLO files was aborted; trying again"),
        }
    }

    fn accept(&self, set: RuleSet) {
        tracing::info!(
            dir = %self.dir.display(),
            rules = set.rules.len(),
            slos = set.slos.len(),
            files = set.files,
            "SLO files loaded"
        );
        if set.rules.is_empty() {
            tracing::warn!("{}", no_rules(&self.dir, set.files));
        }
        for warning in &set.warnings {
            tracing::warn!("SLO files: {warning}");
        }
        metrics::counter!(RULES_RELOAD_TOTAL, "result" => "loaded").increment(1);
        metrics::gauge!(RULES).set(set.rules.len() as f64);
        metrics::gauge!(RULES_STALE).set(0.0);
        self.rules.send_replace(Arc::new(set));
        self.refused.send_replace(None);
    }

    /// Says each refusal once, however often the unchanged folder is read.
    fn refuse(&self, faults: Faults) {
        if self.refused.borrow().as_ref().is_some_and(|refused| refused.faults == faults) {
            return;
        }
        tracing::error!(
            dir = %self.dir.display(),
            rules_in_force = self.rules.borrow().rules.len(),
            "SLO files refused, the rules before stay in force:\n{faults}"
        );
        metrics::counter!(RULES_RELOAD_TOTAL, "result" => "refused").increment(1);
        metrics::gauge!(RULES_STALE).set(1.0);
        self.refused.send_replace(Some(Arc::new(Refused { at: self.clock.now(), faults })));
    }
}

/// Why the folder is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    /// Something changed, or nothing was read yet.
    Notice,
    /// Time has passed.
    Poll,
}

/// A central that watches no rule pages nobody, and looks as well as one whose services are.
fn no_rules(dir: &Path, files: usize) -> String {
    let (dir, why) = (dir.display(), if dir.is_dir() { "has no SLO file" } else { "does not exist" });
    if files > 0 {
        return format!(
            "no rules are watched and nobody is paged: the {files} files of {dir} hold no alert policy"
        );
    }
    format!("no rules are watched and nobody is paged: {dir} {why}; put SLO files there, or set slo_dir")
}

struct Reading {
    texts: Vec<Arc<Source>>,
    stamps: Vec<Stamp>,
    /// `None` when the texts are those that were seen before.
    set: Option<Result<RuleSet, Faults>>,
}

fn read(
    dir: &Path,
    starter: &[Arc<Source>],
    trigger: Trigger,
    seen: Option<Vec<Arc<Source>>>,
    stamps: Vec<Stamp>,
    had_files: bool,
) -> Result<Reading, Faults> {
    if had_files && !dir.is_dir() {
        // An unmounted disk must not switch off every alert.
        let place = Place::whole(source(dir, String::new()));
        return Err(Fault::at(place, "the folder is gone; to end all rules, leave it empty").into());
    }
    let now = stamp(dir)?;
    match seen {
        Some(texts) if trigger == Trigger::Poll && now == stamps => {
            Ok(Reading { texts, stamps: now, set: None })
        }
        seen => {
            let texts = read_dir(dir)?;
            let same = seen.is_some_and(|seen| seen == texts);
            let set = (!same).then(|| RuleSet::compile_over(starter, &texts));
            Ok(Reading { texts, stamps: now, set })
        }
    }
}

fn stamp(dir: &Path) -> Result<Vec<Stamp>, Faults> {
    let stamp = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let bytes = metadata.as_ref().map_or(0, std::fs::Metadata::len);
        (path, bytes, metadata.and_then(|metadata| metadata.modified().ok()))
    };
    Ok(yaml_files(dir)?.into_iter().map(stamp).collect())
}

/// Watches the folder; `None` while that is not possible, for instance because it does not exist.
fn watch_dir(dir: &Path, notice: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        // Our own reading is an event too on some systems.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            // A full channel holds a notice already.
            let _ = notice.try_send(());
        }
    };
    let watching = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching.inspect_err(|error| tracing::debug!(%error, "no notice of changes; comparing instead")).ok()
}

/// Waits until no change came for [`DEBOUNCE`].
async fn rest(notices: &mut mpsc::Receiver<()>) {
    let quiet = async { while let Ok(Some(())) = tokio::time::timeout(DEBOUNCE, notices.recv()).await {} };
    // Changes that never end are read as they stand.
    let _ = tokio::time::timeout(DEBOUNCE_MAX, quiet).await;
}

#[cfg(test)]
mod tests {
    use goldentime_runtime::ManualClock;

    use super::super::testing::SLO;
    use super::*;

    /// Long enough for a loaded machine; a test that passes never waits for it.
    const LIMIT: Duration = Duration::from_secs(30);

    struct Folder {
        dir: tempfile::TempDir,
        tasks: Tasks,
        handle: RulesHandle,
    }

    impl Folder {
        async fn new(text: &str) -> Self {
            let dir = tempfile::tempdir().expect("temporary directory");
            std::fs::create_dir(dir.path().join("slo")).expect("created");
            std::fs::write(dir.path().join("slo/orders.yaml"), text).expect("written");
            let tasks = Tasks::new();
            let clock = ManualClock::at(UnixNanos(7));
            let handle = RulesWatch::start(dir.path().join("slo"), &[], clock, &tasks).await;
            Self { dir, tasks, handle }
        }

        fn write(&self, text: &str) {
            // As editors do: a new file takes the old one's name.
            let new = self.dir.path().join("new");
            std::fs::write(&new, text).expect("written");
            std::fs::rename(new, self.dir.path().join("slo/orders.yaml")).expect("renamed");
        }

        async fn refused(&self) -> Arc<Refused> {
            let mut refusals = self.handle.refusals();
            let refused = tokio::time::timeout(LIMIT, refusals.wait_for(Option::is_some)).await;
            refused.expect("in time").expect("watched").clone().expect("some")
        }

        async fn rules(&self, wanted: impl Fn(&RuleSet) -> bool) -> Arc<RuleSet> {
            let mut rules = self.handle.subscribe();
            let found = tokio::time::timeout(LIMIT, rules.wait_for(|set| wanted(set))).await;
            found.expect("in time").expect("watched").clone()
        }
    }

    #[tokio::test]
    async fn a_folder_without_rules_is_complained_of_until_it_has_one() {
        let folder = Folder::new(SLO).await;
        assert_eq!(folder.handle.complaint(), None);
        folder.write("");
        folder.rules(|set| set.rules.is_empty()).await;
        let complaint = folder.handle.complaint().expect("nothing is watched");
        assert!(complaint.starts_with("no rules are watched"), "{complaint}");
        folder.write(SLO);
        folder.rules(|set| set.rules.len() == 1).await;
        assert_eq!(folder.handle.complaint(), None);
        folder.tasks.drain(LIMIT).await;
    }

    #[tokio::test]
    async fn a_folder_that_does_not_exist_is_complained_of_by_name() {
        let (dir, tasks) = (tempfile::tempdir().expect("folder"), Tasks::new());
        let absent = dir.path().join("slo");
        let handle = RulesWatch::start(absent.clone(), &[], ManualClock::at(UnixNanos(7)), &tasks).await;
        let complaint = handle.complaint().expect("nothing is watched");
        assert!(complaint.contains(&format!("{} does not exist", absent.display())), "{complaint}");
        tasks.drain(LIMIT).await;
    }

    #[tokio::test]
    async fn a_bad_file_keeps_the_rules_before_and_a_good_one_replaces_them() {
        let folder = Folder::new(SLO).await;
        let before = folder.handle.current();
        assert_eq!(before.rules.len(), 1);

        folder.write(&SLO.replace("signal: errors", "signal: error"));
        let refused = folder.refused().await;
        assert_eq!(refused.at, UnixNanos(7));
        assert!(refused.faults.to_string().contains("orders.yaml:11:"), "{}", refused.faults);
        assert!(Arc::ptr_eq(&before, &folder.handle.current()));

        folder.write(&SLO.replace("name: fast", "name: faster"));
        let after = folder.rules(|set| set.rules[0].name.as_ref() == "orders/faster").await;
        assert_eq!(after.rules.len(), 1);
        let mut refusals = folder.handle.refusals();
        let cleared = tokio::time::timeout(LIMIT, refusals.wait_for(Option::is_none)).await;
        assert!(cleared.is_ok() && folder.handle.refused().is_none());
        folder.tasks.drain(LIMIT).await;
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_does_not_end_the_rules() {
        let folder = Folder::new(SLO).await;
        std::fs::remove_dir_all(folder.dir.path().join("slo")).expect("removed");
        assert!(folder.refused().await.faults.to_string().contains("the folder is gone"));
        assert_eq!(folder.handle.current().rules.len(), 1);

        std::fs::create_dir(folder.dir.path().join("slo")).expect("created");
        folder.write(&SLO.replace("name: fast", "name: back"));
        folder.rules(|set| set.rules[0].name.as_ref() == "orders/back").await;
        folder.tasks.drain(LIMIT).await;
    }

    #[tokio::test(start_paused = true)]
    async fn starter_rules_need_no_folder() {
        let (dir, tasks) = (tempfile::tempdir().expect("folder"), Tasks::new());
        let (absent, clock) = (dir.path().join("slo"), ManualClock::at(UnixNanos(7)));
        let handle = RulesWatch::start(absent, &[StarterRule::All], clock, &tasks).await;
        tokio::time::sleep(POLL_INTERVAL * 3).await;
        assert_eq!(handle.complaint(), None);
        assert!(!handle.current().rules.is_empty());
        tasks.drain(LIMIT).await;
    }

    #[tokio::test]
    async fn files_that_are_wrong_from_the_start_are_shown_and_no_rules_are_in_force() {
        let folder = Folder::new("kind: SLO\n").await;
        assert!(folder.handle.refused().is_some());
        assert!(folder.handle.current().rules.is_empty());
        folder.write(SLO);
        folder.rules(|set| set.rules.len() == 1).await;
        folder.tasks.drain(LIMIT).await;
    }
}
