//! OpenSLO's duration shorthand: `5m`, `1h`, `28d`, `1M`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;
use super::text;

/// OpenSLO v1's `duration-shorthand`: one number and one unit of m, h, d, w, M, Q, Y (`5m`, `28d`,
/// `1M`). Beyond the specification `s` is read too, because a window may be of seconds here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shorthand {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: ShorthandUnit,
}

/// Units of the shorthand. Case matters: `m` is a minute and `M` a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShorthandUnit {
    /// `s`, our addition.
    Second,
    /// `m`.
    Minute,
    /// `h`.
    Hour,
    /// `d`.
    Day,
    /// `w`.
    Week,
    /// `M`: of the calendar.
    Month,
    /// `Q`: of the calendar.
    Quarter,
    /// `Y`: of the calendar.
    Year,
}

impl ShorthandUnit {
    const ALL: [(Self, &str, Option<u64>); 8] = [
        (Self::Second, "s", Some(1)),
        (Self::Minute, "m", Some(60)),
        (Self::Hour, "h", Some(3_600)),
        (Self::Day, "d", Some(86_400)),
        (Self::Week, "w", Some(604_800)),
        (Self::Month, "M", None),
        (Self::Quarter, "Q", None),
        (Self::Year, "Y", None),
    ];

    fn row(self) -> (Self, &'static str, Option<u64>) {
        Self::ALL[self as usize]
    }
}

impl Shorthand {
    /// The fixed length; `None` for months, quarters and years, whose length the calendar says.
    #[must_use]
    pub fn fixed(self) -> Option<Duration> {
        let (_, _, seconds) = self.unit.row();
        seconds.map(|seconds| Duration::from_secs(seconds * u64::from(self.count)))
    }
}

impl FromStr for Shorthand {
    type Err = UnitError;

    fn from_str(written: &str) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "`5m`, `1h` or `28d`";
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Err(UnitError::Empty { kind: "duration", example: EXAMPLE });
        }
        let form = || UnitError::Form { text: text::echo(written), kind: "duration", example: EXAMPLE };
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        if number.is_empty() {
            return Err(form());
        }
        let count = number
            .parse()
            .map_err(|_| UnitError::Range { text: text::echo(written), limit: "at most 4294967295" })?;
        if unit.is_empty() {
            return Err(UnitError::NoUnit { text: text::echo(written), example: format!("`{number}m`") });
        }
        let found = ShorthandUnit::ALL.iter().find(|(_, name, _)| *name == unit);
        let (unit, ..) = found.ok_or_else(|| UnitError::UnknownUnit {
            text: text::echo(written),
            unit: text::echo(unit),
            known: "s, m (minute), h, d, w, M (month), Q, Y",
        })?;
        Ok(Self { count, unit: *unit })
    }
}

impl fmt::Display for Shorthand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.row().1)
    }
}

impl Serialize for Shorthand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shorthand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a duration shorthand such as `5m` or `28d`")
    }
}

impl JsonSchema for Shorthand {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "duration-shorthand".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "duration-shorthand",
            "pattern": "^[0-9]+[smhdwMQY]$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_told_from_a_month_by_its_case() {
        let minute: Shorthand = "1m".parse().expect("valid");
        assert_eq!(minute.fixed(), Some(Duration::from_secs(60)));
        let month: Shorthand = "1M".parse().expect("valid");
        assert_eq!((month.unit, month.fixed()), (ShorthandUnit::Month, None));
    }

    #[test]
    fn every_unit_is_read_back_as_it_is_shown() {
        for text in ["10s", "5m", "1h", "1d", "4w", "1M", "1Q", "1Y"] {
            assert_eq!(text.parse::<Shorthand>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_shorthand_says_what_would_be_one() {
        let error = |text: &str| text.parse::<Shorthand>().expect_err("refused").to_string();
        assert_eq!(error("5"), "`5` has no unit; write for example `5m`");
        assert!(error("1h30m").contains("unknown unit `h30m`"));
        assert_eq!(error("string"), "`string` is no duration; write for example `5m`, `1h` or `28d`");
    }
}
