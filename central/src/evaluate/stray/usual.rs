//! What is usual, by the readings of some minutes, and how far a reading lies from it.

use super::reading::Reading;

/// Scores are not told apart beyond this.
pub const SCORE_MAX: f64 = 99.0;

/// Makes the median absolute deviation of a normal distribution its standard deviation.
const MAD_TO_SCALE: f64 = 1.4826;

/// Readings whose mean is taken as one for the mean of most of them.
const GROUP: usize = 10;

/// What readings of some minutes make usual.
///
/// Median and median absolute deviation (the modified z-score of Iglewicz and Hoaglin, *How to Detect and
/// Handle Outliers*, 1993) stand against outliers up to half of the readings. Of counts so small
/// that most seconds hold none they say nothing, so there is a mean as well: the median of the
/// means of consecutive groups, which stands against an incident that filled less than half of the
/// minutes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median.
    pub median: f64,
    /// 1.4826 times the median absolute deviation.
    pub scale: f64,
    /// The median of the means of groups.
    pub mean: f64,
}

/// How far a reading lies from the usual, above it or (negative) below, at most [`SCORE_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// In widths of the usual, or in standard deviations of chance, whichever is less: surely that far.
    pub sure: f64,
    /// In widths of the usual alone, however few requests there were.
    pub seeming: f64,
}

impl Usual {
    /// Learns from readings in the order of their time, at most a few hundred; NaN stands for none.
    /// `None` without any.
    #[must_use]
    pub fn of(readings: &[f32]) -> Option<Self> {
        let mut known: Vec<f32> = readings.iter().copied().filter(|reading| reading.is_finite()).collect();
        let middle = median(&mut known)?;
        for reading in &mut known {
            *reading = (*reading - middle).abs();
        }
        let deviation = median(&mut known)?;
        let mut means: Vec<f32> = readings.chunks(GROUP).filter_map(mean).collect();
        Some(Self {
            median: f64::from(middle),
            scale: f64::from(deviation) * MAD_TO_SCALE,
            mean: f64::from(median(&mut means).unwrap_or(middle)),
        })
    }

    /// How far a reading lies from the usual.
    #[must_use]
    pub fn score(&self, reading: &Reading) -> Score {
        let width = self.scale.max(reading.width_least(self.median));
        let seeming = (reading.value() - self.median) / width;
        let chance = reading.chance(self.median, self.mean);
        let agree = seeming.is_sign_positive() == chance.is_sign_positive();
        let sure = if agree { seeming.abs().min(chance.abs()).copysign(seeming) } else { 0.0 };
        Score { sure: within(sure), seeming: within(seeming) }
    }
}

/// A reading that is no number strays nobody.
fn within(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score.clamp(-SCORE_MAX, SCORE_MAX) }
}

fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// The mean of a group at least half of which is known.
fn mean(group: &[f32]) -> Option<f32> {
    let known = group.iter().filter(|reading| reading.is_finite());
    let (count, sum) = known.fold((0_u8, 0.0), |(count, sum), reading| (count + 1, sum + reading));
    (usize::from(count) * 2 >= group.len()).then(|| sum / f32::from(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reading::SATURATION_WIDTH;
    use super::*;

    /// Latencies of many requests, so that chance has no part in them.
    fn latency(seconds: f64) -> Reading {
        Reading::Latency { seconds, quantile: 0.95, requests: 1e12 }
    }

    fn usual(readings: impl IntoIterator<Item = Reading>) -> Usual {
        let values: Vec<f32> = readings.into_iter().map(|reading| reading.value() as f32).collect();
        Usual::of(&values).expect("readings")
    }

    proptest! {
        #[test]
        fn a_constant_series_never_strays(value in 0.0_f64..1e6, share in 0.0_f64..1.0, readings in 1_usize..300) {
            let bad = (share * value).floor();
            let constant = [
                latency(value.max(1e-6)),
                Reading::Traffic { requests: value.round() },
                Reading::Saturation { utilization: share },
                Reading::Errors { bad, total: value.max(1.0) },
            ];
            for reading in constant {
                let score = usual(vec![reading; readings]).score(&reading).sure;
                prop_assert!(score.abs() < 0.01, "{:?} scores {}", reading, score);
            }
        }

        #[test]
        fn a_step_of_some_scales_scores_about_as_many(
            middle in 0.2_f64..0.8, scale in 0.05_f64..0.1, steps in -20.0_f64..20.0, seed in prop::collection::vec(-1.0_f64..1.0, 100..300),
        ) {
            let readings = seed.iter().map(|at| Reading::Saturation { utilization: middle + at * scale });
            let usual = usual(readings);
            prop_assume!(usual.scale >= SATURATION_WIDTH);
            let step = Reading::Saturation { utilization: usual.median + steps * usual.scale };
            prop_assert!((usual.score(&step).sure - steps).abs() < 1e-6 * steps.abs().max(1.0));
        }

        #[test]
        fn a_service_that_is_slower_throughout_has_the_same_scores(
            times in 0.01_f64..100.0, step in 0.1_f64..10.0, seed in prop::collection::vec(0.01_f64..1.0, 60..300),
        ) {
            let of = |times: f64| {
                usual(seed.iter().map(|seconds| latency(seconds * times))).score(&latency(step * times)).sure
            };
            prop_assert!((of(1.0) - of(times)).abs() < 0.05, "{} {}", of(1.0), of(times));
        }

        #[test]
        fn traffic_many_times_as_high_and_as_wide_has_the_same_scores(
            times in 1_u32..50, step in 0.0_f64..3.0, seed in prop::collection::vec(0.8_f64..1.2, 60..300),
        ) {
            let of = |times: f64| {
                let all = seed.iter().map(|share| Reading::Traffic { requests: share * times });
                usual(all).score(&Reading::Traffic { requests: step * times }).seeming
            };
            prop_assert!((of(1e4) - of(1e4 * f64::from(times))).abs() < 0.01);
        }

        #[test]
        fn outliers_in_four_of_ten_readings_do_not_hide_a_step(
            seed in prop::collection::vec(0.0_f64..1.0, 100..300), far in 5.0_f64..1e3,
        ) {
            let outliers = seed.len() * 4 / 10;
            let incident_then_calm = seed.iter().enumerate().map(|(at, noise)| {
                latency(if at < outliers { far } else { 0.1 * (1.0 + 0.1 * noise) })
            });
            prop_assert!(usual(incident_then_calm).score(&latency(1.0)).sure > 6.0);
            let scattered = seed.iter().enumerate().map(|(at, noise)| {
                latency(if at % 5 < 2 { far } else { 0.1 * (1.0 + 0.1 * noise) })
            });
            prop_assert!(usual(scattered).score(&latency(1.0)).sure > 6.0);
            let failed_before = seed.iter().enumerate().map(|(at, noise)| {
                let bad = if at < outliers { 100.0 } else { (noise * 3.0).floor() };
                Reading::Errors { bad, total: 200.0 }
            });
            let surge = usual(failed_before).score(&Reading::Errors { bad: 40.0, total: 200.0 });
            prop_assert!(surge.sure > 6.0);
        }

        #[test]
        fn a_score_is_always_a_number_within_bounds(values in prop::collection::vec(any::<f32>(), 0..300), reading in any::<f64>()) {
            if let Some(usual) = Usual::of(&values) {
                let score = usual.score(&Reading::Saturation { utilization: reading });
                prop_assert!(score.sure.abs() <= SCORE_MAX && score.seeming.abs() <= SCORE_MAX);
            }
        }
    }
}
