//! What people decide about alerts: silences, acknowledgements, notes. Kept in the catalogue; here is what is in force,
//! for those who decide on pages.
//!
//! What is decided on this central is in force at once, what another says by [`super::others`] as soon as it is heard,
//! and what was missed, or written by the command line, once the catalogue is looked at again, each second.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goldentime_catalog::{
    Acknowledgement, AlertEvent, AlertRecord, CatalogueError, Desk, EventKind, Silence, Told,
};
use goldentime_model::{Labels, UnixNanos};
use goldentime_runtime::SharedClock;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::matching::Matchers;
use super::others::{News, Others, WeakOthers};

/// Silences that have not ended.
pub(super) const SILENCES_MAX: usize = 1000;

/// Longest comment, note or name of who decides, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4096;

/// How often the catalogue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest wait for it.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why a decision is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is nothing of that name.
    #[error("{0}")]
    Unknown(String),
    /// The catalogue did not take it.
    #[error(transparent)]
    Store(#[from] CatalogueError),
    /// No random numbers for its identity.
    #[error("cannot draw an identity")]
    Random(#[source] getrandom::Error),
}

/// What a silence shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The silence to change; a new one where there is none.
    pub id: Option<String>,
    /// All match what is silenced.
    pub matchers: Vec<goldentime_model::Matcher>,
    /// From when; not before now.
    pub starts_at: UnixNanos,
    /// Until when.
    pub ends_at: UnixNanos,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// An episode with all that is known of it.
#[derive(Clone, Debug)]
pub struct Story {
    /// The alert as it stands or ended.
    pub record: AlertRecord,
    /// What people did, oldest first.
    pub events: Vec<AlertEvent>,
    /// The pages that ended, oldest first.
    pub told: Vec<Told>,
}

/// Cheap to clone; all clones show the same.
#[derive(Clone)]
pub struct Decisions(Arc<Inner>);

struct Inner {
    store: Arc<dyn Desk>,
    others: WeakOthers,
    clock: SharedClock,
    known: Mutex<Known>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    silences: HashMap<String, Entry>,
    acknowledged: HashMap<String, Acknowledgement>,
    /// Rises with everything that is not from the catalogue: what was read of it before that is old.
    edits: u64,
}

struct Entry {
    silence: Silence,
    matchers: Matchers,
}

impl Decisions {
    /// Decisions that are kept in `store`, of which nothing is known yet.
    #[must_use]
    pub fn new(store: Arc<dyn Desk>, others: &Others, clock: SharedClock) -> Self {
        let (known, others) = (Mutex::default(), others.weak());
        Self(Arc::new(Inner { store, others, clock, known, changed: watch::Sender::new(()) }))
    }

    /// Makes or changes a silence; gives it as it is kept. One that has ended, or whose matchers change while it is in
    /// force, is ended and another made, so that what was silenced when can be told later.
    pub async fn silence(&self, wanted: Wanted) -> Result<Silence, DecisionError> {
        let now = self.0.clock.now();
        let invalid = |reason: String| Err(DecisionError::Invalid(reason));
        let matchers = Matchers::new(&wanted.matchers).map_err(DecisionError::Invalid)?;
        if wanted.matchers.is_empty() || matchers.match_nothing() {
            return invalid("a silence needs a matcher that does not match an alert without labels".into());
        }
        if wanted.ends_at <= wanted.starts_at.max(now) {
            return invalid("a silence must end in the future, and after it starts".into());
        }
        check_text("createdBy", &wanted.by)?;
        check_text("comment", &wanted.comment)?;
        let before = match &wanted.id {
            None => None,
            Some(id) => match self.0.store.silence(id.clone()).await? {
                None => return Err(DecisionError::Unknown(format!("there is no silence `{id}`"))),
                Some(before) => Some(before),
            },
        };
        let kept = before.as_ref().filter(|before| stays(before, &wanted, now));
        let is_more = kept.is_none() && self.in_force(now) >= SILENCES_MAX;
        if is_more {
            return invalid(format!("{SILENCES_MAX} silences have not ended yet; end one first"));
        }
        let silence = Silence {
            id: kept.map_or_else(identity, |kept| Ok(kept.id.clone()))?,
            matchers: wanted.matchers,
            starts_at: kept
                .filter(|kept| kept.starts_at <= now)
                .map_or(wanted.starts_at.max(now), |kept| kept.starts_at),
            ends_at: wanted.ends_at,
            created_by: wanted.by,
            comment: wanted.comment,
            edited_at: now,
        };
        if kept.is_none()
            && let Some(before) = before.filter(|before| before.ends_at > now)
        {
            self.keep(ended(before, now)).await?;
        }
        self.keep(silence.clone()).await?;
        Ok(silence)
    }

    /// Ends a silence now.
    pub async fn expire(&self, id: &str) -> Result<(), DecisionError> {
        let now = self.0.clock.now();
        let Some(silence) = self.0.store.silence(id.to_owned()).await? else {
            return Err(DecisionError::Unknown(format!("there is no silence `{id}`")));
        };
        if silence.ends_at <= now {
            return Err(DecisionError::Invalid(format!("the silence `{id}` has ended already")));
        }
        self.keep(ended(silence, now)).await
    }

    async fn keep(&self, silence: Silence) -> Result<(), DecisionError> {
        tracing::info!(
            target: "audit", id = silence.id, by = silence.created_by, comment = silence.comment,
            until = silence.ends_at.0, "a silence was kept"
        );
        self.0.store.put_silence(silence.clone()).await?;
        self.heard_silence(silence.clone());
        self.0.others.tell(News::Silence(Box::new(silence)));
        Ok(())
    }

    /// Every silence that ends after an instant, those that end last first.
    pub async fn silences(&self, ending_after: UnixNanos) -> Result<Vec<Silence>, DecisionError> {
        Ok(self.0.store.silences(ending_after).await?)
    }

    /// One silence.
    pub async fn silence_of(&self, id: &str) -> Result<Option<Silence>, DecisionError> {
        Ok(self.0.store.silence(id.to_owned()).await?)
    }

    /// Writes down what somebody does about an episode.
    pub async fn note(
        &self,
        episode: &str,
        kind: EventKind,
        by: &str,
        text: &str,
    ) -> Result<AlertEvent, DecisionError> {
        check_text("by", by)?;
        match kind {
            EventKind::Noted => check_text("text", text)?,
            EventKind::Acknowledged | EventKind::Unacknowledged if text.is_empty() => {}
            EventKind::Acknowledged | EventKind::Unacknowledged => check_text("text", text)?,
        }
        let Some(record) = self.0.store.alert(episode.to_owned()).await? else {
            return Err(DecisionError::Unknown(format!("there is no alert `{episode}`")));
        };
        if kind != EventKind::Noted && record.alert.ends_at.is_some() {
            return Err(DecisionError::Invalid(format!(
                "the alert `{episode}` is over; a note can still be written"
            )));
        }
        let (episode, by, text) = (episode.to_owned(), by.to_owned(), text.to_owned());
        let event = AlertEvent { id: identity()?, episode, at: self.0.clock.now(), by, kind, text };
        self.0.store.note(event.clone()).await?;
        tracing::info!(target: "audit", episode = event.episode, by = event.by, what = kind.as_str(), "an alert was dealt with");
        self.heard_event(&event);
        self.0.others.tell(News::Event(Box::new(event.clone())));
        Ok(event)
    }

    /// All that is known of an episode.
    pub async fn story(&self, episode: &str) -> Result<Option<Story>, DecisionError> {
        let store = &self.0.store;
        let Some(record) = store.alert(episode.to_owned()).await? else { return Ok(None) };
        let (events, told) = (store.events(episode.to_owned()).await?, store.told(episode.to_owned()).await?);
        Ok(Some(Story { record, events, told }))
    }

    /// A silence was kept, here or by another central.
    pub(crate) fn heard_silence(&self, silence: Silence) {
        let mut known = self.lock();
        known.edits += 1;
        let is_newer =
            known.silences.get(&silence.id).is_none_or(|entry| entry.silence.edited_at < silence.edited_at);
        if is_newer {
            known.enter(silence);
        }
        drop(known);
        self.0.changed.send_replace(());
    }

    /// Somebody did something about an episode, here or elsewhere.
    pub(crate) fn heard_event(&self, event: &AlertEvent) {
        let mut known = self.lock();
        known.edits += 1;
        let since = known.acknowledged.get(&event.episode).map(|known| known.at);
        match event.kind {
            EventKind::Acknowledged if since.is_none_or(|since| since < event.at) => {
                let acknowledgement =
                    Acknowledgement { episode: event.episode.clone(), at: event.at, by: event.by.clone() };
                known.acknowledged.insert(event.episode.clone(), acknowledgement);
            }
            EventKind::Unacknowledged if since.is_some_and(|since| since <= event.at) => {
                known.acknowledged.remove(&event.episode);
            }
            EventKind::Acknowledged | EventKind::Unacknowledged | EventKind::Noted => {}
        }
        drop(known);
        self.0.changed.send_replace(());
    }

    /// Silences that match these labels now.
    pub(super) fn silenced_by(&self, labels: &Labels) -> Vec<String> {
        let now = self.0.clock.now();
        let known = self.lock();
        let matching = known
            .silences
            .values()
            .filter(|entry| entry.is_in_force(now) && entry.matchers.match_all(labels));
        let mut ids: Vec<String> = matching.map(|entry| entry.silence.id.clone()).collect();
        ids.sort();
        ids
    }

    /// When a silence begins or ends next by itself.
    pub(super) fn next_change(&self) -> Option<UnixNanos> {
        let now = self.0.clock.now();
        let known = self.lock();
        let bounds =
            known.silences.values().flat_map(|entry| [entry.silence.starts_at, entry.silence.ends_at]);
        bounds.filter(|at| *at > now).min()
    }

    /// Who takes care of an episode.
    #[must_use]
    pub fn acknowledged(&self, episode: &str) -> Option<Acknowledgement> {
        self.lock().acknowledged.get(episode).cloned()
    }

    /// Episodes that somebody takes care of.
    pub(super) fn acknowledged_episodes(&self) -> HashSet<String> {
        self.lock().acknowledged.keys().cloned().collect()
    }

    /// Tells of every change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Looks at the catalogue, once.
    pub(super) async fn look(&self) -> Result<(), CatalogueError> {
        let edits = self.lock().edits;
        let silences = self.0.store.silences(self.0.clock.now()).await?;
        let acknowledged = self.0.store.acknowledgements().await?;
        let mut known = self.lock();
        if known.edits != edits {
            // What was decided meanwhile may be missing in what was read.
            return Ok(());
        }
        let is_same = known.silences.len() == silences.len()
            && silences
                .iter()
                .all(|one| known.silences.get(&one.id).is_some_and(|entry| entry.silence == *one))
            && known.acknowledged.len() == acknowledged.len()
            && acknowledged.iter().all(|one| known.acknowledged.get(&one.episode) == Some(one));
        if is_same {
            return Ok(());
        }
        known.silences.clear();
        silences.into_iter().for_each(|silence| known.enter(silence));
        known.acknowledged = acknowledged.into_iter().map(|one| (one.episode.clone(), one)).collect();
        drop(known);
        self.0.changed.send_replace(());
        Ok(())
    }

    /// Looks at the catalogue for ever, and keeps the way to the others open.
    pub(super) async fn watch(self, _others: Others) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match tokio::time::timeout(LOOK_WAIT_MAX, self.look()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "silences are those of before");
                }
                Err(_) => tracing::debug!("silences are those of before: the catalogue does not answer"),
            }
        }
    }

    fn in_force(&self, now: UnixNanos) -> usize {
        self.lock().silences.values().filter(|entry| entry.silence.ends_at > now).count()
    }

    /// Plain data: a panic while holding the lock leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Matchers that this version cannot compile were kept by another; they silence nothing.
    fn enter(&mut self, silence: Silence) {
        match Matchers::new(&silence.matchers) {
            Ok(matchers) => drop(self.silences.insert(silence.id.clone(), Entry { silence, matchers })),
            Err(reason) => tracing::error!(id = silence.id, reason, "a silence is not in force"),
        }
    }
}

impl Entry {
    fn is_in_force(&self, now: UnixNanos) -> bool {
        self.silence.starts_at <= now && now < self.silence.ends_at
    }
}

/// Whether an edit keeps the silence, and with it its id.
fn stays(before: &Silence, wanted: &Wanted, now: UnixNanos) -> bool {
    let has_ended = before.ends_at <= now;
    let is_in_force = before.starts_at <= now && !has_ended;
    !has_ended && !(is_in_force && (before.matchers != wanted.matchers || wanted.starts_at > now))
}

/// The same, over as of now.
fn ended(silence: Silence, now: UnixNanos) -> Silence {
    let starts_at = silence.starts_at.min(now.saturating_add(-1));
    Silence { starts_at, ends_at: now, edited_at: now, ..silence }
}

fn check_text(what: &str, text: &str) -> Result<(), DecisionError> {
    match text.len() {
        0 => Err(DecisionError::Invalid(format!("{what} is empty"))),
        1..=TEXT_BYTES_MAX => Ok(()),
        _ => Err(DecisionError::Invalid(format!("{what} has more than {TEXT_BYTES_MAX} bytes"))),
    }
}

/// A random id in the form of a UUID, as Alertmanager's clients expect one (RFC 9562, version 4).
fn identity() -> Result<String, DecisionError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(DecisionError::Random)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = |range: std::ops::Range<usize>| -> String {
        bytes[range].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    Ok([digits(0..4), digits(4..6), digits(6..8), digits(8..10), digits(10..16)].join("-"))
}
