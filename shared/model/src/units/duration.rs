//! Durations with units: `150ms`, `5m`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;
use super::text;

/// A length of time as people write it: numbers with units, the larger first (`1h30m`, `150ms`,
/// `1.5s`). Units: `ns`, `us`, `ms`, `s`, `m` (minutes), `h`, `d` (24 hours). `0` needs none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// Units from large to small with their length in nanoseconds; also the order of writing.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Longest duration: a hundred years keeps every sum of a few within nanoseconds in 64 bits.
const NANOS_MAX: f64 = 100.0 * 366.0 * 86_400e9;

impl HumanDuration {
    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As the standard library's duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for HumanDuration {
    type Err = UnitError;

    fn from_str(written: &str) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "`150ms`, `5m` or `1h30m`";
        let mut rest = written.trim();
        if rest.is_empty() {
            return Err(UnitError::Empty { kind: "duration", example: EXAMPLE });
        }
        if rest == "0" {
            return Ok(Self::default());
        }
        let form = || UnitError::Form { text: text::echo(written), kind: "duration", example: EXAMPLE };
        let (mut nanos, mut next_unit) = (0.0_f64, 0);
        while !rest.is_empty() {
            let (number, after) = text::split_number(rest);
            let value: f64 = number.parse().map_err(|_| form())?;
            let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            if unit.is_empty() {
                return Err(UnitError::NoUnit { text: text::echo(written), example: format!("`{number}s`") });
            }
            let unit = if unit == "µs" || unit == "μs" { "us" } else { unit };
            let at =
                UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(|| UnitError::UnknownUnit {
                    text: text::echo(written),
                    unit: text::echo(unit),
                    known: "ns, us, ms, s, m, h, d",
                })?;
            if at < next_unit {
                return Err(form());
            }
            next_unit = at + 1;
            nanos += value * UNITS[at].1 as f64;
            rest = after;
        }
        if nanos > NANOS_MAX {
            return Err(UnitError::Range { text: text::echo(written), limit: "at most 100 years" });
        }
        Ok(Self(Duration::from_nanos(nanos.round() as u64)))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            let length = u128::from(length);
            if nanos >= length {
                write!(f, "{}{unit}", nanos / length)?;
                nanos %= length;
            }
        }
        Ok(())
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a duration with a unit such as `150ms` or `5m`")
    }
}

impl JsonSchema for HumanDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "duration",
            "$comment": "Numbers with units, the larger first: `150ms`, `5m`, `1h30m`. Units are `ns`, `us`, \
                         `ms`, `s`, `m` (minutes), `h` and `d`.",
            "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Duration, String> {
        text.parse::<HumanDuration>().map(HumanDuration::get).map_err(|error| error.to_string())
    }

    #[test]
    fn a_duration_is_a_sum_of_numbers_with_units() {
        assert_eq!(parse("150ms"), Ok(Duration::from_millis(150)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
    }

    #[test]
    fn what_is_no_duration_says_what_would_be_one() {
        assert_eq!(parse("30").unwrap_err(), "`30` has no unit; write for example `30s`");
        assert_eq!(
            parse("5min").unwrap_err(),
            "`5min` has the unknown unit `min`; known are ns, us, ms, s, m, h, d"
        );
        assert_eq!(
            parse("soon").unwrap_err(),
            "`soon` is no duration; write for example `150ms`, `5m` or `1h30m`"
        );
        assert!(parse("-5s").is_err());
        assert!(parse("5s5s").is_err());
        assert!(parse("30m1h").is_err());
        assert!(parse("99999999d").unwrap_err().contains("at most 100 years"));
    }

    #[test]
    fn a_duration_is_read_back_as_it_is_shown() {
        for text in ["0s", "150ms", "1h30m", "1s500ms", "1d1h1m1s1ms1us1ns"] {
            let duration: HumanDuration = text.parse().expect("valid");
            assert_eq!(duration.to_string(), text);
        }
    }
}
