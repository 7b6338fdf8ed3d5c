//! What all questions to the series store have in common: the stretch of time, its limits, refusals.

use std::sync::Arc;

use goldentime_model::problem::ProblemCode;
use goldentime_model::{Second, UnixNanos};
use goldentime_series::{SeriesStore, Span};

use super::problem::Refusal;
use super::state::ApiState;

/// How the store is called in an answer.
pub(super) const STORE: &str = "the series store";

/// Points of one answer.
const POINTS_MAX: i64 = 11_000;

/// Points that an answer without a step of its own has at most.
const POINTS_USUAL: i64 = 800;

/// Steps that are chosen from where none is asked for.
const STEPS_S: [i64; 9] = [10, 30, 60, 300, 900, 3_600, 10_800, 21_600, 86_400];

/// How far back an answer begins where nothing else is asked for, in seconds.
const USUAL_S: i64 = 3_600;

/// The stretch of time as it was asked for.
pub(super) struct Asked {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) step: Option<i64>,
}

/// The stretch of time, or why there is none.
pub(super) fn span_of(asked: Asked, now: UnixNanos) -> Result<Span, Refusal> {
    /// Far enough for every stamp that can be stored, and for sums of a few.
    const SECOND_MAX: i64 = i64::MAX / 2_000_000_000;
    let until = asked.to.unwrap_or_else(|| now.second().offset(1).0);
    let from = asked.from.unwrap_or_else(|| until.saturating_sub(USUAL_S));
    if !(0..=SECOND_MAX).contains(&from) || !(0..=SECOND_MAX).contains(&until) || from >= until {
        return Err(invalid(format!(
            "from, to: {from} to {until} is no stretch of time in seconds since 1970"
        )));
    }
    let step_s = match asked.step {
        Some(step_s) => step_s,
        None => {
            let few = |step_s: &i64| (until - from) / step_s <= POINTS_USUAL;
            STEPS_S.into_iter().find(few).unwrap_or(STEPS_S[STEPS_S.len() - 1])
        }
    };
    if !(10..=SECOND_MAX).contains(&step_s) || step_s % 10 != 0 {
        return Err(invalid(format!("step: {step_s} is no multiple of 10 seconds")));
    }
    let span = Span { from: Second(from), until: Second(until), step_s };
    match span.points() {
        points if points > POINTS_MAX => Err(invalid(format!(
            "step: {points} points, {POINTS_MAX} allowed; ask for a longer step or a shorter stretch"
        ))),
        _ => Ok(span),
    }
}

/// The series store, where there is one.
pub(super) fn store_of(state: &ApiState) -> Result<&Arc<dyn SeriesStore>, Refusal> {
    let none = || {
        let detail = "history is not kept here; set series.enabled in central.yaml";
        Refusal::new(ProblemCode::Unavailable, detail)
    };
    state.series.as_ref().ok_or_else(none)
}

/// A parameter is not as documented.
pub(super) fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = Second(1_700_000_000).start();

    fn span(from: Option<i64>, to: Option<i64>, step: Option<i64>) -> Result<Span, String> {
        span_of(Asked { from, to, step }, NOW).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn the_last_hour_is_shown_by_ten_seconds_and_a_month_by_hours() {
        let hour = span(None, None, None).expect("valid");
        assert_eq!((hour.from, hour.until, hour.step_s), (Second(1_699_996_401), Second(1_700_000_001), 10));
        let month = span(Some(1_700_000_000 - 30 * 86_400), Some(1_700_000_000), None).expect("valid");
        assert_eq!(month.step_s, 3_600);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_the_way_out() {
        assert!(span(Some(10), Some(10), None).expect_err("empty").contains("no stretch"));
        assert!(span(Some(-1), Some(10), None).expect_err("early").contains("no stretch"));
        assert!(span(Some(0), Some(i64::MAX), None).expect_err("late").contains("no stretch"));
        assert!(span(None, None, Some(15)).expect_err("odd").contains("multiple of 10"));
        assert!(span(None, None, Some(0)).expect_err("zero").contains("multiple of 10"));
        let many = span(Some(0), Some(1_000_000_000), Some(10)).expect_err("many");
        assert!(many.contains("longer step"), "{many}");
    }
}
