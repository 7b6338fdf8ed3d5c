//! Sizes with units: `64MiB`, `10GB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;
use super::text;

/// A number of bytes as people write it: `64MiB`, `1.5GiB`, `10GB`, `512B`. Binary units (`KiB` to
/// `TiB`) count in 1024, decimal ones (`kB` to `TB`) in 1000. `0` needs no unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// From mebibytes.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// From kibibytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    /// In bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// For people who compare: in its largest binary unit with at most two decimals, rounded up, `1.08GiB`.
    #[must_use]
    pub fn rounded(self) -> String {
        let binary = |(unit, length): &(&'static str, u64)| {
            (unit.ends_with("iB") && self.0 >= *length).then_some((*unit, *length))
        };
        let Some((unit, length)) = UNITS.iter().find_map(binary) else { return format!("{}B", self.0) };
        let hundredths = (u128::from(self.0) * 100).div_ceil(u128::from(length));
        let decimals = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        format!("{}{unit}", decimals.trim_end_matches('0').trim_end_matches('.'))
    }

    /// In bytes, as a length in memory; saturates where memory is smaller.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(written: &str) -> Result<Self, UnitError> {
        const EXAMPLE: &str = "`64MiB` or `10GB`";
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Err(UnitError::Empty { kind: "size", example: EXAMPLE });
        }
        if trimmed == "0" {
            return Ok(Self(0));
        }
        let (number, unit) = text::split_number(trimmed);
        let value: f64 = number.parse().map_err(|_| UnitError::Form {
            text: text::echo(written),
            kind: "size",
            example: EXAMPLE,
        })?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Err(UnitError::NoUnit { text: text::echo(written), example: format!("`{number}MiB`") });
        }
        let (_, length) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| UnitError::UnknownUnit {
                text: text::echo(written),
                unit: text::echo(unit),
                known: "B, KiB, MiB, GiB, TiB, kB, MB, GB, TB",
            })?;
        let bytes = value * *length as f64;
        if bytes > (1_u64 << 53) as f64 {
            return Err(UnitError::Range { text: text::echo(written), limit: "at most 8192TiB" });
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, length)| self.0 > 0 && self.0.is_multiple_of(*length));
        match exact {
            Some((unit, length)) => write!(f, "{}{unit}", self.0 / length),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a size with a unit such as `64MiB`")
    }
}

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "size",
            "$comment": "A number with its unit, such as `64MiB` or `10GB`: `KiB` to `TiB` count in 1024, \
                         `kB` to `TB` in 1000.",
            "pattern": r"^(0|[0-9]+(\.[0-9]+)? ?(B|[KMGT]iB|[kKMGT]B))$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_units_count_in_1024_and_decimal_ones_in_1000() {
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        assert_eq!("1.5KiB".parse(), Ok(ByteSize(1536)));
        assert_eq!("10 GB".parse(), Ok(ByteSize(10_000_000_000)));
        assert_eq!("0".parse(), Ok(ByteSize(0)));
    }

    #[test]
    fn what_is_no_size_says_what_would_be_one() {
        let error = |text: &str| text.parse::<ByteSize>().expect_err("refused").to_string();
        assert_eq!(error("64"), "`64` has no unit; write for example `64MiB`");
        assert_eq!(
            error("64M"),
            "`64M` has the unknown unit `M`; known are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"
        );
        assert_eq!(error("much"), "`much` is no size; write for example `64MiB` or `10GB`");
    }

    #[test]
    fn a_sum_is_shown_in_its_largest_unit_rounded_up() {
        let rounded = |kib: u64| ByteSize::kib(kib).rounded();
        assert_eq!(
            [rounded(1_124_658), rounded(660_360), rounded(208 << 10), rounded(1 << 20), rounded(0)],
            ["1.08GiB", "644.89MiB", "208MiB", "1GiB", "0B"]
        );
        assert_eq!((ByteSize(1023).rounded(), ByteSize(1025).rounded()), ("1023B".into(), "1.01KiB".into()));
    }

    #[test]
    fn a_size_is_read_back_as_it_is_shown() {
        for text in ["64MiB", "10GB", "1023B", "1KiB"] {
            assert_eq!(text.parse::<ByteSize>().expect("valid").to_string(), text);
        }
    }
}
