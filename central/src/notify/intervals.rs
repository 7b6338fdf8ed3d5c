//! Times of a week in a time zone: when people are not to be told, or only then.

use goldentime_model::UnixNanos;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::config::routing::{IntervalConfig, TimeIntervalConfig, TimesConfig};

const DAYS: [(&str, Weekday); 7] = [
    ("sunday", Weekday::Sunday),
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
];

const MINUTES_OF_DAY: u16 = 24 * 60;

/// A named interval.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    parts: Vec<Interval>,
}

impl Named {
    pub(super) fn new(config: &TimeIntervalConfig) -> Result<Self, String> {
        let parts = config.time_intervals.iter().map(Interval::new).collect::<Result<_, _>>()?;
        Ok(Self { name: config.name.clone(), parts })
    }

    /// Whether it lasts now.
    pub(super) fn has(&self, now: UnixNanos) -> bool {
        self.parts.iter().any(|part| part.has(now))
    }
}

/// Days and times of a week.
#[derive(Clone, Debug)]
pub(super) struct Interval {
    days: Vec<Weekday>,
    /// Minutes of a day; one that ends before it begins goes over midnight.
    times: Vec<(u16, u16)>,
    zone: TimeZone,
}

impl Interval {
    /// What a configuration means, or why it means nothing.
    pub(super) fn new(config: &IntervalConfig) -> Result<Self, String> {
        let mut days = Vec::new();
        for range in &config.weekdays {
            days.extend(days_of(range)?);
        }
        if config.weekdays.is_empty() {
            days.extend(DAYS.map(|(_, day)| day));
        }
        let mut times = config.times.iter().map(minutes_of).collect::<Result<Vec<_>, _>>()?;
        if times.is_empty() {
            times.push((0, MINUTES_OF_DAY));
        }
        let zone = match config.location.as_deref() {
            None | Some("UTC") => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|error| {
                format!(
                    "location: {error}; name a zone as in `Asia/Seoul`, with the package tzdata installed"
                )
            })?,
        };
        Ok(Self { days, times, zone })
    }

    fn has(&self, now: UnixNanos) -> bool {
        let Ok(now) = jiff::Timestamp::from_nanosecond(now.0.into()) else { return false };
        let local = now.to_zoned(self.zone.clone());
        let minute = minute_of(local.time());
        let (today, before) = (local.weekday(), local.weekday().previous());
        self.times.iter().any(|&(start, end)| {
            if start < end {
                (start..end).contains(&minute) && self.days.contains(&today)
            } else {
                (minute >= start && self.days.contains(&today))
                    || (minute < end && self.days.contains(&before))
            }
        })
    }
}

fn minute_of(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
}

pub(super) fn days_of(range: &str) -> Result<Vec<Weekday>, String> {
    let place = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        DAYS.iter().position(|(day, _)| *day == name).ok_or_else(|| {
            format!("weekdays: `{range}` is no day and no range of days; write it like `monday:friday`")
        })
    };
    let (first, last) = match range.split_once(':') {
        Some((first, last)) => (place(first)?, place(last)?),
        None => (place(range)?, place(range)?),
    };
    // From friday to monday goes over the week's end.
    let count = (last + DAYS.len() - first) % DAYS.len() + 1;
    Ok(DAYS.iter().cycle().skip(first).take(count).map(|(_, day)| *day).collect())
}

fn minutes_of(times: &TimesConfig) -> Result<(u16, u16), String> {
    let read = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let all = hours.checked_mul(60)?.checked_add(minutes)?;
        (minutes < 60 && all <= MINUTES_OF_DAY).then_some(all)
    };
    let (start, end) = (read(&times.start_time), read(&times.end_time));
    match (start, end) {
        (Some(start), Some(end)) if start != end && start < MINUTES_OF_DAY => Ok((start, end)),
        _ => Err(format!(
            "times: `{}` to `{}` are no times of a day; write them like `09:00` to `18:00`",
            times.start_time, times.end_time
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(weekdays: &[&str], times: &[(&str, &str)], zone: &str) -> Result<Interval, String> {
        let times = times
            .iter()
            .map(|(start, end)| TimesConfig { start_time: (*start).to_owned(), end_time: (*end).to_owned() });
        Interval::new(&IntervalConfig {
            weekdays: weekdays.iter().map(|day| (*day).to_owned()).collect(),
            times: times.collect(),
            location: Some(zone.to_owned()),
        })
    }

    fn at(text: &str) -> UnixNanos {
        let at: jiff::Timestamp = text.parse().expect("an instant");
        UnixNanos(i64::try_from(at.as_nanosecond()).expect("in range"))
    }

    #[test]
    fn times_are_those_of_the_zone_with_its_summer_time() {
        let office = interval(&["monday:friday"], &[("09:00", "18:00")], "Europe/Berlin").expect("valid");
        assert!(office.has(at("2026-01-05T08:00:00Z")) && !office.has(at("2026-01-05T07:59:59Z")), "winter");
        assert!(office.has(at("2026-07-06T07:00:00Z")) && !office.has(at("2026-07-06T16:00:00Z")), "summer");
        assert!(!office.has(at("2026-07-05T09:00:00Z")), "a sunday");
        let seoul = interval(&["monday"], &[], "Asia/Seoul").expect("valid");
        assert!(seoul.has(at("2026-01-04T15:00:00Z")) && !seoul.has(at("2026-01-05T15:00:00Z")));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = interval(&["friday"], &[("22:00", "06:00")], "UTC").expect("valid");
        assert!(night.has(at("2026-01-02T22:00:00Z")) && night.has(at("2026-01-03T05:59:00Z")));
        assert!(!night.has(at("2026-01-03T06:00:00Z")) && !night.has(at("2026-01-02T05:00:00Z")));
    }

    #[test]
    fn days_go_over_the_end_of_the_week_and_a_day_ends_at_24() {
        let rest = interval(&["saturday:sunday"], &[("00:00", "24:00")], "UTC").expect("valid");
        assert!(rest.has(at("2026-01-03T00:00:00Z")) && rest.has(at("2026-01-04T23:59:59Z")));
        assert!(!rest.has(at("2026-01-05T00:00:00Z")));
    }

    #[test]
    fn what_is_no_time_is_refused_with_how_to_write_it() {
        for (days, times, zone, reason) in [
            (vec!["funday"], vec![], "UTC", "monday:friday"),
            (vec![], vec![("9", "10:00")], "UTC", "09:00"),
            (vec![], vec![("09:00", "09:00")], "UTC", "09:00"),
            (vec![], vec![("09:00", "24:01")], "UTC", "09:00"),
            (vec![], vec![], "Asia/Pyongtaek", "Asia/Seoul"),
        ] {
            let error = interval(&days, &times, zone).expect_err("refused");
            assert!(error.contains(reason), "{error}");
        }
    }
}
