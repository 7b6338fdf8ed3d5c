//! The period of an error budget: rolling, or aligned to a calendar.

use goldentime_model::Second;
use goldentime_model::units::{Shorthand, ShorthandUnit};
use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Over what an SLO's budget is reckoned.
#[derive(Clone, Debug, PartialEq)]
pub enum BudgetWindow {
    /// The last so many seconds.
    Rolling(u32),
    /// From a date on, again and again.
    Calendar(Calendar),
}

/// Periods that follow one another by the calendar of a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Length of one.
    pub every: Shorthand,
    /// Local time at which one of them begins.
    pub start: DateTime,
    /// The zone.
    pub zone: TimeZone,
}

/// The period of an SLO that gives none.
pub const USUAL: BudgetWindow = BudgetWindow::Rolling(28 * 86_400);

impl Calendar {
    /// First second of the period that holds `at`, and first second after it. Months count from the
    /// start's own day, so that one begun on the 31st begins on the last day of shorter months.
    #[must_use]
    pub fn period(&self, at: Second) -> (Second, Second) {
        let guess = at.0.saturating_sub(self.begin(0)).div_euclid(self.mean_s());
        // The mean is off by a few days in a century.
        let mut number = guess.saturating_sub(2);
        while self.begin(number + 1) <= at.0 && number < guess.saturating_add(4) {
            number += 1;
        }
        (Second(self.begin(number)), Second(self.begin(number + 1)))
    }

    /// Second at which the period of this number begins.
    fn begin(&self, number: i64) -> i64 {
        let count = number.saturating_mul(i64::from(self.every.count));
        let begin = self.span(count).and_then(|span| self.start.checked_add(span));
        let begin = begin.and_then(|local| local.to_zoned(self.zone.clone()));
        // Beyond the calendar there is nothing to reckon.
        let end = if number < 0 { i64::MIN / 4 } else { i64::MAX / 4 };
        begin.map_or(end, |begin| begin.timestamp().as_second())
    }

    fn span(&self, count: i64) -> Result<Span, jiff::Error> {
        match self.every.unit {
            ShorthandUnit::Second => Span::new().try_seconds(count),
            ShorthandUnit::Minute => Span::new().try_minutes(count),
            ShorthandUnit::Hour => Span::new().try_hours(count),
            ShorthandUnit::Day => Span::new().try_days(count),
            ShorthandUnit::Week => Span::new().try_weeks(count),
            ShorthandUnit::Month => Span::new().try_months(count),
            ShorthandUnit::Quarter => Span::new().try_months(count.saturating_mul(3)),
            ShorthandUnit::Year => Span::new().try_years(count),
        }
    }

    fn mean_s(&self) -> i64 {
        mean_s(self.every)
    }
}

/// About how long a duration of the calendar is, in seconds.
#[must_use]
pub fn mean_s(every: Shorthand) -> i64 {
    const YEAR_S: i64 = 31_556_952;
    let unit = match every.unit {
        ShorthandUnit::Second => 1,
        ShorthandUnit::Minute => 60,
        ShorthandUnit::Hour => 3_600,
        ShorthandUnit::Day => 86_400,
        ShorthandUnit::Week => 604_800,
        ShorthandUnit::Month => YEAR_S / 12,
        ShorthandUnit::Quarter => YEAR_S / 4,
        ShorthandUnit::Year => YEAR_S,
    };
    (unit * i64::from(every.count)).max(1)
}

impl BudgetWindow {
    /// First second of what is reckoned at `at`, and first second after it.
    #[must_use]
    pub fn period(&self, at: Second) -> (Second, Second) {
        match self {
            Self::Rolling(seconds) => (at.offset(1 - i64::from(*seconds)), at.offset(1)),
            Self::Calendar(calendar) => calendar.period(at),
        }
    }

    /// In words: `28d, rolling`, `1M from 2026-01-01T00:00:00 Asia/Seoul`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Rolling(seconds) if seconds % 86_400 == 0 => format!("{}d, rolling", seconds / 86_400),
            Self::Rolling(seconds) if seconds % 3_600 == 0 => format!("{}h, rolling", seconds / 3_600),
            Self::Rolling(seconds) => format!("{seconds}s, rolling"),
            Self::Calendar(Calendar { every, start, zone }) => {
                format!("{every} from {start} {}", zone.iana_name().unwrap_or("UTC"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(every: &str, start: &str, zone: &str) -> Calendar {
        Calendar {
            every: every.parse().expect("a duration"),
            start: start.parse().expect("a date"),
            zone: TimeZone::get(zone).expect("a zone"),
        }
    }

    fn at(text: &str) -> Second {
        Second(text.parse::<jiff::Timestamp>().expect("an instant").as_second())
    }

    #[test]
    fn a_month_begins_at_local_midnight_on_both_sides_of_daylight_saving() {
        let month = calendar("1M", "2022-01-01 00:00:00", "America/New_York");
        assert_eq!(
            month.period(at("2026-03-20T12:00:00Z")),
            (at("2026-03-01T05:00:00Z"), at("2026-04-01T04:00:00Z"))
        );
        assert_eq!(month.period(at("2026-03-01T05:00:00Z")).0, at("2026-03-01T05:00:00Z"));
        assert_eq!(month.period(at("2026-03-01T04:59:59Z")).0, at("2026-02-01T05:00:00Z"));
    }

    #[test]
    fn months_begun_on_the_31st_begin_on_the_last_day_of_shorter_ones() {
        let month = calendar("1M", "2026-01-31 00:00:00", "UTC");
        assert_eq!(
            month.period(at("2026-03-15T00:00:00Z")),
            (at("2026-02-28T00:00:00Z"), at("2026-03-31T00:00:00Z"))
        );
    }

    #[test]
    fn weeks_quarters_and_years_and_the_time_before_the_start() {
        let week = calendar("1w", "2022-01-01 12:00:00", "Asia/Seoul");
        assert_eq!(
            week.period(at("2021-12-31T00:00:00Z")),
            (at("2021-12-25T03:00:00Z"), at("2022-01-01T03:00:00Z"))
        );
        let quarter = calendar("1Q", "2026-01-01 00:00:00", "UTC");
        assert_eq!(
            quarter.period(at("2026-11-23T00:00:00Z")),
            (at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
        );
        let year = calendar("1Y", "2020-02-29 00:00:00", "UTC");
        assert_eq!(year.period(at("2026-11-23T00:00:00Z")).0, at("2026-02-28T00:00:00Z"));
    }

    #[test]
    fn a_rolling_period_ends_now() {
        assert_eq!(BudgetWindow::Rolling(3600).period(Second(10_000)), (Second(6_401), Second(10_001)));
        assert_eq!(USUAL.describe(), "28d, rolling");
    }
}
