//! One rule over one part of one service: what its window says, and where that leaves it.

use goldentime_detect::Evidence;
use goldentime_model::{
    Alert, AlertStatus, Fingerprint, Interval, Labels, Second, StageTimes, UnixNanos, Verdict,
};

use super::ring::Ring;
use super::rule::{Condition, Rule};
use super::status::RuleState;

/// A firing alert whose window stays empty this long is resolved with that as the reason: its
/// service was taken away.
pub const FIRING_WITHOUT_DATA_MS_MAX: i64 = 10 * 60 * 1000;

/// An instance that is bad enough to be told again tells so at most this often.
const UPDATE_EVERY_MS: i64 = 10_000;

/// When and with what a window is judged.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The service's event-time watermark in milliseconds.
    pub watermark_ms: i64,
    /// The newest second that every expected agent has passed (or has had time enough to pass).
    pub settled: Second,
    /// The central's clock.
    pub now: UnixNanos,
    /// First second since when nothing was missed by the central itself.
    pub covered_from: Second,
}

/// Events of the instance's part that were expected but unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unseen {
    /// In the window that ends at the watermark.
    pub at_head: f64,
    /// In the window that ends with the settled second.
    pub settled: f64,
}

/// What a window says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Of the window that ends at the watermark, its partial second included: fired on.
    pub head: Verdict,
    /// Of the window that ends with the settled second: resolved on. `None` where nothing was seen in
    /// it and nothing is expected: such a window proves nothing.
    pub settled: Option<Verdict>,
    /// Nothing was seen and nothing is expected, in either window.
    pub empty: bool,
    /// Share of bad events, or rate per second.
    pub value: Option<Interval>,
}

/// Judges a window; `None` while the central has not watched for a whole window yet and the rule
/// judges what is missing.
#[must_use]
pub fn judge(rule: &Rule, ring: &Ring, moment: &Moment, unseen: Unseen) -> Option<Judgement> {
    let settled = ring.window(moment.settled);
    let covered = moment.settled.0 - i64::from(ring.window_s()) + 1 >= moment.covered_from.0;
    match rule.condition {
        Condition::BadShareAbove(limit) => {
            let at_head = ring.window(ring.head());
            let of = |tally: super::ring::Tally, unseen| {
                Interval::bad_share(tally.bad_low, tally.bad_high, tally.seen, unseen)
            };
            let (head, settled) = (of(at_head, unseen.at_head), of(settled, unseen.settled));
            let empty = head.is_none() && settled.is_none();
            if empty && !covered {
                return None;
            }
            let verdict = head.map_or(Verdict::Healthy, |share| share.above(limit));
            Some(Judgement {
                head: with_at_least(rule.requests_min, at_head.seen, unseen.at_head, verdict),
                settled: settled.map(|share| share.above(limit)),
                empty,
                value: head.or(settled),
            })
        }
        Condition::RateBelow(floor) => {
            if !covered {
                return None;
            }
            let window_s = f64::from(ring.window_s());
            let low = settled.seen as f64 / window_s;
            let rate = Interval { low, high: low + unseen.settled.max(0.0) / window_s };
            let verdict = rate.below(floor);
            Some(Judgement { head: verdict, settled: Some(verdict), empty: false, value: Some(rate) })
        }
    }
}

/// What a verdict is worth where `least` requests are asked for: bad only with as many seen, unknown
/// while the missing ones could make them up, healthy below.
fn with_at_least(least: u64, seen: u64, unseen: f64, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Healthy => Verdict::Healthy,
        verdict if seen >= least => verdict,
        _ if seen as f64 + unseen.max(0.0) >= least as f64 => Verdict::Unknown,
        _ => Verdict::Healthy,
    }
}

/// How an instance changed in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing that anyone must be told.
    Same,
    /// It fires.
    Fired,
    /// It fires still, and is far worse than told before.
    Worse,
    /// It is over.
    Resolved,
    /// Its alert is closed because nothing was seen of its service for long.
    GaveUp,
}

/// State of one instance. Knows nothing of windows: it is stepped with judgements.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Identity of its alerts.
    pub labels: Labels,
    /// Of `labels`.
    pub fingerprint: Fingerprint,
    /// Its running sums.
    pub ring: Ring,
    /// What its requests show against the rule's limit, of rules that guard against few.
    pub evidence: Evidence,
    /// The sums hold what was there before the instance was: until then it is not judged.
    pub warm: bool,
    /// First second of which its part was seen: a floor is judged a whole window later. The earliest
    /// of all where the part was named beforehand.
    pub born: Second,
    state: RuleState,
    since: UnixNanos,
    value: Option<Interval>,
    breaching_since: Option<(Second, i64)>,
    /// Last second of the newest window that was breaching.
    last_breach: Second,
    alert: Option<Alert>,
    told: Told,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    at_ms: i64,
    bad: f64,
    last_data_ms: i64,
}

impl Instance {
    /// A new instance of which nothing was seen yet.
    #[must_use]
    pub fn new(labels: Labels, ring: Ring, now: UnixNanos, warm: bool) -> Self {
        let fingerprint = Fingerprint::of(&labels);
        Self {
            labels,
            fingerprint,
            ring,
            evidence: Evidence::default(),
            warm,
            born: Second(i64::MIN),
            state: RuleState::NoData,
            since: now,
            value: None,
            breaching_since: None,
            last_breach: Second(i64::MIN),
            alert: None,
            told: Told::default(),
        }
    }

    /// Goes on with an alert that was firing before the evaluator started.
    pub fn adopt(&mut self, alert: Alert) {
        self.state = RuleState::Firing;
        self.since = alert.starts_at;
        self.alert = Some(alert);
    }

    /// Takes state (not sums) over from the same instance of the rule's former wording.
    pub fn inherit(&mut self, former: &mut Self) {
        if let Some(alert) = former.alert.take() {
            self.adopt(alert);
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> RuleState {
        self.state
    }

    /// Since when it stands there.
    #[must_use]
    pub const fn since(&self) -> UnixNanos {
        self.since
    }

    /// Share of bad events or rate as last judged.
    #[must_use]
    pub const fn value(&self) -> Option<Interval> {
        self.value
    }

    /// The alert, while it fires.
    #[must_use]
    pub const fn alert(&self) -> Option<&Alert> {
        self.alert.as_ref()
    }

    /// The alert, to be told of.
    pub const fn alert_mut(&mut self) -> Option<&mut Alert> {
        self.alert.as_mut()
    }

    /// Ends the alert, if one is firing, and gives it back as resolved.
    pub fn close(&mut self, now: UnixNanos) -> Option<Alert> {
        self.breaching_since = None;
        let mut alert = self.alert.take()?;
        alert.status = AlertStatus::Resolved;
        alert.ends_at = Some(now);
        Some(alert)
    }

    /// Moves on by one judgement.
    pub fn step(&mut self, rule: &Rule, judgement: &Judgement, moment: &Moment, stages: StageTimes) -> Step {
        self.value = judgement.value;
        if !judgement.empty {
            self.told.last_data_ms = moment.watermark_ms;
        }
        let breaching = judgement.head == Verdict::Breaching || (judgement.empty && rule.alert_on_no_data);
        if breaching {
            self.last_breach = match rule.condition {
                Condition::BadShareAbove(_) => self.ring.head(),
                Condition::RateBelow(_) => moment.settled,
            };
        }
        if self.alert.is_some() {
            return self.step_firing(rule, judgement, breaching, moment);
        }
        if breaching {
            let (first_breach, since_ms) =
                *self.breaching_since.get_or_insert((self.ring.head(), moment.watermark_ms));
            let held_ms = moment.watermark_ms.saturating_sub(since_ms);
            if u128::try_from(held_ms).is_ok_and(|held_ms| held_ms >= rule.hold.as_millis()) {
                self.fire(rule, first_breach, judgement, moment, stages);
                return Step::Fired;
            }
            self.enter(RuleState::Pending, moment.now);
            return Step::Same;
        }
        let surely_not = judgement.empty
            || judgement.head == Verdict::Healthy
            || judgement.settled == Some(Verdict::Healthy);
        if surely_not {
            self.breaching_since = None;
        }
        self.enter(self.calm_state(judgement), moment.now);
        Step::Same
    }

    fn calm_state(&self, judgement: &Judgement) -> RuleState {
        if self.breaching_since.is_some() {
            RuleState::Pending
        } else if judgement.empty {
            RuleState::NoData
        } else if judgement.settled.unwrap_or(judgement.head) == Verdict::Healthy {
            RuleState::Ok
        } else {
            RuleState::Unknown
        }
    }

    fn step_firing(&mut self, rule: &Rule, judgement: &Judgement, breaching: bool, moment: &Moment) -> Step {
        if breaching {
            let bad = judgement.value.map_or(0.0, |value| value.low);
            let is_share = matches!(rule.condition, Condition::BadShareAbove(_));
            let due = is_share && moment.watermark_ms.saturating_sub(self.told.at_ms) >= UPDATE_EVERY_MS;
            if due && self.told.at_ms != 0 && bad > 0.0 && bad >= self.told.bad * 2.0 {
                self.tell(bad, moment);
                return Step::Worse;
            }
            return Step::Same;
        }
        if judgement.empty {
            let silent_ms = moment.watermark_ms.saturating_sub(self.told.last_data_ms);
            if self.told.last_data_ms == 0 {
                self.told.last_data_ms = moment.watermark_ms;
            } else if silent_ms >= FIRING_WITHOUT_DATA_MS_MAX {
                self.enter(RuleState::NoData, moment.now);
                return Step::GaveUp;
            }
            return Step::Same;
        }
        // The settled window lies seconds behind: one that ends before the newest breach speaks of the
        // time before the incident.
        let reaches_the_breach = moment.settled >= self.last_breach;
        if reaches_the_breach && judgement.settled == Some(Verdict::Healthy) {
            self.enter(RuleState::Ok, moment.now);
            return Step::Resolved;
        }
        Step::Same
    }

    fn fire(
        &mut self,
        rule: &Rule,
        first_breach: Second,
        judgement: &Judgement,
        moment: &Moment,
        stages: StageTimes,
    ) {
        self.enter(RuleState::Firing, moment.now);
        self.tell(judgement.value.map_or(0.0, |value| value.low), moment);
        self.alert = Some(Alert {
            fingerprint: self.fingerprint,
            episode: Alert::episode_id(&rule.name, self.fingerprint, first_breach),
            status: AlertStatus::Firing,
            severity: rule.severity,
            labels: self.labels.clone(),
            annotations: rule.annotations.clone(),
            first_breach,
            starts_at: moment.now,
            ends_at: None,
            stages: StageTimes { evaluated: Some(moment.now), ..stages },
        });
    }

    const fn tell(&mut self, bad: f64, moment: &Moment) {
        self.told.at_ms = moment.watermark_ms;
        self.told.bad = bad;
    }

    fn enter(&mut self, state: RuleState, now: UnixNanos) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}
