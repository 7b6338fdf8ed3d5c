//! The samples of one bucket.
//!
//! | part | form | what |
//! |---|---|---|
//! | flags | byte | bit 0: all readings are `last`; the others are zero |
//! | count | varint | readings |
//! | at | varint | milliseconds from the bucket's start to the last reading |
//! | last | double | the last reading |
//! | min, max, sum | doubles | absent where flag 0 is set |
//!
//! Doubles are little-endian IEEE, varints those of Protocol Buffers.

use goldentime_model::{Second, UnixNanos};
use goldentime_sketch::encode::varint;

const FLAG_CONSTANT: u8 = 1;

/// The readings of one metric in one bucket. Adding is commutative and associative, but for what
/// rounding makes of `sum`, and for two readings of the same millisecond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// How many there were; never 0.
    pub count: u64,
    /// Their sum: for a counter, by how much it grew.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The newest.
    pub last: f64,
    /// When that was, in milliseconds since the epoch.
    pub last_ms: i64,
}

impl Reading {
    /// One reading.
    #[must_use]
    pub const fn of(value: f64, at: UnixNanos) -> Self {
        Self { count: 1, sum: value, min: value, max: value, last: value, last_ms: at.as_millis() }
    }

    /// Adds what another bucket holds.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.last_ms >= self.last_ms {
            (self.last, self.last_ms) = (other.last, other.last_ms);
        }
    }

    /// The mean; for a gauge, what stands for its bucket.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Its bytes in a bucket that begins at `start`.
    #[must_use]
    pub fn encode(&self, start: Second) -> Vec<u8> {
        let is_constant = self.min.to_bits() == self.max.to_bits()
            && self.last.to_bits() == self.min.to_bits()
            && (self.last * self.count as f64).to_bits() == self.sum.to_bits();
        let mut out = vec![if is_constant { FLAG_CONSTANT } else { 0 }];
        varint::put(&mut out, self.count);
        let after = self.last_ms.saturating_sub(start.start().as_millis()).max(0);
        varint::put(&mut out, after as u64);
        out.extend_from_slice(&self.last.to_le_bytes());
        if !is_constant {
            for value in [self.min, self.max, self.sum] {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Self::encode`] wrote; `None` where it did not write that.
    #[must_use]
    pub fn decode(bytes: &[u8], start: Second) -> Option<Self> {
        let (&flags, _) = bytes.split_first()?;
        let mut at = 1;
        let count = varint::take(bytes, &mut at).ok().filter(|count| *count > 0)?;
        let after = i64::try_from(varint::take(bytes, &mut at).ok()?).ok()?;
        let mut double = || {
            let value = f64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
            at += 8;
            Some(value)
        };
        let last = double()?;
        let (min, max, sum) = match flags {
            FLAG_CONSTANT => (last, last, last * count as f64),
            0 => (double()?, double()?, double()?),
            _ => return None,
        };
        let last_ms = start.start().as_millis().saturating_add(after);
        (at == bytes.len()).then_some(Self { count, sum, min, max, last, last_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Second = Second(1_700_000_000);

    fn of(values: &[f64]) -> Reading {
        let at = |n: usize| START.start().saturating_add(n as i64 * 1_000_000_000);
        let mut readings = values.iter().enumerate().map(|(n, value)| Reading::of(*value, at(n)));
        let mut sum = readings.next().expect("some");
        readings.for_each(|reading| sum.merge(&reading));
        sum
    }

    #[test]
    fn a_bucket_is_read_back_as_it_was_written() {
        for values in [&[0.25][..], &[3.0, 3.0, 3.0], &[1.0, -2.0, 0.5]] {
            let reading = of(values);
            let bytes = reading.encode(START);
            assert_eq!(Reading::decode(&bytes, START), Some(reading), "{values:?}");
            assert_eq!(Reading::decode(&bytes[..bytes.len() - 1], START), None);
        }
        assert_eq!(of(&[3.0; 10]).encode(START).len(), 12);
        assert_eq!(Reading::decode(&[], START), None);
        assert_eq!(Reading::decode(&[9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], START), None);
    }

    #[test]
    fn the_newest_reading_is_the_last_in_whatever_order_they_come() {
        let (early, late) = (Reading::of(1.0, START.start()), Reading::of(2.0, START.end()));
        let (mut one, mut other) = (early, late);
        one.merge(&late);
        other.merge(&early);
        assert_eq!(one, other);
        assert_eq!((one.last, one.mean(), one.min), (2.0, 1.5, 1.0));
    }
}
