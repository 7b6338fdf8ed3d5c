//! Integers of three bits a nibble, lowest first, the top bit set on all but the last. The lower
//! nibble of a byte comes first.

use super::DecodeError;

/// Most nibbles that 64 bits take.
const NIBBLES_MAX: u32 = 22;

/// Appends nibbles to bytes.
pub(super) struct NibbleWriter<'a> {
    out: &'a mut Vec<u8>,
    half: bool,
}

impl<'a> NibbleWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, half: false }
    }

    pub(super) fn put(&mut self, mut value: u64) {
        while value >= 8 {
            self.nibble(value as u8 & 7 | 8);
            value >>= 3;
        }
        self.nibble(value as u8);
    }

    fn nibble(&mut self, nibble: u8) {
        match self.out.last_mut() {
            Some(byte) if self.half => *byte |= nibble << 4,
            _ => self.out.push(nibble),
        }
        self.half = !self.half;
    }
}

/// Reads nibbles from bytes.
#[derive(Clone)]
pub(super) struct NibbleReader<'a> {
    bytes: &'a [u8],
    /// Next nibble, counted from the beginning.
    at: usize,
}

impl<'a> NibbleReader<'a> {
    /// Starts at a whole byte.
    pub(super) fn at_byte(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at * 2 }
    }

    /// Byte in which the next nibble stands.
    pub(super) fn byte(&self) -> usize {
        self.at / 2
    }

    /// Nibbles that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() * 2 - self.at
    }

    pub(super) fn take(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for n in 0..NIBBLES_MAX {
            let byte = *self.bytes.get(self.at / 2).ok_or(DecodeError::Truncated(self.bytes.len()))?;
            let nibble = if self.at.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
            let part = u64::from(nibble & 7);
            if n == NIBBLES_MAX - 1 && part > 1 {
                break;
            }
            value |= part << (3 * n);
            self.at += 1;
            if nibble & 8 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Corrupt { at: self.at / 2, what: "an integer has more than 64 bits" })
    }
}
