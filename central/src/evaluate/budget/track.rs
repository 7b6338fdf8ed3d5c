//! The sums of one objective over one part of one service.

use goldentime_model::Second;

use super::super::ring::{Ring, Tally};
use super::maintenance::{self, Maintenance};
use super::objective::{Method, Objective, slot_width_s};
use super::period::BudgetWindow;
use super::slices::{Changed, Slices};
use super::tier::Tier;

/// Seconds that may still change: what comes later is not judged either.
pub(super) const OPEN_S: u32 = 60;

/// Maintenance is looked up this far ahead, in seconds.
const AHEAD_S: i64 = 2 * 86_400;

/// Some seconds of stored history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    /// First second.
    pub at: Second,
    /// How many.
    pub width_s: i64,
    /// What was counted in them.
    pub tally: Tally,
}

/// Sums over every window that somebody asks for, kept as events come.
///
/// What lies before `live_from` is told once by stored history ([`Track::fill`]), what lies after it by
/// live seconds ([`Track::set`]).
#[derive(Clone, Debug)]
pub(super) struct Track {
    live_from: Second,
    /// The newest seconds as they were counted.
    raw: Ring,
    slices: Option<Slices>,
    tiers: Vec<Tier>,
    period: Option<PeriodSum>,
    off: Off,
    /// What was before is known.
    pub(super) filled: bool,
    /// Somebody was asked for what was before.
    pub(super) asked: bool,
}

/// The sum since a calendar period began.
#[derive(Clone, Debug)]
struct PeriodSum {
    window: BudgetWindow,
    begin: Second,
    end: Second,
    sum: Tally,
}

/// Maintenance around the present.
#[derive(Clone, Debug, Default)]
struct Off {
    known_until: Option<Second>,
    windows: Vec<(Second, Second)>,
}

impl Track {
    /// A track that is told of live seconds from `live_from` on.
    pub(super) fn new(objective: &Objective, live_from: Second) -> Self {
        let windows = objective.windows_s();
        let mut widths: Vec<i64> = windows.iter().map(|window_s| slot_width_s(*window_s)).collect();
        widths.sort_unstable();
        widths.dedup();
        let tiers = widths.into_iter().map(|width_s| {
            let own: Vec<u32> =
                windows.iter().copied().filter(|window_s| slot_width_s(*window_s) == width_s).collect();
            Tier::new(width_s, &own, live_from.offset(-1))
        });
        let slices = match objective.method {
            Method::Occurrences => None,
            Method::Slices { slice_s, good } => Some(Slices::new(slice_s, good, live_from)),
        };
        let period = matches!(objective.window, BudgetWindow::Calendar(_)).then(|| {
            let (begin, end) = objective.window.period(live_from);
            PeriodSum { window: objective.window.clone(), begin, end, sum: Tally::default() }
        });
        Self {
            live_from,
            raw: Ring::new(OPEN_S, live_from.offset(-1)),
            slices,
            tiers: tiers.collect(),
            period,
            off: Off::default(),
            filled: false,
            asked: false,
        }
    }

    /// First second that live counts tell of.
    pub(super) const fn live_from(&self) -> Second {
        self.live_from
    }

    /// The newest second.
    pub(super) const fn head(&self) -> Second {
        self.raw.head()
    }

    /// How far back the slots of each width reach, in seconds.
    pub(super) fn reaches(&self) -> Vec<(i64, i64)> {
        self.tiers.iter().map(|tier| (tier.width_s(), tier.reach_s())).collect()
    }

    /// The budget's period at the newest second.
    pub(super) fn period(&self, window: &BudgetWindow) -> (Second, Second) {
        match &self.period {
            Some(period) => (period.begin, period.end),
            None => window.period(self.head()),
        }
    }

    /// What a second holds, in place of what was said of it before.
    pub(super) fn set(&mut self, second: Second, tally: Tally, maintenance: &[Maintenance]) {
        if second < self.live_from {
            return;
        }
        self.raw.advance(second);
        if !self.raw.holds(second) {
            return;
        }
        let tally = if self.off.holds(second, maintenance) { Tally::default() } else { tally };
        let before = self.raw.get(second);
        if before == tally {
            return;
        }
        self.raw.set(second, tally);
        match &mut self.slices {
            None => self.count(Changed { second, before, after: tally }),
            Some(slices) => {
                if let Some(changed) = slices.change(second, before, tally) {
                    self.count(changed);
                }
            }
        }
    }

    /// Time went on to `head`; nothing more comes of seconds up to `settled`. `missing` says how many
    /// events were expected and not seen of the `i64` seconds that end with a second.
    pub(super) fn advance(
        &mut self,
        head: Second,
        settled: Second,
        missing: impl Fn(Second, i64) -> f64,
        maintenance: &[Maintenance],
    ) {
        self.raw.advance(head);
        let newest = if self.slices.is_some() { settled } else { head };
        self.tiers.iter_mut().for_each(|tier| tier.advance(newest));
        if let Some(period) = &mut self.period {
            period.advance(newest);
        }
        // The slice that began before the live counts waits for what was before.
        let is_whole = |slices: &Slices| self.filled || slices.open_from() >= self.live_from;
        if !self.slices.as_ref().is_some_and(is_whole) {
            return;
        }
        let Some(mut slices) = self.slices.take() else { return };
        let mut changed = Vec::new();
        let slice_s = slices.slice_s();
        slices.close(settled, |last| missing(last, slice_s), |event| changed.push(event));
        self.slices = Some(slices);
        for event in changed {
            if event.after.seen > 0 && !self.off.holds(event.second, maintenance) {
                self.count(event);
            }
        }
    }

    fn count(&mut self, Changed { second, before, after }: Changed) {
        self.tiers.iter_mut().for_each(|tier| tier.change(second, before, after));
        if let Some(period) = &mut self.period {
            period.change(second, before, after);
        }
    }

    /// Takes the past: what was counted before the live seconds, by time, maintenance left out.
    pub(super) fn fill(&mut self, past: &[Past]) {
        if std::mem::replace(&mut self.filled, true) {
            return;
        }
        match self.slices.take() {
            None => {
                for one in past {
                    self.count(Changed { second: one.at, before: Tally::default(), after: one.tally });
                }
            }
            Some(mut slices) => {
                for event in slices.past(past) {
                    self.count(event);
                }
                self.slices = Some(slices);
            }
        }
    }

    /// The sum of a window that ends now.
    pub(super) fn sum(&self, window_s: u32) -> Tally {
        self.tiers.iter().find_map(|tier| tier.sum(window_s)).unwrap_or_default()
    }

    /// The sum of the budget's period.
    pub(super) fn spent(&self, window: &BudgetWindow) -> Tally {
        match (&self.period, window) {
            (Some(period), _) => period.sum,
            (None, BudgetWindow::Rolling(seconds)) => self.sum(*seconds),
            (None, BudgetWindow::Calendar(_)) => Tally::default(),
        }
    }

    /// Events as they were counted in the newest seconds.
    pub(super) fn newest(&self) -> Tally {
        self.raw.window(self.raw.head())
    }

    /// Whether maintenance goes on.
    pub(super) fn is_off(&self) -> bool {
        let head = self.head();
        self.off.windows.iter().any(|(begin, end)| (*begin..*end).contains(&head))
    }
}

impl PeriodSum {
    fn advance(&mut self, second: Second) {
        if second >= self.end {
            (self.begin, self.end) = self.window.period(second);
            self.sum = Tally::default();
        }
    }

    fn change(&mut self, second: Second, before: Tally, after: Tally) {
        self.advance(second);
        if second >= self.begin {
            self.sum = self.sum.minus(before).plus(after);
        }
    }
}

impl Off {
    fn holds(&mut self, second: Second, maintenance: &[Maintenance]) -> bool {
        if maintenance.is_empty() {
            return false;
        }
        if self.known_until.is_none_or(|known| second >= known) {
            let from = second.offset(-i64::from(OPEN_S) - 3_600);
            let until = second.offset(AHEAD_S);
            self.windows = maintenance::between(maintenance, from, until);
            self.known_until = Some(until);
        }
        self.windows.iter().any(|(begin, end)| (*begin..*end).contains(&second))
    }
}
