//! The one thread that reads all files of an input.
//!
//! A round takes what changed since the last one, looks for new files if names changed, and reads
//! every file that may have something, a bounded number of blocks each, so that one flood does not
//! hold up the others. A block is parsed and counted under the shard's lock, together with the new
//! position. When all files are at their ends, the instant at which the round began is the input's
//! progress: whatever was written before it has been read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use goldentime_runtime::SharedClock;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::away::Away;
use super::config::{BLOCK_BYTES, Config, OPEN_FILES_MIN, StartAt};
use super::discover::Discovery;
use super::file::{State, TailedFile};
use super::files::Files;
use super::identity::FileId;
use super::lines::{Cutter, Step, without_cr};
use super::position::Position;
use super::sink::Sink;
use super::status::{self, Status};
use super::watch::Watcher;
use crate::aggregate::{Full, ShardHandle};

/// Blocks of one file in one round.
const BLOCKS_A_TURN: usize = 16;
/// Pause after a round that read something: lines that come one by one are taken in handfuls.
const PAUSE: Duration = Duration::from_millis(1);
/// Longest wait without a change, so that progress moves on and a stop is seen.
const IDLE_WAIT: Duration = Duration::from_millis(200);
/// Wait while a renamed or deleted file may still be written to under a name that nobody watches.
const LEAVING_WAIT: Duration = Duration::from_millis(5);
/// How long a renamed or deleted file is waited on after its last byte. nginx writes to the old file
/// until it is told to reopen, which logrotate does within seconds.
pub(super) const LEAVING_QUIET: Duration = Duration::from_secs(10);
/// How long an unfinished multiline record waits where no other time is configured.
const RECORD_WAIT: Duration = Duration::from_secs(1);
/// How often the status is renewed.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// Reads an input's files.
pub(super) struct Reader {
    pub(super) config: Config,
    pub(super) input: Arc<str>,
    pub(super) shard: ShardHandle,
    pub(super) clock: SharedClock,
    pub(super) discovery: Discovery,
    pub(super) watcher: Watcher,
    pub(super) files: Files,
    pub(super) away: Away,
    /// Folders that cannot be looked through, and why.
    pub(super) unlisted: Vec<String>,
    pub(super) cutter: Cutter,
    pub(super) sink: Sink,
    pub(super) start_at: StartAt,
    pub(super) published: Arc<Mutex<Status>>,
    pub(super) leaving_quiet: Duration,
    pub(super) runtime: Handle,
    pub(super) stopping: CancellationToken,
    pub(super) block: Box<[u8]>,
}

/// What a turn at one file ended with.
enum Turn {
    /// At its end.
    AtEnd,
    /// There is more.
    More,
    /// Read to the end, and it will not grow any more.
    Gone,
}

impl Reader {
    /// Reads until told to stop. Ends between two blocks, with the shard holding exactly what its
    /// positions say.
    pub(super) fn run(mut self, left: Away) {
        // Whatever is said below names the input that it is about.
        let _input = tracing::info_span!("tail", input = %self.input).entered();
        self.scan(Some(left));
        let mut scanned = Instant::now();
        let mut shown: Option<Instant> = None;
        while !self.stopping.is_cancelled() {
            let began = self.clock.now();
            let changes = self.watcher.changes();
            let mut is_moved = changes.is_moved;
            for path in &changes.written {
                is_moved |= !self.files.wake(path) && self.discovery.wants(path);
            }
            if changes.is_blind {
                self.files.wake_all();
            }
            if is_moved || scanned.elapsed() >= self.config.rescan_interval.get() {
                self.scan(None);
                scanned = Instant::now();
            }
            let has_leaving = self.files.wake_leaving();
            self.files.wake_partial();
            let lines_before = self.sink.status.bytes;
            let has_more = self.round();
            if !has_more {
                self.shard.lock().progress(began);
            }
            if shown.is_none_or(|shown| shown.elapsed() >= STATUS_INTERVAL) {
                self.publish();
                shown = Some(Instant::now());
            }
            if has_more {
                continue;
            }
            self.files.close_unused(self.config.open_files_max);
            if self.sink.status.bytes > lines_before {
                self.watcher.pause(PAUSE);
            } else {
                self.watcher.wait(if has_leaving { LEAVING_WAIT } else { IDLE_WAIT });
            }
        }
        self.publish();
    }

    /// One turn at each active file. Whether some have more.
    fn round(&mut self) -> bool {
        let mut has_more = false;
        let open_max = self.config.open_files_max;
        for (at, id) in self.files.take_active().into_iter().enumerate() {
            if at % OPEN_FILES_MIN == OPEN_FILES_MIN - 1 {
                self.files.close_unused(open_max);
            }
            match self.turn(id) {
                Ok(turn) => {
                    self.works(id);
                    match turn {
                        Turn::AtEnd => {}
                        Turn::More => {
                            has_more = true;
                            self.files.keep_active(id);
                        }
                        Turn::Gone => self.leave(id),
                    }
                }
                Err(error) => self.failed(id, &error),
            }
            if self.stopping.is_cancelled() {
                return true;
            }
        }
        has_more
    }

    fn turn(&mut self, id: FileId) -> std::io::Result<Turn> {
        let round = self.files.round();
        let Some(file) = self.files.get(id) else { return Ok(Turn::AtEnd) };
        file.used = round;
        let is_unread = file.position.offset == 0 && !file.position.is_skipping;
        if (is_unread || file.state == State::Copy) && !self.may_read(id)? {
            return Ok(Turn::AtEnd);
        }
        let Some(file) = self.files.get(id) else { return Ok(Turn::AtEnd) };
        if file.is_truncated()? {
            self.truncated(id);
            return Ok(Turn::More);
        }
        for _ in 0..BLOCKS_A_TURN {
            let Some(file) = self.files.get(id) else { return Ok(Turn::AtEnd) };
            let length = file.read(&mut self.block)?;
            if length == 0 {
                return Ok(self.at_end(id));
            }
            let is_final = self.is_over(id, length);
            let taken = self.take_block(id, length, is_final);
            if self.stopping.is_cancelled() {
                return Ok(Turn::More);
            }
            if taken == 0 {
                return Ok(self.at_end(id));
            }
        }
        Ok(Turn::More)
    }

    /// Whether the unfinished line at the offset has waited long enough to be taken as it is.
    fn is_over(&mut self, id: FileId, length: usize) -> bool {
        let configured = self.config.partial_timeout.get();
        let limit = match (configured.is_zero(), self.cutter.is_multiline()) {
            (false, _) => configured,
            (true, true) => RECORD_WAIT,
            (true, false) => Duration::MAX,
        };
        let leaving_quiet = self.leaving_quiet;
        let Some(file) = self.files.get(id) else { return false };
        let end = file.position.offset + length as u64;
        match (file.partial, file.state) {
            (Some((known, _)), _) if known != end => false,
            (Some(_), State::Draining { since }) if since.elapsed() >= leaving_quiet => true,
            (Some((_, since)), _) => since.elapsed() >= limit,
            (None, _) => false,
        }
    }

    /// At the end of what there is: of a file that leaves perhaps the end of all.
    fn at_end(&mut self, id: FileId) -> Turn {
        let leaving_quiet = self.leaving_quiet;
        let Some(file) = self.files.get(id) else { return Turn::AtEnd };
        let has_partial = file.partial.is_some();
        match file.state {
            State::Draining { since } if since.elapsed() >= leaving_quiet && !has_partial => Turn::Gone,
            _ => Turn::AtEnd,
        }
    }

    /// Counts the lines of a block; the bytes that are done with.
    fn take_block(&mut self, id: FileId, length: usize, is_final: bool) -> usize {
        let Some(file) = self.files.get(id) else { return 0 };
        let mut taken = 0;
        let mut is_skipping = file.position.is_skipping;
        loop {
            let full = {
                let now = self.clock.now();
                let mut shard = self.shard.lock();
                let block = &self.block[..length];
                let (sink, cutter) = (&mut self.sink, &self.cutter);
                let from = taken;
                let full = loop {
                    match cutter.next(block, taken, is_skipping, is_final) {
                        Step::Record { end, next, is_cut, skips } => {
                            if let Err(Full) = sink.take(without_cr(&block[taken..end]), now, &mut shard) {
                                break true;
                            }
                            if is_cut {
                                sink.status.cut += 1;
                                shard.count_drop("line_cut", 1);
                            }
                            (taken, is_skipping) = (next, skips);
                        }
                        Step::Skipped { next, is_over } => (taken, is_skipping) = (next, !is_over),
                        Step::Incomplete => break false,
                    }
                };
                file_advance(&mut self.files, id, &block[from..], taken - from, is_skipping, &mut |file| {
                    shard.set_position(&file.key, &file.position.encode());
                });
                sink.status.bytes += (taken - from) as u64;
                full
            };
            if !full {
                break;
            }
            self.wait_for_room();
            if self.stopping.is_cancelled() {
                return taken;
            }
        }
        if let Some(file) = self.files.get(id) {
            let end = file.position.offset + (length - taken) as u64;
            if taken == length {
                file.partial = None;
            } else if length < BLOCK_BYTES && file.partial.is_none_or(|(known, _)| known != end) {
                file.partial = Some((end, Instant::now()));
            }
        }
        taken
    }

    /// Waits until the flusher has taken what the shard holds.
    fn wait_for_room(&self) {
        self.runtime.block_on(async {
            tokio::select! {
                () = self.shard.drained() => {}
                () = self.stopping.cancelled() => {}
            }
        });
    }

    fn failed(&mut self, id: FileId, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::NotFound {
            self.lost(id);
        } else if let Some(file) = self.files.get(id) {
            file.close();
            let failure = error.to_string();
            // Said once: every line that is written to it is another try.
            if file.failure.as_ref() != Some(&failure) {
                let path = file.position.path.display();
                tracing::warn!(%path, %error, "cannot be read: may the agent's user read it? Trying again");
                file.failure = Some(failure);
            }
        }
    }

    fn works(&mut self, id: FileId) {
        if let Some(file) = self.files.get(id).filter(|file| file.failure.is_some()) {
            tracing::info!(path = %file.position.path.display(), "can be read again");
            file.failure = None;
        }
    }

    fn publish(&mut self) {
        let status = &mut self.sink.status;
        status.files = self.files.len() as u64;
        status.files_away = self.away.len() as u64;
        status.bytes_behind = self.files.iter().map(behind).sum();
        let mut unreadable = self.unlisted.clone();
        unreadable.extend(self.files.iter().filter_map(|file| {
            Some(format!("{}: {}", file.position.path.display(), file.failure.as_ref()?))
        }));
        status.unreadable = unreadable.len() as u64;
        status.first_unreadable = unreadable.into_iter().next();
        status.shown = self
            .files
            .iter()
            .take(status::FILES_SHOWN_MAX)
            .map(|file| status::FileStatus {
                path: file.position.path.display().to_string(),
                offset: file.position.offset,
                size: file.size,
            })
            .collect();
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let input = self.input.to_string();
        metrics::counter!("goldentime_agent_lines_total", "input" => input.clone())
            .increment(status.lines - published.lines);
        metrics::counter!("goldentime_agent_bytes_read_total", "input" => input.clone())
            .increment(status.bytes - published.bytes);
        metrics::gauge!("goldentime_agent_bytes_behind", "input" => input).set(status.bytes_behind as f64);
        published.clone_from(status);
    }
}

fn behind(file: &TailedFile) -> u64 {
    if file.state == State::Copy { 0 } else { file.size.saturating_sub(file.position.offset) }
}

/// Advances a file's position and tells it.
fn file_advance(
    files: &mut Files,
    id: FileId,
    block: &[u8],
    taken: usize,
    is_skipping: bool,
    tell: &mut dyn FnMut(&TailedFile),
) {
    let Some(file) = files.get(id) else { return };
    file.position.is_skipping = is_skipping;
    if taken > 0 {
        file.advance(block, taken);
        if let State::Draining { since } = &mut file.state {
            *since = Instant::now();
        }
        tell(file);
    }
}

impl Reader {
    /// A new position for a file seen for the first time.
    pub(super) fn fresh(&self, path: &std::path::Path, id: FileId) -> TailedFile {
        TailedFile::new(&self.input, Position::new(path.to_owned(), id), State::Following)
    }
}
