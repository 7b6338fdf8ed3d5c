use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const START: i64 = 1_700_000_000;

/// A service whose requests fail independently.
struct Service {
    shift: Shift,
    random: StdRng,
    second: i64,
}

impl Service {
    fn new(settings: ShiftSettings, seed: u64) -> Self {
        Self { shift: Shift::new(settings), random: StdRng::seed_from_u64(seed), second: START }
    }

    /// Runs until it is shifted, at most for `seconds`; `requests` a second in ten parts. Returns after how many requests.
    fn run(&mut self, seconds: i64, requests: u64, share: f64) -> Option<u64> {
        let mut seen = 0;
        for _ in 0..seconds {
            let mut counts = Counts::default();
            for _ in 0..10 {
                let part = requests / 10;
                let bad = (0..part).filter(|_| self.random.random_bool(share)).count() as u64;
                counts = counts.plus(Counts::new(bad, part));
                seen += part;
                self.shift.note(self.second, counts);
                if matches!(self.shift.judge(0.0), Stand::Shifted(_)) {
                    return Some(seen);
                }
            }
            self.shift.settle(self.second, |_, _| 0.0);
            self.second += 1;
        }
        None
    }

    fn calm_until_over(&mut self, seconds: i64, requests: u64, share: f64) -> Option<i64> {
        for after in 1..=seconds {
            let bad = (0..requests).filter(|_| self.random.random_bool(share)).count() as u64;
            self.second += 1;
            self.shift.note(self.second, Counts::new(bad, requests));
            self.shift.settle(self.second, |_, _| 0.0);
            if !matches!(self.shift.judge(0.0), Stand::Shifted(_)) {
                return Some(after);
            }
        }
        None
    }
}

#[test]
fn half_of_two_hundred_requests_a_second_failing_is_seen_within_a_few_dozen() {
    for seed in 0..20 {
        let mut service = Service::new(ShiftSettings::ERRORS, seed);
        assert_eq!(service.run(1200, 200, 0.005), None, "seed {seed}");
        let after = service.run(10, 200, 0.5).expect("seen");
        assert!(after <= 60, "{after} requests, seed {seed}");
    }
}

#[test]
fn what_moved_is_told_from_what_to_what_and_since_when() {
    let mut service = Service::new(ShiftSettings::ERRORS, 7);
    service.run(1200, 200, 0.01);
    let onset = service.second;
    service.run(60, 200, 0.2).expect("seen");
    let Stand::Shifted(moved) = service.shift.judge(0.0) else { panic!("shifted") };
    assert!((moved.since - onset).abs() <= 1, "{moved:?} {onset}");
    assert!((0.005..0.02).contains(&moved.usual) && (0.1..0.35).contains(&moved.now), "{moved:?}");
}

#[test]
fn it_is_over_some_seconds_after_and_not_before() {
    let mut service = Service::new(ShiftSettings::ERRORS, 8);
    service.run(1200, 200, 0.01);
    service.run(60, 200, 0.3).expect("seen");
    assert_eq!(service.calm_until_over(20, 200, 0.3), None);
    let after = service.calm_until_over(60, 200, 0.01).expect("over");
    assert!((5..=10).contains(&after), "{after}");
    assert_eq!(service.run(600, 200, 0.01), None, "and what is left of it is no shift");
}

#[test]
fn what_lasts_half_an_hour_becomes_usual() {
    let mut service = Service::new(ShiftSettings::ERRORS, 9);
    service.run(1200, 50, 0.01);
    service.run(60, 50, 0.3).expect("seen");
    let after = service.calm_until_over(2000, 50, 0.3).expect("adopted");
    assert!((1700..1900).contains(&after), "{after}");
    assert_eq!(service.run(1200, 50, 0.3), None);
}

#[test]
fn nothing_is_called_usual_of_a_service_that_was_hardly_seen() {
    let mut service = Service::new(ShiftSettings::ERRORS, 10);
    assert_eq!(service.run(100, 200, 0.01), None);
    assert_eq!(service.shift.judge(0.0), Stand::Learning);
    assert_eq!(service.run(20, 200, 0.9), None);
}

#[test]
fn what_is_missing_could_make_it_either() {
    let mut service = Service::new(ShiftSettings::ERRORS, 11);
    service.run(1200, 200, 0.01);
    service.shift.note(service.second, Counts::new(12, 12));
    assert!(matches!(service.shift.clone().judge(0.0), Stand::Shifted(_)));
    assert_eq!(service.shift.judge(190.0), Stand::Unsure);
}

#[test]
fn a_restart_knows_what_was_usual() {
    let mut before = Service::new(ShiftSettings::ERRORS, 12);
    before.run(1200, 200, 0.01);
    let mut bytes = Vec::new();
    before.shift.encode(&mut bytes);
    assert!(bytes.len() < 250, "{}", bytes.len());
    let shift = Shift::decode(ShiftSettings::ERRORS, &mut bytes.as_slice()).expect("readable");
    let mut after = Service { shift, random: StdRng::seed_from_u64(13), second: before.second + 30 };
    assert_eq!(after.run(60, 200, 0.01), None);
    assert!(after.run(10, 200, 0.5).is_some_and(|requests| requests <= 60));
    let mut bytes = Vec::new();
    after.shift.encode(&mut bytes);
    let shift = Shift::decode(ShiftSettings::ERRORS, &mut bytes.as_slice()).expect("readable");
    assert!(shift.is_shifted());
    after.shift = shift;
    assert!(after.calm_until_over(30, 200, 0.01).is_some());
}

#[test]
fn a_stalled_second_is_no_shift_of_latency_and_some_are() {
    let mut service = Service::new(ShiftSettings::LATENCY, 14);
    assert_eq!(service.run(1200, 200, 0.05), None);
    assert_eq!(service.run(1, 200, 0.9), None);
    assert_eq!(service.run(60, 200, 0.05), None);
    let after = service.run(20, 200, 0.6).expect("seen");
    assert!(after <= 2400, "{after}");
}

proptest! {
    #[test]
    fn no_counts_make_it_panic_or_forget_how_to_count(
        steps in prop::collection::vec((-5_i64..30, 0_u64..300, 0_u64..300, 0.0_f64..50.0), 0..400),
    ) {
        let (mut shift, mut now) = (Shift::new(ShiftSettings::LATENCY), START);
        for (forward, bad, good, missing) in steps {
            now += forward;
            shift.note(now, Counts::new(bad, bad + good));
            shift.settle(now - 2, |_, _| missing);
            if let Stand::Shifted(moved) = shift.judge(missing) {
                prop_assert!((0.0..=1.0).contains(&moved.now) && (0.0..=1.0).contains(&moved.usual));
            }
            let mut bytes = Vec::new();
            shift.encode(&mut bytes);
            prop_assert!(Shift::decode(ShiftSettings::LATENCY, &mut bytes.as_slice()).is_ok());
        }
    }

    #[test]
    fn bytes_that_are_no_state_are_refused_without_a_panic(junk: Vec<u8>) {
        let _ = Shift::decode(ShiftSettings::ERRORS, &mut junk.as_slice());
    }
}
