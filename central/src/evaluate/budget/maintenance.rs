//! Maintenance: stretches of time that are taken out of a budget, with who and why.

use std::fmt;
use std::str::FromStr;

use goldentime_model::Second;
use goldentime_model::units::HumanDuration;
use jiff::Zoned;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;

/// Longest maintenance, in seconds.
const LONGEST_S: u64 = 7 * 86_400;

/// One maintenance window.
///
/// Written as `2026-11-24T02:00/2h Asia/Seoul kim: moving the database` or, weekly,
/// `sun 03:00/90m Europe/Berlin ops: reindex`. Without a zone it is UTC.
#[derive(Clone, Debug, PartialEq)]
pub struct Maintenance {
    /// When.
    pub when: When,
    /// How long, in whole minutes.
    pub seconds: i64,
    /// The zone of its times.
    pub zone: TimeZone,
    /// Who takes it out of the budget.
    pub who: String,
    /// Why.
    pub why: String,
}

/// When it begins, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once(DateTime),
    /// Every week.
    Weekly(Weekday, Time),
}

impl Maintenance {
    /// The windows that overlap `from..until`, by time.
    #[must_use]
    pub fn between(&self, from: Second, until: Second) -> Vec<(Second, Second)> {
        let window = |begin: Zoned| {
            let begin = Second(begin.timestamp().as_second());
            (begin, begin.offset(self.seconds))
        };
        let overlaps = |(begin, end): &(Second, Second)| *begin < until && *end > from;
        match self.when {
            When::Once(begin) => {
                let begin = begin.to_zoned(self.zone.clone()).ok();
                begin.map(window).filter(overlaps).into_iter().collect()
            }
            When::Weekly(day, time) => {
                let first =
                    jiff::Timestamp::from_second(from.0.saturating_sub(self.seconds)).unwrap_or_default();
                let date = first.to_zoned(self.zone.clone()).date();
                let weeks = (until.0 - from.0 + self.seconds) / 604_800 + 2;
                let begins =
                    std::iter::successors(date.yesterday().ok(), |date| date.nth_weekday(1, day).ok());
                let begins = begins.skip(1).take(usize::try_from(weeks).unwrap_or(1));
                begins
                    .filter_map(|date| date.to_datetime(time).to_zoned(self.zone.clone()).ok())
                    .map(window)
                    .filter(overlaps)
                    .collect()
            }
        }
    }
}

/// All windows of several that overlap `from..until`, by time, joined where they touch.
#[must_use]
pub fn between(all: &[Maintenance], from: Second, until: Second) -> Vec<(Second, Second)> {
    let mut windows: Vec<_> = all.iter().flat_map(|one| one.between(from, until)).collect();
    windows.sort_unstable();
    let mut joined: Vec<(Second, Second)> = Vec::with_capacity(windows.len());
    for (begin, end) in windows {
        match joined.last_mut() {
            Some(last) if begin <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((begin, end)),
        }
    }
    joined
}

impl FromStr for Maintenance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str =
            "write `2026-11-24T02:00/2h Asia/Seoul kim: why`, or weekly `sun 03:00/2h Asia/Seoul kim: why`";
        let (head, why) =
            text.split_once(": ").ok_or_else(|| format!("`{text}` does not say who and why; {FORM}"))?;
        let mut words: Vec<&str> = head.split_whitespace().collect();
        let weekly = words.first().and_then(|word| weekday(word));
        if weekly.is_some() {
            words.remove(0);
        }
        let (begin, length) = words
            .first()
            .and_then(|word| word.split_once('/'))
            .ok_or_else(|| format!("`{text}` has no beginning and length; {FORM}"))?;
        let length: HumanDuration = length.parse().map_err(|error| format!("`{length}`: {error}"))?;
        let seconds = length.get().as_secs();
        if !(60..=LONGEST_S).contains(&seconds) || seconds % 60 != 0 {
            return Err(format!("`{length}` is not a whole number of minutes from `1m` to `7d`"));
        }
        let when = match weekly {
            Some(day) => begin.parse().map(|time| When::Weekly(day, time)),
            None => begin.parse().map(When::Once),
        };
        let when = when.map_err(|error| format!("`{begin}`: {error}"))?;
        let (zone, who) = match words[1..] {
            [who] => ("UTC", who),
            [zone, who] => (zone, who),
            _ => return Err(format!("`{text}` does not say who; {FORM}")),
        };
        if why.trim().is_empty() {
            return Err(format!("`{text}` does not say why; {FORM}"));
        }
        let zone = zone_of(zone)?;
        Ok(Self {
            when,
            seconds: i64::try_from(seconds).unwrap_or(60),
            zone,
            who: who.to_owned(),
            why: why.trim().to_owned(),
        })
    }
}

/// A zone by its name in the time zone database.
pub fn zone_of(name: &str) -> Result<TimeZone, String> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        format!("`{name}` is no time zone that this machine knows; write one such as `Asia/Seoul` (package tzdata)")
    })
}

fn weekday(word: &str) -> Option<Weekday> {
    let days = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let word = word.to_ascii_lowercase();
    days.into_iter().find(|(name, _)| *name == word).map(|(_, day)| day)
}

impl fmt::Display for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.seconds / 60;
        match self.when {
            When::Once(begin) => write!(f, "{begin}/{minutes}m")?,
            When::Weekly(day, time) => write!(f, "{day:?} {time}/{minutes}m")?,
        }
        write!(f, " {} {}: {}", self.zone.iana_name().unwrap_or("UTC"), self.who, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Second {
        Second(text.parse::<jiff::Timestamp>().expect("an instant").as_second())
    }

    fn parse(text: &str) -> Result<Maintenance, String> {
        text.parse()
    }

    #[test]
    fn one_that_happens_once_is_there_once() {
        let once = parse("2026-11-24T02:00/2h Asia/Seoul kim: moving the database").expect("valid");
        assert_eq!((once.who.as_str(), once.why.as_str()), ("kim", "moving the database"));
        let window = (at("2026-11-23T17:00:00Z"), at("2026-11-23T19:00:00Z"));
        assert_eq!(once.between(at("2026-11-23T18:00:00Z"), at("2026-12-23T18:00:00Z")), [window]);
        assert_eq!(once.between(window.1, window.1.offset(10)), []);
    }

    #[test]
    fn a_weekly_one_keeps_its_local_time_over_daylight_saving() {
        let weekly = parse("sun 03:00/90m Europe/Berlin ops: reindex").expect("valid");
        let windows = weekly.between(at("2026-10-20T00:00:00Z"), at("2026-11-02T00:00:00Z"));
        assert_eq!(
            windows,
            [
                (at("2026-10-25T02:00:00Z"), at("2026-10-25T03:30:00Z")),
                (at("2026-11-01T02:00:00Z"), at("2026-11-01T03:30:00Z")),
            ]
        );
        // One that began before is there too.
        let inside = at("2026-11-01T03:00:00Z");
        assert_eq!(weekly.between(inside, inside.offset(1)).len(), 1);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let all = ["2026-11-24T02:00/1h a: x", "2026-11-24T03:00/1h b: y", "2026-11-24T05:00/1h c: z"];
        let all: Vec<_> = all.iter().map(|text| parse(text).expect("valid")).collect();
        let joined = between(&all, at("2026-11-24T00:00:00Z"), at("2026-11-25T00:00:00Z"));
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[0], (at("2026-11-24T02:00:00Z"), at("2026-11-24T04:00:00Z")));
    }

    #[test]
    fn who_and_why_are_asked_for() {
        let refused = |text: &str| parse(text).expect_err("refused");
        assert!(refused("sun 03:00/2h").contains("who and why"));
        assert!(refused("sun 03:00/2h : why").contains("who"));
        assert!(refused("sun 03:00/30s kim: why").contains("whole number of minutes"));
        assert!(refused("sun 25:00/2h kim: why").contains("`25:00`"));
        assert!(refused("sun 03:00/2h Mars/Base kim: why").contains("no time zone"));
        assert!(refused("someday kim: why").contains("no beginning and length"));
    }
}
