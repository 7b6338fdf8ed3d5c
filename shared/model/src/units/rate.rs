//! Rates: `50/s`, `3000/m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;
use super::text;

/// How often something happens, per second (`50/s`), minute (`3000/m`) or hour (`10/h`). Held per
/// second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// From a number of times a second.
    #[must_use]
    pub const fn per_second(per_second: f64) -> Self {
        Self { per_second }
    }

    /// Times a second.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.per_second
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(written: &str) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "`50/s` or `3000/m`";
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Err(UnitError::Empty { kind: "rate", example: EXAMPLE });
        }
        let (number, unit) = text::split_number(trimmed);
        let value: f64 = number.parse().map_err(|_| UnitError::Form {
            text: text::echo(written),
            kind: "rate",
            example: EXAMPLE,
        })?;
        let seconds = match unit.trim_start() {
            "/s" => 1.0,
            "/m" => 60.0,
            "/h" => 3600.0,
            "" => {
                return Err(UnitError::NoUnit {
                    text: text::echo(written),
                    example: format!("`{number}/s`"),
                });
            }
            unit => {
                return Err(UnitError::UnknownUnit {
                    text: text::echo(written),
                    unit: text::echo(unit),
                    known: "/s, /m, /h",
                });
            }
        };
        Ok(Self { per_second: value / seconds })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a rate such as `50/s`")
    }
}

impl JsonSchema for Rate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "rate",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?/[smh]$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_over_minutes_and_hours_are_held_per_second() {
        assert_eq!("50/s".parse(), Ok(Rate::per_second(50.0)));
        assert_eq!("3000/m".parse(), Ok(Rate::per_second(50.0)));
        assert_eq!("0.5 /s".parse(), Ok(Rate::per_second(0.5)));
    }

    #[test]
    fn what_is_no_rate_says_what_would_be_one() {
        let error = |text: &str| text.parse::<Rate>().expect_err("refused").to_string();
        assert_eq!(error("50"), "`50` has no unit; write for example `50/s`");
        assert_eq!(error("50rps"), "`50rps` has the unknown unit `rps`; known are /s, /m, /h");
    }
}
