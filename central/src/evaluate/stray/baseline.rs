//! The readings of the last ten minutes, and what they make usual.

use std::collections::VecDeque;

use goldentime_model::Second;

use super::usual::Usual;

/// One second of so many is kept.
const EVERY_S: i64 = 2;
/// Readings that are kept: those of ten minutes.
const READINGS: usize = 300;
/// The newest seconds are left out, for they may be the beginning of an incident.
const LAG_S: i64 = 10;
/// Nothing is called usual before so many readings are known: two minutes of them.
const READINGS_MIN: usize = 60;
/// What is usual is learned anew this often.
const RENEW_S: i64 = 10;
/// A reading that strays is left out, until so many more strayed than did not: then that is the usual
/// state. Half an hour of them.
const HELD_OUT_MAX: u16 = 900;

/// Memory of a baseline in bytes, about.
pub const BASELINE_BYTES: usize = READINGS * size_of::<f32>() + 256;

/// What is usual for one signal of one series. Told of every second in order.
///
/// What strays is left out, and while an incident lasts the usual stays what it was before; an
/// incident of half an hour is forgotten to be one, and the usual is learned afresh within two minutes.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// By `tick mod READINGS`; NaN where there is none. The readings of the ticks up to `head`.
    readings: Box<[f32]>,
    head: i64,
    /// Ticks that are too new, oldest first.
    recent: VecDeque<(i64, f32)>,
    usual: Option<Usual>,
    /// How many more readings were held out than not, lately.
    held_out: u16,
    /// Baselines of one process are not all renewed in the same second.
    phase: i64,
    renewed: i64,
}

impl Baseline {
    /// Knows nothing yet. Baselines with different `phase` are renewed in different seconds.
    #[must_use]
    pub fn new(phase: u32) -> Self {
        Self {
            readings: vec![f32::NAN; READINGS].into_boxed_slice(),
            head: i64::MIN / EVERY_S,
            recent: VecDeque::new(),
            usual: None,
            held_out: 0,
            phase: i64::from(phase),
            renewed: i64::MIN,
        }
    }

    /// What is usual; `None` while too little is known.
    #[must_use]
    pub const fn usual(&self) -> Option<&Usual> {
        self.usual.as_ref()
    }

    /// Takes the reading of the next second (seconds may be left out, and have none), or that it has none.
    /// One that `strays` is left out.
    pub fn take(&mut self, second: Second, reading: Option<f64>, strays: bool) {
        if second.0.rem_euclid(EVERY_S) == 0 {
            let kept = self.kept(reading, strays);
            self.recent.push_back((second.0.div_euclid(EVERY_S), kept));
        }
        let until = second.0.saturating_sub(LAG_S).div_euclid(EVERY_S);
        while let Some((tick, reading)) = self.recent.front().copied().filter(|(tick, _)| *tick <= until) {
            self.recent.pop_front();
            self.advance(tick);
            self.readings[index(tick)] = reading;
        }
        let renewal = second.0.saturating_add(self.phase).div_euclid(RENEW_S);
        if renewal != self.renewed {
            self.renewed = renewal;
            self.advance(until);
            self.renew();
        }
    }

    fn kept(&mut self, reading: Option<f64>, strays: bool) -> f32 {
        match reading {
            None => f32::NAN,
            Some(reading) if !strays => {
                self.held_out = self.held_out.saturating_sub(1);
                reading as f32
            }
            Some(_) if self.held_out < HELD_OUT_MAX => {
                self.held_out += 1;
                f32::NAN
            }
            Some(reading) => {
                (self.held_out, self.usual) = (0, None);
                self.readings.fill(f32::NAN);
                self.recent.clear();
                reading as f32
            }
        }
    }

    /// Moves on to `tick`; ticks in between have no reading.
    fn advance(&mut self, tick: i64) {
        let steps = tick.saturating_sub(self.head);
        if steps >= READINGS as i64 {
            self.readings.fill(f32::NAN);
        } else {
            for step in 1..=steps {
                self.readings[index(self.head + step)] = f32::NAN;
            }
        }
        self.head = self.head.max(tick);
    }

    fn renew(&mut self) {
        let known = self.readings.iter().filter(|reading| reading.is_finite()).count();
        if known >= READINGS_MIN {
            self.usual = Usual::of(&self.readings);
        } else if self.held_out == 0 {
            self.usual = None;
        }
    }
}

fn index(tick: i64) -> usize {
    tick.rem_euclid(READINGS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::super::reading::Reading;
    use super::*;

    /// Tells a baseline of a gauge that stands at `value` for some seconds, and gives how many strayed.
    fn stand(baseline: &mut Baseline, clock: &mut i64, seconds: i64, value: f64) -> usize {
        let mut strayed = 0;
        for _ in 0..seconds {
            let reading = Reading::Saturation { utilization: value };
            let strays = baseline.usual().is_some_and(|usual| usual.score(&reading).sure.abs() > 6.0);
            strayed += usize::from(strays);
            baseline.take(Second(*clock), Some(value), strays);
            *clock += 1;
        }
        strayed
    }

    #[test]
    fn nothing_is_usual_before_two_minutes_were_seen() {
        let (mut baseline, mut clock) = (Baseline::new(3), 1_700_000_001);
        stand(&mut baseline, &mut clock, 119, 0.3);
        assert_eq!(baseline.usual(), None);
        stand(&mut baseline, &mut clock, 25, 0.3);
        assert!(baseline.usual().is_some_and(|usual| (usual.median - 0.3).abs() < 1e-6));
    }

    #[test]
    fn an_incident_of_twenty_minutes_strays_to_its_end_and_what_follows_is_usual_at_once() {
        let (mut baseline, mut clock) = (Baseline::new(0), 1_700_000_000);
        stand(&mut baseline, &mut clock, 600, 0.3);
        assert_eq!(stand(&mut baseline, &mut clock, 1200, 0.9), 1200);
        assert_eq!(stand(&mut baseline, &mut clock, 600, 0.3), 0);
    }

    #[test]
    fn a_new_level_is_usual_after_half_an_hour() {
        let (mut baseline, mut clock) = (Baseline::new(0), 1_700_000_000);
        stand(&mut baseline, &mut clock, 600, 0.3);
        let strayed = stand(&mut baseline, &mut clock, 2400, 0.9);
        assert!((1795..=1805).contains(&strayed), "{strayed}");
        assert_eq!(stand(&mut baseline, &mut clock, 60, 0.9), 0);
        assert_eq!(stand(&mut baseline, &mut clock, 60, 0.3), 60, "what was usual before is so no more");
    }

    #[test]
    fn a_slow_drift_becomes_usual_as_it_goes() {
        let (mut baseline, mut clock, mut strayed) = (Baseline::new(0), 1_700_000_000, 0);
        for step in 0..3600 {
            strayed += stand(&mut baseline, &mut clock, 1, 0.2 + f64::from(step) / 3600.0 * 0.6);
        }
        assert_eq!(strayed, 0);
    }

    #[test]
    fn a_service_that_was_silent_for_long_has_no_usual_state() {
        let (mut baseline, mut clock) = (Baseline::new(0), 1_700_000_000);
        stand(&mut baseline, &mut clock, 600, 0.3);
        for _ in 0..600 {
            baseline.take(Second(clock), None, false);
            clock += 1;
        }
        assert_eq!(baseline.usual(), None);
        clock += 1_000_000;
        assert_eq!(stand(&mut baseline, &mut clock, 1, 0.9), 0, "and time may jump");
    }
}
