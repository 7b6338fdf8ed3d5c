//! Integers of seven bits a byte, lowest first, the top bit set on all but the last (LEB128, as in
//! Protocol Buffers).

use super::DecodeError;

/// Most bytes that 64 bits take.
const BYTES_MAX: usize = 10;

/// Appends a value.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a value at `at` and moves it behind.
pub fn take(bytes: &[u8], at: &mut usize) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for n in 0..BYTES_MAX {
        let byte = *bytes.get(*at).ok_or(DecodeError::Truncated(bytes.len()))?;
        let part = u64::from(byte & 0x7f);
        if n == BYTES_MAX - 1 && part > 1 {
            break;
        }
        value |= part << (7 * n);
        *at += 1;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Corrupt { at: *at, what: "an integer has more than 64 bits" })
}

/// Small for small numbers of either sign: 0, −1, 1, −2, …
pub(super) fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

/// Undoes [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
