//! A shift that was found, until it is over.

use super::Moved;
use super::track::{Track, Worth};
use crate::Counts;
use crate::bytes::{DecodeError, Reader, Writer};

/// The requests since are so many times (as a logarithm) likelier under the usual share than under one between
/// it and what was found.
const OVER: f64 = 7.0;
/// Complete seconds with requests that must be calm on end.
const CALM_S: u8 = 5;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alarm {
    usual: f64,
    since: i64,
    counts: Counts,
    peak: f64,
    /// Share that it must fall below, and what a request is worth as evidence of that.
    worth: Worth,
    over: f64,
    calm_s: u8,
}

impl Alarm {
    /// `track` is the statistic that raised it; `worth` what a request says of its end.
    pub(super) const fn new(usual: f64, track: Track, worth: Worth) -> Self {
        Self { usual, since: track.since, counts: track.counts, peak: track.log, worth, over: 0.0, calm_s: 0 }
    }

    /// A settled second; of its `missing` requests nothing is known, so they count as bad.
    pub(super) fn advance(&mut self, counts: Counts, missing: f64) {
        let worst = Counts { bad: counts.bad + missing, total: counts.total + missing };
        let calm = self.worth.of(worst);
        self.over = (self.over + calm).clamp(0.0, OVER * 2.0);
        if worst.total > 0.0 {
            self.calm_s = if calm > 0.0 { self.calm_s.saturating_add(1) } else { 0 };
        }
        if calm < 0.0 {
            self.peak -= calm;
            self.counts = self.counts.plus(counts);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over >= OVER && self.calm_s >= CALM_S
    }

    pub(super) const fn peak(&self) -> f64 {
        self.peak
    }

    pub(super) fn moved(&self) -> Moved {
        Moved { usual: self.usual, now: self.counts.share().unwrap_or(self.usual), since: self.since }
    }

    pub(super) fn encode(alarm: Option<&Self>, writer: &mut Writer<'_>) {
        writer.byte(u8::from(alarm.is_some()));
        let Some(alarm) = alarm else { return };
        writer.integer(alarm.since);
        for value in [alarm.usual, alarm.counts.bad, alarm.counts.total, alarm.peak, alarm.over] {
            writer.number(value);
        }
        writer.byte(alarm.calm_s);
    }

    /// What a request is worth is worked out anew, from the highest usual share `null`.
    pub(super) fn decode(
        reader: &mut Reader<'_, '_>,
        null: f64,
        dispersion: f64,
    ) -> Result<Option<Self>, DecodeError> {
        if reader.byte()? == 0 {
            return Ok(None);
        }
        let since = reader.integer()?;
        let mut next = || reader.number(0.0);
        let (usual, counts) = (next()?, Counts { bad: next()?, total: next()? });
        let (peak, over) = (next()?, next()?);
        let found = counts.share().unwrap_or(1.0).clamp(null, 1.0);
        let worth = Worth::new((null * found).sqrt().max(null * 1.05).min(0.99), null, dispersion);
        Ok(Some(Self { usual, since, counts, peak, worth, over, calm_s: reader.byte()? }))
    }
}
