//! One value of a metric that is no request.

use xxhash_rust::xxh3::xxh3_64;

use super::config::NegativeGauges;
use super::line::{Kind, Metric};
use super::number::signed;

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// A counter's increase, the sample rate counted in.
    Increase(f64),
    /// A gauge's new value.
    Value(f64),
    /// A change of a gauge.
    Change(f64),
    /// Hash of a set's member.
    Member(u64),
    /// A value with a spread, and how many it stands for.
    Spread(f64, f64),
}

impl Reading {
    /// Reads one of a metric's values; `None` if it is no number where it has to be.
    #[inline]
    pub(super) fn of(metric: &Metric<'_>, value: &[u8], negative_gauges: NegativeGauges) -> Option<Self> {
        if metric.kind == Kind::Set {
            return Some(Self::Member(xxh3_64(value)));
        }
        let number = signed(value)?;
        Some(match metric.kind {
            Kind::Counter => Self::Increase(number / metric.rate),
            Kind::Gauge => {
                let is_change = match value.first() {
                    Some(b'+') => true,
                    Some(b'-') => match negative_gauges {
                        NegativeGauges::Delta => true,
                        NegativeGauges::Value => false,
                        NegativeGauges::Auto => metric.tags.is_empty(),
                    },
                    _ => false,
                };
                if is_change { Self::Change(number) } else { Self::Value(number) }
            }
            _ => Self::Spread(number, 1.0 / metric.rate),
        })
    }
}
