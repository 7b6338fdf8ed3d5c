//! Shares of a whole: `90%` or `0.9`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;
use super::text;

/// A share of a whole from 0 to 1, written as `90%` or `0.9`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// From a number; `None` unless it lies in 0 to 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The share, 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(written: &str) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "`90%` or `0.9`";
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Err(UnitError::Empty { kind: "ratio", example: EXAMPLE });
        }
        let (number, scale) = match trimmed.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let value: f64 = number.parse().map_err(|_| UnitError::Form {
            text: text::echo(written),
            kind: "ratio",
            example: EXAMPLE,
        })?;
        Self::new(value / scale)
            .ok_or_else(|| UnitError::Range { text: text::echo(written), limit: "0% to 100%, or 0 to 1" })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten digits hide the rounding of the multiplication: 0.07 is shown as 7%, not 7.000000000000001%.
        write!(f, "{}%", (self.0 * 1e12).round() / 1e10)
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a ratio such as `90%` or `0.9`")
    }
}

impl JsonSchema for Ratio {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ratio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "ratio",
            "anyOf": [
                { "type": "number", "minimum": 0.0, "maximum": 1.0 },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%?$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_fraction_are_the_same() {
        let parse = |text: &str| text.parse::<Ratio>().map(Ratio::get);
        assert_eq!(parse("90%"), Ok(0.9));
        assert_eq!(parse("0.9"), Ok(0.9));
        assert_eq!(parse("1"), Ok(1.0));
        assert_eq!("7%".parse::<Ratio>().expect("valid").to_string(), "7%");
    }

    #[test]
    fn a_share_of_more_than_the_whole_is_refused() {
        let error = |text: &str| text.parse::<Ratio>().expect_err("refused").to_string();
        assert_eq!(error("90"), "`90` is out of range: 0% to 100%, or 0 to 1");
        assert_eq!(error("NaN"), "`NaN` is out of range: 0% to 100%, or 0 to 1");
        assert_eq!(error("most"), "`most` is no ratio; write for example `90%` or `0.9`");
    }
}
