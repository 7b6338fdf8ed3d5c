//! Where refused records go: a queue, bounded in bytes, before whoever keeps them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use goldentime_log::kafka::{Letter, LoggedAs};
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::SharedClock;
use ring::digest::{Context, SHA256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::letter::Kind;
use super::lines::LineLetters;
use super::replays::ReplayStore;
use super::turn::Turn;
use crate::ingest::raw::fold::Fold;

/// What a letter takes beside its record and its detail: in memory, and in its row and its places in indices.
pub(super) const LETTER_BYTES: usize = 512;
/// Bytes of letters that wait to be written; beyond it they are only counted.
pub const WAITING_BYTES_MAX: usize = 8 << 20;
/// Longest name of a service: what it is of cannot be valid.
const SERVICE_BYTES_MAX: usize = 512;
/// Letters that wait to be written.
const WAITING_MAX: usize = WAITING_BYTES_MAX / LETTER_BYTES;

/// Why a line is not kept. Whoever has it tries again.
pub(super) type NotKept = Box<dyn std::error::Error + Send + Sync>;

/// Something that was refused.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// When.
    pub at: UnixNanos,
    /// What it is.
    pub kind: Kind,
    /// The agent's id; empty for a log line.
    pub agent: String,
    /// The host that it came from.
    pub host: String,
    /// The agent's project; empty for a log line.
    pub project: String,
    /// The service that it names; empty where that cannot be read.
    pub service: String,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// As it was sent.
    pub record: Bytes,
    /// Its place in the record that it was taken out of, so that two lines that say the same stay two.
    pub place: u32,
    /// Where the log has it, if it has.
    pub logged_as: Option<LoggedAs>,
}

/// A letter on its way, and who waits until it is kept.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) letter: DeadLetter,
    /// Who tries again what was not kept.
    pub(super) kept: Option<oneshot::Sender<Result<(), NotKept>>>,
    /// Who waits until there is nothing more to be done about it.
    pub(super) _settled: Option<oneshot::Sender<()>>,
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

/// Tells when a letter is kept, or was given up and counted.
#[derive(Debug)]
pub struct Settled(oneshot::Receiver<()>);

impl Settled {
    /// Waits for it.
    pub async fn wait(self) {
        // The end of whoever keeps letters is an end of waiting too.
        let _ = self.0.await;
    }
}

/// Where refused records go. Cheap to clone. Whoever keeps them ends when the last clone is dropped.
#[derive(Clone)]
pub struct DeadLetters {
    letters: mpsc::Sender<Posted>,
    room: Arc<Semaphore>,
    replays: Arc<dyn ReplayStore>,
    place: Arc<str>,
    turn: Turn,
    raw: Option<Arc<Mutex<Fold>>>,
}

impl DeadLetters {
    /// A queue before the place that messages call so. Letters are looked at and replayed over `replays`, where it is
    /// this central's `turn`; those of the raw topic as `raw` reads them.
    pub(super) fn before(
        place: &str,
        replays: Arc<dyn ReplayStore>,
        turn: Turn,
        raw: Option<Fold>,
    ) -> (Self, mpsc::Receiver<Posted>) {
        let (letters, waiting) = mpsc::channel(WAITING_MAX);
        let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        let raw = raw.map(|raw| Arc::new(Mutex::new(raw)));
        (Self { letters, room, replays, place: place.into(), turn, raw }, waiting)
    }

    /// Counts a refused record by its reason, and keeps it while there is room.
    pub fn add(&self, mut letter: DeadLetter) -> Settled {
        letter.service.truncate(letter.service.floor_char_boundary(SERVICE_BYTES_MAX));
        metrics::counter!(DROPS_TOTAL, "component" => "ingest", "reason" => letter.reason).increment(1);
        let bytes = u32::try_from(letter.weight()).unwrap_or(u32::MAX);
        let (settled, told) = oneshot::channel();
        let kept = Arc::clone(&self.room).try_acquire_many_owned(bytes).is_ok_and(|room| {
            let posted = Posted { letter, kept: None, _settled: Some(settled), _room: Some(room) };
            self.letters.try_send(posted).is_ok()
        });
        if !kept {
            not_kept("queue_full");
        }
        Settled(told)
    }

    /// The same place for log lines.
    #[must_use]
    pub fn of_lines(&self, clock: SharedClock) -> LineLetters {
        LineLetters { letters: self.letters.downgrade(), place: Arc::clone(&self.place), clock }
    }

    /// The letters, to be looked at, and what is to be replayed of them.
    #[must_use]
    pub fn replays(&self) -> Arc<dyn ReplayStore> {
        Arc::clone(&self.replays)
    }

    /// Whether replays are this central's to work at.
    #[must_use]
    pub fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// How records of the raw topic are read, where that is known.
    #[must_use]
    pub fn raw(&self) -> Option<Arc<Mutex<Fold>>> {
        self.raw.clone()
    }
}

impl Posted {
    /// Says that it is kept.
    pub(super) fn done(self) {
        if let Some(kept) = self.kept {
            // Who is gone hands it over again.
            let _ = kept.send(Ok(()));
        }
    }

    /// Says that it is not kept: to who tries again, or to the log.
    pub(super) fn fail(self, why: &'static str, error: NotKept) {
        match self.kept {
            Some(kept) => drop(kept.send(Err(error))),
            None => {
                tracing::warn!(%error, reason = self.letter.reason, "a dead letter is not kept");
                not_kept(why);
            }
        }
    }
}

impl DeadLetter {
    pub(super) fn weight(&self) -> usize {
        self.record.len() + self.detail.len() + LETTER_BYTES
    }

    /// What tells letters apart. An agent that heard no acknowledgement sends a refused record again, byte for
    /// byte, perhaps under an id that it got since: that is the same letter. The stream's random id and the number
    /// are among the bytes.
    pub(super) fn digest(&self) -> Vec<u8> {
        digest(self.kind.as_str(), self.place, "", &self.record)
    }
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            agent: letter.agent,
            host: letter.host,
            project: letter.project,
            service: letter.service,
            detail: letter.detail,
            place: letter.place,
            logged_as: letter.logged_as,
            ..Self::bare(letter.at, letter.kind.into(), letter.reason, letter.record)
        }
    }
}

/// What tells letters apart: what it is, its place in what it was taken out of, where it came from if that is its
/// identity, and what is in it.
pub(super) fn digest(kind: &str, place: u32, source: &str, record: &[u8]) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    digest.update(kind.as_bytes());
    digest.update(&place.to_be_bytes());
    if !source.is_empty() {
        digest.update(source.as_bytes());
        digest.update(&[0]);
    }
    digest.update(record);
    digest.finish().as_ref().to_vec()
}

pub(super) fn not_kept(reason: &'static str) {
    metrics::counter!("goldentime_dead_letters_not_kept_total", "reason" => reason).increment(1);
}

pub(super) fn expired(reason: &'static str, letters: u64) {
    if letters > 0 {
        tracing::info!(letters, reason, "old dead letters dropped");
        metrics::counter!("goldentime_dead_letters_expired_total", "reason" => reason).increment(letters);
    }
}

pub(super) fn held(letters: i64, bytes: i64) {
    metrics::gauge!("goldentime_dead_letters").set(letters as f64);
    metrics::gauge!("goldentime_dead_letters_bytes").set(bytes as f64);
}
