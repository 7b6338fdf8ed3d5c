//! Writes that the catalogue has not taken yet. They wait in memory and in a file, so that a central that ends
//! meanwhile gives them over at its next start.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use goldentime_catalog::{AlertRecord, Catalogue, CatalogueError, Notification, Outcome};
use goldentime_model::AlertStatus;
use goldentime_model::metric_names::DROPS_TOTAL;
use serde::{Deserialize, Serialize};

use super::record::Write;

/// Layout of the file's lines.
const VERSION: u8 = 1;

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<W> {
    version: u8,
    write: W,
}

/// Writes in the order in which they came.
#[derive(Default)]
pub(super) struct Unwritten {
    waiting: VecDeque<Write>,
    path: Option<PathBuf>,
    file: Option<File>,
    /// Some are not in the file.
    has_gaps: bool,
}

impl Unwritten {
    /// What an earlier run left in the file. Without one, what waits is lost when the central ends.
    pub(super) fn open(path: Option<PathBuf>) -> Self {
        let waiting = path.as_deref().map(read).unwrap_or_default();
        if !waiting.is_empty() {
            tracing::info!(
                changes = waiting.len(),
                "an earlier run left changes of alerts that the catalogue had not taken"
            );
        }
        Self { waiting, path, file: None, has_gaps: false }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Holds a write until the catalogue takes it.
    pub(super) fn keep(&mut self, write: Write) {
        if let Err(error) = self.append(&write) {
            if !self.has_gaps {
                tracing::error!(%error, "changes of alerts wait for the catalogue in memory alone");
            }
            self.has_gaps = true;
        }
        take(&mut self.waiting, write);
    }

    fn append(&mut self, write: &Write) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            closed => {
                let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
                if file.metadata()?.len() > 0 {
                    // The last line of an earlier run may have been cut.
                    file.write_all(b"\n")?;
                }
                closed.insert(file)
            }
        };
        let mut line = serde_json::to_vec(&Line { version: VERSION, write })?;
        line.push(b'\n');
        file.write_all(&line)
    }

    /// Gives them to the catalogue, oldest first, until it does not answer. All may be given twice: the file
    /// goes when it took the last.
    pub(super) async fn give_over(&mut self, catalogue: &dyn Catalogue) -> Result<(), CatalogueError> {
        while let Some(write) = self.waiting.front() {
            match write.clone().apply(catalogue).await {
                Err(error @ CatalogueError::Unavailable { .. }) => return Err(error),
                Err(error) => super::record::refused(&error),
                Ok(()) => {}
            }
            self.waiting.pop_front();
        }
        self.file = None;
        self.has_gaps = false;
        match self.path.as_ref().map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "changes of alerts that the catalogue took stay in their file");
            }
            _ => {}
        }
        Ok(())
    }

    /// The last word on an end that the catalogue did not see.
    pub(super) fn tell_left(&self) {
        let changes = self.waiting.len();
        match &self.path {
            Some(path) if !self.has_gaps => tracing::warn!(
                changes,
                path = %path.display(),
                "the catalogue does not answer: changes of alerts wait in a file for the next start"
            ),
            _ => {
                metrics::counter!(DROPS_TOTAL, "component" => "notify_history", "reason" => "stopped")
                    .increment(changes as u64);
                tracing::error!(changes, "the catalogue does not answer: changes of alerts are lost");
            }
        }
    }

    /// Alerts that are firing for all that stands here.
    pub(super) fn firing(&self) -> Vec<AlertRecord> {
        let mut firing: Vec<AlertRecord> = Vec::new();
        for write in &self.waiting {
            let Write::Alert(record) = write else { continue };
            firing.retain(|known| known.alert.episode != record.alert.episode);
            if record.alert.status == AlertStatus::Firing {
                firing.push((**record).clone());
            }
        }
        firing
    }

    /// Notifications that were decided on and not sent.
    pub(super) fn unsent(&self) -> Vec<Notification> {
        let queued = self.waiting.iter().filter_map(|write| match write {
            // Those that ended meanwhile left it: see `take`.
            Write::Enqueue(queued) => Some(queued),
            Write::Finish { .. } | Write::Alert(_) => None,
        });
        queued.flatten().map(|one| Notification { recovered: true, ..one.clone() }).collect()
    }
}

/// Adds a write. What it says to have ended does not go into the queue any more.
fn take(waiting: &mut VecDeque<Write>, write: Write) {
    if let Write::Finish { notification, outcome, .. } = &write
        && !matches!(outcome, Outcome::Retrying { .. })
    {
        for earlier in waiting.iter_mut() {
            if let Write::Enqueue(queued) = earlier {
                queued.retain(|one| one.id != notification.id);
            }
        }
    }
    waiting.push_back(write);
}

/// The writes of a file; one that cannot be read is told, and kept under another name.
fn read(path: &Path) -> VecDeque<Write> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return VecDeque::new(),
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "changes of alerts cannot be read");
            return VecDeque::new();
        }
    };
    let mut writes = VecDeque::new();
    let mut unreadable = 0_u64;
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        if line.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        let read = line.map_err(|error| error.to_string()).and_then(|line| {
            let line: Line<Write> = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
            match line.version {
                VERSION => Ok(line.write),
                other => Err(format!("it has layout {other}, this version knows {VERSION}")),
            }
        });
        match read {
            Ok(write) => take(&mut writes, write),
            Err(error) => {
                tracing::error!(path = %path.display(), line = number, error, "a change of an alert cannot be read");
                unreadable += 1;
            }
        }
    }
    if unreadable > 0 {
        metrics::counter!(DROPS_TOTAL, "component" => "notify_history", "reason" => "unreadable")
            .increment(unreadable);
        let aside = path.with_extension("unreadable");
        if let Err(error) = std::fs::copy(path, &aside) {
            tracing::error!(%error, path = %aside.display(), "what cannot be read cannot be kept either");
        }
    }
    writes
}

#[cfg(test)]
mod tests {
    use goldentime_model::{Labels, UnixNanos};

    use super::*;

    fn notification(id: &str) -> Notification {
        Notification {
            id: id.to_owned(),
            channel: "test".to_owned(),
            group_key: String::new(),
            group_labels: Labels::new(),
            pages: Vec::new(),
            alerts: Vec::new(),
            created_at: UnixNanos(0),
            attempts: 0,
            recovered: false,
        }
    }

    fn finish(id: &str, outcome: Outcome) -> Write {
        Write::Finish { notification: Box::new(notification(id)), attempts: 1, outcome, at: UnixNanos(1) }
    }

    fn ids(unwritten: &Unwritten) -> Vec<String> {
        unwritten.unsent().into_iter().map(|notification| notification.id).collect()
    }

    #[test]
    fn what_was_delivered_before_it_could_be_written_does_not_wait_in_the_queue() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("unwritten.jsonl");
        let reason = || "refused".to_owned();
        let mut unwritten = Unwritten::open(Some(path.clone()));
        unwritten.keep(Write::Enqueue(["delivered", "tried", "dead", "under way"].map(notification).into()));
        for write in [
            finish("delivered", Outcome::Delivered),
            Write::Enqueue(vec![notification("later")]),
            finish("tried", Outcome::Retrying { reason: reason() }),
            finish("dead", Outcome::Dead { reason: reason() }),
        ] {
            unwritten.keep(write);
        }
        assert_eq!(ids(&unwritten), ["tried", "under way", "later"]);
        assert_eq!(ids(&Unwritten::open(Some(path))), ["tried", "under way", "later"]);
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside_and_keeps_nothing_else_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("unwritten.jsonl");
        let mut unwritten = Unwritten::open(Some(path.clone()));
        unwritten.keep(Write::Enqueue(vec![notification("first")]));
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b"{\"version\":9}\n{\"ver").expect("written");
        let mut again = Unwritten::open(Some(path.clone()));
        assert_eq!(ids(&again), ["first"]);
        assert!(path.with_extension("unreadable").exists());
        again.keep(Write::Enqueue(vec![notification("second")]));
        assert_eq!(ids(&Unwritten::open(Some(path))), ["first", "second"]);
    }
}
