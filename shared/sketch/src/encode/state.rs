//! The encoding of stored windows: read and added up far more often than written.
//!
//! | part | form | what |
//! |---|---|---|
//! | version | byte | 1 |
//! | length | varint | bytes that follow |
//! | zeros | varint | durations counted as zero |
//! | groups | | until the length is used up |
//!
//! A *group* is 16 buckets whose indexes begin at a multiple of 16, at least one of them not empty:
//!
//! | part | form | what |
//! |---|---|---|
//! | number | varint | of the first group: index / 16, zigzag; of the others: groups skipped since the last |
//! | width | byte | of a count: 1, 2, 4 or 8 bytes |
//! | mask | 2 bytes | bit n is set if bucket n of the group is not empty; little-endian |
//! | counts | little-endian | of the buckets that are not empty, from the lowest; none is zero |
//!
//! Varints are those of Protocol Buffers. The length lets a reader pass over a sketch that it was not
//! asked for.

use super::varint::{self, unzigzag, zigzag};
use super::{DecodeError, Order, VERSION};
use crate::Sketch;
use crate::buckets::Outline;

const GROUP: i32 = 16;

impl Sketch {
    /// Appends the encoding for stored state: three bytes if the sketch is empty.
    pub fn encode_state(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        let mut body = Vec::new();
        varint::put(&mut body, self.zeros());
        let mut buckets = self.buckets().peekable();
        let mut last = None;
        while let Some(&(index, _)) = buckets.peek() {
            let number = index.div_euclid(GROUP);
            let mut counts = [0_u64; GROUP as usize];
            while let Some((index, count)) = buckets.next_if(|bucket| bucket.0.div_euclid(GROUP) == number) {
                counts[index.rem_euclid(GROUP) as usize] = count;
            }
            varint::put(&mut body, last.map_or(zigzag(number), |last: i32| (number - last - 1) as u64));
            put_group(&mut body, &counts);
            last = Some(number);
        }
        varint::put(out, body.len() as u64);
        out.extend_from_slice(&body);
    }

    /// Reads what [`Self::encode_state`] wrote at the beginning of `bytes`; gives the sketch and how
    /// many bytes it took.
    pub fn decode_state(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut sketch = Self::new();
        let taken = sketch.merge_state(bytes)?;
        Ok((sketch, taken))
    }

    /// Adds what [`Self::encode_state`] wrote at the beginning of `bytes` without building a sketch in
    /// between; gives how many bytes it took. After an error the sketch is as it was.
    pub fn merge_state(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut outline = Outline::default();
        read(bytes, |index, count| outline.note(index, count))?;
        let (zeros, taken) = match self.prepare(&outline) {
            Some(block) => read(bytes, |index, count| block.add_prepared(index, count))?,
            None => read(bytes, |index, count| self.insert_bucket(index, count))?,
        };
        self.insert_n(0.0, zeros);
        Ok(taken)
    }
}

/// How many bytes the sketch at the beginning of `bytes` takes, without looking into it.
pub fn skip_state(bytes: &[u8]) -> Result<usize, DecodeError> {
    body(bytes).map(|(_, end)| end)
}

/// Where the body begins and ends.
fn body(bytes: &[u8]) -> Result<(usize, usize), DecodeError> {
    match bytes.first() {
        None => return Err(DecodeError::Truncated(0)),
        Some(&VERSION) => {}
        Some(&version) => return Err(DecodeError::Version(version)),
    }
    let mut at = 1;
    let len = varint::take(bytes, &mut at)?;
    match usize::try_from(len).ok().and_then(|len| at.checked_add(len)) {
        Some(end) if end <= bytes.len() => Ok((at, end)),
        _ => Err(DecodeError::Truncated(bytes.len())),
    }
}

fn put_group(out: &mut Vec<u8>, counts: &[u64; GROUP as usize]) {
    let most = counts.iter().copied().max().unwrap_or(0);
    let width = match most {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    let mask = counts.iter().rev().fold(0_u16, |mask, count| mask << 1 | u16::from(*count > 0));
    out.push(width);
    out.extend_from_slice(&mask.to_le_bytes());
    for count in counts.iter().filter(|count| **count > 0) {
        out.extend_from_slice(&count.to_le_bytes()[..usize::from(width)]);
    }
}

/// Hands each bucket to `bucket`; gives the zeros and how many bytes the sketch took.
fn read(bytes: &[u8], mut bucket: impl FnMut(i32, u64)) -> Result<(u64, usize), DecodeError> {
    let (mut at, end) = body(bytes)?;
    let bytes = &bytes[..end];
    let zeros = varint::take(bytes, &mut at)?;
    let (mut order, mut next) = (Order::default(), None);
    while at < end {
        let group_at = at;
        let number = varint::take(bytes, &mut at)?;
        let number = next.map_or(unzigzag(number), |next: i64| next.saturating_add_unsigned(number));
        let first = number.saturating_mul(i64::from(GROUP));
        let Some(&[width, mask_low, mask_high]) = bytes.get(at..at + 3) else {
            return Err(DecodeError::Truncated(end));
        };
        let mut mask = u16::from_le_bytes([mask_low, mask_high]);
        if !matches!(width, 1 | 2 | 4 | 8) || mask == 0 {
            return Err(DecodeError::Corrupt { at, what: "a group has no width or no buckets" });
        }
        at += 3;
        let width = usize::from(width);
        while mask != 0 {
            let index = order.check(first.saturating_add(i64::from(mask.trailing_zeros())), group_at)?;
            match count_at(bytes.get(at..at + width).ok_or(DecodeError::Truncated(end))?) {
                0 => return Err(DecodeError::Corrupt { at, what: "a bucket is empty" }),
                count => bucket(index, count),
            }
            at += width;
            mask &= mask - 1;
        }
        next = Some(number.saturating_add(1));
    }
    Ok((zeros, end))
}

/// A little-endian count of 1, 2, 4 or 8 bytes.
#[inline]
fn count_at(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}
