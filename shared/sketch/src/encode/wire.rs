//! The encoding that travels: a byte for most buckets of a flush.
//!
//! An empty sketch is no bytes at all (so that an absent protobuf field is one). Any other is:
//!
//! | part | form | what |
//! |---|---|---|
//! | version | byte | 1 |
//! | zeros | number | durations counted as zero |
//! | buckets | number | how many buckets follow, at most 2048 |
//! | index | number | of the first bucket, zigzag: 0, −1, 1, −2, … |
//! | count − 1 | number | of the first bucket |
//! | gap, count − 1 | two numbers | for each further bucket: indexes skipped since the last one, and its count |
//! | padding | nibble | zero, where the number of nibbles is odd |
//!
//! A *number* is nibbles of three bits, lowest first, with the top bit set on all but the last; of a
//! byte the lower nibble comes first. `index` and what follows are absent where there are no buckets.

use super::nibble::{NibbleReader, NibbleWriter};
use super::varint::{unzigzag, zigzag};
use super::{DecodeError, Order, VERSION};
use crate::buckets::Outline;
use crate::{BUCKETS_MAX, Sketch};

impl Sketch {
    /// Appends the encoding for the wire: nothing if the sketch is empty.
    pub fn encode_wire(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        out.push(VERSION);
        let mut nibbles = NibbleWriter::new(out);
        nibbles.put(self.zeros());
        nibbles.put(self.buckets().count() as u64);
        let mut last = None;
        for (index, count) in self.buckets() {
            nibbles.put(last.map_or(zigzag(index), |last: i32| (index - last - 1) as u64));
            nibbles.put(count - 1);
            last = Some(index);
        }
    }

    /// Reads what [`Self::encode_wire`] wrote; the bytes hold one sketch and nothing else.
    pub fn decode_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut sketch = Self::new();
        sketch.merge_wire(bytes)?;
        Ok(sketch)
    }

    /// Adds what [`Self::encode_wire`] wrote without building a sketch in between. After an error the
    /// sketch is as it was.
    pub fn merge_wire(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut outline = Outline::default();
        read(bytes, |index, count| outline.note(index, count))?;
        let zeros = match self.prepare(&outline) {
            Some(block) => read(bytes, |index, count| block.add_prepared(index, count))?,
            None => read(bytes, |index, count| self.insert_bucket(index, count))?,
        };
        self.insert_n(0.0, zeros);
        Ok(())
    }
}

/// Hands each bucket to `bucket`, and gives the zeros.
fn read(bytes: &[u8], mut bucket: impl FnMut(i32, u64)) -> Result<u64, DecodeError> {
    match bytes.first() {
        None => return Ok(0),
        Some(&VERSION) => {}
        Some(&version) => return Err(DecodeError::Version(version)),
    }
    let mut nibbles = NibbleReader::at_byte(bytes, 1);
    let zeros = nibbles.take()?;
    let buckets = nibbles.take()?;
    if buckets > BUCKETS_MAX as u64 {
        return Err(DecodeError::Corrupt { at: nibbles.byte(), what: "too many buckets" });
    }
    let (mut order, mut next) = (Order::default(), None);
    for _ in 0..buckets {
        let at = nibbles.byte();
        let number = nibbles.take()?;
        let index = next.map_or(unzigzag(number), |next: i64| next.saturating_add_unsigned(number));
        let index = order.check(index, at)?;
        let count = nibbles.take()?.saturating_add(1);
        bucket(index, count);
        next = Some(i64::from(index) + 1);
    }
    match (nibbles.left(), bytes.last()) {
        (0, _) => Ok(zeros),
        (1, Some(last)) if last >> 4 == 0 => Ok(zeros),
        _ => Err(DecodeError::Corrupt { at: nibbles.byte(), what: "bytes follow the last bucket" }),
    }
}
