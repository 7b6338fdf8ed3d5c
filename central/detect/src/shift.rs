//! When a share of bad requests left the service's own recent level, and when it is back.
//!
//! The log-likelihood ratio of a changed share against the usual one is summed up and begins anew at zero:
//! the CUSUM of Page (*Continuous inspection schemes*, 1954; Lorden 1971 on its delay), for three sizes of
//! change side by side. What real services do is not independent: the sum is divided by the
//! over-dispersion of the [`Level`] (quasi-likelihood, Wedderburn 1974), and has to rise above what it did by
//! itself in the last week ([`Excursions`]). The usual share is taken above the one measured, and as high
//! as it went by itself in ten seconds of the last week, so that neither a daily rhythm that the level follows late
//! nor its ordinary ups and downs are a shift.
//!
//! Seconds are told in any order while they are open, and grow; a settled second is weighed once.

use crate::Counts;
use crate::bytes::{DecodeError, Reader, Writer};
use crate::excursions::Excursions;
use crate::level::{BLOCK_S, Block, Level};

mod alarm;
mod open;
#[cfg(test)]
mod tests;
mod track;

use alarm::Alarm;
use open::Open;
use track::{SIZES, Track, Worth};

/// Blocks that must be learned before anything is called usual: five minutes with requests.
const BLOCKS_MIN: f64 = 30.0;
/// Requests that must be learned before.
const REQUESTS_MIN: f64 = 100.0;
/// Blocks that are too new to learn from: an incident may have begun in them.
const LAG_BLOCKS: usize = 4;
/// A statistic may stray so many times further than it did in the last week before it is a shift.
const EXCURSION_FACTOR: f64 = 2.0;
/// And what it did in the last week makes the limit at most so many times higher.
const LIMIT_FACTOR_MAX: f64 = 3.0;
/// A share is usual up to so many times the highest of a block of ten seconds in the last week.
const HIGH_FACTOR: f64 = 1.1;
/// A shift that went by itself makes a share usual up to so many times what was before, so that what comes and
/// goes is told ever more seldom;
const LEARNED_FACTOR: f64 = 2.0;
/// but never one above this, so that incidents do not become usual.
const LEARNED_MAX: f64 = 0.15;
/// A block of which more is missing is not learned from.
const MISSING_SHARE_MAX: f64 = 0.01;
/// What lasts so long is the usual state, learned afresh: half an hour.
pub const ADOPTED_AFTER_S: i64 = 1800;
const VERSION: u8 = 1;

/// What counts as a shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShiftSettings {
    /// Share that is assumed to be usual before anything was seen.
    pub floor: f64,
    /// A share is usual up to so much above the level, as a share of it.
    pub slack: f64,
    /// And so many points above it.
    pub slack_points: f64,
    /// Sizes of change that are looked for, as shares of what is not bad usually.
    pub sizes: [f64; SIZES],
    /// What a statistic must reach at least: the logarithm of the mean number of seconds between false alarms
    /// over independent requests.
    pub limit: f64,
    /// What one second adds at most, for each size: what is small must last some seconds.
    pub second_max: [f64; SIZES],
}

impl ShiftSettings {
    /// Errors: half of the requests failing is seen within a dozen or two.
    pub const ERRORS: Self = Self {
        floor: 0.002,
        slack: 0.5,
        slack_points: 0.003,
        sizes: [0.05, 0.2, 0.5],
        limit: 28.0,
        second_max: [7.0, 10.0, f64::INFINITY],
    };
    /// Requests slower than the service's own recent quantile. One stalled second is an ordinary thing, so
    /// that it takes some.
    pub const LATENCY: Self = Self {
        floor: 0.05,
        slack: 0.5,
        slack_points: 0.02,
        sizes: [0.1, 0.25, 0.6],
        limit: 20.0,
        second_max: [5.0; SIZES],
    };
}

/// Where a series stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stand {
    /// Too little is known to call anything usual.
    Learning,
    /// As usual.
    Usual,
    /// As usual, unless what is missing is bad.
    Unsure,
    /// Shifted, and not surely back.
    Shifted(Moved),
}

/// What moved, from what to what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// The usual share.
    pub usual: f64,
    /// The share since the change.
    pub now: f64,
    /// The second of the change, as far as can be told.
    pub since: i64,
}

/// The shift detector of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    settings: ShiftSettings,
    level: Level,
    excursions: Excursions,
    /// Blocks that are too new, by number.
    blocks: [(i64, Block); LAG_BLOCKS],
    open: Open,
    tracks: [Track; SIZES],
    worth: [Worth; SIZES],
    /// How far the statistics have risen since they were low.
    peak: f64,
    alarm: Option<Alarm>,
}

impl Shift {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(settings: ShiftSettings) -> Self {
        let mut shift = Self {
            settings,
            level: Level::default(),
            excursions: Excursions::default(),
            blocks: [(i64::MIN, Block::default()); LAG_BLOCKS],
            open: Open::default(),
            tracks: [Track::default(); SIZES],
            worth: [Worth::default(); SIZES],
            peak: 0.0,
            alarm: None,
        };
        shift.weigh_anew();
        shift
    }

    /// Takes what is known of a second by now, all in all. One that is settled is left as it is.
    pub fn note(&mut self, second: i64, counts: Counts) {
        self.open.set(second, counts);
    }

    /// The newest second that is settled.
    #[must_use]
    pub const fn settled(&self) -> Option<i64> {
        self.open.settled()
    }

    /// The usual share; `None` while too little is known.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        self.is_ready().then(|| self.level.share(self.settings.floor))
    }

    /// Settles every second up to and with `until`; `missing` is told of each, and says how many of its
    /// requests are expected and were not seen. Returns whether what lasted long was taken for the usual state.
    pub fn settle(&mut self, until: i64, mut missing: impl FnMut(i64, Counts) -> f64) -> bool {
        let mut is_adopted = false;
        while let Some((second, counts)) = self.open.next(until) {
            is_adopted |= self.commit(second, counts, missing(second, counts).max(0.0));
        }
        is_adopted
    }

    /// Where the series stands, the open seconds included, of which `missing` requests are expected and were
    /// not seen. It is shifted only if it is so were they all good, and back only if it is so were they all bad.
    pub fn judge(&mut self, missing: f64) -> Stand {
        if !self.is_ready() {
            return Stand::Learning;
        }
        if self.alarm.as_ref().is_some_and(Alarm::is_over) {
            self.end();
        }
        let limit = self.limit();
        if self.alarm.is_none() {
            let (low, high) = (self.at_head(missing, 0.0), self.at_head(missing, missing));
            match strongest(&low) {
                (which, track) if track.log >= limit => self.raise(which, track, missing),
                _ if strongest(&high).1.log >= limit => return Stand::Unsure,
                _ => return Stand::Usual,
            }
        }
        self.alarm.as_ref().map_or(Stand::Usual, |alarm| Stand::Shifted(alarm.moved()))
    }

    /// Whether a shift was found that is not over.
    #[must_use]
    pub const fn is_shifted(&self) -> bool {
        self.alarm.is_some()
    }

    fn is_ready(&self) -> bool {
        self.level.blocks() >= BLOCKS_MIN && self.level.requests() >= REQUESTS_MIN
    }

    /// What a statistic must reach now.
    fn limit(&self) -> f64 {
        let least = self.settings.limit;
        (self.excursions.highest() * EXCURSION_FACTOR).clamp(least, least * LIMIT_FACTOR_MAX)
    }

    /// The statistics with the open seconds; of `missing` requests `bad` are held to be bad.
    fn at_head(&self, missing: f64, bad: f64) -> [Track; SIZES] {
        let mut tracks = self.tracks;
        let rest = Counts { bad, total: missing };
        let (count, mut at) = (self.open.len(), 0);
        self.open.each(|second, counts| {
            at += 1;
            let counts = if at == count { counts.plus(rest) } else { counts };
            self.advance(&mut tracks, second, counts);
        });
        if count == 0 && missing > 0.0 {
            let next = self.open.settled().map_or(0, |settled| settled.saturating_add(1));
            self.advance(&mut tracks, next, rest);
        }
        tracks
    }

    fn advance(&self, tracks: &mut [Track; SIZES], second: i64, counts: Counts) {
        for ((track, worth), most) in tracks.iter_mut().zip(&self.worth).zip(self.settings.second_max) {
            track.advance(second, counts, worth, most);
        }
    }

    fn commit(&mut self, second: i64, counts: Counts, missing: f64) -> bool {
        self.block(second, counts, missing);
        if !self.is_ready() {
            return false;
        }
        let mut tracks = self.tracks;
        self.advance(&mut tracks, second, Counts { bad: counts.bad, total: counts.total + missing });
        self.tracks = tracks;
        match &mut self.alarm {
            None => self.excursion(second, strongest(&tracks).1.log),
            Some(alarm) => {
                alarm.advance(counts, missing);
                if second.saturating_sub(alarm.moved().since) >= ADOPTED_AFTER_S {
                    self.adopt();
                    return true;
                }
            }
        }
        false
    }

    /// An excursion is known when it is over: while it rises it may be a shift, which must not raise its own limit.
    fn excursion(&mut self, second: i64, height: f64) {
        if height > self.peak * 0.5 {
            self.peak = self.peak.max(height);
        } else if self.peak > 0.0 {
            self.excursions.note(second, self.peak);
            self.peak = height;
        }
    }

    /// Blocks are learned from when they are old enough and no shift was found since.
    fn block(&mut self, second: i64, counts: Counts, missing: f64) {
        let number = second.div_euclid(BLOCK_S);
        let slot = number.rem_euclid(LAG_BLOCKS as i64) as usize;
        if self.blocks[slot].0 != number {
            let (_, old) = std::mem::replace(&mut self.blocks[slot], (number, Block::default()));
            if self.alarm.is_none() && old.is_whole_to(MISSING_SHARE_MAX) {
                self.level.learn(second, &old);
                self.weigh_anew();
            }
        }
        self.blocks[slot].1.add(counts, missing);
    }

    fn weigh_anew(&mut self) {
        let usual = self.null();
        let dispersion = self.level.dispersion();
        for (worth, size) in self.worth.iter_mut().zip(self.settings.sizes) {
            *worth = Worth::new(usual, usual + (1.0 - usual) * size, dispersion);
        }
    }

    /// The highest share that is taken for the usual one.
    fn null(&self) -> f64 {
        let ShiftSettings { floor, slack, slack_points, .. } = self.settings;
        let share = self.level.share(floor);
        let about = share * (1.0 + slack) + slack_points + 2.0 * self.level.error(floor);
        about.max(self.level.high() * HIGH_FACTOR).min(0.95)
    }

    fn raise(&mut self, which: usize, mut track: Track, missing: f64) {
        // What is missing was weighed as good, and is told as what it is: not seen.
        track.counts.total = (track.counts.total - missing).max(track.counts.bad);
        let usual = self.level.share(self.settings.floor);
        let null = self.null();
        let found = null + (1.0 - null) * self.settings.sizes[which];
        let worth = Worth::new((null * found).sqrt(), null, self.level.dispersion());
        self.alarm = Some(Alarm::new(usual, track, worth));
    }

    fn end(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            let (settled, usual) = (self.open.settled().unwrap_or_default(), self.null());
            self.excursions.note(settled, alarm.peak());
            let learned = alarm.moved().now.min(usual * LEARNED_FACTOR).min(LEARNED_MAX.max(usual));
            self.level.note_high(settled, learned);
            self.weigh_anew();
        }
        self.forget_recent();
    }

    fn adopt(&mut self) {
        (self.alarm, self.level, self.excursions) = (None, Level::default(), Excursions::default());
        self.forget_recent();
        self.weigh_anew();
    }

    /// What the incident left behind is not learned from.
    fn forget_recent(&mut self) {
        (self.tracks, self.peak) = ([Track::default(); SIZES], 0.0);
        for block in &mut self.blocks {
            block.1 = Block::default();
        }
    }

    /// Appends what was learned to `bytes`. Seconds of the last minute are not part of it: whoever reads it
    /// tells them again.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let mut writer = Writer(bytes);
        writer.byte(VERSION);
        writer.integer(self.open.settled().unwrap_or(i64::MIN));
        self.level.encode(&mut writer);
        self.excursions.encode(&mut writer);
        Alarm::encode(self.alarm.as_ref(), &mut writer);
    }

    /// Takes what [`Self::encode`] wrote off the front of `bytes`.
    pub fn decode(settings: ShiftSettings, bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        reader.version(VERSION)?;
        let mut shift = Self::new(settings);
        let settled = reader.integer()?;
        if settled != i64::MIN {
            shift.open = Open::settled_at(settled);
        }
        shift.level = Level::decode(&mut reader)?;
        shift.excursions = Excursions::decode(&mut reader)?;
        let null = shift.null();
        shift.alarm = Alarm::decode(&mut reader, null, shift.level.dispersion())?;
        shift.weigh_anew();
        Ok(shift)
    }
}

fn strongest(tracks: &[Track; SIZES]) -> (usize, Track) {
    let mut strongest = (0, tracks[0]);
    for (at, track) in tracks.iter().enumerate() {
        if track.log > strongest.1.log {
            strongest = (at, *track);
        }
    }
    strongest
}
