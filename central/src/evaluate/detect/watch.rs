//! The seconds of one service as a rule on shifts sees them.

use goldentime_detect::bytes::DecodeError;
use goldentime_detect::quantile::UsualQuantile;
use goldentime_detect::{Counts, Flap, Moved, Shift, ShiftSettings, Stand};
use goldentime_model::indicator::Compared;
use goldentime_model::{Interval, Second, Verdict};
use goldentime_windows::SecondCell;

use super::super::expectation::Expectation;
use super::super::instance::{Judgement, Moment};
use super::super::project::{Projection, events};
use super::super::span::Span;

/// Layout of the bytes that a watch is kept as.
const VERSION: u8 = 1;

/// Stored seconds that are not older than this may still grow.
const STILL_OPEN_S: i64 = 10;

/// What moved, to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shifted {
    /// From what to what, since when.
    pub moved: Moved,
    /// Of latency: the share is that of requests slower than this, in seconds.
    pub slower_than_s: Option<f64>,
}

/// What is usual for the share that a rule looks at, and whether it left that.
#[derive(Clone, Debug)]
pub(in super::super) struct ShiftWatch {
    of: Compared,
    shift: Shift,
    /// Of latency: what is usually exceeded by the rest of the quantile.
    slow: Option<UsualQuantile>,
    flap: Flap,
    moved: Option<Moved>,
    /// The selection's share of what the service did, as seen last.
    part: f64,
}

impl ShiftWatch {
    /// Knows nothing yet.
    pub(in super::super) fn new(of: &Compared) -> Self {
        let shift = Shift::new(settings(of));
        Self { of: of.clone(), shift, slow: None, flap: Flap::default(), moved: None, part: 1.0 }
    }

    /// Takes what is known of a second by now.
    pub(in super::super) fn note(&mut self, projection: &Projection, second: Second, cell: &SecondCell) {
        let (bad, seen) = match self.of {
            Compared::Latency { quantile } => {
                let slow = match &self.slow {
                    Some(slow) => *slow,
                    None => match projection.quantile(cell, quantile) {
                        Some(seconds) => *self.slow.insert(UsualQuantile::new(quantile, seconds)),
                        None => return,
                    },
                };
                projection.slower(cell, slow.seconds())
            }
            _ => {
                let tally = projection.whole_selection(cell);
                (tally.bad_low, tally.seen)
            }
        };
        if seen > 0 {
            self.part = (seen as f64 / events(cell).max(1) as f64).min(1.0);
            self.shift.note(second.0, Counts::new(bad.min(seen), seen));
        }
    }

    /// Takes a second of before the start, which come in their order: nothing of them is missing any more but of
    /// the newest.
    pub(in super::super) fn note_past(&mut self, projection: &Projection, second: Second, cell: &SecondCell) {
        self.note(projection, second, cell);
        self.shift.settle(second.0.saturating_sub(STILL_OPEN_S), |_, _| 0.0);
    }

    /// Where the series stands; `None` while nothing can be called usual.
    pub(in super::super) fn judge(
        &mut self,
        head: Second,
        moment: &Moment,
        expectation: &dyn Expectation,
        is_firing: bool,
    ) -> Option<Judgement> {
        let (part, watermark_ms) = (self.part, moment.watermark_ms);
        let Self { shift, slow, .. } = self;
        let learns = !shift.is_shifted();
        shift.settle(moment.settled.0, |second, counts| {
            if let Some(slow) = slow.as_mut().filter(|_| learns) {
                slow.learn(counts.bad, counts.total);
            }
            Span::ending(Second(second), 1, watermark_ms).unseen(expectation) * part
        });
        let open_s = u32::try_from(head.0.saturating_sub(moment.settled.0)).unwrap_or(0);
        let missing = Span::ending(head, open_s, watermark_ms).unseen(expectation) * part;
        let stand = shift.judge(missing);
        if stand == Stand::Learning {
            return None;
        }
        if let Stand::Shifted(moved) = stand {
            self.moved = Some(moved);
        }
        self.flap.step(head.0, matches!(stand, Stand::Shifted(_)));
        Some(self.judgement(stand, is_firing))
    }

    fn judgement(&self, stand: Stand, is_firing: bool) -> Judgement {
        let is_known = |share: f64| Interval { low: share, high: share };
        let (verdict, share) = match (stand, &self.moved) {
            (Stand::Shifted(moved), _) => (Verdict::Breaching, Some(moved.now)),
            // It seems over, and is told when it stays so.
            (_, Some(moved)) if is_firing && self.flap.is_raised() => (Verdict::Unknown, Some(moved.usual)),
            (Stand::Unsure, _) => (Verdict::Unknown, self.shift.usual()),
            _ => (Verdict::Healthy, self.shift.usual()),
        };
        Judgement { head: verdict, settled: Some(verdict), empty: false, value: share.map(is_known) }
    }

    /// What moved last.
    pub(in super::super) fn shifted(&self) -> Option<Shifted> {
        let slower_than_s = self.slow.map(|slow| slow.seconds());
        self.moved.map(|moved| Shifted { moved, slower_than_s })
    }

    /// The usual share of bad requests, once it is known.
    pub(in super::super) fn usual(&self) -> Option<f64> {
        self.shift.usual()
    }

    /// Appends what was learned to `bytes`.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.push(u8::from(self.slow.is_some()));
        if let Some(slow) = &self.slow {
            slow.encode(bytes);
        }
        self.shift.encode(bytes);
    }

    /// Takes over what [`Self::encode`] wrote for a watch of the same rule.
    pub(super) fn recall(&mut self, mut bytes: &[u8]) -> Result<(), DecodeError> {
        let [version, is_of_latency, rest @ ..] = bytes else { return Err(DecodeError::Short) };
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let is_of_latency = *is_of_latency == 1;
        bytes = rest;
        let slow = if is_of_latency { Some(UsualQuantile::decode(&mut bytes)?) } else { None };
        self.shift = Shift::decode(settings(&self.of), &mut bytes)?;
        self.slow = slow;
        Ok(())
    }
}

const fn settings(of: &Compared) -> ShiftSettings {
    match of {
        Compared::Latency { .. } => ShiftSettings::LATENCY,
        _ => ShiftSettings::ERRORS,
    }
}
