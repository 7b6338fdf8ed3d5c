//! Numbers as clients write them.

use crate::inputs::parse::number::{decimal, float};

/// A finite number with or without a sign.
#[inline]
pub fn signed(text: &[u8]) -> Option<f64> {
    match text {
        [b'-', digits @ ..] => unsigned(digits).map(|value| -value),
        [b'+', digits @ ..] => unsigned(digits),
        digits => unsigned(digits),
    }
}

/// Longest text whose digits surely fit the 53 bits in which a division by a power of ten is exact.
const EXACT_BYTES_MAX: usize = 16;

/// A finite number without a sign, the nearest there is.
#[inline]
fn unsigned(digits: &[u8]) -> Option<f64> {
    if digits.len() <= EXACT_BYTES_MAX
        && let Some(value) = decimal(digits)
    {
        return Some(value);
    }
    // Exponents and more digits than a duration has; never a second sign, a word or nothing.
    let is_number = digits.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.');
    if is_number { float(digits) } else { None }
}

/// A whole number without a sign, of at most 18 digits.
#[inline]
pub fn whole(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_clients_write_them() {
        for (text, value) in [
            ("1", 1.0),
            ("-3", -3.0),
            ("+2.5", 2.5),
            ("0.25", 0.25),
            (".5", 0.5),
            ("1e-05", 1e-5),
            ("1.5E3", 1500.0),
            ("123456789012345678901", 123_456_789_012_345_678_901.0),
            ("0.1234567890123456789", 0.123_456_789_012_345_68),
        ] {
            assert_eq!(signed(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for text in
            ["", "-", "+", ".", "--1", "+-1", "nan", "inf", "-inf", "1e999", "0x10", "1_0", "1 ", "e5"]
        {
            assert_eq!(signed(text.as_bytes()), None, "{text}");
        }
    }
}
