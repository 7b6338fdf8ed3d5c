//! Holding back an alert that fires again right after its resolve.
//!
//! It is not told at once, but it is when it still fires at the end of the debounce: otherwise the
//! last that people heard would be "resolved" while the alert burns on.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use goldentime_model::Fingerprint;
use tokio::time::Instant;

/// Resolves remembered; beyond, an alert that fires again is told at once.
pub(super) const RESOLVES_MAX: usize = 50_000;

/// Who resolved when, and who is held until when.
pub(super) struct Debounce {
    window: Duration,
    resolved: HashMap<Fingerprint, Instant>,
    by_age: BTreeSet<(Instant, Fingerprint)>,
    held: BTreeSet<(Instant, Fingerprint)>,
}

impl Debounce {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, resolved: HashMap::new(), by_age: BTreeSet::new(), held: BTreeSet::new() }
    }

    /// Remembers a resolve, and lets go of the alert if it was held; whether it was.
    pub(super) fn resolved(&mut self, fingerprint: Fingerprint, at: Instant) -> bool {
        self.forget(at);
        if !self.window.is_zero() && self.resolved.len() < RESOLVES_MAX {
            if let Some(before) = self.resolved.insert(fingerprint, at) {
                self.by_age.remove(&(before, fingerprint));
            }
            self.by_age.insert((at, fingerprint));
        }
        let before = self.held.len();
        self.held.retain(|(_, held)| *held != fingerprint);
        self.held.len() < before
    }

    /// Whether an alert that fires now is held; it comes out of [`Self::due`] later.
    pub(super) fn holds(&mut self, fingerprint: Fingerprint, now: Instant) -> bool {
        self.forget(now);
        let Some(resolved) = self.resolved.get(&fingerprint) else { return false };
        self.held.insert((*resolved + self.window, fingerprint));
        true
    }

    /// When the next held alert is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.held.first().map(|(at, _)| *at)
    }

    /// Takes a held alert whose time is over.
    pub(super) fn due(&mut self, now: Instant) -> Option<Fingerprint> {
        let (at, fingerprint) = *self.held.first()?;
        (at <= now).then(|| {
            self.held.pop_first();
            fingerprint
        })
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, fingerprint)) = self.by_age.first().copied() {
            if at + self.window > now {
                break;
            }
            self.by_age.pop_first();
            self.resolved.remove(&fingerprint);
        }
    }
}
